"""The table of results: its rows, their order, the best of them, and the columns and cells it is made of."""

from __future__ import annotations

import heapq
import math
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, fields
from typing import Protocol

from hpsearch.model.command import plain, unquoted
from hpsearch.model.configuration import Value
from hpsearch.model.run import Run
from hpsearch.model.states import State
from hpsearch.model.units import Reading, is_ambiguous, read_number
from hpsearch.model.usage.measured import Measured

OWN_COLUMNS = ('hpsearch_run', 'hpsearch_state', 'hpsearch_reason', 'hpsearch_seconds')
"""The last columns: name of the run, its state, the reason for it, the duration of its last attempt in seconds."""

CODE_COLUMN = 'hpsearch_code'
"""The column after these, on request: which code the run had."""

MEASURE_COLUMNS = tuple(f'hpsearch_{each.name}' for each in fields(Measured))
"""The columns after these, on request: what the run was measured to use."""

_RESERVED = (*OWN_COLUMNS, CODE_COLUMN, *MEASURE_COLUMNS)

MOST_KEYWORDS = 2000
"""Columns of summary keywords, beside those that are expected."""

FEW = 3
"""So many finished runs without a number for the performance key are enough to say so."""


@dataclass(frozen=True, slots=True)
class Row:
    """One ended run in the table of results.

    Attributes:
        number: Ordinal of the run in the search, from 1.
        name: Name of the run.
        params: Its hyperparameters together with its output option.
        values: Summary keyword to text.
        state: ``finished``, ``failed``, …
        reason: Why, in words; may be empty.
        seconds: Duration of its last attempt; None: not known.
        budget: How much it was given, where runs are given differently much: the most comes first, whatever came of it.
    """

    number: int
    name: str
    params: Mapping[str, Value]
    values: Mapping[str, str]
    state: str
    reason: str = ''
    seconds: float | None = None
    budget: float = 0.0


@dataclass(frozen=True, slots=True)
class MoreColumns:
    """Columns on request, after :data:`OWN_COLUMNS`.

    Attributes:
        names: Their names.
        cells_of: From the name of a run to its cells.
    """

    names: Sequence[str]
    cells_of: Callable[[str], Sequence[str]]


def code_column(code_of: Callable[[str], str]) -> MoreColumns:
    """The column that says which code each run had."""
    return MoreColumns((CODE_COLUMN,), lambda run: (code_of(run),))


def measure_columns(measured_of: Callable[[str], Measured]) -> MoreColumns:
    """The columns that say what each run was measured to use; what is not known is empty."""

    def cells(run: str) -> list[str]:
        facts = measured_of(run).facts()
        return [str(facts.get(each.name, '')) for each in fields(Measured)]

    return MoreColumns(MEASURE_COLUMNS, cells)


class EndedRun(Protocol):
    """The end of a run as a row shows it, from an attempt, a completion or what postprocessing gathered."""

    @property
    def state(self) -> State: ...
    @property
    def reason(self) -> str: ...
    @property
    def summary(self) -> Mapping[str, str]: ...
    @property
    def seconds(self) -> float | None: ...


def row_of(run: Run, ended: EndedRun, output: str, out_arg: str | None, fidelity: str = '') -> Row:
    """The row of a run.

    Args:
        run: The run.
        ended: How it ended.
        output: Its output folder, which is in the column ``out_arg`` (``out_dir`` without such an option).
        out_arg: The option of the output folder.
        fidelity: The option whose value is its budget; empty: there is none.
    """
    params, budget = {**run.params, (out_arg or 'out_dir'): output}, run.params.get(fidelity)
    state, spent = ended.state.value, float(budget) if isinstance(budget, (int, float)) else 0.0
    return Row(run.number, run.name, params, ended.summary, state, ended.reason, ended.seconds, spent)


