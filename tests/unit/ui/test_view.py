from __future__ import annotations

import io
import os
import pty
import re
import signal
import sys
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import TextIO

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hpsearch.ui.live import HELD_LINES, LiveView
from hpsearch.ui.table import print_table
from hpsearch.ui.view import PlainView, QuietView, View, open_view
from tests.support.snapshots import COLUMNS, GPUS, ROWS, SNAPSHOT, counts


class Clock:
    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


class Screen:
    """A terminal of a given width that scrolls without end, and knows what the live view makes use of."""

    def __init__(self, columns: int) -> None:
        self.columns = columns
        self.cells: list[list[str]] = [[]]
        self.row = self.column = 0

    def write(self, text: str) -> None:
        for token in re.findall(r'\x1b\[\d*[A-Za-z]|\x1b\[[\d;]*m|.|\n|\r', text, re.DOTALL):
            self._take(token)

    @property
    def lines(self) -> list[str]:
        return [''.join(row).rstrip() for row in self.cells]

    def _take(self, token: str) -> None:
        if token == '\n':
            self._down()
            self.column = 0
        elif token == '\r':
            self.column = 0
        elif token.startswith('\x1b['):
            self._obey(token[-1], int(re.sub(r'\D.*', '', token[2:-1]) or 1))
        else:
            assert token >= ' '
            self._put(token)

    def _obey(self, letter: str, number: int) -> None:
        assert letter in 'AKJm'
        if letter == 'A':
            self.row = max(0, self.row - number)
        if letter in 'KJ':
            del self.cells[self.row][self.column :]
        if letter == 'J':
            del self.cells[self.row + 1 :]

    def _put(self, char: str) -> None:
        if self.column == self.columns:
            self._down()
            self.column = 0
        row = self.cells[self.row]
        row.extend(' ' * (self.column + 1 - len(row)))
        row[self.column] = char
        self.column += 1

    def _down(self) -> None:
        self.row += 1
        if self.row == len(self.cells):
            self.cells.append([])


def live(columns: int = 100, rows: int = 40, clock: Clock | None = None) -> tuple[LiveView, io.StringIO]:
    stream = io.StringIO()
    return LiveView(stream, clock=clock or Clock(), size=lambda: (columns, rows)), stream


def screen_of(stream: io.StringIO, columns: int = 100) -> list[str]:
    screen = Screen(columns)
    screen.write(stream.getvalue())
    return screen.lines


