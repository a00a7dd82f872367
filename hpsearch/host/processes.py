"""Processes of this host: how they are started, recognised and signalled.

A pid alone identifies nothing, since it is reused; host, boot, pid namespace, pid and start time together do.
"""

from __future__ import annotations

import errno
import os
import resource
import signal
import sys
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from hpsearch.host.kernel import text_of
from hpsearch.model.evidence import ProcessState

if TYPE_CHECKING:
    import subprocess

HAS_PROC = sys.platform.startswith('linux')

CLOCK_SLACK = 5.0
"""Seconds by which the start of a process may seem later than it was, since clocks are corrected."""

NOT_OURS = -1000
"""What :func:`reap` returns for a child that was waited for elsewhere: its status is not known."""

_CAP_SYS_PTRACE = 19


def spawn(argv: tuple[str, ...], environment: Mapping[bytes, bytes], stdout: str, stderr: str) -> int:
    """Start a process in a session of its own, its output appended to files, its stdin empty; returns its pid.

    posix_spawn rather than subprocess, which takes twice the time; with thousands of short runs that adds up.

    Raises:
        OSError: No process can be started, or a log cannot be opened.
    """
    append = os.O_WRONLY | os.O_CREAT | os.O_APPEND
    return os.posix_spawn(
        argv[0],
        argv,
        environment,
        setsid=True,
        file_actions=(
            (os.POSIX_SPAWN_OPEN, 0, os.devnull, os.O_RDONLY, 0),
            (os.POSIX_SPAWN_OPEN, 1, stdout, append, 0o644),
            (os.POSIX_SPAWN_OPEN, 2, stderr, append, 0o644),
        ),
    )


def start_thread(target: Callable[[], object], name: str) -> threading.Thread:
    """Start a thread that does not keep this process from ending.

    Raises:
        OSError: There are too many processes and threads.
    """
    thread = threading.Thread(target=target, name=name, daemon=True)
    try:
        thread.start()
    except RuntimeError as error:
        raise OSError(errno.EAGAIN, str(error)) from error
    return thread


@dataclass(frozen=True, slots=True)
class Reaped:
    """A child that ended, with what it and those that it waited for have used; None: it is not known.

    Attributes:
        code: Its status (negative: the signal), or :data:`NOT_OURS`.
        cpu_seconds: Of processors, together.
        largest: MiB of the largest one.
    """

    code: int
    cpu_seconds: float | None = None
    largest: int | None = None


def reap(pid: int) -> Reaped | None:
    """A child that ended, or None while it runs."""
    try:
        ended, status, used = os.wait4(pid, os.WNOHANG)
    except ChildProcessError:
        return Reaped(NOT_OURS)
    if not ended:
        return None
    return Reaped(os.waitstatus_to_exitcode(status), used.ru_utime + used.ru_stime, _largest(used.ru_maxrss))


def _largest(size: int) -> int | None:
    """MiB of the largest process that is counted for a child.

    Until it executes something, a child has our memory, and Linux counts that as well: less than ours says nothing.
    """
    own = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return size // (1024 if HAS_PROC else 1 << 20) if size > own else None


def open_pidfd(pid: int) -> int | None:
    """A descriptor that becomes readable when the process ends; None where the system has none, or no such process."""
    if not hasattr(os, 'pidfd_open'):
        return None
    try:
        return os.pidfd_open(pid)
    except OSError:
        return None


def user_name(number: int) -> str:
    """The name of a user, or the number where there is none."""
    import pwd

    try:
        return pwd.getpwuid(number).pw_name
    except KeyError:
        return str(number)


@dataclass(frozen=True, slots=True)
class Process:
    """One process: its pid, and when it started (see :func:`start_ticks`), which tells it from others with that pid."""

    pid: int
    ticks: str

    @property
    def started(self) -> float:
        """When it started, as a number."""
        return float(self.ticks or 'inf')


@dataclass(frozen=True, slots=True)
class _Stat:
    ticks: str
    session: int
    is_zombie: bool


def _stat(pid: int) -> _Stat | None:
    """What this host says of a process; None: nothing, since there is none or it is hidden from us."""
    if not HAS_PROC:
        return _stat_by_psutil(pid)
    fields = read_proc(f'/proc/{pid}/stat').rpartition(b')')[2].split()
    return None if len(fields) < 20 else _Stat(fields[19].decode(), int(fields[3]), fields[0] in (b'Z', b'X'))


def read_proc(path: str) -> bytes:
    """A short file of ``/proc``, at half the cost of :func:`open`, since each start of a run reads one; or nothing."""
    try:
        opened = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    except OSError:
        return b''
    try:
        return os.read(opened, 4096)
    except OSError:
        return b''
    finally:
        os.close(opened)


def _stat_by_psutil(pid: int) -> _Stat | None:
    import psutil

    try:
        process = psutil.Process(pid)
        return _Stat(str(process.create_time()), os.getsid(pid), process.status() == psutil.STATUS_ZOMBIE)
    except (psutil.Error, OSError):
        return None


def start_ticks(pid: int) -> str:
    """When a process started, in the system's own unit; empty when there is no such process, or only its zombie.

    On Linux these are the clock ticks since boot of ``/proc``, since journals hold them.
    """
    found = _stat(pid)
    return '' if found is None or found.is_zombie else found.ticks


