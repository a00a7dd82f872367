"""Which trials are given another seed."""

from __future__ import annotations

import math
from collections.abc import Sequence

import pytest

from hpsearch.model.trials.racing import Spread, is_hopeless, spread
from hpsearch.model.trials.trial import Evaluation, Proposal, Trial, TrialState


def trial(number: int, *losses: Sequence[float], state: TrialState = TrialState.COMPLETE) -> Trial:
    """A trial with a run for each seed; the state is that of the last one."""
    runs = [
        Evaluation(f'r{number}{seed}', number * 10 + seed, Proposal({}, trial=number, seed=seed), each, tuple(loss))
        for seed, loss in enumerate(losses)
        for each in [state if seed == len(losses) - 1 else TrialState.COMPLETE]
    ]
    return Trial(number, runs)


def test_that_the_spread_is_pooled_over_trials() -> None:
    known = spread([trial(1, [1.0], [3.0]), trial(2, [10.0], [10.0], [13.0]), trial(3, [7.0]), trial(4, [math.inf])])
    assert known.freedom == 3
    assert list(known.deviations) == [pytest.approx(math.sqrt((2 + 6) / 3))]


def test_that_what_is_worse_by_more_than_seeds_explain_is_hopeless() -> None:
    best = trial(1, [1.0], [1.2], [1.1], [0.9])
    known = spread([best, trial(2, [5.0], [5.2])])
    assert is_hopeless(trial(3, [1.6]), [best], known)
    assert not is_hopeless(trial(3, [1.3]), [best], known)
    assert not is_hopeless(trial(3, [0.5]), [best], known)


def test_that_more_seeds_show_smaller_differences() -> None:
    known = Spread((1.0,), 20)
    assert not is_hopeless(trial(3, [2.0]), [trial(1, *[[0.5]] * 9)], known)
    assert is_hopeless(trial(3, *[[2.0]] * 8), [trial(1, *[[0.5]] * 9)], known)


def test_that_nothing_is_hopeless_while_the_spread_is_unknown() -> None:
    assert not is_hopeless(trial(3, [9.0]), [trial(1, [1.0])], Spread())


def test_that_with_equal_results_of_all_seeds_whatever_is_worse_is_hopeless() -> None:
    best = trial(1, [1.0], [1.0])
    assert is_hopeless(trial(3, [1.001]), [best], spread([best]))


@pytest.mark.parametrize('state', [TrialState.STOPPED, TrialState.FAILED])
def test_that_what_was_stopped_or_has_failed_once_is_hopeless(state: TrialState) -> None:
    assert is_hopeless(trial(3, [1.0], [1.0], state=state), [], Spread())


def test_that_no_number_at_all_is_hopeless_beside_one() -> None:
    assert is_hopeless(trial(3, [math.inf]), [trial(1, [1.0])], Spread())


def test_that_what_is_better_in_one_objective_is_not_hopeless() -> None:
    known = Spread((0.1, 0.1), 20)
    best = trial(1, [1.0, 1.0], [1.0, 1.0])
    assert not is_hopeless(trial(3, [9.0, 0.5]), [best], known)
    assert is_hopeless(trial(3, [9.0, 9.0]), [best], known)


def test_that_fewer_degrees_of_freedom_need_larger_differences() -> None:
    margins = [Spread((1.0,), freedom).margins(1, 1)[0] for freedom in range(1, 40)]
    assert margins == sorted(margins, reverse=True)
    assert margins[29] == pytest.approx(1.697 * math.sqrt(2), abs=0.02)
