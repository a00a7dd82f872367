"""Journals: append-only files of events, one per start of a process, which people can read with ``jq``.

The first line is a header with the format version. An event is one line of JSON. A line that is damaged, was cut short
by a full disk, or says what cannot be, is skipped and reported.
"""

from __future__ import annotations

import calendar
import gc
import json
import math
import os
import re
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from hpsearch.host.kernel import Host, path_of, this_host
from hpsearch.host.processes import start_ticks, ticks_if_older, user_name
from hpsearch.model.errors import JournalError, SearchFolderError
from hpsearch.model.history.search_state import SearchState
from hpsearch.model.run import is_run_name
from hpsearch.model.states import Event
from hpsearch.store.events import problem_of
from hpsearch.store.folder import SearchFolder

JOURNAL_FORMAT = 1

_encode = json.JSONEncoder(separators=(',', ':'), default=str).encode
"""Made once, since ``json.dumps`` with options makes an encoder for each event."""

_ABOUT_THE_WRITER = ('writer', 'closed')

MOST_ODD = 1000
"""Lines that are left out and named."""

EARLY_PATIENCE = 100.0
"""Seconds for which events are kept back whose run nobody has suggested: network file systems cache for a minute."""

_BLOCK = 1 << 18
"""Bytes that are parsed at a time."""


def writer_name(host: str, pid: int, started: float, salt: str) -> str:
    """A unique name for a writer that can be a file name, from wall-clock seconds and a few random letters, too."""
    return f'{time.strftime("%Y%m%d-%H%M%S", time.gmtime(started))}_{_safe(host)}_{pid}_{salt}'


def _safe(host: str) -> str:
    return re.sub(r'[^A-Za-z0-9.-]', '-', host)[:40] or 'host'


_WRITER = re.compile(r'([0-9]{8}-[0-9]{6})_(.+)_([0-9]{1,9})_[0-9a-f]+')


def header_from_name(writer: str) -> dict[str, Any]:
    """What the name of a writer says of it, for where the header of its journal is lost.

    The process that has its pid on this host is the writer if it was there before the name was made.
    """
    found = _WRITER.fullmatch(writer)
    if found is None:
        return {'writer': writer}
    ours, host, pid = this_host(), found[2], int(found[3])
    if host != _safe(ours.name):
        return {'writer': writer, 'host': host}
    return {'writer': writer, **ours.as_header(), 'pid': pid, 'ticks': ticks_if_older(pid, _moment(found[1]))}


def _moment(text: str) -> float:
    """Seconds since 1970 of the start of a writer; one that cannot be read rules nothing out."""
    try:
        return calendar.timegm(time.strptime(text, '%Y%m%d-%H%M%S'))
    except ValueError:
        return math.inf


