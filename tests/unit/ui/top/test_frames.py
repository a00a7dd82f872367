"""Frames of the view, as they are kept in ``tests/data/top``: ``python -m tests.support.top_frames`` writes them."""

from __future__ import annotations

import re
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hpsearch.ui.top.cells import width_of
from hpsearch.ui.top.paint import Look, paint
from hpsearch.ui.top.screen import as_text, has_colour, update
from hpsearch.ui.top.shown import LogShown, RunRow, Runs, SearchShown
from hpsearch.ui.top.view import View
from tests.support.paths import REPOSITORY
from tests.support.top_frames import FRAMES, frame_text, frames, shown

NASTY = 'lr\x1b[31m\x1b]0;title\x07\x9b2J\x00\n\u202e\u200b\ud800\U0001f926\u200d\u2642\ufe0f漢字e\u0301\u0301'


ALL = {name: (view, what, look) for name, view, what, look in frames()}


@pytest.mark.parametrize('name', ALL)
def test_that_a_frame_is_drawn_as_it_was(name: str) -> None:
    assert frame_text(*ALL[name]) == (FRAMES / f'{name}.txt').read_text()


def test_that_every_frame_that_is_kept_is_compared() -> None:
    assert {path.stem for path in FRAMES.glob('*.txt')} == set(ALL)


def test_that_the_frame_in_the_documentation_is_what_is_drawn() -> None:
    frame = (FRAMES / 'running-80x24.txt').read_text().rstrip('\n').split('\n')
    page = (REPOSITORY / 'docs' / 'top.rst').read_text()
    assert ''.join(f'   {line}'.rstrip() + '\n' for line in frame) in page


def test_that_states_are_told_apart_by_colours_where_there_are_any() -> None:
    text = frame_text(View('runs'), shown(), Look(100, 24), styles=True)
    assert '\x1b[31mfailed' in text
    assert '\x1b[32mfinished' in text


def test_that_without_colours_the_styles_that_are_none_remain_and_states_have_marks_of_their_own() -> None:
    text = frame_text(View('runs'), shown(), Look(100, 24, colour=False), styles=True)
    assert '\x1b[3' not in text
    assert '\x1b[1m' in text
    assert re.search(r'#+x+\?+>+', text)


@pytest.mark.parametrize(
    ('environ', 'expected'),
    [
        ({'TERM': 'xterm'}, True),
        ({'TERM': 'xterm', 'NO_COLOR': '1'}, False),
        ({'TERM': 'xterm', 'NO_COLOR': ''}, True),
        ({'TERM': 'dumb'}, False),
        ({}, False),
    ],
)
def test_that_colours_are_used_where_the_terminal_has_them_and_nobody_minds(
    environ: dict[str, str], expected: bool
) -> None:
    assert has_colour(environ) is expected


def nasty() -> SearchShown:
    texts = dict.fromkeys(('text', 'metric', 'where', 'reason'), NASTY)
    row = RunRow(NASTY, 1, 'running', {NASTY: NASTY}, others=(NASTY,), curve=[1.0], step=1.0, **texts)  # type: ignore[arg-type]
    here = shown()
    snapshot = replace(here.snapshot, folder=f'/{NASTY}', waiting=NASTY, varying=(NASTY,), performance_key=NASTY)
    runs = Runs([row], NASTY, (NASTY,), (NASTY,), row)
    log = LogShown(NASTY, [NASTY])
    return replace(here, snapshot=snapshot, runs=runs, log=log, hosts=NASTY, notes=[NASTY], details=[('x', NASTY)])


@pytest.mark.parametrize('pane', ['running', 'best', 'runs', 'places', 'log', 'details'])
def test_that_nothing_of_what_is_shown_is_interpreted_by_the_terminal(pane: str) -> None:
    view = View(pane, where=NASTY, message=NASTY if pane == 'best' else '')
    lines = paint(view, nasty(), Look())[1]
    text = '\n'.join(as_text(line, colour=False, styles=False) for line in lines)
    assert not {char for char in text if (ord(char) < 32 and char != '\n') or 127 <= ord(char) < 160}
    assert not {'\u202e', '\u200b', '\u200d', '\ud800'} & set(text)
    assert 'title' not in text
    assert '漢字' in text


@given(st.integers(1, 120), st.integers(1, 60), st.sampled_from(['running', 'best', 'runs', 'places', 'log', 'help']))
def test_that_a_frame_fills_a_terminal_of_any_size_and_no_more(width: int, height: int, pane: str) -> None:
    lines = paint(View(pane), nasty(), Look(width, height))[1]
    assert len(lines) == height
    assert all(sum(width_of(text) for text, _ in line) <= width for line in lines)


def test_that_only_lines_that_have_changed_are_sent() -> None:
    assert update(['a', 'b', 'c'], ['a', 'x', 'c']) == '\x1b[2;1H\x1b[2Kx'


def test_that_everything_is_sent_where_it_is_not_known_what_the_terminal_shows() -> None:
    assert update([], ['a', '']) == '\x1b[2J\x1b[1;1H\x1b[2Ka'


def test_that_a_search_that_cannot_be_read_any_more_stays_in_sight_with_the_reason() -> None:
    text = frame_text(View(), shown(problem='/x is not a search folder.'), Look())
    assert 'problem  /x is not a search folder.' in text
    assert 'sim' not in text
    assert '0.8304' in text


def test_that_an_old_reading_of_a_gpu_says_so() -> None:
    here = shown()
    old = [replace(gpu, age=90.0) for gpu in here.snapshot.gpus]
    text = frame_text(View(), replace(here, snapshot=replace(here.snapshot, gpus=old)), Look())
    assert text.count('read 1 min 30 s ago') == 3
    assert 'read' not in frame_text(View(), here, Look())
