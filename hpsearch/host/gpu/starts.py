"""Runs that were started lately on GPUs of this host, by every hpsearch of every user, and the lock on choosing GPUs.

It takes a while until a run can be seen in the readings of its GPU. Until then a file in a folder that all share says
that it was started. What others wrote there is not trusted: it can make us wait, for a limited time, and nothing else.
"""

from __future__ import annotations

import errno
import json
import math
import os
import secrets
import shutil
import stat
import tempfile
import time
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, suppress
from dataclasses import asdict, dataclass
from itertools import islice
from typing import TypeVar

from hpsearch.host.kernel import Host, this_host
from hpsearch.host.locks import HostLock
from hpsearch.host.processes import Process, presence, user_name
from hpsearch.model.evidence import ProcessState
from hpsearch.model.resources import OtherStart

PLACE = '/tmp/hpsearch-gpus'
"""A folder like ``/tmp`` itself: every user may add files to it, and remove their own."""

LONGEST_DELAY = 600.0
"""Seconds for which a start counts at most, whatever is said of it."""

SHORTEST_DELAY = 2.0
"""The same at least: with any shorter delay, there may be no reading since the start."""

MOST_FILES = 1000
"""How many files are looked at; there is one per run that was started lately."""

MOST_BYTES = 4096
"""How large the file of a start is at most."""

_PREFIX = 'start-'
_MODE = 0o1777
_READ = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
_CREATE = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
_ABOUT = """\
Each file here says that a run of hpsearch was started on a GPU of this machine, so that every other hpsearch waits
until the run can be seen there. While no hpsearch is running, this folder may be removed.
"""

T = TypeVar('T')


@dataclass(frozen=True, slots=True)
class Start:
    """What the file of a start says.

    Attributes:
        gpus: UUIDs of its GPUs.
        pid: Of the run.
        ticks: When that process started (see :func:`start_ticks`).
        boot: Id of the boot of this host.
        namespace: In which the pid counts.
        at: When the run was started, in monotonic seconds, which all processes of a host share.
        delay: Seconds until its use of the GPUs can be read.
    """

    gpus: tuple[str, ...]
    pid: int
    ticks: str
    boot: str
    namespace: str
    at: float
    delay: float

    def counts(self, host: Host, now: float) -> bool:
        """Whether others have to wait for it, as long as its process is not known to be gone."""
        return self.boot == host.boot and 0 <= now - self.at < min(self.delay, LONGEST_DELAY)


class GpuStarts:
    """The starts of others, and our own for them. Where the folder cannot be used there are none, which is said once.

    Args:
        clock: Monotonic seconds, of the clock that all processes of this host have.
        sleep: Waits for so many seconds.
    """

    def __init__(
        self, clock: Callable[[], float] = time.monotonic, sleep: Callable[[float], None] = time.sleep
    ) -> None:
        self._place = PLACE
        self._clock = clock
        self._host = this_host()
        self._lock = HostLock(self._place, lambda: open_shared(self._place), clock, sleep)
        self._own: dict[str, str] = {}

    def lock(self) -> AbstractContextManager[bool]:
        """To be held while GPUs are chosen and runs are started there; see :meth:`HostLock.hold`."""
        return self._lock.hold()

    def note(self, ident: str, gpus: Sequence[str], process: Process, delay: float) -> None:
        """Tell every other hpsearch that a run was started now.

        Args:
            ident: Id of its attempt.
            gpus: UUIDs of its GPUs.
            process: Its process.
            delay: Seconds until its use of the GPUs can be read, as far as that is known.
        """
        self.forget(ident)
        where = self._host.boot, self._host.namespace
        limited = min(max(SHORTEST_DELAY, float(delay)), LONGEST_DELAY)
        start = Start(tuple(gpus), process.pid, process.ticks, *where, self._clock(), limited)
        name = self._own[ident] = _PREFIX + secrets.token_hex(8)
        self._in_folder(lambda folder: _write(folder, name, json.dumps(asdict(start))), None)

    def forget(self, ident: str) -> None:
        """A run has ended, so that its GPUs are as they seem."""
        name = self._own.pop(ident, None)
        if name is not None:
            self._in_folder(lambda folder: _remove(folder, name), None)

    def others(self) -> Sequence[OtherStart]:
        """The starts of others that count; files of this user that do not are removed."""
        return self._in_folder(self._others_in, ())

    def _others_in(self, folder: int) -> Sequence[OtherStart]:
        files = [file for name in _names(folder) if (file := _read(folder, name)) is not None]
        over = {file.name for file in files if self._is_over(file)}
        for file in files:
            if file.name in over and file.owner == os.geteuid():
                _remove(folder, file.name)
        known = over.union(self._own.values())
        return [_as_other(file.start, file.owner) for file in files if file.start and file.name not in known]

    def _is_over(self, file: _File) -> bool:
        """Whether a file says nothing any more; one that cannot be read may just be written."""
        if file.start is None:
            return time.time() - file.modified > LONGEST_DELAY
        is_here = file.start.namespace == self._host.namespace
        is_gone = is_here and presence(file.start.pid, file.start.ticks) is ProcessState.GONE
        return is_gone or not file.start.counts(self._host, self._clock())

    def _in_folder(self, work: Callable[[int], T], otherwise: T) -> T:
        """The result of work with a descriptor of the folder; what the system refuses is left, and said once."""
        try:
            folder = open_shared(self._place)
            try:
                return work(folder)
            finally:
                os.close(folder)
        except OSError as error:
            path = os.path.join(self._place, error.filename) if error.filename else None
            self._lock.warn(OSError(error.errno, error.strerror, path))
            return otherwise


