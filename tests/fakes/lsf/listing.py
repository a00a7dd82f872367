"""The pretend bjobs."""

from __future__ import annotations

import json
import re
import sys
import time

from tests.fakes.lsf.cluster import Room, settle, why_pending
from tests.fakes.lsf.selecting import in_listing_order, known_to_bjobs, read_ids, with_id, with_name
from tests.fakes.lsf.store import ENDED, PENDING, clock, is_ended, label, pairs, title
from tests.fakes.lsf.words import Misuse, Words, begin, by_letters, by_names

TYPE_CHECKING = False
if TYPE_CHECKING:
    from tests.fakes.lsf.store import Element, Job, Store

    Pair = tuple[Job, Element]

USAGE = """\
Usage: bjobs [-h] [-V] [-w |-l |-UF] [-a] [-d] [-p] [-s] [-r] [-o] [-json] [-A]
             [-m host_name] [-q queue_name] [-u user_name | -u all]
             [-P project_name] [-N host_spec]
             [-J name_spec] [jobId | "jobId[idxList]" ...]
"""

HEADER = 'JOBID   USER    STAT  QUEUE      FROM_HOST   EXEC_HOST   JOB_NAME   SUBMIT_TIME'
PENDING_HEADER = 'JOBID   USER    STAT  QUEUE       FROM_HOST      JOB_NAME           SUBMIT_TIME'
ARRAY_HEADER = 'JOBID    ARRAY_SPEC  OWNER   NJOBS PEND DONE  RUN EXIT SSUSP USUSP PSUSP'
NO_HOST = '   -    '

DETAILS = """\

 SCHEDULING PARAMETERS:
           r15s   r1m  r15m   ut      pg    io   ls    it    tmp    swp    mem
 loadSched   -     -     -     -       -     -    -     -     -      -      -  
 loadStop    -     -     -     -       -     -    -     -     -      -      -  

 RESOURCE REQUIREMENT DETAILS:
 Combined: {combined}
 Effective: {effective}
"""  # noqa: W291

COMMON_FIELDS = (
    *('JOBID', 'USER', 'STAT', 'QUEUE', 'FROM_HOST', 'EXEC_HOST', 'JOB_NAME', 'SUBMIT_TIME'),
    *('PROJ_NAME', 'CPU_USED', 'START_TIME', 'FINISH_TIME'),
)

IBM_WIDTHS = {
    'JOBID': 7,
    'JOBINDEX': 8,
    'STAT': 5,
    'USER': 7,
    'QUEUE': 10,
    'JOB_NAME': 10,
    'PROJ_NAME': 11,
    'COMMAND': 15,
    'FROM_HOST': 11,
    'EXEC_HOST': 11,
    'EXIT_CODE': 10,
    'EXIT_REASON': 50,
    'PEND_REASON': 11,
    'SUBMIT_TIME': 15,
    'START_TIME': 15,
    'FINISH_TIME': 16,
    'NALLOC_SLOT': 10,
    'MEMLIMIT': 10,
    'RUN_TIME': 15,
    'CPU_USED': 10,
}
"""IBM's fields and their recommended widths, as far as they are known here."""

ALIASES = {'ID': 'JOBID', 'NAME': 'JOB_NAME', 'PROJ': 'PROJ_NAME', 'PROJECT': 'PROJ_NAME', 'CMD': 'COMMAND'}


class NotListed(Exception):
    """Nothing can be listed.

    Args:
        complaint: One line.
        code: Exit status.
    """

    def __init__(self, complaint: str, code: int) -> None:
        super().__init__(complaint)
        self.complaint = complaint
        self.code = code


def bjobs(store: Store, argv: list[str]) -> int:
    """List jobs."""
    words = begin(lambda: _words(store, argv), USAGE, is_ibm=store.is_ibm)
    if isinstance(words, int):
        return words
    with store.locked():
        settle(store, clock())
        jobs = known_to_bjobs(store)
    try:
        return _list(store, words, jobs)
    except Misuse as misuse:
        sys.stderr.write(f'{misuse.complaint}\n')
        return 255
    except NotListed as nothing:
        sys.stderr.write(f'{nothing.complaint}\n')
        return nothing.code


