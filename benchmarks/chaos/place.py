"""A search of short runs, and the ledger in which its scripts note when they begin and end."""

from __future__ import annotations

import csv
import os
import signal
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from hpsearch.store.folder import SearchFolder

CHECKOUT = Path(__file__).resolve().parent.parent.parent

SCRIPT = """\
for word; do
    case $word in
        --out_dir=*) out=${word#*=} ;;
        --n=*) n=${word#*=} ;;
    esac
done
echo "begin $HPSEARCH_ATTEMPT" >> "ledger/$n"
if command -v flock > /dev/null; then
    exec 9>> "locks/$n"
    flock -w 0.5 9 || echo "beside $HPSEARCH_ATTEMPT" >> "ledger/$n"
fi
if [ -e "$out" ]; then
    echo "found $HPSEARCH_ATTEMPT" >> "ledger/$n"
    exit 9
fi
mkdir "$out"
echo "training $n"
sleep "${TRAINING_SECONDS:-0.$(((n * 7) % 10))$((n % 10))}"
printf 'acc 0.%s\\nfinished 1\\n' "$n" > "$out/performance_overview.txt"
echo "end $HPSEARCH_ATTEMPT" >> "ledger/$n"
"""
"""A training that takes up to a second, or TRAINING_SECONDS; its output folder must not be there when it begins.

It holds a lock while any of its processes lives: an attempt that does not get it runs beside another one.
"""

CONFIGURATION = """\
grid = {{'n': {numbers!r}}}
conditions = []
_COMMAND = ['sh', {script!r}]
_SUMMARY_FILENAME = 'performance_overview.txt'
_SUMMARY_KEYWORDS = ['acc', 'finished']
_PERFORMANCE_KEY = 'acc'
"""

OPTIONS = ('--force_out_dir', '--cpu_jobs=4', '--fail_fast=0', '--retries=99', '--max_attempts=99')
"""A run that we kill has failed (its status was read) or is lost (it was not): either is run again."""

PASSING_COLUMNS = ('hpsearch_run', 'hpsearch_reason', 'hpsearch_seconds', 'out_dir')
"""Columns that may differ between two searches of the same grid."""


@dataclass(frozen=True)
class Start:
    """How one hpsearch is started.

    Attributes:
        name: Of the search folder, for that process.
        cwd: Where, below the place.
        program: The words before those of hpsearch.
        options: Further words after those of hpsearch.
        variables: What its environment has beside ours.
    """

    name: str = 'out'
    cwd: str = '.'
    program: Sequence[str] = (sys.executable, '-m', 'hpsearch')
    options: Sequence[str] = ()
    variables: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Writer:
    """One hpsearch that was started.

    Attributes:
        process: The process.
        verb: ``run``, ``resume`` or ``join``.
        printed: The file of what it prints.
    """

    process: subprocess.Popen[bytes]
    verb: str
    printed: Path

    @property
    def last_words(self) -> str:
        """The end of what it printed."""
        return self.printed.read_text(errors='replace')[-500:]


