"""How options and their values become the words of a command, in the style that a script expects."""

from __future__ import annotations

import functools
import json
import re
import shlex
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from hpsearch.arguments.hydra import hydra_text
from hpsearch.model.command import plain, unquoted
from hpsearch.model.configuration import Value

TEMPLATES = {
    'equals': '--{name}={value}',
    'space': '--{name} {value}',
    'hydra': '{name}={value}',
    'single_dash': '-{name} {value}',
    'omit': '',
}
"""The styles of arguments that have a name, as templates; ``omit``: no word, since the value is elsewhere."""

CHOICES = {
    'arg_style': tuple(TEMPLATES),
    'bool_style': ('flag', 'flag_no', 'value'),
    'name_style': ('as_is', 'dashes'),
    'list_style': ('words', 'comma', 'repeat', 'python'),
    'none_style': ('text', 'omit'),
}
"""Each attribute of a style, to what it may be; ``arg_style`` may be a template, too."""

EVERY_OTHER = '*'
"""The key of a dict of styles that stands for all options that it does not name."""

_LOOKS_NEGATIVE = re.compile(r'-\d+\Z|-\d*\.\d+\Z')
"""What argparse takes for a negative number rather than for an option (before Python 3.14)."""


@dataclass(frozen=True)
class ArgumentStyle:
    """How one option is written.

    Attributes:
        arg_style: One of :data:`TEMPLATES`, or a template with ``{name}`` and ``{value}``, whose words are separated as
            in a shell; without ``{name}`` the value is a positional argument.
        bool_style: ``flag``: ``--name`` or no word; ``flag_no``: ``--name`` or ``--no-name``; ``value``:
            ``--name=True`` or ``--name=False``. None: ``flag``, or ``value`` where names have no dashes.
        name_style: ``as_is``, or ``dashes`` instead of underscores.
        list_style: ``words``: ``--name 1 2``; ``comma``: ``--name=1,2``; ``repeat``: ``--name=1 --name=2``; ``python``:
            ``--name=[1, 2]``. None: ``words``, or ``python`` in Hydra's grammar.
        none_style: ``text``: ``--name=None``; ``omit``: no word.
    """

    arg_style: str = 'equals'
    bool_style: str | None = None
    name_style: str = 'as_is'
    list_style: str | None = None
    none_style: str = 'text'


DEFAULT_STYLE = ArgumentStyle()
"""The style of hypnettorch: ``--name=value``, flags without a value."""


def style_of(option: str, styles: Mapping[str, str | Mapping[str, str]]) -> ArgumentStyle:
    """The style of an option.

    Args:
        option: Its name.
        styles: Attributes of :class:`ArgumentStyle` to a style for all options, or to a dict from names of options (and
            :data:`EVERY_OTHER`) to styles.
    """
    its_own = {attribute: _chosen(option, choice) for attribute, choice in styles.items()}
    return ArgumentStyle(**{attribute: choice for attribute, choice in its_own.items() if choice is not None})


def _chosen(option: str, choice: str | Mapping[str, str]) -> str | None:
    return choice if isinstance(choice, str) else choice.get(option, choice.get(EVERY_OTHER))


def nones_note(columns: Mapping[str, Iterable[Value]], styles: Mapping[str, str | Mapping[str, str]]) -> str:
    """What is to be said of options that may be None where no style says what that is; empty when there are none.

    Args:
        columns: Option to every value it may take.
        styles: As those of :func:`style_of`.
    """
    chosen = styles.get('none_style', {})
    may_be_none = [name for name, values in columns.items() if any(value is None for value in values)]
    undecided = [name for name in may_be_none if _chosen(name, chosen) is None]
    how = "_NONE_STYLE = 'omit' leaves the option out, 'text' keeps it so"
    return f'{", ".join(undecided)}: None reaches the script as the word None; {how}.' if undecided else ''


def words_of(option: str, value: Value, style: ArgumentStyle = DEFAULT_STYLE) -> tuple[str, ...]:
    """The words that give an option its value; none for a flag that is off and a None that is left out.

    A string loses exactly one pair of enclosing equal quotes; all else is literal. A dict is one word of JSON.

    Args:
        option: Its name, without dashes.
        value: A bool, number, string, None, list or dict.
        style: How it is written.
    """
    return _resolved(option, style).words(plain(value))


def text_of(option: str, value: Value, style: ArgumentStyle = DEFAULT_STYLE) -> str:
    """A value as one text, to stand within a word; a list has commas between its values, or is as Python writes it."""
    return _resolved(option, style).single(plain(value))


@functools.lru_cache(maxsize=1024)
def _resolved(option: str, style: ArgumentStyle) -> _Option:
    return _Option(option, style)


