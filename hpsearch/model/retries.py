"""Whether a run that ended gets another attempt, why, with which resources, and in which places not. Pure."""

from __future__ import annotations

import math
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import takewhile
from typing import Any

from hpsearch.model.control.requests import RERUN_ON_REQUEST
from hpsearch.model.history.attempt import Attempt
from hpsearch.model.history.places import is_gpu, kind_of, place_in_words
from hpsearch.model.history.run_history import RunHistory
from hpsearch.model.logs import broken_gpu
from hpsearch.model.logs.out_of_memory import GPU_OOM, HOST_OOM
from hpsearch.model.resources import ResourceRequest
from hpsearch.model.states import CANCELLED, ON_REQUEST, TIMEOUT, YIELDED, State

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
        max_attempts: Attempts that may be lost before the run counts as lost; those on bad places are counted apart. So
            many in a row may reach a time limit without new output.
        retries: How often a failed run is run again.
        retry_failed: Whether a run that failed, was lost for good, or was given up since it got no further, gets one
            more attempt when a search is resumed.
        retry_timeouts: Whether a run that its job's time limit ended is run again, ``max_attempts`` times at most.
        requeues: Whether a run that made room for others waits again at once, not only when a search is resumed.
        retry_cancelled: Whether a run whose job was cancelled outside hpsearch is run again when a search is resumed.
            What ``hpsearch cancel`` has cancelled is asked for again before that.
        bad_places: Places that fail runs while others do not (:func:`bad_places`). What fails there is run elsewhere,
            ``max_attempts`` times at most, and does not count otherwise.
    """

    max_attempts: int = 3
    retries: int = 0
    retry_failed: bool = False
    retry_timeouts: bool = False
    retry_cancelled: bool = False
    requeues: bool = True
    bad_places: frozenset[str] = frozenset()


def why_again(history: RunHistory, policy: RetryPolicy, *, is_taken_up: bool = False) -> str:
    """Why a run that is not under way gets another attempt, or its first one, in words; empty: it does not.

    What users asked for comes before the policy.

    Args:
        history: Its attempts, and what was asked of it.
        policy: What counts.
        is_taken_up: See :func:`again`.
    """
    if history.is_cancelled or history.state is State.FINISHED:
        return ''
    if history.is_asked_for:
        return RERUN_ON_REQUEST
    return again(history.attempts, policy, is_taken_up=is_taken_up) if history.by_number else 'it was not started'


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
    if _is_left(last, policy, is_taken_up=is_taken_up):
        return ''
    is_stuck = last.cause == TIMEOUT and without_progress(attempts) >= policy.max_attempts
    if last.state is State.INTERRUPTED and not is_stuck:
        return f'interrupted ({last.reason})'
    ill_placed = [
        attempt for attempt in attempts if failed_there(attempt) and policy.bad_places.intersection(attempt.places)
    ]
    if last in ill_placed and len(ill_placed) < policy.max_attempts:
        place = place_in_words(max(policy.bad_places.intersection(last.places), key=is_gpu))
        return f'{last.state} on {place}, while others did not elsewhere ({last.reason})'
    counted = [attempt for attempt in attempts if attempt is last or attempt not in ill_placed]
    if last.state is State.LOST and _count(counted, State.LOST) < policy.max_attempts:
        return f'lost ({last.reason})'
    if last.state is State.FAILED and _may_fail_again(counted, policy):
        return f'failed ({last.reason})'
    if policy.retry_failed and is_taken_up and last.state in (State.FAILED, State.LOST, State.INTERRUPTED):
        return f'{last.state} ({last.reason}), and --retry_failed was given'
    return ''


def _is_left(last: Attempt, policy: RetryPolicy, *, is_taken_up: bool) -> bool:
    """Whether a run is not run again since somebody ended its job, or since it made room for others for good."""
    if last.cause == YIELDED:
        return not (policy.requeues or is_taken_up)
    return last.cause == CANCELLED and not (policy.retry_cancelled and is_taken_up)


def without_progress(attempts: Sequence[Attempt]) -> int:
    """How many of the last attempts of a run that reached a time limit left nothing new, since one that did."""
    at_limit = [attempt for attempt in attempts if attempt.cause == TIMEOUT]
    return sum(1 for _ in takewhile(lambda attempt: attempt.left_nothing, reversed(at_limit)))


def _may_fail_again(attempts: Sequence[Attempt], policy: RetryPolicy) -> bool:
    timeouts = sum(attempt.cause == TIMEOUT for attempt in attempts)
    if attempts[-1].cause == TIMEOUT:
        return policy.retry_timeouts and timeouts < policy.max_attempts
    return _count(attempts, State.FAILED) - timeouts <= policy.retries


def resources_for(attempts: Sequence[Attempt], *, packs: bool = False) -> ResourceRequest:
    """What the next attempt of a run needs, from the causes and facts of all earlier ones, in order.

    After running out of GPU memory: a GPU of its own; if it was alone there: a larger one. An attempt that *failed*
    for lack of memory was alone on the largest GPU; if it is run again nevertheless, it gets such a GPU. After running
    out of host memory: the machine for itself, or in a queue a job with more memory.

    Args:
        attempts: All its attempts.
        packs: Whether runs are placed by what each is expected to need. Then the first time that memory runs out only
            raises that: neither a GPU nor the machine is reserved before the second time, or where it *failed* for it.
    """
    in_queue = any(attempt.facts.get('in_queue') for attempt in attempts if attempt.cause == HOST_OOM)
    outgrown = [
        int(attempt.facts['gpu_total'])
        for attempt in attempts
        if attempt.cause == GPU_OOM and attempt.state is State.INTERRUPTED and _was_alone_on_a_known_gpu(attempt.facts)
    ]
    alone = _wants_all(attempts, GPU_OOM, packs=packs) and not in_queue
    alone_on_host = _wants_all(attempts, HOST_OOM, packs=packs) and not in_queue
    return ResourceRequest(alone, max(outgrown, default=None), alone_on_host, _memory(attempts))


def _wants_all(attempts: Sequence[Attempt], cause: str, *, packs: bool) -> bool:
    """Whether a run gets all there is of a memory that it ran out of."""
    times = [attempt for attempt in attempts if attempt.cause == cause]
    is_certain = len(times) > 1 or any(attempt.state is State.FAILED for attempt in times)
    return is_certain if packs else bool(times)


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


# Places

SECONDS_OF_A_BAD_PLACE = 30.0
"""Seconds within which a run fails whose place may be to blame: a prologue, a missing interpreter, a broken GPU."""

IN_A_ROW = 3
"""How many runs must fail at once in a row in a place before it counts as bad."""

BEYOND = 2.0
"""How many times as long as one that failed a run must have run elsewhere to show that it is well there."""

RECENT = 500
"""How many of the latest ends places are judged by."""

AVOIDED_SECONDS = 600.0
"""Seconds for which a bad place is avoided; if the first run fails there again, twice as long."""

LONGEST_AVOIDED = 4 * 3600.0
"""The same at most."""


def failed_there(attempt: Attempt) -> bool:
    """Whether its place may be to blame for how an attempt ended.

    It failed, or left nothing, within seconds; or it names a broken GPU, however late.
    """
    is_short = attempt.seconds is not None and attempt.seconds <= SECONDS_OF_A_BAD_PLACE
    is_failure = attempt.state in (State.FAILED, State.LOST) and attempt.cause in ('exit', 'lost')
    return is_failure and (is_short or names_broken_gpu(attempt)) and bool(attempt.places)


def names_broken_gpu(attempt: Attempt) -> bool:
    """Whether an attempt on a GPU failed with words that no script causes: then one such end is enough."""
    return any(map(is_gpu, attempt.places)) and broken_gpu.names_broken_gpu(f'{attempt.reason}\n{attempt.failure}')


def running_ages(running: Iterable[Attempt], now: float) -> dict[str, float]:
    """Place to how long, in seconds, an attempt has been running there; not known counts as long.

    Args:
        running: The attempts that are running.
        now: Wall-clock seconds.
    """
    ages: dict[str, float] = {}
    for attempt in running:
        age = math.inf if attempt.claimed_at is None or attempt.is_in_queue else now - attempt.claimed_at
        ages.update({place: max(age, ages.get(place, 0.0)) for place in attempt.places})
    return ages


def bad_places(
    ended: Sequence[Attempt],
    running: Mapping[str, float] | None = None,
    *,
    even_alone: bool = False,
    in_a_row: int = IN_A_ROW,
) -> Mapping[str, Sequence[Attempt]]:
    """The places where runs fail while they do not elsewhere, each with the attempts that failed there last.

    A place is bad if the last runs there failed, ``in_a_row`` of them or more or one that names a broken GPU, and
    another place is well. Runs that failed in a place that is well, too, do not count, nor do those that failed like
    one there, unless they name a broken GPU.

    Args:
        ended: The attempts that ended in known places, in order.
        running: Place to how long runs of the search have been running there, in seconds.
        even_alone: Whether a place may be bad if no other one is known.
        in_a_row: How many are enough.
    """
    recent = [*ended[-RECENT:]]
    failed = [attempt for attempt in recent if failed_there(attempt)]
    if not failed:
        return {}
    record = _Record(failed, _streaks(recent), _longest(_ages_at_their_stop(recent), running or {}), in_a_row)
    gpus = record.bad(filter(is_gpu, record.streaks), even_alone=even_alone)
    explained = {(attempt.run, attempt.number) for failed in gpus.values() for attempt in failed}
    nodes = record.bad((place for place in record.streaks if not is_gpu(place)), explained, even_alone=even_alone)
    return {**gpus, **nodes}


@dataclass(frozen=True, slots=True)
class _Record:
    """How attempts ended lately, and what is running.

    Attributes:
        failed: The attempts for whose failures places may be to blame, in order.
        streaks: Place to those that failed there since the last one that did not.
        ages: Place to how long an attempt has been running there, in seconds.
        in_a_row: How many that failed are enough.
    """

    failed: Sequence[Attempt]
    streaks: Mapping[str, Sequence[Attempt]]
    ages: Mapping[str, float]
    in_a_row: int

    def bad(
        self, places: Iterable[str], explained: Collection[tuple[str, int]] = (), *, even_alone: bool
    ) -> dict[str, Sequence[Attempt]]:
        """Those of the places that are bad; ``explained``: attempts (run, number) for which others are to blame."""
        found = {}
        for place in places:
            streak = [each for each in self.streaks[place] if (each.run, each.number) not in explained]
            if failed := self._held_against(place, streak, even_alone=even_alone):
                found[place] = failed
        return found

    def _held_against(self, place: str, streak: Sequence[Attempt], *, even_alone: bool) -> Sequence[Attempt]:
        """Those of the attempts that make the place bad; empty: it is not."""
        if not _is_enough(place, streak, self.in_a_row):
            return ()
        others = {each for each in (*self.streaks, *self.ages) if kind_of(each) == kind_of(place)} - {place}
        well = {each for each in others if self._is_well(each, streak)}
        own = _unlike_elsewhere(streak, self.failed, well)
        is_comparable = well or (even_alone and not others)
        return own if is_comparable and _is_enough(place, own, self.in_a_row) else ()

    def _is_well(self, place: str, failed: Sequence[Attempt]) -> bool:
        """Whether a place is well beside attempts that failed: one ended well there, or is running well beyond one.

        The shortest of those that failed counts, so that further ones do not change what is well.
        """
        streak = self.streaks.get(place)
        if streak is not None and not streak:
            return True
        short = [each.seconds for each in failed if each.seconds and each.seconds <= SECONDS_OF_A_BAD_PLACE]
        is_beyond = self.ages.get(place, -math.inf) > BEYOND * min(short, default=0.0)
        return is_beyond and not _is_enough(place, streak or (), self.in_a_row)


def _is_enough(place: str, failed: Sequence[Attempt], in_a_row: int) -> bool:
    return len(failed) >= in_a_row or (is_gpu(place) and any(map(names_broken_gpu, failed)))


def _streaks(ended: Sequence[Attempt]) -> dict[str, list[Attempt]]:
    """Place to the attempts that failed there since the last one that did not."""
    streaks: dict[str, list[Attempt]] = {}
    for attempt in ended:
        for place in attempt.places:
            if failed_there(attempt):
                streaks.setdefault(place, []).append(attempt)
            elif _was_well(attempt):
                streaks[place] = []
    return streaks


def _was_well(attempt: Attempt) -> bool:
    """Whether the end of an attempt shows that its place is well; one that was interrupted shows nothing.

    One that was stopped because of its metrics had some.
    """
    has_run = (attempt.seconds or 0.0) > SECONDS_OF_A_BAD_PLACE
    return attempt.state in (State.FINISHED, State.STOPPED) or (has_run and attempt.state is not State.INTERRUPTED)


def _ages_at_their_stop(ended: Sequence[Attempt]) -> dict[str, float]:
    """Place to how long a run had been running there, in seconds, when it was stopped on request."""
    stopped = (attempt for attempt in ended if attempt.cause in ON_REQUEST)
    return {place: attempt.seconds or 0.0 for attempt in stopped for place in attempt.places}


def _longest(one: Mapping[str, float], other: Mapping[str, float]) -> dict[str, float]:
    return {place: max(one.get(place, 0.0), other.get(place, 0.0)) for place in (*one, *other)}


def _unlike_elsewhere(failed: Sequence[Attempt], every: Sequence[Attempt], well: set[str]) -> list[Attempt]:
    """Those of the attempts whose run has not failed, nor one like it of all that failed, where all is well."""
    kinds = set(map(kind_of, well))
    elsewhere = [attempt for attempt in every if _is_within(attempt, well, kinds)] if well else []
    runs, failures = {attempt.run for attempt in elsewhere}, {attempt.failure for attempt in elsewhere} - {''}
    return [
        attempt
        for attempt in failed
        if names_broken_gpu(attempt) or (attempt.run not in runs and attempt.failure not in failures)
    ]


def _is_within(attempt: Attempt, well: set[str], kinds: set[str]) -> bool:
    """Whether all that could be to blame for an attempt, among places of these kinds, is well."""
    places = [place for place in attempt.places if kind_of(place) in kinds]
    return bool(places) and well.issuperset(places)


def avoided_until(failed: Sequence[float]) -> float:
    """Until when a place is avoided, in wall-clock seconds; what was under way meanwhile changes nothing.

    Args:
        failed: When attempts failed there, in order, from the one on that made the place bad.
    """
    until, seconds = -math.inf, AVOIDED_SECONDS / 2
    for at in failed:
        if at >= until:
            seconds = min(2 * seconds, LONGEST_AVOIDED)
            until = at + seconds
    return until


def since_bad(place: str, failed: Sequence[Attempt]) -> Sequence[Attempt]:
    """Of the attempts that failed in a bad place, those from the one on that made it bad."""
    ends = range(1, len(failed))
    return next((failed[end - 1 :] for end in ends if _is_enough(place, failed[:end], IN_A_ROW)), failed[-1:])


def why_avoided(failed: Sequence[Attempt]) -> str:
    """Why a bad place is avoided, in words: how the attempts that failed there ended."""
    runs = 'the last run' if len(failed) == 1 else f'the last {len(failed)} runs'
    return f'{runs} there failed ({failed[-1].reason}), and others elsewhere did not'
