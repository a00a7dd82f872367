"""Values to text: spans, amounts, GPUs, and the state of a search as people and programs read it."""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Mapping, Sequence

from hpsearch.model.configuration import Params
from hpsearch.model.snapshot import GpuLine, QueueLine, RunLine, Snapshot, merged_queue
from hpsearch.model.units import count_of, duration, memory
from hpsearch.model.usage.in_use import RunUse
from hpsearch.ui.ansi_filter import SEQUENCE

ORDER = (
    'finished', 'failed', 'stopped', 'lost', 'interrupted', 'unknown', 'running', 'submitted', 'claimed', 'planned',
)  # fmt: skip
DONE = ('finished', 'failed', 'stopped')
UNDER_WAY = ('running', 'submitted', 'claimed')

QUEUE_PARTS = 8
"""Groups of jobs that are listed in one line; the rest are counted together."""

OLD = 2.0
"""Seconds after which the age of a reading of a GPU is shown."""

FEW_RUNS = 30
SECONDS_BETWEEN_LINES = 30.0
SECONDS_BEFORE_STALL_LINE = 5.0

_IN_WORDS = {'submitted': 'in the queue'}

_UNPRINTABLE = re.compile(r'[\x00-\x1f\x7f-\x9f]')


def printable(text: str) -> str:
    """One line of text without control characters and escape sequences."""
    if text.isprintable():
        return text
    return _UNPRINTABLE.sub('', SEQUENCE.sub('', ' '.join(text.splitlines()).expandtabs(4)))


def full_counts(snapshot: Snapshot) -> dict[str, int]:
    """The non-zero counts in the order they are shown, runs without any state counted as planned."""
    counts = {state: number for state, number in snapshot.counts.items() if number}
    rest = 0 if snapshot.total is None else snapshot.total - sum(counts.values())
    if rest > 0:
        counts['planned'] = counts.get('planned', 0) + rest
    known = [state for state in ORDER if state in counts]
    return {state: counts[state] for state in [*known, *sorted(set(counts) - set(known))]}


def done(snapshot: Snapshot) -> int:
    """How many runs need no further attempt."""
    return sum(snapshot.counts.get(state, 0) for state in DONE)


def done_text(snapshot: Snapshot) -> str:
    """How many runs are done, and of how many where that is known."""
    return f'{done(snapshot)} done' if snapshot.total is None else f'{done(snapshot)} of {snapshot.total} done'


def known_runs(snapshot: Snapshot) -> int:
    """Number of runs of the search, as far as is known."""
    return sum(snapshot.counts.values()) if snapshot.total is None else snapshot.total


def progress_line(snapshot: Snapshot) -> str:
    """The state of a search in one plain line, without a newline."""
    parts = [f'{done_text(snapshot)} ({snapshot_counts(snapshot) or "no runs"})', time_text(snapshot)]
    if snapshot.best:
        parts.append(f'best {performance(snapshot)} ({snapshot.best[0]})')
    if snapshot.waiting:
        parts.append(f'waiting: {snapshot.waiting}')
    if snapshot.queue:
        parts.append(f'queue: {", ".join(queue_texts(snapshot.queue))}')
    return printable('; '.join([*parts, *stuck_texts(snapshot.queue)]))


def gpu_line(gpu: GpuLine, width: int | None = None) -> str:
    """One GPU in one line: load, memory, our runs, memory of others, why it is closed, its model.

    The least important parts are left out to fit into ``width`` columns; None: everything is shown.
    """
    return '  '.join(text for _, text in gpu_parts(gpu, width))


def best_text(snapshot: Snapshot) -> str:
    """The best run so far: performance, name, and the parameters that vary; empty when there is none."""
    if not snapshot.best:
        return ''
    name, params, _ = snapshot.best
    return printable(f'{performance(snapshot)}, {name}: {params_text(params, snapshot.varying)}'.rstrip(': '))


