"""From the record of a run to what is shown of it."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence

from hpsearch.model.control.requests import CANCELLED_ON_REQUEST
from hpsearch.model.states import State
from hpsearch.model.trials.trial import Objective
from hpsearch.model.units import duration, read_number
from hpsearch.model.usage.in_use import RunUse
from hpsearch.model.usage.measured import Measured
from hpsearch.records.run import AttemptRecord, RunRecord
from hpsearch.ui.format import use_text
from hpsearch.ui.top.shown import RunRow

MOST_POINTS = 120
"""Points of a curve that are kept to be drawn."""

MOST_ATTEMPTS = 20
"""Attempts of a run that are told of."""


def row_of(record: RunRecord, objectives: Sequence[Objective], host: str) -> RunRow:
    """What a table shows of a run.

    Args:
        record: The run.
        objectives: What its search optimises; it is compared by the first.
        host: The name of this host, which is not told.
    """
    key = objectives[0].key if objectives else ''
    text = (record.summary or {}).get(key, '') if key else ''
    metric, curve = _curve(record, key)
    last = record.last
    return RunRow(
        name=record.name,
        number=record.number,
        state=record.state.value,
        params=record.params,
        text=text,
        value=record.value(key) if text else None,
        rank=_rank(record, objectives),
        others=[(record.summary or {}).get(objective.key, '') for objective in objectives[1:]],
        metric=metric,
        curve=curve,
        step=next(reversed(list(record.curve)), None) if record.curve else None,
        since=last.started_at if last else None,
        seconds=last.seconds if last and record.has_ended else None,
        where=_where(last, host) if last else '',
        attempts=len(record.attempts),
        reason=_reason(record),
    )


def _reason(record: RunRecord) -> str:
    """Why it ended, and what was asked of it."""
    ended = ' '.join(record.reason.split()) if record.has_ended else ''
    match record.request:
        case 'cancel' if not record.has_ended:
            return 'asked to end'
        case 'cancel' if ended != CANCELLED_ON_REQUEST:
            return f'not started again: {ended}'
        case 'rerun':
            return 'asked for again'
    return ended


def _rank(record: RunRecord, objectives: Sequence[Objective]) -> tuple[float, float] | None:
    """The largest budget first, then the least loss."""
    reading = read_number((record.summary or {}).get(objectives[0].key)) if objectives else None
    if reading is None or record.state is not State.FINISHED or math.isnan(reading.value):
        return None
    budget = (record.proposal.fidelity if record.proposal else None) or 0.0
    return -budget, objectives[0].loss(reading.value)


def _curve(record: RunRecord, key: str) -> tuple[str, list[float]]:
    """The metric that is shown, the one that is optimised where it is reported, and its values."""
    names = record.metrics if record.curve else {}
    metric = key if key in names else next((name for name in names if key and key in name), next(iter(names), ''))
    values = [found[metric] for found in record.curve.values() if metric in found] if metric else []
    step = max(1, math.ceil(len(values) / MOST_POINTS))
    return metric, values[::-step][::-1]


def _where(attempt: AttemptRecord, host: str) -> str:
    parts = [
        f'GPU {",".join(attempt.gpus)}' if attempt.gpus else '',
        f'job {attempt.job}' if attempt.job else '',
        f'on {attempt.host}' if attempt.host not in ('', host) else '',
    ]
    return ' '.join(filter(None, parts))


def details_of(record: RunRecord, use: RunUse | None, command: str) -> Iterator[tuple[str, str]]:
    """Labels and texts about a run.

    Args:
        record: The run.
        use: What it uses now; None: that is not known.
        command: Executes it.
    """
    yield 'run', f'{record.number}   {record.name}'
    yield 'state', record.state.value
    if record.reason:
        yield 'why', ' '.join(record.reason.split())
    yield from _labelled('params', [f'{name} = {value}' for name, value in record.params.items()])
    yield from _labelled('result', [f'{key} = {text}' for key, text in (record.summary or {}).items()])
    if record.curve:
        step = next(reversed(list(record.curve)))
        yield (
            'reported',
            ', '.join(f'{name} {value:.4g}' for name, value in record.metrics.items()) + f' at step {step:g}',
        )
    if use is not None and use_text(use):
        yield 'uses now', use_text(use)
    yield from _labelled('attempts', [_attempt_text(each) for each in record.attempts[-MOST_ATTEMPTS:]])
    yield 'output', record.output
    yield 'command', command


def _labelled(label: str, texts: Sequence[str]) -> Iterator[tuple[str, str]]:
    for index, text in enumerate(texts):
        yield ('' if index else label), text


def _attempt_text(attempt: AttemptRecord) -> str:
    parts = [
        f'{attempt.number}: {attempt.state.value}',
        '' if attempt.seconds is None else duration(attempt.seconds),
        _where(attempt, ''),
        _measured_text(attempt.measured),
        ' '.join(attempt.reason.split()),
    ]
    return ', '.join(filter(None, parts))


def _measured_text(measured: Measured) -> str:
    return use_text(RunUse(memory=measured.gpu_memory, measured=measured)) if measured.facts() else ''
