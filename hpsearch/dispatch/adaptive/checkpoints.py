"""Runs that go on from what an earlier run has left: what is copied for them, and when the copy is removed."""

from __future__ import annotations

import os
import shutil

from hpsearch.model.configuration import Configuration
from hpsearch.model.history.run_history import RunHistory
from hpsearch.model.run import checkpoint_copy
from hpsearch.store.attempt_files import moved_aside
from hpsearch.store.folder import SearchFolder


def going_on_from(
    folder: SearchFolder, configuration: Configuration, run: str, parent: str, history: RunHistory | None
) -> tuple[str, str, str]:
    """The first arguments of :func:`hpsearch.model.command.going_on`.

    Args:
        folder: The search.
        configuration: Says what a checkpoint is.
        run: Name of the run that goes on.
        parent: Name of the run that has left the checkpoint.
        history: Its attempts; None: none is known.
    """
    path = os.path.normpath(configuration.checkpoint)
    checkpoint = os.path.normpath(folder.output(_output_name(parent, history, configuration)) / path)
    return checkpoint, checkpoint_copy(str(folder.output(run))), '' if path == '.' else os.path.basename(path)


def _output_name(run: str, history: RunHistory | None, configuration: Configuration) -> str:
    """The name of the output folder of the attempt that decided about a run."""
    deciding = history.deciding if history else None
    if not history or not history.last or not deciding or configuration.resumable:
        return run
    return run if deciding.number == history.last.number else moved_aside(run, deciding.number)


def drop_copy(folder: SearchFolder, run: str) -> None:
    """Remove the copy that a run went on from, which it needs no more; what cannot be removed stays."""
    copy = checkpoint_copy(str(folder.output(run)))
    shutil.rmtree(copy, ignore_errors=True)
