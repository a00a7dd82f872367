"""Slots on GPUs where runs are packed: what an attempt had room for, those of other writers, and what is shown."""

from __future__ import annotations

from typing import Any

import pytest

from hpsearch.backends.local.gpu_slots import SHOWN_FOR, GpuSlots
from hpsearch.backends.local.host_space import HostSpace
from hpsearch.host.gpu.starts import GpuStarts
from hpsearch.model.resources import Gpu, GpuPolicy, GpuProcess, GpuTenant, ResourceRequest, Slot
from hpsearch.model.usage.estimate import Estimate, Guess
from hpsearch.model.usage.host import HostReading
from hpsearch.packing.box import HAS_THE_MACHINE, Candidate, PackingPolicy
from tests.unit.backends.test_slots import ALONE_HERE, OWN_GROUP, OWN_PID, Monitor, shared

__all__ = ['shared']

STRANGER, UNKNOWN_PID = 1, 2**22 + 5


def packed_slots(**totals: int) -> tuple[GpuSlots, Monitor]:
    monitor = Monitor({name[3:]: total for name, total in totals.items()})
    monitor.read(0.0)
    gpus = [Gpu(name, '', 'Fake', name) for name in monitor.totals]
    policy = PackingPolicy(startup_time=60.0, window=0.0, stale_after=1000.0)
    return GpuSlots(monitor, gpus, GpuPolicy(window=0.0), GpuStarts(), policy), monitor  # type: ignore[arg-type]


def candidate(name: str, memory: float, **resources: Any) -> Candidate:
    estimate = Estimate(memory=Guess(memory, memory), load=Guess(0.1, 0.1))
    return Candidate(name, estimate, ResourceRequest(**resources))


def started(
    slots: GpuSlots, *candidates: Candidate, now: float = 1.0, others: list[GpuTenant] | None = None
) -> list[str]:
    return [start.run for start in slots.pack(now, candidates, others or []).starts]


def end(slots: GpuSlots, monitor: Monitor, **used: Any) -> Any:
    """The facts of an attempt that ends after 2 s, with what others use of the card then."""
    slots.knows_room('a', 2.0)
    monitor.read(2.5, **used)
    assert slots.knows_room('a', 2.6)
    return slots.room('a').get('had')


@pytest.mark.parametrize(('before', 'after', 'had'), [(9000, 9000, 15000), (9000, 2000, 15000), (9000, 12000, 12000)])
def test_that_an_attempt_had_the_least_room_of_the_last_readings(before: int, after: int, had: int) -> None:
    slots, monitor = packed_slots(gpu0=24000)
    slots.acquire('a', Slot(('0',)), OWN_GROUP, 0.5)
    monitor.read(1.0, {'0': [GpuProcess(OWN_PID, 5000), GpuProcess(STRANGER, before)]}, gpu0=5000 + before)
    slots.pack(1.1, [])
    assert end(slots, monitor, gpu0=after) == had


def test_that_of_several_gpus_the_fullest_counts() -> None:
    slots, monitor = packed_slots(gpu0=24000, gpu1=24000)
    slots.acquire('a', Slot(('0', '1')), OWN_GROUP, 0.5)
    monitor.read(1.0, gpu0=1000, gpu1=4000)
    slots.pack(1.1, [])
    assert end(slots, monitor, gpu0=1000, gpu1=4000) == 20000


def test_that_the_room_of_an_attempt_is_not_told_where_thresholds_decide() -> None:
    monitor = Monitor({'0': 24000})
    monitor.read(0.0)
    slots = GpuSlots(monitor, [Gpu('0', '', 'Fake', '0')], GpuPolicy(window=0.0), GpuStarts())  # type: ignore[arg-type]
    slots.acquire('a', Slot(('0',)), OWN_GROUP, 0.5)
    assert end(slots, monitor, gpu0=0) is None


