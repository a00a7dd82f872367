"""The command line of each verb, from words to typed values, and its exit codes. Imports little: ``--help`` is fast."""

from __future__ import annotations

import argparse
import os
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

from hpsearch.cli.options import (
    OF_PLACES,
    OptionGroup,
    SearchOptions,
    add_group,
    add_options,
    given_to,
    option,
    search_options,
)

ALL_FINISHED = 0
"""All runs finished; of a verb that runs nothing: it is done."""

SOME_DID_NOT = 1
"""Some runs did not finish."""

WRONG_REQUEST = 2
"""An option, the configuration or the folder is wrong, or the queue refuses such jobs."""

INTERRUPTED = 130
"""Stopped by a signal or by ``hpsearch stop``."""

VERBS = """\
verbs:
  hpsearch run …                the default: create a search and work on it
  hpsearch plan …               show what would be run, with the same options; --commands: only the commands;
                                --scripts: what would be submitted to a queue
  hpsearch status DIR [--json]  show the state of a search
  hpsearch resume DIR           continue a search, however it ended
  hpsearch join DIR             help with a search that others work on
  hpsearch stop DIR [--drain]   stop a search from another terminal or host
  hpsearch logs DIR RUN         print the output of a run
  hpsearch templates [NAME]     list the configuration templates, or print one
  hpsearch-postprocess DIR      gather the results of a search, also of one that was killed
"""


def _parser(verb: str, description: str, **details: Any) -> argparse.ArgumentParser:
    return argparse.ArgumentParser(prog=f'hpsearch {verb}'.strip(), description=description, **details)


def _parser_of_search(verb: str, description: str) -> argparse.ArgumentParser:
    parser = _parser(verb, description)
    parser.add_argument('dir', help='the search folder')
    return parser


# run, plan


