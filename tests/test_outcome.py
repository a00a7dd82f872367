"""From evidence to a verdict."""

from __future__ import annotations

import pytest

from hpsearch.outcome import failure_signature, judge, same_failure, status_in_words
from hpsearch.records import Run, Summary
from hpsearch.retries import RetryPolicy, again
from hpsearch.states import Attempt, State

NO_SUMMARY = Summary(problem='there is no performance_overview.txt')
GOOD = Summary({'acc': '1', 'finished': '1'}, finished=True, found=True)
UNFINISHED = Summary({'acc': '1', 'finished': '0'}, finished=False, found=True)
HALF = Summary({'acc': '1'}, finished=None, found=True, problem='it has no finished')


@pytest.mark.parametrize(
    ('code', 'summary', 'state', 'said'),
    [
        (0, GOOD, State.FINISHED, ''),
        (1, GOOD, State.FINISHED, 'status 1 after its summary'),
        (139, GOOD, State.FINISHED, 'SIGSEGV'),
        (None, GOOD, State.FINISHED, ''),
        (0, NO_SUMMARY, State.FAILED, 'there is no performance_overview.txt'),
        (0, HALF, State.FAILED, 'it has no finished'),
        (0, UNFINISHED, State.FAILED, 'finished 0'),
        (1, UNFINISHED, State.FAILED, 'status 1'),
        (2, NO_SUMMARY, State.FAILED, 'status 2'),
        (137, NO_SUMMARY, State.FAILED, 'SIGKILL'),
        (127, NO_SUMMARY, State.FAILED, 'not found'),
        (126, NO_SUMMARY, State.FAILED, 'not be executed'),
        (None, NO_SUMMARY, State.LOST, 'no exit record'),
    ],
)
def test_that_a_summary_and_a_status_decide(code: int | None, summary: Summary, state: State, said: str) -> None:
    verdict = judge(code, '', '', summary, wants_summary=True)
    assert verdict.state is state
    assert said in verdict.reason


@pytest.mark.parametrize(('code', 'state'), [(0, State.FINISHED), (1, State.FAILED), (None, State.LOST)])
def test_that_the_status_alone_decides_where_no_summary_is_configured(code: int | None, state: State) -> None:
    assert judge(code, '', '', Summary(), wants_summary=False).state is state


def test_that_a_run_we_stopped_is_interrupted_unless_it_had_finished() -> None:
    stopped = judge(143, '', '', NO_SUMMARY, wants_summary=True, stop_reason='stopped by the user')
    assert (stopped.state, stopped.reason) == (State.INTERRUPTED, 'stopped by the user')
    assert judge(143, '', '', GOOD, wants_summary=True, stop_reason='x').state is State.FINISHED


def test_that_an_end_from_outside_is_an_interruption() -> None:
    verdict = judge(None, 'preempted', 'by job 7', NO_SUMMARY, wants_summary=True)
    assert (verdict.state, verdict.cause) == (State.INTERRUPTED, 'preempted')


def test_that_statuses_above_128_name_a_signal_or_say_that_they_are_codes() -> None:
    assert 'SIGTERM' in status_in_words(143)
    assert 'code of its own' in status_in_words(255)


def run(name: str, *words: str) -> Run:
    return Run(name, 1, {}, ('python3', 'train.py', *words))


def test_that_failures_which_differ_by_run_only_are_the_same() -> None:
    one = failure_signature('Trace\ntrain.py: error: unrecognized arguments: --lr=0.1\n', '', run('sim_1', '--lr=0.1'))
    two = failure_signature('Trace\ntrain.py: error: unrecognized arguments: --lr=7\n', '', run('sim_2', '--lr=7'))
    assert one == two
    one, two = (failure_signature(f'no /out/{name}/x at 0x7f{name[-1]}', '', run(name)) for name in ('sim_1', 'sim_2'))
    assert one == two


def test_that_different_failures_are_different() -> None:
    assert failure_signature('KeyError: a', '', run('sim_1')) != failure_signature('KeyError: b', '', run('sim_1'))


def test_that_only_the_last_lines_count_and_the_reason_where_there_are_none() -> None:
    assert failure_signature('1\n2\nx\ny\nz\n\n', '', run('sim_1')) == 'x\ny\nz'
    assert failure_signature('', 'status 3', run('sim_1')) == 'status #'


@pytest.mark.parametrize(
    ('failures', 'limit', 'same'),
    [
        (['a', 'a'], 2, 'a'),
        (['a', 'a', None], 2, 'a'),
        (['a'], 2, ''),
        (['a', 'b'], 2, ''),
        (['a', None], 2, ''),
        ([None, 'a', 'a'], 2, ''),
        (['a', 'a'], 0, ''),
        ([], 0, ''),
    ],
)
def test_that_the_first_runs_must_all_fail_alike(failures: list[str | None], limit: int, same: str) -> None:
    assert same_failure(failures, limit) == same


def attempts(*states: State) -> list[Attempt]:
    return [Attempt('sim_1', number, state) for number, state in enumerate(states, 1)]


@pytest.mark.parametrize(
    ('states', 'retries', 'is_run_again'),
    [
        ([State.FINISHED], 5, False),
        ([State.LOST], 0, True),
        ([State.LOST] * 2, 0, True),
        ([State.LOST] * 3, 0, False),
        ([State.INTERRUPTED] * 9, 0, True),
        ([State.LOST, State.LOST, State.INTERRUPTED, State.LOST], 0, False),
        ([State.FAILED], 0, False),
        ([State.FAILED], 1, True),
        ([State.FAILED] * 2, 1, False),
        ([State.LOST, State.FAILED], 1, True),
    ],
)
def test_that_only_what_counts_is_counted(states: list[State], retries: int, is_run_again: bool) -> None:
    assert bool(again(attempts(*states), RetryPolicy(max_attempts=3, retries=retries))) is is_run_again
