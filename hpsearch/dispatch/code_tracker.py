"""With which code the runs are made; what finding out takes is imported only when the first run was started."""

from __future__ import annotations

from collections import deque
from pathlib import Path
from typing import TYPE_CHECKING

from hpsearch.model.configuration import Configuration
from hpsearch.model.states import Event
from hpsearch.store.folder import SearchFolder

if TYPE_CHECKING:
    from hpsearch.store.provenance import Provenance

PATIENCE = 5.0
"""Seconds the end of a search waits for what is still being found out about its code and packages."""


class CodeTracker:
    """Finds out, beside the work, with which code and packages the runs are made.

    Args:
        folder: The search.
        configuration: What it runs.
        run_cwd: Working directory of its runs, absolute.
        interpreter: First word of the commands of a Python script.
    """

    def __init__(self, folder: SearchFolder, configuration: Configuration, run_cwd: str, interpreter: str) -> None:
        self._folder = folder
        self._configuration = configuration
        self._run_cwd = Path(run_cwd)
        self._interpreter = interpreter
        self._provenance: Provenance | None = None
        self._found: deque[Event] = deque()

    @property
    def code(self) -> str:
        """The id of the code; empty before it is known."""
        return self._provenance.code if self._provenance else ''

    def check(self, now: float) -> None:
        """Runs were started: begin, or look whether the code has changed, if it is time.

        Args:
            now: Monotonic seconds.
        """
        if self._provenance is None:
            self._provenance = self._make()
            self._provenance.start(self._found.append)  # called in another thread
        self._provenance.check(now)

    def _make(self) -> Provenance:
        from hpsearch.store.provenance import Provenance, code_files

        files = code_files(self._configuration, self._run_cwd)
        interpreter = '' if self._configuration.command is not None else self._interpreter
        return Provenance(self._folder, files[0].parent if files else self._run_cwd, interpreter, files)

    def take_events(self) -> list[Event]:
        """The events for the journal that were found since the last call."""
        return [self._found.popleft() for _ in range(len(self._found))]

    def finish(self) -> None:
        """Wait until the first event was found, if any is being looked for, a few seconds at most."""
        if self._provenance is not None:
            self._provenance.wait(PATIENCE)
