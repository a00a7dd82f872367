"""The command line of ``hpsearch seeds``."""

from __future__ import annotations

import argparse
import os
import re
from collections.abc import Collection, Iterator, Mapping, Sequence, Set
from dataclasses import dataclass, fields
from typing import Any, ClassVar

from hpsearch.cli.declaring.fields import OptionGroup, integer_from, option
from hpsearch.cli.options import GROUPS, OF_PLACES, DisplayOptions, add_group, add_options, given_to
from hpsearch.cli.parsers.parser import Parser, add_search_folder
from hpsearch.cli.parsers.values import given_in, values_of

_OF_WORK = (*OF_PLACES, 'execution', 'notify', 'display')
"""The groups of options of a search that say where and how its runs execute."""


MOST_PLACES = 30
"""Digits after the point, at most; statistics have no more that are right."""


def module_name(text: str) -> str:
    """An argparse type: the name of a module, with or without the ending of its file, and without a folder."""
    name = text.removesuffix('.py')
    if not re.fullmatch(r'\w[\w-]*', name):
        raise argparse.ArgumentTypeError(f'{text!r} is no name of a module, which is written into the folder')
    return name


@dataclass(frozen=True)
class SeedsOptions(OptionGroup):
    """What is repeated, and how often."""

    title: ClassVar[str] = 'what is repeated'

    run_dir: str = option(
        '',
        'the output folder of the run, instead of DIR and RUN: of a search, or one with the config.pickle of a script '
        'of hypnettorch',
        metavar='FOLDER',
        type=os.path.expanduser,
    )
    best: int = option(
        1, 'without RUN: the K best configurations (default: %(default)s)', metavar='K', type=integer_from(1)
    )
    num_seeds: int = option(
        10,
        'seeds of each configuration, those that there are included (default: %(default)s)',
        metavar='N',
        type=integer_from(1),
    )
    seeds_list: str = option(
        '',
        "these seeds instead, whole numbers with commas or spaces between them, as in 1,2,3 or '1 2 3'",
        metavar='LIST',
    )
    seed_arg: str = option(
        '', 'the option of the script that is the seed (default: the one whose name says so)', metavar='OPTION'
    )
    vary_data_seed: bool = option(False, 'give --data_seed_arg the same value as the seed')
    data_seed_arg: str = option(
        'data_random_seed',
        'with --vary_data_seed: the option that is the seed of the data (default: %(default)s)',
        metavar='OPTION',
    )
    changes: tuple[str, ...] = option(
        (),
        'another value for an option of the script in all these runs; may be given several times',
        flag='set',
        metavar='OPTION=VALUE',
    )
    grid_module: str = option(
        '',
        'the configuration of a run or a search that hypnettorch made: a module name, a .py file or a YAML file',
        metavar='MODULE',
        type=os.path.expanduser,
    )
    script: str = option(
        '', 'with --run_dir, instead of --grid_module: the script of the run', metavar='FILE', type=os.path.expanduser
    )
    results: tuple[str, ...] = option(
        (), 'with --script: where a run leaves its result, as for hpsearch run', flag='result', metavar='RULE'
    )
    run_cwd: str = option(
        '', 'working directory of the runs (default: as before)', metavar='DIR', type=os.path.expanduser
    )
    python: str = option('', 'interpreter of the script (default: as before)', metavar='FILE', type=os.path.expanduser)


@dataclass(frozen=True)
class GatheringOptions(OptionGroup):
    """Where the runs go, and whether they are started."""

    title: ClassVar[str] = 'gathering'

    start_gathering: bool = option(False, 'start the runs that are missing now; otherwise they are only planned')
    retry_failed: bool = option(False, 'with --start_gathering: run again what failed')
    out_dir: str = option(
        '',
        'the folder for these runs, which is a search (default: beside the search, with _seeds at the end of its name)',
        metavar='FOLDER',
        type=os.path.expanduser,
    )
    snapshot: bool = option(False, 'copy the code when this search is created, and start its runs from that copy')
    config_name: str = option(
        'hpsearch_random_seeds',
        'name of the configuration that is written in it (default: %(default)s)',
        metavar='NAME',
        type=module_name,
    )
    seeds_dir: str = option(
        '', 'run nothing: only summarise what is in this folder', metavar='FOLDER', type=os.path.expanduser
    )
    trust: bool = option(False, 'repeat runs of a search that another user wrote or can write; its script is executed')
    hps_num_hours: str = option('', 'not supported; see --submit_only and --runs_per_job', metavar='N')
    hps_resources: str = option('', 'not supported; see --resources', metavar='TEXT')
    hps_slurm_mem: str = option('', 'not supported; see --slurm_mem', metavar='TEXT')


