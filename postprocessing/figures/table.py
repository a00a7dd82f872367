"""The points of a search as columns, from which a page draws parallel coordinates and heat maps for any parameters."""

from __future__ import annotations

from typing import Any

import numpy as np

from .compared import Compared
from .parameters import Parameter
from .plain import EXACT, best_and_sample, number

MOST_CELLS = 150_000
"""More values are left out, so that a page stays small."""


SHOWN = 5
"""Significant digits of a value of which only its place on an axis is seen."""


def table(results: Compared) -> dict[str, Any]:
    """Columns of the points, best and others, at most :data:`MOST_CELLS` values of them.

    ``runs`` (names), ``repeats`` (runs of each point), ``values`` (of the objective) and ``parameters``: of each
    ``name``, ``number``, ``log``, ``labels`` and ``centres`` of its levels, ``edges`` (between them; empty: they are no
    bins), ``codes`` (the level of each point; -1: none) and ``values`` (numbers, or None for a point without one; None:
    those of the levels).
    """
    if not results.points:
        return {'nothing': f'No run has finished with a number for {results.objective.key} yet.'}
    most = max(100, MOST_CELLS // (len(results.parameters) + 2))
    ranked = [int(place) for place in np.argsort(results.losses, kind='stable')]
    chosen = best_and_sample(ranked, most, most // 2)
    points = [results.points[place] for place in chosen]
    about = results.about
    if len(chosen) < len(ranked):
        about += f' Shown are {len(chosen):,} points: the best {most // 2:,}, and a random sample of the others.'
    return {
        'key': results.objective.key,
        'maximize': results.objective.maximize,
        'caption': about,
        'runs': [point.run for point in points],
        'repeats': [point.runs for point in points],
        'values': [number(point.value) for point in points],
        'parameters': [
            _column(results, each, codes, chosen) for each, codes in zip(results.parameters, results.codes, strict=True)
        ],
    }


def _column(results: Compared, parameter: Parameter, codes: list[int], chosen: list[int]) -> dict[str, Any]:
    values = [results.points[place].params.get(parameter.name) for place in chosen]
    return {
        'name': parameter.name,
        'number': parameter.is_number,
        'log': parameter.is_log,
        'labels': list(parameter.labels),
        'centres': [number(centre, EXACT) for centre in parameter.centres],
        'edges': [number(edge, EXACT) for edge in parameter.edges],
        'codes': [codes[place] for place in chosen],
        'values': [number(each, SHOWN) for each in parameter.numbers(values)] if parameter.edges else None,
    }
