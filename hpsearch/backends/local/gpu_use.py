"""What each attempt uses of GPUs, from readings of them."""

from __future__ import annotations

import logging
import math
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from hpsearch.host.processes import group_of
from hpsearch.model.resources import GpuProcess, GpuTenant, Reading, Readings
from hpsearch.model.usage.meter import Meter

log = logging.getLogger('hpsearch')

FRESH = 5.0
"""Seconds that a reading before the start of an attempt may be old to say what was in use before it."""

SOON = 0.5
"""Seconds after its start within which no attempt uses a GPU yet."""


class Holder(Protocol):
    """An attempt that holds GPUs."""

    tenant: GpuTenant
    meter: Meter
    ended: float | None


@dataclass(frozen=True, slots=True)
class _Seen:
    """A reading, with whose processes are on the GPU.

    Attributes:
        gpu: Its name.
        reading: The reading.
        own: Those of each of our attempts.
        others: Whether others are there, of those whose processes we can see.
        present: Our attempts that were given the GPU, or use it.
    """

    gpu: str
    reading: Reading
    own: Mapping[str, Sequence[GpuProcess]]
    others: bool
    present: Collection[str]

    @property
    def lists_ours(self) -> bool:
        """Whether a process of ours is listed with its memory."""
        return any(process.memory is not None for found in self.own.values() for process in found)


class GpuUse:
    """Divides what is used of GPUs among our attempts.

    By their processes where the driver lists them. In most containers it lists none, or under pids of the host; and
    some drivers do not tell the memory of each. As long as no process of ours was recognised, what the whole GPU uses
    more than before an attempt started is the attempt's, for as long as it is the only one of ours that may still
    grow there.
    """

    def __init__(self) -> None:
        self._lists_ours = False
        self._before: dict[tuple[str, str], int] = {}
        self._changed: dict[str, float] = {}
        self._elsewhere: dict[str, set[str]] = {}
        self._told: set[tuple[tuple[str, ...], str]] = set()

    def begin(
        self,
        ident: str,
        held: Mapping[str, Holder],
        histories: Readings,
        freed: Mapping[str, float],
    ) -> None:
        """An attempt was started.

        Args:
            ident: Its id.
            held: All attempts, with this one.
            histories: The readings of each GPU, oldest first.
            freed: When a run of ours on a GPU last ended.
        """
        tenant = held[ident].tenant
        for gpu in tenant.gpus:
            others = [other for other in _on(gpu, held) if other != ident]
            are_settled = all(held[other].meter.gpu.is_settled for other in others)
            self._lose(gpu, others, held)
            since = max(tenant.started - FRESH, freed.get(gpu, -math.inf))
            fits = (one for one in reversed(histories.get(gpu, ())) if since <= one.at <= tenant.started + SOON)
            used = next((one.memory_used for one in fits), None)
            if used is not None and are_settled:
                self._before[ident, gpu] = used
            else:
                held[ident].meter.gpu.lose()

    def end(self, ident: str, ended: Holder, held: Mapping[str, Holder], now: float) -> None:
        """An attempt is not held any more: where it is known what it used, that much less was there before the others.

        Args:
            ident: Its id.
            ended: The attempt.
            held: All others.
            now: Monotonic seconds; earlier readings show what it used.
        """
        self._elsewhere.pop(ident, None)
        for gpu in ended.tenant.gpus:
            self._before.pop((ident, gpu), None)
            used, others = ended.meter.gpu.memory_on(gpu), _on(gpu, held)
            self._changed[gpu] = now
            if used is None:
                self._lose(gpu, others, held)
            else:
                self._before.update({key: self._before[key] - used for key in self._tracked(gpu, others)})

    def _tracked(self, gpu: str, idents: Iterable[str]) -> list[tuple[str, str]]:
        """Those of some attempts whose use of a GPU is told by difference."""
        return [(ident, gpu) for ident in idents if (ident, gpu) in self._before]

    def crowd(self, gpus: Iterable[str], held: Mapping[str, Holder]) -> None:
        """Runs of other writers are on these GPUs."""
        for gpu in gpus:
            self._lose(gpu, _on(gpu, held), held)

    def _lose(self, gpu: str, idents: Sequence[str], held: Mapping[str, Holder]) -> None:
        """From now on what these use of a GPU cannot be told from what all use of it."""
        for ident in idents:
            if self._before.pop((ident, gpu), None) is not None and ident in held:
                held[ident].meter.gpu.lose()

    def take(
        self, gpu: str, readings: Iterable[Reading], held: Mapping[str, Holder], owner_of: Callable[[int], str | None]
    ) -> None:
        """Take in new readings of a GPU.

        Args:
            gpu: Its name.
            readings: In their order.
            held: All our attempts.
            owner_of: Process id to the attempt that the process belongs to, or None.
        """
        for reading in readings:
            seen = _look(gpu, reading, held, owner_of)
            self._lists_ours = self._lists_ours or seen.lists_ours
            for ident in seen.present:
                self._note(ident, seen, held[ident])

    def _note(self, ident: str, seen: _Seen, holder: Holder) -> None:
        processes, reading = seen.own.get(ident, ()), seen.reading
        if processes and seen.gpu not in holder.tenant.gpus:
            self._note_elsewhere(ident, seen.gpu, holder.tenant)
        memory, is_certain = self._memory(ident, seen), self._is_certain(processes, reading)
        if memory is not None:
            load = _load(processes, seen, is_certain=is_certain)
            holder.meter.gpu.note(seen.gpu, reading.at, memory, load, is_certain=is_certain)

    def _is_certain(self, processes: Sequence[GpuProcess], reading: Reading) -> bool:
        """Whether the processes of an attempt on a GPU say what it uses; none do where ours are listed at all."""
        if not processes:
            return self._lists_ours and reading.processes is not None
        return all(process.memory is not None for process in processes)

    def _memory(self, ident: str, seen: _Seen) -> int | None:
        """MiB that an attempt uses of a GPU; None: not known."""
        processes, reading = seen.own.get(ident, ()), seen.reading
        if self._is_certain(processes, reading):
            return sum(process.memory or 0 for process in processes)
        before = self._before.get((ident, seen.gpu))
        is_outdated = reading.at < self._changed.get(seen.gpu, -math.inf)
        if before is None or reading.memory_used is None or seen.others or is_outdated:
            return None
        return max(0, reading.memory_used - before)

    # The right GPU

    def elsewhere(self, ident: str) -> tuple[str, ...]:
        """GPUs that an attempt was seen to use although it was not given them."""
        return tuple(sorted(self._elsewhere.get(ident, ())))

    def _note_elsewhere(self, ident: str, gpu: str, tenant: GpuTenant) -> None:
        self._elsewhere.setdefault(ident, set()).add(gpu)
        if (tenant.gpus, gpu) in self._told:
            return
        self._told.add((tenant.gpus, gpu))
        log.warning(
            '%s uses GPU %s although it was given GPU %s: its script, or a library, sets CUDA_VISIBLE_DEVICES or the '
            'number of a device by itself. Let it use device 0 of those that are visible to it. Others that do so are '
            'named in hpsearch status.',
            tenant.run or 'a run',
            gpu,
            ','.join(tenant.gpus),
        )


