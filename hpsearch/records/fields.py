"""What can be asked of a run by name: its parameters, its result, its metrics, and facts of our own.

A full name says which of these is meant: ``params.lr``, ``summary.acc``, ``metrics.val_acc``, ``hpsearch_state``. The
part behind the prefix is enough where nothing else has that name.
"""

from __future__ import annotations

import difflib
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, fields
from itertools import chain
from typing import TypeAlias

from hpsearch.model.command import plain
from hpsearch.model.configuration import Value
from hpsearch.model.errors import ConfigError
from hpsearch.model.table import cell
from hpsearch.model.units import read_number
from hpsearch.model.usage.measured import Measured
from hpsearch.records.expression import Expression, Scalar
from hpsearch.records.run import AttemptRecord, RunRecord
from hpsearch.records.search import SearchRecord
from hpsearch.records.where import parse_where, problem_at

OWN = 'hpsearch_'
"""Prefix of facts of our own, as in the table of results."""

PREFIXES = {'params': 'params.', 'summary': 'summary.', 'metrics': 'metrics.', 'own': OWN}
"""Kind of a field to the prefix of its full name."""

IN_WORDS = {
    'params': 'a parameter',
    'summary': 'a keyword of the result',
    'metrics': 'a metric',
    'own': 'a fact of ours',
}

Getter: TypeAlias = Callable[[RunRecord], Scalar]


@dataclass(frozen=True, slots=True)
class Field:
    """Something that runs have a value of.

    Attributes:
        kind: ``params``, ``summary``, ``metrics`` or ``own``.
        name: Its name, without the prefix of its kind.
        of: From a run to its value; None: the run has none.
        is_shy: Whether it is only found by its full name, since scripts often have options of this name.
    """

    kind: str
    name: str
    of: Getter
    is_shy: bool = False

    @property
    def full_name(self) -> str:
        """The name by which it is always found."""
        return PREFIXES[self.kind] + self.name


class Fields:
    """The fields of the runs of a search, by kind and name; parameters come first.

    Args:
        search: The search.
    """

    def __init__(self, search: SearchRecord) -> None:
        self._search = search
        named = {
            'params': {name: _param(name) for name in _names(run.params for run in search.runs)},
            'summary': {name: _keyword(name) for name in _names(run.summary or () for run in search.runs)},
            'metrics': {name: _metric(name) for name in _names(run.metrics for run in search.runs)},
            'own': _own(search),
        }
        self.all: list[Field] = [
            Field(kind, name, of, is_shy=kind == 'own' and name in SHY)
            for kind, getters in named.items()
            for name, of in getters.items()
        ]
        self._by_full_name = {field.full_name: field for field in self.all}
        self._columns = _columns_of(self.all)
        self._by_name: dict[str, list[Field]] = {}
        for field in self.all:
            if not field.is_shy:
                self._by_name.setdefault(field.name, []).append(field)

    def of_kind(self, kind: str) -> list[Field]:
        """The fields of one kind, in the order in which runs have them."""
        return [field for field in self.all if field.kind == kind]

    def find(self, name: str) -> Field:
        """The field of this name, full or short.

        Raises:
            ConfigError: There is none, or several that it may be.
        """
        if name in self._by_full_name:
            return self._by_full_name[name]
        found = self._by_name.get(name) or [field for field, column in self._columns.items() if column == name]
        if len(found) > 1:
            which = ', '.join(f'{field.full_name} ({IN_WORDS[field.kind]})' for field in found)
            raise ConfigError([f'{name}: this may be {" or ".join(which.rsplit(", ", 1))}; write one of them.'])
        if not found:
            raise ConfigError([f'{name}: no run has a value of this name; {self._instead(name)}'])
        return found[0]

    def _instead(self, name: str) -> str:
        prefixed = [full for prefix in PREFIXES.values() if (full := prefix + name) in self._by_full_name]
        similar = prefixed or difflib.get_close_matches(name, [*self._by_name, *self._by_full_name], n=3)
        if similar:
            return f'did you mean {" or ".join(similar)}?'
        params = ', '.join(field.name for field in self.of_kind('params')[:MOST_NAMED])
        return f'there are {params or "no parameters"}, the keywords of its results, and facts such as state.'

    def heading(self, field: Field) -> str:
        """The shortest name by which a field is found."""
        is_unique = len(self._by_name.get(field.name, ())) == 1 and field.name not in self._by_full_name
        return field.name if is_unique and not field.is_shy else field.full_name

    def column(self, field: Field) -> str:
        """Its column in tables for programs, as in ``search_results.csv``."""
        return self._columns[field]

    @property
    def varying(self) -> list[Field]:
        """The parameters that are not the same in all runs."""
        return [field for field in self.of_kind('params') if self._varies(field)]

    def _varies(self, field: Field) -> bool:
        values = (repr(field.of(run)) for run in self._search.runs)
        first = next(values, None)
        return any(value != first for value in values)

    def selected(self, runs: Iterable[RunRecord], where: str) -> list[RunRecord]:
        """The runs of which a condition holds; all of them where it is empty.

        Raises:
            ConfigError: The condition is wrong; the message points to the place.
        """
        if not where.strip():
            return list(runs)
        condition = parse_where(where)
        getters = self._getters(condition, where)
        return [run for run in runs if condition.holds(lambda name, run=run: getters[name](run))]  # type: ignore[misc]

    def _getters(self, condition: Expression, where: str) -> dict[str, Getter]:
        found = {}
        for name in condition.names():
            try:
                found[name.text] = self.find(name.text).of
            except ConfigError as error:
                raise problem_at(where, name.at, str(error)) from None
        return found


