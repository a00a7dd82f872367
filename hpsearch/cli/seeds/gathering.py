"""From runs that are to be repeated to a search of their own, which is made, extended and worked on."""

from __future__ import annotations

import hashlib
import logging
import os
import re
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from hpsearch.cli.context import process_context
from hpsearch.cli.options import SearchOptions, merged_options, search_options
from hpsearch.cli.parsers import ALL_FINISHED, ResumeCommand
from hpsearch.cli.request import create, make_request
from hpsearch.cli.resume import extend_plan, resume_search
from hpsearch.cli.seeds.choice import (
    SeedArgs,
    best,
    by_configuration,
    changed,
    run_named,
    seed_args,
)
from hpsearch.cli.seeds.module import module_text, template_name, write_module
from hpsearch.cli.seeds.parsers import SeedsCommand, SeedsOptions
from hpsearch.cli.seeds.sources import Known, Source, source_of
from hpsearch.cli.seeds.topping_up import listed, topped_up
from hpsearch.config.yaml_file import parse_yaml
from hpsearch.dispatch.context import EventRecorder
from hpsearch.dispatch.reuse import Reused, take_results
from hpsearch.host.kernel import this_host
from hpsearch.model.configuration import Configuration, Grid, Params, Value
from hpsearch.model.errors import ConfigError, SearchFolderError
from hpsearch.model.run import Run
from hpsearch.model.states import Attempt, State
from hpsearch.model.trials.seeds import without_seeds
from hpsearch.store.folder import SearchFolder
from hpsearch.store.journal import open_journals, own_journal
from hpsearch.store.trust import to_work_on

log = logging.getLogger('hpsearch')

NOTE = 'seeds'
"""The entry of ``search.json`` that says of which search this one repeats runs, and which options are seeds."""


@dataclass(frozen=True)
class Gathering:
    """Runs that are to be repeated.

    Attributes:
        source: Where they are.
        folder: The search that repeats them, which may not exist yet.
        there: What it has; None: it does not exist.
        seeds: The options that are seeds.
        chosen: Key of each configuration that is asked for to its seeds.
        rows: The parts of the grid: what was planned before, and what is asked for.
    """

    source: Source
    folder: SearchFolder
    there: Source | None
    seeds: SeedArgs
    chosen: Mapping[str, Sequence[Value]]
    rows: Sequence[Grid]

    @property
    def counts(self) -> Counter[State]:
        """How many of the runs that are asked for are in each state; those that there are not yet are planned."""
        groups = by_configuration(self.there.runs if self.there else (), self.seeds)
        runs = (
            (groups[key].runs if key in groups else {}, seed) for key, seeds in self.chosen.items() for seed in seeds
        )
        return Counter(known[seed].state if seed in known else State.PLANNED for known, seed in runs)

    @property
    def continued(self) -> list[str]:
        """Runs of the configurations that are asked for that went on from the checkpoint of another one."""
        known = by_configuration(self.source.runs, self.seeds)
        return [run.name for key in self.chosen if key in known for run in known[key].runs.values() if run.continues]


# What is asked for


def gathering_of(command: SeedsCommand) -> Gathering:
    """What a command asks for; nothing is written.

    Raises:
        ConfigError: With everything that is missing or wrong.
        SearchFolderError: A folder cannot be read, or is no search.
    """
    what, chosen = command.what, command.gathering
    path = Path(os.path.abspath(what.run_dir or command.dir))
    source = source_of(path, what, executes=True, trust=chosen.trust)
    if note := (source.info or {}).get(NOTE):
        raise ConfigError([f'{source.path} repeats runs itself, those of {note["of"]}: give that search instead.'])
    folder = SearchFolder(chosen.out_dir or f'{source.path}_seeds')
    there = source_of(folder.path, replace(what, **_NOTHING), executes=False) if folder.search_json.exists() else None
    seeds = seed_args(
        [run.params for run in source.runs], what.seed_arg, what.data_seed_arg if what.vary_data_seed else ''
    )
    _check_that_it_repeats(folder, there, source, seeds)
    return _planned(command, source, folder, there, seeds)


_NOTHING: Mapping[str, Any] = {'grid_module': '', 'script': '', 'results': ()}
"""What the folder of the repeated runs needs not be told."""


def _check_that_it_repeats(folder: SearchFolder, there: Source | None, source: Source, seeds: SeedArgs) -> None:
    """Refuse a folder with another search, or with other seeds.

    Raises:
        SearchFolderError: It has one.
    """
    if there is None:
        return
    note = (there.info or {}).get(NOTE)
    if not note:
        raise SearchFolderError(f'{folder.path} has a search that repeats no runs: choose another --out_dir.')
    if not os.path.realpath(str(note['of'])) == os.path.realpath(source.path):
        raise SearchFolderError(f'{folder.path} repeats runs of {note["of"]}: choose another --out_dir.')
    if tuple(note['options']) != seeds.names:
        raise SearchFolderError(
            f'{folder.path} has other seeds, {" and ".join(note["options"])}: give --seed_arg, --vary_data_seed and '
            '--data_seed_arg as before, or choose another --out_dir.'
        )