def search_parser(verb: str, description: str) -> argparse.ArgumentParser:
    """The parser of a verb that has every option of a search."""
    from hpsearch import __version__

    parser = _parser(verb, description, epilog=VERBS, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('--version', action='version', version=f'hpsearch {__version__}')
    add_options(parser)
    return parser


def parse_run(words: Sequence[str]) -> SearchOptions:
    """``hpsearch run``, and no verb at all."""
    parser = search_parser('', 'Run a training script with many sets of hyperparameters.')
    return search_options(values_of(parser, words))


def plan_parser() -> argparse.ArgumentParser:
    """The parser of ``hpsearch plan``."""
    parser = search_parser('plan', 'Show what a search would run, without running anything.')
    which = parser.add_mutually_exclusive_group()
    which.add_argument('--commands', action='store_true', help='print only the commands, one per line')
    which.add_argument(
        '--scripts', action='store_true', help='with --run_cluster: print the script of the first jobs to be submitted'
    )
    return parser


# resume, join


@dataclass(frozen=True)
class ResumeCommand(OptionGroup):
    """``hpsearch resume`` or ``hpsearch join``, with the options that only they have.

    Attributes:
        dir: The search folder.
        given: Options of the search that were given now; the others keep their values.
        waits_for_others: Stay until the runs of others have ended, too (``resume``).
    """

    title: ClassVar[str] = 'resuming'

    dir: str
    given: Mapping[str, Any]
    waits_for_others: bool

    extend: bool = option(False, 'read the configuration again: new combinations are added, removed ones are not run')
    retry_failed: bool = option(False, 'failed runs get one more attempt')
    retry_cancelled: bool = option(False, 'run again what was cancelled in the queue')
    dead_hosts: tuple[str, ...] = option(
        (),
        'nothing runs on this host any more: run again what was started there; may be given several times',
        flag='host_is_dead',
        metavar='HOST',
    )
    trust: bool = option(False, 'resume a search of another user, which executes what its folder contains')


def resume_parser(verb: str, description: str) -> argparse.ArgumentParser:
    """The parser of ``hpsearch resume`` and ``join``: where, how many and how can differ from the first time."""
    parser = _parser_of_search(verb, description)
    add_options(parser, (*OF_PLACES, 'execution', 'display'), keeps=True)
    add_group(parser, ResumeCommand).add_argument(
        '--num_searches', metavar='N', type=int, default=argparse.SUPPRESS, help='with --extend: another number of runs'
    )
    return parser


def parse_resume(words: Sequence[str]) -> ResumeCommand:
    """``hpsearch resume``."""
    parser = resume_parser('resume', 'Continue a search; exits when all its runs have ended.')
    return _resume_command(values_of(parser, words), waits_for_others=True)


def parse_join(words: Sequence[str]) -> ResumeCommand:
    """``hpsearch join``."""
    parser = resume_parser('join', 'Help with a search; exits when there is nothing left to start.')
    return _resume_command(values_of(parser, words), waits_for_others=False)


def _resume_command(values: Mapping[str, Any], *, waits_for_others: bool) -> ResumeCommand:
    own = given_to(ResumeCommand, values)
    given = {name: value for name, value in values.items() if name not in own}
    return ResumeCommand(given=given, waits_for_others=waits_for_others, **own)


# The other verbs


def status_parser() -> argparse.ArgumentParser:
    """The parser of ``hpsearch status``."""
    parser = _parser_of_search('status', 'Show the state of a search.')
    parser.add_argument('--json', action='store_true', help='as JSON, for scripts')
    return parser


def stop_parser() -> argparse.ArgumentParser:
    """The parser of ``hpsearch stop``."""
    parser = _parser_of_search('stop', 'Stop a search in an orderly way.')
    parser.add_argument('--drain', action='store_true', help='start no more runs, but let those that run end')
    parser.add_argument('--trust', action='store_true', help='stop a search of another user')
    return parser


def logs_parser() -> argparse.ArgumentParser:
    """The parser of ``hpsearch logs``."""
    parser = _parser_of_search('logs', 'Print the output of a run, stderr last.')
    parser.add_argument('run', help='name or number of the run')
    parser.add_argument('--attempt', metavar='N', type=int, default=0, help='which attempt (default: the last)')
    return parser


def templates_parser() -> argparse.ArgumentParser:
    """The parser of ``hpsearch templates``."""
    parser = _parser('templates', 'Configurations to start from.')
    parser.add_argument('name', nargs='?', default='', help='the template to print (default: list them)')
    return parser


# Profiles

_RIVALS = {'slurm_time': 'num_hours', 'visible_gpus': 'cpu_jobs', 'cpu_jobs': 'visible_gpus'}
"""Option to another with the same meaning: where that one is given, the value of a profile must not override it."""


def profile_options() -> dict[str, argparse.Action]:
    """The options that a profile may set, by their names without dashes: those of this machine and of clusters."""
    parser = argparse.ArgumentParser(add_help=False)
    add_options(parser, OF_PLACES)
    return {action.dest: action for action in parser._actions if action.dest != 'profile'}


def values_of(parser: argparse.ArgumentParser, words: Sequence[str]) -> dict[str, Any]:
    """The values of a command line by their names, completed from its ``--profile``.

    The command line takes precedence; a list that it gives replaces that of the profile. The ``job_prologue`` of a
    profile becomes a value like the options.

    Raises:
        ConfigError: With every problem of the profile.
    """
    values = vars(parser.parse_args(words))
    if not values.get('profile'):
        return values
    from hpsearch.config.profile import read_profile

    profile = read_profile(Path(os.path.abspath(values['profile'])), profile_options())
    given = _given(parser, words, {*profile, *_RIVALS.values()})
    added = {name for name in profile.keys() - given if _RIVALS.get(name) not in given}
    return {**values, **{name: profile[name] for name in added}}


def _given(parser: argparse.ArgumentParser, words: Sequence[str], names: Iterable[str]) -> set[str]:
    """Which of these options the command line gives: argparse puts no default where there is a value, even None."""
    values = vars(parser.parse_args(words, argparse.Namespace(**dict.fromkeys(names))))
    return {name for name in names if values[name] is not None}
