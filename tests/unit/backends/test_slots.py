"""Where slots come from, with stepped time and readings made up."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, cast

import pytest

from hpsearch.backends.local.gpu_room import others_use_little, still_to_come
from hpsearch.backends.local.gpu_slots import LAST_READING_PATIENCE, GpuSlots
from hpsearch.backends.local.slots import NEEDS_THE_MACHINE, FixedSlots, SharedSlots, SlotSource
from hpsearch.host import shared_folder
from hpsearch.host.gpu.monitor import GpuMonitor
from hpsearch.host.gpu.starts import GpuStarts
from hpsearch.host.processes import Process, start_ticks
from hpsearch.model.resources import (
    Gpu,
    GpuPolicy,
    GpuProcess,
    GpuTenant,
    OtherStart,
    Reading,
    ResourceRequest,
    Slot,
)
from hpsearch.model.usage.estimate import Estimate, Guess
from hpsearch.packing.box import HAS_THE_MACHINE, Candidate, Packing, PackingPolicy
from tests.fakes.scripted_queue import Clock
from tests.support.harness import until

ALONE = ResourceRequest(alone=True)
ALONE_HERE = ResourceRequest(alone_on_host=True)
SOMEBODY = GpuTenant((), 0.0)
OWN_GROUP = os.getpgid(0)
OWN_PID = os.getpid()


@pytest.fixture(autouse=True)
def shared(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder in which the starts on GPUs are."""
    monkeypatch.setattr(shared_folder, 'PLACE', str(tmp_path / 'shared'))
    return tmp_path / 'shared'


class Monitor:
    """Readings as the test sets them."""

    def __init__(self, totals: dict[str, int | None]) -> None:
        self.totals = totals
        self.history: dict[str, list[Reading]] = {name: [] for name in totals}
        self.refreshed: list[str] = []

    def read(self, now: float, processes: dict[str, list[GpuProcess]] | None = None, **used: int) -> None:
        """A reading of each GPU: ``gpu0=300`` are MiB in use of GPU 0."""
        for name, total in self.totals.items():
            memory = used.get(f'gpu{name}', 0)
            known = tuple((processes or {}).get(name, ()))
            self.history[name].append(Reading(now, memory, total, 0.0, processes=known))

    def readings(self) -> dict[str, tuple[Reading, ...]]:
        return {name: tuple(history) for name, history in self.history.items()}

    def readings_elsewhere(self) -> dict[str, tuple[Reading, ...]]:
        return {}

    def refresh(self, names: Sequence[str]) -> None:
        self.refreshed.extend(names)

    def close(self) -> None:
        pass


def gpu_slots(
    totals: dict[str, int | None], starts: GpuStarts | None = None, **policy: Any
) -> tuple[GpuSlots, Monitor]:
    monitor = Monitor(totals)
    monitor.read(0.0)
    gpus = [Gpu(name, '', 'Fake', name) for name in totals]
    policy = {'max_runs_per_gpu': 2, 'startup_time': 0.0, 'window': 0.0, **policy}
    return GpuSlots(cast(GpuMonitor, monitor), gpus, GpuPolicy(**policy), starts or GpuStarts()), monitor


def given(slots: SlotSource, now: float, **wish: Any) -> list[tuple[str, ...]]:
    return [slot.gpus for slot in slots.open_slots(now, **wish).slots]


# --------------------------------------------------------------------------------------------- the devices of a job


def test_that_the_other_devices_of_a_job_get_no_more_runs_for_one_that_is_avoided() -> None:
    slots = SharedSlots(4, ['0', '1'])
    assert sorted(given(slots, 0.0)) == [('0',), ('0',), ('1',), ('1',)]
    slots.avoid({'1': 'runs fail there'})
    assert given(slots, 0.0) == [('0',), ('0',)]
    assert slots.open_slots(0.0).closed == {'1': 'runs fail there'}
    slots.acquire('a', Slot(('0',)), 0, 0.0)
    assert given(slots, 0.0) == [('0',)]
    slots.avoid({})
    assert sorted(given(slots, 0.0)) == [('0',), ('1',), ('1',)]


def test_that_runs_on_several_devices_of_a_job_do_without_one_that_is_avoided() -> None:
    slots = SharedSlots(2, ['0', '1', '2', '3'], per_run=2)
    slots.avoid({'1': 'runs fail there'})
    assert given(slots, 0.0) == [('0', '2')]
    slots.avoid(dict.fromkeys('123', 'runs fail there'))
    assert given(slots, 0.0) == []


