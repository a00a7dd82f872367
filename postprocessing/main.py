"""The command ``hpsearch-postprocess``: from a search folder to a table of results, lists of runs and a tidy folder.

Exit codes: 0 done, 2 the request was wrong.
"""

from __future__ import annotations

import argparse
import os
import sys
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from hpsearch.config.handles import HANDLES, stored_configuration
from hpsearch.config.inline.objective import objectives_of_search
from hpsearch.config.loading import load_configuration
from hpsearch.model.configuration import Configuration
from hpsearch.model.errors import ConfigError, HpsearchError, SearchFolderError
from hpsearch.model.table import PerformanceDoubts
from hpsearch.model.trials.leading import objectives_in_words
from hpsearch.model.trials.seeds import USUAL_SEEDS
from hpsearch.model.units import count_of, noun_for
from hpsearch.records.finding import named_search
from hpsearch.store.folder import SearchFolder
from hpsearch.store.journal import read_state
from hpsearch.ui.table import best_table, shortened
from hpsearch.ui.terminal import prepare_streams, put_line

from .drawing.style import check_matplotlib
from .gather import gather
from .gathered import MISSED, Gathered
from .original_folder import gather_original, is_original_folder
from .schedules import written_schedules
from .seeds import shown_columns
from .tidy import Tidied, put_away_missed
from .written import check_parquet, kinds_of, write_list, write_pareto, write_parquet, write_runs_table, write_seeds

GROUPS_SHOWN = 10
"""Groups of runs that differ only in their seed, at most."""

DONE, WRONG_REQUEST, INTERRUPTED = 0, 2, 130


