"""What attempts in a queue leave on disk: hints, fences, records."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from hpsearch.backends.base import JobState
from hpsearch.backends.queue.queue_evidence import QueueView, Traces
from hpsearch.store.attempt_files import exit_code, read_fence, read_line
from hpsearch.store.folder import AttemptPaths

if TYPE_CHECKING:
    from hpsearch.backends.queue.arrays import AttemptArray


def read_hints(array: AttemptArray, path: str) -> list[int]:
    """Indices that were appended to the hints of an array since the last time; a line that is not whole waits."""
    try:
        if os.stat(path).st_size == array.hints:
            return []
        with open(path, 'rb') as hints:
            hints.seek(array.hints)
            data = hints.read()
    except OSError:
        return []  # no element has ended yet
    whole = data[: data.rfind(b'\n') + 1]
    array.hints += len(whole)
    return [int(word) for word in whole.split() if word.isdigit() and len(word) < 10]


def read_traces(paths: AttemptPaths, ident: str, job: QueueView, log: str) -> Traces:
    """What an attempt left, as far as it matters: a look at a file on a network is dear.

    Args:
        paths: Its files.
        ident: Its id.
        job: What the queue says of it.
        log: The file with the queue's own messages.

    Raises:
        OSError: Something is there but cannot be read.
    """
    code = exit_code(paths)
    signalled = read_line(paths.signalled) if code is not None else ''
    is_odd = job.kind is not JobState.RUNNING if code is None else bool(signalled or code > 128)
    is_requeued = is_odd and bool(read_line(paths.requeued))
    if code is not None or not (job.kind in (JobState.ENDED, JobState.ABSENT) or job.is_missing):
        return Traces(code, signalled, is_requeued)
    fence = read_fence(paths)
    return Traces(
        signalled=read_line(paths.signalled) if fence.ident == ident else '',
        is_requeued=is_requeued,
        has_started=fence.ident == ident,
        is_closed=fence.ident not in ('', ident),
        job='' if fence.job == '-' else fence.job,
        log=log,
    )


def fence_job(paths: AttemptPaths) -> str:
    """The job whose script passed the start fence of an attempt; empty: none did, or it is not told.

    Raises:
        OSError: The fence cannot be read.
    """
    job = read_fence(paths).job
    return '' if job == '-' else job
