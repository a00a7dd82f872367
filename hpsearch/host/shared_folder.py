"""A folder in which every hpsearch of this host, of whatever user, leaves small files for the others, and its lock.

What others wrote there is not trusted: it can make us wait, for a limited time, and nothing else.
"""

from __future__ import annotations

import errno
import json
import os
import secrets
import shutil
import stat
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager, suppress
from dataclasses import dataclass
from functools import partial
from itertools import islice
from typing import Any, TypeVar

from hpsearch.host.locks import HostLock

PLACE = '/tmp/hpsearch-gpus'
"""A folder like ``/tmp`` itself: every user may add files to it, and remove their own."""

MOST_FILES = 1000
"""How many files are looked at; there are one per run that was started lately, and one per search."""

MOST_BYTES = 4096
"""How large a file is at most."""

_MODE = 0o1777
_READ = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
_CREATE = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
_ABOUT = """\
Each file here says that a run of hpsearch was started on this machine, so that every other hpsearch waits until the run
can be seen there, or which search is at work. While no hpsearch is running, this folder may be removed.
"""

T = TypeVar('T')


@dataclass(frozen=True, slots=True)
class SharedFile:
    """A file that somebody left: whose it is, when it was written (seconds since 1970), and what is in it."""

    name: str
    owner: int
    modified: float
    text: bytes

    @property
    def is_ours(self) -> bool:
        """Whether it belongs to the user of this process."""
        return self.owner == os.geteuid()


def facts_in(text: bytes, kinds: Mapping[str, type]) -> dict[str, Any] | None:
    """What somebody wrote into a file; None: it is too large, or not a mapping with a value of each of these kinds."""
    if len(text) > MOST_BYTES:
        return None
    try:
        said = json.loads(text)
    except (ValueError, RecursionError):
        return None
    if not isinstance(said, dict) or any(type(said.get(name)) is not kind for name, kind in kinds.items()):
        return None
    return said


class SharedFolder:
    """The folder. Where it cannot be used nobody knows of the others, which is said once.

    Args:
        clock: Monotonic seconds, of the clock that all processes of this host have.
        sleep: Waits for so many seconds.
    """

    def __init__(
        self, clock: Callable[[], float] = time.monotonic, sleep: Callable[[float], None] = time.sleep
    ) -> None:
        self._place = PLACE
        self._lock = HostLock(self._place, lambda: open_shared(self._place), clock, sleep)

    def lock(self) -> AbstractContextManager[bool]:
        """To be held while places are chosen and runs are started there; see :meth:`HostLock.hold`."""
        return self._lock.hold()

    def add(self, prefix: str, text: str) -> str:
        """Leave a file that everybody may read; returns its name, which nobody can guess."""
        name = prefix + secrets.token_hex(8)
        self._in_folder(lambda folder: _write(folder, name, text), None)
        return name

    def replace(self, name: str, text: str) -> None:
        """Write a file of ours anew; a reader finds the old one or the new one."""

        def body(folder: int) -> None:
            fresh = f'new-{secrets.token_hex(8)}'
            _write(folder, fresh, text)
            os.rename(fresh, name, src_dir_fd=folder, dst_dir_fd=folder)

        self._in_folder(body, None)

    def remove(self, names: Sequence[str]) -> None:
        """Remove files of ours, as far as they are there."""
        for name in names:
            self._in_folder(partial(_remove, name=name), None)

    def files(self, prefix: str) -> Sequence[SharedFile]:
        """What is there under such names."""

        def body(folder: int) -> Sequence[SharedFile]:
            return [file for name in _names(folder, prefix) if (file := _read(folder, name)) is not None]

        return self._in_folder(body, ())

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


def _names(folder: int, prefix: str) -> list[str]:
    with os.scandir(folder) as entries:
        return [entry.name for entry in islice(entries, MOST_FILES) if entry.name.startswith(prefix)]


def _remove(folder: int, name: str) -> None:
    with suppress(FileNotFoundError):
        os.unlink(name, dir_fd=folder)


# A file


def _write(folder: int, name: str, text: str) -> None:
    """Write a file that others may read, whatever our umask is."""
    file = os.open(name, _CREATE, 0o644, dir_fd=folder)
    try:
        os.fchmod(file, 0o644)
        os.write(file, text.encode())
    finally:
        os.close(file)


def _read(folder: int, name: str) -> SharedFile | None:
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
    return SharedFile(name, facts.st_uid, facts.st_mtime, text)
