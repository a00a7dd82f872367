"""The trials of a search as a study of Optuna that lives in memory, and its options as Optuna's distributions.

A study is made anew for each proposal, from the trials alone. So it cannot differ between processes, and nothing of it
has to be kept. Optuna's classes are imported when they are used, as that takes half a second.
"""

from __future__ import annotations

from collections.abc import Callable, Container, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, TypeAlias

from hpsearch.model.configuration import Value
from hpsearch.model.trials.distributions import Choice, Fidelity, Integer, Normal, Space, Uniform
from hpsearch.model.trials.trial import Trial, TrialState
from hpsearch.samplers.models.positions import index_of, position

if TYPE_CHECKING:
    from optuna.distributions import BaseDistribution
    from optuna.storages import InMemoryStorage
    from optuna.trial import FrozenTrial

Number: TypeAlias = int | float

Drawn: TypeAlias = Uniform | Integer | Normal | Choice


@dataclass(frozen=True)
class Axis:
    """An option as Optuna sees it.

    Attributes:
        ours: Its distribution.
        theirs: That of Optuna. A normal one is uniform over its quantiles, an ordered choice a whole number, any other
            choice one of the places of its values.
    """

    ours: Drawn
    theirs: BaseDistribution

    def inside(self, value: Value) -> Number | None:
        """A value as Optuna sees it; None: it is none of the distribution, as one that a condition has set."""
        if isinstance(self.ours, Choice):
            return index_of(self.ours, value)
        place = position(self.ours, value)
        is_quantile = place is None or isinstance(self.ours, Normal)
        return value if not is_quantile and isinstance(value, int | float) else place

    def outside(self, number: Number) -> Value:
        """The value that a number of Optuna stands for, with the steps and the precision of the distribution."""
        if isinstance(self.ours, Choice):
            return self.ours.values[int(number)]
        place = number if isinstance(self.ours, Normal) else position(self.ours, number)
        assert place is not None, f'{number} is none of {self.ours}'
        return self.ours.at(place)


def axes_of(space: Space) -> dict[str, Axis]:
    """The options of a space as Optuna sees them; a fidelity is none."""
    return {name: Axis(each, _theirs(each)) for name, each in space.items() if not isinstance(each, Fidelity)}


def _theirs(ours: Drawn) -> BaseDistribution:
    from optuna.distributions import CategoricalDistribution, FloatDistribution, IntDistribution

    if isinstance(ours, Uniform):
        return FloatDistribution(ours.low, ours.high, log=ours.log, step=ours.step)
    if isinstance(ours, Integer):
        return IntDistribution(ours.low, ours.high, log=ours.log, step=1 if ours.log else ours.step)
    if isinstance(ours, Normal):
        return FloatDistribution(0.0, 1.0)
    last = len(ours.values) - 1
    return IntDistribution(0, last) if ours.ordered else CategoricalDistribution(range(last + 1))


@dataclass
class FrozenTrials:
    """Turns trials into those of Optuna, each only once while it stays as it is.

    Attributes:
        axes: The options.
        has_curves: Whether it may know what was reported until a run was stopped; with several objectives it may not.
        notes: What a sampler of Optuna has noted about a trial.
    """

    axes: Mapping[str, Axis]
    has_curves: bool = True
    notes: Callable[[Trial], Mapping[str, Any]] = lambda trial: {}
    _kept: dict[int, tuple[object, FrozenTrial]] = field(default_factory=dict, init=False)

    def of(self, trial: Trial) -> FrozenTrial:
        """The trial as Optuna sees it, under its own number."""
        losses, curve = trial.losses, _steps(trial) if self.has_curves else {}
        mark = (trial.state, losses, len(curve), max(curve, default=None), len(trial.evaluations))
        kept = self._kept.get(trial.number)
        if kept is None or kept[0] != mark:
            kept = self._kept[trial.number] = mark, self._made(trial, losses, curve)
        return kept[1]

    def _made(self, trial: Trial, losses: tuple[float, ...], curve: Mapping[int, float]) -> FrozenTrial:
        from optuna.trial import FrozenTrial
        from optuna.trial import TrialState as Theirs

        inside = {name: axis.inside(trial.values[name]) for name, axis in self.axes.items() if name in trial.values}
        params = {name: number for name, number in inside.items() if number is not None}
        states = {
            TrialState.COMPLETE: Theirs.COMPLETE,
            TrialState.STOPPED: Theirs.PRUNED,
            TrialState.FAILED: Theirs.FAIL,
            TrialState.WAITING: Theirs.RUNNING,
        }
        return FrozenTrial(
            number=trial.number,
            trial_id=trial.number,
            state=states[trial.state],
            value=None,
            values=losses or None,
            params=params,
            distributions={name: self.axes[name].theirs for name in params},
            intermediate_values=dict(curve),
            datetime_start=None,
            datetime_complete=None,
            user_attrs={},
            system_attrs=dict(self.notes(trial)),
        )


def _steps(trial: Trial) -> dict[int, float]:
    """What a trial that was stopped has reported until then; its steps are whole numbers there."""
    is_stopped = trial.state is TrialState.STOPPED
    return {int(step): loss for step, loss in trial.evaluations[-1].curve.items()} if is_stopped else {}


def storage_of(past: Sequence[FrozenTrial]) -> InMemoryStorage:
    """A place in memory that has these trials beside the one that is asked for, whose number is 0."""
    from optuna.storages import InMemoryStorage
    from optuna.trial import TrialState as Theirs

    class Trials(InMemoryStorage):
        def get_all_trials(
            self, study_id: int, deepcopy: bool = True, states: Container[Theirs] | None = None
        ) -> list[FrozenTrial]:
            """The others first; nobody changes them, so that they are not copied."""
            others = [each for each in past if states is None or each.state in states]
            return [*others, *super().get_all_trials(study_id, deepcopy, states)]

    return Trials()
