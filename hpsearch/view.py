"""What people see of a search: a live view on a terminal, plain lines elsewhere, and the texts of ``status``.

Reads in three parts: values to text (pure), the output of scripts made harmless (pure), the streams and the views.
A view never raises because of its stream: whoever loses the terminal loses the view and nothing else.
"""

from __future__ import annotations

import codecs
import io
import math
import os
import re
import select
import sys
import textwrap
import threading
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import ExitStack, redirect_stderr, redirect_stdout
from typing import TYPE_CHECKING, Any, Protocol, TextIO, TypeAlias

from hpsearch.records import GpuLine, Params, RunLine, Snapshot

if TYPE_CHECKING:
    from rich.console import Console
    from rich.text import Text

ORDER = (
    'finished', 'failed', 'stopped', 'lost', 'interrupted', 'unknown', 'running', 'submitted', 'claimed', 'planned',
)  # fmt: skip
DONE = ('finished', 'failed', 'stopped')
UNDER_WAY = ('running', 'submitted', 'claimed')
STYLES = {
    'finished': 'green',
    'failed': 'red',
    'running': 'cyan',
    'submitted': 'blue',
    'claimed': 'blue',
    'planned': 'dim',
}
LETTER_MARKS = {**dict.fromkeys(UNDER_WAY, '>'), 'finished': '#', 'failed': 'x', 'planned': '.', '': '?'}
LINE_MARKS = {'': '━'}

FEW_RUNS = 30
SECONDS_BETWEEN_LINES = 30.0
SECONDS_BEFORE_STALL_LINE = 5.0
SECONDS_BETWEEN_FRAMES = 0.15
SECONDS_OF_PATIENCE = 0.25
RUNNING_ROWS = 4
TRANSIENT_ROWS = 3
HELD_LINES = 1000
WIDEST_CELL = 32
LONGEST_LINE = 65536
LONGEST_ESCAPE = 256


# ---------------------------------------------------------------------------------------------------------------------
# Values to text
# ---------------------------------------------------------------------------------------------------------------------


def duration(seconds: float) -> str:
    """A time span in its two largest units: ``3 s``, ``2 min 05 s``, ``3 h 12 min``, ``2 d 4 h``.

    Args:
        seconds: The span; negative counts as none, and what is not finite reads as unknown.
    """
    if not math.isfinite(seconds):
        return 'unknown'
    minutes, secs = divmod(max(0, int(seconds)), 60)
    hours, minutes = divmod(minutes, 60)
    days, hours = divmod(hours, 24)
    if days:
        return f'{days} d {hours} h'
    if hours:
        return f'{hours} h {minutes:02d} min'
    if minutes:
        return f'{minutes} min {secs:02d} s'
    return f'{secs} s'


def memory(mib: int | None) -> str:
    """An amount of memory: ``512 MiB``, ``12.3 GiB``, ``?`` when it is not known.

    Args:
        mib: The amount in MiB.
    """
    if mib is None:
        return '?'
    return f'{mib} MiB' if mib < 1024 else f'{mib / 1024:.1f} GiB'


def printable(text: str) -> str:
    """One line of text without anything that a terminal could take for a command."""
    return _UNPRINTABLE.sub('', _SEQUENCE.sub('', ' '.join(text.splitlines()).expandtabs(4)))


def full_counts(snapshot: Snapshot) -> dict[str, int]:
    """The non-zero counts in the order they are shown, runs without any state counted as planned."""
    counts = {state: number for state, number in snapshot.counts.items() if number}
    rest = snapshot.total - sum(counts.values())
    if rest > 0:
        counts['planned'] = counts.get('planned', 0) + rest
    known = [state for state in ORDER if state in counts]
    return {state: counts[state] for state in [*known, *sorted(set(counts) - set(known))]}


def done(snapshot: Snapshot) -> int:
    """How many runs need no further attempt."""
    return sum(snapshot.counts.get(state, 0) for state in DONE)


def progress_line(snapshot: Snapshot) -> str:
    """The state of a search in one plain line, without a newline."""
    parts = [f'{done(snapshot)} of {snapshot.total} done ({_counts_text(snapshot) or "no runs"})']
    parts.append(_time_text(snapshot))
    if snapshot.best:
        parts.append(f'best {_performance(snapshot)} ({snapshot.best[0]})')
    if snapshot.waiting:
        parts.append(f'waiting: {snapshot.waiting}')
    return printable('; '.join(parts))


def gpu_line(gpu: GpuLine, width: int | None = None) -> str:
    """One GPU in one line: load, memory, runs of ours, memory of others, why it is closed, its model.

    Args:
        gpu: What is known of it.
        width: Columns there are; what matters least is left out to fit. None: everything is shown.
    """
    return '  '.join(text for _, text in _gpu_parts(gpu, width))


def best_text(snapshot: Snapshot) -> str:
    """The best run so far: performance, name, and the parameters that vary; empty when there is none."""
    if not snapshot.best:
        return ''
    name, params, _ = snapshot.best
    return printable(f'{_performance(snapshot)}, {name}: {params_text(params, snapshot.varying)}'.rstrip(': '))


