"""What of the GPUs is left to others, with stepped time, readings made up, and real processes of somebody else."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any, cast

import pytest

from hpsearch.backends.local.gpu_neighbours import GpuNeighbours
from hpsearch.backends.local.gpu_slots import GpuSlots
from hpsearch.backends.local.machine_gate import MachineGate
from hpsearch.host import shared_folder
from hpsearch.host.gpu.monitor import GpuMonitor
from hpsearch.host.gpu.starts import GpuStarts
from hpsearch.model.resources import Gpu, GpuPolicy, GpuProcess, Slot
from hpsearch.packing.box import Candidate, PackingPolicy
from hpsearch.packing.neighbours.hours import parse_hours
from hpsearch.packing.neighbours.policy import NeighbourPolicy
from hpsearch.packing.neighbours.quota import Quota
from hpsearch.packing.neighbours.strangers import Limits
from tests.unit.backends.test_slots import Monitor

OWN_GROUP, OWN_PID = os.getpgid(0), os.getpid()


@pytest.fixture(autouse=True)
def shared(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The folder in which the starts on GPUs are."""
    monkeypatch.setattr(shared_folder, 'PLACE', str(tmp_path / 'shared'))


@pytest.fixture
def stranger() -> Iterator[GpuProcess]:
    """A process that belongs to no run."""
    with subprocess.Popen(['sleep', '60'], start_new_session=True) as process:
        yield GpuProcess(process.pid, 9000)
        process.kill()


def slots_with(policy: NeighbourPolicy, count: int = 1, packing: PackingPolicy | None = None) -> tuple[GpuSlots, Any]:
    monitor = Monitor(dict.fromkeys(map(str, range(count)), 40000))
    gpus = [Gpu(name, '', 'Fake', name) for name in monitor.totals]
    thresholds = GpuPolicy(startup_time=0.0, max_runs_per_gpu=2, window=5.0)
    neighbours = GpuNeighbours(gpus, policy, Limits(0.5, 0.5))
    return GpuSlots(cast(GpuMonitor, monitor), gpus, thresholds, GpuStarts(), packing, neighbours), monitor


def test_that_a_gpu_with_somebody_else_is_closed_in_both_kinds_of_packing(stranger: GpuProcess) -> None:
    for packing in (None, PackingPolicy(startup_time=0.0)):
        slots, monitor = slots_with(NeighbourPolicy(keeps_away=True), 2, packing)
        monitor.read(10.0, {'1': [stranger]}, gpu1=9000)
        placed: Any = slots.pack(10.0, [Candidate('a'), Candidate('b')]) if packing else slots.open_slots(10.0)
        assert f'pid {stranger.pid}, sleep, 8.8 GiB' in placed.closed['1']
        given = [start.slot for start in placed.starts] if packing else placed.slots
        assert {slot.gpus for slot in given} == {('0',)}


def test_that_the_thresholds_alone_decide_where_nothing_else_is_asked_for(stranger: GpuProcess) -> None:
    slots, monitor = slots_with(NeighbourPolicy())
    monitor.read(10.0, {'0': [stranger]}, gpu0=9000)
    assert [slot.gpus for slot in slots.open_slots(10.0).slots] == [('0',)]


def test_that_the_youngest_attempt_makes_room_and_the_next_one_follows(stranger: GpuProcess) -> None:
    slots, monitor = slots_with(NeighbourPolicy(keeps_away=True, yields=True))
    for ident, started in (('old', 1.0), ('young', 2.0)):
        slots.acquire(ident, Slot(('0',)), OWN_GROUP, started)
    asked: dict[int, list[str]] = {}
    for second in range(3, 40):
        monitor.read(float(second), {'0': [stranger, GpuProcess(OWN_PID, 20000)]}, gpu0=30000)
        if chosen := slots.leaving(['young'] if asked else [], float(second)):
            asked[second] = list(chosen)
        if second == 20:
            slots.release('young', 20.0)
    assert [*asked.items()][:2] == [(13, ['young']), (25, ['old'])]


def test_that_nobody_makes_room_where_that_is_not_asked_for(stranger: GpuProcess) -> None:
    slots, monitor = slots_with(NeighbourPolicy(keeps_away=True))
    slots.acquire('one', Slot(('0',)), OWN_GROUP, 1.0)
    for second in range(3, 30):
        monitor.read(float(second), {'0': [stranger]}, gpu0=30000)
        assert not slots.leaving([], float(second))


def test_that_a_share_holds_in_both_kinds_of_packing() -> None:
    runs = [Candidate(f'r{number}') for number in range(4)]
    for packing in (None, PackingPolicy(startup_time=0.0)):
        slots, monitor = slots_with(NeighbourPolicy(Quota(max_gpus=2)), 4, packing)
        monitor.read(10.0)
        placed: Any = slots.pack(10.0, runs) if packing else slots.open_slots(10.0)
        assert len(placed.starts if packing else placed.slots) == 2
        for number in range(2):
            slots.acquire(f'a{number}', Slot((str(number),)), OWN_GROUP, 10.0)
        again: Any = slots.pack(10.1, runs) if packing else slots.open_slots(10.1)
        assert '--max_gpus is 2' in again.closed['3']


def test_that_a_gpu_is_shown_with_who_uses_it(stranger: GpuProcess) -> None:
    slots, monitor = slots_with(NeighbourPolicy())
    slots.acquire('one', Slot(('0',)), OWN_GROUP, 1.0, candidate=Candidate('sim_1'))
    monitor.read(3.0, {'0': [GpuProcess(OWN_PID, 500), stranger]}, gpu0=9500)
    texts = [holder.text for holder in slots.gpu_lines(3.0)[0].holders]
    assert texts[0] == 'sim_1, 500 MiB'
    assert texts[1].endswith(f'pid {stranger.pid}, sleep, 8.8 GiB')


def test_that_all_runs_make_room_at_the_end_of_the_hours_where_that_is_asked_for() -> None:
    minute = [21 * 60.0]
    hours = parse_hours('20:00-08:00')
    yields, stays = (
        MachineGate(NeighbourPolicy(hours=hours, yields=each), lambda: minute[0]) for each in (True, False)
    )
    assert yields.why_leave() == ''
    minute[0] = 32 * 60.0
    assert yields.why_leave().startswith('outside --hours=20:00-08:00; they begin again on Tue 20:00')
    assert stays.why_leave() == ''
