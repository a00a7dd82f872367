"""The contract between a search and its pruner."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from hpsearch.model.trials.trial import Evaluation


class Pruner(Protocol):
    """Decides which runs are not worth going on; pure, so that every writer of a search decides alike."""

    def why_stop(self, run: Evaluation, others: Sequence[Evaluation]) -> str:
        """Why a run that is under way is to be stopped now, in words; empty: it goes on.

        Args:
            run: The run, with what it has reported so far.
            others: All runs of the search that have reported something, this one among them or not.
        """

    def promotable(self, stopped: Sequence[Evaluation], others: Sequence[Evaluation]) -> Evaluation | None:
        """Which of the runs that were stopped is worth going on after all, best first; None: none is.

        Args:
            stopped: Runs that were stopped and whose script can go on where it was stopped.
            others: All runs of the search that have reported something.
        """
        return None
