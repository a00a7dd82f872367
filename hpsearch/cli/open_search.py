"""Opening a search that exists: whose it is, with which options, and what its configuration was."""

from __future__ import annotations

import argparse
import hashlib
import logging
import os
import time
from collections.abc import Collection, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from hpsearch.cli.creation import OpenSearch, description_of
from hpsearch.cli.options import add_search_options
from hpsearch.config.loading import load_configuration
from hpsearch.host.kernel import this_host
from hpsearch.host.processes import user_name
from hpsearch.model.configuration import Configuration, from_plain
from hpsearch.model.errors import ConfigError, SearchFolderError
from hpsearch.space.extension import Extension, extend, extending, write_extension
from hpsearch.space.order import Order
from hpsearch.space.plan import make_plan
from hpsearch.store.folder import SearchFolder
from hpsearch.store.journal import JournalReader, open_journals
from hpsearch.store.writers import Writers

log = logging.getLogger('hpsearch')

ONCE = ('reuse', 'submit_only')
"""Options that were for the first time only."""


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
    stored = {name: value for name, value in info.get('options', {}).items() if name not in ONCE}
    given = vars(args)
    if 'visible_gpus' in given and 'cpu_jobs' not in given:
        stored['cpu_jobs'] = None  # it would win over the GPUs that are asked for now
    if 'num_hours' in given and 'slurm_time' not in given:
        stored['slurm_time'] = ''  # likewise
    return argparse.Namespace(**{**defaults, **stored, **given})


def reopen(folder: SearchFolder, info: Mapping[str, Any]) -> OpenSearch:
    """A search from its folder; only handles need the configuration's module.

    Raises:
        SearchFolderError: The folder is damaged.
    """
    try:
        plain = from_plain(info['configuration']['attributes'])
        configuration = with_handles(plain, info['configuration'])
        withdrawn = frozenset(info.get('withdrawn', ()))
        return OpenSearch(folder, configuration, info['run_cwd'], info['interpreter'], withdrawn)
    except (KeyError, TypeError) as error:
        raise SearchFolderError(f'{folder.search_json} is damaged: {error!r}.') from error


def with_handles(plain: Configuration, described: Mapping[str, Any]) -> Configuration:
    """The configuration with the callables that only its module has.

    A module that changed is told; one that cannot be imported any more is, too, and the built-in reader is used.
    """
    if _has_changed(plain):
        log.warning('%s has changed since the search was made: the plan stays as it was', plain.source)
    names = [name for name in described['attributes'].get('handles', ()) if name != 'constraints']
    if not names:
        return plain
    try:
        loaded = load_configuration(described['module'], cwd=Path(described['cwd']))
    except ConfigError as error:
        log.warning('%s cannot be used any more, so summaries are read by the built-in reader: %s', plain.source, error)
        return plain
    return replace(plain, **{name: getattr(loaded, name) for name in names})


def _has_changed(configuration: Configuration) -> bool:
    try:
        return hashlib.sha256(Path(configuration.source).read_bytes()).hexdigest() != configuration.sha256
    except OSError:
        return False  # it is gone: that matters only where its handles are needed


def extend_plan(folder: SearchFolder, info: Mapping[str, Any], options: argparse.Namespace) -> Extension:
    """Bring the plan of a search up to the present state of its configuration.

    Raises:
        ConfigError: The configuration cannot be used, or runs something else now.
        SearchFolderError: Somebody works on the search, or it cannot be written.
    """
    described = info['configuration']
    with extending(folder):
        state, reader = open_journals(folder)
        _check_that_nobody_works(folder, reader, options.host_is_dead)
        configuration = load_configuration(
            described['module'],
            cwd=Path(described['cwd']),
            grid_config=options.grid_config,
            replacements=options.replacements,
        )
        limit = None if options.num_searches == -1 else options.num_searches
        is_fixed = options.deterministic_search and not options.dont_generate_full_grid
        order = Order(options.random_seed, is_fixed, limit)
        plan = make_plan(configuration, order, interpreter=info['interpreter'], search_path=folder.path, ident='x')
        extension = extend(folder, configuration, folder.read_runs(), plan.runs(), state)
        about = description_of(configuration, described['module'], described['cwd'])
        write_extension(folder, extension, {'configuration': about})
    return extension


def _check_that_nobody_works(folder: SearchFolder, reader: JournalReader, dead: Collection[str]) -> None:
    look = Writers(folder, this_host(), dead)
    for writer, _ in look.not_dead(reader.headers, reader.closed, time.monotonic()):
        raise SearchFolderError(
            f'{folder.path}: {writer} may be at work on it. Stop it first (hpsearch stop), then extend; '
            f'if its host is dead, say so: --host_is_dead={reader.headers[writer].get("host", "")}.'
        )
