"""What ``hpsearch seeds`` is asked for: whose runs, with which seeds, and what of it there is; nothing is written."""

from __future__ import annotations

import os
import re
from collections import Counter
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from hpsearch.cli.request import interpreter_of
from hpsearch.cli.seeds.choice import SeedArgs, best, by_configuration, changed, run_named, seed_args
from hpsearch.cli.seeds.note import read_note
from hpsearch.cli.seeds.parsers import GatheringOptions, SeedsCommand, SeedsOptions
from hpsearch.cli.seeds.sources import Source, source_of
from hpsearch.cli.seeds.topping_up import listed, topped_up
from hpsearch.config.yaml_file import parse_yaml
from hpsearch.model.configuration import Grid, Params, Value
from hpsearch.model.errors import ConfigError, SearchFolderError, did_you_mean
from hpsearch.model.states import State
from hpsearch.model.trials.seeds import without_seeds
from hpsearch.store.folder import SearchFolder


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
    def asked_before(self) -> int:
        """How many runs without a result are planned that are not asked for now."""
        planned = self.there.runs if self.there else ()
        asked = self.counts.total() - self.counts[State.FINISHED]
        return sum(not run.has_finished for run in planned) - asked

    @property
    def new_options(self) -> dict[str, str]:
        """Options that no run had that is repeated, and what says that they get them."""
        had = {name for run in self.source.runs for name in run.params}
        says = dict(zip(self.seeds.names, ('--seed_arg', '--data_seed_arg'), strict=False))
        return {name: says.get(name, '--set') for row in self.rows for name in row if name not in had}

    @property
    def continued(self) -> list[str]:
        """Runs of the configurations that are asked for that went on from the checkpoint of another one."""
        known = by_configuration(self.source.runs, self.seeds)
        return [run.name for key in self.chosen if key in known for run in known[key].runs.values() if run.continues]


def gathering_of(command: SeedsCommand) -> Gathering:
    """What a command asks for; nothing is written.

    Raises:
        ConfigError: With everything that is missing or wrong.
        SearchFolderError: A folder cannot be read, or is no search.
    """
    what, chosen = command.what, command.gathering
    path = Path(os.path.abspath(what.run_dir or command.dir))
    source = source_of(path, what, executes=True, trust=chosen.trust)
    if note := read_note(source.path):
        of = note.source(source.path)
        raise ConfigError([f'{source.path} repeats runs itself, those of {of}: give that search instead.'])
    folder = SearchFolder(chosen.out_dir or f'{source.path}_seeds')
    there = read_there(folder, what) if folder.search_json.exists() else None
    seeds = seed_args(
        [run.params for run in source.runs], what.seed_arg, what.data_seed_arg if what.vary_data_seed else ''
    )
    _check_that_it_repeats(folder, there, source, seeds)
    if there and (problems := list(_of_another_search(command, there))):
        raise ConfigError(problems)
    return _planned(command, source, folder, there, seeds)


def read_there(folder: SearchFolder, what: SeedsOptions) -> Source:
    """The search that repeats runs, which needs not be told how its runs are made."""
    return source_of(folder.path, replace(what, grid_module='', script='', results=()), executes=False)


def _check_that_it_repeats(folder: SearchFolder, there: Source | None, source: Source, seeds: SeedArgs) -> None:
    """Refuse a folder with another search, or with other seeds.

    Raises:
        SearchFolderError: It has one.
    """
    if there is None:
        return
    note = read_note(folder.path)
    if not note:
        raise SearchFolderError(f'{folder.path} has a search that repeats no runs: choose another --out_dir.')
    if note.source(folder.path) != os.path.realpath(source.path):
        raise SearchFolderError(f'{folder.path} repeats runs of {note.source(folder.path)}: choose another --out_dir.')
    if tuple(note.options) != seeds.names:
        raise SearchFolderError(
            f'{folder.path} has other seeds, {" and ".join(note.options)}: give --seed_arg, --vary_data_seed and '
            '--data_seed_arg as before, or choose another --out_dir.'
        )


def _of_another_search(command: SeedsCommand, there: Source) -> Iterator[str]:
    """What is asked of the search that repeats runs that it was not made with, in sentences."""
    what, info = command.what, there.info or {}
    name = Path(str(info['configuration'].get('module', ''))).stem
    was = {
        f'--config_name={command.gathering.config_name}': (
            command.gathering.config_name not in (GatheringOptions().config_name, name),
            f'its configuration is {name}.py',
        ),
        '--snapshot': (command.gathering.snapshot and not info.get('code_copy'), 'its runs have no copy of the code'),
        f'--run_cwd={what.run_cwd}': (
            what.run_cwd and os.path.abspath(what.run_cwd) != info['run_cwd'],
            f'its runs work in {info["run_cwd"]}',
        ),
        f'--python={what.python}': (
            what.python and interpreter_of(what.python) != info['interpreter'],
            f'its runs use {info["interpreter"]}',
        ),
    }
    for option, (is_other, how) in was.items():
        if is_other:
            yield f'{option}: {there.path} is made already, and {how}; leave it out, or choose another --out_dir.'


def _planned(
    command: SeedsCommand, source: Source, folder: SearchFolder, there: Source | None, seeds: SeedArgs
) -> Gathering:
    """Which seeds each configuration is given."""
    known, planned = by_configuration(source.runs, seeds), by_configuration(there.runs if there else (), seeds)
    options = dict.fromkeys(name for run in source.runs for name in run.params)
    changes = changes_of(command.what.changes, options, (*seeds.names, source.configuration.out_arg))
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
    if (text and not words) or not all(re.fullmatch(r'[+-]?\d{1,18}', word) for word in words):
        raise ConfigError([f'--seeds_list={text}: whole numbers are expected, as in 1,2,3.'])
    return list(dict.fromkeys(map(int, words)))


def changes_of(texts: Sequence[str], known: Collection[str], taken: Collection[str | None]) -> Params:
    """What ``--set`` says, read as YAML.

    Args:
        texts: ``OPTION=VALUE`` each; a ``+`` before it says that the option is a new one.
        known: Options of the runs: one that is almost called like one of them is a mistake.
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
        elif name.removeprefix('+') in taken:
            problems.append(f'--set: {name} is set by hpsearch itself.')
        elif name not in known and not name.startswith('+') and (hint := did_you_mean(name, known)).endswith('?'):
            problems.append(f'--set: {name!r} is no option of these runs{hint} To add it, write +{name}.')
        else:
            changes[name.removeprefix('+')] = _value_of(name, value, problems)
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
