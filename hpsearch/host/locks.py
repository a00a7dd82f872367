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
from contextlib import AbstractContextManager, contextmanager, nullcontext
from pathlib import Path

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
    folder: Path, clock: Callable[[], float] = time.monotonic, sleep: Callable[[float], None] = time.sleep
) -> Callable[[], AbstractContextManager[bool]]:
    """A lock to hold while runs of the search in ``folder`` are placed; entering it gives whether that may be done now.

    If the lock file cannot be created, a dispatcher places its runs without it.
    """
    try:
        handle = os.open(_path(folder), os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
    except OSError as error:
        log.warning('several hpsearch on this host may choose the same GPU: %s', error)
        return lambda: nullcontext(True)

    waiting_since: float | None = None

    @contextmanager
    def hold() -> Iterator[bool]:
        nonlocal waiting_since
        begin = clock()
        if not _acquire(handle, clock, sleep):
            waiting_since = begin if waiting_since is None else waiting_since
            yield clock() - waiting_since > HELD_TOO_LONG
            return
        waiting_since = None
        try:
            yield True
        finally:
            fcntl.flock(handle, fcntl.LOCK_UN)

    return hold


def _path(folder: Path) -> str:
    place = os.path.join(PLACE, f'hpsearch-{os.getuid()}')
    os.makedirs(place, mode=0o700, exist_ok=True)
    facts = os.lstat(place)
    if facts.st_uid != os.getuid() or not os.path.isdir(place) or os.path.islink(place):
        raise PermissionError(1, f'{place} belongs to another user')
    name = hashlib.sha256(os.fsencode(os.path.realpath(folder))).hexdigest()[:24]
    return os.path.join(place, f'{name}.lock')


def _acquire(handle: int, clock: Callable[[], float], sleep: Callable[[float], None]) -> bool:
    end = clock() + PATIENCE
    while True:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            if clock() >= end:
                return False
            sleep(_PAUSE)
        else:
            return True
