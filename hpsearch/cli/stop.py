"""``hpsearch stop``: stop a search from another terminal or host."""

from __future__ import annotations

import collections
import os
import time
from collections.abc import Collection, Iterator, Sequence

from hpsearch.backends.base import JobCounts
from hpsearch.backends.local.slots import FixedSlots
from hpsearch.cli.backends.asking import JobAsker
from hpsearch.cli.backends.jobs import queue_backend
from hpsearch.cli.backends.queue_system import check_queue, installed_system
from hpsearch.cli.backends.this_machine import local_backend
from hpsearch.cli.context import process_context
from hpsearch.cli.options import SearchOptions, merged_options
from hpsearch.cli.resume import check_that_it_is_no_live_copy, open_search
from hpsearch.cli.search_runner import work, work_options
from hpsearch.dispatch.context import EventRecorder
from hpsearch.dispatch.dispatcher import Outcome
from hpsearch.host import kernel
from hpsearch.model.command import shell_line
from hpsearch.model.errors import BackendError
from hpsearch.model.evidence import Liveness, ProcessState
from hpsearch.model.history.search_state import SearchState
from hpsearch.model.states import ACTIVE, Event, State
from hpsearch.model.units import count_of
from hpsearch.records import opening
from hpsearch.records.reading import reconciled
from hpsearch.store import writers
from hpsearch.store.folder import SearchFolder
from hpsearch.store.journal import JournalReader, open_journals, own_journal
from hpsearch.store.opening.trust import to_work_on

POLL_INTERVAL = 0.2
"""Seconds between two checks whether a dispatcher has exited."""


def stop_search(folder: SearchFolder, *, drain: bool, trust: bool) -> Iterator[str]:
    """Ask every dispatcher of a search to stop; where none is alive, end its runs from here.

    Args:
        folder: The search.
        drain: Let the runs that have started end.
        trust: Stop also the search of another user.

    Yields:
        What happens, in sentences.

    Raises:
        HpsearchError: It is no search, or belongs to another user.
    """
    folder.read_info()  # says first what is no search
    folder = to_work_on(folder, trust=trust)
    info = folder.read_info()
    check_that_it_is_no_live_copy(folder, info)
    with own_journal(folder, kernel.this_host(), asks=True) as journal:
        # Before anything is read: a writer that is just starting, and is in no journal yet, will read it.
        EventRecorder(SearchState(), journal).note('stop', id=os.urandom(8).hex(), drain=drain)
        journal.sync()
    state, reader = open_journals(folder)
    writers.forget_pilots_of_originals(state, folder, info)
    here, elsewhere = _at_work(folder, reader)
    if not here and not elsewhere:
        yield from _end_here(folder, state, merged_options(info, {'quiet': True, 'wait_for_queue': False}), drain)
        return
    yield from _requests(here, elsewhere)
    while any(_is_at_work_here(folder, reader, writer) for writer in here):
        time.sleep(POLL_INTERVAL)
        collections.deque(reader.news(), maxlen=0)
    left = _left_by(here, folder)
    _check_that_none_is_left(_again(folder), sum(each['jobs'] for each in left), [each['reason'] for each in left])
    if here:
        yield 'drained' if drain else 'stopped'


def _again(folder: SearchFolder) -> str:
    """The command that tries again to stop a search."""
    return shell_line(['hpsearch', 'stop', str(folder.path)])


def _check_that_none_is_left(again: str, jobs: int, reasons: Sequence[str]) -> None:
    """Check that nobody left while jobs may go on; ``again``: the command that tries again to end them.

    Raises:
        BackendError: There may be such jobs.
    """
    why = '; '.join(filter(None, reasons))
    if jobs or why:
        what = count_of(jobs, 'job') if jobs else 'jobs of this search'
        raise BackendError(
            f'{what} may go on in the queue: {why or "hpsearch was asked not to wait for their ends"}. '
            f'Try again later: {again}'
        )


def _left_by(here: Collection[str], folder: SearchFolder) -> list[Event]:
    """What these dispatchers have journaled of jobs that may go on without them."""
    news = JournalReader(folder).news()
    return [event for writer, event in news if writer in here and event['event'] == 'leaving']