def _names(found: Iterable[Iterable[str]]) -> Iterable[str]:
    """All names, each once, in the order in which they occur."""
    return dict.fromkeys(chain.from_iterable(found))


def _columns_of(every: Iterable[Field]) -> dict[Field, str]:
    """Parameters have their own names; so have keywords, behind ``summary_`` where something else is called so."""
    full = {field.full_name for field in every}
    columns: dict[Field, str] = {}
    for field in every:
        column = field.name if field.kind in ('params', 'summary') else field.full_name
        if field.kind == 'params' and column in full:
            column = field.full_name
        while field.kind == 'summary' and column in (*full, *columns.values()):
            column = f'summary_{column}'
        columns[field] = column
    return columns


MOST_NAMED = 20
"""Parameters that an error names."""

SHY = ('seed', 'budget', 'loss')


# Values


def scalar_of(value: Value) -> Scalar:
    """A hyperparameter as a number, a truth, or a text; lists and dicts are the text that the table has of them."""
    simple = plain(value)
    return simple if simple is None or isinstance(simple, (bool, int, float)) else cell(simple)


def scalar_of_text(text: str) -> Scalar:
    """What a script left as a result: a number or a truth if that is all there is, otherwise the text."""
    if text.lower() in _TRUTHS:
        return _TRUTHS[text.lower()]
    if text.isascii() and text.lstrip('+-').isdigit() and len(text) <= LONGEST_WHOLE:
        return int(text) if text.count('-') + text.count('+') <= 1 else text
    reading = read_number(text)
    return reading.value if reading and reading.is_single else text


_TRUTHS = {'true': True, 'false': False}

LONGEST_WHOLE = 300
"""Characters of a whole number; a longer one is beyond floating-point numbers, with which it is compared."""


def time_text(seconds: float | None) -> str | None:
    """A moment in seconds since 1970 as ``2026-11-20T23:19:00Z``, which is ordered as texts are."""
    if seconds is None or not 0 <= seconds < LAST_MOMENT:
        return None
    return time.strftime('%Y-%m-%dT%H:%M:%SZ', time.gmtime(seconds))


LAST_MOMENT = 253402300800.0
"""The end of the year 9999."""


def _param(name: str) -> Getter:
    return lambda run: scalar_of(run.params[name]) if name in run.params else None


def _keyword(name: str) -> Getter:
    return lambda run: scalar_of_text(run.summary[name]) if run.summary and name in run.summary else None


def _metric(name: str) -> Getter:
    return lambda run: run.metrics.get(name)


# Facts of our own


def _of_attempt(of: Callable[[AttemptRecord], Scalar]) -> Getter:
    """A fact of the attempt that speaks for a run; an empty text is none."""

    def value(run: RunRecord) -> Scalar:
        found = of(run.deciding) if run.deciding else None
        return None if found == '' else found

    return value


def _measured(name: str) -> Getter:
    return _of_attempt(lambda attempt: getattr(attempt.measured, name))


OF_RUNS: Mapping[str, Getter] = {
    'run': lambda run: run.name,
    'number': lambda run: run.number,
    'state': lambda run: run.state.value,
    'reason': lambda run: run.reason or None,
    'request': lambda run: run.request or None,
    'cause': _of_attempt(lambda attempt: attempt.cause),
    'exit_status': _of_attempt(lambda attempt: attempt.code),
    'failure': _of_attempt(lambda attempt: attempt.failure),
    'attempts': lambda run: len(run.attempts),
    'seconds': _of_attempt(lambda attempt: attempt.seconds),
    'gpu_seconds': lambda run: run.gpu_seconds,
    'started': _of_attempt(lambda attempt: time_text(attempt.started_at)),
    'ended': _of_attempt(lambda attempt: time_text(attempt.ended_at)),
    'host': _of_attempt(lambda attempt: attempt.host),
    'gpu': _of_attempt(lambda attempt: ','.join(attempt.gpus)),
    'queue': _of_attempt(lambda attempt: attempt.queue),
    'job': _of_attempt(lambda attempt: attempt.job),
    'code': _of_attempt(lambda attempt: attempt.code_id),
    'trial': lambda run: run.trial,
    'seed': lambda run: run.proposal.seed if run.proposal else None,
    'step': lambda run: max(run.curve, default=None),
    **{each.name: _measured(each.name) for each in fields(Measured)},
    'output': lambda run: run.output,
}
"""Facts of our own that a run knows by itself, by their names without prefix."""


def _own(search: SearchRecord) -> dict[str, Getter]:
    return {
        **OF_RUNS,
        'budget': lambda run: run.proposal.fidelity if run.proposal else None,
        'performance': lambda run: run.value(search.key) if search.key else None,
        'loss': search.loss,
    }


def sorted_by(runs: Sequence[RunRecord], field: Field, *, descending: bool = False) -> list[RunRecord]:
    """Runs by a value: numbers, then texts, and those without a value, or with nan, last in either direction."""
    values = {run.name: field.of(run) for run in runs}
    known = [run for run in runs if (value := values[run.name]) is not None and value == value]
    numbers = [run for run in known if not isinstance(values[run.name], str)]
    texts = [run for run in known if isinstance(values[run.name], str)]
    has_value = {run.name for run in known}
    ordered = [
        *sorted(numbers, key=lambda run: values[run.name], reverse=descending),  # type: ignore[arg-type, return-value]
        *sorted(texts, key=lambda run: values[run.name], reverse=descending),  # type: ignore[arg-type, return-value]
    ]
    return [*ordered, *(run for run in runs if run.name not in has_value)]
