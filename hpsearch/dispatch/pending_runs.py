"""The runs that wait to be started, and those that are not run again."""

from __future__ import annotations

import logging
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from itertools import islice
from typing import Protocol

from hpsearch.model.errors import SearchFolderError
from hpsearch.model.history.run_history import RunHistory
from hpsearch.model.history.search_state import SearchState
from hpsearch.model.resources import DEFAULT_RESOURCES, ResourceRequest
from hpsearch.model.retries import RetryPolicy, failed_there, resources_for, why_again
from hpsearch.model.run import Run
from hpsearch.model.states import ACTIVE, NEVER_STARTED, State
from hpsearch.store.folder import SearchFolder

log = logging.getLogger('hpsearch')


ENDLESS = 10_000
"""Runs that there is work for while nobody knows how many there will be."""


class RunSource(Protocol):
    """Where new runs come from; how many there will be need not be known in advance."""

    @property
    def total(self) -> int | None:
        """Number of runs of the search, as far as is known now, which may grow; None: it is not known."""

    @property
    def is_exhausted(self) -> bool:
        """Whether there will never be another run."""

    @property
    def is_ready(self) -> bool | None:
        """Whether :meth:`next` may have a run now; None: that is for it to say, since asking it decides nothing."""

    def next(self) -> Run | None:
        """The next run; None: there is none now, which is final only where the source is exhausted."""


class PlannedRuns:
    """Runs that were all planned in advance, read from the plan only when they are needed.

    Args:
        runs: Those to be started, in order; when the plan could not be read, they are iterated again, from there.
        total: Number of runs of the search, those that are not to be started included.
    """

    def __init__(self, runs: Iterable[Run], total: int) -> None:
        self._source = runs
        self._runs = iter(runs)
        self.total: int | None = total
        self.is_exhausted = False
        self.is_ready: bool | None = None

    def next(self) -> Run | None:
        """The next run of the plan.

        Raises:
            OSError: It cannot be read now.
            SearchFolderError: It is not there, or may not be read now.
        """
        try:
            run = next(self._runs, None)
        except (OSError, SearchFolderError):
            self._runs = iter(self._source)
            raise
        self.is_exhausted = run is None
        return run


class NoMoreRuns:
    """A source that gives no more runs.

    Args:
        before: The source that it replaces.
    """

    is_exhausted = True
    is_ready: bool | None = False

    def __init__(self, before: RunSource) -> None:
        self._before = before

    @property
    def total(self) -> int | None:
        """Number of runs of the search."""
        return self._before.total

    def next(self) -> Run | None:
        """There is none."""
        return None


