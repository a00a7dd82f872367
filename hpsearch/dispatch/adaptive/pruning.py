"""Runs that are not worth going on are stopped: what a pruner says is journaled, then comes TERM, and later KILL.

Each writer asks about its own attempts, with what all runs of the search have reported.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence

from hpsearch.backends.base import AttemptBackend
from hpsearch.dispatch.adaptive.settings import PruneRule
from hpsearch.dispatch.context import ActiveAttempt, EventRecorder
from hpsearch.dispatch.packing.ending import Ending
from hpsearch.model.trials.curves import Points
from hpsearch.model.trials.trial import Evaluation
from hpsearch.store.attempt_files import exit_code
from hpsearch.store.folder import SearchFolder


class Pruning:
    """Stops attempts of this writer.

    Args:
        grace: Seconds between TERM and KILL.
        rule: Which are stopped; None: only those of which another writer, that we took them over from, had said so.
    """

    def __init__(
        self,
        folder: SearchFolder,
        recorder: EventRecorder,
        backend: AttemptBackend,
        grace: float,
        rule: PruneRule | None = None,
    ) -> None:
        self._folder = folder
        self._recorder = recorder
        self._ending = Ending(backend, grace)
        self._rule = rule
        self._judged: dict[str, Points] = {}

    def step(self, attempts: Collection[ActiveAttempt], now: float) -> None:
        """Ask about what was reported since the last call, and stop what is to be stopped; this never waits.

        Args:
            attempts: Those of this writer that are under way.
            now: Monotonic seconds.

        Raises:
            OSError: A file of an attempt cannot be read; it is tried again with the next call.
        """
        self._forget_others({active.launch.ident for active in attempts})
        try:
            if self._rule is not None:
                self._ask(self._rule, attempts)
        finally:
            self._ending.step([active for active in attempts if self._pruned(active)], self._pruned, now)

    def _forget_others(self, idents: Collection[str]) -> None:
        self._judged = {ident: points for ident, points in self._judged.items() if ident in idents}
        self._ending.forget_others(idents)

    def _ask(self, rule: PruneRule, attempts: Collection[ActiveAttempt]) -> None:
        curves = self._recorder.state.curves
        reported = {active.launch.ident: curves.of(active.launch.run.name) for active in attempts}
        # Points that are new come in a new object.
        news = [active for active in attempts if self._has_news(active, reported[active.launch.ident])]
        if not news:
            return
        every = rule.evaluations()
        by_run = {each.run: each for each in every}
        for active in news:
            evaluation = by_run.get(active.launch.run.name)
            if evaluation is None or self._judge(rule, active, evaluation, every):
                self._judged[active.launch.ident] = reported[active.launch.ident]

    def _has_news(self, active: ActiveAttempt, points: Points) -> bool:
        """Whether an attempt has reported something since it was asked about; what was promoted has not at first."""
        is_new = bool(points) and self._judged.get(active.launch.ident) is not points
        own = self._recorder.state.curves.of_attempt(active.launch.run.name, active.launch.number)
        return is_new and bool(own) and active.is_running and not self._pruned(active)

    def _judge(
        self, rule: PruneRule, active: ActiveAttempt, evaluation: Evaluation, every: Sequence[Evaluation]
    ) -> bool:
        """Ask about one attempt; returns whether that is settled: what cannot be journaled now is asked again."""
        if not evaluation.curve or evaluation.last_step >= rule.last_step:
            return True
        why = rule.pruner.why_stop(evaluation, every)
        run, number = active.launch.run.name, active.launch.number
        if not why or exit_code(self._folder.attempt(run, number)) is not None:
            return True
        return self._recorder.record_now('pruned', run, number, step=evaluation.last_step, reason=why)

    def _pruned(self, active: ActiveAttempt) -> str:
        attempt = active.journaled(self._recorder.state)
        return attempt.pruned if attempt else ''
