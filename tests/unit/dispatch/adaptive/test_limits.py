"""When an adaptive search ends: from its trials, their results and what they cost."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from hpsearch.dispatch.adaptive.limits import Spending, enough_by_budget, enough_by_results, total_of
from hpsearch.dispatch.adaptive.settings import Limits
from hpsearch.model.history.search_state import SearchState
from hpsearch.model.trials.trial import Evaluation, Objective, Proposal, Trial, TrialState
from hpsearch.store.folder import SearchFolder
from tests.support.adaptive import Writer, adaptive_folder, ended, finished, name, suggested, write_journal

ACC = Objective('acc', maximize=True)


@pytest.fixture
def folder(tmp_path: Path) -> SearchFolder:
    return adaptive_folder(tmp_path / 'search')


def trial(number: int, *losses: float, state: TrialState = TrialState.COMPLETE) -> Trial:
    return Trial(number, [Evaluation(name(number), number, Proposal({}, trial=number), state, losses)])


def test_that_a_target_is_reached_by_the_value_of_the_objective() -> None:
    trials = [trial(1, -0.8), trial(2, -0.9), trial(3, state=TrialState.WAITING)]
    assert enough_by_results(trials, Limits(target=0.91), [ACC]) is None
    found = enough_by_results(trials, Limits(target=0.9), [ACC])
    assert found is not None and found.is_success
    assert found.reason == f'the target was reached: acc is 0.9 in {name(2)}'


def test_that_a_search_ends_when_too_many_trials_have_failed() -> None:
    trials = [trial(number, state=TrialState.FAILED) for number in (1, 2)]
    assert enough_by_results(trials, Limits(max_broken=3), [ACC]) is None
    found = enough_by_results([*trials, trial(3, state=TrialState.FAILED)], Limits(max_broken=3), [ACC])
    assert found is not None and not found.is_success and '3 trials have failed' in found.reason


def test_that_trials_that_somebody_cancelled_are_not_among_those_that_have_failed(folder: SearchFolder) -> None:
    cancelled = [{'event': 'cancel', 'run': name(number), 'after': 0, 'revision': 1} for number in (1, 2)]
    of_queue = ended(3, 1, 'interrupted', cause='cancelled')
    events = [*map(suggested, range(1, 6)), *cancelled, *ended(2, 1, 'interrupted', cause='cancelled'), *of_queue]
    write_journal(folder, 'a', [*events, *ended(4, 1, 'failed'), *ended(5, 1, 'failed')])
    assert Writer(folder, 'b', Limits(max_broken=3)).source.enough() is None
    assert Writer(folder, 'c', Limits(max_broken=2)).source.enough() is not None


def test_that_trials_still_to_come_count_as_one_run_each() -> None:
    assert total_of(3, 2, Limits(max_trials=5)) == 6
    assert total_of(9, 5, Limits(max_trials=2)) == 9
    assert total_of(3, 2, Limits(target=1.0)) is None


def spent(*events: dict[str, Any], now: float = 0.0, gpus: int = 1) -> float:
    state = SearchState()
    state.replay(('w', event) for event in events)
    return Spending(state, gpus, lambda: now).seconds()


def test_that_the_budget_counts_seconds_times_gpus_of_all_attempts() -> None:
    claimed, end = ended(1, 1, 'failed', seconds=10.0)
    again = ended(1, 2, 'finished', seconds=5.0)
    assert spent(claimed, end, *again) == 15.0
    assert spent({**claimed, 'gpus': ['0', '1']}, end, *again) == 25.0


def test_that_what_runs_counts_up_to_now() -> None:
    claimed = {**ended(1, 1, 'failed')[0], 'at': 100.0, 'gpus': ['0', '1']}
    assert spent(claimed, now=130.0) == 0.0, 'it has not begun'
    assert spent(claimed, {'event': 'running', 'run': name(1), 'attempt': 1}, now=130.0) == 60.0


def test_that_a_job_in_a_queue_counts_with_the_gpus_that_each_run_has() -> None:
    submitting = {'event': 'submitting', 'queue': 'slurm', 'submission': 'a', 'attempts': [[name(1), 1]]}
    claimed, end = ended(1, 1, 'finished', seconds=10.0)
    assert spent(claimed, submitting, end, gpus=4) == 40.0


def test_that_a_budget_is_used_up_when_it_is_spent() -> None:
    assert enough_by_budget(3599.0, Limits(budget=3600.0)) is None
    found = enough_by_budget(3600.0, Limits(budget=3600.0))
    assert found is not None and found.reason == 'the budget is used up: 1 h 00 min of 1 h 00 min'


def test_that_nothing_is_suggested_nor_started_once_there_is_enough(folder: SearchFolder) -> None:
    write_journal(folder, 'a', [suggested(1), *finished(1, loss='0.1'), suggested(2)])
    reached = Writer(folder, 'b', Limits(target=0.2))
    assert reached.source.next() is None and reached.source.is_exhausted and not reached.source.is_ready
    later = Writer(folder, 'c', Limits(target=0.05))
    assert [run.number for run in later.take(2)] == [2, 3]


def test_that_failed_trials_are_those_that_are_not_run_again(folder: SearchFolder) -> None:
    write_journal(folder, 'a', [suggested(1), *ended(1, 1, 'failed'), suggested(2), *ended(2, 1, 'interrupted')])
    assert Writer(folder, 'b', Limits(max_trials=9, max_broken=2)).source.enough() is None
    assert Writer(folder, 'c', Limits(max_trials=9, max_broken=1)).source.enough() is not None
