"""``hpsearch export``: a search in the words of other programs."""

from __future__ import annotations

import logging
import time
from collections.abc import Iterator
from pathlib import Path

from hpsearch.export.search import exported_search
from hpsearch.export.targets import TARGETS, check, export
from hpsearch.model.units import count_of
from hpsearch.records.reading import read_search
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
    record = read_search(folder, time.time())
    for note in record.notes:
        log.warning(note)
    search = exported_search(record)
    export(search, tool, path)
    yield f'{count_of(len(search.runs), "run is", "runs are")} in {path}'
    if target.hint:
        yield f'Open it with: {target.hint.format(path=path)}'
