"""What is shown of attempts in a queue."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable

from hpsearch.backends.queue.arrays import QueuedAttempt
from hpsearch.backends.queue.poller import JobPoller
from hpsearch.model.jobs import JobState
from hpsearch.model.snapshot import QueueLine


def queue_lines(attempts: Iterable[QueuedAttempt], watch: JobPoller, refused: str) -> list[QueueLine]:
    """How many attempts are alike, the most frequent first.

    Args:
        attempts: All that are held.
        watch: Knows which of them are stuck.
        refused: Why those wait that are not in the queue yet.
    """
    counts: Counter[tuple[str, str, bool]] = Counter()
    examples: dict[tuple[str, str, bool], str] = {}
    for queued in attempts:
        key = (queued.status.kind.value, _reason(queued, refused), _is_stuck(queued, watch))
        counts[key] += 1
        examples.setdefault(key, queued.launch.run.name)
    return [QueueLine(*key[:2], count, examples[key], key[2]) for key, count in counts.most_common()]


def _reason(queued: QueuedAttempt, refused: str) -> str:
    if queued.status.kind is JobState.WAITING:
        return refused
    return '' if queued.status.kind is JobState.RUNNING else queued.status.detail


def _is_stuck(queued: QueuedAttempt, watch: JobPoller) -> bool:
    if queued.array is None or queued.status.kind is not JobState.PENDING:
        return False
    seen = watch.sight((queued.array.name, queued.index))[1]
    return seen is not None and seen.is_stuck
