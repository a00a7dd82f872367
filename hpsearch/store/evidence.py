"""The one reader of the evidence of an attempt: the files it left, and its processes on this host."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import cached_property
from typing import Any

from hpsearch.host.processes import Process, can_read_processes_of, presence, sessions, start_ticks
from hpsearch.model.evidence import Evidence, HostRelation, JobState, Liveness, ProcessState, QueueView
from hpsearch.model.history.attempt import Attempt
from hpsearch.model.states import State
from hpsearch.store.attempt_files import CLOSED, Fence, attempt_processes, exit_code, read_fence, read_line
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
    has_started = fence.is_passed and ident in ('', fence.ident)
    is_closed = bool(fence.ident) and not has_started and fence.ident != f'{ident}{CLOSED}'
    job = '' if fence.job == '-' else fence.job
    return Evidence(has_started=has_started, is_closed=is_closed, fence_job=job, fence_host=fence.host)


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
        if found.is_queued or found.is_closed or found.code is not None:
            return found
        is_here = host is HostRelation.SAME
        process = self._process(attempt, read_fence(paths), user) if is_here else ProcessState.UNKNOWN
        # A fence may be missing because somebody removed it: what runs, or may run, has started all the same.
        may_run = host in (HostRelation.SAME, HostRelation.OTHER) and process is not ProcessState.GONE
        has_started = found.has_started or process is ProcessState.ALIVE or (may_run and attempt.state is State.RUNNING)
        # It may have ended after its record was read and before its processes were listed: the record comes first.
        code = exit_code(paths, is_due=True) if is_here else None
        return replace(found, process=process, has_started=has_started, code=code)

    def _process(self, attempt: Attempt, fence: Fence, user: str) -> ProcessState:
        """Its processes: by their marks; by the pid and start time of its sh; by the session that sh led."""
        if (attempt.run, str(attempt.number)) in self._living.values():
            return ProcessState.ALIVE
        shells = _shells(attempt, fence)
        found = {presence(shell.pid, shell.ticks) for shell in shells}
        if not can_read_processes_of(user) or ProcessState.UNKNOWN in found:
            return ProcessState.UNKNOWN
        if ProcessState.ALIVE in found:
            return ProcessState.ALIVE
        return ProcessState.UNKNOWN if any(map(self._may_have_left, shells)) else ProcessState.GONE

    def _may_have_left(self, shell: Process) -> bool:
        """Whether processes without marks may be an attempt's: they are in the session of its sh, which is gone."""
        return shell.pid in self._sessions and not start_ticks(shell.pid)

    def handle(self, attempt: Attempt) -> Mapping[str, Any]:
        """What a backend finds an attempt by; empty: nothing is known.

        The sh that passed the fence is the one that runs: one before it, which the journal has, may not have got that
        far. Where both are missing, the oldest process with its marks stands for it.

        Raises:
            OSError: The fence is there but cannot be read.
        """
        fence = read_fence(self._folder.attempt(attempt.run, attempt.number))
        shell = Process(fence.pid, fence.ticks) if fence.pid and not attempt.is_in_queue else None
        if shell is None and attempt.handle:
            return dict(attempt.handle)
        own = [process for process, key in self._living.items() if key == (attempt.run, str(attempt.number))]
        found = shell or min(own, key=lambda each: each.started, default=None)
        return {'pid': found.pid, 'ticks': found.ticks} if found else {}

    @cached_property
    def _living(self) -> Mapping[Process, tuple[str, str]]:
        return attempt_processes(self._folder)

    @cached_property
    def _sessions(self) -> Mapping[int, Sequence[Process]]:
        return sessions()


def _shells(attempt: Attempt, fence: Fence) -> list[Process]:
    """The sh of an attempt, as its writer and as the sh itself noted it."""
    noted = attempt.handle or {}
    shells = [Process(int(noted.get('pid', 0)), str(noted.get('ticks', ''))), Process(fence.pid, fence.ticks)]
    return [shell for shell in shells if shell.pid]
