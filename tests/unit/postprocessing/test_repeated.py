"""Runs that were repeated with other seeds: how results scatter, how they are shown, and which one is better."""

from __future__ import annotations

import csv
import importlib
import io
import math
import statistics
from collections.abc import Mapping
from decimal import Decimal
from fractions import Fraction
from itertools import product
from random import Random
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.support.postprocessing import NAME, load_package

load_package()
paired: Any = importlib.import_module(f'{NAME}.repeated.paired')
scattering: Any = importlib.import_module(f'{NAME}.repeated.scatter')
summaries: Any = importlib.import_module(f'{NAME}.repeated.summary')
written: Any = importlib.import_module(f'{NAME}.repeated.written')

decimals = st.decimals(-1000, 1000, places=3, allow_nan=False)


def texts(*values: str | None) -> dict[str, str | None]:
    """Values with the seeds 1, 2, …"""
    return {str(seed): value for seed, value in enumerate(values, 1)}


def result_of(*values: str | None, precision: int | None = None, sem: bool = False, **how: Any) -> str:
    """Mean and error of values as they are shown, without a unit."""
    found = scattering.scatter(texts(*values), **how)
    each = scattering.shown(found, found.sem if sem else found.std, precision)
    return f'{each.mean} ± {each.error}' + (f' e{each.exponent}' if each.exponent else '')


def repetition(label: str, accs: Mapping[int, float | str], **more: Any) -> Any:
    """A configuration with the accuracy of each seed."""
    results = {str(seed): {'acc': str(acc), 'finished': '1'} for seed, acc in accs.items()}
    return summaries.Repetition(label, results, **more)


BY_ACC = summaries.Settings(key='acc')


def summary_of(*repetitions: Any, settings: Any = BY_ACC) -> Any:
    return summaries.summarise(repetitions, settings, Random(1))


# Means


@given(st.lists(decimals, min_size=2, max_size=30), st.booleans())
def test_that_mean_and_standard_deviation_are_those_of_python(numbers: list[Decimal], population: bool) -> None:
    found = scattering.scatter(texts(*map(str, numbers)), population=population)
    exact = [Fraction(each) for each in numbers]
    spread = statistics.pstdev(exact) if population else statistics.stdev(exact)
    assert math.isclose(found.mean, statistics.mean(exact), abs_tol=1e-12)
    assert math.isclose(found.std, spread, rel_tol=1e-12, abs_tol=1e-12)
    assert math.isclose(found.sem, spread / math.sqrt(len(numbers)), rel_tol=1e-12, abs_tol=1e-12)


def test_that_the_mean_of_decimal_numbers_is_what_a_person_computes() -> None:
    assert scattering.scatter(texts('0.1', '0.2', '0.3')).mean == Decimal('0.2')
    assert result_of('0.1', '0.2', '0.3') == '0.20 ± 0.10'


def test_that_one_value_has_a_mean_and_no_deviation() -> None:
    assert result_of('0.9125') == '0.9125 ± '
    assert result_of('0.9125', precision=2) == '0.91 ± '


def test_that_a_value_that_is_nan_is_counted_and_named_and_makes_the_mean_nan() -> None:
    found = scattering.scatter(texts('1', 'nan', '3'))
    assert found.n == 3
    assert found.mean.is_nan()
    assert found.problems == ('nan with seed 2',)
    assert result_of('1', 'nan', '3') == 'nan ± '


def test_that_infinity_is_a_mean_and_has_no_deviation() -> None:
    assert result_of('1', 'inf') == 'inf ± '
    assert result_of('-inf', 'inf') == 'nan ± '


def test_that_what_is_missing_or_no_number_does_not_count_and_is_told() -> None:
    found = scattering.scatter(texts('1', None, 'diverged', '3'))
    assert (found.n, found.mean) == (2, 2)
    assert found.problems == ('missing in 1 of 4', 'no number in 1 of 4')


def test_that_a_list_is_a_number_only_where_its_last_value_is_what_is_compared() -> None:
    assert scattering.scatter(texts('0.1,0.5', '0.1,0.7')).n == 0
    assert scattering.scatter(texts('0.1,0.5', '0.1,0.7'), takes_last=True).mean == Decimal('0.6')


def test_that_numbers_in_several_units_have_no_mean() -> None:
    found = scattering.scatter(texts('1 MB', '2 GB'))
    assert found.problems == ('not averaged: its units differ (GB, MB)',)
    assert result_of('1 MB', '2 GB') == ' ± '
    assert scattering.scatter(texts('91 %', '93 %')).unit == '%'


