"""What attempts report is journaled: once, in few events, and to the end."""

from __future__ import annotations

import itertools
import json
import os
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from hpsearch.backends.base import Launch
from hpsearch.dispatch.adaptive.metrics import LONGEST_PAUSE, Metrics
from hpsearch.dispatch.adaptive.settings import PruneRule
from hpsearch.dispatch.context import ActiveAttempt
from hpsearch.model.resources import Slot
from tests.fakes.instant_backend import InstantBackend
from tests.fakes.reporting_backend import ReportingBackend
from tests.support.dispatching import CONFIGURATION, Desk, run
from tests.unit.dispatch.adaptive.test_pruning import Above, evaluations_of

WATCHED = replace(CONFIGURATION, metrics=[{'stdout': r'acc=(?P<acc>\S+)'}], performance_key='acc')


@pytest.fixture
def desk(tmp_path: Path) -> Desk:
    return Desk(tmp_path, configuration=WATCHED)


def begun(desk: Desk, number: int = 1, attempt: int = 1) -> ActiveAttempt:
    """An attempt that runs."""
    one = run(number)
    os.makedirs(desk.folder.attempt(one.name, attempt).folder)
    desk.recorder.record('claimed', one.name, attempt)
    desk.recorder.record('running', one.name, attempt)
    return ActiveAttempt(Launch(one, attempt, f'me:{one.name}:{attempt}', Slot()), desk.clock())


def report(desk: Desk, active: ActiveAttempt, *rows: dict[str, Any]) -> None:
    """Report as the script does."""
    path = desk.folder.attempt(active.launch.run.name, active.launch.number).metrics
    with open(path, 'a') as file:
        file.writelines(json.dumps(row) + '\n' for row in rows)


def watching(desk: Desk) -> Metrics:
    return Metrics(desk.search, desk.clock)


def journaled(desk: Desk) -> list[list[Any]]:
    return [event['points'] for event in desk.events('reported')]


def poll(metrics: Metrics, desk: Desk, *attempts: ActiveAttempt, after: float = 1.0) -> None:
    desk.clock.now += after
    metrics.poll(attempts, desk.clock())


def test_that_what_is_new_is_journaled_once(desk: Desk) -> None:
    metrics, active = watching(desk), begun(desk)
    report(desk, active, {'step': 1, 'acc': 0.5}, {'step': 2, 'acc': 'nan'})
    poll(metrics, desk, active)
    poll(metrics, desk, active)
    report(desk, active, {'step': 3, 'acc': 0.75, 'loss': 1})
    poll(metrics, desk, active)
    assert journaled(desk) == [[[1, {'acc': 0.5}], [2, {'acc': 'nan'}]], [[3, {'acc': 0.75, 'loss': 1}]]]
    assert desk.state.curves['sim_1'][3] == {'acc': 0.75, 'loss': 1}


def test_that_what_a_script_prints_is_journaled_with_what_it_reports(desk: Desk) -> None:
    metrics, active = watching(desk), begun(desk)
    Path(desk.folder.attempt('sim_1', 1).stdout).write_text('acc=0.5\nacc=0.75\n')
    report(desk, active, {'step': 1, 'loss': 3})
    poll(metrics, desk, active)
    assert journaled(desk) == [[[1, {'loss': 3, 'acc': 0.5}], [2, {'acc': 0.75}]]]


def test_that_a_writer_that_takes_over_an_attempt_goes_on_from_what_the_journals_have(desk: Desk) -> None:
    active = begun(desk)
    report(desk, active, {'step': 1, 'acc': 0.5}, {'step': 1, 'acc': 0.6}, {'step': 2, 'acc': 'nan'})
    poll(watching(desk), desk, active)
    report(desk, active, {'step': 3, 'acc': 0.75})
    poll(watching(desk), desk, active)
    assert journaled(desk)[1:] == [[[3, {'acc': 0.75}]]]


def test_that_a_script_that_goes_on_does_not_report_again_what_it_did_before(desk: Desk) -> None:
    desk.search = replace(desk.search, configuration=replace(WATCHED, resumable=True))
    first, rows = begun(desk), [{'step': 1, 'acc': 0.5}, {'step': 2, 'acc': 0.6}]
    report(desk, first, *rows)
    poll(watching(desk), desk, first)
    second = begun(desk, attempt=2)
    report(desk, second, *rows, {'step': 3, 'acc': 0.7})
    poll(watching(desk), desk, second)
    assert journaled(desk)[1:] == [[[3, {'acc': 0.7}]]]
    assert list(desk.state.curves['sim_1']) == [1, 2, 3]


def test_that_a_script_that_begins_anew_reports_everything_again(desk: Desk) -> None:
    first = begun(desk)
    report(desk, first, {'step': 1, 'acc': 0.5}, {'step': 2, 'acc': 0.6})
    poll(watching(desk), desk, first)
    second = begun(desk, attempt=2)
    report(desk, second, {'step': 1, 'acc': 0.5})
    poll(watching(desk), desk, second)
    assert desk.state.curves['sim_1'] == {1: {'acc': 0.5}}


def test_that_the_end_of_an_attempt_has_its_last_values(desk: Desk) -> None:
    metrics, active = watching(desk), begun(desk)
    report(desk, active, {'step': 1, 'acc': 0.5}, {'step': 1, 'acc': 0.6})
    poll(metrics, desk, active)
    report(desk, active, {'step': 2, 'acc': 0.7}, {'step': 2, 'acc': 0.8})
    metrics.finish('sim_1', 1)
    metrics.finish('sim_1', 1)
    assert journaled(desk) == [[[1, {'acc': 0.5}]], [[1, {'acc': 0.6}], [2, {'acc': 0.8}]]]