def peer(group: int = OWN_GROUP, age: float = 0.0) -> GpuTenant:
    estimate = Estimate(memory=Guess(10000, 10000), load=Guess(0.1, 0.1))
    return GpuTenant(('0',), 1.0 - age, run='theirs', estimate=estimate, group=group)


@pytest.mark.parametrize(('used', 'fits'), [(0, 12000), (6000, 12000), (10000, 12000)])
def test_that_what_the_run_of_another_writer_uses_already_is_not_reserved_for_it_again(used: int, fits: int) -> None:
    slots, monitor = packed_slots(gpu0=24000)
    monitor.read(1.0, {'0': [GpuProcess(OWN_PID, used)] if used else []}, gpu0=used)
    assert started(slots, candidate('big', fits), others=[peer()]) == ['big']
    assert started(slots, candidate('bigger', 15000), others=[peer()]) == []


def test_that_the_run_of_another_writer_reserves_nothing_any_more_once_it_has_had_time_to_load() -> None:
    slots, monitor = packed_slots(gpu0=24000)
    monitor.read(1.0, {'0': [GpuProcess(OWN_PID, 3000)]}, gpu0=3000)
    assert started(slots, candidate('big', 19000), others=[peer(age=100.0)]) == ['big']


def test_that_where_processes_are_not_known_by_their_pids_nothing_is_said_of_their_memory() -> None:
    slots, monitor = packed_slots(gpu0=24000)
    monitor.read(1.0, {'0': [GpuProcess(UNKNOWN_PID, 3000)]}, gpu0=3000)
    assert started(slots, candidate('big', 19000), others=[peer(age=100.0)]) == ['big']
    assert started(slots, candidate('big', 19000), others=[peer()]) == []


def test_that_a_run_that_needs_the_machine_for_itself_waits_for_the_others_and_keeps_them_away() -> None:
    slots, _ = packed_slots(gpu0=24000, gpu1=24000)
    demanding = Candidate('demanding', candidate('', 1000).estimate, ALONE_HERE)
    assert started(slots, demanding, candidate('b', 1000)) == ['demanding']
    assert started(slots, demanding, candidate('b', 1000), others=[peer()]) == ['b']
    slots.acquire('a', Slot(('0',)), OWN_GROUP, 0.5, ALONE_HERE)
    packing = slots.pack(1.0, [candidate('b', 1000)])
    assert (packing.starts, packing.waiting) == ((), HAS_THE_MACHINE)


def test_that_it_is_shown_why_the_first_run_that_waits_finds_no_room_as_long_as_one_waits() -> None:
    slots, monitor = packed_slots(gpu0=24000)
    monitor.read(1.0, {'0': [GpuProcess(STRANGER, 20000)]}, gpu0=20000)
    slots.pack(1.0, [candidate('big', 9000)])
    assert 'expected to need up to 9000 MiB' in slots.gpu_lines(1.5)[0].closed
    assert slots.gpu_lines(1.5 + SHOWN_FOR)[0].closed == ''


def test_that_runs_whose_memory_the_host_does_not_have_wait() -> None:
    monitor = Monitor({'0': 24000, '1': 24000})
    monitor.read(0.0)
    gpus, policy = [Gpu(name, '', 'Fake', name) for name in '01'], PackingPolicy(window=0.0, stale_after=1000.0)
    space = HostSpace(read=lambda now: HostReading(now, 16000, 12000, 8))
    slots = GpuSlots(monitor, gpus, GpuPolicy(), GpuStarts(), policy, space=space)  # type: ignore[arg-type]
    estimate = Estimate(memory=Guess(1000, 1000), load=Guess(0.1, 0.1), host_memory=Guess(4000, 4000))
    packing = slots.pack(1.0, [Candidate(name, estimate) for name in 'abcd'])
    assert len(packing.starts) == 2
    assert packing.waiting.startswith('a run is expected to take 4000 MiB of host memory; 12000 of 16000 MiB are free')