def params_text(params: Params, varying: Sequence[str] = ()) -> str:
    """Parameters as ``name=value`` words, only the varying ones where these are known."""
    chosen = [name for name in params if name in set(varying)] or list(params)
    return printable(' '.join(f'{name}={params[name]}' for name in chosen))


def worth_a_line(previous: Snapshot | None, current: Snapshot, seconds_since: float) -> bool:
    """Whether a plain progress line would say enough that is new since the last one, None before the first."""
    if previous is None:
        return True
    if _stalled(current) and not _stalled(previous):
        return seconds_since >= SECONDS_BEFORE_STALL_LINE
    if _stuck(current) > _stuck(previous):
        return True
    if done(current) == done(previous) and _odd(current) == _odd(previous):
        return False
    first_failure = bool(current.counts.get('failed')) and not previous.counts.get('failed')
    complete = current.total is not None and done(current) >= current.total
    return first_failure or complete or known_runs(current) <= FEW_RUNS or seconds_since >= SECONDS_BETWEEN_LINES


def bar_cells(counts: Mapping[str, int], total: int, width: int) -> list[tuple[str, int]]:
    """How many of the ``width`` cells of a bar each state gets: in proportion, and at least one where there is room.

    Runs of the total that have no state are planned.
    """
    parts = [(state, number) for state, number in counts.items() if number]
    rest = total - sum(counts.values())
    parts += [('planned', rest)] if rest > 0 or not parts else []
    cells, left, runs_left = [], width, sum(number for _, number in parts)
    for index, (state, number) in enumerate(parts):
        kept_for_others = len(parts) - 1 - index
        exact = round(left * number / runs_left) if runs_left else left
        share = max(0, min(left - kept_for_others, max(1, exact)))
        cells.append((state, share))
        left, runs_left = left - share, runs_left - number
    return cells


def snapshot_counts(snapshot: Snapshot) -> str:
    """Numbers of runs by their state, of a whole search."""
    return counts_text(full_counts(snapshot))


def counts_text(counts: Mapping[str, int]) -> str:
    """Numbers of runs by their state: ``45 finished, 8 running, 64 in the queue``."""
    return ', '.join(f'{number} {state_text(state)}' for state, number in counts.items())


def state_text(state: str) -> str:
    """The state of a run, in words for people."""
    return _IN_WORDS.get(state, state)


def queue_texts(lines: Iterable[QueueLine]) -> list[str]:
    """What is in a queue: ``25 running``, ``950 pending (JobArrayTaskLimit)``."""
    ordered = merged_queue(lines)
    shown = ordered if len(ordered) <= QUEUE_PARTS else ordered[: QUEUE_PARTS - 1]
    texts = [f'{line.count} {line.state}' + (f' ({line.reason})' if line.reason else '') for line in shown]
    others = sum(line.count for line in ordered[len(shown) :])
    return [printable(text) for text in texts] + ([count_of(others, 'other')] if others else [])


def stuck_texts(lines: Iterable[QueueLine]) -> list[str]:
    """A sentence for each reason why some of the jobs will never start."""
    stuck = (line for line in merged_queue(lines) if line.is_stuck)
    return [
        printable(f'{_example_and_more(line)} will never start: {line.reason or "the queue does not say why"}')
        for line in stuck
    ]


def _example_and_more(line: QueueLine) -> str:
    return line.example if line.count == 1 else f'{line.example} and {line.count - 1} more'


def time_text(snapshot: Snapshot) -> str:
    """The elapsed time of a search and, where it can be estimated, the time left."""
    if snapshot.eta is None or not math.isfinite(snapshot.eta):
        return duration(snapshot.elapsed)
    return f'{duration(snapshot.elapsed)}, about {_roughly(snapshot.eta)} left'


def _roughly(seconds: float) -> str:
    """An estimated time span, without a second unit, which would suggest precision."""
    if 60 <= seconds < 3570:
        return f'{round(seconds / 60)} min'
    return duration(seconds)


def performance(snapshot: Snapshot) -> str:
    """The performance of the best run, with the name of what is measured; empty when there is none."""
    value = snapshot.best[2] if snapshot.best else ''
    return f'{snapshot.performance_key} {value}' if snapshot.performance_key else value


