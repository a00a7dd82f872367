"""The runs that wait to be started, and those that will not be."""

from __future__ import annotations

import logging
from collections import deque
from collections.abc import Iterable, Iterator, Sequence

from hpsearch.model.resources import DEFAULT_RESOURCES, ResourceRequest
from hpsearch.model.retries import RetryPolicy, again, resources_for
from hpsearch.model.run import Run
from hpsearch.model.states import ACTIVE, SearchState, State
from hpsearch.store.completion import NEVER_STARTED

log = logging.getLogger('hpsearch')


class PendingRuns:
    """The runs that wait, read from the plan only when they are needed.

    Runs that need more room than others are kept apart, so that the others do not wait for them. Another writer may be
    faster with any of them.

    Attributes:
        given_up: Runs that ended without success and are not run again.

    Args:
        runs: Planned runs, in their order.
        state: What has become of them so far.
        policy: Which are run again.
        given_up: See above.
    """

    def __init__(self, runs: Iterable[Run], state: SearchState, policy: RetryPolicy, given_up: Iterable[str]) -> None:
        self.given_up = set(given_up)
        self._runs: Iterator[Run] = iter(runs)
        self._state = state
        self._policy = policy
        self._returned: deque[Run] = deque()
        self._demanding: list[Run] = []
        self._ended_for_good: set[str] = set()
        self._is_over = False

    def __bool__(self) -> bool:
        return self.has_ordinary or bool(self.demanding)

    # Runs that can be anywhere

    @property
    def has_ordinary(self) -> bool:
        """Whether there is a run that needs no more room than others."""
        run = self.take()
        if run is not None:
            self.put_first(run)
        return run is not None

    def take(self) -> Run | None:
        """The next run that needs no more room than others, or None when there is none."""
        while (run := self._next()) is not None:
            if self._is_needed(run) and not self._is_set_aside(run):
                return run
        return None

    def _next(self) -> Run | None:
        if self._returned:
            return self._returned.popleft()
        run = None if self._is_over else next(self._runs, None)
        self._is_over = run is None
        return run

    def _is_needed(self, run: Run) -> bool:
        return run.name not in self._ended_for_good and self._state.state_of(run.name) not in (*ACTIVE, State.FINISHED)

    def put_first(self, run: Run) -> None:
        """Give back a run that was taken but not started."""
        self._returned.appendleft(run)

    # Runs that need more room

    @property
    def demanding(self) -> Sequence[Run]:
        """The runs that need more room than others, as far as they have been come across."""
        self._demanding = [run for run in self._demanding if self._is_needed(run)]
        return tuple(self._demanding)

    def take_demanding(self, run: Run) -> None:
        """Take one of them."""
        self._demanding.remove(run)

    def resources(self, run: Run) -> ResourceRequest:
        """What a run needs beyond what every run gets."""
        history = self._state.runs.get(run.name)
        return resources_for(history.attempts) if history else DEFAULT_RESOURCES

    def _is_set_aside(self, run: Run) -> bool:
        if self.resources(run) == DEFAULT_RESOURCES:
            return False
        self._demanding.append(run)
        return True

    # Runs that have ended

    def plan_again(self, run: Run, *, may_start: bool) -> None:
        """An attempt of a run has ended: let the run wait again, if the policy says so.

        Args:
            run: The run.
            may_start: Whether anything is started at all.
        """
        history = self._state.runs[run.name]
        if history.state in ACTIVE:
            return
        why = again(history.attempts, self._policy)
        self.given_up.discard(run.name)
        if why and may_start:
            has_begun = history.attempts[-1].cause not in NEVER_STARTED
            log.log(logging.INFO if has_begun else logging.DEBUG, '%s is planned again: %s', run.name, why)
            if not self._is_set_aside(run):
                self._returned.append(run)
        elif not why:
            self._ended_for_good.add(run.name)
            if history.state is not State.FINISHED:
                self.given_up.add(run.name)
