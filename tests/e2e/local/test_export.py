"""``hpsearch export``: each kind of export is opened by the program it is for."""

from __future__ import annotations

import csv
import io
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from hpsearch.results.wandb import summary_of
from tests.support.cli_harness import Project

pytestmark = pytest.mark.e2e


@pytest.fixture(scope='module')
def project(tmp_path_factory: pytest.TempPathFactory) -> Project:
    """A search of which three runs have finished and one has failed."""
    project = Project(tmp_path_factory.mktemp('export') / 'project')
    project.env['MLFLOW_DISABLE_TELEMETRY'] = project.env['DO_NOT_TRACK'] = 'true'
    (project.path / 'my_config.py').write_text(
        "grid = [{'lr': [0.1, 0.25], 'mode': ['good']}, {'lr': [0.5], 'mode': ['good', 'crash'], 'flag': [True]}]\n"
        "_SCRIPT_NAME = 'train.py'\n"
        "_SUMMARY_FILENAME = 'performance_overview.txt'\n"
        "_SUMMARY_KEYWORDS = ['acc', 'scores', 'finished']\n"
    )
    done = project.search('--deterministic_search', '--cpu_jobs=2')
    assert done.returncode == 1, done.stderr
    return project


def exported(project: Project, tool: str, name: str, *words: str) -> Path:
    """Export the search, which must succeed."""
    done = project.run('export', tool, 'out', f'--to={name}', *words)
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith(f'4 runs are in {name}\n')
    return project.path / name


@pytest.mark.parametrize('name', ['study.log', 'study.db'])
def test_that_optuna_opens_the_study(project: Project, name: str) -> None:
    optuna = pytest.importorskip('optuna')
    path = exported(project, 'optuna', name)
    backend: Any = f'sqlite:///{path}'
    if name.endswith('.log'):
        backend = optuna.storages.JournalStorage(optuna.storages.journal.JournalFileBackend(str(path)))
    study = optuna.load_study(study_name='out', storage=backend)
    assert study.direction.name == 'MAXIMIZE' and study.metric_names == ['acc']
    assert study.best_value == pytest.approx(0.9) and study.best_params == {'lr': 0.1, 'mode': 'good'}
    assert [trial.state.name for trial in study.trials] == ['COMPLETE', 'COMPLETE', 'COMPLETE', 'FAIL']
    assert study.trials[3].user_attrs['reason'].endswith('RuntimeError: the loss is nan')
    assert all(trial.datetime_start <= trial.datetime_complete for trial in study.trials)


def test_that_the_dashboard_of_optuna_shows_the_study(project: Project) -> None:
    dashboard = pytest.importorskip('optuna_dashboard')
    optuna = pytest.importorskip('optuna')
    path = exported(project, 'optuna', 'shown.log')
    storage = optuna.storages.JournalStorage(optuna.storages.journal.JournalFileBackend(str(path)))
    app = dashboard.wsgi(storage)
    answers: list[str] = []
    environ = {
        'REQUEST_METHOD': 'GET', 'PATH_INFO': '/api/studies/0', 'QUERY_STRING': 'after=0', 'SERVER_NAME': 'x',
        'SERVER_PORT': '80', 'wsgi.url_scheme': 'http', 'wsgi.input': io.BytesIO(), 'CONTENT_LENGTH': '0',
        'wsgi.errors': sys.stderr,
    }  # fmt: skip
    body = b''.join(app(environ, lambda status, headers, error=None: answers.append(status)))
    assert answers == ['200 OK']
    assert b'"value": 0.1' in body or b'0.1' in body


def test_that_tensorboard_shows_hyperparameters_and_results(project: Project) -> None:
    pytest.importorskip('tensorboard')
    from tensorboard.backend.event_processing.plugin_event_multiplexer import EventMultiplexer

    path = exported(project, 'tensorboard', 'logs')
    events = EventMultiplexer().AddRunsFromDirectory(str(path)).Reload()
    runs = [row['hpsearch_run'] for row in project.rows()]
    found = events.Runs()
    assert set(runs) <= set(found)
    best = next(row['hpsearch_run'] for row in project.rows() if row['acc'] == '0.9')
    assert [each.tensor_proto.float_val[0] for each in events.Tensors(best, 'acc')] == pytest.approx([0.9])
    tags = events.GetAccumulator(best).PluginTagToContent('hparams')
    assert set(tags) == {'_hparams_/session_start_info', '_hparams_/session_end_info'}