def _words(store: Store, argv: list[str]) -> Words:
    if store.is_ibm:
        flags = ('a', 'd', 'p', 's', 'r', 'w', 'l', 'W', 'A', 'X', 'x', 'h', 'V', 'UF', 'noheader', 'json', 'hms')
        return by_names('bjobs', argv, flags, ('J', 'q', 'u', 'm', 'P', 'o', 'g', 'G', 'app', 'sla'))
    words = by_letters('bjobs', argv, 'VladpsrwWAh', 'JqumNPoUj')
    for letter, rest, meaning in (('U', 'F', 'UF'), ('j', 'son', 'json')):
        if letter in words.values:
            if words.values.pop(letter) != rest:
                raise Misuse(f"bjobs: invalid option -- '{letter}'")
            words.values[meaning] = ''
    if words.has('h') or (words.has('json') and not words.has('o')):
        raise Misuse('bjobs:')
    return words


def _list(store: Store, words: Words, jobs: list[Job]) -> int:
    if words.has('A'):
        return _list_arrays(store, words, jobs)
    found, missing = _found(store, words, jobs)
    if words.has('o') and words.has('json'):
        sys.stdout.write(_json(store, words, jobs, found, missing))
        return 0
    if found:
        _print(store, words, jobs, found)
    sys.stdout.flush()
    for word in missing:
        sys.stderr.write(f'Job <{word}> is not found\n')
    return 255 if missing else 0


def _found(store: Store, words: Words, jobs: list[Job]) -> tuple[list[Pair], list[str]]:
    """What is to be listed, and which ids are not known.

    Raises:
        NotListed: There is nothing.
    """
    settings = store.settings()
    if words.rest and words.rest != ['0']:
        return _found_by_id(words, jobs)
    queue = words.values.get('q', '')
    if queue and queue not in settings['queues']:
        raise NotListed(f'{queue}: No such queue', 255)
    selected = [pair for pair in _candidates(store, words, jobs) if _is_asked_for(words, pair[1])]
    if not selected:
        raise NotListed(_nothing(words), _nothing_code(store))
    return in_listing_order(selected), []


def _found_by_id(words: Words, jobs: list[Job]) -> tuple[list[Pair], list[str]]:
    found: list[Pair] = []
    missing = []
    for word, number, indices in read_ids(words.rest):
        more = with_id(jobs, number, indices)
        found += more
        if not more:
            missing.append(word)
    # One array is listed by its indices.
    return (found if len(words.rest) == 1 else in_listing_order(found)), missing


def _candidates(store: Store, words: Words, jobs: list[Job]) -> list[Pair]:
    user = words.values.get('u', store.settings()['user'])
    candidates = with_name(jobs, words.values['J']) if words.has('J') else list(pairs(jobs))
    return [
        (job, element)
        for job, element in candidates
        if user in ('all', job['user'])
        and words.values.get('q', job['queue']) == job['queue']
        and words.values.get('P', job['project']) == job['project']
        and words.values.get('m', element['host']) == element['host']
    ]


def _is_asked_for(words: Words, element: Element) -> bool:
    if words.has('a'):
        return True
    by_flag = {
        'd': element['state'] in ENDED,
        'p': element['state'] in PENDING,
        'r': element['state'] == 'RUN',
        's': element['state'] in ('PSUSP', 'USUSP', 'SSUSP'),
    }
    asked = [flag for flag in by_flag if words.has(flag)]
    return any(by_flag[flag] for flag in asked) if asked else not is_ended(element)


def _nothing(words: Words) -> str:
    if words.has('J'):
        return f'Job <{words.values["J"]}> is not found'
    if words.has('a'):
        return 'No job found'
    kinds = {'d': 'DONE/EXIT', 'p': 'pending', 'r': 'running', 's': 'suspended'}
    return f'No {next((kind for flag, kind in kinds.items() if words.has(flag)), "unfinished")} job found'


