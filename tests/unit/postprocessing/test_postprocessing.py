"""Postprocessing of search folders: ours, killed ones, and those that the original made."""

from __future__ import annotations

import csv
import importlib
import json
import math
import os
import pickle
import shutil
import statistics
import sys
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hpsearch.config.loading import load_configuration
from hpsearch.host.kernel import Host, this_host
from hpsearch.model.configuration import plain_attributes
from hpsearch.model.run import Run
from hpsearch.model.states import State
from hpsearch.model.table import Row
from hpsearch.store.folder import SearchFolder
from hpsearch.store.journal import Journal
from tests.support.harness import marked_process
from tests.support.postprocessing import load_package

load_package()
main = importlib.import_module('hpsearch_postprocessing.main').main
gather = importlib.import_module('hpsearch_postprocessing.gather').gather
seeds = importlib.import_module('hpsearch_postprocessing.seeds')
tidy = importlib.import_module('hpsearch_postprocessing.tidy')
written = importlib.import_module('hpsearch_postprocessing.written')

MODULE = """
grid = {'lr': [0.1, 0.2], 'random_seed': [1, 2]}
conditions = []
_SCRIPT_NAME = 'train.py'
_SUMMARY_FILENAME = 'summary.txt'
_SUMMARY_KEYWORDS = ['acc', 'losses', 'finished']
_PERFORMANCE_KEY = 'acc'
"""

EVALUATES = """
def _evaluate(summary, criteria):
    assert summary['losses'] == ['"3,4"'], summary
    return float(summary['acc'][0]) > criteria
_PERFORMANCE_EVAL_HANDLE = _evaluate
"""


class Search:
    """A search folder in the making."""

    def __init__(self, base: Path, module: str = MODULE, host: Host | None = None) -> None:
        self.module = base / 'config.py'
        self.module.write_text(module)
        self.folder = SearchFolder(base / 'out' / 'search')
        self.path = self.folder.path
        self.path.mkdir(parents=True)
        self.configuration = load_configuration('config.py', cwd=base)
        asked = {
            'source': str(self.module),
            'sha256': self.configuration.sha256,
            'cwd': str(base),
            'attributes': plain_attributes(self.configuration),
        }
        self.folder.write_info({'configuration': asked})
        self.runs: list[Run] = []
        self.journal = Journal(self.folder, 'writer', (host or this_host()).as_header())

    def plan(self, **params: Any) -> str:
        number = len(self.runs) + 1
        name = f'sim_{number:03d}'
        argv = ('python3', 'train.py', f'--out_dir={self.path / name}', *(f'--{k}={v}' for k, v in params.items()))
        self.runs.append(Run(name, number, params, argv))
        with self.folder.runs_jsonl.open('a') as plan:
            plan.write(json.dumps({'run': name, 'number': number, 'params': params, 'argv': argv}) + '\n')
        return name

    def event(self, kind: str, run: str, attempt: int = 1, **facts: Any) -> None:
        self.journal.append({'event': kind, 'run': run, 'attempt': attempt, **facts})

    def started(self, run: str) -> None:
        self.event('claimed', run)
        self.event('running', run, handle={'pid': 77})
        files = Path(self.folder.attempt(run, 1).folder)
        files.mkdir(parents=True)
        (files / 'started').write_text(f'writer:{run}:1 77\n')

    def submitted(self, *runs: str) -> None:
        """Runs that are jobs in a queue, of which nothing else is journaled."""
        for run in runs:
            self.event('claimed', run)
            Path(self.folder.attempt(run, 1).folder).mkdir(parents=True)
        attempts = [[run, 1] for run in runs]
        self.journal.append({'event': 'submitting', 'queue': 'slurm', 'submission': 'hps-1', 'attempts': attempts})
        for run in runs:
            self.event('submitted', run)

    def began(self, run: str) -> None:
        """The job of a run passes its start fence."""
        Path(self.folder.attempt(run, 1).started).write_text(f'writer:{run}:1 77 101 0 node7\n')

    def told(self, run: str, file: str, text: str) -> None:
        """The job of a run leaves a file."""
        Path(self.folder.attempt(run, 1).folder, file).write_text(f'{text}\n')

    def exited(self, run: str, code: int) -> None:
        Path(self.folder.attempt(run, 1).exit).write_text(f'{code}\n')

    def left(self, run: str, text: str) -> Path:
        output = self.folder.output(run)
        output.mkdir()
        (output / 'summary.txt').write_text(text)
        return output

    def ended(self, run: str, state: str = 'finished', **facts: Any) -> None:
        self.started(run)
        self.event('ended', run, state=state, **facts)

    def finished(self, acc: float, **params: Any) -> str:
        name = self.plan(**params)
        text = f'acc {acc}\nlosses 3 4\nfinished 1\n'
        self.left(name, text)
        self.ended(name, code=0, seconds=1.5, summary={'acc': str(acc), 'losses': '3,4', 'finished': '1'})
        return name


@pytest.fixture
def search(tmp_path: Path) -> Search:
    return Search(tmp_path)


@pytest.fixture
def judging(tmp_path: Path) -> Search:
    return Search(tmp_path, MODULE + EVALUATES)


def rows_of(folder: Path, name: str = 'postprocessing_results.csv') -> list[dict[str, str]]:
    with (folder / name).open(newline='') as file:
        return list(csv.DictReader(file, delimiter=';'))


def listed(folder: Path, kind: str) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (folder / f'{kind}_runs.jsonl').read_text().splitlines()]


def names(folder: Path, kind: str) -> list[str]:
    return [entry['run'] for entry in listed(folder, kind)]


def tree(folder: Path) -> set[str]:
    return {str(path.relative_to(folder)) for path in folder.rglob('*')}