def test_that_mlflow_opens_the_store(project: Project) -> None:
    pytest.importorskip('mlflow')
    path = exported(project, 'mlflow', 'runs.db')
    assert 'INFO' not in project.run('export', 'mlflow', 'out', '--to=quiet.db').stderr
    code = (
        'import mlflow, sys\n'
        f'mlflow.set_tracking_uri("sqlite:///{path}")\n'
        'found = mlflow.search_runs(experiment_names=["out"], order_by=["metrics.acc DESC"])\n'
        'print(list(found["status"]), found["metrics.acc"][0], found["params.lr"][0])\n'
    )
    done = subprocess.run([sys.executable, '-c', code], capture_output=True, text=True, env=project.env, check=True)
    assert done.stdout == "['FINISHED', 'FINISHED', 'FINISHED', 'FAILED'] 0.9 0.1\n"


def test_that_wandb_finds_offline_runs(project: Project) -> None:
    pytest.importorskip('wandb')
    path = exported(project, 'wandb', 'offline')
    files = sorted((path / 'wandb').glob('offline-run-*/run-*.wandb'))
    env = {**project.env, 'WANDB_BASE_URL': 'http://127.0.0.1:9'}
    words = [sys.executable, '-m', 'wandb', 'sync', '--dry-run', *(str(file.parent) for file in files)]
    done = subprocess.run(words, capture_output=True, text=True, env=env, check=True)
    assert 'Would sync 4 run(s)' in done.stdout + done.stderr
    summaries = {file.stem.removeprefix('run-'): summary_of(file.read_bytes()) for file in files}
    assert {name: str(found.get('acc', '')) for name, found in summaries.items()} == {
        row['hpsearch_run']: row['acc'] for row in project.rows()
    }


def test_that_the_table_can_be_read_by_anything(project: Project) -> None:
    path = exported(project, 'csv', 'runs.csv')
    with path.open(newline='') as file:
        rows = list(csv.DictReader(file))
    assert [row['state'] for row in rows] == ['finished', 'finished', 'finished', 'failed']
    assert (rows[0]['param.lr'], rows[0]['result.acc'], rows[0]['result.scores']) == ('0.1', '0.9', '0.2')
    assert rows[2]['param.flag'] == 'True' and rows[0]['param.flag'] == ''


REPORTING = """\
import argparse, sys
parser = argparse.ArgumentParser()
parser.add_argument('--lr', type=float)
parser.add_argument('--layers', type=int)
parser.add_argument('--act')
args = parser.parse_args()
for epoch in range(1, 5):
    print(f'epoch {epoch} val_acc={1 - args.lr / epoch:.4f}', flush=True)
"""


@pytest.fixture(scope='module')
def sampled(tmp_path_factory: pytest.TempPathFactory) -> Project:
    """An adaptive search whose runs report while they go."""
    project = Project(tmp_path_factory.mktemp('sampled') / 'project')
    (project.path / 'train.py').write_text(REPORTING)
    (project.path / 'my_config.py').write_text(
        'from hpsearch import loguniform, randint\n'
        "grid = {'lr': loguniform(1e-3, 1.0), 'layers': randint(1, 8), 'act': ['relu', 'tanh']}\n"
        "_SCRIPT_NAME = 'train.py'\n"
        '_OUT_ARG = None\n'
        "_RESULT = _METRICS = r'stdout:epoch (?P<step>\\d+) val_acc=(?P<val_acc>[0-9.]+)'\n"
        "_PERFORMANCE_KEY = 'val_acc'\n"
    )
    done = project.search('--search=random', '--max_trials=4', '--cpu_jobs=2')
    assert done.returncode == 0, done.stderr
    return project


