"""All that is learned from attempts: what runs need, and how they slow each other."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from hpsearch.packing.prediction.observation import Observation
from hpsearch.packing.prediction.predictor import ALONE, MOST_OBSERVATIONS, Predictor
from hpsearch.packing.throughput import NOTHING_LEARNED, Sharing, learn_sharing, load_beside


@dataclass(frozen=True, slots=True)
class Learned:
    """What was learned.

    Attributes:
        predictor: What runs need.
        sharing: How they slow each other.
    """

    predictor: Predictor = field(default_factory=lambda: Predictor(()))
    sharing: Sharing = NOTHING_LEARNED


def learn(observations: Sequence[Observation], before: Learned | None = None) -> Learned:
    """Learn both, each with the help of the other.

    Durations say how runs slow each other once it is known what load each puts on a GPU, and are what they would be
    alone once that is known.

    Args:
        observations: One per attempt, in the order of their ends; the latest count.
        before: What was learned from fewer of them; None: nothing.
    """
    observations = observations[-MOST_OBSERVATIONS:]
    loads = _loads(observations, (before or Learned()).predictor)
    sharing, mean = learn_sharing(observations, loads), sum(loads) / max(1, len(loads))
    slowed = {
        id(each): sharing.slowed_by(load_beside(each, load, mean), each.measured.sharing or 1.0)
        for each, load in zip(observations, loads, strict=True)
    }
    predictor = Predictor(observations, lambda each: slowed[id(each)])
    predictor.fit()
    return Learned(predictor, sharing)


def _loads(observations: Sequence[Observation], predictor: Predictor) -> list[float]:
    """What each attempt puts on a GPU that it has for itself: measured where it had one, else foretold."""
    foretold = [each.load for each in predictor.estimates([each.params for each in observations])]
    return [
        _load(each, 0.0 if guess is None else guess.expected)
        for each, guess in zip(observations, foretold, strict=True)
    ]


def _load(observation: Observation, foretold: float) -> float:
    measured = observation.measured.gpu_load
    is_alone = (observation.measured.sharing or 1.0) <= ALONE
    return measured if measured is not None and is_alone else max(measured or 0.0, foretold)
