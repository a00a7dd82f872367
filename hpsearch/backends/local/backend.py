"""Attempts as processes of this machine.

Each attempt is a session of its own, so that it survives the dispatcher and a closed terminal, and so that a signal
to its process group reaches what it started. The kernel reports its end; nothing is polled.
"""

from __future__ import annotations

import math
import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from hpsearch.backends.base import AttemptBackend, AttemptStatus, Avoided, Launch, LaunchResult
from hpsearch.backends.local.attempts.ends import end_of_shell
from hpsearch.backends.local.attempts.leftovers import Leftovers
from hpsearch.backends.local.attempts.living import goes_on, marked
from hpsearch.backends.local.attempts.process import AttemptProcess
from hpsearch.backends.local.attempts.signalling import ask_to_end
from hpsearch.backends.local.attempts.spawning import Spawner
from hpsearch.backends.local.machine_gate import MachineGate
from hpsearch.backends.local.measuring import Measuring
from hpsearch.backends.local.slots import SlotSource, TimeLimit
from hpsearch.host.niceness import Niceness
from hpsearch.host.processes import Process, has_group, open_pidfd, reap, start_ticks
from hpsearch.host.signals import Wakeup
from hpsearch.model.evidence import JobState
from hpsearch.model.resources import DEFAULT_RESOURCES, GpuTenant, Placement, ResourceRequest, Slot
from hpsearch.model.snapshot import GpuLine, QueueLine
from hpsearch.model.usage.estimate import Estimate
from hpsearch.model.usage.in_use import NOTHING_USED, RunUse
from hpsearch.packing.box import Candidate, Packing
from hpsearch.packing.neighbours.policy import NO_LIMITS
from hpsearch.packing.throughput import NOTHING_LEARNED, Sharing
from hpsearch.store.attempt_files import duration, marks
from hpsearch.store.folder import SearchFolder

if TYPE_CHECKING:
    from hpsearch.backends.local.fair_shares import FairShares

ABSENCE = 3.0
"""Seconds without a look at the processes after which we must have been stopped meanwhile."""

NO_GROUP = 0
"""Stands for the process group of an attempt that has none yet."""


