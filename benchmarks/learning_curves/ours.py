"""The samplers and pruners of hpsearch, which get the same values as from the dispatcher."""

from __future__ import annotations

from dataclasses import replace

from benchmarks.learning_curves.simulation import Job
from benchmarks.learning_curves.tasks import Values
from hpsearch.model.trials.trial import Evaluation, TrialState, trials_of
from hpsearch.pruners.base import Pruner
from hpsearch.samplers.base import Sampler


class Ours:
    """A sampler with a pruner.

    Args:
        sampler: Proposes.
        pruner: Stops runs; None: nothing does.
        resumable: Whether runs that were stopped can go on where they were.
        learns: Whether the sampler looks at the trials.
        redraw: Replaces what a sampler that learns proposes again.
    """

    def __init__(
        self,
        sampler: Sampler,
        pruner: Pruner | None,
        *,
        resumable: bool = False,
        learns: bool = False,
        redraw: Sampler | None = None,
    ) -> None:
        self.watches = pruner is not None or learns
        self._sampler = sampler
        self._pruner = pruner
        self._resumable = resumable
        self._learns = learns
        self._redraw = redraw or sampler
        self._runs: list[Evaluation] = []
        self._stopped: set[int] = set()
        self._tried: list[Values] = []

    def begin(self) -> Job:
        """See :class:`benchmarks.learning_curves.simulation.Method`."""
        return self._promoted() or self._proposed()

    def report(self, number: int, step: int, loss: float) -> bool:
        """See :class:`benchmarks.learning_curves.simulation.Method`."""
        run = self._runs[number - 1]
        run = self._runs[number - 1] = replace(run, curve={**run.curve, step: loss})
        if self._pruner is None or not self._pruner.why_stop(run, self._runs):
            return True
        self._runs[number - 1] = replace(run, state=TrialState.STOPPED)
        self._stopped.add(number)
        return False

    def end(self, number: int) -> None:
        """See :class:`benchmarks.learning_curves.simulation.Method`."""
        run = self._runs[number - 1]
        self._stopped.discard(number)
        self._runs[number - 1] = replace(run, state=TrialState.COMPLETE, losses=(run.curve[run.last_step],))

    def _promoted(self) -> Job | None:
        if not self._resumable or not self._stopped or self._pruner is None:
            return None
        run = self._pruner.promotable([self._runs[number - 1] for number in sorted(self._stopped)], self._runs)
        if run is None:
            return None
        self._stopped.remove(run.number)
        self._runs[run.number - 1] = replace(run, state=TrialState.WAITING)
        return Job(run.number, run.proposal.values, int(run.last_step))

    def _proposed(self) -> Job:
        number = len(self._runs) + 1
        proposal = self._sampler.propose(trials_of(self._runs) if self._learns else [], number)
        assert proposal is not None
        if self._learns and proposal.values in self._tried:
            # As in a search: what was tried already is replaced by values that are drawn at random.
            draws = (self._redraw.propose([], each) for each in range(100 * number, 100 * number + 100))
            proposal = next((each for each in draws if each and each.values not in self._tried), proposal)
        self._tried.append(proposal.values)
        self._runs.append(Evaluation(f'{number:04}', number, proposal))
        return Job(number, proposal.values)
