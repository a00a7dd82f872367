"""Backends in which nothing takes time: attempts end in the round after they were started, pilots are only counted."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from hpsearch.backends.base import AttemptBackend, AttemptStatus, Avoided, Launch, LaunchResult, PilotBackend, Workload
from hpsearch.model.evidence import JobState
from hpsearch.model.history.attempt import Attempt
from hpsearch.model.resources import DEFAULT_RESOURCES, GpuTenant, Placement, ResourceRequest, Slot
from hpsearch.model.snapshot import GpuLine, QueueLine
from tests.fakes.scripted_queue import Clock


class InstantBackend(AttemptBackend):
    """Attempts that end at once.

    Attributes:
        slots: How many may be under way.
        started: Names of the runs that were started.
        code: What attempts end with; None: they go on.
        cancelled: For each cancellation how many attempts it was for, and whether it was forced.
        problem: Why nothing can be started, or empty.
        rounds: How often the dispatcher waited.
        wanted: How many runs the dispatcher said wait, whenever that has changed.

    Args:
        clock: Goes on while the dispatcher waits.
        rounds_at_most: After so many rounds a test has failed.
    """

    def __init__(self, clock: Clock, slots: int = 1, rounds_at_most: int = 100) -> None:
        self.slots = slots
        self.started: list[str] = []
        self.code: int | None = 0
        self.cancelled: list[tuple[int, bool]] = []
        self.problem = ''
        self.rounds = 0
        self.wanted: list[int] = []
        self._clock = clock
        self._rounds_at_most = rounds_at_most
        self._held: dict[str, Launch] = {}
        self._waiting: dict[str, Launch] = {}

    def open_slots(
        self, now: float, others: Sequence[GpuTenant] = (), resources: ResourceRequest = DEFAULT_RESOURCES
    ) -> Placement:
        free = max(0, self.slots - len(self._held))
        return Placement((Slot(),) * free, waiting='' if free else 'all slots are taken')

    def want(self, runs: int) -> None:
        if self.wanted[-1:] != [runs]:
            self.wanted.append(runs)

    def impossible(self, resources: ResourceRequest) -> str:
        return ''

    def start(self, launches: Iterable[Launch], now: float) -> Sequence[LaunchResult]:
        self._held.update({launch.ident: launch for launch in launches})
        if self.problem:
            self._waiting.update({launch.ident: launch for launch in launches})
            return [LaunchResult(launch.ident, None, problem=self.problem) for launch in launches]
        self.started += [launch.run.name for launch in launches]
        return [LaunchResult(launch.ident, {'pid': 1}) for launch in launches]

    def adopt(self, launch: Launch, handle: Mapping[str, Any], age: float, now: float) -> None:
        self._held[launch.ident] = launch

    def can_adopt(self, handle: Mapping[str, Any]) -> bool:
        return False

    def forget(self, ident: str, now: float) -> None:
        self._held.pop(ident, None)

    def is_running(self, run: str, number: int, handle: Mapping[str, Any]) -> bool:
        return False

    def states(self, now: float) -> Mapping[str, AttemptStatus]:
        if self.problem and self._waiting:
            return {ident: AttemptStatus(JobState.WAITING, problem=self.problem) for ident in self._waiting}
        if self._waiting:
            started, self._waiting = self._waiting, {}
            self.started += [launch.run.name for launch in started.values()]
            return {ident: AttemptStatus(JobState.RUNNING, handle={'pid': 1}) for ident in started}
        if self.code is None:
            return {ident: AttemptStatus(JobState.RUNNING) for ident in self._held}
        ended, self._held = self._held, {}
        return {ident: AttemptStatus(JobState.ENDED, code=self.code) for ident in ended}

    def cancel(self, idents: Sequence[str], *, force: bool) -> None:
        self.cancelled.append((len(idents), force))
        if force:
            self.code = 137

    def is_settled(self) -> bool:
        return True

    def avoid(self, nodes: frozenset[str], now: float) -> Avoided:
        return Avoided(nodes)

    def wait(self, timeout: float) -> None:
        self.rounds += 1
        assert self.rounds < self._rounds_at_most, 'the dispatcher does not end'
        self._clock.now += timeout

    def gpu_lines(self, now: float) -> Sequence[GpuLine]:
        return ()

    def queue_lines(self) -> Sequence[QueueLine]:
        return ()

    def close(self) -> None:
        """Nothing is held."""


class CountedPilots(PilotBackend):
    """Pilots that do nothing.

    Attributes:
        kept: The workloads that were passed, one a round.
        cancelled: For each cancellation whether it was forced.
        placement: What is answered.

    Args:
        clock: Goes on while the dispatcher waits.
    """

    def __init__(self, clock: Clock) -> None:
        self.kept: list[Workload] = []
        self.cancelled: list[bool] = []
        self.placement = Placement(waiting='jobs that work on it: 1 pending')
        self._clock = clock

    def keep(self, workload: Workload, now: float) -> Placement:
        self.kept.append(workload)
        return self.placement

    def step(self, workload: Workload, now: float) -> None:
        """Nothing becomes of them."""

    def bad_nodes(self) -> Mapping[str, Sequence[Attempt]]:
        return {}

    def cancel(self, *, force: bool) -> None:
        self.cancelled.append(force)

    def is_settled(self) -> bool:
        return True

    def avoid(self, nodes: frozenset[str], now: float) -> Avoided:
        return Avoided(nodes)

    def wait(self, timeout: float) -> None:
        self._clock.now += timeout

    def gpu_lines(self, now: float) -> Sequence[GpuLine]:
        return ()

    def queue_lines(self) -> Sequence[QueueLine]:
        return ()

    def close(self) -> None:
        """Nothing is held."""
