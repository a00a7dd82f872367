"""A configuration as a command: argv words, and a line that can be pasted into a shell."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from hpsearch.model.configuration import Configuration, Params, Value

_QUOTES = ('"', "'")

# Characters that would end a line of a file, or a pasted line, are put into a variable first.
_LINE_BREAKS = {'\n': ('nl', '\\n'), '\r': ('cr', '\\r')}

# Words that a shell does not take for a program when they come first, unquoted.
_RESERVED = frozenset(
    {
        *('case', 'coproc', 'do', 'done', 'elif', 'else', 'esac', 'fi', 'for'),
        *('function', 'if', 'in', 'select', 'then', 'time', 'until', 'while'),
    }
)


def plain(value: Any) -> Value:
    """A value as one of Python's own: numpy's scalars and subclasses of ``int``, ``float`` and ``str`` lose their type.

    A numpy float of less than 64 bits becomes the number it is written as (``float32(0.1)`` is ``0.1``). Anything
    else is returned unchanged.
    """
    if value is None or type(value) in (bool, int, float, str):
        return value
    if isinstance(value, str):
        return str.__str__(value)
    for kind in (bool, int, float):
        if isinstance(value, kind):
            return kind(value)
    return _from_numpy(value)


def _from_numpy(value: Any) -> Value:
    dtype = getattr(value, 'dtype', None)
    if dtype is None or getattr(value, 'shape', None) != ():
        return value
    item = value.item()
    return float(str(value)) if isinstance(item, float) else item


def word(option: str, value: Value) -> str | None:
    """The argv word that gives an option (without dashes) its value; True: the bare flag, False: None, no word.

    A string loses exactly one pair of enclosing equal quotes; all else is literal.
    """
    value = plain(value)
    if isinstance(value, bool):
        return f'--{option}' if value else None
    if isinstance(value, str):
        value = unquoted(value)
    return f'--{option}={value}'


def words(params: Params) -> list[str]:
    """The words of all options, in their order."""
    return [text for option, value in params.items() if (text := word(option, value)) is not None]


def unquoted(text: str) -> str:
    """The text without one pair of enclosing equal quotes, where it has one."""
    if len(text) >= 2 and text[0] == text[-1] and text[0] in _QUOTES:
        return text[1:-1]
    return text


def base_command(configuration: Configuration, interpreter: str) -> list[str]:
    """The words before the options: ``_COMMAND``, or the interpreter and the script."""
    if configuration.command is not None:
        return list(configuration.command)
    return [interpreter, str(configuration.script)]


def shell_line(argv: Sequence[str]) -> str:
    """One line of POSIX sh, without a line break, that executes exactly these words (at least one, none with a NUL)."""
    line = ' '.join([shell_program(argv[0]), *map(shell_word, argv[1:])])
    return line_breaks_of(line) + line


def shell_word(text: str) -> str:
    """A word quoted for sh; a line that contains it must begin with :func:`line_breaks_of`."""
    pieces = re.split('([\n\r])', text)
    if len(pieces) == 1:
        return shlex.quote(text)
    return ''.join(_piece(piece) for piece in pieces if piece)


def _piece(text: str) -> str:
    return f'"${_LINE_BREAKS[text][0]}"' if text in _LINE_BREAKS else shlex.quote(text)


def shell_program(text: str) -> str:
    """The first word of a line, quoted where sh would take it for an assignment or a keyword."""
    quoted = shell_word(text)
    return f"'{text}'" if quoted == text and ('=' in text or text in _RESERVED) else quoted


def line_breaks_of(line: str) -> str:
    """What must precede a line of quoted words so that its line breaks are defined; usually nothing.

    A command substitution drops trailing line breaks, hence the dot that is removed afterwards.
    """
    needed = [(name, code) for name, code in _LINE_BREAKS.values() if f'"${name}"' in line]
    return ''.join(f'{name}="$(printf \'{code}.\')"; {name}="${{{name}%.}}"; ' for name, code in needed)


_SHELL_SAW = {
    **{'$': '$', '`': 'a backtick', '\\': 'a backslash', '\n': 'a line break'},
    **dict.fromkeys('*?[', 'a glob'),
    **dict.fromkeys(' \t', 'a space'),
    **dict.fromkeys('"\'', 'a quote'),
    **dict.fromkeys(';&|<>()', 'an operator'),
}


def warnings_about(values: Mapping[str, Iterable[Value]]) -> list[str]:
    """A sentence for each value that a shell between hpsearch and the script, as in hypnettorch, would have changed.

    Args:
        values: Option name to every value it may take.
    """
    return [
        f'{option}: {value!r} reaches the script as it is written; a shell would have acted on {_listed(seen)} in it.'
        for option, its_values in values.items()
        for value in its_values
        if isinstance(value, str) and (seen := _special_to_a_shell(value))
    ]


def _special_to_a_shell(value: str) -> list[str]:
    inner = unquoted(value)
    if inner == value:
        special = set(_SHELL_SAW)
    else:
        special = set('$`\\') if value[0] == '"' else set()
        special.add(value[0])
    return list(dict.fromkeys(_SHELL_SAW[character] for character in inner if character in special))


def _listed(names: Sequence[str]) -> str:
    return names[0] if len(names) == 1 else f'{", ".join(names[:-1])} and {names[-1]}'
