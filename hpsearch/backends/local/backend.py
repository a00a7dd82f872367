"""Attempts as processes of this machine.

Each attempt is a session of its own, so that it survives the dispatcher and a closed terminal, and so that a signal
to its process group reaches what it started. The kernel reports its end; nothing is polled.
"""

from __future__ import annotations

import math
import os
import signal
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from itertools import chain
from typing import TYPE_CHECKING, Any

from hpsearch.backends.base import AttemptBackend, AttemptStatus, Avoided, Launch, LaunchResult
from hpsearch.backends.local.machine_gate import MachineGate
from hpsearch.backends.local.measuring import Measuring
from hpsearch.backends.local.slots import SlotSource, TimeLimit
from hpsearch.host.kernel import command_limits
from hpsearch.host.niceness import Niceness
from hpsearch.host.processes import (
    NOT_OURS,
    Process,
    Reaped,
    group_of,
    has_group,
    is_alive,
    open_pidfd,
    presence,
    reap,
    send_signal,
    sessions,
    signal_group_of_child,
    spawn,
    start_ticks,
    ticks_now,
)
from hpsearch.host.signals import Wakeup
from hpsearch.model.command import why_no_command
from hpsearch.model.errors import is_of_machine, trouble_in_words
from hpsearch.model.evidence import JobState, ProcessState
from hpsearch.model.resources import DEFAULT_RESOURCES, GpuTenant, Placement, ResourceRequest, Slot
from hpsearch.model.retries import Pauses
from hpsearch.model.snapshot import GpuLine, QueueLine
from hpsearch.model.usage.estimate import Estimate
from hpsearch.model.usage.in_use import NOTHING_USED, RunUse
from hpsearch.model.usage.threads import THREAD_VARIABLES, thread_variables, variables_set_by
from hpsearch.packing.box import Candidate, Packing
from hpsearch.packing.neighbours.policy import NO_LIMITS
from hpsearch.packing.throughput import NOTHING_LEARNED, Sharing
from hpsearch.store.attempt_files import (
    FENCED,
    LOCAL_SCRIPT,
    NO_FORK,
    attempt_processes,
    duration,
    environment,
    exit_code,
    is_there,
    marks,
    read_fence,
    tail,
)
from hpsearch.store.folder import AttemptPaths, SearchFolder

if TYPE_CHECKING:
    from hpsearch.backends.local.fair_shares import FairShares

LEFTOVER_GRACE = 10.0
"""Seconds between TERM and KILL for processes that an ended attempt left behind."""

SPAWN_PAUSE = 1.0
"""Seconds until it is tried again to start a process, at first."""

LONGEST_SPAWN_PAUSE = 60.0
"""The same at most."""

ABSENCE = 3.0
"""Seconds without a look at the processes after which we must have been stopped meanwhile."""

NO_GROUP = 0
"""Stands for the process group of an attempt that has none yet."""

NO_PROCESS = 'no process could be started: the shell of a run could not begin'

_NOT_STARTED = AttemptStatus(JobState.ENDED, cause='start', detail='it had not been started')
_STILLBORN = AttemptStatus(JobState.ENDED, cause='start', detail='its shell could not start it', problem=NO_PROCESS)

SWEEP_SHARE = 0.01
"""Share of the time that may go into the search for processes that left their group."""


