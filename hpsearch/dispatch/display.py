"""What this process shows of its work: how the search stands and, in the foreground, what a run writes."""

from __future__ import annotations

import logging
import math
from collections.abc import Collection
from typing import Protocol

from hpsearch.backends.base import Backend, Launch
from hpsearch.dispatch.context import ActiveAttempt
from hpsearch.dispatch.progress import Progress
from hpsearch.model.command import shell_line
from hpsearch.model.snapshot import Snapshot
from hpsearch.store.attempt_files import LogTail
from hpsearch.store.folder import SearchFolder

log = logging.getLogger('hpsearch')

CHANGED_INTERVAL = 0.25
"""Seconds between two snapshots while runs start and end."""

IDLE_INTERVAL = 1.0
"""The same while nothing changes."""


class ShowsProgress(Protocol):
    """What is needed of a view."""

    def update(self, snapshot: Snapshot) -> None:
        """Show the search as it stands."""

    def output(self, data: bytes, stream_name: str) -> None:
        """Show what a run wrote."""

    def end_output(self) -> None:
        """That run has ended: its last line is complete."""


class Display:
    """Shows how the search stands.

    Args:
        view: What is shown on.
        progress: How far the search has come.
        backend: Knows the GPUs and what is in a queue.
    """

    def __init__(self, view: ShowsProgress, progress: Progress, backend: Backend) -> None:
        self._view = view
        self._progress = progress
        self._backend = backend
        self._shown = -math.inf

    def is_due(self, now: float, *, changed: bool) -> bool:
        """Whether enough time has passed to show it again.

        Args:
            now: Monotonic seconds.
            changed: Whether a run started or ended since the last call.
        """
        return now - self._shown >= (CHANGED_INTERVAL if changed else IDLE_INTERVAL)

    def show(self, now: float, attempts: Collection[ActiveAttempt], waiting: str) -> None:
        """Show it.

        Args:
            now: Monotonic seconds.
            attempts: The attempts that are under way.
            waiting: Why no run is started, in words.
        """
        self._shown = now
        running = [active for active in attempts if active.is_running]
        self._progress.active(len(running))
        gpus, queue = self._backend.gpu_lines(now), self._backend.queue_lines()
        self._view.update(self._progress.snapshot(now, running, waiting=waiting, gpus=gpus, queue=queue))


class OutputEcho:
    """Shows what attempts write, where that is wanted.

    Args:
        view: What is shown on.
        folder: The search.
        is_on: Whether anything is shown.
    """

    def __init__(self, view: ShowsProgress, folder: SearchFolder, *, is_on: bool) -> None:
        self._view = view
        self._folder = folder
        self._is_on = is_on
        self._tails: dict[str, LogTail] = {}

    def begin(self, launch: Launch) -> None:
        """An attempt has started."""
        if not self._is_on:
            return
        paths = self._folder.attempt(launch.run.name, launch.number)
        log.info('%s: %s', launch.run.name, shell_line(launch.run.argv))
        self._tails[launch.ident] = LogTail({'stdout': paths.stdout, 'stderr': paths.stderr}, self._view.output)

    def pump(self) -> None:
        """Show what was written since the last call."""
        for tail in self._tails.values():
            tail.pump()

    def end(self, ident: str) -> None:
        """An attempt has ended: show the rest."""
        tail = self._tails.pop(ident, None)
        if tail is not None:
            tail.finish()
            self._view.end_output()
