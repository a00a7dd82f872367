"""Why a program failed, in its own words, and what can be done about it where that is certain."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from hpsearch.model.logs.last_words import (
    LAST_LINES_WITHOUT_TRACEBACK,
    is_consequence,
    shown_lines,
    stated_error,
)

FAILURE_LINES = 3
"""How many lines a failure is grouped by."""

LONGEST_ERROR = 200
"""Characters of an error that are shown in a reason."""

_BAR = re.compile(r'^.*?\d%\|.*?\|.*?\[[^\]]*\]|^.*?\d+it \[[^\]]*\]')
"""A progress bar as tqdm draws it; other output may follow in the same line."""

_PROGRESS = re.compile(
    r'\d%\s*[|\[]|[█▏▎▍▌▋▊▉░▒▓━╸]{3}|\[(?:={3}|=*>|\.{3})[=>.]*\]|\d(?:it/s|s/it|m?s/step)|\bETA[: ]'
)
"""Other progress bars."""

_WARNING = re.compile(r'\b\w*Warning: |\bWARNING\b|^warning: ')

_ERROR = re.compile(
    r'error|exception|traceback|fail|fatal|critical|abort|cannot|can.t |could not|invalid|not found|no such'
    r'|unknown|unrecogni|required(?!\))|missing|denied|panic|what\(\):',
    re.IGNORECASE,
)
"""What a line contains that says why a program failed."""

_PREFIX = re.compile(r'^(?:FATAL Flags parsing error|(?:[\w./-]+: )?(?:fatal )?error): (?=\S)', re.IGNORECASE)
"""What command lines print before their errors."""


_BORDER = re.compile(r'^[╭╰┌└][─╴ ]')
"""The upper or lower line of a box that command lines draw around their errors."""


def telling_lines(stderr: str, stdout: str) -> list[str]:
    """The last lines that say why a program failed: those of stderr, or of stdout where stderr says nothing.

    Progress bars, warnings and the chatter of trackers say nothing.

    Args:
        stderr: The end of its stderr.
        stdout: The end of its stdout.
    """
    return (_telling(stderr) or _telling(stdout))[-FAILURE_LINES:]


def _telling(log_tail: str) -> list[str]:
    plain = (_BAR.sub('', line).rstrip() for line in shown_lines(log_tail))
    lines = [line for line in plain if line.strip() and not _PROGRESS.search(line)]
    return [
        line
        for before, line in zip(['', *lines], lines, strict=False)
        if not _WARNING.search(line) and not (_WARNING.search(before) and line.startswith(' '))
    ]


def names_an_error(text: str) -> bool:
    """Whether a text seems to say why a program failed."""
    return bool(_ERROR.search(text))


def error_in_logs(stderr: str, stdout: str) -> str:
    """The error a program ended with, in one short line of its own words; empty: its logs name none.

    Args:
        stderr: The end of its stderr.
        stdout: The end of its stdout, which counts where stderr names no error.
    """
    found = next(filter(None, map(_error_in, (stderr, stdout))), '')
    return clipped(_PREFIX.sub('', found.strip('│|╭╰ ')), LONGEST_ERROR)


def _error_in(log_tail: str) -> str:
    if stated := stated_error(log_tail):
        return stated
    named = [
        line
        for line in _telling(log_tail)[-LAST_LINES_WITHOUT_TRACEBACK:]
        if names_an_error(line) and not _BORDER.match(line)
    ]
    return next((line for line in reversed(named) if not is_consequence(line)), named[-1] if named else '')


def clipped(text: str, limit: int) -> str:
    """A text on one line, without control characters, of at most ``limit`` characters."""
    line = ' '.join(''.join(char if char.isprintable() else ' ' for char in text).split())
    return line if len(line) <= limit else f'{line[: limit - 1]}…'


# What can be done about a failure


@dataclass(frozen=True, slots=True)
class Failure:
    """What is known of an attempt that failed.

    Attributes:
        code: Its exit status; None: not known.
        reason: Why it failed, in words.
        words: The last words of its logs (:func:`~hpsearch.model.logs.last_words.last_words`).
        argv: Its command.
        script: The script of the configuration; empty for ``_COMMAND``.
        out_arg: The option of the output folder; empty: there is none.
        output: The output folder; empty: there is none.
        makes_output: Whether hpsearch made it before the script started.
    """

    code: int | None
    reason: str
    words: str
    argv: Sequence[str]
    script: str
    out_arg: str
    output: str
    makes_output: bool = False


def cure(failure: Failure) -> str:
    """What to do about a failure, in one line; empty: nothing is certain."""
    return next(_cures(failure), '')


def _cures(failure: Failure) -> Iterator[str]:
    lines = failure.words.splitlines()
    yield from _about_options(failure, lines)
    yield from _about_the_output(failure, lines)
    yield from _about_the_program(failure, lines)
    yield from (text for pattern, text in _OF_THE_SYSTEM if any(map(pattern.search, lines)))


_UNKNOWN_OPTION = re.compile(
    r'unrecogni[sz]ed (?:arguments?|options?)|no such option|unknown (?:command line flag|option|argument)'
    r'|(?:not recogni[sz]ed|could not consume arg)|unexpected (?:option|argument)',
    re.IGNORECASE,
)
_REQUIRED = re.compile(
    r'(?:arguments are required: .*?|Missing option .*?|Flag )--([\w.-]+)|no value for the required argument: (\w+)'
)
_OPTION = re.compile(r"--([\w.-]+)|flag '([\w.-]+)'")
_OF_OUTPUT = re.compile(r'out|dir|save|log|result|folder|path', re.IGNORECASE)


def _about_options(failure: Failure, lines: Sequence[str]) -> Iterator[str]:
    """Options the script does not have, or wants to have."""
    for line in filter(_UNKNOWN_OPTION.search, lines):
        if failure.out_arg and re.search(rf"(?:--|'|\s){re.escape(failure.out_arg)}(?![\w-])", line):
            yield (
                f'the script has no option --{failure.out_arg}: _OUT_ARG names its option for the output folder '
                '(None: it has none)'
            )
        elif option := _OPTION.search(line):
            yield f'the script has no option --{option[1] or option[2]}; {_help_of(failure)} lists those it has'
    for match in filter(None, map(_REQUIRED.search, lines)):
        name = match[1] or match[2]
        folder = f'; if it takes the output folder: _OUT_ARG = {name!r}' if _OF_OUTPUT.search(name) else ''
        yield f'the grid needs {name!r} with one value at least{folder}'


def _help_of(failure: Failure) -> str:
    words = failure.argv[:2] if failure.script or ''.join(failure.argv[1:2]).endswith('.py') else failure.argv[:1]
    return f'{" ".join(words)} --help'


def _about_the_output(failure: Failure, lines: Sequence[str]) -> Iterator[str]:
    """The output folder, which nobody made, or two did."""
    named = [line.lower() for line in lines if failure.output and failure.output in line]
    is_missing = 'no output folder' in failure.reason or any('no such file' in line for line in named)
    if is_missing and not failure.makes_output:
        yield 'the script itself has to make its output folder; _MAKE_OUT_DIR = True makes it before the script starts'
    if failure.makes_output and any('exists' in line for line in named):
        yield 'the script makes its output folder itself: remove _MAKE_OUT_DIR'


_NO_MODULE = re.compile(r"ModuleNotFoundError: No module named '([^']+)'")
_NO_SCRIPT = re.compile(r"can't open file '?([^']*)'?: \[Errno 2\]")


def _about_the_program(failure: Failure, lines: Sequence[str]) -> Iterator[str]:
    """The interpreter and the script."""
    program = failure.argv[0]
    for match in filter(None, map(_NO_MODULE.search, lines)):
        if failure.script:
            yield f'{program} has no module {match[1]}: --python chooses the interpreter, for a job also _JOB_PROLOGUE'
    for match in filter(None, map(_NO_SCRIPT.search, lines)):
        names = '_SCRIPT_NAME' if failure.script else 'the command'
        yield f'there is no file {match[1]} where the runs are executed: {names} names it'
    named = [line.lower() for line in lines if f'{program}: ' in line]
    if failure.code == 127 and any('not found' in line for line in named):
        yield f'{program} is not in PATH where the runs are executed: {_chooses_program(failure)} takes a whole path'
    if failure.code == 126 and any('permission denied' in line for line in named):
        yield f'chmod +x {program}, or write its interpreter before it in {_chooses_program(failure)}'


def _chooses_program(failure: Failure) -> str:
    return '--python' if failure.script else '_COMMAND'


_OF_THE_SYSTEM = (
    (
        re.compile(r'out of shared memory|insufficient shared memory|No space left on device.*/dev/shm'),
        'shared memory (/dev/shm) is full: fewer worker processes, or a container with more of it',
    ),
    (re.compile(r'Too many open files'), 'the limit on open files is reached: ulimit -n'),
)
