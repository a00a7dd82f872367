from __future__ import annotations

from collections.abc import Collection
from pathlib import Path

from hpsearch.host.machine.cgroups import Cgroups, CoreLimit, MemoryLimit
from hpsearch.host.machine.reading import Machine

GIB = 1 << 30
MEMORY = (64 * GIB, 48 * GIB)


class Limits(Cgroups):
    """Limits that a test sets."""

    def __init__(self, memory: MemoryLimit | None = None, cores: CoreLimit | None = None) -> None:
        self._own = memory, cores

    def memory(self) -> MemoryLimit | None:
        return self._own[0]

    def cores(self) -> CoreLimit | None:
        return self._own[1]


class Clocks:
    """The seconds for which cores were idle, as a test sets them."""

    def __init__(self) -> None:
        self.idle: float | None = 100.0

    def __call__(self, cores: Collection[int]) -> float | None:
        return self.idle


def machine(clocks: Clocks, limits: Cgroups | None = None, cores: int = 8) -> Machine:
    return Machine(limits or Limits(), lambda: MEMORY, lambda: range(cores), clocks)


def test_that_busy_cores_are_known_from_the_second_reading_on() -> None:
    clocks = Clocks()
    own = machine(clocks)
    first = own.read(0.0)
    clocks.idle = 111.0
    assert (first.cores, first.busy) == (8, None)
    assert own.read(2.0).busy == 2.5


def test_that_a_reading_soon_after_another_repeats_how_busy_the_cores_were() -> None:
    clocks = Clocks()
    own = machine(clocks)
    own.read(0.0)
    clocks.idle = 108.0
    own.read(2.0)
    clocks.idle = 108.01
    assert own.read(2.1).busy == 4.0


def test_that_the_memory_of_a_job_counts_where_it_is_less() -> None:
    small = machine(Clocks(), Limits(MemoryLimit(8192, 2048))).read(0.0)
    large = machine(Clocks(), Limits(MemoryLimit(1 << 30, 0))).read(0.0)
    assert (small.memory_total, small.memory_free) == (8192, 6144)
    assert (large.memory_total, large.memory_free) == (64 * 1024, 48 * 1024)


def test_that_in_a_job_the_cores_that_it_has_used_are_busy_and_those_that_the_machine_has_not(tmp_path: Path) -> None:
    usage, clocks = tmp_path / 'cpuacct.usage', Clocks()
    usage.write_text('0')
    own = machine(clocks, Limits(cores=CoreLimit(4.0, usage)), cores=32)
    own.read(0.0)
    usage.write_text(str(3 * 10**9))
    clocks.idle = 100.0 + 40
    assert own.read(2.0).busy == 1.5
    clocks.idle = 140.0 + 2
    assert own.read(4.0).busy == 3.0  # one core is idle, although the job has used none


def test_that_no_clocks_leave_it_unknown() -> None:
    clocks = Clocks()
    clocks.idle = None
    own = machine(clocks)
    own.read(0.0)
    assert own.read(5.0).busy is None


def test_that_this_machine_can_be_read() -> None:
    reading = Machine().read()
    assert reading.memory_total is not None
    assert reading.memory_free is not None
    assert 0 < reading.memory_free <= reading.memory_total
    assert reading.cores > 0
