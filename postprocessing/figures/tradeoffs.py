"""The Pareto front of several objectives."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from hpsearch.model.states import State
from hpsearch.model.trials.leading import Found, leaders, objectives_in_words, scored_trials
from hpsearch.model.units import count_of
from hpsearch.records.search import SearchRecord

from .plain import number, thinned

MOST_TRIALS = 2000


def tradeoffs(search: SearchRecord) -> dict[str, Any]:
    """The trials on the Pareto front, and at most :data:`MOST_TRIALS` others; empty: there are not several objectives.

    ``objectives``: ``key`` and ``maximize``; ``front`` and ``others``: ``runs`` and ``values``, for each trial one for
    each objective. The front is in the order of the first objective, best first.
    """
    if len(search.objectives) < 2:
        return {}
    found = [
        Found(run.name, run.trial, run.params, run.summary or {}, search.budget(run) or None)
        for run in search.runs
        if run.state is State.FINISHED
    ]
    keys = ' and '.join(each.key for each in search.objectives)
    best, scored = leaders(found, search.objectives), scored_trials(found, search.objectives)
    if not best:
        return {'nothing': f'No run has finished with a number for {keys} yet.'}
    named = {each.run for each in best}
    others = [each for each in scored if each.run not in named]
    shown = thinned(others, MOST_TRIALS)
    sample = f', of which {len(shown):,} are shown' if len(shown) < len(others) else ''
    of = f'of {count_of(len(scored), "trial")}'
    on_front = count_of(len(best), f'{of} is', f'{of} are')
    return {
        'objectives': [{'key': each.key, 'maximize': each.maximize} for each in search.objectives],
        'front': {'runs': [each.run for each in best], 'values': [_numbers(each.values) for each in best]},
        'others': {'runs': [each.run for each in shown], 'values': [_numbers(each.values) for each in shown]},
        'caption': f'Sought: {objectives_in_words(search.objectives)}. No result is better than one on the front in '
        f'one of them without being worse in another: {on_front} there; '
        f'{count_of(len(others), "other")}{sample}. Runs of one trial with several seeds are shown as their mean.',
    }


def _numbers(values: Sequence[float]) -> list[float | None]:
    return [number(value) for value in values]
