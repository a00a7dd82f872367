from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hpsearch.model.resources import OtherStart
from hpsearch.model.usage.estimate import NOTHING_EXPECTED, Estimate, Guess
from hpsearch.model.usage.host import HostReading
from hpsearch.packing.host_room import HostRoom, HostTenant, host_room, host_room_for_gpus, with_starts


def needs(memory: float | None = None, cpu: float | None = None) -> Estimate:
    return Estimate(
        host_memory=None if memory is None else Guess(memory, memory),
        cpu=None if cpu is None else Guess(cpu, cpu),
    )


def machine(total: int | None = 32000, free: int | None = 30000, cores: float = 8, busy: float = 0.0) -> HostReading:
    return HostReading(0.0, total, free, cores, busy)


def room(*tenants: HostTenant, reading: HostReading | None = None) -> HostRoom:
    return host_room(reading or machine(), tenants)


def filled(start: HostRoom, estimate: Estimate, most: int = 1000) -> HostRoom:
    """A machine on which as many such runs were started as fit."""
    left = start
    while not left.why_not(estimate) and left.runs < most:
        left = left.with_run(estimate)
    return left


# Memory


def test_that_runs_are_started_until_their_memory_would_not_leave_the_reserve() -> None:
    assert filled(room(), needs(5000, 0.1)).runs == 5  # 3200 MiB stay free


def test_that_what_a_run_will_still_take_is_not_given_to_another() -> None:
    loading = HostTenant(needs(20000, 1.0), memory=2000, cpu=1.0)
    why = room(loading).why_not(needs(12000))
    assert why == (
        'a run is expected to take 12000 MiB of host memory; 30000 of 32000 MiB are free, of which 3200 MiB stay '
        'free, 18000 MiB are still taken by runs that were started'
    )
    assert not room(loading).why_not(needs(8000))


def test_that_a_run_past_its_start_is_expected_to_take_what_is_likely_and_no_more() -> None:
    estimate = Estimate(host_memory=Guess(4000, 20000))
    assert room(HostTenant(estimate, 4000)).promised == 16000
    assert room(HostTenant(estimate, 4000, age=60.0)).promised == 0


def test_that_nothing_is_started_beside_others_that_leave_no_more_than_the_reserve() -> None:
    full = machine(free=3000)
    assert room(reading=full).why_not(NOTHING_EXPECTED).startswith('host memory: 3000 of 32000 MiB are free')


def test_that_a_run_that_is_expected_to_take_more_than_there_is_gets_the_machine_for_itself() -> None:
    assert not room().why_not(needs(50000))
    assert room(HostTenant()).why_not(needs(50000))
    assert room(reading=machine(free=10000)).why_not(needs(50000))


def test_that_memory_that_cannot_be_read_is_no_limit() -> None:
    assert not room(HostTenant(), reading=machine(None, None)).why_not(needs(50000))


# Cores


@pytest.mark.parametrize(
    ('cores', 'cpu', 'runs'),
    [
        (8, 1.0, 8),
        (8, 1.02, 8),
        (8, 3.7, 2),
        (4, 3.7, 1),
        (6, 3.7, 2),
        (2, 8.0, 1),
        (2, 0.1, 8),
        (2.5, 1.0, 3),
    ],
)
def test_how_many_runs_share_the_cores(cores: float, cpu: float, runs: int) -> None:
    assert filled(room(reading=machine(cores=cores)), needs(cpu=cpu)).runs == runs


def test_that_cores_that_others_keep_busy_are_not_given_away() -> None:
    beside = room(HostTenant(needs(cpu=1.0), cpu=1.0), reading=machine(busy=6.0))
    assert beside.others == 5.0
    assert filled(beside, needs(cpu=1.0)).runs == 3


@pytest.mark.parametrize(('cpu', 'runs'), [(3.7, 1), (1.0, 1), (0.25, 4), (0.01, 32)])
def test_that_runs_that_use_no_more_than_a_core_are_started_however_busy_others_are(cpu: float, runs: int) -> None:
    assert filled(room(reading=machine(busy=8.0)), needs(cpu=cpu)).runs == runs


