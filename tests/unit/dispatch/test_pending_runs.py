"""The runs that wait."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest

from hpsearch.dispatch.pending_runs import PendingRuns, PlannedRuns, RunsToStart, runs_given_up
from hpsearch.model.history.search_state import SearchState
from hpsearch.model.resources import ResourceRequest
from hpsearch.model.retries import RetryPolicy
from hpsearch.model.run import Run
from hpsearch.model.states import State
from tests.support.dispatching import Desk, GrowingRuns, run

ALONE_ON_GPU = ResourceRequest(alone=True)


def claim(state: SearchState, number: int, attempt: int = 1, writer: str = 'w') -> None:
    state.fold(writer, {'event': 'claimed', 'run': f'sim_{number}', 'attempt': attempt})


def end(state: SearchState, number: int, ended: str, attempt: int = 1, **facts: Any) -> None:
    claim(state, number, attempt)
    state.fold('w', {'event': 'ended', 'run': f'sim_{number}', 'attempt': attempt, 'state': ended, **facts})


def ask_again(state: SearchState, number: int) -> None:
    state.fold('user', {'event': 'rerun', 'run': f'sim_{number}', 'after': 1, 'revision': 1})


def backlog(
    state: SearchState, count: int = 3, policy: RetryPolicy | None = None, given_up: tuple[str, ...] = ()
) -> PendingRuns:
    source = PlannedRuns(map(run, range(1, count + 1)), count)
    return PendingRuns(source, state, {}, policy or RetryPolicy(), given_up)


def taken(waiting: PendingRuns) -> list[int]:
    numbers = []
    while (each := waiting.take()) is not None:
        numbers.append(each.number)
    return numbers


def test_that_runs_are_taken_in_their_order() -> None:
    assert taken(backlog(SearchState())) == [1, 2, 3]


def test_that_the_plan_is_read_only_as_far_as_it_is_needed() -> None:
    read = []

    def plan() -> Iterator[Run]:
        for number in range(1, 1_000_000):
            read.append(number)
            yield run(number)

    waiting = PendingRuns(PlannedRuns(plan(), 999_999), SearchState(), {}, RetryPolicy())
    assert waiting
    assert waiting.take() == run(1)
    assert read == [1]


def test_that_a_run_another_writer_took_is_passed_over() -> None:
    state = SearchState()
    waiting = backlog(state)
    claim(state, 1, writer='other')
    assert taken(waiting) == [2, 3]
    assert not waiting


def test_that_a_run_that_was_given_back_is_the_next() -> None:
    waiting = backlog(SearchState())
    first = waiting.take()
    assert first is not None
    waiting.put_first(first)
    assert taken(waiting) == [1, 2, 3]


def test_that_a_run_that_is_run_again_comes_before_the_rest_of_the_plan() -> None:
    state = SearchState()
    waiting = backlog(state)
    first = waiting.take()
    assert first is not None
    end(state, 1, 'interrupted', cause='reboot')
    waiting.plan_again(first)
    assert taken(waiting) == [1, 2, 3]


def test_that_nothing_waits_again_while_nothing_is_started() -> None:
    state = SearchState()
    waiting = backlog(state, 1)
    (first,) = [waiting.take()]
    assert first is not None
    end(state, 1, 'interrupted', cause='reboot')
    waiting.close()
    waiting.plan_again(first)
    assert not waiting
    assert not waiting.given_up, 'resumed, it is run again'


def test_that_a_run_that_failed_for_good_is_given_up() -> None:
    state = SearchState()
    waiting = backlog(state, 1, RetryPolicy(retries=1))
    first = waiting.take()
    assert first is not None
    end(state, 1, 'failed')
    waiting.plan_again(first)
    assert waiting.take() == first
    end(state, 1, 'failed', attempt=2)
    waiting.plan_again(first)
    assert not waiting
    assert waiting.given_up == {'sim_1'}


def test_that_a_run_that_finished_elsewhere_is_not_given_up_any_more() -> None:
    state = SearchState()
    waiting = backlog(state, 1, given_up=('sim_1',))
    end(state, 1, 'finished')
    waiting.plan_again(run(1))
    assert not waiting.given_up
    assert not waiting


def test_that_runs_that_need_more_room_keep_no_other_waiting() -> None:
    state = SearchState()
    end(state, 2, 'interrupted', cause='gpu_oom')
    waiting = backlog(state)
    assert taken(waiting) == [1, 3]
    assert waiting, 'it still waits'
    assert not waiting.has_ordinary
    assert waiting.demanding == (run(2),)
    assert waiting.resources(run(2)) == ALONE_ON_GPU
    waiting.take_demanding(run(2))
    assert not waiting


def test_that_a_run_that_ran_out_of_memory_is_set_aside_at_once() -> None:
    state = SearchState()
    waiting = backlog(state)
    first = waiting.take()
    assert first is not None
    end(state, 1, 'interrupted', cause='gpu_oom')
    waiting.plan_again(first)
    assert waiting.demanding == (first,)
    assert taken(waiting) == [2, 3]


def test_that_another_writer_may_take_a_run_that_was_set_aside() -> None:
    state = SearchState()
    end(state, 1, 'interrupted', cause='gpu_oom')
    waiting = backlog(state, 1)
    assert waiting
    claim(state, 1, attempt=2, writer='other')
    assert waiting.demanding == ()
    assert not waiting


# Runs among which is chosen


def names(runs: Sequence[Run]) -> list[int]:
    return [each.number for each in runs]


def test_that_a_window_of_the_plan_can_be_chosen_from_in_any_order() -> None:
    waiting = backlog(SearchState(), 5)
    assert names(waiting.waiting_runs(3)) == [1, 2, 3]
    assert waiting.take_named('sim_2') == run(2)
    assert waiting.take_named('sim_2') is None
    assert names(waiting.waiting_runs(3)) == [1, 3, 4]
    assert taken(waiting) == [1, 3, 4, 5]


def test_that_what_another_writer_took_leaves_the_window() -> None:
    state = SearchState()
    waiting = backlog(state, 4)
    waiting.waiting_runs(3)
    claim(state, 2)
    assert names(waiting.waiting_runs(3)) == [1, 3, 4]


def test_that_a_run_that_is_run_again_comes_before_the_window() -> None:
    state = SearchState()
    waiting = backlog(state, 4)
    waiting.waiting_runs(3)
    first = waiting.take_named('sim_1')
    assert first is not None
    end(state, 1, 'interrupted', cause='reboot')
    waiting.plan_again(first)
    assert names(waiting.waiting_runs(3)) == [1, 2, 3]


def test_that_runs_that_need_more_room_are_in_the_window_beside_the_others() -> None:
    state = SearchState()
    end(state, 2, 'interrupted', cause='gpu_oom')
    waiting = backlog(state, 4)
    assert names(waiting.waiting_runs(2)) == [2, 1, 3]
    assert waiting.resources(run(2)) == ALONE_ON_GPU
    assert waiting.take_named('sim_2') == run(2)
    assert names(waiting.waiting_runs(2)) == [1, 3]


def test_that_no_sampler_chooses_a_run_to_be_looked_at() -> None:
    source = GrowingRuns(run(1), run(2))
    source.is_ready = True
    waiting = PendingRuns(source, SearchState(), {}, RetryPolicy())
    assert names(waiting.waiting_runs(3)) == [] and source.asked == 0
    assert waiting.choose() and waiting.choose() and not waiting.choose()
    assert names(waiting.waiting_runs(3)) == [1, 2]
    waiting.close()
    assert names(waiting.waiting_runs(3)) == [] and not waiting.may_choose


# Runs that are not known in advance


def test_that_a_source_without_a_run_now_is_asked_again() -> None:
    source = GrowingRuns(run(1))
    waiting = PendingRuns(source, SearchState(), {}, RetryPolicy())
    assert taken(waiting) == [1]
    assert not waiting, 'none can be taken now'
    assert not waiting.is_exhausted, 'but there may be more'
    source.ready += [run(2), run(3)]
    assert waiting
    assert taken(waiting) == [2, 3]


def test_that_a_source_that_is_exhausted_is_not_asked_again() -> None:
    source = GrowingRuns(run(1))
    waiting = PendingRuns(source, SearchState(), {}, RetryPolicy())
    assert taken(waiting) == [1]
    source.is_exhausted = True
    asked = source.asked
    assert waiting.is_exhausted
    assert not waiting
    assert source.asked == asked


def test_that_a_run_that_is_run_again_counts_although_the_source_is_exhausted() -> None:
    state = SearchState()
    source = GrowingRuns(run(1))
    waiting = PendingRuns(source, state, {}, RetryPolicy())
    taken(waiting)
    source.is_exhausted = True
    end(state, 1, 'interrupted', cause='reboot')
    waiting.plan_again(run(1))
    assert not waiting.is_exhausted
    assert taken(waiting) == [1]
    assert waiting.is_exhausted


def test_that_a_search_that_has_enough_gives_only_what_users_ask_for() -> None:
    state, source = SearchState(), GrowingRuns(run(1), run(2))
    waiting = PendingRuns(source, state, {}, RetryPolicy(retries=3), find=lambda name: run(int(name[-1])))
    for number in (3, 4):
        end(state, number, 'failed')
        waiting.plan_again(run(number))
    waiting.have_enough()
    assert (taken(waiting), waiting.is_exhausted, source.asked) == ([], True, 0)
    ask_again(state, 4)
    waiting.plan_again(run(4))
    assert not waiting.is_exhausted
    assert taken(waiting) == [4]


def test_that_what_was_asked_for_before_a_search_had_enough_is_given_as_well() -> None:
    state = SearchState()
    waiting = PendingRuns(GrowingRuns(), state, {}, RetryPolicy(), find=lambda name: run(int(name[-1])))
    end(state, 3, 'failed')
    ask_again(state, 3)
    waiting.have_enough()
    assert names(waiting.waiting_runs(2)) == [3]
    assert taken(waiting) == [3]


def test_that_a_run_of_which_an_attempt_is_ours_does_not_wait_whatever_others_report() -> None:
    state = SearchState()
    waiting = backlog(state)
    first = waiting.take()
    assert first is not None
    waiting.hold(first)
    end(state, 1, 'lost')
    waiting.plan_again(first)
    waiting.put_first(first)
    assert taken(waiting) == [2, 3]
    waiting.release(first)
    assert taken(waiting) == [1]


def test_that_a_plan_is_exhausted_when_its_last_run_was_taken() -> None:
    waiting = backlog(SearchState(), 2)
    assert not waiting.is_exhausted
    assert taken(waiting) == [1, 2]
    assert waiting.is_exhausted


def test_that_a_search_that_is_stopped_gives_no_more_runs_whatever_its_source_has() -> None:
    waiting = PendingRuns(GrowingRuns(run(1)), SearchState(), {}, RetryPolicy())
    waiting.close()
    assert not waiting
    assert waiting.is_exhausted


def test_that_runs_that_wait_are_counted_as_far_as_they_are_known() -> None:
    counts = {State.RUNNING: 2, State.FINISHED: 3, State.INTERRUPTED: 1, State.FAILED: 1}
    source = GrowingRuns(total=10)
    waiting = PendingRuns(source, SearchState(), counts, RetryPolicy(), given_up=('sim_9',))
    assert waiting.waiting == 4, 'the interrupted one, and three without events'
    source.total = 12
    assert waiting.waiting == 6
    source.total = None
    assert waiting.waiting == 1, 'the interrupted one'


# A search that is resumed


def test_that_runs_are_started_that_are_neither_finished_nor_under_way_nor_given_up(tmp_path: Path) -> None:
    desk = Desk(tmp_path, 6)
    end(desk.state, 1, 'finished')
    end(desk.state, 2, 'failed')
    end(desk.state, 3, 'interrupted')
    claim(desk.state, 4, writer='other')
    desk.state.withdrawn = frozenset({'sim_6'})
    runs = RunsToStart(desk.folder, desk.state, RetryPolicy())
    assert [each.name for each in runs] == ['sim_3', 'sim_5']
    assert list(runs_given_up(desk.state, RetryPolicy())) == ['sim_2']
    desk.state.withdrawn = frozenset()
    again = RetryPolicy(retry_failed=True)
    assert [each.name for each in RunsToStart(desk.folder, desk.state, again)] == [
        'sim_2',
        'sim_3',
        'sim_5',
        'sim_6',
    ]
    assert list(runs_given_up(desk.state, again)) == []


# Bad places


def test_that_what_failed_in_a_place_before_a_search_was_resumed_is_run_elsewhere_once_the_place_is_bad() -> None:
    state = SearchState()
    for number, node in enumerate(('n3', 'n1', 'n3'), 1):
        end(state, number, 'failed', cause='exit', seconds=1.0 if number < 3 else 3600.0, node=node)
    names = tuple(state.runs)
    waiting = PendingRuns(PlannedRuns((), 3), state, {}, RetryPolicy(), names, {'sim_1': run(1), 'sim_3': run(3)}.get)
    assert taken(waiting) == []
    waiting.note_bad_places(frozenset({'n3'}))
    assert taken(waiting) == [1], 'not what failed elsewhere, nor what failed late'
    assert waiting.given_up == {'sim_2', 'sim_3'}


def test_that_the_runs_of_a_bad_place_are_found_later_where_the_plan_cannot_be_read() -> None:
    state = SearchState()
    answers: list[OSError | Run] = [OSError('cannot be read'), run(1)]
    end(state, 1, 'failed', cause='exit', seconds=1.0, node='n3')

    def find(name: str) -> Run | None:
        answer = answers.pop(0)
        if isinstance(answer, OSError):
            raise answer
        return answer

    waiting = PendingRuns(PlannedRuns((), 1), state, {}, RetryPolicy(), ['sim_1'], find)
    with pytest.raises(OSError, match='cannot be read'):
        waiting.note_bad_places(frozenset({'n3'}))
    waiting.note_bad_places(frozenset({'n3'}))
    assert taken(waiting) == [1]


def ask(state: SearchState, waiting: PendingRuns, kind: str, number: int, revision: int) -> None:
    state.fold('user', {'event': kind, 'run': f'sim_{number}', 'after': 0, 'revision': revision})
    waiting.plan_again(run(number))


@pytest.mark.parametrize('read', [0, 3])
@pytest.mark.parametrize('is_heard_together', [False, True])
def test_that_what_was_cancelled_and_asked_for_again_waits_once_wherever_the_plan_had_been_read_to(
    read: int, is_heard_together: bool
) -> None:
    state = SearchState()
    waiting = backlog(state)
    waiting.waiting_runs(read)
    ask(state, waiting, 'cancel', 2, 1)
    assert waiting.given_up == {'sim_2'}
    if not is_heard_together:
        assert names(waiting.waiting_runs(3)) == [1, 3]
    ask(state, waiting, 'rerun', 2, 2)
    assert sorted(names(waiting.waiting_runs(9))) == [1, 2, 3]
    assert waiting.given_up == set()
    claim(state, 2)
    assert sorted(taken(waiting)) == [1, 3]
