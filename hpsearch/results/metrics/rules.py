"""Rules of ``_METRICS``: where a script writes metrics while it goes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from hpsearch.model.configuration import Configuration
from hpsearch.results.rules import KINDS, result_rules, rule_of

GROWING = ('csv', 'tsv', 'jsonl', 'json', 'tensorboard', 'wandb', 'mlflow')
"""Formats of files that are read while they grow."""

_WHILE_IT_GOES = {'huggingface': {'file': '**/trainer_state.json', 'format': 'json'}}
"""Programs that leave their results elsewhere than what they log."""


def metric_rules(value: Any) -> tuple[list[dict[str, str]], list[str]]:
    """The rules that an attribute ``_METRICS`` makes, and what is wrong with it; as :func:`result_rules`."""
    given = value if isinstance(value, (list, tuple)) else [] if value is None else [value]
    rules, problems = result_rules(
        [_WHILE_IT_GOES.get(each, each) if isinstance(each, str) else each for each in given]
    )
    return rules, problems or [problem for rule in rules if (problem := _problem_of(rule))]


def _problem_of(rule: Mapping[str, str]) -> str:
    its = rule_of(rule)
    if its.log or its.format in GROWING:
        return ''
    return f'has {its.words}, which is read as {its.format} and does not grow; one of {", ".join(GROWING)} is expected.'


def watching(configuration: Configuration) -> Configuration:
    """A configuration that says where metrics are: without ``_METRICS``, where the result is, as far as it grows."""
    if configuration.metrics is not None:
        return configuration
    return replace(configuration, metrics=metrics_of_results(configuration.results))


def metrics_of_results(results: Sequence[Mapping[str, str]]) -> list[Mapping[str, str]]:
    """The rules for metrics where ``_METRICS`` is not given: those for the result, as far as it grows."""
    programs = {KINDS[name]['file']: rule for name, rule in _WHILE_IT_GOES.items()}
    rules = [programs.get(rule.get('file', ''), rule) for rule in results]
    return [rule for rule in rules if not _problem_of(rule)]
