"""Values to search in the words of a command, in the notation of Oríon: ``--lr~'loguniform(1e-5, 1)'``."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from hpsearch.arguments.placeholders import WHOLE_WORDS

_NAME = r'\w[\w./@-]*'
_LOOKS_SEARCHED = r'(?:\[.*\]|[A-Za-z_]\w*\(.*\))'
"""A list, or the call of a distribution."""

_OPTION = re.compile(rf'-+(?P<name>{_NAME})')
_OF_OPTION = re.compile(
    rf'(?P<before>-+)(?P<name>{_NAME})(?P<sign>~(?!/)|=orion~|=~(?={_LOOKS_SEARCHED}\Z))(?P<prior>.+)', re.DOTALL
)
"""After a tilde alone, only a path is something else; whatever is misspelled is named when it is read."""

_OF_KEY = re.compile(
    rf'(?P<before>\+{{0,2}})(?!orion~)(?P<name>{_NAME})(?P<sign>=orion~|=~|~)(?P<prior>{_LOOKS_SEARCHED})', re.DOTALL
)
_ALONE = re.compile(rf'(?:(?P<prior>orion~.+)|~(?P<short>{_LOOKS_SEARCHED}))', re.DOTALL)


@dataclass
class SearchedWords:
    """The words of a command, and what is searched.

    Attributes:
        command: The words, with placeholders instead of what is searched.
        priors: Name to the text of its distribution or list, in the order of the command; with ``orion~`` before it
            where the word has that, which says whose notation it is.
        options: The names of those that are options, to their dashes; others stand behind a name without dashes, or
            alone.
        keys: The names of those that stand behind a name without dashes, as in Hydra.
        problems: What is wrong, in sentences.
    """

    command: list[str] = field(default_factory=list)
    priors: dict[str, str] = field(default_factory=dict)
    options: dict[str, str] = field(default_factory=dict)
    keys: list[str] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)


def searched_words(words: Sequence[str], renamed: Mapping[str, str] | None = None) -> SearchedWords:
    """What is searched in a command; every other word stays where it is.

    ``--lr~PRIOR``, ``--lr=orion~PRIOR``, ``--lr orion~PRIOR``, ``-o~PRIOR``, ``lr=~PRIOR`` and ``lr~PRIOR`` (Hydra),
    where a prior is a list or the call of a distribution; one that stands alone is a positional argument.

    Args:
        words: The command.
        renamed: Texts (placeholders of another program) to what replaces them in words that are not searched.
    """
    found = SearchedWords()
    for before, word in zip(['', *words], words, strict=False):
        found.command += list(_replaced(found, before, word)) or [_with_other_names(word, renamed or {})]
    return found


def looks_searched(text: str) -> str:
    """What a text in a configuration file stands for, as in :class:`SearchedWords`; empty: it is like any other."""
    alone = _ALONE.fullmatch(text)
    return (alone['prior'] or alone['short']) if alone else ''


def _replaced(found: SearchedWords, before: str, word: str) -> Iterator[str]:
    """The words that stand for one with a prior; none: it has none."""
    if match := _OF_OPTION.fullmatch(word) or _OF_KEY.fullmatch(word):
        name, first = match['name'], f'{match["before"]}{match["name"]}'
        mark = match['sign'].removeprefix('=').removesuffix('~')
        placeholder = _added(found, name, f'{mark}~{match["prior"]}' if mark else match['prior'], word)
        if match['before'].startswith('-'):
            found.options[name] = match['before']
        else:
            found.keys.append(name)
        apart = match['sign'] == '~' and match['before'].startswith('-')
        yield from (first, placeholder) if apart else (f'{first}={placeholder}',)
    elif match := _ALONE.fullmatch(word):
        option = _OPTION.fullmatch(before)
        name = option['name'] if option else f'_pos_{sum(name.startswith("_pos_") for name in found.priors)}'
        if option:
            found.options[name] = before[: len(before) - len(name)]
        yield _added(found, name, match['prior'] or match['short'], word)


def _added(found: SearchedWords, name: str, prior: str, word: str) -> str:
    """The placeholder of something that is searched."""
    if name in found.priors:
        found.problems.append(f'{word!r}: {name} is searched twice; keep one.')
    if name in WHOLE_WORDS:
        found.problems.append(f'{word!r}: {name} cannot be searched: {{{name}}} stands for a word of the command.')
    found.priors[name] = prior
    return f'{{{name}}}'


def _with_other_names(word: str, renamed: Mapping[str, str]) -> str:
    for theirs, ours in renamed.items():
        word = word.replace(theirs, ours)
    return word
