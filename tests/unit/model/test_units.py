"""Numbers as training scripts print them, and counts as people read them."""

from __future__ import annotations

import math
import re
from decimal import Decimal
from fractions import Fraction
from typing import Any

import numpy
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hpsearch.model.units import LARGEST_FORM, count_of, is_ambiguous, noun_for, read_number

FORMS = {
    'numpy': (
        'np.float64({})',
        'np.float32({})',
        'numpy.float64({})',
        'array({})',
        'array([{}], dtype=float32)',
        '[{}]',
    ),
    'numpy, nested': ('[[{}]]', 'array([[{}]])', '[np.float64({})]', "np.str_('{}')", "np.longdouble('{}')"),
    'torch': (
        'tensor({})',
        'tensor([{}])',
        "tensor({}, device='cuda:0', dtype=torch.float64, grad_fn=<MeanBackward0>)",
        "tensor({}, device='cuda:0', dtype=torch.float64, requires_grad=True)",
        'torch.tensor({})',
    ),
    'jax': ('Array({}, dtype=float32)', 'Array([{}], dtype=float32, weak_type=True)', 'DeviceArray({}, dtype=float32)'),
    'tensorflow': (
        '<tf.Tensor: shape=(), dtype=float32, numpy={}>',
        '<tf.Tensor: shape=(1,), dtype=float32, numpy=array([{}], dtype=float32)>',
        "<tf.Variable 'Variable:0' shape=() dtype=float32, numpy={}>",
        'tf.Tensor({}, shape=(), dtype=float32)',
        '<Variable path=w, shape=(), dtype=float32, value={}>',
    ),
    'others': (
        'Tensor(shape=[], dtype=float32, place=Place(cpu), stop_gradient=True,\n       {})',
        "Decimal('{}')",
        "mpf('{}')",
        '"{}"',
        '({},)',
        '{},',
        ' {} ',
    ),
}


@pytest.mark.parametrize('form', [form for forms in FORMS.values() for form in forms])
@pytest.mark.parametrize('number', ['0.95', '-3', '1e-08', 'nan', 'inf', '1.'])
def test_that_the_forms_of_the_numeric_libraries_are_numbers(form: str, number: str) -> None:
    found = read_number(form.format(number))
    assert found is not None and found.is_single and not found.unit and found.text == number
    assert found.value == float(number) or (number == 'nan' and math.isnan(found.value))


@pytest.mark.parametrize(
    ('text', 'number'),
    [
        ('np.True_', 1.0),
        ('np.False_', 0.0),
        ('True', 1.0),
        ('tensor(True)', 1.0),
        ('tensor([False])', 0.0),
        ('1_000', 1000.0),
        ('1e-3', 1e-3),
        ('-nan', math.nan),
        ('19/20', 0.95),
        ('Fraction(19, 20)', 0.95),
    ],
)
def test_that_other_spellings_of_numbers_are_read(text: str, number: float) -> None:
    found = read_number(text)
    assert found is not None and repr(found.value) == repr(number) and found.is_single


@pytest.mark.parametrize(
    ('text', 'value', 'unit'),
    [
        ('95.0%', 95.0, '%'),
        ('95.0 %', 95.0, '%'),
        ('12.5 ms', 12.5, 'ms'),
        ('3s', 3.0, 's'),
        ('12.5 ms/step', 12.5, 'ms/step'),
    ],
)
def test_that_a_unit_is_kept_apart_and_a_percentage_is_taken_as_it_is(text: str, value: float, unit: str) -> None:
    found = read_number(text)
    assert found is not None and (found.value, found.unit, found.text) == (value, unit, text)


@pytest.mark.parametrize(
    'text', ['0.95 ± 0.01', '0.95 +/- 0.01', '0.95±.01', '0.95 (0.01)', '0.95 (epoch 7)', '0.95 of 1']
)
def test_that_a_number_with_more_behind_it_counts_but_is_not_all_there_is(text: str) -> None:
    found = read_number(text)
    assert found is not None and found.value == 0.95 and not found.is_single