def _nothing_code(store: Store) -> int:
    if store.is_ibm:
        return 255 if store.settings()['consistent_exit_code'] else 0
    return 254


def _print(store: Store, words: Words, jobs: list[Job], found: list[Pair]) -> None:
    if words.has('l', 'UF'):
        separator = '-' * 78 + '\n'
        sys.stdout.write(separator.join(_long(store, jobs, job, element) for job, element in found) + '\n')
    elif words.has('o'):
        sys.stdout.write(_customized(store, words, jobs, found))
    else:
        _print_table(store, words, jobs, found)


# ----------------------------------------------------------------------------------------------------------------------
# In columns
# ----------------------------------------------------------------------------------------------------------------------


def _print_table(store: Store, words: Words, jobs: list[Job], found: list[Pair]) -> None:
    only_pending = set(words.values) == {'p'} and not words.rest
    if not words.has('noheader'):
        sys.stdout.write((PENDING_HEADER if only_pending else HEADER) + '\n')
    for job, element in found:
        if only_pending:
            line = _pending_line(store, job, element)
        else:
            line = _wide(store, job, element) if words.has('w') else _narrow(store, job, element)
        sys.stdout.write(line + '\n')
        if words.has('p') and element['state'] in PENDING:
            sys.stdout.write(f' {_reason(store, jobs, job, element)}\n')


def cut(name: str, width: int) -> str:
    """The end of a name that is too long, behind an asterisk."""
    return name if len(name) <= width else '*' + name[len(name) - width + 1 :]


def _day(at: float) -> str:
    return time.strftime('%b %e %H:%M', time.localtime(at))


def _pending_line(store: Store, job: Job, element: Element) -> str:
    return (
        f'{job["id"]:<7} {job["user"]:<7.7} {element["state"]:<5.5} {job["queue"]:<11.11} '
        f'{store.settings()["submit_host"]:<14.14} {cut(title(job, element), 20):<18.18} {_day(job["submitted"])}'
    )


def _narrow(store: Store, job: Job, element: Element) -> str:
    host = element['host'] or ('' if element['state'] in PENDING else NO_HOST)
    line = (
        f'{job["id"]:<7} {job["user"]:<7.7} {element["state"]:<5.5} {job["queue"]:<10.10} '
        f'{store.settings()["submit_host"]:<11.11} {host:<11.11} {cut(title(job, element), 10):<10.10} '
        f'{_day(job["submitted"])}'
    )
    return line + f'\n{"":45}{host}' * (job['slots'] - 1 if element['host'] else 0)


def _wide(store: Store, job: Job, element: Element) -> str:
    return (
        f'{job["id"]:<7} {job["user"]:<7} {element["state"]:<5.5} {job["queue"]:<10} '
        f'{store.settings()["submit_host"]:<11} {_hosts(store, job, element) or NO_HOST:<11} '
        f'{title(job, element):<10} {_day(job["submitted"])}'
    )


def _hosts(store: Store, job: Job, element: Element) -> str:
    if store.is_ibm and element['host'] and job['slots'] > 1:
        return f'{job["slots"]}*{element["host"]}'
    return ':'.join([element['host']] * job['slots']) if element['host'] else ''


def _list_arrays(store: Store, words: Words, jobs: list[Job]) -> int:
    numbers = [number for _, number, _ in read_ids(words.rest)]
    arrays = [job for job in jobs if job['is_array'] and (not numbers or job['id'] in numbers)]
    if not arrays:
        raise NotListed('No job found', 255)
    sys.stdout.write(ARRAY_HEADER + '\n')
    for job in arrays:
        states = [element['state'] for element in job['elements']]
        counts = [states.count(state) for state in ('PEND', 'DONE', 'RUN', 'EXIT', 'SSUSP', 'USUSP', 'PSUSP')]
        name, user = (job['spec'], job['user']) if words.has('w') else (f'{job["spec"]:<8.8}', f'{job["user"]:>8.8}')
        numbers_ = '{:4} {:4} {:4} {:4} {:5} {:5} {:5}'.format(*counts)
        sys.stdout.write(f'{job["id"]:<7}  {name} {user}   {len(states):5} {numbers_}\n')
    return 0


