"""What processes use of this host: memory and processors."""

from __future__ import annotations

import os
import re
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass

from hpsearch.host.processes import HAS_PROC, all_pids, read_proc

MIB = 1 << 20


@dataclass(frozen=True, slots=True)
class HostUse:
    """What a process and its descendants use.

    Attributes:
        pids: The processes.
        resident: MiB of each that are in memory. What several of them share counts for each.
        cpu_seconds: Of processors, with those of children that have ended.
    """

    pids: tuple[int, ...] = ()
    resident: tuple[int, ...] = ()
    cpu_seconds: float = 0.0


def uses_of(leaders: Collection[int]) -> dict[int, HostUse]:
    """What the session of each of these processes uses, and what descends from it; one look at all processes.

    Returns:
        Leader to what is used; without those that are gone, together with all of theirs.
    """
    return _uses(leaders, list(_seen())) if HAS_PROC else uses_by_psutil(leaders)


@dataclass(frozen=True, slots=True)
class _Seen:
    pid: int
    parent: int
    session: int
    resident: int
    cpu_seconds: float


def _seen() -> Iterator[_Seen]:
    """All processes that we can see."""
    ticks, page = os.sysconf('SC_CLK_TCK'), os.sysconf('SC_PAGE_SIZE')
    for pid in all_pids():
        fields = read_proc(f'/proc/{pid}/stat').rpartition(b')')[2].split()
        if len(fields) > 21:
            # In the order of proc(5), from the third on: user and system time, and the same of children.
            used = sum(map(int, fields[11:15])) / ticks
            yield _Seen(pid, int(fields[1]), int(fields[3]), int(fields[21]) * page // MIB, used)


def _uses(leaders: Collection[int], seen: Sequence[_Seen]) -> dict[int, HostUse]:
    parents = {each.pid: each.parent for each in seen}
    owners = {each.pid: each.session for each in seen if each.session in leaders}
    members: dict[int, list[_Seen]] = {}
    for each in seen:
        owner = _owner(each.pid, parents, owners)
        if owner is not None:
            members.setdefault(owner, []).append(each)
    return {leader: _together(found) for leader, found in members.items()}


def _owner(pid: int, parents: dict[int, int], owners: dict[int, int]) -> int | None:
    """The leader of the session that a process or one of its ancestors is in."""
    known: int | None = None
    path = []
    while pid in parents and pid not in path:
        known = owners.get(pid)
        if known is not None:
            break
        path.append(pid)
        pid = parents[pid]
    return known


def _together(found: Sequence[_Seen]) -> HostUse:
    resident = tuple(each.resident for each in found)
    return HostUse(tuple(each.pid for each in found), resident, sum(each.cpu_seconds for each in found))


def uses_by_psutil(leaders: Collection[int]) -> dict[int, HostUse]:
    """The same as :func:`uses_of` where there is no ``/proc``."""
    import psutil

    def seen(process: psutil.Process) -> _Seen | None:
        try:
            times = process.cpu_times()
            own = times.user + times.system + times.children_user + times.children_system
            return _Seen(process.pid, 0, 0, process.memory_info().rss // MIB, own)
        except psutil.Error:
            return None

    found: dict[int, HostUse] = {}
    for leader in leaders:
        try:
            process = psutil.Process(leader)
            members = [process, *process.children(recursive=True)]
        except psutil.Error:
            continue
        found[leader] = _together([each for each in map(seen, members) if each is not None])
    return found


_PSS = re.compile(rb'^Pss:\s+(\d+) kB', re.MULTILINE)


def shared_once(pids: Sequence[int]) -> int | None:
    """MiB that processes have in memory, where each page that several share counts once; None: it is not known.

    The kernel goes through all of their pages, which takes milliseconds for each GiB.
    """
    found = [_PSS.search(read_proc(f'/proc/{pid}/smaps_rollup')) for pid in pids] if HAS_PROC else []
    known = [int(match[1]) for match in found if match is not None]
    return sum(known) // 1024 if known and len(known) == len(pids) else None
