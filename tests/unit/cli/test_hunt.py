"""``hpsearch hunt``: its command line, and the options by which so many workers run."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from hpsearch.cli.adaptive.hunt import parse_hunt
from hpsearch.cli.adaptive.suggested import of_workers
from hpsearch.model.errors import ConfigError


@pytest.fixture(autouse=True)
def elsewhere(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    monkeypatch.chdir(tmp_path)
    for name in ('SLURM_JOB_ID', 'SLURMD_NODENAME', 'LSB_JOBID'):
        monkeypatch.delenv(name, raising=False)
    return tmp_path


@pytest.mark.parametrize(
    'words',
    [
        ['-n', 'a', 'python', 'x.py', '-n', '3'],
        ['--name=a', '--', 'python', 'x.py', '-n', '3'],
        ['-na', '--quiet', 'python', 'x.py', '-n', '3'],
        ['-n', 'a', '-u', 'me', '--heartbeat=3', 'python', 'x.py', '-n', '3'],
    ],
)
def test_that_the_command_begins_where_the_options_end(words: list[str]) -> None:
    command = parse_hunt(words)
    assert (command.name, command.command) == ('a', ('python', 'x.py', '-n', '3'))


def test_that_options_of_both_programs_are_understood() -> None:
    words = ['-n', 'a', '--exp-max-trials=5', '--max-broken', '2', '--n-workers=3', '--user', 'me', '--search=tpe', 'x']
    command = parse_hunt(words)
    given = {'max_trials': 5, 'max_broken': 2, 'n_workers': 3, 'search': 'tpe', 'run_cwd': str(Path.cwd())}
    assert (command.given, command.unused) == (given, ['user'])


@pytest.mark.parametrize(
    ('words', 'folder'),
    [
        ([], 'out/hyperparam_search/of_file'),
        (['-n', 'a'], 'out/hyperparam_search/a'),
        (['--working-dir=w'], 'w/of_file'),
        (['--out_dir=/o', '--working-dir=w'], '/o/of_file'),
        (['--run_cwd=sub', '-n', 'a'], 'sub/out/hyperparam_search/a'),
    ],
)
def test_that_the_name_is_that_of_the_folder(elsewhere: Path, words: list[str], folder: str) -> None:
    (elsewhere / 'c.yaml').write_text('name: of_file\nmax_trials: 7\n')
    command = parse_hunt(['-c', 'c.yaml', *words, 'x'])
    assert (command.folder, command.given['max_trials']) == (elsewhere / folder, 7)


def test_that_the_folder_may_be_that_of_the_configuration(elsewhere: Path) -> None:
    (elsewhere / 'c.yaml').write_text('experiment: {name: a, working_dir: runs}\n')
    assert parse_hunt(['-c', 'c.yaml', 'x']).folder == elsewhere / 'runs' / 'a'


@pytest.mark.parametrize('content', ['grid: {a: [1]}\n', '- 1\n', 'experiment: 3\n', 'nothing: 1\n'])
def test_that_a_file_of_another_kind_is_refused(elsewhere: Path, content: str) -> None:
    (elsewhere / 'c.yaml').write_text(content)
    with pytest.raises(ConfigError, match=r'c\.yaml is no configuration of Oríon'):
        parse_hunt(['-n', 'a', '-c', 'c.yaml', 'x'])


@pytest.mark.parametrize(
    ('values', 'gpus', 'option'),
    [
        ({}, 0, {'cpu_jobs': 5}),
        ({}, 1, {'max_num_jobs_per_gpu': 5}),
        ({}, 2, {'max_num_jobs_per_gpu': 3}),
        ({}, 8, {'max_num_jobs_per_gpu': 1}),
        ({'visible_gpus': '-1'}, 8, {'cpu_jobs': 5}),
        ({'run_cluster': True}, 8, {'num_jobs': 5}),
        ({'cpu_jobs': 2}, 8, {}),
        ({'runs_per_job': 2}, 8, {}),
    ],
)
def test_that_workers_are_runs_at_a_time(values: dict[str, Any], gpus: int, option: dict[str, int]) -> None:
    assert of_workers(5, values, lambda: gpus) == option


def test_that_workers_in_a_job_share_what_is_allocated(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv('SLURM_JOB_ID', '7')
    monkeypatch.setenv('SLURMD_NODENAME', 'n1')
    assert of_workers(5, {}, lambda: 8) == {'runs_per_job': 5}
