"""What an attempt is measured to use, from samples at times that are made up."""

from __future__ import annotations

import pytest

from hpsearch.model.usage.measured import NOTHING_MEASURED, Measured
from hpsearch.model.usage.meter import GpuMeter, HostMeter, Meter, Occupancy


def metered(*samples: tuple[float, int], load: float | None = 0.5, started: float = 0.0) -> GpuMeter:
    """A meter of GPU 0 after samples of time and memory."""
    meter = GpuMeter(started)
    for at, memory in samples:
        meter.note('0', at, memory, load)
    return meter


def each_second(begin: int, end: int, memory: int) -> list[tuple[float, int]]:
    return [(float(at), memory) for at in range(begin, end)]


def test_that_nothing_is_known_before_the_first_sample() -> None:
    assert Meter(5.0).measured(5.0) == NOTHING_MEASURED


def test_that_the_peak_is_that_of_the_gpu_where_most_was_used() -> None:
    meter = GpuMeter(0.0)
    meter.note('0', 1.0, 300, None)
    meter.note('1', 1.0, 700, None)
    meter.note('0', 2.0, 500, None)
    meter.note('1', 2.0, 200, None)
    assert (meter.peak, meter.memory) == (700, 700)


def test_that_memory_has_settled_when_it_has_not_grown_for_a_while() -> None:
    growing = [*each_second(1, 4, 400), (4.0, 3000)]
    assert not metered(*growing, *each_second(5, 14, 3000)).is_settled
    meter = metered(*growing, *each_second(5, 15, 3000))
    assert meter.is_settled
    assert meter.settled_after == 4.0


def test_that_the_time_until_it_has_settled_counts_from_the_start() -> None:
    assert metered((101.0, 500), *each_second(102, 120, 500), started=100.0).settled_after == 1.0


def test_that_what_loads_for_long_is_watched_for_longer() -> None:
    growing = [(float(at), 100 * at) for at in range(1, 41)]
    assert not metered(*growing, *each_second(41, 60, 4000)).is_settled
    assert metered(*growing, *each_second(41, 61, 4000)).is_settled


def test_that_a_later_growth_unsettles_it() -> None:
    settled = [*each_second(1, 20, 1000)]
    meter = metered(*settled, (20.0, 2000))
    assert (meter.is_settled, meter.settled_after) == (False, None)
    assert metered(*settled, *each_second(20, 31, 2000)).settled_after == 20.0


def test_that_small_changes_are_no_growth_and_many_of_them_are() -> None:
    assert metered(*((float(at), 2000 + at % 3 * 10) for at in range(1, 20))).settled_after == 1.0
    assert metered(*((float(at), 2000 + at * 10) for at in range(1, 20))).settled_after is None


def test_that_memory_that_was_given_back_may_be_taken_again() -> None:
    meter = metered(*each_second(1, 20, 2000), (20.0, 500))
    assert (meter.is_settled, meter.settled_after, meter.memory, meter.peak) == (False, 1.0, 500, 2000)


def test_that_what_has_not_computed_anything_yet_is_watched_for_longer() -> None:
    idle = each_second(1, 60, 400)
    assert not metered(*idle, load=0.0).is_settled
    assert metered(*idle, (60.0, 400), (61.0, 400), load=0.0).is_settled
    assert metered(*idle, load=None).is_settled


def test_that_no_memory_never_settles() -> None:
    assert not metered(*each_second(1, 100, 0)).is_settled


def test_that_the_load_is_that_since_memory_has_settled() -> None:
    meter = GpuMeter(0.0)
    meter.note('0', 1.0, 400, 0.0)
    meter.note('0', 5.0, 2000, 0.1)
    assert meter.load == pytest.approx(0.08)  # since its first use, as long as it has not settled
    for at in range(6, 20):
        meter.note('0', float(at), 2000, 0.9)
    assert meter.load == pytest.approx(0.9)


