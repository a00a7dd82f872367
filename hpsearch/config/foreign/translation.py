"""What the configuration of another program says in our words, and what has no counterpart here."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, TypeAlias

from hpsearch.model.command import unquoted

Keys: TypeAlias = tuple[str | int, ...]

_OTHER_WORDS_FOR_BOOLEANS = frozenset(('yes', 'no', 'on', 'off', 'y', 'n'))


@dataclass
class Translation:
    """A configuration of another program.

    Attributes:
        what: What it is, for messages.
        attributes: Those of ours that say the same.
        problems: What decides which runs there are or what they get, and does not exist here: the keys that lead to it,
            and a sentence without its beginning.
        notes: What has no effect here, in sentences.
        own: What the document says in our words, unchecked.
        suggested: What it says of options of a search; see :class:`hpsearch.config.source.Source`.
    """

    what: str
    attributes: dict[str, Any] = field(default_factory=dict)
    problems: list[tuple[Keys, str]] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    own: Mapping[Any, Any] = field(default_factory=dict)
    suggested: dict[str, Any] = field(default_factory=dict)

    def problem(self, keys: Keys, text: str) -> None:
        """Say what cannot be done."""
        self.problems.append((keys, text))

    def note(self, keys: Iterable[str], text: str) -> None:
        """Say of some keys, if there are any, what they mean here."""
        if names := ', '.join(keys):
            self.notes.append(f'{self.what}: {names}: {text}')

    def mapping(self, content: Mapping[Any, Any], *keys: str) -> Mapping[Any, Any]:
        """The mapping below the last of the keys; empty where there is none, or something else."""
        value = content.get(keys[-1])
        if value is not None and not isinstance(value, Mapping):
            self.problem(keys, f'is {value!r}; a mapping is expected.')
        return value if isinstance(value, Mapping) else {}

    def text(self, content: Mapping[Any, Any], *keys: str) -> str:
        """The text below the last of the keys; empty where there is none, or something else."""
        value = content.get(keys[-1])
        if value is not None and not isinstance(value, str):
            self.problem(keys, f'is {value!r}; a text is expected.')
        return value if isinstance(value, str) else ''

    def doubt_words(self, grid: Mapping[str, Iterable[Any]]) -> None:
        """Name words that a reader of YAML 1.1 takes for True or False."""
        for name, values in grid.items():
            words = (value for value in values if isinstance(value, str) and value.lower() in _OTHER_WORDS_FOR_BOOLEANS)
            if word := next(words, ''):
                self.note(
                    [name], f'{word!r} is a word here, as in YAML 1.2; to mean True or False, write true or false.'
                )


def numbers_of(translation: Translation, keys: Keys, content: Mapping[Any, Any], *names: str) -> list[Any] | None:
    """The numbers below some keys; None, and problems, where one is missing or no number."""
    found = {name: content.get(name) for name in names}
    wrong = [name for name, value in found.items() if isinstance(value, bool) or not isinstance(value, (int, float))]
    for name in wrong:
        translation.problem(keys, f'has {found[name]!r} as {name}; a number is expected.')
    return None if wrong else list(found.values())


def as_it_is(text: str) -> str:
    """A text from which the removal of one pair of enclosing quotes makes this text."""
    return text if unquoted(text) == text else f'{text[0]}{text}{text[0]}'
