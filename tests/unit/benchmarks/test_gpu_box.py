"""The simulated GPU box keeps its own rules, and packing does not fall behind thresholds on it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import pytest

from benchmarks.gpu_box.box import Box, Ended
from benchmarks.gpu_box.jobs import RESERVED, Job, Law, Phase, Visit, World, bounds, lower_bound
from benchmarks.gpu_box.policies import Oracle, Original, Packing, Policy, Thresholds
from benchmarks.gpu_box.simulation import Result, simulate
from benchmarks.gpu_box.worlds import HEAVY, LIGHT, MAIN, OTHER, Workload, make_world

SMALL = 0.12
"""Scale of the worlds of these tests."""


def job(name: str = 'run', seconds: float = 100.0, memory: int = 1000, load: float = 1.0) -> Job:
    return Job(name, [Phase(seconds, memory, load)], {})


def world(jobs: Sequence[Job], visits: Sequence[Visit] = (), total: int = 10_000, law: Law | None = None) -> World:
    return World(0, [total], jobs, visits, law or Law())


def everything(box: Box) -> list[Ended]:
    """All ends of our runs."""
    ended: list[Ended] = []
    while box.ours():
        ended += box.advance(box.now + 1000)
    return ended


def test_that_runs_which_share_a_card_get_done_what_a_card_does() -> None:
    jobs = [job('a', 100), job('b', 50), job('c', 200, load=0.5)]
    box = Box(world(jobs))
    for each in jobs:
        box.start(each, 0)
    ended = everything(box)
    assert [end.who.job.name for end in ended] == ['b', 'a', 'c']
    assert [end.who.done for end in ended] == pytest.approx([50, 100, 200])
    assert ended[0].at == pytest.approx(50 * 2.5)
    assert sum(end.who.busy for end in ended) == pytest.approx(250)
    assert ended[-1].at == pytest.approx(300), 'when it is alone, it goes as fast as it can'


def test_that_every_run_that_finishes_has_done_all_its_work() -> None:
    result = simulate(make_world(HEAVY, MAIN, 3, SMALL), Thresholds())
    for end in result.ended:
        if not end.lacked:
            assert end.who.done == pytest.approx(end.who.job.seconds, rel=1e-6)
            assert end.who.busy == pytest.approx(end.who.job.work, rel=1e-6)


def test_that_a_run_runs_out_of_memory_only_when_its_card_is_over_full() -> None:
    room = 10_000 - RESERVED
    box = Box(world([]))
    assert box.start(job('a', memory=6000), 0) is None
    assert box.start(job('b', memory=room - 6000), 0) is None
    end = box.start(job('c', memory=1), 0)
    assert end is not None
    assert (end.lacked, end.free) == (1, 0)
    assert len(box.ours()) == 2, 'those that have their memory go on'


def test_that_whoever_allocates_last_runs_out_of_memory() -> None:
    growing = Job('growing', [Phase(10, 1000, 0.1), Phase(90, 6000, 0.5)], {})
    box = Box(world([]))
    box.start(growing, 0)
    box.start(job('full', memory=5000, load=0.1), 0)
    ended = everything(box)
    assert [(end.who.job.name, end.lacked) for end in ended] == [('growing', 6000), ('full', 0)]
    assert ended[0].at == pytest.approx(10)


def test_that_others_are_hurt_only_by_what_came_after_them() -> None:
    visit = Visit(Job('theirs', [Phase(10, 500, 0.1), Phase(90, 6000, 0.1)], {}), 5.0, looks=False, card=0)
    before, after = Box(world([], [visit])), Box(world([], [visit]))
    before.start(job(memory=5000, load=0.1), 0)
    before.advance(1000)
    after.advance(6.0)
    after.start(job(memory=5000, load=0.1), 0)
    after.advance(1000)
    assert (before.neighbours.met, before.neighbours.hurt) == (1, 0)
    assert (after.neighbours.met, after.neighbours.denied) == (0, 1)


def test_that_others_who_lose_time_to_our_arrivals_count_as_slowed() -> None:
    visit = Visit(job('theirs', load=0.8), 0.0, looks=False, card=0)
    box = Box(world([], [visit]))
    box.advance(1.0)
    box.start(job(load=0.5), 0)
    everything(box)
    assert box.neighbours.slowed == 1
    assert box.neighbours.denied == 0


@pytest.mark.parametrize('law', [Law(), Law(gain=0.3), Law(interference=0.2), Law(0.1, 0.5, 0.4)])
def test_that_no_mixture_of_runs_gets_more_done_than_the_bound_says(law: Law) -> None:
    mixtures = [[0.5], [1.0, 1.0], [0.3] * 8, [0.9, 0.2, 0.4], [0.05] * 30, [1.0]]
    for loads in mixtures:
        speeds = law.speeds(loads, [1.0] * len(loads))
        assert max(speeds) <= 1.0
        done = sum(load * speed for load, speed in zip(loads, speeds, strict=True))
        assert done <= law.capacity(max(loads)) + 1e-9


def test_that_runs_which_fit_only_into_large_cards_have_a_bound_of_their_own() -> None:
    large, small = job('large', 100, memory=60_000), job('small', 100)
    mixed = World(0, [24_000, 80_000], [large, replace(large, name='another'), small], [], Law())
    assert bounds(mixed)['work'] == pytest.approx(150)
    assert lower_bound(mixed) == pytest.approx(200)


@pytest.mark.parametrize('workload', [LIGHT, HEAVY])
@pytest.mark.parametrize('variant', [MAIN, OTHER])
def test_that_no_policy_beats_the_lower_bound(workload: Workload, variant: object) -> None:
    boxes = [make_world(workload, variant, seed, SMALL) for seed in (1, 2)]  # type: ignore[arg-type]
    policies: list[Policy] = [Original(limit=5), Thresholds(), Packing(), Oracle()]
    for result in (simulate(box, policy) for box in boxes for policy in policies):
        assert result.ratio >= 1.0


def test_that_a_simulation_is_the_same_each_time() -> None:
    def once() -> Result:
        return simulate(make_world(LIGHT, MAIN, 5, SMALL), Original(limit=5))

    assert once().makespan == once().makespan


@pytest.mark.parametrize('workload', [LIGHT, HEAVY])
def test_that_packing_is_faster_than_the_default_thresholds_and_loses_no_run(workload: Workload) -> None:
    for seed in (1, 2):
        box = make_world(workload, MAIN, seed, 0.3)
        packed, fixed = simulate(box, Packing()), simulate(box, Thresholds())
        assert packed.makespan <= fixed.makespan
        assert not packed.lost
