"""``hpsearch seeds``: what it does, and what it says."""

from __future__ import annotations

import os
import sys
from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from random import Random
from typing import Any

from hpsearch.cli.exit_codes import ALL_FINISHED
from hpsearch.cli.seeds.choice import Repeated, SeedArgs, by_configuration, labels, seed_args
from hpsearch.cli.seeds.gathering import prepare, start
from hpsearch.cli.seeds.note import read_note
from hpsearch.cli.seeds.parsers import SeedsCommand
from hpsearch.cli.seeds.planning import Gathering, gathering_of
from hpsearch.cli.seeds.sources import Known, Source, source_of
from hpsearch.cli.viewing.postprocessing import postprocessing
from hpsearch.model.command import shell_line
from hpsearch.model.configuration import Value
from hpsearch.model.errors import ConfigError, SearchFolderError, trouble_in_words
from hpsearch.model.states import State
from hpsearch.model.units import count_of, noun_for
from hpsearch.store.whole_files import write_whole
from hpsearch.ui.terminal import put_line

TEXT, TABLE = 'seeds_summary_text.txt', 'seeds_summary.csv'
"""The files with the summary, in the folder of the repeated runs."""

SHOWN = 20
"""Configurations in the text, at most; the table has all of them."""


def repeat_runs(command: SeedsCommand) -> int:
    """Plan, start and summarise runs with other seeds; returns the exit code.

    Raises:
        HpsearchError: The request is wrong, or a folder cannot be used.
    """
    _refuse_jobs_of_the_search(command)
    if command.gathering.seeds_dir:
        return _summarise(Path(os.path.abspath(command.gathering.seeds_dir)), command)
    gathering = prepare(command, gathering_of(command))
    _say(_about(gathering, command.what.best))
    if not command.gathering.start_gathering:
        _say(_how_to_start(command, gathering))
        is_complete = set(gathering.counts) == {State.FINISHED}
        return _summarise(gathering.folder.path, command) if is_complete else ALL_FINISHED
    code = start(command, gathering)
    _summarise(gathering.folder.path, command)
    return code


def _refuse_jobs_of_the_search(command: SeedsCommand) -> None:
    names = [name for name in ('hps_num_hours', 'hps_resources', 'hps_slurm_mem') if getattr(command.gathering, name)]
    if names:
        raise ConfigError(
            [
                f'{", ".join(f"--{name}" for name in names)}: the search itself needs no job. With --run_cluster, '
                '--submit_only ends when the queue has accepted the runs, and --runs_per_job=K submits jobs that work '
                'on the search by themselves.'
            ]
        )


def _say(lines: Iterator[str]) -> None:
    for line in lines:
        put_line(sys.stdout, line)


def _about(gathering: Gathering, asked: int) -> Iterator[str]:
    """What is planned, and what of it there is; ``asked``: how many configurations were asked for."""
    numbers = Counter(len(seeds) for seeds in gathering.chosen.values())
    each = ' or '.join(str(number) for number in sorted(numbers))
    counts, configurations = gathering.counts, count_of(len(gathering.chosen), 'configuration')
    yield (
        f'{configurations} with {each} {noun_for(max(numbers), "seed")} ({", ".join(gathering.seeds.names)}): '
        f'{count_of(counts.total(), "run")}, {counts[State.FINISHED]:,} with a result'
    )
    if len(gathering.chosen) < asked:
        yield f'There are no {asked:,} configurations that have a result and differ.'
    if counts[State.FAILED]:
        yield f'{counts[State.FAILED]} failed; --retry_failed runs them again'
    if (gathering.source.info or {}).get('code_copy'):
        yield 'The search ran a copy of the code; these runs have the code as it is now.'
    if gathering.source.is_at_work:
        yield f'{gathering.source.path} is still at work: what is best of it may change.'
    if names := gathering.continued:
        yield f'{", ".join(names)} went on from a checkpoint: repeated, it begins anew, with its parameters to the end.'


