"""Files that grow while they are read."""

from __future__ import annotations

import os
import stat

CHUNK = 1 << 20
"""Bytes that are read at a time."""

LONGEST_LINE = 1 << 18
"""Bytes of a line; a longer one is passed over."""

_MARK = 64
"""Bytes at the beginning of a file, and before the place up to which it was read, that are compared again."""


class GrowingFile:
    """A file of which each call reads what came since the last one, whatever else is done to it."""

    def __init__(self, path: str | os.PathLike[str]) -> None:
        self._path = path
        self._place = 0
        self._identity: tuple[int, int] | None = None
        self._head = self._tail = b''
        self.has_more = False
        """Whether the last call left something, since it reads no more than :data:`CHUNK`."""

    def read(self) -> tuple[bytes, bool]:
        """What is new, and whether the file is another one than that of the last call, or was written again.

        A file that is missing, or no regular one, has nothing new.

        Raises:
            OSError: It is there but cannot be read.
        """
        self.has_more = False
        try:
            # Opened, since a network file system only then asks how large it is; it may be a named pipe.
            opened = os.open(self._path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
        except (FileNotFoundError, NotADirectoryError):
            return b'', False
        try:
            return self._read(opened)
        finally:
            os.close(opened)

    def _read(self, opened: int) -> tuple[bytes, bool]:
        facts = os.fstat(opened)
        identity = facts.st_dev, facts.st_ino
        if not stat.S_ISREG(facts.st_mode) or (facts.st_size == self._place and identity == self._identity):
            return b'', False
        is_another = self._place > 0 and (identity != self._identity or self._was_rewritten(opened, facts.st_size))
        if is_another:
            self._place, self._head, self._tail = 0, b'', b''
        data = os.pread(opened, CHUNK, self._place)
        self._identity = identity
        self._place += len(data)
        self._head = (self._head + data[:_MARK])[:_MARK]
        self._tail = (self._tail + data)[-_MARK:]
        self.has_more = self._place < facts.st_size
        return data, is_another

    def _was_rewritten(self, opened: int, size: int) -> bool:
        if size < self._place:
            return True
        before = os.pread(opened, len(self._tail), self._place - len(self._tail))
        return before != self._tail or os.pread(opened, len(self._head), 0) != self._head


class Lines:
    """The lines of a text that comes in pieces; a line counts once it has ended.

    Args:
        separators: What ends a line.
    """

    def __init__(self, separators: bytes = b'\n') -> None:
        self._others = separators.replace(b'\n', b'')
        self._rest = b''
        self._is_too_long = False

    def feed(self, data: bytes) -> list[str]:
        """The lines that are complete now, without their ends; what is no UTF-8 in them is replaced."""
        for other in self._others:
            data = data.replace(bytes((other,)), b'\n')
        first, *others = data.split(b'\n')
        if not others:
            self._keep(self._rest + first)
            return []
        lines = [*([] if self._is_too_long else [self._rest + first]), *others[:-1]]
        self._is_too_long = False
        self._keep(others[-1])
        return [_decoded(line) for line in lines if len(line) <= LONGEST_LINE]

    def _keep(self, rest: bytes) -> None:
        self._is_too_long = self._is_too_long or len(rest) > LONGEST_LINE
        self._rest = b'' if self._is_too_long else rest


def _decoded(line: bytes) -> str:
    # Zero bytes are what a power loss leaves of what was not on the disk yet.
    return line.decode('utf-8', 'replace').lstrip('\ufeff').replace('\0', '').rstrip('\r')
