"""Every command that the pages show at a prompt is executed, in the order of its page, with the files of the page."""

from __future__ import annotations

import itertools
import os
import re
import shlex
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import pytest

from hpsearch.cli.describing.verbs import parsers_of_verbs
from hpsearch.cli.parsers import before_command
from tests.fakes.lsf import FakeLsf
from tests.fakes.nvml.box import FakeBox
from tests.support.pages import commands_of, execute, files_of, masked
from tests.support.paths import REPOSITORY

DOCS = REPOSITORY / 'docs'

NOT_EXECUTED = {
    'python3 -m venv': 'the environment of the tests has hpsearch already',
    '. ~/venv/bin/activate': 'as above',
    'python3 -m pip install': 'installs packages, which needs a network',
    'ssh ': 'needs another machine',
}
"""How commands begin that are not executed here, with the reason; there is no other such list."""

OF_GPUS = {'tutorials/gpu_box.rst', 'howto/out_of_memory.rst'}
OF_LSF = {'tutorials/lsf.rst'}
OF_SLURM = {'tutorials/slurm.rst'}
"""Pages whose commands need more than a laptop has; those of Slurm are tested in tests/e2e/slurm."""

PAGES = {
    name: path for path in sorted(DOCS.rglob('*.rst')) if commands_of(path) for name in [str(path.relative_to(DOCS))]
}


PARSERS = parsers_of_verbs()


def is_executed(command: str) -> bool:
    """Whether a command can be executed anywhere."""
    return not command.startswith(tuple(NOT_EXECUTED))


def environment(folder: Path) -> dict[str, str]:
    """That of the tests, with their Python first and as wide a terminal as the pages have."""
    path = f'{Path(sys.executable).parent}{os.pathsep}{os.environ["PATH"]}'
    env = {**os.environ, 'PATH': path, 'COLUMNS': '100', 'HOME': str(folder)}
    return {name: value for name, value in env.items() if name != 'CUDA_VISIBLE_DEVICES'}


@contextmanager
def machine_of(page: str, folder: Path) -> Iterator[Mapping[str, str]]:
    """The environment of a machine that has what a page needs."""
    env = environment(folder)
    if page in OF_GPUS:
        box = FakeBox(folder / '.gpus', [40960] * 4)
        with box.neighbour(2, 31000, 0.9):
            yield {**box.env(), **env}
    elif page in OF_LSF:
        lsf = FakeLsf(folder / '.lsf', 'ibm')
        try:
            yield {**lsf.env(), **env, 'PATH': f'{lsf.path}/bin{os.pathsep}{env["PATH"]}'}
        finally:
            lsf.end()
    else:
        yield env


def run_page(page: Path, folder: Path, env: Mapping[str, str], patience: float = 120.0) -> None:
    """Execute the commands of a page: each succeeds, and prints what is shown of it."""
    for name, text in files_of(page).items():
        (folder / name).write_text(text, encoding='utf-8')
    shown = [each for each in commands_of(page) if is_executed(each.command)]
    for each, (status, output) in zip(shown, execute(shown, folder, env, patience), strict=True):
        assert status == 0, f'$ {each.command}\n{output}'
        printed = {masked(line) for line in output.splitlines()}
        missing = [line for line in each.output if masked(line) not in printed]
        assert not missing, f'$ {each.command}\n{output}\nNot printed: {missing}'


@pytest.mark.parametrize('page', [page for page in PAGES if page not in OF_SLURM])
def test_that_the_commands_of_a_page_do_what_it_shows(page: str, tmp_path: Path) -> None:
    folder = tmp_path / 'home'
    folder.mkdir()
    with machine_of(page, folder) as env:
        run_page(PAGES[page], folder, env)


def typed(text: str) -> list[list[str]]:
    """The words of commands of hpsearch in the blocks of a page, up to a pipe or the like."""
    lines = re.findall(r'^ +(?:\$ )?(?:python3? -m )?hpsearch ((?:.*\\\n)*.*)$', text, re.MULTILINE)
    commands = [shlex.split(line.replace('\\\n', ' '), comments=True) for line in lines if not line.startswith('[')]
    return [
        list(itertools.takewhile(lambda word: word not in ('|', '&&', '||', ';', '&', '>', '...'), words))
        for words in commands
    ]


ALL_PAGES = {
    str(path.relative_to(REPOSITORY)): path for path in [REPOSITORY / 'README.rst', *sorted(DOCS.rglob('*.rst'))]
}


@pytest.mark.parametrize('page', ALL_PAGES)
def test_that_every_command_of_a_page_is_understood(page: str, capsys: pytest.CaptureFixture[str]) -> None:
    for words in typed(ALL_PAGES[page].read_text(encoding='utf-8')):
        verb = words[0] if words[0] in PARSERS else 'run'
        rest = words[1:] if words[0] in PARSERS else words
        try:
            _, unknown = PARSERS[verb].parse_known_intermixed_args(before_command(rest))
        except SystemExit:
            pytest.fail(f'{words}: {capsys.readouterr().err}')
        assert not [word for word in unknown if word.startswith('--') and '~' not in word], words


def test_that_every_command_that_is_not_executed_is_shown_somewhere() -> None:
    commands = [each.command for path in PAGES.values() for each in commands_of(path)]
    assert [start for start in NOT_EXECUTED if not any(each.startswith(start) for each in commands)] == []


def test_that_a_prompt_stands_only_where_its_command_is_tested() -> None:
    """Those of these two pages have tests of their own: tests/e2e/local/test_coming_from.py."""
    elsewhere = {'coming_from.rst', 'without_configuration.rst'}
    for path in DOCS.rglob('*.rst'):
        prompts = re.findall(r'^ +\$ ', path.read_text(encoding='utf-8'), re.MULTILINE)
        assert path.name in elsewhere or len(prompts) == len(commands_of(path)), path
