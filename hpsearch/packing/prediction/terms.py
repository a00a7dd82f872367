"""What a formula may consist of: products of numbers, and of one word with them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import combinations, combinations_with_replacement
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from numpy import float64, int64
    from numpy.typing import NDArray


TINY = 1e-12
"""Numbers are taken to be no smaller, where they are divided by or their logarithm is taken."""


@dataclass(frozen=True, slots=True)
class Term:
    """A product.

    Attributes:
        factors: The columns of the numbers that are multiplied; one that is there twice is squared.
        mark: The column and the number of a word: the term is zero for runs that have another one. None: for all.
        divisor: The column of the number by which that is divided; None: there is none.
    """

    factors: tuple[int, ...] = ()
    mark: tuple[int, int] | None = None
    divisor: int | None = None

    @property
    def columns(self) -> tuple[int, ...]:
        """The columns of the numbers in it."""
        return self.factors if self.divisor is None else (*self.factors, self.divisor)


def products_of(columns: Sequence[int], divisors: Sequence[int]) -> Iterator[Term]:
    """What a sum is chosen from: products, and products of up to three numbers over another one."""
    yield from map(Term, products(columns))
    for divisor in divisors:
        others = [column for column in columns if column != divisor]
        yield Term(divisor=divisor)
        yield from (Term(each, divisor=divisor) for each in products(others) if len(each) < 4)


def products(columns: Sequence[int]) -> Iterator[tuple[int, ...]]:
    """Products of up to three numbers, of which one may be squared, and of four different ones."""
    yield from combinations(columns, 1)
    yield from combinations_with_replacement(columns, 2)
    yield from (each for each in combinations_with_replacement(columns, 3) if len(set(each)) > 1)
    yield from combinations(columns, 4)


def with_marks(term: Term, marks: Sequence[tuple[int, int]]) -> list[Term]:
    """What a formula that has a term may have as well: another weight of it for runs with a certain word."""
    return [replace(term, mark=mark) for mark in marks] if term.mark is None else []


def matrix(terms: Sequence[Term], numbers: NDArray[float64], levels: NDArray[int64]) -> NDArray[float64]:
    """The value of each term (columns) for each run (rows)."""
    import numpy

    known: dict[tuple[int, ...], NDArray[float64]] = {(): numpy.ones(len(numbers))}
    found = numpy.empty((len(terms), len(numbers)))
    for index, term in enumerate(terms):
        found[index] = _product(term.factors, numbers, known)
        if term.divisor is not None:
            found[index] /= numpy.maximum(numbers[:, term.divisor], TINY)
        if term.mark is not None:
            found[index] *= levels[:, term.mark[0]] == term.mark[1]
    result: NDArray[float64] = found.T
    return result


def _product(
    factors: tuple[int, ...], numbers: NDArray[float64], known: dict[tuple[int, ...], NDArray[float64]]
) -> NDArray[float64]:
    if factors not in known:
        known[factors] = _product(factors[:-1], numbers, known) * numbers[:, factors[-1]]
    return known[factors]
