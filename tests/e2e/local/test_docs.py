"""The documentation says what the program does: options, attributes, files, examples."""

from __future__ import annotations

import argparse
import ast
import re
import subprocess
import sys
from collections.abc import Collection, Iterator
from pathlib import Path

import pytest

from docs.pictures.scenes import PICTURES
from hpsearch.backends.queue.lsf import parsing as lsf_answers
from hpsearch.backends.queue.slurm import parsing as slurm_answers
from hpsearch.cli.describing.verbs import parsers_of_verbs
from hpsearch.cli.main import VERBS
from hpsearch.cli.options import add_options
from hpsearch.config.source import SPELLINGS
from hpsearch.model.run import Summary
from hpsearch.model.states import State
from hpsearch.model.verdict import IN_WORDS, judge
from tests.support.paths import REPOSITORY
from tests.unit.test_imports import MAY_IMPORT

ROOT = REPOSITORY
DOCS = ROOT / 'docs'
ON_SITE = {path.relative_to(DOCS).as_posix(): path for path in sorted(DOCS.rglob('*.rst'))}
PAGES = {name: ROOT / name for name in ('README.rst', 'CONTRIBUTING.rst')} | ON_SITE
TEXTS = {name: path.read_text() for name, path in PAGES.items()}
OPTION = re.compile(r'(?<![\w-])--([a-z][a-z_-]*[a-z])')

# Attributes that are accepted and have no effect so far.
NOT_YET_USED: set[str] = set()

# Options of other programs, and of training scripts, that the pages mention.
OF_SCRIPTS = {
    *('lr', 'x', 'out_dir', 'batchnorm', 'layers', 'name', 'optimizer', 'hidden', 'dataset'),
    *('bn', 'no-bn', 'param', 'opts', 'config', 'dropout', 'augment', 'no-augment'),
    *('epochs', 'nproc_per_node', 'nv', 'hiden', 'cfg', 'batch_size'),
}
OF_SBATCH = {
    *('account', 'array', 'clusters', 'constraint', 'cpus-per-task', 'error', 'exclude', 'gres', 'job-name', 'mem'),
    *('test-only', 'wait', 'wrap'),
    *('ntasks-per-gpu', 'no-requeue', 'output', 'partition', 'qos', 'requeue', 'reservation', 'time'),
}
OF_TOOLS = {
    'count',
    'head',
    'address',
    'no-install-recommends',
    'logdir',
    'backend-store-uri',
    'multirun',
    'jobs',
    'link',
    'shuf',
}
FOREIGN = OF_SCRIPTS | OF_SBATCH | OF_TOOLS


def search_parser() -> argparse.ArgumentParser:
    """Return a parser of the options of a search alone."""
    parser = argparse.ArgumentParser()
    add_options(parser)
    return parser


def options(parser: argparse.ArgumentParser) -> dict[str, argparse.Action]:
    """Return the options of a command that its help shows, without dashes."""
    shown = (action for action in parser._actions if action.help != argparse.SUPPRESS)
    return {name.removeprefix('--'): action for action in shown for name in action.option_strings}


RESUMING = ('resume', 'join')  # their options have a section of their own

PARSERS = parsers_of_verbs()

SEARCH_OPTIONS = {name: action for name, action in options(search_parser()).items() if name not in ('h', '-h', 'help')}


def test_that_every_option_of_a_search_is_documented() -> None:
    shown = set(re.findall(r'\.\. options:: (\w+)\n   :group: (.+)', TEXTS['command_line.rst']))
    groups = {('run', group.title) for group in PARSERS['run']._action_groups[2:]}
    assert shown == groups | {('resume', 'resuming')}


@pytest.mark.parametrize('verb', sorted(VERBS))
def test_that_every_verb_is_documented_with_its_own_options(verb: str) -> None:
    described = re.search(rf'\* - ``hpsearch \[?{verb}\b.*?(?=\n   \* - ``|\n\n)', TEXTS['command_line.rst'], re.DOTALL)
    assert described
    elsewhere = {'h', '-h', 'help', 'version', *SEARCH_OPTIONS, *(options(PARSERS[verb]) if verb in RESUMING else ())}
    its_own = {name for name in set(options(PARSERS[verb])) - elsewhere if not name.startswith('-')}
    assert its_own <= set(OPTION.findall(described[0]))


