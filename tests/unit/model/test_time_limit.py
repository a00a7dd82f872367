"""How long runs take, and whether another one fits, with numbers made up."""

from __future__ import annotations

from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hpsearch.model.placement import expected_seconds, why_no_more
from hpsearch.model.retries import WHOLE_JOB, was_whole_job

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


@pytest.mark.parametrize(
    ('seconds', 'job_seconds', 'expected'),
    [
        (3600.0, 3600.0, True),
        (WHOLE_JOB * 3600.0, 3600.0, True),
        (2879.0, 3600.0, False),
        (4000.0, 3600.0, True),
        (0.0, 3600.0, False),
        (10.0, 0.0, False),
        (10.0, -5.0, False),
    ],
)
def test_that_an_attempt_with_most_of_the_time_of_its_job_had_a_whole_one(
    seconds: float, job_seconds: float, expected: bool
) -> None:
    assert was_whole_job(seconds, job_seconds) is expected
