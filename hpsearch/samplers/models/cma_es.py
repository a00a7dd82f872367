"""CMA-ES, by the library cmaes that Optuna's sampler is made of.

Optuna's sampler keeps the state of the optimizer as a pickle. Here it is made anew from the trials: each proposal
notes its generation, and the first one of a generation which trials of the one before it was made from. So the same
generations follow from the same trials in every process, whatever has ended since.

The algorithm is that of Hansen ("The CMA Evolution Strategy: A Tutorial", arXiv:1604.00772).
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from random import Random
from typing import TYPE_CHECKING, Any, TypeAlias

from hpsearch.model.configuration import Value
from hpsearch.model.trials.distributions import Fidelity, Space
from hpsearch.model.trials.trial import Proposal, Trial
from hpsearch.samplers.models.positions import is_ordered, position
from hpsearch.samplers.random_search import draw_once, drawn

if TYPE_CHECKING:
    from cmaes import CMA

Told: TypeAlias = tuple[tuple[tuple[float, ...], float], ...]
"""What a generation was made from: where each trial was, and its loss."""

GENERATION = 'generation'
"""The fact of a proposal that says from which generation it is, from 0."""

PARENTS = 'parents'
"""The fact that has the numbers of the trials of the generation before, for the first proposals of a generation."""

SIGMA = 1 / 6
"""The first standard deviation, as a share of the range of each option: that of Optuna."""


class CmaEsSampler:
    """Draws from a normal distribution that follows the better half of each generation.

    Options whose values have no order are drawn at random.

    Args:
        space: What it proposes values of; one option at least has an order.
        seed: Of the search.
        options: ``popsize``, ``sigma0`` and ``lr_adapt``, as Optuna's sampler has them.
    """

    def __init__(self, space: Space, seed: int, options: Mapping[str, Any]) -> None:
        self._space = drawn(space)
        self._ordered = [name for name, each in self._space.items() if is_ordered(each)]
        self._seed = seed
        self._sigma = options.get('sigma0') or SIGMA
        self._lr_adapt = options.get('lr_adapt', False)
        self._popsize = options.get('popsize') or 4 + math.floor(3 * math.log(max(len(self._ordered), 1)))
        self._places: dict[int, tuple[float, ...]] = {}
        self._told: list[Told] = []
        self._optimizer: CMA | None = None

    def propose(self, trials: Sequence[Trial], number: int) -> Proposal:
        """See :class:`hpsearch.samplers.base.Sampler`."""
        history, parents = self._history(trials)
        optimizer = self._after(history)
        random = Random(f'{self._seed} {number}')
        optimizer.reseed_rng(random.getrandbits(32))
        points = dict(zip(self._ordered, optimizer.ask().tolist(), strict=True))
        others = draw_once(self._space, random)
        values = {
            name: others[name] if isinstance(each, Fidelity) or name not in points else each.at(points[name])
            for name, each in self._space.items()
        }
        return Proposal(values, facts={GENERATION: len(history), **({PARENTS: parents} if parents else {})})

    def is_done(self, trials: Sequence[Trial]) -> bool:
        """Never."""
        return False

    def _history(self, trials: Sequence[Trial]) -> tuple[list[Told], list[int]]:
        """What the generations were made from, and the parents of the last one unless a trial has noted them yet."""
        members = _by_generation(trials)
        by_number = {trial.number: trial for trial in trials}
        history: list[Told] = []
        while True:
            noted = _noted_parents(members.get(len(history) + 1, []))
            ended = [each.number for each in members.get(len(history), []) if each.losses][: self._popsize]
            parents = [by_number[each] for each in noted or ended if each in by_number]
            if len(parents) < self._popsize:
                return history, []
            history.append(tuple(map(self._result, parents)))
            if not noted:
                return history, ended

    def _result(self, trial: Trial) -> tuple[tuple[float, ...], float]:
        """Where a trial was, and its loss."""
        if trial.number not in self._places:
            self._places[trial.number] = self._place(trial.values)
        return self._places[trial.number], trial.losses[0] if trial.losses else math.inf

    def _place(self, values: Mapping[str, Value]) -> tuple[float, ...]:
        """An option that a condition has taken away, or set to something else, counts as its middle."""
        places = (position(self._space[name], values[name]) if name in values else None for name in self._ordered)
        return tuple(0.5 if each is None else each for each in places)

    def _after(self, history: list[Told]) -> CMA:
        """The optimizer after these generations; it goes on from where it was, unless they have changed."""
        optimizer = self._optimizer
        if optimizer is None or history[: len(self._told)] != self._told:
            optimizer, self._told = self._new(), []
        import numpy

        for told in history[len(self._told) :]:
            optimizer.tell([(numpy.array(where), loss) for where, loss in told])
        self._optimizer, self._told = optimizer, history
        return optimizer

    def _new(self) -> CMA:
        import cmaes
        import numpy

        options = len(self._ordered)
        return cmaes.CMA(
            mean=numpy.full(options, 0.5),
            sigma=self._sigma,
            bounds=numpy.array([(0.0, 1.0)] * options),
            n_max_resampling=10 * options,
            population_size=self._popsize,
            lr_adapt=self._lr_adapt,
        )


def _by_generation(trials: Sequence[Trial]) -> Mapping[int, list[Trial]]:
    found: dict[int, list[Trial]] = {}
    for trial in trials:
        generation = trial.evaluations[0].proposal.facts.get(GENERATION)
        if generation is not None:
            found.setdefault(generation, []).append(trial)
    return found


def _noted_parents(members: Sequence[Trial]) -> list[int]:
    """What the first trial of a generation says; where several writers began it at once, the others may differ."""
    noted = (each.evaluations[0].proposal.facts.get(PARENTS) for each in members)
    return next((each for each in noted if each), [])
