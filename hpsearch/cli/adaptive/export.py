"""``hpsearch export``: a search in the words of other programs."""

from __future__ import annotations

import logging
import time
from collections.abc import Iterator
from pathlib import Path

from hpsearch.cli.adaptive.settings import objectives_of
from hpsearch.cli.status import SearchSnapshot, open_snapshot
from hpsearch.export.search import ExportedRun, ExportedSearch, exported_run
from hpsearch.export.targets import TARGETS, check, export
from hpsearch.model.configuration import Configuration
from hpsearch.model.trials.distributions import Distribution, choice_of
from hpsearch.store.folder import SearchFolder

log = logging.getLogger('hpsearch')


def export_search(folder: SearchFolder, tool: str, to: str) -> Iterator[str]:
    """Export a search, also one that is under way; yields lines about it.

    Args:
        folder: The search, which is only read.
        tool: One of :data:`hpsearch.export.targets.TARGETS`.
        to: The file or folder to write; empty: one in the current directory, named after the search.

    Raises:
        HpsearchError: It is no search, or nothing can be written there.
    """
    target = TARGETS[tool]
    path = Path(to or f'{folder.path.name}{target.ending}')
    check(tool, path)
    search = exported_search(open_snapshot(folder, time.time()))
    export(search, tool, path)
    runs = '1 run is' if len(search.runs) == 1 else f'{len(search.runs)} runs are'
    yield f'{runs} in {path}'
    if target.hint:
        yield f'Open it with: {target.hint.format(path=path)}'


def exported_search(search: SearchSnapshot) -> ExportedSearch:
    """A search with the runs that were ever started.

    Raises:
        HpsearchError: It cannot be read.
    """
    reconciler = search.reconciler()
    for note in reconciler.take_in(reconciler.unattended()):
        log.warning(note)
    objectives = objectives_of(search.options, search.plain)
    return ExportedSearch(search.folder.path.name, list(_runs(search)), objectives, _space(search.plain))


def _runs(search: SearchSnapshot) -> Iterator[ExportedRun]:
    for run in search.folder.read_runs():
        history = search.state.runs.get(run.name)
        exported = exported_run(run, history, search.state.curves.of(run.name)) if history else None
        if exported is not None:
            yield exported


def _space(configuration: Configuration) -> dict[str, Distribution]:
    """The options that may differ between runs, with what is known of their values."""
    lists = {name: choice_of(configuration.grid.get(name, ())) for name in configuration.varying}
    return {**lists, **configuration.distributions}
