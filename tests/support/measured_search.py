"""A search whose runs were measured, as a dispatcher that has left leaves it."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from hpsearch.host.kernel import this_host
from hpsearch.model.configuration import Configuration, Grid, plain_attributes
from hpsearch.model.run import Run
from hpsearch.space.order import Order
from hpsearch.space.plan import Plan
from hpsearch.store.folder import SearchFolder
from hpsearch.store.journal import Journal
from tests.support.queued_search import BEGIN, GONE

GRID: Grid = {'batch': [8, 16, 32, 64, 128, 256], 'lr': [0.1, 0.01]}


class MeasuredSearch:
    """A search of a grid.

    Args:
        path: Its folder.
        grid: Its grid.
        script: What it runs.
        options: Those in its ``search.json``.
        is_planned: Whether it has a plan.
    """

    def __init__(
        self,
        path: Path,
        grid: Grid = GRID,
        *,
        script: str = 'train.py',
        options: dict[str, Any] | None = None,
        is_planned: bool = True,
    ) -> None:
        self.configuration = Configuration('grid.py', '', grid, script=script, performance_key='acc')
        self.folder = SearchFolder(path)
        path.mkdir()
        self.folder.jobs_dir.mkdir()
        attributes = plain_attributes(self.configuration)
        described = {'attributes': attributes, 'module': 'grid.py', 'cwd': str(path.parent)}
        self.folder.write_info(
            {'configuration': described, 'options': options or {}, 'run_cwd': '/', 'interpreter': 'p'}
        )
        if is_planned:
            plan = Plan(self.configuration, Order(), interpreter='python3', search_path=path, ident=path.name)
            plan.write(self.folder)
        self.journal = Journal(self.folder, 'w', {**this_host().as_header(), **GONE, 'at': BEGIN})

    @property
    def runs(self) -> Sequence[Run]:
        """The runs of its plan."""
        return list(self.folder.read_runs())

    def start(self, run: Run, **facts: Any) -> None:
        """Start a run."""
        key = {'run': run.name, 'attempt': 1}
        self.journal.append({'event': 'claimed', **key, 'gpus': ['0'], 'at': BEGIN, **facts})
        self.journal.append({'event': 'running', **key, 'handle': {}})

    def end(
        self, run: Run, memory: int | None, *, state: str = 'finished', seconds: float = 60.0, **facts: Any
    ) -> None:
        """End a run that was started, with the memory that was measured, in MiB."""
        measured = {} if memory is None else {'gpu_memory': memory, 'settled_after': 9.0}
        event = {'event': 'ended', 'run': run.name, 'attempt': 1, 'state': state, 'seconds': seconds}
        self.journal.append({**event, 'measured': measured, **facts})


def memory_of(run: Run) -> int:
    """What its runs need, in MiB."""
    return 1000 + 10 * int(run.params['batch'])


def finished_search(path: Path, **more: Any) -> MeasuredSearch:
    """A search all of whose runs have finished, with what they needed."""
    search = MeasuredSearch(path, **more)
    for run in search.runs:
        search.start(run)
        search.end(run, memory_of(run), seconds=float(run.params['batch']))
    return search
