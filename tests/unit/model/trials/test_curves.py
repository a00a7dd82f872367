"""What runs have reported, from events in any order of the journals."""

from __future__ import annotations

import math
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from hpsearch.model.history.search_state import SearchState
from hpsearch.model.trials.curves import Curves, Points, curve_of, last_values, points_as_json
from hpsearch.model.trials.trial import Objective


def reported(attempt: int, *points: tuple[float, dict[str, Any]]) -> dict[str, Any]:
    return {'event': 'reported', 'run': 'sim_1', 'attempt': attempt, 'points': [list(point) for point in points]}


def test_that_reports_become_the_curve_of_a_run() -> None:
    state = SearchState()
    state.fold('w', reported(1, (1, {'acc': 0.5}), (2, {'acc': 0.6, 'loss': 'nan'})))
    state.fold('w', reported(1, (3, {'acc': 0.7})))
    curve = state.curves['sim_1']
    assert list(curve) == [1, 2, 3]
    assert curve[3] == {'acc': 0.7}
    assert math.isnan(curve[2]['loss'])
    assert last_values(curve)['acc'] == 0.7
    assert state.curves.get('sim_2') is None
    assert state.curves.of('sim_2') == {}
    assert not state.runs


def test_that_a_curve_with_more_points_is_another_object() -> None:
    curves = Curves()
    curves.add('sim_1', 1, [[1, {'acc': 0.1}]])
    before = curves.of('sim_1')
    assert curves.of('sim_1') is before
    curves.add('sim_1', 1, [[2, {'acc': 0.2}]])
    assert curves.of('sim_1') is not before and before == {1: {'acc': 0.1}}


def test_that_an_attempt_that_begins_anew_replaces_what_earlier_ones_reported() -> None:
    curves = Curves()
    curves.add('sim_1', 1, [[1, {'acc': 0.1}], [2, {'acc': 0.2}]])
    curves.add('sim_1', 2, [[1, {'acc': 0.3}]])
    assert curves['sim_1'] == {1: {'acc': 0.3}}


def test_that_an_attempt_that_goes_on_from_a_checkpoint_continues_the_curve() -> None:
    curves = Curves()
    curves.add('sim_1', 1, [[1, {'acc': 0.1}], [2, {'acc': 0.2}], [3, {'acc': 0.25}]])
    curves.add('sim_1', 2, [[3, {'acc': 0.3}], [4, {'acc': 0.4}]])
    assert curves['sim_1'] == {1: {'acc': 0.1}, 2: {'acc': 0.2}, 3: {'acc': 0.3}, 4: {'acc': 0.4}}


def test_that_losses_are_of_the_metric_of_the_objective() -> None:
    points: Points = {1: {'acc': 0.5, 'loss': 1.0}, 2: {'loss': 0.9}, 3: {'acc': math.nan}}
    assert curve_of(points, Objective('acc', maximize=True)) == {1: -0.5, 3: math.inf}


_POINTS = st.lists(
    st.tuples(st.integers(0, 9), st.dictionaries(st.sampled_from('ab'), st.integers(0, 3), min_size=1)), max_size=4
)


@given(st.lists(st.tuples(st.integers(1, 3), _POINTS), max_size=6))
def test_that_a_curve_does_not_depend_on_the_order_in_which_journals_are_read(
    events: list[tuple[int, list[Any]]],
) -> None:
    """Each attempt has its own journal here, which is read in order."""
    folded, by_journal = Curves(), Curves()
    for attempt, points in events:
        folded.add('sim_1', attempt, points)
        folded.of('sim_1')
    for attempt, points in sorted(events, key=lambda event: -event[0]):
        by_journal.add('sim_1', attempt, points)
    assert folded.of('sim_1') == by_journal.of('sim_1')
    assert list(folded.of('sim_1')) == sorted(folded.of('sim_1'))


def test_that_points_are_written_as_strict_json() -> None:
    points: Points = {1: {'a': math.nan, 'b': math.inf, 'c': -math.inf, 'd': 2.5}}
    assert points_as_json(points) == [[1, {'a': 'nan', 'b': 'inf', 'c': '-inf', 'd': 2.5}]]
