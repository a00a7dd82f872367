"""Compare the ledger, the table and the processes of a disturbed search with those of one that was not disturbed."""

from __future__ import annotations

import time
from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import NamedTuple

from benchmarks.chaos.place import Place, command_of
from hpsearch.model.states import State
from hpsearch.store.journal import read_state


class Problem(NamedTuple):
    """What went wrong: its kind, in words, and with which run (its value of ``--n``; 0: with none in particular)."""

    kind: str
    what: str
    n: int = 0


def expected_table(numbers: Sequence[int]) -> list[dict[str, str]]:
    """The table of a search that was not disturbed."""
    return [
        {'n': str(n), 'acc': f'0.{n}', 'finished': '1', 'hpsearch_state': State.FINISHED.value} for n in sorted(numbers)
    ]


def ledger_problems(place: Place, kills: Mapping[int, int], erased: Collection[int] = ()) -> Iterator[Problem]:
    """What ran twice, or not to its end.

    Args:
        place: Where.
        kills: Value of ``--n`` to how often an attempt of that run was killed by us.
        erased: Values of ``--n`` whose records were deleted: they may run again, but never beside themselves.
    """
    ledger = place.ledger()
    for number in place.numbers:
        lines = ledger.get(number, [])
        history = f'n={number}, killed {kills.get(number, 0)} times: {lines}'
        for kind, what in _problems_of(lines, kills.get(number, 0), number in erased):
            yield Problem(kind, f'{what}: {history}', number)


def _problems_of(lines: Sequence[str], kills: int, is_erased: bool) -> Iterator[tuple[str, str]]:
    begun = [line.split()[1] for line in lines if line.startswith('begin')]
    ended = [line.split()[1] for line in lines if line.startswith('end')]
    if not ended and not kills:
        yield 'lost', 'never ended'
    if len(begun) != len(set(begun)):
        yield 'twice', 'an attempt ran twice'
    if not is_erased and (len(ended) > 1 or (ended and lines[-1] != f'end {ended[0]}')):
        yield 'twice', 'ran again after its end'
    elif not is_erased and len(begun) > 1 + kills:
        yield 'twice', 'begun too often'
    if any(line.startswith('found') for line in lines):
        yield 'twice', 'found an output folder'
    if not one_after_the_other(lines):
        yield 'twice', 'two attempts at once'


def one_after_the_other(lines: Sequence[str]) -> bool:
    """Whether no attempt ran beside another one, as far as a ledger shows."""
    current = ''
    for line in lines:
        kind, attempt = line.split()
        if kind == 'begin':
            current = attempt
        elif kind == 'beside' or attempt != current:
            return False
    return True


def repeated(place: Place) -> int:
    """How many runs ended more than once."""
    return sum(sum(line.startswith('end') for line in lines) > 1 for lines in place.ledger().values())


def folder_problems(place: Place, erased: Collection[int] = (), *, may_be_odd: bool = False) -> Iterator[Problem]:
    """What is wrong with the folder of a search that has ended.

    Args:
        place: Where.
        erased: See :func:`ledger_problems`.
        may_be_odd: Whether its journals were damaged.
    """
    state = read_state(place.folder)
    numbers = {place.number_of(name): history for name, history in state.runs.items()}
    for number in place.numbers:
        history = numbers.get(number)
        if history is None or history.state is not State.FINISHED:
            yield Problem('lost', f'n={number} is {history.state.value if history else "not known"}', number)
        elif number not in erased and sum(attempt.state is State.FINISHED for attempt in history.attempts) > 1:
            yield Problem('twice', f'n={number} finished more than once', number)
    if state.odd and not may_be_odd:
        yield Problem('odd', f'journals: {state.odd[:3]}')
    yield from _table_problems(place)
    if 'Traceback' in place.printed():
        yield Problem('traceback', place.printed().partition('Traceback')[2][:1500])


def _table_problems(place: Place) -> Iterator[Problem]:
    if not place.folder.results_csv.exists():
        yield Problem('table', 'there is no table')
        return
    table, expected = place.table(), expected_table(place.numbers)
    if table != expected:
        missing = [row for row in expected if row not in table]
        others = [row for row in table if row not in expected]
        yield Problem('table', f'{len(table)} rows; missing: {missing[:3]}; others: {others[:3]}')


def process_problems(place: Place, patience: float = 20.0) -> Iterator[Problem]:
    """Processes of a search that has ended; a script that tries to write its record again sleeps for some seconds."""
    end = time.monotonic() + patience
    while left := place.processes():
        if time.monotonic() > end:
            yield Problem('processes', f'left behind: {[command_of(pid) for pid in left]}')
            return
        time.sleep(0.05)
