"""What is asked of single runs, and of the admission of runs: requests in a journal, which every writer obeys.

Nothing here waits: a request holds from the moment it is written, for whoever works on the search then or later.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Any

from hpsearch.cli.options import merged_options
from hpsearch.cli.resume import check_that_it_is_no_live_copy
from hpsearch.cli.runs.choosing import find_runs
from hpsearch.cli.runs.output import Form, Sheet, lines_of
from hpsearch.cli.stop import end_runs, what_is_left
from hpsearch.host import kernel
from hpsearch.model.command import shell_line
from hpsearch.model.errors import ConfigError, JournalError
from hpsearch.model.evidence import Liveness
from hpsearch.model.history.run_history import RunHistory
from hpsearch.model.states import ACTIVE, State
from hpsearch.model.units import count_of
from hpsearch.records.expression import Scalar
from hpsearch.records.fields import OWN, Fields
from hpsearch.records.opening import OpenedSearch, open_search
from hpsearch.records.reading import read_search, reconciled
from hpsearch.store.folder import SearchFolder
from hpsearch.store.journal import own_journal
from hpsearch.store.opening.trust import to_work_on

MOST_NAMED = 5
"""Runs that are named in one sentence."""

_UNDER_WAY = 'is under way already', 'are under way already'

_IN_QUEUE = (
    'was in the queue when hpsearch looked last: hpsearch resume finds out what became of it',
    'were in the queue when hpsearch looked last: hpsearch resume finds out what became of them',
)


@dataclass(frozen=True, slots=True)
class Answer:
    """What is to be asked of a run.

    Attributes:
        words: What becomes of it, as a predicate for one run and one for several.
        after: The request is about the attempts after this one; None: there is nothing to ask for.
        ends: Whether an attempt is under way that is to end.
    """

    words: tuple[str, str]
    after: int | None = None
    ends: bool = False


@dataclass(frozen=True, slots=True)
class Asked:
    """What was asked for.

    Attributes:
        search: As it was read before.
        answers: Name of each run to what becomes of it.
        requested: How many requests were written.
        ending: The runs of which an attempt is to end.
    """

    search: OpenedSearch
    answers: Mapping[str, Answer] = field(default_factory=dict)
    requested: int = 0
    ending: tuple[str, ...] = ()

    @property
    def sentences(self) -> list[str]:
        """What becomes of the runs, in sentences."""
        return list(_sentences(self.answers))


def request_cancel(
    folder: SearchFolder, runs: Sequence[str], *, trust: bool = False, read: OpenedSearch | None = None
) -> list[str]:
    """Ask that runs are not started any more, and end where they are under way.

    Args:
        folder: The search.
        runs: Names of its runs.
        trust: Whether it may be the search of another user.
        read: The search, where it has just been read; None: it is read here, which takes seconds if it is large.

    Returns:
        What becomes of them, in sentences.

    Raises:
        HpsearchError: It is no search, belongs to another user, or has no such runs; or the request cannot be written.
    """
    asked = ask_to_cancel(folder, runs, trust=trust, read=read)
    if not asked.ending:
        return asked.sentences
    if _at_work(asked.search):
        return [*asked.sentences, *_takers(asked.search)]
    return [*asked.sentences, f'no hpsearch works on it: {_that_ends(asked)} ends what is under way']


def end_cancelled(asked: Asked) -> Iterator[str]:
    """Who ends what is under way; where no hpsearch works on the search, it is ended from here, and waited for.

    Yields:
        What happens, in sentences.
    """
    if not asked.ending:
        return
    if _at_work(asked.search):
        yield from _takers(asked.search)
        return
    yield f'no hpsearch works on it: ending {count_of(len(asked.ending), "run")} from here'
    options = merged_options(asked.search.info, {'quiet': True, 'wait_for_queue': False})
    outcome = end_runs(asked.search.folder, options, _that_ends(asked), only=frozenset(asked.ending))
    yield what_is_left(outcome) or 'ended'


def _that_ends(asked: Asked) -> str:
    """The command that ends what is under way, where no hpsearch works on the search."""
    return shell_line(['hpsearch', 'cancel', str(asked.search.folder.path), *asked.ending])


def request_rerun(
    folder: SearchFolder, runs: Sequence[str], *, trust: bool = False, read: OpenedSearch | None = None
) -> list[str]:
    """Ask that runs which ended without success, or were cancelled, get one more attempt.

    Arguments, result and errors as those of :func:`request_cancel`.
    """
    asked = ask_to_rerun(folder, runs, trust=trust, read=read)
    return [*asked.sentences, *starters_of(asked)]


def starters_of(asked: Asked) -> Iterator[str]:
    """Who starts the runs that were asked for, in sentences."""
    if asked.requested:
        yield from _starters(asked.search)


def request_pause(
    folder: SearchFolder, on: bool, *, trust: bool = False, read: OpenedSearch | None = None
) -> list[str]:
    """Ask that no more runs are started, while those that run go on; or that runs are started again.

    Arguments, result and errors as those of :func:`request_cancel`; ``on``: whether the search is to be paused.
    """
    search = _opened(folder, read, trust=trust)
    admission = search.state.admission
    if admission.is_paused == on:
        return ['it is paused already' if on else 'it is not paused']
    _write(search.folder, [{'event': 'pause', 'on': on, 'revision': admission.revision + 1, 'at': _timestamp()}])
    if not on:
        return ['runs are started again', *_starters(search)]
    queued = sum(each.state in (State.CLAIMED, State.SUBMITTED) and each.is_in_queue for each in _last_attempts(search))
    jobs = [f'{count_of(queued, "run waits", "runs wait")} in the queue already, and may still start'] * bool(queued)
    off = shell_line(['hpsearch', 'pause', '--off', str(folder.path)])
    return [f'paused: no more runs are started, those that run go on; to go on: {off}', *jobs]


def request_drain(folder: SearchFolder, *, trust: bool = False, read: OpenedSearch | None = None) -> list[str]:
    """Ask every hpsearch that works on a search to start no more runs, and to leave when those that run have ended.

    Arguments, result and errors as those of :func:`request_cancel`.
    """
    search = _opened(folder, read, trust=trust)
    if not _at_work(search):
        return ['no hpsearch works on it: nothing is started, and what has been started ends by itself']
    _write(search.folder, [{'event': 'stop', 'drain': True, 'at': _timestamp()}])
    return ['it starts no more runs, and ends when those that run have ended', *_takers(search)]


def chosen_names(folder: SearchFolder, words: Sequence[str], where: str) -> list[str]:
    """The names of the runs that a command line means: those that are named, and for which a condition holds.

    Args:
        folder: The search.
        words: Names and numbers of its runs; empty: all.
        where: The condition; empty: it holds for all.

    Raises:
        HpsearchError: It is no search, there is no such run, or the condition is wrong; or nothing was chosen.
    """
    if not words and not where.strip():
        raise ConfigError(["Which runs? Name them, or choose them with --where, such as --where 'state=failed'."])
    search = read_search(folder, time.time())
    named = find_runs(search.runs, words, search.path) if words else search.runs
    return [run.name for run in Fields(search).selected(named, where)]


def answer_lines(answers: Mapping[str, Answer], form: Form) -> Iterator[str]:
    """What becomes of runs in lines: for people in sentences, for programs with a row for each run."""
    if form is Form.PEOPLE:
        return iter(_sentences(answers))
    rows: list[list[Scalar]] = [[name, answer.after is not None, answer.words[0]] for name, answer in answers.items()]
    return lines_of(Sheet((f'{OWN}run', 'asked', 'answer'), rows), form)


# What is asked of each run


def ask_to_cancel(folder: SearchFolder, runs: Sequence[str], *, trust: bool, read: OpenedSearch | None = None) -> Asked:
    """See :func:`request_cancel`."""
    return _ask(_opened(folder, read, trust=trust), runs, 'cancel', _about_cancel)


def ask_to_rerun(folder: SearchFolder, runs: Sequence[str], *, trust: bool, read: OpenedSearch | None = None) -> Asked:
    """See :func:`request_rerun`."""
    search = _opened(folder, read, trust=trust)
    return _ask(search, runs, 'rerun', partial(_about_rerun, is_watched=bool(_at_work(search))))


def _ask(search: OpenedSearch, runs: Sequence[str], kind: str, about: Callable[[RunHistory], Answer]) -> Asked:
    names = list(dict.fromkeys(runs))
    _check_names(search, names)
    histories = [search.state.runs.get(name) or RunHistory(name) for name in names]
    answers = {history.name: about(history) for history in histories}
    events = [
        {'event': kind, 'run': history.name, 'after': after, 'revision': history.next_revision, 'at': _timestamp()}
        for history in histories
        if (after := answers[history.name].after) is not None
    ]
    _write(search.folder, events)
    ending = tuple(name for name, answer in answers.items() if answer.ends)
    return Asked(search, answers, len(events), ending)


def _about_cancel(history: RunHistory) -> Answer:
    last = history.last
    number = last.number if last else 0
    if history.state is State.FINISHED:
        return Answer(('has finished, and is left as it is', 'have finished, and are left as they are'))
    if last is not None and last.state in ACTIVE:
        return Answer(('is ended', 'are ended'), None if last.is_cancelled else number - 1, ends=True)
    if history.is_cancelled:
        return Answer(('was cancelled already', 'were cancelled already'))
    if last is None:
        return Answer(('is cancelled before it was started', 'are cancelled before they were started'), 0)
    return Answer(('had ended, and is not started again', 'had ended, and are not started again'), number)


def _about_rerun(history: RunHistory, *, is_watched: bool) -> Answer:
    """What becomes of a run; ``is_watched``: whether somebody looks after what is under way."""
    last = history.last
    if history.state is State.FINISHED:
        return Answer(('has finished: it is not run again', 'have finished: they are not run again'))
    if last is not None and last.state in ACTIVE:
        if not last.is_cancelled:
            return Answer(_UNDER_WAY if is_watched or not last.is_in_queue else _IN_QUEUE)
        return Answer(('is run again once it has ended', 'are run again once they have ended'), last.number)
    if history.is_asked_for or (last is None and not history.is_cancelled):
        return Answer(('waits to be started already', 'wait to be started already'))
    return Answer(('is run again', 'are run again'), last.number if last else 0)


def _sentences(answers: Mapping[str, Answer]) -> Iterator[str]:
    """One for all runs of which the same becomes."""
    names: dict[tuple[str, str], list[str]] = {}
    for name, answer in answers.items():
        names.setdefault(answer.words, []).append(name)
    for (one, several), those in names.items():
        shown = ', '.join(those[:MOST_NAMED])
        more = ', …' if len(those) > MOST_NAMED else ''
        yield f'{those[0]} {one}' if len(those) == 1 else f'{count_of(len(those), "run")} {several}: {shown}{more}'


def _check_names(search: OpenedSearch, names: Sequence[str]) -> None:
    """Check that there are such runs.

    Raises:
        ConfigError: With all that there are not.
    """
    withdrawn = search.state.withdrawn
    if unknown := [name for name in names if name in withdrawn or not search.folder.has_run(name)]:
        raise ConfigError([f'{search.folder.path} has no run {name}.' for name in unknown])


# The search, and who works on it


def _opened(folder: SearchFolder, read: OpenedSearch | None = None, *, trust: bool) -> OpenedSearch:
    """A search that may be worked on, with what became of the attempts that nobody manages.

    Raises:
        HpsearchError: It is no search, belongs to another user, or is a copy of one that is under way.
    """
    folder.read_info()  # says first what is no search
    folder = to_work_on(folder, trust=trust)
    check_that_it_is_no_live_copy(folder, folder.read_info())
    if read is not None:
        return replace(read, folder=folder)
    search = open_search(folder, time.time())
    reconciled(search)
    return search


def _write(folder: SearchFolder, events: Sequence[Mapping[str, Any]]) -> None:
    """Journal requests, all of them or, where that fails, perhaps the first: to ask again does no harm.

    Raises:
        JournalError: The journal cannot be written.
    """
    if not events:
        return
    with own_journal(folder, kernel.this_host(), asks=True) as journal:
        for event in events:
            if not journal.append_now(event):
                raise JournalError(f'Nothing more was asked for: {journal.blocked}.')
        journal.sync()


def _timestamp() -> float:
    return round(time.time(), 3)


def _last_attempts(search: OpenedSearch) -> Iterable[Any]:
    return (history.last for history in search.state.runs.values() if history.last is not None)


def _at_work(search: OpenedSearch) -> list[str]:
    """Those that work on it, or may."""
    return [writer for writer, life in search.lives.items() if life is not Liveness.DEAD]


def _takers(search: OpenedSearch) -> Iterable[str]:
    """Who acts on a request."""
    living = sorted({str(search.reader.headers[writer].get('host', '')) for writer in search.living})
    if living:
        yield f'hpsearch on {", ".join(living)} takes this up'
    elif others := _at_work(search):
        alive = f'hpsearch on another host takes this up if it is alive: {", ".join(others)}'
        yield f'{alive}; if it is not: {_resume(search)}'
    else:
        yield f'no hpsearch works on it: {_resume(search)} takes this up'


def _starters(search: OpenedSearch) -> Iterable[str]:
    """Who starts runs as is requested: nobody who has begun to leave."""
    working = _at_work(search)
    if working and search.state.leaving.issuperset(working):
        return [f'hpsearch works on it, but starts no more runs: {_resume(search)} takes this up']
    return _takers(search)


def _resume(search: OpenedSearch) -> str:
    return shell_line(['hpsearch', 'resume', str(search.folder.path)])