@pytest.mark.parametrize('attribute', sorted(set(SPELLINGS.values()) - NOT_YET_USED))
def test_that_every_attribute_of_a_configuration_is_documented_and_in_the_template(attribute: str) -> None:
    assert f'* - ``{attribute}``' in TEXTS['configuration.rst']
    template = (ROOT / 'configs' / 'templates' / 'full.py').read_text()
    assert attribute == '_ARGPARSE_HANDLE' or re.search(rf'^(# )?{attribute} = ', template, re.MULTILINE)


def test_that_the_design_names_every_package_in_the_order_of_imports() -> None:
    text = TEXTS['design.rst'].split('\nThe house\n')[1].split('\nLibraries\n')[0]
    assert re.findall(r'^ +(\w+)/ ', text, re.MULTILINE) == list(MAY_IMPORT)


def test_that_the_design_names_every_event_of_the_journal_and_every_state() -> None:
    sources = '\n'.join(path.read_text() for path in ROOT.glob('hpsearch/**/*.py'))
    written = set(re.findall(r"'event': '(\w+)'|[._]record\('(\w+)'|[._]note\('(\w+)'", sources))
    events = {name for names in written for name in names if name}
    text = TEXTS['design.rst']
    assert {'claimed', 'adopted', 'ended', 'stop', 'closed', 'provenance'} <= events
    assert {event for event in events if f'``{event}``' not in text} == set()
    assert {state.value for state in State if state.value not in text.split('\nStates\n')[1]} == set()


def test_that_every_cause_of_an_end_from_outside_is_explained() -> None:
    table = TEXTS['failures.rst'].split('\nCauses\n')[1]
    rows = re.findall(r'^   \* - ``(\w+)``\n     - (.+)\n     - (\w+)', table, re.MULTILINE)
    assert {cause for cause, _, _ in rows} == set(IN_WORDS)
    for cause, words, state in rows:
        assert words.startswith(IN_WORDS[cause])
        assert judge(None, cause, '', Summary(), wants_summary=True).state.value == state


@pytest.mark.parametrize(
    ('page', 'words'),
    [
        ('slurm.rst', slurm_answers.STATES),
        ('lsf.rst', lsf_answers.STATES),
        ('lsf.rst', lsf_answers.TERMINATIONS),
    ],
)
def test_that_every_state_of_a_job_is_explained(page: str, words: Collection[str]) -> None:
    tables = TEXTS[page].split('\nStates\n------\n')[1]
    assert {word for word in words if f'``{word}``' not in tables} == set()


def test_that_the_reasons_said_to_stay_are_those_that_stay() -> None:
    shown = TEXTS['slurm.rst'].split('\nJobs that wait\n')[1].split('   * - Reason\n')[1].split('\n\n')[0]
    cells = re.findall(r'^   \* - (.*)$', shown, re.MULTILINE)
    reasons = [reason.replace('...', 'Some') for cell in cells for reason in re.findall(r'``([\w.]+)``', cell)]
    assert {reason for reason in reasons if not slurm_answers.is_stuck(reason)} == set()


@pytest.mark.parametrize(
    'variable', ['HPSEARCH_DIR', 'HPSEARCH_DIR_ID', 'HPSEARCH_RUN', 'HPSEARCH_ATTEMPT', 'HPSEARCH_METRICS']
)
def test_that_the_variables_of_an_attempt_are_documented(variable: str) -> None:
    assert f"'{variable}'" in (ROOT / 'hpsearch' / 'store' / 'attempt_files.py').read_text()
    assert f'* - ``{variable}``' in TEXTS['running.rst']


def test_that_every_page_is_in_one_part_of_the_table_of_contents() -> None:
    parts = re.findall(r'\.\. toctree::\n   :caption: (.*)\n   :hidden:\n\n((?:   .*\n)+)', TEXTS['index.rst'])
    assert [title for title, _ in parts] == ['Tutorials', 'How-to guides', 'Reference', 'Explanation']
    entries = [line.strip() for _, lines in parts for line in lines.splitlines()]
    assert sorted(entries) == sorted(name.removesuffix('.rst') for name in ON_SITE if name != 'index.rst')


