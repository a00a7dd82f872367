"""A configuration as a command: argv words, and a line that can be pasted into a shell."""

from __future__ import annotations

import re
import shlex
import struct
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from hpsearch.model.configuration import Value

_QUOTES = ('"', "'")

# Characters that would end a line of a file, or a pasted line, or command the terminal that shows them, are put into a
# variable first.
_LINE_BREAKS = {'\n': ('nl', '\\n'), '\r': ('cr', '\\r'), '\x1b': ('esc', '\\033')}

# Words that a shell does not take for a program when they come first, unquoted.
_RESERVED = frozenset(
    {
        *('case', 'coproc', 'do', 'done', 'elif', 'else', 'esac', 'fi', 'for'),
        *('function', 'if', 'in', 'select', 'then', 'time', 'until', 'while'),
    }
)


def plain(value: Any) -> Value:
    """A value as one of Python's own: subclasses of ``int``, ``float`` and ``str``, and scalars, lose their type.

    Scalars are those of numpy, and arrays and tensors without dimensions. A float of less than 64 bits becomes the
    number it is written as (``float32(0.1)`` is ``0.1``). Anything else is returned unchanged.
    """
    if value is None or type(value) in (bool, int, float, str):
        return value
    if isinstance(value, str):
        return str.__str__(value)
    for kind in (bool, int, float):
        if isinstance(value, kind):
            return kind(value)
    return _from_array(value)


_FLOATS = {'float16': 'e', 'float32': 'f'}
"""Floats of less than 64 bits to their codes in :mod:`struct`."""

_DIGITS = {'e': range(3, 6), 'f': range(6, 10)}
"""How many digits they may need."""


def _from_array(value: Any) -> Value:
    dtype = getattr(value, 'dtype', None)
    is_scalar = tuple(getattr(value, 'shape', (0,))) == () and hasattr(value, 'item')
    if dtype is None or not is_scalar or getattr(value, 'mask', False):
        return value
    item = value.item()
    return shortest(item, _FLOATS.get(str(dtype).rpartition('.')[2], 'd')) if isinstance(item, float) else item


def shortest(number: float, code: str) -> float:
    """The number with the fewest digits that is the same in so many bits; ``code``: that of :mod:`struct`."""
    short = (float(f'{number:.{digits}g}') for digits in _DIGITS.get(code[-1], ()))
    return next((each for each in short if _packed(code, each) == _packed(code, number)), number)


def _packed(code: str, number: float) -> bytes:
    try:
        return struct.pack(code, number)
    except OverflowError:
        return b''


def unquoted(text: str) -> str:
    """The text without one pair of enclosing equal quotes, where it has one.

    The first and the last quote of ``'yes' or 'no'`` are no pair; those of ``""x""`` are.
    """
    if len(text) < 2 or text[0] != text[-1] or text[0] not in _QUOTES:
        return text
    quote, inner = text[0], text[1:-1]
    is_nested = len(inner) >= 2 and inner[0] == inner[-1] == quote
    has_others = quote in (inner if quote == "'" else inner.replace('\\"', ''))
    return text if has_others and not is_nested else inner


def making_folder(folder: str, argv: Sequence[str]) -> tuple[str, ...]:
    """The words of a command that makes a folder, which may be there, and becomes another command.

    A search folder that is gone is not made again.
    """
    return ('/bin/sh', '-c', _MAKE_AND_BECOME, 'hpsearch', folder, *argv)


def going_on(checkpoint: str, copy: str, name: str, argv: Sequence[str]) -> tuple[str, ...]:
    """The words of a command that copies what an earlier run has left and becomes another command.

    It is copied, since scripts may write where they begin from, and others may begin from there as well. An earlier
    copy is replaced; a copy is there whole or not at all, also if all of this is killed.

    Args:
        checkpoint: What is copied, a file or a folder; on a network it may be seen a little later.
        copy: The folder that it is copied to.
        name: What it is called in there; empty: it becomes that folder.
        argv: The command.
    """
    return ('/bin/sh', '-c', _COPY_AND_BECOME, 'hpsearch', checkpoint, copy, name, *argv)


_COPY_AND_BECOME = """\
tries=0
until [ -e "$1" ] || [ $tries -ge 3 ]
do
    tries=$((tries + 1))
    ls "${1%/*}" > /dev/null 2>&1
    sleep 1
done
if [ ! -e "$1" ]
then
    printf 'hpsearch: there is no checkpoint %s to go on from\n' "$1" >&2
    exit 1
fi
rm -rf -- "$2" "$2.part" &&
    { [ -z "$3" ] || mkdir -- "$2.part"; } &&
    cp -R -H -p -- "$1" "$2.part${3:+/$3}" &&
    mv -- "$2.part" "$2" ||
    { printf 'hpsearch: the checkpoint %s could not be copied\n' "$1" >&2; exit 1; }
shift 3
exec "$@"
"""

_MAKE_AND_BECOME = '{ [ -d "$1" ] || mkdir -- "$1"; } && shift && exec "$@"'


# What a system accepts as a command

POINTER = 8
"""Bytes that a word takes beside its own."""


@dataclass(frozen=True, slots=True)
class CommandLimits:
    """How long a command may be.

    Attributes:
        word: Bytes of one word.
        total: Bytes of all words together, each with a final NUL and a pointer to it.
    """

    word: int
    total: int


def why_no_command(argv: Sequence[str], limits: CommandLimits) -> str:
    """Why no process can be started with these words, in words that name the option to blame; empty: one can."""
    for before, text in zip(('', *argv), argv, strict=False):
        try:
            size = len(encoded(text))
        except ValueError as error:
            return f'{_named(text, before)} cannot be passed to a program: {error}'
        if size > limits.word:
            return f'{_named(text, before)} has {size:,} bytes, and a word of a command may have {limits.word:,}'
    total = sum(map(room_of, argv))
    if total > limits.total:
        return (
            f'its command has {total:,} bytes, and may have {limits.total:,}; its longest word is '
            f'{_named(*max(zip(argv, ("", *argv), strict=False), key=lambda pair: room_of(pair[0])))}'
        )
    return ''


def encoded(text: str) -> bytes:
    """A word as a program gets it.

    Raises:
        ValueError: No program can get it; the message says why.
    """
    try:
        data = text.encode('utf-8', 'surrogateescape')
    except UnicodeEncodeError:
        raise ValueError('it has a character that cannot be encoded') from None
    if b'\0' in data:
        raise ValueError('it has a NUL byte')
    return data


def room_of(text: str) -> int:
    """Bytes that a word takes of :attr:`CommandLimits.total`."""
    return len(encoded(text)) + 1 + POINTER


def _named(text: str, before: str) -> str:
    """A word by its option, which may be the word before it."""
    option, sign, _ = text.partition('=')
    if len(text) > 40 and re.fullmatch(r'--?[A-Za-z][\w.-]*', before):
        return f'{before} …'
    return f'{option}=…' if sign and option.startswith('--') else f'{text:.40}…' if len(text) > 40 else repr(text)


# A line for a shell


def shell_line(argv: Sequence[str]) -> str:
    """One line of POSIX sh, safe to be shown, that executes exactly these words (at least one, none with a NUL)."""
    line = ' '.join([shell_program(argv[0]), *map(shell_word, argv[1:])])
    return line_breaks_of(line) + line


def shell_word(text: str) -> str:
    """A word quoted for sh; a line that contains it must begin with :func:`line_breaks_of`."""
    pieces = re.split('([\n\r\x1b])', text)
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
