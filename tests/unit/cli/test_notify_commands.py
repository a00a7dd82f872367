"""Commands that tell somebody are executed once, in the background, and never for long."""

from __future__ import annotations

import json
import math
import sys
from pathlib import Path

import pytest

from hpsearch.cli.notifying import commands
from hpsearch.cli.notifying.commands import Commands
from hpsearch.cli.notifying.facts import finite
from tests.support.harness import until

ECHO = [sys.executable, '-c', 'import os, sys; print(os.environ["HPSEARCH_EVENT"], sys.stdin.read())']


def start(started: Commands, words: list[str], output: Path, now: float = 0.0) -> str:
    return started.start('--on_finish', words, {'best': None, 'name': 'ü'}, {'HPSEARCH_EVENT': 'x'}, output, now)


def test_that_a_command_gets_the_facts_and_its_output_is_kept(tmp_path: Path) -> None:
    started, output = Commands(), tmp_path / 'notices' / 'x.log'
    assert start(started, ECHO, output) == ''
    assert list(started.finish(lambda: 0.0)) == []
    event, _, text = output.read_text().partition(' ')
    assert (event, json.loads(text)) == ('x', {'best': None, 'name': 'ü'})


def test_that_what_somebody_else_has_told_is_not_told_again(tmp_path: Path) -> None:
    (tmp_path / 'x.log').write_text('told')
    started = Commands()
    assert start(started, ECHO, tmp_path / 'x.log') == ''
    assert list(started.finish(lambda: 0.0)) == []
    assert (tmp_path / 'x.log').read_text() == 'told'


def test_that_a_command_that_fails_or_cannot_be_started_is_a_warning(tmp_path: Path) -> None:
    started = Commands()
    assert 'no-such-program could not be started' in start(started, ['no-such-program'], tmp_path / 'a.log')
    assert start(started, ['false'], tmp_path / 'b.log') == ''
    (problem,) = started.finish(lambda: 0.0)
    assert problem.startswith('--on_finish ended with status 1')
    assert str(tmp_path / 'b.log') in problem


def test_that_a_folder_that_cannot_be_written_is_a_warning(tmp_path: Path) -> None:
    (tmp_path / 'notices').write_text('a file')
    assert 'nobody was told' in start(Commands(), ECHO, tmp_path / 'notices' / 'x.log')


def test_that_a_command_that_takes_too_long_is_ended_with_all_that_it_started(tmp_path: Path) -> None:
    started = Commands()
    start(started, ['sh', '-c', 'sleep 600 & echo $!; wait'], tmp_path / 'x.log')
    child = until(lambda: int((tmp_path / 'x.log').read_text() or 0))
    assert list(started.poll(1.0)) == []
    (problem,) = started.poll(commands.TIME_LIMIT)
    assert 'took more than 60 s' in problem
    until(lambda: not is_alive(child))


def is_alive(pid: int) -> bool:
    try:
        return Path(f'/proc/{pid}/stat').read_text().rpartition(')')[2].split()[0] != 'Z'
    except OSError:
        return False


def test_that_ctrl_c_ends_the_wait_for_a_command(tmp_path: Path) -> None:
    started, waits = Commands(), iter([False, False, True])
    start(started, ['sleep', '600'], tmp_path / 'x.log')
    (problem,) = started.finish(lambda: 0.0, lambda: next(waits), lambda seconds: None)
    assert 'or Ctrl-C' in problem


@pytest.mark.parametrize('value', [math.nan, math.inf, {'a': [math.nan, (1, -math.inf)]}, b'x', {1: {2: None}}])
def test_that_facts_are_json_whatever_the_values_are(value: object) -> None:
    json.dumps(finite(value), allow_nan=False)


def test_that_facts_are_unicode_whatever_the_names_of_files_are() -> None:
    assert finite({'folder': 'out/\udcff', 'ü\udcff': ['\udcff']}) == {'folder': 'out/?', 'ü?': ['?']}
