"""When somebody is told: of a failure as soon as it is final, and of the end, by one of those who work on a search."""

from __future__ import annotations

import hashlib
import logging
import os
import sys
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from hpsearch.backends.queue.own_job import is_pilot
from hpsearch.cli.exit_codes import ALL_FINISHED
from hpsearch.cli.notifying.commands import Commands
from hpsearch.cli.notifying.facts import MOST_KINDS, Standing, facts_of, facts_without_search, finite
from hpsearch.cli.notifying.options import NotifyOptions
from hpsearch.host.signals import StopRequests, stop_signals
from hpsearch.model.errors import HpsearchError, SearchFolderError, trouble_in_words
from hpsearch.model.evidence import Liveness
from hpsearch.model.history.attempt import Attempt
from hpsearch.model.history.search_state import SearchState
from hpsearch.model.states import ACTIVE, State
from hpsearch.store.folder import SearchFolder
from hpsearch.store.journal import first_headers
from hpsearch.store.writers import poll_once
from hpsearch.ui.terminal import put_line

if TYPE_CHECKING:
    from hpsearch.cli.search_runner import SearchResult
    from hpsearch.dispatch.context import SearchContext

log = logging.getLogger('hpsearch')

NOTICES = 'notices'
"""The folder, in that of the search, with what the commands printed."""

FINISHED = 'finished'
RUN_FAILED = 'run_failed'


def event_at_end(result: SearchResult, code: int) -> str:
    """What has happened, in one word; empty: it is no end, since others go on with the search, or jobs of it do.

    Args:
        result: What the work has come to.
        code: The exit code of this process.
    """
    outcome = result.outcome
    if result.all_finished or result.has_reached_target:
        return FINISHED
    if outcome.failed_fast or outcome.refused:
        return 'failed'
    if outcome.left is not None:
        return 'interrupted' if code != ALL_FINISHED else ''
    if outcome.interrupted:
        return 'drained' if outcome.drained else 'interrupted'
    if outcome.unknown:
        return 'failed'
    return '' if any(history.state in ACTIVE for history in result.state.wanted) else FINISHED


def key_of(state: SearchState) -> str:
    """A name for what the runs of a search have come to: another one as soon as one of them has got an attempt."""
    ends = sorted(f'{each.name} {max(each.by_number, default=0)} {each.state}' for each in state.wanted)
    return _short('\n'.join(ends))


def _short(text: str) -> str:
    return hashlib.sha256(text.encode(errors='surrogateescape')).hexdigest()[:12]


