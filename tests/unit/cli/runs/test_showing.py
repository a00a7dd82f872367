"""All that is known of one run, and where two differ."""

from __future__ import annotations

import csv
import io
import json
import os
import subprocess
from pathlib import Path
from typing import Any

import pytest

from hpsearch.cli.main import main
from hpsearch.cli.runs.difference import difference
from hpsearch.host.kernel import this_host
from hpsearch.store.folder import SearchFolder
from hpsearch.store.journal import own_journal
from tests.support.queued_search import QueuedSearch
from tests.support.search_records import results_of
from tests.support.shown_search import shown_search
from tests.unit.cli.test_status import Queue


@pytest.fixture(scope='module')
def search(tmp_path_factory: pytest.TempPathFactory) -> str:
    return str(shown_search(tmp_path_factory.mktemp('showing') / 's', 50, waiting=2).path)


def shown(capsys: pytest.CaptureFixture[str], *words: str) -> str:
    assert main(words) == 0
    return capsys.readouterr().out


def facts(capsys: pytest.CaptureFixture[str], *words: str) -> dict[str, Any]:
    found = json.loads(shown(capsys, *words, '--json'))
    assert isinstance(found, dict)
    return found


def test_that_a_run_is_shown_with_its_attempts(search: str, capsys: pytest.CaptureFixture[str]) -> None:
    text = shown(capsys, 'show', search, '40')
    assert 'attempt 1: failed (oom)' in text
    assert 'attempt 2: finished' in text
    assert 'val_acc' in text
    found = facts(capsys, 'show', search, '40')
    assert [each['cause'] for each in found['attempts']] == ['oom', 'exit']
    assert found['attempts'][0]['measured']['gpu_memory'] == 1000 + 10 * found['params']['width']
    assert found['summary']['acc'] > 0
    assert found['waits'] == ''


def test_that_a_run_is_one_row_of_csv(search: str, capsys: pytest.CaptureFixture[str]) -> None:
    (row,) = csv.DictReader(io.StringIO(shown(capsys, 'show', search, '3', '--csv'), newline=''))
    assert row['hpsearch_number'] == '3'
    assert float(row['acc']) > 0


def test_that_a_run_that_waits_has_the_columns_of_all_in_csv(search: str, capsys: pytest.CaptureFixture[str]) -> None:
    (row,) = csv.DictReader(io.StringIO(shown(capsys, 'show', search, '50', '--csv'), newline=''))
    assert (row['acc'], row['metrics.val_acc'], row['hpsearch_state']) == ('', '', 'planned')


def test_that_a_run_without_hpsearch_says_why_it_waits(search: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert facts(capsys, 'show', search, '50')['waits'] == 'no hpsearch works on the search'
    assert 'waits: no hpsearch works on the search' in shown(capsys, 'show', search, '50')


def test_that_a_living_hpsearch_says_why_a_run_waits(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = shown_search(tmp_path / 's', 2, waiting=1).path
    with own_journal(SearchFolder(path), this_host()) as journal:
        journal.beat({'waiting': 'GPU 0 is busy'})
        assert facts(capsys, 'show', str(path), '2')['waits'] == 'GPU 0 is busy'


def test_that_the_queue_says_why_a_job_waits(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    queued, queue = QueuedSearch(tmp_path / 's', queue='slurm'), Queue(tmp_path / 'bin', monkeypatch)
    queued.submit(2)
    queued.leave()
    queue.lists('hps-x-1 1 pending Resources', 'hps-x-1 2 pending Priority')
    assert facts(capsys, 'show', str(tmp_path / 's'), '2')['waits'] == 'in slurm: pending (Priority)'
    queue.lists(code=1, err='no answer')
    assert 'slurm could not be asked' in facts(capsys, 'show', str(tmp_path / 's'), '2')['waits']


def test_that_the_command_can_be_pasted_into_a_shell(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    hostile = "a'b\n$(touch x) `y`"
    path = shown_search(tmp_path / 's', 1, grid={'text': [hostile], 'lr': [0.1]}).path
    found = facts(capsys, 'show', str(path), '1')
    program = tmp_path / 'bin' / 'python3'
    program.parent.mkdir()
    program.write_text('#!/bin/sh\npwd\necho "$CUDA_VISIBLE_DEVICES"\nprintf "%s\\0" "$@"\n')
    program.chmod(0o755)
    env = {**os.environ, 'PATH': f'{program.parent}{os.pathsep}{os.environ["PATH"]}'}
    done = subprocess.run(['sh', '-c', found['command']], env=env, capture_output=True, text=True, check=True)
    cwd, gpu, words = done.stdout.split('\n', 2)
    assert (cwd, gpu) == ('/', found['attempts'][0]['gpus'][0])
    assert words.split('\0')[:-1] == found['argv'][1:]
    assert any(hostile in word for word in found['argv'])


def test_that_what_differs_between_two_runs_is_listed(search: str, capsys: pytest.CaptureFixture[str]) -> None:
    found = facts(capsys, 'diff', search, '3', '16')
    one, other = facts(capsys, 'show', search, '3'), facts(capsys, 'show', search, '16')
    different = {name for name in one['params'] if one['params'][name] != other['params'][name]}
    assert set(found['params']) == different
    assert found['same_params'] == len(one['params']) - len(different)
    assert found['facts']['state'] == ['finished', 'failed']
    assert found['summary']['acc'] == [one['summary']['acc'], None]
    assert found['changed_files'] == []
    text = shown(capsys, 'diff', search, '3', '16')
    assert f'parameters that are the same: {found["same_params"]}' in text
    rows = list(csv.reader(io.StringIO(shown(capsys, 'diff', search, '3', '16', '--csv'), newline='')))
    assert rows[0] == ['what', 'name', one['run'], other['run']]


def test_that_parameters_of_different_types_differ(tmp_path: Path) -> None:
    search = results_of([({'a': 1, 'b': 2}, '1'), ({'a': 1.0, 'b': 2}, '1.0')])
    found = difference(search, SearchFolder(tmp_path), *search.runs)
    assert [(kind, name) for kind, name, *_ in found.values if kind != 'own'] == [('params', 'a')]
    assert found.same == 1


def test_that_files_of_the_code_that_differ_are_named(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    runs = shown_search(tmp_path / 's', 2, waiting=2)
    for run, code in zip(runs.read_runs(), ('one', 'two'), strict=True):
        with own_journal(runs, this_host()) as journal:
            journal.append({'event': 'claimed', 'run': run.name, 'attempt': 1, 'gpus': [], 'at': 1.0, 'code_id': code})
            journal.append({'event': 'ended', 'run': run.name, 'attempt': 1, 'state': 'failed', 'cause': 'exit'})
    assert facts(capsys, 'diff', str(runs.path), '1', '2')['changed_files'] is None
    assert 'which files do is not known' in shown(capsys, 'diff', str(runs.path), '1', '2')
    runs.provenance_dir.mkdir()
    for code in ('one', 'two'):
        (runs.provenance_dir / f'{code}.json').write_text(json.dumps({'train.py': code, 'same.py': 'x'}))
    assert facts(capsys, 'diff', str(runs.path), '1', '2')['changed_files'] == ['train.py']


@pytest.mark.parametrize('words', [['show', '99'], ['diff', '1', 'nothing'], ['logs', '77']])
def test_that_an_unknown_run_is_an_error_in_one_line(
    search: str, words: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    assert main([words[0], search, *words[1:]]) == 2
    out, err = capsys.readouterr()
    assert out == ''
    assert 'has no run' in err
    assert err.count('\n') == 1
