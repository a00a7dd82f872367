"""Finds the configuration of a search folder: its plain attributes, and its handles where they can be trusted."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from hpsearch.config.loading import load_configuration
from hpsearch.model.configuration import Configuration, from_plain
from hpsearch.model.errors import ConfigError, SearchFolderError
from hpsearch.store.folder import SearchFolder


@dataclass(frozen=True, slots=True)
class Found:
    """A configuration, and what a person should know about how it was found."""

    configuration: Configuration
    notes: tuple[str, ...] = ()


def find_configuration(folder: SearchFolder, grid_module: str, cwd: Path) -> Found:
    """Gives the configuration by which a folder of ours is read.

    Without a module on the command line, plain attributes come from the folder, and only the handles (summary parser,
    evaluation) from the module that the search was made with. That module is code: it is executed only when the search
    belongs to the current user.

    Args:
        folder: The search.
        grid_module: As on the command line; empty: the one of the search.
        cwd: Working directory of the call, for a module on the command line.

    Raises:
        ConfigError: The module on the command line is wrong.
        SearchFolderError: ``search.json`` cannot be read, or does not tell the configuration.
    """
    if grid_module:
        return Found(load_configuration(grid_module, cwd=cwd))
    asked = _asked(folder)
    plain = from_plain(asked.get('attributes', asked))
    if not _is_own(folder.search_json):
        return Found(plain, (f'{folder.search_json} belongs to somebody else, so {_NO_HANDLES}',))
    return _with_handles(plain, asked)


_NO_HANDLES = (
    'its configuration is not executed and its handles (_SUMMARY_PARSER_HANDLE, _PERFORMANCE_EVAL_HANDLE) are not '
    'used; give --grid_module to use them.'
)


def _asked(folder: SearchFolder) -> Mapping[str, Any]:
    asked = folder.read_info().get('configuration')
    if not isinstance(asked, Mapping):
        raise SearchFolderError(f'{folder.search_json} does not tell the configuration: give --grid_module.')
    return asked


def _is_own(path: Path) -> bool:
    return path.stat().st_uid == os.geteuid()


def _with_handles(plain: Configuration, asked: Mapping[str, Any]) -> Found:
    try:
        loaded = load_configuration(plain.source, cwd=Path(str(asked.get('cwd') or '.')))
    except ConfigError as error:
        return Found(plain, (f'the configuration {plain.source} cannot be loaded, so {_NO_HANDLES} {error}',))
    changed = loaded.sha256 != plain.sha256
    notes = (f'{plain.source} has changed since the search; its handles are used as they are now.',) if changed else ()
    handles = replace(plain, summary_parser=loaded.summary_parser, performance_eval=loaded.performance_eval)
    return Found(handles, notes)