def test_that_runs_of_a_search_are_sorted_into_table_and_lists(search: Search, capsys: Any) -> None:
    low, high = search.finished(0.5, lr=0.1), search.finished(0.75, lr=0.2)
    failed, waiting = search.plan(lr=0.3), search.plan(lr=0.4)
    search.ended(failed, 'failed', code=3, reason='status 3')
    assert main([str(search.path)]) == 0
    table = rows_of(search.path)
    assert [(row['hpsearch_run'], row['acc'], row['hpsearch_state']) for row in table] == [
        (high, '0.75', 'finished'),
        (low, '0.5', 'finished'),
        (failed, '', 'failed'),
    ]
    assert (table[2]['hpsearch_reason'], table[0]['losses'], table[0]['hpsearch_seconds']) == (
        'status 3',
        '3,4',
        '1.500',
    )
    assert table[0]['out_dir'] == str(search.folder.output(high))
    assert [names(search.path, kind) for kind in written.KINDS] == [[low, high], [failed], [waiting]]
    assert '4 runs: 2 finished, 1 unfinished, 1 missing. Unfinished: 1 failed.' in capsys.readouterr().out


def test_that_runs_that_were_stopped_have_a_list_of_their_own_and_are_never_the_best(
    search: Search, capsys: Any
) -> None:
    finished, recorded, alone = search.finished(0.5, lr=0.1), search.plan(lr=0.2), search.plan(lr=0.3)
    for name in (recorded, alone):
        search.started(name)
        search.event('pruned', name, step=3, reason='worse than others at step 3')
        search.left(name, 'acc 0.75\nlosses 3 4\n')
    search.event('ended', recorded, state='stopped', cause='pruned', reason='worse than others at step 3', code=0)
    search.exited(alone, 143)
    assert main([str(search.path)]) == 0
    states = [(row['hpsearch_run'], row['acc'], row['hpsearch_state']) for row in rows_of(search.path)]
    assert states == [(recorded, '0.75', 'stopped'), (alone, '0.75', 'stopped'), (finished, '0.5', 'finished')]
    kinds = ('finished', 'stopped', 'unfinished', 'missing')
    assert [names(search.path, kind) for kind in kinds] == [[finished], [recorded, alone], [], []]
    assert '3 runs: 1 finished, 2 stopped, 0 unfinished, 0 missing.' in capsys.readouterr().out


def test_that_there_is_no_list_of_stopped_runs_where_none_was_stopped(search: Search) -> None:
    search.finished(0.5, lr=0.1)
    assert main([str(search.path)]) == 0
    assert not (search.path / 'stopped_runs.jsonl').exists()


def test_that_its_paths_may_begin_with_the_home_directory(search: Search, monkeypatch: pytest.MonkeyPatch) -> None:
    search.finished(0.5, lr=0.1)
    monkeypatch.setenv('HOME', str(search.path.parent))
    assert main([f'~/{search.path.name}', '--run_cwd=~', '--grid_module=~/none.py']) == 2
    assert main([f'~/{search.path.name}', '--run_cwd=~']) == 0
    assert [row['acc'] for row in rows_of(search.path)] == ['0.5']


def test_that_a_listed_run_has_what_it_takes_to_run_it_again(search: Search) -> None:
    search.plan(lr=0.1, note='a b')
    assert main([str(search.path)]) == 0
    (entry,) = listed(search.path, 'missing')
    assert entry['params'] == {'lr': 0.1, 'note': 'a b'} and entry['argv'][-1] == '--note=a b'
    assert entry['command'].endswith("'--note=a b'") and entry['state'] == 'planned'


def test_that_a_run_which_ended_after_the_search_was_killed_is_read_from_its_evidence(search: Search) -> None:
    good, bad, torn = search.plan(lr=0.1), search.plan(lr=0.2), search.plan(lr=0.3)
    for name in (good, bad, torn):
        search.started(name)
    search.exited(good, 0)
    search.left(good, 'acc 0.5\nlosses 1\nfinished 1\n')
    search.exited(bad, 7)
    search.exited(torn, 0)
    search.left(torn, 'acc 0.')
    assert main([str(search.path)]) == 0
    states = {row['hpsearch_run']: (row['hpsearch_state'], row['hpsearch_reason']) for row in rows_of(search.path)}
    assert states[good][0] == 'finished'
    assert states[bad][0] == 'failed' and 'status 7' in states[bad][1] and 'not in the journal' in states[bad][1]
    assert states[torn][0] == 'failed' and 'finished is missing' in states[torn][1]


def test_that_results_of_jobs_in_a_queue_are_full_rows_without_a_dispatcher(search: Search, capsys: Any) -> None:
    low, high, failed, running, waiting = (search.plan(lr=number / 10) for number in range(1, 6))
    search.submitted(low, high, failed, running, waiting)
    for name, acc in ((low, 0.5), (high, 0.75)):
        search.began(name)
        search.left(name, f'acc {acc}\nlosses 3 4\nfinished 1\n')
        search.exited(name, 0)
    search.began(failed)
    search.exited(failed, 3)
    search.began(running)
    assert main([str(search.path)]) == 0
    table = rows_of(search.path)
    assert [(row['hpsearch_run'], row['acc'], row['losses'], row['hpsearch_state']) for row in table] == [
        (high, '0.75', '3,4', 'finished'),
        (low, '0.5', '3,4', 'finished'),
        (failed, '', '', 'failed'),
    ]
    assert all(float(row['hpsearch_seconds']) >= 0 for row in table)
    assert 'Unfinished: 1 failed, 1 running.' in capsys.readouterr().out
    assert names(search.path, 'missing') == [waiting]


