"""How far the work on a search is stopped, and why: signals, other writers, a refusing queue, runs that all fail."""

from __future__ import annotations

import math
from collections.abc import Collection
from enum import IntEnum

from hpsearch.backends.base import Silence
from hpsearch.dispatch.context import WorkOptions
from hpsearch.host.signals import StopRequests
from hpsearch.model.history.places import is_gpu
from hpsearch.model.run import Run
from hpsearch.model.states import State
from hpsearch.model.verdict import same_failure
from hpsearch.store.completion import Completion

FAILED_ALIKE = 'the first runs all failed alike'

ANSWER_PATIENCE = 10.0
"""Seconds that a queue may owe an answer when the grace of its jobs is over, at most as long as that grace."""

SHORT_PATIENCE = 3.0
"""The same as soon as the user has asked twice to stop."""


class Stop(IntEnum):
    """How far a stop has gone."""

    NO = 0
    DRAIN = 1
    """No more runs are started; those that run may end."""
    TERM = 2
    """Runs were asked to end."""
    KILL = 3
    """Runs were killed."""


class FailFast:
    """Decides whether the first ``limit`` attempts all fail alike (0: never).

    Attributes:
        signature: What they failed with; empty: they did not, or not yet.
        example: The first run that failed, or None.
    """

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._ends: list[tuple[str | None, Collection[str]]] = []
        self._is_decided = False
        self.signature = ''
        self.example: Run | None = None

    @property
    def gpus(self) -> set[str]:
        """The GPUs on which attempts have ended, as places."""
        return {place for _, places in self._ends for place in places if is_gpu(place)}

    def is_met_by(self, failure: str | None, run: Run, places: Collection[str] = ()) -> bool:
        """Take in one more end: what it failed with (None: it did not fail), and which places may be to blame."""
        if not self._is_decided:
            self._ends.append((failure, places))
            self.example = self.example or (run if failure is not None else None)
        return self.is_met()

    def is_met(self, indispensable: Collection[str] = ()) -> bool:
        """Whether it is certain now, and was not before; ``indispensable``: places whose failures count alone."""
        signature = None if self._is_decided else same_failure(self._ends, self._limit, indispensable)
        if signature is None:
            return False
        self._is_decided, self.signature = True, signature
        return bool(signature)


class Shutdown:
    """Decides how far the work is to be stopped; what a stage means is carried out by the loop.

    Attributes:
        done: How far the stop has gone.
        why: Why, in words.
        refused: Why a queue refuses jobs for good, in its own words, or empty.
        silence: Why a queue that was given up does not answer, in its own words, or empty.
        fail_fast: Whether the first runs failed alike.
    """

    def __init__(self, requests: StopRequests, options: WorkOptions) -> None:
        self.done = Stop.NO
        self.why = ''
        self.refused = ''
        self.silence = ''
        self.fail_fast = FailFast(options.fail_fast)
        self._requests = requests
        self._options = options
        self._asked = Stop.NO
        self._kill_at = self._leave_at = math.inf

    @property
    def has_begun(self) -> bool:
        """Whether a stage was carried out."""
        return self.done is not Stop.NO

    @property
    def is_draining(self) -> bool:
        """Whether those that run may end."""
        return self.done is Stop.DRAIN

    @property
    def is_asked_for(self) -> bool:
        """Whether nothing may be started any more."""
        return self._asked is not Stop.NO

    @property
    def leaves_jobs(self) -> bool:
        """Whether to leave while jobs go on in a queue."""
        return self._requests.leaves

    def gives_up(self, now: float, silence: Silence | None) -> bool:
        """Whether not to wait any longer until a queue has ended its jobs.

        After one request that is when their grace is over and the queue does not answer, after two when it does not
        answer or another grace is over, after three at once.

        Args:
            now: Monotonic seconds.
            silence: The answer that the queue owes, or None.
        """
        if not self._options.in_queue or self.done < Stop.TERM:
            return False
        has_asked_twice = self._requests.stops > 1
        patience = min(SHORT_PATIENCE if has_asked_twice else ANSWER_PATIENCE, self._options.stop_grace)
        is_silent = silence is not None and silence.is_long(now, patience)
        self.silence = silence.reason if silence is not None and is_silent else ''
        if self._requests.stops > 2 or now >= self._leave_at:
            return True
        return is_silent and (has_asked_twice or now >= self._kill_at)

    def request(self, stop: Stop, why: str) -> None:
        """Ask for a stop; what goes no further than what was asked for before changes nothing."""
        if stop > self._asked:
            self._asked, self.why = stop, why

    def refuse(self, words: str) -> None:
        """A queue accepts no jobs any more, in its own words."""
        if not self.refused:
            self.refused = words
            self.request(Stop.DRAIN, words)

    def note_end(self, completion: Completion, places: Collection[str] = ()) -> None:
        """An attempt ended: stop where a queue refused it, or where the first ones all failed alike.

        Args:
            completion: How.
            places: What may be to blame (:attr:`hpsearch.model.history.attempt.Attempt.places`).
        """
        if completion.report.cause == 'refused':
            self.refuse(completion.report.detail)
        has_ended = completion.verdict.state is not State.INTERRUPTED
        # In a job of its own a process is on one node for good.
        to_blame = [place for place in places if self._options.in_queue or is_gpu(place)]
        if has_ended and self.fail_fast.is_met_by(completion.failure, completion.run, to_blame):
            self.request(Stop.TERM, FAILED_ALIKE)

    def note_places(self, bad: Collection[str], indispensable: Collection[str], suspects: Collection[str] = ()) -> None:
        """Places in which runs fail while they do not elsewhere are known.

        Args:
            bad: The places.
            indispensable: Those of them that no run can do without.
            suspects: Those that may turn out to be such a place. Of GPUs, what failed on any other counts by itself.
        """
        if self._options.node in bad and self._options.node not in indispensable:
            self.request(Stop.DRAIN, f'runs fail within seconds on this node, {self._options.node}, and not on others')
        if self.fail_fast.is_met({*indispensable, *self.fail_fast.gpus.difference(suspects)}):
            self.request(Stop.TERM, FAILED_ALIKE)

    def due(self, now: float) -> list[Stop]:
        """The stages that are to be carried out now, in order; they count as done from now on."""
        if self._requests.is_near_limit:
            self.request(self._stop_before_limit(now), self._options.stop_reason)
        if self._requests.stops:
            self.request(Stop.KILL if self._requests.stops > 1 else Stop.TERM, self._options.stop_reason)
        if self.done is Stop.TERM and now >= self._kill_at:
            self.request(Stop.KILL, self.why)
        stages = [stop for stop in Stop if self.done < stop <= self._asked]
        if Stop.TERM in stages:
            self._kill_at = now + self._options.stop_grace
        if self._requests.stops > 1 and self._leave_at == math.inf:
            self._leave_at = now + self._options.stop_grace
        self.done = max(self.done, self._asked)
        # Draining is a stage of its own only where it is the last one.
        return [stop for stop in stages if stop is not Stop.DRAIN or self.done is Stop.DRAIN]

    def _stop_before_limit(self, now: float) -> Stop:
        """Where a signal may be early, runs go on until there is just enough time left to end them."""
        job_time = self._options.job_time
        is_early = job_time is not None and job_time.warns_early and now < job_time.end - job_time.margin
        return Stop.DRAIN if is_early else Stop.TERM
