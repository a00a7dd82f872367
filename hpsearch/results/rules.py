"""Rules of ``_RESULT``: where a script leaves its result, and which row of it counts."""

from __future__ import annotations

import os
import re
import reprlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from hpsearch.model.errors import closest
from hpsearch.results.rows import STEP

FORMATS = ('lines', 'json', 'yaml', 'toml', 'csv', 'tsv', 'jsonl', 'tensorboard', 'mlflow', 'sacred', 'wandb')
"""What a file can be."""

_BY_ENDING = {
    **{f'.{name}': name for name in ('json', 'yaml', 'toml', 'csv', 'tsv', 'jsonl')},
    **{'.yml': 'yaml', '.ndjson': 'jsonl'},
}

LOGS = ('stdout', 'stderr')
"""The logs that a regular expression is looked for in."""

KINDS: Mapping[str, Mapping[str, str]] = {
    'lightning': {'file': '**/metrics.csv'},
    'huggingface': {'file': '**/all_results.json'},
    'wandb': {'file': '**/run-*.wandb', 'format': 'wandb'},
    'tensorboard': {'file': '**/events.out.tfevents.*', 'format': 'tensorboard'},
    'mlflow': {'file': '**/metrics/**/*', 'format': 'mlflow'},
    'sacred': {'file': '**/run.json', 'format': 'sacred'},
    'orion': {'format': 'orion'},
    'metrics': {'format': 'metrics'},
}
"""Programs that write results, to the rule for their files."""

ORION = 'orion'
"""The format of the file that ``$ORION_RESULTS_PATH`` names, which is in no output folder."""

METRICS = 'metrics'
"""The format of the file that ``$HPSEARCH_METRICS`` names, likewise."""

_OF_ATTEMPTS = {ORION: '$ORION_RESULTS_PATH', METRICS: '$HPSEARCH_METRICS'}
"""Formats of files that are in no output folder, and the variables that name them."""

_ATTRIBUTES = frozenset(('file', *LOGS, 'format', 'take', 'key', 'step'))

_EXPECTED = (
    f'the name of a file, "stdout:" and a regular expression, one of {", ".join(KINDS)}, or a dict with "file", '
    '"stdout" or "stderr"'
)


@dataclass(frozen=True)
class ResultRule:
    """Where a result is.

    Attributes:
        file: A path or a pattern (``version_*/metrics.csv``) in the output folder; empty: it is in a log.
        log: ``stdout`` or ``stderr``; empty: it is in a file.
        pattern: The regular expression for a log.
        format: One of :data:`FORMATS`.
        take: ``last``, ``best`` (by the performance key), ``max:KEY`` or ``min:KEY``.
        key: The keyword of what the first group of the expression matches.
        step: The column, or the group, that says how far the training is; empty: one with such a name.
    """

    file: str = ''
    log: str = ''
    pattern: str = ''
    format: str = 'lines'
    take: str = 'last'
    key: str = ''
    step: str = ''

    @property
    def words(self) -> str:
        """Where the result is, for messages."""
        return self.file or _OF_ATTEMPTS.get(self.format, f'{self.log}: {self.pattern}')


def result_rules(value: Any) -> tuple[list[dict[str, str]], list[str]]:
    """The rules that an attribute ``_RESULT`` makes, as dicts for :func:`rule_of`, and what is wrong with it."""
    given = value if isinstance(value, (list, tuple)) else [] if value is None else [value]
    plain = [_as_dict(each) for each in given]
    problems = [
        f'is {reprlib.repr(each)}; {_EXPECTED} is expected.' if rule is None else _problem_of(rule)
        for each, rule in zip(given, plain, strict=True)
    ]
    return [rule for rule in plain if rule is not None], [problem for problem in problems if problem]


def rule_of(rule: Mapping[str, str]) -> ResultRule:
    """A rule from its dict."""
    log = next((name for name in LOGS if name in rule), '')
    file = rule.get('file', '')
    return ResultRule(
        file=file,
        log=log,
        pattern=rule.get(log, ''),
        format=rule.get('format') or _BY_ENDING.get(os.path.splitext(file)[1].lower(), 'lines'),
        take=rule.get('take', 'last'),
        key=rule.get('key', ''),
        step=rule.get('step', ''),
    )


def hint_of_rule(text: str) -> str:
    """The end of a sentence about a text that was to be a rule, and whose beginning is mistyped; empty: it is not."""
    begin, colon, _ = text.partition(':')
    near = closest(begin, (*LOGS, *KINDS)) if colon else ''
    return f'; did you mean {near}: instead of {begin}:?' if near else ''


def _as_dict(value: Any) -> dict[str, str] | None:
    if isinstance(value, Mapping):
        return dict(value)
    if not isinstance(value, str) or not value:
        return None
    log, colon, pattern = value.partition(':')
    if colon and log in LOGS:
        return {log: pattern.strip()}
    return dict(KINDS.get(value, {'file': value}))


def _problem_of(rule: Mapping[str, Any]) -> str:
    if unknown := [name for name in rule if name not in _ATTRIBUTES]:
        return f'has {unknown[0]!r}; {", ".join(sorted(_ATTRIBUTES))} are expected.'
    if wrong := [name for name, text in rule.items() if not isinstance(text, str) or not text]:
        return f'has {reprlib.repr(rule[wrong[0]])} as {wrong[0]!r}; a text is expected.'
    if rule.get('format') in _OF_ATTEMPTS and rule.keys() <= {'format', 'take'}:
        return _problem_of_take(rule.get('take', 'last'))
    if len({'file', *LOGS} & set(rule)) != 1:
        return f'is {reprlib.repr(dict(rule))}; one of "file", "stdout" and "stderr" is expected.'
    problems = (_problem_of_file(rule), _problem_of_pattern(rule), _problem_of_take(rule.get('take', 'last')))
    return next(filter(None, problems), '')


def _problem_of_file(rule: Mapping[str, str]) -> str:
    if 'format' in rule and rule['format'] not in FORMATS:
        return f'has the format {rule["format"]!r}; one of {", ".join(FORMATS)} is expected.'
    file = rule.get('file', '')
    if os.path.isabs(file) or '..' in file.split('/'):
        return f'has the file {file!r}; a path within the output folder is expected.'
    return ''


def _problem_of_pattern(rule: Mapping[str, str]) -> str:
    pattern = next((rule[log] for log in LOGS if log in rule), '')
    try:
        re.compile(pattern)
    except re.error as error:
        return f'has {pattern!r}, which is not a regular expression: {error}.'
    return ''


def _problem_of_take(take: str) -> str:
    if take in ('last', 'best') or re.fullmatch('(max|min):.+', take):
        return ''
    return f'takes {take!r}; last, best, max:KEY or min:KEY is expected.'


OBJECTIVE = 'objective'
"""The keyword of the result of type *objective*, whatever its name."""

RESULT = 'result'
"""The keyword of an expression where nothing else names one."""


def reads_orion(rules: Iterable[Mapping[str, str]]) -> bool:
    """Whether a result may be where the client of Oríon leaves it."""
    return any(rule_of(rule).format == ORION for rule in rules)


def keywords_of_rule(rule: ResultRule) -> list[str]:
    """The keywords that a rule for a log or for Oríon makes; none for files, which have their own."""
    if rule.format == ORION:
        return [OBJECTIVE]
    if not rule.log:
        return []
    named = list(re.compile(rule.pattern).groupindex)
    metrics = [name for name in named if name not in (STEP, rule.step)]
    return metrics or [rule.key or RESULT]
