"""Every template is run as a user would run it."""

from __future__ import annotations

import csv
import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
TEMPLATES = ROOT / 'configs' / 'templates'
NOT_TEMPLATES = {'__init__.py', 'train_script.py'}
NAMES = sorted(
    path.name for path in TEMPLATES.iterdir() if path.suffix in ('.py', '.yaml') and path.name not in NOT_TEMPLATES
)
RUNS = {'minimal.py': 4, 'minimal.yaml': 6, 'not_python.yaml': 4, 'conditions.py': 56, 'full.py': 18}


def hpsearch(*words: str, cwd: Path) -> subprocess.CompletedProcess[str]:
    """Run hpsearch from this checkout in a folder."""
    return subprocess.run(
        [sys.executable, '-m', 'hpsearch', *words],
        cwd=cwd,
        env={**os.environ, 'PYTHONPATH': str(ROOT)},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


def options(name: str) -> list[str]:
    """Return the options a template is run with from any folder."""
    # A YAML file cannot say where it is itself, so the script of minimal.yaml is relative to the working directory.
    where = [f'--run_cwd={TEMPLATES}'] if name == 'minimal.yaml' else []
    return [f'--grid_module={TEMPLATES / name}', *where]


@pytest.mark.parametrize('name', NAMES)
def test_that_a_template_runs_from_any_folder(name: str, tmp_path: Path) -> None:
    out = tmp_path / 'out'
    limits = ['--num_searches=2', '--visible_gpus=-1', f'--out_dir={out}', '--force_out_dir']
    done = hpsearch(*options(name), *limits, cwd=tmp_path)
    assert done.returncode == 0, done.stdout + done.stderr
    with (out / 'search_results.csv').open(newline='') as stream:
        rows = list(csv.DictReader(stream, delimiter=';'))
    assert [row['finished'] for row in rows] == ['1', '1']


@pytest.mark.parametrize('name', NAMES)
def test_that_a_template_plans_as_many_runs_as_its_grid_means(name: str, tmp_path: Path) -> None:
    done = hpsearch('plan', '--commands', *options(name), cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert len(set(done.stdout.splitlines())) == RUNS[name]


def test_that_templates_have_no_warnings_in_their_plan(tmp_path: Path) -> None:
    done = hpsearch('plan', *options('full.py'), cwd=tmp_path)
    assert 'warning' not in (done.stdout + done.stderr).lower()


def test_that_the_full_template_names_every_attribute() -> None:
    text = (TEMPLATES / 'full.py').read_text()
    attributes = ['grid', 'conditions', 'constraints', '_SCRIPT_NAME', '_COMMAND', '_OUT_ARG', '_SUMMARY_FILENAME']
    attributes += ['_SUMMARY_KEYWORDS', '_SUMMARY_PARSER_HANDLE', '_PERFORMANCE_EVAL_HANDLE', '_PERFORMANCE_KEY']
    assert [name for name in [*attributes, '_PERFORMANCE_SORT_ASC'] if f'{name} = ' not in text] == []
