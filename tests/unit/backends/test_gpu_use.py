"""What attempts use of GPUs, from readings that are made up; which process is whose is told by its number."""

from __future__ import annotations

import logging
from dataclasses import dataclass, field

import pytest

from hpsearch.backends.local import gpu_use
from hpsearch.backends.local.gpu_use import GpuUse
from hpsearch.model.resources import GpuProcess, GpuTenant, Reading
from hpsearch.model.usage.meter import Meter

BOB = 99
"""A process of somebody else."""

IN_CONTAINER = 4711
"""One that is not in our namespace."""


@pytest.fixture(autouse=True)
def processes(monkeypatch: pytest.MonkeyPatch) -> None:
    """All processes but one are in our namespace."""
    monkeypatch.setattr(gpu_use, 'group_of', lambda pid: None if pid >= IN_CONTAINER else pid)


@dataclass
class Held:
    tenant: GpuTenant
    meter: Meter
    ended: float | None = None


@dataclass
class Box:
    """GPUs and the attempts on them: the process of ``a`` is 1, that of ``b`` is 2."""

    held: dict[str, Held] = field(default_factory=dict)
    use: GpuUse = field(default_factory=GpuUse)
    history: dict[str, list[Reading]] = field(default_factory=dict)

    def read(self, at: float, used: int | None = 0, *listed: GpuProcess, gpu: str = '0', load: float = 0.5) -> None:
        reading = Reading(at, used, 40000, load, processes=listed)
        self.history.setdefault(gpu, []).append(reading)
        self.use.take(gpu, [reading], self.held, {1: 'a', 2: 'b'}.get)

    def start(self, ident: str, at: float, *gpus: str) -> None:
        self.held[ident] = Held(GpuTenant(gpus or ('0',), at, run=f'sim_{ident}'), Meter(at))
        self.use.begin(ident, self.held, self.history, {})

    def end(self, ident: str, at: float) -> None:
        self.use.end(ident, self.held.pop(ident), self.held, at)

    def memory(self, ident: str) -> int | None:
        return self.held[ident].meter.gpu.memory

    def load(self, ident: str) -> float | None:
        return self.held[ident].meter.gpu.load


def test_that_processes_say_what_an_attempt_uses() -> None:
    box = Box()
    box.start('a', 0.0)
    box.start('b', 0.0)
    box.read(1.0, 9000, GpuProcess(1, 3000, 0.2), GpuProcess(2, 1000, 0.7), GpuProcess(BOB, 5000, 0.1))
    assert (box.memory('a'), box.memory('b')) == (3000, 1000)
    assert (box.load('a'), box.load('b')) == (0.2, 0.7)


def test_that_several_gpus_are_counted_together() -> None:
    box = Box()
    box.start('a', 0.0, '0', '1')
    box.read(1.0, 500, GpuProcess(1, 500))
    box.read(1.0, 700, GpuProcess(1, 700), gpu='1')
    assert box.memory('a') == 1200
    assert box.held['a'].meter.gpu.peak == 700


def test_that_the_load_of_the_device_is_that_of_the_only_run_on_it() -> None:
    box = Box()
    box.start('a', 0.0)
    box.read(1.0, 500, GpuProcess(1, 500), load=0.8)
    assert box.load('a') == pytest.approx(0.8)
    box.start('b', 1.0)
    box.read(2.0, 900, GpuProcess(1, 500), GpuProcess(2, 400), load=1.0)
    assert box.load('a') == pytest.approx(0.8)
    assert box.load('b') is None


def test_that_the_load_of_the_device_is_not_that_of_a_run_beside_somebody_else() -> None:
    box = Box()
    box.start('a', 0.0)
    box.read(1.0, 900, GpuProcess(1, 500), GpuProcess(BOB, 400), load=1.0)
    assert box.load('a') is None


def test_that_in_a_container_the_difference_of_the_device_is_what_the_only_run_uses() -> None:
    box = Box()
    box.read(-1.0, 2000)
    box.start('a', 0.0)
    for at in range(1, 20):
        box.read(float(at), 5000, GpuProcess(IN_CONTAINER, 5000), load=0.6)
    assert box.memory('a') == 3000
    assert box.load('a') == pytest.approx(0.6)
    assert box.held['a'].meter.gpu.settled_after == 1.0


