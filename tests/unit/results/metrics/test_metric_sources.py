"""Everything that an attempt reports, from wherever its rules say."""

from __future__ import annotations

import json
import os
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from hpsearch.arguments.command import environment_words
from hpsearch.model.configuration import Configuration
from hpsearch.results.metrics.logs import PrintedReader
from hpsearch.results.metrics.points import Point
from hpsearch.results.metrics.rules import metric_rules, metrics_of_results, watching
from hpsearch.results.metrics.sources import AttemptMetrics
from hpsearch.results.rules import result_rules, rule_of
from hpsearch.results.sources import Places, read_by_rule
from tests.unit.results.metrics.test_growing import event


@pytest.fixture
def places(tmp_path: Path) -> Places:
    names = {'stdout': 'stdout.log', 'stderr': 'stderr.log', 'orion': 'orion.json', 'metrics': 'metrics.jsonl'}
    (tmp_path / 'out').mkdir()
    return Places(tmp_path / 'out', {log: tmp_path / name for log, name in names.items()})


def watch(places: Places, *rules: Any) -> AttemptMetrics:
    plain, problems = metric_rules(list(rules))
    assert not problems
    return AttemptMetrics(plain, places, 'acc')


def news(metrics: AttemptMetrics, now: float = 0.0) -> list[Point]:
    points, errors = metrics.news(now)
    assert not errors
    return points


def test_that_the_file_of_report_is_always_read(places: Places) -> None:
    metrics = watch(places)
    assert news(metrics) == []
    places.logs['metrics'].write_text('{"step": 1, "acc": 0.5, "epoch": 7}\n{"step": 2, "acc"')
    assert news(metrics) == [(1, {'acc': 0.5})]
    with open(places.logs['metrics'], 'a') as file:
        file.write(': "nan"}\n')
    ((step, values),) = news(metrics)
    assert step == 2 and values['acc'] != values['acc']
    assert news(metrics) == []


def test_that_logs_and_files_are_read_side_by_side(places: Places) -> None:
    metrics = watch(places, 'stdout: acc=([0-9.]+)', 'log.csv')
    places.logs['stdout'].write_text('acc=0.5\n')
    (places.output / 'log.csv').write_text('epoch,loss\n1,3\n')
    assert news(metrics) == [(1, {'acc': 0.5}), (1, {'loss': 3})]


def test_that_the_last_version_of_a_lightning_log_counts_and_holes_are_none(places: Places) -> None:
    metrics = watch(places, 'lightning')
    for version, text in ((9, 'epoch,step,acc\n0,10,0.1\n'), (10, 'epoch,step,train_loss,acc\n0,10,1,\n0,10,,0.5\n')):
        folder = places.output / 'lightning_logs' / f'version_{version}'
        folder.mkdir(parents=True)
        (folder / 'metrics.csv').write_text(text)
    assert news(metrics) == [(0, {'train_loss': 1}), (0, {'acc': 0.5})]


def test_that_a_table_that_is_written_again_with_more_columns_is_read_again(places: Places) -> None:
    metrics, path = watch(places, 'log.csv'), places.output / 'log.csv'
    path.write_text('epoch,loss\n1,3\n')
    assert news(metrics) == [(1, {'loss': 3})]
    path.write_text('epoch,loss,acc\n1,3,\n2,,0.5\n')
    assert news(metrics) == [(1, {'loss': 3}), (2, {'acc': 0.5})]


def test_that_files_that_come_later_are_found(places: Places) -> None:
    metrics = watch(places, {'file': 'runs/**/*.jsonl'})
    assert [news(metrics, now) for now in (0.0, 0.5)] == [[], []]
    (places.output / 'runs' / 'a').mkdir(parents=True)
    (places.output / 'runs' / 'a' / 'log.jsonl').write_text('{"step": 1, "acc": 0.5}\n')
    assert news(metrics, 1.9) == []
    assert news(metrics, 2.0) == [(1, {'acc': 0.5})]


