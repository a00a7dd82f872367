"""The options of adaptive searches: which sampler chooses the runs, by which objective, and when the search ends."""

from __future__ import annotations

import argparse
import re
import sys
from dataclasses import dataclass
from typing import ClassVar

from hpsearch.cli.declaring.fields import OptionGroup, integer_from, number_between, option

GRID = 'grid'
"""The name of the search that is not adaptive: all combinations are planned in advance."""

SEARCHES = (GRID, 'random', 'tpe', 'gp', 'cmaes', 'nsga2', 'qmc', 'pbt')

NO_PRUNER = 'none'

PRUNERS = (NO_PRUNER, 'asha', 'hyperband', 'median', 'percentile')

DIRECTIONS = ('maximize', 'minimize')

_UNITS = {'s': 1.0, 'm': 60.0, 'h': 3600.0, 'd': 86400.0}


def compute_time(text: str) -> str:
    """An argparse type: a number with one of the units s, m, h, d; or empty."""
    if text and not re.fullmatch(r'(\d+\.?\d*|\.\d+)[smhd]', text):
        raise argparse.ArgumentTypeError(f'{text!r} is no time, e.g. 100h, 90m or 2d')
    return text


def seconds_of(text: str) -> float:
    """A time by :func:`compute_time` in seconds."""
    return float(text[:-1]) * _UNITS[text[-1]]


def name_and_value(text: str) -> str:
    """An argparse type: ``NAME=VALUE``."""
    if not re.fullmatch(r'\w+=.+', text, re.DOTALL):
        raise argparse.ArgumentTypeError(f'{text!r} is not of the form NAME=VALUE')
    return text


@dataclass(frozen=True)
class AdaptiveOptions(OptionGroup):
    """How runs are chosen while the search goes."""

    title: ClassVar[str] = 'samplers and pruners'

    search: str = option(
        GRID,
        'how runs are chosen: grid plans all combinations in advance, any other chooses them while the search goes',
        choices=SEARCHES,
    )
    search_options: tuple[str, ...] = option(
        (), 'an option of the sampler; may be given several times', metavar='NAME=VALUE', type=name_and_value
    )
    objective: tuple[str, ...] = option(
        (),
        'what is optimised: a keyword of the results, or where it is, e.g. "stdout:val_acc=([0-9.]+)"; may be given '
        'several times (default: _PERFORMANCE_KEY)',
        metavar='KEY',
    )
    direction: tuple[str, ...] = option(
        (),
        'whether the largest or the smallest value of an objective is the best; once for each of them '
        '(default: by _PERFORMANCE_SORT_ASC)',
        choices=DIRECTIONS,
    )
    seeds_per_config: int = option(
        1,
        'runs of each trial, each with another seed: their mean counts, and what is hopeless gets no more',
        metavar='N',
        type=integer_from(1),
    )
    seed_arg: str = option(
        '', 'the option that is the seed (default: that of the grid with the word seed in its name)', metavar='OPTION'
    )


@dataclass(frozen=True)
class PruneOptions(OptionGroup):
    """Which runs are stopped because of their metrics."""

    title: ClassVar[str] = 'stopping runs early'

    prune: str = option(
        NO_PRUNER,
        'stop runs whose metrics are not good enough, of a grid as well',
        choices=PRUNERS,
    )
    grace_period: float | None = option(
        None,
        'stop no run before this step (default: 1)',
        metavar='STEP',
        type=number_between(0, float('inf')),
    )
    reduction_factor: float | None = option(
        None,
        'asha, hyperband: one of so many runs goes on from a rung to the next (default: 3)',
        metavar='FACTOR',
        type=number_between(1, float('inf')),
    )
    max_resource: float | None = option(
        None,
        'the last step of a run, which is not stopped there (default: not known)',
        metavar='STEP',
        type=number_between(0, float('inf')),
    )
    prune_options: tuple[str, ...] = option(
        (), 'a further option of the pruner; may be given several times', metavar='NAME=VALUE', type=name_and_value
    )


@dataclass(frozen=True)
class LimitOptions(OptionGroup):
    """When an adaptive search ends."""

    title: ClassVar[str] = 'when an adaptive search ends'

    max_trials: int | None = option(None, 'after N trials (default: no limit)', metavar='N', type=integer_from(1))
    max_broken: int | None = option(
        None, 'after N trials have failed (default: however many)', metavar='N', type=integer_from(1)
    )
    target: float | None = option(
        None,
        'as soon as the objective has reached this value: what runs is stopped (default: none)',
        metavar='VALUE',
        type=number_between(-sys.float_info.max, sys.float_info.max),
    )
    budget: str = option(
        '',
        'start nothing more after so many GPU hours, or CPU hours where runs have no GPUs, e.g. 100h, 90m or 2d '
        '(default: no limit)',
        metavar='TIME',
        type=compute_time,
    )
