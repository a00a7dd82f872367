"""What the page of several searches shows of all of them at once: how the best value of each came about."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from hpsearch.model.trials.trial import Objective
from hpsearch.records.naming import distinct_names
from hpsearch.records.search import SearchRecord

from .payload import MOST_OBJECTIVES, figures_of
from .progress import axes_of, progress

MOST_SEARCHES = 20


def figures_of_several(searches: Sequence[SearchRecord]) -> dict[str, Any]:
    """The figures of searches that are compared; of one search those of :func:`figures_of`.

    ``objectives``: for each that one of them has (at most :data:`.payload.MOST_OBJECTIVES`) its ``key`` and
    ``compared``. This has ``key``, ``maximize``, ``lines`` and a ``caption``. A line has the ``name`` of its search,
    and ``hours``, ``used`` and ``values`` of each result that was the best so far, with the last hour at the end;
    ``axes`` are those of :func:`.progress.axes_of`. Or ``nothing`` says why there is nothing to be seen.
    """
    if len(searches) == 1:
        return figures_of(searches[0])
    objectives = list(dict.fromkeys(objective for search in searches for objective in search.objectives))
    if not objectives:
        nothing = 'None of the searches says by what its runs are compared.'
        return {'objectives': [{'key': '', 'compared': {'nothing': nothing}}]}
    shown = objectives[:MOST_OBJECTIVES]
    return {'objectives': [{'key': each.key, 'compared': _compared(searches, each)} for each in shown]}


def _compared(searches: Sequence[SearchRecord], objective: Objective) -> dict[str, Any]:
    lines: list[dict[str, Any]] = []
    left_out = []
    for search, name in zip(searches, distinct_names([search.path for search in searches]), strict=True):
        found = progress(search, objective) if objective in search.objectives else {'nothing': 'another objective'}
        if 'nothing' in found or len(lines) == MOST_SEARCHES:
            left_out.append(name)
        else:
            lines.append(_line(name, found))
    if not lines:
        return {'nothing': f'No run has finished with a number for {objective.key} yet.'}
    counted = ' or '.join(sorted({line.pop('counted') for line in lines}))
    ends = [{by: line[by][-1] for by in ('hours', 'used')} for line in lines]
    way = 'largest' if objective.maximize else 'smallest'
    missing = f' Not shown, without such results or with another objective: {", ".join(left_out)}.' if left_out else ''
    return {
        'key': objective.key,
        'maximize': objective.maximize,
        'axes': axes_of(ends, counted),
        'lines': lines,
        'caption': f'The {way} {objective.key} so far of each search, from its first start on.{missing}',
    }


def _line(name: str, found: dict[str, Any]) -> dict[str, Any]:
    best, end = found['best'], found['end']
    return {
        'name': name,
        'counted': found['counted'],
        'hours': [*best['hours'], end['hours']],
        'used': [*best['used'], end['used']],
        'values': [*best['values'], best['values'][-1]],
    }