def gpu_parts(gpu: GpuLine, width: int | None) -> list[tuple[str, str]]:
    """The named parts of :func:`gpu_line`, in their order."""
    parts = {
        'name': f'GPU {gpu.name:<2}',
        'load': 'load   ?  ' if gpu.load is None else f'load {gpu.load * 100:3.0f} %',
        'memory': _memory_of(gpu),
        'own': count_of(gpu.own_runs, 'run ', 'runs'),
        'others': f'others {memory(gpu.others_memory)}' if gpu.others_memory else '',
        'age': f'read {duration(gpu.age)} ago' if gpu.age is not None and gpu.age >= OLD else '',
        'closed': f'closed: {printable(gpu.closed)}' if gpu.closed else '',
        'model': printable(gpu.model),
    }
    shown = {key: text for key, text in parts.items() if text}
    for key in ('model', 'others', 'own') if gpu.closed else ('model',):
        if width is not None and line_width(shown.values()) > width:
            shown.pop(key, None)
    return list(shown.items())


def line_width(texts: Iterable[str]) -> int:
    """The columns that texts take in one line, two apart."""
    return sum(len(text) + 2 for text in texts) - 2


def _memory_of(gpu: GpuLine) -> str:
    used = '?' if gpu.memory_used is None else f'{gpu.memory_used / 1024:.1f}'
    total = '?' if gpu.memory_total is None else f'{gpu.memory_total / 1024:.1f}'
    return f'{used:>5}/{total} GiB'.ljust(14)


def running_texts(runs: Sequence[RunLine], varying: Sequence[str] = (), key: str | None = None) -> list[str]:
    """One line for each run that is under way, aligned, with what it has reported and the parameters that vary.

    Args:
        runs: The runs.
        varying: Names of those parameters.
        key: The metric that is shown; where there is none of that name, the first.
    """
    cells = [
        (
            run.name,
            f'{duration(run.seconds):>11}',
            where_text(run),
            use_text(run.use),
            metric_text(run, key),
            params_text(run.params, varying),
        )
        for run in runs
    ]
    widths = [max(map(len, column)) for column in zip(*cells, strict=True)]
    shown = [[text.ljust(width) for text, width in zip(row, widths, strict=True) if width] for row in cells]
    return [printable('  '.join(row)).rstrip() for row in shown]


def where_text(run: RunLine) -> str:
    """Where a run is, and where else it should not be."""
    elsewhere = f'but uses GPU {",".join(run.use.elsewhere)}' if run.use.elsewhere else ''
    return ', '.join(filter(None, (run.where, elsewhere)))


def use_text(use: RunUse) -> str:
    """What a run uses: ``3.2 GiB, load 45 %, host 1.2 GiB, 3.1 cores``; empty: nothing is known."""
    measured = use.measured
    parts = [
        memory(use.memory) if use.memory else '',
        f'load {100 * measured.gpu_load:.0f} %' if measured.gpu_load is not None else '',
        f'host {memory(measured.host_memory)}' if measured.host_memory is not None else '',
        f'{measured.cpu:.1f} cores' if measured.cpu is not None else '',
    ]
    return ', '.join(filter(None, parts))


def metric_text(run: RunLine, key: str | None) -> str:
    """What a run has reported last: ``acc 0.71 at step 12``; empty: nothing."""
    name = key if key in run.metrics else next(iter(run.metrics), None)
    return '' if name is None or run.step is None else f'{name} {run.metrics[name]:.4g} at step {run.step:g}'


def _stalled(snapshot: Snapshot) -> bool:
    return bool(snapshot.waiting) and not any(snapshot.counts.get(state) for state in UNDER_WAY)


def _odd(snapshot: Snapshot) -> int:
    return sum(snapshot.counts.get(state, 0) for state in ('lost', 'interrupted', 'unknown'))


def _stuck(snapshot: Snapshot) -> int:
    return sum(line.count for line in snapshot.queue if line.is_stuck)
