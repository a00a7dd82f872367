"""Command lines, read as LSF's commands read them."""

from __future__ import annotations

import sys
from functools import partial

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Sequence


class Misuse(Exception):
    """A command line that is not understood.

    Args:
        complaint: One line.
    """

    def __init__(self, complaint: str) -> None:
        super().__init__(complaint)
        self.complaint = complaint


class Words:
    """Options and the words behind them.

    Args:
        values: By option; an empty text for those without a value.
        rest: The words behind.
    """

    def __init__(self, values: dict[str, str], rest: list[str]) -> None:
        self.values = values
        self.rest = rest

    def has(self, *names: str) -> bool:
        """Whether one of these options was given."""
        return any(name in self.values for name in names)


def begin(read: Callable[[], Words], usage: str, *, is_ibm: bool) -> Words | int:
    """The words of a command; or its exit status, if it was misused or only asked for its version.

    Args:
        read: Reads them; raises :class:`Misuse`.
        usage: What follows the complaint about a misuse.
        is_ibm: Whether this is IBM's LSF, whose commands have a version.
    """
    try:
        words = read()
    except Misuse as misuse:
        sys.stderr.write(f'{misuse.complaint}\n{usage}')
        return 255
    if words.has('V'):
        sys.stderr.write('IBM Spectrum LSF 10.1.0.12, Jun 10 2021\n' if is_ibm else '')
        return 0
    return words


def by_longest_name(program: str, argv: Sequence[str], flags: Collection[str], valued: Collection[str]) -> Words:
    """Options as bsub reads them: the longest known name counts, and what is behind it is its value.

    Options end at the first word that is none.

    Raises:
        Misuse: With the program's own words.
    """
    values: dict[str, str] = {}
    position = 0
    while position < len(argv) and argv[position].startswith('-') and len(argv[position]) > 1:
        word = argv[position][1:]
        position += 1
        name = max((known for known in (*flags, *valued) if word.startswith(known)), key=len, default='')
        if not name:
            raise Misuse(f'{program}: illegal option -- {word}')
        value = word[len(name) :]
        if name in flags and value:
            raise Misuse(f'{program}: option cannot have an argument -- {name}')
        if name in valued and not value:
            if position == len(argv):
                raise Misuse(f'{program}: option requires an argument -- {name}')
            value = argv[position]
            position += 1
        values[name] = value
    return Words(values, list(argv[position:]))


def _between(argv: Sequence[str], take: Callable[[str, dict[str, str]], str]) -> tuple[Words, str]:
    """Read options between other words.

    Args:
        argv: All words.
        take: Reads one word, without its dash, into values; returns the option whose value is the next word.

    Returns:
        The words, and the option whose value is missing at the end.
    """
    values: dict[str, str] = {}
    rest: list[str] = []
    waiting = ''
    for word in argv:
        if waiting:
            values[waiting], waiting = word, ''
        elif not word.startswith('-') or word == '-':
            rest.append(word)
        else:
            waiting = take(word[1:], values)
    return Words(values, rest), waiting


def by_letters(program: str, argv: Sequence[str], flags: str, valued: str) -> Words:
    """Options of one letter, several in one word, between the other words, as bjobs and bhist read them.

    Raises:
        Misuse: With the program's own words.
    """
    words, waiting = _between(argv, partial(_letters, program, flags, valued))
    if waiting:
        raise Misuse(f"{program}: option requires an argument -- '{waiting}'")
    return words


def _letters(program: str, flags: str, valued: str, word: str, values: dict[str, str]) -> str:
    """Read one word; returns the option whose value is the next word."""
    for position, letter in enumerate(word):
        if letter in valued:
            if value := word[position + 1 :]:
                values[letter] = value
                return ''
            return letter
        if letter not in flags:
            raise Misuse(f"{program}: invalid option -- '{letter}'")
        values[letter] = ''
    return ''


def by_names(program: str, argv: Sequence[str], flags: Collection[str], valued: Collection[str]) -> Words:
    """Options of any length, between the other words, as IBM's commands read them.

    Raises:
        Misuse: With the program's own words.
    """
    words, waiting = _between(argv, partial(_names, program, flags, valued))
    if waiting:
        raise Misuse(f'{program}: option requires an argument -- {waiting}')
    return words


def _names(program: str, flags: Collection[str], valued: Collection[str], word: str, values: dict[str, str]) -> str:
    """Read one word; returns the option whose value is the next word."""
    if word in valued:
        return word
    if word in flags:
        values[word] = ''
    elif word and set(word) <= set(flags):
        values.update(dict.fromkeys(word, ''))
    else:
        raise Misuse(f'{program}: illegal option -- {word}')
    return ''


def quoted(words: Sequence[str]) -> str:
    """Words joined to a command, as bsub does: not all of them come out as they went in."""
    return ' '.join([words[0], *map(_quoted, words[1:])])


def _quoted(word: str) -> str:
    if ' ' in word:
        mark = "'" if '"' in word or '$' in word else '"'
        return f'{mark}{word}{mark}'
    if word.startswith('$'):
        return f"'{word}'"
    return ''.join(f'\\{letter}' if letter in '\\"\'()' else letter for letter in word)


def index_list(text: str) -> list[int] | None:
    """The indices that ``1-10:3,12`` means, in this order; None: it means nothing."""
    found: list[int] = []
    for part in text.split(','):
        span, _, step = part.strip().partition(':')
        first, dash, last = span.partition('-')
        numbers = [first, last if dash else first, step or '1']
        if not all(number.isdecimal() for number in numbers):
            return None
        low, high, by = map(int, numbers)
        if low < 1 or by < 1 or high < low:
            return None
        found.extend(range(low, high + 1, by))
    return found
