"""Whose the processes on GPUs are, as far as this host shows it to the user."""

from __future__ import annotations

import os
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass

from hpsearch.host.processes import group_of, start_ticks, user_name, variables_of
from hpsearch.model.resources import GpuProcess, OtherStart
from hpsearch.model.usage.holders import GpuHolder, HolderKind

MPS = 'nvidia-cuda-mps'
"""What the names of the processes of MPS begin with: they work for others."""


@dataclass(frozen=True, slots=True)
class _Person:
    """A process: its start, its user, whether that is ours, its command, and the run and search it belongs to."""

    ticks: str
    user: str
    is_own_user: bool
    command: str
    run: str = ''
    search: str = ''


class Holders:
    """Describes processes; each is looked at once.

    Attributes:
        search: What identifies this search in the environment of its runs (``HPSEARCH_DIR_ID``); empty: not known.
    """

    def __init__(self) -> None:
        self.search = ''
        self._known: dict[int, _Person] = {}

    def of(
        self,
        processes: Collection[GpuProcess],
        run_of: Callable[[int], str | None],
        others: Sequence[OtherStart] = (),
    ) -> list[GpuHolder]:
        """Those of some processes on a GPU that can be seen from here.

        Args:
            processes: As the driver lists them.
            run_of: Process id to the run of ours that it belongs to; None: to none.
            others: What other hpsearch have started on this host.
        """
        found = (self._holder(each, run_of(each.pid), others) for each in processes)
        return [holder for holder in found if holder is not None]

    def _holder(self, process: GpuProcess, run: str | None, others: Sequence[OtherStart]) -> GpuHolder | None:
        if run is not None:
            return GpuHolder(HolderKind.RUN, process.pid, run, memory=process.memory)
        person = self._person(process.pid)
        if person is None or person.command.startswith(MPS):
            return None
        is_ours = person.is_own_user and bool(person.run)
        kind = HolderKind.HPSEARCH if person.run or _is_started(process.pid, others) else HolderKind.PROCESS
        if is_ours and self.search and person.search == self.search:
            kind = HolderKind.RUN
        name = person.run or person.command
        return GpuHolder(kind, process.pid, name, person.user, process.memory, is_stranger=not is_ours)

    def _person(self, pid: int) -> _Person | None:
        """A process; None: there is none of that id here. What is hidden from us is somebody else's."""
        ticks, known = start_ticks(pid), self._known.get(pid)
        if known is not None and known.ticks == ticks:
            return known
        if not ticks:
            return None if group_of(pid) is None else _Person('', '', is_own_user=False, command='')
        self._known[pid] = person = _look_at(pid, ticks)
        return person


def _look_at(pid: int, ticks: str) -> _Person:
    import psutil

    try:
        process = psutil.Process(pid)
        user, command = process.uids().real, process.name()
    except (psutil.Error, OSError):
        return _Person(ticks, '', is_own_user=False, command='')
    marks = variables_of(pid)
    is_own = user == os.geteuid()
    return _Person(
        ticks, user_name(user), is_own, command, marks.get('HPSEARCH_RUN', ''), marks.get('HPSEARCH_DIR_ID', '')
    )


def _is_started(pid: int, others: Sequence[OtherStart]) -> bool:
    """Whether a process belongs to a run that another hpsearch has started."""
    group = group_of(pid)
    return any(start.pid is not None and start.pid in (pid, group) for start in others)
