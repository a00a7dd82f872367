"""What other programs are told of a search, from its record."""

from __future__ import annotations

from dataclasses import replace

from hpsearch.export.search import exported_search
from hpsearch.model.run import Run
from hpsearch.model.states import State
from hpsearch.records.run import AttemptRecord, RunRecord
from tests.support.search_records import run_record, search_record


def test_that_runs_that_were_never_started_are_left_out() -> None:
    waiting = RunRecord(Run('run_00002', 2, {'lr': 0.2}, ()), State.PLANNED, 'run_00002')
    search = exported_search(search_record([run_record(1, {'lr': 0.1}, 0.5), waiting]))
    assert [run.record.name for run in search.runs] == ['run_00001']


def test_that_numbers_of_a_result_are_told_from_texts() -> None:
    (run,) = exported_search(search_record([run_record(1, {}, {'acc': 0.5, 'note': 'good'})])).runs
    assert run.values == {'acc': 0.5}
    assert run.texts == {'note': 'good'}


def test_that_a_run_that_runs_again_does_not_have_the_result_of_its_failed_attempt() -> None:
    failed = run_record(1, {}, 0.5, state=State.FAILED)
    again = AttemptRecord(failed.name, 2, State.RUNNING)
    record = replace(failed, state=State.RUNNING, attempts=[*failed.attempts, again])
    (run,) = exported_search(search_record([record])).runs
    assert run.attempt is again
    assert run.values == {}


def test_that_a_number_of_the_result_is_told_once_if_a_curve_ends_with_it() -> None:
    curve = {1.0: {'acc': 0.4, 'loss': 2.0}, 2.0: {'acc': 0.5}}
    (run,) = exported_search(search_record([run_record(1, {}, {'acc': 0.5, 'loss': 1.0}, curve=curve)])).runs
    assert run.curves == {'acc': {1.0: 0.4, 2.0: 0.5}, 'loss': {1.0: 2.0}}
    assert list(run.finals) == [('loss', 2, 1.0)]


def test_that_the_options_of_a_grid_that_have_several_values_are_the_space() -> None:
    record = search_record([run_record(1, {'lr': 0.1}, 0.5)], grid={'lr': [0.1, 0.2], 'mode': ['good']})
    assert list(exported_search(record).space) == ['lr']


def test_that_the_time_of_a_job_is_that_of_its_script_not_of_its_wait_in_the_queue() -> None:
    finished = run_record(1, {}, 0.5)
    job = replace(finished.attempts[0], queue='slurm', claimed_at=100.0, started_at=500.0, ended_at=560.0)
    waiting = replace(job, state=State.SUBMITTED, started_at=None, ended_at=None)
    records = [replace(finished, attempts=[job]), replace(finished, state=State.SUBMITTED, attempts=[waiting])]
    runs = exported_search(search_record(records)).runs
    assert [(run.begun, run.ended) for run in runs] == [(500.0, 560.0), (100.0, None)]
