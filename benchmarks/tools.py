"""What every measurement needs: a place to work in, timed processes, interleaved repetitions, lines of a table."""

from __future__ import annotations

import os
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

CHECKOUT = Path(__file__).resolve().parent.parent


@dataclass(frozen=True)
class Line:
    """A line of the table that is printed at the end; every cell is text, an empty one means there is no such thing."""

    what: str
    ours: str
    baseline: str = ''
    ratio: str = ''
    target: str = ''


@dataclass(frozen=True)
class Sample:
    """One timed process.

    Attributes:
        wall: Seconds from its start to its end.
        cpu: Seconds of processor time, user and system, with every descendant that was waited for.
        peak: The largest resident memory of one of these processes, in MiB.
        begin: When it was started, in seconds of the monotonic clock.
    """

    wall: float
    cpu: float
    peak: float
    begin: float


@dataclass(frozen=True)
class Place:
    """A folder to measure in.

    Attributes:
        path: The folder.
        variables: What the environment of timed processes has on top of ours.
    """

    path: Path
    variables: Mapping[str, str] = field(default_factory=dict)

    def below(self, name: str) -> Place:
        """A folder of its own in it."""
        (self.path / name).mkdir()
        return Place(self.path / name, self.variables)

    @property
    def environment(self) -> dict[str, str]:
        """In which this checkout is measured, whatever is installed, with Python's settings as they are for a user."""
        others = {name: value for name, value in os.environ.items() if not name.startswith('PYTHON')}
        return {**others, 'PYTHONPATH': str(CHECKOUT), **self.variables}

    def start(self, argv: Sequence[str], given: bytes = b'') -> subprocess.Popen[bytes]:
        """Start a process here, its output in the file ``output``."""
        (self.path / 'input').write_bytes(given)
        with open(self.path / 'input', 'rb') as stdin, open(self.path / 'output', 'wb') as output:
            return subprocess.Popen(
                argv, cwd=self.path, env=self.environment, stdin=stdin, stdout=output, stderr=subprocess.STDOUT
            )

    def timed(self, argv: Sequence[str], given: bytes = b'') -> Sample:
        """Run a process here to its end.

        Raises:
            SystemExit: It failed, so that its time means nothing.
        """
        begin = time.monotonic()
        process = self.start(argv, given)
        _, status, usage = os.wait4(process.pid, 0)
        wall = time.monotonic() - begin
        process.returncode = os.waitstatus_to_exitcode(status)
        if process.returncode:
            raise SystemExit(f'{" ".join(argv)[:200]} ended with {process.returncode}:\n{self.output()[-2000:]}')
        return Sample(wall, usage.ru_utime + usage.ru_stime, usage.ru_maxrss / 1024, begin)

    def output(self) -> str:
        """What the latest process wrote."""
        return (self.path / 'output').read_text(encoding='utf-8', errors='replace')


def hpsearch(*words: str) -> list[str]:
    """The command ``python -m hpsearch`` of this checkout."""
    return [sys.executable, '-m', 'hpsearch', *words]


def interleaved(works: Mapping[str, Callable[[], Sample]], rounds: int) -> dict[str, list[Sample]]:
    """Call each in turn, as often as there are rounds: what disturbs the machine for a while disturbs all alike."""
    taken: dict[str, list[Sample]] = {name: [] for name in works}
    for _ in range(rounds):
        for name, work in works.items():
            taken[name].append(work())
    return taken


def wall(samples: Sequence[Sample]) -> float:
    """The median wall-clock time."""
    return statistics.median(sample.wall for sample in samples)


def cpu(samples: Sequence[Sample]) -> float:
    """The median processor time."""
    return statistics.median(sample.cpu for sample in samples)


def both(samples: Sequence[Sample]) -> str:
    """Wall-clock and processor time as a cell."""
    return f'{wall(samples):.2f} s (cpu {cpu(samples):.2f} s)'


def median_ratio(above: Sequence[Sample], below: Sequence[Sample]) -> float:
    """The median of the ratios of wall-clock times, round by round."""
    return statistics.median(one.wall / other.wall for one, other in zip(above, below, strict=True))


def percentile(values: Sequence[float], share: float) -> float:
    """The value that a share (0-1) of the values does not exceed."""
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(share * len(ordered)))]
