"""Whether a run that ended gets another attempt, why, with which resources, and on which nodes not. Pure."""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from itertools import takewhile
from typing import Any

from hpsearch.model.logs.out_of_memory import GPU_OOM, HOST_OOM
from hpsearch.model.resources import ResourceRequest
from hpsearch.model.states import CANCELLED, TIMEOUT, Attempt, State

MORE_MEMORY = 1.5
"""Factor of memory for the next job of a run whose last one ran out of memory."""

OOM_LIMIT = 5
"""How often a run may run out of memory and be run again, however little room it had."""

WHOLE_JOB = 0.8
"""Share (0-1) of the time of its job, up to now, that an attempt must have used for a new job not to help it."""


CLOCK_SLACK = 5.0
"""Seconds by which what is known of the end of a job may be wrong."""


@dataclass(frozen=True, slots=True)
class RetryPolicy:
    """How often a run is tried.

    Attributes:
        max_attempts: Attempts that may be lost before the run counts as lost; those on bad nodes are counted apart. So
            many in a row may reach a time limit without new output.
        retries: How often a failed run is run again.
        retry_failed: Whether a run that failed, was lost for good, or was given up since it got no further, gets one
            more attempt when a search is resumed.
        retry_timeouts: Whether a run that its job's time limit ended is run again, ``max_attempts`` times at most.
        retry_cancelled: Whether a run whose job was cancelled outside hpsearch is run again when a search is resumed.
        bad_nodes: Nodes that fail runs within seconds while others do not (:func:`bad_nodes`). What fails there is run
            elsewhere, ``max_attempts`` times at most, and does not count otherwise.
    """

    max_attempts: int = 3
    retries: int = 0
    retry_failed: bool = False
    retry_timeouts: bool = False
    retry_cancelled: bool = False
    bad_nodes: frozenset[str] = frozenset()


def again(attempts: Sequence[Attempt], policy: RetryPolicy, *, is_taken_up: bool = False) -> str:
    """Why a run gets another attempt, in words; empty: it does not.

    Args:
        attempts: All its attempts, in order; the last has ended.
        policy: What counts.
        is_taken_up: Whether its last attempt ended before this search was resumed; ``retry_failed`` and
            ``retry_cancelled`` matter only then.
    """
    last = attempts[-1]
    if any(attempt.state is State.FINISHED for attempt in attempts):
        return ''
    if last.cause == CANCELLED and not (policy.retry_cancelled and is_taken_up):
        return ''
    is_stuck = last.cause == TIMEOUT and without_progress(attempts) >= policy.max_attempts
    if last.state is State.INTERRUPTED and not is_stuck:
        return f'interrupted ({last.reason})'
    ill_placed = [attempt for attempt in attempts if failed_at_once(attempt) and attempt.node in policy.bad_nodes]
    if last in ill_placed and len(ill_placed) < policy.max_attempts:
        return f'{last.state} on {last.node}, as other runs did ({last.reason})'
    counted = [attempt for attempt in attempts if attempt is last or attempt not in ill_placed]
    if last.state is State.LOST and _count(counted, State.LOST) < policy.max_attempts:
        return f'lost ({last.reason})'
    if last.state is State.FAILED and _may_fail_again(counted, policy):
        return f'failed ({last.reason})'
    if policy.retry_failed and is_taken_up and last.state in (State.FAILED, State.LOST, State.INTERRUPTED):
        return f'{last.state} ({last.reason}), and --retry_failed was given'
    return ''


def without_progress(attempts: Sequence[Attempt]) -> int:
    """How many of the last attempts of a run that reached a time limit left nothing new, since one that did."""
    at_limit = [attempt for attempt in attempts if attempt.cause == TIMEOUT]
    return sum(1 for _ in takewhile(lambda attempt: attempt.left_nothing, reversed(at_limit)))


def _may_fail_again(attempts: Sequence[Attempt], policy: RetryPolicy) -> bool:
    timeouts = sum(attempt.cause == TIMEOUT for attempt in attempts)
    if attempts[-1].cause == TIMEOUT:
        return policy.retry_timeouts and timeouts < policy.max_attempts
    return _count(attempts, State.FAILED) - timeouts <= policy.retries


