"""What it costs to read what runs report while they go: processor time of the writer that looks after them."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

from benchmarks.tools import Line, Place
from hpsearch.backends.base import Launch
from hpsearch.dispatch.adaptive.metrics import Metrics
from hpsearch.dispatch.context import ActiveAttempt
from hpsearch.model.resources import Slot
from hpsearch.results.metrics.rules import metric_rules
from hpsearch.store.folder import AttemptPaths
from tests.support.dispatching import CONFIGURATION, Desk, run

RUNS = 200

SECONDS = 20
"""Rounds of a second each that are measured."""

PATTERN = r'stdout: epoch (?P<step>\d+).*val_acc=(?P<val_acc>[0-9.]+)'


def metrics(place: Place, rounds: int) -> Iterator[Line]:
    """200 runs under way, of which each reports every second, every ten seconds, or by what it prints."""
    del rounds
    for what, period, printed in (
        ('nothing', 0, 0),
        ('every second', 1, 0),
        ('every 10 seconds', 10, 0),
        ('every second in 20 printed lines', 1, 20),
    ):
        share = _share(place.below(what.replace(' ', '_')).path, period, printed)
        yield Line(f'{RUNS} runs, reporting {what}', f'{100 * share:.1f} % of a core', target='< 5 %')


def _share(path: Path, period: int, printed: int) -> float:
    """The share of a core that reading and journaling take, at a round each second."""
    configuration = replace(CONFIGURATION, metrics=metric_rules(PATTERN)[0], performance_key='val_acc')
    desk = Desk(path, RUNS, configuration=configuration)
    attempts = []
    for number in range(1, RUNS + 1):
        one = run(number)
        os.makedirs(desk.folder.attempt(one.name, 1).folder)
        desk.recorder.record('claimed', one.name, 1)
        desk.recorder.record('running', one.name, 1)
        attempts.append(ActiveAttempt(Launch(one, 1, one.name, Slot()), 0.0))
        Path(desk.folder.attempt(one.name, 1).stdout).touch()
    watched, spent = Metrics(desk.search, time.monotonic), 0.0
    for second in range(SECONDS):
        for number, active in enumerate(attempts):
            if period and (second + number) % period == 0:
                _report(desk.folder.attempt(active.launch.run.name, 1), second, printed)
        begin = time.process_time()
        watched.poll(attempts, float(second))
        spent += time.process_time() - begin
    return spent / SECONDS


def _report(paths: AttemptPaths, second: int, printed: int) -> None:
    """What a run writes in a second."""
    if printed:
        lines = ''.join(f'step {line}: loss 0.{line}, a line without a metric\n' for line in range(printed - 1))
        with open(paths.stdout, 'a') as file:
            file.write(f'{lines}epoch {second} val_acc=0.{second}\n')
        return
    with open(paths.metrics, 'a') as file:
        file.write(json.dumps({'step': second, 'val_acc': second / 100, 'loss': 1.0}) + '\n')
