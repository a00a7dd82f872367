"""The effect of each parameter: the results at each of its levels, over whatever the other parameters are."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from .compared import Compared
from .parameters import Parameter
from .plain import number

CAPTION = (
    'Mean of {key} at each value of a parameter, or in each bin of its values, with one standard deviation to either '
    'side, or the median; the box is the middle half. The other parameters are whatever these runs had: where a '
    'sampler chose them, good values of one were tried with good values of others.'
)


def effects(results: Compared) -> dict[str, Any]:
    """The effect of each parameter, in the order of the configuration.

    Each has ``levels``: ``label``, ``centre`` (None for categories), ``n`` points, ``mean``, ``std`` (n - 1; None for
    one point), ``quartiles`` (three, interpolated linearly) and ``best``; levels without points are left out.
    """
    if not results.parameters:
        return {'nothing': 'There are no two runs with a result that differ in more than their seeds.'}
    values = np.array([point.value for point in results.points])
    with np.errstate(over='ignore', invalid='ignore'):  # of numbers that are as large as they get
        found = [
            _effect(each, np.array(codes), values, maximize=results.objective.maximize)
            for each, codes in zip(results.parameters, results.codes, strict=True)
        ]
    caption = f'{CAPTION.format(key=results.objective.key)} {results.about}'
    return {'key': results.objective.key, 'caption': caption, 'parameters': found}


def _effect(
    parameter: Parameter, codes: NDArray[np.int64], values: NDArray[np.float64], *, maximize: bool
) -> dict[str, Any]:
    levels = []
    for level, label in enumerate(parameter.labels):
        own = values[codes == level]
        if len(own):
            centre = parameter.centres[level] if parameter.is_number else None
            levels.append({'label': label, 'centre': centre, **_spread(own, maximize=maximize)})
    return {
        'name': parameter.name,
        'number': parameter.is_number,
        'log': parameter.is_log,
        'levels': levels,
        'missing': int((codes < 0).sum()),
        'left_out': parameter.left_out,
    }


def _spread(own: NDArray[np.float64], *, maximize: bool) -> dict[str, Any]:
    return {
        'n': len(own),
        'mean': number(own.mean()),
        'std': number(own.std(ddof=1)) if len(own) > 1 else None,
        'quartiles': [number(each) for each in np.quantile(own, (0.25, 0.5, 0.75))],
        'best': number(own.max() if maximize else own.min()),
    }