# --------------------------------------------------------------------------------------------------------- fixed slots


def test_that_fixed_slots_count_what_is_taken() -> None:
    slots = FixedSlots(2)
    slots.acquire('a', Slot(), 1, 0.0)
    assert len(slots.open_slots(1.0).slots) == 1
    slots.acquire('b', Slot(), 2, 1.0)
    assert slots.open_slots(2.0).slots == ()
    assert slots.release('a', 3.0) is None
    assert len(slots.open_slots(3.0).slots) == 1


def test_that_fixed_slots_are_each_writers_own() -> None:
    assert len(FixedSlots(2).open_slots(0.0, others=[SOMEBODY] * 5).slots) == 2


@pytest.mark.parametrize('resources', [ALONE, ALONE_HERE])
def test_that_a_run_that_ran_out_of_memory_waits_until_the_machine_is_its_own(resources: ResourceRequest) -> None:
    slots = FixedSlots(2)
    slots.acquire('a', Slot(), 1, 0.0)
    placement = slots.open_slots(1.0, resources=resources)
    assert (placement.slots, placement.waiting) == ((), NEEDS_THE_MACHINE)
    slots.release('a', 2.0)
    assert slots.open_slots(2.0, others=[SOMEBODY], resources=resources).waiting == NEEDS_THE_MACHINE
    assert slots.open_slots(2.0, resources=resources).slots


@pytest.mark.parametrize('resources', [ALONE, ALONE_HERE])
def test_that_nothing_starts_beside_a_run_that_has_the_machine_for_itself(resources: ResourceRequest) -> None:
    slots = FixedSlots(2)
    slots.acquire('a', Slot(), 1, 0.0, resources)
    assert slots.open_slots(1.0).waiting == HAS_THE_MACHINE
    slots.release('a', 2.0)
    assert len(slots.open_slots(2.0).slots) == 2
    assert slots.open_slots(2.0, others=[GpuTenant((), 0.0, alone_on_host=True)]).waiting == HAS_THE_MACHINE


def room_of_fixed(*, beside: Callable[[FixedSlots], object]) -> bool:
    slots = FixedSlots(2)
    slots.acquire('a', Slot(), 1, 0.0)
    beside(slots)
    room = slots.room('a')
    assert room['was_alone'] is room['alone_on_host']
    assert (room['gpu_total'], room['largest']) == (None, True)
    return bool(room['alone_on_host'])


def test_that_an_attempt_was_alone_only_if_it_was_all_the_time() -> None:
    def visit(slots: FixedSlots) -> None:
        slots.acquire('b', Slot(), 2, 1.0)
        slots.release('b', 2.0)

    assert room_of_fixed(beside=lambda slots: slots.open_slots(1.0))
    assert not room_of_fixed(beside=visit)
    assert not room_of_fixed(beside=lambda slots: slots.open_slots(1.0, others=[SOMEBODY]))
    assert FixedSlots(1).room('nobody') == {}


# ---------------------------------------------------------------------------------------------------------------- GPUs


def test_that_gpu_slots_without_the_new_arguments_are_those_of_placement() -> None:
    slots, _ = gpu_slots({'0': 24000, '1': 24000})
    assert given(slots, 0.0) == [('0',), ('1',)]
    slots.acquire('a', Slot(('0',)), 7, 0.0)
    assert given(slots, 1.0) == [('1',), ('0',)]


def test_that_a_gpu_is_avoided_until_it_is_not_any_more() -> None:
    slots, _ = gpu_slots({'0': 1000, '1': 1000})
    slots.avoid({'1': 'runs fail there'})
    assert given(slots, 1.0) == [('0',)]
    assert [line.closed for line in slots.gpu_lines(1.0)] == ['', 'runs fail there']
    slots.avoid({})
    assert given(slots, 1.0) == [('0',), ('1',)]


def test_that_what_the_driver_says_of_the_gpus_of_an_attempt_is_known() -> None:
    slots, monitor = gpu_slots({'0': 1000, '1': 1000})
    slots.acquire('a', Slot(('0', '1')), 0, 1.0)
    assert slots.problem('a') == ''
    monitor.history['1'].append(Reading(2.0, problem='the GPU is lost'))
    assert slots.problem('a') == 'GPU 1: the GPU is lost'
    assert slots.problem('another') == ''
    assert FixedSlots(1).problem('a') == ''


