"""The checks of ``zipped``: which options of a grid take their values together."""

from __future__ import annotations

import reprlib
from collections.abc import Iterator, Mapping, Sequence
from itertools import chain
from typing import Any

from hpsearch.model.configuration import Grid
from hpsearch.model.errors import did_you_mean
from hpsearch.model.trials.distributions import Drawn


def zipped_groups(given: Any, grid: Grid, rows: Sequence[Grid]) -> tuple[list[list[str]], list[str]]:
    """The groups of options that take their values together, and what is wrong with them.

    Args:
        given: The attribute; None: there are no groups.
        grid: All options with all of their values; empty where it could not be read.
        rows: The parts of the grid; empty: it has only one part.
    """
    if given is None:
        return [], []
    if not _is_list(given) or not all(_is_group(group) for group in given):
        return [], [
            f'zipped: is {reprlib.repr(given)}; a list of lists of options is expected, e.g. [["lr", "batch_size"]].'
        ]
    groups = [list(group) for group in given]
    wrong = _wrong_options(groups, grid) if grid else iter(())
    problems = list(wrong) or list(_unequal(groups, rows, 'grid[{}] has ') if rows else _unequal(groups, [grid], ''))
    return ([] if problems else groups), problems


def _is_list(value: Any) -> bool:
    return isinstance(value, (list, tuple))


def _is_group(group: Any) -> bool:
    return _is_list(group) and len(group) > 1 and all(isinstance(option, str) for option in group)


def _wrong_options(groups: Sequence[Sequence[str]], grid: Mapping[str, Any]) -> Iterator[str]:
    options = list(chain.from_iterable(groups))
    for option in dict.fromkeys(options):
        if option not in grid:
            yield f'zipped: has {option!r}, which is no option of the grid{did_you_mean(option, grid)}'
        elif options.count(option) > 1:
            yield f'zipped: has {option!r} twice; an option can be in one group, once.'
        elif isinstance(grid[option], Drawn):
            yield f'zipped: has {option!r}, whose values are drawn; only lists can be taken together.'


def _unequal(groups: Sequence[Sequence[str]], parts: Sequence[Grid], where: str) -> Iterator[str]:
    for place, part in enumerate(parts):
        for group in groups:
            lengths = {option: len(part[option]) for option in group if option in part}
            if len(set(lengths.values())) > 1:
                listed = ', '.join(f'{count} of {option!r}' for option, count in lengths.items())
                yield f'zipped: {where.format(place)}{listed}; as many values of each are expected.'
