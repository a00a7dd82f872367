"""What hpsearch is compared with: schedulers of Ray Tune and Optuna, and the published algorithm with promotions."""

from __future__ import annotations

from typing import Any, Protocol

from benchmarks.learning_curves.simulation import Job
from benchmarks.learning_curves.tasks import STEPS, Task, Values
from hpsearch.samplers.models.optuna_view import axes_of
from hpsearch.samplers.random_search import RandomSampler


class Published:
    """Algorithm 2 of Li et al. (2020): a run waits at each rung until it is among the best of those that reached it."""

    watches = True

    def __init__(self, task: Task, seed: int, grace: int, factor: int) -> None:
        self._sampler = RandomSampler(task.space, seed)
        self._factor = factor
        self._rungs = [rung for rung in (grace * factor**power for power in range(99)) if rung < STEPS]
        self._losses: list[dict[int, float]] = [{} for _ in self._rungs]
        self._promoted: list[set[int]] = [set() for _ in self._rungs]
        self._values: dict[int, Values] = {}

    def begin(self) -> Job:
        """A run that can be promoted, from the highest rung that has one, or a new one."""
        for place in reversed(range(len(self._rungs))):
            losses = self._losses[place]
            best = sorted(losses, key=losses.__getitem__)[: len(losses) // self._factor]
            for number in best:
                if number not in self._promoted[place]:
                    self._promoted[place].add(number)
                    return Job(number, self._values[number], self._rungs[place])
        number = len(self._values) + 1
        proposal = self._sampler.propose([], number)
        self._values[number] = proposal.values if proposal else {}
        return Job(number, self._values[number])

    def report(self, number: int, step: int, loss: float) -> bool:
        """See :class:`benchmarks.learning_curves.simulation.Method`."""
        if step not in self._rungs:
            return True
        self._losses[self._rungs.index(step)][number] = loss
        return False

    def end(self, number: int) -> None:
        """Nothing is to be known."""


class _RayTrial:
    """What the scheduler of Ray asks of a trial."""

    def __init__(self, number: int) -> None:
        self.trial_id = str(number)


class Ray:
    """``ASHAScheduler``, asked about each result."""

    watches = True

    def __init__(self, task: Task, seed: int, grace: int, factor: int) -> None:
        from ray.tune.schedulers import ASHAScheduler

        self._scheduler: Any = ASHAScheduler(
            metric='loss', mode='min', max_t=STEPS, grace_period=grace, reduction_factor=factor
        )
        self._sampler = RandomSampler(task.space, seed)
        self._trials: dict[int, _RayTrial] = {}

    def begin(self) -> Job:
        """See :class:`benchmarks.learning_curves.simulation.Method`."""
        number = len(self._trials) + 1
        self._trials[number] = _RayTrial(number)
        self._scheduler.on_trial_add(None, self._trials[number])
        proposal = self._sampler.propose([], number)
        return Job(number, proposal.values if proposal else {})

    def report(self, number: int, step: int, loss: float) -> bool:
        """See :class:`benchmarks.learning_curves.simulation.Method`."""
        result = {'training_iteration': step, 'loss': loss}
        return bool(self._scheduler.on_trial_result(None, self._trials[number], result) == 'CONTINUE')

    def end(self, number: int) -> None:
        """The scheduler has stopped it already."""


class _Proposer(Protocol):
    """Whoever chooses the values of a trial of Optuna."""

    def __call__(self, study: Any, number: int) -> tuple[Any, Values]:
        """The trial, and its values."""


def at_random(task: Task, seed: int) -> _Proposer:
    """The values that all others get."""
    sampler = RandomSampler(task.space, seed)

    def propose(study: Any, number: int) -> tuple[Any, Values]:
        proposal = sampler.propose([], number)
        return study.ask(), proposal.values if proposal else {}

    return propose


def by_study(task: Task) -> _Proposer:
    """The values that the sampler of the study chooses."""
    axes = axes_of(task.space)

    def propose(study: Any, number: int) -> tuple[Any, Values]:
        trial = study.ask({name: axis.theirs for name, axis in axes.items()})
        return trial, {name: axis.outside(trial.params[name]) for name, axis in axes.items()}

    return propose


class Optuna:
    """A study with a pruner, asked and told."""

    watches = True

    def __init__(self, sampler: Any, pruner: Any, propose: _Proposer) -> None:
        import optuna

        optuna.logging.set_verbosity(optuna.logging.ERROR)
        self._study = optuna.create_study(sampler=sampler, pruner=pruner)
        self._propose = propose
        self._trials: dict[int, Any] = {}
        self._last: dict[int, float] = {}

    def begin(self) -> Job:
        """See :class:`benchmarks.learning_curves.simulation.Method`."""
        number = len(self._trials) + 1
        self._trials[number], values = self._propose(self._study, number)
        return Job(number, values)

    def report(self, number: int, step: int, loss: float) -> bool:
        """See :class:`benchmarks.learning_curves.simulation.Method`."""
        from optuna.trial import TrialState

        trial = self._trials[number]
        trial.report(loss, step)
        self._last[number] = loss
        if step == STEPS or not trial.should_prune():
            return True
        self._study.tell(trial, state=TrialState.PRUNED)
        return False

    def end(self, number: int) -> None:
        """See :class:`benchmarks.learning_curves.simulation.Method`."""
        self._study.tell(self._trials[number], self._last[number])
