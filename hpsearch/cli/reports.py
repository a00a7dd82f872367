"""What a search has come to: its best run, and why runs failed."""

from __future__ import annotations

from hpsearch.model.configuration import Configuration, Params
from hpsearch.model.states import Attempt, SearchState, State
from hpsearch.model.table import performance_number
from hpsearch.model.verdict import FAILURE_LINES
from hpsearch.store.attempt_files import tail
from hpsearch.store.folder import SearchFolder

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
    if not found:
        return None
    _, name, text = found[0]
    run = folder.find_run(name)
    return name, run.params if run else {}, text


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
    lines = tail(folder.attempt(attempt.run, attempt.number).stderr, 1 << 14).splitlines()
    shown = [line.rstrip() for line in lines if line.strip()][-FAILURE_LINES:]
    return '\n'.join(shown) or attempt.reason