def test_that_numbers_have_no_mean_where_another_configuration_has_another_unit() -> None:
    first = summaries.Repetition('a', {'1': {'size': '1 MB'}})
    second = summaries.Repetition('b', {'1': {'size': '1 GB'}})
    assert not any(row.scatters['size'].is_averaged for row in summary_of(first, second).rows)


# Rounding


def test_that_an_error_has_two_digits_that_count_unless_a_precision_is_given() -> None:
    assert result_of('0.9012', '0.9134', '0.9256') == '0.913 ± 0.012'
    assert result_of('0.9012', '0.9134', '0.9256', precision=1) == '0.9 ± 0.0'
    assert result_of('0.9012', '0.9134', '0.9256', sem=True) == '0.9134 ± 0.0070'
    assert result_of('1000', '1400') == '1200 ± 283'


def test_that_very_small_and_very_large_means_share_an_exponent_with_their_errors() -> None:
    assert result_of('1e-7', '2e-7') == '1.50 ± 0.71 e-7'
    assert result_of('1e300', '3e300') == '2.0 ± 1.4 e300'
    assert result_of('1e-7', '2e-7', precision=2) == '0.00 ± 0.00'


def test_that_of_two_numbers_as_near_the_even_one_is_shown_and_zero_has_no_sign() -> None:
    assert [scattering.rounded(Decimal(each), 2) for each in ('0.125', '0.135', '-0.001', '2.675')] == [
        *('0.12', '0.14', '0.00', '2.68')
    ]


@given(st.floats(allow_nan=False, allow_infinity=False), st.integers(0, 12))
def test_that_what_is_shown_is_within_half_a_unit_of_the_last_digit(number: float, places: int) -> None:
    shown = scattering.rounded(Decimal(repr(number)), places)
    distance = Fraction(shown) - Fraction(repr(number))
    assert -Fraction(1, 2 * 10**places) <= distance <= Fraction(1, 2 * 10**places)


# The test in pairs


def by_brute_force(differences: list[Fraction]) -> Fraction:
    """The share of all changes of sign whose sum is as far from 0."""
    total = abs(sum(differences, Fraction()))
    sums = [
        abs(sum((sign * each for sign, each in zip(signs, differences, strict=True)), Fraction()))
        for signs in product((1, -1), repeat=len(differences))
    ]
    return Fraction(sum(each >= total for each in sums), len(sums))


@given(st.lists(st.decimals(-2, 2, places=1).map(Fraction), min_size=1, max_size=9))
def test_that_p_is_the_share_of_all_changes_of_sign(differences: list[Fraction]) -> None:
    assert paired.sign_flip_p(differences) == by_brute_force(differences)


@given(st.lists(st.decimals(-2, 2, places=2).map(Fraction), min_size=2, max_size=7))
def test_that_p_is_that_of_the_permutation_test_of_scipy(differences: list[Fraction]) -> None:
    scipy_stats = pytest.importorskip('scipy.stats')
    whole = [float(each * 100) for each in differences]  # whole numbers, whose sums are exact in scipy as well
    expected = scipy_stats.permutation_test(
        (whole,), sum, permutation_type='samples', n_resamples=10_000, alternative='two-sided'
    )
    assert math.isclose(paired.sign_flip_p(differences), min(1.0, expected.pvalue), rel_tol=1e-9)


def test_that_p_of_thirty_two_pairs_is_exact() -> None:
    found = paired.compare([Fraction(1)] * 32, Random(1))
    assert not found.drawn
    assert not found.p_error
    assert found.p == found.least_p == 2 / 2**32


def test_that_p_of_more_pairs_is_estimated_and_near_the_exact_one() -> None:
    differences = [Fraction(each) for each in range(-4, 9)]
    drawn = paired.drawn_p(differences, Random(1), 4_000)
    assert math.isclose(drawn, paired.sign_flip_p(differences), abs_tol=0.03)
    assert paired.compare([Fraction(1)] * 33, Random(1)).drawn


@pytest.mark.parametrize(('wins', 'pairs'), [(25, 33), (65, 100), (530, 1000)])
def test_that_p_of_many_equal_differences_is_that_of_the_sign_test_of_scipy(wins: int, pairs: int) -> None:
    scipy_stats = pytest.importorskip('scipy.stats')
    found = paired.compare([Fraction(1, 3)] * wins + [Fraction(-1, 3)] * (pairs - wins), Random(1))
    assert abs(found.p - scipy_stats.binomtest(wins, pairs).pvalue) < 4 * found.p_error
    assert found.least_p == 1 / (found.drawn + 1)