def _on(gpu: str, held: Mapping[str, Holder]) -> list[str]:
    return [ident for ident, holder in held.items() if gpu in holder.tenant.gpus]


def _look(gpu: str, reading: Reading, held: Mapping[str, Holder], owner_of: Callable[[int], str | None]) -> _Seen:
    own: dict[str, list[GpuProcess]] = {}
    has_others = False
    for process in reading.processes or ():
        owner = owner_of(process.pid)
        if owner is not None:
            own.setdefault(owner, []).append(process)
        else:
            has_others = has_others or group_of(process.pid) is not None
    return _Seen(gpu, reading, own, has_others, list(_present(gpu, reading, held, own)))


def _present(gpu: str, reading: Reading, held: Mapping[str, Holder], own: Collection[str]) -> Iterator[str]:
    """Our attempts on a GPU while they ran."""
    for ident, holder in held.items():
        is_there = gpu in holder.tenant.gpus or ident in own
        if is_there and reading.at > holder.tenant.started and (holder.ended is None or reading.at < holder.ended):
            yield ident


def _load(processes: Sequence[GpuProcess], seen: _Seen, *, is_certain: bool) -> float | None:
    """The load (0-1) that an attempt alone puts on a GPU; None: not known."""
    known = [process.load for process in processes if process.load is not None]
    if processes and len(known) == len(processes):
        return min(1.0, sum(known))
    if is_certain and not processes:
        return 0.0
    return seen.reading.load if len(seen.present) == 1 and not seen.others else None
