"""The best value over time and over what was used, learning curves, Pareto fronts, and the schedules of populations."""

from __future__ import annotations

import math
from dataclasses import replace

import pytest

from hpsearch.model.configuration import Grid
from hpsearch.model.states import State
from hpsearch.model.trials.distributions import Drawn, Fidelity
from hpsearch.model.trials.trial import Objective, Proposal
from hpsearch.records.run import RunRecord
from postprocessing.figures.curves import BEST_CURVES, MOST_CURVES, MOST_POINTS, curves
from postprocessing.figures.population import schedules
from postprocessing.figures.progress import MOST_RESULTS, progress
from postprocessing.figures.tradeoffs import tradeoffs
from tests.support.search_records import run_record, search_record

ACC = Objective('acc', maximize=True)
HOUR = 3600.0


def test_that_the_best_so_far_is_over_hours_and_over_the_gpu_hours_of_all_runs() -> None:
    runs = [
        run_record(1, {'a': 1}, 0.5, begin=0, seconds=HOUR, gpus=('0',)),
        run_record(2, {'a': 2}, None, state=State.FAILED, begin=0, seconds=2 * HOUR, gpus=('1', '2')),
        run_record(3, {'a': 3}, 0.4, begin=HOUR, seconds=HOUR, gpus=('0',)),
        run_record(4, {'a': 4}, 0.9, begin=3 * HOUR, seconds=HOUR, gpus=('0',)),
        run_record(5, {'a': 5}, None, state=State.RUNNING, begin=4 * HOUR, seconds=HOUR, gpus=('0',)),
    ]
    found = progress(search_record(runs), ACC)
    assert found['axes']['used'] == {'title': 'GPU hours', 'factor': 1}
    # After one hour: one GPU of run 1 and two of run 2; after two: 2 + 4; after four: one more.
    assert found['results'] == {
        'hours': [1, 2, 4],
        'used': [3, 6, 7],
        'values': [0.5, 0.4, 0.9],
        'runs': ['run_00001', 'run_00003', 'run_00004'],
    }
    assert found['best']['values'] == [0.5, 0.9]
    assert found['best']['used'] == [3, 7]
    assert found['end'] == {'hours': 5, 'used': 8}


def test_that_without_gpus_the_hours_of_slots_count_and_the_smallest_may_be_the_best() -> None:
    runs = [run_record(1, {}, 0.5, seconds=HOUR), run_record(2, {}, 0.4, seconds=2 * HOUR), run_record(3, {}, 0.6)]
    found = progress(search_record(runs), Objective('acc'))
    assert found['axes']['used']['title'] == 'slot hours'
    assert found['best']['values'] == [0.5, 0.4]
    assert found['best']['used'] == [3, 4]


@pytest.mark.parametrize(
    ('seconds', 'title', 'factor'), [(6, 'seconds', 3600), (6 * 60, 'minutes', 60), (6 * HOUR, 'hours', 1)]
)
def test_that_axes_have_a_unit_in_which_they_are_easily_read(seconds: float, title: str, factor: int) -> None:
    axes = progress(search_record([run_record(1, {}, 0.5, seconds=seconds)]), ACC)['axes']
    assert axes['hours'] == {'title': f'{title} since the first start', 'factor': factor}
    assert axes['used'] == {'title': f'slot {title}', 'factor': factor}


def test_that_results_that_were_taken_from_an_earlier_search_cost_nothing() -> None:
    reused = run_record(1, {}, 0.5, begin=-10 * HOUR)
    reused = replace(reused, attempts=[replace(reused.attempts[0], cause='reused')])
    found = progress(search_record([reused, run_record(2, {}, 0.6)]), ACC)
    assert found['end'] == {'hours': 1, 'used': 1}


def test_that_many_results_are_thinned_and_no_best_one_is_lost() -> None:
    runs = [run_record(each, {}, each / 5000, begin=each, seconds=1) for each in range(1, 5001)]
    found = progress(search_record(runs), ACC)
    assert len(found['results']['values']) == MOST_RESULTS
    assert len(found['best']['values']) == 5000
    assert f'dots, of which {MOST_RESULTS:,} are shown' in found['caption']


@pytest.mark.parametrize(
    ('runs', 'words'),
    [
        ([], 'No run has ended yet'),
        ([run_record(1, {}, 0.5, seconds=None)], 'not known when runs started'),
        ([run_record(1, {}, 'nan')], 'No run has finished with a number for acc'),
    ],
)
def test_that_no_progress_has_a_reason(runs: list[RunRecord], words: str) -> None:
    assert words in progress(search_record(runs), ACC)['nothing']


