"""The runs that wait for a slot."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator

from hpsearch.records import Run


class Backlog:
    """The runs that wait, read from the plan only when they are needed.

    Args:
        runs: Planned runs, in their order.
        is_needed: Whether a run still has to be started; another writer may have been faster.
    """

    def __init__(self, runs: Iterable[Run], is_needed: Callable[[Run], bool]) -> None:
        self._is_needed = is_needed
        self._runs: Iterator[Run] = iter(runs)
        self._returned: deque[Run] = deque()
        self._is_over = False

    def take(self) -> Run | None:
        """The next run, or None when there is none."""
        while (run := self._next()) is not None and not self._is_needed(run):
            continue
        return run

    def _next(self) -> Run | None:
        if self._returned:
            return self._returned.popleft()
        run = None if self._is_over else next(self._runs, None)
        self._is_over = run is None
        return run

    def put_first(self, run: Run) -> None:
        """Give back a run that was taken but not started."""
        self._returned.appendleft(run)

    def put_last(self, run: Run) -> None:
        """Plan a run again, after the others that were given back."""
        self._returned.append(run)

    def __bool__(self) -> bool:
        run = self.take()
        if run is not None:
            self.put_first(run)
        return run is not None
