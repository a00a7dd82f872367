"""Where results seem to be."""

from __future__ import annotations

from pathlib import Path

import pytest

from hpsearch.results.guess import Guess, guess_result, is_smaller_better
from hpsearch.results.rules import result_rules, rule_of
from hpsearch.results.sources import Places, read_by_rule


def guessed(folder: Path, files: dict[str, str] | None = None, stdout: str = '') -> Guess:
    """What is guessed of a run that left these files and printed this."""
    output = folder / 'output'
    for name, text in (files or {}).items():
        (output / name).parent.mkdir(parents=True, exist_ok=True)
        (output / name).write_text(text)
    (folder / 'stdout').write_text(stdout)
    (folder / 'stderr').write_text('')
    return guess_result(Places(output, {'stdout': folder / 'stdout', 'stderr': folder / 'stderr'}))


@pytest.mark.parametrize(
    ('name', 'text', 'result', 'key'),
    [
        ('lightning_logs/version_0/metrics.csv', 'epoch,train_loss,val_acc\n1,2,0.5\n', 'lightning', 'val_acc'),
        ('all_results.json', '{"epoch": 3, "eval_loss": 0.5}', 'huggingface', 'eval_loss'),
        ('results.json', '{"lr": 0.1, "test": {"accuracy": 0.9}}', 'results.json', 'test.accuracy'),
        ('metrics.json', '{"loss": 0.5}', 'metrics.json', 'loss'),
        ('log.jsonl', '{"acc": 0.5}\n{"acc": 0.7}\n', 'log.jsonl', 'acc'),
        ('logs/log.csv', 'epoch,loss\n1,2\n', 'logs/log.csv', 'loss'),
        ('scores.txt', 'acc 0.5\n', 'scores.txt', 'acc'),
    ],
)
def test_that_the_file_with_the_result_is_found(tmp_path: Path, name: str, text: str, result: str, key: str) -> None:
    guess = guessed(tmp_path, {name: text})
    assert (guess.attributes['_RESULT'], guess.attributes['_PERFORMANCE_KEY']) == (result, key)
    assert guess.attributes['_PERFORMANCE_SORT_ASC'] is key.endswith('loss')


def test_that_a_summary_with_finished_is_one(tmp_path: Path) -> None:
    guess = guessed(tmp_path, {'sub/overview.txt': 'num_weights 7\nloss 2\nacc 0.5\nnote abc\nfinished 1\n'})
    assert guess.attributes['_SUMMARY_FILENAME'] == 'sub/overview.txt'
    assert guess.attributes['_SUMMARY_KEYWORDS'] == ['acc', 'loss', 'num_weights', 'finished']
    assert '_RESULT' not in guess.attributes


def test_that_configurations_are_no_results_and_those_that_sound_like_results_come_first(tmp_path: Path) -> None:
    files = {'config.json': '{"lr": 1}', 'hparams.yaml': 'lr: 1\n', 'a.json': '{"n": 1}', 'metrics.yaml': 'acc: 0.5\n'}
    assert guessed(tmp_path, files).attributes['_RESULT'] == 'metrics.yaml'


def test_that_files_that_cannot_be_read_are_passed_over(tmp_path: Path) -> None:
    files = {
        'metrics.json': '{"acc": ',
        'results.csv': '\0\0',
        'metrics.toml': '=',
        'm.yaml': 'a: [',
        'score.json': '{"acc": 1}',
    }
    assert guessed(tmp_path, files).attributes['_RESULT'] == 'score.json'


@pytest.mark.parametrize(
    ('text', 'key', 'value'),
    [
        ('epoch 1: lr=0.1 val_acc=0.5\nepoch 2: lr=0.1 val_acc=0.75\n', 'val_acc', '0.75'),
        ('train loss: 3.5, val loss: 2.5\n', 'val_loss', '2.5'),
        ('Test accuracy: 97.5%\n', 'Test_accuracy', '97.5'),
        ('Epoch 3 loss 1e-05\n', 'loss', '1e-05'),
        ('loss: 3, accuracy: 0.5\n', 'accuracy', '0.5'),
        ('train_acc=0.9 val_loss=0.25\n', 'val_loss', '0.25'),
    ],
)
def test_that_a_metric_that_is_printed_is_found_and_read(tmp_path: Path, text: str, key: str, value: str) -> None:
    guess = guessed(tmp_path, stdout=text)
    (rule,), problems = result_rules(guess.attributes['_RESULT'])
    assert not problems and guess.attributes['_PERFORMANCE_KEY'] == key
    row, _ = read_by_rule(rule_of(rule), Places(tmp_path, {'stdout': tmp_path / 'stdout'}), key=key, ascending=False)
    assert row == {key: value}


def test_that_a_file_counts_more_than_what_is_printed(tmp_path: Path) -> None:
    guess = guessed(tmp_path, {'results.json': '{"acc": 1}'}, 'loss: 3\n')
    assert guess.attributes['_RESULT'] == 'results.json'


@pytest.mark.parametrize('text', ['', 'training with 0.5\n', 'loading 5 files\n', 'accuracy is high\n'])
def test_that_nothing_is_guessed_from_what_is_no_metric(tmp_path: Path, text: str) -> None:
    assert guessed(tmp_path, {'model.bin': '1'}, text) == Guess({})


@pytest.mark.parametrize(
    ('key', 'expected'),
    [('val_loss', True), ('test error', True), ('perplexity', True), ('acc', False), ('mirror', False)],
)
def test_that_some_metrics_are_better_the_smaller_they_are(key: str, expected: bool) -> None:
    assert is_smaller_better(key) is expected
