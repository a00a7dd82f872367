"""The limits that a container, or the job of a queue, sets to the memory and the cores of its processes.

Linux keeps them in control groups, as files: of version 2, of which there is one tree, or of version 1, with a tree for
each controller. A limit holds for everything below it, so that the smallest on the way to the root counts.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from hpsearch.host.kernel import text_of

MIB = 1024 * 1024

NO_LIMIT = 1 << 60
"""Bytes from which on a limit of version 1 is none: it has no word for that."""


@dataclass(frozen=True, slots=True)
class MemoryLimit:
    """A limit on memory, and how much of it is used, in MiB; caches that the kernel can empty are not counted."""

    total: int
    used: int

    @property
    def free(self) -> int:
        """MiB that can still be taken."""
        return max(0, self.total - self.used)


@dataclass(frozen=True, slots=True)
class CoreLimit:
    """A limit on cores, and the file that says how much time the group has used of them."""

    cores: float
    usage: Path

    def seconds_used(self) -> float | None:
        """Seconds of all cores that the processes of the group have used; None: not known."""
        text = text_of(self.usage)
        if self.usage.name == 'cpuacct.usage':
            return int(text) / 1e9 if text.strip().isdigit() else None
        used = _value(text, 'usage_usec')
        return None if used is None else used / 1e6


class Cgroups:
    """The control groups of this process.

    Args:
        proc: Where the kernel tells of processes.
        root: Where the trees of control groups are mounted.
    """

    def __init__(self, proc: Path = Path('/proc'), root: Path = Path('/sys/fs/cgroup')) -> None:
        self._root = root
        self._paths = dict(_memberships(text_of(proc / 'self' / 'cgroup')))

    def memory(self) -> MemoryLimit | None:
        """The limit under which the least is free; None: there is none."""
        limits = [limit for limit in map(_memory_limit, self._folders('memory')) if limit is not None]
        return min(limits, key=lambda limit: limit.free, default=None)

    def cores(self) -> CoreLimit | None:
        """The smallest limit; None: there is none."""
        limits = [limit for limit in map(_core_limit, self._folders('cpu')) if limit is not None]
        return min(limits, key=lambda limit: limit.cores, default=None)

    def _folders(self, controller: str) -> Iterator[Path]:
        """The groups that this process is in, up to the root of their tree.

        In a container the path may be that of the host, while only the group of the container is mounted: then the root
        is the group.
        """
        for name, top in (('', self._root), (controller, self._root / controller)):
            if name in self._paths and top.is_dir():
                path = PurePosixPath(self._paths[name].lstrip('/'))
                yield from (top / each for each in (path, *path.parents))


def _memberships(text: str) -> Iterator[tuple[str, str]]:
    """Controller to path, from ``/proc/self/cgroup``; the one of version 2 has an empty name."""
    for line in text.splitlines():
        _, _, rest = line.partition(':')
        controllers, separator, path = rest.partition(':')
        if separator and '..' not in PurePosixPath(path).parts:
            yield from ((name, path) for name in controllers.split(','))


def _memory_limit(folder: Path) -> MemoryLimit | None:
    total = _number(folder / 'memory.max')
    used, idle = _number(folder / 'memory.current'), 'inactive_file'
    if total is None:
        total = _number(folder / 'memory.limit_in_bytes')
        used, idle = _number(folder / 'memory.usage_in_bytes'), 'total_inactive_file'
    if total is None or total >= NO_LIMIT:
        return None
    cached = _value(text_of(folder / 'memory.stat'), idle) or 0
    return MemoryLimit(total // MIB, max(0, (used or 0) - cached) // MIB)


def _core_limit(folder: Path) -> CoreLimit | None:
    words = text_of(folder / 'cpu.max').split()
    if len(words) == 2 and all(word.isdigit() for word in words):
        return CoreLimit(int(words[0]) / int(words[1]), folder / 'cpu.stat')
    quota, period = _number(folder / 'cpu.cfs_quota_us'), _number(folder / 'cpu.cfs_period_us')
    return CoreLimit(quota / period, folder / 'cpuacct.usage') if quota and period else None


def _number(path: Path) -> int | None:
    """The number in a file; None: there is none, or it stands for no limit (``max``, ``-1``)."""
    text = text_of(path).strip()
    return int(text) if text.isdigit() else None


def _value(text: str, name: str) -> int | None:
    """The number after a name, in lines of both."""
    lines = (line.split() for line in text.splitlines())
    return next((int(words[1]) for words in lines if len(words) == 2 and words[0] == name and words[1].isdigit()), None)