def _at_work(folder: SearchFolder, reader: JournalReader) -> tuple[list[str], list[str]]:
    """Dispatchers that are alive on this host, and those elsewhere that may be."""
    lives = writers.poll_once(folder, reader.headers, reader.closed, time.time())
    found = [writer for writer, life in lives.items() if life is not Liveness.DEAD]
    host = kernel.this_host()
    here = [writer for writer in found if kernel.host_of(reader.headers[writer]) == host]
    return here, [writer for writer in found if writer not in here]


def _is_at_work_here(folder: SearchFolder, reader: JournalReader, writer: str) -> bool:
    """Whether a writer has not exited; one whose process is hidden from us shows life until it leaves."""
    header = reader.headers[writer]
    lives = writers.poll_once(folder, {writer: header}, reader.closed, time.time())
    return lives[writer] is Liveness.ALIVE or writers.process_of(header) is ProcessState.ALIVE


def _requests(here: list[str], elsewhere: list[str]) -> Iterator[str]:
    if here:
        yield f'asked {len(here)} hpsearch on this host to stop; waiting for it to exit (Ctrl-C only ends the waiting)'
    for writer in elsewhere:
        yield f'asked {writer}, on another host, to stop: it will if it is alive'


def _end_here(folder: SearchFolder, state: SearchState, options: SearchOptions, drain: bool) -> Iterator[str]:
    active = [name for name, history in state.runs.items() if history.state in ACTIVE]
    if not active and _may_have_jobs(state, options) and not drain:
        yield 'no hpsearch works on it: cancelling what is left of it in the queue'
        yield end_runs(folder, options, _again(folder)).leftovers or 'stopped'
    elif not active:
        yield 'nothing runs, and no hpsearch works on it'
    elif drain:
        yield f'no hpsearch works on it: {_what_goes_on(folder)}'
    else:
        yield f'no hpsearch works on it: ending from here what is under way, {count_of(len(active), "run")} at most'
        outcome = end_runs(folder, options, _again(folder))
        yield what_is_left(outcome) or 'stopped'


def _what_goes_on(folder: SearchFolder) -> str:
    """What becomes of runs that nobody works on, in words; those that have ended meanwhile are none of them."""
    search = opening.open_search(folder, time.time())
    reconciled(search)
    last = [history.last for history in search.state.runs.values() if history.state in ACTIVE and history.last]
    queued = sum(each.is_in_queue and each.state in (State.CLAIMED, State.SUBMITTED) for each in last)
    begun = len(last) - queued
    parts = [
        count_of(begun, 'run that has started ends by itself', 'runs that have started end by themselves')
        * bool(begun),
        f'{count_of(queued, "run waits", "runs wait")} in the queue, and may still start' * bool(queued),
    ]
    return ', '.join(filter(None, parts)) or 'nothing runs'


def what_is_left(outcome: Outcome) -> str:
    """What could not be ended, in words; empty: nothing."""
    names = ', '.join(sorted(outcome.unknown))
    where = 'on other hosts, of other users, or in jobs that the queue does not know'
    left = f'not reached, {where}: {names}' if names else ''
    return '; '.join(filter(None, (left, outcome.leftovers)))


def _may_have_jobs(state: SearchState, options: SearchOptions) -> bool:
    """Whether there may be jobs in a queue, although no run is under way."""
    return options.cluster.run_cluster and bool(state.submissions)


def end_runs(folder: SearchFolder, options: SearchOptions, again: str, only: frozenset[str] | None = None) -> Outcome:
    """Take over runs of a search that no process manages, and end them.

    Args:
        folder: The search.
        options: As it was started with.
        again: The command that tries the same again, for who is told that it did not succeed.
        only: Which runs; None: all.

    Raises:
        HpsearchError: The search cannot be worked on, or its queue does not answer.
    """
    with process_context(options.display) as context:
        search = open_search(folder, folder.read_info())
        how = work_options(options, stop_at_once=True, waits_for_others=False, only=only)
        check_queue(options, otherwise=f'Try again later: {again}')
        if options.cluster.run_cluster:
            make_backend = queue_backend(options, installed_system(options))
        else:
            make_backend = local_backend(FixedSlots(1))
        outcome = work(search, context, make_backend, how, JobAsker(options, context.wakeup)).outcome
    left = outcome.left or JobCounts()
    _check_that_none_is_left(again, left.accepted + left.unanswered, [outcome.silence])
    return outcome