def test_that_attempts_of_other_writers_count_like_ours() -> None:
    slots, _ = gpu_slots({'0': 24000}, startup_time=60.0)
    assert 'started a run 3 s ago' in slots.open_slots(3.0, others=[GpuTenant(('0',), 0.0)]).closed['0']
    slots, _ = gpu_slots({'0': 24000}, max_runs_per_gpu=1)
    assert 'has 1 run' in slots.open_slots(3.0, others=[GpuTenant(('0',), 0.0)]).closed['0']
    assert 'has 1 run' in slots.gpu_lines(3.0)[0].closed
    assert given(slots, 4.0) == [('0',)]


def two_searches(clock: Clock, **policy: Any) -> tuple[GpuSlots, GpuSlots]:
    """Searches on one machine with two GPUs, whose locks are waited for in stepped time."""

    def sleep(seconds: float) -> None:
        clock.now += seconds

    totals: dict[str, int | None] = {'0': 24000, '1': 24000}
    one, _ = gpu_slots(totals, starts=GpuStarts(clock, sleep), stale_after=1e9, **policy)
    other, _ = gpu_slots(totals, starts=GpuStarts(clock, sleep), stale_after=1e9, **{**policy, 'startup_time': 0.0})
    return one, other


def test_that_two_searches_do_not_start_on_one_gpu_until_a_start_up_time_is_over() -> None:
    clock = Clock()
    one, other = two_searches(clock, startup_time=60.0)
    one.announce('a', Slot(('0',)), Process(OWN_PID, start_ticks(OWN_PID)))
    clock.now += 59.0
    placement = other.open_slots(clock.now)
    assert [slot.gpus for slot in placement.slots] == [('1',)]
    assert placement.closed['0'].endswith('started a run 59 s ago, whose use of the GPU can be seen after 60 s')
    assert other.gpu_lines(clock.now)[0].closed == placement.closed['0'], 'that is what is shown'
    assert given(one, clock.now) == [('0',), ('1',)], 'its own starts are held against it elsewhere'
    clock.now += 1.0
    assert given(other, clock.now) == [('0',), ('1',)]


def test_that_others_are_told_the_most_that_ended_runs_have_used() -> None:
    clock = Clock()
    one, monitor = gpu_slots({'0': 24000}, starts=GpuStarts(clock))
    us = Process(OWN_PID, start_ticks(OWN_PID))
    one.acquire('a', Slot(('0',)), OWN_GROUP, clock.now)
    one.announce('a', Slot(('0',)), us)
    (first,) = GpuStarts(clock).others()
    monitor.read(clock.now, {'0': [GpuProcess(OWN_PID, 5000)]}, gpu0=5000)
    one.open_slots(clock.now)
    one.release('a', clock.now)
    one.acquire('b', Slot(('0',)), OWN_GROUP, clock.now)
    one.announce('b', Slot(('0',)), us)
    (second,) = GpuStarts(clock).others()
    assert (first.memory, second.memory) == (None, 5000)


def test_that_others_are_told_what_a_packed_run_is_expected_to_need() -> None:
    clock = Clock()
    one, _ = gpu_slots({'0': 24000}, starts=GpuStarts(clock))
    candidate = Candidate('run_1', Estimate(Guess(6000, 7000), host_memory=Guess(100, 200)))
    one.acquire('a', Slot(('0',)), OWN_GROUP, clock.now, candidate=candidate)
    one.announce('a', Slot(('0',)), Process(OWN_PID, start_ticks(OWN_PID)))
    (start,) = GpuStarts(clock).others()
    assert (start.memory, start.host_memory) == (7000, 200)


