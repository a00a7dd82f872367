"""How the trials that lead a search are listed."""

from __future__ import annotations

import pytest

from hpsearch.cli.adaptive.leading import heading
from hpsearch.model.trials.leading import Leader
from hpsearch.model.trials.trial import Objective


@pytest.mark.parametrize(('count', 'trials'), [(1, '1 trial'), (2, '2 trials')])
def test_that_the_trials_of_a_pareto_front_are_counted(count: int, trials: str) -> None:
    found = [Leader('a', {}, (0.9, 5.0), 1)] * count
    assert heading([Objective('acc'), Objective('size')], found, count).startswith(f'Pareto front: {trials} (')


@pytest.mark.parametrize(('count', 'whose'), [(1, 'its'), (2, 'their')])
def test_that_means_are_said_to_be_over_the_seeds_of_one_trial_or_of_several(count: int, whose: str) -> None:
    found = [Leader('a', {}, (0.9,), 2)] * count
    assert f'(mean over {whose} seeds; ' in heading([Objective('acc')], found, count)
