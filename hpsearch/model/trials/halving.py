"""Successive halving with promotions: which trials of a rung are worth a larger budget, and where a trial begins.

Source: Li et al., A System for Massively Parallel Hyperparameter Tuning, MLSys 2020 (ASHA), and for brackets Li et al.,
Hyperband, JMLR 2018.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping, Sequence
from random import Random


def worth_promoting(losses: Mapping[int, float], promoted: Collection[int], factor: float) -> list[int]:
    """The trials of a rung that are to go on now, best first; it is never waited for the rung to fill.

    Args:
        losses: Number of each trial that has completed the rung, to its loss there.
        promoted: Those of them that have gone on already.
        factor: One of so many goes on.
    """
    ranked = sorted(losses, key=lambda trial: (losses[trial], trial))
    best = ranked[: int(len(ranked) / factor + 1e-9)]
    return [trial for trial in best if trial not in promoted and losses[trial] < math.inf]


def bracket_sizes(rungs: int, brackets: int, factor: float) -> list[float]:
    """How many trials begin in each bracket, relative to each other, so that all brackets train equally long.

    A trial of bracket ``b`` begins with the budget of rung ``b``.

    Args:
        rungs: The number of rungs.
        brackets: The number of brackets, at most that of rungs.
        factor: One of so many goes on from each rung, with so many times its budget.
    """
    # A bracket whose trials begin at rung b trains each of them, on average, for the same time in each of its rungs.
    return [1.0 / (factor**bracket * (rungs - bracket)) for bracket in range(brackets)]


def bracket_of(number: int, sizes: Sequence[float], seed: int) -> int:
    """The bracket in which the trial of a number begins; the same for every writer of a search."""
    return Random(f'{seed} {number} bracket').choices(range(len(sizes)), weights=sizes)[0]
