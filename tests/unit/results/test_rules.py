"""What ``_RESULT`` may be."""

from __future__ import annotations

from typing import Any

import pytest

from hpsearch.results.rules import KINDS, ResultRule, keywords_of_rule, result_rules, rule_of


@pytest.mark.parametrize(
    ('value', 'rule'),
    [
        ('out/metrics.json', ResultRule('out/metrics.json', format='json')),
        ('log.CSV', ResultRule('log.CSV', format='csv')),
        ('result.txt', ResultRule('result.txt')),
        ('result', ResultRule('result')),
        ('stdout: acc=(.*)', ResultRule(log='stdout', pattern='acc=(.*)')),
        (
            {'stderr': 'acc=(.*)', 'key': 'acc', 'take': 'best'},
            ResultRule('', 'stderr', 'acc=(.*)', 'lines', 'best', 'acc'),
        ),
        ({'file': 'log', 'format': 'tsv', 'take': 'max:acc'}, ResultRule('log', format='tsv', take='max:acc')),
        ('wandb', ResultRule('**/run-*.wandb', format='wandb')),
    ],
)
def test_that_a_rule_is_read(value: Any, rule: ResultRule) -> None:
    (plain,), problems = result_rules(value)
    assert (rule_of(plain), problems) == (rule, [])


@pytest.mark.parametrize(
    ('value', 'problem'),
    [
        (3, 'is 3; the name of a file'),
        ('', "is ''; the name of a file"),
        ([None], 'is None; the name of a file'),
        ({}, 'one of "file", "stdout" and "stderr" is expected'),
        ({'file': 'a', 'stdout': 'b'}, 'one of "file", "stdout" and "stderr" is expected'),
        ({'fiel': 'a'}, "has 'fiel'; file, format, key, stderr, stdout, step, take are expected."),
        ({'file': 3}, "has 3 as 'file'; a text is expected."),
        ({'file': 'a', 'format': 'xml'}, "has the format 'xml'; one of lines, json"),
        ({'file': 'a', 'take': 'first'}, "takes 'first'; last, best, max:KEY or min:KEY is expected."),
        ('stdout: (', "has '(', which is not a regular expression"),
        ('/etc/passwd', 'a path within the output folder is expected'),
        ('../other/metrics.csv', 'a path within the output folder is expected'),
    ],
)
def test_that_a_wrong_rule_is_a_problem(value: Any, problem: str) -> None:
    _, problems = result_rules(value)
    assert len(problems) == 1 and problem in problems[0]


def test_that_several_rules_have_all_their_problems_told() -> None:
    rules, problems = result_rules(['a.csv', 3, 'stdout: ('])
    assert len(rules) == 2 and len(problems) == 2


@pytest.mark.parametrize('kind', KINDS)
def test_that_every_kind_is_a_rule(kind: str) -> None:
    _, problems = result_rules(kind)
    assert not problems


def test_that_an_expression_has_the_keywords_of_its_groups() -> None:
    named = ResultRule(log='stdout', pattern='(?P<a>.) (?P<b>.)')
    assert keywords_of_rule(named) == ['a', 'b']
    assert keywords_of_rule(ResultRule(log='stdout', pattern='(.)', key='acc')) == ['acc']
    assert keywords_of_rule(ResultRule(log='stdout', pattern='(.)')) == ['result']
    assert keywords_of_rule(ResultRule('a.csv')) == []