@dataclass(slots=True)
class _Process:
    """The processes of one attempt.

    Attributes:
        launch: The attempt.
        shell: Its sh, which leads their session; without ticks when no such process was found.
        is_child: Whether that is a child of ours.
        seen: When that last had its pid, in the unit of start times: a child that was not waited for has it as well.
        pidfd: Watches its sh, if it is no child of ours.
        headless: When its sh ended while what it started went on, in monotonic seconds; None: it did not. It was killed
            (there will be no record, but there may be a summary), or it ended when the attempt was cancelled.
        code: How its sh ended then.
        used: What it and its children have used, as the system says where it is a child of ours.
        ended: How it ended; None: it goes on.
        ended_at: When that was seen, in monotonic seconds.
        is_late: Whether that was seen late, since we were stopped meanwhile: its files say how long it took.
        is_cancelled: Whether it was asked to end: what goes on without its sh, behind a wrapper that ended, may write a
            checkpoint.
        is_forced: Whether we killed all of it ourselves.
        next_check: When it is checked again whether that goes on, in monotonic seconds.
        pause: Seconds between two such checks.
    """

    launch: Launch
    shell: Process
    is_child: bool = True
    seen: float = 0.0
    pidfd: int | None = None
    headless: float | None = None
    code: int = NOT_OURS
    used: Reaped | None = None
    ended: int | None = None
    ended_at: float = 0.0
    is_late: bool = False
    is_cancelled: bool = False
    is_forced: bool = False
    next_check: float = 0.0
    pause: float = 0.05

    @property
    def pid(self) -> int:
        return self.shell.pid

    @property
    def handle(self) -> dict[str, Any]:
        """What the journal keeps of it, by which it is found again."""
        return {'pid': self.shell.pid, 'ticks': self.shell.ticks}

    @property
    def key(self) -> tuple[str, str]:
        """Run and number, as its processes carry them."""
        return self.launch.run.name, str(self.launch.number)

    @property
    def keeps_its_pid(self) -> bool:
        """Whether its sh is a child that was not waited for: until then nobody else gets its pid."""
        return self.is_child and self.headless is None and self.ended is None

    def status(self) -> int | None:
        """How its sh ended, ``NOT_OURS`` where that is not known; None while it has not, as far as is known."""
        now = ticks_now()
        if self.is_child:
            self.used = reap(self.pid)
            code = self.used.code if self.used else None
            self.seen = now if code != NOT_OURS else self.seen
            return code
        found = presence(self.pid, self.shell.ticks)
        self.seen = now if found is ProcessState.ALIVE else self.seen
        return NOT_OURS if found is ProcessState.GONE else None

    def owns(self, session: Sequence[Process], marked: Collection[Process]) -> bool:
        """Whether a session with the pid of its sh is its own, and none that got this pid later.

        One that has a process with its marks is, and one that has a process that started while its sh had the pid.
        """
        return any(each in marked or each.started < self.seen for each in session)


