"""Opening a search that exists: whose it is, with which options, and what its configuration was."""

from __future__ import annotations

import argparse
import logging
import os
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from hpsearch.config import from_plain, load_configuration
from hpsearch.errors import ConfigError, SearchFolderError
from hpsearch.folder import SearchFolder
from hpsearch.options import add_search_options
from hpsearch.records import Configuration
from hpsearch.search import Task
from hpsearch.session import user_name

log = logging.getLogger('hpsearch')


def check_owner(folder: SearchFolder, *, trust: bool) -> None:
    """Refuse a search of somebody else: resuming it executes what its folder says.

    Raises:
        SearchFolderError: It belongs to somebody else and is not trusted.
    """
    owner = os.stat(folder.search_json).st_uid
    if owner != os.getuid() and not trust:
        raise SearchFolderError(
            f'{folder.path} belongs to user {user_name(owner)}, and resuming it executes what it says: '
            'look at its commands.sh, then use --trust.'
        )


def merged_options(info: Mapping[str, Any], args: argparse.Namespace) -> argparse.Namespace:
    """The options of the search, with those that were given now in their place."""
    parser = argparse.ArgumentParser()
    add_search_options(parser)
    defaults = vars(parser.parse_args([]))
    return argparse.Namespace(**{**defaults, **info.get('options', {}), **vars(args)})


def reopen(folder: SearchFolder, info: Mapping[str, Any]) -> Task:
    """A search from its folder; only handles need the configuration's module.

    Raises:
        SearchFolderError: The folder is damaged.
    """
    try:
        plain = from_plain(info['configuration']['attributes'])
        configuration = with_handles(plain, info['configuration'])
        return Task(folder, configuration, info['run_cwd'], frozenset(info.get('withdrawn', ())))
    except (KeyError, TypeError) as error:
        raise SearchFolderError(f'{folder.search_json} is damaged: {error!r}.') from error


def with_handles(plain: Configuration, described: Mapping[str, Any]) -> Configuration:
    """The configuration with the callables that only its module has.

    A module that changed is told; one that cannot be imported any more is, too, and the built-in reader is used.
    """
    names = [name for name in described['attributes'].get('handles', ()) if name != 'constraints']
    if not names:
        return plain
    try:
        loaded = load_configuration(described['module'], cwd=Path(described['cwd']))
    except ConfigError as error:
        log.warning('%s cannot be used any more, so summaries are read by the built-in reader: %s', plain.source, error)
        return plain
    if loaded.sha256 != plain.sha256:
        log.warning('%s has changed since: the plan stays, but its handles are the new ones', plain.source)
    return replace(plain, **{name: getattr(loaded, name) for name in names})
