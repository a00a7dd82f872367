"""Results from files of many kinds and from logs."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from hpsearch.model.configuration import Configuration
from hpsearch.model.run import Summary
from hpsearch.results.rules import keywords_of_rule, result_rules, rule_of
from hpsearch.results.summary import read_attempt_summary, read_summary, summary_mark

Read = Callable[..., Summary]


def configured(result: Any, **more: Any) -> Configuration:
    rules, problems = result_rules(result)
    assert not problems
    return Configuration('c.py', '', {}, results=rules, **{'performance_key': 'acc', **more})


@pytest.fixture
def read(tmp_path: Path) -> Read:
    """Reads a result of files with these contents, and of these logs."""

    def read_files(result: Any, files: dict[str, str], logs: dict[str, str] | None = None, **more: Any) -> Summary:
        for name, text in {**files, **{f'log/{name}': text for name, text in (logs or {}).items()}}.items():
            (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
            (tmp_path / name).write_text(text)
        paths = {name: tmp_path / 'log' / name for name in logs or {}}
        return read_summary(tmp_path, configured(result, **more), 1, paths)

    return read_files


SACRED = json.dumps({'acc': {'steps': [1, 2, 3], 'values': [0.1, 0.4, 0.2], 'timestamps': ['a', 'b', 'c']}})
TABLE = 'step,acc,loss\n1,0.7,0.5\n2,0.9,0.4\n3,0.8,0.3\n'


@pytest.mark.parametrize(
    ('result', 'files', 'values'),
    [
        (
            'r.json',
            {'r.json': '{"acc": 0.5, "test": {"loss": 1, "sizes": [1, 2]}}'},
            'acc=0.5 test.loss=1 test.sizes=1,2',
        ),
        ('r.yaml', {'r.yaml': 'acc: 0.5\ntest: {loss: 1}\n'}, 'acc=0.5 test.loss=1'),
        ('r.txt', {'r.txt': 'acc 0.5\nloss: 1\n'}, 'acc=0.5 loss=1'),
        ('m.csv', {'m.csv': TABLE}, 'step=3 acc=0.8 loss=0.3'),
        ({'file': 'm.csv', 'take': 'best'}, {'m.csv': TABLE}, 'step=2 acc=0.9 loss=0.4'),
        ({'file': 'm.csv', 'take': 'min:loss'}, {'m.csv': TABLE}, 'step=3 acc=0.8 loss=0.3'),
        ('m.tsv', {'m.tsv': TABLE.replace(',', '\t')}, 'step=3 acc=0.8 loss=0.3'),
        ('m.jsonl', {'m.jsonl': '{"acc": 0.1}\n{"acc": 0.2}\n'}, 'acc=0.2'),
        ({'file': 'log', 'format': 'csv'}, {'log': TABLE}, 'step=3 acc=0.8 loss=0.3'),
        (['r.json', 'm.csv'], {'r.json': '{"acc": 0.5, "seconds": 3}', 'm.csv': 'acc\n0.6\n'}, 'acc=0.6 seconds=3'),
        ('huggingface', {'sub/all_results.json': '{"eval_loss": 1.5}'}, 'eval_loss=1.5'),
        ('**/wandb-summary.json', {'wandb/run-1/files/wandb-summary.json': '{"acc": 1, "_step": 4}'}, 'acc=1 _step=4'),
        ('sacred', {'1/run.json': '{"result": null}', '1/metrics.json': SACRED}, 'acc=0.2'),
        ('sacred', {'1/run.json': '{"result": 0.7, "status": "COMPLETED"}', '1/metrics.json': '{}'}, 'result=0.7'),
        ('sacred', {'1/run.json': '{"result": {"loss": 3}}', '1/metrics.json': SACRED}, 'acc=0.2 loss=3'),
        (
            {'file': '**/run.json', 'format': 'sacred', 'take': 'max:acc'},
            {'1/run.json': '{}', '1/metrics.json': SACRED},
            'acc=0.4',
        ),
        ('sacred', {'1/run.json': '{"result": 1}'}, 'result=1'),
        (
            'mlflow',
            {'mlruns/0/ab/metrics/acc': '1700 0.1 0\n1701 0.3 1\n', 'mlruns/0/ab/metrics/val/loss': '1700 5 0\n'},
            'acc=0.3 val/loss=5',
        ),
        (
            {'file': 'mlruns/*/*/metrics/*', 'format': 'mlflow', 'take': 'best'},
            {'mlruns/0/ab/metrics/acc': '1700 0.4 0\n1701 0.3 1\n'},
            'acc=0.4',
        ),
    ],
)
def test_that_a_result_is_read_from_where_it_is(read: Read, result: Any, files: dict[str, str], values: str) -> None:
    summary = read(result, files)
    assert dict(summary.values) == dict(pair.split('=') for pair in values.split())
    assert (summary.found, summary.status_decides, summary.problem) == (True, True, '')


@pytest.mark.parametrize('has_reader', [True, False])
def test_that_toml_is_read(read: Read, has_reader: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    if not has_reader:
        pytest.importorskip('tomlkit')
        monkeypatch.setattr('hpsearch.results.documents.find_spec', lambda name: None)  # as before Python 3.11
    assert read('r.toml', {'r.toml': 'acc = 0.5\n[test]\nloss = 1\n'}).values == {'acc': '0.5', 'test.loss': '1'}


def test_that_the_latest_version_counts_and_this_is_told(read: Read) -> None:
    files = {f'logs/version_{version}/metrics.csv': f'acc\n0.{version}\n' for version in (2, 9, 10)}
    summary = read('logs/version_*/metrics.csv', files)
    assert summary.values == {'acc': '0.10'}
    assert summary.problem == '3 files match logs/version_*/metrics.csv, of which logs/version_10/metrics.csv counts'


def test_that_what_was_printed_is_a_result(read: Read) -> None:
    log = 'epoch 1 val_acc=0.7\nepoch 2 val_acc=0.9\nepoch 3 val_acc=0.8\n'
    assert read(r'stdout: val_acc=([0-9.]+)', {}, {'stdout': log}).values == {'acc': '0.8'}
    best = {'stderr': r'epoch (?P<epoch>\d) val_acc=(?P<acc>[0-9.]+)', 'take': 'best'}
    assert read(best, {}, {'stderr': log}).values == {'epoch': '2', 'acc': '0.9'}


@pytest.mark.parametrize(
    ('result', 'files', 'problem'),
    [
        ('m.csv', {}, 'no result (no file m.csv)'),
        ('m.csv', {'m.csv': 'acc,loss\n'}, 'no result (nothing in m.csv)'),
        ('m.json', {'m.json': '{"acc": 0.'}, 'no result (m.json cannot be read: '),
        ('m.json', {'m.json': '[1]'}, 'no result (m.json cannot be read: it holds a list, not keywords'),
        ('stdout: acc=(.*)', {}, 'no result (the log stdout is not known any more)'),
        (['m.csv', 'stdout: acc=(.*)'], {}, 'no result (no file m.csv; the log stdout is not known any more)'),
    ],
)
def test_that_a_result_that_is_not_there_is_told_with_all_that_was_tried(
    read: Read, result: Any, files: dict[str, str], problem: str
) -> None:
    summary = read(result, files)
    assert summary.problem.startswith(problem) and not summary.found and not summary.values


def test_that_a_rule_that_finds_nothing_beside_one_that_does_is_told(read: Read) -> None:
    summary = read(['r.json', 'm.csv'], {'r.json': '{"acc": 1}'})
    assert summary.found and summary.problem == 'no file m.csv'


def test_that_finished_counts_where_it_is_expected(read: Read) -> None:
    keywords = ('acc', 'finished')
    assert read('r.json', {'r.json': '{"acc": 1, "finished": true}'}, summary_keywords=keywords).finished is True
    unfinished = read('r.json', {'r.json': '{"acc": 1}'}, summary_keywords=keywords)
    assert not unfinished.status_decides and 'the keyword finished is missing' in unfinished.problem


def test_that_a_result_from_before_the_attempt_does_not_count(tmp_path: Path) -> None:
    (tmp_path / 'm.csv').write_text('acc\n1\n')
    (tmp_path / 'stdout').write_text('acc=2')
    logs = {'stdout': tmp_path / 'stdout'}
    file, both = configured('m.csv'), configured(['m.csv', 'stdout: acc=(.)'])
    assert 'was there before' in read_attempt_summary(tmp_path, file, 1, summary_mark(tmp_path, file), logs).problem
    assert read_attempt_summary(tmp_path, both, 1, summary_mark(tmp_path, both), logs).values == {'acc': '2'}
    os.utime(tmp_path / 'm.csv', (1, 1))
    assert read_attempt_summary(tmp_path, file, 1, [1, 2, 3], logs).values == {'acc': '1'}


def test_that_event_files_of_several_folders_keep_their_tags_apart(tmp_path: Path) -> None:
    tensorboard = pytest.importorskip('tensorboardX')
    for part, value in (('train', 0.25), ('validation', 0.1)):
        with tensorboard.SummaryWriter(str(tmp_path / 'logs' / part)) as writer:
            writer.add_scalar('loss', value, 1)
    summary = read_summary(tmp_path, configured('tensorboard'), 1)
    assert summary.values == {'train/loss': '0.25', 'validation/loss': '0.1'}


def test_that_a_log_that_is_no_file_has_no_result(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / 'pipe')
    summary = read_summary(tmp_path, configured('stdout: acc=(.*)'), 1, {'stdout': tmp_path / 'pipe'})
    assert 'it is not a regular file' in summary.problem


REPORTED = [{'name': 'loss', 'type': 'objective', 'value': 0.25}, {'name': 'n', 'type': 'statistic', 'value': 3}]


def test_that_what_the_client_of_orion_reports_is_read(read: Read) -> None:
    summary = read('orion', {}, {'orion': json.dumps(REPORTED)}, performance_key='objective')
    assert (summary.values, summary.problem) == ({'objective': '0.25', 'loss': '0.25', 'n': '3'}, '')
    assert summary.is_success(0)


@pytest.mark.parametrize(
    ('text', 'problem'),
    [
        ('', 'nothing was reported to $ORION_RESULTS_PATH'),
        ('[{"name": "lo', '$ORION_RESULTS_PATH cannot be read'),
        ('{"loss": 1}', 'a list of results with "name", "type" and "value" is expected'),
        ('[{"name": "loss"}]', 'a list of results with "name", "type" and "value" is expected'),
    ],
)
def test_that_a_report_to_orion_that_is_none_is_told(read: Read, text: str, problem: str) -> None:
    summary = read('orion', {}, {'orion': text})
    assert not summary.found and problem in summary.problem


def test_that_the_objective_is_the_performance_unless_another_key_is_given() -> None:
    (rule,) = result_rules('orion')[0]
    assert keywords_of_rule(rule_of(rule)) == ['objective']
