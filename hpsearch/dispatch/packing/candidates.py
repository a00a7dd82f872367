"""The runs among which those that are started next are chosen."""

from __future__ import annotations

from collections.abc import Iterable

from hpsearch.dispatch.context import ActiveAttempt
from hpsearch.dispatch.packing.lessons import RunningAttempt
from hpsearch.dispatch.packing.predictions import Predictions
from hpsearch.dispatch.pending_runs import PendingRuns
from hpsearch.packing.box import UNDECIDED, Candidate
from hpsearch.packing.throughput import Sharing

MOST_CANDIDATES = 1000
"""Runs among which those that are started next are chosen.

Far more than any machine runs at a time, so that there is one for every gap, and in the end the longest come first; few
enough for a decision to take milliseconds however long the plan is.
"""

MOST_CHOSEN = 16
"""Runs that a sampler has chosen and for which there is no room, at most: others may fit where these do not."""


class Candidates:
    """The runs that wait, each with what it is expected to need."""

    def __init__(self, pending: PendingRuns, predictions: Predictions) -> None:
        self._pending = pending
        self._predictions = predictions

    def learn(self, active: Iterable[ActiveAttempt], now: float) -> None:
        """Take in what is new, also of the attempts of ours that are under way; ``now``: monotonic seconds."""
        self._predictions.learn([_running(each, now) for each in active if each.is_running], now)

    @property
    def sharing(self) -> Sharing:
        """How runs that share a GPU slow each other."""
        return self._predictions.sharing

    def now(self, *, with_undecided: bool = True) -> list[Candidate]:
        """Those among which is chosen now.

        Args:
            with_undecided: Whether one may stand for the next that a sampler would choose.
        """
        runs = self._pending.waiting_runs(MOST_CANDIDATES)
        needs = zip(runs, self._predictions.estimates(runs), strict=True)
        found = [Candidate(run.name, estimate, self._pending.resources(run), run.params) for run, estimate in needs]
        if with_undecided and self._pending.may_choose and len(runs) < MOST_CHOSEN:
            found.append(Candidate(UNDECIDED, self._predictions.typical()))
        return found


def _running(active: ActiveAttempt, now: float) -> RunningAttempt:
    run = active.launch.run
    return RunningAttempt(run.name, active.launch.number, run.params, now - active.since, active.measured)