def test_that_distributions_and_intermediate_values_are_in_the_study(sampled: Project) -> None:
    optuna = pytest.importorskip('optuna')
    path = exported(sampled, 'optuna', 'study.db')
    study = optuna.load_study(study_name='out', storage=f'sqlite:///{path}')
    trial = study.trials[0]
    assert trial.distributions == {
        'lr': optuna.distributions.FloatDistribution(1e-3, 1.0, log=True),
        'layers': optuna.distributions.IntDistribution(1, 8),
        'act': optuna.distributions.CategoricalDistribution(('relu', 'tanh')),
    }
    assert sorted(trial.intermediate_values) == [1, 2, 3, 4]
    assert trial.value == trial.intermediate_values[4] == pytest.approx(1 - trial.params['lr'] / 4, abs=1e-4)


def test_that_options_that_conditions_add_are_in_the_study_and_optuna_says_nothing(tmp_path: Path) -> None:
    optuna = pytest.importorskip('optuna')
    project = Project(tmp_path / 'project')
    (project.path / 'train.py').write_text(REPORTING)
    (project.path / 'my_config.py').write_text(
        'from hpsearch import uniform\n'
        "grid = {'lr': uniform(0.1, 0.95, step=0.1), 'act': ['relu', 'tanh']}\n"
        "conditions = [({'act': ['relu']}, {'layers': [1, 2]})]\n"
        "_SCRIPT_NAME, _OUT_ARG = 'train.py', None\n"
        "_RESULT = 'stdout:val_acc=(?P<val_acc>[0-9.]+)'\n"
        "_PERFORMANCE_KEY = 'val_acc'\n"
    )
    assert project.search('--search=random', '--max_trials=4', '--cpu_jobs=2').returncode == 0
    done = project.run('export', 'optuna', 'out', '--to=study.db')
    assert done.returncode == 0 and done.stderr == ''
    trials = optuna.load_study(study_name='out', storage=f'sqlite:///{project.path}/study.db').trials
    assert {trial.params['act'] for trial in trials} == {'relu', 'tanh'}
    assert all(('layers' in trial.params) == (trial.params['act'] == 'relu') for trial in trials)


def test_that_curves_are_in_every_export(sampled: Project) -> None:
    with exported(sampled, 'csv', 'runs.csv').with_name('runs_metrics.csv').open(newline='') as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == 16 and {row['step'] for row in rows} == {'1', '2', '3', '4'}
    pytest.importorskip('tensorboard')
    from tensorboard.backend.event_processing.plugin_event_multiplexer import EventMultiplexer

    events = EventMultiplexer().AddRunsFromDirectory(str(exported(sampled, 'tensorboard', 'logs'))).Reload()
    assert [each.step for each in events.Tensors(rows[0]['run'], 'val_acc')] == [1, 2, 3, 4]


def test_that_an_export_overwrites_nothing(project: Project) -> None:
    kept = project.path / 'kept.csv'
    kept.write_text('mine')
    done = project.run('export', 'csv', 'out', '--to=kept.csv')
    assert done.returncode == 2 and kept.read_text() == 'mine'
    assert 'kept.csv exists already: remove it, or name another one with --to.' in done.stderr


def test_that_a_place_that_cannot_be_written_is_named_with_the_way_to_another_one(project: Project) -> None:
    done = project.run('export', 'csv', 'out', f'--to={"a" * 300}.csv')
    assert done.returncode == 2 and done.stderr.endswith('name too long. Name another place with --to.\n')


def test_that_a_missing_library_is_named_with_the_extra_that_has_it(project: Project, tmp_path: Path) -> None:
    (tmp_path / 'sitecustomize.py').write_text(
        'import importlib.util as util\n'
        'found = util.find_spec\n'
        "util.find_spec = lambda name, *more: None if name == 'optuna' else found(name, *more)\n"
    )
    env = {**project.env, 'PYTHONPATH': f'{tmp_path}{os.pathsep}{project.env["PYTHONPATH"]}'}
    words = project.command('export', 'optuna', 'out', '--to=missing.log')
    done = subprocess.run(words, cwd=project.path, env=env, capture_output=True, text=True, check=False)
    assert done.returncode == 2
    assert done.stderr.endswith('the package optuna is not installed: pip install "hpsearch[search]".\n')


def test_that_a_mistyped_program_is_answered_with_those_there_are(project: Project) -> None:
    done = project.run('export', 'optunaa', 'out')
    assert done.returncode == 2 and "'optuna', 'tensorboard', 'wandb', 'mlflow', 'csv'" in done.stderr
