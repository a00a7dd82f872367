"""Seeds as an axis: which option they are, which seeds a trial is given, and the grid without them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace

from hpsearch.model.configuration import Configuration, Grid, Value
from hpsearch.model.errors import ConfigError
from hpsearch.model.trials.seeds import Seeds, seed_among


def seeds_of(configuration: Configuration, option: str, count: int) -> Seeds:
    """The seeds that each trial is given.

    They are those that the grid lists for the option, if these are enough, and else as many whole numbers from its
    first value on, or from 1.

    Args:
        configuration: What is searched.
        option: The option that is the seed; empty: that of the grid whose name says so.
        count: How many, two at least.

    Raises:
        ConfigError: No option is a seed, or the one that is depends on others.
    """
    name = option or seed_among(configuration.grid)
    if not name:
        raise ConfigError(['--seeds_per_config: no option of the grid is a seed by its name; give --seed_arg=OPTION.'])
    if problems := list(_entangled(configuration, name)):
        raise ConfigError(problems)
    listed = [value for value in _listed(configuration, name) if type(value) is int]
    first = listed[0] if listed else 1
    values = tuple(listed[:count]) if len(set(listed)) >= count else tuple(range(first, first + count))
    return Seeds(name, values)


def without_seeds(configuration: Configuration, seeds: Seeds) -> Configuration:
    """The configuration with one seed instead of several: what a sampler chooses is the rest."""

    def with_one(grid: Grid) -> Grid:
        return {name: [seeds.values[0]] if name == seeds.option else values for name, values in grid.items()}

    return replace(configuration, grid=with_one(configuration.grid), rows=[with_one(row) for row in configuration.rows])


def _listed(configuration: Configuration, option: str) -> Sequence[Value]:
    return list(dict.fromkeys(value for value in configuration.grid.get(option, ()) if isinstance(value, int)))


def _entangled(configuration: Configuration, option: str) -> Iterator[str]:
    """Why an option cannot be the seed."""
    if any(option in group for group in configuration.zipped):
        yield f'--seeds_per_config: {option} takes its values together with others (zipped); take it out of them.'
    for index, (when, then) in enumerate(configuration.conditions):
        if option in when or option in then:
            yield f'--seeds_per_config: {option} is in conditions[{index}]; take it out, as each trial has all seeds.'
