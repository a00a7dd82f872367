"""Runs that were stopped and are worth going on after all get another attempt, before any other run is started."""

from __future__ import annotations

from collections.abc import Callable

from hpsearch.dispatch.adaptive.pruning import PruneRule
from hpsearch.dispatch.pending_runs import RunSource
from hpsearch.model.run import Run
from hpsearch.model.states import SearchState, State
from hpsearch.model.trials.trial import Evaluation


class PromotedFirst:
    """Runs that a pruner promotes, and when there is none, those of another source.

    Of several writers that promote the same run one can claim its next attempt, so that the others pass it over.

    Args:
        source: The other runs.
        rule: Which are stopped, and promoted.
        state: What all journals say.
        find: Finds a run by its name.
    """

    def __init__(
        self, source: RunSource, rule: PruneRule, state: SearchState, find: Callable[[str], Run | None]
    ) -> None:
        self._source = source
        self._rule = rule
        self._state = state
        self._find = find
        self._given: set[tuple[str, int]] = set()
        self._seen = -1
        self._candidate: Evaluation | None = None

    @property
    def total(self) -> int | None:
        """Number of runs of the search; promotions add none."""
        return self._source.total

    @property
    def is_exhausted(self) -> bool:
        """Whether the other source is, and no run is to be promoted now; what goes on may still change that."""
        return self._source.is_exhausted and self._promotable() is None

    @property
    def is_ready(self) -> bool | None:
        """Whether there may be a run now; None: that is for the other source to say when it is asked for one."""
        return True if self._promotable() is not None else self._source.is_ready

    def next(self) -> Run | None:
        """The next run, a promoted one if there is any; None: there is none now."""
        while (chosen := self._promotable()) is not None:
            self._given.add(self._attempt_of(chosen.run))
            self._candidate, self._seen = None, -1
            if (run := self._find(chosen.run)) is not None:
                return run
        return None if self._source.is_exhausted else self._source.next()

    def _promotable(self) -> Evaluation | None:
        """The run that is to be promoted; found anew only when something has happened."""
        if self._seen != self._state.folded:
            self._seen, self._candidate = self._state.folded, self._chosen()
        return self._candidate

    def _chosen(self) -> Evaluation | None:
        every = self._rule.evaluations()
        stopped = [each for each in every if self._may_go_on(each.run)]
        return self._rule.pruner.promotable(stopped, every) if stopped else None

    def _may_go_on(self, name: str) -> bool:
        is_stopped = self._state.state_of(name) is State.STOPPED and name not in self._state.withdrawn
        return is_stopped and self._attempt_of(name) not in self._given

    def _attempt_of(self, name: str) -> tuple[str, int]:
        """The run with the number of its latest attempt: each is promoted once."""
        history = self._state.runs.get(name)
        return name, history.last.number if history and history.last else 0
