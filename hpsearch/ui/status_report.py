"""What ``hpsearch status`` prints: a snapshot as text for people, and as plain values for programs."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Mapping, Sequence
from typing import Any

from hpsearch.model.snapshot import GpuLine, Snapshot
from hpsearch.model.units import count_of
from hpsearch.ui.format import (
    best_text,
    done,
    done_text,
    full_counts,
    gpu_line,
    printable,
    queue_texts,
    running_texts,
    snapshot_counts,
    stuck_texts,
    time_text,
)

HOLDER_LINES = 8
"""Processes on a GPU that are listed one by one."""

RUNNING_LINES = 25
"""Runs under way that are listed one by one."""


def status_text(snapshot: Snapshot, failures: Sequence[tuple[int, str, str]] = ()) -> str:
    """What ``hpsearch status`` prints, ending with a newline.

    Failures are groups of failed runs: how many, the last lines they share, the name of the first one.
    """
    lines = [snapshot.folder, f'  {done_text(snapshot)}: {snapshot_counts(snapshot) or "no runs"}']
    if snapshot.elapsed or snapshot.eta is not None:
        lines.append(f'  {time_text(snapshot)}')
    if snapshot.best:
        lines.append(f'  best: {best_text(snapshot)}')
    if snapshot.waiting:
        lines.append(f'  waiting: {printable(snapshot.waiting)}')
    if snapshot.queue:
        lines.append(f'  queue: {", ".join(queue_texts(snapshot.queue))}')
    lines += [f'  stuck: {text}' for text in stuck_texts(snapshot.queue)]
    lines += [line for gpu in snapshot.gpus for line in _gpu_lines(gpu)]
    lines += [f'  running: {line}' for line in _few_running(snapshot)]
    lines += [line for group in failures for line in _failure_lines(snapshot.folder, *group)]
    return '\n'.join(lines) + '\n'


def status_json(snapshot: Snapshot, failures: Sequence[tuple[int, str, str]] = ()) -> dict[str, Any]:
    """What ``hpsearch status --json`` prints, made of plain values that every JSON reader accepts."""
    best = snapshot.best
    facts = {
        **dataclasses.asdict(snapshot),
        'done': done(snapshot),
        'counts': full_counts(snapshot),
        'best': None if best is None else {'run': best[0], 'params': best[1], 'performance': best[2]},
        'failures': [{'count': count, 'stderr': text, 'example': run} for count, text, run in failures],
    }
    return {name: _plain(value) for name, value in facts.items()}


def _gpu_lines(gpu: GpuLine) -> list[str]:
    """A GPU, and below it who uses it: the largest first."""
    largest = sorted(gpu.holders, key=lambda holder: -(holder.memory or 0))
    texts = list(dict.fromkeys(printable(holder.text) for holder in largest))
    more = [f'and {len(texts) - HOLDER_LINES} more'] if len(texts) > HOLDER_LINES else []
    return [f'  {gpu_line(gpu)}', *(f'      {text}' for text in [*texts[:HOLDER_LINES], *more])]


def _few_running(snapshot: Snapshot) -> list[str]:
    """As many as fit on a screen; the number of the rest."""
    runs = snapshot.running
    shown = runs if len(runs) <= RUNNING_LINES else runs[: RUNNING_LINES - 1]
    more = len(runs) - len(shown)
    texts = running_texts(shown, snapshot.varying, snapshot.performance_key)
    return texts + ([f'and {more} more'] if more else [])


def _failure_lines(folder: str, count: int, stderr: str, run: str) -> list[str]:
    head = f'{count_of(count, "run")} failed like this, see: hpsearch logs {folder} {run}'
    return [head, *(f'    {printable(line)}' for line in stderr.splitlines() or ['(nothing on stderr)'])]


def _plain(value: object) -> object:
    if isinstance(value, Mapping):
        return {str(key): _plain(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_plain(item) for item in value]
    if isinstance(value, float) and not math.isfinite(value):
        return str(value)
    return value if value is None or isinstance(value, (bool, int, float, str)) else str(value)