def _planned(
    command: SeedsCommand, source: Source, folder: SearchFolder, there: Source | None, seeds: SeedArgs
) -> Gathering:
    """Which seeds each configuration is given."""
    known, planned = by_configuration(source.runs, seeds), by_configuration(there.runs if there else (), seeds)
    changes = changes_of(command.what.changes, (*seeds.names, source.configuration.out_arg))
    asked = [changed(params, changes) for params in _asked(command, source, seeds)]
    keys = {without_seeds(params, seeds.names): params for params in asked}
    given = _seeds_of_each(
        [planned[key].seeds if key in planned else [] for key in keys],
        [list(known[key].finished) if key in known else [] for key in keys],
        command.what,
    )
    chosen = dict(zip(keys, given, strict=True))
    grid = {key: (each.params, each.seeds) for key, each in planned.items()}
    grid |= {key: (planned[key].params if key in planned else keys[key], chosen[key]) for key in keys}
    rows = [seeds.row(*each) for each in grid.values()]
    return Gathering(source, folder, there, seeds, chosen, rows)


def _seeds_of_each(
    planned: Sequence[Sequence[Value]], finished: Sequence[Sequence[Value]], what: SeedsOptions
) -> list[list[Value]]:
    """The seeds of each configuration.

    Args:
        planned: Those that it was given before.
        finished: Those of its runs in the search; they count unless the seeds are chosen.
        what: How many are wanted, or which.
    """
    numbers = seeds_listed(what.seeds_list)
    if numbers:
        return listed(planned, numbers)
    there = [list(dict.fromkeys([*done, *own])) for done, own in zip(finished, planned, strict=True)]
    return topped_up(there, what.num_seeds)


def _asked(command: SeedsCommand, source: Source, seeds: SeedArgs) -> Sequence[Params]:
    """The parameters of the configurations that are to be repeated."""
    word = command.run or source.only
    if word:
        return [run_named(source.runs, word).params]
    found = best(source.runs, seeds, command.what.best)
    if not found:
        key = source.objective.key if source.objective else None
        why = f'no finished run has a number for {key}' if key else 'nothing says by what its runs are compared'
        raise SearchFolderError(f'{source.path} has no best run, since {why}: name a run instead.')
    return found


def seeds_listed(text: str) -> list[int]:
    """The seeds of ``--seeds_list``.

    Raises:
        ConfigError: They are no whole numbers.
    """
    words = re.findall(r'[^\s,;()\[\]]+', text)
    if not all(re.fullmatch(r'[+-]?\d{1,18}', word) for word in words):
        raise ConfigError([f'--seeds_list={text}: whole numbers are expected, as in 1,2,3.'])
    return list(dict.fromkeys(map(int, words)))


def changes_of(texts: Sequence[str], taken: Sequence[str | None]) -> Params:
    """What ``--set`` says, read as YAML.

    Args:
        texts: ``OPTION=VALUE`` each.
        taken: Options that are not to be set.

    Raises:
        ConfigError: With everything that is wrong with them.
    """
    changes: Params = {}
    problems = []
    for text in texts:
        name, equals, value = text.partition('=')
        if not name or not equals:
            problems.append(f'--set: {text!r}: OPTION=VALUE is expected.')
        elif name in taken:
            problems.append(f'--set: {name} is set by hpsearch itself.')
        else:
            changes[name] = _value_of(name, value, problems)
    if problems:
        raise ConfigError(problems)
    return changes


def _value_of(name: str, text: str, problems: list[str]) -> Value:
    try:
        value: Value = parse_yaml(text) if text else ''
    except ValueError as error:
        problems.append(f'--set: the value of {name} cannot be read: {error}')
        return ''
    return value


# Making it


def prepare(command: SeedsCommand, gathering: Gathering) -> Gathering:
    """Make the search that repeats the runs, or add what it does not have, and take the results that there are.

    Returns:
        The same with what there is now.

    Raises:
        HpsearchError: It cannot be made or extended.
    """
    folder, source = gathering.folder, gathering.source
    options = _options(command, gathering)
    with process_context(options.display):
        if gathering.there is None:
            _make(command, gathering, options)
        else:
            _extend(command, gathering)
        _take_results(gathering)
    there = source_of(folder.path, replace(command.what, **_NOTHING), executes=False)
    return replace(gathering, folder=SearchFolder(folder.path), source=source, there=there)


def _options(command: SeedsCommand, gathering: Gathering) -> SearchOptions:
    what, source, path = command.what, gathering.source, gathering.folder.path
    own = {
        'grid_module': str(path / f'{command.gathering.config_name}.py'),
        'out_dir': str(path),
        'force_out_dir': True,
        'dont_force_new_dir': True,  # the configuration is in it
        'deterministic_search': True,
        'run_cwd': os.path.abspath(what.run_cwd or source.run_cwd),
        'python': what.python or source.interpreter,
    }
    return search_options({'gpus_per_run': source.configuration.gpus, **command.given, **own})


