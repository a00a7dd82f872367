"""What ``hpsearch diff`` says of two runs: where they differ."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

from hpsearch.cli.runs.output import Form, Sheet, csv_lines, strict_json, table_lines, terminal_width
from hpsearch.records.expression import Scalar
from hpsearch.records.fields import Fields
from hpsearch.records.run import RunRecord
from hpsearch.records.search import SearchRecord
from hpsearch.store.folder import SearchFolder
from hpsearch.store.provenance import changed_files

KINDS = {'params': 'parameter', 'summary': 'result', 'metrics': 'metric', 'own': 'fact'}

ALWAYS_DIFFERENT = ('run', 'number', 'output', 'trial')
"""Facts that say nothing where they differ."""


@dataclass(frozen=True)
class Difference:
    """Where two runs differ.

    Attributes:
        runs: Their names.
        values: Kind, name, and both values, of those that differ.
        same: How many parameters have the same value.
        files: Names of the files of their code that differ; None: that is not known; empty: none.
    """

    runs: tuple[str, str]
    values: Sequence[tuple[str, str, Scalar, Scalar]]
    same: int
    files: Sequence[str] | None = field(default=())


def difference(search: SearchRecord, folder: SearchFolder, one: RunRecord, other: RunRecord) -> Difference:
    """Where two runs of a search differ."""
    found, same = [], 0
    for each in Fields(search).all:
        first, second = each.of(one), each.of(other)
        is_same = _are_same(each.kind, first, second)
        same += is_same and each.kind == 'params' and first is not None
        if not is_same and not (each.kind == 'own' and each.name in ALWAYS_DIFFERENT):
            found.append((each.kind, each.name, first, second))
    return Difference((one.name, other.name), found, same, _files(folder, one, other))


def _are_same(kind: str, first: Scalar, second: Scalar) -> bool:
    """Whether it is the same value; as a parameter, ``1``, ``1.0`` and true are written differently in a command."""
    if kind == 'params':
        return repr(first) == repr(second)
    return first == second or (first != first and second != second)


def _files(folder: SearchFolder, one: RunRecord, other: RunRecord) -> Sequence[str] | None:
    codes = [run.deciding.code_id if run.deciding else '' for run in (one, other)]
    if not all(codes) or codes[0] == codes[1]:
        return ()
    return changed_files(folder, codes[0], codes[1])


def difference_lines(found: Difference, form: Form) -> Iterator[str]:
    """It in lines: for people, as an object of JSON, or as CSV."""
    if form is Form.JSON:
        yield strict_json(_facts(found), indent=2)
        return
    sheet = Sheet(['what', 'name', *found.runs], [[KINDS[kind], *row] for kind, *row in found.values])
    if form is Form.CSV:
        yield from csv_lines(sheet)
        return
    yield from table_lines(sheet, terminal_width())
    others = 'other ' if any(kind == 'params' for kind, *_ in found.values) else ''
    yield f'{others}parameters that are the same: {found.same}'
    if found.files is None:
        yield 'the code differs; which files do is not known'
    elif found.files:
        yield f'files of the code that differ: {", ".join(found.files)}'


def _facts(found: Difference) -> dict[str, Any]:
    names = {**{kind: kind for kind in KINDS}, 'own': 'facts'}
    kinds = {names[kind]: {name: [a, b] for k, name, a, b in found.values if k == kind} for kind in KINDS}
    files = None if found.files is None else list(found.files)
    return {'runs': list(found.runs), **kinds, 'same_params': found.same, 'changed_files': files}
