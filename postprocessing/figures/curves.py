"""Learning curves: what runs have reported while they went."""

from __future__ import annotations

from collections import Counter
from typing import Any

from hpsearch.model.states import State
from hpsearch.model.trials.trial import Objective
from hpsearch.model.units import count_of
from hpsearch.records.run import RunRecord
from hpsearch.records.search import SearchRecord

from .plain import as_result, best_and_sample, number, thinned

MOST_CURVES = 100
BEST_CURVES = 40
MOST_POINTS = 100
MOST_METRICS = 6


def curves(search: SearchRecord, objective: Objective | None) -> dict[str, Any]:
    """The curves of the best runs and of a sample of the others.

    ``metrics``: names, the objective first, then the most frequent ones; ``curves``: ``run``, ``state``, ``rank`` (from
    1; None: it has no result), ``steps`` and ``values`` (for each metric, None where it was not reported).
    """
    reporting = [run for run in search.runs if run.curve]
    if not reporting:
        return {}
    metrics = _metrics(reporting, objective)
    ranks = {run.name: rank for rank, run in enumerate(search.best(), 1)}
    order = sorted(range(len(reporting)), key=lambda place: ranks.get(reporting[place].name, len(search.runs) + 1))
    chosen = [reporting[place] for place in best_and_sample(order, MOST_CURVES, BEST_CURVES)]
    return {
        'metrics': metrics,
        'objective': objective.key if objective else '',
        'maximize': bool(objective and objective.maximize),
        'curves': [_curve(run, metrics, ranks.get(run.name)) for run in chosen],
        'caption': _caption(search, reporting, chosen),
    }


def _metrics(reporting: list[RunRecord], objective: Objective | None) -> list[str]:
    count = Counter(name for run in reporting for name in run.metrics)
    order = sorted(count, key=lambda name: (objective is None or name != objective.key, -count[name], name))
    return order[:MOST_METRICS]


def _curve(run: RunRecord, metrics: list[str], rank: int | None) -> dict[str, Any]:
    steps = thinned(list(run.curve), MOST_POINTS)
    values = [[number(as_result(run.curve[step].get(name)), 5) for step in steps] for name in metrics]
    return {'run': run.name, 'state': run.state.value, 'rank': rank, 'steps': steps, 'values': values}


def _caption(search: SearchRecord, reporting: list[RunRecord], chosen: list[RunRecord]) -> str:
    of = f'of {count_of(len(search.runs), "run")}'
    text = f'What {count_of(len(reporting), f"{of} has reported while it", f"{of} have reported while they")} went'
    if len(chosen) < len(reporting):
        text += f'; shown are {len(chosen)}, the best {BEST_CURVES} and a random sample of the others'
    stopped = sum(run.state is State.STOPPED for run in reporting)
    text += f'. {count_of(stopped, "was", "were")} stopped early' if stopped else ''
    return f'{text}. Of a curve with more than {MOST_POINTS} points, so many are shown.'