@pytest.mark.parametrize(
    'text',
    [
        '0.1,0.95',
        '0.1,,0.95',
        '0.1, 0.95',
        '[0.1 0.95]',
        '(0.1, 0.95)',
        '"0.1,0.95"',
        '0.1,0.2,...,0.9,0.95',
        '[0.1 0.2 ... 0.95]',
        '[np.float64(0.1), np.float64(0.95)]',
        "[tensor(0.1, device='cuda:0'), tensor(0.95, device='cuda:0')]",
        'tensor([0.1, 0.2,\n        0.95], requires_grad=True)',
        '[[0.1, 0.2], [0.3, 0.95]]',
        '[[0.1 0.2]\n [0.3 0.95]]',
        '1,2,0.95',
    ],
)
def test_that_the_last_value_of_a_list_counts(text: str) -> None:
    found = read_number(text)
    assert found is not None and (found.value, found.text, found.is_single) == (0.95, '0.95', False)


@pytest.mark.parametrize(
    'text', ['0,950', '1,234', '-0,95', '1,234.5', '1,234,567', '1.234,56', '0,95%', '1,5 ms', '0,9e1']
)
def test_that_a_comma_that_may_be_anything_makes_no_number(text: str) -> None:
    assert is_ambiguous(text) and is_ambiguous(f' {text} ') and read_number(text) is None
    assert not is_ambiguous(f'[{text}]'), 'brackets say that it is a list'


@pytest.mark.parametrize(
    'text',
    [
        None,
        '',
        ' ',
        'yes',
        'None',
        '[]',
        '()',
        'a,0.5',
        '0.5,a',
        '0,95 0,93',
        '0,95 ± 0,01',
        '1 000',
        '5 6',
        '1.2.3',
        '0x1F',
        '2026-11-26',
        '12:30',
        '0.5 - 0.6',
        'sqrt(2)',
        'loss(3)',
        'array(1, 2)',
        '{"a": 1}',
        '1/0',
        'tensor(0.95',
        '[' * 9 + '1' + ']' * 9,
        '[(1)' + ' ' * LARGEST_FORM + ']',
    ],
)
def test_that_other_texts_are_no_numbers(text: str | None) -> None:
    assert read_number(text) is None and not is_ambiguous(text)


floats = st.floats(width=32) | st.floats()


@given(floats | st.integers() | st.decimals() | st.fractions() | st.booleans())
def test_that_what_python_prints_of_a_number_is_that_number(number: float | Decimal | Fraction) -> None:
    for text in (repr(number), str(number)):
        found = read_number(text)
        if isinstance(number, Decimal) and number.is_snan():
            continue
        assert found is not None or not _is_a_float(number), text
        assert found is None or repr(found.value) == repr(abs(float(number)) if math.isnan(number) else float(number))


def _is_a_float(number: Any) -> bool:
    try:
        return math.isfinite(float(number))
    except OverflowError:
        return False


@given(
    floats,
    st.sampled_from([numpy.float64, numpy.float32, numpy.float16, numpy.longdouble]),
    st.sampled_from([lambda x: x, numpy.array, lambda x: numpy.array([[x]]), lambda x: [x], lambda x: [1, x]]),
)
def test_that_what_numpy_prints_of_a_number_is_that_number(number: float, kind: Any, form: Any) -> None:
    with numpy.errstate(over='ignore'):
        printed = kind(number)
    for text in (repr(form(printed)), str(form(printed))):
        found = read_number(text)
        assert found is not None, text
        same = kind(found.value) == printed or (math.isnan(number) and math.isnan(found.value))
        assert same or math.isclose(found.value, float(printed), rel_tol=1e-4, abs_tol=1e-8), text


PARTS = [
    *'0123456789',
    *'.,+-±%/ ()[]<>\'"=_en',
    'np.float64(',
    'tensor(',
    'Fraction(',
    'array([',
    ', dtype=x)',
    '\n',
    'nan',
]


@given(st.text() | st.lists(st.sampled_from(PARTS), max_size=30).map(''.join))
def test_that_no_text_is_an_error_and_a_number_is_at_most_what_is_printed(text: str) -> None:
    found = read_number(text)
    assert found is None or found.text in re.sub(r'\s*,\s*', '/', text) or found.text in text
    assert not (found and is_ambiguous(text))


def test_that_one_thing_is_counted_in_the_singular() -> None:
    assert [count_of(number, 'run') for number in (0, 1, 2, 1234)] == ['0 runs', '1 run', '2 runs', '1,234 runs']
    assert count_of(1, 'search is', 'searches are') == '1 search is'
    assert count_of(2, 'search is', 'searches are') == '2 searches are'
    assert [noun_for(number, 'core') for number in (0.5, 1.0, 2)] == ['cores', 'core', 'cores']
