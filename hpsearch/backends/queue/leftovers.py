"""Jobs of a search that are still in the queue although nothing needs them: they are cancelled, and waited for.

Such are the second job of a submission that was sent twice, jobs that the queue started again, and jobs that it did not
show for a while.
"""

from __future__ import annotations

import logging
import math
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from hpsearch.backends.queue.batch_system import CommandResult
from hpsearch.backends.queue.poller import is_ours
from hpsearch.backends.queue.submission import JobArray, QueueContext
from hpsearch.model.evidence import JobRecord, JobState
from hpsearch.model.history.search_state import SearchState
from hpsearch.model.history.submission import Submission
from hpsearch.model.states import ENDED
from hpsearch.model.units import count_of

log = logging.getLogger('hpsearch')

PATIENCE = 30.0
"""Seconds that a job which still runs may take to end by itself, once nothing needs it."""

LONGEST_WAIT = 600.0
"""Seconds that a process which has nothing else to do waits for such jobs to leave the queue."""


UNPROVEN = ('', 'lost', 'abandoned', 'requeued', 'host_dead', 'fenced')
"""Causes of ends, without an exit record, that the queue itself did not report."""


class Leftovers:
    """Finds and cancels the jobs of a search that nothing needs.

    Attributes:
        words: What may still be in the queue after the longest wait, in words; empty: nothing.

    Args:
        context: The search and its queue.
        state: What all journals say.
        arrays: The submissions whose elements this process looks after, by name, kept up to date.
    """

    def __init__(
        self, context: QueueContext, state: SearchState, arrays: Mapping[str, JobArray[Any]] | None = None
    ) -> None:
        self._context = context
        self._state = state
        self._arrays = {} if arrays is None else arrays
        self._is_thorough = False
        self._seen: dict[tuple[str, int], float] = {}
        self._since = math.inf
        self._cancelled_at: dict[str, float] = {}
        self.words = ''

    def be_thorough(self) -> None:
        """Look at the queue in any case: the search is being stopped."""
        self._is_thorough = True

    def reset(self) -> None:
        """There is work again."""
        self._since = math.inf

    def cancel(self, now: float, *, is_over: bool = False) -> list[JobRecord]:
        """Cancel what nothing needs, by the latest listing; returns these jobs.

        Args:
            now: Monotonic seconds.
            is_over: Whether the search is over, so that jobs that work on it by themselves are not needed either.
        """
        found = list(self._unneeded(is_over=is_over))
        self._seen = {(each.job, each.index): self._seen.get((each.job, each.index), now) for each in found}
        chosen: dict[str, list[int]] = defaultdict(list)
        for each in found:
            if each.kind is JobState.PENDING or now - self._seen[each.job, each.index] >= PATIENCE:
                chosen[each.job].append(each.index)
        for job, indices in chosen.items():
            if self._cancelled_at.get(job) != self._context.poller.listed_at:
                self._cancelled_at[job] = self._context.poller.listed_at
                self._cancel(job, indices)
        return found

    def is_clear(self, now: float) -> bool:
        """Whether no job of the search is left; to be asked again until it is so, when nothing else is left to do.

        Args:
            now: Monotonic seconds.
        """
        if self._since == math.inf:
            self._since = now
        if not self._may_be_left() or self._is_seen_to_be_clear(now):
            return True
        if now - self._since < LONGEST_WAIT:
            self._context.poller.poll_anyway()
            return False
        self.words = self.words or 'the queue cannot be asked whether it still has jobs of this search'
        return True

    def _is_seen_to_be_clear(self, now: float) -> bool:
        """Whether a listing that was requested after the end shows none."""
        if self._context.poller.listed_at < self._since:
            return False
        left = self.cancel(now, is_over=True)
        names = ', '.join(f'{each.job}_{each.index}' for each in left[:3])
        jobs = count_of(len(left), 'job of this search is', 'jobs of this search are')
        self.words = f'{jobs} still in the queue: {names}' if left else ''
        return not left

    def _may_be_left(self) -> bool:
        """Whether there is a job whose end neither itself nor the queue reported, or that may be a second one."""
        ours = self._ours()
        return any(self._is_thorough or each.pilots or not self._is_accounted_for(each) for each in ours)

    def _is_accounted_for(self, submission: Submission) -> bool:
        attempts = (self._state.attempt_of(*key) for key in submission.attempts)
        return submission.name not in self._context.resent and all(
            attempt is not None and (attempt.code is not None or attempt.cause not in UNPROVEN) for attempt in attempts
        )

    def _ours(self) -> list[Submission]:
        return [each for each in self._state.submissions.values() if each.queue == self._context.system.name]

    def _unneeded(self, *, is_over: bool) -> Iterator[JobRecord]:
        by_name = {each.name: each for each in self._ours()}
        by_job = {each.job: each for each in by_name.values() if each.job}
        for record in self._context.poller.records:
            submission = self._submission_of(record, by_name, by_job)
            if submission is not None and self._is_unneeded(submission, record, is_over=is_over):
                yield record

    def _submission_of(
        self, record: JobRecord, by_name: Mapping[str, Submission], by_job: Mapping[str, Submission]
    ) -> Submission | None:
        known = by_job.get(record.job)
        if known is not None and is_ours(record, known.name, known.at, self._context.wall()):
            return known
        return by_name.get(record.name)

    def _is_unneeded(self, submission: Submission, record: JobRecord, *, is_over: bool) -> bool:
        if record.kind is JobState.ENDED:
            return False
        if submission.pilots:
            return is_over
        if not 1 <= record.index <= len(submission.attempts):
            return False
        if self._is_held(submission, record):
            return False
        attempt = self._state.attempt_of(*submission.attempts[record.index - 1])
        return attempt is not None and attempt.state in ENDED

    def _is_held(self, submission: Submission, record: JobRecord) -> bool:
        """Whether this process looks after it, whatever others report of it."""
        array = self._arrays.get(submission.name)
        return array is not None and array.job == record.job and record.index in array.members

    def _cancel(self, job: str, indices: Sequence[int]) -> None:
        elements = count_of(len(indices), 'element')
        log.info('cancelling what nothing needs any more in the queue: %s of job %s', elements, job)
        argv = self._context.system.cancel_argv(job, indices, whole=False, force=False)
        self._context.runner.run(argv, self._receive)
        self._context.poller.poll_anyway()

    def _receive(self, answer: CommandResult) -> None:
        if problem := self._context.system.parse_cancel(answer):
            log.debug('jobs could not be cancelled yet: %s', problem)
