"""Commands that tell somebody, as options: their words, and what is wrong with them."""

from __future__ import annotations

import argparse
import json
import os
import shlex
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hpsearch.cli.notifying.options import NotifyOptions, command_words, missing_programs
from hpsearch.cli.options import SearchOptions, flat, search_options
from hpsearch.cli.parsers.searches import parse_run
from hpsearch.cli.parsers.values import profile_options
from hpsearch.config.profile import read_profile

WORDS = st.lists(st.text(st.characters(exclude_characters='\0', exclude_categories=['Cs'])), min_size=1)


@given(WORDS)
def test_that_a_json_list_keeps_every_word_exactly(words: list[str]) -> None:
    assert command_words(json.dumps(['tell', *words])) == ('tell', *words)


@given(WORDS)
def test_that_words_are_split_as_a_shell_splits_them(words: list[str]) -> None:
    assert command_words(shlex.join(['tell', *words])) == ('tell', *words)


@given(st.text())
def test_that_any_text_is_a_command_or_a_clear_error(text: str) -> None:
    try:
        words = command_words(text)
    except argparse.ArgumentTypeError as error:
        assert str(error)
    else:
        assert all('\0' not in word for word in words)


@pytest.mark.parametrize('text', ['["a", 1]', '["a"', '[' * 100_000, "tell 'ada", '["a\\u0000"]'])
def test_that_what_is_no_command_is_refused(text: str) -> None:
    with pytest.raises(argparse.ArgumentTypeError):
        command_words(text)


def test_that_a_program_given_by_a_path_is_found_from_elsewhere_as_well(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv('HOME', '/home/ada')
    assert command_words('./tell.sh ./x')[0] == os.path.abspath('tell.sh')
    assert command_words('~/tell.sh')[0] == '/home/ada/tell.sh'
    assert command_words('tell.sh') == ('tell.sh',)
    assert command_words(' ') == ()


def test_that_both_commands_are_kept_with_the_options_of_a_search() -> None:
    options = parse_run(['my_config', '--on_finish', 'true a', '--on-failure=["true", "b c"]'])
    assert options.notify == NotifyOptions(on_finish=('true', 'a'), on_failure=('true', 'b c'))
    assert search_options(json.loads(json.dumps(flat(options)))).notify == options.notify
    assert SearchOptions().notify.on_finish is None


def test_that_every_missing_program_is_named() -> None:
    options = NotifyOptions(on_finish=('no-such-program',), on_failure=('/no/such',))
    first, second = missing_programs(options)
    assert first.startswith("--on_finish: 'no-such-program'")
    assert second.startswith("--on_failure: '/no/such'")
    assert not list(missing_programs(NotifyOptions(on_finish=('true',), on_failure=())))


def test_that_a_profile_can_set_them(tmp_path: Path) -> None:
    path = tmp_path / 'mine.yaml'
    path.write_text('on_finish: mail -s "a b" ada\non_failure: \'["mail", "ada"]\'\n')
    found = read_profile(path, profile_options())
    assert found == {'on_finish': ('mail', '-s', 'a b', 'ada'), 'on_failure': ('mail', 'ada')}