def params_text(params: Params, varying: Sequence[str] = ()) -> str:
    """Parameters as ``name=value`` words, only the varying ones where these are known."""
    chosen = [name for name in params if name in set(varying)] or list(params)
    return printable(' '.join(f'{name}={params[name]}' for name in chosen))


def status_text(snapshot: Snapshot, failures: Sequence[tuple[int, str, str]] = ()) -> str:
    """What ``hpsearch status`` prints, ending with a newline.

    Args:
        snapshot: The search at this moment.
        failures: Groups of failed runs: how many, the last lines of stderr they share, the name of the first one.
    """
    lines = [snapshot.folder, f'  {done(snapshot)} of {snapshot.total} done: {_counts_text(snapshot) or "no runs"}']
    if snapshot.elapsed or snapshot.eta is not None:
        lines.append(f'  {_time_text(snapshot)}')
    if snapshot.best:
        lines.append(f'  best: {best_text(snapshot)}')
    if snapshot.waiting:
        lines.append(f'  waiting: {printable(snapshot.waiting)}')
    lines += [f'  {gpu_line(gpu)}' for gpu in snapshot.gpus]
    lines += [f'  running: {line}' for line in _running_texts(snapshot.running)]
    lines += [line for group in failures for line in _failure_lines(snapshot.folder, *group)]
    return '\n'.join(lines) + '\n'


def status_json(snapshot: Snapshot, failures: Sequence[tuple[int, str, str]] = ()) -> dict[str, Any]:
    """What ``hpsearch status --json`` prints, made of plain values that every JSON reader accepts.

    Args:
        snapshot: The search at this moment.
        failures: Groups of failed runs, as for :func:`status_text`.
    """
    import dataclasses

    best = snapshot.best
    facts = {field.name: getattr(snapshot, field.name) for field in dataclasses.fields(snapshot)}
    facts['done'] = done(snapshot)
    facts['counts'] = full_counts(snapshot)
    facts['gpus'] = [dataclasses.asdict(gpu) for gpu in snapshot.gpus]
    facts['running'] = [dataclasses.asdict(run) for run in snapshot.running]
    facts['best'] = None if best is None else {'run': best[0], 'params': best[1], 'performance': best[2]}
    facts['failures'] = [{'count': count, 'stderr': text, 'example': run} for count, text, run in failures]
    plain = _plain(facts)
    assert isinstance(plain, dict)
    return plain


def choose_columns(rows: Sequence[Sequence[str]], columns: Sequence[str], width: int) -> list[int]:
    """Which columns of a table are shown, as indices in their order.

    The first column always is. Where the others do not fit, those with one value in all rows go first, then the
    last ones.

    Args:
        rows: The cells.
        columns: The headings.
        width: Columns of the terminal.
    """
    widths = [_cell_width(rows, columns, index) + 2 for index in range(len(columns))]
    kept = list(range(len(columns)))
    constant = [index for index in kept if _is_constant(rows, index)]
    varying = [index for index in kept if index not in constant]
    for index in [*reversed(constant), *reversed(varying)]:
        if sum(widths[i] for i in kept) <= width + 2:
            break
        if index:
            kept.remove(index)
    return kept


def best_table(rows: Sequence[Sequence[str]], columns: Sequence[str], width: int = 120) -> str:
    """A plain table of the best runs, with a note on what had no room; ends with a newline.

    Args:
        rows: The cells, best run first.
        columns: The headings, the most important one first.
        width: Columns of the terminal.
    """
    if not columns:
        return ''
    kept = choose_columns(rows, columns, width)
    table = [[_cell(line[index]) for index in kept] for line in [columns, *rows]]
    aligned = [_aligned(column) for column in zip(*table, strict=True)]
    lines = ['  '.join(line).rstrip()[:width] for line in zip(*aligned, strict=True)]
    rule = '-' * max(map(_shown_width, lines))
    return '\n'.join([*lines[:1], rule, *lines[1:], *_notes(rows, columns, kept, width)]) + '\n'


def worth_a_line(previous: Snapshot | None, current: Snapshot, seconds_since: float) -> bool:
    """Whether a plain progress line says something new enough.

    Args:
        previous: What the last line told, None before the first one.
        current: What there is to tell.
        seconds_since: Seconds since the last line.
    """
    if previous is None:
        return True
    if _stalled(current) and not _stalled(previous):
        return seconds_since >= SECONDS_BEFORE_STALL_LINE
    if done(current) == done(previous) and _odd(current) == _odd(previous):
        return False
    first_failure = bool(current.counts.get('failed')) and not previous.counts.get('failed')
    complete = done(current) >= current.total
    return first_failure or complete or current.total <= FEW_RUNS or seconds_since >= SECONDS_BETWEEN_LINES


