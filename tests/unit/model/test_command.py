"""Commands: from values to argv words, and to lines that a shell reads back as the same words."""

from __future__ import annotations

import subprocess
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from hpsearch.model.command import (
    CommandLimits,
    plain,
    shell_line,
    shell_word,
    unquoted,
    warnings_about,
    why_no_command,
)
from tests.fakes.odd_values import Tensor

# Prints its arguments, each ended by a byte that no argument can hold.
PRINTER = ['printf', '%s\\0']
CHARACTERS = st.sampled_from('ab \t\n\r\'"`$\\!*?[]{}()<>|&;~#=-%,:éλ☃\x01\x1b\x85\u2028') | st.characters(
    exclude_characters='\0', exclude_categories=['Cs']
)
WORDS = st.lists(st.text(CHARACTERS, max_size=12), min_size=1, max_size=6)
DIFFICULT = [
    '',
    '-x',
    '--a=b c',
    'a\n',
    '\n',
    '\n\n',
    'a\n\nb\n',
    '$HOME',
    '"$nl"',
    '~',
    '#',
    '!!',
    "'",
    '\\',
    '\\n',
    'a\r',
    '\x1b[31mred',
]


def read_back(shell: str, line: str) -> list[str]:
    """Return the words that a shell makes of a line (of PRINTER and its arguments)."""
    done = subprocess.run([shell, '-c', line], capture_output=True, check=True)
    return done.stdout.decode().split('\0')[:-1]


@pytest.mark.parametrize('shell', ['sh', 'bash'])
@given(arguments=WORDS)
@example(arguments=DIFFICULT)
@settings(deadline=None, max_examples=60)
def test_that_a_shell_reads_back_the_words(shell: str, arguments: list[str]) -> None:
    line = shell_line([*PRINTER, *arguments])
    assert read_back(shell, line) == arguments


@given(WORDS)
@example(DIFFICULT)
def test_that_a_command_is_one_line_that_commands_no_terminal(arguments: list[str]) -> None:
    line = shell_line(['program', *arguments])
    assert '\n' not in line
    assert '\r' not in line
    assert '\x1b' not in line


@given(st.lists(WORDS, min_size=1, max_size=3))
@settings(deadline=None, max_examples=20)
def test_that_lines_pasted_one_after_the_other_give_their_words(commands: list[list[str]]) -> None:
    script = '\n'.join(shell_line([*PRINTER, *arguments]) for arguments in commands)
    assert read_back('sh', script) == [argument for arguments in commands for argument in arguments]


@pytest.mark.parametrize('program', ['if', 'time', 'A=b', 'with space', 'with\nbreak', "it's"])
def test_that_any_name_of_a_program_is_executed(tmp_path: Path, program: str) -> None:
    path = tmp_path / program
    path.write_text('#!/bin/sh\nprintf %s "$1"\n')
    path.chmod(0o755)
    done = subprocess.run(
        ['sh', '-c', shell_line([program, 'word'])],
        capture_output=True,
        check=True,
        env={'PATH': f'{tmp_path}:/usr/bin:/bin'},
    )
    assert done.stdout == b'word'


def test_that_simple_words_stay_readable() -> None:
    assert shell_line(['python3', 'train.py', '--lr=1e-08', '--flag']) == 'python3 train.py --lr=1e-08 --flag'
    assert shell_word('a b') == "'a b'"


@pytest.mark.parametrize(
    ('value', 'expected'), [(np.float32(0.1), 0.1), (np.int8(3), 3), (np.str_('a'), 'a'), (np.bool_(True), True)]
)
def test_that_numpy_scalars_become_plain(value: Any, expected: Any) -> None:
    assert plain(value) == expected
    assert type(plain(value)) is type(expected)


@pytest.mark.parametrize(
    ('number', 'expected'), [(0.95, 0.95), (1e-08, 1e-08), (3, 3.0), (1 / 3, 0.33333334), (float('inf'), float('inf'))]
)
def test_that_a_tensor_without_dimensions_becomes_the_number_it_was_made_of(number: float, expected: float) -> None:
    assert plain(Tensor(number)) == expected
    assert type(plain(Tensor(number))) is float
    assert plain(np.array(number, dtype=np.float32)) == expected


@given(st.floats(width=32, allow_nan=False))
def test_that_a_number_of_32_bits_is_kept_exactly(number: float) -> None:
    assert np.float32(plain(Tensor(number))) == np.float32(number)


@pytest.mark.parametrize(
    ('text', 'expected'),
    [
        ('"a b"', 'a b'),
        ("'a'", 'a'),
        ('""', ''),
        ('"it\'s"', "it's"),
        ('\'say "no"\'', 'say "no"'),
        ('""x""', '"x"'),
        (r'"say \"no\""', r'say \"no\"'),
        ("'yes' or 'no'", "'yes' or 'no'"),
        ('"a" "b"', '"a" "b"'),
        ('"a"b"', '"a"b"'),
        ("'a' + \"b\" + 'c'", "'a' + \"b\" + 'c'"),
        ('"a', '"a'),
        ('"', '"'),
        ("a'", "a'"),
    ],
)
def test_that_only_a_pair_of_quotes_that_encloses_everything_is_removed(text: str, expected: str) -> None:
    assert unquoted(text) == expected


def test_that_quotes_that_are_kept_since_they_are_no_pair_are_warned_about() -> None:
    (warning,) = warnings_about({'answer': ["'yes' or 'no'"]})
    assert warning == (
        "answer: \"'yes' or 'no'\" reaches the script as it is written; "
        'a shell would have acted on a quote and a space in it.'
    )


@pytest.mark.parametrize(
    ('value', 'named'),
    [
        ('$HOME', 'acted on $ in it'),
        ('`date`', 'a backtick'),
        ('*.txt', 'a glob'),
        ('a\\b', 'a backslash'),
        ('a b', 'a space'),
        ('"$HOME"', 'acted on $ in it'),
        ('a;b', 'an operator'),
        ('a"b"', 'a quote'),
        ('$a b', '$ and a space'),
    ],
)
def test_that_values_that_a_shell_would_have_changed_are_warned_about(value: str, named: str) -> None:
    (warning,) = warnings_about({'option': ['fine', value]})
    assert warning.startswith(f'option: {value!r}')
    assert named in warning


@pytest.mark.parametrize(
    'value', ['200,200', '"400,400"', "'a b $c'", '"a b"', '"*"', '', '""', -1, 1e-8, True, None, 'a-b_c./d', '~']
)
def test_that_values_that_a_shell_leaves_alone_are_not_warned_about(value: Any) -> None:
    assert not warnings_about({'option': [value]})


@pytest.mark.parametrize(
    ('argv', 'named'),
    [
        (['x', '--text=' + 'y' * 99], '--text=… has 106 bytes'),
        (['x', '--text', 'y' * 99], '--text … has 99 bytes'),
        (['x', '-t', 'y' * 99], '-t … has 99 bytes'),
        (['x', 'text=' + 'y' * 99], 'text=yyyyy'),
        (['--a', '-' * 99], '--a … has 99 bytes'),
    ],
)
def test_that_a_word_that_is_too_long_is_named_by_its_option(argv: list[str], named: str) -> None:
    assert why_no_command(argv, CommandLimits(50, 10**6)).startswith(named)
    assert why_no_command(argv, CommandLimits(200, 10**6)) == ''