@pytest.fixture(autouse=True)
def colours(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv('TERM', 'xterm-256color')
    monkeypatch.delenv('NO_COLOR', raising=False)
    monkeypatch.delenv('FORCE_COLOR', raising=False)


# The live view


@pytest.mark.parametrize('columns', [8, 20, 40, 60, 80, 120, 250])
@pytest.mark.parametrize('rows', [2, 5, 12, 24, 60])
def test_that_the_region_fits_every_terminal(columns: int, rows: int) -> None:
    view, stream = live(columns, rows)
    with view:
        view.update(SNAPSHOT)
        lines = screen_of(stream, columns)
    assert all(len(line) < columns for line in lines)
    assert len(lines) - 1 <= max(3, rows - 1)


def test_that_the_region_shows_bar_counts_gpus_running_runs_and_the_best_one() -> None:
    view, stream = live()
    with view:
        view.update(SNAPSHOT)
        shown = '\n'.join(screen_of(stream))
    for text in (
        'search_2026-11-20_23-19-00',
        '12 min 05 s, about 35 min left',
        '48/120  40 %',
        '45 finished · 3 failed · 8 running · 64 planned',
        'waiting  every GPU is closed',
        'best     acc 97.31  sim_012  lr=0.001 batch_size=64',
        'GPU 0   load  87 %   12.3/40.0 GiB  2 runs  closed: has 2 of 2 runs',
        'running  sim_000          0 s  GPU 0  lr=0.0 batch_size=64',
        '         sim_007   7 min 00 s  GPU 1  lr=0.007 batch_size=64',
    ):
        assert text in shown
    assert 'epochs' not in shown


@pytest.mark.parametrize(('rows', 'named', 'hidden'), [(15, 1, 7), (24, 5, 3), (40, 8, 0)])
def test_that_running_runs_have_the_rows_that_are_left(rows: int, named: int, hidden: int) -> None:
    view, stream = live(100, rows)
    with view:
        view.update(replace(SNAPSHOT, gpus=GPUS[:1] * 5))
        shown = '\n'.join(screen_of(stream))
    assert shown.count(' s  GPU ') == named
    assert (f'+{hidden} more running' in shown) == bool(hidden)


def test_that_the_bar_shows_no_share_of_a_total_nobody_knows() -> None:
    view, stream = live()
    with view:
        view.update(replace(SNAPSHOT, total=None, eta=None))
        shown = '\n'.join(screen_of(stream))
    assert '  48 done' in shown
    assert '45 finished · 3 failed · 8 running\n' in shown
    for text in ('48/', '40 %', 'planned', 'left'):
        assert text not in shown


def test_that_a_narrow_terminal_gets_the_reason_of_a_closed_gpu_on_a_row_of_its_own() -> None:
    view, stream = live(60)
    with view:
        view.update(SNAPSHOT)
        assert '         closed: has 2 of 2 runs of this search' in screen_of(stream, 60)


def test_that_gpus_without_room_are_counted() -> None:
    view, stream = live(100, 18)
    with view:
        view.update(replace(SNAPSHOT, gpus=GPUS * 10))
        assert any(re.fullmatch(r'\+\d+ more GPUs', line) for line in screen_of(stream))


def test_that_updates_in_quick_succession_are_drawn_once() -> None:
    clock = Clock()
    view, stream = live(clock=clock)
    view.update(SNAPSHOT)
    drawn = len(stream.getvalue())
    for _ in range(100):
        view.update(replace(SNAPSHOT, counts={'finished': 100}))
    assert len(stream.getvalue()) == drawn
    clock.now += 1.0
    view.update(replace(SNAPSHOT, counts={'finished': 101}))
    assert '101 finished · 19 planned' in screen_of(stream)


def test_that_a_message_does_not_delay_the_first_drawing() -> None:
    view, stream = live()
    view.log('message')
    view.update(SNAPSHOT)
    assert any('48/120' in line for line in screen_of(stream))


def test_that_the_last_state_is_drawn_at_the_end_however_soon() -> None:
    view, stream = live()
    with view:
        view.update(SNAPSHOT)
        view.update(replace(SNAPSHOT, counts={'finished': 120}))
    assert '120 finished' in screen_of(stream)


actions = st.one_of(
    st.tuples(st.just('log'), st.integers(1, 150)),
    st.tuples(st.just('output'), st.integers(1, 150)),
    st.tuples(st.just('progress'), st.integers(1, 150)),
    st.tuples(st.just('update'), st.integers(0, 120)),
)


@given(st.lists(actions, max_size=25), st.sampled_from([30, 60, 100]))
def test_that_messages_stay_above_one_region_whatever_the_order(script: list[tuple[str, int]], columns: int) -> None:
    clock = Clock()
    view, stream = live(columns, clock=clock)
    above = Screen(columns)
    view.update(SNAPSHOT)
    for index, (action, number) in enumerate(script):
        clock.now += 0.1
        text = f'{index} ' + 'x' * number
        if action == 'update':
            view.update(replace(SNAPSHOT, counts={'finished': number}))
        elif action == 'progress':
            view.output(b'\r' + text.encode(), 'stderr')
        else:
            above.write(text + '\n')
            view.log(text) if action == 'log' else view.output(text.encode() + b'\n', 'stdout')
    lines = screen_of(stream, columns)
    assert lines[: len(above.lines) - 1] == above.lines[:-1]
    assert sum('/120' in line for line in lines) == 1


def test_that_a_progress_bar_of_the_script_is_in_the_region_until_its_newline() -> None:
    clock = Clock()
    view, stream = live(clock=clock)
    view.update(SNAPSHOT)
    for number in range(5):
        clock.now += 1.0
        view.output(b'\r%d%%|###' % number, 'stderr')
    assert screen_of(stream)[0] == '4%|###'
    assert not any(line.startswith('3%|') for line in screen_of(stream))
    view.output(b'\n', 'stderr')
    view.log('next')
    assert screen_of(stream)[:2] == ['4%|###', 'next']


def test_that_nothing_is_taken_for_markup() -> None:
    view, stream = live()
    view.update(replace(SNAPSHOT, waiting='[red]not red[/red]'))
    view.log('[bold]not bold[/bold] [/nothing]')
    view.output(b'[link=x]tail', 'stdout')
    view.end_output()
    lines = screen_of(stream)
    assert lines[:2] == ['[bold]not bold[/bold] [/nothing]', '[link=x]tail']
    assert 'waiting  [red]not red[/red]' in lines


def test_that_a_terminal_that_became_narrower_keeps_no_remains_of_the_region() -> None:
    size = (100, 40)
    stream, clock = io.StringIO(), Clock()
    view = LiveView(stream, clock=clock, size=lambda: size)
    view.log('kept')
    view.update(SNAPSHOT)
    reflowed = Screen(50)
    reflowed.write('\n'.join(screen_of(stream, 100)))
    assert sum('/120' in line for line in reflowed.lines) == 1
    stream.seek(0)
    stream.truncate()
    size, clock.now = (50, 40), clock.now + 1.0
    view.update(SNAPSHOT)
    reflowed.write(stream.getvalue())
    assert reflowed.lines[0] == 'kept'
    assert sum('/120' in line for line in reflowed.lines) == 1


def test_that_no_color_leaves_no_colours_and_a_bar_that_can_be_told_apart(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv('NO_COLOR', '1')
    view, stream = live()
    view.update(SNAPSHOT)
    assert not re.search(r'\x1b\[(?:\d+;)*(?:3\d|9\d|38;[\d;]+)m', stream.getvalue())
    assert re.search(r'#+x+>+\.+  48/120', '\n'.join(screen_of(stream)))


def test_that_a_terminal_without_unicode_gets_ascii() -> None:
    raw = io.BytesIO()
    view = LiveView(io.TextIOWrapper(raw, encoding='ascii'), clock=Clock(), size=lambda: (60, 40))
    view.update(SNAPSHOT)
    view.log('caf\u00e9')
    assert raw.getvalue().isascii()
    assert b'#' in raw.getvalue()
    assert b'caf?' in raw.getvalue()


def test_that_messages_after_the_end_are_plain_lines() -> None:
    view, stream = live()
    with view:
        view.update(SNAPSHOT)
    before = len(stream.getvalue())
    view.log('later')
    assert 'finished' not in stream.getvalue()[before:]
    assert screen_of(stream)[-2] == 'later'


# Real terminals


@pytest.fixture
def terminal() -> Iterator[tuple[int, TextIO, Callable[[], None]]]:
    """The far side of a terminal, a stream to its near side, and what closes the far side."""
    far, near = pty.openpty()
    is_open = [far]

    def hang_up() -> None:
        while is_open:
            os.close(is_open.pop())

    signal.alarm(30)  # a view that blocks must not block the tests
    with os.fdopen(near, 'w', encoding='utf-8') as stream:
        yield far, stream, hang_up
    hang_up()
    signal.alarm(0)


Terminal = tuple[int, TextIO, Callable[[], None]]


def use(view: View) -> None:
    view.update(SNAPSHOT)
    view.output(b'out\n', 'stdout')
    view.output(b'err\r', 'stderr')
    view.end_output()
    view.log('text')
    view.log('wrong', error=True)


@pytest.mark.parametrize('kind', ['live', 'plain', 'quiet'])
def test_that_a_closed_terminal_does_not_raise(terminal: Terminal, kind: str) -> None:
    _, stream, hang_up = terminal
    views: dict[str, Callable[[], View]] = {
        'live': lambda: LiveView(stream),
        'plain': lambda: PlainView(stream, stream),
        'quiet': lambda: QuietView(stream),
    }
    with views[kind]() as view:
        use(view)
        hang_up()
        use(view)
        use(view)
    use(view)
    print_table(stream, COLUMNS, ROWS)


@pytest.mark.parametrize('kind', [LiveView, QuietView, lambda stream: PlainView(stream, stream)])
def test_that_a_closed_stream_does_not_raise(kind: Callable[[TextIO], View]) -> None:
    stream = io.StringIO()
    stream.close()
    with kind(stream) as view:
        use(view)


def test_that_a_broken_pipe_does_not_raise_and_leaves_nothing_to_fail_later() -> None:
    reading, writing = os.pipe()
    os.close(reading)
    with os.fdopen(writing, 'w', encoding='utf-8') as stream, PlainView(stream, stream) as view:
        use(view)
        use(view)


def test_that_a_terminal_nobody_reads_does_not_block_and_gets_the_latest_lines_later(terminal: Terminal) -> None:
    far, stream, _ = terminal
    with LiveView(stream, size=lambda: (100, 40)) as view:
        view.update(SNAPSHOT)
        for number in range(3 * HELD_LINES):
            view.output(b'line %d\n' % number, 'stdout')
        received = b''
        os.set_blocking(far, False)
        for number in range(1000):
            view.output(b'after %d\n' % number, 'stdout')
            received += read_all(far)
            if b'lines are not shown here' in received and b'line %d\r' % (3 * HELD_LINES - 1) in received:
                break
        else:
            pytest.fail('the terminal was read and yet has not got the last line')
    assert b'line 1500\r' not in received


def read_all(descriptor: int) -> bytes:
    received = b''
    while True:
        try:
            received += os.read(descriptor, 65536)
        except BlockingIOError:
            return received


def test_that_the_terminal_shared_with_the_shell_stays_blocking(terminal: Terminal) -> None:
    _, stream, _ = terminal
    with LiveView(stream) as view:
        view.update(SNAPSHOT)
        assert os.get_blocking(stream.fileno())


def test_that_what_user_code_prints_goes_above_the_region(terminal: Terminal, monkeypatch: pytest.MonkeyPatch) -> None:
    far, stream, _ = terminal
    monkeypatch.setattr(sys, 'stdout', stream)
    with LiveView(stream, size=lambda: (100, 40)) as view:
        view.update(SNAPSHOT)
        print('from a summary parser')
    assert sys.stdout is stream
    os.set_blocking(far, False)
    screen = Screen(100)
    screen.write(read_all(far).decode())
    assert screen.lines[0] == 'from a summary parser'


def test_that_the_table_on_a_terminal_fits_it(terminal: Terminal) -> None:
    far, stream, _ = terminal
    os.environ.pop('COLUMNS', None)
    print_table(stream, COLUMNS, [[*row[:-1], 'x' * 30] for row in ROWS] * 2)
    os.set_blocking(far, False)
    screen = Screen(80)
    screen.write(read_all(far).decode())
    assert screen.lines[0].split() == COLUMNS


# Plain and quiet


def test_that_the_plain_view_writes_a_line_per_news_and_the_last_state_at_the_end() -> None:
    clock, out = Clock(), io.StringIO()
    with PlainView(out, io.StringIO(), clock) as view:
        for number in range(10):
            view.update(counts(500, finished=number))
        clock.now += 31.0
        view.update(counts(500, finished=10))
        view.update(counts(500, finished=11))
    assert [line.split()[0] for line in out.getvalue().splitlines()] == ['0', '10', '11']


def test_that_the_plain_view_copies_bytes_as_they_are_to_their_own_stream() -> None:
    out, err = io.BytesIO(), io.BytesIO()
    with PlainView(io.TextIOWrapper(out), io.TextIOWrapper(err)) as view:
        view.output(b'\xff\r\x1b[A\x00', 'stdout')
        view.output(b'oops\n', 'stderr')
        assert out.getvalue() == b'\xff\r\x1b[A\x00'
        assert err.getvalue() == b'oops\n'


def test_that_a_plain_message_starts_a_line_of_its_own() -> None:
    out = io.StringIO()
    view = PlainView(out, io.StringIO())
    view.output(b'unfinished', 'stdout')
    view.log('message')
    view.log('another')
    assert out.getvalue() == 'unfinished\nmessage\nanother\n'


def test_that_a_plain_message_starts_a_line_of_its_own_when_both_streams_are_one() -> None:
    out = io.StringIO()
    view = PlainView(out, out)
    view.output(b' 10%|#', 'stderr')
    view.log('message')
    assert out.getvalue() == ' 10%|#\nmessage\n'


def test_that_the_quiet_view_tells_errors_only() -> None:
    err = io.StringIO()
    with QuietView(err) as view:
        use(view)
    assert err.getvalue() == 'wrong\n'


def test_that_the_view_suits_the_stream(terminal: Terminal) -> None:
    _, stream, _ = terminal
    assert isinstance(open_view(stream, stream, environ={'TERM': 'xterm'}), LiveView)
    assert isinstance(open_view(stream, stream, environ={'TERM': 'dumb'}), PlainView)
    assert isinstance(open_view(stream, stream, environ={}), PlainView)
    assert isinstance(open_view(io.StringIO(), stream, environ={'TERM': 'xterm'}), PlainView)
    assert isinstance(open_view(stream, stream, quiet=True), QuietView)
