"""What the pictures show: real searches, on stand-ins for the GPUs of a machine."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from docs.pictures.svg import Frame, picture
from docs.pictures.terminal import Terminal, terminal
from hpsearch.host.processes import user_name
from tests.fakes.nvml.box import FakeBox
from tests.support.paths import REPOSITORY

COLUMNS, ROWS = 100, 28

SHOWN_FOLDER = '/home/ada/digits'
SHOWN_OWNER = 'ada@gpu-box'

SCRIPT = '''\
"""Train for some epochs: a curve whose height depends on the learning rate, the width and the dropout."""
import argparse, math, os, pathlib, sys, time

sys.path.append({here!r})
from training import Cards

parser = argparse.ArgumentParser()
parser.add_argument('--lr', type=float, default=0.01, help='learning rate')
parser.add_argument('--width', type=int, default=64, help='units of a layer')
parser.add_argument('--dropout', type=float, default=0.1, help='dropout rate')
args = parser.parse_args()

cards = Cards(pathlib.Path({state!r}))
gpus = cards.named(os.environ['CUDA_VISIBLE_DEVICES'])
cards.take(os.getpid(), 9000 + 60 * args.width, 85, gpus)
limit = 0.97 - 0.05 * (math.log10(args.lr) + 2) ** 2 - 0.4 / args.width - abs(args.dropout - 0.2) / 10
for epoch in range(1, 16):
    time.sleep(0.12)
    print(f'epoch {{epoch}} val_acc={{limit * (1 - math.exp(-epoch / 4)):.4f}}', flush=True)
cards.leave(os.getpid())
'''

COMMAND = (
    "hpsearch run --search=tpe --max_trials=24 --objective='stdout:val_acc=([0-9.]+)' --direction=maximize "
    "--sim_startup_time=1 -- python3 train.py --lr~'loguniform(1e-4, 1)' --width~'[32, 64, 128]' "
    "--dropout~'uniform(0, 0.5)'"
)


@contextmanager
def machine() -> Iterator[tuple[Terminal, Path]]:
    """A terminal, and its folder, on a machine with four GPUs, one of which somebody else uses."""
    # The name of this folder is as long as the one that is shown instead, so that lines are broken where they would be.
    with tempfile.TemporaryDirectory(prefix='hp_', dir='/tmp') as name:
        folder = Path(name)
        box = FakeBox(folder / '.gpus', [40960] * 4)
        for gpu in range(4):
            box.set(gpu, name='NVIDIA A100-SXM4-40GB')
        here = str(REPOSITORY / 'tests' / 'fakes' / 'nvml')
        (folder / 'train.py').write_text(SCRIPT.format(here=here, state=str(box.state)))
        path = f'{Path(sys.executable).parent}{os.pathsep}{os.environ["PATH"]}'
        env = {**box.env(), 'PATH': path, 'LOGNAME': 'ada', 'USER': 'ada'}
        with box.neighbour(2, 31000, 0.9), terminal(folder, COLUMNS, ROWS, env, {name: SHOWN_FOLDER}) as shown:
            yield shown, folder


def search() -> bytes:
    """A search from its command to its table, moving."""
    with machine() as (shown, _):
        shown.type(COMMAND)
        frames = list(shown.record(lambda text: 'Results: ' in text))
    return picture(frames, COLUMNS, 'hpsearch run').encode()


def top() -> bytes:
    """The view of a search that runs."""
    with machine() as (shown, _):
        shown.type(f'clear; {COMMAND} > log 2>&1 & sleep 8; hpsearch top')
        lines = shown.wait_for(lambda text: 'finished' in text and 'clear;' not in text)
        shown.press('q')
    return picture([Frame(lines, 1.0)], COLUMNS, 'hpsearch top').encode()


def runs() -> bytes:
    """Runs of a search, by a condition, and what two of them differ in."""
    with machine() as (shown, _):
        searched(shown)
        shown.type("clear; hpsearch list --where 'lr<0.01 and width>32' --sort=-val_acc -n 6; hpsearch diff 1 2")
        lines = shown.wait_for(lambda text: text.rstrip().endswith('\n$'))[:-1]
    return picture([Frame(lines, 1.0)], COLUMNS, 'hpsearch list, hpsearch diff').encode()


def report() -> bytes:
    """The top of the page of a search."""
    with machine() as (shown, folder):
        searched(shown)
        shown.type('hpsearch report --output page.html; echo written')
        shown.wait_for(lambda text: 'written' in text.split('\n'))
        page, target = folder / 'page.html', folder / 'page.png'
        owner = f'{user_name(os.getuid())}@{socket.gethostname()}'
        page.write_text(page.read_text().replace(str(folder), SHOWN_FOLDER).replace(owner, SHOWN_OWNER))
        size = ('--window-size=1200,900', '--hide-scrollbars', f'--screenshot={target}')
        words = ['chromium', '--headless', '--no-sandbox', '--disable-gpu', *size, page.as_uri()]
        subprocess.run(words, check=True, capture_output=True, timeout=120)
        return target.read_bytes()


def searched(shown: Terminal) -> None:
    """Run the search to its end."""
    shown.type(f'clear; {COMMAND} > log 2>&1; echo ended')
    shown.wait_for(lambda text: 'ended' in text.split('\n'))


PICTURES: dict[str, Callable[[], bytes]] = {
    'search.svg': search,
    'top.svg': top,
    'runs.svg': runs,
    'report.png': report,
}
"""File name of a picture to what makes it."""
