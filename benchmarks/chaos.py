"""Kill and stop the dispatchers and the runs of many small searches at random, and count what got lost or ran twice.

``python3 -m benchmarks.chaos --kills=1000 --seed=1``. Every script notes its beginnings and its end in a file of its
own, the ledger. At the end of each search its ledger, its table and its processes are compared with those of a search
that was not disturbed. The same seed makes the same choices; at which instant they hit is up to the machine.
"""

from __future__ import annotations

import argparse
import csv
import os
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from hpsearch.host.processes import marked_processes
from hpsearch.model.states import State
from hpsearch.store.attempt_files import marks, read_fence
from hpsearch.store.folder import SearchFolder
from hpsearch.store.journal import read_state

CHECKOUT = Path(__file__).resolve().parent.parent

SCRIPT = """\
for word; do
    case $word in
        --out_dir=*) out=${word#*=} ;;
        --n=*) n=${word#*=} ;;
    esac
done
echo "begin $HPSEARCH_ATTEMPT" >> "ledger/$n"
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
"""A training that takes up to a second, or TRAINING_SECONDS; its output folder must not be there when it begins."""

CONFIGURATION = """\
grid = {{'n': {numbers!r}}}
conditions = []
_COMMAND = ['sh', {script!r}]
_SUMMARY_FILENAME = 'performance_overview.txt'
_SUMMARY_KEYWORDS = ['acc', 'finished']
_PERFORMANCE_KEY = 'acc'
"""

OPTIONS = ('--out_dir=out', '--force_out_dir', '--cpu_jobs=4', '--fail_fast=0', '--retries=99', '--max_attempts=99')
"""A run that we kill has failed (its status was read) or is lost (it was not): either is run again."""

PASSING_COLUMNS = ('hpsearch_run', 'hpsearch_reason', 'hpsearch_seconds', 'out_dir')
"""Columns that may differ between two searches of the same grid."""

PATIENCE = 120.0
"""Seconds that a search may take after the last blow."""


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
        self.environment = {**os.environ, 'PYTHONPATH': str(CHECKOUT)}

    def make(self) -> Place:
        """Make the folder."""
        (self.path / 'ledger').mkdir(parents=True)
        script = self.path / 'train.sh'
        script.write_text(SCRIPT)
        (self.path / 'grid.py').write_text(CONFIGURATION.format(numbers=self.numbers, script=str(script)))
        return self

    def search_words(self, *more: str) -> list[str]:
        """The words of a new search."""
        return ['--grid_module=grid.py', *OPTIONS, *more]

    def start(self, *words: str) -> subprocess.Popen[bytes]:
        """Start one hpsearch; what it prints is appended to a file."""
        with open(self.path / 'printed', 'ab') as printed:
            return subprocess.Popen(
                [sys.executable, '-m', 'hpsearch', *words],
                cwd=self.path,
                env=self.environment,
                stdin=subprocess.DEVNULL,
                stdout=printed,
                stderr=printed,
                start_new_session=True,
            )

    def printed(self) -> str:
        """What every hpsearch here has printed."""
        path = self.path / 'printed'
        return path.read_text(errors='replace') if path.exists() else ''

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


# --------------------------------------------------------------------------------------------------------------- checks


def expected_table(numbers: Sequence[int]) -> list[dict[str, str]]:
    """The table of a search that was not disturbed."""
    return [
        {'n': str(n), 'acc': f'0.{n}', 'finished': '1', 'hpsearch_state': State.FINISHED.value} for n in sorted(numbers)
    ]


def ledger_problems(place: Place, blows: Mapping[int, int]) -> Iterator[tuple[str, str]]:
    """What ran twice, or not to its end, as ``(kind, sentence)``.

    Args:
        place: Where.
        blows: Value of ``--n`` to how often an attempt of that run was killed by us.
    """
    ledger = place.ledger()
    for number in place.numbers:
        lines = ledger.get(number, [])
        history = f'n={number}, killed {blows.get(number, 0)} times: {lines}'
        begun = [line.split()[1] for line in lines if line.startswith('begin')]
        ended = [line.split()[1] for line in lines if line.startswith('end')]
        if not ended and not blows.get(number):
            yield 'lost', f'never ended: {history}'
        if len(begun) != len(set(begun)) or len(ended) > 1 or (ended and lines[-1] != f'end {ended[0]}'):
            yield 'twice', f'ran again: {history}'
        elif len(begun) > 1 + blows.get(number, 0):
            yield 'twice', f'begun too often: {history}'
        if any(line.startswith('found') for line in lines):
            yield 'twice', f'found an output folder: {history}'
        if not _one_after_the_other(lines):
            yield 'twice', f'two attempts at once: {history}'


def _one_after_the_other(lines: Sequence[str]) -> bool:
    current = ''
    for line in lines:
        kind, attempt = line.split()
        if kind == 'begin':
            current = attempt
        elif attempt != current:
            return False
    return True


def folder_problems(place: Place) -> Iterator[tuple[str, str]]:
    """What is wrong with the folder of a search that has ended, as ``(kind, sentence)``."""
    state = read_state(place.folder)
    unfinished = {name: history.state.value for name, history in state.runs.items() if history.state != State.FINISHED}
    if unfinished or len(state.runs) != len(place.numbers):
        yield 'lost', f'{len(state.runs)} runs with events; not finished: {unfinished}'
    for name, history in state.runs.items():
        if sum(attempt.state is State.FINISHED for attempt in history.attempts) > 1:
            yield 'twice', f'finished more than once: {name}'
    if state.odd:
        yield 'odd', f'journals: {state.odd[:3]}'
    if (table := place.table()) != expected_table(place.numbers):
        expected = expected_table(place.numbers)
        missing = [row for row in expected if row not in table]
        others = [row for row in table if row not in expected]
        yield 'table', f'{len(table)} rows; missing: {missing[:3]}; others: {others[:3]}'
    if 'Traceback' in place.printed():
        yield 'traceback', 'an hpsearch ended with a traceback: ' + place.printed().partition('Traceback')[2][:1500]


def process_problems(place: Place, patience: float = 5.0) -> Iterator[tuple[str, str]]:
    """Processes of a search that has ended, as ``(kind, sentence)``."""
    end = time.monotonic() + patience
    while left := marked_processes({'HPSEARCH_DIR': str(place.folder.path)}):
        if time.monotonic() > end:
            yield 'processes', f'left behind: {left}'
            return
        time.sleep(0.05)


# ---------------------------------------------------------------------------------------------------------------- blows


@dataclass
class Storm:
    """One search, and what is done to it.

    Attributes:
        place: Where.
        random: Makes the choices.
        counts: What was done, by kind.
        blows: Value of ``--n`` to how often an attempt of it was killed.
        writers: Processes of hpsearch that were not waited for yet.
        stopped: Process groups that were stopped, and when they go on, in monotonic seconds.
        problems: What went wrong on the way.
        is_complete: Whether a writer said that every run has finished.
    """

    place: Place
    random: random.Random
    counts: Counter[str]
    blows: Counter[int] = field(default_factory=Counter)
    writers: list[subprocess.Popen[bytes]] = field(default_factory=list)
    stopped: dict[int, float] = field(default_factory=dict)
    problems: list[tuple[str, str]] = field(default_factory=list)
    is_complete: bool = False

    # Writers

    def living(self) -> list[subprocess.Popen[bytes]]:
        """The writers that run; the ends of the others are judged."""
        for writer in [writer for writer in self.writers if writer.poll() is not None]:
            self.writers.remove(writer)
            self.stopped.pop(writer.pid, None)
            self._judge(writer)
        return self.writers

    def _judge(self, writer: subprocess.Popen[bytes]) -> None:
        words = [str(word) for word in writer.args] if isinstance(writer.args, list) else []
        if writer.returncode == 0:
            self.is_complete = True
        elif writer.returncode != -signal.SIGKILL and not self._may_end_with(writer.returncode, 'join' in words):
            self.problems.append(('exit', f'{words[3:]} ended with {writer.returncode}'))

    def _may_end_with(self, code: int, is_join: bool) -> bool:
        """A search whose plan was never made is refused; who only helps may leave before the others have finished."""
        return code == 1 if is_join else code == 2 and not self.place.has_plan()

    def revive(self) -> None:
        """Have at least one writer, now and then two."""
        if not self.living():
            self.start_first()
        elif len(self.writers) == 1 and self.place.has_plan() and self.random.random() < 0.3:
            self.writers.append(self.place.start(self.random.choice(['join', 'resume']), 'out'))
            self.counts['second writers'] += 1

    def start_first(self) -> None:
        """Make the search, or go on with it where it has been made."""
        if self.place.has_plan():
            self.counts['resumes'] += 1
            self.writers.append(self.place.start('resume', 'out'))
            return
        if self.place.ledger():
            self.problems.append(('lost', 'runs were started without a plan'))
        self.writers.append(self.place.start(*self.place.search_words('--dont_force_new_dir')))

    # Attempts

    def aim(self) -> tuple[str, int] | None:
        """An attempt that seems to run, and its process id."""
        found = []
        for exit_path in sorted(self.place.folder.jobs_dir.glob('*/*/started')):
            run, number = exit_path.parent.parent.name, int(exit_path.parent.name)
            pid = read_fence(self.place.folder.attempt(run, number)).pid
            if pid and pid in marked_processes(marks(self.place.folder, run, number)):
                found.append((run, pid))
        return self.random.choice(found) if found else None

    # Blows: each says whether it hit

    def kill_writer(self) -> bool:
        """SIGKILL to one writer."""
        writers = self.living()
        if not writers:
            return False
        self.random.choice(writers).kill()
        return True

    def stop_writer(self) -> bool:
        """SIGSTOP to one writer, SIGCONT later."""
        writers = self.living()
        return bool(writers) and self._stop(self.random.choice(writers).pid)

    def kill_run(self) -> bool:
        """SIGKILL to the whole process group of an attempt."""
        return self._hit(is_group=True)

    def kill_shell(self) -> bool:
        """SIGKILL to the sh of an attempt alone: what it started goes on."""
        return self._hit(is_group=False)

    def stop_run(self) -> bool:
        """SIGSTOP to the process group of an attempt, SIGCONT later."""
        aim = self.aim()
        return aim is not None and self._stop(aim[1])

    def _hit(self, *, is_group: bool) -> bool:
        aim = self.aim()
        if aim is None:
            return False
        run, pid = aim
        try:
            (os.killpg if is_group else os.kill)(pid, signal.SIGKILL)
        except ProcessLookupError:
            return False
        self.blows[self.place.number_of(run)] += 1
        return True

    def _stop(self, group: int) -> bool:
        try:
            os.killpg(group, signal.SIGSTOP)
        except ProcessLookupError:
            return False
        self.stopped[group] = time.monotonic() + self.random.uniform(0.01, 1.0)
        return True

    def wake(self, *, everything: bool = False) -> None:
        """Let those go on whose time has come."""
        now = time.monotonic()
        for group in [group for group, end in self.stopped.items() if everything or now >= end]:
            del self.stopped[group]
            try:
                os.killpg(group, signal.SIGCONT)
            except ProcessLookupError:
                continue

    # The whole

    def blow(self, kinds: Mapping[str, int]) -> bool:
        """One blow of a random kind; says whether it hit."""
        kind = self.random.choices(list(kinds), weights=list(kinds.values()))[0]
        hit: bool = getattr(self, kind)()
        self.counts[kind] += hit
        return hit

    def rage(self, blows: int, kinds: Mapping[str, int]) -> int:
        """Blow until so many have hit or the search is over; returns how many hit."""
        hits = 0
        while hits < blows:
            self.wake()
            self.living()
            if self.is_complete:
                break
            self.revive()
            time.sleep(self.random.choice([0.02, 0.1, 0.2, 0.3, 0.5]) * self.random.random())
            hits += self.blow(kinds)
        self.wake(everything=True)
        return hits

    def calm(self) -> None:
        """Let the search come to its end undisturbed."""
        end = time.monotonic() + PATIENCE
        while self.living() or not self.is_complete:
            if not self.writers:
                self.start_first()
            if time.monotonic() > end:
                self.problems.append(('hangs', f'not over after {PATIENCE:.0f} s: {self.place.printed()[-300:]}'))
                break
            time.sleep(0.02)
        for writer in self.writers:
            writer.kill()
            writer.wait()


KINDS = {'kill_writer': 40, 'stop_writer': 20, 'kill_run': 15, 'kill_shell': 10, 'stop_run': 15}
"""What is done, and how often in a hundred."""


def disturbed_search(path: Path, seed: str, blows: int, counts: Counter[str], runs: int = 40) -> list[tuple[str, str]]:
    """Disturb one search; returns what went wrong.

    Args:
        path: Where; made.
        seed: What the choices depend on.
        blows: How many, at most.
        counts: What was done is added here.
        runs: Number of runs.
    """
    storm = Storm(Place(path, runs).make(), random.Random(seed), counts)
    counts['blows'] += storm.rage(blows, KINDS)
    storm.calm()
    counts['searches'] += 1
    counts['runs'] += runs
    counts['attempts'] += sum(line.startswith('begin') for lines in storm.place.ledger().values() for line in lines)
    problems = [*storm.problems, *ledger_problems(storm.place, storm.blows)]
    if storm.place.folder.results_csv.exists():
        problems += folder_problems(storm.place)
    else:
        problems.append(('table', 'there is no table'))
    return [*problems, *process_problems(storm.place)]


def main(argv: Sequence[str] | None = None) -> int:
    """Disturb searches until there were enough blows; returns 0 if nothing got lost and nothing ran twice."""
    args = options(argv)
    counts: Counter[str] = Counter()
    problems: Counter[str] = Counter()
    begin = time.monotonic()
    here = Path(tempfile.mkdtemp(prefix='hpsearch-chaos-', dir=args.dir))
    while counts['blows'] < args.kills:
        path = here / f'search_{counts["searches"]}'
        choices = random.Random(f'{args.seed}/{counts["searches"]}')
        blows = min(choices.randint(10, 40), args.kills - counts['blows'])
        found = disturbed_search(path, f'{args.seed}/{path.name}', blows, counts, args.runs)
        problems.update(kind for kind, _ in found)
        print_report(path, counts, found)
        if not found:
            shutil.rmtree(path)
    print_counts(counts, problems, time.monotonic() - begin)
    if not problems:
        shutil.rmtree(here)
    return 1 if problems else 0


def options(argv: Sequence[str] | None) -> argparse.Namespace:
    """What was asked for."""
    parser = argparse.ArgumentParser(prog='benchmarks.chaos', description=__doc__)
    parser.add_argument('--kills', type=int, default=1000, help='how many blows, at least (default: %(default)s)')
    parser.add_argument('--seed', default='1', help='of the choices (default: %(default)s)')
    parser.add_argument('--runs', type=int, default=40, help='runs of each search (default: %(default)s)')
    parser.add_argument('--dir', help='where the temporary folder is made')
    return parser.parse_args(argv)


def print_report(path: Path, counts: Mapping[str, int], found: Sequence[tuple[str, str]]) -> None:
    """One line per search, and what went wrong in it."""
    print(f'{counts["searches"]} searches, {counts["blows"]} blows', file=sys.stderr, flush=True)
    for kind, sentence in found:
        print(f'{path}: {kind}: {sentence}', file=sys.stderr, flush=True)


def print_counts(counts: Mapping[str, int], problems: Mapping[str, int], seconds: float) -> None:
    """What was done, and what came of it."""
    for name in ('searches', 'runs', 'attempts', 'blows', *KINDS, 'resumes', 'second writers'):
        print(f'{name.replace("_", " ")}: {counts.get(name, 0)}')
    for kind, what in (('lost', 'runs lost'), ('twice', 'runs run twice'), ('table', 'tables that differ')):
        print(f'{what}: {problems.get(kind, 0)}')
    others = {kind: count for kind, count in problems.items() if kind not in ('lost', 'twice', 'table')}
    print(f'other problems: {others or 0}')
    print(f'seconds: {seconds:.0f}')


if __name__ == '__main__':
    sys.exit(main())
