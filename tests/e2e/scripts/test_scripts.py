"""Scripts of many kinds, none of which knows of hpsearch: each gets the values of its grid and ends up in the table."""

from __future__ import annotations

import ast
import csv
import json
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

HERE = Path(__file__).parent
SCRIPTS = sorted(path.parent.name for path in HERE.glob('*/search.py'))

NEEDS = {
    **{f'{library}_{what}': library for library, what in [('click', 'options'), ('typer', 'options')]},
    **{'fire_function': 'fire', 'absl_flags': 'absl', 'hydra_app': 'hydra', 'tyro_dataclass': 'tyro'},
    **{
        'jsonargparse_cli': 'jsonargparse',
        'draccus_config': 'draccus',
        'sacred_experiment': 'sacred',
        'tensorboard_events': 'tensorboardX',
        'wandb_offline': 'wandb',
    },
}
"""Script to the library that it imports."""

PROGRAMS = {'compiled_c': 'cc', 'node_script': 'node', 'perl_getopt_long': 'perl', 'r_script': 'Rscript'}

pytestmark = pytest.mark.e2e


@pytest.fixture
def project(tmp_path: Path, request: pytest.FixtureRequest) -> Path:
    """A copy of the script and its configuration, in which a program is compiled."""
    name = request.param
    if name in NEEDS:
        pytest.importorskip(NEEDS[name], exc_type=ImportError)
    if name in PROGRAMS and not shutil.which(PROGRAMS[name]):
        pytest.skip(f'there is no {PROGRAMS[name]}')
    shutil.copytree(HERE / name, tmp_path / 'project dir')
    for source in (tmp_path / 'project dir').glob('*.c'):
        subprocess.run(['cc', '-o', source.with_suffix(''), source], check=True)
    return tmp_path / 'project dir'


def search(project: Path) -> list[dict[str, str]]:
    """Run the search; the rows of its table."""
    words = ['--out_dir=out', '--force_out_dir', '--visible_gpus=-1', '--cpu_jobs=2', f'--python={sys.executable}']
    command = [sys.executable, '-m', 'hpsearch', 'run', 'search.py', *words]
    done = subprocess.run(command, cwd=project, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    with open(project / 'out' / 'search_results.csv', newline='') as file:
        return list(csv.DictReader(file, delimiter=';'))


def value_of(text: str) -> Any:
    """What a script has printed, as a value of Python."""
    named = {'true': True, 'false': False}
    try:
        return named[text.lower()] if text.lower() in named else ast.literal_eval(text)
    except (SyntaxError, ValueError):
        return text


@pytest.mark.parametrize('project', SCRIPTS, indirect=True)
def test_that_a_script_gets_the_values_of_its_grid(project: Path) -> None:
    rows = search(project)
    runs = [json.loads(line) for line in (project / 'out' / 'runs.jsonl').read_text().splitlines()]
    wanted = {run['run']: run['params'] for run in runs}
    assert len(rows) == len(wanted) == 4
    for row in rows:
        assert row['hpsearch_state'] == 'finished'
        for option, value in wanted[row['hpsearch_run']].items():
            assert as_value(row[f'got_{option}'], value) == value, (option, row)


def as_value(text: str, like: Any) -> Any:
    """What a script has printed, as a value of the type of another one."""
    if isinstance(like, str):
        return text
    if isinstance(like, bool):
        return value_of(text) in (True, 1)
    if isinstance(like, list):
        found = value_of(text)
        return list(found) if isinstance(found, tuple) else found if isinstance(found, list) else [found]
    return float(text)
