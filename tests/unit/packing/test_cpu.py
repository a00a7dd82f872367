from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hpsearch.model.resources import ResourceRequest
from hpsearch.model.usage.estimate import NOTHING_EXPECTED, Estimate, Guess
from hpsearch.model.usage.host import HostReading
from hpsearch.packing.box import HAS_THE_MACHINE, Candidate, Packing
from hpsearch.packing.cpu import cores_correction, pack_on_cores
from hpsearch.packing.host_room import HostTenant, host_room


def machine(cores: float = 8, total: int = 32000, free: int = 30000, busy: float = 0.0) -> HostReading:
    return HostReading(0.0, total, free, cores, busy)


def needs(memory: float = 100, cpu: float = 1.0, seconds: float | None = 60, *, is_known: bool = True) -> Estimate:
    return Estimate(
        host_memory=Guess(memory, memory, is_known),
        cpu=Guess(cpu, cpu, is_known),
        seconds=None if seconds is None else Guess(seconds, seconds, is_known),
    )


def waiting(count: int, estimate: Estimate = NOTHING_EXPECTED) -> list[Candidate]:
    return [Candidate(f'sim_{number}', estimate) for number in range(count)]


def running(estimate: Estimate = NOTHING_EXPECTED, age: float = 20.0) -> HostTenant:
    """A run that uses what is expected of it."""
    memory, cpu = estimate.host_memory, estimate.cpu
    return HostTenant(estimate, int(memory.expected) if memory else None, cpu.expected if cpu else None, age)


def names(packing: Packing) -> list[str]:
    return [start.run for start in packing.starts]


def threads(packing: Packing) -> list[int | None]:
    return [start.slot.threads for start in packing.starts]


# The first runs


@pytest.mark.parametrize(('cores', 'scouts'), [(1, 1), (2, 1), (8, 1), (64, 8)])
def test_that_a_few_runs_are_measured_while_nothing_is_known(cores: int, scouts: int) -> None:
    packing = pack_on_cores(machine(cores), (), waiting(100))
    assert len(packing.starts) == scouts
    assert packing.waiting.startswith('it is measured for 10 s what ')


def test_that_the_number_of_runs_doubles_while_little_is_known() -> None:
    unsure, started = needs(is_known=False), 0
    counts = []
    for _ in range(6):
        packing = pack_on_cores(machine(16), [running(unsure)] * started, waiting(100, unsure))
        started += len(packing.starts)
        counts.append(started)
    assert counts == [2, 4, 8, 16, 16, 16]


def test_that_runs_that_end_before_they_are_measured_hold_up_nothing() -> None:
    young = running(age=0.1)
    assert names(pack_on_cores(machine(4), [young], waiting(9))) == []
    assert len(pack_on_cores(machine(4), [young], waiting(9), ended=2).starts) == 1
    assert len(pack_on_cores(machine(4), [young], waiting(9), ended=20).starts) == 3


# As many as there is room for


def test_that_what_is_known_fills_the_cores_at_once() -> None:
    assert len(pack_on_cores(machine(8), (), waiting(100, needs())).starts) == 8


def test_that_runs_that_use_several_cores_are_packed_by_cores() -> None:
    assert len(pack_on_cores(machine(8), (), waiting(100, needs(cpu=3.7))).starts) == 2


def test_that_runs_that_wait_for_disks_share_cores_up_to_a_bound() -> None:
    assert len(pack_on_cores(machine(8), (), waiting(100, needs(cpu=0.1))).starts) == 32


def test_that_memory_is_a_bound() -> None:
    packing = pack_on_cores(machine(8), (), waiting(100, needs(memory=9000)))
    assert len(packing.starts) == 2
    assert packing.waiting.startswith('a run is expected to take 9000 MiB of host memory; 30000 of 32000 MiB are free')


def test_that_cores_of_others_are_left_to_them() -> None:
    assert len(pack_on_cores(machine(8, busy=5.0), (), waiting(100, needs())).starts) == 3


def test_that_one_run_is_started_however_busy_others_are() -> None:
    assert len(pack_on_cores(machine(8, busy=8.0), (), waiting(100, needs())).starts) == 1


def test_that_runs_that_use_fewer_cores_than_was_expected_leave_them_to_others() -> None:
    expected = needs(cpu=7.5)
    tenants = [replace(running(expected, age=100.0), cpu=1.0)]
    assert cores_correction(tenants) == pytest.approx(1 / 7.5)
    assert len(pack_on_cores(machine(8), tenants, waiting(100, expected)).starts) == 7


# The order


def test_that_the_longest_come_first() -> None:
    runs = [Candidate(f'{seconds}', needs(seconds=seconds)) for seconds in (10, 500, 60, 900)]
    assert names(pack_on_cores(machine(2), (), runs)) == ['900', '500']