def test_that_a_run_in_a_queue_is_not_lost_since_no_process_of_it_is_here(judging: Search) -> None:
    name = judging.plan(lr=0.1)
    judging.submitted(name)
    judging.began(name)
    output = judging.left(name, 'acc 0.1\nlosses 3 4\n')
    assert main([str(judging.path), '--performance_criteria=0.5']) == 0
    assert output.is_dir() and listed(judging.path, 'unfinished')[0]['state'] == 'running'


def test_that_what_ended_a_job_from_outside_is_told(search: Search) -> None:
    late, ended, again = (search.plan(lr=number / 10) for number in range(1, 4))
    search.submitted(late, ended, again)
    for name, file, text in ((late, 'signalled', 'timeout'), (ended, 'signalled', 'TERM'), (again, 'requeued', 'x')):
        search.began(name)
        search.told(name, file, text)
    search.exited(late, 143)
    search.exited(ended, 143)
    assert main([str(search.path)]) == 0
    rows = {row['hpsearch_run']: (row['hpsearch_state'], row['hpsearch_reason']) for row in rows_of(search.path)}
    assert rows[late][0] == 'failed' and 'time limit' in rows[late][1]
    assert rows[ended][0] == 'interrupted' and 'received TERM' in rows[ended][1]
    assert rows[again][0] == 'interrupted' and 'restarted its job' in rows[again][1]


def test_that_a_torn_exit_record_is_none(search: Search) -> None:
    name = search.plan(lr=0.1)
    search.started(name)
    Path(search.folder.attempt(name, 1).exit).write_text('0')
    assert main([str(search.path)]) == 0
    assert listed(search.path, 'unfinished')[0]['state'] == 'lost'


def test_that_a_run_whose_process_lives_is_running_and_not_moved(judging: Search, capsys: Any) -> None:
    name = judging.plan(lr=0.1)
    judging.started(name)
    output = judging.left(name, 'acc 0.1\nlosses 3 4\nfinished 1\n')
    with marked_process(judging.folder, name):
        assert main([str(judging.path), '--performance_criteria=0.5']) == 0
    assert output.is_dir() and listed(judging.path, 'unfinished')[0]['state'] == 'running'
    assert 'may still be running' in capsys.readouterr().out


def test_that_a_run_whose_process_is_gone_without_a_record_is_lost(search: Search) -> None:
    search.started(search.plan(lr=0.1))
    assert main([str(search.path)]) == 0
    assert listed(search.path, 'unfinished')[0]['state'] == 'lost'


def test_that_a_run_on_another_host_is_unknown(tmp_path: Path) -> None:
    elsewhere = Search(tmp_path, host=Host('elsewhere', 'm', 'b', 'n'))
    elsewhere.started(elsewhere.plan(lr=0.1))
    assert main([str(elsewhere.path)]) == 0
    assert listed(elsewhere.path, 'unfinished')[0]['state'] == 'unknown'


def test_that_a_run_from_before_a_reboot_is_interrupted(tmp_path: Path) -> None:
    ours = this_host()
    if not (ours.machine and ours.boot):
        pytest.skip('this machine does not tell one boot from another')
    rebooted = Search(tmp_path, host=replace(ours, boot='an earlier one'))
    rebooted.started(rebooted.plan(lr=0.1))
    assert main([str(rebooted.path)]) == 0
    assert listed(rebooted.path, 'unfinished')[0]['state'] == 'interrupted'


def test_that_a_withdrawn_run_is_not_missed(search: Search) -> None:
    kept, gone = search.plan(lr=0.1), search.plan(lr=0.2)
    search.folder.write_info({**search.folder.read_info(), 'withdrawn': [gone]})
    assert main([str(search.path)]) == 0
    assert names(search.path, 'missing') == [kept]


def test_that_a_run_which_was_taken_but_never_started_is_missing(search: Search) -> None:
    name = search.plan(lr=0.1)
    search.event('claimed', name)
    assert main([str(search.path)]) == 0
    assert names(search.path, 'missing') == [name] and rows_of(search.path) == []


def test_that_a_run_which_waits_for_another_attempt_was_started(search: Search) -> None:
    name = search.plan(lr=0.1)
    search.ended(name, 'interrupted', reason='stopped by the user')
    search.event('claimed', name, 2)
    assert main([str(search.path)]) == 0
    assert [entry['state'] for entry in listed(search.path, 'unfinished')] == ['planned']


