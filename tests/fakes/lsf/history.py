"""The pretend bhist."""

from __future__ import annotations

import re
import sys

from tests.fakes.lsf.cluster import settle
from tests.fakes.lsf.listing import cut, header, moment, submission
from tests.fakes.lsf.selecting import read_ids, with_id, with_name
from tests.fakes.lsf.store import clock, is_ended, label, pairs, title
from tests.fakes.lsf.words import Misuse, Words, by_letters, index_list

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable

    from tests.fakes.lsf.store import Element, Job, Store

    Pair = tuple[Job, Element]

USAGE = 'Usage: bhist [-h] [-V] [-l] [-w] [-a] [-d] [-e] [-p] [-r] [-s] [-n num_logfiles | -n 0] [jobId ...]\n'
COLUMNS = ('PEND', 'PSUSP', 'RUN', 'USUSP', 'SSUSP', 'UNKWN')
WIDTH = 79


def bhist(store: Store, argv: list[str]) -> int:
    """Tell what happened to jobs, also to those that bjobs has forgotten."""
    try:
        words = by_letters('bhist', argv, 'hVladeprsbwt', 'nfCSDTuPJmqNx')
        with store.locked():
            settle(store, clock())
            jobs = [job for job in store.jobs() if job['id'] not in store.settings()['forgotten_by_history']]
        found = _found(words, jobs)
    except Misuse as misuse:
        sys.stderr.write(f'{misuse.complaint}\n')
        return 255
    if words.has('h', 'V'):
        sys.stderr.write(USAGE)
        return 0
    if not found:
        sys.stderr.write('No matching job found\n')
        return 255
    sys.stderr.writelines(f'{line}\n' for line in _misread({job['id']: job for job, _ in found}.values()))
    if words.has('l'):
        sys.stdout.write(('-' * 78 + '\n').join(_long(store, job, element) for job, element in found))
    else:
        sys.stdout.write(_table(words, found))
    return 0


def _misread(jobs: Iterable[Job]) -> list[str]:
    """What is wrong with the names of jobs that were to be arrays, which nobody said before."""
    complaints = []
    for job in jobs:
        found = None if job['is_array'] else re.search(r'\[(.*)\](?:%\d+)?$', job['options'].get('J', ''))
        if found:
            indices = index_list(found[1])
            wrong = f'{max(indices)}: Job Array index out of valid range.' if indices else ''
            complaints.append(wrong or f'{job["spec"]}: Bad job array index list.')
    return complaints


def _found(words: Words, jobs: list[Job]) -> list[Pair]:
    if words.rest:
        return [pair for _, number, indices in read_ids(words.rest) for pair in with_id(jobs, number, indices)]
    candidates = with_name(jobs, words.values['J']) if words.has('J') else list(pairs(jobs))
    return [(job, element) for job, element in candidates if words.has('a') or is_ended(element) == words.has('d')]


def _long(store: Store, job: Job, element: Element) -> str:
    lines = header(job, element, '') + submission(store, job, f', to Queue <{job["queue"]}>') + ';\n'
    for at, text in element['events']:
        line = f'{moment(at)}: {text};'
        lines += _folded(line) if store.is_ibm else f'{line}\n'
        if not store.is_ibm and text.startswith(('Done', 'Exited with', 'Exited by')):
            lines += f'{"":21}\n'
    until = element['ended'] or clock()
    spent = _spent(job, element)
    total = sum(spent)
    return (
        f'{lines}\nSummary of time in seconds spent in various states by  {moment(until)}\n'
        '  PEND     PSUSP    RUN      USUSP    SSUSP    UNKWN    TOTAL\n'
        f'  {"".join(f"{seconds:<9}" for seconds in spent)}{total:<12}\n\n'
    )


def _folded(line: str) -> str:
    """IBM's lines end at a fixed width and go on further to the right."""
    parts, width, rest = [], WIDTH, line.replace('\n' + ' ' * 21, ' ')
    while rest:
        parts.append(rest[:width])
        rest, width = rest[width:], WIDTH - 21
    return f'\n{"":21}'.join(parts) + '\n'


def _spent(job: Job, element: Element) -> list[int]:
    until = element['ended'] or clock()
    started = element['started'] or until
    waited = 'PSUSP' if element['state'] == 'PSUSP' or 'H' in job['options'] else 'PEND'
    spent = {waited: round(started - job['submitted']), 'RUN': round(until - started)}
    return [spent.get(column, 0) for column in COLUMNS]


def _table(words: Words, found: list[Pair]) -> str:
    lines = ['Summary of time in seconds spent in various states:']
    lines.append('JOBID   USER    JOB_NAME  PEND    PSUSP   RUN     USUSP   SSUSP   UNKWN   TOTAL')
    for job, element in found:
        spent = _spent(job, element)
        name = title(job, element) if words.has('w') else f'{cut(title(job, element), 8):9.9}'
        numbers = ''.join(f'{seconds:<8}' for seconds in spent)
        lines.append(f'{label(job, element):<7.7} {job["user"]:<7.7} {name:<9} {numbers}{sum(spent):<10}')
    return '\n'.join(lines) + '\n\n'
