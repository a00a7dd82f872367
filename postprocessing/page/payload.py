"""The data of a page: searches as plain values, by columns."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from hpsearch.model.states import State
from hpsearch.model.table import cell
from hpsearch.records.fields import scalar_of_text
from hpsearch.records.run import AttemptRecord, RunRecord
from hpsearch.records.search import SearchRecord

from .about import about_of
from .columns import Encoded, Plain, column, plain_number
from .commands import commands_of

LONGEST_TEXT = 4000
"""Characters that are shown of a text from elsewhere."""

MOST_LEADERS = 20
"""Trials that are shown as the best."""

STATES = [state.value for state in State]

Columns = dict[str, Encoded]


def payload_of(search: SearchRecord) -> dict[str, Any]:
    """A search as the page reads it: plain values that JSON has; times in seconds since 1970, durations in seconds.

    Attempts have ``start`` relative to ``begin``, and ``run``, the place of their run among the runs.
    """
    begin = _begin(search)
    places = {run.name: at for at, run in enumerate(search.runs)}
    return {
        'name': search.name,
        'path': search.path,
        'now': round(search.now, 1),
        'begin': begin,
        'end': _end(search),
        'open': search.is_open,
        'alive': len(search.alive),
        'total': search.total,
        'counts': dict(Counter(run.state.value for run in search.runs)),
        'gpu_seconds': round(sum(run.gpu_seconds for run in search.runs), 1),
        'objectives': [{'key': each.key, 'maximize': each.maximize} for each in search.objectives],
        'fidelity': search.fidelity,
        'ranked': [places[run.name] for run in search.best()],
        'leaders': _leaders(search, places),
        'states': STATES,
        'runs': _runs(search),
        'params': _params(search.runs),
        'values': _by_key(search.runs, lambda run: run.summary or {}, _value),
        'metrics': _by_key(search.runs, lambda run: run.metrics, plain_number),
        'commands': commands_of(search.runs),
        'attempts': _attempts(search, begin or 0.0, places),
        'failures': _failures(search, places),
        'about': about_of(search),
        'notes': [text[:LONGEST_TEXT] for text in search.notes],
    }


def _begin(search: SearchRecord) -> float | None:
    times = (attempt.claimed_at for run in search.runs for attempt in run.attempts)
    return min((time for time in times if time is not None), default=None)


def _end(search: SearchRecord) -> float | None:
    """When the last attempt ended, or now where one goes on."""
    attempts = [attempt for run in search.runs for attempt in run.attempts]
    if any(attempt.state is State.RUNNING for attempt in attempts):
        return search.now
    return max((attempt.ended_at for attempt in attempts if attempt.ended_at is not None), default=None)


def _leaders(search: SearchRecord, places: Mapping[str, int]) -> list[dict[str, Any]]:
    """The best trials, where trials are compared; empty: runs are."""
    found = search.leaders()[:MOST_LEADERS] if search.compares_trials else []
    return [
        {'run': places[each.run], 'runs': each.runs, 'values': [plain_number(value) for value in each.values]}
        for each in found
    ]


# Runs


def _runs(search: SearchRecord) -> Columns:
    runs = search.runs
    return {
        'name': column([run.name for run in runs]),
        'number': column([run.number for run in runs]),
        'state': column([STATES.index(run.state.value) for run in runs]),
        'reason': column([run.reason[:LONGEST_TEXT] for run in runs]),
        'trial': column([run.trial for run in runs]),
        'budget': column([plain_number(search.budget(run)) or None for run in runs]),
        'seconds': column([_seconds(run) for run in runs]),
        'gpu_seconds': column([round(run.gpu_seconds, 1) or None for run in runs]),
        'attempts': column([len(run.attempts) for run in runs]),
    }


def _seconds(run: RunRecord) -> Plain:
    """How long the attempt took that speaks for it."""
    return plain_number(run.deciding.seconds, 2) if run.deciding else None


def _by_key(
    runs: Sequence[RunRecord], of: Callable[[RunRecord], Mapping[str, Any]], plain: Callable[[Any], Plain]
) -> Columns:
    """A column for each key that any of the runs has."""
    found = [of(run) for run in runs]
    keys = dict.fromkeys(key for each in found for key in each)
    return {key: column([plain(each[key]) if key in each else None for each in found]) for key in keys}


def _params(runs: Sequence[RunRecord]) -> Columns:
    return _by_key(runs, lambda run: run.params, _param)


def _param(value: Any) -> Plain:
    if isinstance(value, int | float) and not isinstance(value, bool):
        return plain_number(value)
    return cell(value)[:LONGEST_TEXT]


def _value(text: str) -> Plain:
    """A value of a result: as a number where it is just one."""
    value = scalar_of_text(text)
    return text[:LONGEST_TEXT] if isinstance(value, bool | str) else plain_number(value)


def _failures(search: SearchRecord, places: Mapping[str, int]) -> list[dict[str, Any]]:
    groups = ((group.words, [places[name] for name in group.runs if name in places]) for group in search.failures)
    return [{'words': words[:LONGEST_TEXT], 'runs': runs} for words, runs in groups if runs]


# Attempts


def _attempts(search: SearchRecord, begin: float, places: Mapping[str, int]) -> Columns:
    attempts = [attempt for run in search.runs for attempt in run.attempts]
    facts: dict[str, Callable[[AttemptRecord], Plain]] = {
        'run': lambda attempt: places[attempt.run],
        'number': lambda attempt: attempt.number,
        'state': lambda attempt: STATES.index(attempt.state.value),
        'cause': lambda attempt: attempt.cause,
        'code': lambda attempt: attempt.code,
        'reason': lambda attempt: attempt.reason[:LONGEST_TEXT],
        'start': lambda attempt: None if attempt.started_at is None else round(attempt.started_at - begin, 2),
        'waited': _waited,
        'seconds': lambda attempt: plain_number(attempt.seconds, 2),
        'host': lambda attempt: attempt.host,
        'gpus': lambda attempt: ','.join(attempt.gpus),
        'queue': lambda attempt: attempt.queue,
        'job': lambda attempt: attempt.job,
        'gpu_memory': lambda attempt: attempt.measured.gpu_memory,
        'gpu_load': lambda attempt: plain_number(attempt.measured.gpu_load, 2),
        'host_memory': lambda attempt: attempt.measured.host_memory,
        'cpu': lambda attempt: plain_number(attempt.measured.cpu, 2),
        'code_id': lambda attempt: attempt.code_id,
    }
    return {name: column([of(attempt) for attempt in attempts]) for name, of in facts.items()}


def _waited(attempt: AttemptRecord) -> Plain:
    """Seconds between its claim and its start."""
    if attempt.started_at is None or attempt.claimed_at is None:
        return None
    return max(0.0, round(attempt.started_at - attempt.claimed_at, 1))
