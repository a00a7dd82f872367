"""Objectives as the command line gives them: a key of the result, or where the result is."""

from __future__ import annotations

import os
import re
from collections.abc import Sequence
from typing import Any

from hpsearch.results.rules import FORMATS, KINDS, LOGS, keywords_of_rule, result_rules, rule_of

_FILE_ENDINGS = tuple(f'.{name}' for name in (*FORMATS, 'yml', 'ndjson', 'txt', 'log', 'out'))
_NAME_BEFORE_GROUP = re.compile(r'(?P<name>[A-Za-z_][\w.-]*)(?:\\s|[\s:=>"\'*+?]|\[[^\]]*\])*\(')


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


def named_rules(given: Sequence[str]) -> list[Any]:
    """Rules of ``_RESULT`` in which what an expression finds is named by the word before its group."""
    return [_rule_and_key(text)[0] if text.partition(':')[0] in LOGS else text for text in given]


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
    if named:
        return rule, next((name for name in named if name != 'step'), named[0])
    before = _NAME_BEFORE_GROUP.search(pattern)
    return ({**rule, 'key': before['name']}, before['name']) if before else (rule, keywords_of_rule(rule_of(rule))[0])