def test_that_fewer_changes_of_sign_are_drawn_the_more_pairs_there_are() -> None:
    work = [paired.number_drawn(pairs) * pairs for pairs in (33, 1_000, 10_000)]
    assert max(work) <= paired.MOST_LOOKED_UP * paired.BLOCK
    assert paired.number_drawn(10**9) == paired.LEAST_DRAWN


@given(st.integers(1, 60), st.floats(0, 50))
def test_that_the_distribution_of_student_is_that_of_scipy(freedom: int, t: float) -> None:
    scipy_stats = pytest.importorskip('scipy.stats')
    assert math.isclose(paired.within(t, freedom), 1 - 2 * scipy_stats.t.sf(t, freedom), abs_tol=1e-12)
    assert math.isclose(paired.t_quantile(0.95, freedom), scipy_stats.t.ppf(0.975, freedom), rel_tol=1e-9)


def test_that_interval_and_p_of_the_t_test_are_those_of_scipy() -> None:
    scipy_stats = pytest.importorskip('scipy.stats')
    first, second = [0.91, 0.93, 0.9, 0.95, 0.92], [0.9, 0.91, 0.91, 0.92, 0.9]
    found = paired.compare([Fraction(str(a)) - Fraction(str(b)) for a, b in zip(first, second, strict=True)], Random(1))
    expected = scipy_stats.ttest_rel(first, second)
    assert found.t_p == pytest.approx(expected.pvalue)
    assert found.interval == pytest.approx(tuple(expected.confidence_interval(0.95)))


def test_that_differences_of_any_size_are_compared() -> None:
    huge = paired.compare([Fraction('1e308') * each for each in (3, 2, 1)], Random(1))
    tiny = paired.compare([Fraction('1e-308') * each for each in (3, 2, 1)], Random(1))
    assert huge.p == tiny.p == 0.25
    assert huge.t_p == tiny.t_p


def test_that_the_smallest_p_of_five_pairs_is_two_in_thirty_two() -> None:
    found = paired.compare([Fraction(1), Fraction(2), Fraction(3), Fraction(4), Fraction(5)], Random(1))
    assert found.p == found.least_p == 2 / 32


# The best and the second


def test_that_the_best_two_are_compared_by_seeds_that_both_have_and_were_not_chosen_by() -> None:
    first = repetition('a', {42: 0.99, 1: 0.9, 2: 0.9, 3: 0.8}, chosen_by=frozenset({'42'}))
    second = repetition('b', {42: 0.1, 1: 0.8, 2: 0.7, 4: 0.1}, chosen_by=frozenset({'42'}))
    found = summary_of(second, first)
    assert [row.repetition.label for row in found.rows] == ['a', 'b']
    assert (found.comparison.pairs, found.left_out) == (2, 1)
    assert found.comparison.mean == pytest.approx(0.15)


def test_that_the_smallest_mean_is_the_best_where_that_is_asked_for() -> None:
    found = summary_of(repetition('a', {1: 2}), repetition('b', {1: 1}), settings=summaries.Settings('acc', True))
    assert [row.repetition.label for row in found.rows] == ['b', 'a']


def test_that_results_by_which_a_configuration_was_chosen_can_be_left_out_of_the_means() -> None:
    chosen = repetition('a', {42: 0.9, 1: 0.5, 2: 0.7}, chosen_by=frozenset({'42'}))
    assert summary_of(chosen).rows[0].scatters['acc'].mean == Decimal('0.7')
    fresh = summary_of(chosen, settings=summaries.Settings('acc', fresh=True))
    assert fresh.rows[0].scatters['acc'].mean == Decimal('0.6')


@pytest.mark.parametrize(
    ('first', 'second', 'why'),
    [
        ({1: 1}, None, 'there is only one configuration'),
        ({1: 1}, {2: 1}, 'share no seed'),
        ({42: 1}, {42: 2}, 'share 1 seed, all of which they were chosen by'),
        ({1: 'nan'}, {1: 2}, 'no mean of acc'),
    ],
)
def test_that_it_is_said_why_nothing_is_tested(first: Any, second: Any, why: str) -> None:
    each = [repetition('a', first, chosen_by=frozenset({'42'}))]
    found = summary_of(*each, *([repetition('b', second)] if second else []))
    assert found.comparison is None
    assert why in found.why_not


# What is written


def lines_of(*repetitions: Any, settings: Any = BY_ACC) -> str:
    return '\n'.join(written.text_lines(summary_of(*repetitions, settings=settings), settings, 'seed'))