class Journal:
    """The journal of this process.

    A failed write loses nothing: events wait in a backlog, :attr:`blocked` says why, and :meth:`flush` tries again.

    Args:
        folder: The search.
        writer: Name of this writer; its file must not exist.
        header: Further fields of the header line (host, boot id, pid …).

    Raises:
        JournalError: The file cannot be created.
    """

    def __init__(self, folder: SearchFolder, writer: str, header: Mapping[str, Any]) -> None:
        self.writer = writer
        self.blocked = ''
        self._backlog: list[bytes] = []
        self._torn = False
        self._dirty = False
        self._beats = 0
        self._folder = folder
        path = folder.journal_dir / f'{writer}.jsonl'
        try:
            folder.journal_dir.mkdir(0o755, exist_ok=True)
            self._fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_APPEND | os.O_CLOEXEC, 0o644)
        except OSError as error:
            raise JournalError(f'The journal {path} cannot be created: {error.strerror}.') from error
        self.append({'event': 'writer', 'format': JOURNAL_FORMAT, 'writer': writer, **header})

    def append(self, event: Event) -> bool:
        """Write one event; returns whether it is in the file, else it waits in the backlog."""
        self._backlog.append(_encode(event).encode() + b'\n')
        return self.flush()

    def append_now(self, event: Event) -> bool:
        """Write one event, after the backlog; returns whether it is in the file, else it is as if it had never been."""
        return self.flush() and self._write(_encode(event).encode() + b'\n')

    def flush(self) -> bool:
        """Write the backlog; returns whether it is empty."""
        while self._backlog:
            if not self._write(self._backlog[0]):
                return False
            del self._backlog[0]
        self.blocked = ''
        return True

    def _write(self, line: bytes) -> bool:
        # What was cut short, be it only by its line break, must not count.
        whole = b'#\n' + line if self._torn else line
        try:
            written = os.write(self._fd, whole)
        except OSError as error:
            self.blocked = f'the journal cannot be written: {error.strerror}'
            return False
        self._dirty = True
        self._torn = written < len(whole) and (written > 0 or self._torn)
        if written < len(whole):
            self.blocked = 'the journal cannot be written: the disk is full'
            return False
        return True

    def sync(self) -> None:
        """Write to disk what was written; called about once a second, not per event."""
        if not self._dirty:
            return
        try:
            os.fsync(self._fd)
            self._dirty = False
        except OSError as error:
            self.blocked = f'the journal cannot be written to disk: {error.strerror}'

    def beat(self, news: Mapping[str, Any]) -> None:
        """Report that the writer is alive: a counter that grows, and the news of this moment.

        Raises:
            OSError: It cannot be written.
        """
        self._beats += 1
        beat_path = self._next_beat_path
        beat_path.write_text(json.dumps({'beat': self._beats, **news}, default=str), encoding='utf-8')
        os.replace(beat_path, beat_path.with_suffix('.alive'))

    @property
    def _next_beat_path(self) -> Path:
        return self._folder.journal_dir / f'{self.writer}.tmp'

    def place(self) -> str:
        """The search folder it is in now, wherever that was moved; empty: it was deleted, or that is not known."""
        path = path_of(self._fd)
        return os.path.dirname(os.path.dirname(path))

    def close(self) -> None:
        """Flush, sync and close."""
        with suppress(OSError):
            self._next_beat_path.unlink(missing_ok=True)  # it is there when the last beat could not be renamed
        self.flush()
        self.sync()
        os.close(self._fd)


@contextmanager
def own_journal(
    folder: SearchFolder, host: Host, job: Mapping[str, str] | None = None, *, asks: bool = False
) -> Iterator[Journal]:
    """The journal of this process, closed at the end.

    Args:
        folder: The search.
        host: This machine.
        job: The queue job it runs in (``queue`` and ``id``); None: it runs in none.
        asks: Whether it only asks something of those that work on the search.

    Raises:
        JournalError: The file cannot be created.
    """
    pid = os.getpid()
    header = {
        **host.as_header(),
        'pid': pid,
        'ticks': start_ticks(pid),
        'user': user_name(os.getuid()),
        'place': str(folder.path),
        'folder': folder.identity,
        'at': round(time.time(), 3),
        **({'job': job} if job else {}),
        **({'asks': True} if asks else {}),
    }
    journal = Journal(folder, writer_name(host.name, pid, time.time(), os.urandom(4).hex()), header)
    try:
        yield journal
    finally:
        journal.append({'event': 'closed', 'at': round(time.time(), 3)})
        journal.close()


def first_headers(folder: SearchFolder) -> dict[str, Mapping[str, Any]]:
    """Writer to the header of its journal, as far as that is intact; nothing else of the journals is read.

    Raises:
        SearchFolderError: A journal may not be read.
        OSError: A journal cannot be read.
    """
    found: dict[str, Mapping[str, Any]] = {}
    for path in sorted(folder.journal_dir.glob('*.jsonl')):
        with folder.open(path) as journal:
            event = _parsed_alone(journal.readline(_BLOCK))
        is_header = isinstance(event, dict) and not problem_of(event) and event['event'] == 'writer'
        found[path.stem] = event if is_header else {}
    return found


@dataclass
class _KeptBack:
    """Events of a run that is not known yet: its suggestion is in a journal of which less was seen so far.

    Attributes:
        since: When the first of them was read, in monotonic seconds.
        events: Journal, number of the line, and event, in their order.
    """

    since: float
    events: list[tuple[Path, int, Event]] = field(default_factory=list)


