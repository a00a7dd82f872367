"""Files that training scripts write: of any size and content, perhaps half written."""

from __future__ import annotations

import codecs
import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import BinaryIO

LARGEST_SUMMARY = 10 * 2**20
"""Bytes; a larger file is no summary and is not read."""


def read_fresh(path: Path, largest: int = LARGEST_SUMMARY) -> bytes:
    """The content of a file, also where a network file system denied a moment ago that it exists.

    Args:
        path: The file.
        largest: How many bytes it may have.

    Raises:
        OSError: It is not there or cannot be read.
        ValueError: It is too large, or no regular file.
    """
    try:
        return read_whole(path, largest)
    except FileNotFoundError:
        look_again(path.parent)
        return read_whole(path, largest)


def read_end(path: str | os.PathLike[str], size: int) -> bytes:
    """The last bytes of a file.

    Raises:
        OSError: It is not there or cannot be read.
        ValueError: It is no regular file.
    """
    with opened_file(path) as file:
        file.seek(max(0, os.fstat(file.fileno()).st_size - size))
        return file.read(size)


def look_again(folder: Path) -> None:
    """Let a network file system look again for what was not there a minute ago, by listing where it should be.

    What is wrong, if anything, says the reading that follows.
    """
    with suppress(OSError):
        if not folder.is_dir():
            os.listdir(folder.parent)
        os.listdir(folder)


def read_whole(path: str | os.PathLike[str], largest: int = LARGEST_SUMMARY) -> bytes:
    """The content of a file; arguments and errors as those of :func:`read_fresh`."""
    with opened_file(path) as file:
        raw = file.read(largest + 1)
    if len(raw) > largest:
        raise ValueError(f'it is larger than {largest // 2**20} MiB')
    return raw


@contextmanager
def opened_file(path: str | os.PathLike[str]) -> Iterator[BinaryIO]:
    """A file that is open to be read; an error that reading it raises names it.

    Raises:
        OSError: It is not there or cannot be opened.
        ValueError: It is no regular file.
    """
    try:
        # Non-blocking, since there may be a named pipe of this name.
        with open(path, 'rb', opener=lambda name, flags: os.open(name, flags | os.O_NONBLOCK)) as file:
            if not stat.S_ISREG(os.fstat(file.fileno()).st_mode):
                raise ValueError('it is not a regular file')
            yield file
    except OSError as error:
        error.filename = os.fspath(path)
        raise


_MARKS = (
    *((codecs.BOM_UTF32_LE, 'utf-32'), (codecs.BOM_UTF32_BE, 'utf-32')),
    *((codecs.BOM_UTF16_LE, 'utf-16'), (codecs.BOM_UTF16_BE, 'utf-16')),
)
"""Byte order marks, the longer ones first, and what begins with them."""


def decode(raw: bytes) -> tuple[str, list[str]]:
    """The text of a file with plain line ends, and what is odd about it."""
    oddities = []
    encoding = next((name for mark, name in _MARKS if raw.startswith(mark)), 'utf-8-sig')
    try:
        text = raw.decode(encoding)
    except UnicodeDecodeError:
        text = raw.decode(encoding, errors='replace')
        oddities.append(f'not valid {encoding.upper().removesuffix("-SIG")}')
    if '\0' in text:
        text = text.replace('\0', '')
        oddities.append('holds zero bytes')
    return text.replace('\r\n', '\n').replace('\r', '\n'), oddities
