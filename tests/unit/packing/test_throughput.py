"""How runs that share a GPU slow each other, as durations tell."""

from __future__ import annotations

import random
from dataclasses import replace

import pytest

from hpsearch.model.usage.measured import Measured
from hpsearch.packing.learned import Learned, learn
from hpsearch.packing.prediction.observation import Observation
from hpsearch.packing.throughput import NOTHING_LEARNED, Sharing, learn_sharing


def ran(size: int, runs: int, load: float, slowed_by: float, noise: float = 1.0) -> Observation:
    """A run that took so much longer than alone."""
    measured = Measured(gpu_load=load, sharing=float(runs))
    seconds = 10.0 * size**0.7 * slowed_by * noise
    return Observation(f'{size}-{runs}', {'size': size}, measured, seconds, is_finished=True, is_settled=True)


def searched(law: Sharing, load: float, most: int, count: int = 60) -> list[Observation]:
    """Runs on GPUs that follow a law, with up to so many at a time."""
    generator, found = random.Random(1), []
    for number in range(count):
        size, runs = generator.choice([8, 16, 32, 64]), number % most + 1
        slowed_by = max(1.0, load * runs) ** law.contention * (1 + law.interference) ** (runs - 1)
        found.append(ran(size, runs, load, slowed_by, generator.gauss(1.0, 0.03)))
    return found


@pytest.mark.parametrize('law', [Sharing(), Sharing(0.5), Sharing(1.3), Sharing(1.0, 0.1)])
def test_that_the_law_of_a_machine_is_learned(law: Sharing) -> None:
    learned = learn_sharing(searched(law, 0.6, 3), [0.6] * 60)
    assert learned.contention == pytest.approx(law.contention, abs=0.15)
    assert learned.interference == pytest.approx(law.interference, abs=0.05)


def test_that_a_gpu_is_taken_to_do_a_load_of_one_while_nothing_is_known() -> None:
    assert learn_sharing([], []) == NOTHING_LEARNED
    assert NOTHING_LEARNED.done(0.5, 1) == 0.5
    assert NOTHING_LEARNED.done(3.0, 3) == 1.0


def test_that_nothing_is_gained_beyond_what_was_seen() -> None:
    learned = Sharing(0.5, seen=2.0)
    assert learned.is_worthwhile(1.0, 1.0, 1)
    assert not learned.is_worthwhile(2.0, 1.0, 2)
    assert learned.done(4.0, 4) == pytest.approx(learned.done(2.0, 2))


def test_that_runs_which_slow_each_other_for_other_reasons_are_not_put_together() -> None:
    learned = learn_sharing(searched(Sharing(1.0, 0.9), 0.2, 3), [0.2] * 60)
    assert not learned.is_worthwhile(0.4, 0.2, 2)


def test_that_durations_are_foretold_as_if_each_run_were_alone() -> None:
    observations = searched(Sharing(), 1.0, 2)
    learned = Learned()
    for _ in range(2):
        learned = learn(observations, learned)
    guess = learned.predictor.estimate({'size': 32}).seconds
    assert guess is not None
    assert guess.expected == pytest.approx(10.0 * 32**0.7, rel=0.15)


def test_that_the_smallest_numbers_there_are_spoil_nothing() -> None:
    plain = searched(Sharing(1.0, 0.9), 0.2, 3)
    odd = [replace(each, params={**each.params, 'tiny': 1e-200 * (-1) ** row}) for row, each in enumerate(plain)]
    assert learn_sharing(odd, [0.2] * 60) == learn_sharing(plain, [0.2] * 60)
