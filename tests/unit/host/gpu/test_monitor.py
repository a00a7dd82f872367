from __future__ import annotations

import threading
from collections.abc import Sequence
from types import SimpleNamespace

from hpsearch.host.gpu.monitor import HURRIED_INTERVAL, HURRY_FOR, GpuMonitor, pause
from hpsearch.model.resources import Gpu, Reading

PATIENCE = 20.0
"""Seconds after which something that must happen has not: a failure, not a measurement."""

ONE = Gpu('0', 'GPU-0', 'Some Model', '0')
TWO = Gpu('1', 'GPU-1', 'Some Model', '1')


class SteppedSource:
    """Readings that are taken only when a test allows one more; ``begun`` counts those that were begun."""

    def __init__(self, *names: str) -> None:
        self.allowed = {name: threading.Semaphore(0) for name in names}
        self.begun = threading.Semaphore(0)
        self.gpus: Sequence[Gpu] = ()
        self.notes: Sequence[str] = ()
        self.closed = False

    def read(self, name: str, now: float) -> Reading:
        self.begun.release()
        assert self.allowed[name].acquire(timeout=PATIENCE)
        return Reading(now, memory_used=0, memory_total=1, load=0.0)

    def close(self) -> None:
        self.closed = True

    def wait_until_begun(self, count: int) -> None:
        for _ in range(count):
            assert self.begun.acquire(timeout=PATIENCE)


class Clock:
    """A clock that goes on by one second at each look."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        self.now += 1.0
        return self.now


class Seen:
    """Counts readings and lets a test wait for the next one."""

    def __init__(self) -> None:
        self.news = threading.Semaphore(0)

    def __call__(self) -> None:
        self.news.release()

    def wait(self, count: int = 1) -> None:
        for _ in range(count):
            assert self.news.acquire(timeout=PATIENCE)


def test_that_a_gpu_that_hangs_does_not_hold_up_the_others() -> None:
    source, seen = SteppedSource('0', '1'), Seen()
    monitor = GpuMonitor(source, [ONE, TWO], interval=0.001, on_reading=seen)
    source.allowed['1'].release(3)
    seen.wait(3)
    readings = monitor.readings()
    assert (len(readings['0']), len(readings['1'])) == (0, 3)
    monitor.close(patience=0.0)
    assert not source.closed
    source.allowed['0'].release()
    source.allowed['1'].release()


def test_that_only_readings_of_the_window_are_kept() -> None:
    source, seen = SteppedSource('0'), Seen()
    monitor = GpuMonitor(source, [ONE], interval=0.001, clock=Clock(), on_reading=seen, window=10.0)
    source.allowed['0'].release(30)
    seen.wait(30)
    kept = monitor.readings()['0']
    assert kept[0].at == kept[-1].at - 10
    assert [each.at for each in kept] == sorted(each.at for each in kept)
    source.allowed['0'].release()
    monitor.close()


def test_that_a_refresh_reads_at_once() -> None:
    source, seen = SteppedSource('0'), Seen()
    monitor = GpuMonitor(source, [ONE], interval=3600, on_reading=seen)
    source.allowed['0'].release(2)
    seen.wait()
    source.wait_until_begun(1)
    monitor.refresh(['0'])
    seen.wait()
    source.allowed['0'].release(9)
    monitor.close()
    assert source.closed


def test_that_one_refresh_asks_for_one_reading_at_once_and_not_for_ever() -> None:
    source, seen, clock = SteppedSource('0'), Seen(), SimpleNamespace(now=0.0)
    monitor = GpuMonitor(source, [ONE], interval=3600, clock=lambda: clock.now, on_reading=seen)
    source.allowed['0'].release()
    seen.wait()
    monitor.refresh(['0'])
    source.wait_until_begun(2)
    clock.now = HURRY_FOR
    source.allowed['0'].release()
    assert not source.begun.acquire(timeout=0.1)
    source.allowed['0'].release(9)
    monitor.close()


def test_that_readings_follow_quickly_for_a_while_after_a_refresh() -> None:
    assert pause(1.9, 2.0, 3600) == HURRIED_INTERVAL
    assert pause(2.0, 2.0, 3600) == 3600
    assert pause(1.9, 2.0, 0.1) == 0.1


def test_that_nobody_is_told_after_the_monitor_was_closed() -> None:
    source, seen = SteppedSource('0'), Seen()
    monitor = GpuMonitor(source, [ONE], interval=0.001, on_reading=seen)
    source.allowed['0'].release()
    seen.wait()
    monitor.close(patience=0.0)
    source.allowed['0'].release()
    monitor.close(PATIENCE)
    assert not seen.news.acquire(blocking=False)
    assert len(monitor.readings()['0']) == 1


def test_that_the_same_answer_again_is_no_new_reading() -> None:
    source, seen = SteppedSource('0'), Seen()
    monitor = GpuMonitor(source, [ONE], interval=0.001, clock=lambda: 5.0, on_reading=seen)
    source.allowed['0'].release(3)
    source.wait_until_begun(4)
    source.allowed['0'].release()
    monitor.close()
    assert monitor.readings() == {'0': (Reading(5.0, memory_used=0, memory_total=1, load=0.0),)}


def test_that_gpus_that_may_not_be_used_are_read_apart_and_rarely() -> None:
    source, seen = SteppedSource('0', '1'), Seen()
    for name in '01':
        source.allowed[name].release(20)
    monitor = GpuMonitor(source, [ONE], interval=0.001, on_reading=seen, elsewhere=[TWO])
    seen.wait(21)
    assert len(monitor.readings_elsewhere()['1']) == 1
    assert monitor.readings().keys() == {'0'}
    source.allowed['0'].release(20)
    monitor.close()
