"""How far the work is stopped, in stepped time."""

from __future__ import annotations

from typing import Any

import pytest

from hpsearch.backends.base import Silence
from hpsearch.dispatch.context import WorkOptions
from hpsearch.dispatch.shutdown import FailFast, Shutdown, Stop
from hpsearch.host.signals import StopRequests
from hpsearch.model.retries import JobTime
from hpsearch.model.run import Run
from hpsearch.model.states import State
from hpsearch.model.verdict import Verdict
from hpsearch.store.completion import Completion, EndReport
from tests.support.dispatching import run

GRACE = 15.0


def shutdown(stops: int = 0, **options: Any) -> tuple[Shutdown, StopRequests]:
    requests = StopRequests(stops)
    return Shutdown(requests, WorkOptions(stop_grace=GRACE, **options)), requests


def ended(state: State = State.FAILED, failure: str | None = None, number: int = 1, **report: Any) -> Completion:
    return Completion(run(number), 1, Verdict(state, 'so', 'exit'), EndReport(**report), {}, failure)


# The stages


def test_that_nothing_is_stopped_unasked() -> None:
    stopping, _ = shutdown()
    assert stopping.due(0.0) == []
    assert not stopping.is_asked_for
    assert not stopping.has_begun


def test_that_one_request_ends_the_runs_in_order() -> None:
    stopping, requests = shutdown()
    requests.stops = 1
    assert stopping.due(10.0) == [Stop.TERM]
    assert stopping.due(10.0 + GRACE - 0.1) == [], 'they have their grace'
    assert stopping.due(10.0 + GRACE) == [Stop.KILL]
    assert stopping.due(1000.0) == [], 'every stage is carried out once'
    assert stopping.why == 'stopped by the user'


def test_that_a_second_request_kills_at_once() -> None:
    stopping, requests = shutdown(stops=1)
    assert stopping.due(0.0) == [Stop.TERM]
    requests.stops = 2
    assert stopping.due(0.1) == [Stop.KILL]


def test_that_two_requests_in_the_same_round_ask_before_they_kill() -> None:
    stopping, _ = shutdown(stops=2)
    assert stopping.due(0.0) == [Stop.TERM, Stop.KILL]


def test_that_draining_ends_nothing_and_may_be_followed_by_a_stop() -> None:
    stopping, requests = shutdown()
    stopping.request(Stop.DRAIN, 'stopped by hpsearch stop')
    assert stopping.due(0.0) == [Stop.DRAIN]
    assert stopping.due(1000.0) == []
    requests.stops = 1
    assert stopping.due(1000.0) == [Stop.TERM]
    assert stopping.due(1000.0 + GRACE) == [Stop.KILL]


def test_that_a_request_for_less_changes_nothing() -> None:
    stopping, _ = shutdown()
    stopping.request(Stop.TERM, 'first')
    stopping.request(Stop.DRAIN, 'second')
    stopping.request(Stop.TERM, 'third')
    assert stopping.due(0.0) == [Stop.TERM]
    assert stopping.why == 'first'


def test_that_nothing_is_started_as_soon_as_a_stop_is_asked_for() -> None:
    stopping, _ = shutdown()
    stopping.request(Stop.DRAIN, 'so')
    assert stopping.is_asked_for
    assert not stopping.has_begun
    stopping.due(0.0)
    assert stopping.has_begun


def test_that_within_a_job_it_is_the_job_that_was_ended() -> None:
    stopping, _ = shutdown(stops=1, job_time=JobTime(0.0, 600.0))
    stopping.due(0.0)
    assert stopping.why == 'the job it ran in was asked to end'


# A queue that does not end its jobs


def in_queue(stops: int) -> Shutdown:
    """A search in a queue that is stopped at second 100."""
    stopping, _ = shutdown(stops, in_queue=True)
    stopping.due(100.0)
    return stopping


@pytest.mark.parametrize('silence', [None, Silence(0.0, 'squeue failed')])
def test_that_a_queue_is_waited_for_while_nobody_stops_the_search(silence: Silence | None) -> None:
    assert not in_queue(0).gives_up(1e6, silence)


