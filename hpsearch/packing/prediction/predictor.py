"""What runs need, by their parameters."""

from __future__ import annotations

from collections.abc import Sequence

from hpsearch.model.configuration import Params
from hpsearch.model.usage.estimate import Estimate, Guess
from hpsearch.packing.prediction.observation import Observation


class Predictor:
    """Learned once from what is known; another one is made when there is more.

    Args:
        observations: One per attempt.
    """

    def __init__(self, observations: Sequence[Observation]) -> None:
        memory = [each.measured.gpu_memory for each in observations if each.measured.gpu_memory is not None]
        self._memory = max(memory, default=None)

    def estimate(self, params: Params) -> Estimate:
        """What a run with these parameters is expected to need."""
        return Estimate(memory=None if self._memory is None else Guess(self._memory, self._memory))
