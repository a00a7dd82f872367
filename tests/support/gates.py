"""A search whose runs wait at gates, so that a test decides when each goes on; and ways to disturb it."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from hpsearch.host.processes import Process, send_signal
from hpsearch.model.history.run_history import RunHistory
from hpsearch.store.attempt_files import attempt_processes, read_fence
from hpsearch.store.folder import SearchFolder
from hpsearch.store.journal import read_state
from tests.support.cli_harness import Project
from tests.support.harness import until
from tests.support.paths import REPOSITORY

SCRIPT = """\
for word; do
    case $word in
        --out_dir=*) out=${word#*=} ;;
        --n=*) n=${word#*=} ;;
    esac
done
if [ -e "$out" ]; then echo "$n $HPSEARCH_ATTEMPT" >> found.txt; fi
echo "training $n, attempt $HPSEARCH_ATTEMPT"
mkdir -p "$out"
[ -e then.sh ] && . ./then.sh
echo "$n $HPSEARCH_ATTEMPT unset" >> ran.txt
until [ -e go ] || [ -e "go.$n" ]; do sleep 0.02; done
printf 'acc 0.%s\\nfinished 1\\n' "$n" > "$out/performance_overview.txt"
echo "$n $HPSEARCH_ATTEMPT" >> done.txt
"""
"""Notes the value of ``--n`` and the attempt in ``ran.txt``, waits for a file ``go`` or ``go.<n>``, then finishes."""

CONFIG = """\
grid = {{'n': {numbers!r}}}
conditions = []
_COMMAND = ['sh', {script!r}]
_SUMMARY_FILENAME = 'performance_overview.txt'
_SUMMARY_KEYWORDS = ['acc', 'finished']
_PERFORMANCE_KEY = 'acc'
{more}
"""

PRUNED = 'worse than others at step 3'

DRIVER = REPOSITORY / 'tests' / 'fakes' / 'host_driver.py'


class Gated(Project):
    """A project of runs that wait at gates.

    Args:
        path: Where it is made.
        count: Number of runs, with ``--n`` from 1 on, in this order.
        more: More lines of the configuration.
    """

    def __init__(self, path: Path, count: int = 3, more: str = '') -> None:
        super().__init__(path)
        self.numbers = [str(number) for number in range(1, count + 1)]
        (path / 'train.sh').write_text(SCRIPT)
        self.write_config(more)

    def write_config(self, more: str = '') -> None:
        """Write the configuration, with more lines at its end."""
        numbers = [int(number) for number in self.numbers]
        script = str(self.path / 'train.sh')
        (self.path / 'my_config.py').write_text(CONFIG.format(numbers=numbers, script=script, more=more))

    def then(self, code: str) -> None:
        """What every script does before it notes that it ran; ``$n`` and ``$out`` are there."""
        (self.path / 'then.sh').write_text(code)

    def open(self, *numbers: str) -> None:
        """Open the gates of these runs; without any: all."""
        for name in [f'go.{number}' for number in numbers] or ['go']:
            (self.path / name).touch()

    def notes(self, name: str) -> list[tuple[str, str]]:
        """Value of ``--n`` and attempt, as the scripts noted them in a file."""
        path = self.path / name
        lines = path.read_text().splitlines() if path.exists() else []
        return [(line.split()[0], line.split()[1]) for line in lines]

    def begun(self) -> list[tuple[str, str]]:
        """Which scripts began: value of ``--n``, attempt."""
        return self.notes('ran.txt')

    def once(self) -> list[tuple[str, str]]:
        """What :meth:`begun` must say when every run was started once."""
        return [(number, '1') for number in self.numbers]

    def search_in_order(self, *words: str) -> subprocess.Popen[str]:
        """Start a search in the order of the grid."""
        return self.start('--deterministic_search', '--fail_fast=0', *words)

    def begin(self, running: int, *words: str) -> subprocess.Popen[str]:
        """Start a search in the order of the grid, and wait until so many runs are at their gates."""
        search = self.search_in_order(f'--cpu_jobs={running}', *words)
        self.wait_for_begun(running)
        until(lambda: len(self.told('running')) >= running)
        return search

    def wait_for_begun(self, count: int) -> None:
        """Wait until so many scripts have begun, all attempts counted."""
        until(lambda: len(self.begun()) >= count)

    def driver_command(self, settings: dict[str, Any], *words: str) -> list[str]:
        """The words of a command with other settings than a user has: see ``host_driver.py``."""
        return [sys.executable, str(DRIVER), json.dumps(settings), *words]

    def drive(self, settings: dict[str, Any], *words: str) -> subprocess.Popen[str]:
        """Start such a command."""
        return subprocess.Popen(
            self.driver_command(settings, *words),
            cwd=self.path, env=self.env, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        )  # fmt: skip

    def drive_search(self, settings: dict[str, Any], *words: str) -> subprocess.Popen[str]:
        """Start a search in the order of the grid, with such settings."""
        fixed = ['--grid_module=my_config', '--out_dir=out', '--force_out_dir', '--deterministic_search']
        return self.drive(settings, *fixed, '--fail_fast=0', *words)

    def told(self, kind: str) -> list[dict[str, Any]]:
        """Events of one kind; a line that is being written is passed over."""
        found = []
        for journal in sorted((self.out / 'journal').glob('*.jsonl')):
            for line in journal.read_text(errors='replace').splitlines():
                try:
                    event = json.loads(line)
                except ValueError:
                    continue
                if isinstance(event, dict) and event.get('event') == kind:
                    found.append(event)
        return found

    def histories(self) -> dict[str, RunHistory]:
        """Value of ``--n`` to what the journals say of its run."""
        folder = SearchFolder(self.out)
        runs = {run.name: str(run.params['n']) for run in folder.read_runs()}
        return {runs[name]: history for name, history in read_state(folder).runs.items()}

    def ends(self) -> dict[str, list[tuple[str, str]]]:
        """Value of ``--n`` to state and cause of each of its attempts."""
        return {
            number: [(attempt.state.value, attempt.cause) for attempt in history.attempts]
            for number, history in sorted(self.histories().items())
        }

    def table_states(self) -> dict[str, str]:
        """Value of ``--n`` to its state in the table."""
        return {row['n']: row['hpsearch_state'] for row in self.rows()}

    def all_finished(self) -> dict[str, str]:
        """What :meth:`table_states` must say when every run has finished."""
        return dict.fromkeys(self.numbers, 'finished')

    def pids(self) -> list[int]:
        """Process ids of the attempts, by their events."""
        return [event['handle']['pid'] for event in self.told('running')]

    def living(self) -> list[int]:
        """Process ids of attempts that run, also of those that the search has not journaled yet."""
        folder, running = SearchFolder(self.out), self.processes()
        fences = [read_fence(folder.attempt(run, int(attempt))) for run, attempt in set(running.values())]
        return sorted({fence.pid for fence in fences} & {process.pid for process in running})

    def processes(self) -> dict[Process, tuple[str, str]]:
        """Every process of its runs."""
        return attempt_processes(SearchFolder(self.out)) if self.out.exists() else {}

    def run_name(self, number: str) -> str:
        """The name of the run with this value of ``--n``."""
        return next(run.name for run in SearchFolder(self.out).read_runs() if str(run.params['n']) == number)

    def job(self, number: str, attempt: int) -> Path:
        """The folder with our files about an attempt."""
        return Path(SearchFolder(self.out).attempt(self.run_name(number), attempt).folder)

    def edit_journal(self, old: str, new: str) -> None:
        """Replace a text in the journal of the only writer.

        Raises:
            AssertionError: It is not there.
        """
        (journal,) = (self.out / 'journal').glob('*.jsonl')
        text = journal.read_text()
        assert old in text
        journal.write_text(text.replace(old, new))

    def note_pruned(self, *numbers: str) -> None:
        """Write down that runs are to be stopped, as the only writer does before it signals them."""
        (journal,) = (self.out / 'journal').glob('*.jsonl')
        for number in numbers:
            event = {'event': 'pruned', 'run': self.run_name(number), 'attempt': 1, 'step': 3, 'reason': PRUNED}
            with journal.open('a') as file:
                file.write(json.dumps(event) + '\n')

    def header(self) -> dict[str, Any]:
        """The header of the first journal."""
        return self.told('writer')[0]

    def kill_runs(self) -> None:
        """End every attempt as a failing host does; a search that goes on may start others at once."""
        killed = self.living()
        for pid in killed:
            os.killpg(pid, signal.SIGKILL)
        until(lambda: not set(killed).intersection(self.living()))

    def clean(self) -> None:
        """End what a failed test left behind."""
        for process in self.processes():
            send_signal(process, signal.SIGKILL)


@contextmanager
def gated(path: Path, count: int = 3, more: str = '') -> Iterator[Gated]:
    """A project whose processes are gone at the end."""
    project = Gated(path, count, more)
    try:
        yield project
    finally:
        project.clean()


def kill(process: subprocess.Popen[str]) -> None:
    """kill -9."""
    process.kill()
    process.communicate()


def finish(process: subprocess.Popen[str], codes: Sequence[int] = (0,), patience: float = 60.0) -> str:
    """Wait for the end of a command, so many seconds at most; returns what it printed."""
    try:
        out, err = process.communicate(timeout=patience)
    except subprocess.TimeoutExpired:
        process.kill()
        out, err = process.communicate()
        raise AssertionError(f'it did not end by itself:\n{out}{err}') from None
    assert process.returncode in codes, f'exit code {process.returncode}:\n{out}{err}'
    assert 'Traceback' not in out + err, out + err
    return out + err


def stop_between_two_steps(process: subprocess.Popen[str], out: Path) -> None:
    """Stop a dispatcher while it waits for something to happen, and while none of its threads writes a file.

    Args:
        process: The dispatcher.
        out: The search folder, in which a file that is being written has a temporary name, with the pid.
    """

    def is_stopped() -> bool:
        until(lambda: is_asleep(process.pid))
        process.send_signal(signal.SIGSTOP)
        if not any(str(process.pid) in path.name for path in out.rglob('*.tmp')):
            return True
        process.send_signal(signal.SIGCONT)
        return False

    until(is_stopped)


def is_asleep(pid: int) -> bool:
    """Whether a process waits, seen several times."""
    for _ in range(5):
        if Path(f'/proc/{pid}/stat').read_text().rpartition(')')[2].split()[0] != 'S':
            return False
        time.sleep(0.002)
    return True
