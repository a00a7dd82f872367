"""The commands of runs as the page reads them: what many of them have in common is there once."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import Any, TypeAlias

from hpsearch.model.command import line_breaks_of, shell_program, shell_word
from hpsearch.records.run import RunRecord

from .columns import LARGEST_INTEGER

Word: TypeAlias = str | tuple[str, str]
"""A word quoted for a shell; or what precedes the value of a parameter in it, and the name of the parameter."""


def commands_of(runs: Sequence[RunRecord]) -> dict[str, Any]:
    """The commands of the runs, each as the places of its words among all that occur.

    A number that a run has as a parameter is not repeated: it would take as much room again as all parameters do.
    """
    lines = [_words(run) for run in runs]
    places = {word: at for at, word in enumerate(dict.fromkeys(word for line in lines for word in line))}
    return {'words': list(places), 'lines': [[places[word] for word in line] for line in lines]}


def _words(run: RunRecord) -> list[Word]:
    argv = run.run.argv
    if not argv:
        return []
    params = {text: name for name, value in run.params.items() if (text := digits_of(value))}
    first, others = shell_program(argv[0]), [_word(each, params) for each in argv[1:]]
    breaks = line_breaks_of(' '.join([first, *(each for each in others if isinstance(each, str))]))
    return [breaks + first, *others]


def _word(word: str, params: Mapping[str, str]) -> Word:
    before, equals, value = word.rpartition('=')
    name = params.get(value)
    return shell_word(word) if name is None or not _is_plain(before + equals) else (before + equals, name)


@lru_cache(maxsize=10_000)
def _is_plain(text: str) -> bool:
    """Whether a shell takes it as it is before a number."""
    return shell_word(f'{text}0') == f'{text}0'


def digits_of(value: Any) -> str:
    """A number as Python writes it, if the page can tell that from the number alone; otherwise empty."""
    if type(value) is float:
        return '' if value.is_integer() or not abs(value) < LARGEST_INTEGER else repr(value)
    return str(value) if type(value) is int and abs(value) < LARGEST_INTEGER else ''