def test_that_curves_are_those_of_the_best_and_a_sample_and_thinned() -> None:
    long = {float(step): {'acc': step / 1000, 'other': math.nan} for step in range(1, 1001)}
    runs = [
        run_record(each, {}, each / 1000, curve=long if each == 300 else {1: {'acc': 0.1}}) for each in range(1, 301)
    ]
    found = curves(search_record(runs), ACC)
    assert found['metrics'] == ['acc', 'other']
    assert len(found['curves']) == MOST_CURVES
    ranks = sorted(each['rank'] for each in found['curves'])
    assert ranks[:BEST_CURVES] == list(range(1, BEST_CURVES + 1))
    best = next(each for each in found['curves'] if each['rank'] == 1)
    assert len(best['steps']) == MOST_POINTS
    assert (best['steps'][0], best['steps'][-1]) == (1.0, 1000.0)
    assert best['values'][0][-1] == 1.0
    assert best['values'][1][-1] is None


def test_that_stopped_runs_and_gaps_have_curves_and_a_search_without_metrics_has_none() -> None:
    runs = [run_record(1, {}, None, state=State.STOPPED, curve={1: {'a': 1.0}, 2: {'b': 2.0}})]
    found = curves(search_record(runs, objectives=[]), None)
    assert found['curves'][0]['values'] == [[1.0, None], [None, 2.0]]
    assert found['curves'][0]['rank'] is None
    assert '1 was stopped early' in found['caption']
    assert curves(search_record([run_record(1, {}, 1.0)]), ACC) == {}


def test_that_the_front_has_what_nothing_beats_in_the_directions_that_are_sought() -> None:
    results = [(0.9, 10), (0.8, 5), (0.7, 7), (0.95, 20), (0.9, 12)]
    runs = [run_record(each, {}, {'acc': acc, 'size': size}) for each, (acc, size) in enumerate(results, 1)]
    runs.append(run_record(6, {}, {'acc': 1.0, 'size': 'nan'}))
    found = tradeoffs(search_record(runs, objectives=[ACC, Objective('size')]))
    assert found['front']['values'] == [[0.95, 20], [0.9, 10], [0.8, 5]]
    assert found['front']['runs'] == ['run_00004', 'run_00001', 'run_00002']
    assert found['others']['values'] == [[0.7, 7], [0.9, 12]]
    assert '3 of 5 trials' in found['caption']


def test_that_one_objective_has_no_front_and_no_result_has_a_reason() -> None:
    assert tradeoffs(search_record([run_record(1, {}, 0.5)])) == {}
    runs = [run_record(1, {}, 0.5)]
    assert 'acc and size' in tradeoffs(search_record(runs, objectives=[ACC, Objective('size')]))['nothing']


def member(number: int, who: int, generation: int, score: float, parent: str = '', lr: float = 0.1) -> RunRecord:
    budget = 4 * generation
    values = {'lr': lr, 'optimizer': 'sgd', 'epochs': budget}
    facts = {'member': who, 'generation': generation}
    proposal = Proposal(values, trial=who, fidelity=budget, parent=parent, facts=facts)
    return run_record(number, values, score, proposal=proposal)


def test_that_schedules_say_from_whom_a_member_took_over() -> None:
    runs = [
        member(1, 1, 1, 0.5),
        member(2, 2, 1, 0.7, lr=0.01),
        member(3, 1, 2, 0.8, parent='run_00002', lr=0.012),
        member(4, 2, 2, 0.75, parent='run_00002', lr=0.01),
    ]
    grid: Grid = {'lr': [0.1], 'optimizer': ['sgd'], 'epochs': Drawn(Fidelity(4, 8))}
    found = schedules(search_record(runs, grid=grid))
    assert [each['name'] for each in found['options']] == ['lr', 'optimizer']
    assert [each['member'] for each in found['members']] == [1, 2]
    one, two = found['members'][0]['stages'][1], found['members'][1]['stages'][1]
    assert one == {
        'run': 'run_00003',
        'budget': 8,
        'score': 0.8,
        'values': [0.012, 'sgd'],
        'parent': 'run_00002',
        'from': 2,
        'best': True,
    }
    assert two['from'] is None
    assert not two['best']
    assert 'In 1 run a member went on' in found['caption']
    assert schedules(search_record([run_record(1, {}, 0.5)])) == {}
