"""Writes what was gathered: the table (also as parquet), the lists of runs, and the table of seeds."""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Sequence
from pathlib import Path

from hpsearch.model.command import shell_line
from hpsearch.model.configuration import Configuration
from hpsearch.model.errors import HpsearchError
from hpsearch.store.folder import write_whole
from hpsearch.store.results import write_results, write_table

from .gathered import Gathered
from .seeds import group_by_seed, seeds_table
from .tidy import keep_earlier

TABLE = 'postprocessing_results.csv'
SEEDS = 'postprocessing_seeds.csv'
PARQUET = 'postprocessing_results.parquet'
KINDS = ('finished', 'unfinished', 'missing')


def list_name(kind: str) -> str:
    """The file that lists the runs of a kind."""
    return f'{kind}_runs.jsonl'


def write_runs_table(
    folder: Path, runs: Sequence[Gathered], configuration: Configuration, *, has_code: bool = False
) -> Path:
    """Writes the table of the runs that ended, in the form of ``search_results.csv``; ``has_code``: with their code.

    Raises:
        OSError: It cannot be written.
    """
    path = folder / TABLE
    keep_earlier(path)
    rows = [gathered.row(configuration.out_arg) for gathered in runs if gathered.has_row]
    expected = [*configuration.grid, *configuration.summary_keywords]
    key, ascending = configuration.performance_key, configuration.performance_ascending
    codes = {gathered.run.name: gathered.code for gathered in runs}
    write_results(path, rows, key, ascending, expected, codes.__getitem__ if has_code else None)
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


def write_seeds(folder: Path, runs: Iterable[Gathered], configuration: Configuration, seed_key: str) -> Path | None:
    """Writes how the results scatter over seeds; None when no finished run has the seed option.

    Raises:
        OSError: It cannot be written.
    """
    rows = [gathered.row(configuration.out_arg) for gathered in runs if gathered.has_row]
    ignored = (configuration.out_arg or 'out_dir',)
    groups = group_by_seed(rows, seed_key, ignored)
    if not groups:
        return None
    path = folder / SEEDS
    keep_earlier(path)
    key, ascending = configuration.performance_key, configuration.performance_ascending
    write_table(path, *seeds_table(groups, seed_key, ignored, key, ascending))
    return path


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
