"""The command lines of the verbs that have every option of a search: ``run``, ``plan`` and ``try``."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from hpsearch.cli.declaring.fields import integer_from
from hpsearch.cli.options import SearchOptions, add_options, search_options
from hpsearch.cli.parsers.leading_words import before_command, first_word, has_search
from hpsearch.cli.parsers.parser import MANY_OPTIONS, Parser, parser_of
from hpsearch.cli.parsers.values import given_in, values_of

_EXAMPLES = """\
examples:
  hpsearch run my_config.py --cpu_jobs=4
  hpsearch run my_config.yaml --visible_gpus=0,1 --packing=auto
  hpsearch run --search=tpe --max_trials=50 --objective=lightning:val_loss \\
      --direction=minimize -- python3 train.py --lr~'loguniform(1e-5, 1)'
  hpsearch run my_config.py --run_cluster --scheduler=slurm --num_jobs=20

hpsearch plan, with the same words, shows what would be run.
"""


def search_parser(verb: str, description: str) -> Parser:
    """The parser of a verb that has every option of a search."""
    from hpsearch import __version__

    parser = parser_of(verb, description)
    parser.usage = f'{MANY_OPTIONS} CONFIG\n       {MANY_OPTIONS} -- COMMAND ...'
    parser.add_argument('--version', action='version', version=f'hpsearch {__version__}')
    parser.add_argument(
        'config',
        metavar='CONFIG',
        nargs='?',
        default='',
        type=os.path.expanduser,
        help='the configuration, as --grid_module=CONFIG; or a command, as the last words after --',
    )
    add_options(parser)
    return parser


def run_parser() -> Parser:
    """The parser of ``hpsearch run``."""
    parser = search_parser('run', 'Create a search and work on it: run a script with many sets of hyperparameters.')
    parser.epilog = _EXAMPLES
    return parser


def parse_run(words: Sequence[str]) -> SearchOptions:
    """``hpsearch run``, and no verb at all."""
    parser = run_parser()
    return search_options(_of_command(parser, _values_of_search(parser, words)))


@dataclass(frozen=True)
class PlanCommand:
    """``hpsearch plan``.

    Attributes:
        options: Those of the search.
        only_commands: Show all commands, and nothing else.
        scripts: Show the scripts of its first jobs, and nothing else.
        shows_all: Show the summary with all commands, not only with the first ones.
    """

    options: SearchOptions
    only_commands: bool
    scripts: bool
    shows_all: bool


def plan_parser() -> Parser:
    """The parser of ``hpsearch plan``."""
    parser = search_parser('plan', 'Show what a search would run, without running anything.')
    which = parser.add_argument_group('what plan prints').add_mutually_exclusive_group()
    which.add_argument('--commands', action='store_true', help='print only the commands, one per line')
    which.add_argument('--all', action='store_true', help='show all commands, not only the first ones')
    which.add_argument(
        '--scripts', action='store_true', help='with --run_cluster: print the script of the first jobs to be submitted'
    )
    return parser


def parse_plan(words: Sequence[str]) -> PlanCommand:
    """``hpsearch plan``."""
    parser = plan_parser()
    values = _of_command(parser, _values_of_search(parser, words))
    return PlanCommand(search_options(values), values['commands'], values['scripts'], values['all'])


@dataclass(frozen=True)
class TryCommand:
    """``hpsearch try``.

    Attributes:
        options: Those of the search.
        run: Number of the run in the plan, from 1.
        keeps: Whether the scratch folder stays in any case.
    """

    options: SearchOptions
    run: int
    keeps: bool


def try_parser() -> Parser:
    """The parser of ``hpsearch try``."""
    parser = search_parser('try', 'Run one set of hyperparameters in the foreground, and show what was understood.')
    parser.add_argument(
        'run', metavar='RUN', nargs='?', type=integer_from(1), default=1, help='its number (default: 1)'
    )
    group = parser.add_argument_group('of the run that is tried')
    group.add_argument('--keep', action='store_true', help='keep the folder with its output')
    return parser


def parse_try(words: Sequence[str]) -> TryCommand:
    """``hpsearch try``."""
    parser = try_parser()
    values = _values_of_search(parser, words)
    if values['command'] and values['grid_module'].isdigit():
        values |= {'grid_module': '', 'run': int(values['grid_module']) or 1}  # the only word is the number of the run
    values = _of_command(parser, values)
    return TryCommand(search_options(values), values['run'], values['keep'])


# The values of such a command line


def _values_of_search(parser: Parser, words: Sequence[str]) -> dict[str, Any]:
    own = before_command(words)
    command = tuple(words[len(own) + 1 :])
    if len(own) < len(words) and not command:
        parser.error("a command is expected after --, as in -- python3 train.py --lr~'[0.1, 0.01]'")
    _check_for_command(parser, own)
    values = values_of(parser, own)
    config, module = values.pop('config'), values['grid_module']
    if config and module and config != module:
        parser.error(f'{config}: the configuration is given already, as --grid_module={module}')
    from hpsearch.config.source import OF_SAMPLERS

    given = tuple(sorted(given_in(parser, own, (*OF_SAMPLERS, 'random_seed', 'num_searches'))))
    return {**values, 'grid_module': config or module, 'command': command, 'given': given}


def _check_for_command(parser: Parser, words: Sequence[str]) -> None:
    """Exit where the words are a command with something to search that no -- precedes."""
    if has_search(words):
        from hpsearch.model.command import shell_line

        at = first_word(words, parser)
        parser.error(f'a command stands after --: {parser.prog} {shell_line([*words[:at], "--", *words[at:]])}')


def _of_command(parser: Parser, values: dict[str, Any]) -> dict[str, Any]:
    """The values of a command line that has one configuration at most."""
    if values['command'] and values['grid_module']:
        parser.error(
            f'{values["grid_module"]}: a command follows after --, which is the configuration itself; keep one of them'
        )
    return values
