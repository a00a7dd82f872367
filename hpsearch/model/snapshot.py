"""A search at one moment."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from hpsearch.model.configuration import Params
from hpsearch.model.usage.holders import GpuHolder
from hpsearch.model.usage.in_use import NOTHING_USED, RunUse


@dataclass(frozen=True, slots=True)
class GpuLine:
    """One GPU (memory in MiB, load 0-1, seconds since it was read; None: unknown), and who uses it."""

    name: str
    model: str
    load: float | None
    memory_used: int | None
    memory_total: int | None
    own_runs: int
    others_memory: int | None
    closed: str
    age: float | None = None
    holders: Sequence[GpuHolder] = ()


@dataclass(frozen=True, slots=True)
class QueueLine:
    """Jobs in a queue that are alike.

    Attributes:
        state: ``waiting`` (not accepted yet), ``pending`` or ``running``.
        reason: Why they wait, in the queue's own words; empty for those that run.
        count: How many.
        example: Name of one of the runs, or of a job.
        is_stuck: Whether they wait for something that will never happen.
    """

    state: str
    reason: str
    count: int
    example: str
    is_stuck: bool = False


@dataclass(frozen=True, slots=True)
class RunLine:
    """One run that is under way.

    Attributes:
        name: Its name.
        seconds: Since its start.
        where: Where it runs.
        params: Its parameters.
        step: The last step that it has reported; None: it has reported nothing.
        metrics: The last value of each metric.
        use: What it uses of the machine it runs on.
    """

    name: str
    seconds: float
    where: str
    params: Params = field(default_factory=dict)
    step: float | None = None
    metrics: Mapping[str, float] = field(default_factory=dict)
    use: RunUse = NOTHING_USED


@dataclass(frozen=True)
class Snapshot:
    """A search at one moment, for the live view and for ``status``.

    Attributes:
        folder: The search folder.
        total: Number of runs of the search, which may grow; None: not known in advance.
        counts: State (``planned``, ``running``, ``finished`` …) to number of runs.
        elapsed: Seconds since this process started work on the search.
        eta: Expected seconds left; None: they cannot be estimated.
        gpus: A line per GPU, empty where none is assigned.
        running: The runs that are under way.
        best: Name, parameters and performance of the best run so far, or None.
        performance_key: The keyword of that performance.
        waiting: Why no run is started at the moment, or empty.
        varying: Names of the parameters that differ between runs; empty: not known.
        queue: What is in a queue.
    """

    folder: str
    total: int | None
    counts: Mapping[str, int]
    elapsed: float
    eta: float | None = None
    gpus: Sequence[GpuLine] = ()
    running: Sequence[RunLine] = ()
    best: tuple[str, Params, str] | None = None
    performance_key: str | None = None
    waiting: str = ''
    varying: Sequence[str] = ()
    queue: Sequence[QueueLine] = ()


def seconds_left(waiting: int, ages: Sequence[float], ended: int, seconds: float, slots: int) -> float:
    """How long a search still takes if every run takes as long as the mean of those that have ended.

    A run that goes on for longer than this counts as if it had ended now: the first to end may have failed at once.

    Args:
        waiting: Number of runs that have not begun.
        ages: How long each of those has run that are under way, in seconds.
        ended: Number of runs that have ended; at least 1.
        seconds: How long these took together.
        slots: How many run at a time.
    """
    longer = [age for age in ages if age > seconds / ended]
    mean = (seconds + sum(longer)) / (ended + len(longer))
    return (waiting * mean + sum(max(0.0, mean - age) for age in ages)) / max(1, slots)


QUEUE_ORDER = ('running', 'pending', 'waiting', 'ended')


def merged_queue(lines: Iterable[QueueLine]) -> list[QueueLine]:
    """Equal jobs counted together, in the order in which they are shown: running first, then by number."""
    merged: dict[tuple[str, str, bool], QueueLine] = {}
    for line in lines:
        reason = '' if line.reason == 'None' else line.reason
        key = (line.state, reason, line.is_stuck)
        count = line.count + (merged[key].count if key in merged else 0)
        example = merged[key].example if key in merged else line.example
        merged[key] = QueueLine(line.state, reason, count, example, line.is_stuck)
    places = {state: place for place, state in enumerate(QUEUE_ORDER)}
    return sorted(merged.values(), key=lambda line: (places.get(line.state, len(places)), -line.count, line.reason))
