"""The best value so far, over the time since the first start, and over what all runs have used until then."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hpsearch.model.states import REUSED
from hpsearch.model.trials.trial import Objective
from hpsearch.model.units import count_of
from hpsearch.records.run import AttemptRecord
from hpsearch.records.search import SearchRecord

from .compared import finished_value
from .plain import number, thinned

MOST_RESULTS = 1500

UNITS = ((0.05, ('seconds', 3600)), (3.0, ('minutes', 60)))
"""Up to how many hours which unit is used, and how many of it are an hour."""

Floats = NDArray[np.float64]


def progress(search: SearchRecord, objective: Objective) -> dict[str, Any]:
    """How the best value came about.

    ``results``: those of runs in the order in which they ended, at most :data:`MOST_RESULTS`; ``best``: those that were
    the best so far. Both have ``hours`` since the first start, ``used`` hours until then, ``values`` and ``runs``.
    ``end`` is the last hour and what was used then. ``counted`` is ``GPU``, or ``slot`` where no run has one; ``axes``
    are those of :func:`axes_of`.
    """
    attempts = [each for run in search.runs for each in run.attempts if _cost(each)]
    if not attempts:
        has_run = any(run.attempts for run in search.runs)
        why = 'It is not known when runs started, or how long they took.' if has_run else 'No run has ended yet.'
        return {'nothing': why}
    begin = min(each.started_at or 0.0 for each in attempts)
    used, counted = _used(attempts)
    ended = _ended(search, objective)
    if not ended:
        return {'nothing': f'No run has finished with a number for {objective.key} yet.'}
    best, losses = [], np.array([objective.loss(value) for _, value, _ in ended])
    for place, is_best in enumerate(losses < np.concatenate([[np.inf], np.minimum.accumulate(losses)[:-1]])):
        best += [ended[place]] if is_best else []
    last = max((each.started_at or 0.0) + (each.seconds or 0.0) for each in attempts)
    end = {'hours': number((last - begin) / 3600), 'used': number(float(used(np.array([last]))[0]) / 3600)}
    return {
        'key': objective.key,
        'maximize': objective.maximize,
        'counted': counted,
        'axes': axes_of([end], counted),
        'results': _columns(thinned(ended, MOST_RESULTS), begin, used),
        'best': _columns(best, begin, used),
        'end': end,
        'caption': _caption(search, objective, ended, counted),
    }


def axes_of(ends: Sequence[Mapping[str, float | None]], counted: str) -> dict[str, Any]:
    """The axes over ``hours`` and over ``used`` hours: the ``title``, and the ``factor`` from hours to its unit.

    Args:
        ends: The last of both, of each line.
        counted: What is used.
    """
    time, use = (_unit(max(each[by] or 0.0 for each in ends)) for by in ('hours', 'used'))
    return {
        'hours': {'title': f'{time[0]} since the first start', 'factor': time[1]},
        'used': {'title': f'{counted} {use[0]}', 'factor': use[1]},
    }


def _unit(hours: float) -> tuple[str, int]:
    """In what so many hours are read most easily, and how many of them are an hour."""
    return next((unit for limit, unit in UNITS if hours < limit), ('hours', 1))


def _cost(attempt: AttemptRecord) -> bool:
    return attempt.started_at is not None and bool(attempt.seconds) and attempt.cause != REUSED


def _ended(search: SearchRecord, objective: Objective) -> list[tuple[float, float, str]]:
    """When it ended, value and name of each run that counts, in the order of their ends."""
    found = [
        (run, run.deciding.ended_at, value)
        for run in search.runs
        if (value := finished_value(run, objective)) is not None and run.deciding and run.deciding.ended_at is not None
    ]
    largest = max((search.budget(run) for run, _, _ in found), default=0.0)
    return sorted((at, value, run.name) for run, at, value in found if search.budget(run) == largest)


def _used(attempts: Sequence[AttemptRecord]) -> tuple[Any, str]:
    """From times to the seconds that had been used then, times GPUs or slots; and the unit in words."""
    has_gpus = any(each.gpus for each in attempts)
    begin = np.array([each.started_at or 0.0 for each in attempts])
    end = begin + np.array([each.seconds or 0.0 for each in attempts])
    weight = np.array([float(len(each.gpus)) if has_gpus else 1.0 for each in attempts])

    def used(times: Floats) -> Floats:
        return _since(begin, weight, times) - _since(end, weight, times)

    return used, 'GPU' if has_gpus else 'slot'


def _since(starts: Floats, weights: Floats, times: Floats) -> Floats:
    """The sum of what has passed since each start, times its weight, at some times."""
    order = np.argsort(starts)
    starts, weights = starts[order], weights[order]
    passed = np.searchsorted(starts, times, side='right')
    total = np.concatenate([[0.0], np.cumsum(weights)])[passed]
    origin = starts[0]
    moved = np.concatenate([[0.0], np.cumsum(weights * (starts - origin))])[passed]
    result: Floats = total * (times - origin) - moved
    return result


def _columns(ended: Sequence[tuple[float, float, str]], begin: float, used: Any) -> dict[str, list[Any]]:
    times = np.array([at for at, _, _ in ended])
    return {
        'hours': [number(hours) for hours in (times - begin) / 3600],
        'used': [number(hours) for hours in used(times) / 3600],
        'values': [number(value) for _, value, _ in ended],
        'runs': [name for _, _, name in ended],
    }


def _caption(
    search: SearchRecord, objective: Objective, ended: Sequence[tuple[float, float, str]], counted: str
) -> str:
    way = 'largest' if objective.maximize else 'smallest'
    sample = f', of which {MOST_RESULTS:,} are shown' if len(ended) > MOST_RESULTS else ''
    budget = f' with the largest budget ({search.fidelity})' if search.fidelity else ''
    runs = count_of(len(ended), 'run')
    return (
        f'The {way} {objective.key} so far (line), and the results of {runs}{budget} (dots{sample}) '
        f'when they ended, by the time since the first start or by {counted} time; what other runs took counts, too.'
    )
