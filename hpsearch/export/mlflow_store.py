"""A search as an experiment of MLflow, in a SQLite database or a folder of files."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from hpsearch.export.search import ExportedRun, ExportedSearch, scalar
from hpsearch.model.states import State

_MOST_AT_ONCE = 1000
"""Metrics that MLflow takes in one call."""

_LONGEST_PARAM = 6000
"""Characters that MLflow takes as a value."""


def write_store(search: ExportedSearch, path: Path) -> None:
    """Write an experiment with a run for each run of the search.

    Args:
        search: The search.
        path: The file, a SQLite database.
    """
    from mlflow import MlflowClient

    for library in ('alembic', 'mlflow'):  # once imported: that sets the levels anew
        logging.getLogger(library).setLevel(logging.ERROR)

    client = MlflowClient(tracking_uri=f'sqlite:///{path}')
    experiment = client.create_experiment(search.record.name, artifact_location=f'{path.resolve()}.artifacts')
    for run in search.runs:
        _write_run(client, experiment, run)


def _write_run(client: Any, experiment: str, run: ExportedRun) -> None:
    from mlflow.entities import Param, RunTag

    begun = _milliseconds(run.begun)
    made = client.create_run(experiment, start_time=begun, run_name=run.record.name).info.run_id
    params = [Param(name, str(scalar(value))[:_LONGEST_PARAM]) for name, value in run.record.params.items()]
    about = {'run': run.record.name, 'state': run.record.state.value, 'reason': run.attempt.reason}
    texts = {**{f'hpsearch.{key}': text for key, text in about.items()}, **run.texts}
    tags = [RunTag(key, text) for key, text in texts.items() if text]
    for start in range(0, len(params), 100):
        client.log_batch(made, params=params[start : start + 100])
    client.log_batch(made, tags=tags)
    metrics = list(_metrics(run))
    for start in range(0, len(metrics), _MOST_AT_ONCE):
        client.log_batch(made, metrics=metrics[start : start + _MOST_AT_ONCE])
    if run.record.has_ended:
        client.set_terminated(made, _status(run), _milliseconds(run.ended) or begun)


def _metrics(run: ExportedRun) -> Iterator[Any]:
    from mlflow.entities import Metric

    at = _milliseconds(run.ended) or _milliseconds(run.begun) or 0
    for key, curve in run.curves.items():
        for place, value in sorted(curve.items()):
            yield Metric(key, value, at, int(place))
    for key, step, value in run.finals:
        yield Metric(key, value, at, step)


def _status(run: ExportedRun) -> str:
    if run.record.state in (State.STOPPED, State.INTERRUPTED):
        return 'KILLED'
    return 'FINISHED' if run.record.state is State.FINISHED else 'FAILED'


def _milliseconds(seconds: float | None) -> int | None:
    return None if seconds is None else round(seconds * 1000)
