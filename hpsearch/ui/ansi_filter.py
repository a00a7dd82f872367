"""The output of scripts made harmless: bytes to lines that can be printed above a live region."""

from __future__ import annotations

import codecs
import re

TRANSIENT_ROWS = 3
LONGEST_LINE = 65536
LONGEST_ESCAPE = 256

SEQUENCE = re.compile(
    r'\x1b\[[0-?]*[ -/]*[@-~]'  # CSI: colours, cursor, erasing
    r'|\x1b[\]PX^_][^\x00-\x1f]*(?:\x07|\x1b\\)'  # OSC, DCS and others that carry a string
    r'|\x1b[ -/]*[0-OQ-WYZ\\`-~]'  # short ones
)
_PARTIAL = re.compile(r'\x1b(?:\[[0-?]*[ -/]*|[\]PX^_][^\x00-\x1f]*\x1b?|[ -/]*)\Z')
_KEPT = r'\x1b\[(?:[\d;:]*m|\d*[AF])'
_DROPPED = re.compile(f'(?!{_KEPT})(?:{SEQUENCE.pattern})')
_CONTROLS = re.compile(r'[\x00-\x08\x0b\x0c\x0e-\x1a\x1c-\x1f\x7f-\x9f]|\x1b(?!\[(?:[\d;:]*m|\d*[AF]))')
_MOVES = re.compile(r'(\r|\x1b\[\d*[AF])')


class AnsiFilter:
    """Turns the bytes a script writes into lines that can be printed above a live region.

    Understands just enough of a terminal: a carriage return starts the line over, so of a progress bar only the last
    state remains; a cursor that moves up (nested bars) returns to a line that is then not complete yet. Colours stay,
    every other escape sequence and control character is dropped, bytes that are not UTF-8 are replaced.
    """

    def __init__(self) -> None:
        self._begin()

    @property
    def unfinished(self) -> list[str]:
        """Lines that may still change, blank ones left out."""
        return [_finish(row) for row in self._rows if row.strip()]

    def feed(self, data: bytes) -> list[str]:
        """Takes the next bytes and returns the lines that are complete with them, without newlines."""
        return self._read(self._decoder.decode(data))

    def end(self) -> list[str]:
        """Ends the output and returns the lines that were not complete."""
        lines = [*self._read(self._decoder.decode(b'', final=True)), *self.unfinished]
        self._begin()
        return lines

    def _begin(self) -> None:
        self._decoder = codecs.getincrementaldecoder('utf-8')('replace')
        self._carry = ''
        self._rows = ['']
        self._row = 0
        self._overwrites = False
        self._depth = 0

    def _read(self, text: str) -> list[str]:
        text = self._carry + text
        partial = _PARTIAL.search(text, max(0, len(text) - LONGEST_ESCAPE))
        self._carry = partial.group() if partial else ''
        text = text[: partial.start()] if partial else text
        first, *others = _harmless(text).split('\n')
        lines = self._take_all(first)
        for other in others:
            lines += self._down()
            lines += self._take_all(other)
        return lines

    def _take_all(self, text: str) -> list[str]:
        return [line for token in _MOVES.split(text) if token for line in self._take(token)]

    def _take(self, token: str) -> list[str]:
        if token == '\r':
            self._overwrites = True
        elif token[0] == '\x1b' and token[-1] in 'AF':
            self._up(int(token[2:-1] or 1))
        else:
            return self._put(token)
        return []

    def _put(self, text: str) -> list[str]:
        self._rows[self._row] = text if self._overwrites else self._rows[self._row] + text
        self._overwrites = False
        return self._down() if len(self._rows[self._row]) > LONGEST_LINE else []

    def _up(self, rows: int) -> None:
        self._row = max(0, self._row - rows)
        self._depth = max(self._depth, min(rows, TRANSIENT_ROWS))
        self._overwrites = True

    def _down(self) -> list[str]:
        self._row += 1
        self._overwrites = self._row < len(self._rows)
        if not self._overwrites:
            self._rows.append('')
        complete = max(0, min(self._row, len(self._rows) - 1 - self._depth))
        lines, self._rows = self._rows[:complete], self._rows[complete:]
        self._row -= complete
        return [_finish(line) for line in lines]


def _harmless(text: str) -> str:
    return _CONTROLS.sub('', _DROPPED.sub('', text))


def _finish(row: str) -> str:
    return row.expandtabs(8) + ('\x1b[0m' if '\x1b' in row else '')