def test_that_a_run_for_which_there_is_no_memory_yet_is_passed_only_by_what_ends_before_there_is() -> None:
    held = [running(needs(memory=20000, seconds=100), age=20.0)]
    large = Candidate('large', needs(memory=20000, seconds=900))
    short, long = Candidate('short', needs(seconds=70)), Candidate('long', needs(seconds=90))
    packing = pack_on_cores(machine(free=10000), held, [large, long, short])
    assert names(packing) == ['short']
    assert packing.waiting.startswith('a run is expected to take 20000 MiB')


def test_that_a_run_that_others_keep_waiting_holds_up_nobody() -> None:
    held = [running(needs(memory=1000))]
    large = Candidate('large', needs(memory=20000, seconds=900))
    packing = pack_on_cores(machine(free=10000), held, [large, *waiting(1, needs())])
    assert names(packing) == ['sim_0']


# Runs that ran out of memory


@pytest.mark.parametrize('resources', [ResourceRequest(alone=True), ResourceRequest(alone_on_host=True)])
def test_that_a_run_that_ran_out_of_memory_waits_for_the_machine_without_holding_up_others(
    resources: ResourceRequest,
) -> None:
    demanding = Candidate('demanding', needs(seconds=1), resources)
    assert names(pack_on_cores(machine(), [running(needs())], [demanding, *waiting(2, needs())])) == ['sim_0', 'sim_1']
    alone = pack_on_cores(machine(), (), [*waiting(2, needs()), demanding])
    assert names(alone) == ['demanding']
    assert threads(alone) == [None]


def test_that_nothing_is_started_beside_it() -> None:
    tenant = HostTenant(alone_on_host=True)
    assert pack_on_cores(machine(), [tenant], waiting(3)) == Packing(waiting=HAS_THE_MACHINE)


# Threads


@pytest.mark.parametrize(
    ('runs', 'estimate', 'share'),
    [
        (100, needs(), 1),
        (3, needs(), 2),
        (1, needs(), None),
        (100, needs(memory=14000), 4),
        (100, needs(cpu=0.1), 1),
    ],
)
def test_the_threads_of_each_run(runs: int, estimate: Estimate, share: int | None) -> None:
    packing = pack_on_cores(machine(8), (), waiting(runs, estimate))
    assert set(threads(packing)) == {share}


def test_that_cores_that_others_use_are_not_shared_out() -> None:
    assert set(threads(pack_on_cores(machine(8, busy=4.0), (), waiting(2, needs())))) == {2}
    assert threads(pack_on_cores(machine(8, busy=8.0), (), waiting(2, needs()))) == [1]


def test_that_a_search_that_chooses_its_runs_may_choose_more_than_wait() -> None:
    assert threads(pack_on_cores(machine(8), (), waiting(1, needs()), may_grow=True)) == [1]


# Whatever comes

sizes = st.integers(1, 40000)
estimates = st.just(NOTHING_EXPECTED) | st.builds(
    needs, sizes, st.floats(0, 20), st.none() | st.floats(0, 1e5), is_known=st.booleans()
)
candidates = st.lists(estimates, max_size=12).map(
    lambda found: [Candidate(f'sim_{number}', each) for number, each in enumerate(found)]
)
tenants = st.lists(st.builds(running, estimates, st.floats(0, 1e4)), max_size=6)
machines = st.builds(
    machine, cores=st.integers(1, 64), total=st.just(32000), free=st.integers(0, 32000), busy=st.floats(0, 64)
)


@given(machines, tenants, candidates)
def test_that_memory_is_never_promised_twice(
    reading: HostReading, held: Sequence[HostTenant], runs: Sequence[Candidate]
) -> None:
    packing = pack_on_cores(reading, held, runs)
    by_name = {run.run: run.estimate for run in runs}
    taken = sum(guess.high for name in names(packing) if (guess := by_name[name].host_memory))
    room = host_room(reading, held).memory_room
    assert room is not None
    assert not packing.starts or taken <= room or (not held and len(packing.starts) == 1)


@given(machines, candidates)
def test_that_something_runs_where_memory_is_free(reading: HostReading, runs: Sequence[Candidate]) -> None:
    packing = pack_on_cores(reading, (), runs)
    if runs and reading.memory_free is not None and reading.memory_free > 16000:
        assert packing.starts


@given(machines, tenants, candidates)
def test_that_no_run_is_started_twice_and_that_what_waits_says_why(
    reading: HostReading, held: Sequence[HostTenant], runs: Sequence[Candidate]
) -> None:
    packing = pack_on_cores(reading, held, runs)
    assert len(set(names(packing))) == len(names(packing))
    assert len(packing.starts) == len(runs) or packing.waiting
