"""What a configuration says of its runs: which are the best, in words, and in what they differ."""

from __future__ import annotations

import pytest

from hpsearch.model.configuration import Condition, Configuration, Grid, best_text, sort_order_warning


def configured(key: str | None, *, ascending: bool = False, has_order: bool = False) -> Configuration:
    return Configuration(
        '', '', {}, performance_key=key, performance_ascending=ascending, has_sort_order=has_order or ascending
    )


@pytest.mark.parametrize('key', ['val_loss', 'loss', 'test-error', 'RMSE', 'perplexity', 'wer.dev'])
def test_that_the_largest_loss_as_the_best_is_warned_of(key: str) -> None:
    assert sort_order_warning(configured(key)).startswith(f'The best run is the one with the largest {key}; ')


@pytest.mark.parametrize(
    'configuration',
    [
        configured('acc'),
        configured('lossless'),
        configured(None),
        configured('loss', ascending=True),
        configured('loss', has_order=True),
    ],
)
def test_that_a_clear_order_is_not_warned_of(configuration: Configuration) -> None:
    assert sort_order_warning(configuration) == ''


def test_that_runs_differ_in_what_has_several_values_and_in_what_conditions_set() -> None:
    grid: Grid = {'lr': [0.1, 0.2], 'epochs': [10], 'width': [10]}
    conditions: list[Condition] = [({'lr': [0.1]}, {'width': [20], 'extra': [1]}), ({'lr': [0.2]}, {'lr': [0.3]})]
    assert Configuration('', '', grid, conditions).varying == ('lr', 'width', 'extra')


def test_that_the_best_are_named() -> None:
    assert best_text(configured('acc')) == 'largest acc'
    assert best_text(configured('loss', ascending=True)) == 'smallest loss'