# The folder


def open_shared(place: str) -> int:
    """A descriptor of a folder that every user may add files to; it is made if it is missing.

    Raises:
        OSError: It cannot be made, or it is something else.
    """
    try:
        folder = _open_folder(place)
    except FileNotFoundError:
        _make(place)
        folder = _open_folder(place)
    if os.fstat(folder).st_mode & _MODE != _MODE:
        os.close(folder)
        raise OSError(errno.EPERM, f'{place} is no folder that all users share: remove it, or chmod 1777 {place}')
    return folder


def _open_folder(place: str) -> int:
    return os.open(place, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC)


def _make(place: str) -> None:
    """Make the folder, unless somebody else does: it has its mode, and a file, before it has its name.

    An empty one would be replaced by that of the next process, with a lock of its own.
    """
    fresh = tempfile.mkdtemp(prefix=f'{os.path.basename(place)}-', dir=os.path.dirname(place))
    with open(os.path.join(fresh, 'README'), 'w') as about:
        about.write(_ABOUT)
        os.fchmod(about.fileno(), 0o644)
    os.chmod(fresh, _MODE)
    try:
        os.rename(fresh, place)
    except OSError:
        shutil.rmtree(fresh)
        if not os.path.lexists(place):
            raise


def _names(folder: int) -> list[str]:
    with os.scandir(folder) as entries:
        return [entry.name for entry in islice(entries, MOST_FILES) if entry.name.startswith(_PREFIX)]


def _remove(folder: int, name: str) -> None:
    with suppress(FileNotFoundError):
        os.unlink(name, dir_fd=folder)


# The file of a start


@dataclass(frozen=True, slots=True)
class _File:
    """One file of the folder: whose it is, when it was written (seconds since 1970), and what it says, if it can be."""

    name: str
    owner: int
    modified: float
    start: Start | None


def _write(folder: int, name: str, text: str) -> None:
    """Write a file that others may read, whatever our umask is."""
    file = os.open(name, _CREATE, 0o644, dir_fd=folder)
    try:
        os.fchmod(file, 0o644)
        os.write(file, text.encode())
    finally:
        os.close(file)


def _read(folder: int, name: str) -> _File | None:
    """What is in a file; None: it is none, or not for us. A link is not followed, a pipe not waited for."""
    try:
        file = os.open(name, _READ, dir_fd=folder)
    except OSError:
        return None
    try:
        facts = os.fstat(file)
        text = os.read(file, MOST_BYTES + 1) if stat.S_ISREG(facts.st_mode) else b''
    except OSError:
        return None
    finally:
        os.close(file)
    return _File(name, facts.st_uid, facts.st_mtime, parse_start(text))


def parse_start(text: bytes) -> Start | None:
    """What somebody wrote of a start; None: it is nothing that hpsearch writes."""
    if len(text) > MOST_BYTES:
        return None
    try:
        said = json.loads(text)
    except (ValueError, RecursionError):
        return None
    if not isinstance(said, dict) or any(type(said.get(name)) is not kind for name, kind in _KINDS.items()):
        return None
    gpus, numbers = said['gpus'], (said['at'], said['delay'])
    if not all(isinstance(gpu, str) for gpu in gpus) or not all(math.isfinite(number) for number in numbers):
        return None
    return Start(**{**{name: said[name] for name in _KINDS}, 'gpus': tuple(gpus)})


_KINDS = {'gpus': list, 'pid': int, 'ticks': str, 'boot': str, 'namespace': str, 'at': float, 'delay': float}


def _as_other(start: Start, owner: int) -> OtherStart:
    who = f'user {user_name(owner)}, pid {start.pid}'
    return OtherStart(start.gpus, start.at, min(start.delay, LONGEST_DELAY), who)
