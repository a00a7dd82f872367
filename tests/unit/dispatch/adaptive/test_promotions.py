"""Runs that were stopped and go on after all, in stepped time."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from hpsearch.dispatch.adaptive.promotions import PromotedFirst
from hpsearch.dispatch.adaptive.settings import PruneRule
from hpsearch.dispatch.context import WorkOptions
from hpsearch.dispatch.pending_runs import PendingRuns
from hpsearch.model.retries import RetryPolicy
from hpsearch.model.run import Run
from hpsearch.model.states import State
from hpsearch.model.trials.curves import curve_of
from hpsearch.model.trials.trial import Evaluation, Objective, Proposal, TrialState
from hpsearch.store.attempt_files import claim
from tests.fakes.reporting_backend import ReportingBackend
from tests.support.dispatching import CONFIGURATION, Desk, GrowingRuns, run

LOSS = Objective('loss')
RESUMABLE = replace(CONFIGURATION, resumable=True)


def by_name(name: str) -> Run:
    """A run of the plan."""
    return run(int(name.removeprefix('sim_')))


def state_of(desk: Desk, name: str) -> TrialState:
    """Where a run stands."""
    return TrialState.STOPPED if desk.state.state_of(name) is State.STOPPED else TrialState.WAITING


def evaluations(desk: Desk) -> list[Evaluation]:
    """All runs that have reported something."""
    return [
        Evaluation(name, by_name(name).number, Proposal({}), state_of(desk, name), curve=curve_of(points, LOSS))
        for name, points in desk.state.curves.items()
    ]


class Rung:
    """Stops runs at a step, and promotes the best ones of those that were stopped there once none is under way.

    Args:
        step: The step.
        promotes: How many runs are promoted in all.
    """

    def __init__(self, step: int, promotes: int) -> None:
        self._step = step
        self._promotes = promotes

    def why_stop(self, one: Evaluation, others: Sequence[Evaluation]) -> str:
        """At the step itself."""
        return 'at the rung' if one.last_step == self._step else ''

    def promotable(self, stopped: Sequence[Evaluation], others: Sequence[Evaluation]) -> Evaluation | None:
        """The best that is at the step, while fewer than that are beyond it."""
        at = [each for each in stopped if each.last_step == self._step]
        others_there = (each for each in others if each.state is TrialState.WAITING or each.last_step > self._step)
        is_open = len(list(others_there)) < self._promotes
        return min(at, key=lambda each: each.curve[self._step], default=None) if is_open else None


def promoted(desk: Desk, step: int = 3, promotes: int = 1) -> PromotedFirst:
    """What gives the runs of a search."""
    rule = PruneRule(Rung(step, promotes), lambda: evaluations(desk))
    return PromotedFirst(desk.pending._source, rule, desk.state, by_name)


def stop(desk: Desk, number: int, attempt: int = 1, step: int = 3, loss: float | None = None) -> None:
    """An attempt of another writer was stopped."""
    name = f'sim_{number}'
    points = [[step, {'loss': float(number) if loss is None else loss}]]
    for kind, facts in (('claimed', {}), ('reported', {'points': points}), ('ended', {'state': 'stopped'})):
        desk.recorder.hear('other', {'event': kind, 'run': name, 'attempt': attempt, **facts})


def names(source: PromotedFirst) -> list[str]:
    """All it has now."""
    found = []
    while (each := source.next()) is not None:
        found.append(each.name)
    return found


def test_that_the_best_of_those_that_were_stopped_comes_before_what_is_new(tmp_path: Path) -> None:
    desk = Desk(tmp_path, GrowingRuns(run(4), total=9))
    source = promoted(desk)
    assert source.total == 9
    stop(desk, 2)
    stop(desk, 1)
    assert (source.next(), source.next()) == (run(1), run(2))
    assert (source.next(), source.next()) == (run(4), None)


def test_that_each_attempt_is_promoted_once_and_the_next_one_may_be_again(tmp_path: Path) -> None:
    desk = Desk(tmp_path, GrowingRuns())
    source = promoted(desk)
    stop(desk, 1)
    assert names(source) == ['sim_1']
    assert names(source) == [], 'another writer may have claimed it, which is not heard yet'
    stop(desk, 1, attempt=2)
    assert names(source) == ['sim_1']


def test_that_the_end_of_the_others_is_not_the_end_while_one_is_to_be_promoted(tmp_path: Path) -> None:
    desk = Desk(tmp_path, GrowingRuns())
    source, grown = promoted(desk), desk.pending._source
    assert isinstance(grown, GrowingRuns)
    grown.is_exhausted = True
    assert source.is_exhausted
    stop(desk, 1)
    assert not source.is_exhausted
    assert names(source) == ['sim_1']
    assert source.is_exhausted


def test_that_nothing_is_promoted_that_was_withdrawn_or_is_not_stopped(tmp_path: Path) -> None:
    desk = Desk(tmp_path, GrowingRuns())
    source = promoted(desk)
    stop(desk, 1)
    stop(desk, 2)
    desk.recorder.hear('third', {'event': 'ended', 'run': 'sim_2', 'attempt': 1, 'state': 'finished'})
    desk.state.withdrawn = frozenset({'sim_1'})
    assert names(source) == []


def pending_of(desk: Desk) -> PendingRuns:
    """The runs that wait, those that are promoted included."""
    return PendingRuns(promoted(desk), desk.state, desk.recorder.counts, RetryPolicy(), find=by_name)


def test_that_a_run_that_has_ended_for_good_waits_again_once_it_is_promoted(tmp_path: Path) -> None:
    desk = Desk(tmp_path, GrowingRuns())
    pending = pending_of(desk)
    stop(desk, 1)
    pending.plan_again(run(1))
    assert pending.given_up == {'sim_1'}
    assert pending.take() == run(1)
    assert not pending.given_up
    pending.put_first(run(1))
    assert pending.take() == run(1), 'it could not be started'


def test_that_one_that_another_writer_promoted_first_is_passed_over(tmp_path: Path) -> None:
    desk = Desk(tmp_path, GrowingRuns())
    pending = pending_of(desk)
    stop(desk, 1)
    assert pending.has_ordinary
    desk.recorder.hear('other', {'event': 'claimed', 'run': 'sim_1', 'attempt': 2})
    assert pending.take() is None


def test_that_it_is_decided_what_comes_next_only_when_there_is_room_for_it(tmp_path: Path) -> None:
    desk = Desk(tmp_path, 3)
    pending = pending_of(desk)
    assert pending.has_ordinary
    assert pending.take() == run(1)
    assert pending.has_ordinary
    stop(desk, 1)
    assert pending.take() == run(1), 'although the plan has others'
    assert [pending.take() for _ in range(3)] == [run(2), run(3), None]
    assert not pending.has_ordinary


# In the loop


def searched(desk: Desk, backend: ReportingBackend, *, promotes: int = 1) -> None:
    """The search is worked on until its end."""
    rule = PruneRule(Rung(3, promotes), lambda: evaluations(desk))
    desk.pending._source = PromotedFirst(desk.pending._source, rule, desk.state, by_name)
    desk.dispatcher(backend, rule).run()


def test_that_a_promoted_run_goes_on_in_its_output_folder_as_a_further_attempt(tmp_path: Path) -> None:
    desk = Desk(tmp_path, 2, WorkOptions(retry=RetryPolicy(max_attempts=1)), RESUMABLE)
    for number in (1, 2):
        desk.folder.output(f'sim_{number}').mkdir()
    searched(desk, ReportingBackend(desk, lambda number, step: -number, steps=6, slots=2))
    assert [(event['run'], event['attempt']) for event in desk.events('claimed')] == [
        ('sim_1', 1),
        ('sim_2', 1),
        ('sim_2', 2),
    ]
    assert list(desk.state.curves.of('sim_2')) == [1, 2, 3, 4, 5, 6], 'its curve goes on'
    assert [desk.state.state_of(f'sim_{number}') for number in (1, 2)] == [State.STOPPED, State.FINISHED]
    assert not list(tmp_path.glob('search/*.attempt*'))


def test_that_what_somebody_else_claims_is_not_promoted_twice(tmp_path: Path) -> None:
    desk = Desk(tmp_path, 1, WorkOptions(waits_for_others=False), RESUMABLE)
    backend = ReportingBackend(desk, lambda number, step: number, steps=6)
    cancel = backend.cancel

    def be_overtaken(idents: Sequence[str], *, force: bool) -> None:
        assert claim(desk.folder, 'sim_1', 2, 'other')
        cancel(idents, force=force)

    backend.cancel = be_overtaken  # type: ignore[method-assign]
    searched(desk, backend)
    assert backend.started == ['sim_1']


def test_that_what_was_cancelled_is_not_promoted(tmp_path: Path) -> None:
    desk = Desk(tmp_path, GrowingRuns())
    source = promoted(desk)
    stop(desk, 1)
    stop(desk, 2)
    desk.recorder.hear('user', {'event': 'cancel', 'run': 'sim_1', 'after': 1, 'revision': 1})
    assert source.next() == run(2)
