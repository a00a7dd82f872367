"""Which configurations are repeated, and which of their seeds there are; pure."""

from __future__ import annotations

import math
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from hpsearch.cli.seeds.sources import Known
from hpsearch.model.configuration import Grid, Params, Value
from hpsearch.model.errors import ConfigError, SearchFolderError
from hpsearch.model.table import cell
from hpsearch.model.trials.seeds import seed_among, without_seeds
from hpsearch.model.trials.standings import mean_of


@dataclass(frozen=True)
class SeedArgs:
    """The options of a script that are seeds.

    Attributes:
        seed: The seed.
        data: The seed of the data, which gets the same value; empty: it is an option like any other.
    """

    seed: str
    data: str = ''

    @property
    def names(self) -> tuple[str, ...]:
        """All of them."""
        return (self.seed, self.data) if self.data else (self.seed,)

    def of(self, params: Params) -> Value:
        """The seed of a run; None: it has none, or one that is neither number nor text, or its seeds differ."""
        seed = params.get(self.seed)
        is_seed = isinstance(seed, (int, float, str)) and not isinstance(seed, bool)
        return seed if is_seed and all(params.get(name) == seed for name in self.names) else None

    def row(self, params: Params, seeds: Sequence[Value]) -> Grid:
        """The part of a grid with the runs of a configuration, in the order of its options."""
        options = dict.fromkeys([*params, *self.names])
        return {name: list(seeds) if name in self.names else [params[name]] for name in options}


@dataclass
class Repeated:
    """A configuration with its runs.

    Attributes:
        params: Its parameters, with any seed.
        runs: Its runs, by their seeds; of several with the same seed one that has finished.
    """

    params: Params
    runs: dict[Value, Known] = field(default_factory=dict)

    @property
    def seeds(self) -> list[Value]:
        """The seeds that there are, in the order of the runs."""
        return list(self.runs)

    @property
    def finished(self) -> dict[Value, Known]:
        """The runs that have a result."""
        return {seed: run for seed, run in self.runs.items() if run.has_finished}


def by_configuration(runs: Iterable[Known], seeds: SeedArgs) -> dict[str, Repeated]:
    """The runs that are equal but for their seeds, together; those without a seed are alone in theirs."""
    found: dict[str, Repeated] = {}
    for run in runs:
        each = found.setdefault(without_seeds(run.params, seeds.names), Repeated(run.params))
        seed = seeds.of(run.params)
        if seed is not None and (seed not in each.runs or not each.runs[seed].has_finished):
            each.runs[seed] = run
    return found


def best(runs: Iterable[Known], seeds: SeedArgs, count: int) -> list[Params]:
    """The best configurations: those of the largest budget first, and of these the smallest mean loss over seeds.

    Args:
        runs: Those of a search, whose losses are compared.
        seeds: What its configurations differ in only.
        count: How many at most.
    """
    losses: dict[str, list[float]] = {}
    first: dict[str, Known] = {}
    for run in runs:
        if run.loss is not None and not math.isnan(run.loss):
            key = without_seeds(run.params, seeds.names)
            losses.setdefault(key, []).append(run.loss)
            first.setdefault(key, run)
    ranked = sorted(losses, key=lambda key: (-first[key].budget, mean_of(losses[key]), first[key].number))
    return [first[key].params for key in ranked[:count]]


def run_named(runs: Sequence[Known], word: str) -> Known:
    """The run with a name or number.

    Raises:
        SearchFolderError: There is none.
    """
    number = int(word) if word.isdecimal() else None
    found = next((run for run in runs if run.name == word or run.number == number), None)
    if found is None:
        raise SearchFolderError(f'there is no run {word}; hpsearch list shows which there are.')
    return found


def seed_args(params: Iterable[Params], given: str, data: str) -> SeedArgs:
    """The options that are seeds.

    Args:
        params: Those of all runs that there are.
        given: ``--seed_arg``; empty: the one whose name says so.
        data: That of the data, if it varies.

    Raises:
        ConfigError: None is, or both are the same.
    """
    options = dict.fromkeys(name for each in params for name in each if name != data)
    seed = given or seed_among(options)
    if not seed:
        raise ConfigError(
            [
                f'--seed_arg: which option is the seed? None of {", ".join(options) or "those of the run"} says so; '
                'give the one that the script has, as in --seed_arg=random_seed.'
            ]
        )
    if seed == data:
        raise ConfigError([f'--data_seed_arg={data}: is the option of the seed itself.'])
    return SeedArgs(seed, data)


def changed(params: Params, changes: Mapping[str, Value]) -> Params:
    """The parameters with what ``--set`` says, in their order."""
    return {**params, **changes}


def labels(
    configurations: Sequence[Params], seeds: Collection[str], varied: Collection[str], otherwise: str
) -> list[str]:
    """What to call configurations.

    Args:
        configurations: Their parameters.
        seeds: Options that do not tell them apart.
        varied: Options that are shown, as far as a configuration has them; so are those in which they differ.
        otherwise: What to call one that has nothing of that.
    """
    plain = [{name: cell(value) for name, value in each.items() if name not in seeds} for each in configurations]
    names = dict.fromkeys([*varied, *(name for each in plain for name in each)])
    shown = [name for name in names if name in varied or len({each.get(name) for each in plain}) > 1]
    return [', '.join(f'{name}={each[name]}' for name in shown if name in each) or otherwise for each in plain]