class LocalBackend(AttemptBackend):
    """Runs attempts here.

    Args:
        folder: The search.
        cwd: Working directory of the attempts.
        slots: Where slots come from.
        wakeup: What :meth:`wait` waits with.
        time_limit: Says whether there is time for another run; None: always.
        gate: Says whether this machine gets more runs; None: always.
        nice: The niceness of the attempts.
        shares: How the search stands among those of this user on this machine; None: it takes all there is.
    """

    def __init__(
        self,
        folder: SearchFolder,
        cwd: str,
        slots: SlotSource,
        wakeup: Wakeup,
        time_limit: TimeLimit | None = None,
        gate: MachineGate | None = None,
        nice: int = 0,
        shares: FairShares | None = None,
    ) -> None:
        self._folder = folder
        self._slots = slots
        self._wakeup = wakeup
        self._time_limit = time_limit
        self._gate = gate or MachineGate(NO_LIMITS)
        self._niceness = Niceness(nice)
        self._shares = shares
        self._others: Sequence[GpuTenant] = ()
        if shares is not None:
            shares.belong_to(folder.identity, str(folder.path))
        self._processes: dict[str, AttemptProcess] = {}
        self._waiting: dict[str, Launch] = {}
        self._spawner = Spawner(folder, cwd, self._niceness)
        self._leftovers = Leftovers(folder)
        self._forgotten: list[int] = []
        self._looked = math.inf
        self._measuring = Measuring(slots)

    @contextmanager
    def placing(self) -> Iterator[bool]:
        """Before it is the turn of the next, that one can read what we hold."""
        with self._slots.placing() as may_place:
            yield may_place
            if self._shares is not None:
                self._shares.tell(self._held_here())

    def want(self, runs: int) -> None:
        if self._shares is not None:
            self._shares.want(runs, self._held_here())

    def _held_here(self) -> list[tuple[Slot, Estimate]]:
        """The slots of all attempts of this search on this machine."""
        own = [*(process.launch for process in self._processes.values()), *self._waiting.values()]
        others = [(Slot(tenant.gpus), tenant.estimate) for tenant in self._others]
        return [*((launch.slot, launch.estimate) for launch in own), *others]

    def open_slots(
        self, now: float, others: Sequence[GpuTenant] = (), resources: ResourceRequest = DEFAULT_RESOURCES
    ) -> Placement:
        self._others = others
        if why := self._why_over(now):
            return why
        placement = self._slots.open_slots(now, others, resources)
        if self._gate.opens_for_one:
            placement = replace(placement, slots=placement.slots[:1])
        return placement if self._shares is None else self._shares.of_placement(placement, self._held_here())

    def _why_over(self, now: float) -> Placement | None:
        """Why the machine as a whole gets no run, whatever others do; None: it may."""
        over = self._time_limit.why_over(now) if self._time_limit else ''
        why = over or self._gate.why_closed(now)
        if why and self._shares is not None:
            self._shares.shut(self._held_here())
        return Placement(waiting=why, is_final=bool(over)) if why else None

    @property
    def packs(self) -> bool:
        return self._slots.packs

    def pack(
        self,
        now: float,
        candidates: Sequence[Candidate],
        others: Sequence[GpuTenant] = (),
        sharing: Sharing = NOTHING_LEARNED,
    ) -> Packing:
        self._others = others
        if why := self._why_over(now):
            return Packing(waiting=why.waiting, is_final=why.is_final)
        packing = self._slots.pack(now, candidates, others, sharing)
        if self._gate.opens_for_one:
            packing = replace(packing, starts=packing.starts[:1])
        if self._shares is None:
            return packing
        estimates = {candidate.run: candidate.estimate for candidate in candidates}
        return self._shares.of_packing(packing, estimates, self._held_here())

    def leaving(self, now: float) -> Mapping[str, str]:
        if why := self._gate.why_leave():
            return dict.fromkeys([*self._processes, *self._waiting], why)
        return self._slots.leaving([ident for ident, each in self._processes.items() if each.is_cancelled], now)

    def impossible(self, resources: ResourceRequest) -> str:
        return self._slots.impossible(resources)

    def start(self, launches: Iterable[Launch], now: float) -> Sequence[LaunchResult]:
        return [self._start_one(launch, now) for launch in launches]

    def _start_one(self, launch: Launch, now: float) -> LaunchResult:
        """Start an attempt; what cannot be started now waits here, in its slot."""
        if self._try_to_start(launch, now):
            return LaunchResult(launch.ident, self._processes[launch.ident].handle)
        self._waiting[launch.ident] = launch
        self._take_slot(launch, NO_GROUP, now)
        self._slots.announce(launch.ident, launch.slot, Process(os.getpid(), start_ticks(os.getpid())))
        return LaunchResult(launch.ident, None, problem=self._spawner.problem)

    def _try_to_start(self, launch: Launch, now: float) -> bool:
        """Start the process of an attempt; returns whether that was possible."""
        shell = self._spawner.start(launch, now)
        if shell is None:
            return False
        self._processes[launch.ident] = AttemptProcess(launch, shell)
        self._niceness.give(shell.pid)
        self._gate.note_start(now)
        self._take_slot(launch, shell.pid, now)
        self._slots.announce(launch.ident, launch.slot, shell)
        if self._time_limit:
            self._time_limit.note_start()
        return True

    def _start_waiting(self, now: float) -> dict[str, AttemptStatus]:
        """Try again to start what could not be started; returns how those stand that are not."""
        return {ident: status for ident in list(self._waiting) if (status := self._start_again(ident, now)) is not None}

    def _start_again(self, ident: str, now: float) -> AttemptStatus | None:
        ended = self._spawner.given_up(ident)
        if ended is None and not self._try_to_start(self._waiting[ident], now):
            problem = self._spawner.problem
            return AttemptStatus(JobState.WAITING, detail=problem, problem=problem)
        del self._waiting[ident]
        if ended is not None:
            self._slots.release(ident, now)
        return ended

    def _take_slot(self, launch: Launch, group: int, since: float) -> None:
        own = marks(self._folder, launch.run.name, launch.number)
        candidate = Candidate(launch.run.name, launch.estimate, launch.resources)
        self._slots.acquire(launch.ident, launch.slot, group, since, launch.resources, own, candidate)

    def adopt(self, launch: Launch, handle: Mapping[str, Any], age: float, now: float) -> None:
        """Watch a process that is no child of ours; its end is known by its exit record."""
        pid, pidfd = int(handle['pid']), open_pidfd(int(handle['pid']))
        process = AttemptProcess(launch, Process(pid, str(handle.get('ticks', ''))), is_child=False, pidfd=pidfd)
        if not process.shell.ticks:  # journaled by an earlier version: its marks tell
            found = marked(self._folder, {process.key})
            process.shell = next((each for each in found if each.pid == pid), process.shell)
        self._processes[launch.ident] = process
        self._take_slot(launch, pid, now - age)
        self._watch(process)

    def _watch(self, process: AttemptProcess) -> None:
        """Let its end end the wait; where that is not possible, it is noticed in the next round."""
        if process.pidfd is None:
            return
        try:
            self._wakeup.watch(process.pidfd)
        except OSError:
            os.close(process.pidfd)
            process.pidfd = None

    def can_adopt(self, handle: Mapping[str, Any]) -> bool:
        return 'submission' not in handle

    def forget(self, ident: str, now: float) -> None:
        """Stop watching; a child of ours is still waited for, so that it leaves no zombie."""
        process = self._processes.pop(ident, None)
        if process is not None or self._waiting.pop(ident, None) is not None:
            self._slots.release(ident, now)
            self._measuring.forget(ident)
        if process is None:
            return
        self._unwatch(process)
        if process.is_child:
            self._forgotten.append(process.pid)

    def _unwatch(self, process: AttemptProcess) -> None:
        if process.pidfd is not None:
            self._wakeup.unwatch(process.pidfd)
            os.close(process.pidfd)
            process.pidfd = None

    def states(self, now: float) -> Mapping[str, AttemptStatus]:
        """Every attempt that was started here; an ended one is reported once and then forgotten."""
        self._leftovers.tend(now)
        self._gate.look(now)
        self._niceness.step()
        self._forgotten = [pid for pid in self._forgotten if reap(pid) is None]
        self._measuring.look({process.pid: ident for ident, process in self._processes.items()}, now)
        states = {ident: self._state(ident, process, now) for ident, process in list(self._processes.items())}
        self._looked = now
        return {**states, **self._start_waiting(now)}

    def _state(self, ident: str, process: AttemptProcess, now: float) -> AttemptStatus:
        try:
            status = self._end_of(ident, process, now)
        except OSError as error:
            status = AttemptStatus(JobState.RUNNING, problem=f'the end of an attempt cannot be read: {error}')
        if status is None:
            measured = self._measuring.so_far(ident)
            return AttemptStatus(
                JobState.RUNNING, detail=f'pid {process.pid}', handle=process.handle, measured=measured
            )
        if status.kind is JobState.RUNNING:
            return status
        del self._processes[ident]
        self._unwatch(process)
        if status.kind is JobState.WAITING:
            self._waiting[ident] = process.launch
            self._spawner.fail(status.problem, now)
            return status
        if not status.problem:
            self._spawner.succeed()
        room, broken = self._slots.room(ident), self._slots.problem(ident) if status.code else ''
        detail = '; '.join(filter(None, (status.detail, broken)))
        measured = self._measuring.end(ident, process.used, process.ended_at, status.seconds)
        peak = self._slots.release(ident, now)
        return replace(status, detail=detail, peak_memory=peak, measured=measured, room=room)

    def _end_of(self, ident: str, process: AttemptProcess, now: float) -> AttemptStatus | None:
        """How an attempt ended; None: it runs, or what it had of its GPUs is not known yet.

        Raises:
            OSError: A file of it cannot be read; nothing is lost when it is tried again.
        """
        if process.ended is None:
            process.ended, process.is_late = self._code_of(process, now), now - self._looked > ABSENCE
            process.ended_at = now
        code = process.ended
        if code is None or (code and not self._slots.knows_room(ident, now)):
            return None
        paths = self._folder.attempt(process.launch.run.name, process.launch.number)
        status = end_of_shell(process.launch, paths, code)
        if status.kind is JobState.WAITING:
            return status
        if process.is_late:
            status = replace(status, seconds=duration(paths))
        return replace(status, detail='; '.join(filter(None, (status.detail, self._leftovers.end_of(process, now)))))

    def _code_of(self, process: AttemptProcess, now: float) -> int | None:
        """How the sh of an attempt ended; None: it, or what it started, goes on."""
        if process.headless is None:
            code = process.status()
            is_survived = process.is_cancelled and has_group(process.pid)
            if code is None or (code >= 0 and not is_survived):
                return code
            process.headless, process.code = now, code
            self._unwatch(process)
        return None if self._is_busy(process, now) else process.code_without_shell(now)

    def _is_busy(self, process: AttemptProcess, now: float) -> bool:
        """Whether an attempt continues without its sh; checked ever more rarely, since each check is expensive."""
        if now < process.next_check:
            return True
        process.next_check = now + process.pause
        process.pause = min(1.0, 2 * process.pause)
        return goes_on(self._folder, process)

    def cancel(self, idents: Sequence[str], *, force: bool) -> None:
        """TERM to all processes of attempts (KILL with ``force``), also to descendants that left their session."""
        ask_to_end(self._folder, [self._processes[each] for each in idents if each in self._processes], force=force)
        self._spawner.give_up(self._waiting.keys() & set(idents))

    def is_settled(self) -> bool:
        return True

    def avoid(self, nodes: frozenset[str], now: float) -> Avoided:
        """All other nodes are avoided anyway; a process in a job on one of these leaves."""
        return Avoided(nodes)

    def avoid_gpus(self, gpus: Mapping[str, str]) -> None:
        self._slots.avoid(gpus)
        if self._shares is not None:
            self._shares.avoid(gpus)

    def wait(self, timeout: float) -> None:
        """Until a child ends, a signal comes, a GPU was read, or the time is over."""
        headless = [process.pause for process in self._processes.values() if process.headless is not None]
        tending = [1.0] if self._leftovers.is_busy or self._waiting else []
        self._wakeup.wait(min([timeout, *headless, *tending]))

    def gpu_lines(self, now: float) -> Sequence[GpuLine]:
        kept = {} if self._shares is None else self._shares.kept_back
        lines = self._slots.gpu_lines(now)
        return tuple(replace(line, closed=line.closed or kept.get(line.name, '')) for line in lines) if kept else lines

    def run_uses(self, now: float) -> Mapping[str, RunUse]:
        uses = {each.launch.run.name: self._measuring.now(ident, now) for ident, each in self._processes.items()}
        return {name: use for name, use in uses.items() if use != NOTHING_USED}

    def queue_lines(self) -> Sequence[QueueLine]:
        return ()

    def close(self) -> None:
        """Stop what ended attempts left behind, then release the slots."""
        self._leftovers.close()
        if self._shares is not None:
            self._shares.close()
        self._slots.close()
