"""Runs that were to be stopped because of their metrics when hpsearch was killed: real processes, kill -9."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.gates import PRUNED, Gated, finish, gated, kill
from tests.support.harness import until
from tests.support.postprocessing import postprocess

CATCHES = 'trap \'touch caught; printf "acc 0.9\\nfinished 0\\n" > "$out/performance_overview.txt"; exit 0\' TERM\n'
"""Ends on TERM with status 0, and what it has so far."""


@pytest.fixture
def project(tmp_path: Path) -> Iterator[Gated]:
    with gated(tmp_path / 'project') as made:
        yield made


def resume(project: Gated, *words: str) -> str:
    """Resume to the end; returns what it prints."""
    return finish(project.drive({}, 'resume', 'out', *words))


def states_of_status(project: Gated) -> dict[str, int]:
    """How many runs are in each state, by ``hpsearch status``."""
    told = json.loads(finish(project.drive({}, 'status', 'out', '--json')))
    return {state: count for state, count in told['counts'].items() if count}


def test_that_who_resumes_stops_a_run_that_was_about_to_be_stopped(project: Gated) -> None:
    search = project.begin(2)
    kill(search)
    project.note_pruned('1')
    resumed = project.drive({}, 'resume', 'out', '--cpu_jobs=2')
    until(lambda: project.told('ended'))
    project.wait_for_begun(3)
    project.open()
    printed = finish(resumed)
    assert printed.count(f'stopped: {PRUNED}') == 1
    assert '2 finished, 1 stopped of 3 runs' in printed
    assert project.ends() == {'1': [('stopped', 'pruned')], '2': [('finished', 'exit')], '3': [('finished', 'exit')]}
    assert sorted(project.begun()) == project.once(), 'it is not run again'


def test_that_a_script_that_catches_the_signal_and_ends_well_is_stopped_with_what_it_left(project: Gated) -> None:
    project.then(CATCHES)
    kill(project.begin(1))
    project.note_pruned('1')
    resumed = project.drive({}, 'resume', 'out')
    until((project.path / 'caught').exists)
    project.open()
    finish(resumed)
    (row,) = [row for row in project.rows() if row['n'] == '1']
    assert (row['hpsearch_state'], row['hpsearch_reason'], row['acc']) == ('stopped', PRUNED, '0.9')
    assert project.ends()['1'] == [('stopped', 'pruned')]


def test_that_what_finished_before_anybody_could_stop_it_has_finished(project: Gated) -> None:
    kill(project.begin(1))
    project.note_pruned('1')
    project.open()
    until(lambda: not project.living())
    assert states_of_status(project) == {'finished': 1, 'planned': 2}
    resume(project)
    assert project.table_states() == project.all_finished()


def test_that_status_and_postprocessing_say_that_it_was_stopped_before_anybody_resumes(project: Gated) -> None:
    kill(project.begin(2))
    project.note_pruned('1')
    assert states_of_status(project) == {'running': 2, 'planned': 1}
    project.kill_runs()
    assert states_of_status(project) == {'stopped': 1, 'lost': 1, 'planned': 1}
    postprocess(project.out, cwd=project.path)
    (stopped,) = [json.loads(line) for line in (project.out / 'stopped_runs.jsonl').read_text().splitlines()]
    assert (stopped['params']['n'], stopped['state']) == (1, 'stopped')


def test_that_hpsearch_stop_ends_a_search_in_which_a_run_is_being_stopped(project: Gated) -> None:
    project.then("trap '' TERM\n")
    kill(project.begin(2))
    project.note_pruned('1')
    resumed = project.drive({}, 'resume', 'out', '--cpu_jobs=2', '--stop_grace=600')
    until(lambda: len(project.told('adopted')) == 2)
    stopping = project.drive({}, 'stop', 'out')
    until(lambda: project.told('stop'))
    project.open()
    finish(resumed, (130,))
    assert 'stopped' in finish(stopping)
    assert project.ends() == {'1': [('finished', 'exit')], '2': [('finished', 'exit')]}, 'both had their time'


def test_that_a_run_that_does_not_end_by_itself_is_killed_after_its_grace(project: Gated) -> None:
    project.then("trap '' TERM\n")
    kill(project.begin(1))
    project.note_pruned('1')
    resumed = project.drive({}, 'resume', 'out', '--stop_grace=0.3')
    until(lambda: project.told('ended'))
    project.open()
    finish(resumed)
    (ended, *_) = project.told('ended')
    assert (ended['state'], ended['reason']) == ('stopped', PRUNED)
    assert ended['code'] in (137, None), 'its shell may have left no record'
