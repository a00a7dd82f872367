"""A project whose runs train on a box of stand-in GPUs, and what became of them there."""

from __future__ import annotations

import os
import signal
import subprocess
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from hpsearch.host.processes import send_signal
from hpsearch.store.attempt_files import attempt_processes
from hpsearch.store.folder import SearchFolder
from tests.fakes.nvml.box import FakeBox
from tests.support.cli_harness import Project
from tests.support.paths import REPOSITORY


class PackedProject(Project):
    """Runs whose use of a GPU follows from their parameters.

    Attributes:
        box: The GPUs.

    Args:
        path: Where it is made.
        sizes: MiB of each GPU.
        **formulas: What a run uses (:func:`tests.fakes.nvml.training.train`).
    """

    def __init__(self, path: Path, sizes: Sequence[int], **formulas: str) -> None:
        super().__init__(path)
        self.box = FakeBox(path / 'nvml', sizes)
        self.box.write_script(path / 'train.py', **formulas)
        self.env.update(self.box.env())
        self.env['PATH'] = f'{Path(self.command()[0]).parent}{os.pathsep}{self.env["PATH"]}'
        self.env['PYTHONPATH'] = str(REPOSITORY)

    def configure(self, grid: Mapping[str, list[Any]], more: str = '') -> None:
        super().configure(grid, f"_SUMMARY_KEYWORDS = ['acc', 'finished']\n_PERFORMANCE_KEY = 'acc'\n{more}")

    def pack(self, *words: str) -> tuple[str, ...]:
        """The options of a search that packs."""
        return ('--packing=auto', '--sim_startup_time=2', '--fail_fast=0', *words)

    def join(self, *words: str) -> subprocess.Popen[str]:
        """Start another process that works on the search."""
        pipes: dict[str, Any] = {'stdout': subprocess.PIPE, 'stderr': subprocess.PIPE, 'text': True}
        return subprocess.Popen(self.command('join', 'out', *words), cwd=self.path, env=self.env, **pipes)

    def ends(self, *states: str) -> list[dict[str, Any]]:
        """The ends of attempts, or those in some states."""
        ended = [event for event in self.events() if event.get('event') == 'ended']
        return [event for event in ended if not states or event['state'] in states]

    def most_at_once(self) -> int:
        """How many attempts were under way together, at most."""
        return _most(self.moments())

    def moments(self) -> list[tuple[float, int]]:
        """When attempts began (1) and ended (-1), in seconds since 1970."""
        began = {(each['run'], each['attempt']): each['at'] for each in self.events() if each.get('event') == 'claimed'}
        ended = {(each['run'], each['attempt']): each['seconds'] or 0.0 for each in self.ends()}
        return [(at, 1) for at in began.values()] + [(began[key] + took, -1) for key, took in ended.items()]

    def makespan(self) -> float:
        """Seconds from the first start to the last end."""
        times = [at for at, _ in self.moments()]
        return max(times) - min(times)

    def clean(self) -> None:
        """End what a failed test left behind."""
        for process in attempt_processes(SearchFolder(self.out)) if self.out.exists() else ():
            send_signal(process, signal.SIGKILL)


def _most(moments: Sequence[tuple[float, int]]) -> int:
    most = now = 0
    for _, change in sorted(moments):
        now += change
        most = max(most, now)
    return most


@contextmanager
def packed(path: Path, sizes: Sequence[int], **formulas: str) -> Iterator[PackedProject]:
    """A project whose processes are gone at the end."""
    project = PackedProject(path, sizes, **formulas)
    try:
        yield project
    finally:
        project.clean()
