"""Runs small searches that end, without a word, at a chosen file operation, and resumes them: see test_crash_points.

    python crash_driver.py FOLDER CHAIN …

A chain is a list of points with commas between them: ``12:after,30:half`` makes a search that ends after its twelfth
operation, resumes it, which ends in the middle of its thirtieth, and resumes it again, undisturbed. How is ``before``,
``after`` or ``half`` (what is written is cut in two; where nothing is written: after). An empty chain disturbs nothing.
For each chain a line of JSON is printed: the folder, the exit codes, and how many operations the first process made.
Words in the environment variable CRASH_OPTIONS are options of the searches.

With ``--prune`` among them, the last run is stopped because of what it reports.

Only operations in the search folder count, and starting a process.
"""

from __future__ import annotations

import builtins
import io
import json
import os
import signal
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from benchmarks.chaos.place import Place
from hpsearch.cli import main as cli
from hpsearch.cli import search_runner
from hpsearch.cli.adaptive import pruning as pruning_options
from hpsearch.dispatch import dispatcher, peers
from hpsearch.dispatch.adaptive import metrics, promotions
from hpsearch.store import writers
from tests.fakes.threshold_pruner import ThresholdPruner

RUNS = 3
CRASHED = 9
PATIENCE = 20
"""Seconds after which an hpsearch that does not end is ended (its exit code is -14)."""

TRAINING = """\
for word; do
    case $word in
        --out_dir=*) out=${word#*=} ;;
        --n=*) n=${word#*=} ;;
    esac
done
echo "begin $HPSEARCH_ATTEMPT" >> "ledger/$n"
mkdir "$out" || exit 9
echo "training $n"
echo "{\\"step\\": 1, \\"acc\\": 0.$n}" >> "$HPSEARCH_METRICS"
[ "$n" != 3 ] || sleep 600
printf 'acc 0.%s\\nfinished 1\\n' "$n" > "$out/performance_overview.txt"
echo "end $HPSEARCH_ATTEMPT" >> "ledger/$n"
"""
"""The last run would go on for ever."""

MODULES = (search_runner, dispatcher, peers, writers)
"""Imported here, once, so that the processes that are forked need not."""


class Points:
    """Counts operations and ends this process at one of them.

    Args:
        root: The search folder.
        at: At which operation, from 1; 0: at none.
        how: ``before``, ``after`` or ``half``.
    """

    def __init__(self, root: str, at: int, how: str) -> None:
        self.root = root
        self.at = at
        self.how = how
        self.count = 0

    def step(self, do: Callable[[], Any], half: Callable[[], Any] | None = None) -> Any:
        """Do one operation, unless this is the end."""
        self.count += 1
        if self.count != self.at:
            return do()
        if self.how == 'half' and half is not None:
            half()
        elif self.how != 'before':
            do()
        os._exit(CRASHED)

    def concerns(self, where: object) -> bool:
        """Whether a path or a descriptor is in the search folder."""
        if isinstance(where, int):
            try:
                return os.readlink(f'/proc/self/fd/{where}').startswith(self.root)
            except OSError:
                return False
        return isinstance(where, str | os.PathLike) and os.path.abspath(os.fspath(where)).startswith(self.root)


