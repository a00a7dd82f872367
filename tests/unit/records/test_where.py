"""The language in which runs are chosen."""

from __future__ import annotations

import math
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hpsearch.model.errors import ConfigError
from hpsearch.records.expression import Comparison, Expression, Junction, Membership, Name, Negation, Scalar
from hpsearch.records.where import LONGEST, parse_where

VALUES: dict[str, Scalar] = {
    'lr': 0.001,
    'width': 64,
    'optimizer': 'adam',
    'augment': True,
    'text_rate': '0.01',
    'missing': None,
    'nan': math.nan,
    'batch-size': 8,
    'model.name': 'res net',
    'state': 'finished',
}


def holds(text: str) -> bool:
    return parse_where(text).holds(VALUES.__getitem__)


@pytest.mark.parametrize(
    'text',
    [
        'lr<0.01 and state==finished',
        'lr = 1e-3',
        'width>=64 AND width<=64.0',
        'optimizer!=sgd',
        'optimizer in (sgd, "adam")',
        'width not in (1, 2)',
        'not (lr>1 or width=3)',
        'lr>1 or width=3 or augment',
        'augment is true',
        'not missing',
        'missing is none and missing == none and missing in (none, 3)',
        'lr is not none',
        'text_rate < 0.1 and text_rate = 0.01',
        "text_rate = '0.01'",
        'batch-size=8',
        '`model.name` = "res net"',
        "'model.name' contains 'res n'",
        'optimizer not contains sgd',
        'text_rate > `lr`',
        '`nan` = nan',
        "optimizer < 'b'",
    ],
)
def test_that_a_condition_holds(text: str) -> None:
    assert holds(text)


@pytest.mark.parametrize(
    'text',
    [
        'missing < 1',
        'missing >= 1',
        'missing != 1',
        'missing not in (1, 2)',
        'missing contains a',
        'missing not contains a',
        'optimizer > 1',
        'optimizer = 1',
        "text_rate = '0.010'",
        '`nan` < 1',
        'lr>1 and augment or width=3',
    ],
)
def test_that_a_condition_does_not_hold(text: str) -> None:
    assert not holds(text)


@pytest.mark.parametrize(
    ('text', 'at', 'says'),
    [
        ('lr<', 3, 'Expected a value, it ends here'),
        ('lr<0.1 width=3', 7, 'Expected "and", "or", or the end, found width'),
        ('lr<0.1 && width=3', 7, '&& is not of this language: write and'),
        ('(lr<0.1', 7, 'Expected "and", "or", or ")"'),
        ('lr in 3', 6, 'Expected "(" and the values'),
        ('lr in (3', 8, 'Expected "," or ")"'),
        ('lr < none', 5, 'Expected a value behind <, found none'),
        ('lr is 3', 6, 'behind "is"'),
        ('0.1 < lr', 0, 'Expected the name of a value, found 0.1'),
        ("lr = 'a", 5, "The quote ' is not closed"),
        ('lr not 3', 7, 'Expected "in" or "contains"'),
        ('', 0, 'Expected the name of a value'),
        ('lr = and', 5, 'Expected a value, found and'),
    ],
)
def test_that_an_error_points_to_its_place(text: str, at: int, says: str) -> None:
    with pytest.raises(ConfigError) as error:
        parse_where(text)
    problem, shown, pointer = str(error.value).split('\n')
    assert says in problem
    assert shown == f'  {text}'
    assert pointer == '  ' + ' ' * at + '^'


def test_that_the_place_in_a_long_condition_is_shown_with_what_is_around_it() -> None:
    text = ' or '.join(['lr<1'] * 100) + ' ! ' + ' or '.join(['lr<1'] * 100)
    with pytest.raises(ConfigError) as error:
        parse_where(text)
    _, shown, pointer = str(error.value).split('\n')
    assert shown[pointer.index('^')] == '!'
    assert len(shown) < 130


@pytest.mark.parametrize('text', ['(' * 5000, 'not ' * 2000, 'a=1 and ' * 5000, 'x' * (LONGEST + 1)])
def test_that_length_and_depth_are_bounded(text: str) -> None:
    with pytest.raises(ConfigError):
        parse_where(text)


def test_that_a_whole_number_of_many_digits_is_a_number() -> None:
    assert parse_where(f'width<{"9" * 5000}').holds(VALUES.__getitem__)


