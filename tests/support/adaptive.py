"""An adaptive search without processes: a folder, and writers that suggest runs in it."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from hpsearch.dispatch.adaptive.sampled_runs import SampledRuns, sampler_of
from hpsearch.dispatch.adaptive.settings import AdaptiveSettings, Limits
from hpsearch.dispatch.context import EventRecorder
from hpsearch.host.kernel import this_host
from hpsearch.host.processes import start_ticks
from hpsearch.model.configuration import Configuration, plain_attributes
from hpsearch.model.retries import RetryPolicy
from hpsearch.model.run import Run
from hpsearch.model.trials.distributions import Drawn, Uniform
from hpsearch.model.trials.trial import Objective
from hpsearch.samplers.base import Sampler
from hpsearch.space.sampled import SampledSpace
from hpsearch.store.folder import SearchFolder
from hpsearch.store.journal import Journal, open_journals
from hpsearch.store.opening.open_search import OpenSearch
from tests.fakes.scripted_queue import Clock

CONFIGURATION = Configuration(
    'grid.py', '', {'lr': Drawn(Uniform(0.0, 1.0))}, command=('true',), performance_key='loss'
)
LOSS = Objective('loss')


def adaptive_folder(path: Path, configuration: Configuration = CONFIGURATION) -> SearchFolder:
    """A search folder whose runs are chosen while the search goes; it has none yet."""
    path.mkdir(exist_ok=True)
    folder = SearchFolder(path)
    described = {'attributes': plain_attributes(configuration), 'module': 'grid.py', 'cwd': str(path)}
    facts = {'configuration': described, 'run_cwd': str(path), 'interpreter': 'python3', 'ident': 'x'}
    folder.write_info({**facts, 'options': {'search': 'random'}})
    folder.runs_jsonl.touch()
    folder.jobs_dir.mkdir(exist_ok=True)
    folder.journal_dir.mkdir(exist_ok=True)
    return folder


def suggested(number: int, *, trial: int | None = None, **params: Any) -> dict[str, Any]:
    """The event that makes a run one of the search."""
    values = params or {'lr': number / 10}
    said = {'trial': trial or number, 'values': values}
    argv = ['true', *(f'--{name}={value}' for name, value in values.items())]
    return {
        **{'event': 'suggested', 'run': name(number), 'number': number, 'params': values},
        **{'argv': argv, 'trial': said, 'at': 1.0},
    }


def name(number: int) -> str:
    """The name of a run of such a search."""
    return f'sim_x_{number:04d}'


def finished(number: int, attempt: int = 1, **summary: str) -> list[dict[str, Any]]:
    """The events of an attempt that has finished with this result."""
    return ended(number, attempt, 'finished', summary=summary, seconds=2.0)


def ended(number: int, attempt: int, state: str, **facts: Any) -> list[dict[str, Any]]:
    """The events of an attempt that has ended."""
    about = {'run': name(number), 'attempt': attempt}
    return [{'event': 'claimed', **about}, {'event': 'ended', **about, 'state': state, **facts}]


def write_journal(
    folder: SearchFolder, writer: str, events: Sequence[Mapping[str, Any]], header: Mapping[str, Any] | None = None
) -> Path:
    """Append events to the journal of a writer; where it is new, its header has these fields."""
    path = folder.journal_dir / f'{writer}.jsonl'
    first = [] if path.exists() else [{'event': 'writer', 'format': 1, **(header or {})}]
    with path.open('a') as journal:
        journal.writelines(json.dumps(each, separators=(',', ':')) + '\n' for each in [*first, *events])
    return path


def _header() -> dict[str, Any]:
    return {**this_host().as_header(), 'pid': os.getpid(), 'ticks': start_ticks(os.getpid())}


class Writer:
    """One of the writers of an adaptive search, that starts nothing.

    Attributes:
        recorder: Its journal and state.
        source: The runs it would start.
    """

    def __init__(
        self,
        folder: SearchFolder,
        writer: str,
        limits: Limits,
        *,
        sampler: Sampler | None = None,
        configuration: Configuration = CONFIGURATION,
        clock: Clock | None = None,
        policy: RetryPolicy | None = None,
        search_name: str = 'random',
        options: Mapping[str, str] | None = None,
    ) -> None:
        self.folder = SearchFolder(folder.path)  # each process has its own
        self.clock = clock or Clock()
        self.journal = Journal(self.folder, writer, _header())
        state, self.reader = open_journals(self.folder)
        self.recorder = EventRecorder(state, self.journal, self.clock.wall)
        search = OpenSearch(self.folder, configuration, str(folder.path), 'python3', ident='x')
        space = SampledSpace(configuration)
        goes_on = configuration.checkpoint_arg is not None
        settings = AdaptiveSettings(search_name, [LOSS], 42, options or {}, limits, 'x', goes_on=goes_on)
        chosen = sampler or sampler_of(settings, space)
        policy = policy or RetryPolicy()
        self.source = SampledRuns(search, self.recorder, settings, chosen, space, policy, self.clock)

    def listen(self) -> None:
        """Take in what others have journaled."""
        for writer, event in self.reader.news(skip=self.recorder.writer):
            self.recorder.hear(writer, event)

    def begin(self, run: Run) -> None:
        """Claim a run."""
        os.makedirs(self.folder.attempts(run.name), exist_ok=True)
        self.recorder.record('claimed', run.name, 1)

    def finish(self, run: Run, **summary: str) -> None:
        """Let a run that was claimed finish with a result."""
        self.recorder.record('ended', run.name, 1, state='finished', summary=summary, seconds=1.0)

    def take(self, count: int) -> list[Run]:
        """As many runs as there are now, at most ``count``; they are claimed."""
        found: list[Run] = []
        while len(found) < count and self.source.is_ready and (run := self.source.next()) is not None:
            self.begin(run)
            found.append(run)
        return found
