from __future__ import annotations

import re

from hypothesis import given
from hypothesis import strategies as st

from hpsearch.ui.ansi_filter import AnsiFilter


def fed(*chunks: bytes) -> tuple[list[str], list[str]]:
    output = AnsiFilter()
    lines = [line for chunk in chunks for line in output.feed(chunk)]
    return lines, output.unfinished


def test_that_lines_are_complete_with_their_newline() -> None:
    assert fed(b'one\ntw', b'o\nthr') == (['one', 'two'], ['thr'])


def test_that_only_the_last_state_of_a_progress_bar_remains() -> None:
    assert fed(b'\r 10%|#', b'\r 20%|##') == ([], [' 20%|##'])
    assert fed(b'\r 10%|#\r 20%|##\n') == ([' 20%|##'], [])


def test_that_a_line_ended_by_carriage_return_and_newline_keeps_its_text() -> None:
    assert fed(b'one\r', b'\ntwo\r\n') == (['one', 'two'], [])


def test_that_cursor_movements_and_titles_are_dropped_and_colours_stay() -> None:
    lines, _ = fed(b'\x1b]0;title\x07\x1b[2J\x1b[H\x1b[31mred\x1b[0m\x1b[K\x1b(B\x08\x07\n')
    assert lines == ['\x1b[31mred\x1b[0m\x1b[0m']


def test_that_a_colour_left_on_ends_with_its_line() -> None:
    assert fed(b'\x1b[31mred\nplain\n')[0] == ['\x1b[31mred\x1b[0m', 'plain']


def test_that_bytes_that_are_not_utf8_are_replaced() -> None:
    assert fed(b'caf\xe9 \xff\n')[0] == ['caf\ufffd \ufffd']


def test_that_nested_progress_bars_leave_one_state_each() -> None:
    inner = b''.join(b'\n\rinner %d\x1b[A' % number for number in range(20))
    lines, unfinished = fed(b'\router 0', inner, b'\router 1', inner)
    assert lines.count('outer 0') <= 1
    assert unfinished == ['outer 1', 'inner 19']


def test_that_a_line_without_end_does_not_grow_without_end() -> None:
    output = AnsiFilter()
    for _ in range(40):
        output.feed(b'x' * 10_000)
    assert sum(map(len, output.unfinished)) <= 75_000 + 10_000


def test_that_the_end_of_a_script_completes_its_last_line() -> None:
    output = AnsiFilter()
    output.feed(b'last \xc3')
    assert output.end() == ['last \ufffd']
    assert output.feed(b'new\n') == ['new']


pieces = st.sampled_from(
    [b'a', b'\xc3\xa9', b'\n', b'\r', b'\x1b[31m', b'\x1b[0m', b'\x1b[2K', b'\x1b[A', b'\x1b]0;t\x07', b'\xff', b'\t']
)


@given(st.lists(pieces, max_size=40), st.data())
def test_that_it_does_not_matter_where_the_output_is_cut(parts: list[bytes], data: st.DataObject) -> None:
    whole = b''.join(parts)
    cut = data.draw(st.integers(0, len(whole)))
    assert fed(whole[:cut], whole[cut:]) == fed(whole)


@given(st.binary(max_size=300))
def test_that_no_bytes_reach_the_terminal_as_anything_but_text_and_colours(data: bytes) -> None:
    output = AnsiFilter()
    lines = [*output.feed(data), *output.unfinished, *output.end()]
    assert not re.search(r'[\x00-\x1f\x7f-\x9f]', re.sub(r'\x1b\[[\d;:]*m', '', ''.join(lines)))
