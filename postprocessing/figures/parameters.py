"""What the parameters of a search are in figures: numbers or categories, their scales, and the levels they have."""

from __future__ import annotations

import bisect
import math
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from hpsearch.model.configuration import Value
from hpsearch.model.table import cell
from hpsearch.model.trials.distributions import Choice, Distribution, Fidelity, Normal

MOST_LEVELS = 12
"""A number with more values is shown in bins, and of categories the rarer ones are left out."""

FEW_LEVELS = 6
"""So many values are never binned; more are where most runs have a value of their own."""

BINS = 10
FEWEST_BINS = 3

_LOGARITHMIC_FROM = 10
"""A list of numbers may be meant on a logarithmic scale where the largest is so many times the smallest."""

MISSING = -1
"""The level of what a run does not have, or of a rare category."""


@dataclass(frozen=True)
class Parameter:
    """An option that differs between runs.

    Attributes:
        name: Its name.
        is_number: Whether its values are numbers; otherwise they are categories.
        is_log: Whether its scale is logarithmic.
        labels: Its levels, as they are shown: values, or bins of numbers in ascending order.
        centres: The number in the middle of each level; empty: they are no numbers.
        edges: Where the bins begin and the last one ends; empty: each level is one value.
        left_out: How many rarer categories have no level.
    """

    name: str
    is_number: bool
    is_log: bool
    labels: Sequence[str]
    centres: Sequence[float] = ()
    edges: Sequence[float] = ()
    left_out: int = 0

    def levels(self, values: Sequence[Value | None], present: Sequence[bool]) -> list[int]:
        """The level of each value; :data:`MISSING`: it has none.

        Args:
            values: The values.
            present: Whether a run has the option at all.
        """
        if self.edges:
            return [self._bin(value) if there else MISSING for value, there in zip(values, present, strict=True)]
        if self.is_number:
            at = {centre: level for level, centre in enumerate(self.centres)}
            numbers = (number_of(value) if there else None for value, there in zip(values, present, strict=True))
            return [MISSING if number is None else at.get(number, MISSING) for number in numbers]
        known = {label: level for level, label in enumerate(self.labels)}
        return [
            known.get(cell(value), MISSING) if there else MISSING for value, there in zip(values, present, strict=True)
        ]

    def numbers(self, values: Sequence[Value | None]) -> list[float]:
        """The number that each value is; nan: it is none."""
        found = map(number_of, values)
        return [math.nan if number is None else number for number in found]

    def _bin(self, value: Value | None) -> int:
        number = number_of(value)
        if number is None:
            return MISSING
        return min(max(bisect.bisect_right(self.edges, number) - 1, 0), len(self.labels) - 1)


def number_of(value: Value | None) -> float | None:
    """The finite number that a value is, also as a text (YAML reads ``1e-3`` as one); None: it is none."""
    if isinstance(value, bool) or not isinstance(value, (int, float, str)):
        return None
    try:
        number = float(value)
    except (ValueError, OverflowError):
        return None
    return number if math.isfinite(number) else None


def parameter_of(name: str, values: Sequence[Value], distribution: Distribution | None) -> Parameter:
    """What an option is, from the values that runs have.

    Args:
        name: Its name.
        values: One at least.
        distribution: What they were drawn from; None: they were listed.
    """
    found = [number_of(value) for value in values]
    numbers = [number for number in found if number is not None]
    if len(numbers) < len(found):
        return _category(name, values)
    distinct = sorted(set(numbers))
    is_log = distinct[0] > 0 and _is_log(distinct, distribution)
    if len(distinct) <= min(MOST_LEVELS, max(FEW_LEVELS, len(numbers) // 2)):
        return Parameter(name, True, is_log, labels_of(distinct), distinct)
    bins = min(BINS, max(FEWEST_BINS, math.isqrt(len(numbers))))
    edges = _edges(distinct[0], distinct[-1], bins, is_log=is_log)
    labels = [f'{low} – {high}' for low, high in pairwise(labels_of(edges))]
    centres = [_middle(low, high, is_log=is_log) for low, high in pairwise(edges)]
    return Parameter(name, True, is_log, labels, centres, edges)


def labels_of(numbers: Sequence[float]) -> list[str]:
    """Numbers that differ as texts that do, in as few digits as that takes, from four on."""
    for digits in (4, 6, 10, 17):
        labels = [f'{number:.{digits}g}' for number in numbers]
        if len(set(labels)) == len(numbers):
            break
    return labels


def _category(name: str, values: Iterable[Value]) -> Parameter:
    count = Counter(map(cell, values))
    kept = {label for label, _ in count.most_common(MOST_LEVELS)}
    labels = sorted(kept, key=lambda label: (number_of(label) is None, number_of(label) or 0.0, label))
    return Parameter(name, False, False, labels, left_out=len(count) - len(labels))


def _is_log(distinct: Sequence[float], distribution: Distribution | None) -> bool:
    """Whether it was drawn so, or its values are spread more evenly so."""
    if distribution is not None and not isinstance(distribution, (Choice, Fidelity)):
        return not isinstance(distribution, Normal) and distribution.log
    if len(distinct) < 3 or distinct[-1] / distinct[0] < _LOGARITHMIC_FROM:
        return len(distinct) == 2 and distinct[-1] / distinct[0] >= _LOGARITHMIC_FROM
    return _unevenness([math.log(number) for number in distinct]) < _unevenness(distinct)


def _unevenness(numbers: Sequence[float]) -> float:
    gaps = np.diff(numbers)
    return float(gaps.std() / gaps.mean())


def _edges(low: float, high: float, bins: int, *, is_log: bool) -> list[float]:
    begin, end = (math.log(low), math.log(high)) if is_log else (low, high)
    inner = [begin + (end - begin) * each / bins for each in range(1, bins)]
    return [low, *(map(math.exp, inner) if is_log else inner), high]


def _middle(low: float, high: float, *, is_log: bool) -> float:
    return math.sqrt(low) * math.sqrt(high) if is_log else low / 2 + high / 2
