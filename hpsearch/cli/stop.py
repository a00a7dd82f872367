"""Ending a search from another terminal or host."""

from __future__ import annotations

import argparse
import os
import time
from collections.abc import Callable, Iterator

from hpsearch.cli.open_search import check_owner, merged_options
from hpsearch.cli.resume import end_runs
from hpsearch.cli.signals import own_journal
from hpsearch.dispatch.event_recorder import EventRecorder
from hpsearch.host import kernel
from hpsearch.host.processes import is_alive
from hpsearch.model.evidence import HostRelation
from hpsearch.model.states import ACTIVE, SearchState
from hpsearch.store import writers
from hpsearch.store.folder import SearchFolder
from hpsearch.store.journal import JournalReader, open_journals

LOOK = 0.2
"""Seconds between two looks whether a dispatcher has left."""


def stop_search(args: argparse.Namespace, sleep: Callable[[float], None] = time.sleep) -> Iterator[str]:
    """Ask every dispatcher of a search to stop; where none is alive, end its runs here.

    Args:
        args: ``dir``, ``drain`` and ``trust``.
        sleep: Waits.

    Yields:
        What happens, in sentences.

    Raises:
        HpsearchError: It is no search, or belongs to somebody else.
    """
    folder = SearchFolder(args.dir)
    info = folder.read_info()
    check_owner(folder, trust=args.trust)
    host = kernel.this_host()
    state, reader = open_journals(folder)
    here, elsewhere = _at_work(folder, reader, host)
    if here or elsewhere:
        with own_journal(folder, host) as journal:
            EventRecorder(state, journal).note('stop', id=os.urandom(8).hex(), drain=args.drain)
            journal.sync()
    yield from _tell_asked(here, elsewhere)
    while any(_is_at_work_here(reader, writer) for writer in here):
        sleep(LOOK)
    if here:
        yield 'stopped' if not args.drain else 'drained'
    if not here and not elsewhere:
        yield from _end_here(folder, state, merged_options(info, argparse.Namespace(quiet=True)), args.drain)


def _at_work(folder: SearchFolder, reader: JournalReader, host: kernel.Host) -> tuple[list[str], list[str]]:
    """Dispatchers that are alive on this host, and those elsewhere that may be."""
    look = writers.Writers(folder, host)
    found = list(look.not_dead(reader.headers, reader.closed, time.monotonic()))
    here = [writer for writer, relation in found if relation is HostRelation.SAME]
    return here, [writer for writer, relation in found if relation is not HostRelation.SAME]


def _is_at_work_here(reader: JournalReader, writer: str) -> bool:
    header = reader.headers[writer]
    return is_alive(int(header['pid']), str(header['ticks']))


def _tell_asked(here: list[str], elsewhere: list[str]) -> Iterator[str]:
    if here:
        yield f'asked {len(here)} hpsearch on this host to stop; waiting for it to leave (Ctrl-C only ends the waiting)'
    for writer in elsewhere:
        yield f'asked {writer}, on another host, to stop: if it is alive, it will'


def _may_have_pilots(state: SearchState, options: argparse.Namespace) -> bool:
    """Whether jobs that work on the search by themselves may wait in a queue."""
    return bool(options.run_cluster) and any(submission.pilots for submission in state.submissions.values())


def _end_here(folder: SearchFolder, state: SearchState, options: argparse.Namespace, drain: bool) -> Iterator[str]:
    active = [name for name, history in state.runs.items() if history.state in ACTIVE]
    if not active and _may_have_pilots(state, options) and not drain:
        yield 'no hpsearch works on it: cancelling the jobs that would'
        end_runs(folder, options)
        yield 'stopped'
    elif not active:
        yield 'nothing runs, and no hpsearch works on it'
    elif drain:
        yield f'no hpsearch works on it: the {len(active)} runs that are under way end by themselves'
    else:
        yield f'no hpsearch works on it: ending its {len(active)} runs here'
        left = end_runs(folder, options).outcome.unknown
        yield f'not reached, on other hosts: {", ".join(sorted(left))}' if left else 'stopped'
