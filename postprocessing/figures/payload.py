"""All figures of a search as JSON-able data."""

from __future__ import annotations

from typing import Any

from hpsearch.records.search import SearchRecord

from .compared import compared
from .curves import curves
from .effects import effects
from .importance import importance
from .interactions import interactions
from .population import schedules
from .progress import progress
from .table import table
from .tradeoffs import tradeoffs

MOST_OBJECTIVES = 4


def figures_of(search: SearchRecord) -> dict[str, Any]:
    """The figures of a search; those that its kind does not have are left out.

    ``objectives``: for each of them (at most :data:`MOST_OBJECTIVES`) ``key``, ``maximize`` and the figures ``table``
    (for parallel coordinates and heat maps), ``effects``, ``importance``, ``interactions`` and ``progress``. Beside
    them ``curves``, ``tradeoffs`` (several objectives) and ``schedules`` (a population). A figure is a dict with a
    ``caption``; or ``nothing`` says why there is nothing to be seen.
    """
    by_objective = [of_objective(search, place) for place in range(min(len(search.objectives), MOST_OBJECTIVES))]
    others = {
        'curves': curves(search, search.objectives[0] if search.objectives else None),
        'tradeoffs': tradeoffs(search),
        'schedules': schedules(search),
    }
    found = {'objectives': by_objective, **others}
    return {name: figure for name, figure in found.items() if figure}


def of_objective(search: SearchRecord, place: int) -> dict[str, Any]:
    """The figures of one objective, by its place."""
    objective = search.objectives[place]
    results = compared(search, objective)
    important = importance(results)
    order = [each['name'] for each in important.get('parameters', ())] or [each.name for each in results.parameters]
    return {
        'key': objective.key,
        'maximize': objective.maximize,
        'table': table(results),
        'effects': effects(results),
        'importance': important,
        'interactions': interactions(results, order),
        'progress': progress(search, objective),
    }