class PendingRuns:
    """The runs that wait.

    Runs that need more room than others are kept apart, so that the others do not wait for them. Another writer may be
    faster with any of them.

    Attributes:
        given_up: Runs that ended without success and are not run again.
        packs: Whether runs are placed by what each of them is expected to need.

    Args:
        counts: Number of runs in each state, kept up to date.
        policy: Which are run again.
        find: Finds a run that was given up before, by its name.
    """

    def __init__(
        self,
        source: RunSource,
        state: SearchState,
        counts: Mapping[State, int],
        policy: RetryPolicy,
        given_up: Iterable[str] = (),
        find: Callable[[str], Run | None] = lambda name: None,
    ) -> None:
        self.given_up = set(given_up)
        self.packs = False
        self._source = source
        self._state = state
        self._counts = counts
        self._policy = policy
        self._find = find
        self._returned: deque[Run] = deque()
        self._ahead: deque[Run] = deque()
        self._demanding: list[Run] = []
        self._ended_for_good: dict[str, Run] = {}
        self._held: set[str] = set()
        self._is_closed = False
        self._has_enough = False

    def __bool__(self) -> bool:
        """Whether a run can be taken now."""
        return not self._is_closed and (self.has_ordinary or bool(self.demanding))

    @property
    def is_exhausted(self) -> bool:
        """Whether no run waits and the source gives no other."""
        return not self and (self._is_closed or self._source.is_exhausted)

    @property
    def total(self) -> int | None:
        """Number of runs of the search, as far as is known now; None: it is not known."""
        return self._source.total

    @property
    def waiting(self) -> int:
        """How many runs wait to be started, those that are run again included, as far as is known."""
        known = sum(self._counts.values()) if self.total is None else self.total
        done_or_under_way = sum(self._counts.get(state, 0) for state in (*ACTIVE, State.FINISHED))
        return max(0, known - done_or_under_way - len(self.given_up))

    @property
    def wanted(self) -> int:
        """How many runs there is work for: those that wait, or where there is no end of them, very many."""
        is_open = self.total is None and not self.is_exhausted
        return max(self.waiting, ENDLESS) if is_open else self.waiting

    def close(self) -> None:
        """Give no more runs: the search is being stopped."""
        self._is_closed = True

    def have_enough(self) -> None:
        """Give only those that users ask for from now on: the search needs no more.

        Raises:
            OSError: One of them cannot be read now; to be called again.
        """
        asked_for = [self._find(history.name) for history in self._state.wanted if history.is_asked_for]
        self._source, self._has_enough = NoMoreRuns(self._source), True
        for run in filter(None, asked_for):
            self.plan_again(run)

    # Runs that can be anywhere

    @property
    def has_ordinary(self) -> bool:
        """Whether there is, or may be, a run now that needs no more room than others."""
        is_ready = self._source.is_ready
        run = self._take(may_decide=is_ready is None)
        if run is not None:
            self.put_first(run)
        return run is not None or (bool(is_ready) and not self._source.is_exhausted)

    def take(self) -> Run | None:
        """The next run that needs no more room than others, or None when there is none now."""
        return self._take(may_decide=True)

    def waiting_runs(self, most: int) -> Sequence[Run]:
        """The first runs that wait, ``most`` of them beside those that need more room; no sampler is asked for any."""
        self._returned, self._ahead = (
            deque(filter(self._waits, self._returned)),
            deque(filter(self._waits, self._ahead)),
        )
        while self._source.is_ready is None and len(self._returned) + len(self._ahead) < most:
            run = self._from_source()
            if run is None:
                break
            if self._waits(run):
                self._ahead.append(run)
        return () if self._is_closed else _each_once((*self.demanding, *self._returned, *self._ahead))

    @property
    def may_choose(self) -> bool:
        """Whether a sampler may choose another run now; it is asked only once there is room for one."""
        return not self._is_closed and bool(self._source.is_ready) and not self._source.is_exhausted

    def choose(self) -> bool:
        """Let the sampler choose another run, which waits from then on; returns whether it did."""
        while self.may_choose and (run := self._from_source()) is not None:
            if self._is_needed(run):
                if not self._is_set_aside(run):
                    self._ahead.append(run)
                return True
        return False

    def take_named(self, name: str) -> Run | None:
        """Take one of the runs that wait; None: it does not wait any more."""
        for runs in (self._demanding, self._returned, self._ahead):
            found = next((run for run in runs if run.name == name), None)
            if found is not None:
                runs.remove(found)
                return found
        return None

    def _take(self, *, may_decide: bool) -> Run | None:
        while (run := self._next(may_decide=may_decide)) is not None:
            if self._waits(run):
                return run
        return None

    def _next(self, *, may_decide: bool) -> Run | None:
        for runs in (self._returned, self._ahead):
            if runs:
                return runs.popleft()
        return self._from_source() if may_decide else None

    def _from_source(self) -> Run | None:
        run = None if self._source.is_exhausted else self._source.next()
        if run is not None and self._state.state_of(run.name) is State.STOPPED:
            self._ended_for_good.pop(run.name, None)  # it was promoted
            self.given_up.discard(run.name)
        return run

    def hold(self, run: Run) -> None:
        """An attempt of a run is ours and under way: whatever others report of it, the run does not wait."""
        self._held.add(run.name)

    def release(self, run: Run) -> None:
        """An attempt of a run is not ours any more; now it counts how it ended."""
        self._held.discard(run.name)
        self.plan_again(run)

    def _is_needed(self, run: Run) -> bool:
        if run.name in self._held:
            return False
        history = self._state.runs.get(run.name)
        is_wanted = history is None or not (history.is_cancelled or history.state in (*ACTIVE, State.FINISHED))
        return is_wanted and self._is_worth(history) and run.name not in self._ended_for_good

    def _is_worth(self, history: RunHistory | None) -> bool:
        """Whether a run is worth another attempt: once the search needs no more, only because a user asks for it."""
        return not self._has_enough or (history is not None and history.is_asked_for)

    def _waits(self, run: Run) -> bool:
        """Whether a run is to be started and needs no more room than others; one that does is set aside."""
        return self._is_needed(run) and not self._is_set_aside(run)

    def put_first(self, run: Run) -> None:
        """Give back a run that was taken but not started."""
        self._returned.appendleft(run)

    # Runs that need more room

    @property
    def demanding(self) -> Sequence[Run]:
        """The runs that need more room than others, as far as they are known."""
        self._demanding = _each_once(run for run in self._demanding if self._is_needed(run))
        return tuple(self._demanding)

    def take_demanding(self, run: Run) -> None:
        """Take one of them."""
        self._demanding.remove(run)

    def resources(self, run: Run) -> ResourceRequest:
        """What a run needs beyond what every run gets."""
        history = self._state.runs.get(run.name)
        return resources_for(history.attempts, packs=self.packs) if history else DEFAULT_RESOURCES

    def _is_set_aside(self, run: Run) -> bool:
        if self.resources(run) == DEFAULT_RESOURCES:
            return False
        self._demanding.append(run)
        return True

    # Runs that have ended

    def plan_again(self, run: Run) -> None:
        """An attempt of a run has ended, or something was asked of it: let it wait again, if that is to be.

        It may be there twice then, as where the source has not come to it yet: after its first start it is passed over.
        """
        history = self._state.runs[run.name]
        if history.state in ACTIVE or run.name in self._state.withdrawn or run.name in self._held:
            return
        why = why_again(history, self._policy)
        self.given_up.discard(run.name)
        self._ended_for_good.pop(run.name, None)
        if why and not self._is_closed and self._is_worth(history):
            has_begun = history.last is None or history.last.cause not in NEVER_STARTED
            log.log(logging.INFO if has_begun else logging.DEBUG, '%s is planned again: %s', run.name, why)
            if not self._is_set_aside(run):
                self._returned.append(run)
        elif not why:
            self._ended_for_good[run.name] = run
            if history.state is not State.FINISHED:
                self.given_up.add(run.name)

    def note_bad_places(self, places: frozenset[str]) -> None:
        """Runs that failed in places that turned out to be bad wait again, to be run elsewhere.

        Raises:
            OSError: The plan cannot be read now; nothing has happened yet.
        """
        new = places - self._policy.bad_places
        moved = [self._ended_for_good.get(name) or self._find(name) for name in self._failed_in(new)]
        if places != self._policy.bad_places:
            self._policy = replace(self._policy, bad_places=places)
        for run in filter(None, moved):
            self.plan_again(run)

    def _failed_in(self, places: frozenset[str]) -> list[str]:
        """The runs that are not run again and that failed in places that may be to blame."""
        last = {name: self._state.runs[name].last for name in self.given_up} if places else {}
        return [name for name, each in last.items() if each and failed_there(each) and places.intersection(each.places)]


