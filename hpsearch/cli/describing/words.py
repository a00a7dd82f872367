"""What may stand where on a command line, as completion in a shell needs it: read off the parsers."""

from __future__ import annotations

import argparse
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

SEARCHES, RUNS, FILES, FOLDERS, OTHER = 'searches', 'runs', 'files', 'folders', 'other'
"""Kinds of values: search folders, names of runs, files, folders, and what nobody can know."""

_KINDS = {'RUN': RUNS, 'FILE': FILES, 'PATH': FILES, 'CONFIG': FILES, 'MODULE': FILES, 'SCRIPT': FILES, 'DIR': FOLDERS}
"""What stands for a value in the help, to its kind."""

_OF_SEARCHES = ('--reuse', '--learn_from')
"""Options whose DIR is a search folder."""


@dataclass(frozen=True)
class Value:
    """What an option or an argument takes: one of these words, or something of a kind."""

    kind: str = OTHER
    choices: tuple[str, ...] = ()


@dataclass(frozen=True)
class Option:
    """An option.

    Attributes:
        names: As it is written.
        value: None: it takes none.
        about: The first words of its help.
    """

    names: tuple[str, ...]
    value: Value | None
    about: str


@dataclass(frozen=True)
class Words:
    """What a command line may have.

    Attributes:
        options: All options.
        places: What may stand at the first place for an argument, at the second, and so on.
    """

    options: tuple[Option, ...]
    places: tuple[tuple[Value, ...], ...]


def words_of(parser: argparse.ArgumentParser) -> Words:
    """What the command line of a parser may have."""
    actions = [action for action in parser._actions if action.help != argparse.SUPPRESS]
    options = (
        Option(tuple(each.option_strings), _value(each), _about(each)) for each in actions if each.option_strings
    )
    return Words(tuple(options), tuple(_places([each for each in actions if not each.option_strings])))


def value_options(words: Mapping[str, Words]) -> dict[str, Value]:
    """Every option that takes a value in any verb, with all that it may take somewhere."""
    found: dict[str, Value] = {}
    for each in (option for of_verb in words.values() for option in of_verb.options):
        for name in each.names if each.value else ():
            choices = dict.fromkeys((*found.get(name, Value()).choices, *(each.value or Value()).choices))
            found[name] = Value((each.value or Value()).kind, tuple(choices))
    return found


def _value(action: argparse.Action) -> Value | None:
    if action.nargs == 0:
        return None
    if action.choices:
        return Value(choices=tuple(map(str, action.choices)))
    of_search = not action.option_strings or set(action.option_strings) & set(_OF_SEARCHES)
    return Value(SEARCHES if action.metavar == 'DIR' and of_search else _KINDS.get(str(action.metavar), OTHER))


def _about(action: argparse.Action) -> str:
    return (action.help or '').replace('%%', '%').partition(';')[0].partition(' (')[0]


def _places(actions: Sequence[argparse.Action]) -> Iterator[tuple[Value, ...]]:
    """What may stand at each place, as arguments before it may be left out."""
    required = [action.nargs not in ('?', '*') for action in actions]
    for place in range(len(actions)):
        possible = (at for at in range(place, len(actions)) if sum(required[:at]) <= place)
        yield tuple(value for at in possible if (value := _value(actions[at])) is not None)
