"""Keys: what a terminal sends for them, and what they make of a view."""

from __future__ import annotations

import re
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hpsearch.ui.top.keys import keys_at_rest, keys_in
from hpsearch.ui.top.paint import Look, paint
from hpsearch.ui.top.panes import rows_of
from hpsearch.ui.top.searches import ListView, paint_list, press_list
from hpsearch.ui.top.shown import ListShown, SearchRow, SearchShown
from hpsearch.ui.top.tables import Sort, sorted_by, window
from hpsearch.ui.top.view import Action, View, filtered, press
from tests.support.top_frames import LOG, NOW, run_row, shown

SHOWN = shown()


@pytest.mark.parametrize(
    ('sent', 'keys'),
    [
        ('\x1b[A\x1bOB', ['up', 'down']),
        ('\x1b[5~\x1b[6~\x1b[H\x1b[4~', ['page up', 'page down', 'home', 'end']),
        ('\t\x1b[Z\r\n\x7f', ['tab', 'back tab', 'enter', 'enter', 'backspace']),
        ('kR?/é', ['k', 'R', '?', '/', 'é']),
        ('\x1bx', ['escape', 'x']),
        ('\x1b[200~\x1b[1;5C\x00', []),
    ],
)
def test_that_what_a_terminal_sends_is_read_as_keys(sent: str, keys: list[str]) -> None:
    assert keys_in(sent) == (keys, '')


@pytest.mark.parametrize('begun', ['\x1b', '\x1b[', '\x1b[1', '\x1bO'])
def test_that_a_key_that_comes_in_pieces_is_waited_for(begun: str) -> None:
    assert keys_in('a' + begun) == (['a'], begun)


def test_that_escape_is_a_key_if_nothing_follows() -> None:
    assert keys_at_rest('\x1b') == ['escape']
    assert keys_at_rest('\x1b[') == []


@given(st.text(), st.text())
def test_that_anything_can_be_sent_in_any_pieces(one: str, other: str) -> None:
    keys, rest = keys_in(one)
    more, _ = keys_in(rest + other)
    assert all(isinstance(key, str) and key for key in [*keys, *more])


def after(*keys: str, view: View | None = None, what: SearchShown = SHOWN) -> tuple[View, Action | None]:
    """The view after some keys, drawn in between as in a terminal, and what the last one asked for."""
    view, action = paint(view or View(), what, Look())[0], None
    for key in keys:
        view, action = press(view, key, what, 16)
        view = paint(view, what, Look())[0]
    return view, action


def test_that_the_mark_moves_and_stays_within_the_rows() -> None:
    assert after('down')[0].selected == 'sim_010'
    assert after('end', 'down')[0].selected == 'sim_012'
    assert after('end', 'page up')[0].selected == 'sim_009'


def test_that_the_mark_stays_on_its_run_when_others_leave() -> None:
    view = after('down')[0]
    rows = [row for row in SHOWN.runs.rows if row.name != 'sim_009']
    less = replace(SHOWN, runs=replace(SHOWN.runs, rows=rows))
    assert paint(view, less, Look())[0].selected == 'sim_010'


def test_that_the_mark_moves_on_when_its_run_leaves() -> None:
    rows = [row for row in SHOWN.runs.rows if row.name != 'sim_010']
    less = replace(SHOWN, runs=replace(SHOWN.runs, rows=rows))
    assert paint(after('down')[0], less, Look())[0].selected == 'sim_011'


def test_that_the_selected_run_is_the_one_whose_log_is_shown() -> None:
    assert after('2', 'down', '5')[0].selected == 'sim_005'


@pytest.mark.parametrize(
    ('keys', 'pane'), [(['tab'], 'best'), (['back tab'], 'log'), (['4'], 'places'), (['?'], 'help')]
)
def test_that_panes_are_chosen_by_keys(keys: list[str], pane: str) -> None:
    assert after(*keys)[0].pane == pane


