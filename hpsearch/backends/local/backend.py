"""Attempts as processes of this machine.

Each attempt is a session of its own, so that it survives the dispatcher and a closed terminal, and so that a signal
to its process group reaches what it started. The kernel reports its end; nothing is polled.
"""

from __future__ import annotations

import os
import signal
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from hpsearch.backends.base import AttemptBackend, AttemptStatus, Launch, LaunchResult
from hpsearch.backends.local.slots import SlotSource, TimeLimit
from hpsearch.host.processes import (
    NOT_OURS,
    group_is_alive,
    group_of,
    is_alive,
    marked_processes,
    open_pidfd,
    reap,
    signal_group,
    signal_processes,
    spawn,
    start_ticks,
    ticks_if_marked,
)
from hpsearch.host.signals import Wakeup
from hpsearch.model.evidence import JobState
from hpsearch.model.resources import DEFAULT_RESOURCES, GpuTenant, Placement, ResourceRequest
from hpsearch.model.snapshot import GpuLine, QueueLine
from hpsearch.store.attempt_files import FENCED, LOCAL_SCRIPT, environment, exit_code, marks, read_line
from hpsearch.store.folder import SearchFolder

LEFTOVER_GRACE = 10.0
"""Seconds between TERM and KILL for processes that an ended attempt left behind."""

SWEEP_SHARE = 0.01
"""Share of the time that may go into the search for processes that left their group."""


@dataclass(slots=True)
class _Process:
    """The process of one attempt: a child of ours, or one that was adopted and is known by its start ticks.

    Attributes:
        launch: The attempt.
        pid: Of its sh, and of its process group.
        ticks: When its sh started; empty for a child of ours.
        pidfd: Watches its sh, if it is no child of ours.
        headless: When its sh was killed while what it started went on (there will be no record, but there may be a
            summary), in monotonic seconds; None: it was not.
        code: How its sh was killed then.
        ended: How it ended; None: it goes on.
        is_forced: Whether we killed all of it ourselves.
        next_check: When it is checked again whether that goes on, in monotonic seconds.
        pause: Seconds between two such checks.
    """

    launch: Launch
    pid: int
    ticks: str = ''
    pidfd: int | None = None
    headless: float | None = None
    code: int = NOT_OURS
    ended: int | None = None
    is_forced: bool = False
    next_check: float = 0.0
    pause: float = 0.05

    @property
    def is_child(self) -> bool:
        return not self.ticks


class _Leftover:
    """A process, or a process group, that an ended attempt left behind and that was asked to end."""

    def __init__(self, number: int, kill_at: float, *, is_group: bool) -> None:
        self.kill_at = kill_at
        self._number = number
        self._is_group = is_group
        self._ticks = '' if is_group else start_ticks(number)

    def is_alive(self) -> bool:
        return group_is_alive(self._number) if self._is_group else is_alive(self._number, self._ticks)

    def kill(self) -> None:
        if self._is_group:
            signal_group(self._number, signal.SIGKILL)
        elif self.is_alive():
            signal_processes((self._number,), signal.SIGKILL)


