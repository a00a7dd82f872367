"""The trials that lead a search."""

from __future__ import annotations

from hpsearch.model.trials.leading import Found, leaders, objectives_in_words
from hpsearch.model.trials.trial import Objective

ACC, SIZE = Objective('acc', maximize=True), Objective('size')


def found(run: str, trial: int, acc: str, size: str = '1', fidelity: float | None = None) -> Found:
    """A run that has finished."""
    return Found(run, trial, {'trial': trial}, {'acc': acc, 'size': size}, fidelity)


def test_that_of_several_objectives_the_pareto_front_leads() -> None:
    runs = [found('a', 1, '0.9', '5'), found('b', 2, '0.8', '2'), found('c', 3, '0.7', '3'), found('d', 4, '0.95', '9')]
    assert [(each.run, each.values) for each in leaders(runs, [ACC, SIZE])] == [
        ('d', (0.95, 9.0)),
        ('a', (0.9, 5.0)),
        ('b', (0.8, 2.0)),
    ]


def test_that_the_mean_over_the_runs_of_a_trial_counts() -> None:
    runs = [found('a', 1, '0.9'), found('b', 2, '0.7'), found('c', 1, '0.3'), found('d', 2, '0.8')]
    assert [(each.run, each.runs, round(each.values[0], 6)) for each in leaders(runs, [ACC])] == [
        ('b', 2, 0.75),
        ('a', 2, 0.6),
    ]


def test_that_a_trial_has_the_parameters_that_its_runs_have_in_common() -> None:
    runs = [Found(f'sim_{seed}', 1, {'lr': 0.1, 'seed': seed}, {'acc': '0.9'}) for seed in (1, 2)]
    assert [each.params for each in leaders(runs, [ACC])] == [{'lr': 0.1}]
    assert [each.params for each in leaders(runs[:1], [ACC])] == [{'lr': 0.1, 'seed': 1}]


def test_that_only_the_largest_budget_of_a_trial_counts() -> None:
    runs = [found('a', 1, '0.3', fidelity=1), found('b', 1, '0.9', fidelity=9)]
    assert [(each.run, each.values, each.runs) for each in leaders(runs, [ACC])] == [('b', (0.9,), 1)]


def test_that_a_run_without_a_number_for_each_objective_does_not_count() -> None:
    assert leaders([found('a', 1, 'nan'), found('b', 2, '0.9', '')], [ACC, SIZE]) == []


def test_that_it_is_said_what_is_best() -> None:
    assert objectives_in_words([ACC, SIZE]) == 'acc largest, size smallest'
