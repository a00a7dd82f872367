"""Random search."""

from __future__ import annotations

from hpsearch.model.trials.distributions import Fidelity, Space, Uniform, choice_of
from hpsearch.samplers.random_search import RandomSampler

SPACE: Space = {'lr': Uniform(1e-5, 1.0, log=True), 'width': choice_of([16, 32, 64]), 'epochs': Fidelity(1, 9)}


def test_that_the_same_number_and_seed_give_the_same_values() -> None:
    assert RandomSampler(SPACE, 1).propose([], 7) == RandomSampler(SPACE, 1).propose([], 7)


def test_that_another_number_gives_other_values() -> None:
    sampler = RandomSampler(SPACE, 1)
    assert sampler.propose([], 7) != sampler.propose([], 8)


def test_that_the_budget_is_not_drawn() -> None:
    proposal = RandomSampler(SPACE, 1).propose([], 1)
    assert proposal is not None
    assert set(proposal.values) == {'lr', 'width'}
