"""Locks under which the dispatchers of this host place runs, one after the other.

They are on this host, never on a shared file system, and only keep two dispatchers from choosing the same GPU at the
same moment; that no attempt starts twice does not depend on them.
"""

from __future__ import annotations

import fcntl
import hashlib
import logging
import math
import os
import stat
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager

from hpsearch.model.errors import trouble_in_words

log = logging.getLogger('hpsearch')

PLACE = '/tmp'
"""The same for every session on this host, whatever its ``TMPDIR``."""

PATIENCE = 1.0
"""Seconds to wait for another dispatcher that is placing runs."""

HELD_TOO_LONG = 5.0
"""Seconds after which a lock that is not released is disregarded: its holder must be suspended, and at worst two
dispatchers choose the same GPU."""

_PAUSE = 0.005


def placement_lock(
    identity: str, clock: Callable[[], float] = time.monotonic, sleep: Callable[[float], None] = time.sleep
) -> Callable[[], AbstractContextManager[bool]]:
    """A lock to hold while runs of a search are placed; see :meth:`HostLock.hold`.

    Args:
        identity: What the search is known by on this host, under whatever name.
    """
    place = os.path.join(PLACE, f'hpsearch-{os.getuid()}')
    path = os.path.join(place, f'{hashlib.sha256(os.fsencode(identity)).hexdigest()[:24]}.lock')
    return HostLock(path, lambda: _opened(place, path), clock, sleep).hold


class HostLock:
    """A lock among the dispatchers of this host. Where it cannot be opened, each places its runs without it.

    Args:
        path: What is locked: a file or a folder.
        opened: Opens it, and makes it if it is missing; raises OSError.
        clock: Monotonic seconds.
        sleep: Waits for so many seconds.
    """

    def __init__(
        self,
        path: str,
        opened: Callable[[], int],
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self._path = path
        self._opened = opened
        self._clock = clock
        self._sleep = sleep
        self._handle = -1
        self._waiting_since = self._last_try = -math.inf
        self._has_warned = self._has_disregarded = False

    @contextmanager
    def hold(self) -> Iterator[bool]:
        """Hold it; entering it gives whether runs may be placed now: it was acquired, or cannot be had."""
        if self._clock() - self._last_try > HELD_TOO_LONG:
            self._waiting_since = self._clock()
        if not self._acquire():
            self._last_try = self._clock()
            yield self._is_held_too_long()
            return
        self._last_try = -math.inf
        try:
            yield True
        finally:
            self._close()

    def _is_held_too_long(self) -> bool:
        is_so = self._clock() - self._waiting_since > HELD_TOO_LONG
        if is_so and not self._has_disregarded:
            self._has_disregarded = True
            log.warning(
                '%s has been locked for more than %g s: runs are placed without it, so several hpsearch on this host '
                'may choose the same GPU',
                self._path,
                HELD_TOO_LONG,
            )
        return is_so

    def _acquire(self) -> bool:
        """One that is disregarded is not waited for again."""
        end = self._clock() + (0.0 if self._clock() - self._waiting_since > HELD_TOO_LONG else PATIENCE)
        while not self._is_acquired():
            if self._clock() >= end:
                return False
            self._sleep(_PAUSE)
        return True

    def _is_acquired(self) -> bool:
        """Whether nobody else holds the lock, or there is none."""
        try:
            self._handle = self._opened()
            fcntl.flock(self._handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
            is_ours = self._is_still_there()
        except BlockingIOError:
            is_ours = False
        except OSError as error:
            self.warn(error)
            return True
        if not is_ours:
            self._close()
        return is_ours

    def _is_still_there(self) -> bool:
        """Whether what was opened still has its name; if it was removed meanwhile, others lock another one."""
        try:
            return os.path.samestat(os.lstat(self._path), os.fstat(self._handle))
        except FileNotFoundError:
            return False

    def _close(self) -> None:
        """Release the lock; it is opened again each time, since files in ``/tmp`` may be cleaned away."""
        if self._handle >= 0:
            os.close(self._handle)
            self._handle = -1

    def warn(self, error: OSError) -> None:
        """Say, once, what keeps dispatchers from taking each other into account."""
        if not self._has_warned:
            log.warning('several hpsearch on this host may choose the same GPU: %s', trouble_in_words(error))
        self._has_warned = True


def _opened(place: str, path: str) -> int:
    """Open the lock of a search in the folder of this user."""
    os.makedirs(place, mode=0o700, exist_ok=True)
    facts = os.lstat(place)
    if facts.st_uid != os.getuid() or not stat.S_ISDIR(facts.st_mode):
        raise PermissionError(1, f'{place} belongs to another user')
    return os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
