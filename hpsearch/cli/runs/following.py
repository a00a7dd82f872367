"""What a run prints, as it prints it: ``hpsearch logs -f``."""

from __future__ import annotations

import os
import stat
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import BinaryIO

from hpsearch.cli.options import merged_options
from hpsearch.model.control.requests import CANCELLED_ON_REQUEST
from hpsearch.model.errors import SearchFolderError
from hpsearch.model.evidence import Liveness
from hpsearch.model.history.run_history import RunHistory
from hpsearch.model.retries import RetryPolicy, why_again
from hpsearch.model.states import ACTIVE, ENDED, State
from hpsearch.records.opening import OpenedSearch
from hpsearch.store import writers
from hpsearch.store.folder import AttemptPaths, SearchFolder
from hpsearch.store.reconcile import Reconciler

SECONDS_BETWEEN_LOOKS = 0.5

_CHUNK = 1 << 20

Show = Callable[[bytes, str], None]
"""Gets what was appended to a log, and its path."""


@dataclass(frozen=True, slots=True)
class Standing:
    """Where a run stands.

    Attributes:
        attempts: The numbers of its attempts so far.
        ended: Those of them that have ended.
        is_over: Whether nothing more comes.
        words: How it ended, or why it waits.
    """

    attempts: Sequence[int] = ()
    ended: frozenset[int] = frozenset()
    is_over: bool = False
    words: str = ''


class FollowedRun:
    """A run whose search is read on and on.

    Args:
        search: The search.
        name: The name of the run.
    """

    def __init__(self, search: OpenedSearch, name: str) -> None:
        self._search = search
        self._policy = _policy_of(search)
        self.name = name

    @property
    def folder(self) -> SearchFolder:
        """Its search."""
        return self._search.folder

    def look(self, now: float) -> Standing:
        """Where it stands; ``now`` is in seconds since 1970.

        Raises:
            HpsearchError: The search cannot be read any more.
        """
        search = self._search
        if not search.folder.search_json.exists():
            raise SearchFolderError(f'{search.folder.path} is no search folder any more: it was deleted or moved.')
        search.state.replay(search.reader.news(), search.reader.place)
        lives = writers.poll_once(search.folder, search.reader.headers, search.reader.closed, now)
        is_worked_on = Liveness.ALIVE in lives.values()
        history = search.state.runs.get(self.name)
        if history is None or not history.by_number:
            return _unstarted(history, is_worked_on=is_worked_on)
        self._take_in(history, lives)
        ended = frozenset(attempt.number for attempt in history.attempts if attempt.state in ENDED)
        return Standing(
            attempts=sorted(history.by_number),
            ended=ended,
            is_over=self._is_over(history, is_worked_on=is_worked_on),
            words=': '.join(filter(None, (history.state.value, _reason(history)))),
        )

    def _take_in(self, history: RunHistory, lives: dict[str, Liveness]) -> None:
        """Find out what became of an attempt that no writer looks after."""
        last = history.attempts[-1]
        if last.state in ACTIVE and lives.get(last.owner) is not Liveness.ALIVE:
            search = self._search
            reconciler = Reconciler(
                search.folder, search.state, search.reader.headers, lives, lambda: search.completions
            )
            reconciler.take_in([last])

    def _is_over(self, history: RunHistory, *, is_worked_on: bool) -> bool:
        if history.state in (State.FINISHED, State.STOPPED):
            return True
        return history.state in ENDED and not (is_worked_on and why_again(history, self._policy))


def _unstarted(history: RunHistory | None, *, is_worked_on: bool) -> Standing:
    if history is not None and history.is_cancelled:
        return Standing(is_over=True, words=CANCELLED_ON_REQUEST)
    why = 'it waits to be started' if is_worked_on else 'it was not started, and no hpsearch works on it'
    return Standing(is_over=not is_worked_on, words=why)


def _policy_of(search: OpenedSearch) -> RetryPolicy:
    options = merged_options(search.info, {})
    chosen = options.execution
    requeues = options.neighbours.yields != 'stop'
    return RetryPolicy(chosen.max_attempts, chosen.retries, retry_timeouts=chosen.retry_timeouts, requeues=requeues)


def _reason(history: RunHistory) -> str:
    return history.attempts[-1].reason if history.state is not State.FINISHED else ''


def follow(
    run: FollowedRun,
    attempt: int,
    show: Show,
    tell: Callable[[str], None],
    *,
    pause: Callable[[float], None] = time.sleep,
    wall: Callable[[], float] = time.time,
) -> str:
    """Show what a run prints until it has ended, attempt after attempt from the latest one; returns how it ended.

    Args:
        run: The run.
        attempt: Only this attempt, until it has ended; 0: the latest one, and those that follow.
        show: Gets what is printed.
        tell: Gets why nothing is printed yet.
        pause: Waits for some seconds.
        wall: Seconds since 1970.

    Raises:
        SearchFolderError: It was not started, and nobody is there to start it; or there is no such attempt.
    """
    logs: _Logs | None = None
    told = ''
    while True:
        standing = run.look(wall())  # before the logs: what has ended has written all of them
        _check(run, standing, attempt)
        if logs is None and standing.attempts:
            logs = _Logs(run.folder, run.name, attempt or standing.attempts[-1])
        if logs is None and standing.words != told:
            tell(told := standing.words)
        if logs is not None:
            logs.pump(show)
            later = [] if attempt else [each for each in standing.attempts if each > logs.number]
            if logs.number in standing.ended and (attempt or later or standing.is_over):
                logs.close()
                if not later:
                    return standing.words
                logs = _Logs(run.folder, run.name, later[0])
                continue
        pause(SECONDS_BETWEEN_LOOKS)


def _check(run: FollowedRun, standing: Standing, attempt: int) -> None:
    if not standing.attempts and standing.is_over:
        raise SearchFolderError(f'{run.folder.path} has no output of {run.name}: {standing.words}.')
    if attempt and attempt not in standing.attempts:
        raise SearchFolderError(f'{run.folder.path} does not have attempt {attempt} of run {run.name}.')


class _Logs:
    """Both logs of an attempt, which need not be there yet."""

    def __init__(self, folder: SearchFolder, run: str, number: int) -> None:
        self.number = number
        paths: AttemptPaths = folder.attempt(run, number)
        self._paths = [paths.stdout, paths.stderr]
        self._files: dict[str, BinaryIO] = {}

    def pump(self, show: Show) -> None:
        """Show all that is new.

        Raises:
            OSError: They may not be read.
        """
        for path in self._paths:
            if path not in self._files and _is_file(path):
                self._files[path] = open(path, 'rb')
        for path, file in self._files.items():
            while data := file.read(_CHUNK):
                show(data, path)

    def close(self) -> None:
        """Close the files."""
        for file in self._files.values():
            file.close()


def _is_file(path: str) -> bool:
    """Whether there is a file; what may not be looked at is no reason to say that there is none."""
    try:
        return stat.S_ISREG(os.stat(path).st_mode)
    except FileNotFoundError:
        return False
