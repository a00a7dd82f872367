"""What a search has come to: its best run, and why runs failed."""

from __future__ import annotations

import json

from hpsearch.model.configuration import Configuration, Params
from hpsearch.model.states import Attempt, SearchState, State
from hpsearch.model.verdict import FAILURE_LINES
from hpsearch.store import attempt_files as attempts
from hpsearch.store.folder import SearchFolder
from hpsearch.store.results import performance_number

Failure = tuple[int, str, str]
"""How many, the last lines of the first one's stderr, its run."""


def best_run(folder: SearchFolder, state: SearchState, configuration: Configuration) -> tuple[str, Params, str] | None:
    """Name, parameters and performance of the best finished run."""
    key = configuration.performance_key
    if key is None:
        return None
    sign = 1.0 if configuration.performance_ascending else -1.0
    found: list[tuple[float, str, str]] = []
    for name, history in state.runs.items():
        deciding = history.deciding
        text = deciding.summary.get(key, '') if deciding and deciding.state is State.FINISHED else ''
        number = performance_number(text)
        if number is not None and number == number and (not found or (sign * number, name) < found[0][:2]):
            found = [(sign * number, name, text)]
    return (found[0][1], params_of(folder, found[0][1]), found[0][2]) if found else None


def params_of(folder: SearchFolder, name: str) -> Params:
    """The parameters of one run, without parsing the rest of the plan."""
    mark = json.dumps(name).encode()
    with open(folder.runs_jsonl, 'rb') as plan:
        for line in plan:
            if mark in line:
                entry = json.loads(line)
                if entry['run'] == name:
                    return dict(entry['params'])
    return {}


def failure_groups(folder: SearchFolder, state: SearchState) -> list[Failure]:
    """Failed runs grouped by the error they failed with, most frequent first."""
    groups: dict[str, list[Attempt]] = {}
    for history in state.runs.values():
        deciding = history.deciding
        if deciding is not None and deciding.state is State.FAILED:
            groups.setdefault(deciding.failure or deciding.reason, []).append(deciding)
    ordered = sorted(groups.values(), key=lambda group: (-len(group), group[0].run))
    return [(len(group), last_lines(folder, group[0]), group[0].run) for group in ordered]


def last_lines(folder: SearchFolder, attempt: Attempt) -> str:
    """The last lines an attempt wrote to stderr, or the reason why it ended."""
    lines = attempts.tail(folder.attempt(attempt.run, attempt.number).stderr, 1 << 14).splitlines()
    shown = [line.rstrip() for line in lines if line.strip()][-FAILURE_LINES:]
    return '\n'.join(shown) or attempt.reason
