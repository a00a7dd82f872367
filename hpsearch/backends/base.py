"""The contract between the dispatcher and the places where attempts execute.

Every backend is a :class:`Backend`. One that starts the attempts that the dispatcher hands to it is an
:class:`AttemptBackend`; one whose jobs work on the search by themselves is a :class:`PilotBackend`.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field
from typing import Any, Protocol, runtime_checkable

from hpsearch.model.command import going_on, making_folder
from hpsearch.model.evidence import JobState
from hpsearch.model.history.attempt import Attempt
from hpsearch.model.resources import DEFAULT_RESOURCES, GpuTenant, Placement, ResourceRequest, Slot
from hpsearch.model.run import Run
from hpsearch.model.snapshot import GpuLine, QueueLine
from hpsearch.model.usage.estimate import NOTHING_EXPECTED, Estimate
from hpsearch.model.usage.in_use import RunUse
from hpsearch.model.usage.measured import NOTHING_MEASURED, Measured
from hpsearch.packing.box import Candidate, Packing
from hpsearch.packing.throughput import NOTHING_LEARNED, Sharing


@dataclass(frozen=True, slots=True)
class AttemptStatus:
    """The state of one attempt.

    Attributes:
        kind: See :class:`JobState`.
        code: Raw exit status, where the backend itself witnessed the end.
        cause: One word for an end that came from outside (``preempted``, ``timeout``, ``fenced`` …), else empty.
        detail: In words: why it waits, where it runs, what was unusual about its end.
        peak_memory: Largest GPU memory it was seen to use, in MiB, or None.
        measured: What it was measured to use so far.
        room: At the end: how much room it had, for the placement of the next attempt.
        seconds: At the end: how long it ran, where the backend knows it better than the dispatcher; else None.
        problem: What of this machine (disk, processes) keeps it from being started, or its end from being
            known, in words, or empty.
        handle: While it runs: see :class:`LaunchResult`; None: :meth:`AttemptBackend.start` returned it.
        node: The node of a cluster it runs on, or ran on; empty: none, or not known.
    """

    kind: JobState
    code: int | None = None
    cause: str = ''
    detail: str = ''
    peak_memory: int | None = None
    measured: Measured = NOTHING_MEASURED
    room: Mapping[str, Any] = field(default_factory=dict)
    seconds: float | None = None
    problem: str = ''
    handle: Mapping[str, Any] | None = None
    node: str = ''


@dataclass(frozen=True, slots=True)
class Launch:
    """An attempt to be started: its claim is ours and its folder exists.

    Attributes:
        run: The run.
        number: Number of the attempt, from 1.
        ident: What it writes into the start fence.
        slot: Where.
        resources: What it needs beyond what every run gets.
        makes: A folder that is made before its script starts; empty: none.
        goes_on: The first arguments of :func:`hpsearch.model.command.going_on`, if a checkpoint is copied before.
        estimate: What the run is expected to need.
    """

    run: Run
    number: int
    ident: str
    slot: Slot
    resources: ResourceRequest = DEFAULT_RESOURCES
    makes: str = ''
    goes_on: tuple[str, str, str] | None = None
    estimate: Estimate = NOTHING_EXPECTED

    @property
    def words(self) -> tuple[str, ...]:
        """What is executed: the command of the run, after what it begins with was made or copied."""
        words = making_folder(self.makes, self.run.argv) if self.makes else self.run.argv
        return going_on(*self.goes_on, words) if self.goes_on else words


@dataclass(frozen=True, slots=True)
class LaunchResult:
    """The answer to a launch.

    Attributes:
        ident: The launch's.
        handle: What finds the attempt again after this process has died (JSON-able); None: it is not started yet.
        queued: Whether it does not run yet, but waits for a queue to accept or to start it.
        problem: What of this machine keeps it from being started, in words, or empty; the backend tries again.
    """

    ident: str
    handle: Mapping[str, Any] | None
    queued: bool = False
    problem: str = ''


@dataclass(frozen=True, slots=True)
class JobCounts:
    """What a process has in a queue.

    Attributes:
        accepted: Jobs that the queue accepted and that have not ended, as far as is known.
        unanswered: Jobs that were submitted without an answer: the queue may have accepted them.
        unsubmitted: Runs that were claimed and have not been submitted.
    """

    accepted: int = 0
    unanswered: int = 0
    unsubmitted: int = 0


@dataclass(frozen=True, slots=True)
class Silence:
    """A queue owes an answer: since when, in monotonic seconds, and what is known of the reason, in words."""

    since: float
    reason: str

    def is_long(self, now: float, patience: float) -> bool:
        """Whether it has lasted so many seconds (``now``: monotonic seconds)."""
        return now - self.since >= patience


@dataclass(frozen=True, slots=True)
class Workload:
    """How much there is to do on a search.

    Attributes:
        waiting: Runs that wait to be started, as far as is known.
        started: Attempts that were ever started.
    """

    waiting: int
    started: int


@dataclass(frozen=True, slots=True)
class Avoided:
    """What became of the request to avoid nodes.

    Attributes:
        nodes: Those of them on which nothing is started from now on.
        indispensable: Those of them without which nothing could be started, so that they are used all the same.
    """

    nodes: frozenset[str] = frozenset()
    indispensable: frozenset[str] = frozenset()


class Backend(Protocol):
    """What every backend offers."""

    def avoid(self, nodes: frozenset[str], now: float) -> Avoided:
        """Start nothing on these nodes, and on all others again; it may take a while until that is so.

        Args:
            nodes: By the names that :attr:`AttemptStatus.node` has.
            now: Monotonic seconds.
        """

    def avoid_gpus(self, gpus: Mapping[str, str]) -> None:
        """Start nothing on these GPUs of this machine, and on all others again; name to the reason, in words."""
        return

    def want(self, runs: int) -> None:
        """Say how many runs wait that would be started now if there were places; to be repeated."""
        return

    def is_settled(self) -> bool:
        """Whether nothing that was asked of it is still under way, so that this process may leave."""

    def is_clear(self, now: float) -> bool:
        """Whether no job of the search is left in a queue; what is left is cancelled.

        To be asked again until it is so, once nothing else is left to do.

        Args:
            now: Monotonic seconds.
        """
        return True

    @property
    def leftovers(self) -> str:
        """Jobs that may be left in the queue all the same, in words; empty: none."""
        return ''

    @property
    def silence(self) -> Silence | None:
        """The answer that a queue owes; None: it has answered, or there is no queue."""
        return None

    def job_counts(self) -> JobCounts:
        """What is in a queue."""
        return JobCounts()

    def wait(self, timeout: float) -> None:
        """Return after ``timeout`` seconds, or earlier when something ended or a signal came."""

    def gpu_lines(self, now: float) -> Sequence[GpuLine]:
        """What to show of each GPU."""

    def run_uses(self, now: float) -> Mapping[str, RunUse]:
        """What the runs that are measured here use, by the name of the run (``now``: monotonic seconds)."""
        return {}

    def queue_lines(self) -> Sequence[QueueLine]:
        """What to show of a queue."""

    def close(self) -> None:
        """Release everything; attempts and jobs go on."""


class AttemptBackend(Backend, Protocol):
    """A place where attempts are started, one by one or many at a time."""

    def placing(self) -> AbstractContextManager[bool]:
        """To be held from before slots are asked for until attempts were started in them.

        Meanwhile no other hpsearch, of whatever search and user, chooses among the same devices. Entering it gives
        whether that may be done now.
        """
        return nullcontext(True)

    def open_slots(
        self, now: float, others: Sequence[GpuTenant] = (), resources: ResourceRequest = DEFAULT_RESOURCES
    ) -> Placement:
        """Slots that are free now, best first, and why the others are closed.

        Args:
            now: Monotonic seconds.
            others: Attempts of this search on this host that belong to other writers.
            resources: What the run they are for needs beyond what every run gets.
        """

    @property
    def packs(self) -> bool:
        """Whether runs are placed by what each of them is expected to need: :meth:`pack` instead of open slots."""
        return False

    def pack(
        self,
        now: float,
        candidates: Sequence[Candidate],
        others: Sequence[GpuTenant] = (),
        sharing: Sharing = NOTHING_LEARNED,
    ) -> Packing:
        """Which of the runs that wait are started now, and where; only where it :attr:`packs`.

        Args:
            now: Monotonic seconds.
            candidates: Runs that wait, in the order of the search, with what each is expected to need.
            others: Attempts of this search on this host that belong to other writers.
            sharing: What was learned of how runs that share a GPU slow each other.
        """
        return Packing()

    def leaving(self, now: float) -> Mapping[str, str]:
        """Which attempts make room for others now: id to the reason, in words; only where that is asked for.

        Args:
            now: Monotonic seconds.
        """
        return {}

    def impossible(self, resources: ResourceRequest) -> str:
        """Why no slot of this backend can ever satisfy a request, in words; empty: one may."""

    def start(self, launches: Iterable[Launch], now: float) -> Sequence[LaunchResult]:
        """Start attempts, in one call where that is cheaper; one result each, in order.

        Each is claimed when it is taken, which takes time: what can be started alone is started before the next.
        """

    def adopt(self, launch: Launch, handle: Mapping[str, Any], age: float, now: float) -> None:
        """Take charge of an attempt that another writer started, as if it had been started here.

        Args:
            launch: The attempt, with the slot it is in.
            handle: What :meth:`start` returned for it then.
            age: Seconds since it was started.
            now: Monotonic seconds.
        """

    def can_adopt(self, handle: Mapping[str, Any]) -> bool:
        """Whether an attempt with such a handle is, or was, in a place that this backend can query."""

    def forget(self, ident: str, now: float) -> None:
        """Release an attempt that another writer has adopted."""

    def states(self, now: float) -> Mapping[str, AttemptStatus]:
        """What is known of every attempt this backend holds, by its id; an end is reported once."""

    def cancel(self, idents: Sequence[str], *, force: bool) -> None:
        """Ask these attempts to end; with ``force`` kill them. :meth:`states` reports their ends."""


@runtime_checkable
class PilotBackend(Backend, Protocol):
    """Jobs that work on the search by themselves: they start the runs, and their own journals say what they do."""

    def keep(self, workload: Workload, now: float) -> Placement:
        """See to it that there are as many jobs as there is work for; the placement has no slots, but says why.

        Args:
            workload: How much there is to do.
            now: Monotonic seconds.
        """

    def step(self, workload: Workload, now: float) -> None:
        """Take in what became of the jobs.

        Args:
            workload: How much there is to do.
            now: Monotonic seconds.
        """

    def bad_nodes(self) -> Mapping[str, Sequence[Attempt]]:
        """Nodes on which jobs fail at once while others do not, each with those that did, as attempts."""

    def cancel(self, *, force: bool) -> None:
        """Ask all jobs to end; with ``force`` kill them."""
