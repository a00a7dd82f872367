"""A backend of this machine that leaves something to others, with real processes and readings made up."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from hpsearch.backends.local.backend import LocalBackend
from hpsearch.backends.local.machine_gate import MachineGate
from hpsearch.backends.local.slots import FixedSlots
from hpsearch.host.signals import Wakeup
from hpsearch.model.usage.host import HostReading
from hpsearch.packing.neighbours.hours import parse_hours
from hpsearch.packing.neighbours.machine import MachineLimits
from hpsearch.packing.neighbours.policy import NeighbourPolicy
from hpsearch.store.folder import SearchFolder
from tests.support.harness import ends, launch, new_folder, shell, start

EVENING, MORNING = 21 * 60.0, 9 * 60.0


@pytest.fixture
def folder(tmp_path: Path) -> SearchFolder:
    return new_folder(tmp_path / 'search')


@contextmanager
def backend_with(folder: SearchFolder, gate: MachineGate) -> Iterator[LocalBackend]:
    with Wakeup() as wakeup:
        backend = LocalBackend(folder, str(folder.path), FixedSlots(4), wakeup, gate=gate)
        yield backend
        backend.cancel(list(backend.states(time.monotonic())), force=True)
        backend.close()


def test_that_no_slot_is_open_outside_the_hours_and_all_runs_make_room_at_their_end(folder: SearchFolder) -> None:
    minute = [EVENING]
    policy = NeighbourPolicy(hours=parse_hours('20:00-08:00'), yields=True)
    with backend_with(folder, MachineGate(policy, lambda: minute[0])) as backend:
        now = time.monotonic()
        assert len(backend.open_slots(now).slots) == 4
        idents = start(backend, *(launch(folder, name, *shell('sleep 600')) for name in ('sim_1', 'sim_2')))
        assert backend.leaving(now) == {}
        minute[0] = MORNING
        placement = backend.open_slots(now)
        assert placement.slots == ()
        assert placement.waiting.startswith('outside --hours=20:00-08:00; they begin again on Mon 20:00')
        assert not placement.is_final
        assert backend.leaving(now) == dict.fromkeys(idents, placement.waiting)
        backend.cancel(idents, force=True)
        ends(backend, idents)
        assert backend.leaving(now) == {}


def test_that_one_run_is_started_at_a_time_where_memory_is_left_to_others(folder: SearchFolder) -> None:
    policy = NeighbourPolicy(machine=MachineLimits(min_free=500))
    gate = MachineGate(policy, read=lambda now: HostReading(now, 2000, 1000, 8.0, 0.0))
    with backend_with(folder, gate) as backend:
        now = time.monotonic()
        assert len(backend.open_slots(now).slots) == 1
        gate.note_start(now)
        assert 'a run was started 1 s ago' in backend.open_slots(now + 1).waiting
        assert len(backend.open_slots(now + 5).slots) == 1
