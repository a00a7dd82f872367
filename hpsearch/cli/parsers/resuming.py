"""The command lines of ``resume`` and ``join``, which go on with a search that there is."""

from __future__ import annotations

import argparse
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

from hpsearch.cli.declaring.fields import OptionGroup, option
from hpsearch.cli.options import OF_PLACES, add_group, add_options, given_to
from hpsearch.cli.parsers.parser import MANY_OPTIONS, NEWEST, Parser, add_search_folder
from hpsearch.cli.parsers.searches import search_parser
from hpsearch.cli.parsers.values import values_of

_RESUMES = {
    'resume': 'Continue a search; exits when all its runs have ended.',
    'join': 'Help with a search; exits when there is nothing left to start.',
}


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
    reread: bool = option(
        False,
        'read the results again, by the configuration as it is now: runs that failed only because their results could '
        'not be read have finished then',
    )
    retry_failed: bool = option(False, 'failed runs get one more attempt')
    retry_cancelled: bool = option(False, 'run again what was cancelled, by hpsearch cancel or in the queue')
    dead_hosts: tuple[str, ...] = option(
        (),
        'nothing runs on this host any more: run again what was started there; may be given several times',
        flag='host_is_dead',
        metavar='HOST',
    )
    trust: bool = option(False, 'resume a search that another user wrote or can write; its commands are executed')


class _ParserOfKept(Parser):
    """Says of the other options of a search that it keeps them."""

    def about_unknown(self, word: str) -> str:
        name = word.partition('=')[0]
        if self.with_underscores(name) in search_parser('run', '')._option_string_actions:
            return f'{name}: an option of hpsearch run; the search keeps what it was started with.'
        return super().about_unknown(word)


def resume_parser(verb: str) -> Parser:
    """The parser of ``hpsearch resume`` and ``join``: where, how many and how can differ from the first time."""
    joins = verb == 'join'
    parser = _ParserOfKept(prog=f'hpsearch {verb}', description=_RESUMES[verb])
    add_search_folder(parser, 'the search folder' if joins else NEWEST, is_needed=joins)
    parser.usage = f'{MANY_OPTIONS} {"DIR" if joins else "[DIR]"}'
    add_options(parser, (*OF_PLACES, 'pruning', 'limits', 'execution', 'notify', 'display'), keeps=True)
    group = add_group(parser, ResumeCommand)
    group.add_argument(
        '--num_searches', metavar='N', type=int, default=argparse.SUPPRESS, help='with --extend: another number of runs'
    )
    group.add_argument(
        '--grid_module',
        metavar='MODULE',
        type=os.path.expanduser,
        default=argparse.SUPPRESS,
        help='with --reread or --extend: another file of the configuration, from now on',
    )
    return parser


def parse_resume(words: Sequence[str]) -> ResumeCommand:
    """``hpsearch resume``."""
    parser = resume_parser('resume')
    return _resume_command(values_of(parser, words), waits_for_others=True)


def parse_join(words: Sequence[str]) -> ResumeCommand:
    """``hpsearch join``."""
    parser = resume_parser('join')
    return _resume_command(values_of(parser, words), waits_for_others=False)


def _resume_command(values: Mapping[str, Any], *, waits_for_others: bool) -> ResumeCommand:
    own = given_to(ResumeCommand, values)
    given = {name: value for name, value in values.items() if name not in own}
    return ResumeCommand(given=given, waits_for_others=waits_for_others, **own)
