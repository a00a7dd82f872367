"""What ``hpsearch status --predictions`` shows."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from hpsearch.cli.packing.predictions import predictions_of
from hpsearch.cli.status import status_lines
from hpsearch.model.configuration import Grid
from hpsearch.model.states import State
from hpsearch.model.usage.in_use import RunUse
from hpsearch.model.usage.measured import Measured
from hpsearch.store.folder import SearchFolder
from hpsearch.store.journal import read_state
from tests.support.measured_search import MeasuredSearch, finished_search, memory_of
from tests.support.queued_search import BEGIN


def shown(folder: SearchFolder) -> str:
    """The status with predictions."""
    return '\n'.join(status_lines(folder, as_json=False, with_predictions=True))


def plain(folder: SearchFolder) -> dict[str, Any]:
    """What programs get of the predictions."""
    found = json.loads('\n'.join(status_lines(folder, as_json=True, with_predictions=True)))
    predictions: dict[str, Any] = found['predictions']
    return predictions


def test_that_what_was_learned_is_shown_as_a_formula_with_the_parameters_that_matter(tmp_path: Path) -> None:
    text = shown(finished_search(tmp_path / 's').folder)
    assert 'memory (MiB on each GPU): 1000 + 10 × batch; what matters: batch 100%' in text
    assert 'lr' not in next(line for line in text.splitlines() if 'memory (MiB' in line)


def test_that_a_run_is_shown_with_what_was_expected_when_it_was_started(tmp_path: Path) -> None:
    search = MeasuredSearch(tmp_path / 's')
    run = search.runs[0]
    search.start(run, estimate={'memory': [1500.0, 2100.0], 'seconds': [50.0, 80.0]})
    search.end(run, 1400)
    line = next(line for line in shown(search.folder).splitlines() if run.name in line and 'measured' in line)
    assert '1500 (≤ 2100) measured 1400' in line
    assert '50 s (≤ 1 min 20 s) measured 1 min 00 s' in line
    assert 'memory of 1 run that has ended: missed by 7.1% (median); 0 needed more' in shown(search.folder)


def test_that_a_run_that_waits_is_shown_with_what_is_expected_now(tmp_path: Path) -> None:
    search = MeasuredSearch(tmp_path / 's')
    *first, last = search.runs
    for run in first:
        search.start(run)
        search.end(run, memory_of(run))
    found = plain(search.folder)
    needs = {each['run']: each for each in found['runs']}
    assert needs[last.name]['state'] == 'planned'
    assert needs[last.name]['predicted']['memory'][0] == pytest.approx(memory_of(last), rel=0.02)
    assert needs[first[0].name]['measured']['gpu_memory'] == memory_of(first[0])


def test_that_one_run_is_counted_as_one(tmp_path: Path) -> None:
    search = MeasuredSearch(tmp_path / 's')
    search.start(search.runs[0])
    search.end(search.runs[0], 1000)
    text = shown(search.folder)
    assert 'error 30.0% (1 run)' in text
    assert '1 different runs' not in text


def test_that_programs_get_the_shares_and_the_error(tmp_path: Path) -> None:
    learned = {each['quantity']: each for each in plain(finished_search(tmp_path / 's').folder)['learned']}
    assert learned['memory']['shares'] == {'batch': 1.0}
    assert learned['memory']['error'] < 0.01
    assert learned['memory']['runs'] == 12


def test_that_the_status_says_nothing_of_predictions_where_nobody_asks(tmp_path: Path) -> None:
    search = finished_search(tmp_path / 's')
    assert 'what runs need' not in '\n'.join(status_lines(search.folder, as_json=False))
    assert 'predictions' not in json.loads('\n'.join(status_lines(search.folder, as_json=True)))


def test_that_a_search_that_has_not_begun_and_one_that_runs_are_shown(tmp_path: Path) -> None:
    search = MeasuredSearch(tmp_path / 's')
    assert 'nothing was measured yet' in shown(search.folder)
    search.start(search.runs[0])
    assert 'nothing was measured yet' in shown(search.folder)


def test_that_many_runs_are_not_all_listed(tmp_path: Path) -> None:
    text = shown(finished_search(tmp_path / 's', grid={'batch': list(range(1, 41)), 'lr': [0.1]}).folder)
    assert 'and 15 more ended' in text


def test_that_odd_values_of_parameters_do_not_spoil_it(tmp_path: Path) -> None:
    odd: Grid = {'batch': [8, 16], 'odd': ['\x1b[31mred', 'a\nb', '', None, True, [1, 2], '[', 'ä'], 'seed': [1]}
    search = finished_search(tmp_path / 's', grid=odd)
    text = shown(search.folder)
    assert '\x1b' not in text
    assert len(plain(search.folder)['runs']) == 16


def test_that_an_earlier_search_of_its_options_tells_something(tmp_path: Path) -> None:
    finished_search(tmp_path / 'earlier')
    search = MeasuredSearch(tmp_path / 's', options={'learn_from': [str(tmp_path / 'earlier')]})
    found = plain(search.folder)
    assert found['learned'][0]['runs'] == 12
    assert found['runs'][0]['predicted']['memory'][0] == pytest.approx(memory_of(search.runs[0]), rel=0.02)


def test_that_runs_that_are_under_way_are_shown_with_what_they_have_used_and_tell_what_others_need(
    tmp_path: Path,
) -> None:
    search = MeasuredSearch(tmp_path / 's')
    first, second, *_ = search.runs
    for run in (first, second):
        search.start(run, estimate={'memory': [1500.0, 2100.0]})
    search.end(second, 1400)
    state, used = read_state(search.folder), Measured(gpu_memory=7000, settled_after=9.0)
    uses = {run.name: RunUse(measured=used) for run in (first, second)}
    found = predictions_of(search.folder, state, search.configuration, (), uses, BEGIN + 60)
    text = '\n'.join(found.lines())
    assert '1500 (≤ 2100) measured 7000' in text
    assert '1500 (≤ 2100) measured 1400' in text, 'what its writer told last is older than its end'
    waiting = next(each for each in found.runs if each.state is State.PLANNED)
    assert waiting.predicted.memory is not None and waiting.predicted.memory.high >= 7000
    assert {each.runs for each in found.learned if each.quantity == 'memory'} == {2}


def test_that_durations_are_learned_as_runs_would_take_alone_as_the_search_itself_does(tmp_path: Path) -> None:
    search = MeasuredSearch(tmp_path / 's', grid={'batch': [8], 'lr': list(range(12))})
    for run in search.runs[:-1]:
        search.start(run)
        measured = {'gpu_memory': 1000, 'gpu_load': 0.9, 'sharing': 3.0}
        search.end(run, None, seconds=270.0, measured=measured)
    waiting = next(each for each in plain(search.folder)['runs'] if each['state'] == 'planned')
    assert waiting['predicted']['seconds'][0] == pytest.approx(100.0, rel=0.1)