def test_that_a_queue_that_answers_is_waited_for_until_its_jobs_have_ended() -> None:
    assert not in_queue(1).gives_up(1e6, None)
    assert not in_queue(1).gives_up(1e6, Silence(1e6 - 1, 'squeue has not answered yet')), 'it takes a moment'


@pytest.mark.parametrize('since', [0.0, 102.0])
def test_that_one_request_is_enough_where_the_queue_is_silent_for_the_grace_of_its_jobs(since: float) -> None:
    stopping = in_queue(1)
    assert not stopping.gives_up(100.0 + GRACE - 0.1, Silence(since, 'squeue failed'))
    assert stopping.gives_up(100.0 + GRACE, Silence(since, 'squeue failed'))


def test_that_the_second_request_gives_up_a_silent_queue_at_once() -> None:
    assert not in_queue(2).gives_up(101.0, Silence(100.0, 'squeue has not answered yet'))
    assert in_queue(2).gives_up(103.0, Silence(100.0, 'squeue has not answered yet'))
    assert in_queue(2).gives_up(100.0, Silence(0.0, 'squeue failed'))


def test_that_two_requests_end_within_the_grace_whatever_the_queue_says() -> None:
    assert not in_queue(2).gives_up(100.0 + GRACE - 0.1, None)
    assert in_queue(2).gives_up(100.0 + GRACE, None)


def test_that_the_grace_of_a_second_request_begins_with_it() -> None:
    stopping, requests = shutdown(1, in_queue=True)
    stopping.due(100.0)
    requests.stops = 2
    stopping.due(500.0)
    assert not stopping.gives_up(500.0 + GRACE - 0.1, None)
    assert stopping.gives_up(500.0 + GRACE, None)


def test_that_a_third_request_gives_up_at_once() -> None:
    assert in_queue(3).gives_up(100.0, None)


def test_that_processes_of_this_machine_are_waited_for_until_they_have_ended() -> None:
    stopping, _ = shutdown(3)
    stopping.due(100.0)
    assert not stopping.gives_up(1e6, None)


# What else leads to a stop


def test_that_a_queue_that_refuses_drains_and_its_first_words_are_kept() -> None:
    stopping, _ = shutdown()
    stopping.note_end(ended(cause='refused', detail='Invalid account'))
    stopping.refuse('something else')
    assert stopping.refused == 'Invalid account'
    assert stopping.due(0.0) == [Stop.DRAIN]
    assert stopping.why == 'Invalid account'


def test_that_runs_that_all_fail_alike_end_the_search() -> None:
    stopping, _ = shutdown(fail_fast=2)
    stopping.note_end(ended(failure='no module named torch'))
    assert stopping.due(0.0) == []
    stopping.note_end(ended(failure='no module named torch', number=2))
    assert stopping.due(0.0) == [Stop.TERM]
    assert stopping.why == 'the first runs all failed alike'
    assert stopping.fail_fast.signature == 'no module named torch'
    assert stopping.fail_fast.example == run(1)


def test_that_an_interrupted_run_is_no_failure_and_does_not_count() -> None:
    stopping, _ = shutdown(fail_fast=2)
    stopping.note_end(ended(failure='so'))
    stopping.note_end(ended(State.INTERRUPTED))
    stopping.note_end(ended(failure='so'))
    assert stopping.due(0.0) == [Stop.TERM]


def test_that_a_run_that_was_stopped_because_of_its_metrics_is_no_failure_and_shows_that_runs_work() -> None:
    stopping, _ = shutdown(fail_fast=2)
    stopping.note_end(ended(State.STOPPED))
    for number in (2, 3):
        stopping.note_end(ended(failure='alike', number=number))
    assert not stopping.is_asked_for


def met(failures: list[str | None], limit: int) -> list[bool]:
    fast, example = FailFast(limit), Run('sim_1', 1, {}, ())
    return [fast.is_met_by(failure, example) for failure in failures]


