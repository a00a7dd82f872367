from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path

import pytest

from hpsearch.backends.local.cpu_slots import CpuSlots, still_to_take
from hpsearch.host import shared_folder
from hpsearch.host.gpu.starts import GpuStarts
from hpsearch.host.processes import Process, start_ticks
from hpsearch.host.usage import HostUse
from hpsearch.model.resources import GpuTenant, OtherStart, ResourceRequest, Slot
from hpsearch.model.usage.estimate import Estimate, Guess
from hpsearch.model.usage.host import ALL, Allotted, HostReading
from hpsearch.packing.box import UNDECIDED, Candidate, Packing
from hpsearch.packing.host_room import SETTLED_AFTER
from tests.fakes.scripted_queue import Clock

NEEDS = Estimate(host_memory=Guess(100, 100), cpu=Guess(1.0, 1.0), seconds=Guess(60, 60))


def slots(cores: float = 4, memory: int = 32000, busy: float = 0.0, allotted: Allotted = ALL) -> CpuSlots:
    return CpuSlots(allotted, lambda now: HostReading(now, memory, memory, cores, busy))


def waiting(count: int, estimate: Estimate = NEEDS) -> list[Candidate]:
    return [Candidate(f'sim_{number}', estimate) for number in range(count)]


def started(own: CpuSlots, packing: Packing, now: float, estimate: Estimate = NEEDS) -> list[str]:
    """Start what was decided; returns the names of the runs."""
    for start in packing.starts:
        own.acquire(start.run, start.slot, 0, now, candidate=Candidate(start.run, estimate))
    return [start.run for start in packing.starts]


def test_that_runs_hold_their_cores_until_they_end() -> None:
    own = slots()
    assert len(started(own, own.pack(0.0, waiting(9)), 0.0)) == 4
    assert own.pack(1.0, waiting(5)).starts == ()
    own.release('sim_0', 2.0)
    assert len(own.pack(2.0, waiting(5)).starts) == 1


def test_that_what_a_run_was_measured_to_use_counts() -> None:
    own = slots(busy=3.0)
    started(own, own.pack(0.0, waiting(1)), 0.0)
    meter = own.meter('sim_0')
    assert meter is not None
    meter.host.note(20.0, 5000, 60.0)
    assert len(own.pack(20.0, waiting(9)).starts) == 1, 'it keeps 3 of 4 cores busy'


def test_that_runs_of_other_writers_take_their_share() -> None:
    own = slots()
    peer = GpuTenant((), 0.0, run='sim_9', estimate=NEEDS)
    assert len(own.pack(1.0, waiting(9), [peer] * 3).starts) == 1


def test_that_a_run_that_ran_out_of_memory_has_the_machine_for_itself() -> None:
    own = slots()
    alone = Candidate('large', NEEDS, ResourceRequest(alone_on_host=True))
    assert started(own, own.pack(0.0, [alone, *waiting(3)]), 0.0) == ['large']
    own.release('large', 1.0)
    own.acquire('large', Slot(), 0, 1.0, ResourceRequest(alone_on_host=True))
    assert own.pack(2.0, waiting(3)).waiting.startswith('this machine is reserved')


def test_that_a_run_that_was_just_chosen_is_not_taken_for_the_last_one() -> None:
    own, chosen = slots(), waiting(1)
    own.pack(0.0, [Candidate(UNDECIDED, NEEDS)])
    assert [start.slot.threads for start in own.pack(0.0, chosen).starts] == [1]
    assert [start.slot.threads for start in own.pack(1.0, chosen).starts] == [None]


# In a job of a queue, which may have less than the machine

JOB = Allotted(cores=2, memory=8000)


def test_that_a_job_uses_no_more_cores_than_it_was_given() -> None:
    own = slots(cores=64, busy=40.0, allotted=JOB)
    assert len(own.pack(0.0, waiting(100)).starts) == 2


def test_that_the_memory_of_a_job_is_what_it_was_given_less_what_its_runs_use() -> None:
    reading = HostReading(0.0, 64000, 50000, 64, 10.0)
    assert JOB.within(reading, 3000, 0.5) == HostReading(0.0, 8000, 5000, 2, 0.5)
    assert ALL.within(reading, 3000, 0.5) == reading


def test_that_cores_of_a_job_that_others_use_all_the_same_are_busy() -> None:
    assert JOB.within(HostReading(0.0, 64000, 50000, 64, 63.0), 0, 0.5).busy == 1.0
    assert JOB.within(HostReading(0.0, 64000, 50000, 64, None), 0, 0.5).busy == 0.5


# Beside other searches


@pytest.fixture(autouse=True)
def shared(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The folder in which starts are."""
    monkeypatch.setattr(shared_folder, 'PLACE', str(tmp_path / 'shared'))


def beside(clock: Clock) -> CpuSlots:
    """The slots of one of several searches on a machine with four cores."""
    return CpuSlots(ALL, lambda now: HostReading(now, 32000, 32000, 4, 0.0), GpuStarts(clock))


US = Process(os.getpid(), start_ticks(os.getpid()))


def test_that_what_another_search_has_just_started_counts_before_it_can_be_seen() -> None:
    clock = Clock()
    one, other = beside(clock), beside(clock)
    large = Estimate(host_memory=Guess(9000, 9000), cpu=Guess(1.0, 1.0), seconds=Guess(60, 60))
    assert len(started(one, one.pack(clock.now, waiting(9, large)), clock.now, large)) == 3
    for name in ('sim_0', 'sim_1', 'sim_2'):
        one.announce(name, Slot(), US)
    assert other.pack(clock.now, waiting(9, large)).starts == ()
    one.release('sim_0', clock.now)
    assert len(other.pack(clock.now, waiting(9, NEEDS)).starts) == 2
    clock.now += SETTLED_AFTER
    assert len(other.pack(clock.now, waiting(9, large)).starts) == 3, 'by now the machine shows what they use'


def test_that_runs_are_placed_by_one_search_after_the_other() -> None:
    clock = Clock()

    def sleep(seconds: float) -> None:
        clock.now += seconds

    one, other = beside(clock), CpuSlots(starts=GpuStarts(clock, sleep))
    with one.placing() as may_place, other.placing() as may_other_place:
        assert may_place and not may_other_place
    with CpuSlots().placing() as may_place:
        assert may_place


def test_that_what_a_run_uses_by_now_is_not_reserved_any_more() -> None:
    start = OtherStart((), 0.0, 60.0, 'user bob', pid=7, host_memory=9000, cpu=2.0)
    taken = still_to_take(start, HostUse((7, 8), (3000, 1000), cpu_seconds=15.0), 10.0)
    assert (taken.host_memory, taken.cpu) == (5000, 0.5)
    assert still_to_take(start, HostUse(), 10.0) == start
    assert still_to_take(replace(start, cpu=None), HostUse((7,), (9999,)), 10.0).host_memory == 0
