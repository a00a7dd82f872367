"""A whole search on a box, under one policy."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from benchmarks.gpu_box.box import Box, Ended, Neighbours
from benchmarks.gpu_box.jobs import World, lower_bound
from benchmarks.gpu_box.policies import Policy
from benchmarks.gpu_box.search import Cost, Monitor, Search

SOON = 1.0
"""Seconds after the end of a run until the next decision."""

RARELY = 40.0
"""Seconds between two decisions while nothing happens, at most."""

OFTEN = 4.0
"""The same just after something has happened."""

GIVEN_UP = 40.0
"""Times the lower bound after which runs that are left count as lost."""


@dataclass(frozen=True, slots=True)
class Result:
    """How a search went.

    Attributes:
        world: What there was to do.
        makespan: Seconds until its last run had ended.
        bound: Seconds that no policy can stay below to finish the runs that finished.
        lost: Runs that did not finish.
        cost: Hours that attempts took.
        neighbours: How others fared.
        decisions: How often it was decided.
        deciding: Seconds of processor time of all these decisions.
        ended: The attempts, by their end.
        spent: Seconds of whole cards until the end, by what became of them.
    """

    world: World
    makespan: float
    bound: float
    lost: Sequence[str]
    cost: Cost
    neighbours: Neighbours
    decisions: int
    deciding: float
    ended: Sequence[Ended]
    spent: Mapping[str, float]

    @property
    def ratio(self) -> float:
        """The makespan over the lower bound."""
        return self.makespan / self.bound


def simulate(world: World, policy: Policy) -> Result:
    """Run all runs of a world."""
    box, bound = Box(world), lower_bound(world)
    search, monitor = Search(world, box, policy.kind), Monitor(box, world.seed)
    decisions, deciding = 0, 0.0
    while not search.is_over and box.now < GIVEN_UP * bound:
        monitor.read()
        begin = time.process_time()
        chosen = policy.decide(box.now, search, monitor) if search.pending else ()
        deciding += time.process_time() - begin
        decisions += bool(search.pending)
        for run, slot, estimate in chosen:
            search.start(run, slot, estimate)
        box.some_wait = bool(search.pending)
        _wait(box, search)
    box.see_off()
    lost = [*search.lost, *search.pending, *search.leases]
    makespan = max((end.at for end in search.last), default=box.now)
    finished = [job for job in world.jobs if job.name not in lost]
    bound = lower_bound(replace(world, jobs=finished)) if finished else bound
    return Result(
        world, makespan, bound, lost, search.cost, box.neighbours, decisions, deciding, search.last, box.spent
    )


def _wait(box: Box, search: Search) -> None:
    """Let time pass until there is something to decide: often after something has happened, then ever more rarely."""
    pause = min(RARELY, max(OFTEN, box.now - search.changed))
    ended = box.advance(box.now + pause)
    soon = box.now + SOON
    while ended:
        for end in ended:
            search.take(end)
        ended = box.advance(soon)
