"""Objectives as the command line gives them."""

from __future__ import annotations

from typing import Any

import pytest

from hpsearch.config.inline.objective import given_results, objective_problem, objectives_of


@pytest.mark.parametrize(
    ('text', 'key', 'rule'),
    [
        ('val_acc', 'val_acc', None),
        ('val/acc.max', 'val/acc.max', None),
        ('stdout:val_acc=([0-9.]+)', 'val_acc', {'stdout': 'val_acc=([0-9.]+)', 'key': 'val_acc'}),
        (r'stdout: acc:\s*(\d+)%', 'acc', {'stdout': r'acc:\s*(\d+)%', 'key': 'acc'}),
        (r'stderr:loss (\S+)', 'loss', {'stderr': r'loss (\S+)', 'key': 'loss'}),
        ('stdout:([0-9]+)', 'result', {'stdout': '([0-9]+)'}),
        (r'stdout:(?P<step>\d+) (?P<acc>.*)', 'acc', {'stdout': r'(?P<step>\d+) (?P<acc>.*)'}),
        (
            r'stdout:epoch (?P<step>\d+): acc=([0-9.]+)',
            'acc',
            {'stdout': r'epoch (?P<step>\d+): acc=([0-9.]+)', 'key': 'acc'},
        ),
        ('metrics:acc', 'acc', {'format': 'metrics'}),
        ('stdout:acc=(', '', {'stdout': 'acc=('}),
        ('orion', 'objective', {'format': 'orion'}),
        ('lightning:val_loss', 'val_loss', {'file': '**/metrics.csv'}),
        ('lightning', '', {'file': '**/metrics.csv'}),
        ('logs/metrics.csv:acc', 'acc', {'file': 'logs/metrics.csv'}),
    ],
)
def test_that_an_objective_is_a_key_or_where_it_is_found(text: str, key: str, rule: dict[str, Any] | None) -> None:
    assert objectives_of([text]) == ([key] if key else [], [rule] if rule else [])


def test_that_several_objectives_keep_their_order_and_share_rules() -> None:
    keys, rules = objectives_of(['lightning:loss', 'acc', 'lightning:acc', 'size'])
    assert (keys, rules) == (['loss', 'acc', 'size'], [{'file': '**/metrics.csv'}])


def test_that_what_a_rule_for_a_log_finds_has_a_name() -> None:
    given = given_results(['stdout:acc=(.*)', 'lightning', 'x.json'], [], [])
    assert given.applied({'result': 'a.csv'}) == {
        'result': [{'stdout': 'acc=(.*)', 'key': 'acc'}, 'lightning', 'x.json']
    }


@pytest.mark.parametrize(
    ('objectives', 'directions', 'attributes'),
    [
        ([], [], {'result': 'a.csv'}),
        (['acc'], [], {'result': 'a.csv', 'performance_key': 'acc'}),
        (['x.json:loss', 'acc'], ['minimize', 'maximize'], {
            'result': ['a.csv', {'file': 'x.json'}], 'performance_key': 'loss', 'performance_sort_asc': True}),
        ([], ['maximize'], {'result': 'a.csv', 'performance_sort_asc': False}),
    ],
)  # fmt: skip
def test_that_the_first_objective_is_the_performance_key(
    objectives: list[str], directions: list[str], attributes: dict[str, Any]
) -> None:
    assert given_results([], objectives, directions).applied({'result': 'a.csv'}) == attributes


@pytest.mark.parametrize('text', ['val_acc', 'metrics.csv:acc', 'stdout:acc=([0-9.]+)', r'stdout:(?<=acc=)\d+'])
def test_that_what_finds_a_number_is_an_objective(text: str) -> None:
    assert objective_problem(text) == ''


def test_that_an_expression_that_finds_its_word_with_the_number_is_no_objective() -> None:
    assert 'put parentheses around the number' in objective_problem('stdout:val_acc=[0-9.]+')


def test_that_a_result_of_the_command_line_may_be_a_dict() -> None:
    given = given_results(['{file: log.csv, take: best}'], ['acc'], [])
    assert given.applied({})['result'] == [{'file': 'log.csv', 'take': 'best'}]
    assert given_results(['{file: log.csv'], [], []).applied({})['result'] == [{'{file: log.csv': ''}]