@pytest.mark.parametrize(
    ('failures', 'limit', 'expected'),
    [
        (['x', 'x', 'x'], 3, [False, False, True]),
        (['x', 'x', 'x', 'x'], 3, [False, False, True, False]),  # reported once
        ([None, 'x', 'x', 'x'], 3, [False] * 4),  # the first one did not fail
        (['x', 'y', 'x'], 3, [False] * 3),
        (['x', 'x'], 0, [False] * 2),  # never
    ],
)
def test_that_only_the_first_ends_count_and_only_if_they_are_alike(
    failures: list[str | None], limit: int, expected: list[bool]
) -> None:
    assert met(failures, limit) == expected


def test_that_one_node_alone_does_not_end_the_search_unless_there_is_no_other() -> None:
    stopping, _ = shutdown(fail_fast=2, in_queue=True)
    for number in range(1, 6):
        stopping.note_end(ended(failure='so', number=number), ['n3'])
    stopping.note_places({'n3'}, set())
    assert stopping.due(0.0) == []
    stopping.note_places({'n3'}, {'n3'})
    assert stopping.due(0.0) == [Stop.TERM]
    assert stopping.fail_fast.signature == 'so'


def test_that_a_second_node_on_which_runs_fail_alike_ends_the_search() -> None:
    stopping, _ = shutdown(fail_fast=2, in_queue=True)
    for node in ('n3', 'n3', 'n3', 'n1'):
        assert stopping.due(0.0) == []
        stopping.note_end(ended(failure='so'), [node])
    assert stopping.due(0.0) == [Stop.TERM]


def test_that_one_gpu_alone_ends_the_search_unless_runs_may_be_well_on_another() -> None:
    stopping, _ = shutdown(fail_fast=2)
    for number in range(1, 6):
        stopping.note_end(ended(failure='so', number=number), ['GPU 1 on ws'])
    stopping.note_places((), (), {'GPU 1 on ws'})
    assert stopping.due(0.0) == []
    stopping.note_places((), (), ())
    assert stopping.due(0.0) == [Stop.TERM], 'as on a machine with one GPU'


def test_that_gpus_on_which_all_runs_fail_alike_end_the_search() -> None:
    stopping, _ = shutdown(fail_fast=2)
    stopping.note_end(ended(failure='so'), ['GPU 1 on ws'])
    assert stopping.due(0.0) == []
    stopping.note_end(ended(failure='so'), ['GPU 0 on ws'])
    assert stopping.due(0.0) == [Stop.TERM]


def test_that_a_node_does_not_excuse_what_fails_on_this_machine() -> None:
    stopping, _ = shutdown(fail_fast=2, node='n3')
    for number in (1, 2):
        stopping.note_end(ended(failure='so', number=number), ['n3'])
    assert stopping.due(0.0) == [Stop.TERM]


def test_that_a_process_on_a_bad_node_starts_nothing_more() -> None:
    stopping, _ = shutdown(node='n3')
    stopping.note_places({'n1'}, set())
    assert stopping.due(0.0) == []
    stopping.note_places({'n1', 'n3'}, set())
    assert stopping.due(0.0) == [Stop.DRAIN]
    assert stopping.why == 'runs fail within seconds on this node, n3, and not on others'


def test_that_runs_go_on_after_an_early_warning_until_there_is_just_enough_time_to_end_them() -> None:
    stopping, requests = shutdown(job_time=JobTime(0.0, 120.0, 45.0, warns_early=True))
    requests.is_near_limit = True
    assert stopping.due(15.0) == [Stop.DRAIN], 'a minute early'
    assert stopping.due(74.0) == []
    assert stopping.due(75.0) == [Stop.TERM]
    assert stopping.due(75.0 + GRACE) == [Stop.KILL]
    assert stopping.why == 'the job it ran in was asked to end'


@pytest.mark.parametrize('job_time', [None, JobTime(0.0, 120.0), JobTime(0.0, 120.0, 45.0)])
def test_that_runs_are_ended_at_a_warning_of_which_nothing_more_is_known(job_time: JobTime | None) -> None:
    stopping, requests = shutdown(job_time=job_time)
    requests.is_near_limit = True
    assert stopping.due(15.0) == [Stop.TERM]