@dataclass(frozen=True, slots=True)
class Request:
    """What was requested.

    Attributes:
        folder: The search folder, absolute.
        grid_module: A configuration, or empty: the one of the search.
        criteria: For ``_PERFORMANCE_EVAL_HANDLE``, or None: nothing is moved.
        run_cwd: What relative output folders of an old search are relative to.
        parquet: Whether the table is also written as parquet.
        seed_key: The option that is the seed; None: the one that is by its name.
        code_column: Whether the table says which code each run had; it does, too, where that of the search does.
        measure_columns: The same of what each run used.
        plots: Whether the schedules of a population are drawn.
    """

    folder: Path
    grid_module: str = ''
    criteria: str | None = None
    run_cwd: Path = Path()
    parquet: bool = False
    seed_key: str | None = None
    code_column: bool = False
    measure_columns: bool = False
    plots: bool = False


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command; returns its exit code."""
    prepare_streams()
    args = postprocess_parser().parse_args(argv)
    request = Request(
        folder=Path(os.path.abspath(args.dir)),
        grid_module=args.grid_module,
        criteria=args.performance_criteria,
        run_cwd=Path(os.path.abspath(args.run_cwd)),
        parquet=args.parquet,
        seed_key=args.seed_key,
        code_column=args.code_column,
        measure_columns=args.measure_columns,
        plots=args.plots,
    )
    try:
        for line in postprocess(request):
            put_line(sys.stdout, line)  # everything is written, whether or not somebody reads that it is
        return DONE
    except HpsearchError as error:
        for problem in error.problems if isinstance(error, ConfigError) else (str(error),):
            put_line(sys.stderr, f'hpsearch-postprocess: {problem}')
    except OSError as error:
        put_line(sys.stderr, f'hpsearch-postprocess: {error}')
    except KeyboardInterrupt:
        return INTERRUPTED
    return WRONG_REQUEST


def postprocess(request: Request) -> Iterator[str]:
    """Do everything that was requested; yields lines to print.

    Raises:
        HpsearchError: The request is wrong; nothing was written or moved.
        OSError: Something cannot be written.
    """
    if request.parquet:
        check_parquet()
    if request.plots:
        check_matplotlib('--plots')
    configuration, runs, notes = _gathered(request)
    yield from notes
    if request.criteria is not None:
        tidied = put_away_missed(request.folder, runs, configuration.performance_eval, request.criteria)
        runs = tidied.runs
        yield from _about_tidying(tidied)
    yield _counts(runs)
    yield from _doubts(configuration, runs)
    yield from _written(request, configuration, runs)


def _gathered(request: Request) -> tuple[Configuration, Sequence[Gathered], Sequence[str]]:
    if not request.folder.is_dir():
        raise SearchFolderError(f'There is no folder {request.folder}.')
    if is_original_folder(request.folder):
        return _gathered_original(request)
    folder = named_search(request.folder)
    configuration, notes = _configuration(request, folder)
    return configuration, gather(folder, configuration), notes


def _configuration(request: Request, folder: SearchFolder) -> tuple[Configuration, Sequence[str]]:
    """The configuration by which a folder of ours is read, and what a user should know about it."""
    if request.grid_module:
        return load_configuration(request.grid_module, cwd=Path.cwd()), ()
    stored = stored_configuration(folder, folder.read_info(), handles=HANDLES)
    hint = ('Use --grid_module to give a configuration with handles.',) if stored.lacks_handles else ()
    return stored.configuration, (*stored.notes, *hint)


def _gathered_original(request: Request) -> tuple[Configuration, Sequence[Gathered], Sequence[str]]:
    if not request.grid_module:
        raise ConfigError(
            [
                f'{request.folder} was made by the original hpsearch, which does not record how results are read: '
                'pass the grid module of that search (a copy is in the folder) with --grid_module.'
            ]
        )
    configuration = load_configuration(request.grid_module, cwd=Path.cwd())
    return configuration, gather_original(request.folder, configuration, request.run_cwd), ()


def _about_tidying(tidied: Tidied) -> Iterator[str]:
    yield from tidied.problems
    if tidied.still_open:
        left = noun_for(len(tidied.still_open), 'was left where it is', 'were left where they are')
        yield f'{count_of(len(tidied.still_open), "run")} may still be running and {left}.'
    missed = count_of(len(tidied.moved), 'run that misses the criteria was', 'runs that miss the criteria were')
    yield f'{missed} moved to {MISSED}.'


def _doubts(configuration: Configuration, runs: Sequence[Gathered]) -> Iterator[str]:
    """What keeps finished runs from being compared."""
    doubts = PerformanceDoubts(configuration.performance_key)
    for gathered in runs:
        yield from doubts.of(gathered.row(configuration))
    yield from doubts.at_end()


def _counts(runs: Sequence[Gathered]) -> str:
    kinds = Counter(gathered.kind for gathered in runs)
    states = Counter(gathered.state.value for gathered in runs if gathered.kind == 'unfinished')
    detail = ', '.join(f'{count} {state}' for state, count in sorted(states.items()))
    counted = ', '.join(f'{kinds[kind]} {kind}' for kind in kinds_of(runs))
    return f'{count_of(len(runs), "run")}: {counted}.' + (f' Unfinished: {detail}.' if detail else '')


def _written(request: Request, configuration: Configuration, runs: Sequence[Gathered]) -> Iterator[str]:
    has_code = request.code_column or _search_has(SearchFolder(request.folder), 'code_column')
    is_measured = request.measure_columns or _search_has(SearchFolder(request.folder), 'measure_columns')
    table = write_runs_table(request.folder, runs, configuration, has_code=has_code, is_measured=is_measured)
    yield f'Table: {table}'
    for kind in kinds_of(runs):
        yield f'List: {write_list(request.folder, kind, runs)}'
    yield from _seeds(request, configuration, runs)
    yield from _pareto(SearchFolder(request.folder), configuration, runs)
    if SearchFolder(request.folder).is_adaptive:
        yield from written_schedules(SearchFolder(request.folder), configuration, has_plot=request.plots)
    if request.parquet:
        yield f'Parquet: {write_parquet(request.folder)}'


def _seeds(request: Request, configuration: Configuration, runs: Sequence[Gathered]) -> Iterator[str]:
    written = write_seeds(request.folder, runs, configuration, request.seed_key)
    if written is None:
        named = f'the option {request.seed_key}' if request.seed_key else f'an option like {" or ".join(USUAL_SEEDS)}'
        yield f'Seeds: no finished run has {named} (--seed_key names another one).'
        return
    path, table = written
    yield f'Seeds: {path}'
    if max(table.counts) == 1:
        yield f'No two finished runs differ only in {table.seed_key}.'
        return
    shown = shown_columns(table.columns, table.seed_key, configuration.performance_key)
    order = ', best mean first' if table.columns[shown[0]] == f'{configuration.performance_key}_mean' else ''
    finished, groups = count_of(sum(table.counts), 'finished run'), count_of(len(table.rows), 'group')
    yield f'{finished} in {groups} whose runs differ only in {table.seed_key}{order}:'
    rows = [[shortened(row[index]) for index in shown] for row in table.rows[:GROUPS_SHOWN]]
    yield best_table(rows, [table.columns[index] for index in shown]).rstrip('\n')


def _pareto(folder: SearchFolder, configuration: Configuration, runs: Sequence[Gathered]) -> Iterator[str]:
    """The Pareto front of a search with several objectives."""
    options = folder.read_info().get('options', {}) if folder.search_json.exists() else {}
    objectives = objectives_of_search(options, configuration)
    if len(objectives) > 1:
        suggestions = read_state(folder).suggestions
        trial_of = {name: each.proposal.trial or each.number for name, each in suggestions.items()}
        path, count = write_pareto(folder.path, runs, objectives, trial_of)
        yield f'Pareto front: {path} ({count_of(count, "trial")}; {objectives_in_words(objectives)})'


def _search_has(folder: SearchFolder, option: str) -> bool:
    """Whether the table of the search itself has the columns of an option; that of an original has none."""
    return folder.search_json.exists() and bool(folder.read_info().get('options', {}).get(option))


def postprocess_parser() -> argparse.ArgumentParser:
    """The parser of ``hpsearch-postprocess``."""
    parser = argparse.ArgumentParser(
        prog='hpsearch-postprocess',
        description='Gather the results of a search, also of one that was killed and of one that the original made.',
    )
    parser.add_argument('dir', metavar='DIR', type=os.path.expanduser, help='the search folder')
    parser.add_argument(
        '--grid_module',
        metavar='MODULE',
        default='',
        type=os.path.expanduser,
        help='the configuration that says how results are read (default: the one the search was made with; '
        'needed for a folder of the original)',
    )
    parser.add_argument(
        '--performance_criteria',
        metavar='X',
        help=f'move the output of runs for which _PERFORMANCE_EVAL_HANDLE(summary, X) is false to {MISSED}',
    )
    parser.add_argument(
        '--run_cwd',
        metavar='DIR',
        default='.',
        type=os.path.expanduser,
        help='what relative output folders of an original search are relative to (default: the current folder)',
    )
    _add_columns(parser)
    parser.add_argument(
        '--parquet', action='store_true', help='also write the table as parquet (needs the extra parquet)'
    )
    parser.add_argument(
        '--plots', action='store_true', help='also draw the schedules of a population (needs the extra plots)'
    )
    parser.add_argument(
        '--seed_key',
        metavar='OPTION',
        default=None,
        help='runs that differ in this option alone are grouped (default: random_seed, seed, or another option with '
        'the word seed in its name)',
    )
    return parser


def _add_columns(parser: argparse.ArgumentParser) -> None:
    """The columns on request."""
    parser.add_argument(
        '--code_column',
        action='store_true',
        help='add the column hpsearch_code: the id of the code that each run had (default: as in the search)',
    )
    parser.add_argument(
        '--measure_columns',
        action='store_true',
        help='add columns with what each run used: GPU memory and load, host memory, processors (default: as in the '
        'search)',
    )


if __name__ == '__main__':
    sys.exit(main())
