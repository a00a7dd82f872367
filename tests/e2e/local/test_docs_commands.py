"""Every command that the pages show at a prompt is executed, in the order of its page, with the files of the page."""

from __future__ import annotations

import itertools
import os
import re
import shlex
import shutil
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import pytest

from hpsearch.cli.describing.verbs import parsers_of_verbs
from hpsearch.cli.parsers.leading_words import before_command
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
    'hpsearch run my_config.py --search': 'takes minutes; the tutorial for laptops has it with fewer trials',
    'hpsearch run --search=random --max_trials=50': 'as above, with early stopping in howto/early_stopping.rst',
    'hpsearch run examples/digits/': 'takes minutes; tests/e2e/local/test_examples.py has it with fewer runs',
    'hpsearch seeds out/digits': 'repeats runs of the search above; the other commands of its page are executed',
    'hpsearch seeds out/hyperparam_search': 'needs a search of the original; tests/e2e/local/test_seeds.py has one',
    'hpsearch-postprocess old/': 'as above, with tests of its own',
    'python3 -m hypnettorch': 'is the original',
    'hpsearch --grid_module=hpsearch/': 'needs such a repository; tests/e2e/local/test_packaging.py has one',
    'python -m hpsearch --grid_module=my_config.py': 'is the next command of its page',
    'hpsearch report out/hyperparam_search/search_2026-11-20_23-19-00 --png': 'as --pdf, which is executed',
    'hpsearch serve ': 'ends with Ctrl-C; tests/e2e/local/test_serve.py has it in a browser',
    'hpsearch run my_config --on_finish': 'writes to people; tests/e2e/local/test_notify.py has it',
    'HPSEARCH_SENDMAIL=msmtp hpsearch run': 'as above',
    'echo \'{"event": "finished"': 'as above',
    'python3 -m hpsearch --grid_module=my_config --run_cluster': 'needs GPUs in a queue; see tutorials/slurm.rst',
    'python3 -m hpsearch --grid_module=my_config --profile': 'as above',
    'sbatch ': 'as above',
    'hpsearch completion fish': 'needs fish; tests/e2e/local/test_completion.py has it',
}
"""How commands begin that are not executed here, with the reason."""

TESTED_ELSEWHERE = {
    'README.rst': 'the example of tests/e2e/local/test_examples.py, and what other pages have in full',
    'docs/coming_from.rst': 'tests/e2e/local/test_coming_from.py executes them',
    'docs/without_configuration.rst': 'as above',
}
"""Pages whose commands have tests of their own."""

SEARCH = 'out/hyperparam_search/search_2026-11-20_23-19-00'

SEARCHES_OF = {
    'control.rst': ['DIR'],
    'provenance.rst': [SEARCH],
    'report.rst': [SEARCH],
    'results.rst': [SEARCH],
    'resume.rst': [SEARCH, 'DIR'],
    'runs.rst': ['DIR'],
    'seeds.rst': ['out/my_search'],
    'serve.rst': ['out/random', 'out/tpe'],
    'top.rst': ['out/digits'],
}
"""Where pages take a search for granted: a small one is put there."""

SCRIPT = """\
import argparse

parser = argparse.ArgumentParser()
parser.add_argument('--lr', type=float, default=0.1)
parser.add_argument('--width', type=int, default=16)
parser.add_argument('--seed', type=int, default=0)
args = parser.parse_args()
print(f'acc={1 - args.lr / 10 - 1 / args.width + (args.seed % 3) / 100}')
"""

CONFIGURATION = """\
grid = {'lr': [0.001, 0.2], 'width': [4, 16], 'seed': [1, 2]}
conditions = []
_SCRIPT_NAME = 'train.py'
_OUT_ARG = None
_RESULT = 'stdout:acc=([0-9.]+)'
_PERFORMANCE_KEY = 'acc'
_PERFORMANCE_SORT_ASC = False
"""

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


def write_project(folder: Path) -> None:
    """Write the script and the configuration that pages without files of their own speak of."""
    (folder / 'train.py').write_text(SCRIPT)
    (folder / 'my_config.py').write_text(CONFIGURATION)


@pytest.fixture(scope='module')
def searched(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A search of eight runs that has ended."""
    folder = tmp_path_factory.mktemp('searched')
    write_project(folder)
    words = ['hpsearch', 'run', 'my_config.py', '--cpu_jobs=2', '--out_dir=out', '--force_out_dir']
    subprocess.run(words, cwd=folder, env=environment(folder), capture_output=True, timeout=120, check=True)
    return folder / 'out'


@pytest.mark.parametrize('page', [page for page in PAGES if page not in OF_SLURM])
def test_that_the_commands_of_a_page_do_what_it_shows(page: str, searched: Path, tmp_path: Path) -> None:
    folder = tmp_path / 'home'
    folder.mkdir()
    write_project(folder)
    for place in SEARCHES_OF.get(page, []):
        shutil.copytree(searched, folder / place)
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
    shown = '\n'.join(path.read_text(encoding='utf-8').replace('$ ', '') for path in PAGES.values())
    assert [start for start in NOT_EXECUTED if not re.search(rf'^ +{re.escape(start)}', shown, re.MULTILINE)] == []


@pytest.mark.parametrize('page', [page for page in ALL_PAGES if page not in TESTED_ELSEWHERE])
def test_that_commands_stand_only_at_prompts_that_are_tested(page: str) -> None:
    text = ALL_PAGES[page].read_text(encoding='utf-8')
    assert len(re.findall(r'^ +\$ ', text, re.MULTILINE)) == len(commands_of(ALL_PAGES[page]))
    unprompted = re.findall(r'^ +((?:python3? -m )?hpsearch(?:-postprocess)? (\S+).*)$', text, re.MULTILINE)
    commands = [line for line, word in unprompted if word in PARSERS or word.startswith('-')]
    assert [command for command in commands if is_executed(command)] == []