def test_that_every_picture_is_made_by_the_script_and_shown() -> None:
    shown = re.findall(r'(?:image|figure):: (?:docs/|\.\./)?pictures/(\S+)', '\n'.join(TEXTS.values()))
    there = {path.name for path in (DOCS / 'pictures').iterdir() if path.suffix in ('.svg', '.png')}
    assert set(shown) == set(PICTURES) == there
    assert all((DOCS / 'pictures' / name).stat().st_size < 200_000 for name in there)


def test_that_the_pages_mention_no_option_that_does_not_exist() -> None:
    known = set(SEARCH_OPTIONS) | verbs_options()
    for page, text in TEXTS.items():
        named = {name for name in OPTION.findall(text) if name not in FOREIGN}
        unknown = {name for name in named if name.replace('-', '_') not in known}  # dashes may stand for underscores
        assert unknown == set(), page


def verbs_options() -> set[str]:
    """Return every option that is declared anywhere in the programs, and those of tools the pages use."""
    folders = ('hpsearch', 'postprocessing', 'examples/*', 'benchmarks')
    sources = [path for folder in folders for path in ROOT.glob(f'{folder}/**/*.py')]
    declared = set(re.findall(r"'--([a-z_]+)'", '\n'.join(path.read_text() for path in sources)))
    return declared.union(*(options(parser) for parser in PARSERS.values())) | {'help', 'version', 'strict'}


def literals() -> Iterator[tuple[str, str]]:
    """Yield (page, path) for everything the pages name that looks like a path of this repository."""
    pattern = re.compile(r'(?:examples|docs|configs|tests|benchmarks|postprocessing)/[\w./-]*\w')
    for page, text in TEXTS.items():
        yield from ((page, found) for found in sorted(set(pattern.findall(text))))


@pytest.mark.parametrize(('page', 'path'), list(literals()))
def test_that_a_path_in_a_page_exists(page: str, path: str) -> None:
    exceptions = {'configs/my_config.py'}
    assert (ROOT / path).exists() or path in exceptions, f'{page} names {path}'


def test_that_the_grid_in_the_readme_is_that_of_the_example() -> None:
    block = TEXTS['README.rst'].split('.. code-block:: python\n')[1].split('\nThe condition')[0]
    shown = '\n'.join(line.removeprefix('    ') for line in block.splitlines())
    source = (ROOT / 'examples' / 'digits' / 'hpsearch_config.py').read_text()
    assert assignments(shown) == assignments(source)


def assignments(source: str) -> dict[str, object]:
    """Return the constants that a module assigns."""
    nodes = [node for node in ast.parse(source).body if isinstance(node, ast.Assign)]
    return {ast.unparse(node.targets[0]): ast.literal_eval(node.value) for node in nodes}


def test_that_the_plan_in_the_readme_is_what_plan_says() -> None:
    command = 'python3 -m hpsearch plan --grid_module=examples/digits/hpsearch_config.py'
    block = TEXTS['README.rst'].split(f'$ {command}\n')[1].split('    [...]')[0]
    shown = [line.removeprefix('    ') for line in block.splitlines()]
    words = [sys.executable, *command.split()[1:]]
    done = subprocess.run(words, cwd=ROOT, capture_output=True, text=True, timeout=60, check=True)
    portable = [line for line in shown if '/home/' not in line]
    assert [line for line in done.stdout.splitlines() if line in portable] == portable


def test_that_the_documentation_builds_without_warnings(tmp_path: Path) -> None:
    pytest.importorskip('sphinx')
    command = [sys.executable, '-m', 'sphinx', '-W', '--keep-going', '-q', '-b', 'html', '-d', str(tmp_path / 'trees')]
    done = subprocess.run(
        [*command, str(DOCS), str(tmp_path / 'html')], capture_output=True, text=True, timeout=300, check=False
    )
    assert done.returncode == 0, done.stderr
    assert (tmp_path / 'html' / 'index.html').exists()