class Notices:
    """Has the commands of a search executed.

    Nothing that goes wrong with them is more than a warning.

    Args:
        folder: The search.
        options: The commands.
        clock: Monotonic seconds.
    """

    def __init__(
        self, folder: SearchFolder, options: NotifyOptions, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._folder = folder
        self._commands = {'on_finish': options.on_finish or (), 'on_failure': options.on_failure or ()}
        self._clock = clock
        self._begin = clock()
        self._started = Commands()
        self._given_up: frozenset[str] | None = None
        self._kinds: set[str] = set()

    # While the search is worked on

    def watch(self, search: SearchContext) -> None:
        """Tell of runs that have failed for good since the last call; those of the first call were there before."""
        for problem in self._started.poll(self._clock()):
            log.warning(problem)
        given_up = frozenset(search.pending.given_up) if self._commands['on_failure'] else self._given_up
        if given_up is None or given_up == self._given_up:
            return
        earlier, self._given_up = self._given_up, given_up
        if earlier is not None:
            self._tell_failures(search, sorted(given_up - earlier))

    def _tell_failures(self, search: SearchContext, names: Iterable[str]) -> None:
        for name in names:
            history = search.state.runs.get(name)
            attempt = history.deciding if history else None
            if attempt is None or attempt.state is not State.FAILED:
                continue
            kind = _short(attempt.failure or attempt.reason)
            if kind not in self._kinds and self._shall_tell_kinds(kind):
                try:
                    self._tell_failure(search, attempt, kind)
                except (HpsearchError, OSError) as error:
                    log.warning('nobody was told that %s failed: %s', name, _in_words(error))

    def _shall_tell_kinds(self, kind: str) -> bool:
        """Whether a kind of failure is ours to be told, and not too many were told before."""
        if is_pilot(self._folder) and self._has_outsiders():
            return False  # who works outside of jobs hears of it, and can tell
        self._kinds.add(kind)
        try:
            told = list((self._folder.path / NOTICES).glob(f'{RUN_FAILED}-*.log'))
        except OSError:
            return False
        return len(told) < MOST_KINDS

    def _has_outsiders(self) -> bool:
        """Whether an hpsearch that is in no job works on the search."""
        try:
            headers = first_headers(self._folder)
            lives = poll_once(self._folder, headers, (), time.time())
        except (OSError, SearchFolderError):
            return True
        return any(life is Liveness.ALIVE and 'job' not in headers[writer] for writer, life in lives.items())

    def _tell_failure(self, search: SearchContext, attempt: Attempt, kind: str) -> None:
        run = self._folder.find_run(attempt.run)
        failed = {
            'run': attempt.run,
            'attempt': attempt.number,
            'params': dict(run.params) if run else {},
            'reason': attempt.reason,
            'places': list(attempt.places),
        }
        standing = Standing(search.folder, search.configuration, search.state, search.pending.total)
        facts = facts_of(standing, RUN_FAILED, self._elapsed, failed_run=failed)
        self._tell('on_failure', f'{RUN_FAILED}-{kind}', facts, log.warning)

    # At the end

    @contextmanager
    def of_a_crash(self) -> Iterator[None]:
        """Tell of an error that ends the work on the search, which is raised again."""
        try:
            yield
        except Exception as error:
            facts = {**facts_without_search(self._folder, 'crashed', self._elapsed), 'error': _in_words(error)}
            if not is_pilot(self._folder):
                with stop_signals() as requests:
                    self._tell('on_failure', f'crashed-{_short(f"{time.time()} {os.getpid()}")}', facts, _warn)
                    self._finish(requests)
            raise

    def tell_end(self, result: SearchResult, code: int) -> None:
        """Tell that the search has ended, unless others go on with it or have told so.

        Args:
            result: What the work has come to.
            code: The exit code of this process.
        """
        with stop_signals() as requests:  # Ctrl-C ends a command, and changes nothing of what hpsearch exits with
            try:
                if any(self._commands.values()):
                    self._tell_end(result, code)
            except (HpsearchError, OSError) as error:
                _warn(f'nobody was told of the end: {_in_words(error)}')
            self._finish(requests)

    def _tell_end(self, result: SearchResult, code: int) -> None:
        result.state.replay(result.reader.news(skip=result.writer), result.reader.place)
        event = event_at_end(result, code)
        if not event or not self._is_ours(result, event):
            return
        option = 'on_finish' if event == FINISHED else 'on_failure'
        if not self._commands[option]:
            return
        standing = Standing(result.folder, result.configuration, result.state, result.total)
        words = {'reason': result.outcome.failed_fast or result.outcome.refused}
        facts = facts_of(standing, event, self._elapsed, exit_code=code, **words)
        self._tell(option, f'{event}-{key_of(result.state)}', facts, _warn)

    def _is_ours(self, result: SearchResult, event: str) -> bool:
        """Whether nobody else is to tell this: who works outside of jobs, or goes on with a search that has not ended.

        Of several that end together, the last one to close its journal sees that all others have.
        """
        headers = result.reader.headers
        lives = poll_once(self._folder, headers, result.reader.closed, time.time())
        alive = [name for name, life in lives.items() if life is Liveness.ALIVE and name != result.writer]
        if is_pilot(self._folder):
            return event == FINISHED and all('job' in headers[name] for name in alive)
        return event == FINISHED or not alive

    # Commands

    @property
    def _elapsed(self) -> float:
        return self._clock() - self._begin

    def _tell(self, option: str, name: str, facts: Mapping[str, Any], warn: Callable[[str], object]) -> None:
        words = self._commands[option]
        if not words:
            return
        environment = {'HPSEARCH_DIR': str(self._folder.path), 'HPSEARCH_EVENT': str(facts['event'])}
        output = self._folder.path / NOTICES / f'{name}.log'
        problem = self._started.start(f'--{option}', words, finite(facts), environment, output, self._clock())
        if problem:
            warn(problem)

    def _finish(self, requests: StopRequests) -> None:
        for problem in self._started.finish(self._clock, lambda: requests.stops > 0):
            _warn(problem)


def _in_words(error: Exception) -> str:
    return trouble_in_words(error) if isinstance(error, OSError) else str(error) or type(error).__name__


def _warn(problem: str) -> None:
    put_line(sys.stderr, f'hpsearch: warning: {problem}')
