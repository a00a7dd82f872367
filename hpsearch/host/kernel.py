"""What the kernel says: which host and boot this is, where an open file is, how long commands may be, its memory, how
often that ran out.
"""

from __future__ import annotations

import fcntl
import os
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from hpsearch.model.command import POINTER, CommandLimits
from hpsearch.model.errors import is_of_machine


@dataclass(frozen=True, slots=True)
class Host:
    """A host in one boot, seen from one pid namespace: host name, machine id, boot id, pid namespace (may be empty)."""

    name: str
    machine: str
    boot: str
    namespace: str

    def as_header(self) -> dict[str, str]:
        """Its fields in the header line of a journal."""
        return {'host': self.name, 'machine': self.machine, 'boot': self.boot, 'namespace': self.namespace}


def this_host() -> Host:
    """The host this process runs on."""
    boot, machine = text_of(Path('/proc/sys/kernel/random/boot_id')), text_of(Path('/etc/machine-id'))
    return Host(os.uname().nodename, machine.strip(), boot.strip(), _pid_namespace())


def _pid_namespace() -> str:
    """E.g. ``pid:[4026531836]``; empty where the kernel has none."""
    try:
        return os.readlink('/proc/self/ns/pid')
    except OSError:
        return ''


def host_of(header: Mapping[str, Any]) -> Host:
    """The host on which a journal with this header was written."""
    return Host(*(str(header.get(name, '')) for name in ('host', 'machine', 'boot', 'namespace')))


HAS_WORD_LIMIT = sys.platform.startswith('linux')

WORD_PAGES = 32
"""Pages of memory that a word of a command may have on Linux, with its final NUL (``MAX_ARG_STRLEN``)."""

OWN_WORDS = 16 * 1024
"""Bytes of a command that are ours: the script that starts it, paths, variables."""


def command_limits(environment: Mapping[bytes, bytes]) -> CommandLimits:
    """How long the commands may be that are started here with these variables."""
    variables = sum(len(name) + len(value) + 2 + POINTER for name, value in environment.items())
    total = max(0, os.sysconf('SC_ARG_MAX') - variables - OWN_WORDS)
    return CommandLimits(WORD_PAGES * os.sysconf('SC_PAGE_SIZE') - 1 if HAS_WORD_LIMIT else total, total)


def path_of(descriptor: int) -> str:
    """Under which path an open file is now, wherever it was moved; empty: it was deleted, or that is not known."""
    try:
        path = _path_by_kernel(descriptor)
        return path if path and os.path.samestat(os.stat(path), os.fstat(descriptor)) else ''
    except OSError:
        return ''


def _path_by_kernel(descriptor: int) -> str:
    if hasattr(fcntl, 'F_GETPATH'):
        return os.fsdecode(fcntl.fcntl(descriptor, fcntl.F_GETPATH, bytes(1024)).rstrip(b'\0'))
    return os.readlink(f'/proc/self/fd/{descriptor}')


def kernel_oom_kills(proc: Path = Path('/proc'), cgroups: Path = Path('/sys/fs/cgroup')) -> int | None:
    """The number of out-of-memory kills since boot; None: not known.

    The count of the whole machine is preferred: counts taken by different writers can be compared while the machine
    is up, and an attempt that was started in another login session is covered. Kernels without it have a count for
    our own control group.
    """
    whole = _number(proc / 'vmstat', 'oom_kill')
    return _kills_in_our_group(proc, cgroups) if whole is None else whole


def _kills_in_our_group(proc: Path, cgroups: Path) -> int | None:
    groups = text_of(proc / 'self' / 'cgroup').splitlines()
    path = next((line.removeprefix('0::/') for line in groups if line.startswith('0::/')), None)
    return None if path is None else _number(cgroups / path / 'memory.events', 'oom_kill')


def system_memory() -> tuple[int, int]:
    """The memory of this machine in bytes: all of it, and what could be allocated now."""
    import psutil

    memory = psutil.virtual_memory()
    return memory.total, memory.available


def _number(path: Path, name: str) -> int | None:
    """The number after a name in a file of the kernel."""
    lines = (line.split() for line in text_of(path).splitlines())
    return next((int(words[1]) for words in lines if len(words) == 2 and words[0] == name), None)


def text_of(path: Path) -> str:
    """The content of a file of the kernel; empty where there is none that may be read.

    Raises:
        OSError: Too many files are open, or something like that.
    """
    try:
        return path.read_text()
    except OSError as error:
        if is_of_machine(error):
            raise
        return ''
