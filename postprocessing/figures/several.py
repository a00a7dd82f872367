"""What the page of several searches shows of all of them at once: how the best value of each came about."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from hpsearch.records.naming import distinct_names
from hpsearch.records.search import SearchRecord

from .payload import figures_of
from .progress import axes_of, progress

MOST_SEARCHES = 20


def figures_of_several(searches: Sequence[SearchRecord]) -> dict[str, Any]:
    """The figures of searches that are compared; of one search those of :func:`figures_of`.

    ``compared`` has ``key``, ``maximize``, ``lines`` and a ``caption``. A line has the ``name`` of its search, and
    ``hours``, ``used`` and ``values`` of each result that was the best so far, with the last hour at the end; ``axes``
    are those of :func:`.progress.axes_of`. Or ``nothing`` says why there is nothing to be seen.
    """
    if len(searches) == 1:
        return figures_of(searches[0])
    return {'compared': _compared(searches)}


def _compared(searches: Sequence[SearchRecord]) -> dict[str, Any]:
    objective = next((search.objectives[0] for search in searches if search.objectives), None)
    if objective is None:
        return {'nothing': 'None of the searches says by what its runs are compared.'}
    lines: list[dict[str, Any]] = []
    left_out = []
    for search, name in zip(searches, distinct_names([search.path for search in searches]), strict=True):
        same = bool(search.objectives) and search.objectives[0] == objective
        found = progress(search, objective) if same else {'nothing': 'another objective'}
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
