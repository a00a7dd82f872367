"""Processes of this host: who a process is, whether it still is, what belongs to it, and how it is stopped.

A pid alone says nothing: it is reused. A process is boot id, pid namespace, pid and start time together.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterable, Mapping
from pathlib import Path

PROC = Path('/proc')
HAS_PROC = sys.platform.startswith('linux')


def spawn(argv: tuple[str, ...], environment: Mapping[bytes, bytes], stdout: str, stderr: str) -> int:
    """Start a process in a session of its own, its output appended to files, its stdin empty; returns its pid.

    posix_spawn rather than subprocess: it takes half the time, and thousands of short runs feel that.

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
    """The status of a child of ours that ended (negative: the signal), None while it runs."""
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


NOT_OURS = -1000
"""Told by :func:`reap` of a child that somebody else has waited for: its status is not known."""


def user_name(number: int) -> str:
    """The name of a user, or the number where there is none."""
    import pwd

    try:
        return pwd.getpwuid(number).pw_name
    except KeyError:
        return str(number)


def start_ticks(pid: int) -> str:
    """When a process started, in the system's own unit; empty when there is no such process.

    A zombie counts as gone.
    """
    if not HAS_PROC:
        return _start_by_ps(pid)
    try:
        with open(f'/proc/{pid}/stat', 'rb') as stat:
            return ticks_in_stat(stat.read().decode('utf-8', 'replace'))
    except OSError:
        return ''


def ticks_in_stat(stat: str) -> str:
    """Field 22 of a line of ``/proc/PID/stat``; empty for a zombie or a line that is not whole."""
    fields = stat[stat.rfind(')') + 1 :].split()
    if len(fields) < 20 or fields[0] in ('Z', 'X'):
        return ''
    return fields[19]


def _start_by_ps(pid: int) -> str:
    listing = subprocess.run(
        ['ps', '-o', 'stat=,lstart=', '-p', str(pid)], capture_output=True, text=True, timeout=10, check=False
    ).stdout.strip()
    return '' if not listing or listing.startswith('Z') else listing.split(maxsplit=1)[-1]


def is_alive(pid: int, ticks: str) -> bool:
    """Whether the process that started at ``ticks`` still runs under ``pid`` (a reused pid does not)."""
    return bool(ticks) and start_ticks(pid) == ticks


def group_is_alive(group: int) -> bool:
    """Whether a process that is no zombie is left in a process group."""
    try:
        os.killpg(group, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return not HAS_PROC or any(_is_member(name, group) for name in os.listdir('/proc') if name.isdigit())


def _is_member(pid: str, group: int) -> bool:
    try:
        with open(f'/proc/{pid}/stat', 'rb') as stat:
            state, _, its_group = stat.read().rpartition(b')')[2].split()[:3]
    except (OSError, ValueError):
        return False
    return int(its_group) == group and state not in (b'Z', b'X')


def group_of(pid: int) -> int | None:
    """The process group of a process; None when there is no such process."""
    try:
        return os.getpgid(pid)
    except (ProcessLookupError, PermissionError):
        return None


def signal_group(group: int, number: signal.Signals) -> None:
    """Send a signal to a process group; one that is gone already is fine."""
    try:
        os.killpg(group, number)
    except (ProcessLookupError, PermissionError):
        return


def signal_processes(pids: Iterable[int], number: signal.Signals) -> None:
    """Send a signal to processes; those that are gone already are fine."""
    for pid in pids:
        try:
            os.kill(pid, number)
        except (ProcessLookupError, PermissionError):
            continue


def marked_processes(wanted: Mapping[str, str]) -> dict[int, Mapping[str, str]]:
    """Processes of this user whose environment has all of ``wanted`` variables, with their ``HPSEARCH_*`` variables.

    Finds descendants that left their process group, too. Where there is no /proc, psutil is asked.
    """
    entries = _entries(wanted)
    found: dict[int, Mapping[str, str]] = {}
    for pid, environment in _environments():
        if entries <= environment:
            found[pid] = _own_variables(environment)
    found.pop(os.getpid(), None)
    return found


def ticks_if_marked(pid: int, wanted: Mapping[str, str]) -> str:
    """When a process started, if its environment has all of ``wanted``; empty when not, or when it is gone."""
    ticks = start_ticks(pid)
    is_marked = _entries(wanted) <= _environment(pid)
    return ticks if ticks and is_marked and start_ticks(pid) == ticks else ''


def _entries(variables: Mapping[str, str]) -> frozenset[bytes]:
    """Variables as an environment holds them."""
    return frozenset(os.fsencode(f'{name}={value}') for name, value in variables.items())


def _own_variables(environment: Iterable[bytes]) -> dict[str, str]:
    pairs = (entry.decode('utf-8', 'surrogateescape').partition('=') for entry in environment)
    return {name: value for name, _, value in pairs if name.startswith('HPSEARCH_')}


def _environments() -> Iterable[tuple[int, frozenset[bytes]]]:
    if not HAS_PROC:
        yield from _environments_by_psutil()
        return
    for name in os.listdir('/proc'):
        if name.isdigit():
            yield int(name), _environment(int(name))


def _environment(pid: int) -> frozenset[bytes]:
    """The environment a process was started with; empty when it is gone or belongs to somebody else."""
    if not HAS_PROC:
        return _environment_by_psutil(pid)
    try:
        with open(f'/proc/{pid}/environ', 'rb') as environ:
            return frozenset(environ.read().split(b'\0'))
    except OSError:
        return frozenset()


def _environments_by_psutil() -> Iterable[tuple[int, frozenset[bytes]]]:
    import psutil

    return ((pid, _environment_by_psutil(pid)) for pid in psutil.pids())


def _environment_by_psutil(pid: int) -> frozenset[bytes]:
    import psutil

    try:
        return _entries(psutil.Process(pid).environ())
    except (psutil.Error, OSError):
        return frozenset()
