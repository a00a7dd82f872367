"""The panes of a search that are tables: which runs are in each, in which columns and order."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache

from hpsearch.model.units import duration, read_number
from hpsearch.model.usage.in_use import NOTHING_USED, RunUse
from hpsearch.ui.format import UNDER_WAY, state_text, use_text
from hpsearch.ui.head import style_of
from hpsearch.ui.table import shortened
from hpsearch.ui.top.cells import sparkline
from hpsearch.ui.top.shown import RunRow, Runs, SearchShown
from hpsearch.ui.top.tables import Column, Sort, params_columns, sorted_by

RUNNING, BEST, RUNS, PLACES, LOG = 'running', 'best', 'runs', 'places', 'log'
PANES = (RUNNING, BEST, RUNS, PLACES, LOG)
TABLES = (RUNNING, BEST, RUNS)

IN_SIGHT = (*UNDER_WAY, 'unknown')
"""States of the runs in the first pane."""

STATES = (*IN_SIGHT, 'failed', 'lost', 'interrupted', 'stopped', 'finished', 'planned')
"""The order of runs by their states: what people look for comes first."""

_PLACES = {state: place for place, state in enumerate(STATES)}

CHANGING = ('time', 'uses')
"""Columns whose values change although nothing has happened."""


@dataclass(frozen=True)
class Setting:
    """What columns depend on beside the runs.

    Attributes:
        width: Cells of a line.
        unicode: Whether curves may be drawn with other characters than those of ASCII.
        now: Seconds since 1970.
        uses: What runs use.
    """

    width: int = 80
    unicode: bool = True
    now: float = 0.0
    uses: Mapping[str, RunUse] = field(default_factory=dict)


def columns_of(pane: str, runs: Runs, setting: Setting) -> list[Column[RunRow]]:
    """The columns of a table, the most important ones first."""
    number: Column[RunRow] = Column('run', lambda row: str(row.number), lambda row: row.number, True, is_fixed=True)
    value: Column[RunRow] = Column(runs.key, _result, lambda row: row.value, True, is_fixed=True)
    values = [value] if runs.key else []
    params: list[Column[RunRow]] = params_columns(runs.varying or _all_names(runs), lambda row: row.params)
    others = [_other(index, key) for index, key in enumerate(runs.others)]
    where, reason = _filled(runs, pane)
    match pane:
        case 'running':
            reported = _of_metric(runs, setting)
            return [number, _time(setting), *reason, *where, *reported, *params, _step(), _used(setting)]
        case 'best':
            return [number, *values, *others, *params, _time(setting), *where]
        case _:
            return [number, _state(), *values, _time(setting), *others, *params, *where, *reason]


def _filled(runs: Runs, pane: str) -> tuple[list[Column[RunRow]], list[Column[RunRow]]]:
    """The columns of where runs are and of why they ended; one that nothing is in is left out."""
    rows = _usual_order(runs, pane)
    where = [_where()] if any(row.where for row in rows) else []
    return where, [_reason()] if any(row.reason for row in rows) else []


def _of_metric(runs: Runs, setting: Setting) -> list[Column[RunRow]]:
    """The last value and the curve of what is reported; none where nothing is."""
    metric = next((row.metric for row in _usual_order(runs, RUNNING) if row.metric), '')
    if not metric:
        return []
    cells = max(8, min(30, setting.width // 8))

    def curve(row: RunRow) -> str:
        return sparkline(row.curve, cells, unicode=setting.unicode)

    return [
        Column(metric, _last, lambda row: row.curve[-1] if row.curve else None, True),
        Column('curve', curve, lambda row: len(row.curve) or None, widest=cells),
    ]


def _step() -> Column[RunRow]:
    return Column('step', lambda row: '' if row.step is None else f'{row.step:g}', lambda row: row.step, True)


def _result(row: RunRow) -> str:
    return shortened(row.text)


def _other(index: int, key: str) -> Column[RunRow]:
    """The result for another objective than the first."""

    def text(row: RunRow) -> str:
        return row.others[index] if index < len(row.others) else ''

    def value(row: RunRow) -> float | None:
        reading = read_number(text(row))
        return reading.value if reading else None

    return Column(key, lambda row: shortened(text(row)), value, True)


def _last(row: RunRow) -> str:
    return f'{row.curve[-1]:.4g}' if row.curve else ''


def _time(setting: Setting) -> Column[RunRow]:
    def seconds(row: RunRow) -> float | None:
        if row.state not in IN_SIGHT:
            return row.seconds
        return None if row.since is None else max(0.0, setting.now - row.since)

    def text(row: RunRow) -> str:
        took = seconds(row)
        return '' if took is None else duration(took)

    return Column('time', text, seconds, True)


def _where() -> Column[RunRow]:
    return Column('where', lambda row: row.where, lambda row: row.where or None)


def _used(setting: Setting) -> Column[RunRow]:
    def use(row: RunRow) -> RunUse:
        return setting.uses.get(row.name, NOTHING_USED)

    return Column('uses', lambda row: use_text(use(row)), lambda row: use(row).memory, widest=44)


def _reason() -> Column[RunRow]:
    return Column('reason', lambda row: row.reason, lambda row: row.reason or None, widest=60)


def _state() -> Column[RunRow]:
    return Column(
        'state', lambda row: state_text(row.state), _place, style=lambda row: style_of(row.state), is_fixed=True
    )


def _place(row: RunRow) -> int:
    return _PLACES.get(row.state, len(_PLACES))


def _all_names(runs: Runs) -> list[str]:
    return list(runs.rows[0].params) if runs.rows else []


def rows_of(pane: str, shown: SearchShown, sort: Sort) -> Sequence[RunRow]:
    """The runs in a table, in their order."""
    if sort.title not in CHANGING:
        return _ordered(shown.runs, pane, sort)
    setting = Setting(now=shown.now, uses=shown.uses)
    return sorted_by(_usual_order(shown.runs, pane), columns_of(pane, shown.runs, setting), sort)


@lru_cache(maxsize=8)
def _ordered(runs: Runs, pane: str, sort: Sort) -> Sequence[RunRow]:
    """Kept until something has happened: a search may have thousands of runs."""
    return sorted_by(_usual_order(runs, pane), columns_of(pane, runs, Setting()), sort)


@lru_cache(maxsize=8)
def _usual_order(runs: Runs, pane: str) -> Sequence[RunRow]:
    kept = [row for row in runs.rows if runs.matching is None or row.name in runs.matching]
    if pane == BEST:
        front = runs.front() if runs.front else None
        ranked = [row for row in kept if (row.rank is not None if front is None else row.name in front)]
        return sorted(ranked, key=lambda row: (row.rank or (), row.number))
    shown = [row for row in kept if row.state in IN_SIGHT] if pane == RUNNING else kept
    return sorted(shown, key=lambda row: (_place(row), row.number))
