"""The documentation says what the program does: options, attributes, files, examples."""

from __future__ import annotations

import argparse
import ast
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from hpsearch.options import add_search_options

ROOT = Path(__file__).resolve().parent.parent
DOCS = ROOT / 'docs'
PAGES = [ROOT / 'README.rst', ROOT / 'CONTRIBUTING.rst', *sorted(DOCS.glob('*.rst'))]
TEXTS = {path.name: path.read_text() for path in PAGES}
OPTION = re.compile(r'(?<![\w-])--([a-z][a-z_]+)')

# Options of other programs, and of training scripts, that the pages mention.
FOREIGN = re.compile(r'^(?:lr|x|out_dir|batchnorm|layers|name|optimizer|hidden|dataset)$')


def options() -> dict[str, argparse.Action]:
    """Return the options of a search, without dashes."""
    parser = argparse.ArgumentParser()
    add_search_options(parser)
    return {name.removeprefix('--'): action for action in parser._actions for name in action.option_strings}


SEARCH_OPTIONS = {name: action for name, action in options().items() if name not in ('h', '-h', 'help')}


def test_that_every_option_of_a_search_is_documented() -> None:
    documented = set(OPTION.findall(TEXTS['command_line.rst']))
    assert set(SEARCH_OPTIONS) - documented == set()


def defaults() -> Iterator[tuple[str, str]]:
    """Yield (option, default) of each entry of docs/command_line.rst that states one."""
    for entry in re.split(r'\n(?=``--)', TEXTS['command_line.rst']):
        name = re.match(r'``--(\w+)', entry)
        stated = re.search(r'Default:\s+``?([^`]+)``|Default:\s+([\w.-]+[\w])', entry)
        if name and stated:
            yield name[1], stated[1] or stated[2]


@pytest.mark.parametrize(('name', 'stated'), list(defaults()))
def test_that_the_stated_default_of_an_option_is_true(name: str, stated: str) -> None:
    default = SEARCH_OPTIONS[name].default
    if isinstance(default, (int, float)) and not isinstance(default, bool):
        assert float(stated) == default
    elif default:
        assert stated == default


def test_that_the_pages_mention_no_option_that_does_not_exist() -> None:
    known = set(SEARCH_OPTIONS) | verbs_options()
    for page, text in TEXTS.items():
        unknown = {name for name in OPTION.findall(text) if name not in known and not FOREIGN.match(name)}
        assert unknown == set(), page


def verbs_options() -> set[str]:
    """Return every option that is declared anywhere in the programs, and those of tools the pages use."""
    sources = [*ROOT.glob('hpsearch/*.py'), *ROOT.glob('postprocessing/*.py'), *ROOT.glob('examples/*/*.py')]
    declared = set(re.findall(r"'--([a-z_]+)'", '\n'.join(path.read_text() for path in sources)))
    return declared | {'help', 'version', 'strict'}


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
