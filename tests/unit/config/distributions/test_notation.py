"""Distributions as texts and as mappings: what each means, and what is refused with which reason."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

import hpsearch
from hpsearch.config.distributions.notation import is_distribution, read_distribution, read_mapping, text_of
from hpsearch.config.distributions.problems import problems_of
from hpsearch.model.trials.distributions import Choice, Distribution, Fidelity, Integer, Normal, Uniform


@pytest.mark.parametrize(
    ('text', 'expected'),
    [
        ('uniform(0, 1)', Uniform(0.0, 1.0)),
        ('uniform(0, 1, step=0.25)', Uniform(0.0, 1.0, step=0.25)),
        ('uniform(low=-1, high=1, precision=3)', Uniform(-1.0, 1.0, precision=3)),
        ('uniform(0.5, 3.5, discrete=True)', Integer(0, 4)),
        (' loguniform(1e-5, 1.0) ', Uniform(1e-5, 1.0, log=True)),
        ('loguniform(1, 100, discrete=True)', Integer(1, 100, log=True)),
        ('randint(2, 5)', Integer(2, 5)),
        ('randint(2, 64, log=True)', Integer(2, 64, log=True)),
        ('int_uniform(min=1, max=4)', Integer(1, 4)),
        ('normal(0, 1)', Normal(0.0, 1.0)),
        ('gaussian(loc=1, scale=2)', Normal(1.0, 2.0)),
        ('norm()', Normal(0.0, 1.0)),
        ('normal(mu=3, sigma=2, discrete=True)', Normal(3.0, 2.0, step=1)),
        ("choices(['a', 'b'])", Choice(('a', 'b'))),
        ("choice('a', 2, None)", Choice(('a', 2, None))),
        ('choice([1, 2, 4])', Choice((1, 2, 4), ordered=True)),
        ('choice([1, 2, 4], ordered=False)', Choice((1, 2, 4))),
        ("choices({'a': 1, 'b': 3})", Choice(('a', 'b'), weights=(0.25, 0.75))),
        ("choice(['a', 'b'], weights=[1, 3])", Choice(('a', 'b'), weights=(0.25, 0.75))),
        ('fidelity(1, 100)', Fidelity(1, 100, 3)),
        ('fidelity(1, 100, base=2)', Fidelity(1, 100, 2)),
        ('fidelity(1, 100, 4)', Fidelity(1, 100, 4)),
        ('quniform(0, 1, 0.1)', Uniform(0.0, 1.0, step=0.1)),
        ('q_uniform(0.25, 2.1, q=0.5)', Uniform(0.5, 2.0, step=0.5)),
        ('qrandint(0, 8, 2)', Integer(0, 8, step=2)),
        ('randn(0, 1)', Normal(0.0, 1.0)),
        ('log_uniform_values(min=0.1, max=1)', Uniform(0.1, 1.0, log=True)),
    ],
)
def test_that_a_text_is_a_call_of_a_function(text: str, expected: Distribution) -> None:
    assert is_distribution(text)
    assert read_distribution(text).distribution == expected


@pytest.mark.parametrize(
    ('text', 'expected'),
    [
        ('orion~loguniform(1e-5, 1.0)', Uniform(1e-5, 1.0, log=True, precision=4)),
        ('orion~uniform(0, 1, precision=None)', Uniform(0.0, 1.0)),
        ('orion~uniform(0, 1, precision=2)', Uniform(0.0, 1.0, precision=2)),
        ('orion~uniform(1, 8, discrete=True)', Integer(1, 8)),
        ('orion~randint(100, 1000)', Integer(100, 999)),
        ('orion~randint(10)', Integer(0, 9)),
        ('orion~fidelity(1, 16)', Fidelity(1, 16, 2)),
        ('orion~fidelity(1, 16, base=4)', Fidelity(1, 16, 4)),
        ('orion~normal(0, 1)', Normal(0.0, 1.0, precision=4)),
        ('orion~norm(3, 2, discrete=True)', Normal(3.0, 2.0, step=1)),
        ("orion~choices(['a', 'b'])", Choice(('a', 'b'))),
        ('orion~reciprocal(1e-3, 1)', Uniform(1e-3, 1.0, log=True, precision=4)),
    ],
)
def test_that_a_text_of_orion_means_what_it_means_there(text: str, expected: Distribution) -> None:
    assert read_distribution(text).distribution == expected
    assert read_distribution(text.removeprefix('orion~'), orions=True).distribution == expected


def test_that_a_default_value_is_named_as_not_used() -> None:
    read = read_distribution('orion~uniform(0, 10, default_value=5)')
    assert read.distribution == Uniform(0.0, 10.0, precision=4)
    assert read.note == 'default_value=5 is not used: it is for trials that Oríon inserts'


@pytest.mark.parametrize(
    ('text', 'reason'),
    [
        ('orion~uniform(0, 1, shape=3)', 'has shape=3: a value with several dimensions cannot be drawn'),
        ('orion~lognormal(0, 1)', 'is none of uniform, loguniform, randint, normal, choice, fidelity'),
        ('orion~unifrom(0, 1)', 'did you mean uniform?'),
        ('orion~0.1', 'is no call of a function'),
        ('uniform(a, b)', 'has a, which is no plain value'),
        ('uniform(0)', "cannot be read: missing a required argument: 'high'."),
        ('uniform(0, 1, stepp=1)', 'has stepp=, which uniform does not take; did you mean step?'),
        ('uniform(0, 1, base=2)', 'has base=, which uniform does not take'),
        ('uniform(0, 1', 'is no call of a function'),
        ('uniform(0, 1) + (1)', 'is not a single call of a function'),
        ('uniform(0, 1, **{})', 'has "**"'),
        ('uniform(0,, 1)', 'cannot be read as a call of Python'),
        ('choice(3)', ''),
        ('log_uniform(-5, 0)', 'takes exponents in W&B'),
        ('qloguniform(1, 1e6, 0.1)', 'has 9,999,991 multiples of 0.1; at most 1,000 are expected'),
        ('q_log_uniform(1, 2, 3)', 'takes exponents in W&B'),
        ('lograndint(1, 8)', 'excludes its upper bound in Ray Tune'),
    ],
)
def test_that_a_text_that_cannot_be_read_says_why(text: str, reason: str) -> None:
    if not reason:
        assert read_distribution(text).distribution == Choice((3,))
        return
    with pytest.raises(ValueError) as error:
        read_distribution(text)
    assert reason in str(error.value)


@pytest.mark.parametrize(
    'text', ['adam', 'uniform', 'my_choice (old)', 'f(1)', '(1, 2)', '', 'choice of(3)', 'x(choice(1))']
)
def test_that_other_texts_are_no_distributions(text: str) -> None:
    assert not is_distribution(text)


NUMBERS = st.floats(0.001, 1e6)
WHOLE = st.integers(1, 1000)
VALUES = st.one_of(st.none(), st.booleans(), st.integers(), st.floats(allow_nan=False, allow_infinity=False), st.text())
DISTRIBUTIONS = st.one_of(
    st.builds(Uniform, NUMBERS, NUMBERS, st.just(False), st.none() | NUMBERS, st.none() | st.integers(1, 17)),
    st.builds(Uniform, NUMBERS, NUMBERS, st.just(True), st.none(), st.none() | st.integers(1, 17)),
    st.builds(Integer, WHOLE, WHOLE, st.booleans(), WHOLE),
    st.builds(Normal, NUMBERS, NUMBERS, st.none() | NUMBERS, st.none() | st.integers(1, 17)),
    st.builds(lambda values, ordered: Choice(tuple(values), ordered), st.lists(VALUES, min_size=1), st.booleans()),
    st.lists(VALUES, min_size=2, max_size=2).map(lambda values: Choice(tuple(values), weights=(0.25, 0.75))),
    st.builds(Fidelity, WHOLE, WHOLE, WHOLE),
)


@given(DISTRIBUTIONS)
def test_that_the_text_of_a_distribution_is_read_as_the_same(distribution: Distribution) -> None:
    text = text_of(distribution)
    assert is_distribution(text)
    assert repr(read_distribution(text).distribution) == repr(distribution)


@given(st.text())
def test_that_any_text_is_read_or_refused(text: str) -> None:
    try:
        read_distribution(text)
    except ValueError as error:
        assert str(error)


@pytest.mark.parametrize(
    ('plain', 'expected'),
    [
        ({'distribution': 'loguniform', 'low': 1e-5, 'high': 1}, Uniform(1e-5, 1.0, log=True)),
        ({'distribution': 'uniform', 'min': 0, 'max': 1, 'step': 0.5}, Uniform(0.0, 1.0, step=0.5)),
        ({'distribution': 'choice', 'values': ['a', 'b'], 'weights': [1, 1]}, Choice(('a', 'b'), weights=(0.5, 0.5))),
        (
            {'distribution': 'categorical', 'values': [1, 2], 'probabilities': [1, 3]},
            Choice((1, 2), weights=(0.25, 0.75)),
        ),
    ],
)
def test_that_a_mapping_has_the_name_and_the_arguments(plain: dict[str, Any], expected: Distribution) -> None:
    assert read_mapping(plain).distribution == expected


@pytest.mark.parametrize(
    ('distribution', 'problem'),
    [
        (hpsearch.uniform(1, 0), 'has 1.0 as low and 0.0 as high; low has to be smaller.'),
        (hpsearch.uniform(1, 1), 'low has to be smaller'),
        (hpsearch.uniform('0', 1), "has '0' as low; a number is expected."),  # type: ignore[arg-type]
        (hpsearch.uniform(0, float('inf')), 'has inf as high; a number is expected.'),
        (hpsearch.uniform(True, 2), 'has True as low; a number is expected.'),
        (hpsearch.loguniform(0, 1), 'has 0.0 as low; its logarithm is drawn from, so low has to be above 0.'),
        (hpsearch.randint(0, 5, log=True), 'so low has to be at least 1.'),
        (hpsearch.randint(0.5, 5), 'has 0.5 as low; an integer is expected.'),  # type: ignore[arg-type]
        (hpsearch.randint(1, 5, step=9), 'has 9 as step, which is more than there is between low and high.'),
        (hpsearch.randint(1, 5, step=2, log=True), 'has a step and log; one of them is expected.'),
        (hpsearch.uniform(0, 1, step=0), 'has 0 as step; a number above 0 is expected.'),
        (hpsearch.uniform(0, 1, precision=0), 'has 0 as precision; a number of significant digits (1-17) is expected.'),
        (hpsearch.normal(0, 0), 'has 0.0 as std; a number above 0 is expected.'),
        (hpsearch.choice(), 'has no values; at least one is expected.'),
        (hpsearch.choice([]), 'has no values; at least one is expected.'),
        (hpsearch.choice([1, 2], weights=[1]), 'has 2 values and 1 weight; as many of each are expected.'),
        (hpsearch.choice({'a': 1, 'b': -1}), 'numbers that are not negative, not all 0, are expected.'),
        (hpsearch.choice({'a': 0}), 'numbers that are not negative, not all 0, are expected.'),
        (hpsearch.fidelity(0, 9), 'has 0 as low and 9 as high; at least 1, and low < high, is expected.'),
        (hpsearch.fidelity(1, 9, base=1), 'has 1 as base; at least 2 is expected.'),
        (hpsearch.fidelity(1, 9.5), 'has 9.5 as high; an integer is expected.'),  # type: ignore[arg-type]
    ],
)
def test_that_what_is_wrong_with_a_distribution_is_said(distribution: Distribution, problem: str) -> None:
    (found,) = problems_of(distribution)
    assert problem in found


def test_that_what_is_never_drawn_is_left_out() -> None:
    assert hpsearch.choice({'a': 0.8, 'b': 0.2, 'impossible': 0}) == Choice(('a', 'b'), weights=(0.8, 0.2))


def test_that_a_choice_from_numbers_in_order_knows_it() -> None:
    assert hpsearch.choice([1, 2, 3]) == Choice((1, 2, 3), ordered=True)
    assert hpsearch.choice(['small', 'large'], ordered=True) == Choice(('small', 'large'), ordered=True)
