"""What is known of the runs of a grid, for a pruner."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from hpsearch.dispatch.adaptive.history import History
from hpsearch.dispatch.adaptive.promotions import PromotedFirst, pruned_runs
from hpsearch.dispatch.adaptive.settings import PruneSettings
from hpsearch.model.retries import RetryPolicy
from hpsearch.model.trials.trial import Objective, TrialState
from hpsearch.store.opening.open_search import OpenSearch
from tests.support.dispatching import CONFIGURATION, Desk

LOSS = Objective('loss')


def test_that_the_runs_of_a_grid_are_told_with_their_values_and_curves(tmp_path: Path) -> None:
    desk = Desk(tmp_path, 3)
    desk.recorder.record('claimed', 'sim_2', 1)
    history = History(desk.recorder, [LOSS], RetryPolicy(), desk.folder.find_run)
    (told,) = history.evaluations
    assert (told.run, told.number, told.proposal.values, told.state) == ('sim_2', 2, {'a': 2}, TrialState.WAITING)
    desk.recorder.record('reported', 'sim_2', 1, points=[[1, {'loss': 0.5}]])
    desk.recorder.record('ended', 'sim_2', 1, state='stopped')
    desk.recorder.record('claimed', 'sim_1', 1)
    first, second = history.evaluations
    assert (first.run, first.curve) == ('sim_1', {})
    assert (second.state, second.curve, second.proposal.trial) == (TrialState.STOPPED, {1: 0.5}, 2)


def test_that_nothing_is_stopped_without_a_pruner(tmp_path: Path) -> None:
    desk = Desk(tmp_path, 3)
    search, source = OpenSearch(desk.folder, CONFIGURATION, str(tmp_path), 'python3'), desk.pending._source
    settings = PruneSettings('none', {}, [LOSS])
    assert pruned_runs(source, search, desk.recorder, settings, RetryPolicy()) == (source, None)


def test_that_promotions_are_only_for_scripts_that_go_on_where_they_were_stopped(tmp_path: Path) -> None:
    desk = Desk(tmp_path, 3)
    source = desk.pending._source
    for resumable in (False, True):
        configuration = replace(CONFIGURATION, resumable=resumable)
        search = OpenSearch(desk.folder, configuration, str(tmp_path), 'python3')
        settings = PruneSettings('asha', {'grace_period': 3.0, 'max_resource': 30.0}, [LOSS], 30.0)
        runs, rule = pruned_runs(source, search, desk.recorder, settings, RetryPolicy())
        assert isinstance(runs, PromotedFirst) is resumable
        assert rule is not None and (rule.last_step, rule.rungs) == (30.0, (3, 9, 27))
