"""The examples, run as a user runs them."""

from __future__ import annotations

import ast
import gzip
import importlib.util
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.support.paths import REPOSITORY

ROOT = REPOSITORY
DIGITS = ROOT / 'examples' / 'digits'
MNIST = ROOT / 'examples' / 'mnist_torch'
FAST = ['--epochs=8', '--lr=0.01', '--random_seed=1']


def run_script(script: Path, *options: str, **keywords: Any) -> subprocess.CompletedProcess[str]:
    """Run a Python script with a closed stdin, as hpsearch would."""
    command = [sys.executable, str(script), *options]
    return subprocess.run(
        command, capture_output=True, text=True, stdin=subprocess.DEVNULL, timeout=120, check=False, **keywords
    )


def read_summary(folder: Path) -> dict[str, str]:
    """Return keyword -> text of a summary file."""
    lines = (folder / 'performance_overview.txt').read_text().splitlines()
    return dict(line.split(' ', 1) for line in lines)


def load_grid_module(path: Path) -> Any:
    """Import a grid module from its path."""
    spec = importlib.util.spec_from_file_location(f'{path.parent.name}_config', path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def options_of(script: Path) -> set[str]:
    """Return the options a script declares."""
    calls = [node for node in ast.walk(ast.parse(script.read_text())) if isinstance(node, ast.Call)]
    return {
        str(call.args[0].value).removeprefix('--')
        for call in calls
        if isinstance(call.func, ast.Attribute)
        and call.func.attr == 'add_argument'
        and isinstance(call.args[0], ast.Constant)
    }


def test_that_the_digits_are_1797_images_of_64_pixels() -> None:
    with gzip.open(DIGITS / 'digits.csv.gz', 'rt') as stream:
        rows = [[int(word) for word in line.split(',')] for line in stream]
    assert len(rows) == 1797
    assert all(len(row) == 65 and min(row) >= 0 and max(row) <= 16 for row in rows)
    assert {row[-1] for row in rows} == set(range(10))


def test_that_training_on_the_digits_learns_them(tmp_path: Path) -> None:
    done = run_script(DIGITS / 'train.py', f'--out_dir={tmp_path / "run"}', *FAST)
    assert done.returncode == 0, done.stderr
    summary = read_summary(tmp_path / 'run')
    assert 90 < float(summary['acc_test']) <= 100
    assert summary['finished'] == '1'


@pytest.mark.parametrize('hidden', ['', '12,8'])
@pytest.mark.parametrize('activation', ['relu', 'tanh'])
def test_that_the_gradients_of_the_digits_example_are_right(hidden: str, activation: str) -> None:
    numpy = pytest.importorskip('numpy')
    train = load_train_module()
    rng = numpy.random.default_rng(0)
    network = train.make_network([64, *(int(size) for size in hidden.split(',') if size), 10], rng)
    images, labels = rng.random((7, 64)), rng.integers(0, 10, 7)

    def loss() -> float:
        logits = train.forward(network, images, activation)[-1]
        return float(-train.log_softmax(logits)[numpy.arange(7), labels].mean())

    computed = train.gradients(network, train.forward(network, images, activation), labels, activation)[0][0][5, 2]
    network[0].weights[5, 2] += 1e-6
    above = loss()
    network[0].weights[5, 2] -= 2e-6
    assert computed == pytest.approx((above - loss()) / 2e-6, rel=1e-3, abs=1e-8)


def load_train_module() -> Any:
    """Import the digits example's script; its dataclasses need it in sys.modules."""
    spec = importlib.util.spec_from_file_location('digits_train', DIGITS / 'train.py')
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules['digits_train'] = module
    spec.loader.exec_module(module)
    return module


def test_that_the_same_seed_gives_the_same_result(tmp_path: Path) -> None:
    losses = []
    for name in ('first', 'second'):
        run_script(DIGITS / 'train.py', f'--out_dir={tmp_path / name}', '--epochs=2', '--random_seed=3')
        losses.append(read_summary(tmp_path / name)['loss_train'])
    assert losses[0] == losses[1]


def test_that_the_digits_example_does_not_touch_a_folder_that_exists(tmp_path: Path) -> None:
    (tmp_path / 'precious').write_text('results of last week')
    done = run_script(DIGITS / 'train.py', f'--out_dir={tmp_path}', *FAST)
    assert done.returncode != 0
    assert 'exists' in done.stdout + done.stderr
    assert (tmp_path / 'precious').exists()


@pytest.mark.parametrize('folder', [DIGITS, MNIST], ids=lambda folder: folder.name)
def test_that_the_grid_names_only_options_of_its_script(folder: Path) -> None:
    module = load_grid_module(folder / 'hpsearch_config.py')
    named = set(module.grid).union(*(then for _, then in module.conditions))
    assert named <= options_of(ROOT / module._SCRIPT_NAME)


@pytest.mark.parametrize('folder', [DIGITS, MNIST], ids=lambda folder: folder.name)
def test_that_the_script_writes_the_keywords_of_its_grid_module(folder: Path) -> None:
    source = (folder / 'train.py').read_text()
    keywords = load_grid_module(folder / 'hpsearch_config.py')._SUMMARY_KEYWORDS
    assert [word for word in keywords if f"'{word}'" not in source and f'{word} 1' not in source] == []


def test_that_the_torch_example_explains_itself_without_torch(tmp_path: Path) -> None:
    done = run_script(MNIST / 'train.py', '--help', env=without_torch(tmp_path))
    assert done.returncode == 0, done.stderr
    assert '--dataset' in done.stdout


def test_that_the_torch_example_says_what_it_needs(tmp_path: Path) -> None:
    done = run_script(MNIST / 'train.py', f'--out_dir={tmp_path / "run"}', env=without_torch(tmp_path))
    assert done.returncode == 1
    assert 'needs torch and torchvision' in done.stderr
    assert 'Traceback' not in done.stderr
    assert not (tmp_path / 'run').exists()


def without_torch(folder: Path) -> dict[str, str]:
    """Return an environment in which torch cannot be imported."""
    (folder / 'torch.py').write_text("raise ImportError('no torch here')\n")
    return {**os.environ, 'PYTHONPATH': str(folder)}


@pytest.mark.parametrize('model', ['cnn', 'resnet18'])
def test_that_the_torch_example_trains_on_fake_data(tmp_path: Path, model: str) -> None:
    pytest.importorskip('torch')
    pytest.importorskip('torchvision')
    options = ['--dataset=fake', '--fake_size=64', '--batch_size=16', '--epochs=1', '--max_batches=2']
    done = run_script(MNIST / 'train.py', f'--out_dir={tmp_path / "run"}', f'--model={model}', *options)
    assert done.returncode == 0, done.stderr
    assert 'random images' in done.stdout
    assert read_summary(tmp_path / 'run')['finished'] == '1'


@pytest.mark.parametrize('optimizer', [['--optimizer=adam'], ['--optimizer=sgd', '--momentum=0.9']])
def test_that_the_digits_go_on_from_a_checkpoint_with_other_values(tmp_path: Path, optimizer: list[str]) -> None:
    first = run_script(DIGITS / 'train.py', *optimizer, '--lr=0.01', '--epochs=2', f'--out_dir={tmp_path / "first"}')
    assert first.returncode == 0, first.stderr
    resume = f'--resume_from={tmp_path / "first" / "checkpoint.npz"}'
    options = [*optimizer, '--lr=0.003', '--epochs=6', resume, f'--out_dir={tmp_path / "second"}']
    second = run_script(DIGITS / 'train.py', *options)
    assert second.returncode == 0, second.stderr
    losses = [float(read_summary(tmp_path / name)['loss_train']) for name in ('first', 'second')]
    assert losses[1] < losses[0]


def test_that_the_example_of_a_population_is_trained_from_checkpoints(tmp_path: Path) -> None:
    config = load_grid_module(DIGITS / 'pbt_config.py')
    assert {*config.grid, config._CHECKPOINT_ARG} <= options_of(DIGITS / 'train.py')
    command = [sys.executable, '-m', 'hpsearch', 'run', str(DIGITS / 'pbt_config.py'), '--search=pbt', '--cpu_jobs=2']
    options = ['--search_options=population=2', '--set', 'epochs~fidelity(1, 2)', f'--out_dir={tmp_path / "out"}']
    path = f'{Path(sys.executable).parent}{os.pathsep}{os.environ["PATH"]}'
    done = subprocess.run(
        [*command, *options], cwd=ROOT, env={**os.environ, 'PATH': path}, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    assert '4 finished of 4 runs' in done.stdout and 'pbt_schedules.csv' in done.stdout
