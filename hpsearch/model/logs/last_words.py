"""The part of a log that describes the end of its program."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence

LAST_LINES = 30
"""Number of last lines of a log that can describe its end."""

LAST_LINES_WITHOUT_TRACEBACK = 10
"""The same where only its position says that a line belongs to the end."""

_TRACEBACK = 'Traceback (most recent call last)'
_CHAINED = ('During handling of the above exception', 'The above exception was the direct cause')
_BESIDE = ('Exception ignored', 'Error in atexit', 'Exception in thread')
"""What precedes a traceback that did not end the program."""

_LAUNCHERS = ('ChildFailedError', 'CalledProcessError', 'Engine core initialization failed')
"""Exceptions of programs that start others; the reason is in an earlier traceback."""

_CHATTER = ('wandb:',)
"""Lines that a tracker prints whenever the program ends."""

_ANSI = re.compile(r'\x1b\[[0-9;?]*[A-Za-z]')
"""What a terminal takes as colours and movements."""

_RANK = re.compile(r'^(?:\[(?:rank)?\d+\]:|\([^()]{0,80}\bpid=\d+[^()]{0,80}\))\s?')
_LEVEL = re.compile(r'^(?:ERROR|CRITICAL) \d\S* \d\S* \[[^\]]{1,80}\] ?')
"""What several processes that share a log put before their lines."""

_FRAME = re.compile(r'^(?:\s|[│|╭╰+])')
"""Lines of a traceback that are code, not messages: indented, or in a box."""

_MINOR = re.compile(
    r'^.{0,80}?(?:(?<!=)\b(?:WARN|WARNING|INFO|DEBUG)\b|\[(?:Warning|Info|Debug)\])|\b\w*Warning: |^warning: '
    r'|^(?:\S+ \S+ )?[WIE]\d{4} \d\d:|: [WIE] \S+\.cc:\d+\]'
)
"""Records of events that a program survives: by their level, or in the form of TensorFlow, which raises the others."""

_SURVIVED = re.compile(
    r'\b(?:re-?trying|trying(?! to allocate)|recover(?:ed|ing)|skipp(?:ed|ing)|fall(?:ing)? back'
    r'|halv(?:ed|ing)|reduc(?:ed|ing)|continuing|ignoring)\b.*\b(?:memory|oom|batch\w*|smaller|less|cpu|again)\b'
    r'|\b(?:memory|oom)\b.*\b(?:re-?trying|recover(?:ed|ing)|skipp(?:ed|ing)|fall(?:ing)? back|continuing|ignoring)\b',
    re.IGNORECASE,
)
"""What a script prints that goes on after it ran out of memory."""

_ADVICE = re.compile(r'\b(?:try|consider|please|should|could|may|might|suggest\w*|recommend\w*)\b', re.IGNORECASE)
"""What is in a line that tells its reader to do so, at the end of a program."""

_STATED = re.compile(r'^(?:[\w./-]+: )?(?:fatal )?error: |^[\w.]*(?:Error|Exception)\b(?:: |$)', re.IGNORECASE)
"""The statement of an error, as command lines and exceptions make it."""

_CONSEQUENCE = re.compile(
    r'^(?:srun|slurmstepd|mpirun|mpiexec|prterun|conda|make|just)\b'
    r'|\b(?:fail(?:ed|ure|s)?|abort(?:ed|ing)?|exit(?:ed|ing|s)?|terminated?|kill(?:ed)?|stopp(?:ed|ing)|status)\b',
    re.IGNORECASE,
)
"""A statement that only says that something has failed, not why."""


def last_words(log_tail: str) -> str:
    """The part of a log that describes the end of its program.

    That is the exception that ended it, with those it is chained to; where no traceback is near the end, the last
    lines. Code and frames are left out, since they quote messages that were never raised, and so is what the program
    survived: warnings, what it recovered from, and what precedes another error.
    """
    lines = shown_lines(log_tail)
    blocks = _blocks(lines)
    if not blocks or _is_long_past(blocks[-1]):
        return '\n'.join(_final(lines[-LAST_LINES_WITHOUT_TRACEBACK:]))
    own = [block for block in blocks if not block[0].startswith(_BESIDE)] or blocks
    return '\n'.join(line for block in own[_first_of_the_end(own) :] for line in _final(_words(block)))


def states_an_error(log_tail: str) -> bool:
    """Whether the end of a log says by which error its program ended, be it only that something failed."""
    lines = shown_lines(log_tail)
    blocks = _blocks(lines)
    has_traceback = bool(blocks) and not _is_long_past(blocks[-1])
    return has_traceback or any(states_cause(line) for line in lines[-LAST_LINES_WITHOUT_TRACEBACK:])


def stated_error(log_tail: str) -> str:
    """The line that states the error a program ended with: its last exception, or what a command line says.

    Empty: there is none.
    """
    lines = shown_lines(log_tail)
    blocks = _blocks(lines)
    if not blocks or _is_long_past(blocks[-1]):
        return next(filter(states_cause, reversed(lines[-LAST_LINES_WITHOUT_TRACEBACK:])), '')
    own = [block for block in blocks if not block[0].startswith(_BESIDE)] or blocks
    telling = [block for block in own if not _is_of_launcher(block)] or own
    return next(iter(_final(_words(telling[-1]))), '')


def states_cause(line: str) -> bool:
    """Whether a line states an error, and more than that something has failed."""
    return bool(_STATED.search(line)) and not is_consequence(line)


def is_consequence(line: str) -> bool:
    """Whether a line may only say that something has failed, not why."""
    return bool(_CONSEQUENCE.search(line))


def last_lines(log_tail: str) -> str:
    """The lines of a log that can describe its end, whatever they say."""
    return '\n'.join(shown_lines(log_tail)[-LAST_LINES:])


def shown_lines(log_tail: str) -> list[str]:
    """Lines as a terminal shows them at the end: without colours, and without what a progress bar has overwritten.

    The names of the processes that printed them are left out, and so is what trackers print at every end.
    """
    shown = (line.rstrip('\r').rpartition('\r')[2].rstrip() for line in _ANSI.sub('', log_tail).split('\n'))
    return [_LEVEL.sub('', _RANK.sub('', line)) for line in shown if line and not line.startswith(_CHATTER)]


def _final(lines: Sequence[str]) -> list[str]:
    """What is left of the last lines when what the program survived is taken away."""
    own = [
        line for before, line in zip(['', *lines], lines, strict=False) if not f'{before}\n{line}'.startswith(_BESIDE)
    ]
    kept = [line for line in own if not _MINOR.search(line) and not line.startswith(_BESIDE)]
    after = next((index + 1 for index in reversed(range(len(kept))) if _is_survived(kept[index])), 0)
    begin = next((index for index in reversed(range(len(kept))) if states_cause(kept[index])), 0)
    return kept[max(after, begin) :]


def _is_survived(line: str) -> bool:
    return bool(_SURVIVED.search(line)) and not _ADVICE.search(line)


def _blocks(lines: Sequence[str]) -> list[list[str]]:
    """The tracebacks, each with what follows it and the line that introduces it, if there is one."""
    marks = [index for index, line in enumerate(lines) if _TRACEBACK in line]
    starts = [mark - lines[max(0, mark - 1)].startswith((*_CHAINED, *_BESIDE)) for mark in marks]
    return [list(lines[start:end]) for start, end in zip(starts, [*starts[1:], len(lines)], strict=False)]


def _words(block: Iterable[str]) -> list[str]:
    """From the exception on: what follows the frames of a traceback."""
    lines = list(block)
    begin = next((index for index, line in enumerate(lines) if _TRACEBACK in line), 0) + 1
    while begin < len(lines) and _FRAME.match(lines[begin]):
        begin += 1
    return lines[begin:]


def _is_long_past(block: Sequence[str]) -> bool:
    """Whether so much follows a traceback that the program must have continued."""
    return sum(not _FRAME.match(line) for line in _words(block)) > LAST_LINES


def _first_of_the_end(blocks: Sequence[Sequence[str]]) -> int:
    """Index of the first traceback of those that belong to the end."""
    if _is_of_launcher(blocks[-1]):
        return 0
    first = len(blocks) - 1
    while first and blocks[first][0].startswith(_CHAINED):
        first -= 1
    return first


def _is_of_launcher(block: Sequence[str]) -> bool:
    return any(name in line for line in _words(block)[:1] for name in _LAUNCHERS)