@pytest.mark.parametrize('key', ['escape', 'enter'])
def test_that_what_was_opened_is_closed_again(key: str) -> None:
    view = after('3', 'down', 'enter')[0]
    assert view.pane == 'details'
    assert (after(key, view=view)[0].pane, after(key, view=view)[0].selected) == ('runs', view.selected)


def test_that_a_table_is_sorted_by_the_next_column_and_reversed() -> None:
    view = after('2', 's', 's', 'r')[0]
    assert view.sort == Sort('acc', True)
    assert [row.number for row in rows_of('best', SHOWN, view.sort)] == [6, 5, 4, 2, 1]


def test_that_the_last_column_is_followed_by_the_usual_order() -> None:
    view = after('2', *['s'] * 8)[0]
    assert [row.number for row in rows_of('best', SHOWN, view.sort)] == [6, 5, 4, 2, 1]


def test_that_rows_without_a_value_come_last_in_either_direction() -> None:
    for is_reversed in (False, True):
        rows = rows_of('runs', SHOWN, Sort('acc', is_reversed))
        assert [row.value is None for row in rows] == [False] * 5 + [True] * 43


def test_that_what_runs_comes_before_what_waits_in_a_queue() -> None:
    rows = [run_row(1, 'submitted'), run_row(2, 'running'), run_row(3, 'claimed')]
    what = replace(SHOWN, runs=replace(SHOWN.runs, rows=rows))
    assert [row.number for row in rows_of('running', what, Sort())] == [2, 1, 3]


def test_that_a_run_is_stopped_only_after_a_yes() -> None:
    view, action = after('k')
    assert view.prompt is not None
    assert action is None
    assert after('n', view=view) == (replace(view, prompt=None), None)
    assert after('y', view=view)[1] == Action('stop', 'sim_009')


@pytest.mark.parametrize('state', ['failed', 'stopped', 'interrupted', 'lost'])
def test_that_a_run_that_may_be_started_again_is_kept_from_it(state: str) -> None:
    only = replace(SHOWN, runs=replace(SHOWN.runs, rows=[run_row(7, state)]))
    view = after('3', 'down', 'k', what=only)[0]
    assert view.prompt is not None and view.prompt.text == f'Never start run 7, which is {state}, again? y/n'
    assert after('y', view=view, what=only)[1] == Action('stop', 'sim_007')


def test_that_a_run_that_has_finished_is_not_stopped_and_one_that_has_not_ended_is_not_run_again() -> None:
    assert 'has finished already' in after('2', 'k')[0].message
    assert 'has not ended yet' in after('R')[0].message
    assert 'has finished' in after('2', 'R')[0].message


def test_that_a_failed_run_is_asked_for_again() -> None:
    view = after('3', *['down'] * 4, 'R')[0]
    assert view.selected == 'sim_003'
    assert after('y', view=view)[1] == Action('retry', 'sim_003')


@pytest.mark.parametrize(('keys', 'action'), [('dy', 'drain'), ('p', 'pause'), ('q', 'quit')])
def test_that_keys_ask_for_actions(keys: str, action: str) -> None:
    assert after(*keys)[1] == Action(action)


def test_that_a_filter_is_typed_and_its_keys_are_no_commands() -> None:
    view, action = after('/', *'lr<qk', 'backspace', 'backspace', *'1', 'enter')
    assert action == Action('filter', 'lr<1')
    assert view.prompt is None


def test_that_escape_leaves_a_filter_as_it_was() -> None:
    view, action = after('/', *'lr', 'escape', view=filtered(View(), 'x>1'))
    assert (view.where, action) == ('x>1', None)


def test_that_escape_ends_the_filter_then_goes_back_to_the_list() -> None:
    assert after('escape', view=filtered(View(can_close=True), 'x>1'))[1] == Action('filter')
    assert after('escape', view=View(can_close=True))[1] == Action('back')
    assert after('escape')[1] is None


def test_that_only_the_runs_are_shown_that_the_filter_lets_through() -> None:
    what = replace(SHOWN, runs=replace(SHOWN.runs, matching=frozenset(('sim_004', 'sim_013'))))
    assert [row.number for row in rows_of('runs', what, Sort())] == [4, 13]
    assert not rows_of('running', what, Sort())


