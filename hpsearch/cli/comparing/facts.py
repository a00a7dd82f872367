"""What there is to say of one search beside others."""

from __future__ import annotations

import math
import statistics
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from hpsearch.model.states import ENDED, State
from hpsearch.model.trials.standings import mean_of
from hpsearch.model.trials.trial import Objective
from hpsearch.records.search import SearchRecord


@dataclass(frozen=True)
class Facts:
    """What came of a search.

    Attributes:
        name: What it is called beside the others.
        path: Its folder.
        objective: By what its runs are compared; None: they are not.
        sampler: How its runs were chosen.
        counts: How many runs are in each state.
        total: Number of its runs; None: there is no limit.
        best: The best value, and the name and the parameters of its run; None: there is none.
        median: Of the values of runs that finished; None: there are none.
        mean: Of the same.
        seconds: From the first start to the last end, or to now while runs go on; None: nothing was started.
        gpu_hours: What all attempts took, times GPUs.
    """

    name: str
    path: str
    objective: Objective | None
    sampler: str
    counts: Mapping[str, int]
    total: int | None
    best: tuple[float, str, Mapping[str, Any]] | None
    median: float | None
    mean: float | None
    seconds: float | None
    gpu_hours: float

    @property
    def objective_text(self) -> str:
        """Its objective in words."""
        if self.objective is None:
            return ''
        return f'{self.objective.key} ({"largest" if self.objective.maximize else "smallest"})'


def facts_of(search: SearchRecord, name: str) -> Facts:
    """The facts of a search, by its name beside others."""
    counts = Counter(run.state.value for run in search.runs)
    counts['planned'] += max(0, (search.total or 0) - len(search.runs))
    values = _values(search)
    return Facts(
        name=name,
        path=search.path,
        objective=search.objectives[0] if search.objectives else None,
        sampler=str(search.info.get('options', {}).get('search', '') or 'grid'),
        counts={state.value: counts[state.value] for state in State if counts[state.value]},
        total=search.total,
        best=_best(search),
        median=statistics.median(values) if values else None,
        mean=mean_of(values) if values else None,
        seconds=_seconds(search),
        gpu_hours=sum(run.gpu_seconds for run in search.runs) / 3600,
    )


def _values(search: SearchRecord) -> list[float]:
    """The finite values of the finished runs with the largest budget, which alone can be compared."""
    key = search.key
    ranked = search.best() if key else []
    largest = max(map(search.budget, ranked), default=0.0)
    values = [run.value(key) for run in ranked if search.budget(run) == largest] if key else []
    return [value for value in values if value is not None and math.isfinite(value)]


def _best(search: SearchRecord) -> tuple[float, str, Mapping[str, Any]] | None:
    key, found = search.key, search.best(1)
    value = found[0].value(key) if found and key else None
    return None if value is None else (value, found[0].name, found[0].params)


def _seconds(search: SearchRecord) -> float | None:
    attempts = [each for run in search.runs for each in run.attempts if each.started_at is not None]
    if not attempts:
        return None
    ends = [
        (each.started_at or 0.0) + (each.seconds or 0.0) if each.state in ENDED else search.now for each in attempts
    ]
    return max(ends) - min(each.started_at or 0.0 for each in attempts)