def test_that_the_text_says_from_how_many_changes_of_sign_p_was_estimated() -> None:
    better = repetition('a', {seed: 0.9 + seed / 100 for seed in range(40)})
    text = ' '.join(lines_of(better, repetition('b', dict.fromkeys(range(40), 0.8))).split())
    how = 'estimated from 100,000 random changes of sign, standard error 1e-05'
    assert f'p = 1e-05 (paired sign-flip test, two-sided, {how}; the smallest possible: 1e-05)' in text


def test_that_the_text_says_what_cannot_be_told_with_five_pairs() -> None:
    better = repetition('a', {seed: 0.9 + seed / 100 for seed in range(5)})
    text = lines_of(better, repetition('b', dict.fromkeys(range(5), 0.8)))
    assert 'It cannot be told with 5 pairs: no result could have p < 0.05; 6 can.' in text
    assert 'p = 0.0625 (paired sign-flip test, two-sided, exact; the smallest possible: 0.0625)' in text
    assert 'exchangeability' in text
    assert 'p is too small' in ' '.join(text.split())


def test_that_the_text_says_yes_where_six_pairs_agree_and_which_were_left_out() -> None:
    chosen = frozenset({'42'})
    better = repetition('a', {seed: 0.9 + seed / 100 for seed in (*range(6), 42)}, chosen_by=chosen)
    text = lines_of(better, repetition('b', dict.fromkeys((*range(6), 42), 0.8), chosen_by=chosen))
    assert 'Yes: a difference like this would be rare' in text
    assert 'Left out of the test: 1 pair of results' in text


@pytest.mark.parametrize('ascending', [False, True])
def test_that_the_text_says_no_where_only_the_seed_that_it_was_chosen_by_makes_the_first_one_the_best(
    ascending: bool,
) -> None:
    sign = -1 if ascending else 1
    lucky = repetition('a', {42: sign * 9, **dict.fromkeys(range(6), 0)}, chosen_by=frozenset({'42'}))
    steady = repetition('b', {42: 0, **dict.fromkeys(range(6), sign)})
    text = lines_of(lucky, steady, settings=summaries.Settings('acc', ascending))
    assert 'No, 2 is better with these seeds: a difference like this would be rare' in text


def test_that_a_p_value_that_is_too_small_to_be_computed_is_said_to_be_small() -> None:
    values = {seed: 1 + 0.01 * (seed % 5) for seed in range(31)}
    text = lines_of(repetition('a', values), repetition('b', dict.fromkeys(range(31), 0)))
    assert 'p < 1e-10 (paired t test' in text


def test_that_the_name_of_a_configuration_is_one_line() -> None:
    assert '\n1. text=a b\n' in lines_of(repetition('text=a\nb', {1: 0.5}))


def test_that_the_text_says_how_many_runs_have_not_finished() -> None:
    assert 'not finished: 2 failed' in lines_of(repetition('a', {1: 0.5}, others={'failed': 2}))


def test_that_the_csv_has_all_digits_and_how_many_values_there_are() -> None:
    text = written.csv_text(summary_of(repetition('lr=0.1; "x"', {1: 0.1, 2: 0.2})))
    row = next(csv.DictReader(io.StringIO(text), delimiter=';'))
    assert row['configuration'] == 'lr=0.1; "x"'
    assert (row['keyword'], row['n'], row['mean'], row['seeds']) == ('acc', '2', '0.15', '1,2')
    assert float(row['std']) == pytest.approx(statistics.stdev([0.1, 0.2]))


def test_that_a_latex_row_is_escaped_and_has_its_columns_in_a_comment() -> None:
    each = summaries.Repetition('lr_max=5%', {'1': {'val_acc': '90 %'}, '2': {'val_acc': '92 %'}})
    lines = list(written.latex_lines(summary_of(each), summaries.Settings()))
    assert lines == [r'% configuration & val\_acc \\', r'lr\_max=5\% & $91.0 \pm 1.4$\,\% \\']


def test_that_a_latex_cell_without_a_mean_is_empty_and_an_exponent_is_a_power() -> None:
    each = summaries.Repetition('a', {'1': {'x': 'bad', 'y': '1e-7'}, '2': {'y': '2e-7'}})
    assert list(written.latex_lines(summary_of(each), summaries.Settings()))[1] == (
        r'a & -- & $(1.50 \pm 0.71) \cdot 10^{-7}$ \\'
    )


@given(st.text())
def test_that_no_text_has_a_character_left_that_latex_takes_for_a_command(text: str) -> None:
    bare = written.latex_text(text)
    for escape in sorted(set(written._ESCAPED.values()), key=len, reverse=True):
        bare = bare.replace(escape, '')
    assert not set(bare) & set('&%$#_{}~^\\<>\n')
