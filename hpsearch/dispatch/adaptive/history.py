"""What an adaptive search has learned so far: its trials, brought up to date by what has changed alone."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from hpsearch.dispatch.context import EventRecorder
from hpsearch.model.retries import RetryPolicy
from hpsearch.model.run import Run
from hpsearch.model.trials.evaluations import evaluation_of
from hpsearch.model.trials.suggestion import Suggestion
from hpsearch.model.trials.trial import Evaluation, Objective, Proposal, Trial


class History:
    """The trials of a search, those of all writers.

    Args:
        recorder: Has taken in all journals.
        objectives: What is optimised.
        policy: Which runs get another attempt.
        find: Finds a run that was planned in advance by its name; None: there are none.
        fits: Whether a proposal can be one of this search; of one that was damaged nothing is learned.
    """

    def __init__(
        self,
        recorder: EventRecorder,
        objectives: Sequence[Objective],
        policy: RetryPolicy,
        find: Callable[[str], Run | None] = lambda name: None,
        fits: Callable[[Proposal], bool] = lambda proposal: True,
    ) -> None:
        self._version = 0
        self._recorder = recorder
        self._state = recorder.state
        self._objectives = objectives
        self._policy = policy
        self._find = find
        self._fits = fits
        self._evaluations: dict[str, Evaluation] = {}
        self._members: dict[int, list[Evaluation]] = {}
        self._trials: dict[int, Trial] = {}
        self._in_order: list[Trial] | None = None
        self._runs_in_order: list[Evaluation] | None = None
        recorder.touched.update(self._state.suggestions, self._state.runs)

    @property
    def version(self) -> int:
        """Grows whenever anything has changed for a sampler or a pruner."""
        self._refresh()
        return self._version

    @property
    def trials(self) -> Sequence[Trial]:
        """All trials so far, by number; not to be changed."""
        self._refresh()
        if self._in_order is None:
            self._in_order = [self._trials[number] for number in sorted(self._trials)]
        return self._in_order

    @property
    def evaluations(self) -> Sequence[Evaluation]:
        """All runs so far, by number; not to be changed."""
        self._refresh()
        if self._runs_in_order is None:
            self._runs_in_order = sorted(self._evaluations.values(), key=lambda each: each.number)
        return self._runs_in_order

    def evaluation(self, run: str) -> Evaluation | None:
        """One run; None: nobody has suggested it."""
        self._refresh()
        return self._evaluations.get(run)

    def _refresh(self) -> None:
        touched = self._recorder.touched
        if not touched:
            return
        changed = [each for name in touched if (each := self._evaluated(name)) != self._evaluations.get(name)]
        touched.clear()
        for number in {self._put(each) for each in changed if each is not None}:
            members = sorted(self._members[number], key=lambda each: each.number)
            self._trials[number] = Trial(number, members)
        if changed:
            self._version += 1
            self._in_order = self._runs_in_order = None

    def _evaluated(self, name: str) -> Evaluation | None:
        suggestion = self._state.suggestions.get(name) or self._planned(name)
        if suggestion is None or name in self._state.withdrawn:
            return None
        if name not in self._evaluations and not self._fits(suggestion.proposal):
            return None
        history, points = self._state.runs.get(name), self._state.curves.of(name)
        return evaluation_of(suggestion, history, points, self._objectives, self._policy)

    def _planned(self, name: str) -> Suggestion | None:
        """A run that was planned in advance, as if it had been suggested."""
        if known := self._evaluations.get(name):
            return Suggestion(name, known.number, dict(known.proposal.values), known.proposal, '')
        run = self._find(name)
        return Suggestion(name, run.number, run.params, Proposal(run.params, trial=run.number), '') if run else None

    def _put(self, evaluation: Evaluation) -> int:
        """Take in what became of a run; returns the number of its trial."""
        number = evaluation.proposal.trial or evaluation.number
        others = [each for each in self._members.get(number, ()) if each.run != evaluation.run]
        self._evaluations[evaluation.run] = evaluation
        self._members[number] = [*others, evaluation]
        return number