def bar_cells(counts: Mapping[str, int], total: int, width: int) -> list[tuple[str, int]]:
    """How many cells of a bar each state gets: in proportion, and at least one where there is room for it.

    Args:
        counts: State to number of runs, in the order of the bar.
        total: Number of runs the whole bar stands for.
        width: Cells of the bar; the cells that are returned add up to it.
    """
    parts = [(state, number) for state, number in counts.items() if number]
    rest = total - sum(counts.values())
    parts += [('planned', rest)] if rest > 0 or not parts else []
    cells, left, runs_left = [], width, sum(number for _, number in parts)
    for index, (state, number) in enumerate(parts):
        kept_for_others = len(parts) - 1 - index
        exact = round(left * number / runs_left) if runs_left else left
        share = max(0, min(left - kept_for_others, max(1, exact)))
        cells.append((state, share))
        left, runs_left = left - share, runs_left - number
    return cells


def _counts_text(snapshot: Snapshot) -> str:
    return ', '.join(f'{number} {state}' for state, number in full_counts(snapshot).items())


def _time_text(snapshot: Snapshot) -> str:
    if snapshot.eta is None or not math.isfinite(snapshot.eta):
        return duration(snapshot.elapsed)
    return f'{duration(snapshot.elapsed)}, about {_roughly(snapshot.eta)} left'


def _roughly(seconds: float) -> str:
    """A guessed time span, without the second unit that would pretend to be exact."""
    if 60 <= seconds < 3570:
        return f'{round(seconds / 60)} min'
    return duration(seconds)


def _performance(snapshot: Snapshot) -> str:
    value = snapshot.best[2] if snapshot.best else ''
    return f'{snapshot.performance_key} {value}' if snapshot.performance_key else value


def _gpu_parts(gpu: GpuLine, width: int | None) -> list[tuple[str, str]]:
    parts = {
        'name': f'GPU {gpu.name:<2}',
        'load': 'load   ?  ' if gpu.load is None else f'load {gpu.load * 100:3.0f} %',
        'memory': _memory_of(gpu),
        'own': f'{gpu.own_runs} run{" " if gpu.own_runs == 1 else "s"}',
        'others': f'others {memory(gpu.others_memory)}' if gpu.others_memory else '',
        'closed': f'closed: {printable(gpu.closed)}' if gpu.closed else '',
        'model': printable(gpu.model),
    }
    shown = {key: text for key, text in parts.items() if text}
    for key in ('model', 'others', 'own') if gpu.closed else ('model',):
        if width is not None and _line_width(shown.values()) > width:
            shown.pop(key, None)
    return list(shown.items())


def _line_width(texts: Iterable[str]) -> int:
    return sum(len(text) + 2 for text in texts) - 2


def _memory_of(gpu: GpuLine) -> str:
    used = '?' if gpu.memory_used is None else f'{gpu.memory_used / 1024:.1f}'
    total = '?' if gpu.memory_total is None else f'{gpu.memory_total / 1024:.1f}'
    return f'{used:>5}/{total} GiB'.ljust(14)


def _running_texts(runs: Sequence[RunLine]) -> list[str]:
    longest = max((len(run.name) for run in runs), default=0)
    return [printable(f'{run.name:<{longest}}  {duration(run.seconds):>11}  {run.where}').rstrip() for run in runs]


def _failure_lines(folder: str, count: int, stderr: str, run: str) -> list[str]:
    runs = 'run' if count == 1 else 'runs'
    head = f'{count} {runs} failed like this, see: hpsearch logs {folder} {run}'
    return [head, *(f'    {printable(line)}' for line in stderr.splitlines() or ['(nothing on stderr)'])]


