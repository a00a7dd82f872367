"""The options that name the commands which tell somebody how a search goes."""

from __future__ import annotations

import argparse
import json
import os
import shlex
import shutil
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from typing import ClassVar

from hpsearch.cli.declaring.fields import OptionGroup, option


def command_words(text: str) -> tuple[str, ...]:
    """An argparse type: the words of a command, split as a shell does or given as a JSON list; empty: no command.

    A program that is named by a path is the file that this path leads to now, since a search may be resumed elsewhere.
    """
    words = _listed(text) if text.lstrip().startswith('[') else _split(text)
    if any('\0' in word for word in words):
        raise argparse.ArgumentTypeError('a NUL character cannot be in a word')
    if not words:
        return ()
    program = os.path.expanduser(words[0])
    return (os.path.abspath(program) if os.sep in program else program, *words[1:])


command_words.__name__ = 'command'


def _split(text: str) -> list[str]:
    try:
        return shlex.split(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(f'{text!r} cannot be split into words: {error}') from None


def _listed(text: str) -> list[str]:
    try:
        words = json.loads(text)
    except (ValueError, RecursionError):
        words = None
    if not isinstance(words, list) or not all(isinstance(word, str) for word in words):
        raise argparse.ArgumentTypeError(f'{text!r} is no JSON list of words, as in ["mail", "-s", "two words"]')
    return words


@dataclass(frozen=True)
class NotifyOptions(OptionGroup):
    """Who is told."""

    title: ClassVar[str] = 'who is told'

    on_finish: tuple[str, ...] | None = option(
        None,
        'execute this command, without a shell, once all runs have ended; it gets the facts of the search as JSON on '
        'its standard input',
        metavar='CMD',
        type=command_words,
    )
    on_failure: tuple[str, ...] | None = option(
        None,
        'the same as soon as a run has failed for good, once per kind of failure, and when the search ends without '
        'having done all its runs',
        metavar='CMD',
        type=command_words,
    )


def missing_programs(options: NotifyOptions, names: Collection[str] = ('on_finish', 'on_failure')) -> Iterator[str]:
    """What is wrong with the commands of these options, in words."""
    for name in names:
        words = getattr(options, name)
        if words and shutil.which(words[0]) is None:
            where = 'is not an executable file' if os.sep in words[0] else 'is not an executable on PATH'
            yield f'--{name}: {words[0]!r} {where}.'
