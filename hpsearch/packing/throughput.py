"""What was learned of how runs that share a GPU slow each other."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from numpy import float64
    from numpy.typing import NDArray

    from hpsearch.packing.prediction.observation import Observation

WORTHWHILE = 0.12
"""Share of a run's work by which a GPU must get more done with it: below that, it only slows those that are there."""

BUSY = 1.25
"""The load from which on a GPU has more to do than it can, so that a run there tells how runs slow each other."""

ENOUGH = 3
"""Runs that were on such a GPU, and tell whether it is worth the while."""

FEWEST = 8
"""Finished runs from which anything is learned."""

PRIOR_CONTENTION, PRIOR_INTERFERENCE = 0.5, 0.1
"""How far (one standard deviation) the two numbers of :class:`Sharing` may be from what is assumed of them."""

LEAST_NOISE = 0.05
"""Share (0-1) by which durations differ at least, whatever is known of them."""


@dataclass(frozen=True, slots=True)
class Sharing:
    """How runs that share a GPU slow each other.

    The load of a GPU is the sum of what its runs would put on it alone. 1 is as much as it can do; of more load, each
    gets its share, unless another thing was learned.

    Attributes:
        contention: The power of the load above 1 that runs take longer by. 1: a GPU gets no more done than its load of
            1; less: it does, since runs use it together; more: they are in each other's way.
        interference: By how much (as a logarithm) each further run slows a run, whatever the load.
        seen: The load up to which that was learned. Beyond it, a GPU gets no more done.
        tried: How many runs were on a GPU with clearly more load than 1.
    """

    contention: float = 1.0
    interference: float = 0.0
    seen: float = 1.0
    tried: int = 0

    def slowed_by(self, load: float, runs: float) -> float:
        """The factor by which runs take longer where there is so much load from so many of them."""
        known, beyond = min(max(1.0, load), self.seen), max(1.0, load / self.seen)
        return float(known**self.contention * beyond * math.exp(self.interference * max(0.0, runs - 1)))

    def done(self, load: float, runs: float) -> float:
        """What is done per second where there is so much load from so many runs: 1 is a GPU that is busy for one."""
        return load / self.slowed_by(load, runs)

    def is_worthwhile(self, taken: float, load: float, runs: int) -> bool:
        """Whether another run lets a GPU get enough done; the first one always does.

        Args:
            taken: The load that is there.
            load: The load that the run puts on a GPU that it has for itself.
            runs: How many there are.
        """
        if taken <= 0 and not runs:
            return True
        return self.done(taken + load, runs + 1) - self.done(taken, runs) >= WORTHWHILE * load


NOTHING_LEARNED = Sharing()


def load_beside(observation: Observation, load: float, mean: float) -> float:
    """The load there was on the GPUs of an attempt, as a mean.

    Args:
        observation: The attempt.
        load: What it would put there alone.
        mean: What runs put there alone, as a mean.
    """
    return load + mean * max(0.0, (observation.measured.sharing or 1.0) - 1.0)


def learn_sharing(observations: Sequence[Observation], loads: Sequence[float]) -> Sharing:
    """Learn from how long runs took that shared GPUs more or less, and that are otherwise alike.

    Durations follow from parameters by a product of powers, and from what was beside a run by the two numbers of
    :class:`Sharing`, which stay near what is assumed of them as long as little is known.

    Args:
        observations: One per attempt.
        loads: What each would put on a GPU alone, as far as that can be told.
    """
    mean = sum(loads) / len(loads) if loads else 0.0
    told = [
        (each, load_beside(each, load, mean), (each.measured.sharing or 1.0) - 1.0)
        for each, load in zip(observations, loads, strict=True)
        if each.is_finished and each.seconds and each.measured.sharing is not None
    ]
    busiest = sorted((load for _, load, _ in told), reverse=True)
    tried = sum(load >= BUSY for load in busiest)
    if len(told) < FEWEST:
        return Sharing(tried=tried)
    seen = max(1.0, busiest[ENOUGH - 1])
    contention, interference = _fitted(*zip(*told, strict=True))
    return Sharing(min(2.0, max(0.2, contention)), min(1.0, max(0.0, interference)), seen, tried)


def _fitted(runs: Sequence[Observation], loads: Sequence[float], others: Sequence[float]) -> tuple[float, float]:
    """The two numbers, by least squares on logarithms with what is assumed as a prior."""
    import numpy as np

    crowd = np.log(np.maximum(1.0, np.array(loads)))
    seconds = np.log([max(1e-3, each.seconds or 0.0) for each in runs]) - crowd  # as if the assumption held
    known = _explanations(runs)
    columns = np.column_stack([crowd, np.array(others), np.ones(len(runs)), known])
    trust = np.diag([PRIOR_CONTENTION**-2, PRIOR_INTERFERENCE**-2, 1e-6, *[1.0] * known.shape[1]])
    noise, found = max(LEAST_NOISE, float(np.std(seconds))), np.zeros(columns.shape[1])
    for _ in range(5):
        found = np.linalg.solve(columns.T @ columns / noise**2 + trust, columns.T @ seconds / noise**2)
        freedom = max(1, len(runs) - min(len(runs) // 2, columns.shape[1]))
        noise = max(LEAST_NOISE, math.sqrt(float(np.sum((seconds - columns @ found) ** 2)) / freedom))
    return 1.0 + float(found[0]), float(found[1])


def _explanations(runs: Sequence[Observation]) -> NDArray[float64]:
    """What durations may follow from beside the company of a run: a row per run."""
    import numpy as np

    from hpsearch.packing.prediction.encoding import Encoder

    encoder = Encoder([each.params for each in runs])
    encoded = encoder.encode([each.params for each in runs])
    numbers = [np.log(column) if column.min() > 0 else column for column in encoded.numbers.T]
    words = [column == level for column in encoded.levels.T for level in np.unique(column)[1:]]
    columns = [np.asarray(column, dtype=float) for column in (*numbers, *words)]
    # The smallest numbers differ, and their squares do not.
    differing = [column for column in columns if np.ptp(column) > 0 and column.std() > 0]
    scaled = [(column - column.mean()) / column.std() for column in differing]
    return np.column_stack(scaled) if scaled else np.zeros((len(runs), 0))
