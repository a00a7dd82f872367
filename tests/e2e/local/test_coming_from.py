"""The pages that show a small task, docs/coming_from.rst and others: their files and commands do what they say."""

from __future__ import annotations

import csv
import re
import shlex
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

from tests.support.paths import REPOSITORY

pytestmark = pytest.mark.e2e

PAGES = ('coming_from', 'without_configuration')

SCRIPT = """
import json, os, re, sys

words = ' '.join(sys.argv[1:])
file = re.search(r"--config[= ](\\S+[.]json)", words)
if file:
    words = ' '.join(f"{name}={value}" for name, value in json.load(open(file[1])).items())
given = {name: float(re.search(name + r"[= ](\\S+)", words)[1]) for name in ("lr", "batch_size")}
accuracy = given["lr"] + given["batch_size"]
print(f"accuracy={accuracy}")
if "WANDB_DIR" in os.environ:
    folder = os.path.join(os.environ["WANDB_DIR"], "wandb", "offline-run-1")
    os.makedirs(folder)
    data = str(accuracy).encode()
    item = b"\\x0a\\x08accuracy\\x82\\x01" + bytes([len(data)]) + data
    record = b"\\x1a" + bytes([len(item) + 2]) + b"\\x0a" + bytes([len(item)]) + item
    with open(os.path.join(folder, "run-1.wandb"), "wb") as file:
        file.write(b":W&B\\xe1\\xbe\\x00" + bytes(4) + bytes([len(record), 0, 1]) + record)
if os.environ.get("ORION_RESULTS_PATH"):
    with open(os.environ["ORION_RESULTS_PATH"], "w") as file:
        json.dump([{"name": "objective", "type": "objective", "value": -accuracy}], file)
"""
"""A script of anybody: it takes its options in any style, and leaves its accuracy wherever the page looks for it."""


def sections() -> dict[str, str]:
    """Return the sections of the pages by their titles."""
    found: dict[str, str] = {}
    for page in PAGES:
        text = (REPOSITORY / 'docs' / f'{page}.rst').read_text(encoding='utf-8')
        parts = re.split(r'^(.+)\n-{4,}\n', text, flags=re.MULTILINE)[1:]
        found |= zip(parts[::2], parts[1::2], strict=True)
    return found


def files(text: str) -> dict[str, str]:
    """Return the files that a section shows."""
    blocks = re.findall(r'code-block:: \w+\n +:caption: (\S+)\n\n((?:(?:    .*)?\n)+)', text)
    return {name: textwrap.dedent(content) for name, content in blocks}


def told_commands(text: str) -> list[str]:
    """Return the commands of a section."""
    return re.findall(r'^    \$ hpsearch (.*)$', text, re.MULTILINE)


CASES = [(title, command) for title, text in sections().items() for command in told_commands(text)]


@pytest.mark.parametrize(('title', 'command'), CASES, ids=[f'{title}: {command}' for title, command in CASES])
def test_that_the_page_does_its_task(title: str, command: str, tmp_path: Path) -> None:
    for name, text in files(sections()[title]).items():
        (tmp_path / name).write_text(text, encoding='utf-8')
    (tmp_path / 'train.py').write_text(SCRIPT, encoding='utf-8')
    words = [sys.executable, '-m', 'hpsearch', *shlex.split(command)]
    done = subprocess.run(words, cwd=tmp_path, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    if words[3] == 'plan':
        is_adaptive = 'Runs are chosen while the search goes, by tpe: 8 trials at most' in done.stdout
        assert is_adaptive or re.search(r'Combinations of the grid: 4; runs: 4\b', done.stdout)
        return
    if '--dont_start' in words:
        assert list(tmp_path.glob('out/hyperparam_search/*/runs.jsonl'))
        return
    (table,) = tmp_path.glob('out/hyperparam_search/*/search_results.csv')
    with open(table, newline='', encoding='utf-8') as file:
        rows = list(csv.DictReader(file, delimiter=';' if ';' in table.read_text() else ','))
    best = rows[0]
    if limit := re.search(r'--max[_-]trials[= ](\d+)', command):
        reached = [float(row['lr']) + float(row['batch_size']) for row in rows]
        assert len(rows) == int(limit[1]) and reached[0] == max(reached)
        return
    assert (float(best['lr']), int(best['batch_size'])) == (0.1, 64), done.stdout


def test_that_each_program_has_a_section_with_commands() -> None:
    programs = {'W&B sweeps', 'SEML', 'Oríon', 'GNU parallel', 'Hydra multirun', 'Ray Tune', 'Optuna'}
    assert programs | {"A cluster's handbook"} < {title for title, _ in CASES}