# ----------------------------------------------------------------------------------------------------------------------
# In fields
# ----------------------------------------------------------------------------------------------------------------------


def _fields(store: Store, words: Words) -> tuple[list[tuple[str, int | None, bool]], str]:
    """Names, widths and whether to the right; and what stands between them.

    Raises:
        NotListed: One is not known.
    """
    text, delimiter = words.values['o'], ' '
    if store.is_ibm and (found := re.search(r"""delimiter=(['"])(.*?)\1""", text)):
        text, delimiter = text[: found.start()] + text[found.end() :], found[2]
    fields: list[tuple[str, int | None, bool]] = []
    for word in text.split():
        name, colon, width = word.upper().partition(':') if store.is_ibm else (word.upper(), '', '')
        name = ALIASES.get(name, name) if store.is_ibm else name
        if name not in (IBM_WIDTHS if store.is_ibm else COMMON_FIELDS):
            raise NotListed(f'<{word.upper()}> in the format string is not a valid field name.', 99)
        number = width.strip('-')
        fields.append((name, (int(number) if number else IBM_WIDTHS[name]) if colon else None, width.startswith('-')))
    return fields, delimiter


def _customized(store: Store, words: Words, jobs: list[Job], found: list[Pair]) -> str:
    fields, delimiter = _fields(store, words)
    rows = [] if words.has('noheader') else [[name for name, _, _ in fields]]
    rows += [[_field(store, jobs, job, element, name) or '-' for name, _, _ in fields] for job, element in found]
    return ''.join(delimiter.join(map(_fitted, row, fields)) + '\n' for row in rows)


def _fitted(text: str, field: tuple[str, int | None, bool]) -> str:
    name, width, to_the_right = field
    if width is None:
        return text
    short = cut(text, width) if name == 'JOB_NAME' else text[:width]
    return short.rjust(width) if to_the_right else short.ljust(width)


def _json(store: Store, words: Words, jobs: list[Job], found: list[Pair], missing: list[str]) -> str:
    names = [name for name, _, _ in _fields(store, words)[0]]
    records = [{name: _field(store, jobs, job, element, name) for name in names} for job, element in found]
    records += [{'JOBID': word, 'ERROR': f'Job <{word}> is not found'} for word in missing]
    if store.is_ibm:
        return json.dumps({'COMMAND': 'bjobs', 'JOBS': len(records), 'RECORDS': records}, indent=2) + '\n'
    texts = [
        ',\n'.join(f'\t\t\t{json.dumps(key)}:\t{json.dumps(text)}' for key, text in each.items()) for each in records
    ]
    inner = ', '.join(f'{{\n{text}\n\t\t}}' for text in texts)
    return f'{{\n\t"COMMAND":\t"bjobs",\n\t"JOBS":\t{len(records)},\n\t"RECORDS":\t[{inner}]\n}}\n'


def _field(store: Store, jobs: list[Job], job: Job, element: Element, name: str) -> str:
    """The value of a field; empty: it has none."""
    ended = element['state'] in ENDED
    values: dict[str, str] = {
        'JOBID': str(job['id']),
        'JOBINDEX': str(element['index']),
        'STAT': element['state'],
        'USER': job['user'],
        'QUEUE': job['queue'],
        'JOB_NAME': title(job, element),
        'PROJ_NAME': job['project'],
        'COMMAND': job['command'].strip().replace('\n', ';'),
        'FROM_HOST': store.settings()['submit_host'],
        'EXEC_HOST': _hosts(store, job, element) if store.is_ibm else element['host'],
        'EXIT_CODE': _exit_code(element) if element['state'] == 'EXIT' else '',
        'EXIT_REASON': element['reason'] if ended else '',
        'SUBMIT_TIME': _day(job['submitted']),
        'START_TIME': _day(element['started']) if element['started'] else '',
        'FINISH_TIME': _day(element['ended']) if element['ended'] else '',
        'NALLOC_SLOT': str(job['slots']) if element['host'] else '',
        'MEMLIMIT': job['options'].get('M', ''),
        'RUN_TIME': f'{round((element["ended"] or clock()) - element["started"])} second(s)'
        if element['started']
        else '',
        'CPU_USED': f'{element["cpu"]:.1f} second(s)' if ended else '',
    }
    if name == 'PEND_REASON':
        return _reason(store, jobs, job, element) if element['state'] in PENDING else ''
    return values[name]


