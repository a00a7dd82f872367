"""Objectives as the command line gives them: a key of the result, or where the result is."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from hpsearch.config.yaml_file import parse_yaml
from hpsearch.model.configuration import Configuration
from hpsearch.model.trials.trial import Objective
from hpsearch.results.rows import STEP
from hpsearch.results.rules import FORMATS, KINDS, LOGS, keywords_of_rule, result_rules, rule_of

_FILE_ENDINGS = tuple(f'.{name}' for name in (*FORMATS, 'yml', 'ndjson', 'txt', 'log', 'out'))
_NAME_BEFORE_GROUP = re.compile(r'(?P<name>[A-Za-z_][\w.-]*)(?:\\s|[\s:=>"\'*+?]|\[[^\]]*\])*\(')

_STEP_GROUP = re.compile(rf'\(\?P<{STEP}>[^()]*\)')


def objectives_of(given: Sequence[str]) -> tuple[list[str], list[dict[str, Any]]]:
    """The keys of objectives, and the rules by which their values are read, where these are given.

    Args:
        given: Each is a key (``val_acc``); a rule of ``_RESULT``, in which a regular expression without a named group
            is named by the word before its group (``stdout:val_acc=([0-9.]+)``); or a file or a program with a key
            (``metrics.csv:val_acc``, ``lightning:val_acc``).
    """
    keys: list[str] = []
    rules: list[dict[str, Any]] = []
    for text in given:
        rule, key = _rule_and_key(text)
        keys += [key] if key else []
        rules += [rule] if rule and rule not in rules else []
    return list(dict.fromkeys(keys)), rules


def objective_problem(text: str) -> str:
    """What is wrong with an objective, as the end of a sentence; empty: nothing."""
    rule, key = _rule_and_key(text)
    if not key:
        return f'names no value; add a key, as in {text}:loss.'
    pattern = next((rule[log] for log in LOGS if log in rule), '')
    if re.match(r'[^\W\d]', pattern) and '|' not in pattern and not re.compile(pattern).groups:
        return 'finds a word and never a number alone; put parentheses around the number, as in val_acc=([0-9.]+).'
    return ''


def objectives_of_search(options: Mapping[str, Any], configuration: Configuration) -> list[Objective]:
    """What a search optimises, by its options as ``search.json`` has them, or by its configuration; empty: nothing."""
    default = configuration.performance_key
    keys = objectives_of(options.get('objective') or ())[0] or ([default] if default is not None else [])
    maximizes = [direction == 'maximize' for direction in options.get('direction') or ()]
    maximizes += [not configuration.performance_ascending] * (len(keys) - len(maximizes))
    return [Objective(key, maximize) for key, maximize in zip(keys, maximizes, strict=False)]


@dataclass(frozen=True)
class GivenResults:
    """What the command line says of results, instead of a configuration.

    Attributes:
        rules: Those of ``_RESULT``, instead of what the configuration has.
        more: Those that come to them.
        key: The performance key; empty: that of the configuration.
        ascending: Whether the smallest is the best; None: as the configuration says.
        checkpoint_arg: The option of the script that takes a checkpoint; empty: as the configuration says.
        checkpoint: What a run leaves as one; empty: as the configuration says.
    """

    rules: Sequence[Any] = ()
    more: Sequence[Any] = ()
    key: str = ''
    ascending: bool | None = None
    checkpoint_arg: str = ''
    checkpoint: str = ''

    def applied(self, attributes: Mapping[str, Any]) -> dict[str, Any]:
        """The attributes of a configuration with what is given."""
        result = self.rules or attributes.get('result')
        rules = list(result) if isinstance(result, (list, tuple)) else [] if result is None else [result]
        rules += [rule for rule in self.more if rule not in rules]
        given: dict[str, Any] = {'result': rules} if rules and (self.rules or self.more) else {}
        given |= {'performance_key': self.key} if self.key else {}
        given |= {'checkpoint_arg': self.checkpoint_arg} if self.checkpoint_arg else {}
        given |= {'checkpoint': self.checkpoint} if self.checkpoint else {}
        return {**attributes, **given, **({} if self.ascending is None else {'performance_sort_asc': self.ascending})}


def given_results(results: Sequence[str], objectives: Sequence[str], directions: Sequence[str]) -> GivenResults:
    """What ``--result``, ``--objective`` and ``--direction`` say; the first objective is the performance key.

    Args:
        results: Rules of ``_RESULT``, in which what an expression finds is named by the word before its group, or
            dicts in YAML.
        objectives: As for :func:`objectives_of`.
        directions: ``maximize`` or ``minimize`` for each objective.
    """
    keys, more = objectives_of(objectives)
    rules = [_given_rule(text) for text in results]
    ascending = directions[0] == 'minimize' if directions else None
    return GivenResults(rules, more, keys[0] if keys else '', ascending)


def results_said(attributes: Mapping[str, Any]) -> GivenResults:
    """What the attributes of a configuration for ``--objective`` and ``--direction`` say, like these."""
    said = (attributes.get(name) for name in ('objective', 'direction'))
    objectives, directions = ([text for text in _listed(value) if isinstance(text, str)] for value in said)
    return given_results((), objectives, directions) if objectives else GivenResults()


def _listed(value: Any) -> Sequence[Any]:
    return value if isinstance(value, (list, tuple)) else [value]


def _given_rule(text: str) -> Any:
    if text.lstrip().startswith('{'):
        try:
            return parse_yaml(text)
        except ValueError:
            return {text: ''}  # what checks the rule says that this is none
    return _rule_and_key(text)[0] if text.partition(':')[0] in LOGS else text


def _rule_and_key(text: str) -> tuple[dict[str, Any], str]:
    first, colon, rest = text.partition(':')
    if colon and first in LOGS:
        return _of_log(first, rest.strip())
    if first in KINDS or os.path.splitext(first)[1].lower() in _FILE_ENDINGS:
        (rule,), _ = result_rules(first)
        return rule, rest or next(iter(keywords_of_rule(rule_of(rule))), '')
    return {}, text


def _of_log(log: str, pattern: str) -> tuple[dict[str, Any], str]:
    rule = {log: pattern}
    try:
        named = list(re.compile(pattern).groupindex)
    except re.error:
        return rule, ''  # what checks the rule says what is wrong
    if metrics := [name for name in named if name != STEP]:
        return rule, metrics[0]
    before = _NAME_BEFORE_GROUP.search(_STEP_GROUP.sub('', pattern))
    return ({**rule, 'key': before['name']}, before['name']) if before else (rule, keywords_of_rule(rule_of(rule))[0])
