"""A search in Python: its runs one by one, or as a table of pandas."""

from __future__ import annotations

import os
import re
import time
from collections.abc import Iterator, Sequence
from datetime import datetime, timezone
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hpsearch.records.expression import Scalar
from hpsearch.records.fields import Field, Fields
from hpsearch.records.finding import named_search, newest_search
from hpsearch.records.reading import read_search
from hpsearch.records.run import RunRecord
from hpsearch.records.search import SearchRecord

if TYPE_CHECKING:
    from pandas import DataFrame, Series

_INT, _FLOAT, _TEXT, _FEW, _TIME = 'Int64', 'float64', 'string', 'category', 'datetime64[ns, UTC]'

OWN_TYPES = {
    **dict.fromkeys(('run', 'reason', 'failure', 'job', 'code', 'output'), _TEXT),
    **dict.fromkeys(('state', 'cause', 'request', 'host', 'gpu', 'queue'), _FEW),
    **dict.fromkeys(('number', 'exit_status', 'attempts', 'trial', 'seed', 'gpu_memory', 'host_memory'), _INT),
    **dict.fromkeys(('seconds', 'gpu_seconds', 'step', 'gpu_load', 'settled_after', 'cpu', 'sharing'), _FLOAT),
    **dict.fromkeys(('budget', 'performance', 'loss'), _FLOAT),
    **dict.fromkeys(('started', 'ended'), _TIME),
}
"""Types of the columns with facts of ours, unless they contain what such a column cannot hold."""

WIDEST_INT = 2**63
"""Whole numbers from here on, or below its negative, have no place in a column of whole numbers."""

LAST_TIME = 9_223_372_036
"""Seconds from 1970 to what is too late for a column of times, in the year 2262."""

SURROGATE = re.compile('[\ud800-\udfff]')
"""Half a character, which stands for a byte that is none."""


def runs(directory: str | os.PathLike[str] = '', where: str = '') -> Iterator[RunRecord]:
    """The runs of a search, by number; pandas is not needed for them.

    Args:
        directory: The search folder, which is only read; empty: the newest one below the current directory.
        where: A condition, such as ``lr<0.01 and state=finished``; empty: all runs.

    Raises:
        HpsearchError: It is no search, or cannot be read; or the condition is wrong.
    """
    search = _read(directory)
    yield from Fields(search).selected(search.runs, where) if where else search.runs


def load(directory: str | os.PathLike[str] = '', where: str = '') -> DataFrame:
    """A search as a table of pandas with a row for each run, by number.

    Its columns are those of ``search_results.csv`` and more: parameters, keywords of the results, ``metrics.NAME`` for
    what was reported while runs went, and ``hpsearch_NAME`` for facts of ours. Whole numbers are ``Int64``, other
    numbers ``float64``, truths ``boolean``, texts ``string``, times ``datetime64[ns, UTC]``; what such a column cannot
    hold, such as whole numbers of more than 64 bits, or whose values differ in type, is ``object``, so that each value
    is what it was. Lists and dicts are texts; what a run does not have, or is None, is missing. ``attrs`` has what
    describes the search.

    Args:
        directory: The search folder, which is only read; empty: the newest one below the current directory.
        where: A condition, such as ``lr<0.01 and state=finished``; empty: all runs.

    Raises:
        HpsearchError: It is no search, or cannot be read; or the condition is wrong.
        ImportError: pandas is not there.
    """
    import pandas

    search = _read(directory)
    fields = Fields(search)
    found = fields.selected(search.runs, where)
    columns = {fields.column(field): _column(field, found) for field in fields.all}
    frame: DataFrame = pandas.DataFrame(columns)
    frame.attrs.update(_facts(search, fields))
    return frame


def _read(directory: str | os.PathLike[str]) -> SearchRecord:
    folder = named_search(os.path.expanduser(directory)) if directory else newest_search(Path.cwd())
    return read_search(folder, time.time())


def _facts(search: SearchRecord, fields: Fields) -> dict[str, Any]:
    return {
        'search': search.name,
        'path': search.path,
        'objectives': {each.key: 'maximize' if each.maximize else 'minimize' for each in search.objectives},
        'params': [fields.column(field) for field in fields.of_kind('params')],
        'results': [fields.column(field) for field in fields.of_kind('summary')],
        'metrics': [fields.column(field) for field in fields.of_kind('metrics')],
        'total': search.total,
        'is_open': search.is_open,
        'read_at': search.now,
        'notes': list(search.notes),
    }


def _column(field: Field, runs: Sequence[RunRecord]) -> Series[Any]:
    import pandas

    dtype: Any = OWN_TYPES[field.name] if field.kind == 'own' else ''
    if dtype == _TIME:
        times = [_moment(run, f'{field.name}_at') for run in runs]
        return pandas.to_datetime(pandas.Series(times, dtype='object'), utc=True).astype(dtype)
    values = [field.of(run) for run in runs]
    found = dtype_of(values)
    column: Series[Any] = pandas.Series(values, dtype=found if found == 'object' or not dtype else dtype)
    return column


def _moment(run: RunRecord, name: str) -> datetime | None:
    """A time of the attempt that speaks for a run, to the microsecond."""
    seconds = getattr(run.deciding, name, None)
    return datetime.fromtimestamp(seconds, timezone.utc) if seconds is not None and 0 <= seconds < LAST_TIME else None


def dtype_of(values: Sequence[Scalar]) -> str:
    """The type of a column of pandas that holds some values as they are; those that are None are missing."""
    known = [value for value in values if value is not None]
    kinds = frozenset(map(type, known))
    if kinds <= {float, int} and kinds != {int}:
        return _FLOAT if all(map(_is_float, known)) else 'object'
    if kinds == {int}:
        return _INT if all(-WIDEST_INT <= value < WIDEST_INT for value in known) else 'object'  # type: ignore[operator]
    if kinds == {str}:
        return _TEXT if all(map(_is_encodable, known)) else 'object'
    return 'boolean' if kinds == {bool} else 'object'


def _is_float(value: Scalar) -> bool:
    """Whether a number is the same as a floating-point number."""
    try:
        return value != value or float(value or 0) == value
    except OverflowError:
        return False


def _is_encodable(text: Scalar) -> bool:
    """Whether UTF-8 has a text, which a path in another encoding is not."""
    return SURROGATE.search(str(text)) is None
