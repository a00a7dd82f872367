"""What a search has found, by trials: the Pareto front of several objectives, or the best means over seeds."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from hpsearch.model.configuration import Params
from hpsearch.model.table import cell
from hpsearch.model.trials.evaluations import losses_of
from hpsearch.model.trials.pareto import front
from hpsearch.model.trials.standings import mean_of
from hpsearch.model.trials.trial import Objective


@dataclass(frozen=True, slots=True)
class Found:
    """The result of a run that has finished.

    Attributes:
        run: Its name.
        trial: The number of its trial, or its own.
        params: Its hyperparameters.
        texts: Keyword to text of its result.
        fidelity: The budget it had; None: there are none.
    """

    run: str
    trial: int
    params: Params
    texts: Mapping[str, str]
    fidelity: float | None = None


@dataclass(frozen=True, slots=True)
class Leader:
    """A trial that leads.

    Attributes:
        run: Its first run among those that count.
        params: The hyperparameters that these runs have in common: of several, not the seed.
        values: One for each objective: the mean over its runs with the largest budget.
        runs: How many these are.
    """

    run: str
    params: Params
    values: tuple[float, ...]
    runs: int


def leaders(found: Sequence[Found], objectives: Sequence[Objective]) -> list[Leader]:
    """The trials on the Pareto front, or all trials where there is one objective; the best by the first one come first.

    Runs without a finite number for each objective do not count.
    """
    scored = _scored_trials(found, objectives)
    losses = [loss for loss, _ in scored]
    places = front(losses) if len(objectives) > 1 else range(len(scored))
    return [scored[place][1] for place in sorted(places, key=lambda place: (losses[place], scored[place][1].run))]


def scored_trials(found: Sequence[Found], objectives: Sequence[Objective]) -> list[Leader]:
    """All trials that have a finite number for each objective, in the order of their first runs."""
    return [leader for _, leader in _scored_trials(found, objectives)]


def _scored_trials(found: Sequence[Found], objectives: Sequence[Objective]) -> list[tuple[tuple[float, ...], Leader]]:
    """The mean losses of each trial, and how it is shown."""
    trials: dict[int, list[Found]] = {}
    for each in found:
        trials.setdefault(each.trial, []).append(each)
    return [scored for runs in trials.values() if (scored := _scored(runs, objectives)) is not None]


def _scored(runs: Sequence[Found], objectives: Sequence[Objective]) -> tuple[tuple[float, ...], Leader] | None:
    """The mean losses of a trial, and how it is shown."""
    pairs = [(losses, each) for each in runs if (losses := losses_of(each.texts, objectives)) is not None]
    largest = max((each.fidelity or 0.0 for _, each in pairs), default=0.0)
    counted = [(losses, each) for losses, each in pairs if (each.fidelity or 0.0) == largest]
    if not counted:
        return None
    means = tuple(map(mean_of, zip(*(losses for losses, _ in counted), strict=True)))
    values = tuple(objective.value(loss) for objective, loss in zip(objectives, means, strict=True))
    return means, Leader(counted[0][1].run, _common([each.params for _, each in counted]), values, len(counted))


def _common(found: Sequence[Params]) -> Params:
    """The hyperparameters that are the same in all."""
    first = found[0]
    return {name: first[name] for name in first if all(name in each and each[name] == first[name] for each in found)}


def table_of(objectives: Sequence[Objective], found: Sequence[Leader]) -> tuple[list[str], list[list[str]]]:
    """Headings and cells of the leaders: the objectives, the run, of how many it is the mean, its options."""
    options = list(dict.fromkeys(option for each in found for option in each.params))
    columns = [*(each.key for each in objectives), 'run', 'runs', *options]
    return columns, [
        [
            *map(str, each.values),
            each.run,
            str(each.runs),
            *(cell(each.params[option]) if option in each.params else '' for option in options),
        ]
        for each in found
    ]


def objectives_in_words(objectives: Sequence[Objective]) -> str:
    """What is optimised, such as ``acc largest, size smallest``."""
    return ', '.join(f'{each.key} {"largest" if each.maximize else "smallest"}' for each in objectives)