@given(st.text(max_size=60) | st.text('()=!<>,\'"`&| \\andortinslr0.1e-', max_size=60))
def test_that_no_text_raises_anything_but_a_config_error(text: str) -> None:
    try:
        parse_where(text)
    except ConfigError:
        pass


texts = st.text(max_size=8) | st.sampled_from(['adam', 'none', 'and', '1', "a'b", 'a\\', '`', ' ', ''])
scalars = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | texts
names = st.builds(Name, st.sampled_from([*VALUES, 'and', 'true', 'nan']) | texts)


def comparisons(named: st.SearchStrategy[Name]) -> st.SearchStrategy[Expression]:
    signs = st.sampled_from(['=', '!=', '<', '<=', '>', '>=', 'contains', 'not contains'])
    compared = st.builds(Comparison, named, signs, scalars | named).filter(
        lambda each: each.operand is not None or each.operator in ('=', '!=', 'contains', 'not contains')
    )
    among = st.builds(Membership, named, st.lists(scalars, min_size=1, max_size=3).map(tuple), st.booleans())
    return compared | among


def expressions(named: st.SearchStrategy[Name]) -> st.SearchStrategy[Expression]:
    def larger(parts: st.SearchStrategy[Expression]) -> st.SearchStrategy[Expression]:
        joined = st.builds(Junction, st.sampled_from(['and', 'or']), st.lists(parts, min_size=2, max_size=3).map(tuple))
        return st.builds(Negation, parts) | joined

    return st.recursive(comparisons(named), larger, max_leaves=8)


@given(expressions(names))
def test_that_what_is_written_is_read_as_the_same(expression: Expression) -> None:
    read = parse_where(str(expression))
    assert read == expression
    assert str(read) == str(expression)


def reference(each: Expression) -> bool:
    """Evaluate an expression of Python with the same meaning."""
    return bool(
        eval(in_python(each), {'inf': math.inf}, {'v': VALUES, 'same': same, 'number': number, 'known': known})
    )  # test data only


def same(one: Any, other: Any) -> bool:
    if (type(one) is str and type(other) is str) or one is None or other is None:
        return bool(one == other)
    one, other = number(one), number(other)
    return one is not None and other is not None and (one == other or (math.isnan(one) and math.isnan(other)))


def known(value: Any) -> bool:
    return value is not None


def number(value: Any) -> Any:
    try:
        return {'true': 1, 'false': 0}.get(str(value).lower()) if type(value) is bool else float(value)
    except (TypeError, ValueError):
        return None


def in_python(each: Expression) -> str:
    if isinstance(each, Negation):
        return f'(not {in_python(each.part)})'
    if isinstance(each, Junction):
        return '(' + f' {each.word} '.join(map(in_python, each.parts)) + ')'
    value = f'v[{each.name.text!r}]'
    if isinstance(each, Membership):
        found = ' or '.join(f'same({value}, {other!r})' for other in each.values)
        return f'({value} is not None and not ({found}))' if each.is_negated else f'({found})'
    other = f'v[{each.operand.text!r}]' if isinstance(each.operand, Name) else repr(each.operand)
    if each.operator == '=':
        return f'same({value}, {other})'
    if each.operator == '!=':
        return f'({value} is not None and not same({value}, {other}))'
    if each.operator.endswith('contains'):
        word = 'not in' if each.operator.startswith('not') else 'in'
        return f'(known({value}) and known({other}) and str({other}) {word} str({value}))'
    texts = f'type({value}) is type({other}) is str'
    numbers = f'number({value}) is not None and number({other}) is not None'
    ordered = f'number({value}) {each.operator} number({other})'
    return f'(({value} {each.operator} {other}) if {texts} else ({numbers} and {ordered}))'


simple: st.SearchStrategy[Scalar] = (
    st.none() | st.booleans() | st.integers(-100, 100) | st.sampled_from([0.001, 0.5, 'adam', '64', 'a', '0.01'])
)


@given(st.data())
def test_that_a_condition_means_what_the_same_means_in_python(data: st.DataObject) -> None:
    named = st.builds(Name, st.sampled_from([*VALUES]))
    expression = data.draw(expressions(named))
    value = data.draw(simple)
    changed = data.draw(st.sampled_from(['lr', 'optimizer', 'missing']))
    before = VALUES[changed]
    VALUES[changed] = value
    try:
        assert expression.holds(VALUES.__getitem__) == reference(expression)
    finally:
        VALUES[changed] = before