def test_that_load_counts_by_the_time_between_samples() -> None:
    meter = GpuMeter(0.0)
    meter.note('0', 1.0, 400, 1.0)
    meter.note('0', 4.0, 400, 0.2)
    assert meter.load == pytest.approx((1.0 + 3 * 0.2) / 4)


def test_that_load_before_the_first_use_of_a_gpu_does_not_count() -> None:
    meter = metered(*each_second(1, 9, 0), load=0.0)
    assert meter.load is None
    meter.note('0', 9.0, 500, 0.6)
    assert meter.load == pytest.approx(0.6)


def test_that_a_load_that_is_not_known_stays_so() -> None:
    assert metered(*each_second(1, 20, 500), load=None).load is None


def test_that_an_adopted_attempt_settles_at_a_time_that_nobody_knows() -> None:
    meter = metered((1000.0, 3000), *each_second(1001, 1100, 3000))
    assert (meter.is_settled, meter.settled_after, meter.peak) == (True, None, 3000)
    assert meter.load == pytest.approx(0.5)


def test_that_what_is_certain_replaces_what_was_found_by_difference() -> None:
    meter = GpuMeter(0.0)
    meter.note('0', 1.0, 9000, 0.9, is_certain=False)
    assert meter.peak == 9000
    meter.note('0', 2.0, 300, 0.1)
    meter.note('0', 3.0, 9000, 0.9, is_certain=False)
    assert (meter.peak, meter.memory) == (300, 300)


def test_that_what_was_not_settled_is_not_known_once_it_cannot_be_told_from_others() -> None:
    for seconds, known in ((5, None), (20, 500)):
        meter = GpuMeter(0.0)
        for at in range(1, seconds):
            meter.note('0', float(at), 500, 0.5, is_certain=False)
        meter.lose()
        assert (meter.peak, meter.memory, meter.is_settled) == (known, known, known is not None)


def test_that_processors_count_since_the_start_and_no_time_is_given_back() -> None:
    meter = HostMeter(10.0)
    meter.note(12.0, 100, 4.0)
    assert meter.cpu == 2.0
    meter.note(14.0, 80, 3.0)  # a process ended unseen
    assert (meter.cpu, meter.peak) == (1.0, 100)
    meter.note(20.0, None, None)
    assert (meter.cpu, meter.peak) == (1.0, 100)


def test_that_processes_which_have_ended_say_nothing_of_the_memory_of_a_run() -> None:
    meter = HostMeter(0.0)
    meter.note(1.0, 0, 0.2)
    assert (meter.peak, meter.memory) == (None, None)
    meter.note(2.0, 500, 0.9)
    meter.note(3.0, 0, 1.0)
    assert (meter.peak, meter.memory) == (500, 500)


def test_that_sharing_is_the_mean_number_of_runs_in_a_place() -> None:
    gpu, other = Occupancy(), Occupancy()
    gpu.note(0.0, 1)
    other.note(0.0, 1)
    alone = Meter(0.0, (gpu,))
    gpu.note(10.0, 2)
    second = Meter(10.0, (gpu, other))
    assert alone.measured(20.0) == Measured(sharing=1.5)
    assert second.measured(20.0) == Measured(sharing=1.5)  # two on one of its GPUs, one on the other
    assert alone.measured(10.0) == Measured(sharing=1.0)


def test_that_what_an_adopted_attempt_shared_before_is_not_counted() -> None:
    gpu = Occupancy()
    adopted = Meter(0.0, (gpu,), since=100.0)
    gpu.note(100.0, 2)
    assert adopted.measured(110.0).sharing == 2.0


def test_that_what_is_used_now_is_told_apart_from_the_most() -> None:
    meter = HostMeter(0.0)
    meter.note(10.0, 500, 1.0)
    meter.note(12.0, 300, 9.0)
    assert (meter.peak, meter.memory) == (500, 300)
