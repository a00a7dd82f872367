"""A search folder with attempts in a queue, as a dispatcher that has left leaves it; no queue is needed."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from hpsearch.host.kernel import Host, this_host
from hpsearch.model.configuration import Configuration, plain_attributes
from hpsearch.model.history.attempt import Attempt
from hpsearch.model.history.search_state import SearchState
from hpsearch.model.retries import room_in_queue
from hpsearch.store.attempt_files import attempt_id, claim
from hpsearch.store.folder import SearchFolder
from hpsearch.store.journal import Journal, open_journals

SUMMARY = 'acc {acc}\nfinished 1\n'
MEMORY_ERROR = 'Traceback (most recent call last):\n  File "train.py", line 1\nMemoryError\n'

ROOM = room_in_queue(8192, 32768)
"""What its jobs had, and may have."""

BEGIN = 1_700_000_000.0
"""When its attempts were submitted, in seconds since 1970."""

GONE: Mapping[str, Any] = {'pid': 2**22 + 1, 'ticks': '1'}
"""A process that is not there: pids are smaller."""


def elsewhere(name: str) -> Host:
    """Another host than this one."""
    return replace(this_host(), name=name, machine=f'machine of {name}', boot=name, namespace=name)


class QueuedSearch:
    """A search with one submission.

    Args:
        path: Its folder.
        host: Where its dispatcher is; None: here.
        process: The process of its dispatcher; by default one that is gone.
        queue: ``slurm`` or ``lsf``.
        handles: Callables that only the module of its configuration has.
        header: What else the header of its journal tells.
        more: More of its configuration.
    """

    def __init__(
        self,
        path: Path,
        *,
        host: Host | None = None,
        process: Mapping[str, Any] = GONE,
        queue: str = 'lsf',
        handles: tuple[str, ...] = (),
        header: Mapping[str, Any] | None = None,
        **more: Any,
    ) -> None:
        self.queue = queue
        self.configuration = Configuration(
            source=str(path.with_name('config.py')), sha256='', grid={'lr': [0.1]}, script='train.py',
            summary_filename='summary.txt', summary_keywords=('acc', 'finished'), performance_key='acc', **more,
        )  # fmt: skip
        self.folder = SearchFolder(path)
        self.folder.path.mkdir()
        self.folder.jobs_dir.mkdir()
        attributes = {**plain_attributes(self.configuration), 'handles': list(handles)}
        described = {'attributes': attributes, 'module': 'config.py', 'cwd': str(path.parent)}
        self.folder.write_info({'configuration': described, 'options': {}, 'run_cwd': '/', 'interpreter': 'python3'})
        whose = (host or this_host()).as_header()
        self.journal = Journal(self.folder, 'w', {**whose, **process, 'at': BEGIN, **(header or {})})
        self.names: list[str] = []
        self.submissions = 0

    def plan(self, count: int) -> list[str]:
        """Add runs to the plan; returns their names."""
        numbers = range(len(self.names) + 1, len(self.names) + count + 1)
        names = [f'sim_{number:03d}' for number in numbers]
        with self.folder.runs_jsonl.open('a') as plan:
            for name, number in zip(names, numbers, strict=True):
                argv = ['python3', 'train.py', f'--lr={number}']
                plan.write(json.dumps({'run': name, 'number': number, 'params': {'lr': number}, 'argv': argv}) + '\n')
        self.names += names
        return names

    def event(self, kind: str, **facts: Any) -> None:
        """Journal an event."""
        self.journal.append({'event': kind, **facts})

    def submit(self, count: int, *, accepted: bool = True, room: Mapping[str, Any] = ROOM, **facts: Any) -> list[str]:
        """Plan runs and submit them as one array; returns their names."""
        names = self.plan(count)
        self.submissions += 1
        submission = f'hps-x-{self.submissions}'
        for name in names:
            self.claim(name, **facts)
        attempts = [[name, 1] for name in names]
        self.event(
            'submitting', queue=self.queue, submission=submission, attempts=attempts, throttle=2, at=BEGIN, room=room
        )  # fmt: skip
        if accepted:
            self.event('accepted', submission=submission, job=str(100 + self.submissions), at=BEGIN)
            for name in names:
                self.event('submitted', run=name, attempt=1)
        return names

    def claim(self, name: str, number: int = 1, **facts: Any) -> None:
        """Claim an attempt."""
        assert claim(self.folder, name, number, 'w')
        self.event('claimed', run=name, attempt=number, at=BEGIN, **facts)

    def write(self, name: str, file: str, text: str) -> None:
        """Write one of the files of an attempt."""
        Path(self.folder.attempt(name, 1).folder, file).write_text(text)

    def start(self, name: str, host: str = 'node7') -> None:
        """Pass the start fence, as the job does."""
        self.write(name, 'started', f'{attempt_id("w", name, 1)} 77 101 0 {host}\n')
        self.write(name, 'stdout.log', '')
        self.write(name, 'stderr.log', '')

    def start_here(self, name: str, pid: int = 2**22 + 1) -> None:
        """Pass the start fence as a process of this host; by default one that is gone."""
        self.write(name, 'started', f'{attempt_id("w", name, 1)} {pid}\n')

    def end(
        self, name: str, code: int, acc: float | str | None = None, *, stderr: str = '', signalled: str = ''
    ) -> None:
        """Leave what a job leaves that ends; with ``acc``: also a summary."""
        self.start(name)
        if acc is not None:
            self.leave_summary(name, acc)
        if stderr:
            self.write(name, 'stderr.log', stderr)
        if signalled:
            self.write(name, 'signalled', f'{signalled}\n')
        self.write(name, 'exit', f'{code}\n')

    def leave_summary(self, name: str, acc: float | str) -> None:
        """Leave a summary that says finished."""
        self.folder.output(name).mkdir()
        (self.folder.output(name) / 'summary.txt').write_text(SUMMARY.format(acc=acc))

    def leave(self) -> None:
        """End the journal, as a dispatcher does that leaves."""
        self.event('closed', at=BEGIN)

    def beat(self, age: float = 0.0, **news: Any) -> None:
        """Show life, so many seconds ago."""
        self.journal.beat(news)
        path = self.folder.journal_dir / 'w.alive'
        changed = path.stat().st_mtime - age
        os.utime(path, (changed, changed))

    def state(self) -> SearchState:
        """What the journals say."""
        return open_journals(self.folder)[0]

    def attempt(self, state: SearchState, name: str, number: int = 1) -> Attempt:
        """One attempt, as a state has it."""
        found = state.attempt_of(name, number)
        assert found is not None
        return found
