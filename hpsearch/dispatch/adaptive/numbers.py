"""The numbers of runs that are chosen while the search goes: of all writers, one is given each."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Collection, Container
from contextlib import suppress

from hpsearch.model.evidence import Liveness
from hpsearch.store.folder import SearchFolder
from hpsearch.store.journal import JournalReader
from hpsearch.store.writers import poll_once

GAP_PATIENCE = 60.0
"""Seconds after which a number that was taken without a suggestion counts as left by a dead writer."""

OWN_PATIENCE = 20.0
"""Seconds after which a number of ours is given up that has come to nothing: for others it will be a gap."""


class Numbers:
    """Gives numbers to runs, by exclusively making the folders of their files.

    Args:
        folder: The search.
        name_of: From a number to the name of its run.
        clock: Monotonic seconds.
    """

    def __init__(self, folder: SearchFolder, name_of: Callable[[int], str], clock: Callable[[], float]) -> None:
        self._folder = folder
        self._name_of = name_of
        self._clock = clock
        self._own: int | None = None
        self._own_since = 0.0
        self._next = 1
        self._gaps: dict[int, float] = {}
        self._compared = 0

    def take(self, last: int) -> int:
        """A number that is ours alone, larger than ``last``, the largest one of a suggestion that is known.

        One that was taken before and has come to nothing is taken again.

        Raises:
            OSError: The search folder cannot be written.
        """
        if self._own is not None and self._clock() - self._own_since > OWN_PATIENCE:
            self.give_back()
        while self._own is None:
            self._next = max(self._next, last + 1)
            while not self._make(self._next):
                self._next += 1
            if self._exists(self._next + 1):
                # One that was given back: who has the larger one does not reckon with anybody here.
                _remove(self._path(self._next))
                self._next += 1
            else:
                self._own, self._own_since = self._next, self._clock()
        return self._own

    def _path(self, number: int) -> str:
        return self._folder.attempts(self._name_of(number))

    def _exists(self, number: int) -> bool:
        return os.path.isdir(self._path(number))

    def _make(self, number: int) -> bool:
        os.makedirs(self._folder.jobs_dir, 0o755, exist_ok=True)
        try:
            os.mkdir(self._path(number), 0o755)
        except FileExistsError:
            return False
        return True

    def is_late(self) -> bool:
        """Whether ours was taken so long ago that others may not reckon with it any more."""
        return self._clock() - self._own_since > OWN_PATIENCE

    def use(self) -> None:
        """Ours was suggested."""
        self._own = None

    def give_back(self) -> None:
        """Ours comes to nothing."""
        if self._own is not None:
            _remove(self._path(self._own))
            self._next = min(self._next, self._own)
            self._own = None

    def gaps(self, number: int, suggested: Container[int]) -> int:
        """How many smaller numbers other writers have taken and may be about to suggest."""
        for each in range(self._compared + 1, number):
            if each not in suggested:
                self._gaps.setdefault(each, self._clock())
        self._compared = max(self._compared, number - 1)
        self._gaps = {each: since for each, since in self._gaps.items() if each not in suggested}
        recent = [each for each, since in self._gaps.items() if self._clock() - since < GAP_PATIENCE]
        return sum(each < number and self._exists(each) for each in recent)

    def forget_gaps(self, number: int) -> None:
        """Numbers up to this one that nobody has suggested were left by the dead: nobody is about to."""
        self._compared = max(self._compared, number)


def free_numbers(
    folder: SearchFolder, own: str, declared_dead: Collection[str] = (), wall: Callable[[], float] = time.time
) -> bool:
    """Free the numbers that dead writers have taken without suggesting a run, unless another writer may be at work.

    Args:
        folder: The search.
        own: Name of this writer.
        declared_dead: Names of hosts that the user declared dead.
        wall: Seconds since 1970.

    Returns:
        Whether no other writer is at work.

    Raises:
        JournalError: A journal cannot be read.
        OSError: A folder cannot be read.
    """
    # Folders before writers: who makes one has a journal before that.
    made = set(os.listdir(folder.jobs_dir)) if folder.jobs_dir.is_dir() else set()
    reader = JournalReader(folder)
    suggested = {event['run'] for _, event in reader.news() if event['event'] == 'suggested'}
    others = {writer: header for writer, header in reader.headers.items() if writer != own}
    lives = poll_once(folder, others, reader.closed, wall(), declared_dead)
    if any(life is not Liveness.DEAD for life in lives.values()):
        return False
    for name in made - suggested:
        _remove(folder.attempts(name))
    return True


def _remove(path: str) -> None:
    with suppress(OSError):  # it is gone, or has files
        os.rmdir(path)