def ticks_now() -> float:
    """The present, in the unit of start times, and rounded down as these are."""
    if not HAS_PROC:
        return time.time()
    return time.clock_gettime(time.CLOCK_BOOTTIME) * os.sysconf('SC_CLK_TCK') // 1


def presence(pid: int, ticks: str) -> ProcessState:
    """What is known of the process that started at ``ticks``; a reused pid has other ticks.

    ``/proc`` may hide a process of another user, or not be there: that it cannot be read does not mean that it is gone.
    """
    found = _stat(pid)
    if found is None:
        return ProcessState.UNKNOWN if _exists(pid) else ProcessState.GONE
    return ProcessState.ALIVE if found.ticks == ticks and not found.is_zombie else ProcessState.GONE


def _exists(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except (ProcessLookupError, OverflowError):
        return False
    except PermissionError:
        return True
    return pid > 0


def ticks_if_older(pid: int, moment: float) -> str:
    """When a process started, if that was not after a moment (seconds since 1970); empty when it was, or is gone."""
    import psutil

    ticks = start_ticks(pid)
    try:
        is_older = bool(ticks) and psutil.Process(pid).create_time() <= moment + CLOCK_SLACK
    except psutil.Error:
        return ''
    return ticks if is_older else ''


def is_alive(pid: int, ticks: str) -> bool:
    """Whether the process that started at ``ticks`` is known to run."""
    return presence(pid, ticks) is ProcessState.ALIVE


def has_group(group: int) -> bool:
    """Whether a process group has a process, be it a zombie: a quick look that goes through no others."""
    try:
        os.killpg(group, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True


def sessions() -> dict[int, list[Process]]:
    """The living processes of this host that we can see, by the session they are in."""
    found: dict[int, list[Process]] = {}
    for pid in all_pids():
        stat = _stat(pid)
        if stat is not None and not stat.is_zombie:
            found.setdefault(stat.session, []).append(Process(pid, stat.ticks))
    return found


def all_pids() -> list[int]:
    """The processes of this host that we can see."""
    if HAS_PROC:
        return [int(name) for name in os.listdir('/proc') if name.isdecimal()]
    import psutil

    return psutil.pids()


def group_of(pid: int) -> int | None:
    """The process group of a process; None when there is no such process."""
    try:
        return os.getpgid(pid)
    except (ProcessLookupError, PermissionError):
        return None


def send_signal(process: Process, number: signal.Signals) -> None:
    """Send a signal to a process, unless it is gone: never to another one that has its pid by now."""
    handle = open_pidfd(process.pid)  # from here on the signal reaches this process or none
    try:
        if start_ticks(process.pid) != process.ticks:
            return
        if handle is None:
            os.kill(process.pid, number)
        else:
            signal.pidfd_send_signal(handle, number)
    except (ProcessLookupError, PermissionError):
        return
    finally:
        if handle is not None:
            os.close(handle)


def signal_group_of_child(child: int, number: signal.Signals) -> None:
    """Send a signal to all of the process group that a child of ours leads.

    The child must not have been waited for: until then nobody else can have its number, even if it has ended.
    """
    try:
        os.killpg(child, number)
    except (ProcessLookupError, PermissionError):
        return


def kill_group_of(child: subprocess.Popen[bytes]) -> None:
    """Kill the process group of a child unless it was waited for; to be called by the thread that waits for it."""
    if child.returncode is None:
        signal_group_of_child(child.pid, signal.SIGKILL)


def marked_processes() -> dict[Process, Mapping[str, str]]:
    """Processes with ``HPSEARCH_*`` variables, and these, as far as environments can be read; without this process."""
    found: dict[Process, Mapping[str, str]] = {}
    for pid in all_pids():
        if pid != os.getpid() and variables_of(pid):
            ticks = start_ticks(pid)
            variables = variables_of(pid)  # again, of the process that started then
            if ticks and variables:
                found[Process(pid, ticks)] = variables
    return found


def is_marked(pid: int, wanted: Mapping[str, str]) -> bool:
    """Whether a process has all of the ``wanted`` ``HPSEARCH_*`` variables."""
    return wanted.items() <= variables_of(pid).items()


def variables_of(pid: int) -> dict[str, str]:
    """The ``HPSEARCH_*`` variables a process was started with; none when it is gone or cannot be read."""
    if not HAS_PROC:
        return _variables_by_psutil(pid)
    try:
        with open(f'/proc/{pid}/environ', 'rb') as environment:
            words = environment.read().split(b'\0')
    except OSError:
        return {}
    pairs = (os.fsdecode(word).partition('=') for word in words if word.startswith(b'HPSEARCH_'))
    return {name: value for name, _, value in pairs}


def _variables_by_psutil(pid: int) -> dict[str, str]:
    import psutil

    try:
        environment = psutil.Process(pid).environ()
    except (psutil.Error, OSError, ValueError):
        return {}
    return {name: value for name, value in environment.items() if name.startswith('HPSEARCH_')}


def can_read_processes_of(user: str) -> bool:
    """Whether this process may read the environment of processes of a user."""
    return not user or user == user_name(os.geteuid()) or _may_read_all()


def _may_read_all() -> bool:
    """Whether we have CAP_SYS_PTRACE; without ``/proc``: whether we are root, who in a container need not have it."""
    status = text_of(Path('/proc/self/status')).splitlines()
    effective = next((int(line.split()[1], 16) for line in status if line.startswith('CapEff:')), None)
    return os.geteuid() == 0 if effective is None else bool(effective >> _CAP_SYS_PTRACE & 1)
