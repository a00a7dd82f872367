"""The lock under which all dispatchers of a search on this host place runs.

It is a file on this host, never on a shared file system, and only keeps two dispatchers from choosing the same GPU at
the same moment; that no attempt starts twice does not depend on it.
"""

from __future__ import annotations

import fcntl
import hashlib
import logging
import os
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager

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
    """A lock to hold while runs of a search are placed; entering it gives whether that may be done now.

    If the lock file cannot be created, a dispatcher places its runs without it.

    Args:
        identity: What the search is known by on this host, under whatever name.
    """
    return _Lock(identity, clock, sleep).hold


class _Lock:
    def __init__(self, identity: str, clock: Callable[[], float], sleep: Callable[[float], None]) -> None:
        self._identity = identity
        self._clock = clock
        self._sleep = sleep
        self._handle = -1
        self._waiting_since: float | None = None
        self._has_warned = False

    @contextmanager
    def hold(self) -> Iterator[bool]:
        begin = self._clock()
        if not self._acquire():
            self._waiting_since = begin if self._waiting_since is None else self._waiting_since
            yield self._clock() - self._waiting_since > HELD_TOO_LONG
            return
        self._waiting_since = None
        try:
            yield True
        finally:
            self._close()

    def _acquire(self) -> bool:
        end = self._clock() + PATIENCE
        while not self._is_acquired():
            if self._clock() >= end:
                return False
            self._sleep(_PAUSE)
        return True

    def _is_acquired(self) -> bool:
        """Whether nobody else holds the lock, or there is none."""
        try:
            path = _path(self._identity)
            self._handle = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
            fcntl.flock(self._handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
            # If it was removed meanwhile, others lock another one.
            is_ours = os.path.samestat(os.stat(path), os.fstat(self._handle))
        except (BlockingIOError, FileNotFoundError):
            is_ours = False
        except OSError as error:
            self._warn(error)
            return True
        if not is_ours:
            self._close()
        return is_ours

    def _close(self) -> None:
        """Release the lock; it is opened again each time, since files in ``/tmp`` may be cleaned away."""
        if self._handle >= 0:
            os.close(self._handle)
            self._handle = -1

    def _warn(self, error: OSError) -> None:
        if not self._has_warned:
            log.warning('several hpsearch on this host may choose the same GPU: %s', error)
        self._has_warned = True


def _path(identity: str) -> str:
    place = os.path.join(PLACE, f'hpsearch-{os.getuid()}')
    os.makedirs(place, mode=0o700, exist_ok=True)
    facts = os.lstat(place)
    if facts.st_uid != os.getuid() or not os.path.isdir(place) or os.path.islink(place):
        raise PermissionError(1, f'{place} belongs to another user')
    name = hashlib.sha256(os.fsencode(identity)).hexdigest()[:24]
    return os.path.join(place, f'{name}.lock')
