"""Running the whole command as a user does, in a project folder with a training script."""

from __future__ import annotations

import csv
import json
import os
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from tests.support.paths import REPOSITORY

SCRIPT = """\
import argparse, os, signal, subprocess, sys, time
parser = argparse.ArgumentParser()
parser.add_argument('--out_dir')
parser.add_argument('--lr', type=float, default=0.1)
parser.add_argument('--mode', default='good')
parser.add_argument('--seconds', type=float, default=0)
parser.add_argument('--flag', action='store_true')
args = parser.parse_args()
if os.path.exists(args.out_dir):
    input('The folder exists. Delete it? ')
os.makedirs(args.out_dir)
with open('ran.txt', 'a') as ran:
    ran.write(f"{os.environ['HPSEARCH_RUN']} {os.environ['HPSEARCH_ATTEMPT']} "
              f"{os.environ.get('CUDA_VISIBLE_DEVICES', 'unset')}\\n")
print('training with', args.lr, flush=True)
time.sleep(args.seconds)
def summary(finished=1, lines=()):
    with open(os.path.join(args.out_dir, 'performance_overview.txt'), 'w') as file:
        file.write(f'acc {1 - args.lr}\\nscores {args.lr} {args.lr * 2}\\n')
        if finished is not None:
            file.write(f'finished {finished}\\n')
if args.mode == 'good':
    summary()
elif args.mode == 'crash':
    raise RuntimeError('the loss is nan')
elif args.mode == 'killed':
    os.kill(os.getpid(), signal.SIGKILL)
elif args.mode == 'silent':
    pass
elif args.mode == 'half':
    summary(None)
elif args.mode == 'unfinished':
    summary(0)
elif args.mode == 'late_crash':
    summary()
    sys.exit(3)
elif args.mode == 'orphan':
    summary()
    subprocess.Popen(['sleep', '600'])
elif args.mode == 'loud':
    for _ in range(100):
        sys.stdout.write('x' * 1_000_000)
    summary()
elif args.mode == 'oom':
    if os.environ['HPSEARCH_ATTEMPT'] == '1':
        sys.exit('torch.OutOfMemoryError: CUDA out of memory. Tried to allocate 2.00 GiB.')
    summary()
elif args.mode == 'always_oom':
    sys.exit('torch.OutOfMemoryError: CUDA out of memory. Tried to allocate 2.00 GiB.')
elif args.mode == 'oom_at_gate':
    while os.environ['HPSEARCH_ATTEMPT'] == '1' and not os.path.exists('gate'):
        time.sleep(0.01)
    if os.environ['HPSEARCH_ATTEMPT'] == '1':
        sys.exit('torch.OutOfMemoryError: CUDA out of memory. Tried to allocate 2.00 GiB.')
    summary()
elif args.mode == 'stubborn':
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    open('stubborn', 'w').close()
    time.sleep(600)
"""

CONFIG = """\
grid = {grid!r}
conditions = []
_SCRIPT_NAME = 'train.py'
_SUMMARY_FILENAME = 'performance_overview.txt'
_SUMMARY_KEYWORDS = ['acc', 'scores', 'finished']
{more}
"""


class Project:
    """A folder with a training script and a grid module.

    Args:
        path: Where it is made.

    Attributes:
        out_name: The name of the search folder, for a test that moves or copies it.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.out_name = 'out'
        self.path.mkdir(parents=True, exist_ok=True)
        (path / 'train.py').write_text(SCRIPT)
        self.env: dict[str, str] = {**os.environ, 'PYTHONPATH': str(REPOSITORY)}
        self.env['PATH'] = f'{Path(sys.executable).parent}{os.pathsep}{os.environ["PATH"]}'
        self.env.pop('CUDA_VISIBLE_DEVICES', None)

    def configure(self, grid: Mapping[str, list[Any]], more: str = '') -> None:
        """Write the grid module."""
        (self.path / 'my_config.py').write_text(CONFIG.format(grid=dict(grid), more=more))

    def command(self, *words: str) -> list[str]:
        """The words of a search in this project."""
        return [sys.executable, '-m', 'hpsearch', *words]

    def start(self, *words: str, **options: Any) -> subprocess.Popen[str]:
        """Start a search and go on."""
        options = {'stdout': subprocess.PIPE, 'stderr': subprocess.PIPE, 'text': True, **options}
        full = ['--grid_module=my_config', '--out_dir=out', '--force_out_dir', *words]
        return subprocess.Popen(self.command(*full), cwd=self.path, env=self.env, **options)

    def search(self, *words: str, **options: Any) -> subprocess.CompletedProcess[str]:
        """Run a search to its end."""
        with self.start(*words, **options) as process:
            try:
                out, err = process.communicate(timeout=120)
            except subprocess.TimeoutExpired:
                process.kill()
                raise
        return subprocess.CompletedProcess(process.args, process.returncode, out, err)

    def run(self, *words: str) -> subprocess.CompletedProcess[str]:
        """Run any other command of ours."""
        return subprocess.run(
            self.command(*words), cwd=self.path, env=self.env, capture_output=True, text=True, timeout=120, check=False
        )

    @property
    def out(self) -> Path:
        """The search folder."""
        return self.path / self.out_name

    def rows(self) -> list[dict[str, str]]:
        """The table of results."""
        with (self.out / 'search_results.csv').open(newline='') as file:
            csv.field_size_limit(2**24)
            return list(csv.DictReader(file, delimiter=';'))

    def states(self) -> dict[str, str]:
        """Value of --mode (or of --lr, where there is no mode) to the state of its run."""
        return {row.get('mode') or row['lr']: row['hpsearch_state'] for row in self.rows()}

    def ran(self) -> list[tuple[str, str, str]]:
        """What the scripts noted: run, attempt, CUDA_VISIBLE_DEVICES."""
        path = self.path / 'ran.txt'
        lines = path.read_text().splitlines() if path.exists() else []
        return [(run, attempt, devices) for run, attempt, devices in (line.split() for line in lines)]

    def events(self) -> list[dict[str, Any]]:
        """Every event of every journal."""
        journals = sorted((self.out / 'journal').glob('*.jsonl'))
        return [json.loads(line) for journal in journals for line in journal.read_text().splitlines()]