def test_that_the_state_of_a_hugging_face_trainer_is_read_with_each_checkpoint(places: Places) -> None:
    """As ``TrainerState.save_to_json`` writes it."""
    metrics = watch(places, 'huggingface')
    rows: list[dict[str, Any]] = [
        {'epoch': 1.0, 'grad_norm': 0.5, 'learning_rate': 5e-05, 'loss': 0.7, 'step': 10},
        {'epoch': 1.0, 'eval_accuracy': 0.5, 'eval_loss': 0.6, 'eval_runtime': 0.1, 'step': 10},
        {'epoch': 2.0, 'eval_accuracy': 0.75, 'step': 20},
    ]

    def save(checkpoint: int, count: int) -> None:
        folder = places.output / f'checkpoint-{checkpoint}'
        folder.mkdir()
        state = {
            'best_metric': None,
            'epoch': 1.0,
            'global_step': checkpoint,
            'log_history': rows[:count],
            'save_steps': 5,
        }
        (folder / 'trainer_state.json').write_text(json.dumps(state, indent=2))

    save(9, 2)
    first = news(metrics)
    assert [(step, values.get('eval_accuracy')) for step, values in first] == [(1, None), (1, 0.5)]
    save(20, 3)
    assert news(metrics, 5.0)[-1] == (2, {'eval_accuracy': 0.75})


def test_that_a_document_that_is_being_written_is_read_later(places: Places) -> None:
    metrics, path = watch(places, 'history.json'), places.output / 'history.json'
    path.write_text('[{"epoch": 1, "acc": 0.5}, {"epo')
    assert news(metrics) == []
    path.write_text('[{"epoch": 1, "acc": 0.5}, {"epoch": 2, "acc": 0.75}]')
    assert news(metrics, 1.0) == [(1, {'acc': 0.5}), (2, {'acc': 0.75})]
    path.write_text('[{"epoch": 1, "acc": 0.5}, {"epoch": 2, "acc": 0.75}, {"epoch": 3, "acc": 0.9}]')
    assert news(metrics, 2.0) == [(3, {'acc': 0.9})]


def test_that_a_document_of_one_row_is_a_point_each_time(places: Places) -> None:
    metrics, path = watch(places, 'now.json'), places.output / 'now.json'
    for step in (1, 2):
        path.write_text(f'{{"step": {step}, "acc": 0.{step}}}{" " * step}')
        assert news(metrics, step) == [(step, {'acc': step / 10})]
    path.write_text('{"acc": 0.9, "loss": 0.1}')
    assert news(watch(places, 'now.json')) == []


def test_that_the_tags_of_several_folders_begin_with_their_folder(places: Places) -> None:
    metrics = watch(places, 'tensorboard')
    for name in ('train', 'validation'):
        folder = places.output / 'runs' / name
        folder.mkdir(parents=True)
        (folder / 'events.out.tfevents.1').write_bytes(event(3, loss=0.5))
    assert news(metrics) == [(3, {'train/loss': 0.5}), (3, {'validation/loss': 0.5})]


def test_that_mlflow_has_a_file_for_each_metric(places: Places) -> None:
    folder = places.output / 'mlruns' / '0' / 'abc' / 'metrics'
    folder.mkdir(parents=True)
    (folder / 'acc').write_text('1700 0.5 0\n1701 0.75 1\n')
    assert news(watch(places, 'mlflow')) == [(0, {'acc': 0.5}), (1, {'acc': 0.75})]


def test_that_one_source_that_cannot_be_read_does_not_hide_the_others(places: Places) -> None:
    metrics = watch(places, 'log.csv', 'stdout: acc=([0-9.]+)')
    os.symlink('log.csv', places.output / 'log.csv')
    places.logs['stdout'].write_text('acc=0.5\n')
    points, errors = metrics.news(0.0)
    assert points == [(1, {'acc': 0.5})] and len(errors) == 1


def test_that_an_error_of_a_library_ends_no_search(places: Places, monkeypatch: pytest.MonkeyPatch) -> None:
    metrics = watch(places, 'stdout: acc=([0-9.]+)')
    monkeypatch.setattr(PrintedReader, 'feed', lambda self, data: 1 / 0)
    places.logs['stdout'].write_text('acc=0.5\n')
    places.logs['metrics'].write_text('{"step": 1, "acc": 0.5}\n')
    points, errors = metrics.news(0.0)
    assert points == [(1, {'acc': 0.5})] and str(errors[0]) == 'division by zero'