class LocalBackend(AttemptBackend):
    """Runs attempts here.

    Args:
        folder: The search.
        cwd: Working directory of the attempts.
        slots: Where slots come from.
        wakeup: What :meth:`wait` waits with.
        time_limit: Says whether there is time for another run; None: always.
    """

    def __init__(
        self, folder: SearchFolder, cwd: str, slots: SlotSource, wakeup: Wakeup, time_limit: TimeLimit | None = None
    ) -> None:
        self._folder = folder
        self._cwd = cwd
        self._slots = slots
        self._wakeup = wakeup
        self._time_limit = time_limit
        self._processes: dict[str, _Process] = {}
        self._leftovers: list[_Leftover] = []
        self._forgotten: list[int] = []
        self._ended_marks: set[tuple[str, str]] = set()
        self._next_sweep = 0.0
        self._inherited = dict(os.environb)

    def open_slots(
        self, now: float, others: Sequence[GpuTenant] = (), resources: ResourceRequest = DEFAULT_RESOURCES
    ) -> Placement:
        if self._time_limit and (why := self._time_limit.why_over(now)):
            return Placement(waiting=why, is_final=True)
        return self._slots.open_slots(now, others, resources)

    def impossible(self, resources: ResourceRequest) -> str:
        return self._slots.impossible(resources)

    def start(self, launches: Sequence[Launch], now: float) -> Sequence[LaunchResult]:
        return [self._start_one(launch, now) for launch in launches]

    def _start_one(self, launch: Launch, now: float) -> LaunchResult:
        try:
            pid = self._spawn(launch)
        except OSError as error:
            return LaunchResult(launch.ident, None, problem=f'no process could be started: {error.strerror}')
        self._processes[launch.ident] = _Process(launch, pid)
        self._take_slot(launch, pid, now)
        return LaunchResult(launch.ident, {'pid': pid})

    def _take_slot(self, launch: Launch, group: int, since: float) -> None:
        own = marks(self._folder, launch.run.name, launch.number)
        self._slots.acquire(launch.ident, launch.slot, group, since, launch.resources, own)

    def _spawn(self, launch: Launch) -> int:
        run = launch.run
        paths = self._folder.attempt(run.name, launch.number)
        extra = environment(self._folder, run.name, launch.number, launch.slot.visible_devices)
        argv = ('/bin/sh', '-c', LOCAL_SCRIPT, 'hpsearch', paths.folder, launch.ident, self._cwd, *run.argv)
        encoded = {os.fsencode(name): os.fsencode(value) for name, value in extra.items()}
        return spawn(argv, {**self._inherited, **encoded}, paths.stdout, paths.stderr)

    def adopt(self, launch: Launch, handle: Mapping[str, Any], age: float, now: float) -> None:
        """Watch a process that is no child of ours; its end is known by its exit record."""
        pid = int(handle['pid'])
        process = _Process(launch, pid, self._ticks(launch.run.name, launch.number, pid) or GONE, open_pidfd(pid))
        self._processes[launch.ident] = process
        self._take_slot(launch, pid, now - age)
        if process.pidfd is not None:
            self._wakeup.watch(process.pidfd)

    def _ticks(self, run: str, number: int, pid: int) -> str:
        """When the sh of an attempt started; empty when no such process carries the attempt's marks."""
        return ticks_if_marked(pid, marks(self._folder, run, number))

    def can_adopt(self, handle: Mapping[str, Any]) -> bool:
        return 'submission' not in handle

    def forget(self, ident: str, now: float) -> None:
        """Stop watching; a child of ours is still waited for, so that it leaves no zombie."""
        process = self._processes.pop(ident, None)
        if process is None:
            return
        self._slots.release(ident, now)
        self._unwatch(process)
        if process.is_child:
            self._forgotten.append(process.pid)

    def _goes_on(self, run: str, number: int, group: int) -> bool:
        """Whether the process group of an attempt is alive, with or without its sh; other groups lack its marks."""
        if exit_code(self._folder.attempt(run, number)) is not None or not group_is_alive(group):
            return False
        return any(group_of(pid) == group for pid in self._marked({(run, str(number))}))

    def _unwatch(self, process: _Process) -> None:
        if process.pidfd is not None:
            self._wakeup.unwatch(process.pidfd)
            os.close(process.pidfd)
            process.pidfd = None

    def states(self, now: float) -> Mapping[str, AttemptStatus]:
        """Every attempt that was started here; an ended one is reported once and then forgotten."""
        self._tend_leftovers(now)
        self._forgotten = [pid for pid in self._forgotten if reap(pid) is None]
        return {ident: self._state(ident, process, now) for ident, process in list(self._processes.items())}

    def _state(self, ident: str, process: _Process, now: float) -> AttemptStatus:
        try:
            status = self._end_of(ident, process, now)
        except OSError as error:
            status = AttemptStatus(JobState.RUNNING, problem=f'{process.launch.run.name} has ended: {error}')
        if status is None:
            return AttemptStatus(JobState.RUNNING, detail=f'pid {process.pid}')
        if status.kind is not JobState.ENDED:
            return status
        del self._processes[ident]
        self._unwatch(process)
        room = self._slots.room(ident)
        return replace(status, peak_memory=self._slots.release(ident, now), room=room)

    def _end_of(self, ident: str, process: _Process, now: float) -> AttemptStatus | None:
        """How an attempt ended; None: it runs, or what it had of its GPUs is not known yet.

        Raises:
            OSError: A file of it cannot be read; nothing is lost when it is tried again.
        """
        if process.ended is None:
            process.ended = self._code_of(process, now)
        code = process.ended
        if code is None or (code and not self._slots.knows_room(ident, now)):
            return None
        status = self._ended(process.launch, code)
        return replace(status, detail='; '.join(filter(None, (status.detail, self._end_leftovers_of(process, now)))))

    def _code_of(self, process: _Process, now: float) -> int | None:
        """How the sh of an attempt ended; None: it, or what it started, goes on."""
        if process.headless is None:
            code = reap(process.pid) if process.is_child else _status_of_adopted(process)
            if code is None or code >= 0:
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
        return self._goes_on(process.launch.run.name, process.launch.number, process.pid)

    def _ended(self, launch: Launch, code: int) -> AttemptStatus:
        paths = self._folder.attempt(launch.run.name, launch.number)
        if code == FENCED and read_line(paths.started).partition(' ')[0] != launch.ident:
            return AttemptStatus(
                JobState.ENDED, code=None, cause='fenced', detail='the start fence could not be passed'
            )
        if code < 0:
            recorded = exit_code(paths, is_due=True)
            killed = '' if code == NOT_OURS else 'the whole process group was killed'
            return AttemptStatus(JobState.ENDED, _raw(code) if recorded is None else recorded, detail=killed)
        return AttemptStatus(JobState.ENDED, code)

    def _end_leftovers_of(self, process: _Process, now: float) -> str:
        """Stop what an attempt left behind; returns that there was something, in words, or nothing."""
        group = process.pid
        self._ended_marks.add(_mark(process.launch))
        if not group_is_alive(group):
            return ''
        signal_group(group, signal.SIGTERM)
        self._leftovers.append(_Leftover(group, now + LEFTOVER_GRACE, is_group=True))
        return 'it left processes behind, which were stopped'

    def _tend_leftovers(self, now: float) -> None:
        for leftover in self._leftovers:
            if now >= leftover.kill_at:
                leftover.kill()
        self._leftovers = [left for left in self._leftovers if now < left.kill_at and left.is_alive()]
        if self._ended_marks and now >= self._next_sweep:
            self._sweep(now)

    def _sweep(self, now: float) -> None:
        """Stop what ended attempts left behind outside their process group.

        The search for it is done in batches, since it goes through every process of the machine.
        """
        begin = os.times().elapsed
        strays = self._marked(self._ended_marks)
        signal_processes(strays, signal.SIGTERM)
        self._leftovers.extend(_Leftover(pid, now + LEFTOVER_GRACE, is_group=False) for pid in strays)
        self._ended_marks.clear()
        self._next_sweep = now + max(1.0, (os.times().elapsed - begin) / SWEEP_SHARE)

    def _marked(self, marks: set[tuple[str, str]]) -> list[int]:
        """Processes that carry the marks of these attempts, wherever they have gone."""
        found = marked_processes({'HPSEARCH_DIR': str(self._folder.path)})
        return [pid for pid, own in found.items() if (own.get('HPSEARCH_RUN'), own.get('HPSEARCH_ATTEMPT')) in marks]

    def cancel(self, idents: Sequence[str], *, force: bool) -> None:
        """TERM to the process group (KILL with ``force``), and to descendants that left it."""
        number = signal.SIGKILL if force else signal.SIGTERM
        processes = [self._processes[ident] for ident in idents if ident in self._processes]
        groups = {process.pid for process in processes if process.headless is None}
        for process in processes:
            process.is_forced = process.is_forced or force
        for group in groups:
            signal_group(group, number)
        strays = self._marked({_mark(process.launch) for process in processes}) if processes else []
        signal_processes((pid for pid in strays if group_of(pid) not in groups), number)

    def is_settled(self) -> bool:
        return True

    def wait(self, timeout: float) -> None:
        """Until a child ends, a signal comes, a GPU was read, or the time is over."""
        headless = [process.pause for process in self._processes.values() if process.headless is not None]
        tending = [1.0] if self._leftovers or self._ended_marks else []
        self._wakeup.wait(min([timeout, *headless, *tending]))

    def gpu_lines(self, now: float) -> Sequence[GpuLine]:
        return self._slots.gpu_lines(now)

    def queue_lines(self) -> Sequence[QueueLine]:
        return ()

    def close(self) -> None:
        """Stop what ended attempts left behind, then release the slots."""
        if self._ended_marks:
            signal_processes(self._marked(self._ended_marks), signal.SIGTERM)
        for leftover in self._leftovers:
            leftover.kill()
        self._slots.close()


DYING = 0.3
"""Seconds within which the processes of a killed group die."""

GONE = 'gone'
"""Stands for the start ticks of a process that has already ended."""


def _code_of_headless(process: _Process, now: float) -> int:
    """The status of an end without a record: known if all of the group was killed at once."""
    died_together = now - (process.headless or now) < DYING
    return process.code if process.is_forced or died_together else NOT_OURS


def _status_of_adopted(process: _Process) -> int | None:
    return None if is_alive(process.pid, process.ticks) else NOT_OURS


def _mark(launch: Launch) -> tuple[str, str]:
    return launch.run.name, str(launch.number)


def _raw(code: int) -> int | None:
    """A status as a shell reports it: 128 + N for signal N."""
    return None if code == NOT_OURS else 128 - code
