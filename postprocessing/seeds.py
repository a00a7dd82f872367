"""Groups runs that are equal but for their seed, and says how their results scatter."""

from __future__ import annotations

import math
from collections.abc import Collection, Iterable, Sequence

from hpsearch.model.table import Row, cell, performance_number
from hpsearch.store.summary import FINISHED

Group = tuple[Row, ...]

STATISTICS = ('mean', 'std', 'sem', 'n')
"""Per keyword: mean, standard deviation (of a sample: n - 1), standard error of the mean, number of values."""


def group_by_seed(rows: Iterable[Row], seed_key: str, ignored: Collection[str]) -> list[Group]:
    """Groups finished runs; a run without the seed option is in no group.

    Args:
        rows: The runs.
        seed_key: The option that may differ inside of a group.
        ignored: Options that say nothing about the configuration, such as the output folder.
    """
    groups: dict[frozenset[tuple[str, str]], list[Row]] = {}
    for row in rows:
        if row.state == 'finished' and seed_key in row.params:
            groups.setdefault(_identity(row, {seed_key, *ignored}), []).append(row)
    return [tuple(sorted(group, key=lambda row: row.number)) for group in groups.values()]


def seeds_table(
    groups: Sequence[Group], seed_key: str, ignored: Collection[str], key: str | None, ascending: bool
) -> tuple[list[str], list[list[str]]]:
    """Lays out one row per group, sorted by the mean of the performance.

    Args:
        groups: Runs that are equal but for the seed.
        seed_key: The column that lists the seeds.
        ignored: Options that are no column.
        key: Summary keyword to sort by.
        ascending: Whether the smallest mean comes first.

    Returns:
        The names of the columns (options, then the seeds and ``n``, then four per numeric keyword) and the cells.
    """
    options = sorted({name for group in groups for name in group[0].params} - {seed_key, *ignored})
    keywords = _numeric_keywords(groups)
    columns = [*options, seed_key, 'n', *(f'{keyword}_{what}' for keyword in keywords for what in STATISTICS)]
    ordered = sorted(groups, key=lambda group: _rank(group, key, ascending))
    return columns, [_cells(group, options, seed_key, keywords) for group in ordered]


def statistics(values: Sequence[float]) -> tuple[float, float, float, int]:
    """Gives mean, standard deviation, standard error and number; of one value the scatter is nan, as is all of none."""
    n = len(values)
    if not n:
        return math.nan, math.nan, math.nan, 0
    mean = _sum(values) / n
    if n == 1:
        return mean, math.nan, math.nan, 1
    std = math.sqrt(_sum([(value - mean) * (value - mean) for value in values]) / (n - 1))
    return mean, std, std / math.sqrt(n), n


def _sum(values: Iterable[float]) -> float:
    try:
        return math.fsum(values)
    except (ValueError, OverflowError):
        return math.nan  # infinities of both signs, or a sum beyond what a float holds


def _identity(row: Row, without: Collection[str]) -> frozenset[tuple[str, str]]:
    return frozenset((name, _word(value)) for name, value in row.params.items() if name not in without)


def _word(value: object) -> str:
    return f'flag {value}' if isinstance(value, bool) else f'= {cell(value)}'


def _numeric_keywords(groups: Iterable[Group]) -> list[str]:
    texts: dict[str, list[str]] = {}
    for group in groups:
        for row in group:
            for keyword, text in row.values.items():
                texts.setdefault(keyword, []).append(text)
    return sorted(
        keyword
        for keyword, found in texts.items()
        if keyword != FINISHED and any(found) and all(_scalar(text) is not None for text in found if text)
    )


def _scalar(text: str) -> float | None:
    return None if ',' in text or ' ' in text else performance_number(text)


def _values(group: Group, keyword: str) -> list[float]:
    numbers = (_scalar(row.values.get(keyword, '')) for row in group)
    return [number for number in numbers if number is not None]


def _rank(group: Group, key: str | None, ascending: bool) -> tuple[bool, float, int]:
    mean = statistics(_values(group, key) if key else [])[0]
    return math.isnan(mean), 0.0 if math.isnan(mean) else mean if ascending else -mean, group[0].number


def _cells(group: Group, options: Sequence[str], seed_key: str, keywords: Sequence[str]) -> list[str]:
    params = group[0].params
    cells = [cell(params[name]) if name in params else '' for name in options]
    cells += [','.join(cell(row.params[seed_key]) for row in group), str(len(group))]
    for keyword in keywords:
        *numbers, n = statistics(_values(group, keyword))
        cells += [*('' if math.isnan(number) else repr(number) for number in numbers), str(n)]
    return cells