class JournalReader:
    """Reads all journals of a search, each from where the last call ended.

    In an adaptive search, events of a run that nobody has suggested yet are kept back: a network file system may show
    what one writer has written before what another one wrote earlier.

    Attributes:
        headers: Writer to its header line; where that is lost, to what its name says of it.
        closed: Writers whose journal says that they have left, and when, in seconds since 1970 by their clock.
        odd: Lines that were left out, in words, with file and line; no more than :data:`MOST_ODD`.
    """

    def __init__(self, folder: SearchFolder, clock: Callable[[], float] = time.monotonic) -> None:
        self._folder = folder
        self._clock = clock
        self._kept_back: dict[str, _KeptBack] = {}
        self._offsets: dict[str, int] = {}
        self._lines: dict[str, int] = {}
        self._attempts: dict[str, int] = {}
        self._last = (folder.journal_dir, 0)
        self.headers: dict[str, Mapping[str, Any]] = {}
        self.closed: dict[str, float | None] = {}
        self.odd: list[str] = []

    def place(self) -> str:
        """File and line of the event that :meth:`news` gave last."""
        path, number = self._last
        return f'{path}, line {number}'

    def news(self, *, skip: str = '') -> Iterator[tuple[str, Event]]:
        """Events that were added since the last call, as ``(writer, event)``; our own journal is skipped.

        They can be relied upon: their fields are there and of their types, their runs are in the plan.

        Raises:
            JournalError: A journal is of a newer format, or none can be listed.
        """
        for path in self._files():
            writer = path.stem
            if writer == skip or writer in self.closed:
                continue
            for event in self._new_events(path, writer):
                if event['event'] in _ABOUT_THE_WRITER:
                    self._note(event, path, writer)
                else:
                    yield writer, event
            if writer not in self.headers:
                self._do_without_header(path, writer)
        yield from self._known_by_now()

    def _note(self, event: Event, path: Path, writer: str) -> None:
        if event['event'] == 'closed':
            at = event.get('at')
            self.closed[writer] = at if isinstance(at, float) else None
            return
        if event['format'] > JOURNAL_FORMAT:
            raise JournalError(
                f'{path} is of format {event["format"]}, this hpsearch reads up to {JOURNAL_FORMAT}: update hpsearch.'
            )
        self.headers[writer] = event

    def _do_without_header(self, path: Path, writer: str) -> None:
        if self._lines.get(writer):
            self._leave_out(path, 1, 'there is no header; host and pid are taken from the name of the file')
            self.headers[writer] = header_from_name(writer)

    def _files(self) -> list[Path]:
        directory = self._folder.journal_dir
        try:
            names = sorted(entry.name for entry in os.scandir(directory) if entry.name.endswith('.jsonl'))
        except FileNotFoundError:
            return []
        except OSError as error:
            raise JournalError(f'The journals in {directory} cannot be listed: {error.strerror}.') from error
        return [directory / name for name in names]

    def _new_events(self, path: Path, writer: str) -> Iterator[dict[str, Any]]:
        for lines in self._new_lines(path, writer):
            first = self._lines.get(writer, 0) + 1
            self._lines[writer] = first + len(lines) - 1
            for number, event in enumerate(_parsed(lines), first):
                if event is _BLANK:
                    continue
                problem = self._problem_of(path, number, event)
                if problem is None:
                    continue
                if problem:
                    self._leave_out(path, number, problem)
                else:
                    self._last = (path, number)
                    yield event

    def _problem_of(self, path: Path, number: int, event: Any) -> str | None:
        """What is wrong with what a line says, in words, or empty; None: it is kept back."""
        problem = event if isinstance(event, str) else problem_of(event)
        if problem or 'run' not in event:
            return problem
        if self._folder.is_adaptive and self._is_kept_back(path, number, event):
            return None
        return self._contradiction(event)

    # Events of runs that are not known yet

    def _is_kept_back(self, path: Path, number: int, event: Event) -> bool:
        """Keep an event back whose run nobody has suggested yet; a suggestion makes its run known."""
        run = event['run']
        if event['event'] == 'suggested':
            self._folder.suggested.add(path.stem, event)
            return False
        if run not in self._kept_back and (run in self._attempts or self._folder.has_run(run)):
            return False
        self._kept_back.setdefault(run, _KeptBack(self._clock())).events.append((path, number, event))
        return True

    def _known_by_now(self) -> Iterator[tuple[str, Event]]:
        """The events that were kept back of runs that are known now; what waits for too long is left out."""
        for run, kept in list(self._kept_back.items()):
            if not self._folder.has_run(run) and self._clock() - kept.since < EARLY_PATIENCE:
                continue
            del self._kept_back[run]
            for path, number, event in kept.events:
                if problem := self._contradiction(event):
                    self._leave_out(path, number, problem)
                else:
                    self._last = (path, number)
                    yield path.stem, event

    def give_up(self) -> None:
        """Leave out what was kept back: nothing more will be read."""
        for run, kept in self._kept_back.items():
            for path, number, _ in kept.events:
                self._leave_out(path, number, _no_run(run))
        self._kept_back.clear()

    # Lines

    def _new_lines(self, path: Path, writer: str) -> Iterator[list[bytes]]:
        try:
            with self._folder.open(path) as journal:
                journal.seek(self._offsets.get(writer, 0))
                while lines := journal.readlines(_BLOCK):
                    if not lines[-1].endswith(b'\n'):
                        lines.pop()
                        if not lines:
                            return
                    self._offsets[writer] = self._offsets.get(writer, 0) + sum(map(len, lines))
                    yield lines
        except SearchFolderError as error:
            raise JournalError(str(error)) from error
        except OSError as error:
            raise JournalError(f'The journal {path} cannot be read: {error.strerror}.') from error

    def _contradiction(self, event: Event) -> str:
        """What is wrong with an event by the plan and the files of the attempts, in words, or empty."""
        run, number = event['run'], event.get('attempt', 0)
        known = self._attempts.get(run)
        if known is not None and number <= known:
            return ''
        if known is None and not (is_run_name(run) and self._folder.has_run(run)):
            return _no_run(run)
        if number > (known or 0) + 1 and not self._may_exist(run, number):
            return f'there is no attempt {number} of {run}'
        self._attempts[run] = number
        return ''

    def _may_exist(self, run: str, number: int) -> bool:
        """Whether an attempt was claimed, or all files of its run are lost."""
        is_there = os.path.isdir(self._folder.attempt(run, number).folder)
        return is_there or not os.path.isdir(self._folder.attempts(run))

    def _leave_out(self, path: Path, number: int, problem: str) -> None:
        if len(self.odd) < MOST_ODD:
            self.odd.append(f'{path}, line {number}: {problem}')


