"""The programs that a search can be exported to, and where what is exported goes."""

from __future__ import annotations

import importlib.util
import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from hpsearch.export.search import ExportedSearch
from hpsearch.model.errors import ConfigError, ExportError, one_line


@dataclass(frozen=True)
class Target:
    """A program.

    Attributes:
        ending: Of the file or folder that is written, where none is named.
        hint: How the program opens it; ``{path}`` stands for the path.
        module: What has to be importable; empty: nothing but Python.
        extra: The extra of this package that installs it.
    """

    ending: str
    hint: str
    module: str = ''
    extra: str = ''


TARGETS: Mapping[str, Target] = {
    'optuna': Target('.optuna.log', 'optuna-dashboard {path}', 'optuna', 'search'),
    'tensorboard': Target('.tensorboard', 'tensorboard --logdir {path}', 'tensorboard', 'tensorboard'),
    'wandb': Target('.wandb', 'wandb sync {path}/wandb/offline-run-*', 'wandb', 'wandb'),
    'mlflow': Target('.mlflow.db', 'mlflow ui --backend-store-uri sqlite:///{path}', 'mlflow', 'mlflow'),
    'csv': Target('.csv', ''),
}
"""Name of a program to how it is served."""


def export(search: ExportedSearch, tool: str, path: Path) -> None:
    """Write a search in the words of a program.

    Args:
        search: The search.
        tool: One of :data:`TARGETS`.
        path: The file or folder to write, for which :func:`check` has found nothing wrong.

    Raises:
        ExportError: The program's library refuses something, or it cannot be written.
    """
    try:
        _writer(tool)(search, path)
    except OSError as error:
        why = error.strerror or one_line(error)
        raise ExportError(f'{path} cannot be written: {why}. Name another place with --to.') from error
    except Exception as error:
        said = one_line(error).rstrip('.')
        raise ExportError(f'{path} is not complete: {tool} says: {said}.') from error


def check(tool: str, path: Path) -> None:
    """Make sure that an export can begin.

    Raises:
        ConfigError: With every reason why it cannot.
    """
    problems, target = [], TARGETS[tool]
    if target.module and importlib.util.find_spec(target.module) is None:
        hint = f'pip install "hpsearch[{target.extra}]"'
        problems.append(f'export {tool}: the package {target.module} is not installed: {hint}.')
    if os.path.lexists(path):
        problems.append(f'{path} exists already: remove it, or name another one with --to.')
    elif not path.parent.is_dir():
        problems.append(f'{path} cannot be written: there is no folder {path.parent}.')
    if problems:
        raise ConfigError(problems)


def _writer(tool: str) -> Callable[[ExportedSearch, Path], None]:
    """What writes for a program; each is imported only where it is used."""
    if tool == 'optuna':
        from hpsearch.export.optuna_study import write_study

        return write_study
    if tool == 'tensorboard':
        from hpsearch.export.tensorboard_hparams import write_hparams

        return write_hparams
    if tool == 'wandb':
        from hpsearch.export.wandb_runs import write_offline_runs

        return write_offline_runs
    if tool == 'mlflow':
        from hpsearch.export.mlflow_store import write_store

        return write_store
    from hpsearch.export.tables import write_tables

    return write_tables