@dataclass(frozen=True)
class SummaryOptions(OptionGroup):
    """What is said of the results."""

    title: ClassVar[str] = 'summary'

    sem: bool = option(False, 'show the standard error of the mean instead of the standard deviation')
    population: bool = option(False, 'the standard deviation of these seeds alone (n) instead of a sample (n - 1)')
    precision: int | None = option(
        None,
        f'digits after the point, at most {MOST_PLACES} (default: as many as show two digits of the error)',
        metavar='N',
        type=integer_from(0, MOST_PLACES),
    )
    fresh: bool = option(False, 'leave the results out of the means by which a configuration was chosen')


@dataclass(frozen=True)
class SeedsCommand:
    """``hpsearch seeds``.

    Attributes:
        dir: The search; empty: another option says what is repeated, or the newest one is meant.
        run: Name or number of a run; empty: the best ones.
        what: What is repeated.
        gathering: Where the runs go.
        summary: How results are summarised.
        given: Options of the search that were given now.
        words: The command line.
    """

    dir: str
    run: str
    what: SeedsOptions
    gathering: GatheringOptions
    summary: SummaryOptions
    given: Mapping[str, Any]
    words: Sequence[str]


_OWN = (SeedsOptions, GatheringOptions, SummaryOptions)

_OF_SUMMARIES = (
    'seed_arg',
    'vary_data_seed',
    'data_seed_arg',
    'grid_module',
    'script',
    'results',
    'run_cwd',
    'seeds_dir',
)
"""Options that also count where nothing is run."""

_EXAMPLES = """\
examples:
  hpsearch seeds out/my_search                             # what would be run
  hpsearch seeds out/my_search --best 2 --start_gathering  # ten seeds of each
  hpsearch seeds out/my_search 17 --num_seeds 5 --start_gathering \\
      --run_cluster --scheduler=slurm
  hpsearch seeds --seeds_dir out/my_search_seeds --sem --precision 2
"""


def seeds_parser() -> Parser:
    """The parser of ``hpsearch seeds``."""
    parser = Parser(
        prog='hpsearch seeds',
        description='Repeat a run, or the best ones of a search, with other random seeds, and say how results scatter.',
    )
    parser.usage = '%(prog)s [OPTION ...] [DIR] [RUN]'
    parser.epilog = _EXAMPLES
    add_search_folder(parser)
    parser.add_argument('run', metavar='RUN', nargs='?', default='', help='name or number of a run (default: the best)')
    for group in _OWN:
        add_group(parser, group)
    add_options(parser, _OF_WORK)
    return parser


def _problems(values: Mapping[str, Any], own: Collection[str]) -> Iterator[str]:
    """Options that others make meaningless, in sentences; ``own``: those of seeds that were given."""
    if values['run_dir'] and values['dir']:
        yield f'{values["dir"]}: --run_dir says already what is repeated; keep one of them'
    if (values['run'] or values['run_dir']) and values['best'] > 1:
        yield '--best: the run is named already; keep one of them'
    if values['seeds_list'] and 'num_seeds' in own:
        yield '--num_seeds: --seeds_list says already which seeds there are; keep one of them'
    if 'data_seed_arg' in own and not values['vary_data_seed']:
        yield '--data_seed_arg: needs --vary_data_seed'


def _idle_in_a_summary(parser: Parser, values: Mapping[str, Any], given: Set[str]) -> list[str]:
    """The words and options that have no effect where nothing is run; ``given``: the options that were given."""
    counting = {*_OF_SUMMARIES, *given_to(SummaryOptions, values), *given_to(DisplayOptions, values)}
    flags = {action.dest: action.option_strings[0] for action in parser._actions if action.option_strings}
    return [*filter(None, (values['dir'], values['run'])), *(flags[name] for name in flags if name in given - counting)]


def parse_seeds(words: Sequence[str]) -> SeedsCommand:
    """``hpsearch seeds``."""
    parser = seeds_parser()
    values = values_of(parser, words)
    names = [each.name for group in _OF_WORK for each in fields(GROUPS[group]) if each.metadata]
    given = given_in(parser, words, names)
    defaults = vars(parser.parse_args([]))
    chosen = {name: values[name] for name in names if name in given or values[name] != defaults[name]}
    if values.get('job_prologue'):
        chosen['job_prologue'] = values['job_prologue']
    own = given_in(parser, words, [name for group in _OWN for name in given_to(group, values)])
    problems = list(_problems(values, own))
    if values['seeds_dir'] and (idle := _idle_in_a_summary(parser, values, own | given)):
        problems.append(f'{", ".join(idle)}: without effect with --seeds_dir, which runs nothing; leave it out')
    if problems:
        parser.error('; '.join(problems))
    return SeedsCommand(
        values['dir'],
        values['run'],
        SeedsOptions(**given_to(SeedsOptions, values)),
        GatheringOptions(**given_to(GatheringOptions, values)),
        SummaryOptions(**given_to(SummaryOptions, values)),
        chosen,
        tuple(words),
    )
