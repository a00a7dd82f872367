"""Words of a command that are searched: each form is read, and every other word stays where it is."""

from __future__ import annotations

import pytest

from hpsearch.arguments.priors import looks_searched, searched_words


@pytest.mark.parametrize(
    ('words', 'command', 'priors'),
    [
        (['--lr~uniform(0, 1)'], ['--lr', '{lr}'], {'lr': 'uniform(0, 1)'}),
        (['-x~[1,2]', 'last'], ['-x', '{x}', 'last'], {'x': '[1,2]'}),
        (['--lr=orion~[1]'], ['--lr={lr}'], {'lr': 'orion~[1]'}),
        (['--lr=~[1]'], ['--lr={lr}'], {'lr': '[1]'}),
        (['--lr', 'orion~[1]'], ['--lr', '{lr}'], {'lr': 'orion~[1]'}),
        (['--lr', '~[1]', '--b', '2'], ['--lr', '{lr}', '--b', '2'], {'lr': '[1]'}),
        (['lr~[1]', '+m.lr=~[2]'], ['lr={lr}', '+m.lr={m.lr}'], {'lr': '[1]', 'm.lr': '[2]'}),
        (['a.py', 'orion~f(1)', '~[2]'], ['a.py', '{_pos_0}', '{_pos_1}'], {'_pos_0': 'orion~f(1)', '_pos_1': '[2]'}),
        (['--learning-rate~nonsense'], ['--learning-rate', '{learning-rate}'], {'learning-rate': 'nonsense'}),
        (['--a~[1]', '--name', 'run_{a}'], ['--a', '{a}', '--name', 'run_{a}'], {'a': '[1]'}),
    ],
)
def test_that_each_form_is_read(words: list[str], command: list[str], priors: dict[str, str]) -> None:
    found = searched_words(words)
    assert (found.command, found.priors, found.problems) == (command, priors, [])


@pytest.mark.parametrize(
    'word',
    ['~/data', '--data=~/d', '--data=~me/d', '--data~/d', '~lr', 'a~b', '--x=a~b', '~', '--x~', 'f(1)', '[1]', ''],
)
def test_that_a_tilde_of_another_meaning_is_left_alone(word: str) -> None:
    assert searched_words(['python', word]).command == ['python', word]


def test_that_what_cannot_be_a_placeholder_and_what_is_searched_twice_is_named() -> None:
    problems = searched_words(['--script~[1]', '--a~[1]', '--a~[2]']).problems
    assert problems == [
        "'--script~[1]': script cannot be searched: {script} stands for a word of the command.",
        "'--a~[2]': a is searched twice; keep one.",
    ]


def test_that_placeholders_of_another_program_are_renamed_in_other_words_only() -> None:
    found = searched_words(['{trial.id}/x', '--a~["{trial.id}"]'], {'{trial.id}': '{run}'})
    assert (found.command, found.priors) == (['{run}/x', '--a', '{a}'], {'a': '["{trial.id}"]'})


@pytest.mark.parametrize(
    ('text', 'prior'), [('orion~f(1)', 'orion~f(1)'), ('~[1, 2]', '[1, 2]'), ('f(1)', ''), ('~/data', ''), ('', '')]
)
def test_that_a_text_in_a_file_is_searched_only_with_a_mark(text: str, prior: str) -> None:
    assert looks_searched(text) == prior
