"""Processes of this host: how they are started, recognised and signalled.

A pid alone identifies nothing, since it is reused; host, boot, pid namespace, pid and start time together do.
"""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Iterable, Mapping

HAS_PROC = sys.platform.startswith('linux')

CLOCK_SLACK = 5.0
"""Seconds by which the start of a process may seem later than it was, since clocks are corrected."""

NOT_OURS = -1000
"""What :func:`reap` returns for a child that was waited for elsewhere: its status is not known."""


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


def reap(pid: int) -> int | None:
    """The status of a child that ended (negative: the signal), or None while it runs."""
    try:
        ended, status = os.waitpid(pid, os.WNOHANG)
    except ChildProcessError:
        return NOT_OURS
    return os.waitstatus_to_exitcode(status) if ended else None


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


def start_ticks(pid: int) -> str:
    """When a process started, in the system's own unit; empty when there is no such process, or only its zombie.

    On Linux these are the clock ticks since boot of ``/proc``, since journals hold them.
    """
    if not HAS_PROC:
        return _start_by_psutil(pid)
    try:
        with open(f'/proc/{pid}/stat', 'rb') as stat:
            fields = stat.read().rpartition(b')')[2].split()
    except OSError:
        return ''
    return '' if len(fields) < 20 or fields[0] in (b'Z', b'X') else fields[19].decode()


def _start_by_psutil(pid: int) -> str:
    import psutil

    try:
        process = psutil.Process(pid)
        return '' if process.status() == psutil.STATUS_ZOMBIE else str(process.create_time())
    except psutil.Error:
        return ''


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
    """Whether the process that started at ``ticks`` still runs; a reused pid has other ticks."""
    return bool(ticks) and start_ticks(pid) == ticks


def group_is_alive(group: int) -> bool:
    """Whether a process group has a process that is not a zombie."""
    try:
        os.killpg(group, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    import psutil

    return any(group_of(pid) == group and start_ticks(pid) for pid in psutil.pids())


def group_of(pid: int) -> int | None:
    """The process group of a process; None when there is no such process."""
    try:
        return os.getpgid(pid)
    except (ProcessLookupError, PermissionError):
        return None


def signal_group(group: int, number: signal.Signals) -> None:
    """Send a signal to a process group that may be gone."""
    try:
        os.killpg(group, number)
    except (ProcessLookupError, PermissionError):
        return


def signal_processes(pids: Iterable[int], number: signal.Signals) -> None:
    """Send a signal to processes that may be gone."""
    for pid in pids:
        try:
            os.kill(pid, number)
        except (ProcessLookupError, PermissionError):
            continue


def marked_processes(wanted: Mapping[str, str]) -> dict[int, Mapping[str, str]]:
    """Processes of this user with all of the ``wanted`` ``HPSEARCH_*`` variables, also those that left their group.

    Returns:
        Process id to all ``HPSEARCH_*`` variables of the process; without this process itself.
    """
    import psutil

    found = {pid: _own_variables(pid) for pid in psutil.pids() if pid != os.getpid()}
    return {pid: variables for pid, variables in found.items() if wanted.items() <= variables.items()}


def ticks_if_marked(pid: int, wanted: Mapping[str, str]) -> str:
    """When a process started, if it was with all of the ``wanted`` variables; empty when not, or when it is gone."""
    ticks = start_ticks(pid)
    is_marked = wanted.items() <= _own_variables(pid).items()
    return ticks if ticks and is_marked and start_ticks(pid) == ticks else ''


def _own_variables(pid: int) -> dict[str, str]:
    """The ``HPSEARCH_*`` variables a process was started with; none when it is gone or belongs to another user."""
    import psutil

    try:
        environment = psutil.Process(pid).environ()
    except (psutil.Error, OSError, ValueError):
        return {}
    return {name: value for name, value in environment.items() if name.startswith('HPSEARCH_')}
