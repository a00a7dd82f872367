"""What runs need, by their parameters."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import cached_property

from hpsearch.model.configuration import Params
from hpsearch.model.usage.estimate import Estimate, Guess
from hpsearch.packing.prediction.encoding import Encoded, Encoder
from hpsearch.packing.prediction.explanation import Explanation, explain
from hpsearch.packing.prediction.observation import Observation
from hpsearch.packing.prediction.quantity import Known, Quantity

MOST_OBSERVATIONS = 1000
"""Attempts that are learned from: the latest."""

ALONE = 1.05
"""Up to this many runs on its GPUs, as a mean over time, a run counts as having had them for itself."""

Value = Callable[[Observation], 'tuple[float, bool] | None']
"""What an attempt tells of a quantity, and whether it is only a bound: it needs as much or more; None: nothing."""


def not_slowed(observation: Observation) -> float:
    """Runs are taken to be as fast beside others as alone."""
    return 1.0


class Predictor:
    """Learned once from what is known; another one is made when there is more.

    Args:
        observations: One per attempt, in the order of their ends.
        slowed_by: By which factor (1 or more) what shared its GPUs slowed an attempt.
    """

    def __init__(
        self, observations: Sequence[Observation], slowed_by: Callable[[Observation], float] = not_slowed
    ) -> None:
        self._observations = observations[-MOST_OBSERVATIONS:]
        self._slowed_by = slowed_by

    def fit(self) -> None:
        """Learn now, and not when something is asked for the first time."""
        if self._observations:
            _ = self.quantities

    @cached_property
    def _encoder(self) -> Encoder:
        return Encoder([each.params for each in self._observations])

    @cached_property
    def quantities(self) -> dict[str, Quantity]:
        """What was learned of each quantity of which something is known, by its name in an estimate."""
        encoded = self._encoder.encode([each.params for each in self._observations])
        readers: dict[str, tuple[Value, float | None]] = {
            'memory': (_memory, None),
            'load': (_load, 1.0),
            'seconds': (self._seconds, None),
            'host_memory': (_host_memory, None),
            'cpu': (_cpu, None),
            'settled_after': (_settled_after, None),
        }
        found = {name: (_known(self._observations, value), ceiling) for name, (value, ceiling) in readers.items()}
        return {
            name: Quantity(encoded, known, self._encoder.differing, ceiling)
            for name, (known, ceiling) in found.items()
            if known.rows
        }

    def estimate(self, params: Params) -> Estimate:
        """What a run with these parameters is expected to need."""
        return self.estimates([params])[0]

    def estimates(self, params: Sequence[Params]) -> list[Estimate]:
        """The same for several runs, which is faster than one after the other."""
        if not params or not self._observations or not self.quantities:
            return [Estimate()] * len(params)
        encoded: Encoded = self._encoder.encode(params)
        found: dict[str, list[Guess]] = {name: each.guesses(encoded) for name, each in self.quantities.items()}
        names = tuple(found)
        return [Estimate(**dict(zip(names, guesses, strict=True))) for guesses in zip(*found.values(), strict=True)]

    def explain(self) -> list[Explanation]:
        """What was learned, quantity by quantity."""
        if not self._observations:
            return []
        return [explain(name, quantity, self._encoder) for name, quantity in self.quantities.items()]

    def _seconds(self, each: Observation) -> tuple[float, bool] | None:
        if each.seconds is None or each.seconds <= 0:
            return None
        return each.seconds / max(1.0, self._slowed_by(each)), not each.is_finished


def _known(observations: Sequence[Observation], value: Value) -> Known:
    told = [(row, value(each)) for row, each in enumerate(observations)]
    known = [(row, *one) for row, one in told if one is not None]
    return Known(*(tuple(column) for column in zip(*known, strict=True))) if known else Known((), (), ())


def _has_shown_itself(each: Observation) -> bool:
    """Whether it ran for long enough that what was measured is what it needs."""
    return each.is_finished or each.is_settled


def _memory(each: Observation) -> tuple[float, bool] | None:
    used = max(each.measured.gpu_memory or 0, each.ran_out_of or 0)
    return (used, each.ran_out_of is not None or not _has_shown_itself(each)) if used > 0 else None


def _host_memory(each: Observation) -> tuple[float, bool] | None:
    used = max(each.measured.host_memory or 0, each.ran_out_of_host or 0)
    return (used, each.ran_out_of_host is not None or not _has_shown_itself(each)) if used > 0 else None


def _load(each: Observation) -> tuple[float, bool] | None:
    """Beside others a run gets less of a GPU than it could use."""
    load, sharing = each.measured.gpu_load, each.measured.sharing
    return None if load is None else (load, not _has_shown_itself(each) or (sharing or 1.0) > ALONE)


def _cpu(each: Observation) -> tuple[float, bool] | None:
    cpu = each.measured.cpu
    return None if cpu is None else (cpu, not _has_shown_itself(each))


def _settled_after(each: Observation) -> tuple[float, bool] | None:
    seconds = each.measured.settled_after
    return None if seconds is None else (seconds, False)
