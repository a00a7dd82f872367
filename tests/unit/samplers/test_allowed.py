"""Proposals that are allowed and new: redrawn where they are not, until a space is exhausted."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hpsearch.config.distributions.functions import randint, uniform
from hpsearch.model.errors import ConfigError
from hpsearch.model.trials.trial import Evaluation, Proposal, Trial
from hpsearch.samplers.allowed import AllowedSampler
from hpsearch.samplers.random_search import RandomSampler
from hpsearch.space.sampled import SampledSpace
from tests.unit.space.test_sampled import sampled


class Stubborn:
    """Proposes the same values again and again, and remembers by which numbers it was asked.

    Args:
        proposal: What it proposes; None: nothing.
        is_done: What it says.
    """

    def __init__(self, proposal: Proposal | None, is_done: bool = False) -> None:
        self.proposal = proposal
        self.done = is_done
        self.numbers: list[int] = []

    def propose(self, trials: Sequence[Trial], number: int) -> Proposal | None:
        """Propose."""
        self.numbers.append(number)
        return self.proposal

    def is_done(self, trials: Sequence[Trial]) -> bool:
        """Say it."""
        return self.done


def trial(number: int, values: dict[str, Any]) -> Trial:
    """Return a trial that waits."""
    return Trial(number, [Evaluation(f'r{number}', number, Proposal(values, trial=number))])


def searched(space: SampledSpace, limit: int, seed: int = 1) -> list[Trial]:
    """Return the trials of a whole random search."""
    sampler = AllowedSampler(RandomSampler(space.space, seed), space, space.space, seed)
    trials: list[Trial] = []
    while len(trials) < limit and not sampler.is_done(trials):
        proposal = sampler.propose(trials, len(trials) + 1)
        assert proposal is not None
        trials.append(trial(len(trials) + 1, dict(proposal.values)))
    return trials


@given(st.integers(0, 10**6))
def test_that_a_finite_space_is_tried_whole_and_nothing_twice(seed: int) -> None:
    space = sampled({'a': [1, 2, 3], 'b': randint(0, 2), 'c': ['x', 'y']}, [({'c': ['x']}, {'b': [9]})])
    trials = searched(space, 100, seed)
    assert len(trials) == 3 + 9
    assert {space.key(each.values) for each in trials} == set(space.all_runs)


def test_that_constraints_hold_for_what_is_drawn() -> None:
    space = sampled(
        {'a': uniform(0, 1), 'b': uniform(0, 1)}, constraints=[lambda params: params['a'] + params['b'] < 0.3]
    )
    trials = searched(space, 20)
    assert len(trials) == 20
    assert all(each.values['a'] + each.values['b'] < 0.3 for each in trials)


def test_that_the_same_trials_and_number_give_the_same_proposal() -> None:
    space = sampled({'a': uniform(0, 1)}, constraints=[lambda params: params['a'] < 0.1])
    trials = searched(space, 5)
    again = AllowedSampler(RandomSampler(space.space, 1), space, space.space, 1)
    first = AllowedSampler(RandomSampler(space.space, 1), space, space.space, 1)
    assert again.propose(trials, 6) == first.propose(trials, 6)


def test_that_a_sampler_that_insists_is_replaced_by_chance_and_keeps_its_facts() -> None:
    space = sampled({'a': uniform(0, 1)})
    inner = Stubborn(Proposal({'a': 0.5}, facts={'generation': 3}))
    sampler = AllowedSampler(inner, space, space.space, 1)
    proposal = sampler.propose([trial(1, {'a': 0.5})], 2)
    assert proposal is not None
    assert proposal.values['a'] != 0.5
    assert proposal.facts == {'generation': 3}
    assert len(set(inner.numbers)) == len(inner.numbers) == 10


def test_that_a_constraint_that_nothing_satisfies_is_an_error() -> None:
    space = sampled({'a': uniform(0, 1)}, constraints=[lambda params: params['a'] > 1])
    sampler = AllowedSampler(RandomSampler(space.space, 1), space, space.space, 1)
    with pytest.raises(ConfigError, match='none of 10,000 draws is allowed'):
        sampler.propose([], 1)


def test_that_a_sampler_that_waits_or_is_done_is_believed() -> None:
    space = sampled({'a': uniform(0, 1)})
    sampler = AllowedSampler(Stubborn(None, is_done=True), space, space.space, 1)
    assert sampler.propose([], 1) is None
    assert sampler.is_done([])


def test_that_an_exhausted_space_has_no_more_proposals() -> None:
    space = sampled({'a': [1]})
    sampler = AllowedSampler(RandomSampler(space.space, 1), space, space.space, 1)
    assert not sampler.is_done([])
    assert sampler.propose([], 1) == Proposal({})
    assert sampler.is_done([trial(1, {})])
    assert sampler.propose([trial(1, {})], 2) is None
