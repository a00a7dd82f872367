"""``hpsearch hunt``: a search with the command line and the configuration of Oríon, found again by its name."""

from __future__ import annotations

import argparse
import json
import logging
import os
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from hpsearch.backends.queue.own_job import own_job
from hpsearch.cli.adaptive.suggested import of_workers
from hpsearch.cli.options import GROUPS, OF_PLACES, add_options, given_to, search_options
from hpsearch.cli.parsers.leading_words import before_command, first_word
from hpsearch.cli.parsers.parser import Parser
from hpsearch.cli.parsers.resuming import ResumeCommand
from hpsearch.cli.parsers.values import given_in, values_of
from hpsearch.cli.request import SearchRequest, create, load_requested, make_request
from hpsearch.cli.resume import resume_search
from hpsearch.cli.run import run_search
from hpsearch.config.inline.hunt import experiment_of
from hpsearch.host.signals import Wakeup
from hpsearch.model.configuration import plain_attributes
from hpsearch.model.errors import ConfigError, SearchFolderError
from hpsearch.model.evidence import Liveness
from hpsearch.store.folder import SearchFolder
from hpsearch.store.journal import open_journals
from hpsearch.store.opening.open_search import OpenSearch
from hpsearch.store.writers import poll_once

log = logging.getLogger('hpsearch')

PATIENCE = 60.0
"""Seconds to wait for the plan of a search that another process has begun to make."""

_PAUSE = 0.2

_UNUSED = (
    *('user', 'version', 'worker_max_trials', 'worker_max_broken', 'worker_trials', 'pool_size', 'heartbeat'),
    *('max_idle_time', 'idle_timeout', 'executor', 'interrupt_signal_code', 'strategy', 'branch_from', 'branch_to'),
    *('cli_change_type', 'code_change_type', 'config_change_type', 'algorithm_change', 'non_monitored_arguments'),
)
_UNUSED_FLAGS = ('ignore_code_changes', 'enable_evc', 'auto_resolution', 'manual_resolution', 'debug')


_OWN = {'name': '', 'config': '', 'working_dir': '', 'init_only': False, 'out_dir': '', 'run_cwd': '.'}
"""Options of the verb itself, with their defaults."""


@dataclass(frozen=True)
class HuntCommand:
    """``hpsearch hunt``.

    Attributes:
        name: Of the experiment.
        folder: The search folder that it has, absolute.
        command: The words of the script; empty: those of the search that is there.
        config: Path of Oríon's configuration, absolute; empty: there is none.
        given: Options of the search that are given, by name.
        unused: Options of Oríon that are given and have no effect.
        only_creates: Only create the search.
    """

    name: str
    folder: Path
    command: tuple[str, ...] = ()
    config: str = ''
    given: Mapping[str, Any] = field(default_factory=dict)
    unused: Sequence[str] = ()
    only_creates: bool = False


def hunt_parser() -> Parser:
    """The parser of ``hpsearch hunt``."""
    parser = Parser(
        prog='hpsearch hunt',
        usage='hpsearch hunt -n NAME [-c FILE] [OPTIONS] [--] COMMAND ...',
        description='Search as orion hunt does: the words behind the options are the command of a run, as in python '
        "main.py --lr~'loguniform(1e-5, 1)'. A search that is there already, by its name, is worked on.",
    )
    group = parser.add_argument_group("Oríon's options")
    group.add_argument(
        '-n', '--name', metavar='NAME', default='', help='name of the search, and of its folder in --out_dir'
    )
    group.add_argument('-c', '--config', metavar='FILE', default='', help="Oríon's configuration, in YAML")
    group.add_argument('--exp_max_trials', metavar='N', type=int, help='the same as --max_trials')
    group.add_argument('--exp_max_broken', metavar='N', type=int, help='the same as --max_broken')
    group.add_argument('--n_workers', metavar='N', type=int, help='runs at a time')
    group.add_argument('--working_dir', metavar='DIR', default='', help='the same as --out_dir')
    group.add_argument('--init_only', action='store_true', help='only create the search')
    for name in _UNUSED:
        group.add_argument(f'--{name}', dest=f'orion_{name}', help=argparse.SUPPRESS)
    group.add_argument('-u', dest='orion_user', help=argparse.SUPPRESS)
    group.add_argument('-v', dest='orion_version', help=argparse.SUPPRESS)
    for name in _UNUSED_FLAGS:
        group.add_argument(f'--{name}', dest=f'orion_{name}', action='store_true', help=argparse.SUPPRESS)
    add_options(parser, [name for name in GROUPS if name != 'folder'])
    folder = parser.add_argument_group('where results go')
    folder.add_argument('--out_dir', metavar='DIR', default='', help='parent of the search folder NAME')
    folder.add_argument('--run_cwd', metavar='DIR', default='.', help='working directory of the runs')
    return parser


def parse_hunt(words: Sequence[str]) -> HuntCommand:
    """``hpsearch hunt``.

    Raises:
        ConfigError: The configuration cannot be read, or there is no name.
    """
    parser = hunt_parser()
    at = first_word(words, parser)
    values = _values_given(parser, words[:at])
    rest = words[at:]
    command = tuple(rest[len(before_command(rest)) + 1 :] if rest[:1] == ['--'] else rest)
    own = {name: values.pop(name, default) for name, default in _OWN.items()}
    unused = [name for name in values if name.startswith('orion_')]
    given = {name: value for name, value in values.items() if not name.startswith('orion_')}
    for theirs, ours in (('exp_max_trials', 'max_trials'), ('exp_max_broken', 'max_broken')):
        given |= {ours: given.pop(theirs)} if theirs in given else {}
    config = os.path.abspath(os.path.expanduser(own['config'])) if own['config'] else ''
    experiment = experiment_of(config)[0].get('experiment') or {}
    limits = {name: experiment[name] for name in ('max_trials', 'max_broken') if type(experiment.get(name)) is int}
    run_cwd = os.path.abspath(os.path.expanduser(own['run_cwd']))
    parent = own['out_dir'] or own['working_dir'] or experiment.get('working_dir') or search_options({}).folder.out_dir
    name = own['name'] or str(experiment.get('name') or '')
    if not name or name != os.path.basename(name) or name in ('.', '..'):
        raise ConfigError([f'-n {name or "NAME"}: the name of the search is expected, which names its folder.'])
    return HuntCommand(
        name,
        Path(os.path.join(run_cwd, os.path.expanduser(parent), name)),
        command,
        config,
        {**limits, **given, 'run_cwd': run_cwd},
        [name.removeprefix('orion_') for name in unused],
        own['init_only'],
    )