def test_that_a_long_training_is_journaled_in_few_points(desk: Desk) -> None:
    metrics, active = watching(desk), begun(desk)
    for first in range(1, 20_001, 1000):
        report(desk, active, *({'step': step, 'acc': step / 1e5} for step in range(first, first + 1000)))
        poll(metrics, desk, active)
    metrics.finish('sim_1', 1)
    curve = desk.state.curves['sim_1']
    assert 800 < len(curve) < 1200
    assert list(curve)[-1] == 20_000
    assert len(journaled(desk)) <= 21


def test_that_attempts_without_news_are_looked_at_less_often(desk: Desk) -> None:
    metrics, active = watching(desk), begun(desk)
    poll(metrics, desk, active)
    poll(metrics, desk, active, after=60.0)
    report(desk, active, {'step': 1, 'acc': 0.5})
    poll(metrics, desk, active, after=5.0)
    assert journaled(desk) == []
    poll(metrics, desk, active, after=LONGEST_PAUSE)
    assert len(journaled(desk)) == 1
    report(desk, active, {'step': 2, 'acc': 0.6})
    poll(metrics, desk, active, after=1.0)
    assert len(journaled(desk)) == 2


def test_that_one_round_takes_a_bounded_time_and_nobody_is_forgotten(desk: Desk) -> None:
    seconds = itertools.count(0.0, 0.15)
    metrics = Metrics(desk.search, lambda: next(seconds))
    attempts = [begun(desk, number) for number in (1, 2, 3)]
    for active in attempts:
        report(desk, active, {'step': 1, 'acc': 0.5})
    metrics.poll(attempts, desk.clock())
    assert len(journaled(desk)) < 3
    for _ in range(3):
        metrics.poll(attempts, desk.clock())
    assert {event['run'] for event in desk.events('reported')} == {'sim_1', 'sim_2', 'sim_3'}


def test_that_a_metric_may_have_any_name(desk: Desk) -> None:
    metrics, active = watching(desk), begun(desk)
    path = desk.folder.attempt('sim_1', 1).metrics
    Path(path).write_text('{"step": 1, "\\ud800": 1, "' + 'x' * 1000 + '": 2}\n')
    poll(metrics, desk, active)
    (((_, values),),) = journaled(desk)
    assert [len(name) for name in values] == [1, 200]
    str(desk.state.curves['sim_1']).encode()


def test_that_what_cannot_be_read_is_said_once(desk: Desk, caplog: pytest.LogCaptureFixture) -> None:
    metrics, active = watching(desk), begun(desk)
    os.symlink('stdout.log', desk.folder.attempt('sim_1', 1).stdout)
    for _ in range(3):
        poll(metrics, desk, active, after=20.0)
    assert [record.getMessage().partition(' (')[0] for record in caplog.records] == [
        'sim_1: its metrics cannot be read: Too many levels of symbolic links'
    ]


@pytest.mark.parametrize('reported', [{}, {'loss': 1, 'lr': 0.1}])
def test_that_it_is_said_when_no_run_reports_what_is_wanted(
    desk: Desk, caplog: pytest.LogCaptureFixture, reported: dict[str, float]
) -> None:
    metrics = watching(desk)
    for number in range(1, 6):
        active = begun(desk, number)
        report(desk, active, {'step': 1, **reported})
        metrics.finish(active.launch.run.name, 1, is_success=number > 1)
    (record,) = caplog.records
    instead = ', but loss, lr' if reported else ''
    assert record.getMessage() == (
        f'3 runs have finished, and none has reported acc while it ran{instead}: does _METRICS say where it is?'
    )


def test_that_nothing_is_said_once_a_run_has_reported_it(desk: Desk, caplog: pytest.LogCaptureFixture) -> None:
    metrics = watching(desk)
    for number in range(1, 6):
        active = begun(desk, number)
        report(desk, active, *([{'step': 1, 'acc': 0.5}] if number == 2 else []))
        metrics.finish(active.launch.run.name, 1, is_success=True)
    assert not caplog.records


class Reporting(InstantBackend):
    """Attempts that report one step and end."""

    def __init__(self, desk: Desk) -> None:
        super().__init__(desk.clock)
        self._desk = desk

    def wait(self, timeout: float) -> None:
        """Report."""
        for launch in self._held.values():
            report(self._desk, ActiveAttempt(launch, 0.0), {'step': 1, 'acc': launch.run.number})
        super().wait(timeout)


def test_that_the_dispatcher_journals_what_runs_report_before_they_end(desk: Desk) -> None:
    desk.dispatcher(Reporting(desk)).run()
    kinds = [event['event'] for event in desk.events() if event.get('run') == 'sim_2']
    assert kinds == ['claimed', 'running', 'reported', 'ended']
    assert desk.state.curves['sim_2'] == {1: {'acc': 2}}


def test_that_nothing_is_looked_at_where_nobody_wants_to_know(tmp_path: Path) -> None:
    desk = Desk(tmp_path)
    desk.dispatcher(Reporting(desk)).run()
    assert journaled(desk) == []


def test_that_a_run_that_was_stopped_has_its_last_metrics_in_the_table(tmp_path: Path) -> None:
    desk = Desk(tmp_path, 1, configuration=replace(WATCHED, metrics=[], performance_key='loss'))
    rule = PruneRule(Above(1.0), lambda: evaluations_of(desk))
    desk.dispatcher(ReportingBackend(desk, lambda number, step: step / 2), rule).run()
    (row,) = desk.search.results.rows
    assert (row.state, dict(row.values)) == ('stopped', {'loss': '1.5'})