def _each_once(runs: Iterable[Run]) -> list[Run]:
    return list({run.name: run for run in runs}.values())


# A search that is resumed


class RunsToStart:
    """The runs of the plan that are wanted, have not finished and are not under way, in order.

    Each iteration continues where the last one ended.
    """

    def __init__(self, folder: SearchFolder, state: SearchState, policy: RetryPolicy) -> None:
        self._folder = folder
        self._state = state
        self._policy = policy
        self._passed = 0

    def __iter__(self) -> Iterator[Run]:
        for run in islice(self._folder.read_runs(), self._passed, None):
            self._passed += 1
            if run.name not in self._state.withdrawn and needs_a_start(self._state.runs.get(run.name), self._policy):
                yield run


def runs_given_up(state: SearchState, policy: RetryPolicy) -> Iterator[str]:
    """The runs that ended without success and are not run again."""
    for history in state.wanted:
        if history.state not in (*ACTIVE, State.FINISHED) and not needs_a_start(history, policy):
            yield history.name


def needs_a_start(history: RunHistory | None, policy: RetryPolicy) -> bool:
    """Whether a run is to be started by a search that is resumed; ``history``: its attempts, None: there are none."""
    if history is None:
        return True
    return history.state not in ACTIVE and bool(why_again(history, policy, is_taken_up=True))
