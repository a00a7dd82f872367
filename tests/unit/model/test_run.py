"""A run as a line of the plan, and back."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hpsearch.model.run import Run, decode_run, encode_run, is_run_name

VALUES = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text()
WORDS = st.text().filter(lambda word: '\0' not in word)
RUNS = st.builds(
    Run,
    st.text().filter(is_run_name),
    st.integers(min_value=1),
    st.dictionaries(st.text(), VALUES),
    st.lists(WORDS, min_size=1).map(tuple),
)


@given(RUNS)
def test_that_a_run_comes_back_from_its_line(run: Run) -> None:
    assert decode_run(encode_run(run)) == run


@given(RUNS)
def test_that_a_run_is_one_line_of_plain_characters(run: Run) -> None:
    line = encode_run(run)
    assert line.endswith('\n') and line.count('\n') == 1 and line.isascii()


def test_that_a_line_is_of_format_one() -> None:
    run = Run('sim_1', 1, {'lr': 0.1, 'name': 'λ'}, ('python3', 't.py'))
    assert encode_run(run) == (
        '{"run": "sim_1", "number": 1, "params": {"lr": 0.1, "name": "\\u03bb"}, "argv": ["python3", "t.py"]}\n'
    )


def test_that_fields_may_come_in_any_order() -> None:
    line = '{"argv": ["t.sh"], "params": {"run": 1}, "number": 2, "run": "sim_2"}\n'
    assert decode_run(line) == Run('sim_2', 2, {'run': 1}, ('t.sh',))


@pytest.mark.parametrize(
    'name', ['', '.', '..', '/etc', 'a/b', '../a', '.hidden', 'a b', 'a\n', 'a\0', 'jobs', 'journal']
)
def test_that_a_run_cannot_have_the_name_of_another_place(name: str) -> None:
    line = encode_run(Run(name, 1, {}, ('true',)))
    with pytest.raises(ValueError, match='cannot be the name of a run'):
        decode_run(line)


FIELDS = {'run': '"a"', 'number': '1', 'params': '{}', 'argv': '["true"]'}


@pytest.mark.parametrize(
    'wrong',
    [
        *({'run': text} for text in ('1', 'null', '[]', '{}')),
        *({'number': text} for text in ('"1"', 'true', '1.0', 'NaN')),
        *({'params': text} for text in ('[]', 'null', '"x"')),
        *({'argv': text} for text in ('"true"', '[]', '[1]', 'null', '["a\\u0000b"]', '{"true": 1}')),
    ],
)
def test_that_a_line_with_a_field_of_another_type_is_an_error(wrong: dict[str, str]) -> None:
    with pytest.raises(ValueError):
        decode_run('{' + ', '.join(f'"{name}": {text}' for name, text in {**FIELDS, **wrong}.items()) + '}')


@pytest.mark.parametrize('line', ['[' * 100_000, '', '{"run": "sim_1", "num', '[1]', '{"run": "sim_1"}', '"text"'])
def test_that_a_damaged_line_is_an_error(line: str) -> None:
    with pytest.raises(ValueError):
        decode_run(line)
