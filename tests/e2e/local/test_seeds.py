"""``hpsearch seeds`` as a user does it: a real search, and its best runs with other seeds."""

from __future__ import annotations

import signal
import subprocess
import time
from pathlib import Path

import pytest

from tests.support.cli_harness import Project

SCRIPT = """\
import argparse, os, random, sys, time
parser = argparse.ArgumentParser()
parser.add_argument('--out_dir')
parser.add_argument('--lr', type=float)
parser.add_argument('--random_seed', type=int)
args = parser.parse_args()
with open('ran.txt', 'a') as ran:
    ran.write(f'{args.lr} {args.random_seed}\\n')
while args.random_seed == 3 and os.path.exists('closed'):
    time.sleep(0.01)
if args.random_seed == 2 and not os.path.exists('mended'):
    sys.exit('seed 2 is broken')
os.makedirs(args.out_dir)
acc = 0.9 - args.lr + random.Random(args.random_seed).gauss(0, 0.01)
with open(os.path.join(args.out_dir, 'performance_overview.txt'), 'w') as file:
    file.write(f'acc {acc:.4f}\\nscores 1 2\\nfinished 1\\n')
"""

PATIENCE = 60.0
"""Seconds after which what is waited for will not happen."""


@pytest.fixture
def project(tmp_path: Path) -> Project:
    """A project whose search has finished: three learning rates with the seed 42."""
    made = Project(tmp_path / 'project')
    (made.path / 'train.py').write_text(SCRIPT)
    made.configure({'lr': [0.1, 0.2, 0.3], 'random_seed': [42]})
    assert made.search('--cpu_jobs=3', '--quiet').returncode == 0
    (made.path / 'ran.txt').unlink()
    return made


def ran(project: Project) -> list[str]:
    """Learning rate and seed of each run since the search, in order; nothing is in it twice unless it ran twice."""
    path = project.path / 'ran.txt'
    return sorted(path.read_text().splitlines()) if path.exists() else []


def test_that_only_the_seeds_that_are_missing_are_run_and_failed_ones_on_request(project: Project) -> None:
    words = ('seeds', 'out', '--best=2', '--cpu_jobs=3', '--fail_fast=0', '--start_gathering')
    done = project.run(*words, '--num_seeds=3')
    assert done.returncode == 1, done.stderr
    assert ran(project) == ['0.1 1', '0.1 2', '0.2 1', '0.2 2']
    assert 'not finished: 1 failed' in done.stdout

    done = project.run(*words, '--num_seeds=4')
    assert done.returncode == 1
    assert ran(project) == ['0.1 1', '0.1 2', '0.1 3', '0.2 1', '0.2 2', '0.2 3']

    (project.path / 'mended').touch()
    done = project.run(*words, '--num_seeds=4', '--retry_failed')
    assert done.returncode == 0, done.stderr
    assert ran(project).count('0.1 2') == ran(project).count('0.2 2') == 2
    assert len(ran(project)) == 8
    text = (project.path / 'out_seeds' / 'seeds_summary_text.txt').read_text()
    assert text in done.stdout
    assert '1. lr=0.1\n   seeds: 1, 2, 3, 42\n   chosen by its result with seed 42' in text
    assert 'pairs of equal seeds: 3' in text


def test_that_gathering_that_was_interrupted_goes_on(project: Project) -> None:
    words = ('seeds', 'out', '--seeds_list=1,3,4', '--cpu_jobs=1', '--start_gathering')
    gate = project.path / 'closed'
    gate.touch()
    command, null = project.command(*words), subprocess.DEVNULL
    with subprocess.Popen(command, cwd=project.path, env=project.env, stdout=null, stderr=null) as process:
        limit = time.monotonic() + PATIENCE
        while '0.1 3' not in ran(project) and time.monotonic() < limit:
            time.sleep(0.01)
        process.send_signal(signal.SIGINT)
        process.wait(timeout=PATIENCE)
    assert process.returncode == 130
    gate.unlink()
    done = project.run(*words)
    assert done.returncode == 0, done.stderr
    assert ran(project) == ['0.1 1', '0.1 3', '0.1 3', '0.1 4']
    assert '3 finished of 3 runs' in done.stdout + done.stderr
