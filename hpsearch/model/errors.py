"""The errors a user can see; each names what is wrong and the next step."""

from __future__ import annotations

import difflib
import errno
from collections.abc import Iterable, Sequence
from typing import Any

_LONGEST_MESSAGE = 400


class HpsearchError(Exception):
    """Base of all errors that are shown to the user without a traceback."""


class ConfigError(HpsearchError):
    """The configuration or the command line is wrong; carries every problem found, not only the first.

    Args:
        problems: One sentence each: the attribute or option, what it is, what is expected.
    """

    def __init__(self, problems: Sequence[str]) -> None:
        self.problems = tuple(problems)
        super().__init__('\n'.join(self.problems))


class SearchFolderError(HpsearchError):
    """A search folder is missing, exists already, or cannot be used."""


class DamageError(SearchFolderError):
    """A file of a search is damaged, and nothing can be done without it."""


class JournalError(HpsearchError):
    """A journal cannot be read (newer format, not a journal) or cannot be written."""


class BackendError(HpsearchError):
    """What executes attempts (a driver, a queue system) does not answer or cannot be used."""


class ExportError(HpsearchError):
    """The library of another program cannot write what was asked for."""


class IllegalMove(HpsearchError):
    """An event that the life of a run does not allow; the message holds that run's history."""


def one_line(error: BaseException) -> str:
    """The type and the message of an exception on one line."""
    message = ' '.join(str(error).split())
    return f'{type(error).__name__}: {message}'.rstrip(': ')[:_LONGEST_MESSAGE]


def did_you_mean(name: str, known: Iterable[Any]) -> str:
    """The end of a sentence about an unknown name: the most similar known one, where there is one."""
    hint = closest(name, [each for each in known if isinstance(each, str)])
    return f'; did you mean {hint}?' if hint else '.'


def closest(name: str, known: Iterable[str], cutoff: float = 0.6) -> str:
    """The most similar known name, or an empty string.

    Args:
        name: What was given.
        known: What there is.
        cutoff: How similar it has to be, 0-1.
    """
    return next(iter(difflib.get_close_matches(name, list(known), 1, cutoff)), '')


OF_THE_FILE = frozenset(
    (
        errno.ENOENT,
        errno.ENOTDIR,
        errno.EISDIR,
        errno.EACCES,
        errno.EPERM,
        errno.ELOOP,
        errno.ENAMETOOLONG,
        errno.ENXIO,
        errno.ENODEV,
        errno.ESRCH,
        errno.EINVAL,
        errno.ENOTSUP,
        errno.E2BIG,
        errno.ENOEXEC,
    )
)
"""Errors that say something of the file itself, and so of the script that left it, or of a command."""


def is_of_machine(error: OSError) -> bool:
    """Whether an error is trouble of the machine (a disk, a network, too many files), which may pass.

    It says nothing of a file, nor of the script that was to write it, nor of a command that was to be started.
    """
    return error.errno not in OF_THE_FILE


def unreadable(path: object, error: OSError) -> OSError | SearchFolderError:
    """What it means that a file of a search cannot be read: trouble of the machine, or something about the file."""
    if is_of_machine(error):
        return OSError(error.errno, error.strerror, str(path))
    return SearchFolderError(f'{path} cannot be read: {error.strerror}.')


def trouble_in_words(error: OSError) -> str:
    """What the system says, and of which file."""
    return f'{error.strerror or error} ({error.filename})' if error.filename else f'{error.strerror or error}'


def reason_of(error: OSError | ValueError) -> str:
    """Why a file cannot be read, without its name, which stands before that."""
    return error.strerror or str(error) if isinstance(error, OSError) else str(error)


def in_one_line(error: Exception) -> str:
    """What is wrong, without the lines that show where."""
    return trouble_in_words(error) if isinstance(error, OSError) else str(error).partition('\n')[0]
