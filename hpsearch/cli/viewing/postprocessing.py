"""Finds the package of tables, plots and pages, which is imported late, by the verbs that need it."""

from __future__ import annotations

import importlib
import importlib.util
import sys
from pathlib import Path
from types import ModuleType

import hpsearch

NAME = 'hpsearch_postprocessing'
FOLDERS = (NAME, 'postprocessing')
"""Its folder where it is installed, and in a checkout; either is beside this package."""


def postprocessing(module: str) -> ModuleType:
    """A module of it: the one that belongs to this package, whichever others are installed.

    Raises:
        ImportError: It is not there.
    """
    if NAME not in sys.modules:
        _take_ours()
    return importlib.import_module(f'{NAME}.{module}')


def _take_ours() -> None:
    beside = (Path(hpsearch.__file__).resolve().parents[1] / folder / '__init__.py' for folder in FOLDERS)
    path = next((path for path in beside if path.is_file()), None)
    if path is None:
        return  # it may be installed elsewhere
    spec = importlib.util.spec_from_file_location(NAME, path, submodule_search_locations=[str(path.parent)])
    if spec is None or spec.loader is None:
        raise ImportError(f'{path.parent} is not the package {NAME}')
    found = importlib.util.module_from_spec(spec)
    sys.modules[NAME] = found
    spec.loader.exec_module(found)