@pytest.mark.parametrize(
    ('pid', 'memory', 'listed', 'still'),
    [
        (OWN_GROUP, 8000, 3000, 5000),
        (OWN_GROUP, 8000, 9000, 0),
        (OWN_GROUP, None, 3000, None),
        (None, 8000, 3000, 8000),
        (1, 8000, 3000, 8000),
    ],
    ids=['it loads', 'it uses more', 'not known', 'in another container', 'the process of another run'],
)
def test_that_a_start_reserves_what_readings_do_not_show(
    pid: int | None, memory: int | None, listed: int, still: int | None
) -> None:
    start = OtherStart(('GPU-a',), 0.0, 60.0, 'user bob', pid=pid, memory=memory)
    reading = Reading(1.0, 10000, 24000, 0.0, processes=(GpuProcess(OWN_PID, listed), GpuProcess(1 << 22, 7000)))
    assert still_to_come(start, {'GPU-a': reading}).memory == still


def test_that_a_start_on_several_gpus_reserves_what_any_of_them_lacks() -> None:
    start = OtherStart(('GPU-a', 'GPU-b', 'GPU-c'), 0.0, 60.0, 'user bob', pid=OWN_GROUP, memory=8000)
    full, empty = (Reading(1.0, processes=(GpuProcess(OWN_PID, use),)) for use in (8000, 1000))
    assert still_to_come(start, {'GPU-a': full, 'GPU-b': empty}).memory == 8000, 'one cannot be read'
    assert still_to_come(replace(start, gpus=('GPU-a', 'GPU-b')), {'GPU-a': full, 'GPU-b': empty}).memory == 7000


def test_that_a_gpu_is_free_for_other_searches_when_its_run_has_ended() -> None:
    clock = Clock()
    one, other = two_searches(clock, startup_time=60.0)
    one.announce('a', Slot(('0',)), Process(OWN_PID, start_ticks(OWN_PID)))
    one.release('a', clock.now)
    assert given(other, clock.now) == [('0',), ('1',)]


def test_that_one_search_at_a_time_chooses_gpus() -> None:
    one, other = two_searches(Clock())
    with one.placing() as may_place, other.placing() as may_other_place:
        assert may_place and not may_other_place
    with other.placing() as may_place:
        assert may_place


def test_that_a_run_that_ran_out_of_gpu_memory_gets_an_empty_gpu() -> None:
    slots, _ = gpu_slots({'0': 24000, '1': 24000, '2': 24000})
    slots.acquire('a', Slot(('0',)), 7, 0.0)
    assert given(slots, 1.0, others=[GpuTenant(('1',), 0.0)], resources=ALONE) == [('2',)]


def test_that_a_gpu_given_to_one_run_for_itself_is_closed_for_all_others() -> None:
    slots, _ = gpu_slots({'0': 24000, '1': 24000})
    slots.acquire('a', Slot(('0',)), 7, 0.0, ALONE)
    assert given(slots, 1.0) == [('1',)]
    assert given(slots, 1.0, others=[GpuTenant(('1',), 0.0, exclusive=True)]) == []
    slots.release('a', 2.0)
    assert given(slots, 2.0) != [('0',)]


def test_that_a_run_that_ran_out_of_host_memory_waits_for_all_others_on_the_machine() -> None:
    slots, _ = gpu_slots({'0': 24000, '1': 24000})
    placement = slots.open_slots(1.0, others=[GpuTenant(('1',), 0.0)], resources=ALONE_HERE)
    assert (placement.slots, placement.waiting) == ((), NEEDS_THE_MACHINE)
    assert placement.closed == {'0': NEEDS_THE_MACHINE, '1': NEEDS_THE_MACHINE}
    assert given(slots, 2.0, resources=ALONE_HERE) == [('0',), ('1',)]
    slots.acquire('a', Slot(('0',)), 7, 2.0, ALONE_HERE)
    assert slots.open_slots(3.0).waiting == HAS_THE_MACHINE


def test_that_a_larger_gpu_is_asked_for_and_may_not_exist() -> None:
    slots, _ = gpu_slots({'0': 24000, '1': 48000})
    assert given(slots, 0.0, resources=ResourceRequest(alone=True, larger_than=24000)) == [('1',)]
    assert slots.impossible(ResourceRequest(alone=True, larger_than=24000)) == ''
    assert '48000 MiB' in slots.impossible(ResourceRequest(alone=True, larger_than=48000))
    assert FixedSlots(1).impossible(ResourceRequest(alone=True, larger_than=48000)) == ''


def test_that_nothing_is_impossible_before_the_gpus_were_read() -> None:
    slots, _ = gpu_slots({'0': 24000, '1': None})
    assert slots.impossible(ResourceRequest(alone=True, larger_than=48000)) == ''