def _exit_code(element: Element) -> str:
    if element['signal'] is not None:
        return str(128 + element['signal'])
    return '' if element['code'] is None else str(element['code'])


# ----------------------------------------------------------------------------------------------------------------------
# In full
# ----------------------------------------------------------------------------------------------------------------------


def _reason(store: Store, jobs: list[Job], job: Job, element: Element) -> str:
    room = Room(store.settings(), jobs)
    # That it has simply not been looked at yet lasts for a moment only.
    reason = why_pending(room, jobs, job, element, clock()) or 'New job is waiting for scheduling'
    return f'{reason};' if store.is_ibm else f'{reason}: 1 host;'


def header(job: Job, element: Element, status: str) -> str:
    """The first line of a job in full."""
    named = f'Job Name <{title(job, element)}>, ' if 'J' in job['options'] else ''
    text = f'Job <{label(job, element)}>, {named}User <{job["user"]}>, Project <{job["project"]}>, {status}'
    command = job['command'].strip().replace('\n', ';')
    return f'\n{text}Command <{command}>\n'


def submission(store: Store, job: Job, queue: str) -> str:
    """The line about the submission of a job, without what ends it."""
    options = job['options']
    held = ' with hold' if 'H' in options else ''
    parts = [f'{moment(job["submitted"])}: Submitted from host <{store.settings()["submit_host"]}>{held}{queue}']
    cwd, home = job['cwd'], job['home'].rstrip('/')
    parts.append(f'CWD <{"$HOME" + cwd[len(home) :] if home and f"{cwd}/".startswith(f"{home}/") else cwd}>')
    for option, what in (('o', 'Output File'), ('e', 'Error File'), ('R', 'Requested Resources')):
        if option in options:
            parts.append(f'{what} <{options[option]}>')
    for option, what in (('w', 'Dependency Condition'), ('m', 'Specified Hosts')):
        if option in options:
            parts.append(f'{what} <{options[option]}>')
    return ', '.join(parts)


def moment(at: float) -> str:
    """A time, as in the long listings."""
    return time.strftime('%a %b %e %H:%M:%S', time.localtime(at))


def _long(store: Store, jobs: list[Job], job: Job, element: Element) -> str:
    status = f'Status <{element["state"]}>, Queue <{job["queue"]}>, '
    text = header(job, element, status) + submission(store, job, '') + ';\n'
    if job['run_limit']:
        text += f'\n RUNLIMIT                \n {job["run_limit"] / 60:.1f} min                \n'
    if job['memory_limit']:
        text += f'\n MEMLIMIT\n {int(job["memory_limit"]):6} K\n'
    text += ''.join(_long_events(job, element))
    if element['state'] in PENDING:
        text += f' PENDING REASONS:\n {_reason(store, jobs, job, element)}\n'
    combined = ' '.join(
        part
        for part in (
            f'select[type == {"any" if "m" in job["options"] else "local"}]',
            'order[r15s:pg]',
            re.sub(r'=\s*(\d+)(?=[\],:])', r'=\1.00', job['options'].get('R', '')),
        )
        if part
    )
    return text + DETAILS.format(combined=combined, effective=combined if element['host'] else '-')


def _long_events(job: Job, element: Element) -> list[str]:
    started = f'Started on <{element["host"]}>, Execution Home <{job["home"]}>, Execution CWD <{job["cwd"]}>;'
    lines = []
    for at, text in element['events']:
        if text.startswith('Dispatched') and element['started']:
            lines.append(f'{moment(at)}: {started}\n')
        elif re.match(r'Done|Exited|Completed', text):
            lines.append(f'{moment(at)}: {text}{"" if text == "Exited" else "."}\n')
    return lines
