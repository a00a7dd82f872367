"""What ``hpsearch list`` and ``hpsearch best`` show: runs of a search, by a condition, in an order."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

from hpsearch.cli.runs.output import Form, Sheet
from hpsearch.model.errors import ConfigError, SearchFolderError
from hpsearch.model.states import State
from hpsearch.model.table import why_no_best
from hpsearch.model.trials.leading import Leader, objectives_in_words
from hpsearch.model.units import count_of, noun_for
from hpsearch.records.fields import OWN, Field, Fields, scalar_of, sorted_by
from hpsearch.records.run import RunRecord
from hpsearch.records.search import SearchRecord

MOST_KEYWORDS = 4
"""Keywords of the result that are listed where no objective says which matter."""


@dataclass(frozen=True)
class Listed:
    """What a verb shows, and what it says beside it.

    Attributes:
        sheet: The runs.
        note: About what was found, or why nothing was; empty: there is nothing to say.
    """

    sheet: Sheet
    note: str = ''


def runs_listed(search: SearchRecord, where: str, columns: str, order: str, limit: int, form: Form) -> Listed:
    """The runs of a search.

    Args:
        search: The search.
        where: A condition; empty: all of them.
        columns: Names with commas between them; empty: those that tell most.
        order: Names to sort by, the first one first; a dash before a name: descending. Empty: by number.
        limit: How many at most; 0: all.
        form: For whom.

    Raises:
        ConfigError: The condition is wrong, or there is no such name.
    """
    fields = Fields(search)
    asked = _columns(fields, columns) if columns else {}
    keys = _keys(fields, order)
    runs = fields.selected(search.runs, where)
    for field, descending in reversed(keys):
        runs = sorted_by(runs, field, descending=descending)
    found = runs[:limit] if limit else runs
    shown = asked or _telling(search, fields, found, form)
    note = '' if runs else _nothing(search, where)
    return Listed(Sheet(list(shown), [[field.of(run) for field in shown.values()] for run in found]), note)


def _nothing(search: SearchRecord, where: str) -> str:
    if not search.runs:
        return f'{search.path} has no runs so far'
    runs = len(search.runs)
    return f'{where!r} {noun_for(runs, "does not hold of its only run", f"holds of none of its {runs:,} runs")}'


def _words(text: str) -> list[str]:
    """Words with commas between them; what is in backticks may have commas itself."""
    return [word.strip() for word in re.findall(r'(?:`[^`]*`|[^,`])+', text) if word.strip()]


def _columns(fields: Fields, text: str) -> dict[str, Field]:
    return _each_found(fields, [word.strip('`') for word in _words(text)])


def _each_found(fields: Fields, names: Iterable[str]) -> dict[str, Field]:
    """The fields of these names.

    Raises:
        ConfigError: With every name that there is not.
    """
    found: dict[str, Field] = {}
    problems: list[str] = []
    for name in names:
        try:
            found[name] = fields.find(name)
        except ConfigError as error:
            problems += error.problems
    if problems:
        raise ConfigError(problems)
    return found


def _keys(fields: Fields, order: str) -> list[tuple[Field, bool]]:
    keys = [(word.removeprefix('-').strip('`'), word.startswith('-')) for word in _words(order)]
    found = _each_found(fields, [name for name, _ in keys])
    return [(found[name], descending) for name, descending in keys]


def _telling(search: SearchRecord, fields: Fields, found: Sequence[RunRecord], form: Form) -> dict[str, Field]:
    """The columns that tell most: for people, what differs and what matters of these runs; for programs, everything."""
    if form is not Form.PEOPLE:
        return _every(fields)
    objectives = [objective.key for objective in search.objectives]
    keywords = [field for field in fields.of_kind('summary') if field.name in objectives]
    keywords = keywords or [field for field in fields.of_kind('summary') if field.name != 'finished'][:MOST_KEYWORDS]
    own = {field.name: field for field in fields.of_kind('own')}
    chosen = [own['run'], own['state'], *fields.varying, *keywords, own['seconds'], own['host'], own['gpu']]
    return {fields.heading(field): field for field in [*chosen, own['reason']] if _is_known(field, found)}


def _every(fields: Fields) -> dict[str, Field]:
    return {fields.column(field): field for field in fields.all}


def _is_known(field: Field, runs: Sequence[RunRecord]) -> bool:
    return field.name in ('run', 'state') or any(field.of(run) is not None for run in runs)


# The best


def best_listed(search: SearchRecord, where: str, limit: int, form: Form) -> Listed:
    """The best finished runs, best first; of several objectives the Pareto front; of several seeds the mean.

    Args:
        search: The search.
        where: A condition; empty: all of them.
        limit: How many at most; 0: all.
        form: For whom.

    Raises:
        ConfigError: The condition is wrong.
        SearchFolderError: The search does not say what is best.
    """
    if not search.objectives:
        raise SearchFolderError(
            f'{search.path} does not say which keyword of the result counts; sort by one: hpsearch list {search.path} '
            '--sort=KEYWORD'
        )
    fields = Fields(search)
    chosen = replace(search, runs=fields.selected(search.runs, where))
    listed = (_leaders_listed if search.compares_trials else _ranked_listed)(chosen, fields, limit, form)
    return listed if chosen.runs else replace(listed, note=_nothing(search, where))


def _ranked_listed(search: SearchRecord, fields: Fields, limit: int, form: Form) -> Listed:
    ranked = search.best()
    shown = _every(fields) if form is not Form.PEOPLE else _telling_of_the_best(search, fields, ranked)
    rows = [[field.of(run) for field in shown.values()] for run in (ranked[:limit] if limit else ranked)]
    return Listed(Sheet(list(shown), rows), '' if rows else _no_best(search))


def _telling_of_the_best(search: SearchRecord, fields: Fields, ranked: Sequence[RunRecord]) -> dict[str, Field]:
    own = {field.name: field for field in fields.of_kind('own')}
    keys = [field for field in fields.of_kind('summary') if field.name == search.key]
    chosen = [own['number'], own['run'], *keys, *fields.varying, own['budget'], own['seconds']]
    return {fields.heading(field): field for field in chosen if _is_known(field, ranked)}


def _no_best(search: SearchRecord) -> str:
    finished = {run.name: run.summary or {} for run in search.runs if run.state is State.FINISHED}
    return why_no_best(finished, search.key) or 'no run that could be the best has finished'


def _leaders_listed(search: SearchRecord, fields: Fields, limit: int, form: Form) -> Listed:
    led = search.leaders()
    prefix, heading = ('', fields.heading) if form is Form.PEOPLE else (OWN, fields.column)
    headings = {field.name: heading(field) for field in fields.of_kind('summary')}
    keys = [headings.get(each.key, each.key) for each in search.objectives]
    params = fields.varying if form is Form.PEOPLE else fields.of_kind('params')
    params = [field for field in params if any(field.name in each.params for each in led)]
    columns = [*keys, f'{prefix}run', f'{prefix}runs', *map(heading, params)]
    names = [field.name for field in params]
    rows = [
        [*_means(each, form), each.run, each.runs, *_params(each, names)] for each in (led[:limit] if limit else led)
    ]
    what = 'the Pareto front' if len(search.objectives) > 1 else 'means over seeds'
    note = (
        f'{what} of {count_of(len(led), "trial")} ({objectives_in_words(search.objectives)})'
        if led
        else _no_best(search)
    )
    return Listed(Sheet(columns, rows), note)


def _means(leader: Leader, form: Form) -> Sequence[float]:
    """What it has reached; for people, without the last digits, which are those of adding up: 131.10500000000002."""
    return [float(f'{value:.12g}') for value in leader.values] if form is Form.PEOPLE else leader.values


def _params(leader: Leader, names: Sequence[str]) -> list[bool | int | float | str | None]:
    return [scalar_of(leader.params[name]) if name in leader.params else None for name in names]