def sorted_rows(rows: Iterable[Row], key: str | None, ascending: bool) -> list[Row]:
    """The rows by performance: numbers, then other texts, then nan and missing values; equals by run number.

    Of those with a value, runs with the largest budget come first.

    Args:
        rows: The rows in any order.
        key: Summary keyword to sort by; None: only by run number.
        ascending: Whether the smallest number comes first.
    """
    return sorted(rows, key=_order(key, ascending))


def best(rows: Iterable[Row], key: str | None, ascending: bool, n: int = 1) -> list[Row]:
    """The ``n`` best finished runs, best first; runs without a number for the key are left out.

    Those with the largest budget come first.
    """
    candidates = (row for row in rows if row.state == 'finished' and _is_number(row, key))
    return heapq.nsmallest(n, candidates, key=_order(key, ascending))


def performance_text(row: Row, key: str | None) -> str:
    """The performance as it is shown: the number that counts where there is one, otherwise the text."""
    text = row.values.get(key, '') if key is not None else ''
    reading = read_number(text)
    return reading.text if reading else text


def has_list(row: Row, key: str) -> bool:
    """Whether the performance is the last of several values."""
    text = row.values.get(key, '')
    reading = read_number(text)
    return reading is not None and not reading.is_single and reading.text != text.strip()


class PerformanceDoubts:
    """Finds out what keeps finished runs from being compared by their performance; each kind of doubt is told once.

    Args:
        key: The performance key; None: they are not compared.
    """

    def __init__(self, key: str | None) -> None:
        self._key = key
        self._told: set[str] = set()
        self._compared: tuple[Row, Reading] | None = None
        self._text: Row | None = None
        self._others: dict[str, Row] = {}

    def of(self, row: Row) -> list[str]:
        """What is doubtful now that there is the row of this run, in sentences."""
        if self._key is None or row.state != 'finished':
            return []
        text = row.values.get(self._key)
        reading = read_number(text)
        if reading:
            self._compared = self._compared or (row, reading)
        elif len(self._others) < FEW:
            self._others[row.name] = row
        if text and not reading and not is_ambiguous(text):
            self._text = self._text or row
        return self._told_once(
            commas='' if reading else _about_commas(row, self._key),
            text=_about_text(self._text, self._key) if self._compared and self._text else '',
            unit=_about_units(*self._compared, row, reading, self._key) if self._compared and reading else '',
            none=self._why_no_best() if len(self._others) == FEW else '',
        )

    def at_end(self) -> list[str]:
        """What is doubtful where no more rows come."""
        return self._told_once(none=self._why_no_best())

    def _why_no_best(self) -> str:
        found = {row.name: row.values for row in self._others.values()}
        return '' if self._compared else why_no_best(found, self._key)

    def _told_once(self, **doubts: str) -> list[str]:
        new = {kind: text for kind, text in doubts.items() if text and kind not in self._told}
        self._told.update(new)
        return list(new.values())


def _about_commas(row: Row, key: str) -> str:
    text = row.values.get(key)
    if not is_ambiguous(text):
        return ''
    return (
        f'{row.name}: {key} is {text!r:.80}, which may be one number or a list: it is not compared with others. '
        'Print numbers with a decimal point.'
    )


def _about_text(row: Row, key: str) -> str:
    return f'{row.name}: {key} is {row.values[key]!r:.80}, which is not a number: it is not compared with others.'


def _about_units(first: Row, its: Reading, row: Row, reading: Reading, key: str) -> str:
    if not (its.is_single and reading.is_single and its.unit != reading.unit):
        return ''
    return (
        f'{key} has different units, {its.text!r:.40} in {first.name} and {reading.text!r:.40} in {row.name}: '
        'the numbers are compared as they are.'
    )


def why_no_best(finished: Mapping[str, Mapping[str, str]], key: str | None) -> str:
    """Why none of some finished runs is the best, if none has a number for the key; empty without a key or runs.

    Args:
        finished: The names of the runs, with the keywords and texts of their summaries.
        key: The performance key.
    """
    if key is None or not finished:
        return ''
    keywords = sorted({keyword for values in finished.values() for keyword in values})
    texts = ((name, values.get(key)) for name, values in finished.items())
    found = next((f'; in {name} it is {text!r:.80}' for name, text in texts if text is not None), '')
    return f'No finished run has a number for {key}{found}; their summaries have: {", ".join(keywords) or "nothing"}'


