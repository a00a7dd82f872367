"""A search for TensorBoard: a folder for each run, with its hyperparameters for the HParams page, and its curves."""

from __future__ import annotations

import time
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from hpsearch.export.search import ExportedRun, ExportedSearch, scalar
from hpsearch.model.states import State


def write_hparams(search: ExportedSearch, path: Path) -> None:
    """Write event files into a new folder, one for the whole search and one for each run.

    Raises:
        OSError: They cannot be written.
    """
    metrics = list(dict.fromkeys(key for run in search.runs for key in (*run.values, *run.curves)))
    names = list(dict.fromkeys(name for run in search.runs for name in run.record.params))
    path.mkdir()
    _write(path, [(_config(search, names, metrics), 0, time.time())])
    for run in search.runs:
        (path / run.record.name).mkdir()
        _write(path / run.record.name, _summaries(run))


def _write(folder: Path, summaries: Iterable[tuple[Any, int, float]]) -> None:
    """Write summaries, each with its step and its time in seconds since 1970, as an event file."""
    from tensorboard.compat.proto.event_pb2 import Event
    from tensorboard.summary.writer.event_file_writer import EventFileWriter

    writer = EventFileWriter(str(folder))
    for summary, step, at in summaries:
        writer.add_event(Event(wall_time=at, step=step, summary=summary))
    writer.close()


def _config(search: ExportedSearch, names: Iterable[str], metrics: Iterable[str]) -> Any:
    """Which hyperparameters and metrics there are."""
    from tensorboard.plugins.hparams import summary_v2

    params = [run.record.params for run in search.runs]
    values = {name: {_hparam(each[name]) for each in params if name in each} for name in names}
    hparams = [summary_v2.HParam(name, _domain(found)) for name, found in values.items()]
    return summary_v2.hparams_config_pb(hparams, [summary_v2.Metric(key) for key in metrics])


def _domain(values: set[bool | float | str]) -> Any:
    """The values that occur where they are of one type; TensorBoard takes no others."""
    from tensorboard.plugins.hparams import summary_v2

    is_uniform = len({type(value) for value in values}) == 1
    return summary_v2.Discrete(sorted(values)) if is_uniform else None


def _summaries(run: ExportedRun) -> Iterable[tuple[Any, int, float]]:
    from tensorboard.plugins.hparams import summary_v2

    begun = run.begun or 0.0
    ended = run.ended or begun
    hparams = {name: _hparam(value) for name, value in run.record.params.items()}
    yield summary_v2.hparams_pb(hparams, trial_id=run.record.name, start_time_secs=begun), 0, begun
    for key, curve in run.curves.items():
        for at, value in sorted(curve.items()):
            yield _scalar(key, value), int(at), ended
    for key, step, value in run.finals:
        yield _scalar(key, value), step, ended
    if run.record.has_ended:
        yield _end(run, ended), 0, ended


def _hparam(value: Any) -> bool | float | str:
    simple = scalar(value)
    return str(simple) if simple is None else float(simple) if type(simple) is int else simple


def _scalar(key: str, value: float) -> Any:
    from tensorboard.compat.proto.summary_pb2 import Summary

    return Summary(value=[Summary.Value(tag=key, simple_value=value)])


def _end(run: ExportedRun, ended: float) -> Any:
    """That a run has ended, and whether it finished."""
    from tensorboard.compat.proto.summary_pb2 import Summary
    from tensorboard.plugins.hparams import api_pb2, metadata, plugin_data_pb2

    status = api_pb2.STATUS_SUCCESS if run.record.state is State.FINISHED else api_pb2.STATUS_FAILURE
    info = plugin_data_pb2.SessionEndInfo(status=status, end_time_secs=ended)
    data = metadata.create_summary_metadata(plugin_data_pb2.HParamsPluginData(session_end_info=info))
    return Summary(value=[Summary.Value(tag=metadata.SESSION_END_INFO_TAG, metadata=data)])