def _how_to_start(command: SeedsCommand, gathering: Gathering) -> Iterator[str]:
    missing = gathering.counts.total() - gathering.counts[State.FINISHED]
    yield f'The search for them is {gathering.folder.path}.'
    if missing:
        before = count_of(gathering.asked_before, 'that was', 'that were')
        more = f', and {before} asked for before' if gathering.asked_before else ''
        yield f'Start what is missing ({count_of(missing, "run")}{more}) with:'
        yield f'  {shell_line(["hpsearch", "seeds", *command.words, "--start_gathering"])}'


# The summary


def _summarise(folder: Path, command: SeedsCommand) -> int:
    """Print the summary of a folder with repeated runs, and write it into it."""
    if not folder.is_dir():
        raise SearchFolderError(f'--seeds_dir: there is no folder {folder}.')
    what = command.what
    if not command.gathering.seeds_dir:  # it is a search of ours, which was just made
        what = replace(what, grid_module='', script='', results=())
    source = source_of(folder, what, executes=False)
    seeds = _seeds_of(source, command)
    groups = [each for each in by_configuration(source.runs, seeds).values() if each.runs]
    if not any(each.finished for each in groups):
        put_line(sys.stdout, f'{folder}: no run has finished, so there is nothing to summarise.')
        return ALL_FINISHED
    text, table = _texts(source, seeds, groups, command)
    put_line(sys.stdout, '')
    put_line(sys.stdout, text.rstrip('\n'))
    try:
        write_whole(folder / TEXT, text)
        write_whole(folder / TABLE, table)
        put_line(sys.stdout, f'\nSummary: {folder / TEXT}, {folder / TABLE}')
    except OSError as error:
        put_line(sys.stderr, f'hpsearch: the summary is not written: {trouble_in_words(error)}')
    return ALL_FINISHED


def _seeds_of(source: Source, command: SeedsCommand) -> SeedArgs:
    """The options that are seeds in a folder: as it says itself, or else as for a search."""
    if note := read_note(source.path):
        return SeedArgs(*note.options)
    data_arg = command.what.data_seed_arg if command.what.vary_data_seed else ''
    return seed_args([run.params for run in source.runs], command.what.seed_arg, data_arg)


def _texts(source: Source, seeds: SeedArgs, groups: list[Repeated], command: SeedsCommand) -> tuple[str, str]:
    summary, written = postprocessing('repeated.summary'), postprocessing('repeated.written')
    note = read_note(source.path)
    varied, otherwise = (note.varied, os.path.basename(note.source(source.path))) if note else ((), source.path.name)
    named = labels([each.params for each in groups], seeds.names, varied, otherwise)
    repetitions = [_repetition(summary, each, label) for each, label in zip(groups, named, strict=True)]
    chosen, objective = command.summary, source.objective
    settings = summary.Settings(
        key=objective.key if objective else None,
        ascending=objective is not None and not objective.maximize,
        sem=chosen.sem,
        population=chosen.population,
        precision=chosen.precision,
        fresh=chosen.fresh,
    )
    found = summary.summarise(repetitions, settings, Random(0))
    shown = replace(found, rows=found.rows[:SHOWN])
    lines = list(written.text_lines(shown, settings, ', '.join(seeds.names)))
    if len(found.rows) > SHOWN:
        more = count_of(len(found.rows) - SHOWN, 'more configuration is', 'more configurations are')
        lines.append(f'{more} in {TABLE}.')
    return '\n'.join([*lines, '']), written.csv_text(found)


def _repetition(summary: Any, each: Repeated, label: str) -> Any:
    finished = dict(sorted(each.finished.items(), key=_by_number))
    codes = {run.code for run in finished.values() if run.code}
    notes = [f'its runs had {len(codes)} versions of the code'] if len(codes) > 1 else []
    return summary.Repetition(
        label,
        {str(seed): run.summary for seed, run in finished.items()},
        frozenset(str(seed) for seed, run in finished.items() if run.was_taken),
        Counter(run.state.value for run in each.runs.values() if not run.has_finished),
        notes,
    )


def _by_number(pair: tuple[Value, Known]) -> tuple[bool, float, str]:
    seed = pair[0]
    is_number = isinstance(seed, (int, float))
    return not is_number, float(seed) if is_number else 0.0, str(seed)
