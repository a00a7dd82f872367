"""Quasi-random search: a scrambled Halton sequence, which covers a space more evenly than independent draws do.

The points are those of Halton (Numerische Mathematik 2, 1960, pp. 84-90), each digit permuted at random as by Owen ("A
randomized Halton algorithm in R", arXiv:1706.02808). Whoever evaluates each point several times takes every n-th point
only: bases that share no factor with n keep the points even (Kocis and Whiten, ACM Transactions on Mathematical
Software 23, 1997, pp. 266-294).
"""

from __future__ import annotations

import functools
import math
from collections.abc import Iterator, Sequence
from itertools import count, islice
from random import Random

from hpsearch.model.trials.distributions import Fidelity, Space
from hpsearch.model.trials.trial import Proposal, Trial
from hpsearch.samplers.random_search import drawn

_BITS = 52
"""So fine are the points, as binary digits: those of a float."""


class QmcSampler:
    """Proposes the point of a scrambled Halton sequence that the number of the run stands for.

    Args:
        space: What is drawn from.
        seed: Of the search; it permutes the digits.
        every: Each point is evaluated about so many times, under numbers of their own.
    """

    def __init__(self, space: Space, seed: int, every: int = 1) -> None:
        self._space = drawn(space)
        self._seed = seed
        self._bases = tuple(islice((each for each in _primes() if every % each), len(self._space)))

    def propose(self, trials: Sequence[Trial], number: int) -> Proposal:
        """See :class:`hpsearch.samplers.base.Sampler`."""
        points = (halton(number, base, f'{self._seed} {place}') for place, base in enumerate(self._bases))
        options = zip(self._space.items(), points, strict=True)
        return Proposal({name: each.at(point) for (name, each), point in options if not isinstance(each, Fidelity)})

    def is_done(self, trials: Sequence[Trial]) -> bool:
        """Never."""
        return False


def halton(index: int, base: int, seed: str) -> float:
    """A number of the sequence of this base, from 0 to less than 1.

    Args:
        index: Which one, from 0.
        base: A prime.
        seed: Each makes other permutations of the digits.
    """
    value, weight = 0.0, 1.0
    for permutation in _permutations(base, seed):
        index, digit = divmod(index, base)
        weight /= base
        value += weight * permutation[digit]
    return min(value, math.nextafter(1.0, 0.0))


@functools.lru_cache(maxsize=4096)
def _permutations(base: int, seed: str) -> tuple[tuple[int, ...], ...]:
    """A permutation of all digits for each place behind the point; the zeros that go on for ever are permuted, too."""
    random = Random(f'{seed} {base}')
    return tuple(tuple(random.sample(range(base), base)) for _ in range(math.ceil(_BITS / math.log2(base))))


def _primes() -> Iterator[int]:
    found: list[int] = []
    for number in count(2):
        if all(number % prime for prime in found):
            found.append(number)
            yield number
