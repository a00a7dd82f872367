"""How far a search has come."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from hpsearch.backends.base import Launch
from hpsearch.dispatch.context import ActiveAttempt
from hpsearch.dispatch.progress import Progress
from hpsearch.model.resources import Slot
from hpsearch.model.snapshot import Snapshot
from hpsearch.model.table import Row
from tests.support.dispatching import CONFIGURATION, Desk, GrowingRuns, run

SCORED = replace(CONFIGURATION, performance_key='acc', summary_keywords=['acc'])


def happened(desk: Desk, *states: str) -> None:
    """One run after the other is in one of these states."""
    for number, state in enumerate(states, start=1):
        desk.recorder.record('claimed', f'sim_{number}', 1)
        if state == 'running':
            desk.recorder.record('running', f'sim_{number}', 1)
        elif state != 'claimed':
            desk.recorder.record('ended', f'sim_{number}', 1, state=state)


def row(number: int, **values: str) -> Row:
    return Row(number, f'sim_{number}', {'a': number}, values, 'finished')


def active(number: int, since: float, *gpus: str) -> ActiveAttempt:
    return ActiveAttempt(Launch(run(number), 1, f'me:sim_{number}:1', Slot(gpus)), since)


def snapshot(desk: Desk, progress: Progress | None = None, now: float = 100.0, **facts: Any) -> Snapshot:
    return (progress or Progress(desk.search, 0.0)).snapshot(now, **facts)


def test_that_runs_without_events_are_planned(tmp_path: Path) -> None:
    desk = Desk(tmp_path, 5)
    happened(desk, 'finished', 'running')
    shown = snapshot(desk)
    assert (shown.total, shown.counts) == (5, {'finished': 1, 'running': 1, 'planned': 3})


def test_that_a_total_that_grows_is_shown_as_it_is_now(tmp_path: Path) -> None:
    source = GrowingRuns(total=2)
    desk = Desk(tmp_path, source)
    happened(desk, 'finished', 'finished')
    progress = Progress(desk.search, 0.0)
    assert snapshot(desk, progress).counts['planned'] == 0
    source.total = 10
    shown = snapshot(desk, progress)
    assert (shown.total, shown.counts['planned']) == (10, 8)


def test_that_where_the_total_is_not_known_there_is_neither_a_total_nor_an_expected_time(tmp_path: Path) -> None:
    desk = Desk(tmp_path, GrowingRuns())
    happened(desk, 'finished', 'failed', 'running')
    progress = Progress(desk.search, 0.0)
    progress.ended(10.0)
    shown = snapshot(desk, progress)
    assert shown.total is None
    assert shown.eta is None
    assert shown.counts == {'finished': 1, 'failed': 1, 'running': 1, 'planned': 0}


def test_that_the_time_left_is_estimated_from_what_ended(tmp_path: Path) -> None:
    desk = Desk(tmp_path, 10)
    progress = Progress(desk.search, 0.0)
    assert snapshot(desk, progress).eta is None, 'nothing has ended yet'
    happened(desk, 'finished', 'finished', 'running', 'running')
    progress.ended(20.0)
    progress.ended(40.0)
    progress.active(2)
    running = [active(3, 90.0), active(4, 75.0)]  # 10 s and 25 s old
    shown = snapshot(desk, progress, now=100.0, running=running)
    assert shown.eta == (6 * 30.0 + 20.0 + 5.0) / 2
    assert shown.elapsed == 100.0


def test_that_what_runs_for_longer_than_those_that_ended_counts_in_the_time_left(tmp_path: Path) -> None:
    desk = Desk(tmp_path, 10)
    progress = Progress(desk.search, 0.0)
    happened(desk, 'failed', 'running', 'running')
    progress.ended(0.0)
    progress.active(2)
    shown = snapshot(desk, progress, now=100.0, running=[active(2, 10.0), active(3, 40.0)])
    assert shown.eta == (7 * (0.0 + 90.0 + 60.0) / 3) / 2


def test_that_no_time_is_left_to_be_told_once_nothing_is_to_come(tmp_path: Path) -> None:
    desk = Desk(tmp_path, 1)
    progress = Progress(desk.search, 0.0)
    happened(desk, 'finished')
    progress.ended(20.0)
    assert snapshot(desk, progress).eta is None


def test_that_it_says_where_runs_are_and_for_how_long(tmp_path: Path) -> None:
    shown = snapshot(Desk(tmp_path), running=[active(1, 40.0, '0', '1'), active(2, 99.0)])
    assert [line.params for line in shown.running] == [{'a': 1}, {'a': 2}]
    assert [(line.name, line.seconds, line.where) for line in shown.running] == [
        ('sim_1', 60.0, 'GPU 0,1'),
        ('sim_2', 1.0, ''),
    ]


@pytest.mark.parametrize(('ascending', 'name'), [(False, 'sim_2'), (True, 'sim_1')])
def test_that_the_best_run_so_far_is_kept(tmp_path: Path, ascending: bool, name: str) -> None:
    desk = Desk(tmp_path, configuration=replace(SCORED, performance_ascending=ascending))
    progress = Progress(desk.search, 0.0)
    for each in (row(1, acc='0.5'), row(2, acc='0.9'), row(3), row(4, acc='nan')):
        progress.result(each)
    best = snapshot(desk, progress).best
    assert best is not None
    assert best[0] == name


def test_that_only_the_parameters_that_differ_are_named(tmp_path: Path) -> None:
    desk = Desk(tmp_path, configuration=replace(CONFIGURATION, grid={'a': [1, 2], 'b': [1]}))
    assert snapshot(desk).varying == ('a',)


def test_that_what_cannot_be_compared_is_told_as_its_result_comes_in(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    progress = Progress(replace(Desk(tmp_path, 3).search, configuration=SCORED), 0.0)
    progress.result(row(1, acc='0.5'))
    assert caplog.messages == []
    progress.result(row(2, acc='0,950'))
    (told,) = caplog.messages
    assert told.startswith("sim_2: acc is '0,950'")
    shown = progress.snapshot(1.0).best
    assert shown is not None and (shown[0], shown[2]) == ('sim_1', '0.5')


def test_that_the_number_that_counts_is_shown_of_the_best_run(tmp_path: Path) -> None:
    progress = Progress(replace(Desk(tmp_path, 3).search, configuration=SCORED), 0.0)
    progress.result(row(1, acc='0.9,0.5'))
    progress.result(row(2, acc="tensor(0.75, device='cuda:0')"))
    shown = progress.snapshot(1.0).best
    assert shown is not None and (shown[0], shown[2]) == ('sim_2', '0.75')


def test_that_running_runs_are_shown_with_what_they_reported_last(tmp_path: Path) -> None:
    desk = Desk(tmp_path, 2)
    happened(desk, 'running', 'running')
    for step in range(100):
        points = [[step, {'acc': step / 100, **({'loss': 3} if step == 90 else {})}]]
        desk.recorder.record('reported', 'sim_1', 1, points=points)
    first, second = snapshot(desk, running=[active(1, 0.0), active(2, 0.0)]).running
    assert (first.step, first.metrics) == (99, {'acc': 0.99, 'loss': 3})
    assert (second.step, second.metrics) == (None, {})