def _configuration(gathering: Gathering) -> Configuration:
    """How the runs are executed and compared: as in the search, with one objective."""
    source = gathering.source
    if source.objective is None:
        return source.configuration
    is_ascending = not source.objective.maximize
    return replace(
        source.configuration,
        performance_key=source.objective.key,
        performance_ascending=is_ascending,
        has_sort_order=True,
    )


def _text(command: SeedsCommand, gathering: Gathering) -> str:
    configuration = _configuration(gathering)
    zipped = [list(gathering.seeds.names)] if gathering.seeds.data else []
    comment = [
        f'Runs of {gathering.source.path} with other seeds; written by hpsearch seeds, which writes it again.',
    ]
    template = template_name(configuration, command.gathering.config_name)
    return module_text(configuration, gathering.rows, zipped, comment, template, gathering.source.handles)


def _make(command: SeedsCommand, gathering: Gathering, options: SearchOptions) -> None:
    folder = gathering.folder
    if folder.path.exists() and not folder.path.is_dir():
        raise SearchFolderError(f'{folder.path} is no folder: choose another --out_dir.')
    folder.path.mkdir(0o755, parents=True, exist_ok=True)
    path = write_module(
        folder.path, command.gathering.config_name, _text(command, gathering), _configuration(gathering)
    )
    try:
        request = make_request(options)
    except ConfigError:
        path.unlink()  # what cannot be run is no configuration to be found later
        raise
    for note in request.notes:
        log.info(note)
    create(request)
    info = folder.read_info()
    varied = [name for name in gathering.source.configuration.varying if name not in gathering.seeds.names]
    about = {'of': str(gathering.source.path), 'options': list(gathering.seeds.names), 'varied': varied}
    folder.write_info({**info, NOTE: about})


def _extend(command: SeedsCommand, gathering: Gathering) -> None:
    """Add the runs that the plan does not have; if that fails, the configuration is as it was."""
    planned = by_configuration(gathering.there.runs if gathering.there else (), gathering.seeds)
    if all(key in planned and set(seeds) <= set(planned[key].seeds) for key, seeds in gathering.chosen.items()):
        return
    folder = to_work_on(gathering.folder, trust=command.gathering.trust)
    info = folder.read_info()
    path = Path(folder.path / os.path.basename(info['configuration']['module']))
    before = path.read_text(encoding='utf-8') if path.exists() else ''
    configuration = _configuration(gathering)
    named = replace(command, gathering=replace(command.gathering, config_name=path.stem))
    write_module(folder.path, path.stem, _text(named, gathering), configuration)
    described = info['configuration']
    attributes = {**described['attributes'], 'sha256': hashlib.sha256(path.read_bytes()).hexdigest()}
    asked = {**info, 'configuration': {**described, 'module': str(path), 'attributes': attributes}}
    try:
        extension = extend_plan(folder, asked, merged_options(info, {}), ())
    except Exception:
        path.write_text(before, encoding='utf-8')
        raise
    log.info('%d runs added', len(extension.added))


# Results that there are


def _take_results(gathering: Gathering) -> None:
    """Take the results of the runs that are repeated, with the seeds that they had."""
    folder = gathering.folder
    find = _finder(gathering)
    state, _ = open_journals(folder)
    if not any(find(run) for run in folder.read_runs() if run.name not in state.runs):
        return
    with own_journal(folder, this_host()) as journal:
        taken = take_results(folder, find, EventRecorder(state, journal))
    log.info('%d results are there already', taken)


def _finder(gathering: Gathering) -> Callable[[Run], Reused | None]:
    known = by_configuration(gathering.source.runs, gathering.seeds)

    def find(run: Run) -> Reused | None:
        group = known.get(without_seeds(run.params, gathering.seeds.names))
        found = group.runs.get(gathering.seeds.of(run.params)) if group else None
        return _result(gathering.source.path, found) if found and found.has_finished else None

    return find


def _result(folder: Path, run: Known) -> Reused:
    code = run.code.rpartition('>')[2]  # the one it started with
    attempt = Attempt(run.name, 1, State.FINISHED, summary=dict(run.summary), seconds=run.seconds, code_id=code)
    return Reused(folder, run.name, attempt)


# Working on it


def start(command: SeedsCommand, gathering: Gathering) -> int:
    """Work on the search until its runs have ended; returns the exit code.

    Raises:
        HpsearchError: It cannot be worked on.
    """
    there = gathering.there
    if there is not None and all(run.has_finished for run in there.runs):
        return ALL_FINISHED
    return resume_search(
        ResumeCommand(
            dir=str(gathering.folder.path),
            given=command.given,
            waits_for_others=True,
            retry_failed=command.gathering.retry_failed,
            trust=command.gathering.trust,
        )
    )