class _Option:
    """An option whose style is resolved: its name, and the words of its template."""

    def __init__(self, option: str, style: ArgumentStyle) -> None:
        self.name = option.replace('_', '-') if style.name_style == 'dashes' else option
        self.template = shlex.split(TEMPLATES.get(style.arg_style, style.arg_style))
        self.dashes = dashes_of(style.arg_style)
        self.is_hydra = style.arg_style == 'hydra'
        self.joins_dashes = style.arg_style == 'space'
        self.booleans = style.bool_style or ('flag' if self.dashes else 'value')
        self.lists = style.list_style or ('python' if self.is_hydra else 'words')
        self.omits_none = style.none_style == 'omit'

    def words(self, value: Value) -> tuple[str, ...]:
        if value is None and self.omits_none:
            return ()
        if isinstance(value, bool) and self.booleans != 'value':
            return self._flag(value)
        if isinstance(value, (list, tuple)):
            return self._list(value)
        return self._filled(self.text(value))

    def text(self, value: Value) -> str:
        """A value within a word."""
        if isinstance(value, str):
            value = unquoted(value)
        if self.is_hydra:
            return hydra_text(value)
        return json.dumps(value) if isinstance(value, Mapping) else str(value)

    def single(self, value: Value) -> str:
        """A value within a word, which may be a list."""
        if not isinstance(value, (list, tuple)):
            return self.text(value)
        if self.lists == 'python':
            return hydra_text(value) if self.is_hydra else repr(list(value))
        return ','.join(map(self.text, value))

    def _flag(self, is_on: bool) -> tuple[str, ...]:
        if is_on:
            return (f'{self.dashes}{self.name}',)
        return (f'{self.dashes}no-{self.name}',) if self.booleans == 'flag_no' else ()

    def _list(self, values: Sequence[Value]) -> tuple[str, ...]:
        if self.lists in ('python', 'comma'):
            return self._filled(self.single(values))
        if self.lists == 'repeat':
            return tuple(word for value in values for word in self._repeated(value))
        return self._spread([self.text(value) for value in values])

    def _repeated(self, value: Value) -> tuple[str, ...]:
        if isinstance(value, (list, tuple)):
            return self._spread([self.text(each) for each in value])
        return self._filled(self.text(value))

    def _filled(self, text: str) -> tuple[str, ...]:
        """The words of the template with a value."""
        if self.joins_dashes and text.startswith('-') and not _LOOKS_NEGATIVE.match(text):
            return (f'--{self.name}={text}',)
        return tuple(
            _fill(word, self.name, text if word != '{value}' else _without_exponent(text)) for word in self.template
        )

    def _spread(self, texts: Iterable[str]) -> tuple[str, ...]:
        """The words of the template with each value as a word of its own."""
        spread: list[str] = []
        for word in self.template:
            before, has_value, _ = word.partition('{value}')
            if before and has_value:
                spread.append(_fill(before.removesuffix('='), self.name, ''))
            elif not has_value:
                spread.append(_fill(word, self.name, ''))
            if has_value:
                spread.extend(map(_without_exponent, texts))
        return tuple(spread)


def dashes_of(arg_style: str) -> str:
    """What precedes the name of an option in a style; empty where names have no dashes."""
    first = shlex.split(TEMPLATES.get(arg_style, arg_style))[:1]
    before = ''.join(first).partition('{name}')[0]
    return before if set(before) == {'-'} else ''


def _fill(word: str, name: str, value: str) -> str:
    return re.sub(r'{(name|value)}', lambda match: name if match[1] == 'name' else value, word)


def _without_exponent(text: str) -> str:
    """A small negative number as argparse takes it for one: ``-1e-05`` would be an option to it."""
    is_number = re.fullmatch(r'-\d+(\.\d+)?e[-+]\d+', text)
    return format(Decimal(text), 'f') if is_number else text


def template_problem(template: str) -> str:
    """What is wrong with a text that is to be a template, as the end of a sentence; empty when nothing is."""
    try:
        words = shlex.split(template)
    except ValueError as error:
        return f'cannot be split into words: {error}'
    fields = re.findall(r'{([^{}]*)}', ' '.join(words))
    if unknown := [field for field in fields if field not in ('name', 'value')]:
        return f'has {{{unknown[0]}}}; {{name}} and {{value}} are expected'
    if fields.count('name') > 1 or fields.count('value') != 1:
        return 'is none of the styles, and no template: {value} is expected once, and {name} at most once'
    return ''


def doubt_about(option: str, value: Any, style: ArgumentStyle) -> str:
    """What a parser like argparse would not take from these words, as a sentence; empty when nothing."""
    resolved, value = _resolved(option, style), plain(value)
    texts = [resolved.text(each) for each in value] if isinstance(value, (list, tuple)) else []
    if texts and resolved.lists == 'comma' and any(',' in text for text in texts):
        return f'{option}: {value!r} has commas in its values, which cannot be told from those between them.'
    words = words_of(option, value, style)[1:]
    misread = [word for word in words if word.startswith('-') and not _is_certain(word, resolved)]
    if misread and resolved.dashes:
        return f'{option}: {misread[0]!r} stands as a word of its own, and many parsers take it for an option.'
    return ''


def _is_certain(word: str, option: _Option) -> bool:
    return bool(_LOOKS_NEGATIVE.match(word)) or word.startswith(f'{option.dashes}{option.name}')
