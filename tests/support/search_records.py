"""Records of searches that were never written: what a figure needs to be drawn, from values given by hand."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

from hpsearch.model.configuration import Configuration, Grid
from hpsearch.model.run import Run
from hpsearch.model.states import State
from hpsearch.model.trials.curves import Points
from hpsearch.model.trials.trial import Objective, Proposal
from hpsearch.records.run import AttemptRecord, RunRecord
from hpsearch.records.search import SearchRecord

BEGIN = 1_700_000_000.0


def run_record(
    number: int,
    params: Mapping[str, Any],
    summary: Mapping[str, Any] | float | str | None,
    *,
    state: State = State.FINISHED,
    begin: float = 0.0,
    seconds: float | None = 3600.0,
    gpus: Sequence[str] = (),
    proposal: Proposal | None = None,
    curve: Points | None = None,
) -> RunRecord:
    """A run with one attempt.

    Args:
        number: Its number.
        params: Its parameters.
        summary: Its result; a number or a text: that of ``acc``; None: it has none.
        state: Where it stands.
        begin: When it started, in seconds since the search did.
        seconds: How long it ran.
        gpus: Those it had.
        proposal: What a sampler says of it.
        curve: What it has reported.
    """
    name = f'run_{number:05d}'
    end = BEGIN + begin + seconds if seconds is not None else None
    attempt = AttemptRecord(
        name, 1, state, started_at=BEGIN + begin, ended_at=end, seconds=seconds, gpus=gpus, host='box'
    )
    texts = summary if isinstance(summary, Mapping) else {'acc': summary}
    return RunRecord(
        Run(name, number, dict(params), ('train.py',)),
        state,
        name,
        [attempt],
        None if summary is None else {key: str(value) for key, value in texts.items()},
        curve or {},
        proposal,
    )


def search_record(
    runs: Sequence[RunRecord],
    *,
    objectives: Sequence[Objective] = (Objective('acc', True),),
    grid: Grid | None = None,
    options: Mapping[str, Any] | None = None,
) -> SearchRecord:
    """A search of these runs; ``grid`` says which values it has, if that matters."""
    known: Grid = {option: [value] for run in runs for option, value in run.params.items()}
    configuration = Configuration('grid.py', '', grid or known)
    return SearchRecord(
        '/searches/s', {'options': dict(options or {})}, configuration, objectives, runs, len(runs), 1e9
    )


def results_of(points: Sequence[tuple[Mapping[str, Any], float | str | None]], **more: Any) -> SearchRecord:
    """A search of finished runs with these parameters and values of ``acc``."""
    return search_record([run_record(each, *point) for each, point in enumerate(points, 1)], **more)


def finite(value: Any) -> bool:
    """Whether nothing in a value that JSON can hold is nan or infinite."""
    if isinstance(value, Mapping):
        return all(map(finite, value.values()))
    if isinstance(value, (list, tuple)):
        return all(map(finite, value))
    return not isinstance(value, float) or math.isfinite(value)
