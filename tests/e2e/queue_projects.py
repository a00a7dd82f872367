"""What searches in the queues of all systems have in common, as a user makes them: real commands, jobs at gates."""

from __future__ import annotations

import subprocess
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from tests.support import gates
from tests.support.gates import Gated
from tests.support.harness import until


class QueueProject(Gated):
    """A project of runs that wait at gates, as jobs.

    Args:
        path: Where it is made.
        count: Number of runs, with ``--n`` from 1 on, in this order.
        more: More lines of the configuration.
        options: What every search is given; what is given after it wins.
        pause: Seconds between two looks of a run at its gate, as text; many jobs on few processors look more seldom.
        patience: Seconds a command may take.
    """

    def __init__(
        self, path: Path, count: int, more: str, options: Sequence[str], pause: str = '0.1', patience: float = 60.0
    ) -> None:
        super().__init__(path, count, more)
        (path / 'train.sh').write_text(gates.SCRIPT.replace('sleep 0.02', f'sleep {pause}'))
        self.started: list[subprocess.Popen[str]] = []
        self._options = options
        self._patience = patience

    def start(self, *words: str, **options: Any) -> subprocess.Popen[str]:
        """Start a search; it is killed at the end, should it live then."""
        process = super().start(*words, **options)
        self.started.append(process)
        return process

    def submit(self, *words: str) -> subprocess.Popen[str]:
        """Start a search in the queue, in the order of the grid."""
        return self.search_in_order(*self._options, '--queue_interval=1', *words)

    def drive_queue(self, settings: dict[str, Any], *words: str) -> subprocess.Popen[str]:
        """The same with other settings than a user has: see ``host_driver.py``."""
        process = self.drive_search(settings, *self._options, '--queue_interval=1', *words)
        self.started.append(process)
        return process

    def also(self, *words: str, cwd: Path | None = None) -> subprocess.Popen[str]:
        """Start any other command of hpsearch."""
        process = subprocess.Popen(
            self.command(*words), cwd=cwd or self.path, env=self.env, text=True,
            stdout=subprocess.PIPE, stderr=subprocess.PIPE,
        )  # fmt: skip
        self.started.append(process)
        return process

    def say(self, *words: str, codes: Sequence[int] = (0,)) -> str:
        """What another command of hpsearch prints."""
        return gates.finish(self.also(*words), codes, self._patience)

    def resume(self, *words: str, codes: Sequence[int] = (0,)) -> str:
        """Resume to the end, the gates as they are; returns what it prints."""
        return self.say('resume', str(self.out), *words, codes=codes)

    def kill_and_resume(self) -> subprocess.Popen[str]:
        """Kill hpsearch when two of its runs have begun, and resume when one has ended; returns the latter command."""
        search = self.submit('--num_jobs=2')
        self.wait_for_begun(2)
        until(lambda: self.told('accepted'))
        gates.kill(search)
        self.open('1')
        self.wait_for_begun(3)
        resumed = self.also('resume', 'out')
        until(lambda: len(self.told('adopted')) >= 5)
        self.open()
        return resumed

    def submissions(self) -> list[str]:
        """Names of the submissions, as the journals have them."""
        return [event['submission'] for event in self.told('submitting')]

    def pilots(self) -> list[dict[str, Any]]:
        """The headers of the journals of jobs that worked on the search."""
        return [header for header in self.told('writer') if header.get('job')]

    def clean(self) -> None:
        """End what a failed test left behind."""
        for process in self.started:
            if process.poll() is None:
                process.kill()
                process.communicate()
        super().clean()
