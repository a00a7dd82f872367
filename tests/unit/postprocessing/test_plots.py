"""The plot of the schedules of a population."""

from __future__ import annotations

from pathlib import Path

import pytest

from hpsearch.model.trials.lineage import Stage
from hpsearch.model.trials.trial import TrialState
from postprocessing.plots import PLOT, draw_schedules


def stage(member: int, generation: int, *, score: float | None = 0.5, is_of_best: bool = False) -> Stage:
    values = {'lr': 10.0 ** -(member + generation), 'optimizer': 'sgd', 'nesterov': True}
    state = TrialState.FAILED if score is None else TrialState.COMPLETE
    name = f'run_{member}_{generation}'
    return Stage(member, generation, name, '', False, 5.0 * generation, values, state, score, is_of_best)


def test_that_numbers_texts_and_flags_are_drawn_and_an_earlier_plot_is_kept(tmp_path: Path) -> None:
    pytest.importorskip('matplotlib')
    stages = [stage(1, 1, is_of_best=True), stage(1, 2, is_of_best=True), stage(2, 1), stage(2, 2, score=None)]
    assert draw_schedules(tmp_path, stages, 'acc') == tmp_path / PLOT
    assert (tmp_path / PLOT).read_bytes().startswith(b'\x89PNG')
    draw_schedules(tmp_path, stages[:1], 'acc')
    assert len(list(tmp_path.glob('pbt_schedules*.png'))) == 2


def test_that_a_population_without_a_score_is_drawn(tmp_path: Path) -> None:
    pytest.importorskip('matplotlib')
    assert draw_schedules(tmp_path, [stage(1, 1, score=None)], 'acc').exists()
