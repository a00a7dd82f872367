"""A search as a study of Optuna, in a journal file or a SQLite database."""

from __future__ import annotations

import math
import warnings
from collections.abc import Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any

from hpsearch.export.search import ExportedRun, ExportedSearch, scalar
from hpsearch.model.configuration import Value
from hpsearch.model.states import State
from hpsearch.model.trials.distributions import Choice, Distribution, Fidelity, Integer, Normal, Uniform
from hpsearch.model.trials.trial import Objective

_DATABASES = ('.db', '.sqlite', '.sqlite3')


def write_study(search: ExportedSearch, path: Path) -> None:
    """Write a study with a trial for each run, with its distributions, intermediate values and state.

    Runs that failed, or have no number for an objective, are trials that failed; what else the table has of a run are
    attributes of its trial.

    Args:
        search: The search.
        path: The file: a SQLite database where it ends so (``.db``, ``.sqlite``), otherwise a journal.
    """
    import optuna

    verbosity = optuna.logging.get_verbosity()
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    try:
        _write(search, path)
    finally:
        optuna.logging.set_verbosity(verbosity)


def _write(search: ExportedSearch, path: Path) -> None:
    import optuna

    with warnings.catch_warnings():
        warnings.simplefilter('ignore')  # that names of metrics are experimental, that a step does not fit its range
        objectives = search.record.objectives
        directions: Any = ['maximize' if each.maximize else 'minimize' for each in objectives] or ['minimize']
        study = optuna.create_study(storage=_storage(path), study_name=search.record.name, directions=directions)
        study.set_user_attr('hpsearch', 'exported')
        if objectives:
            study.set_metric_names([each.key for each in objectives])
        distributions = _distributions(search)
        study.add_trials([_trial(run, objectives, distributions) for run in search.runs])


def _storage(path: Path) -> Any:
    if path.suffix in _DATABASES:
        return f'sqlite:///{path}'
    from optuna.storages import JournalStorage
    from optuna.storages.journal import JournalFileBackend

    return JournalStorage(JournalFileBackend(str(path)))


# Trials


def _trial(run: ExportedRun, objectives: Sequence[Objective], distributions: Mapping[str, Any]) -> Any:
    from optuna.trial import TrialState, create_trial

    values: list[Any] = [run.metric(each.key) for each in objectives]
    is_complete = run.record.state is State.FINISHED and bool(values) and not any(map(_is_missing, values))
    state = _state(run, is_complete=is_complete)
    params = {name: scalar(value) for name, value in run.record.params.items() if name in distributions}
    trial = create_trial(
        state=TrialState[state],
        values=values if is_complete else None,
        params=params,
        distributions={name: distributions[name] for name in params},
        intermediate_values=_intermediate(run, objectives),
        user_attrs=_attributes(run, distributions),
    )
    trial.datetime_start = _moment(run.begun) or (trial.datetime_start if run.ended is None else _moment(run.ended))
    trial.datetime_complete = (_moment(run.ended) or trial.datetime_start) if run.record.has_ended else None
    return trial


def _state(run: ExportedRun, *, is_complete: bool) -> str:
    if not run.record.has_ended:
        return 'RUNNING'
    if run.record.state is State.STOPPED:
        return 'PRUNED'
    return 'COMPLETE' if is_complete else 'FAIL'


def _is_missing(value: float | None) -> bool:
    return value is None or math.isnan(value)


def _intermediate(run: ExportedRun, objectives: Sequence[Objective]) -> dict[int, float]:
    """What was reported of the objective, which Optuna takes only where there is one, and at whole steps."""
    curve = run.curves.get(objectives[0].key, {}) if len(objectives) == 1 else {}
    return {int(step): value for step, value in curve.items() if float(step).is_integer()}


def _attributes(run: ExportedRun, distributions: Mapping[str, Any]) -> dict[str, Any]:
    fixed = {name: scalar(value) for name, value in run.record.params.items() if name not in distributions}
    reason = {'reason': run.attempt.reason} if run.attempt.reason else {}
    return {'run': run.record.name, 'state': run.record.state.value, **reason, **fixed, **run.values, **run.texts}


def _moment(seconds: float | None) -> datetime | None:
    return None if seconds is None else datetime.fromtimestamp(seconds)


# Distributions


def _distributions(search: ExportedSearch) -> dict[str, Any]:
    """What Optuna is told of each option: its distribution, or, where values do not fit it, those that occurred."""
    found = {}
    for name, distribution in search.space.items():
        values = [scalar(run.record.params[name]) for run in search.runs if name in run.record.params]
        optunas = _distribution(distribution)
        fits = optunas is not None and all(_contains(optunas, value) for value in values)
        if fits or values:
            found[name] = optunas if fits else _categorical(values)
    return found


def _distribution(distribution: Distribution) -> Any:
    """The same distribution of Optuna; None: it has no such one."""
    from optuna.distributions import FloatDistribution, IntDistribution

    match distribution:
        case Uniform(low, high, log, step, _):
            return FloatDistribution(low, high, log=log, step=step)
        case Integer(low, high, log, step):
            return IntDistribution(low, high, log=log, step=step)
        case Fidelity(low, high, _):
            return IntDistribution(low, high)
        case Choice(values, True, _) if _are_whole(values):
            return IntDistribution(int(min(values)), int(max(values)))
        case Choice(values, True, _):
            return FloatDistribution(float(min(values)), float(max(values)))
        case Choice(values, _, _) if values:
            return _categorical([scalar(value) for value in values])
        case Choice() | Normal():  # an option without values is added by conditions: what occurred is known
            return None


def _are_whole(values: Sequence[Value]) -> bool:
    return all(type(value) is int for value in values)


def _contains(distribution: Any, value: Any) -> bool:
    try:
        return bool(distribution._contains(distribution.to_internal_repr(value)))
    except (ValueError, TypeError):
        return False


def _categorical(values: Sequence[Value]) -> Any:
    """All values, or for numbers that nothing bounds, their range."""
    from optuna.distributions import CategoricalDistribution, FloatDistribution

    if values and all(type(value) is float and math.isfinite(value) for value in values) and len(set(values)) > 1:
        return FloatDistribution(min(values), max(values))
    unlike = {(type(value), value): value for value in values}
    return CategoricalDistribution(list(unlike.values()))
