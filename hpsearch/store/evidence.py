"""The one reader of the evidence of an attempt: the files it left, and its processes on this host."""

from __future__ import annotations

import os
from dataclasses import replace
from functools import cached_property

from hpsearch.host.processes import marked_processes, user_name
from hpsearch.model.evidence import Evidence, HostRelation, JobState, Liveness, ProcessState, QueueView
from hpsearch.model.states import Attempt
from hpsearch.store.attempt_files import Fence, exit_code, read_fence, read_line
from hpsearch.store.folder import AttemptPaths, SearchFolder


def read_files(paths: AttemptPaths, *, is_queued: bool, ident: str = '', job: QueueView | None = None) -> Evidence:
    """Read what an attempt left, as far as it matters: on a network file system each look-up is expensive.

    Args:
        paths: Its files.
        is_queued: Whether it is a job of its own in a queue.
        ident: What it writes into its start fence; empty: whatever is there is its own.
        job: What the queue says of its job; None: the queue was not polled.

    Raises:
        OSError: A file is there but cannot be read.
    """
    is_over = job is None or job.state in (JobState.ENDED, JobState.ABSENT) or job.is_missing
    code = exit_code(paths, is_due=is_over)
    if code is not None:
        signalled = read_line(paths.signalled) if is_queued else ''
        is_odd = is_queued and bool(signalled or code > 128)
        found = Evidence(code=code, signalled=signalled, has_started=True, is_queued=is_queued, job=job)
        return replace(found, is_requeued=is_odd and bool(read_line(paths.requeued)))
    if job is None:
        return _unasked(paths, read_fence(paths), is_queued, ident)
    is_requeued = job.state is not JobState.RUNNING and bool(read_line(paths.requeued))
    if not is_over:
        return Evidence(is_requeued=is_requeued, is_queued=True, job=job)
    found = _by_its_fence(read_fence(paths), ident)
    signalled = read_line(paths.signalled) if found.has_started else ''
    return replace(found, signalled=signalled, is_requeued=is_requeued, is_queued=True, job=job)


def _unasked(paths: AttemptPaths, fence: Fence, is_queued: bool, ident: str) -> Evidence:
    """The map of its submission may have been lost with the power: its fence says that it is a job as well."""
    is_queued = is_queued or bool(fence.job)
    found = _by_its_fence(fence, ident)
    is_requeued = is_queued and found.has_started and bool(read_line(paths.requeued))
    return replace(found, is_requeued=is_requeued, is_queued=is_queued)


def _by_its_fence(fence: Fence, ident: str) -> Evidence:
    has_started = bool(fence.ident) and not fence.is_closed and ident in ('', fence.ident)
    is_closed = bool(fence.ident) and not has_started
    return Evidence(has_started=has_started, is_closed=is_closed, fence_job='' if fence.job == '-' else fence.job)


class EvidenceReader:
    """Reads the evidence of attempts of other writers, once.

    Processes are listed once, when the first attempt needs it. So all writers must have been polled before: a writer
    that dies afterwards may have started an attempt that is not in the list.
    """

    def __init__(self, folder: SearchFolder) -> None:
        self._folder = folder

    def read(
        self, attempt: Attempt, writer: Liveness, host: HostRelation, user: str = '', job: QueueView | None = None
    ) -> Evidence:
        """All evidence of an attempt; nothing is read of one that its writer looks after.

        Args:
            attempt: As the journals have it.
            writer: What is known of the writer that owns it.
            host: How the host of that writer relates to ours.
            user: Whose processes that writer starts; empty: ours, as far as is known.
            job: What the queue says of its job; None: the queue was not polled.

        Raises:
            OSError: A file is there but cannot be read.
        """
        if writer is Liveness.ALIVE:
            return Evidence(writer=writer, host=host)
        paths = self._folder.attempt(attempt.run, attempt.number)
        found = replace(read_files(paths, is_queued=attempt.is_in_queue, job=job), writer=writer, host=host)
        is_over = found.code is not None or not found.has_started
        if found.is_queued or is_over or host is not HostRelation.SAME:
            return found
        process = self._process(attempt, user)
        # It may have ended after its record was read and before its processes were listed: the record comes first.
        return replace(found, process=process, code=exit_code(paths, is_due=True))

    def _process(self, attempt: Attempt, user: str) -> ProcessState:
        if not _can_see_processes_of(user):
            return ProcessState.UNKNOWN
        is_alive = (attempt.run, str(attempt.number)) in self._living
        return ProcessState.ALIVE if is_alive else ProcessState.GONE

    @cached_property
    def _living(self) -> frozenset[tuple[str, str]]:
        """Run and number of every attempt with a process on this host, also where that left its process group."""
        own = os.path.realpath(self._folder.path)
        found = marked_processes({}).values()
        return frozenset(
            (each.get('HPSEARCH_RUN', ''), each.get('HPSEARCH_ATTEMPT', ''))
            for each in found
            if 'HPSEARCH_DIR' in each and os.path.realpath(each['HPSEARCH_DIR']) == own
        )


def _can_see_processes_of(user: str) -> bool:
    """Whether this process may read the environment, and so the marks, of processes of a user."""
    return not user or os.geteuid() == 0 or user == user_name(os.geteuid())
