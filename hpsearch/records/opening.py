"""Opens a search to be read: its journals, its writers, and what became of attempts that none of them manages."""

from __future__ import annotations

import logging
import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from hpsearch.host import kernel
from hpsearch.model.configuration import Configuration, from_plain
from hpsearch.model.errors import DamageError
from hpsearch.model.evidence import HostRelation, Liveness
from hpsearch.model.history.attempt import Attempt
from hpsearch.model.history.search_state import SearchState
from hpsearch.model.run import Run
from hpsearch.store import writers
from hpsearch.store.attempt_files import Fence, read_fence
from hpsearch.store.completion import CompletionReader
from hpsearch.store.folder import SearchFolder
from hpsearch.store.journal import JournalReader, open_journals
from hpsearch.store.reconcile import Reconciler

log = logging.getLogger('hpsearch')

NOBODY = Fence()
"""Who has passed a fence of which nothing is known."""


@dataclass
class OpenedSearch:
    """A search that is read, and never written.

    Attributes:
        folder: Where it is.
        info: Its ``search.json``.
        state: What the journals say, and later what else is found out.
        reader: Has read the journals.
        now: Seconds since 1970.
        planned: The runs of its plan, where they were read with it; None: they are read when they are wanted.
    """

    folder: SearchFolder
    info: Mapping[str, Any]
    state: SearchState
    reader: JournalReader
    now: float
    planned: Sequence[Run] | None = None

    def runs(self) -> Iterator[Run]:
        """The runs of its plan, in its order, those that were withdrawn aside.

        Raises:
            HpsearchError: The plan cannot be read.
        """
        planned = self.folder.read_runs() if self.planned is None else self.planned
        return (run for run in planned if run.name not in self.state.withdrawn)

    @cached_property
    def plain(self) -> Configuration:
        """How the results are shown."""
        return from_plain(self.info['configuration']['attributes'])

    @cached_property
    def configuration(self) -> Configuration:
        """How results are read; a parser of its own is code, and not executed if somebody else may have written it."""
        if 'summary_parser' not in self.info['configuration']['attributes'].get('handles', ()):
            return self.plain
        from hpsearch.config.handles import stored_configuration

        stored = stored_configuration(self.folder, self.info)
        for note in stored.notes:
            log.warning(note)
        return stored.configuration

    @cached_property
    def owner(self) -> int:
        """The user whose search it is."""
        return os.stat(self.folder.path).st_uid

    @property
    def is_ours(self) -> bool:
        """Whether it belongs to this user."""
        return self.owner == os.geteuid()

    @cached_property
    def lives(self) -> dict[str, Liveness]:
        """What is known of the writers, from one reading."""
        return writers.poll_once(self.folder, self.reader.headers, self.reader.closed, self.now)

    @cached_property
    def living(self) -> dict[str, dict[str, Any]]:
        """The writers that are at work, and what each reported last."""
        alive = [writer for writer, life in self.lives.items() if life is Liveness.ALIVE]
        return {writer: writers.read_news(self.folder, writer) for writer in alive}

    @cached_property
    def uses(self) -> dict[str, Any]:
        """What the runs that writers measure use, as these tell it."""
        told = [news.get('runs') for news in self.living.values()]
        return {run: use for runs in told if isinstance(runs, dict) for run, use in runs.items()}

    def read_on(self, now: float) -> set[str]:
        """Read what has happened since it was read last; returns the names of the runs that this concerns.

        Args:
            now: Seconds since 1970.

        Raises:
            HpsearchError: A journal cannot be read.
        """
        for reading in ('lives', 'living', 'uses'):
            vars(self).pop(reading, None)
        self.now = now
        news = list(self.reader.news())
        self.state.replay(news, self.reader.place)
        for name in self.state.withdrawn:
            self.state.runs.pop(name, None)
        return {str(event['run']) for _, event in news if 'run' in event} - self.state.withdrawn

    def reconciler(self) -> Reconciler:
        """Folds into the state what became of the attempts that no writer manages."""
        return Reconciler(self.folder, self.state, self.reader.headers, self.lives, lambda: self.completions)

    @cached_property
    def completions(self) -> CompletionReader:
        """How attempts ended."""
        return CompletionReader(self.folder, self.configuration)

    def fence(self, attempt: Attempt) -> Fence:
        """Who passed the start fence of an attempt that is a job; nobody: it is none, or that cannot be read."""
        if not attempt.is_in_queue:
            return NOBODY
        try:
            return read_fence(self.folder.attempt(attempt.run, attempt.number))
        except OSError:
            return NOBODY  # what is shown of a run does not depend on one file of it

    def relation(self, writer: str) -> HostRelation:
        """How the host of a writer relates to ours."""
        header = self.reader.headers.get(writer, {})
        return writers.relation(kernel.host_of(header), kernel.this_host())


def open_search(folder: SearchFolder, now: float, *, with_runs: bool = False) -> OpenedSearch:
    """Read a search.

    Args:
        folder: The search.
        now: Seconds since 1970.
        with_runs: Whether all runs of its plan are wanted. It is read once then, before the journals, which are read
            by it.

    Raises:
        HpsearchError: It is no search, or cannot be read.
    """
    info = folder.read_info()
    if 'configuration' not in info:
        raise DamageError(f'{folder.search_json} is damaged: it has no configuration.')
    planned = list(folder.read_runs()) if with_runs and not folder.is_adaptive else None
    state, reader = open_journals(folder)
    writers.forget_pilots_of_originals(state, folder, info)
    state.withdrawn = frozenset(info.get('withdrawn', ()))
    for name in state.withdrawn:
        state.runs.pop(name, None)
    return OpenedSearch(folder, info, state, reader, now, planned)
