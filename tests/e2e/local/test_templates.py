"""Every template is run as a user would run it."""

from __future__ import annotations

import csv
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from hpsearch.cli.parsers.searches import parse_run
from hpsearch.cli.parsers.values import profile_options
from hpsearch.config.profile import read_profile
from hpsearch.config.yaml_file import parse_yaml
from tests.support.paths import REPOSITORY

ROOT = REPOSITORY
TEMPLATES = ROOT / 'configs' / 'templates'
NOT_TEMPLATES = {'__init__.py', 'train_script.py'}
NAMES = sorted(
    path.name
    for path in TEMPLATES.iterdir()
    if path.suffix in ('.py', '.yaml') and path.name not in NOT_TEMPLATES and not path.name.startswith('site_')
)
PROFILES = sorted(path.name for path in TEMPLATES.glob('site_*.yaml'))
ADAPTIVE = 'sampled.py'
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
    limits = [
        '--max_trials=2' if name == ADAPTIVE else '--num_searches=2',
        '--visible_gpus=-1',
        f'--out_dir={out}',
        '--force_out_dir',
    ]
    done = hpsearch(*options(name), *limits, cwd=tmp_path)
    assert done.returncode == 0, done.stdout + done.stderr
    with (out / 'search_results.csv').open(newline='') as stream:
        rows = list(csv.DictReader(stream, delimiter=';'))
    assert [row['finished'] for row in rows] == ['1', '1']


@pytest.mark.parametrize('name', RUNS)
def test_that_a_template_plans_as_many_runs_as_its_grid_means(name: str, tmp_path: Path) -> None:
    done = hpsearch('plan', '--commands', *options(name), cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert len(set(done.stdout.splitlines())) == RUNS[name]


@pytest.mark.parametrize('name', ['full.py', ADAPTIVE])
def test_that_templates_have_no_warnings_in_their_plan(name: str, tmp_path: Path) -> None:
    done = hpsearch('plan', *options(name), cwd=tmp_path)
    assert done.returncode == 0
    assert 'warning' not in (done.stdout + done.stderr).lower()


def test_that_each_template_has_its_number_of_runs_or_chooses_them() -> None:
    assert {*RUNS, ADAPTIVE} == set(NAMES)


def test_that_the_full_template_names_every_attribute() -> None:
    text = (TEMPLATES / 'full.py').read_text()
    attributes = ['grid', 'conditions', 'constraints', '_SCRIPT_NAME', '_COMMAND', '_OUT_ARG', '_SUMMARY_FILENAME']
    attributes += ['_SUMMARY_KEYWORDS', '_SUMMARY_PARSER_HANDLE', '_PERFORMANCE_EVAL_HANDLE', '_PERFORMANCE_KEY']
    assert [name for name in [*attributes, '_PERFORMANCE_SORT_ASC'] if f'{name} = ' not in text] == []


def test_that_the_list_of_templates_says_which_of_them_are_profiles(tmp_path: Path) -> None:
    done = hpsearch('templates', cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    listed = dict(line.partition(' ')[::2] for line in done.stdout.splitlines())
    assert listed == {
        **dict.fromkeys([*NAMES, 'train_script.py'], ''),
        **dict.fromkeys(PROFILES, '(a profile, for --profile)'),
    }


@pytest.mark.parametrize('name', PROFILES)
def test_that_a_profile_among_the_templates_gives_the_options_it_names(name: str) -> None:
    options = parse_run([f'--profile={TEMPLATES / name}', '--num_jobs=3'])
    assert options.cluster.run_cluster is True
    assert name == f'site_{options.cluster.scheduler}.yaml'
    assert options.cluster.num_jobs == 3
    assert {type(word) for word in [*options.sbatch.slurm_extra, *options.bsub.lsf_extra]} == {str}
    assert options.cluster.job_prologue.startswith('#!/bin/bash -l\n')


@pytest.mark.parametrize('name', PROFILES)
def test_that_what_a_profile_among_the_templates_leaves_out_could_be_put_in(name: str, tmp_path: Path) -> None:
    text = (TEMPLATES / name).read_text()
    complete = tmp_path / 'complete.yaml'
    complete.write_text(re.sub(r'^# (?=[a-z_]+: )', '', text, flags=re.MULTILINE))
    assert len(parse_yaml(complete.read_text())) >= len(parse_yaml(text)) + 2
    read_profile(complete, profile_options())


@pytest.mark.parametrize('name', PROFILES)
def test_that_the_prologue_of_a_profile_unpacks_the_data_or_ends_the_job(name: str, tmp_path: Path) -> None:
    prologue = read_profile(TEMPLATES / name, profile_options())['job_prologue']
    script = f'module() {{ :; }}\n{prologue}\nls "$DATA_DIR"\n'
    (tmp_path / 'node').mkdir()
    folder = tmp_path / 'data' / 'cifar10'
    folder.mkdir(parents=True)
    (folder / 'images').touch()
    node = {'SLURM_TMPDIR': str(tmp_path / 'node'), 'TMPDIR': str(tmp_path / 'node'), 'HOME': str(tmp_path)}

    def run() -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            ['bash', '-c', script], env={**os.environ, **node}, capture_output=True, text=True, timeout=60, check=False
        )

    assert (run().returncode, run().stdout) == (1, '')
    subprocess.run(['tar', '-cf', f'{folder}.tar', '-C', tmp_path / 'data', 'cifar10'], check=True)
    assert (run().returncode, run().stdout) == (0, 'images\n')
