"""The writers of a search: on which hosts they are, which of them are alive, and whether they work in this folder.

A writer on this host is alive while its process is. Of a writer elsewhere, or whose process is hidden from us, only the
counter it writes is known: it is stale after several spaced polls of an unchanged counter, timed by our own monotonic
clock, and never because of one poll, of a time stamp, or of our own pauses.
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from typing import Any

from hpsearch.host import kernel
from hpsearch.host.kernel import Host, host_of
from hpsearch.host.processes import presence
from hpsearch.model.errors import SearchFolderError
from hpsearch.model.evidence import HostRelation, Liveness, ProcessState
from hpsearch.model.history.search_state import SearchState
from hpsearch.model.history.submission import Submission
from hpsearch.results.files import read_whole
from hpsearch.store.folder import SearchFolder
from hpsearch.store.journal import header_from_name

POLLS = 6
"""Polls of an unchanged counter after which a writer is stale."""

SPACING = 10.0
"""Seconds between two polls that count, at least."""

LARGEST_GAP = 30.0
"""Seconds between two polls after which our own count starts again: we may have been asleep ourselves."""

FRESH = 60.0
"""Seconds since its last sign of life within which a writer on another host counts as alive in a single poll."""


def relation(theirs: Host, ours: Host, declared_dead: Collection[str] = ()) -> HostRelation:
    """How their host relates to ours; ``declared_dead``: names of hosts that the user said are dead."""
    if theirs == ours:
        return HostRelation.SAME
    if theirs.name in declared_dead:
        return HostRelation.DECLARED_DEAD
    is_this_machine = theirs.machine and (theirs.name, theirs.machine) == (ours.name, ours.machine)
    if is_this_machine and theirs.boot and ours.boot and theirs.boot != ours.boot:
        return HostRelation.REBOOTED
    return HostRelation.OTHER


@dataclass(slots=True)
class _Counter:
    """The counter of one writer, as it was last polled."""

    beat: int | None
    counted_at: float
    polled_at: float
    polls: int = 0

    def poll(self, beat: int | None, now: float) -> bool:
        """Take in what was read; returns whether the writer is stale."""
        if beat != self.beat or now - self.polled_at > LARGEST_GAP:
            self.beat, self.counted_at, self.polls = beat, now, 0
        elif now - self.counted_at >= SPACING:
            self.counted_at, self.polls = now, self.polls + 1
        self.polled_at = now
        return self.polls >= POLLS


class Writers:
    """The other writers of a search.

    Args:
        folder: The search.
        ours: This host.
        declared_dead: Names of hosts that the user said are dead.
        job_has_ended: Whether a queue system reports that a job (``queue``, ``id``) has ended.
    """

    def __init__(
        self,
        folder: SearchFolder,
        ours: Host,
        declared_dead: Collection[str] = (),
        job_has_ended: Callable[[Mapping[str, str]], bool] = lambda job: False,
    ) -> None:
        self._folder = folder
        self._job_has_ended = job_has_ended
        self._ended_jobs: set[str] = set()
        self._ours = ours
        self._declared_dead = frozenset(declared_dead)
        self._counters: dict[str, _Counter] = {}
        self._dead: set[str] = set()
        self._living_boots: set[str] = set()

    def relation(self, header: Mapping[str, Any]) -> HostRelation:
        """How the host of a writer relates to ours; a boot that showed life is that of a clone of this machine."""
        if str(header.get('writer', '')) in self._ended_jobs:
            return HostRelation.JOB_ENDED
        found = relation(host_of(header), self._ours, self._declared_dead)
        is_clone = found is HostRelation.REBOOTED and header['boot'] in self._living_boots
        return HostRelation.OTHER if is_clone else found

    def life(self, writer: str, header: Mapping[str, Any], *, is_closed: bool, now: float, may_judge: bool) -> Liveness:
        """What is known of a writer now.

        Args:
            writer: Its name.
            header: The header of its journal; empty when its journal has none yet.
            is_closed: Whether its journal says that it left.
            now: Our monotonic clock, in seconds.
            may_judge: Whether we can write ourselves; a writer that cannot reports no other one as stale.
        """
        # What a writer left behind on a clone may run as well: that it has left does not show that this was a reboot.
        may_be_clone = self.relation(header) is HostRelation.REBOOTED
        if writer in self._dead or (is_closed and not may_be_clone):
            return Liveness.DEAD
        if _is_surely_dead(self.relation(header), header):
            self._dead.add(writer)
            return Liveness.DEAD
        is_stale = self._is_stale(writer, header, now)
        if is_stale and may_judge and self._cannot_come_back(writer, header):
            self._dead.add(writer)
            return Liveness.DEAD
        return Liveness.STALE if is_stale and may_judge else Liveness.ALIVE

    def _is_stale(self, writer: str, header: Mapping[str, Any], now: float) -> bool:
        beat = read_beat(self._folder, writer)
        counter = self._counters.setdefault(writer, _Counter(beat, now, now))
        if beat != counter.beat:
            self._living_boots.add(str(header.get('boot', '')))
        return counter.poll(beat, now)

    def _cannot_come_back(self, writer: str, header: Mapping[str, Any]) -> bool:
        """Whether a silent writer is dead: its machine was rebooted (a clone would write), or its job has ended."""
        if 'job' in header and self._job_has_ended(header['job']):
            self._ended_jobs.add(writer)
            return True
        return self.relation(header) is HostRelation.REBOOTED


def poll_once(
    folder: SearchFolder,
    headers: Mapping[str, Mapping[str, Any]],
    closed: Collection[str],
    now: float,
    declared_dead: Collection[str] = (),
) -> dict[str, Liveness]:
    """What a single poll says of every writer: one on another host that is silent now may wake up.

    Args:
        folder: The search.
        headers: Writer to the header of its journal.
        closed: Writers that left.
        now: Seconds since 1970.
        declared_dead: Names of hosts that the user said are dead.
    """
    ours = kernel.this_host()
    relations = {writer: relation(host_of(header), ours, declared_dead) for writer, header in headers.items()}
    return {
        writer: Liveness.DEAD if writer in closed else _life_now(folder, writer, header, relations[writer], now)
        for writer, header in headers.items()
    }


def _life_now(
    folder: SearchFolder, writer: str, header: Mapping[str, Any], theirs: HostRelation, now: float
) -> Liveness:
    if _is_surely_dead(theirs, header):
        return Liveness.DEAD
    silence = silence_of(folder, writer, now)
    is_fresh = silence is not None and abs(silence) < FRESH
    if is_fresh or (theirs is HostRelation.SAME and process_of(header) is ProcessState.ALIVE):
        return Liveness.ALIVE
    return Liveness.DEAD if theirs is HostRelation.REBOOTED else Liveness.STALE


# Copies


def is_elsewhere(header: Mapping[str, Any], folder: SearchFolder) -> bool:
    """Whether a writer works on another folder than this: this one is a copy, or was moved to another file system.

    On its host, device and inode say it. Other hosts have other numbers for devices, and may have other paths.
    """
    place, ident = str(header.get('place', '')), str(header.get('folder', ''))
    if not ident or folder.is_at(place):
        return False
    is_here = host_of(header) == kernel.this_host()
    return ident != folder.identity if is_here else _inode(ident) != _inode(folder.identity)


def is_astray(submission: Submission, folder: SearchFolder) -> bool:
    """Whether the jobs of a submission look for the search folder where it is no more, and cannot start anything.

    Only what was submitted from this host says so: elsewhere the folder may be mounted under the name that they have.
    """
    is_from_here = header_from_name(submission.writer).get('host') == kernel.this_host().name
    return is_from_here and not folder.is_at(submission.place)


def forget_pilots_of_originals(state: SearchState, folder: SearchFolder, info: Mapping[str, Any]) -> None:
    """Leave to the originals of a folder the jobs that work on them, which a copy knows from its journals.

    Args:
        state: What the journals of the folder say; is changed.
        folder: The folder.
        info: What describes it.
    """
    pilots = [submission for submission in state.submissions.values() if submission.pilots]
    places = {submission.place for submission in pilots if not folder.is_at(submission.place)}
    theirs = {place for place in places if _has_search(SearchFolder(place), info)}
    for name in [submission.name for submission in pilots if submission.place in theirs]:
        del state.submissions[name]


def _inode(identity: str) -> str:
    return identity.rpartition(':')[2]


def originals(
    folder: SearchFolder, info: Mapping[str, Any], headers: Mapping[str, Mapping[str, Any]]
) -> list[SearchFolder]:
    """The folders that a folder is a copy of, as long as nobody has worked on the copy.

    Args:
        folder: The folder.
        info: What describes it.
        headers: Every writer with the header of its journal.
    """
    places = (info.get('place'), *(header.get('place') for header in headers.values()))
    elsewhere = [SearchFolder(place) for place in dict.fromkeys(places) if place and not folder.is_at(place)]
    return [other for other in elsewhere if _has_search(other, info) and headers.keys() <= _writers_of(other)]


_OF_ONE_SEARCH = ('created', 'host', 'user', 'argv')
"""What never changes in the description of a search, and differs from that of another one."""


def _has_search(folder: SearchFolder, info: Mapping[str, Any]) -> bool:
    try:
        other = folder.read_info()
    except (OSError, SearchFolderError):
        return False  # whatever is there, it is no such search
    return all(other.get(name) == info.get(name) for name in _OF_ONE_SEARCH)


def _writers_of(folder: SearchFolder) -> set[str]:
    return {path.stem for path in folder.journal_dir.glob('*.jsonl')}


def _is_surely_dead(theirs: HostRelation, header: Mapping[str, Any]) -> bool:
    if theirs is HostRelation.SAME:
        return process_of(header) is ProcessState.GONE
    return theirs is HostRelation.DECLARED_DEAD


def process_of(header: Mapping[str, Any]) -> ProcessState:
    """What this host, which is its host, knows of the process of a writer."""
    return presence(int(header.get('pid', 0)), str(header.get('ticks', '')))


def silence_of(folder: SearchFolder, writer: str, now: float) -> float | None:
    """Seconds since the last sign of life of a writer, by the clock of the file system; None: there was none."""
    try:
        return now - os.stat(folder.journal_dir / f'{writer}.alive').st_mtime
    except OSError:
        return None


def heard_at(folder: SearchFolder, writer: str, now: float) -> float | None:
    """When a writer gave its last sign of life, in seconds since 1970; None: there was none.

    It says so itself; the time of its file is that of the copy where a search was copied.
    """
    at = read_news(folder, writer).get('at')
    if isinstance(at, int | float) and not isinstance(at, bool) and 0 <= at <= now:
        return float(at)
    silence = silence_of(folder, writer, now)
    return None if silence is None else now - silence


def read_news(folder: SearchFolder, writer: str) -> dict[str, Any]:
    """What a writer last reported of itself; empty when there is nothing to read."""
    try:
        news = json.loads(read_whole(folder.journal_dir / f'{writer}.alive'))
    except (OSError, ValueError, RecursionError):
        return {}
    return news if isinstance(news, dict) else {}


def read_beat(folder: SearchFolder, writer: str) -> int | None:
    """The counter of a writer; None when it cannot be read."""
    beat = read_news(folder, writer).get('beat')
    return beat if isinstance(beat, int) else None