def _plain(value: object) -> object:
    if isinstance(value, Mapping):
        return {str(key): _plain(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_plain(item) for item in value]
    if isinstance(value, float) and not math.isfinite(value):
        return str(value)
    return value if value is None or isinstance(value, (bool, int, float, str)) else str(value)


def _cell(text: str) -> str:
    text = printable(text)
    return text if len(text) <= WIDEST_CELL else text[: WIDEST_CELL - 2] + '..'


def _cell_width(rows: Sequence[Sequence[str]], columns: Sequence[str], index: int) -> int:
    return max(_shown_width(_cell(line[index])) for line in [columns, *rows])


def _is_constant(rows: Sequence[Sequence[str]], index: int) -> bool:
    return len(rows) > 1 and len({row[index] for row in rows}) == 1


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True


def _aligned(column: Sequence[str]) -> list[str]:
    """The cells of a column, heading first, padded to one width; numbers to the right."""
    width = max(map(_shown_width, column))
    to_right = all(_is_number(cell) for cell in column[1:] if cell)
    gaps = [' ' * (width - _shown_width(cell)) for cell in column]
    return [gap + cell if to_right else cell + gap for cell, gap in zip(column, gaps, strict=True)]


def _notes(rows: Sequence[Sequence[str]], columns: Sequence[str], kept: Sequence[int], width: int) -> list[str]:
    dropped = [index for index in range(len(columns)) if index not in set(kept)]
    same = [f'{columns[index]}={_cell(rows[0][index])}' for index in dropped if _is_constant(rows, index)]
    other = [columns[index] for index in dropped if not _is_constant(rows, index)]
    notes = [('the same in all of them: ', same), ('no room for: ', other)]
    texts = [printable(head + ', '.join(names)) for head, names in notes if names]
    return [line for text in texts for line in textwrap.wrap(text, max(20, width))]


def _stalled(snapshot: Snapshot) -> bool:
    return bool(snapshot.waiting) and not any(snapshot.counts.get(state) for state in UNDER_WAY)


def _odd(snapshot: Snapshot) -> int:
    return sum(snapshot.counts.get(state, 0) for state in ('lost', 'interrupted', 'unknown'))


# ---------------------------------------------------------------------------------------------------------------------
# The output of scripts, made harmless
# ---------------------------------------------------------------------------------------------------------------------

_SEQUENCE = re.compile(
    r'\x1b\[[0-?]*[ -/]*[@-~]'  # CSI: colours, cursor, erasing
    r'|\x1b[\]PX^_][^\x00-\x1f]*(?:\x07|\x1b\\)'  # OSC, DCS and others that carry a string
    r'|\x1b[ -/]*[0-OQ-WYZ\\`-~]'  # short ones
)
_PARTIAL = re.compile(r'\x1b(?:\[[0-?]*[ -/]*|[\]PX^_][^\x00-\x1f]*\x1b?|[ -/]*)\Z')
_KEPT = r'\x1b\[(?:[\d;:]*m|\d*[AF])'
_DROPPED = re.compile(f'(?!{_KEPT})(?:{_SEQUENCE.pattern})')
_UNPRINTABLE = re.compile(r'[\x00-\x1f\x7f-\x9f]')
_CONTROLS = re.compile(r'[\x00-\x08\x0b\x0c\x0e-\x1a\x1c-\x1f\x7f-\x9f]|\x1b(?!\[(?:[\d;:]*m|\d*[AF]))')
_MOVES = re.compile(r'(\r|\x1b\[\d*[AF])')


class ScriptOutput:
    """Turns the bytes a script writes into lines that can be printed above a live region.

    Understands just enough of a terminal: a carriage return starts the line anew, so of a progress bar only the last
    state remains; a cursor that goes up (nested bars) goes back to a line that is then not complete yet. Colours
    stay, every other escape sequence and control character is dropped, bytes that are not UTF-8 are replaced.
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
        """Says that nothing follows and returns what was not complete."""
        lines = [*self._read(self._decoder.decode(b'', final=True)), *self.unfinished]
        self._begin()
        return lines

    def _begin(self) -> None:
        self._decoder = codecs.getincrementaldecoder('utf-8')('replace')
        self._carry = ''
        self._rows = ['']
        self._row = 0
        self._anew = False
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
            self._anew = True
        elif token[0] == '\x1b' and token[-1] in 'AF':
            self._up(int(token[2:-1] or 1))
        else:
            return self._put(token)
        return []

    def _put(self, text: str) -> list[str]:
        self._rows[self._row] = text if self._anew else self._rows[self._row] + text
        self._anew = False
        return self._down() if len(self._rows[self._row]) > LONGEST_LINE else []

    def _up(self, rows: int) -> None:
        self._row = max(0, self._row - rows)
        self._depth = max(self._depth, min(rows, TRANSIENT_ROWS))
        self._anew = True

    def _down(self) -> list[str]:
        self._row += 1
        self._anew = self._row < len(self._rows)
        if not self._anew:
            self._rows.append('')
        complete = max(0, min(self._row, len(self._rows) - 1 - self._depth))
        lines, self._rows = self._rows[:complete], self._rows[complete:]
        self._row -= complete
        return [_finish(line) for line in lines]


def _harmless(text: str) -> str:
    return _CONTROLS.sub('', _DROPPED.sub('', text))


def _finish(row: str) -> str:
    return row.expandtabs(8) + ('\x1b[0m' if '\x1b' in row else '')


# ---------------------------------------------------------------------------------------------------------------------
# Streams
# ---------------------------------------------------------------------------------------------------------------------


class _Sink:
    """A text stream that may die: after the first error everything written to it is dropped."""

    def __init__(self, stream: TextIO) -> None:
        self.dead = False
        self._stream = stream
        self._encoding = getattr(stream, 'encoding', None) or 'utf-8'

    @property
    def speaks_unicode(self) -> bool:
        """Whether lines and ellipses can be drawn with their own characters."""
        return codecs.lookup(self._encoding).name.startswith('utf')

    def encode(self, text: str) -> bytes:
        """The text in the encoding of the stream, replaced where that has no word for it."""
        return (text if self.speaks_unicode else text.translate(_ASCII)).encode(self._encoding, 'replace')

    def write(self, text: str) -> None:
        """Writes text; what the stream's encoding cannot say is replaced."""
        self.write_bytes(self.encode(text))

    def write_bytes(self, data: bytes) -> None:
        """Writes bytes as they are where the stream has a binary side, as text where it has not."""
        if self.dead:
            return
        try:
            buffer = getattr(self._stream, 'buffer', None)
            if buffer is None:
                self._stream.write(data.decode(self._encoding, 'replace'))
            else:
                self._stream.flush()
                buffer.write(data)
            self._stream.flush()
        except (OSError, ValueError):
            self.die()

    def die(self) -> None:
        """Falls silent, and keeps what is buffered from failing once more when the interpreter ends."""
        self.dead = True
        try:
            null = os.open(os.devnull, os.O_WRONLY)
            os.dup2(null, self._stream.fileno())
            os.close(null)
        except (OSError, ValueError, AttributeError):
            self._stream = io.StringIO()


class _Terminal(_Sink):
    """A terminal that may die or hang without holding up whoever writes to it.

    A terminal whose other side does not read any more (an ssh session whose network is gone, Ctrl-S) blocks its
    writers. So it is opened a second time, without blocking, which leaves the descriptor that is shared with the
    shell as it is.
    """

    def __init__(self, stream: TextIO) -> None:
        super().__init__(stream)
        self._pending = b''
        self._hangs = False
        self._fd = _reopened(stream)

    def size(self) -> tuple[int, int]:
        """Columns and rows at this moment; 80 x 24 where they cannot be told."""
        try:
            columns, rows = os.get_terminal_size(self._fd if self._fd is not None else self._stream.fileno())
        except (OSError, ValueError, AttributeError):
            return 80, 24
        return columns or 80, rows or 24

    def ready(self) -> bool:
        """Whether all that was written has gone out, so that more can follow."""
        self._drain()
        return not self.dead and not self._pending

    def write_bytes(self, data: bytes) -> None:
        if self._fd is None:
            super().write_bytes(data)
        elif not self.dead:
            self._pending += data
            self._drain()

    def close(self) -> None:
        """Gives back what was opened; the stream itself stays open."""
        if self._fd is not None:
            os.close(self._fd)
            self._fd = None

    def _drain(self) -> None:
        try:
            while self._fd is not None and self._pending and self._writable(self._fd):
                self._pending = self._pending[os.write(self._fd, self._pending) :]
        except BlockingIOError:
            self._hangs = True
        except OSError:
            self._pending = b''
            self.die()

    def _writable(self, fd: int) -> bool:
        patience = 0.0 if self._hangs else SECONDS_OF_PATIENCE
        self._hangs = not select.select([], [fd], [], patience)[1]
        return not self._hangs


def _reopened(stream: TextIO) -> int | None:
    """A descriptor of our own for the terminal behind a stream, or None where there is none to be had."""
    fd = None
    try:
        flags = os.O_WRONLY | os.O_NOCTTY | os.O_NONBLOCK
        fd = os.open(os.ttyname(stream.fileno()), flags)
        stream.flush()
        same = os.fstat(fd).st_rdev == os.fstat(stream.fileno()).st_rdev
    except (OSError, ValueError, AttributeError):
        same = False
    if fd is not None and not same:
        os.close(fd)
    return fd if same else None


class _Printed(io.TextIOBase):
    """Stands in for ``sys.stdout`` and ``sys.stderr`` while the live region is up."""

    encoding = 'utf-8'

    def __init__(self, show: Callable[[bytes], None]) -> None:
        self._show = show

    def writable(self) -> bool:
        """Always; what :class:`io.TextIOBase` asks for."""
        return True

    def write(self, text: str) -> int:
        self._show(text.encode('utf-8', 'replace'))
        return len(text)


_ASCII = str.maketrans({'…': '~', '·': '|', '━': '-', '─': '-'})


# ---------------------------------------------------------------------------------------------------------------------
# Views
# ---------------------------------------------------------------------------------------------------------------------


class View(Protocol):
    """Where a search shows itself. None of the methods raises because of the stream it writes to."""

    def __enter__(self) -> View: ...

    def __exit__(self, *exc: object) -> None: ...

    def update(self, snapshot: Snapshot) -> None:
        """Takes what the search looks like now; called on changes and about once a second."""

    def output(self, data: bytes, stream_name: str) -> None:
        """Takes what a run in the foreground has written to its ``stdout`` or ``stderr``."""

    def end_output(self) -> None:
        """Says that the run in the foreground has ended, so that its last line is complete."""

    def log(self, text: str, *, error: bool = False) -> None:
        """Shows a message, of one or more lines."""


def open_view(stdout: TextIO, stderr: TextIO, *, quiet: bool = False, environ: Mapping[str, str] = os.environ) -> View:
    """The view that suits the streams: live on a terminal that can move its cursor, plain lines elsewhere.

    Args:
        stdout: Where a search shows itself.
        stderr: Where errors go.
        quiet: Nothing but errors.
        environ: The environment, for ``TERM``.
    """
    if quiet:
        return QuietView(stderr)
    if is_tty(stdout) and environ.get('TERM', 'dumb').lower() not in ('dumb', 'unknown', ''):
        return LiveView(stdout)
    return PlainView(stdout, stderr)


def is_tty(stream: TextIO) -> bool:
    """Whether a stream is a terminal; a closed one is not."""
    try:
        return stream.isatty()
    except (OSError, ValueError):
        return False


class QuietView:
    """Nothing but errors."""

    def __init__(self, stderr: TextIO) -> None:
        self._stderr = _Sink(stderr)

    def __enter__(self) -> QuietView:
        return self

    def __exit__(self, *exc: object) -> None: ...

    def update(self, snapshot: Snapshot) -> None: ...

    def output(self, data: bytes, stream_name: str) -> None: ...

    def end_output(self) -> None: ...

    def log(self, text: str, *, error: bool = False) -> None:
        if error:
            self._stderr.write(text.rstrip('\n') + '\n')


class PlainView:
    """Progress as lines of text, few enough to be read in a log file; the output of scripts as it is.

    Args:
        stdout: Where progress, messages and the scripts' stdout go.
        stderr: Where errors and the scripts' stderr go.
        clock: Monotonic seconds.
    """

    def __init__(self, stdout: TextIO, stderr: TextIO, clock: Callable[[], float] = time.monotonic) -> None:
        self._sinks = {'stdout': _Sink(stdout), 'stderr': _Sink(stderr)}
        self._shared = _same_target(stdout, stderr)
        self._within_line = {'stdout': False, 'stderr': False}
        self._clock = clock
        self._told: Snapshot | None = None
        self._told_at = -math.inf
        self._latest: Snapshot | None = None

    def __enter__(self) -> PlainView:
        return self

    def __exit__(self, *exc: object) -> None:
        if self._latest is not None and (self._told is None or self._told.counts != self._latest.counts):
            self._tell(self._latest)

    def update(self, snapshot: Snapshot) -> None:
        self._latest = snapshot
        if worth_a_line(self._told, snapshot, self._clock() - self._told_at):
            self._tell(snapshot)

    def output(self, data: bytes, stream_name: str) -> None:
        if data:
            self._sinks[stream_name].write_bytes(data)
            self._note_line(stream_name, not data.endswith(b'\n'))

    def end_output(self) -> None:
        for name in self._sinks:
            self._write('', name)

    def log(self, text: str, *, error: bool = False) -> None:
        self._write(text.rstrip('\n') + '\n', 'stderr' if error else 'stdout')

    def _tell(self, snapshot: Snapshot) -> None:
        self._told, self._told_at = snapshot, self._clock()
        self._write(progress_line(snapshot) + '\n', 'stdout')

    def _write(self, text: str, name: str) -> None:
        start = '\n' if self._within_line[name] else ''
        self._note_line(name, False)
        if start or text:
            self._sinks[name].write(start + text)

    def _note_line(self, name: str, within: bool) -> None:
        for other in self._within_line:
            if other == name or self._shared:
                self._within_line[other] = within


def _same_target(one: TextIO, other: TextIO) -> bool:
    try:
        return os.path.sameopenfile(one.fileno(), other.fileno())
    except (OSError, ValueError, AttributeError):
        return one is other


class LiveView:
    """A region at the bottom of a terminal that is redrawn in place, with messages and output above it.

    Args:
        stream: A terminal that can move its cursor.
        clock: Monotonic seconds.
        size: Columns and rows of the terminal; None: asked from the terminal before each drawing.
    """

    def __init__(
        self,
        stream: TextIO,
        clock: Callable[[], float] = time.monotonic,
        size: Callable[[], tuple[int, int]] | None = None,
    ) -> None:
        self._terminal = _Terminal(stream)
        self._clock = clock
        self._size = size or self._terminal.size
        self._lock = threading.RLock()
        self._redirected = ExitStack()
        self._scripts = {'stdout': ScriptOutput(), 'stderr': ScriptOutput(), 'ours': ScriptOutput()}
        self._above: list[str] = []
        self._left_out = 0
        self._snapshot: Snapshot | None = None
        self._painter: _Painter | None = None
        self._body: list[str] = []
        self._body_at = -math.inf
        self._drawn: list[int] = []

    def __enter__(self) -> LiveView:
        printed = _Printed(lambda data: self._show('ours', data))
        if is_tty(sys.stdout):
            self._redirected.enter_context(redirect_stdout(printed))
        if is_tty(sys.stderr):
            self._redirected.enter_context(redirect_stderr(printed))
        return self

    def __exit__(self, *exc: object) -> None:
        with self._lock:
            self._redirected.close()
            for script in self._scripts.values():
                self._above += script.end()
            self._draw(final=True)
            self._terminal.close()
            self._snapshot, self._body, self._drawn = None, [], []

    def update(self, snapshot: Snapshot) -> None:
        with self._lock:
            self._snapshot = snapshot
            if self._due():
                self._draw()

    def output(self, data: bytes, stream_name: str) -> None:
        self._show(stream_name, data)

    def end_output(self) -> None:
        with self._lock:
            self._above += self._scripts['stdout'].end() + self._scripts['stderr'].end()
            self._draw()

    def log(self, text: str, *, error: bool = False) -> None:
        with self._lock:
            lines = [printable(line) for line in text.rstrip('\n').split('\n')]
            self._above += [f'\x1b[1m{line}\x1b[0m' if error else line for line in lines]
            self._draw()

    def _show(self, name: str, data: bytes) -> None:
        with self._lock:
            if self._terminal.dead:
                return
            lines = self._scripts[name].feed(data)
            self._above += lines
            if lines or self._due():
                self._draw()

    def _due(self) -> bool:
        return self._clock() - self._body_at >= SECONDS_BETWEEN_FRAMES

    def _draw(self, final: bool = False) -> None:
        """Writes the lines that go above and then the region, in one piece, over the region that is there."""
        if not self._terminal.ready():
            self._hold_back()
            return
        columns, rows = self._size()
        above = self._take_above()
        region = self._region(columns, rows, final)
        self._terminal.write(_back_to_top(self._drawn, columns) + _written(above, region))
        self._drawn = [_shown_width(line) for line in region]

    def _hold_back(self) -> None:
        """Keeps the latest lines of what waits for a terminal that hangs, and nothing for one that is dead."""
        kept = 0 if self._terminal.dead else HELD_LINES
        excess = max(0, len(self._above) - kept)
        del self._above[:excess]
        self._left_out += excess

    def _take_above(self) -> list[str]:
        note = [f'({self._left_out} lines are not shown here; the logs have them)'] if self._left_out else []
        lines, self._above, self._left_out = note + self._above, [], 0
        return lines

    def _region(self, columns: int, rows: int, final: bool) -> list[str]:
        self._painter = self._painter or _Painter(self._terminal.speaks_unicode)
        if self._snapshot is not None and (final or self._due()):
            self._body_at = self._clock()
            self._body = self._painter.paint(self._snapshot, columns - 1, _region_rows(rows), final)
        unfinished = [line for script in self._scripts.values() for line in script.unfinished]
        return self._painter.paint_output(unfinished[-TRANSIENT_ROWS:], columns - 1) + self._body


def _region_rows(rows: int) -> int:
    """How much of the terminal's height the region may take, so that messages stay in sight."""
    return max(3, min(rows - 1 - TRANSIENT_ROWS, rows * 2 // 3))


def _back_to_top(drawn: Sequence[int], columns: int) -> str:
    """Moves the cursor to the first row of the region; a terminal that became narrower has wrapped its lines."""
    rows = sum(max(1, math.ceil(width / columns)) for width in drawn)
    return f'\r\x1b[{rows}A' if rows else '\r'


def _written(above: Sequence[str], region: Sequence[str]) -> str:
    # A line that fills its row leaves the cursor on its last cell, where erasing the rest would erase that cell:
    # lines above may, so the region is erased before them; lines of the region are shorter than a row.
    start = '\x1b[J' if above else ''
    return start + ''.join(f'{line}\n' for line in above) + ''.join(f'{line}\x1b[K\n' for line in region) + '\x1b[J'


def _shown_width(line: str) -> int:
    from rich.cells import cell_len

    return cell_len(_SEQUENCE.sub('', line))


# ---------------------------------------------------------------------------------------------------------------------
# Painting with rich
# ---------------------------------------------------------------------------------------------------------------------

Part: TypeAlias = tuple[str, str]
"""A text and its style."""


class _Painter:
    """Turns a snapshot into the lines of the live region, styled as the terminal allows."""

    def __init__(self, unicode: bool) -> None:
        self._console = _console(80)
        coloured = self._console.color_system is not None and not self._console.no_color
        self._marks = LINE_MARKS if unicode and coloured else LETTER_MARKS

    def paint(self, snapshot: Snapshot, width: int, rows: int, final: bool = False) -> list[str]:
        """The lines of the region; ``final`` leaves out what only matters while the search goes on."""
        lines = _head(snapshot, width, self._marks) + _best(snapshot, width)
        if not final:
            lines += _under_way(snapshot, width, rows - len(lines))
        return self._rendered([_text(line) for line in lines[:rows]], width)

    def paint_output(self, lines: Sequence[str], width: int) -> list[str]:
        """Unfinished lines of a script, cut to the width."""
        from rich.text import Text

        return self._rendered([Text.from_ansi(line) for line in lines], width)

    def _rendered(self, lines: Sequence[Text], width: int) -> list[str]:
        from rich.text import Text

        if not lines:
            return []
        self._console.width = width
        joined = Text('\n', no_wrap=True, overflow='ellipsis').join(lines)
        with self._console.capture() as captured:
            self._console.print(joined, no_wrap=True, overflow='ellipsis', crop=True)
        return captured.get().split('\n')[: len(lines)]


def _console(width: int) -> Console:
    from rich.console import Console

    return Console(
        file=io.StringIO(), force_terminal=True, width=width, height=100, markup=False, highlight=False, emoji=False
    )


def _text(parts: Sequence[Part]) -> Text:
    from rich.text import Text

    return Text.assemble(*((printable(text), style) for text, style in parts), no_wrap=True, overflow='ellipsis')


def _head(snapshot: Snapshot, width: int, marks: Mapping[str, str]) -> list[list[Part]]:
    name = os.path.basename(snapshot.folder.rstrip('/')) or snapshot.folder
    title = _spread([(name, 'bold')], [(_time_text(snapshot), '')], width)
    lines = [title, _bar(snapshot, width, marks), _counts(snapshot)]
    return lines + ([[('waiting  ', 'yellow'), (snapshot.waiting, '')]] if snapshot.waiting else [])


def _spread(left: list[Part], right: list[Part], width: int) -> list[Part]:
    """Puts one part to each end of the line; the left one gives way."""
    gap = width - sum(len(text) for text, _ in [*left, *right])
    return [*left, (' ' * gap, ''), *right] if gap >= 2 else right


def _bar(snapshot: Snapshot, width: int, marks: Mapping[str, str]) -> list[Part]:
    share = done(snapshot) / snapshot.total if snapshot.total else 1.0
    label = f'  {done(snapshot)}/{snapshot.total}  {math.floor(share * 100)} %'
    counts = {state: number for state, number in full_counts(snapshot).items() if state != 'planned'}
    cells = bar_cells(counts, snapshot.total, max(5, width - len(label)))
    return [*((marks.get(state, marks['']) * number, _style(state)) for state, number in cells), (label, '')]


def _counts(snapshot: Snapshot) -> list[Part]:
    parts = [(f'{number} {state}', _style(state)) for state, number in full_counts(snapshot).items()]
    return [part for separated in parts for part in ((' · ', 'dim'), separated)][1:]


def _best(snapshot: Snapshot, width: int) -> list[list[Part]]:
    """The best run on one line where everything fits, on two where it does not."""
    if not snapshot.best:
        return []
    name, params, _ = snapshot.best
    head: list[Part] = [('best     ', 'bold'), (_performance(snapshot), 'bold green'), ('  ' + name, '')]
    tail = params_text(params, snapshot.varying)
    if sum(len(text) for text, _ in head) + 2 + len(tail) <= width:
        return [[*head, ('  ' + tail, '')]]
    return [head, [('         ' + tail, '')]]


def _under_way(snapshot: Snapshot, width: int, rows: int) -> list[list[Part]]:
    running: list[list[Part]] = [[(line, '')] for line in _running_texts(snapshot.running)]
    gpus = _gpus(snapshot.gpus, width, max(0, rows - min(2, len(running))))
    running = _clipped(running, min(RUNNING_ROWS, max(0, rows - len(gpus))), 'running')
    labels = ['running  ', *['         '] * len(running)]
    return gpus + [[(label, 'bold'), *line] for label, line in zip(labels, running, strict=False)]


def _gpus(gpus: Sequence[GpuLine], width: int, rows: int) -> list[list[Part]]:
    """The GPUs in one row each, or in two where the reason for being closed needs it and there is room."""
    roomy = [line for gpu in gpus for line in _gpu(gpu, width, two_rows=True)]
    if len(roomy) <= rows:
        return roomy
    return _clipped([line for gpu in gpus for line in _gpu(gpu, width)], rows, 'GPUs')


def _gpu(gpu: GpuLine, width: int, two_rows: bool = False) -> list[list[Part]]:
    styles = {'name': 'bold', 'closed': 'dim' if gpu.own_runs else 'yellow', 'others': 'yellow', 'model': 'dim'}
    everything = [(key, text) for key, text in _gpu_parts(gpu, None) if key != 'model']
    split = two_rows and gpu.closed and _line_width(text for _, text in everything) > width
    parts = everything if split else _gpu_parts(gpu, width)
    first = [(text, styles.get(key, '')) for key, text in parts if not (split and key == 'closed')]
    second = [
        [
            ('         ', ''),
            (text, styles[key]),
        ]
        for key, text in parts
        if split and key == 'closed'
    ]
    return [[part for separated in first for part in (('  ', ''), separated)][1:], *second]


def _clipped(lines: list[list[Part]], rows: int, what: str) -> list[list[Part]]:
    if len(lines) <= rows:
        return lines
    hidden = len(lines) - max(0, rows - 1)
    return [*lines[: rows - 1], [(f'+{hidden} more {what}', 'dim')]] if rows > 0 else []


def _style(state: str) -> str:
    return STYLES.get(state, 'yellow')


def print_table(stream: TextIO, columns: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    """Prints the best runs as a table that fits the stream; never raises because of the stream.

    Args:
        stream: A terminal gets a styled table, anything else a plain one of at most 120 columns.
        columns: The headings, the most important one first.
        rows: The cells, best run first.
    """
    if not is_tty(stream):
        _Sink(stream).write(best_table(rows, columns))
        return
    terminal = _Terminal(stream)
    width = terminal.size()[0] - 1
    terminal.write(_styled_table(rows, columns, width))
    terminal.close()


def _styled_table(rows: Sequence[Sequence[str]], columns: Sequence[str], width: int) -> str:
    """The same table as :func:`best_table`, its headings and its notes set off by their style."""
    from rich.text import Text

    lines = best_table(rows, columns, width).splitlines()
    styles = ['bold', 'dim', *['bold green'] * bool(rows), *[''] * (len(rows) - 1)]
    console = _console(width)
    with console.capture() as captured:
        for index, line in enumerate(lines):
            console.print(Text(line, styles[index] if index < len(styles) else 'dim'), no_wrap=True, crop=True)
    return captured.get()
