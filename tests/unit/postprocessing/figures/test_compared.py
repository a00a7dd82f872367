"""Which runs count in figures, and what parameters are there: numbers or categories, scales and bins."""

from __future__ import annotations

import math
import sys

import pytest

from hpsearch.model.states import State
from hpsearch.model.trials.distributions import Choice, Drawn, Fidelity, Integer, Normal, Uniform
from hpsearch.model.trials.trial import Objective, Proposal
from postprocessing.figures.compared import compared
from postprocessing.figures.parameters import BINS, MISSING, MOST_LEVELS, labels_of, number_of, parameter_of
from tests.support.search_records import results_of, run_record, search_record

ACC = Objective('acc', maximize=True)


def test_that_only_finished_runs_with_a_finite_number_count_and_the_others_are_named() -> None:
    runs = [
        run_record(1, {'lr': 0.1}, 0.5),
        run_record(2, {'lr': 0.2}, 'nan'),
        run_record(3, {'lr': 0.3}, 'inf'),
        run_record(4, {'lr': 0.4}, 'good'),
        run_record(5, {'lr': 0.5}, None),
        run_record(6, {'lr': 0.6}, 0.9, state=State.FAILED),
        run_record(7, {'lr': 0.7}, 0.9, state=State.STOPPED),
    ]
    found = compared(search_record(runs), ACC)
    assert [run.number for run in found.runs] == [1]
    assert found.about == '1 of 7 runs (left out: 2 not finished, 4 without a usable number for acc).'


def test_that_runs_which_differ_in_their_seeds_alone_are_one_point_with_their_mean() -> None:
    values: list[tuple[dict[str, float], float]] = [
        ({'lr': 0.1, 'random_seed': 1}, 0.5),
        ({'lr': 0.1, 'random_seed': 2}, 0.7),
        ({'lr': 1, 'random_seed': 1}, 1),
    ]
    found = compared(results_of(values), ACC)
    assert [(point.run, point.value, point.runs) for point in found.points] == [
        ('run_00001', pytest.approx(0.6), 2),
        ('run_00003', 1.0, 1),
    ]
    assert [each.name for each in found.parameters] == ['lr']
    assert found.about == ('3 of 3 runs. Runs with the same values, seeds aside, are one point, their mean: 2 points.')


def test_that_results_whose_sum_is_too_large_for_a_number_have_a_mean() -> None:
    (point,) = compared(results_of([({'a': 1, 'random_seed': seed}, 1e306) for seed in range(200)]), ACC).points
    assert point.value == pytest.approx(1e306)


def test_that_the_largest_number_there_is_stands_for_no_result() -> None:
    found = compared(results_of([({'a': 1}, sys.float_info.max), ({'a': 2}, 0.5)]), ACC)
    assert [point.value for point in found.points] == [0.5]
    assert '1 without a usable number for acc' in found.about


def test_that_an_option_is_a_seed_where_the_search_says_so() -> None:
    values = [({'lr': 0.1, 'rng': 1}, 0.5), ({'lr': 0.1, 'rng': 2}, 0.7)]
    assert len(compared(results_of(values, options={'seed_arg': 'rng'}), ACC).points) == 1
    assert len(compared(results_of(values), ACC).points) == 2


def test_that_one_and_true_and_texts_are_different_values() -> None:
    found = compared(results_of([({'a': 1}, 1.0), ({'a': True}, 2.0), ({'a': '1'}, 3.0), ({'a': [1]}, 4.0)]), ACC)
    assert len(found.points) == 4
    assert not found.parameters[0].is_number


def budgets(counts: dict[int, int]) -> list[tuple[int, int]]:
    return [(budget, each) for budget, count in counts.items() for each in range(count)]