def test_that_a_run_that_has_not_begun_to_compute_keeps_its_cores() -> None:
    waits = HostTenant(needs(cpu=3.7), cpu=0.0)
    assert room(waits, reading=machine(cores=4)).why_not(needs(cpu=3.7)) == (
        'a run needs 3.7 of the 4 cores, and 1 run keeps 3.7 of them busy'
    )


def test_that_a_run_past_its_start_is_counted_as_what_it_uses() -> None:
    assert room(HostTenant(needs(cpu=7.5), cpu=1.0, age=59.0)).ours == 7.5
    assert room(HostTenant(needs(cpu=7.5), cpu=1.0, age=60.0)).ours == 1.0


def test_that_the_end_of_a_run_leaves_what_was_there_before_it() -> None:
    tenant = HostTenant(needs(6000, 2.0), memory=4000, cpu=1.0)
    left = room(tenant).without(tenant)
    assert (left.promised, left.ours, left.runs, left.memory_free) == (0, 0, 0, 34000)


def test_that_what_runs_use_beyond_what_was_expected_counts() -> None:
    assert room(HostTenant(needs(cpu=1.0), cpu=6.0), reading=machine(busy=6.0)).cores_free == 2.0


# Beside GPUs


def test_that_gpus_are_not_left_idle_since_others_use_the_cores() -> None:
    assert filled(host_room_for_gpus(machine(busy=8.0), ()), needs(cpu=1.0)).runs == 8


def test_that_gpus_are_not_left_idle_since_nothing_is_known_yet() -> None:
    assert filled(host_room_for_gpus(machine(cores=1), ()), NOTHING_EXPECTED, 9).runs == 9


def test_that_runs_on_gpus_fill_neither_the_memory_nor_the_cores_of_the_host() -> None:
    assert filled(host_room_for_gpus(machine(), ()), needs(9000, 0.5)).runs == 2
    assert filled(host_room_for_gpus(machine(), ()), needs(100, 3.7)).runs == 2


sizes = st.floats(0, 40000)
loads = st.floats(0, 20)
estimates = st.builds(needs, st.none() | sizes, st.none() | loads)
tenants = st.lists(st.builds(HostTenant, estimates, st.none() | st.integers(0, 40000), st.none() | loads), max_size=6)
readings = st.builds(machine, st.just(32000), st.integers(0, 32000), st.floats(0.5, 64), st.floats(0, 64))


@given(readings, tenants, estimates)
def test_that_starts_never_promise_what_is_to_stay_free(
    reading: HostReading, held: list[HostTenant], estimate: Estimate
) -> None:
    before = host_room(reading, held)
    after = filled(before, estimate)
    if after.runs - before.runs > 1 and after.memory_room is not None:
        assert after.memory_room >= 0 or not before.runs


@given(readings, tenants, estimates)
def test_that_a_start_only_takes_room(reading: HostReading, held: list[HostTenant], estimate: Estimate) -> None:
    before = host_room(reading, held)
    if before.runs and before.why_not(estimate):
        assert before.with_run(estimate).why_not(estimate)


@given(readings, tenants, estimates)
def test_that_a_machine_gets_a_bounded_number_of_runs(
    reading: HostReading, held: list[HostTenant], estimate: Estimate
) -> None:
    before = host_room(reading, held)
    assert filled(before, estimate).runs <= max(before.runs, 4 * reading.cores + 1)


def test_that_what_runs_of_other_searches_will_take_is_reserved() -> None:
    reading = HostReading(0.0, 32_000, 20_000, 8, 2.0)
    starts = [OtherStart((), 0.0, 60.0, 'user bob', host_memory=6_000, cpu=3.0), OtherStart((), 0.0, 60.0, 'user bob')]
    left = with_starts(reading, starts)
    assert (left.memory_free, left.busy) == (14_000, 5.0)
    assert with_starts(reading, []) == reading
    assert with_starts(HostReading(0.0), starts) == HostReading(0.0, cores=1.0, busy=1.0)