def _values_given(parser: Parser, words: Sequence[str]) -> dict[str, Any]:
    """The values of the options that are given, on the command line or by a profile."""
    values = values_of(parser, words)
    given = given_in(parser, words, values)
    return {name: value for name, value in values.items() if name in given or value != parser.get_default(name)}


def hunt_search(command: HuntCommand) -> int:
    """Create the search of this name and work on it, or work on the one that is there; returns the exit code.

    Raises:
        HpsearchError: It cannot be worked on, or another one has this name.
    """
    if command.unused:
        print(f'Oríon: {", ".join(f"--{name}" for name in command.unused)}: not used here.')
    if not SearchFolder(command.folder).search_json.exists():
        try:
            return _first(command)
        except FileExistsError:
            log.info('%s is being made by another process', command.folder)
    _wait_for_plan(command.folder)
    return _again(command)


# The first one


def _first(command: HuntCommand) -> int:
    """Create the search and work on it.

    Raises:
        FileExistsError: Another process has begun to create it.
    """
    if not command.command:
        raise ConfigError([f'-n {command.name}: there is no search in {command.folder}; give the command of its runs.'])
    options = search_options(_values(command))
    if not command.only_creates:
        return run_search(options, _create_alone)
    _create_alone(make_request(options))
    print(command.folder)
    return 0


def _values(command: HuntCommand) -> dict[str, Any]:
    """The options of the search, by name."""
    given = {name: value for name, value in command.given.items() if name != 'n_workers'}
    if 'n_workers' in command.given:
        given |= of_workers(command.given['n_workers'], given)
    return {
        **given,
        'given': tuple(sorted(given)),
        'command': command.command,
        'hunt': command.name,
        'orion_config': command.config,
        'out_dir': str(command.folder),
        'force_out_dir': True,
        'dont_force_new_dir': True,
    }


def _create_alone(request: SearchRequest) -> OpenSearch:
    """Create a search that no other process has begun to create.

    Raises:
        FileExistsError: Another one has.
    """
    request.out_dir.parent.mkdir(parents=True, exist_ok=True)
    os.mkdir(request.out_dir)
    return create(request)


# The next ones


def _wait_for_plan(path: Path) -> None:
    """Wait until a search can be worked on.

    Raises:
        SearchFolderError: Nothing more happens to it.
    """
    folder, end = SearchFolder(path), time.monotonic() + PATIENCE
    with Wakeup() as wakeup:
        while not folder.runs_jsonl.exists():
            if time.monotonic() > end:
                raise SearchFolderError(f'{path} has no plan, and nobody makes one: remove it, and try again.')
            wakeup.wait(_PAUSE)


def _again(command: HuntCommand) -> int:
    folder = SearchFolder(command.folder)
    info = folder.read_info()
    _check_that_it_is_the_same(command, info)
    reader = open_journals(folder)[1]
    lives = poll_once(folder, reader.headers, reader.closed, time.time())
    is_alone = Liveness.ALIVE not in lives.values()
    groups = (*OF_PLACES, 'limits', 'execution', 'notify', 'display')
    given = {name: value for group in groups for name, value in given_to(GROUPS[group], command.given).items()}
    if 'n_workers' in command.given:
        given |= of_workers(command.given['n_workers'], given)
    # In a job, what is allocated is given back as soon as there is nothing left to start; elsewhere the end is awaited.
    return resume_search(ResumeCommand(str(command.folder), given, waits_for_others=is_alone or own_job() is None))


def _check_that_it_is_the_same(command: HuntCommand, info: Mapping[str, Any]) -> None:
    """Refuse to work on a search with another command, space or sampler than are given.

    Raises:
        ConfigError: With everything that is another.
    """
    stored = info.get('options', {})
    others = [
        f'--{name}: is {value}, and the search {command.name} has {stored.get(name)}'
        for name, value in given_to(GROUPS['adaptive'], command.given).items()
        if stored.get(name) != (list(value) if isinstance(value, tuple) else value)
    ]
    if command.command:
        options = search_options(_values(command))
        now = plain_attributes(load_requested(options, Path(options.folder.run_cwd)))
        others += _differences(json.loads(json.dumps(now)), info['configuration']['attributes'], command.name)
    if others:
        raise ConfigError([f'{each}; choose another name (-n).' for each in others])


def _differences(now: Mapping[str, Any], then: Mapping[str, Any], name: str) -> list[str]:
    """What is another in the configuration of a search of this name, in sentences without their end."""
    space, earlier = now['grid'], then.get('grid', {})
    changed = [option for option in {**space, **earlier} if space.get(option) != earlier.get(option)]
    differences = [f'{option}: is searched otherwise in the search {name}' for option in changed]
    for attribute, what in (('command', 'the command'), ('config_template', 'the configuration file of the script')):
        if not changed and now[attribute] != then.get(attribute):
            differences.append(f'{what} is another one in the search {name}')
    return differences
