"""Which places are avoided and for how long, in stepped time; and what a dispatcher makes of it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from hpsearch.backends.base import AttemptStatus, Avoided, Launch, LaunchResult
from hpsearch.dispatch.context import WorkOptions
from hpsearch.dispatch.places import ANSWER_PATIENCE, PlaceWatch
from hpsearch.model.evidence import JobState
from hpsearch.model.history.attempt import Attempt
from hpsearch.model.resources import DEFAULT_RESOURCES, GpuTenant, Placement, ResourceRequest, Slot
from hpsearch.model.retries import AVOIDED_SECONDS, RetryPolicy
from hpsearch.model.states import State
from tests.fakes.instant_backend import InstantBackend
from tests.fakes.scripted_queue import Clock
from tests.support.dispatching import Desk

FAILED = [Attempt(f'sim_{number}', 1, State.FAILED, seconds=1.0, node='n3', reason='status 1') for number in range(6)]
ON_GPU = [
    Attempt(f'sim_{n}', 1, State.FAILED, 'w', seconds=1.0, gpus=('1',), claimed_at=float(n), reason='status 1')
    for n in range(6)
]
GPU = 'GPU 1 on w'
LAST_3 = 'the last 3 runs there failed (status 1), and others elsewhere did not'


def test_that_a_bad_node_is_avoided_for_a_while_and_longer_if_it_is_still_bad() -> None:
    watch = PlaceWatch()
    found: dict[str, Sequence[Attempt]] = {'n3': FAILED[:3]}
    watch.step(found, (), 0.0)
    assert watch.avoided == {'n3': f'avoided for another 10 min 00 s: {LAST_3}'}
    found['n3'] = FAILED[:4]  # what was under way there
    watch.step(found, (), AVOIDED_SECONDS - 1)
    assert set(watch.avoided) == {'n3'}
    watch.step(found, (), AVOIDED_SECONDS)
    assert not watch.avoided
    found['n3'] = FAILED[:5]
    watch.step(found, (), AVOIDED_SECONDS + 10)
    assert set(watch.avoided) == {'n3'}
    watch.step(found, (), 3 * AVOIDED_SECONDS + 9)
    assert set(watch.avoided) == {'n3'}
    watch.step(found, (), 3 * AVOIDED_SECONDS + 10)
    assert not watch.avoided


def test_that_a_place_that_is_bad_no_more_is_not_avoided() -> None:
    watch = PlaceWatch()
    watch.step({'n3': FAILED[:3]}, (), 0.0)
    watch.take(Avoided(frozenset(watch.avoided)))
    assert watch.bad == {'n3'}
    watch.step({}, (), 1.0)
    assert not watch.avoided
    assert not watch.bad


def test_that_the_answer_of_a_queue_is_waited_for_and_not_for_ever() -> None:
    watch = PlaceWatch()
    assert not watch.is_open(0.0)
    watch.step({'n3': FAILED[:3]}, (), 0.0)
    watch.take(Avoided())
    assert watch.is_open(ANSWER_PATIENCE - 1)
    assert not watch.is_open(ANSWER_PATIENCE)
    watch.take(Avoided(indispensable=frozenset({'n3'})))
    assert not watch.is_open(0.0)
    assert not watch.bad
    watch.take(Avoided(frozenset({'n3'})))
    assert not watch.is_open(0.0)
    assert watch.bad == {'n3'}


def test_that_another_process_avoids_a_gpu_as_long_as_the_one_that_saw_it_break() -> None:
    for begin in (3.0, 300.0, AVOIDED_SECONDS + 2.9):
        watch = PlaceWatch()
        watch.step({GPU: ON_GPU[:3]}, (), begin)
        assert set(watch.avoided) == {GPU}, 'the last one failed at 3 s'
    watch.step({GPU: ON_GPU[:3]}, (), AVOIDED_SECONDS + 3)
    assert not watch.avoided


def test_that_one_run_at_a_time_is_tried_on_a_gpu_after_a_while() -> None:
    watch = PlaceWatch()
    watch.step({GPU: ON_GPU[:3]}, {GPU}, AVOIDED_SECONDS + 3)
    assert watch.avoided == {GPU: f'tried again with one run: {LAST_3}'}
    watch.step({GPU: ON_GPU[:3]}, {'GPU 0 on w'}, AVOIDED_SECONDS + 3)
    assert not watch.avoided


def test_that_a_message_says_once_for_how_long_a_place_is_avoided_and_why(caplog: pytest.LogCaptureFixture) -> None:
    watch = PlaceWatch()
    watch.step({GPU: ON_GPU[:3]}, (), 3.0)
    watch.step({GPU: ON_GPU[:4]}, (), 4.0)
    assert caplog.messages == [f'{GPU} is avoided for 10 min 00 s: {LAST_3}']


def test_that_only_the_gpus_of_a_host_are_its_own() -> None:
    watch = PlaceWatch()
    found = {GPU: ON_GPU[:3], 'n3': FAILED[:3]}
    watch.step(found, (), 3.0)
    assert list(watch.own_gpus('w', found)) == ['1']
    assert watch.own_gpus('another', found) == {}


def test_that_the_gpus_of_a_job_are_those_of_the_writer_in_it() -> None:
    watch = PlaceWatch()
    failed = [replace(each, node='n3') for each in ON_GPU[:3]]
    found = dict.fromkeys(failed[0].places, failed)
    watch.step(found, (), 3.0)
    assert set(watch.avoided) == {'n3', 'GPU 1 on n3, w'}
    assert list(watch.own_gpus('w', found)) == ['1']
    assert watch.own_gpus('another', found) == {}


class Cluster(InstantBackend):
    """Runs fail at once on n3, which is always free; elsewhere they take long, and finish.

    Attributes:
        asked: The nodes it was asked to avoid last.
        is_alone: Whether n3 is all there is.
        fails: Whether they fail everywhere.
    """

    def __init__(self, clock: Clock, *, is_alone: bool = False, fails: bool = False) -> None:
        super().__init__(clock, slots=4, rounds_at_most=200)
        self.asked: frozenset[str] = frozenset()
        self.is_alone = is_alone
        self.fails = fails
        self._others = 0

    def avoid(self, nodes: frozenset[str], now: float) -> Avoided:
        self.asked = nodes
        return Avoided(frozenset(), nodes) if self.is_alone else Avoided(nodes)

    def states(self, now: float) -> Mapping[str, AttemptStatus]:
        idents, told = list(self._held), {}
        for place, ident in enumerate(idents):
            if self.is_alone or (place == len(idents) - 1 and 'n3' not in self.asked):
                told[ident] = AttemptStatus(JobState.ENDED, 1, seconds=1.0, node='n3')
            elif self.fails:
                told[ident] = AttemptStatus(JobState.ENDED, 1, seconds=1.0, node=f'n{place % 2 + 1}')
            else:
                self._others += 1
                if self._others % 7 == 0:
                    told[ident] = AttemptStatus(JobState.ENDED, 0, seconds=3600.0, node='n1')
        for ident in told:
            del self._held[ident]
        return told


def worked(path: Path, count: int = 40, **cluster: Any) -> tuple[Desk, Any]:
    """A search on such a cluster, and how it ended."""
    desk = Desk(path, count, WorkOptions(in_queue=True, fail_fast=5))
    return desk, desk.dispatcher(Cluster(desk.clock, **cluster)).run()


def test_that_one_bad_node_fails_no_run_and_does_not_stop_the_search(tmp_path: Path) -> None:
    desk, outcome = worked(tmp_path)
    assert not outcome.failed_fast
    assert {history.state for history in desk.state.runs.values()} == {State.FINISHED}
    on_n3 = [event for event in desk.events('ended') if event['node'] == 'n3']
    assert 3 <= len(on_n3) <= 6
    assert len(desk.state.runs) == 40


@pytest.mark.parametrize('cluster', [{'fails': True}, {'is_alone': True}])
def test_that_runs_that_fail_on_all_nodes_there_are_stop_the_search(tmp_path: Path, cluster: dict[str, bool]) -> None:
    desk, outcome = worked(tmp_path, **cluster)
    assert outcome.failed_fast
    assert len(desk.events('ended')) < 20


class Machine(InstantBackend):
    """A machine with GPUs, on which runs take 100 seconds; where they fail, 1 second.

    Attributes:
        broken: The GPUs on which they fail.
        avoided: The GPUs that are avoided, each with the reason.
        told: All that were ever avoided.
    """

    def __init__(self, clock: Clock, gpus: str = '01', broken: str = '1', runs_per_gpu: int = 1) -> None:
        super().__init__(clock, rounds_at_most=5000)
        self.gpus = gpus
        self.broken = set(broken)
        self.avoided: Mapping[str, str] = {}
        self.told: set[str] = set()
        self._runs_per_gpu = runs_per_gpu
        self._since: dict[str, float] = {}

    def avoid_gpus(self, gpus: Mapping[str, str]) -> None:
        self.avoided = gpus
        self.told |= set(gpus)

    def open_slots(
        self, now: float, others: Sequence[GpuTenant] = (), resources: ResourceRequest = DEFAULT_RESOURCES
    ) -> Placement:
        taken = [launch.slot.gpus[0] for launch in self._held.values()]
        ready = [gpu for gpu in self.gpus if gpu not in self.avoided and taken.count(gpu) < self._runs_per_gpu]
        return Placement(tuple(Slot((gpu,), gpu) for gpu in ready), dict(self.avoided))

    def start(self, launches: Iterable[Launch], now: float) -> Sequence[LaunchResult]:
        self._since.update({launch.ident: now for launch in launches})
        return super().start(launches, now)

    def _takes(self, launch: Launch) -> float:
        return 1.0 if launch.slot.gpus[0] in self.broken else 100.0

    def states(self, now: float) -> Mapping[str, AttemptStatus]:
        told = {}
        for ident, launch in list(self._held.items()):
            takes, age = self._takes(launch), now - self._since[ident]
            if age >= takes:
                told[ident] = AttemptStatus(JobState.ENDED, int(takes == 1.0), seconds=age)
                del self._held[ident]
        return told

    def wait(self, timeout: float) -> None:
        """Until the next one ends."""
        left = [self._since[ident] + self._takes(launch) - self._clock.now for ident, launch in self._held.items()]
        super().wait(max(timeout, min(left, default=0.0)))


def worked_on(path: Path, count: int = 12, *, retries: int = 0, **machine: Any) -> tuple[Desk, Machine, Any]:
    """A search on such a machine, and how it ended."""
    desk = Desk(path, count, WorkOptions(retry=RetryPolicy(retries=retries)))
    backend = Machine(desk.clock, **machine)
    return desk, backend, desk.dispatcher(backend).run()


def ends_on(desk: Desk, gpu: str) -> list[dict[str, Any]]:
    """How attempts ended on a GPU."""
    where = {(event['run'], event['attempt']): event['gpus'] for event in desk.events('claimed')}
    return [event for event in desk.events('ended') if where[event['run'], event['attempt']] == [gpu]]


@pytest.mark.parametrize('runs_per_gpu', [1, 5])
def test_that_one_broken_gpu_fails_no_run_and_does_not_stop_the_search(tmp_path: Path, runs_per_gpu: int) -> None:
    desk, machine, outcome = worked_on(tmp_path, 30, runs_per_gpu=runs_per_gpu)
    assert not outcome.failed_fast
    assert {history.state for history in desk.state.runs.values()} == {State.FINISHED}
    assert len(desk.state.runs) == 30
    assert {event['state'] for event in ends_on(desk, '0')} == {'finished'}
    assert machine.told == {'1'}


def test_that_the_broken_gpu_is_tried_again_with_one_run_at_a_time_after_ever_longer_times(tmp_path: Path) -> None:
    desk, _, _ = worked_on(tmp_path, 60, runs_per_gpu=2)
    at = sorted(event['at'] for event in desk.events('claimed') if event['gpus'] == ['1'])
    first = [moment for moment in at if moment < at[0] + AVOIDED_SECONDS]
    later = [moment - at[0] for moment in at[len(first) :]]
    assert len(later) == 2
    assert [moment // AVOIDED_SECONDS for moment in later] == [1, 3]


def test_that_a_gpu_that_works_again_is_used_again(tmp_path: Path) -> None:
    desk = Desk(tmp_path, 60, WorkOptions())
    machine = Machine(desk.clock)
    dispatcher = desk.dispatcher(machine)
    machine.broken = Until(desk.clock, desk.clock.now + 300.0)
    dispatcher.run()
    states = [event['state'] for event in ends_on(desk, '1')]
    assert states[:3] == ['failed'] * 3
    assert set(states[3:]) == {'finished'} and len(states) > 10


class Until(set[str]):
    """GPU 1, until a moment."""

    def __init__(self, clock: Clock, end: float) -> None:
        super().__init__()
        self._clock, self._end = clock, end

    def __contains__(self, gpu: object) -> bool:
        return gpu == '1' and self._clock.now < self._end


@pytest.mark.parametrize('machine', [{'broken': '01'}, {'gpus': '1'}, {'broken': '01', 'runs_per_gpu': 5}])
def test_that_runs_that_fail_on_all_gpus_there_are_stop_the_search(tmp_path: Path, machine: dict[str, Any]) -> None:
    desk, backend, outcome = worked_on(tmp_path, 40, **machine)
    assert outcome.failed_fast
    assert len(desk.events('ended')) <= 10
    assert not backend.told, 'no GPU is to blame'


def test_that_what_seems_to_run_on_another_host_does_not_show_that_the_gpus_here_are_bad(tmp_path: Path) -> None:
    """It may have ended long ago."""
    desk = Desk(tmp_path, 40, WorkOptions())
    elsewhere = '20260101-000000_ws2_17_ab12'
    for event in ({'event': 'claimed', 'gpus': ['0'], 'at': 0.0}, {'event': 'running'}):
        desk.state.fold(elsewhere, {**event, 'run': 'sim_40', 'attempt': 1})
    machine = Machine(desk.clock, broken='01')
    assert desk.dispatcher(machine).run().failed_fast
    assert not machine.told


def test_that_what_a_broken_gpu_failed_does_not_use_up_retries(tmp_path: Path) -> None:
    desk, _, _ = worked_on(tmp_path, retries=1)
    assert {history.state for history in desk.state.runs.values()} == {State.FINISHED}


def test_that_a_search_that_is_resumed_knows_the_broken_gpu(tmp_path: Path) -> None:
    desk = Desk(tmp_path, 12, WorkOptions())
    machine = Machine(desk.clock)
    dispatcher = desk.dispatcher(machine)
    while '1' not in machine.avoided:
        dispatcher._step(desk.clock())
        desk.clock.now += 1.0
    later = Machine(desk.clock)
    desk.dispatcher(later)._step(desk.clock())
    assert set(later.avoided) == {'1'}
