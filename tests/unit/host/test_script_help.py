from __future__ import annotations

import sys
from pathlib import Path

from hpsearch.host.processes import start_ticks
from hpsearch.host.script_help import help_of
from tests.support.harness import until

SLOW = """
import os, subprocess, sys, time
worker = subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(600)'])
open('pids', 'w').write(f'{os.getpid()} {worker.pid}\\n')
print('usage: too late', flush=True)
time.sleep(600)
"""


def helped(folder: Path, code: str, patience: float = 30.0) -> str:
    """What a script prints for help."""
    (folder / 'train.py').write_text(code)
    return help_of((sys.executable, 'train.py'), str(folder), patience)


def test_that_a_script_is_asked_for_help_without_gpus(tmp_path: Path) -> None:
    code = 'import os, sys; print(sys.argv[1:], repr(os.environ["CUDA_VISIBLE_DEVICES"]), sys.stdin.read() == "")'
    assert helped(tmp_path, code) == "['--help'] '' True\n"


def test_that_help_counts_whatever_the_exit_status_is(tmp_path: Path) -> None:
    assert (
        helped(tmp_path, 'import sys; print("--lr: rate"); print("noise", file=sys.stderr); sys.exit(1)')
        == '--lr: rate\n'
    )


def test_that_a_script_that_does_not_end_is_killed_with_what_it_started(tmp_path: Path) -> None:
    assert helped(tmp_path, SLOW, 3.0) == ''
    pids = [int(word) for word in (tmp_path / 'pids').read_text().split()]
    until(lambda: not any(map(start_ticks, pids)))


def test_that_a_program_that_is_not_there_says_nothing(tmp_path: Path) -> None:
    assert help_of((str(tmp_path / 'nowhere'), 'train.py'), str(tmp_path)) == ''


def test_that_bytes_that_are_no_text_are_read(tmp_path: Path) -> None:
    assert helped(tmp_path, r'import sys; sys.stdout.buffer.write(b"--lr LR \xff\n")') == '--lr LR \ufffd\n'
