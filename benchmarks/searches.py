"""The searches that are measured, and the same commands given to xargs."""

from __future__ import annotations

import shlex
import shutil
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmarks.tools import Place, Sample, hpsearch

SOURCE = Path(__file__).with_name('stamp.c')

ORDER = ('--random_seed=1', '--fail_fast=0')


@dataclass(frozen=True)
class Search:
    """A configuration of commands that leave no summary.

    Attributes:
        place: Where it is.
        module: Its file.
    """

    place: Place
    module: Path

    def run(self, *options: str) -> Sample:
        """The whole command, from its start to its exit, its results in a folder of their own.

        In one folder, a second search within a second would wait for a name of its own.
        """
        results = tempfile.mkdtemp(prefix='out', dir=self.place.path)
        return self.place.timed(hpsearch(f'--grid_module={self.module}', f'--out_dir={results}', *ORDER, *options))

    def planned(self) -> list[list[str]]:
        """The words of each command, without output folders."""
        self.place.timed(hpsearch('plan', '--commands', f'--grid_module={self.module}', *ORDER))
        return [shlex.split(line) for line in self.place.output().splitlines()]

    def pasted(self) -> list[list[str]]:
        """The words of each command, with the output folders of a search that was run before."""
        earlier = next(self.place.path.glob('out*/*/commands.sh'))
        return [shlex.split(line) for line in earlier.read_text().splitlines()]


def make_search(place: Place, grid: Mapping[str, Sequence[Any]], command: Sequence[str], **attributes: Any) -> Search:
    """Write the configuration."""
    settings = {'SUMMARY_FILENAME': None, 'SUMMARY_KEYWORDS': [], 'PERFORMANCE_KEY': None, **attributes}
    lines = [f'grid = {dict(grid)!r}', 'conditions = []', f'_COMMAND = {list(command)!r}']
    lines += [f'_{name} = {value!r}' for name, value in settings.items()]
    module = place.path / 'grid_module.py'
    module.write_text('\n'.join(lines) + '\n')
    return Search(place, module)


def xargs(place: Place, jobs: int, commands: Sequence[Sequence[str]]) -> Sample:
    """Execute exactly these words, so many at a time, with ``xargs -P``.

    They are separated by NUL, so that xargs reads no quotes; all commands have the same program and number of words.

    Raises:
        ValueError: They have not.
    """
    programs = {command[0] for command in commands}
    counts = {len(command) - 1 for command in commands}
    if len(programs) != 1 or len(counts) != 1:
        raise ValueError(f'not alike: programs {programs}, words {counts}')
    given = '\0'.join(word for command in commands for word in command[1:]).encode()
    return place.timed(['xargs', '-0', f'-P{jobs}', f'-n{counts.pop()}', programs.pop()], given)


def compile_stamp(place: Place) -> str | None:
    """The path of the program that notes its start and its end; None where there is no C compiler."""
    compiler = shutil.which('gcc') or shutil.which('cc')
    if compiler is None:
        return None
    program = place.path / 'stamp'
    if not program.exists():
        place.timed([compiler, '-O2', '-o', str(program), str(SOURCE)])
    return str(program)


def stamps(folder: Path) -> list[tuple[float, float]]:
    """Start and end, in seconds of the monotonic clock, of every run that noted them in a folder."""
    pairs = (path.read_text().split() for path in folder.iterdir())
    return [(int(start) / 1e9, int(end) / 1e9) for start, end in pairs]
