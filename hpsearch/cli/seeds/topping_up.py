"""Which seeds each configuration is given: those that there are, and as few more as are needed; pure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from itertools import chain, count, islice

from hpsearch.model.configuration import Value


def topped_up(there: Sequence[Sequence[Value]], wanted: int) -> list[list[Value]]:
    """The seeds of each configuration: those that it has, then those of the others, then 1, 2, 3, …

    So configurations share as many seeds as they can, which lets them be compared in pairs, and nothing that has been
    run is run again. Asked again for more, it only adds.

    Args:
        there: The seeds of each configuration that have been run or planned, each once.
        wanted: How many each is to have, at least.
    """
    return [[*own, *islice(_further(own, there), max(0, wanted - len(own)))] for own in there]


def _further(own: Sequence[Value], there: Sequence[Sequence[Value]]) -> Iterator[Value]:
    """Seeds that a configuration does not have: those of most others first, then the smallest numbers."""
    often = Counter(chain.from_iterable(there))
    shared = sorted(often, key=lambda seed: -often[seed])
    yield from (seed for seed in shared if seed not in own)
    yield from (seed for seed in count(1) if seed not in often)


def listed(there: Sequence[Sequence[Value]], seeds: Sequence[Value]) -> list[list[Value]]:
    """The seeds of each configuration where they are chosen: those that are planned stay, and the others are added."""
    return [list(dict.fromkeys([*own, *seeds])) for own in there]