def resources_for(attempts: Sequence[Attempt]) -> ResourceRequest:
    """What the next attempt of a run needs, from the causes and facts of all earlier ones, in order.

    After running out of GPU memory: a GPU of its own; if it was alone there: a larger one. An attempt that *failed*
    for lack of memory was alone on the largest GPU; if it is run again nevertheless, it gets such a GPU. After running
    out of host memory: the machine for itself, or in a queue a job with more memory.
    """
    causes = {attempt.cause for attempt in attempts}
    outgrown = [
        int(attempt.facts['gpu_total'])
        for attempt in attempts
        if attempt.cause == GPU_OOM and attempt.state is State.INTERRUPTED and _was_alone_on_a_known_gpu(attempt.facts)
    ]
    in_queue = any(attempt.facts.get('in_queue') for attempt in attempts if attempt.cause == HOST_OOM)
    alone_on_host = HOST_OOM in causes and not in_queue
    return ResourceRequest(
        GPU_OOM in causes and not in_queue, max(outgrown, default=None), alone_on_host, _memory(attempts)
    )


def _memory(attempts: Sequence[Attempt]) -> int | None:
    """MiB for the next job of a run whose jobs ran out of memory."""
    facts = [attempt.facts for attempt in attempts if attempt.cause == HOST_OOM and attempt.facts.get('memory_limit')]
    if not facts:
        return None
    more = math.ceil(MORE_MEMORY * max(int(fact['memory_limit']) for fact in facts))
    most = facts[-1].get('memory_most')
    return min(more, int(most)) if most else more


def _was_alone_on_a_known_gpu(facts: Mapping[str, Any]) -> bool:
    return bool(facts.get('was_alone')) and isinstance(facts.get('gpu_total'), int)


def had_most_room(oom: str, facts: Mapping[str, Any], earlier: Sequence[Attempt]) -> str:
    """Why there is no more room for an attempt that ran out of memory, in words; empty: there may be.

    Args:
        oom: ``gpu_oom`` or ``host_oom``; empty: it did not run out of memory.
        facts: What the slot source knows of its room.
        earlier: The attempts of its run before it.
    """
    if oom == HOST_OOM and facts.get('in_queue'):
        return _why_no_more_memory(facts)
    if oom == HOST_OOM and facts.get('alone_on_host'):
        return 'alone on this machine'
    if oom == GPU_OOM and facts.get('was_alone') and facts.get('largest'):
        # Where no GPU is assigned, only our own runs are known.
        return 'alone on the largest GPU' if facts.get('gpu_total') else 'with no other run of this search beside it'
    times = 1 + sum(attempt.cause == oom for attempt in earlier)
    if oom and times > OOM_LIMIT:
        return f'{times} times, wherever it was run'
    return ''


def room_in_queue(memory: int | None, most: int | None) -> dict[str, Any]:
    """The facts about the room of a job, which has its GPUs to itself.

    Args:
        memory: MiB it has; None: unknown.
        most: MiB that a later job of its run may have; None: there is no bound.
    """
    return {'was_alone': True, 'largest': True, 'in_queue': True, 'memory_limit': memory, 'memory_most': most}


def _why_no_more_memory(facts: Mapping[str, Any]) -> str:
    limit, most = facts.get('memory_limit'), facts.get('memory_most')
    if not limit:
        return 'and the memory limit of its job is not known, so it cannot be raised'
    return f'with {limit} MiB, the most it may have' if most and limit >= most else ''


def _count(attempts: Sequence[Attempt], state: State) -> int:
    return sum(attempt.state is state for attempt in attempts)


@dataclass(frozen=True, slots=True)
class JobTime:
    """The time of the job of a queue that a process is in, in monotonic seconds.

    Attributes:
        begin: When hpsearch began to work in it.
        end: When it reaches its time limit.
        margin: Seconds before its end at which the runs in it are ended; 0: not known.
        warns_early: Whether the signal that its end is near may come earlier than that.
    """

    begin: float
    end: float
    margin: float = 0.0
    warns_early: bool = False

    def was_whole(self, seconds: float, now: float) -> bool:
        """Whether an attempt that was ended with the job had nearly all its time, so that another gets it no further.

        What began later has not had it, nor what was ended long before the time limit.

        Args:
            seconds: How long it ran.
            now: When it ended.
        """
        whole, used = self.end - self.begin, now - self.begin
        is_near_its_end = used >= WHOLE_JOB * whole or self.end - now <= self.margin + CLOCK_SLACK
        return whole > 0 and is_near_its_end and seconds >= WHOLE_JOB * used