# ---------------------------------------------------------------------------------------------------------------- room


def test_that_the_room_of_an_attempt_names_its_gpu() -> None:
    slots, _ = gpu_slots({'0': 24000, '1': 48000})
    slots.acquire('a', Slot(('0',)), 7, 0.0)
    assert slots.room('a') == {'was_alone': True, 'gpu_total': 24000, 'largest': False, 'alone_on_host': True}
    slots.release('a', 1.0)
    assert slots.room('a') == {}


@pytest.mark.parametrize(
    ('size', 'gpus', 'total', 'is_largest'),
    [(1, ('1',), 48000, True), (2, ('0', '1'), 24000, True), (2, ('0', '2'), 24000, True), (1, ('0',), 24000, False)],
)
def test_that_the_largest_is_what_cannot_be_bettered(
    size: int, gpus: tuple[str, ...], total: int, is_largest: bool
) -> None:
    slots, _ = gpu_slots({'0': 24000, '1': 48000, '2': 24000}, gpus_per_run=size)
    slots.acquire('a', Slot(gpus), 7, 0.0)
    assert (slots.room('a')['gpu_total'], slots.room('a')['largest']) == (total, is_largest)


def test_that_a_gpu_that_was_never_read_is_not_known_to_be_the_largest() -> None:
    slots, _ = gpu_slots({'0': None})
    slots.acquire('a', Slot(('0',)), 7, 0.0)
    assert slots.room('a') == {'was_alone': False, 'gpu_total': None, 'largest': False, 'alone_on_host': True}


def test_that_the_memory_of_a_gpu_is_remembered_when_it_is_not_read_any_more() -> None:
    slots, monitor = gpu_slots({'0': 24000})
    slots.acquire('a', Slot(('0',)), 7, 0.0)
    slots.open_slots(1.0)
    monitor.history['0'].append(Reading(2.0, problem='the GPU is lost'))
    assert slots.room('a')['gpu_total'] == 24000


def test_that_another_run_on_the_gpu_is_remembered_after_it_has_ended() -> None:
    slots, _ = gpu_slots({'0': 24000, '1': 24000})
    slots.acquire('a', Slot(('0',)), 7, 0.0)
    slots.acquire('b', Slot(('1',)), 8, 1.0)
    assert (slots.room('a')['was_alone'], slots.room('a')['alone_on_host']) == (True, False)
    slots.acquire('c', Slot(('0',)), 9, 2.0)
    slots.release('c', 3.0)
    assert not slots.room('a')['was_alone']
    assert slots.room('b')['was_alone']


def test_that_a_run_of_another_writer_is_company_too() -> None:
    slots, _ = gpu_slots({'0': 24000, '1': 24000})
    slots.acquire('a', Slot(('0',)), 7, 0.0)
    slots.open_slots(1.0, others=[GpuTenant(('1',), 0.0)])
    assert (slots.room('a')['was_alone'], slots.room('a')['alone_on_host']) == (True, False)
    slots.open_slots(2.0, others=[GpuTenant(('0',), 0.0)])
    slots.open_slots(3.0)
    assert not slots.room('a')['was_alone']


def test_that_a_run_that_starts_beside_one_of_another_writer_is_not_alone() -> None:
    slots, _ = gpu_slots({'0': 24000})
    slots.open_slots(0.0, others=[GpuTenant(('0',), 0.0)])
    slots.acquire('a', Slot(('0',)), 7, 0.0)
    assert not slots.room('a')['was_alone']


@pytest.mark.parametrize(('used', 'was_alone'), [(0, True), (1200, True), (1201, False)])
def test_that_what_others_used_when_it_started_counts(used: int, was_alone: bool) -> None:
    slots, monitor = gpu_slots({'0': 24000})
    monitor.read(1.0, gpu0=used)
    slots.acquire('a', Slot(('0',)), 7, 1.0)
    monitor.read(2.0, gpu0=23000)
    slots.open_slots(2.0)
    assert slots.room('a')['was_alone'] is was_alone


def test_that_an_adopted_attempt_is_not_known_to_have_been_alone() -> None:
    slots, monitor = gpu_slots({'0': 24000})
    monitor.read(100.0, gpu0=0)
    slots.acquire('a', Slot(('0',)), 7, -50.0)
    assert not slots.room('a')['was_alone']


