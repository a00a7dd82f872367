"""Writes what was gathered: the table (also as parquet), the lists of runs, and the table of seeds."""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from hpsearch.model.command import shell_line
from hpsearch.model.configuration import Configuration
from hpsearch.model.errors import HpsearchError
from hpsearch.model.table import code_column, measure_columns
from hpsearch.model.trials.leading import Found, leaders, table_of
from hpsearch.model.trials.trial import Objective
from hpsearch.store.results import write_results, write_table
from hpsearch.store.whole_files import write_whole

from .gathered import Gathered
from .seeds import group_by_seed, seed_option, seeds_table
from .tidy import keep_earlier

TABLE = 'postprocessing_results.csv'
SEEDS = 'postprocessing_seeds.csv'
PARETO = 'postprocessing_pareto.csv'
PARQUET = 'postprocessing_results.parquet'
KINDS = ('finished', 'unfinished', 'missing')

STOPPED = 'stopped'
"""A further kind, of searches that stop runs because of their metrics."""


def kinds_of(runs: Iterable[Gathered]) -> tuple[str, ...]:
    """The kinds that are told apart, whether or not there is a run of each."""
    has_stopped = any(gathered.kind == STOPPED for gathered in runs)
    return (KINDS[0], STOPPED, *KINDS[1:]) if has_stopped else KINDS


def list_name(kind: str) -> str:
    """The file that lists the runs of a kind."""
    return f'{kind}_runs.jsonl'


def write_runs_table(
    folder: Path,
    runs: Sequence[Gathered],
    configuration: Configuration,
    *,
    has_code: bool = False,
    is_measured: bool = False,
) -> Path:
    """Writes the table of the runs that ended, in the form of ``search_results.csv``.

    Args:
        folder: Where.
        runs: All runs.
        configuration: Says how they are compared.
        has_code: Whether it says which code each run had.
        is_measured: Whether it says what each run used.

    Raises:
        OSError: It cannot be written.
    """
    path = folder / TABLE
    keep_earlier(path)
    rows = [gathered.row(configuration) for gathered in runs if gathered.has_row]
    expected = [*configuration.grid, *configuration.summary_keywords]
    key, ascending = configuration.performance_key, configuration.performance_ascending
    known = {gathered.run.name: gathered for gathered in runs}
    code = [code_column(lambda run: known[run].code)] if has_code else []
    measured = [measure_columns(lambda run: known[run].measured)] if is_measured else []
    write_results(path, rows, key, ascending, expected, [*code, *measured])
    return path


def write_list(folder: Path, kind: str, runs: Iterable[Gathered]) -> Path:
    """Writes the runs of a kind, one JSON object a line, so that they can be run or inspected.

    Raises:
        OSError: It cannot be written.
    """
    path = folder / list_name(kind)
    keep_earlier(path)
    write_whole(path, ''.join(_entry(gathered) + '\n' for gathered in runs if gathered.kind == kind))
    return path


@dataclass(frozen=True, slots=True)
class SeedsTable:
    """How results scatter over seeds.

    Attributes:
        seed_key: The option that is the seed.
        columns: The names of the columns.
        rows: The cells of each group of runs that differ only in their seed, best mean first.
    """

    seed_key: str
    columns: Sequence[str]
    rows: Sequence[Sequence[str]]

    @property
    def counts(self) -> list[int]:
        """How many runs each group has."""
        place = self.columns.index(self.seed_key) + 1
        return [int(row[place]) for row in self.rows]


def write_seeds(
    folder: Path, runs: Iterable[Gathered], configuration: Configuration, seed_key: str | None
) -> tuple[Path, SeedsTable] | None:
    """Writes how the results scatter over seeds; None when no finished run has such an option.

    Args:
        folder: The search folder.
        runs: All runs.
        configuration: Has the performance key.
        seed_key: The option that is the seed; None: the one that is by its name.

    Raises:
        OSError: It cannot be written.
    """
    rows = [gathered.row(configuration) for gathered in runs if gathered.has_row]
    option, ignored = seed_key or seed_option(rows), (configuration.out_arg or 'out_dir',)
    groups = group_by_seed(rows, option, ignored) if option else []
    if not option or not groups:
        return None
    path = folder / SEEDS
    keep_earlier(path)
    key, ascending = configuration.performance_key, configuration.performance_ascending
    found = SeedsTable(option, *seeds_table(groups, option, ignored, key, ascending))
    write_table(path, found.columns, found.rows)
    return path, found


def write_pareto(
    folder: Path, runs: Iterable[Gathered], objectives: Sequence[Objective], trial_of: Mapping[str, int]
) -> tuple[Path, int]:
    """Writes the trials on the Pareto front, the best by the first objective first; returns how many there are, too.

    Args:
        folder: The search folder.
        runs: All runs.
        objectives: What is optimised, several.
        trial_of: Name of a run to the number of its trial; a run that is missing is a trial by itself.

    Raises:
        OSError: It cannot be written.
    """
    finished = (each for each in runs if each.kind == KINDS[0])
    found = leaders(
        [
            Found(each.run.name, trial_of.get(each.run.name, each.run.number), each.run.params, each.summary)
            for each in finished
        ],
        objectives,
    )
    path = folder / PARETO
    keep_earlier(path)
    write_table(path, *table_of(objectives, found))
    return path, len(found)


def check_parquet() -> None:
    """Makes sure that parquet can be written, before anything else is done.

    Raises:
        HpsearchError: pyarrow is not installed.
    """
    try:
        import pyarrow  # noqa: F401
    except ImportError as error:
        raise HpsearchError(
            f"--parquet needs pyarrow, which cannot be imported ({error}): python3 -m pip install 'hpsearch[parquet]'"
        ) from error


def write_parquet(folder: Path) -> Path:
    """Writes the table as parquet, from the CSV file that must exist.

    Raises:
        OSError: It cannot be written.
    """
    import pandas

    path = folder / PARQUET
    keep_earlier(path)
    frame = pandas.read_csv(folder / TABLE, sep=';', low_memory=False)
    temporary = path.with_name(f'.{path.name}.{os.getpid()}-{os.urandom(4).hex()}.tmp')
    with open(temporary, 'xb') as out:
        frame.to_parquet(out, index=False)
    temporary.replace(path)
    return path


def _entry(gathered: Gathered) -> str:
    run = gathered.run
    entry = {
        'run': run.name,
        'number': run.number,
        'params': run.params,
        'argv': list(run.argv),
        'command': shell_line(run.argv),
        'state': gathered.state.value,
        'reason': gathered.reason,
        'folder': str(gathered.output),
    }
    return json.dumps(entry, default=str)