class Place:
    """A folder with a configuration of short runs, the search made of it, and the ledger of its scripts.

    Args:
        path: Where it is, or is made by :meth:`make`.
        runs: Number of runs.
    """

    def __init__(self, path: Path, runs: int) -> None:
        self.path = path
        self.numbers = list(range(1, runs + 1))
        self.folder = SearchFolder(path / 'out')
        inherited = os.environ.get('PYTHONPATH', '')
        self.environment = {**os.environ, 'PYTHONPATH': f'{CHECKOUT}:{inherited}'.rstrip(':')}

    def make(self) -> Place:
        """Make the folder."""
        for name in ('ledger', 'locks', 'printed'):
            (self.path / name).mkdir(parents=True)
        (self.path / 'link').symlink_to('.')
        script = self.path / 'train.sh'
        script.write_text(SCRIPT)
        (self.path / 'grid.py').write_text(CONFIGURATION.format(numbers=self.numbers, script=str(script)))
        return self

    def search_words(self, *more: str, name: str = 'out') -> list[str]:
        """The words of a new search."""
        return ['--grid_module=grid.py', f'--out_dir={name}', *OPTIONS, *more]

    def start(self, *words: str, how: Start | None = None) -> Writer:
        """Start one hpsearch; what it prints goes to a file of its own."""
        how = how or Start()
        path = self.path / 'printed' / str(len(list((self.path / 'printed').iterdir())))
        with open(path, 'wb') as printed:
            process = subprocess.Popen(
                [*how.program, *words, *how.options],
                cwd=self.path / how.cwd,
                env={**self.environment, **how.variables},
                stdin=subprocess.DEVNULL,
                stdout=printed,
                stderr=printed,
                start_new_session=True,
            )
        return Writer(process, words[0] if words[0] in ('resume', 'join') else 'run', path)

    def printed(self) -> str:
        """What every hpsearch here has printed."""
        return ''.join(path.read_text(errors='replace') for path in sorted((self.path / 'printed').iterdir()))

    def has_plan(self) -> bool:
        """Whether the search can be resumed."""
        return self.folder.runs_jsonl.exists()

    def ledger(self) -> dict[int, list[str]]:
        """What the script of each run noted, in order."""
        return {int(path.name): path.read_text().splitlines() for path in (self.path / 'ledger').iterdir()}

    def table(self) -> list[dict[str, str]]:
        """The table, without what may differ between two searches, in the order of the runs."""
        with open(self.folder.results_csv, newline='') as lines:
            rows = list(csv.DictReader(lines, delimiter=';'))
        kept = [{name: cell for name, cell in row.items() if name not in PASSING_COLUMNS} for row in rows]
        return sorted(kept, key=lambda row: int(row['n']))

    def number_of(self, run: str) -> int:
        """The value of ``--n`` of a run."""
        found = self.folder.find_run(run)
        assert found is not None
        return int(str(found.params['n']))

    # Processes: found here without the code that is judged

    def processes(self) -> dict[int, dict[str, str]]:
        """The attempts' processes: process id to environment."""
        found = {pid: environment_of(pid) for pid in _pids()}
        own = os.path.realpath(self.folder.path)
        return {
            pid: variables
            for pid, variables in found.items()
            if 'HPSEARCH_RUN' in variables and os.path.realpath(variables.get('HPSEARCH_DIR', '')) == own
        }

    def attempts(self) -> Iterator[tuple[str, int, int]]:
        """The attempts whose sh lives: run, number, and process id."""
        for pid, variables in sorted(self.processes().items()):
            if _is_leader(pid):
                yield variables['HPSEARCH_RUN'], int(variables['HPSEARCH_ATTEMPT']), pid

    def kill_processes(self) -> None:
        """Kill what is left of the attempts."""
        for pid in self.processes():
            send(pid, signal.SIGKILL)


def send(pid: int, number: signal.Signals, *, is_group: bool = False) -> bool:
    """Send a signal; returns whether there was such a process."""
    try:
        (os.killpg if is_group else os.kill)(pid, number)
    except ProcessLookupError:
        return False
    return True


def _pids() -> list[int]:
    return [int(name) for name in os.listdir('/proc') if name.isdigit()]


def environment_of(pid: int) -> dict[str, str]:
    """The environment of a process; empty where it is gone."""
    try:
        with open(f'/proc/{pid}/environ', 'rb') as environ:
            pairs = environ.read().decode(errors='replace').split('\0')
    except (FileNotFoundError, ProcessLookupError, PermissionError):
        return {}
    return dict(pair.split('=', 1) for pair in pairs if '=' in pair)


def command_of(pid: int) -> str:
    """What a process executes; empty where it is gone."""
    try:
        return Path(f'/proc/{pid}/cmdline').read_text(errors='replace').replace('\0', ' ')
    except (FileNotFoundError, ProcessLookupError):
        return ''


def _is_leader(pid: int) -> bool:
    try:
        return os.getpgid(pid) == pid
    except ProcessLookupError:
        return False
