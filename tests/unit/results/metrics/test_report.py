"""The function with which a script reports metrics."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

import hpsearch
from hpsearch.results.metrics import report as module
from tests.support.paths import REPOSITORY


@pytest.fixture
def metrics(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    path = tmp_path / 'metrics.jsonl'
    monkeypatch.setenv('HPSEARCH_METRICS', str(path))
    return path


def lines(path: Path) -> list[Any]:
    return [json.loads(line) for line in path.read_text().splitlines()]


class Tensor:
    """Something with one number in it, as libraries have it."""

    def __float__(self) -> float:
        return 0.25


def test_that_metrics_become_a_line_of_json_each_time(metrics: Path) -> None:
    hpsearch.report(1, acc=0.5, loss=2)
    hpsearch.report(2.5, **{'val/acc': Tensor()})
    assert lines(metrics) == [{'step': 1, 'acc': 0.5, 'loss': 2}, {'step': 2.5, 'val/acc': 0.25}]


def test_that_numbers_that_are_not_finite_are_reported_in_strict_json(metrics: Path) -> None:
    hpsearch.report(1, a=float('nan'), b=float('inf'), c=-float('inf'))
    assert lines(metrics) == [{'step': 1, 'a': 'nan', 'b': 'inf', 'c': '-inf'}]


@pytest.mark.parametrize('value', [None, [1, 2], 10**400])
def test_that_what_is_no_number_is_named(metrics: Path, value: Any) -> None:
    with pytest.raises(TypeError, match=r'^acc is a \w+, not a number$'):
        hpsearch.report(1, acc=value)
    assert not metrics.exists()


def test_that_scalars_of_numpy_are_numbers(metrics: Path) -> None:
    numpy = pytest.importorskip('numpy')
    hpsearch.report(numpy.int64(3), a=numpy.float32(0.5), b=numpy.array(0.25), c=numpy.array([2]))
    assert lines(metrics) == [{'step': 3, 'a': 0.5, 'b': 0.25, 'c': 2}]


def test_that_nothing_happens_outside_a_search(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv('HPSEARCH_METRICS', raising=False)
    monkeypatch.chdir(tmp_path)
    hpsearch.report(1, acc=None)
    assert not list(tmp_path.iterdir())


def test_that_a_training_goes_on_when_its_metrics_cannot_be_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv('HPSEARCH_METRICS', f'{tmp_path}/nowhere/metrics.jsonl')
    with pytest.warns(UserWarning, match='No such file or directory'):
        hpsearch.report(1, acc=0.5)


def test_that_reporting_imports_nothing_else_of_hpsearch() -> None:
    code = "import sys, hpsearch; hpsearch.report; print(*(name for name in sys.modules if name[:8] == 'hpsearch'))"
    done = subprocess.run([sys.executable, '-c', code], cwd=REPOSITORY, capture_output=True, text=True, check=True)
    parents = {'hpsearch', 'hpsearch.results', 'hpsearch.results.metrics'}
    assert set(done.stdout.split()) == {*parents, 'hpsearch.results.metrics.report'}


def test_that_the_function_works_where_its_file_was_copied(tmp_path: Path, metrics: Path) -> None:
    (tmp_path / 'reporting.py').write_bytes(Path(module.__file__).read_bytes())
    code = 'import sys; sys.path.insert(0, "."); from reporting import report; report(1, acc=0.5)'
    subprocess.run([sys.executable, '-I', '-c', code], cwd=tmp_path, check=True)
    assert lines(metrics) == [{'step': 1, 'acc': 0.5}]
