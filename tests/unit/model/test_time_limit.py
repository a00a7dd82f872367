"""How long runs take, and whether another one fits, with numbers made up."""

from __future__ import annotations

from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hpsearch.backends.local.slots import TimeLimit
from hpsearch.model.placement import expected_seconds, why_no_more, why_too_short
from hpsearch.model.retries import JobTime

SECONDS = st.floats(0, 1e6)
DURATIONS = st.lists(SECONDS, max_size=50)


@pytest.mark.parametrize(
    ('durations', 'expected'),
    [
        ([], None),
        ([7.0], 7.0),
        ([9.0, 1.0], 9.0),
        ([float(n) for n in range(1, 10)], 9.0),
        ([float(n) for n in range(1, 11)], 9.0),
        ([float(n) for n in range(1, 12)], 10.0),
        ([float(n) for n in range(100, 0, -1)], 90.0),
        ([10.0] * 9 + [5000.0], 10.0),
    ],
)
def test_that_a_run_is_expected_to_take_as_long_as_nine_of_ten_at_most(
    durations: Sequence[float], expected: float | None
) -> None:
    assert expected_seconds(durations) == expected


@given(st.lists(SECONDS, min_size=1, max_size=50))
def test_that_nine_of_ten_runs_took_no_longer_and_fewer_would_not_be_enough(durations: list[float]) -> None:
    expected = expected_seconds(durations)
    assert expected in durations
    assert 10 * sum(each <= expected for each in durations) >= 9 * len(durations)
    assert 10 * sum(each < expected for each in durations) < 9 * len(durations)


@given(DURATIONS)
def test_that_the_order_of_runs_does_not_matter(durations: list[float]) -> None:
    assert expected_seconds(durations) == expected_seconds(sorted(durations))


@pytest.mark.parametrize(
    ('remaining', 'durations', 'margin', 'why'),
    [
        (3600.0, [1800.0], 30.0, ''),
        (1830.0, [1800.0], 30.0, ''),
        (
            1829.0,
            [1800.0],
            30.0,
            'this job ends in 30 min 29 s, of which 30 s are reserved for its end, '
            'and runs of this search take 30 min 00 s',
        ),
        (5.0, [6.0], 0.0, 'this job ends in 5 s, and runs of this search take 6 s'),
        (100.0, [], 15.0, ''),
        (15.0, [], 15.0, 'this job ends in 15 s'),
        (10.0, [], 15.0, 'this job ends in 10 s'),
        (10.0, [1.0], 15.0, 'this job ends in 10 s'),
        (-3.0, [], 0.0, 'this job ends in 0 s'),
        (0.0, [0.0], 0.0, 'this job ends in 0 s'),
    ],
)
def test_that_it_is_told_why_no_other_run_fits_before_the_end_of_the_job(
    remaining: float, durations: Sequence[float], margin: float, why: str
) -> None:
    assert why_no_more(remaining, durations, margin=margin) == why


@given(SECONDS, SECONDS, DURATIONS, st.floats(0, 1000))
def test_that_what_did_not_fit_does_not_fit_with_less_time(
    remaining: float, less: float, durations: list[float], margin: float
) -> None:
    if why_no_more(remaining, durations, margin=margin):
        assert why_no_more(remaining - less, durations, margin=margin)


@pytest.mark.parametrize('durations', [[], [50.0], [10_000.0]])
def test_that_a_fresh_job_starts_a_run_since_no_other_has_more_time(durations: list[float]) -> None:
    assert not why_no_more(120.0, durations, margin=105.0, is_fresh=True)
    assert why_no_more(0.0, durations, margin=105.0, is_fresh=True)


def test_that_jobs_of_two_minutes_each_start_runs_of_fifty_seconds() -> None:
    limit = TimeLimit(1120.0, lambda: [50.0] * 3, 45.0, is_ours=True)
    assert not limit.why_over(1040.0)
    limit.note_start()
    assert 'runs of this search take 50 s' in limit.why_over(1040.1), 'one after the other would not fit'


def test_that_a_job_in_which_something_else_ran_before_starts_none_that_does_not_fit() -> None:
    assert TimeLimit(1120.0, lambda: [50.0], 45.0).why_over(1040.0)


def test_that_time_is_over_at_the_moment_when_a_run_would_not_end_any_more() -> None:
    limit = TimeLimit(1000.0, lambda: [6.0] * 3, 31.0)
    assert not limit.why_over(960.0)
    assert not limit.why_over(963.0)
    assert limit.why_over(963.1)


@pytest.mark.parametrize(
    ('job', 'durations', 'said'),
    [
        (3600.0, [], ''),
        (3600.0, [3000.0], ''),
        (3600.0, [3590.0], 'Runs of this search take 59 min 50 s. A job of 1 h 00 min ends its runs 45 s before'),
        (240.0, [], ''),
        (240.0, [200.0], 'Runs of this search take 3 min 20 s'),
        (240.0, [190.0], ''),
        (120.0, [], ''),
        (120.0, [50.0], ''),
        (120.0, [80.0], 'so that they have 1 min 15 s'),
        (60.0, [], 'so that they have 15 s'),
        (30.0, [], 'so that they have 0 s'),
    ],
)
def test_that_it_is_said_beforehand_that_jobs_may_be_too_short(job: float, durations: list[float], said: str) -> None:
    found = why_too_short(job, durations, margin=45.0)
    assert said in found
    assert bool(found) is bool(said)


PILOT = JobTime(1000.0, 1240.0, 45.0)
"""Four minutes; its runs are ended 45 s before."""


@pytest.mark.parametrize(
    ('job', 'began', 'ended', 'was_whole'),
    [
        (PILOT, 1002.0, 1195.0, True),
        (PILOT, 1002.0, 1191.0, True),  # clocks differ a little
        (PILOT, 1002.0, 1239.0, True),
        (PILOT, 1060.0, 1196.0, False),  # after another run
        (PILOT, 1041.0, 1196.0, False),
        (PILOT, 1002.0, 1060.0, False),  # somebody cancelled it
        (JobTime(0.0, 120.0, 45.0), 1.0, 75.0, True),
        (JobTime(0.0, 3600.0), 0.0, 3600.0, True),
        (JobTime(0.0, 3600.0), 0.0, 2880.0, True),
        (JobTime(0.0, 3600.0), 0.0, 2870.0, False),  # of a script of one's own
        (JobTime(0.0, 3600.0), 800.0, 3600.0, False),
        (JobTime(0.0, -5.0), 0.0, 10.0, False),
    ],
)
def test_that_a_run_that_was_ended_with_its_job_reached_the_limit_if_it_had_the_time_of_the_job(
    job: JobTime, began: float, ended: float, was_whole: bool
) -> None:
    assert job.was_whole(ended - began, ended) is was_whole