def _no_run(run: str) -> str:
    return f'there is no run {run!r:.80} in the plan'


_BLANK = None


def _parsed(lines: list[bytes]) -> list[Any]:
    """What is in each line: an event as far as it is JSON, in words why it is none, or :data:`_BLANK`."""
    try:
        events = json.loads(b'[' + b','.join(lines) + b']')
        if len(events) == len(lines) and all(type(event) is dict for event in events):
            return list(events)
    except (ValueError, RecursionError):
        pass  # one of them is damaged
    return [_parsed_alone(line) for line in lines]


def _parsed_alone(line: bytes) -> Any:
    text = line.strip(b'\0 \t\r\n')  # zero bytes are what a power loss leaves of what was not on the disk yet
    if not text:
        return _BLANK
    try:
        event = json.loads(text.decode())
    except (ValueError, RecursionError):
        return f'it is damaged: {text[:80]!r}'
    return event if isinstance(event, dict) else f'it is not an event: {text[:80]!r}'


def read_state(folder: SearchFolder) -> SearchState:
    """The state of a search from all its journals.

    Raises:
        JournalError: A journal cannot be read.
    """
    state, reader = open_journals(folder)
    reader.give_up()
    state.odd.extend(reader.odd)
    return state


def open_journals(folder: SearchFolder) -> tuple[SearchState, JournalReader]:
    """The state of a search from all its journals, and their reader, which continues from there.

    Raises:
        JournalError: A journal cannot be read.
    """
    state, reader = SearchState(), JournalReader(folder)
    with _without_collection():
        state.replay(reader.news(), reader.place)
    return state, reader


@contextmanager
def _without_collection() -> Iterator[None]:
    """A replay makes many objects that all stay; garbage collection would take a third of its time."""
    was_enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_enabled:
            gc.enable()
