"""What the kernel tells of memory that ran out on this machine."""

from __future__ import annotations

from pathlib import Path


def kernel_oom_kills(proc: Path = Path('/proc'), cgroups: Path = Path('/sys/fs/cgroup')) -> int | None:
    """How many processes the kernel has killed for want of memory since it was started; None: not known.

    The count of the whole machine comes first, whatever the control group: so counts that different writers took while
    the machine was up can be compared, and an attempt that was started in another login session is covered. Only where
    a kernel does not tell that one, the count of our own control group is used.

    Args:
        proc: Where the proc file system is.
        cgroups: Where control groups (version 2) are.
    """
    whole = _number(proc / 'vmstat', 'oom_kill')
    return _of_our_group(proc, cgroups) if whole is None else whole


def _of_our_group(proc: Path, cgroups: Path) -> int | None:
    try:
        groups = (proc / 'self' / 'cgroup').read_text()
    except OSError:
        return None
    path = next((line.removeprefix('0::/') for line in groups.splitlines() if line.startswith('0::/')), None)
    return None if path is None else _number(cgroups / path / 'memory.events', 'oom_kill')


def _number(path: Path, name: str) -> int | None:
    """The number beside a name in a file of the kernel's."""
    try:
        lines = path.read_text().splitlines()
    except OSError:
        return None
    found = (line.split() for line in lines)
    return next((int(words[1]) for words in found if len(words) == 2 and words[0] == name), None)