@pytest.mark.parametrize(('others', 'was_alone'), [(1000, True), (9000, False)])
def test_that_others_who_come_later_are_seen_where_our_own_use_is_known(others: int, was_alone: bool) -> None:
    slots, monitor = gpu_slots({'0': 24000})
    slots.acquire('a', Slot(('0',)), OWN_GROUP, 0.0)
    monitor.read(1.0, {'0': [GpuProcess(OWN_PID, 10000)]}, gpu0=10000 + others)
    slots.open_slots(1.0)
    assert slots.room('a')['was_alone'] is was_alone


def test_that_a_process_that_is_not_known_any_more_is_nobodys() -> None:
    slots, monitor = gpu_slots({'0': 24000})
    slots.acquire('a', Slot(('0',)), OWN_GROUP, 0.0)
    gone = GpuProcess(2**22 + 5, 9000)
    monitor.read(1.0, {'0': [GpuProcess(OWN_PID, 10000), gone]}, gpu0=19000)
    slots.open_slots(1.0)
    assert slots.room('a')['was_alone']


def test_that_the_peak_of_an_attempt_is_told_and_predicts_the_next() -> None:
    slots, monitor = gpu_slots({'0': 24000})
    slots.acquire('a', Slot(('0',)), OWN_GROUP, 0.0)
    monitor.read(1.0, {'0': [GpuProcess(OWN_PID, 11000)]}, gpu0=11000)
    slots.open_slots(1.0)
    assert slots.release('a', 2.0) == 11000
    assert monitor.refreshed == ['0']
    monitor.read(3.0, gpu0=11999)
    assert given(slots, 3.0) == [('0',)]
    slots.acquire('b', Slot(('0',)), 9, 4.0)
    assert 'expected to need 11000' in slots.open_slots(5.0).closed['0']


def test_that_the_start_of_a_later_run_is_not_forgotten_for_an_adopted_older_one() -> None:
    slots, _ = gpu_slots({'0': 24000}, startup_time=60.0)
    slots.acquire('a', Slot(('0',)), 7, 0.0)
    slots.release('a', 0.0)
    slots.acquire('b', Slot(('0',)), 8, -500.0)
    assert 'started a run 9 s ago' in slots.open_slots(9.0).closed['0']


STRANGER = os.getppid()


@pytest.mark.parametrize(
    ('processes', 'used', 'is_over', 'is_little'),
    [
        ([], 23000, False, True),  # a container: whose memory it is cannot be known before its end
        ([], 23000, True, False),
        ([], 1200, True, True),
        ([(STRANGER, 20000)], 20000, False, False),  # it died at its first allocation
        ([(STRANGER, None)], 20000, False, True),
        ([(OWN_PID, 10000)], 11000, False, True),
        ([(OWN_PID, 10000)], 20000, False, False),  # a graphics process, say, which is not listed
        ([(OWN_PID, None)], 20000, False, True),
        ([(OWN_PID, 10000), (STRANGER, 9000)], 19000, False, False),
        ([(OWN_PID, 10000), (STRANGER, 1000)], 11000, True, True),  # it left a process behind
        ([(OWN_PID, 10000)], None, False, True),
        ([], None, True, False),
    ],
)
def test_that_what_others_use_of_a_gpu_is_what_is_not_our_own(
    processes: list[tuple[int, int | None]], used: int | None, is_over: bool, is_little: bool
) -> None:
    reading = Reading(5.0, used, 24000, 0.0, processes=tuple(GpuProcess(*each) for each in processes))
    assert others_use_little(reading, OWN_PID.__eq__, 4.0 if is_over else None) is is_little


def test_that_every_reading_of_an_attempt_counts_and_not_only_the_newest() -> None:
    slots, monitor = gpu_slots({'0': 24000})
    slots.acquire('a', Slot(('0',)), 7, 0.0)
    monitor.read(1.0, {'0': [GpuProcess(STRANGER, 20000)]}, gpu0=20000)
    monitor.read(2.0)
    assert not slots.room('a')['was_alone']


@pytest.mark.parametrize(('used', 'was_alone'), [(0, True), (23000, False)])
def test_that_what_is_in_use_after_the_end_of_an_attempt_belongs_to_others(used: int, was_alone: bool) -> None:
    slots, monitor = gpu_slots({'0': 24000})
    slots.acquire('a', Slot(('0',)), 7, 0.0)
    monitor.read(1.0, gpu0=23000)
    assert not slots.knows_room('a', 2.0)
    assert monitor.refreshed == ['0']
    monitor.read(2.1, gpu0=used)
    assert slots.knows_room('a', 2.2)
    assert slots.room('a')['was_alone'] is was_alone