REMINDER = 60.0
"""Seconds until another message about the same problem, at least."""


class Pauses:
    """When something that failed is tried again: after pauses that double.

    Attributes:
        problem: Why it failed the last time, in words; empty: it did not.

    Args:
        first: Seconds of the first pause.
        longest: Seconds of the longest one.
    """

    def __init__(self, first: float, longest: float) -> None:
        self.problem = ''
        self._first = first
        self._longest = longest
        self._failures = 0
        self._since = self._until = self._remind_at = -math.inf

    def is_over(self, now: float) -> bool:
        """Whether it may be tried at ``now`` (monotonic seconds)."""
        return now >= self._until

    def fail(self, problem: str, now: float) -> bool:
        """It failed; returns whether that is worth a message: at first, and whenever it has lasted twice as long."""
        if problem != self.problem:
            self.succeed()
            self.problem, self._since = problem, now
        if self.is_over(now):
            self._until = now + min(self._longest, self._first * 2.0 ** min(self._failures, 30))
            self._failures += 1
        if now < self._remind_at:
            return False
        self._remind_at = now + max(REMINDER, now - self._since)
        return True

    def succeed(self) -> None:
        """It did not fail."""
        self.problem, self._failures = '', 0
        self._until = self._remind_at = -math.inf


# Nodes

SECONDS_OF_A_BAD_NODE = 30.0
"""Seconds within which a run fails whose node may be to blame: a prologue, a missing interpreter, a broken GPU."""

IN_A_ROW = 3
"""How many runs must fail at once in a row on a node before it counts as bad."""

RECENT = 500
"""How many of the latest ends nodes are judged by."""


def failed_at_once(attempt: Attempt) -> bool:
    """Whether an attempt failed, or left nothing, within seconds, on a node of a cluster that is known."""
    is_short = attempt.seconds is not None and attempt.seconds <= SECONDS_OF_A_BAD_NODE
    is_failure = attempt.state in (State.FAILED, State.LOST) and attempt.cause in ('exit', 'lost')
    return bool(attempt.node) and is_short and is_failure


def bad_nodes(
    ended: Sequence[Attempt], running: Collection[str] = (), *, even_alone: bool = False, in_a_row: int = IN_A_ROW
) -> Mapping[str, Sequence[Attempt]]:
    """The nodes on which runs fail at once while others do not, each with the attempts that failed at its end.

    A node is bad if the last runs there failed at once, ``in_a_row`` of them or more, and another node is well. Runs
    that failed at once on a node that is well, too, do not count, nor do those that failed like one there.

    Args:
        ended: The attempts that ended on known nodes, in order.
        running: Nodes on which runs of the search are running now.
        even_alone: Whether a node may be bad if no other one is known.
        in_a_row: How many are enough.
    """
    streaks = _streaks(ended[-RECENT:])
    well = {node for node, streak in streaks.items() if not streak}
    well |= {node for node in running if len(streaks.get(node, ())) < in_a_row}
    elsewhere = [attempt for attempt in ended[-RECENT:] if failed_at_once(attempt) and attempt.node in well]
    runs, failures = {attempt.run for attempt in elsewhere}, {attempt.failure for attempt in elsewhere} - {''}
    found = {}
    for node, streak in streaks.items():
        own = [attempt for attempt in streak if attempt.run not in runs and attempt.failure not in failures]
        others = (streaks.keys() | set(running)) - {node}
        if len(own) >= in_a_row and (others & well or (even_alone and not others)):
            found[node] = own
    return found


def _streaks(ended: Sequence[Attempt]) -> dict[str, list[Attempt]]:
    """Node to the attempts that failed at once since the last one that did not."""
    streaks: dict[str, list[Attempt]] = {}
    for attempt in ended:
        streak = streaks.setdefault(attempt.node, [])
        if failed_at_once(attempt):
            streak.append(attempt)
        elif attempt.state is not State.INTERRUPTED:
            streak.clear()
    return streaks