@pytest.mark.parametrize(('counts', 'wanted'), [({1: 40, 3: 25, 9: 4}, 3), ({1: 9, 3: 3, 9: 1}, 9), ({1: 30}, 1)])
def test_that_the_largest_budget_with_enough_runs_counts(counts: dict[int, int], wanted: int) -> None:
    runs = [
        run_record(
            number,
            {'lr': each / 10, 'epochs': budget},
            budget + each / 100,
            proposal=Proposal({'lr': each / 10, 'epochs': budget}, fidelity=budget),
        )
        for number, (budget, each) in enumerate(budgets(counts), 1)
    ]
    found = compared(search_record(runs, grid={'lr': [0.1, 0.2], 'epochs': Drawn(Fidelity(1, 9))}), ACC)
    assert {run.params['epochs'] for run in found.runs} == {wanted}
    assert 'epochs' not in [each.name for each in found.parameters]
    assert f'All have epochs = {wanted}.' in found.about


@pytest.mark.parametrize(
    ('value', 'number'),
    [
        (1, 1.0),
        ('1e-3', 0.001),
        (True, None),
        ('adam', None),
        (None, None),
        ('nan', None),
        (math.inf, None),
        ([1], None),
    ],
)
def test_that_finite_numbers_are_numbers_also_as_texts(value: object, number: float | None) -> None:
    assert number_of(value) == number


@pytest.mark.parametrize(
    ('values', 'distribution', 'is_log'),
    [
        ([0.001, 0.01, 0.1], None, True),
        ([0.1, 0.2, 0.3], None, False),
        (list(range(1, 101)), None, False),
        ([16, 32, 64, 128, 256], None, True),
        ([0.001, 1.0], None, True),
        ([1.0, 2.0], None, False),
        ([0.0, 0.01, 0.1], None, False),
        ([-1.0, 0.01, 100.0], None, False),
        ([0.4, 0.5], Uniform(0.001, 1, log=True), True),
        ([0.001, 0.01, 1], Uniform(0, 1), False),
        ([1, 100, 10], Integer(1, 100, log=True), True),
        ([0.001, 0.01, 1], Normal(0, 1), False),
        ([0.001, 0.01, 0.1], Choice((0.001, 0.01, 0.1)), True),
    ],
)
def test_that_a_scale_is_logarithmic_where_it_was_drawn_or_listed_so(
    values: list[float], distribution: Uniform | None, is_log: bool
) -> None:
    assert parameter_of('lr', values, distribution).is_log is is_log


def test_that_labels_have_four_digits_or_as_many_as_tell_them_apart() -> None:
    assert labels_of([0.123456, 20.0]) == ['0.1235', '20']
    assert labels_of([4_294_967_294, 4_294_967_295]) == ['4294967294', '4294967295']
    assert labels_of([0.1, 0.1 + 2**-55]) == ['0.10000000000000001', '0.10000000000000003']


def test_that_a_number_with_many_values_has_bins_of_equal_width_on_its_scale() -> None:
    linear = parameter_of('x', [each / 10 for each in range(101)], None)
    assert linear.edges == pytest.approx(range(11))
    assert linear.levels([0.0, 0.99, 1.0, 10.0, None, 3], [True] * 5 + [False]) == [0, 0, 1, 9, MISSING, MISSING]
    log = parameter_of('x', [10.0 ** (each / 10) for each in range(-50, 51)], None)
    assert log.is_log
    assert log.edges == pytest.approx([10.0**each for each in range(-5, 6)])
    assert len(log.labels) == len(log.centres) == BINS
    assert log.centres[0] == pytest.approx(10**-4.5)


def test_that_of_many_categories_the_most_frequent_have_levels() -> None:
    values = [f'name{each}' for each in range(40)] + ['name39'] * 5
    found = parameter_of('name', values, None)
    assert len(found.labels) == MOST_LEVELS
    assert found.left_out == 40 - MOST_LEVELS
    assert 'name39' in found.labels
    assert found.levels(['name38', 'name39'], [True, True])[0] == MISSING


def test_that_categories_are_in_the_order_of_numbers_and_then_of_texts() -> None:
    assert list(parameter_of('x', ['b', '10', 'a', '9', None, False], None).labels) == [
        '9',
        '10',
        'False',
        'None',
        'a',
        'b',
    ]