def test_that_a_log_is_followed_from_its_end_until_somebody_scrolls() -> None:
    what = shown(log=LOG)
    view = after('5', 'up', what=what)[0]
    assert view.top == 1
    assert after('home', 'down', view=view, what=what)[0].top == len(LOG.lines) - 16 - 1
    assert after('end', view=view, what=what)[0].top == 0


def test_that_no_key_does_anything_where_there_are_no_runs() -> None:
    nothing = replace(SHOWN, runs=replace(SHOWN.runs, rows=(), best=None))
    for key in ('up', 'down', 'end', 'enter', 'k', 'R', 's', 'r', 'right', 'left', 'page up', 'x'):
        for pane in '12345':
            after(pane, key, what=nothing)


@given(
    st.lists(
        st.sampled_from(['up', 'down', 'end', 'tab', 's', 'r', '/', 'escape', 'enter', 'k', 'y', '?', 'left', 'right'])
    )
)
def test_that_any_keys_in_any_order_leave_a_view_that_can_be_drawn(keys: list[str]) -> None:
    assert len(paint(after(*keys)[0], SHOWN, Look(40, 10))[1]) == 10


@given(st.integers(0, 99), st.integers(0, 99), st.integers(1, 30))
def test_that_the_row_in_question_is_in_sight(top: int, at: int, rows: int) -> None:
    found = window(top, at, rows, 100)
    assert found <= at < found + rows


def test_that_values_of_several_types_are_sorted() -> None:
    from hpsearch.ui.top.tables import Column

    column: Column[tuple[object]] = Column('x', lambda row: str(row[0]), lambda row: row[0])
    rows: list[tuple[object]] = [('b',), (None,), (2,), (True,), (float('nan'),), ('a',)]
    assert [str(row[0]) for row in sorted_by(rows, [column], Sort('x'))] == ['True', '2', 'nan', 'a', 'b', 'None']


# The list of searches

SEARCHES = ListShown(
    '/home/ada',
    [
        SearchRow('old', {'finished': 3, 'failed': 1}, 4, 'acc 0.9', 'ada', NOW - 4000),
        SearchRow('new', {'finished': 1, 'running': 2}, 9, '', 'ada', NOW - 2, is_alive=True),
        SearchRow('damaged', problem='search.json is damaged'),
    ],
    NOW,
)


def test_that_a_search_that_somebody_works_on_comes_first_and_is_opened() -> None:
    view, lines = paint_list(ListView(), SEARCHES, Look())
    assert lines[3][0] == ('> ', 'reverse')
    assert press_list(view, 'enter', SEARCHES, 10)[1] == Action('open', 'new')


def test_that_a_long_text_is_cut_where_it_has_no_room() -> None:
    lines = paint_list(ListView(), SEARCHES, Look(50, 24))[1]
    texts = [''.join(text for text, _ in line) for line in lines[3:6]]
    assert all(re.search(r'(running|failed|json).*…$', text.rstrip()) for text in texts)


def test_that_another_search_is_chosen_and_the_list_is_sorted() -> None:
    view = paint_list(
        press_list(paint_list(ListView(), SEARCHES, Look())[0], 'down', SEARCHES, 10)[0], SEARCHES, Look()
    )[0]
    assert view.selected == 'old'
    assert press_list(view, 's', SEARCHES, 10)[0].sort == Sort('search')
    assert press_list(view, 'r', SEARCHES, 10)[0].sort == Sort('', True)
    assert press_list(view, 'q', SEARCHES, 10)[1] == Action('quit')


def test_that_an_empty_list_takes_keys() -> None:
    nothing = ListShown('/x', [], NOW)
    view = paint_list(ListView(), nothing, Look())[0]
    assert press_list(view, 'down', nothing, 10)[0].selected == ''
    assert press_list(view, 'enter', nothing, 10)[1] is None
