"""Several searches below a folder, each of which is read on and on."""

from __future__ import annotations

import math
import os
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path

from hpsearch.cli.reports import best_run
from hpsearch.cli.status import SearchSnapshot, open_snapshot
from hpsearch.cli.viewing.top.following import SECONDS_BETWEEN_CHECKS
from hpsearch.host.processes import user_name
from hpsearch.model.errors import HpsearchError, in_one_line
from hpsearch.records.finding import searches_below
from hpsearch.records.reading import reconciled
from hpsearch.store.folder import SearchFolder
from hpsearch.store.reconcile import active_attempts
from hpsearch.ui.table import shortened
from hpsearch.ui.top.shown import ListShown, SearchRow

SECONDS_BETWEEN_LOOKS = 10.0
"""How often it is looked for new searches."""

SECONDS_AT_A_TIME = 0.5
"""So long searches are read before the list is shown again, and keys are taken."""


class Listing:
    """The searches below a folder.

    Args:
        below: The folder.
        clock: Monotonic seconds.
    """

    def __init__(self, below: Path, clock: Callable[[], float] = time.monotonic) -> None:
        self._below = below
        self._clock = clock
        self._looked_at = -SECONDS_BETWEEN_LOOKS
        self._rows: dict[str, SearchRow] = {}
        self._searches: dict[str, _ListedSearch] = {}

    def path(self, name: str) -> Path:
        """The folder of a search of the list."""
        return self._below / name

    def shown(self, now: float) -> ListShown:
        """The searches as they were read last."""
        return ListShown(str(self._below), list(self._rows.values()), now)

    def read_on(self, now: float, seconds: float = SECONDS_AT_A_TIME) -> None:
        """Read what has happened since, those first that were read the longest time ago.

        Args:
            now: Seconds since 1970.
            seconds: After how many seconds no further search is begun.
        """
        end = self._clock() + seconds
        if self._clock() - self._looked_at >= SECONDS_BETWEEN_LOOKS:
            self._looked_at = self._clock()
            self._look()
        for name in sorted(self._searches, key=lambda each: self._searches[each].read_at):
            self._rows[name] = self._searches[name].read_on(name, now)
            if self._clock() >= end:
                return

    def _look(self) -> None:
        names = [os.path.relpath(path, self._below) for path in searches_below(self._below)]
        self._searches = {name: self._searches.get(name) or _ListedSearch(self.path(name)) for name in names}
        self._rows = {name: self._rows.get(name, SearchRow(name)) for name in names}


class _ListedSearch:
    """One of the searches, of which no more is kept than what is shown."""

    def __init__(self, path: Path) -> None:
        self._folder = SearchFolder(path)
        self._search: SearchSnapshot | None = None
        self._writers: set[str] = set()
        self._best, self._counts = '', dict[str, int]()
        self._has_found_out = False
        self._checked_at = -math.inf
        self.read_at = 0.0

    def read_on(self, name: str, now: float) -> SearchRow:
        """The row of the search; why it cannot be read is in it."""
        self.read_at = now
        try:
            return self._row(name, now)
        except (HpsearchError, OSError) as error:
            self._search = None
            return SearchRow(name, problem=in_one_line(error))

    def _news(self, now: float) -> tuple[SearchSnapshot, bool]:
        """The search as it stands, and whether something has happened."""
        search = self._search
        has_changed = search is None or bool(search.read_on(now))
        if search is None or (self._has_found_out and search.reader.headers.keys() != self._writers):
            # A writer that came may report otherwise what was found out without one.
            search = self._search = open_snapshot(self._folder, now)
            self._writers, self._has_found_out = set(search.reader.headers), False
            self._checked_at = -math.inf
        return search, self._check(search, now) or has_changed

    def _check(self, search: SearchSnapshot, now: float) -> bool:
        """Take in what became of the attempts that no writer manages; returns whether there were any."""
        if now - self._checked_at < SECONDS_BETWEEN_CHECKS:
            return False
        self._checked_at = now
        if all(attempt.owner in search.living for attempt in active_attempts(search.state)):
            return False
        reconciled(search)
        self._has_found_out = True
        return True

    def _row(self, name: str, now: float) -> SearchRow:
        search, has_changed = self._news(now)
        if has_changed:
            best = best_run(self._folder, search.state, search.plain)
            self._best = f'{search.plain.performance_key} {shortened(best[2])}' if best else ''
            self._counts = _counts_of(search)
        return SearchRow(
            name=name,
            counts=self._counts,
            total=search.total,
            best=self._best,
            user=user_name(search.owner),
            at=_last_written(self._folder),
            is_alive=bool(search.living),
        )


def _last_written(folder: SearchFolder) -> float | None:
    """When something was journaled last; None: never, as in a search that is only planned."""
    try:
        with os.scandir(folder.journal_dir) as entries:
            return max((entry.stat().st_mtime for entry in entries if entry.name.endswith('.jsonl')), default=None)
    except FileNotFoundError:
        return None


def _counts_of(search: SearchSnapshot) -> dict[str, int]:
    """State to number of runs."""
    counts = Counter(history.state.value for history in search.state.runs.values())
    known = len(search.state.suggestions) if search.total is None else search.total
    counts['planned'] += max(0, known - len(search.state.runs))
    return dict(counts)