@dataclass(frozen=True, slots=True)
class _Leftover:
    """A process that an ended attempt left behind, that was asked to end, and that is killed at a time."""

    process: Process
    kill_at: float

    @property
    def is_alive(self) -> bool:
        return is_alive(self.process.pid, self.process.ticks)


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
        self._cwd = cwd
        self._slots = slots
        self._wakeup = wakeup
        self._time_limit = time_limit
        self._gate = gate or MachineGate(NO_LIMITS)
        self._niceness = Niceness(nice)
        self._shares = shares
        self._others: Sequence[GpuTenant] = ()
        if shares is not None:
            shares.belong_to(folder.identity, str(folder.path))
        self._processes: dict[str, _Process] = {}
        self._waiting: dict[str, Launch] = {}
        self._given_up: dict[str, AttemptStatus] = {}
        self._spawning = Pauses(SPAWN_PAUSE, LONGEST_SPAWN_PAUSE)
        self._leftovers: list[_Leftover] = []
        self._forgotten: list[int] = []
        self._ended_keys: set[tuple[str, str]] = set()
        self._next_sweep = 0.0
        self._looked = math.inf
        self._inherited = dict(os.environb)
        self._set_by_user = {name for name in THREAD_VARIABLES if os.environ.get(name)}
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
        if self._try_to_spawn(launch, now):
            return LaunchResult(launch.ident, self._processes[launch.ident].handle)
        self._waiting[launch.ident] = launch
        self._take_slot(launch, NO_GROUP, now)
        self._slots.announce(launch.ident, launch.slot, Process(os.getpid(), start_ticks(os.getpid())))
        return LaunchResult(launch.ident, None, problem=self._spawning.problem)

    def _try_to_spawn(self, launch: Launch, now: float) -> bool:
        """Start the process of an attempt; returns whether that was possible."""
        if not self._spawning.is_over(now):
            return False
        try:
            pid = self._spawn(launch)
        except (OSError, ValueError) as error:
            if isinstance(error, OSError) and is_of_machine(error):
                self._spawning.fail(f'no process could be started: {error.strerror}', now)
            else:
                self._given_up[launch.ident] = AttemptStatus(
                    JobState.ENDED, cause='impossible', detail=self._why_impossible(launch, error)
                )
            return False
        process = self._processes[launch.ident] = _Process(launch, Process(pid, start_ticks(pid)))
        self._niceness.give(pid)
        self._gate.note_start(now)
        self._take_slot(launch, pid, now)
        self._slots.announce(launch.ident, launch.slot, process.shell)
        if self._time_limit:
            self._time_limit.note_start()
        return True

    def _why_impossible(self, launch: Launch, error: OSError | ValueError) -> str:
        """Why an attempt can never be started, in words; asked only then, since the kernel knows best what it takes."""
        why = why_no_command(launch.words, command_limits(self._inherited))
        return why or f'it cannot be started: {trouble_in_words(error) if isinstance(error, OSError) else error}'

    def _start_waiting(self, now: float) -> dict[str, AttemptStatus]:
        """Try again to start what could not be started; returns how those stand that are not."""
        return {ident: status for ident in list(self._waiting) if (status := self._start_again(ident, now)) is not None}

    def _start_again(self, ident: str, now: float) -> AttemptStatus | None:
        if ident not in self._given_up and not self._try_to_spawn(self._waiting[ident], now):
            problem = self._spawning.problem
            return AttemptStatus(JobState.WAITING, detail=problem, problem=problem)
        del self._waiting[ident]
        status = self._given_up.pop(ident, None)
        if status is not None:
            self._slots.release(ident, now)
        return status

    def _take_slot(self, launch: Launch, group: int, since: float) -> None:
        own = marks(self._folder, launch.run.name, launch.number)
        candidate = Candidate(launch.run.name, launch.estimate, launch.resources)
        self._slots.acquire(launch.ident, launch.slot, group, since, launch.resources, own, candidate)

    def _spawn(self, launch: Launch) -> int:
        run = launch.run
        paths = self._folder.attempt(run.name, launch.number)
        extra = environment(self._folder, run.name, launch.number, launch.slot.visible_devices, launch.slot.variable)
        extra |= thread_variables(launch.slot.threads, variables_set_by(run.argv) | self._set_by_user)
        shell = (*self._niceness.words, '/bin/sh', '-c', LOCAL_SCRIPT)
        argv = (*shell, 'hpsearch', paths.folder, launch.ident, self._cwd, *launch.words)
        encoded = {os.fsencode(name): os.fsencode(value) for name, value in extra.items()}
        return spawn(argv, {**self._inherited, **encoded}, paths.stdout, paths.stderr)

    def adopt(self, launch: Launch, handle: Mapping[str, Any], age: float, now: float) -> None:
        """Watch a process that is no child of ours; its end is known by its exit record."""
        pid, pidfd = int(handle['pid']), open_pidfd(int(handle['pid']))
        process = _Process(launch, Process(pid, str(handle.get('ticks', ''))), is_child=False, pidfd=pidfd)
        if not process.shell.ticks:  # journaled by an earlier version: its marks tell
            process.shell = next((each for each in self._marked({process.key}) if each.pid == pid), process.shell)
        self._processes[launch.ident] = process
        self._take_slot(launch, pid, now - age)
        self._watch(process)

    def _watch(self, process: _Process) -> None:
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

    def _goes_on(self, process: _Process) -> bool:
        """Whether an attempt is alive without its sh: a process with its marks, or one in the session of its sh."""
        if process.is_cancelled:
            return bool(self._living_of([process]))
        launch = process.launch
        if exit_code(self._folder.attempt(launch.run.name, launch.number)) is not None:
            return False
        is_left = not start_ticks(process.pid) and process.pid in sessions()
        return is_left or bool(self._marked({process.key}))

    def _unwatch(self, process: _Process) -> None:
        if process.pidfd is not None:
            self._wakeup.unwatch(process.pidfd)
            os.close(process.pidfd)
            process.pidfd = None

    def states(self, now: float) -> Mapping[str, AttemptStatus]:
        """Every attempt that was started here; an ended one is reported once and then forgotten."""
        self._tend_leftovers(now)
        self._gate.look(now)
        self._niceness.step()
        self._forgotten = [pid for pid in self._forgotten if reap(pid) is None]
        self._measuring.look({process.pid: ident for ident, process in self._processes.items()}, now)
        states = {ident: self._state(ident, process, now) for ident, process in list(self._processes.items())}
        self._looked = now
        return {**states, **self._start_waiting(now)}

    def _state(self, ident: str, process: _Process, now: float) -> AttemptStatus:
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
            self._spawning.fail(status.problem, now)
            return status
        if not status.problem:
            self._spawning.succeed()
        room, broken = self._slots.room(ident), self._slots.problem(ident) if status.code else ''
        detail = '; '.join(filter(None, (status.detail, broken)))
        measured = self._measuring.end(ident, process.used, process.ended_at, status.seconds)
        peak = self._slots.release(ident, now)
        return replace(status, detail=detail, peak_memory=peak, measured=measured, room=room)

    def _end_of(self, ident: str, process: _Process, now: float) -> AttemptStatus | None:
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
        status = self._ended(process.launch, code)
        if status.kind is JobState.WAITING:
            return status
        if process.is_late:
            seconds = duration(self._folder.attempt(process.launch.run.name, process.launch.number))
            status = replace(status, seconds=seconds)
        return replace(status, detail='; '.join(filter(None, (status.detail, self._end_leftovers_of(process, now)))))

    def _code_of(self, process: _Process, now: float) -> int | None:
        """How the sh of an attempt ended; None: it, or what it started, goes on."""
        if process.headless is None:
            code = process.status()
            is_survived = process.is_cancelled and has_group(process.pid)
            if code is None or (code >= 0 and not is_survived):
                return code
            process.headless, process.code = now, code
            self._unwatch(process)
        return None if self._is_busy(process, now) else _code_of_headless(process, now)

    def _is_busy(self, process: _Process, now: float) -> bool:
        """Whether an attempt continues without its sh; checked ever more rarely, since each check is expensive."""
        if now < process.next_check:
            return True
        process.next_check = now + process.pause
        process.pause = min(1.0, 2 * process.pause)
        return self._goes_on(process)

    def _ended(self, launch: Launch, code: int) -> AttemptStatus:
        """What the end of the sh of an attempt means, and its record.

        Raises:
            OSError: A file cannot be read.
        """
        paths = self._folder.attempt(launch.run.name, launch.number)
        recorded = exit_code(paths)
        if recorded is None and code == FENCED:
            return self._not_begun(launch, paths)
        if code < 0:
            killed = '' if code == NOT_OURS else 'the whole process group was killed'
            return AttemptStatus(JobState.ENDED, _raw(code) if recorded is None else recorded, detail=killed)
        if recorded is None and code and NO_FORK.search(tail(paths.stderr)):
            return _STILLBORN
        return AttemptStatus(JobState.ENDED, code)

    def _not_begun(self, launch: Launch, paths: AttemptPaths) -> AttemptStatus:
        """The sh of an attempt left before its command: it starts again if its fence is untouched."""
        if is_there(paths.claim) and not is_there(paths.started):
            return AttemptStatus(JobState.WAITING, problem=NO_PROCESS)
        if read_fence(paths).ident == launch.ident:
            return _STILLBORN
        return AttemptStatus(JobState.ENDED, cause='fenced', detail='the start fence could not be passed')

    def _end_leftovers_of(self, process: _Process, now: float) -> str:
        """Stop what an attempt left behind; returns that there was something, in words, or nothing."""
        self._ended_keys.add(process.key)
        left = self._living_of([process]) if has_group(process.pid) else []
        self._end(left, now)
        return 'it left processes behind, which were stopped' if left else ''

    def _end(self, left: Sequence[Process], now: float) -> None:
        for process in _oldest_first(left):
            send_signal(process, signal.SIGTERM)
        self._leftovers.extend(_Leftover(process, now + LEFTOVER_GRACE) for process in left)

    def _tend_leftovers(self, now: float) -> None:
        for leftover in self._leftovers:
            if now >= leftover.kill_at:
                send_signal(leftover.process, signal.SIGKILL)
        self._leftovers = [left for left in self._leftovers if now < left.kill_at and left.is_alive]
        if self._ended_keys and now >= self._next_sweep:
            self._sweep(now)

    def _sweep(self, now: float) -> None:
        """Stop what ended attempts left behind outside their process group.

        The search for it is done in batches, since it goes through every process of the machine.
        """
        begin = os.times().elapsed
        self._end(self._marked(self._ended_keys), now)
        self._ended_keys.clear()
        self._next_sweep = now + max(1.0, (os.times().elapsed - begin) / SWEEP_SHARE)

    def _marked(self, keys: Collection[tuple[str, str]]) -> list[Process]:
        """Processes that carry the marks of these attempts, wherever they have gone."""
        return [process for process, key in attempt_processes(self._folder).items() if key in keys]

    def _living_of(self, processes: Sequence[_Process]) -> list[Process]:
        """What belongs to attempts: processes with their marks, and all in the session of their sh."""
        marked = self._marked({process.key for process in processes})
        found = sessions()
        own = [found[each.pid] for each in processes if each.pid in found and each.owns(found[each.pid], marked)]
        return list({*marked, *chain.from_iterable(own)})

    def cancel(self, idents: Sequence[str], *, force: bool) -> None:
        """TERM to all processes of attempts (KILL with ``force``), also to descendants that left their session."""
        number = signal.SIGKILL if force else signal.SIGTERM
        processes = [self._processes[ident] for ident in idents if ident in self._processes]
        for process in processes:
            process.is_cancelled = True
            process.is_forced = process.is_forced or force
        groups = {process.pid for process in processes if process.keeps_its_pid}
        for group in groups:
            signal_group_of_child(group, number)
        self._given_up.update(dict.fromkeys(self._waiting.keys() & set(idents), _NOT_STARTED))
        self._signal_others(processes, groups, number)

    def _signal_others(self, processes: Sequence[_Process], groups: Collection[int], number: signal.Signals) -> None:
        """Signal what is in none of the groups; what is killed may have started another process at that moment."""
        if not processes:
            return
        done: set[Process] = set()
        while found := {each for each in self._living_of(processes) if group_of(each.pid) not in groups} - done:
            for each in _oldest_first(found):
                send_signal(each, number)
            if number is not signal.SIGKILL:
                return
            done |= found

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
        tending = [1.0] if self._leftovers or self._ended_keys or self._waiting else []
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
        for process in _oldest_first(self._marked(self._ended_keys) if self._ended_keys else ()):
            send_signal(process, signal.SIGTERM)
        for leftover in self._leftovers:
            send_signal(leftover.process, signal.SIGKILL)
        if self._shares is not None:
            self._shares.close()
        self._slots.close()


def _oldest_first(processes: Iterable[Process]) -> list[Process]:
    """So that no shell goes on with its next command because the one it waits for was ended before it."""
    return sorted(processes, key=lambda each: (each.started, each.pid))


DYING = 0.3
"""Seconds within which the processes of a killed group die."""


def _code_of_headless(process: _Process, now: float) -> int:
    """The status of an end without a record: known if all of the group was killed at once."""
    if process.code >= 0:
        return process.code
    died_together = now - (process.headless or now) < DYING
    return process.code if process.is_forced or died_together else NOT_OURS


def _raw(code: int) -> int | None:
    """A status as a shell reports it: 128 + N for signal N."""
    return None if code == NOT_OURS else 128 - code
