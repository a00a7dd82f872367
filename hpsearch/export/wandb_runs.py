"""A search as offline runs of W&B, which ``wandb sync`` uploads."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from hpsearch.export.search import ExportedRun, ExportedSearch, scalar
from hpsearch.model.states import State


def write_offline_runs(search: ExportedSearch, path: Path) -> None:
    """Write a run for each run of the search into a new folder; nothing is sent anywhere.

    Raises:
        OSError: They cannot be written.
    """
    path.mkdir()
    os.environ['WANDB_SILENT'] = 'true'
    import wandb

    for run in search.runs:
        _write_run(wandb, search, run, path)


def _write_run(wandb: Any, search: ExportedSearch, run: ExportedRun, path: Path) -> None:
    settings = wandb.Settings(silent=True, console='off', disable_git=True, save_code=False, x_disable_stats=True)
    made = wandb.init(
        mode='offline',
        dir=str(path),
        project=_project(search.record.name),
        group=search.record.name,
        name=run.record.name,
        id=run.record.name,
        config={name: scalar(value) for name, value in run.record.params.items()},
        notes=run.attempt.reason or None,
        tags=[run.record.state.value],
        reinit='finish_previous',
        settings=settings,
    )
    for step in sorted({step for curve in run.curves.values() for step in curve}):
        made.log({key: curve[step] for key, curve in run.curves.items() if step in curve}, step=int(step))
    made.summary.update({**run.values, **run.texts, 'hpsearch_state': run.record.state.value})
    made.finish(exit_code=0 if run.record.state in (State.FINISHED, State.STOPPED) else 1)


def _project(name: str) -> str:
    """The name of a search as that of a project, which may not have some characters."""
    return ''.join('-' if letter in '/\\#?%:' else letter for letter in name)[:128]