def table(
    rows: Iterable[Row],
    key: str | None,
    ascending: bool,
    expected: Collection[str] = (),
    more: Sequence[MoreColumns] = (),
) -> tuple[list[str], Iterator[list[str]]]:
    """The names of the columns, and the cells of each row in the order of :func:`sorted_rows`.

    A summary keyword that is also the name of a parameter, or of one of :data:`OWN_COLUMNS`, is in the column
    ``summary_<keyword>``. The columns ``expected`` are there even when no row has them; of other keywords there are no
    more than :data:`MOST_KEYWORDS`. ``more`` are the columns on request.
    """
    ordered = sorted_rows(rows, key, ascending)
    params, keywords = _names(ordered, {key, *expected})
    columns = _unique([*params], keywords)
    columns += [name for name in dict.fromkeys(expected) if name not in (*columns, *_RESERVED)]
    order = sorted(range(len(columns)), key=columns.__getitem__)
    empty = [''] * (len(columns) - len(params) - len(keywords))
    names, asked = [columns[index] for index in order], [name for each in more for name in each.names]
    return [*names, *OWN_COLUMNS, *asked], (
        [
            *_cells(row, tuple(params), tuple(keywords), empty, order),
            *(text for each in more for text in each.cells_of(row.name)),
        ]
        for row in ordered
    )


def _unique(params: list[str], keywords: Iterable[str]) -> list[str]:
    """The columns of parameters and keywords; no name is there twice."""
    taken = {*params, *_RESERVED}
    columns = params
    for keyword in keywords:
        column = keyword
        while column in taken:
            column = f'summary_{column}'
        taken.add(column)
        columns.append(column)
    return columns


def cell(value: Value) -> str:
    """The cell of a hyperparameter; of a string, one pair of enclosing quotes is removed."""
    if type(value) in (int, float, bool):
        return str(value)
    value = plain(value)
    return unquoted(value) if isinstance(value, str) else str(value)


def _order(key: str | None, ascending: bool) -> Callable[[Row], tuple[bool, float, bool, float, int]]:
    sign = 1.0 if ascending else -1.0

    def order(row: Row) -> tuple[bool, float, bool, float, int]:
        text = row.values.get(key) if key is not None else None
        reading = read_number(text)
        if not text or (reading and math.isnan(reading.value)):
            return (True, 0.0, True, 0.0, row.number)
        return (False, -row.budget, reading is None, sign * reading.value if reading else 0.0, row.number)

    return order


def _is_number(row: Row, key: str | None) -> bool:
    reading = read_number(row.values.get(key)) if key is not None else None
    return reading is not None and not math.isnan(reading.value)


def _names(rows: Iterable[Row], wanted: Collection[str | None]) -> tuple[dict[str, None], dict[str, None]]:
    """Parameters and keywords of all rows; of too many keywords those that are wanted, and the first others."""
    params: dict[str, None] = {}
    keywords: dict[str, None] = {}
    for row in rows:
        params.update(dict.fromkeys(row.params))
        has_room = len(keywords) + len(row.values) <= MOST_KEYWORDS
        keywords.update(dict.fromkeys(row.values if has_room else [word for word in row.values if word in wanted]))
    return params, keywords


def _cells(
    row: Row, params: Sequence[str], keywords: Sequence[str], empty: list[str], order: Sequence[int]
) -> list[str]:
    cells = [cell(row.params[name]) if name in row.params else '' for name in params]
    cells += [row.values.get(name, '') for name in keywords]
    cells += empty
    seconds = '' if row.seconds is None else f'{row.seconds:.3f}'
    return [*(cells[index] for index in order), row.name, row.state, row.reason, seconds]
