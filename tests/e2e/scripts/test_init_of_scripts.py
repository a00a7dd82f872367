"""What ``hpsearch init`` makes of scripts of many kinds: plan accepts it, and try runs it."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from tests.e2e.scripts.test_scripts import project

pytestmark = pytest.mark.e2e

__all__ = ['project']

RESULTS = {
    'absl_flags': '_SUMMARY_FILENAME',
    'argparse_append': '_SUMMARY_FILENAME',
    'argparse_nargs': '_SUMMARY_FILENAME',
    'click_options': '_SUMMARY_FILENAME',
    'draccus_config': '_SUMMARY_FILENAME',
    'huggingface_trainer': '_RESULT',
    'hydra_app': '_SUMMARY_FILENAME',
    'json_lines': '_RESULT',
    'jsonargparse_cli': '_SUMMARY_FILENAME',
    'lightning_csv': '_RESULT',
    'prints_only': '_RESULT',
    'tensorboard_events': '_RESULT',
    'typer_options': '_SUMMARY_FILENAME',
    'tyro_dataclass': '_SUMMARY_FILENAME',
}
"""Script to the attribute that says where its result is."""

WORDS = {'jsonargparse_cli': ['fit']}


def hpsearch(project: Path, *words: str) -> str:
    """What it prints."""
    command = [sys.executable, '-m', 'hpsearch', *words, f'--python={sys.executable}']
    done = subprocess.run(command, cwd=project, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.mark.parametrize(('project', 'name'), [(name, name) for name in RESULTS], indirect=['project'])
def test_that_the_module_for_a_script_is_accepted_and_can_be_run(project: Path, name: str) -> None:
    hpsearch(project, 'init', 'train.py', *WORDS.get(name, []))
    module = (project / 'train_search.py').read_text()
    assert f'\n{RESULTS[name]} = ' in module and '_PERFORMANCE_KEY = ' in module
    assert 'warning' not in hpsearch(project, 'plan', 'train_search.py')
    assert 'this run would have finished' in hpsearch(project, 'try', 'train_search.py')


@pytest.mark.parametrize('project', ['hydra_app'], indirect=True)
def test_that_plan_warns_of_names_that_the_configuration_of_hydra_does_not_have(project: Path) -> None:
    search = project / 'search.py'
    before = sorted(project.iterdir())
    assert 'the configuration of the script' not in hpsearch(project, 'plan', 'search.py')
    search.write_text(search.read_text().replace("'optimizer.lr'", "'optimizer.rl'"))
    assert 'warning: optimizer.rl: the configuration of the script has no optimizer.rl; did you mean optimizer.lr?' in (
        hpsearch(project, 'plan', 'search.py')
    )
    assert sorted(project.iterdir()) == before
