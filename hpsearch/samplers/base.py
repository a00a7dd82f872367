"""The contract between a search and its sampler."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol, runtime_checkable

from hpsearch.model.trials.trial import Proposal, Trial


class Sampler(Protocol):
    """Proposes what is run next.

    A sampler keeps nothing that cannot be rebuilt from the trials: the same trials, number and seed give the same
    proposal, in this process or in the next one that works on the search.
    """

    def propose(self, trials: Sequence[Trial], number: int) -> Proposal | None:
        """What to run as the run of this number.

        Args:
            trials: All trials so far, by number; those of other writers, and those that wait or run, included.
            number: The number that the run will have, from 1; randomness is seeded with it.

        Returns:
            None: there is nothing to propose before another run has ended or reported.
        """

    def is_done(self, trials: Sequence[Trial]) -> bool:
        """Whether it will never propose anything again, whatever becomes of the runs that wait."""
        return False


@runtime_checkable
class Continuing(Protocol):
    """A sampler that also makes further runs of trials that there are, such as with other seeds.

    A limit on the number of trials ends what it begins, not what it continues. Two writers must not continue the same
    trial, so that each does it only while it knows what all others have proposed.
    """

    def continued(self, trials: Sequence[Trial], number: int) -> Proposal | None:
        """A run of a trial that there is; None: there is none now."""

    def begun(self, trials: Sequence[Trial], number: int) -> Proposal | None:
        """A run of a new trial; None: there is none before another run has ended or reported."""

    def may_continue(self, trials: Sequence[Trial]) -> bool:
        """Whether a trial may be continued, now or when a run has ended."""
