"""What was learned of one quantity, in words and numbers for people."""

from __future__ import annotations

import math
import random
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from hpsearch.packing.prediction.encoding import Encoded, Encoder
from hpsearch.packing.prediction.quantity import Quantity
from hpsearch.packing.prediction.terms import Term

if TYPE_CHECKING:
    from numpy import float64
    from numpy.typing import NDArray


@dataclass(frozen=True, slots=True)
class Explanation:
    """What was learned of one quantity.

    Attributes:
        quantity: Its name in an estimate.
        formula: How it follows from parameters, in words.
        shares: The parameters that matter, each with its share (0-1) of the differences that the formula makes between
            runs; the largest first.
        error: By which part (0-1) of its value a run is missed by the formula that the others make (root mean square).
        runs: How many runs with different parameters it was learned from.
        is_relied_upon: Whether these are enough.
    """

    quantity: str
    formula: str
    shares: Mapping[str, float]
    error: float
    runs: int
    is_relied_upon: bool


def explain(name: str, quantity: Quantity, encoder: Encoder) -> Explanation:
    """What was learned of a quantity."""
    formula = quantity.formula
    words = _Words(encoder, quantity)
    return Explanation(
        name, words.formula, _shares(quantity, encoder), formula.error, formula.runs, quantity.is_informed
    )


class _Words:
    """Writes a formula down."""

    def __init__(self, encoder: Encoder, quantity: Quantity) -> None:
        self._encoder = encoder
        self._formula = quantity.formula
        self._typical = float(quantity.formula.values(quantity.seen)[0].mean())

    @property
    def formula(self) -> str:
        """It as a whole."""
        if not self._formula.terms:
            return number(self._typical)
        return self._sum() if self._formula.offset is None else self._product()

    def _sum(self) -> str:
        constant, *weights = self._formula.weights.tolist()
        text = number(constant if abs(constant) > _NOTHING * max(map(abs, weights), default=0) else 0)
        for term, scaled in zip(self._formula.terms, weights, strict=True):
            weight = scaled / math.prod(float(self._formula.scale[column]) for column in term.factors)
            weight *= 1.0 if term.divisor is None else float(self._formula.scale[term.divisor])
            sign = '-' if weight < 0 else '+'
            factors = ' × '.join([number(abs(weight)), *self._factors(term)])
            over = '' if term.divisor is None else f' / {self._encoder.columns[term.divisor].name}'
            text += f' {sign} {factors}{over}{self._condition(term)}'
        return text

    def _factors(self, term: Term) -> Iterator[str]:
        for column in dict.fromkeys(term.factors):
            count = term.factors.count(column)
            yield f'{self._encoder.columns[column].name}{f"^{count}" if count > 1 else ""}'

    def _condition(self, term: Term) -> str:
        if term.mark is None:
            return ''
        words = self._encoder.words[term.mark[0]]
        level = next(word for word, index in words.levels.items() if index == term.mark[1])
        return f' (if {words.parameter} is {level or "not given"})'

    def _product(self) -> str:
        """Numbers are divided by the largest of each, so that its first factor is what the largest run needs."""
        constant, *weights = self._formula.weights.tolist()
        text = number(math.exp(min(constant, 100.0)))
        for term, weight in zip(self._formula.terms, weights, strict=True):
            if term.factors:
                column = term.factors[0]
                largest = number(float(self._formula.scale[column]))
                factor = f'({self._encoder.columns[column].name}/{largest})^{number(weight)}'
            else:
                factor = number(math.exp(min(weight, 100.0)))
            text += f' × {factor}{self._condition(term)}'
        return f'{number(self._formula.offset)} + {text}' if self._formula.offset else text


_NOTHING = 1e-6
"""A constant that is this part of a term is no more than an error of rounding."""


def number(value: float) -> str:
    """Three digits of it, and all of a large one before its point."""
    return f'{value:.0f}' if abs(value) >= 999.5 else f'{value:.3g}'


SHUFFLES = 3
"""How often the values of a parameter are exchanged between runs, to see what that changes."""


def _shares(quantity: Quantity, encoder: Encoder) -> dict[str, float]:
    """How much the formula says otherwise where the values of a parameter are exchanged between runs."""
    import numpy

    plain = quantity.formula.values(quantity.seen)[0]
    changes: dict[str, float] = {}
    for parameter in _parameters(quantity, encoder):
        changed = [quantity.formula.values(each)[0] for each in _shuffled(quantity.seen, encoder, parameter)]
        changes[parameter] = float(numpy.mean([_square(plain - each) for each in changed]))
    total = sum(changes.values())
    ranked = sorted(changes.items(), key=lambda each: -each[1])
    return {parameter: change / total for parameter, change in ranked if change > 0}


def _square(values: NDArray[float64]) -> float:
    return float((values**2).mean())


def _parameters(quantity: Quantity, encoder: Encoder) -> Sequence[str]:
    numbers = (encoder.columns[column].parameter for column in sorted(quantity.formula.columns))
    words = (encoder.words[column].parameter for column in sorted(quantity.formula.marks))
    return list(dict.fromkeys([*numbers, *words]))


def _shuffled(encoded: Encoded, encoder: Encoder, parameter: str) -> Iterator[Encoded]:
    columns = [index for index, each in enumerate(encoder.columns) if each.parameter == parameter]
    marks = [index for index, each in enumerate(encoder.words) if each.parameter == parameter]
    for seed in range(SHUFFLES):
        order = list(range(len(encoded.numbers)))
        random.Random(seed).shuffle(order)
        numbers, levels = encoded.numbers.copy(), encoded.levels.copy()
        numbers[:, columns] = numbers[order][:, columns]
        levels[:, marks] = levels[order][:, marks]
        yield replace(encoded, numbers=numbers, levels=levels)