def test_that_a_metric_of_mlflow_outside_its_store_has_the_name_of_its_file(places: Places) -> None:
    (places.output / 'acc').write_text('1700 0.5 0\n')
    assert news(watch(places, {'file': 'acc', 'format': 'mlflow'})) == [(0, {'acc': 0.5})]


# Rules


@pytest.mark.parametrize(
    ('result', 'expected'),
    [
        ('lightning', [{'file': '**/metrics.csv'}]),
        ('huggingface', [{'file': '**/trainer_state.json', 'format': 'json'}]),
        (r'stdout: acc=(\S+)', [{'stdout': r'acc=(\S+)'}]),
        ({'file': 'log.jsonl', 'take': 'best'}, [{'file': 'log.jsonl', 'take': 'best'}]),
        ('result.yaml', []),
        (['orion', 'metrics'], []),
    ],
)
def test_that_a_result_that_grows_is_where_metrics_are(result: Any, expected: Any) -> None:
    rules, problems = result_rules(result)
    assert not problems
    assert metrics_of_results(rules) == expected


@pytest.mark.parametrize('value', ['summary.yaml', 'orion', 'log.txt', {'stdout': '('}, 7])
def test_that_what_does_not_grow_is_a_problem(value: Any) -> None:
    assert metric_rules(value)[1]


def test_that_the_result_may_be_what_was_reported_last_or_best(places: Places) -> None:
    places.logs['metrics'].write_text('{"step": 1, "acc": 0.9, "loss": 3}\n{"step": 2, "acc": 0.8}\n{"st')
    for take, acc in (('last', '0.8'), ('best', '0.9')):
        (rule,), problems = result_rules({'format': 'metrics', 'take': take})
        assert not problems
        assert read_by_rule(rule_of(rule), places, key='acc', ascending=False) == ({'acc': acc, 'loss': '3'}, '')


def test_that_a_run_that_has_reported_nothing_has_no_result(places: Places) -> None:
    (rule,), _ = result_rules('metrics')
    found = read_by_rule(rule_of(rule), places, key='acc', ascending=False)
    assert found == ({}, 'nothing was reported to $HPSEARCH_METRICS')


def test_that_one_expression_is_both_metric_and_result(places: Places) -> None:
    (rule,), _ = result_rules(r'stdout: epoch (?P<step>\d+).*val_acc=(?P<val_acc>[0-9.]+)')
    metrics = AttemptMetrics(metrics_of_results([rule]), places, '')
    places.logs['stdout'].write_text('epoch 1: val_acc=0.5\nepoch 2: val_acc=0.75\n')
    assert news(metrics) == [(1, {'val_acc': 0.5}), (2, {'val_acc': 0.75})]
    row, _ = read_by_rule(rule_of(rule), places, key='val_acc', ascending=False)
    assert row['val_acc'] == '0.75'


def test_that_a_search_that_watches_looks_where_the_result_is_unless_it_is_told() -> None:
    rules, _ = result_rules(['stdout: acc=([0-9.]+)', 'result.yaml'])
    configuration = Configuration('grid.py', '', {}, results=rules)
    assert watching(configuration).metrics == [{'stdout': 'acc=([0-9.]+)'}]
    assert watching(replace(configuration, metrics=[])).metrics == []


def test_that_python_does_not_keep_back_what_metrics_are_read_from() -> None:
    configuration = Configuration('grid.py', '', {}, metrics=[{'stdout': 'acc'}], env={'A': '1'})
    assert environment_words(configuration) == ['env', 'PYTHONUNBUFFERED=1', 'A=1']
    told = replace(configuration, env={'PYTHONUNBUFFERED': ''})
    assert environment_words(told) == ['env', 'PYTHONUNBUFFERED=']
    assert environment_words(replace(configuration, env={}, metrics=[{'file': 'log.csv'}])) == []
