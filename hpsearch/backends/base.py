"""The contract between the dispatcher and the places where attempts execute.

The dispatcher asks for slots, starts attempts in them, asks what became of them, and never asks which backend it has.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

from hpsearch.model.jobs import JobState
from hpsearch.model.resources import DEFAULT_RESOURCES, GpuTenant, Placement, ResourceRequest, Slot
from hpsearch.model.run import Run
from hpsearch.model.snapshot import GpuLine, QueueLine


@dataclass(frozen=True, slots=True)
class AttemptStatus:
    """The state of one attempt.

    Attributes:
        kind: See :class:`JobState`.
        code: Raw exit status, where the backend itself witnessed the end.
        cause: One word for an end that came from outside (``preempted``, ``timeout``, ``fenced`` …), else empty.
        detail: In words: why it waits, where it runs, what was odd about its end.
        peak_memory: Largest GPU memory seen in use by it in MiB, or None.
        room: At the end: how much room it had, for the placement of a next attempt.
        seconds: At the end: how long it ran, where the backend knows that better than whoever watched it.
    """

    kind: JobState
    code: int | None = None
    cause: str = ''
    detail: str = ''
    peak_memory: int | None = None
    room: Mapping[str, Any] = field(default_factory=dict)
    seconds: float | None = None


@dataclass(frozen=True, slots=True)
class Launch:
    """An attempt to be started: its claim is ours and its folder exists.

    Attributes:
        run: The run.
        number: Number of the attempt, from 1.
        ident: What it writes into the start fence.
        slot: Where.
        demand: What it needs beyond what every run gets.
    """

    run: Run
    number: int
    ident: str
    slot: Slot
    resources: ResourceRequest = DEFAULT_RESOURCES


@dataclass(frozen=True, slots=True)
class LaunchResult:
    """The answer to a launch.

    Attributes:
        ident: The launch's.
        handle: What finds the attempt again after this process has died (JSON-able); None when it was not started.
        queued: Whether it waits for a queue, or in one, and does not run yet.
        problem: Why it was not started, in words; empty when it was.
    """

    ident: str
    handle: Mapping[str, Any] | None
    queued: bool = False
    problem: str = ''


class Backend(Protocol):
    """A place where attempts execute."""

    def open_slots(
        self, now: float, others: Sequence[GpuTenant] = (), resources: ResourceRequest = DEFAULT_RESOURCES
    ) -> Placement:
        """Slots that are free now, best first, and why the others are closed.

        Args:
            now: Monotonic seconds.
            others: Attempts of this search on this host that belong to other writers.
            demand: What the run they are for needs beyond what every run gets.
        """

    def impossible(self, resources: ResourceRequest) -> str:
        """Why no slot of this backend can ever satisfy a demand; empty: one may."""

    def start(self, launches: Sequence[Launch], now: float) -> Sequence[LaunchResult]:
        """Start attempts, in one call where that is cheaper; one answer each, in order."""

    def adopt(self, launch: Launch, handle: Mapping[str, Any], age: float, now: float) -> None:
        """Hold an attempt that another writer started, as if it had been started here.

        Args:
            launch: The attempt, with the slot it is in.
            handle: What :meth:`start` told of it then.
            age: Seconds since it was started.
            now: Monotonic seconds.
        """

    def can_adopt(self, handle: Mapping[str, Any]) -> bool:
        """Whether an attempt with such a handle is, or was, in a place that this backend can ask."""

    def forget(self, ident: str, now: float) -> None:
        """Let go of an attempt that another writer has adopted."""

    def states(self, now: float) -> Mapping[str, AttemptStatus]:
        """What is known of every attempt this backend holds, by its id; one that ended is told once."""

    def cancel(self, idents: Sequence[str], *, force: bool) -> None:
        """Ask these attempts to end; with ``force`` end them. Their end is told by :meth:`states`."""

    def is_settled(self) -> bool:
        """Whether everything that was asked of it has been done, so that this process may leave."""

    def wait(self, timeout: float) -> None:
        """Return after ``timeout`` seconds, or earlier when something of ours ended or a signal came."""

    def gpu_lines(self, now: float) -> Sequence[GpuLine]:
        """What to show of each GPU."""

    def queue_lines(self) -> Sequence[QueueLine]:
        """What to show of a queue."""

    def close(self) -> None:
        """Let go of everything; attempts that run go on."""
