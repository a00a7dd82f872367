"""Training scripts that others wrote are searched from the command line, without touching them."""

from __future__ import annotations

import csv
import os
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.e2e

PYTHON = os.environ.get('HPSEARCH_PYTHON_WITH_TORCH', sys.executable)


def test_that_the_mnist_example_of_pytorch_is_searched_as_it_is(tmp_path: Path) -> None:
    examples = os.environ.get('HPSEARCH_PYTORCH_EXAMPLES')
    if not examples:
        pytest.skip('HPSEARCH_PYTORCH_EXAMPLES is to be a clone of github.com/pytorch/examples with the data of MNIST')
    words = ['--search=random', '--max_trials=2', '--cpu_jobs=1', f'--out_dir={tmp_path}', '--direction=maximize']
    words += ['--objective=stdout:Accuracy: ([0-9]+)/', '--', PYTHON, 'main.py', '--epochs', '1']
    words += ['--lr~loguniform(0.01, 0.1)', '--batch-size~[16,64]']
    done = subprocess.run(
        [sys.executable, '-m', 'hpsearch', 'run', *words],
        cwd=Path(examples, 'mnist'),
        capture_output=True,
        text=True,
        timeout=1800,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    (table,) = tmp_path.glob('*/search_results.csv')
    with open(table, newline='', encoding='utf-8') as file:
        rows = list(csv.DictReader(file, delimiter=';' if ';' in table.read_text() else ','))
    assert len(rows) == 2 and all(int(row['Accuracy']) > 0 and 0.01 <= float(row['lr']) <= 0.1 for row in rows)
