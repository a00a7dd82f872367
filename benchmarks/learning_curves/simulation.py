"""A search on a simulated clock: so many workers, each of which makes one step of a run per unit of time."""

from __future__ import annotations

import heapq
import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple, Protocol

from benchmarks.learning_curves.tasks import STEPS, Task, Values


@dataclass(frozen=True)
class Job:
    """What a worker does next.

    Attributes:
        number: Of the run.
        values: Its configuration.
        done: Steps that it has made before; it goes on from there.
    """

    number: int
    values: Values
    done: int = 0


class Method(Protocol):
    """Chooses runs and stops them."""

    watches: bool
    """Whether it wants to know what runs report; otherwise they all make all steps."""

    def begin(self) -> Job:
        """What a worker that is free does next."""

    def report(self, number: int, step: int, loss: float) -> bool:
        """Take in what a run has reported; returns whether it goes on."""

    def end(self, number: int) -> None:
        """Take in that a run has made all its steps."""


class Event(NamedTuple):
    """The next report of a run."""

    at: float
    worker: int
    job: Job
    step: int


def time_to_target(task: Task, method: Method, workers: int, limit: float) -> float:
    """When a run first reports the loss of the target, in steps of one worker; infinite: not within the limit."""
    curves: dict[int, Sequence[float]] = {}
    events: list[Event] = [_begun(method, worker, 0.0) for worker in range(workers)]
    heapq.heapify(events)
    best = math.inf
    while events and events[0].at < min(best, limit):
        event = heapq.heappop(events)
        number, curve = event.job.number, _curve(task, curves, event.job)
        if not method.watches:
            reached = next((step for step, loss in enumerate(curve, start=1) if loss <= task.target), math.inf)
            best = min(best, event.at - 1 + reached)
            heapq.heappush(events, _begun(method, event.worker, event.at - 1 + STEPS))
            continue
        loss = curve[event.step - 1]
        if loss <= task.target:
            return event.at
        goes_on = method.report(number, event.step, loss)
        if event.step == STEPS:
            method.end(number)
        if goes_on and event.step < STEPS:
            heapq.heappush(events, event._replace(at=event.at + 1, step=event.step + 1))
        else:
            heapq.heappush(events, _begun(method, event.worker, event.at))
    return best if best < limit else math.inf


def _begun(method: Method, worker: int, now: float) -> Event:
    job = method.begin()
    return Event(now + 1, worker, job, job.done + 1)


def _curve(task: Task, curves: dict[int, Sequence[float]], job: Job) -> Sequence[float]:
    if job.number not in curves:
        curves[job.number] = task.curve(job.values)
    return curves[job.number]
