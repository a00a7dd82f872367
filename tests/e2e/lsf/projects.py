"""Searches on a pretend LSF, as a user makes them: real commands, and jobs that wait at gates."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from tests.e2e.queue_projects import QueueProject
from tests.fakes.lsf import FakeLsf
from tests.support.harness import until

if TYPE_CHECKING:
    from tests.fakes.lsf import Call, Seen

QUEUE = ('--run_cluster', '--scheduler=lsf', '--resources=rusage[mem=100]', '--num_hours=1')
"""Options of searches whose runs are small jobs; what is given after them wins."""

OPEN = ('PEND', 'PSUSP', 'PROV', 'WAIT', 'RUN', 'USUSP', 'SSUSP', 'UNKWN', 'ZOMBI')
"""States of jobs that have not ended."""


class LsfProject(QueueProject):
    """A project of runs that wait at gates, as jobs.

    Args:
        path: Where it is made.
        lsf: Where its jobs run.
        count: Number of runs, with ``--n`` from 1 on, in this order.
        more: More lines of the configuration.
    """

    def __init__(self, path: Path, lsf: FakeLsf, count: int = 3, more: str = '') -> None:
        super().__init__(path, count, more, QUEUE)
        self.lsf = lsf
        self.env = {**lsf.env(), 'PYTHONPATH': self.env['PYTHONPATH']}
        self.env['PATH'] = f'{Path(sys.executable).parent}{os.pathsep}{self.env["PATH"]}'
        self.env.pop('CUDA_VISIBLE_DEVICES', None)

    # Commands

    def bsub(self, *words: str, stdin: str = '') -> int:
        """Submit a job of one's own from the project; returns its number."""
        done = self.lsf.run('bsub', *words, stdin=stdin, cwd=self.path, env=self.env)
        assert done.returncode == 0, done.stderr
        return int(done.stdout.partition('<')[2].partition('>')[0])

    # What the queue says

    def jobs(self, *states: str) -> list[Seen]:
        """Elements of this search, or those of them that are in these states."""
        names = self.submissions()
        return [
            seen
            for seen in self.lsf.jobs()
            if seen.name.partition('[')[0] in names and (not states or seen.state in states)
        ]

    def calls(self, name: str) -> list[Call]:
        """Calls of one of LSF's commands."""
        return self.lsf.calls(name)

    def wait_for_listings(self, count: int) -> None:
        """Wait until the jobs have been listed so many times more."""
        seen = len(self.calls('bjobs')) + count
        until(lambda: len(self.calls('bjobs')) >= seen, 60.0)

    def element(self, number: str, attempt: int = 1) -> Seen:
        """The element in which an attempt is, by the value of ``--n``."""
        name = self.run_name(number)
        for event in self.told('submitting'):
            if [name, attempt] in event.get('attempts', ()):
                title = f'{event["submission"]}[{event["attempts"].index([name, attempt]) + 1}]'
                return next(seen for seen in self.lsf.jobs() if seen.name == title)
        raise AssertionError(f'attempt {attempt} of {number} was not submitted')

    def kill_job(self, *elements: Seen) -> None:
        """``bkill`` by hand."""
        for seen in elements:
            self.lsf.run('bkill', f'{seen.job}[{seen.index}]')

    def wait_until_running(self, count: int) -> None:
        """Wait until so many scripts have begun and hpsearch knows that their jobs run."""
        self.wait_for_begun(count)
        until(lambda: len(self.told('running')) >= count)

    def most_at_a_time(self) -> int:
        """How many elements of this search ran at a time at most."""
        now = time.time()
        changes = sorted(
            change
            for seen in self.jobs()
            if seen.started is not None
            for change in ((seen.started, 1), (seen.ended or now, -1))
        )
        running = [sum(step for _, step in changes[: end + 1]) for end in range(len(changes))]
        return max(running, default=0)

    def clean(self) -> None:
        """End what a failed test left behind."""
        super().clean()
        self.lsf.end()
        assert self.lsf.errors() == []


@contextmanager
def lsf_project(path: Path, lsf: FakeLsf, count: int = 3, more: str = '') -> Iterator[LsfProject]:
    """A project whose processes and jobs are gone at the end."""
    project = LsfProject(path, lsf, count, more)
    try:
        yield project
    finally:
        project.clean()
