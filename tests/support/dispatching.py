"""Searches for the tests of the dispatcher: a folder, a journal and runs from any source, in stepped time."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from contextlib import nullcontext
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, cast

from hpsearch.backends.base import AttemptBackend, PilotBackend
from hpsearch.dispatch.adaptive.settings import PruneRule
from hpsearch.dispatch.admission import Claims
from hpsearch.dispatch.context import EventRecorder, SearchContext, WorkOptions
from hpsearch.dispatch.dispatcher import Dispatcher, make_dispatcher
from hpsearch.dispatch.intake import Intake
from hpsearch.dispatch.peers import Peers
from hpsearch.dispatch.pending_runs import PendingRuns, PlannedRuns, RunSource
from hpsearch.dispatch.progress import Progress
from hpsearch.host.kernel import this_host
from hpsearch.host.signals import StopRequests
from hpsearch.model.configuration import Configuration
from hpsearch.model.run import Run
from hpsearch.model.snapshot import Snapshot
from hpsearch.store.journal import Journal, open_journals
from hpsearch.store.provenance import Provenance
from hpsearch.store.results import ResultsView
from hpsearch.store.writers import Writers
from tests.fakes.scripted_queue import Clock
from tests.support.harness import new_folder

CONFIGURATION = Configuration('grid.py', '', {'a': [1, 2, 3]}, command=('true',), out_arg=None)


def run(number: int) -> Run:
    """A run of a search."""
    return Run(f'sim_{number}', number, {'a': number}, ('true', f'--a={number}'))


def vars_of(each: Run) -> dict[str, Any]:
    """A run as the plan has it."""
    return {'run': each.name, 'number': each.number, 'params': dict(each.params), 'argv': list(each.argv)}


class GrowingRuns:
    """Runs that come one by one, as from a sampler.

    Attributes:
        ready: Those that can be had now.
        is_exhausted: Whether there will be no more.
        total: How many there are in all, or None.
        asked: How often one was asked for.
    """

    def __init__(self, *ready: Run, total: int | None = None) -> None:
        self.ready = list(ready)
        self.total = total
        self.is_exhausted = False
        self.is_ready: bool | None = None
        self.asked = 0

    def next(self) -> Run | None:
        """The next one that is ready."""
        self.asked += 1
        return self.ready.pop(0) if self.ready else None


@dataclass
class Screen:
    """A view that keeps what it is shown."""

    shown: list[Snapshot] = field(default_factory=list)

    def update(self, snapshot: Snapshot) -> None:
        """Keep it."""
        self.shown.append(snapshot)

    def output(self, data: bytes, stream_name: str) -> None:
        """It is not kept."""

    def end_output(self) -> None:
        """It is not kept."""


class NoCode:
    """Code of which nothing is found out."""

    def start(self, tell: object) -> None:
        """Nothing is found."""

    def look(self) -> str:
        """There is nothing to read."""
        return ''

    def look_again(self) -> str:
        """There is nothing to read."""
        return ''

    def wait(self, timeout: float) -> bool:
        """There is nothing to wait for."""
        return True


class Desk:
    """A search that is worked on in stepped time.

    Attributes:
        requests: What signals ask for.
        screen: What was shown.

    Args:
        path: Where its folder is made.
        source: Its runs; a number: so many planned ones.
        options: How it is worked on.
        configuration: How its results are read.
        earlier: What others had journaled before.
    """

    def __init__(
        self,
        path: Path,
        source: RunSource | int = 3,
        options: WorkOptions | None = None,
        configuration: Configuration = CONFIGURATION,
        earlier: Sequence[Mapping[str, Any]] = (),
    ) -> None:
        self.clock = Clock()
        self.folder = new_folder(path / 'search')
        runs = self._source(source)
        self.tell(*earlier)
        self.journal = Journal(self.folder, 'me', this_host().as_header())
        self.state, self.reader = open_journals(self.folder)
        self.recorder = EventRecorder(self.state, self.journal, self.clock.wall)
        self.options = options or WorkOptions()
        self.pending = PendingRuns(runs, self.state, self.recorder.counts, self.options.retry)
        results = ResultsView(self.folder.results_csv, configuration.performance_key, False)
        self.search = SearchContext(self.folder, configuration, self.recorder, self.pending, results, self.options)
        known = Writers(self.folder, this_host())
        self.peers = Peers(self.folder, self.recorder, self.reader, known, can_adopt=lambda handle: False)
        self.facts: Mapping[str, Any] = {}
        intake = Intake(self.search, Progress(self.search, self.clock()))
        self.claims = Claims(self.search, self.peers, intake.has_late_record, lambda: self.facts, self.clock)
        self.requests = StopRequests()
        self.screen = Screen()

    def _source(self, source: RunSource | int) -> RunSource:
        planned = [run(number) for number in range(1, source + 1)] if isinstance(source, int) else []
        plan = [vars_of(each) for each in planned]
        self.folder.runs_jsonl.write_text(''.join(json.dumps(entry) + '\n' for entry in plan))
        return PlannedRuns(planned, source) if isinstance(source, int) else source

    def tell(self, *events: Mapping[str, Any]) -> None:
        """Journal something as another process does that leaves at once."""
        if not events:
            return
        name = f'user-{len(list(self.folder.journal_dir.glob("*")))}'
        journal = Journal(self.folder, name, this_host().as_header())
        for event in (*events, {'event': 'closed', 'at': 1.0}):
            journal.append(event)
        journal.close()

    def dispatcher(self, backend: AttemptBackend | PilotBackend, prune_rule: PruneRule | None = None) -> Dispatcher:
        """What works on it."""
        return make_dispatcher(
            replace(self.search, prune_rule=prune_rule),
            self.peers,
            backend,
            self.requests,
            self.screen,
            lambda: cast(Provenance, NoCode()),
            lambda: nullcontext(True),
            self.clock,
        )

    def events(self, kind: str = '') -> list[dict[str, Any]]:
        """The events in its journal, or those of one kind."""
        lines = (self.folder.journal_dir / 'me.jsonl').read_text().splitlines()
        return [event for event in map(json.loads, lines) if not kind or event['event'] == kind]