def test_that_an_attempt_was_not_alone_where_its_gpu_does_not_answer_after_its_end() -> None:
    slots, _ = gpu_slots({'0': 24000})
    slots.acquire('a', Slot(('0',)), 7, 0.0)
    assert not slots.knows_room('a', 2.0)
    assert slots.knows_room('a', 2.0 + LAST_READING_PATIENCE)
    assert not slots.room('a')['was_alone']


def test_that_a_process_outside_the_group_of_an_attempt_is_its_own_by_its_marks() -> None:
    mark = {'HPSEARCH_DIR': '/a/search', 'HPSEARCH_RUN': 'sim_1', 'HPSEARCH_ATTEMPT': '1'}
    with subprocess.Popen(['sleep', '60'], env={**os.environ, **mark}, start_new_session=True) as apart:
        until(Path(f'/proc/{apart.pid}/environ').read_bytes)  # empty until the program is executed
        slots, monitor = gpu_slots({'0': 24000})
        slots.acquire('a', Slot(('0',)), 7, 0.0, marks=mark)
        monitor.read(1.0, {'0': [GpuProcess(apart.pid, 20000)]}, gpu0=20000)
        assert slots.room('a')['was_alone']
        assert slots.release('a', 2.0) == 20000
        apart.kill()


def test_that_a_gpu_is_shown_with_the_age_of_its_reading() -> None:
    slots, _ = gpu_slots({'0': 24000})
    assert slots.gpu_lines(7.5)[0].age == 7.5


# ----------------------------------------------------------------------------------------- what tenants are said to use


def packed_tenants(slots: GpuSlots, now: float, monkeypatch: pytest.MonkeyPatch) -> Sequence[GpuTenant]:
    """The attempts on GPUs as packing sees them."""
    seen: list[Sequence[GpuTenant]] = []

    def pack(gpus: Any, readings: Any, tenants: Sequence[GpuTenant], *more: Any, **others: Any) -> Packing:
        seen.append(tenants)
        return Packing()

    monkeypatch.setattr('hpsearch.backends.local.gpu_slots.pack', pack)
    slots.pack(now, [])
    return seen[-1]


def packing_slots() -> tuple[GpuSlots, Monitor]:
    monitor = Monitor({'0': 40000})
    monitor.read(0.0)
    gpus = [Gpu('0', '', 'Fake', '0')]
    return GpuSlots(cast(GpuMonitor, monitor), gpus, GpuPolicy(), GpuStarts(), PackingPolicy()), monitor


def test_that_packing_is_told_what_a_run_uses_and_when_it_has_settled(monkeypatch: pytest.MonkeyPatch) -> None:
    slots, monitor = packing_slots()
    slots.acquire('a', Slot(('0',), '0'), OWN_GROUP, 0.0, candidate=Candidate('sim_1'))
    (tenant,) = packed_tenants(slots, 0.5, monkeypatch)
    assert (tenant.run, tenant.memory, tenant.is_settled) == ('sim_1', 0, False)
    for second in range(1, 14):
        monitor.read(float(second), {'0': [GpuProcess(OWN_PID, 3000, 0.4)]}, gpu0=3000)
        (tenant,) = packed_tenants(slots, float(second), monkeypatch)
        assert (tenant.memory, tenant.is_settled) == (3000, second >= 11)
    assert (tenant.measured.gpu_memory, tenant.measured.settled_after, tenant.measured.sharing) == (3000, 1.0, 1.0)
    assert tenant.measured.gpu_load == pytest.approx(0.4)


def test_that_packing_is_told_that_the_use_of_a_run_is_not_known(monkeypatch: pytest.MonkeyPatch) -> None:
    slots, monitor = packing_slots()
    for ident in 'ab':
        slots.acquire(ident, Slot(('0',), '0'), 2**22, 0.0, candidate=Candidate(ident))
    monitor.read(1.0, gpu0=7000)
    assert [tenant.memory for tenant in packed_tenants(slots, 1.5, monkeypatch)] == [None, None]
