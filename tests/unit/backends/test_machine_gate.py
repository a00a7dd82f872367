"""Whether a machine gets more runs, with stepped time and readings made up."""

from __future__ import annotations

from hpsearch.backends.local.machine_gate import MachineGate
from hpsearch.model.usage.host import HostReading
from hpsearch.packing.neighbours.hours import parse_hours
from hpsearch.packing.neighbours.machine import MachineLimits
from hpsearch.packing.neighbours.policy import NO_LIMITS, NeighbourPolicy


class Machine:
    """A machine whose free memory a test sets."""

    def __init__(self) -> None:
        self.free = 1000
        self.looks: list[float] = []

    def read(self, now: float) -> HostReading:
        self.looks.append(now)
        return HostReading(now, 2000, self.free, 8.0, 1.0)


def test_that_a_machine_without_limits_is_not_looked_at() -> None:
    machine = Machine()
    gate = MachineGate(NO_LIMITS, read=machine.read)
    gate.look(1.0)
    gate.note_start(1.0)
    assert (gate.why_closed(1.0), gate.opens_for_one, machine.looks) == ('', False, [])


def test_that_what_was_read_between_two_starts_counts() -> None:
    machine = Machine()
    gate = MachineGate(NeighbourPolicy(machine=MachineLimits(min_free=500)), read=machine.read)
    assert gate.opens_for_one
    assert gate.why_closed(10.0) == ''
    machine.free = 400
    gate.look(11.0)
    machine.free = 900
    assert '--min_free_ram' in gate.why_closed(12.0)
    assert gate.why_closed(16.1) == ''


def test_that_a_machine_is_read_twice_a_second_at_most() -> None:
    machine = Machine()
    gate = MachineGate(NeighbourPolicy(machine=MachineLimits(min_free=500)), read=machine.read)
    for moment in (1.0, 1.1, 1.4, 1.5, 1.6, 2.1):
        gate.look(moment)
    assert machine.looks == [1.0, 1.5, 2.1]


def test_that_the_hours_are_those_of_the_clock() -> None:
    minutes = [10 * 60.0]
    gate = MachineGate(NeighbourPolicy(hours=parse_hours('20:00-08:00')), minute=lambda: minutes[0])
    assert 'they begin again on Mon 20:00' in gate.why_closed(0.0)
    minutes[0] = 21 * 60.0
    assert gate.why_closed(1.0) == ''
