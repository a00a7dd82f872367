"""Completion in real shells, of a folder with a search."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import pytest

from tests.support.paths import REPOSITORY
from tests.support.shown_search import shown_search

TRY = """\
source "$1"; shift
COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1)); COMPREPLY=()
complete -p hpsearch | grep -q _hpsearch && _hpsearch && printf '%s\\n' "${COMPREPLY[@]}"
"""

TRY_IN_ZSH = """\
autoload -Uz compinit; compinit -D -u; source "$1"; shift
[[ $_comps[hpsearch] = *_hpsearch ]] || exit 1
emulate -L sh; COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1)); COMPREPLY=(); _hpsearch; printf '%s\\n' "${COMPREPLY[@]}"
"""

TRY_IN_FISH = 'source $argv[1]; complete -C "$argv[2..-1]" | string replace -r "\\t.*" ""; or true'

CASES = [
    (['hpsearch', 'st'], {'status', 'stop'}),
    (['hpsearch', 'run', '--max_t'], {'--max_trials'}),
    (['hpsearch', 'status', 'my'], {'my/search', 'my older/search'}),
    (['hpsearch', 'logs', 'my/search', 'sim_2'], {'sim_2'}),
    (['hpsearch', 'run', '--packing', ''], {'auto', 'fixed'}),
    (['hpsearch', 'completion', 'f'], {'fish'}),
    (['hpsearch-postprocess', 'my'], {'my/search', 'my older/search'}),
    (['hpsearch-postprocess', '--plo'], {'--plots'}),
]
IN_BASH = [
    (['hpsearch', 'run', '--packing', '=', 'a'], {'auto'}),
    (['hpsearch', '--quiet', 'resu'], {'resume'}),
    (['hpsearch', 'run', '--', 'python3', 'st'], {''}),
    (['hpsearch', '--max_tr'], {'--max_trials'}),
    (['hpsearch', 'export', 'c'], {'csv'}),
    (['hpsearch', 'logs', 'my\\ older/search', 'old'], {'old_1'}),
    (['hpsearch', 'logs', '"my older/search"', 'old'], {'old_1'}),
    (['hpsearch', 'logs', '~/my\\ older/search', 'old'], {'old_1'}),
]


@pytest.fixture(scope='module')
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a search, and with the scripts."""
    path = tmp_path_factory.mktemp('completion')
    shown_search(path / 'my' / 'search', runs=3)
    for run in (1, 2, 3):
        (path / 'my' / 'search' / 'jobs' / f'sim_{run}').mkdir(parents=True, exist_ok=True)
    older = shown_search(path / 'my older' / 'search', runs=1)
    (older.jobs_dir / 'old_1').mkdir()
    os.utime(older.search_json, (0, 0))
    for shell in ('bash', 'zsh', 'fish'):
        words = [sys.executable, '-m', 'hpsearch', 'completion', shell]
        done = subprocess.run(words, cwd=REPOSITORY, capture_output=True, text=True, check=True, timeout=60)
        (path / f'completion.{shell}').write_text(done.stdout)
    return path


def offered(folder: Path, command: Sequence[str], words: Sequence[str]) -> set[str]:
    """What a shell offers."""
    env = {**os.environ, 'HOME': str(folder)}
    done = subprocess.run(
        [*command, *words], cwd=folder, env=env, capture_output=True, text=True, check=True, timeout=60
    )
    assert not done.stderr
    return set(done.stdout.rstrip('\n').split('\n'))


@pytest.mark.parametrize(('words', 'expected'), CASES + IN_BASH)
def test_that_bash_completes(words: list[str], expected: set[str], folder: Path) -> None:
    assert offered(folder, ['bash', '--norc', '-c', TRY, 'bash', 'completion.bash'], words) == expected


@pytest.mark.parametrize(
    ('word', 'is_path'), [('my/s', True), ('con', True), ('--grid_mod', False), ('--packing', False)]
)
def test_that_bash_knows_what_is_a_path(word: str, is_path: bool, folder: Path) -> None:
    told = 'compopt() { COMPREPLY=("compopt $*"); }; ' + TRY
    verb = 'status' if word == 'my/s' else 'run'
    shown = offered(folder, ['bash', '--norc', '-c', told, 'bash', 'completion.bash'], ['hpsearch', verb, word])
    assert ('compopt -o filenames' in shown) == is_path


@pytest.mark.skipif(shutil.which('zsh') is None, reason='zsh is not installed')
@pytest.mark.parametrize(('words', 'expected'), CASES)
def test_that_zsh_completes(words: list[str], expected: set[str], folder: Path) -> None:
    assert offered(folder, ['zsh', '-f', '-c', TRY_IN_ZSH, 'zsh', 'completion.zsh'], words) == expected


@pytest.mark.skipif(shutil.which('fish') is None, reason='fish is not installed')
@pytest.mark.parametrize(('words', 'expected'), CASES)
def test_that_fish_completes(words: list[str], expected: set[str], folder: Path) -> None:
    assert offered(folder, ['fish', '--no-config', '-c', TRY_IN_FISH, 'completion.fish'], [' '.join(words)]) == expected
