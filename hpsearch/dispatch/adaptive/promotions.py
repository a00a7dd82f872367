"""Runs that were stopped and are worth going on after all get another attempt, before any other run is started."""

from __future__ import annotations

from collections.abc import Callable

from hpsearch.dispatch.adaptive.history import History
from hpsearch.dispatch.adaptive.sampled_runs import SampledRuns
from hpsearch.dispatch.adaptive.settings import PruneRule, PruneSettings
from hpsearch.dispatch.context import EventRecorder
from hpsearch.dispatch.pending_runs import RunSource
from hpsearch.model.history.search_state import SearchState
from hpsearch.model.retries import RetryPolicy
from hpsearch.model.run import Run
from hpsearch.model.states import State
from hpsearch.model.trials.trial import Evaluation
from hpsearch.pruners.factory import make_pruner, rungs_of
from hpsearch.store.opening.open_search import OpenSearch


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
        """Whether there may be a run now; which one is decided only when there is room for it."""
        is_ready = self._source.is_ready
        others = not self._source.is_exhausted if is_ready is None else is_ready
        return others or self._promotable() is not None

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
        history = self._state.runs.get(name)
        if history is None or history.state is not State.STOPPED or history.is_cancelled:
            return False
        return name not in self._state.withdrawn and self._attempt_of(name) not in self._given

    def _attempt_of(self, name: str) -> tuple[str, int]:
        """The run with the number of its latest attempt: each is promoted once."""
        history = self._state.runs.get(name)
        return name, history.last.number if history and history.last else 0


def pruned_runs(
    source: RunSource, search: OpenSearch, recorder: EventRecorder, settings: PruneSettings, policy: RetryPolicy
) -> tuple[RunSource, PruneRule | None]:
    """The runs of a search in which some are stopped, and which these are.

    Where the script goes on from where it was stopped, those that the pruner promotes are among them.

    Args:
        source: Where its runs come from, planned ones or others.
        search: The search.
        recorder: Has taken in all journals.
        settings: Which runs are stopped.
        policy: Which runs get another attempt.

    Raises:
        ConfigError: The pruner cannot have these options.
    """
    pruner = make_pruner(settings.pruner, settings.options)
    if pruner is None:
        return source, None
    if isinstance(source, SampledRuns):
        history = source.history  # what is known is brought up to date once
    else:
        history = History(recorder, settings.objectives, policy, search.folder.find_run)
    rungs = rungs_of(settings.pruner, settings.options)
    rule = PruneRule(pruner, lambda: history.evaluations, settings.last_step, rungs)
    if not search.configuration.resumable:
        return source, rule
    return PromotedFirst(source, rule, recorder.state, search.folder.find_run), rule
