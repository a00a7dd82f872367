"""What a run prints is shown as it comes, until it has ended. Each pause is one step of the world."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from hpsearch.cli.runs.following import FollowedRun, follow
from hpsearch.host.kernel import this_host
from hpsearch.model.errors import SearchFolderError
from hpsearch.records.opening import open_search
from hpsearch.store.folder import SearchFolder
from hpsearch.store.journal import Journal, own_journal
from tests.support.shown_search import shown_search


class World:
    """A search of one run that this process works on.

    Args:
        folder: Its folder.
        journal: Our journal.
    """

    def __init__(self, folder: SearchFolder, journal: Journal) -> None:
        self.folder, self._journal = folder, journal
        self.run = next(iter(folder.read_runs())).name
        self.told: list[str] = []
        self.shown = b''

    def note(self, event: str, number: int, **more: Any) -> None:
        """Write an event."""
        at = {'gpus': [], 'at': 1.0} if event == 'claimed' else {}
        self._journal.append({'event': event, 'run': self.run, 'attempt': number, **at, **more})

    def ask(self, event: str, after: int) -> None:
        """Ask something of the run."""
        self._journal.append({'event': event, 'run': self.run, 'after': after, 'revision': 1, 'at': 1.0})

    def prints(self, number: int, text: bytes, *, to: str = 'stdout') -> None:
        """Let its script print."""
        path = Path(getattr(self.folder.attempt(self.run, number), to))
        path.parent.mkdir(parents=True, exist_ok=True)
        with open(path, 'ab') as log:
            log.write(text)

    def follow(self, steps: list[Callable[[], None]], attempt: int = 0) -> str:
        """Follow the run while each pause executes one step."""
        world = iter(steps)
        followed = FollowedRun(open_search(self.folder, time.time()), self.run)
        return follow(followed, attempt, self._show, self.told.append, pause=lambda _: next(world)())

    def _show(self, data: bytes, path: str) -> None:
        self.shown += data


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    folder = shown_search(tmp_path / 's', 1, waiting=1, options={'retries': 1})
    with own_journal(folder, this_host()) as journal:
        yield World(folder, journal)


def test_that_attempts_are_followed_until_the_run_has_ended(world: World) -> None:
    def begin() -> None:
        world.note('claimed', 1)
        world.note('running', 1, handle={})

    def fail() -> None:
        world.prints(1, b'two\n', to='stderr')
        world.note('ended', 1, state='failed', cause='exit', reason='exit status 1', code=1, seconds=1.0)

    def again() -> None:
        world.prints(2, b'three\n')
        world.note('claimed', 2)
        world.note('running', 2, handle={})

    def end() -> None:
        world.prints(2, b'four\n')
        world.note('ended', 2, state='finished', cause='exit', code=0, seconds=1.0, summary={'acc': '1'})

    assert world.follow([begin, lambda: world.prints(1, b'one\n'), fail, again, end]) == 'finished'
    assert world.shown == b'one\ntwo\nthree\nfour\n'
    assert world.told == ['it waits to be started']


def test_that_a_failure_that_is_not_tried_again_is_the_end(world: World) -> None:
    for number in (1, 2):
        world.prints(number, b'%d\n' % number)
        world.note('claimed', number)
        world.note('ended', number, state='failed', cause='exit', reason='exit status 1', code=1, seconds=1.0)
    assert world.follow([]) == 'failed: exit status 1'
    assert world.shown == b'2\n'
    world.shown = b''
    assert world.follow([], attempt=1) == 'failed: exit status 1'
    assert world.shown == b'1\n'


def test_that_what_nobody_looks_after_is_followed_by_its_files(tmp_path: Path) -> None:
    folder = shown_search(tmp_path / 's', 1, waiting=1)
    with own_journal(folder, this_host()) as journal:
        world = World(folder, journal)
        world.note('claimed', 1)
        world.note('running', 1, handle={})
    world.prints(1, b'one\n')
    files = folder.attempt(world.run, 1)
    Path(files.started).write_text(f'{journal.writer}:{world.run}:1 4194305 1\n')
    Path(files.exit).write_text('1\n')
    assert world.follow([]).startswith('failed')
    assert world.shown == b'one\n'


def test_that_what_nobody_will_start_is_an_error(tmp_path: Path) -> None:
    folder = shown_search(tmp_path / 's', 1, waiting=1)
    followed = FollowedRun(open_search(folder, time.time()), next(iter(folder.read_runs())).name)
    with pytest.raises(SearchFolderError, match='it was not started, and no hpsearch works on it'):
        follow(followed, 0, lambda *_: None, print)


def test_that_an_attempt_that_is_not_there_is_an_error(world: World) -> None:
    world.note('claimed', 1)
    with pytest.raises(SearchFolderError, match='does not have attempt 3'):
        world.follow([], attempt=3)


def test_that_a_run_that_was_cancelled_before_it_was_started_has_no_output(world: World) -> None:
    world.ask('cancel', after=0)
    with pytest.raises(SearchFolderError, match=r'no output of .*: cancelled by hpsearch cancel'):
        world.follow([])


def test_that_following_ends_where_the_search_is_deleted(world: World) -> None:
    with pytest.raises(SearchFolderError, match='deleted or moved'):
        world.follow([world.folder.search_json.unlink])


def test_that_logs_that_cannot_be_looked_at_are_an_error(world: World) -> None:
    world.prints(1, b'')
    log = Path(world.folder.attempt(world.run, 1).stdout)
    log.unlink()
    log.symlink_to(log)
    world.note('claimed', 1)
    world.note('ended', 1, state='finished', cause='exit', code=0, seconds=1.0)
    with pytest.raises(OSError, match='symbolic links'):
        world.follow([])
