"""Runs whose metrics are not good enough are stopped: in stepped time, with a pruner that says what a test wants."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import cast

import pytest

from hpsearch.backends.base import AttemptBackend, Launch
from hpsearch.dispatch.adaptive.pruning import Pruning
from hpsearch.dispatch.adaptive.settings import PruneRule
from hpsearch.dispatch.context import ActiveAttempt, WorkOptions
from hpsearch.model.resources import Slot
from hpsearch.model.states import State
from hpsearch.model.trials.curves import curve_of
from hpsearch.model.trials.trial import Evaluation, Objective, Proposal
from tests.fakes.reporting_backend import ReportingBackend
from tests.support.dispatching import Desk, run

GRACE = 15.0
LOSS = Objective('loss')


class Above:
    """Stops what is above a loss.

    Attributes:
        asked: Runs that were asked about, with their last step.
    """

    def __init__(self, most: float) -> None:
        self.most = most
        self.asked: list[tuple[str, float]] = []

    def why_stop(self, run: Evaluation, others: Sequence[Evaluation]) -> str:
        """Why."""
        self.asked.append((run.run, run.last_step))
        loss = run.curve[run.last_step]
        return f'{loss:g} at step {run.last_step:g}, of {len(others)} runs' if loss > self.most else ''

    def promotable(self, stopped: Sequence[Evaluation], others: Sequence[Evaluation]) -> Evaluation | None:
        """None."""
        return None


class Cancelled:
    """What is cancelled of a backend, in order: run and whether it is killed."""

    def __init__(self, tell: Callable[[], None] = lambda: None) -> None:
        self.calls: list[tuple[str, bool]] = []
        self._tell = tell

    def cancel(self, idents: Sequence[str], *, force: bool) -> None:
        """Note it."""
        self._tell()
        self.calls += [(ident.split(':')[1], force) for ident in idents]


def evaluations_of(desk: Desk) -> list[Evaluation]:
    """All runs that have reported something."""
    return [
        Evaluation(name, number, Proposal({}), curve=curve_of(points, LOSS))
        for number, (name, points) in enumerate(desk.state.curves.items(), 1)
    ]


class Bench:
    """Attempts of this writer that run, and what stops them."""

    def __init__(self, desk: Desk, most: float = 1.0, last_step: float = float('inf'), count: int = 2) -> None:
        self.desk = desk
        self.pruner = Above(most)
        self.backend = Cancelled()
        self.rule = PruneRule(self.pruner, lambda: evaluations_of(desk), last_step)
        self.pruning = self.another(self.rule)
        self.attempts = [self.begun(number) for number in range(1, count + 1)]

    def another(self, rule: PruneRule | None) -> Pruning:
        """What stops attempts."""
        return Pruning(self.desk.folder, self.desk.recorder, cast(AttemptBackend, self.backend), GRACE, rule)

    def begun(self, number: int) -> ActiveAttempt:
        """An attempt that runs."""
        one = run(number)
        os.makedirs(self.desk.folder.attempt(one.name, 1).folder)
        self.desk.recorder.record('claimed', one.name, 1)
        self.desk.recorder.record('running', one.name, 1)
        return ActiveAttempt(Launch(one, 1, f'me:{one.name}:1', Slot()), self.desk.clock())

    def report(self, number: int, step: float, loss: float, metric: str = 'loss') -> None:
        """An attempt has reported something."""
        self.desk.recorder.record('reported', f'sim_{number}', 1, points=[[step, {metric: loss}]])

    def step(self, seconds: float = 0.0) -> list[tuple[str, bool]]:
        """Let time pass and stop what is to be stopped; returns what is cancelled."""
        self.backend.calls.clear()
        self.desk.clock.now += seconds
        self.pruning.step(self.attempts, self.desk.clock())
        return list(self.backend.calls)

    def pruned(self) -> list[tuple[str, float, str]]:
        """What the journal says of it."""
        return [(event['run'], event['step'], event['reason']) for event in self.desk.events('pruned')]


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    return Bench(Desk(tmp_path))


def test_that_a_run_that_the_pruner_does_not_want_is_asked_to_end_and_killed_after_its_grace(bench: Bench) -> None:
    bench.report(1, 3, 7.0)
    bench.report(2, 3, 0.5)
    assert bench.step() == [('sim_1', False)]
    assert bench.pruned() == [('sim_1', 3, '7 at step 3, of 2 runs')]
    assert bench.attempts[0].stop_reason == '7 at step 3, of 2 runs'
    assert bench.step(GRACE - 0.1) == []
    assert bench.step(0.1) == [('sim_1', True)]
    assert bench.step(1000.0) == [], 'once'


def test_that_each_run_has_a_grace_of_its_own(bench: Bench) -> None:
    bench.report(1, 3, 7.0)
    assert bench.step() == [('sim_1', False)]
    bench.report(2, 3, 8.0)
    assert bench.step(10.0) == [('sim_2', False)]
    assert bench.step(5.0) == [('sim_1', True)]
    assert bench.step(10.0) == [('sim_2', True)]


def test_that_it_is_in_the_journal_before_anything_is_signalled(bench: Bench) -> None:
    seen: list[int] = []
    bench.backend = Cancelled(lambda: seen.append(len(bench.pruned())))
    bench.pruning = bench.another(bench.rule)
    bench.report(1, 3, 7.0)
    assert bench.step() == [('sim_1', False)]
    assert seen == [1]


def test_that_nothing_is_signalled_while_the_journal_cannot_be_written(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    bench.report(1, 3, 7.0)
    with monkeypatch.context() as patch:
        patch.setattr(bench.desk.journal, 'append_now', lambda event: False)
        assert bench.step() == [] == bench.pruned()
    assert bench.step() == [('sim_1', False)], 'it is asked again'


def test_that_the_pruner_is_asked_once_about_each_report(bench: Bench) -> None:
    bench.step()
    assert bench.pruner.asked == [], 'there is nothing yet'
    bench.report(1, 1, 0.5)
    bench.step()
    bench.step()
    bench.report(1, 2, 0.4)
    bench.report(2, 1, 0.9)
    bench.step()
    assert bench.pruner.asked == [('sim_1', 1), ('sim_1', 2), ('sim_2', 1)]


def test_that_it_is_not_asked_about_what_is_stopped_already_or_does_not_run(bench: Bench) -> None:
    bench.attempts[1].is_running = False
    bench.report(1, 1, 7.0)
    bench.report(2, 1, 7.0)
    bench.step()
    bench.report(1, 2, 8.0)
    assert bench.step() == []
    assert bench.pruner.asked == [('sim_1', 1)]


def test_that_other_metrics_do_not_matter(bench: Bench) -> None:
    bench.report(1, 1, 7.0, 'memory')
    assert bench.step() == [] == bench.pruner.asked


def test_that_what_has_reported_its_last_step_goes_on_to_its_end(tmp_path: Path) -> None:
    bench = Bench(Desk(tmp_path), last_step=9)
    bench.report(1, 9, 7.0)
    bench.report(2, 8, 7.0)
    assert bench.step() == [('sim_2', False)]


def test_that_what_has_ended_by_itself_meanwhile_is_left_alone(bench: Bench) -> None:
    Path(bench.desk.folder.attempt('sim_1', 1).exit).write_text('0\n')
    bench.report(1, 3, 7.0)
    assert bench.step() == [] == bench.pruned()


def test_that_attempts_of_other_writers_are_theirs_and_count_for_the_decision(bench: Bench) -> None:
    bench.attempts.pop()
    bench.report(2, 3, 9.0)
    bench.report(1, 3, 7.0)
    assert bench.step() == [('sim_1', False)]
    assert bench.pruned() == [('sim_1', 3, '7 at step 3, of 2 runs')]


def test_that_who_takes_over_an_attempt_that_was_to_be_stopped_stops_it(bench: Bench) -> None:
    bench.desk.recorder.hear('killed', {'event': 'pruned', 'run': 'sim_1', 'attempt': 1, 'step': 3, 'reason': 'worse'})
    bench.pruning = bench.another(None)
    assert bench.step() == [('sim_1', False)]
    assert bench.attempts[0].stop_reason == 'worse'
    assert bench.step(GRACE) == [('sim_1', True)]
    assert bench.pruned() == []


def test_that_what_is_being_stopped_for_another_reason_is_not_asked_twice_to_end(bench: Bench) -> None:
    bench.attempts[0].stop_reason = 'stopped by the user'
    bench.report(1, 3, 7.0)
    assert bench.step() == []
    assert bench.step(GRACE) == [('sim_1', True)]


def test_that_a_later_attempt_of_the_same_run_is_judged_anew(bench: Bench) -> None:
    bench.report(1, 3, 7.0)
    bench.step()
    bench.desk.recorder.record('ended', 'sim_1', 1, state='stopped')
    bench.desk.recorder.record('claimed', 'sim_1', 2)
    bench.desk.recorder.record('running', 'sim_1', 2)
    bench.attempts[0] = ActiveAttempt(Launch(run(1), 2, 'me:sim_1:2', Slot()), bench.desk.clock())
    asked = list(bench.pruner.asked)
    assert bench.step(GRACE) == []
    assert bench.pruner.asked == asked, 'it has reported nothing yet'
    bench.desk.recorder.record('reported', 'sim_1', 2, points=[[4, {'loss': 2.0}]])
    assert bench.step() == [('sim_1', False)]


# In the loop


def searched(desk: Desk, backend: ReportingBackend, most: float = 1.5) -> Above:
    """The search is worked on until its end."""
    pruner = Above(most)
    rule = PruneRule(pruner, lambda: evaluations_of(desk))
    desk.dispatcher(backend, rule).run()
    return pruner


def test_that_the_slot_of_a_run_that_was_stopped_is_filled_at_once(tmp_path: Path) -> None:
    desk = Desk(tmp_path, 3)
    backend = ReportingBackend(desk, lambda number, step: number)
    searched(desk, backend)
    assert backend.told == [
        *('sim_1/1 starts', 'sim_1/1 ends at 9'),
        *('sim_2/1 starts', 'sim_2/1 ends at 1', 'sim_3/1 starts', 'sim_3/1 ends at 1'),
    ]
    assert desk.screen.shown[-1].counts == {'finished': 1, 'stopped': 2, 'planned': 0}
    assert backend.rounds < 20


@pytest.mark.parametrize('asked', [143, 0, 1, 137])
def test_that_a_run_is_stopped_whatever_its_script_makes_of_it(tmp_path: Path, asked: int) -> None:
    desk = Desk(tmp_path, 2, WorkOptions(fail_fast=1))
    searched(desk, ReportingBackend(desk, lambda number, step: 7.0, asked=asked))
    ends = [(event['state'], event['cause'], event['reason']) for event in desk.events('ended')]
    assert ends == [('stopped', 'pruned', f'7 at step 1, of {number} runs') for number in (1, 2)]
    assert desk.folder.results_csv.read_text().count(';stopped;') == 2


def test_that_a_stop_of_the_search_does_not_hide_that_a_run_was_being_stopped(tmp_path: Path) -> None:
    desk = Desk(tmp_path, 3)
    backend = ReportingBackend(desk, lambda number, step: number, slots=2)
    cancel = backend.cancel

    def cancel_and_stop(idents: Sequence[str], *, force: bool) -> None:
        if not backend.cancelled:
            desk.requests.stops = 1
        cancel(idents, force=force)

    backend.cancel = cancel_and_stop  # type: ignore[method-assign]
    searched(desk, backend)
    assert backend.cancelled == [(1, False), (1, False)], 'each was asked once'
    assert [desk.state.state_of(f'sim_{number}') for number in (1, 2, 3)] == [
        State.INTERRUPTED,
        State.STOPPED,
        State.PLANNED,
    ]