def test_that_memory_that_is_not_told_per_process_is_found_by_difference() -> None:
    box = Box()
    box.read(-1.0, 100)
    box.start('a', 0.0)
    box.read(1.0, 600, GpuProcess(1, None))
    assert box.memory('a') == 500


def test_that_a_run_that_starts_beside_one_that_has_settled_is_what_grows() -> None:
    box = Box()
    box.read(-1.0, 0)
    box.start('a', 0.0)
    for at in range(1, 20):
        box.read(float(at), 3000)
    box.start('b', 19.0)
    box.read(20.0, 4000)
    assert (box.memory('a'), box.memory('b')) == (3000, 1000)
    box.end('a', 20.5)
    box.read(20.4, 4000)  # it was taken before, and came late
    box.read(21.0, 1200)
    assert box.memory('b') == 1200
    assert box.held['b'].meter.gpu.peak == 1200


def test_that_a_reading_that_came_right_after_the_start_was_of_before_it() -> None:
    box = Box()
    box.read(0.2, 2000)
    box.start('a', 0.0)
    box.read(1.0, 2500)
    assert box.memory('a') == 500


def test_that_nothing_is_known_by_difference_of_runs_that_load_at_the_same_time() -> None:
    box = Box()
    box.read(-1.0, 0)
    box.start('a', 0.0)
    box.read(1.0, 3000)
    box.start('b', 1.5)
    box.read(2.0, 7000)
    assert (box.memory('a'), box.memory('b')) == (None, None)


def test_that_what_was_in_use_before_is_not_known_of_an_adopted_attempt() -> None:
    box = Box()
    box.read(100.0, 3000)
    box.start('a', 0.0)
    assert box.held['a'].meter.gpu.is_lost
    box.read(101.0, 3000)
    assert box.memory('a') is None
    box.read(102.0, 3000, GpuProcess(1, 2500))
    assert box.memory('a') == 2500
    assert not box.held['a'].meter.gpu.is_lost


def test_that_a_run_of_another_writer_on_the_same_gpu_ends_the_difference() -> None:
    box = Box()
    box.read(-1.0, 0)
    box.start('a', 0.0)
    box.read(1.0, 3000)
    box.use.crowd({'0'}, box.held)
    box.read(2.0, 9000)
    assert box.memory('a') is None


def test_that_what_others_take_beside_a_run_that_has_not_used_its_gpu_is_not_its_own() -> None:
    box = Box()
    box.read(-1.0, 0)
    box.start('a', 0.0)
    box.read(1.0, 7000, GpuProcess(BOB, 7000))
    assert box.memory('a') is None
    box.read(2.0, 7500, GpuProcess(BOB, 7000), GpuProcess(1, 500))
    assert box.memory('a') == 500


def test_that_a_run_whose_processes_are_not_listed_uses_nothing_where_those_of_others_of_ours_are() -> None:
    box = Box()
    box.read(-1.0, 0)
    box.start('a', 0.0)
    box.start('b', 0.0)
    box.read(1.0, 8000, GpuProcess(2, 500))
    assert (box.memory('a'), box.memory('b')) == (0, 500)


def test_that_readings_after_an_end_say_nothing_of_an_attempt() -> None:
    box = Box()
    box.start('a', 0.0)
    box.read(1.0, 500, GpuProcess(1, 500))
    box.held['a'].ended = 1.5
    box.read(2.0, 0)
    assert box.memory('a') == 500


def test_that_a_run_on_a_gpu_that_it_was_not_given_is_named_once(caplog: pytest.LogCaptureFixture) -> None:
    box = Box()
    box.start('a', 0.0, '1')
    box.start('b', 0.0, '1')
    with caplog.at_level(logging.WARNING):
        for at in (1.0, 2.0):
            box.read(at, 1000, GpuProcess(1, 600), GpuProcess(2, 400), gpu='0')
            box.read(at, 0, gpu='1')
    assert [record.getMessage().partition(':')[0] for record in caplog.records] == [
        'sim_a uses GPU 0 although it was given GPU 1'
    ]
    assert 'CUDA_VISIBLE_DEVICES' in caplog.text
    assert (box.use.elsewhere('a'), box.use.elsewhere('b')) == (('0',), ('0',))
    assert (box.memory('a'), box.memory('b')) == (600, 400)