class CountedFile:
    """A file that is written to; every write is an operation."""

    def __init__(self, file: Any, points: Points) -> None:
        self._file = file
        self._points = points

    def write(self, data: Any) -> Any:
        return self._points.step(lambda: self._put(data), lambda: self._put(data[: len(data) // 2]))

    def _put(self, data: Any) -> Any:
        done = self._file.write(data)
        if self._points.count == self._points.at:
            self._file.flush()
        return done

    def __enter__(self) -> CountedFile:
        return self

    def __exit__(self, *how: object) -> None:
        self._file.close()

    def __getattr__(self, name: str) -> Any:
        return getattr(self._file, name)


def patch_writing(points: Points) -> None:
    """Let every operation of this process that changes something count."""
    for name in ('mkdir', 'rmdir', 'rename', 'replace', 'link', 'unlink', 'fsync'):
        setattr(os, name, counted(getattr(os, name), points))
    setattr(os, 'open', _counted_open(os.open, points))  # noqa: B010
    setattr(os, 'write', _counted_write(os.write, points))  # noqa: B010
    setattr(os, 'posix_spawn', _always_counted(os.posix_spawn, points))  # noqa: B010
    setattr(builtins, 'open', _counted_files(builtins.open, points))  # noqa: B010
    setattr(io, 'open', builtins.open)  # noqa: B010


def counted(real: Callable[..., Any], points: Points) -> Callable[..., Any]:
    """An operation on one or two paths that counts where one of them is in the search folder."""

    def call(*args: Any, **options: Any) -> Any:
        if any(points.concerns(arg) for arg in args[:2]):
            return points.step(lambda: real(*args, **options))
        return real(*args, **options)

    return call


make_points: Callable[[str, int, str], Points] = Points
patch: Callable[[Points], None] = patch_writing


def _always_counted(real: Callable[..., Any], points: Points) -> Callable[..., Any]:
    return lambda *args, **options: points.step(lambda: real(*args, **options))


def _counted_open(real: Callable[..., Any], points: Points) -> Callable[..., Any]:
    def call(path: Any, flags: int, *args: Any, **options: Any) -> Any:
        if flags & os.O_CREAT and points.concerns(path):
            return points.step(lambda: real(path, flags, *args, **options))
        return real(path, flags, *args, **options)

    return call


def _counted_write(real: Callable[..., Any], points: Points) -> Callable[..., Any]:
    def call(handle: int, data: bytes) -> Any:
        if points.concerns(handle):
            return points.step(lambda: real(handle, data), lambda: real(handle, data[: len(data) // 2]))
        return real(handle, data)

    return call


def _counted_files(real: Callable[..., Any], points: Points) -> Callable[..., Any]:
    def call(file: Any, mode: str = 'r', *args: Any, **options: Any) -> Any:
        if set(mode) & set('wax+') and points.concerns(file):
            return CountedFile(points.step(lambda: real(file, mode, *args, **options)), points)
        return real(file, mode, *args, **options)

    return call


def hasten() -> None:
    """Shorter intervals, as tests may have them."""
    setattr(dispatcher, 'TICK', 0.1)  # noqa: B010
    setattr(dispatcher, 'PAUSE', 0.2)  # noqa: B010
    setattr(peers, 'RECOVERY_INTERVAL', 0.1)  # noqa: B010
    setattr(peers, 'TORN_PATIENCE', 0.5)  # noqa: B010
    setattr(writers, 'SPACING', 0.1)  # noqa: B010
    setattr(metrics, 'SHORTEST_PAUSE', 0.05)  # noqa: B010


def in_a_child(place: Place, words: Sequence[str], at: int, how: str) -> tuple[int, int]:
    """One hpsearch in a process of its own; returns its exit code and how many operations it made (if it got there)."""
    read, write = os.pipe()
    child = os.fork()
    if child == 0:
        os.close(read)
        _be_hpsearch(place, words, make_points(str(place.folder.path), at, how), write)
    os.close(write)
    with os.fdopen(read) as report:
        count = report.read()
    code = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    return code, int(count or 0)


def _be_hpsearch(place: Place, words: Sequence[str], points: Points, report: int) -> None:
    signal.alarm(PATIENCE)
    os.chdir(place.path)
    printed = os.open('printed/all', os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    for stream in (1, 2):
        os.dup2(printed, stream)
    os.set_inheritable(report, False)
    code = 1
    try:
        hasten()
        real_write = os.write
        patch(points)
        code = cli.main(words)
        real_write(report, str(points.count).encode())
    except BaseException:
        import traceback

        traceback.print_exc()
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code)


def stop_the_last(place: Place) -> None:
    """Let runs report a loss, and the last one be stopped by a pruner."""
    (place.path / 'train.sh').write_text(TRAINING)
    with open(place.path / 'grid.py', 'a') as grid:
        grid.write('_METRICS = []\n_PERFORMANCE_SORT_ASC = True\n')
    for module in (promotions, pruning_options):
        setattr(module, 'make_pruner', lambda name, options: ThresholdPruner(at=1, most=0.25))  # noqa: B010


def go_through(place: Place, chain: str) -> dict[str, object]:
    """One chain; returns what is printed of it."""
    points = [(int(at), how) for at, _, how in (point.partition(':') for point in chain.split(',') if point)]
    codes, counts = [], []
    options = os.environ.get('CRASH_OPTIONS', '').split()
    words = place.search_words('--cpu_jobs=2', *options)
    for at, how in [*points, (0, '')]:
        code, count = in_a_child(place, words, at, how)
        codes.append(code)
        counts.append(count)
        words = ['resume', 'out']
    if points and codes[-1] == 2 and not place.ledger():
        codes.append(in_a_child(place, place.search_words('--dont_force_new_dir', *options), 0, '')[0])
    return {'chain': chain, 'path': str(place.path), 'codes': codes, 'counts': counts}


def main() -> None:
    """Go through the chains of the command line."""
    os.environ['TRAINING_SECONDS'] = '0.03'
    here = Path(sys.argv[1])
    for number, chain in enumerate(sys.argv[2:]):
        place = Place(here / str(number), RUNS).make()
        if '--prune' in os.environ.get('CRASH_OPTIONS', ''):
            stop_the_last(place)
        print(json.dumps(go_through(place, chain)), flush=True)


if __name__ == '__main__':
    main()
