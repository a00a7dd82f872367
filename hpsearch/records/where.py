"""The language in which runs are chosen: ``lr<0.01 and state=finished``; docs/runs.rst has its grammar.

Nothing of it is executed, and neither its length nor its depth is without bounds.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import NoReturn

from hpsearch.model.errors import ConfigError
from hpsearch.records.expression import (
    CONSTANTS,
    RESERVED,
    WORD,
    Comparison,
    Expression,
    Junction,
    Membership,
    Name,
    Negation,
    Operand,
    Scalar,
    constant,
    is_number,
)

LONGEST = 10_000
"""Characters of a condition."""

DEEPEST = 50
"""Brackets and negations within each other."""

AROUND = 60
"""Characters on either side of a place that are shown with it."""

_TOKEN = re.compile(
    rf"""(?P<space>\s+)|(?P<sign>==|!=|<=|>=|[=<>(),])|(?P<quoted>(?P<quote>['"`])(?:\\.|(?!(?P=quote))[^\\])*(?P=quote))"""
    rf'|(?P<word>{WORD.pattern})',
    re.DOTALL,
)

_INSTEAD = {'&': 'and', '&&': 'and', '|': 'or', '||': 'or', '!': 'not'}


@dataclass(frozen=True, slots=True)
class Token:
    """A word, a sign, or a text in quotes.

    Attributes:
        kind: ``word``, ``sign``, ``text`` (in quotes), ``name`` (in backticks), or ``end``.
        text: What it says, without quotes; a word of the language is in lower case.
        at: Where it begins, from 0.
    """

    kind: str
    text: str
    at: int


def parse_where(text: str) -> Expression:
    """The condition that a text describes.

    Raises:
        ConfigError: It is none; the message points to the place.
    """
    if len(text) > LONGEST:
        raise ConfigError([f'A condition has at most {LONGEST} characters; this one has {len(text)}.'])
    return _Parser(text).parsed()


def problem_at(text: str, at: int, problem: str) -> ConfigError:
    """The error about a place in a condition, which is shown below its line."""
    begin = max(0, at - AROUND)
    shown = ''.join(char if char.isprintable() else ' ' for char in text[begin : at + AROUND])
    before, after = '…' if begin else '', '…' if at + AROUND < len(text) else ''
    pointer = ' ' * (len(before) + at - begin) + '^'
    return ConfigError([f'{problem}\n  {before}{shown}{after}\n  {pointer}'])


class _Parser:
    """Descends along the grammar; each method takes the tokens of one of its rules."""

    def __init__(self, text: str) -> None:
        self._text = text
        self._tokens = self._split()
        self._place = 0
        self._depth = 0

    # Tokens

    def _split(self) -> list[Token]:
        found, at = [], 0
        while at < len(self._text):
            match = _TOKEN.match(self._text, at)
            if match is None:
                self._fail_at_character(at)
            if match['space'] is None:
                found.append(_token(match))
            at = match.end()
        return [*found, Token('end', '', len(self._text))]

    def _fail_at_character(self, at: int) -> NoReturn:
        char = self._text[at]
        if char in '\'"`':
            raise problem_at(self._text, at, f'The quote {char} is not closed.')
        wrong = char * 2 if self._text.startswith(char * 2, at) else char
        raise problem_at(
            self._text, at, f'{wrong} is not of this language: write {_INSTEAD.get(wrong, "it in quotes")}.'
        )

    @property
    def _next(self) -> Token:
        return self._tokens[self._place]

    def _take(self) -> Token:
        token = self._next
        self._place += token.kind != 'end'
        return token

    def _skip(self, kind: str, *texts: str) -> str:
        """Take the next token if it is one of these; returns its text, empty where it is none of them."""
        return self._take().text if self._next.kind == kind and self._next.text in texts else ''

    def _fail(self, expected: str, token: Token | None = None) -> NoReturn:
        token = token or self._next
        found = 'it ends here' if token.kind == 'end' else f'found {token.text or "an empty text"!s:.40}'
        raise problem_at(self._text, token.at, f'Expected {expected}, {found}.')

    # Rules

    def parsed(self) -> Expression:
        """The whole text."""
        found = self._alternatives()
        if self._next.kind != 'end':
            self._fail('"and", "or", or the end')
        return found

    def _alternatives(self) -> Expression:
        parts = [self._conjunction()]
        while self._skip('word', 'or'):
            parts.append(self._conjunction())
        return Junction('or', tuple(parts)) if len(parts) > 1 else parts[0]

    def _conjunction(self) -> Expression:
        parts = [self._negation()]
        while self._skip('word', 'and'):
            parts.append(self._negation())
        return Junction('and', tuple(parts)) if len(parts) > 1 else parts[0]

    def _negation(self) -> Expression:
        if self._depth >= DEEPEST:
            raise problem_at(
                self._text, self._next.at, f'More than {DEEPEST} brackets and negations within each other.'
            )
        self._depth += 1
        try:
            if self._skip('word', 'not'):
                return Negation(self._negation())
            return self._in_brackets() if self._skip('sign', '(') else self._comparison()
        finally:
            self._depth -= 1

    def _in_brackets(self) -> Expression:
        found = self._alternatives()
        if not self._skip('sign', ')'):
            self._fail('"and", "or", or ")"')
        return found

    def _comparison(self) -> Expression:
        name = self._name()
        if sign := self._skip('sign', '==', '=', '!=', '<=', '>=', '<', '>'):
            return self._compared(name, '=' if sign == '==' else sign)
        if self._skip('word', 'is'):
            return self._identity(name)
        is_negated = bool(self._skip('word', 'not'))
        if self._skip('word', 'in'):
            return Membership(name, self._values(), is_negated)
        if self._skip('word', 'contains'):
            return Comparison(name, 'not contains' if is_negated else 'contains', self._operand())
        if is_negated:
            self._fail('"in" or "contains"')
        return Comparison(name, '=', True)

    def _name(self) -> Name:
        token = self._take()
        is_plain = token.kind == 'word' and token.text not in RESERVED and not is_number(token.text)
        if not (is_plain or token.kind in ('name', 'text')):
            self._fail('the name of a value', token)
        return Name(token.text, token.at)

    def _compared(self, name: Name, sign: str) -> Comparison:
        token = self._next
        operand = self._operand()
        if operand is None and sign not in ('=', '!='):
            self._fail(f'a value behind {sign}', token)
        return Comparison(name, sign, operand)

    def _identity(self, name: Name) -> Comparison:
        sign = '!=' if self._skip('word', 'not') else '='
        token = self._next
        if not (token.kind == 'word' and token.text in CONSTANTS):
            self._fail('"none", "true" or "false" behind "is"')
        return Comparison(name, sign, constant(self._take().text))

    def _operand(self) -> Operand:
        if self._next.kind == 'name':
            token = self._take()
            return Name(token.text, token.at)
        return self._value()

    def _value(self) -> Scalar:
        token = self._take()
        if token.kind == 'text':
            return token.text
        if token.kind != 'word' or (token.text in RESERVED and token.text not in CONSTANTS):
            self._fail('a value', token)
        return constant(token.text)

    def _values(self) -> tuple[Scalar, ...]:
        if not self._skip('sign', '('):
            self._fail('"(" and the values')
        values = [self._value()]
        while self._skip('sign', ','):
            values.append(self._value())
        if not self._skip('sign', ')'):
            self._fail('"," or ")"')
        return tuple(values)


def _token(match: re.Match[str]) -> Token:
    if match['sign']:
        return Token('sign', match['sign'], match.start())
    if match['quoted']:
        text = re.sub(r'\\(.)', r'\1', match['quoted'][1:-1], flags=re.DOTALL)
        return Token('name' if match['quote'] == '`' else 'text', text, match.start())
    word = match['word']
    return Token('word', word.lower() if word.lower() in RESERVED else word, match.start())
