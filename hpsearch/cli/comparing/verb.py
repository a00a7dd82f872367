"""``hpsearch compare``: what it prints and writes."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from hpsearch.cli.comparing.differences import Difference, differences, doubts
from hpsearch.cli.comparing.facts import Facts, facts_of
from hpsearch.cli.runs.choosing import read
from hpsearch.cli.runs.output import Form, Sheet, csv_lines, lines_of, strict_json
from hpsearch.cli.viewing.report import check_page, write_page
from hpsearch.model.errors import ConfigError
from hpsearch.model.table import cell
from hpsearch.model.units import duration
from hpsearch.records.finding import named_search
from hpsearch.records.naming import distinct_names
from hpsearch.ui.terminal import put_line

STATES = ('finished', 'failed', 'stopped', 'running', 'planned')
"""They have a column of their own; the others share one."""


def compare_searches(paths: Sequence[str], form: Form, html: str) -> Iterator[str]:
    """The lines that compare searches; warnings go to standard error.

    Args:
        paths: Their folders.
        form: How it is written.
        html: A file for the page that shows all of them; empty: none.

    Raises:
        HpsearchError: One of them is no search or cannot be read, or the page is not to be written.
    """
    if len(paths) < 2:
        raise ConfigError([f'{paths[0]}: two searches at least are compared; for one: hpsearch report {paths[0]}'])
    if html:
        check_page(html, '--html')
    searches = [read(named_search(path), with_failures=bool(html)) for path in paths]
    names = distinct_names([search.path for search in searches])
    facts = [facts_of(search, name) for search, name in zip(searches, names, strict=True)]
    found = list(differences(searches))
    warnings = list(doubts(facts, found))
    for warning in warnings if form is not Form.JSON else ():
        put_line(sys.stderr, f'hpsearch: warning: {warning}')
    match form:
        case Form.JSON:
            yield strict_json(_as_json(facts, found, warnings), indent=2)
        case Form.CSV:
            yield from csv_lines(_sheet(facts, with_params=True))
        case Form.PEOPLE:
            yield from _lines(facts, found)
    if html:
        yield write_page(searches, html, '--html')


# For people


def _lines(facts: Sequence[Facts], found: Sequence[Difference]) -> Iterator[str]:
    yield from lines_of(_sheet(facts, with_params=False), Form.PEOPLE)
    yield ''
    varying = _varying([each.best[2] for each in facts if each.best])
    for each in facts:
        yield f'best of {each.name}: {_best_in_words(each, varying)}'
    yield ''
    if not found:
        yield 'Nothing differs in what was run, nor in the options.'
        return
    sheet = Sheet(('differs', *(each.name for each in facts)), [(each.name, *each.texts) for each in found])
    yield from lines_of(sheet, Form.PEOPLE)


def _best_in_words(facts: Facts, varying: Sequence[str]) -> str:
    if facts.best is None:
        return 'none so far'
    _, run, params = facts.best
    shown = [f'{name}={cell(params[name])}' for name in varying if name in params]
    return f'{run}{": " if shown else ""}{", ".join(shown)}'


def _varying(found: Sequence[Mapping[str, Any]]) -> list[str]:
    """The parameters that are not the same in all of these, or all of them where none differs."""
    names = list(dict.fromkeys(name for params in found for name in params))
    different = [name for name in names if len({cell(params.get(name, '')) for params in found}) > 1]
    return different or names


# Tables


def _sheet(facts: Sequence[Facts], *, with_params: bool) -> Sheet:
    rows = [_row(each, with_params=with_params) for each in facts]
    columns = list(dict.fromkeys(name for row in rows for name in row))
    if not with_params:  # people get what there is to see, scripts always the same
        columns = [name for name in columns if any(row.get(name) not in (None, '', 0) for row in rows)]
    return Sheet(columns, [[row.get(name) for name in columns] for row in rows])


def _row(facts: Facts, *, with_params: bool) -> dict[str, Any]:
    others = sum(count for state, count in facts.counts.items() if state not in STATES)
    row: dict[str, Any] = {
        'search': facts.name,
        'objective': facts.objective_text,
        'best': _shown(facts.best[0] if facts.best else None, with_params),
        'median': _shown(facts.median, with_params),
        'mean': _shown(facts.mean, with_params),
        **{state: facts.counts.get(state, 0) for state in STATES},
        'other': others,
        'sampler': facts.sampler,
        'GPU hours': round(facts.gpu_hours, 3),
    }
    if with_params:
        row |= {'seconds': facts.seconds, 'best_run': facts.best[1] if facts.best else None, 'path': facts.path}
        return {**row, **{f'best.{name}': value for name, value in (facts.best[2] if facts.best else {}).items()}}
    return {**row, 'time': '' if facts.seconds is None else duration(facts.seconds)}


def _shown(value: float | None, exactly: bool) -> Any:
    if value is None or exactly:
        return value
    return f'{value:.6g}'


def _as_json(facts: Sequence[Facts], found: Sequence[Difference], warnings: Sequence[str]) -> Mapping[str, Any]:
    names = [each.name for each in facts]
    return {
        'searches': [_object(each) for each in facts],
        'differences': [
            {'kind': each.kind, 'name': each.name, 'in': dict(zip(names, each.texts, strict=True))} for each in found
        ],
        'warnings': list(warnings),
    }


def _object(facts: Facts) -> Mapping[str, Any]:
    best = facts.best
    return {
        'search': facts.name,
        'path': facts.path,
        'objective': facts.objective.key if facts.objective else None,
        'maximize': facts.objective.maximize if facts.objective else None,
        'sampler': facts.sampler,
        'counts': facts.counts,
        'total': facts.total,
        'best': {'value': best[0], 'run': best[1], 'params': dict(best[2])} if best else None,
        'median': facts.median,
        'mean': facts.mean,
        'seconds': facts.seconds,
        'gpu_hours': facts.gpu_hours,
    }