def test_that_a_search_below_the_folder_that_is_named_is_hinted_at(
    search: Search, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main([str(search.path.parent)]) == 2
    assert f'one below it is {search.path}.' in capsys.readouterr().err


def test_that_the_journal_tells_what_a_deleted_folder_said(search: Search) -> None:
    name = search.plan(lr=0.1)
    search.ended(name, summary={'acc': '0.5', 'finished': '1'})
    assert main([str(search.path)]) == 0
    assert names(search.path, 'finished') == [name] and rows_of(search.path)[0]['acc'] == '0.5'


def test_that_a_summary_which_is_readable_now_makes_a_failed_run_finished(search: Search) -> None:
    name = search.plan(lr=0.1)
    search.ended(name, 'failed', reason='its parser broke')
    search.left(name, 'acc 0.5\nlosses 1\nfinished 1\n')
    assert main([str(search.path)]) == 0
    assert names(search.path, 'finished') == [name] and 'its parser broke' in rows_of(search.path)[0]['hpsearch_reason']


def test_that_the_status_makes_a_run_finished_by_a_configuration_without_the_keyword_finished(search: Search) -> None:
    good, bad, stopped = (search.plan(lr=lr) for lr in (0.1, 0.2, 0.3))
    search.ended(good, 'failed', code=0, cause='exit', reason='the keyword finished is missing')
    search.ended(bad, 'failed', code=3, cause='exit', reason='status 3')
    search.ended(stopped, 'interrupted', code=0, cause='stop', reason='stopped by the user')
    for name in (good, bad, stopped):
        search.left(name, 'acc 0.5\n')
    assert main([str(search.path)]) == 0 and names(search.path, 'finished') == []
    corrected = search.module.with_name('corrected.py')
    corrected.write_text(MODULE.replace("['acc', 'losses', 'finished']", "['acc']"))
    assert main([str(search.path), f'--grid_module={corrected}']) == 0
    assert names(search.path, 'finished') == [good] and names(search.path, 'unfinished') == [bad, stopped]


def test_that_missed_runs_are_moved_and_nothing_is_deleted(judging: Search, capsys: Any) -> None:
    low, high = judging.finished(0.25, lr=0.1), judging.finished(0.75, lr=0.2)
    (judging.folder.output(low) / 'weights').write_text('w')
    assert main([str(judging.path), '--performance_criteria', '0.5']) == 0
    moved = judging.path / 'TO_BE_DELETED' / low
    assert (moved / 'weights').read_text() == 'w' and not judging.folder.output(low).exists()
    assert judging.folder.output(high).is_dir()
    row = rows_of(judging.path)[1]
    assert row['out_dir'] == str(moved) and 'TO_BE_DELETED' in row['hpsearch_reason'] and row['acc'] == '0.25'
    assert '1 run that misses the criteria was moved' in capsys.readouterr().out


def test_that_a_second_call_finds_moved_runs_where_they_are(judging: Search, capsys: Any) -> None:
    judging.finished(0.25, lr=0.1)
    assert main([str(judging.path), '--performance_criteria=0.5']) == 0
    before = {name for name in tree(judging.path) if 'TO_BE_DELETED' in name}
    assert main([str(judging.path), '--performance_criteria=0.5']) == 0
    assert {name for name in tree(judging.path) if 'TO_BE_DELETED' in name} == before
    assert len(rows_of(judging.path)) == 1 and '0 runs' in capsys.readouterr().out


def test_that_nothing_is_moved_over_an_earlier_folder(judging: Search, capsys: Any) -> None:
    name = judging.finished(0.25, lr=0.1)
    earlier = judging.path / 'TO_BE_DELETED' / name
    earlier.parent.mkdir()
    earlier.write_text('earlier')
    assert main([str(judging.path), '--performance_criteria=0.5']) == 0
    assert earlier.read_text() == 'earlier' and judging.folder.output(name).is_dir()
    assert 'could not be moved' in capsys.readouterr().out


def victim_of(search: Search) -> Path:
    """A folder beside the search that looks like the output of a run that misses every criterion."""
    victim = search.path.parent / 'docs'
    victim.mkdir()
    (victim / 'summary.txt').write_text('acc 0.1\nlosses 3 4\nfinished 1\n')
    return victim


@pytest.mark.parametrize('name', ['{victim}', '..', '../docs', '.', '', 'journal', 'jobs', 'TO_BE_DELETED'])
def test_that_a_plan_cannot_name_a_folder_that_is_no_output(judging: Search, name: str, capsys: Any) -> None:
    victim = victim_of(judging)
    judging.finished(0.9, lr=0.1)
    named = {'run': name.format(victim=victim), 'number': 2, 'params': {'lr': 0.2}, 'argv': ['true']}
    with judging.folder.runs_jsonl.open('a') as plan:
        plan.write(json.dumps(named) + '\n')
    for place in (judging.path, judging.folder.journal_dir, judging.folder.jobs_dir):
        shutil.copy(victim / 'summary.txt', place)
    before = tree(judging.path.parent)
    assert main([str(judging.path), '--performance_criteria=0.5']) == 0
    assert before <= tree(judging.path.parent)
    assert names(judging.path, 'finished') == ['sim_001']


def test_that_missed_runs_are_not_moved_through_a_link(judging: Search, tmp_path: Path, capsys: Any) -> None:
    name = judging.finished(0.1, lr=0.1)
    (tmp_path / 'elsewhere').mkdir()
    (judging.path / 'TO_BE_DELETED').symlink_to(tmp_path / 'elsewhere')
    assert main([str(judging.path), '--performance_criteria=0.5']) == 0
    assert judging.folder.output(name).is_dir() and not list((tmp_path / 'elsewhere').iterdir())
    assert f'{name} could not be moved to TO_BE_DELETED' in capsys.readouterr().out


def test_that_an_output_that_is_a_link_is_moved_and_not_what_it_leads_to(judging: Search, tmp_path: Path) -> None:
    name = judging.finished(0.1, lr=0.1)
    output = judging.folder.output(name)
    output.rename(tmp_path / 'scratch')
    output.symlink_to(tmp_path / 'scratch')
    assert main([str(judging.path), '--performance_criteria=0.5']) == 0
    assert (judging.path / 'TO_BE_DELETED' / name).is_symlink() and (tmp_path / 'scratch' / 'summary.txt').exists()


def test_that_a_search_folder_reached_through_a_link_is_tidied(judging: Search, tmp_path: Path) -> None:
    name = judging.finished(0.1, lr=0.1)
    (tmp_path / 'link').symlink_to(judging.path)
    assert main([str(tmp_path / 'link'), '--performance_criteria=0.5']) == 0
    assert (judging.path / 'TO_BE_DELETED' / name).is_dir()


def test_that_criteria_without_a_handle_are_a_wrong_request_and_nothing_is_written(search: Search, capsys: Any) -> None:
    search.finished(0.5, lr=0.1)
    before = tree(search.path)
    assert main([str(search.path), '--performance_criteria=0.5']) == 2
    assert tree(search.path) == before and '_PERFORMANCE_EVAL_HANDLE' in capsys.readouterr().err


def test_that_a_handle_which_raises_moves_nothing_and_is_told(tmp_path: Path, capsys: Any) -> None:
    search = Search(tmp_path, MODULE + "_PERFORMANCE_EVAL_HANDLE = lambda summary, criteria: summary['none']\n")
    name = search.finished(0.5, lr=0.1)
    assert main([str(search.path), '--performance_criteria=0.5']) == 0
    assert search.folder.output(name).is_dir() and 'KeyError' in capsys.readouterr().out


def test_that_a_run_without_a_summary_is_not_judged(judging: Search) -> None:
    name = judging.plan(lr=0.1)
    judging.ended(name, 'failed', reason='status 1')
    judging.folder.output(name).mkdir()
    assert main([str(judging.path), '--performance_criteria=0.5']) == 0
    assert judging.folder.output(name).is_dir()


@pytest.mark.parametrize('text, value', [('0.5', 0.5), ('-1e-3', -0.001), ('high', 'high')])
def test_that_criteria_reach_the_handle_as_a_number_where_they_are_one(text: str, value: object) -> None:
    assert tidy.criteria_value(text) == value


def test_that_earlier_files_are_kept_under_their_date(search: Search) -> None:
    search.finished(0.5, lr=0.1)
    table = search.path / 'postprocessing_results.csv'
    for content in ('first', 'second'):
        table.write_text(content)
        os.utime(table, (1_000_000_000, 1_000_000_000))
        assert main([str(search.path)]) == 0
    kept = sorted(search.path.glob('postprocessing_results_2001-09-*.csv'))
    assert [path.read_text() for path in kept] == ['first', 'second'] and len(rows_of(search.path)) == 1


def test_that_a_module_given_by_the_user_decides_how_results_are_read(search: Search, tmp_path: Path) -> None:
    search.finished(0.5, lr=0.1)
    search.finished(0.75, lr=0.2)
    other = tmp_path / 'other.py'
    other.write_text(MODULE + '_PERFORMANCE_SORT_ASC = True\n')
    assert main([str(search.path), f'--grid_module={other}']) == 0
    assert [row['acc'] for row in rows_of(search.path)] == ['0.5', '0.75']


def test_that_a_changed_module_gives_its_handles_but_not_its_plain_attributes(search: Search, capsys: Any) -> None:
    search.finished(0.25, lr=0.1)
    search.finished(0.75, lr=0.2)
    search.module.write_text(MODULE + EVALUATES + '_PERFORMANCE_SORT_ASC = True\n')
    assert main([str(search.path), '--performance_criteria=0.5']) == 0
    assert [row['acc'] for row in rows_of(search.path)] == ['0.75', '0.25']
    assert (search.path / 'TO_BE_DELETED').is_dir() and 'has changed' in capsys.readouterr().out


def test_that_a_module_which_is_gone_leaves_the_built_in_reader(search: Search, capsys: Any) -> None:
    name = search.finished(0.5, lr=0.1)
    search.module.unlink()
    assert main([str(search.path)]) == 0
    assert names(search.path, 'finished') == [name] and 'cannot be loaded' in capsys.readouterr().out


def test_that_the_module_of_somebody_elses_search_is_not_executed(
    search: Search, monkeypatch: pytest.MonkeyPatch, capsys: Any
) -> None:
    search.finished(0.5, lr=0.1)
    search.module.write_text("raise SystemExit('executed')")
    monkeypatch.setattr(os, 'geteuid', lambda: search.folder.search_json.stat().st_uid + 1)
    assert main([str(search.path)]) == 0
    out = capsys.readouterr().out
    assert 'belongs to user' in out and '--grid_module' in out and 'executed' not in out.split('not executed')[0]


@pytest.mark.parametrize('kind', ['none', 'empty'])
def test_that_what_is_no_search_folder_is_a_wrong_request(tmp_path: Path, kind: str, capsys: Any) -> None:
    folder = tmp_path / kind
    if kind == 'empty':
        folder.mkdir()
    assert main([str(folder)]) == 2
    assert str(folder) in capsys.readouterr().err


# Seeds


def test_that_runs_which_differ_in_their_seed_are_one_row(search: Search) -> None:
    for acc, seed in ((1.0, 1), (3.0, 2)):
        search.finished(acc, lr=0.1, random_seed=seed)
    search.finished(9.0, lr=0.2, random_seed=1)
    assert main([str(search.path)]) == 0
    single, pair = rows_of(search.path, 'postprocessing_seeds.csv')
    assert (pair['lr'], pair['random_seed'], pair['n'], pair['acc_n']) == ('0.1', '1,2', '2', '2')
    assert (float(pair['acc_mean']), float(pair['acc_std'])) == (2.0, math.sqrt(2))
    assert math.isclose(float(pair['acc_sem']), 1.0)
    assert (single['acc_mean'], single['acc_std'], single['acc_sem'], single['acc_n']) == ('9.0', '', '', '1')
    assert 'losses_mean' not in pair and 'finished_mean' not in pair


def test_that_another_option_may_be_the_seed(search: Search, capsys: Any) -> None:
    for seed in (1, 2):
        search.finished(0.5, lr=0.1, data_seed=seed)
    assert main([str(search.path), '--seed_key=data_seed']) == 0
    assert len(rows_of(search.path, 'postprocessing_seeds.csv')) == 1
    capsys.readouterr()
    assert main([str(search.path), '--seed_key=random_seed']) == 0
    assert 'Seeds: no finished run has the option random_seed' in capsys.readouterr().out


def test_that_the_seed_is_found_by_its_name_and_the_groups_are_printed(search: Search, capsys: Any) -> None:
    for lr, accs in ((0.1, (1.0, 3.0)), (0.2, (2.0, 5.0))):
        for seed, acc in enumerate(accs):
            search.finished(acc, lr=lr, n=7, seed=seed)
    assert main([str(search.path)]) == 0
    lines = capsys.readouterr().out.splitlines()
    begin = lines.index('4 finished runs in 2 groups whose runs differ only in seed, best mean first:')
    assert lines[begin - 1] == f'Seeds: {search.path / "postprocessing_seeds.csv"}'
    assert [line.split() for line in lines[begin + 1 :] if '--' not in line] == [
        ['acc_mean', 'acc_std', 'n', 'lr', 'n'],
        ['3.5', '2.12132', '2', '0.2', '7'],
        ['2.0', '1.41421', '2', '0.1', '7'],
    ]


def test_that_groups_of_one_run_are_not_printed(search: Search, capsys: Any) -> None:
    search.finished(1.0, lr=0.1, seed=1)
    search.finished(1.0, lr=0.2, seed=1)
    assert main([str(search.path)]) == 0
    printed = capsys.readouterr().out
    assert 'No two finished runs differ only in seed.' in printed and 'acc_mean' not in printed


def test_that_without_a_seed_there_are_no_groups(search: Search, capsys: Any) -> None:
    search.finished(1.0, lr=0.1)
    assert main([str(search.path)]) == 0
    printed = capsys.readouterr().out
    assert 'Seeds: no finished run has an option like random_seed or seed (--seed_key names another one).' in printed
    assert not (search.path / 'postprocessing_seeds.csv').exists()


@pytest.mark.parametrize(
    ('params', 'option'),
    [
        ([{'random_seed': 1, 'seed': 1}], 'random_seed'),
        ([{'seed': 1, 'data_seed': 1}], 'seed'),
        ([{'seed': 1, 'data_seed': 1}, {'seed': 1, 'data_seed': 2}], 'data_seed'),
        ([{'trainer.seed': 1}], 'trainer.seed'),
        ([{'seed1': 1}], 'seed1'),
        ([{'seeds_file': 1, 'seedling': 2, 'lr': 3}], None),
        ([], None),
    ],
)
def test_that_the_option_that_is_the_seed_is_known_by_its_name(
    params: list[dict[str, Any]], option: str | None
) -> None:
    rows = [seed_row(number, **each) for number, each in enumerate(params)]
    assert seeds.seed_option([*rows, seed_row(9, 'failed', random_seed=1)]) == option


def seed_row(number: int, state: str = 'finished', values: Mapping[str, str] | None = None, **params: Any) -> Row:
    return Row(number, f'sim_{number}', params, values or {'acc': '1'}, state)


def test_that_configurations_are_told_apart_as_their_commands_are() -> None:
    rows = [seed_row(n, lr=value, seed=n) for n, value in enumerate([1, 1.0, True, '1', 1])]
    assert sorted(len(group) for group in seeds.group_by_seed(rows, 'seed', ())) == [1, 1, 3]


def test_that_only_finished_runs_with_a_seed_are_grouped() -> None:
    rows = [seed_row(1, seed=1), seed_row(2, 'failed', seed=2), seed_row(3)]
    assert [[row.number for row in group] for group in seeds.group_by_seed(rows, 'seed', ())] == [[1]]


def test_that_a_missing_value_is_not_counted_and_text_is_no_column() -> None:
    rows = [
        seed_row(1, values={'acc': '1', 'note': 'x', 'loss': '2'}, seed=1),
        seed_row(2, values={'acc': '3', 'note': '1', 'loss': ''}, seed=2),
    ]
    columns, (cells,) = seeds.seeds_table(seeds.group_by_seed(rows, 'seed', ()), 'seed', (), 'acc', False)
    found = dict(zip(columns, cells, strict=True))
    assert (found['n'], found['acc_n'], found['loss_n'], found['loss_mean']) == ('2', '2', '1', '2.0')
    assert not any(column.startswith('note') for column in columns)


def test_that_numbers_are_read_as_libraries_print_them_and_not_mixed_with_other_units() -> None:
    rows = [
        seed_row(1, values={'acc': 'np.float64(1.0)', 'time': '2 ms', 'share': '0.5', 'loss': '0,950'}, seed=1),
        seed_row(2, values={'acc': 'tensor(3.)', 'time': '4 ms', 'share': '50%', 'loss': '0.5'}, seed=2),
    ]
    columns, (cells,) = seeds.seeds_table(seeds.group_by_seed(rows, 'seed', ()), 'seed', (), 'acc', False)
    found = dict(zip(columns, cells, strict=True))
    assert (found['acc_mean'], found['time_mean']) == ('2.0', '3.0')
    assert not {'share_mean', 'loss_mean'} & found.keys()


def test_that_of_the_performance_the_last_value_of_a_list_counts_over_seeds_too() -> None:
    rows = [
        seed_row(seed, values={'acc': acc, 'losses': acc}, lr=lr, seed=seed)
        for lr, seed, acc in ((0.1, 1, '9,9,1.0'), (0.1, 2, '9,9,3.0'), (0.2, 1, '0,0,5.0'))
    ]
    columns, cells = seeds.seeds_table(seeds.group_by_seed(rows, 'seed', ()), 'seed', (), 'acc', False)
    assert [row[columns.index('acc_mean')] for row in cells] == ['5.0', '2.0'] and 'losses_mean' not in columns


def test_that_groups_without_a_number_are_printed_without_an_order(search: Search, capsys: Any) -> None:
    for seed in (1, 2):
        name = search.plan(lr=0.1, seed=seed)
        search.ended(name, summary={'acc': 'good', 'finished': '1'})
    assert main([str(search.path)]) == 0
    lines = capsys.readouterr().out.splitlines()
    begin = lines.index('2 finished runs in 1 group whose runs differ only in seed:')
    assert lines[begin + 1].split() == ['n', 'lr']


def test_that_performance_which_cannot_be_compared_is_told(search: Search, capsys: Any) -> None:
    run = search.plan(lr=0.1)
    search.started(run)
    search.event('ended', run, state='finished', code=0, summary={'acc': '0,950', 'finished': '1'})
    assert main([str(search.path)]) == 0
    told = capsys.readouterr().out.splitlines()
    assert any(f"{run}: acc is '0,950', which may be one number or a list" in line for line in told)
    assert any("No finished run has a number for acc; in sim_001 it is '0,950'" in line for line in told)


def statistics_of(values: Sequence[float]) -> tuple[float, float, float, int]:
    pandas = importlib.import_module('pandas')
    frame = seeds.statistics(pandas.DataFrame({'group': 0, 'keyword': 'acc', 'value': values}))
    mean, std, sem, n = frame[list(seeds.STATISTICS)].itertuples(index=False).__next__()
    return mean, std, sem, n


@settings(deadline=None)
@given(st.lists(st.floats(-1e6, 1e6), min_size=2, max_size=20))
def test_that_statistics_are_those_of_the_standard_library(values: list[float]) -> None:
    mean, std, sem, n = statistics_of(values)
    assert n == len(values)
    assert math.isclose(mean, statistics.fmean(values), rel_tol=1e-9, abs_tol=1e-9)
    assert math.isclose(std, statistics.stdev(values), rel_tol=1e-6, abs_tol=1e-6)
    assert math.isclose(sem, std / math.sqrt(n), rel_tol=1e-9, abs_tol=1e-150)


@pytest.mark.parametrize('values', [[math.inf, -math.inf], [1e308, 1e308, 1e308], [math.nan, 1.0]])
def test_that_numbers_without_a_mean_give_nan(values: list[float]) -> None:
    assert math.isnan(statistics_of(values)[0])


# Evidence


def gathered(search: Search, **changes: Any) -> Any:
    """The only run of a search; with changes of its configuration."""
    (one,) = gather(search.folder, replace(search.configuration, **changes))
    return one


def test_that_no_trace_of_a_start_leaves_the_state_of_the_journal(search: Search) -> None:
    search.submitted(search.plan(lr=0.1))
    found = gathered(search)
    assert found.state is State.SUBMITTED and found.is_open


def test_that_without_a_summary_file_an_exit_status_of_zero_is_enough(search: Search) -> None:
    name = search.plan(lr=0.1)
    search.started(name)
    search.exited(name, 0)
    found = gathered(search, summary_filename=None)
    assert found.state is State.FINISHED and not found.is_open


def test_that_an_end_in_the_journal_needs_no_evidence(search: Search) -> None:
    search.ended(search.plan(lr=0.1), reason='fine')
    found = gathered(search)
    assert (found.state, found.reason, found.is_open) == (State.FINISHED, 'fine', False)


def test_that_a_result_without_an_exit_record_counts_but_may_be_open(tmp_path: Path) -> None:
    elsewhere = Search(tmp_path, host=Host('elsewhere', 'm', 'b', 'n'))
    name = elsewhere.plan(lr=0.1)
    elsewhere.started(name)
    elsewhere.left(name, 'acc 0.5\nlosses 1\nfinished 1\n')
    found = gathered(elsewhere)
    assert found.state is State.FINISHED and found.is_open


def test_that_a_file_which_cannot_be_read_is_no_evidence_of_an_end(search: Search) -> None:
    name = search.plan(lr=0.1)
    search.started(name)
    Path(search.folder.attempt(name, 1).exit).mkdir()
    found = gathered(search)
    assert found.state is State.RUNNING and found.is_open and 'cannot be read' in found.reason


# Parquet


def test_that_parquet_has_the_same_table(search: Search) -> None:
    pandas = pytest.importorskip('pandas')
    pytest.importorskip('pyarrow')
    search.finished(0.5, lr=0.1, h='4,4', flag=True)
    search.finished(0.75, lr=0.2, h=1)
    search.ended(search.plan(lr=0.3, flag=False), 'failed')
    assert main([str(search.path), '--parquet']) == 0
    frame = pandas.read_parquet(search.path / 'postprocessing_results.parquet')
    assert frame['acc'].tolist()[:2] == [0.75, 0.5] and frame['h'].tolist()[:2] == ['1', '4,4'] and len(frame) == 3


def test_that_parquet_without_pyarrow_says_what_to_install(
    search: Search, monkeypatch: pytest.MonkeyPatch, capsys: Any
) -> None:
    monkeypatch.setitem(sys.modules, 'pyarrow', None)
    before = tree(search.path)
    assert main([str(search.path), '--parquet']) == 2
    assert "python3 -m pip install 'hpsearch[parquet]'" in capsys.readouterr().err and tree(search.path) == before


# Folders of the original


def original(base: Path, commands: Sequence[Mapping[str, Any]], module: str = MODULE) -> tuple[Path, list[str]]:
    """Makes a folder as the original leaves it, and the options that postprocessing needs for it."""
    folder = base / 'results' / 'search_2020-01-01_00-00-00'
    folder.mkdir(parents=True)
    (folder / 'commands.pickle').write_bytes(pickle.dumps(list(commands)))
    (base / 'config.py').write_text(module)
    return folder, [str(folder), f'--grid_module={base / "config.py"}']


def leave(output: Path, text: str) -> Path:
    output.mkdir(parents=True)
    (output / 'summary.txt').write_text(text)
    return output


GOOD = 'acc 0.5\nlosses 3 4\nfinished 1\n'


def test_that_a_moved_folder_of_the_original_is_matched_by_the_names_of_its_runs(tmp_path: Path, capsys: Any) -> None:
    base = './out/hyperparam_search/search_2020-01-01_00-00-00'
    commands = [{'lr': 0.1, 'flag': True, 'out_dir': f'{base}/sim_2020_{n}'} for n in range(3)]
    folder, options = original(tmp_path, commands)
    leave(folder / 'sim_2020_0', GOOD)
    leave(folder / 'sim_2020_1', 'acc 0.25\nlosses 3 4\nfinished 0\n')
    assert main(options) == 0
    table = rows_of(folder)
    assert [(row['acc'], row['flag'], row['hpsearch_state']) for row in table] == [
        ('0.5', 'True', 'finished'),
        ('0.25', 'True', 'unknown'),
    ]
    assert 'finished 0' in table[1]['hpsearch_reason']
    assert [names(folder, kind) for kind in written.KINDS] == [['sim_2020_0'], ['sim_2020_1'], ['sim_2020_2']]
    argv = listed(folder, 'missing')[0]['argv']
    assert argv == ['python3', 'train.py', f'--out_dir={folder / "sim_2020_2"}', '--lr=0.1', '--flag']
    assert '3 runs: 1 finished, 1 unfinished, 1 missing' in capsys.readouterr().out


def test_that_outputs_elsewhere_are_found_from_the_working_directory_of_the_runs(tmp_path: Path) -> None:
    folder, options = original(tmp_path, [{'lr': 0.1, 'out_dir': 'elsewhere/sim_0'}])
    output = leave(tmp_path / 'cwd' / 'elsewhere' / 'sim_0', GOOD)
    assert main([*options, f'--run_cwd={tmp_path / "cwd"}']) == 0
    assert rows_of(folder)[0]['out_dir'] == str(output)


def test_that_quotes_around_an_output_folder_and_another_output_option_are_understood(tmp_path: Path) -> None:
    module = MODULE + "_OUT_ARG = 'log_dir'\n"
    folder, options = original(tmp_path, [{'lr': 0.1, 'log_dir': '"/gone/sim_0/"'}], module)
    leave(folder / 'sim_0', GOOD)
    assert main(options) == 0
    assert rows_of(folder)[0]['log_dir'] == str(folder / 'sim_0')


def test_that_a_custom_parser_gets_the_index_in_the_plan(tmp_path: Path) -> None:
    parser = (
        "_SUMMARY_PARSER_HANDLE = lambda out_dir, ident: {'acc': [str(ident)], 'losses': ['x'], 'finished': ['1']}\n"
    )
    commands = [{'lr': n, 'out_dir': f'/gone/sim_{n}'} for n in range(2)]
    folder, options = original(tmp_path, commands, MODULE + parser)
    for n in range(2):
        (folder / f'sim_{n}').mkdir()
    assert main(options) == 0
    assert [(row['acc'], row['lr']) for row in rows_of(folder)] == [('1', '1'), ('0', '0')]


def test_that_only_finished_runs_of_the_original_are_judged(tmp_path: Path) -> None:
    commands = [{'lr': n, 'out_dir': f'/gone/sim_{n}'} for n in range(2)]
    folder, options = original(tmp_path, commands, MODULE + EVALUATES)
    leave(folder / 'sim_0', GOOD)
    unfinished = leave(folder / 'sim_1', GOOD.replace('finished 1', 'finished 0'))
    assert main([*options, '--performance_criteria=0.9']) == 0
    assert (folder / 'TO_BE_DELETED' / 'sim_0' / 'summary.txt').exists() and unfinished.is_dir()


def test_that_nothing_outside_a_copied_folder_of_the_original_is_moved(tmp_path: Path, capsys: Any) -> None:
    commands = [{'lr': 0.1, 'out_dir': str(tmp_path / 'source' / f'sim_{number}')} for number in range(2)]
    folder, options = original(tmp_path, commands, MODULE + EVALUATES)
    for place in (tmp_path / 'source' / 'sim_0', tmp_path / 'source' / 'sim_1', folder / 'sim_1'):
        place.mkdir(parents=True)
        (place / 'summary.txt').write_text('acc 0.1\nlosses 3 4\nfinished 1\n')
    assert main([*options, '--performance_criteria=0.5']) == 0
    assert sorted(os.listdir(tmp_path / 'source')) == ['sim_0', 'sim_1']
    assert os.listdir(folder / 'TO_BE_DELETED') == ['sim_1']
    assert 'could not be moved to TO_BE_DELETED: it is not in' in capsys.readouterr().out


def test_that_the_parent_of_a_folder_of_the_original_is_no_output_of_it(tmp_path: Path, capsys: Any) -> None:
    _, options = original(tmp_path, [{'out_dir': '/gone/..'}])
    assert main(options) == 2
    assert 'not the name of a folder' in capsys.readouterr().err


def test_that_a_folder_of_the_original_needs_its_grid_module(tmp_path: Path, capsys: Any) -> None:
    folder, _ = original(tmp_path, [{'out_dir': '/gone/sim_0'}])
    assert main([str(folder)]) == 2
    assert '--grid_module' in capsys.readouterr().err


def test_that_a_plan_without_the_output_option_is_a_wrong_request(tmp_path: Path, capsys: Any) -> None:
    _, options = original(tmp_path, [{'lr': 0.1, 'log_dir': '/gone/sim_0'}])
    assert main(options) == 2
    message = capsys.readouterr().err
    assert '_OUT_ARG' in message and 'log_dir' in message


def test_that_a_plan_which_is_no_list_of_commands_is_a_wrong_request(tmp_path: Path, capsys: Any) -> None:
    folder, options = original(tmp_path, [])
    (folder / 'commands.pickle').write_bytes(pickle.dumps({'a': 1}))
    assert main(options) == 2
    assert 'commands.pickle' in capsys.readouterr().err


class Evil:
    """What a prepared pickle may hold."""

    def __reduce__(self) -> Any:
        return os.mkdir, ('executed',)


def test_that_a_plan_cannot_execute_anything(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: Any) -> None:
    monkeypatch.chdir(tmp_path)
    _, options = original(tmp_path, [{'out_dir': '/gone/sim_0', 'x': Evil()}])
    assert main(options) == 2
    assert not (tmp_path / 'executed').exists() and 'mkdir' in capsys.readouterr().err
