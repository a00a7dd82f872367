"""Files that readers find whole or not at all, whoever is killed while they are written."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TextIO


def write_whole(path: Path, text: str) -> None:
    """Write a file that readers find whole or not at all.

    Raises:
        OSError: It cannot be written; an earlier file of that name is untouched.
    """
    with whole_file(path) as out:
        out.write(text)


@contextmanager
def whole_file(path: Path, *, is_durable: bool = True, errors: str = 'surrogateescape') -> Iterator[TextIO]:
    """A file to write that gets its name when it is complete, and never exists otherwise.

    Args:
        path: The file, which is replaced.
        is_durable: Whether it is on disk before it gets its name.
        errors: What becomes of characters that UTF-8 cannot encode, as for :func:`open`.

    Raises:
        OSError: It cannot be written; an earlier file of that name is untouched.
    """
    temporary = path.with_name(f'.{path.name}.{os.getpid()}-{os.urandom(4).hex()}.tmp')
    try:
        with open(temporary, 'x', encoding='utf-8', errors=errors, newline='\n', opener=_for_us_alone) as out:
            yield out
            if is_durable:
                out.flush()
                os.fsync(out.fileno())
        os.replace(temporary, path)
    except BaseException as error:
        temporary.unlink(missing_ok=True)
        if isinstance(error, OSError) and error.filename == str(temporary):
            error.filename = str(path)  # that name people know
        raise


def _for_us_alone(path: str, flags: int) -> int:
    """Whatever our umask is, since what others could write is not executed (:mod:`hpsearch.store.opening.trust`)."""
    return os.open(path, flags, 0o644)
