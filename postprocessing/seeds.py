"""Groups runs that are equal but for their seed, and computes how their results scatter."""

from __future__ import annotations

import json
import math
from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING

from hpsearch.model.table import Row, cell
from hpsearch.model.trials.seeds import USUAL_SEEDS, is_seed
from hpsearch.model.units import Reading, read_number
from hpsearch.results.summary import FINISHED

if TYPE_CHECKING:
    import pandas

Group = tuple[Row, ...]

Scatter = Mapping[tuple[int, str], Mapping[str, float]]
"""Place of a group and keyword to the statistics of the values."""

STATISTICS = ('mean', 'std', 'sem', 'n')
"""Per keyword: mean, standard deviation (of a sample: n - 1), standard error of the mean, number of values."""

_NO_VALUES: Mapping[str, float] = {'mean': math.nan, 'std': math.nan, 'sem': math.nan, 'n': 0}


def seed_option(rows: Iterable[Row]) -> str | None:
    """The option of finished runs that is the seed by its name; None: no option is.

    One that varies is preferred, then the usual names.
    """
    values: dict[str, set[str]] = {}
    for row in rows:
        for name, value in row.params.items() if row.state == 'finished' else ():
            if is_seed(name):
                values.setdefault(name, set()).add(cell(value))

    def rank(name: str) -> tuple[bool, int, str]:
        usual = USUAL_SEEDS.index(name) if name in USUAL_SEEDS else len(USUAL_SEEDS)
        return len(values[name]) == 1, usual, name

    return min(values, key=rank, default=None)


def shown_columns(columns: Sequence[str], seed_key: str, key: str | None) -> list[int]:
    """Which columns of :func:`seeds_table` are worth showing: performance, how many runs, and their options."""
    options = columns[: columns.index(seed_key)]
    performance = [name for name in (f'{key}_mean', f'{key}_std') if name in columns[len(options) :]]
    places = [len(options) + columns[len(options) :].index(name) for name in (*performance, 'n')]
    return [*places, *range(len(options))]


def group_by_seed(rows: Iterable[Row], seed_key: str, ignored: Collection[str]) -> list[Group]:
    """Groups finished runs; a run without the seed option is in no group.

    Args:
        rows: The runs.
        seed_key: The option that may differ inside of a group.
        ignored: Options that do not belong to the configuration, such as the output folder.
    """
    seeded = [row for row in rows if row.state == 'finished' and seed_key in row.params]
    if not seeded:
        return []
    import pandas

    frame = pandas.DataFrame({'row': seeded, 'number': [row.number for row in seeded]})
    frame['configuration'] = [_configuration(row, {seed_key, *ignored}) for row in seeded]
    groups = frame.sort_values('number', kind='stable').groupby('configuration', sort=False)['row']
    return [tuple(group) for _, group in groups]


def seeds_table(
    groups: Sequence[Group], seed_key: str, ignored: Collection[str], key: str | None, ascending: bool
) -> tuple[list[str], list[list[str]]]:
    """One row per group, sorted by the mean of the performance.

    Args:
        groups: Runs that are equal but for the seed.
        seed_key: The column that lists the seeds.
        ignored: Options that get no column.
        key: Summary keyword to sort by.
        ascending: Whether the smallest mean comes first.

    Returns:
        The names of the columns (options, then the seeds and ``n``, then four per numeric keyword) and the cells.
    """
    values = _values(groups, key)
    scatter: Scatter = statistics(values[values['is_number']]).to_dict('index')  # type: ignore[assignment]
    are_numbers = values.groupby('keyword')['is_number'].all()
    keywords = sorted(are_numbers[are_numbers.astype(bool)].index)
    options = sorted({name for group in groups for name in group[0].params} - {seed_key, *ignored})
    columns = [*options, seed_key, 'n', *(f'{keyword}_{what}' for keyword in keywords for what in STATISTICS)]
    places = sorted(range(len(groups)), key=lambda place: _rank(scatter, place, key, ascending))
    return columns, [
        [*_about_runs(groups[place], options, seed_key), *_about_results(scatter, place, keywords)] for place in places
    ]


def statistics(values: pandas.DataFrame) -> pandas.DataFrame:
    """The statistics of values by their group and keyword.

    Args:
        values: The columns ``group``, ``keyword`` and ``value``. Of nan, of infinities of both signs and of numbers
            too large for their sum there is no mean; of one value there is a mean but no scatter.

    Returns:
        A row for each group and keyword, with the columns :data:`STATISTICS`; what there is not is nan.
    """
    import numpy

    by = [values['group'], values['keyword']]
    numbers = values['value'].astype(float)
    with numpy.errstate(over='ignore', invalid='ignore'):
        found: pandas.DataFrame = numbers.groupby(by).agg(['mean', 'std', 'sem', 'size']).rename(columns={'size': 'n'})
    # pandas leaves nan out, and lets a sum overflow to infinity.
    has_infinity = numbers.abs().eq(math.inf).groupby(by).any()
    has_no_mean = (found['mean'].abs().eq(math.inf) & ~has_infinity) | numbers.isna().groupby(by).any()
    found.loc[has_no_mean, ['mean', 'std', 'sem']] = math.nan
    return found


def _configuration(row: Row, without: Collection[str]) -> str:
    return json.dumps(sorted([name, _word(value)] for name, value in row.params.items() if name not in without))


def _word(value: object) -> str:
    return f'flag {value}' if isinstance(value, bool) else f'= {cell(value)}'


def _values(groups: Sequence[Group], key: str | None) -> pandas.DataFrame:
    """Every result that is there: the place of its group, its keyword, its value, and whether that is a number.

    Numbers with different units are none, nor is a list, except for the performance, of which the last value counts.
    """
    import pandas

    found = [
        (place, keyword, read_number(text))
        for place, group in enumerate(groups)
        for row in group
        for keyword, text in row.values.items()
        if text and keyword != FINISHED
    ]
    units = {(keyword, reading.unit) for _, keyword, reading in found if reading}
    mixed = {keyword for keyword, count in Counter(keyword for keyword, _ in units).items() if count > 1}
    rows = [
        (
            place,
            keyword,
            reading.value if reading else math.nan,
            _is_number(reading, keyword == key) and keyword not in mixed,
        )
        for place, keyword, reading in found
    ]
    frame: pandas.DataFrame = pandas.DataFrame(rows, columns=['group', 'keyword', 'value', 'is_number'])
    frame['is_number'] = frame['is_number'].astype(bool)
    return frame


def _is_number(reading: Reading | None, is_performance: bool) -> bool:
    return reading is not None and (reading.is_single or is_performance)


def _rank(scatter: Scatter, place: int, key: str | None, ascending: bool) -> tuple[bool, float, int]:
    mean = scatter.get((place, key or ''), _NO_VALUES)['mean']
    return math.isnan(mean), 0.0 if math.isnan(mean) else mean if ascending else -mean, place


def _about_runs(group: Group, options: Sequence[str], seed_key: str) -> Iterator[str]:
    params = group[0].params
    yield from (cell(params[name]) if name in params else '' for name in options)
    yield from (','.join(cell(row.params[seed_key]) for row in group), str(len(group)))


def _about_results(scatter: Scatter, place: int, keywords: Iterable[str]) -> Iterator[str]:
    for keyword in keywords:
        found = scatter.get((place, keyword), _NO_VALUES)
        numbers = (float(found[what]) for what in ('mean', 'std', 'sem'))
        yield from ('' if math.isnan(number) else repr(number) for number in numbers)
        yield str(int(found['n']))
