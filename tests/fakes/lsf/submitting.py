"""The pretend bsub and bmod."""

from __future__ import annotations

import os
import re
import shlex
import signal
import sys
import time

from tests.fakes.lsf.cluster import advance, condition, depended
from tests.fakes.lsf.store import PENDING, clock, new_element, note, pairs
from tests.fakes.lsf.words import Misuse, Words, begin, by_longest_name, index_list, quoted

TYPE_CHECKING = False
if TYPE_CHECKING:
    from tests.fakes.lsf.store import Job, Store

FLAGS = ('Zs', 'Ip', 'Is', 'I', 'K', 'r', 'H', 'x', 'N', 'B', 'h', 'V')
VALUED = (
    *('E', 'Ep', 'T', 'a', 'w', 'f', 'k', 'R', 'm', 'Jd', 'J', 'L', 'u', 'is', 'i', 'o', 'e', 'n', 'q', 'b', 't', 'sp'),
    *('s', 'c', 'v', 'p', 'W', 'F', 'D', 'S', 'C', 'M', 'O', 'P', 'X', 'pack'),
)
IBM_FLAGS = (*FLAGS, 'ar', 'hl', 'Ne', 'rn', 'ul', 'UF')
IBM_VALUED = (
    *VALUED,
    *('app', 'cwd', 'data', 'env', 'eo', 'freq', 'G', 'g', 'gpu', 'hostfile', 'json', 'mig', 'network', 'notify', 'oo'),
    *('outdir', 'Q', 'sla', 'step', 'stage', 'ti', 'U', 'We', 'wa', 'wt', 'yaml', 'Lp', 'jsdl', 'rnc'),
)

USAGE = """\
Usage: bsub [-h] [-V] [-x] [-H] [-r] [-N] [-B] [-I | -K | -Ip | -Is]
		[-L login_shell] [-c cpu_limit[/host_spec]] [-F file_limit]
		[-W run_limit[/host_spec]] [-k chkpnt_dir [chkpnt_period] [method=chkpnt_dir]]
		[-P project_name] 
		[-q queue_name ...]  [-R res_req]
		[-m "host_name[+[pref_level]] | host_group[+[pref_level]]...]"
		[-n min_processors[,max_processors]] [-J job_name] [-Jd job_desc]
		[-b begin_time] [-t term_time] [-u mail_user]
		[-i in_file | -is in_file] [-o out_file] [-e err_file]
		[-M mem_limit]  [-D data_limit]  [-S stack_limit]
		[[-f "lfile op [rfile]"] ...] [-w depend_cond]
		[-E "pre_exec_command [argument ...]"] [-Zs]
		[-Ep "post_exec_command [argument ...]"
		[-sp job_priority]
		[-pack job_submission_file]
		[-a additional_esub_information]
		command [argument ...]
"""  # noqa: W291

BUILT_IN = (
    *('r15s', 'r1m', 'r15m', 'ut', 'pg', 'io', 'ls', 'it', 'tmp', 'swp', 'mem', 'ncpus', 'ndisks', 'maxmem', 'maxswp'),
    *('maxtmp', 'cpuf', 'type', 'model', 'status', 'hname', 'rexpri', 'server', 'local', 'any', 'select', 'order'),
    *('rusage', 'span', 'same', 'duration', 'decay', 'hosts', 'ptile'),
)
_SECTION = re.compile(r'\s*(select|rusage|order|span|same|cu|affinity)\[([^\[\]]*)\]\s*')


class Refused(Exception):
    """A job that is not accepted.

    Args:
        complaint: Why.
        takes_number: Whether it used up a number all the same.
        may_come_later: Whether the same job may be accepted later.
    """

    def __init__(self, complaint: str, takes_number: bool = True, may_come_later: bool = False) -> None:
        super().__init__(complaint)
        self.complaint = complaint
        self.takes_number = takes_number
        self.may_come_later = may_come_later


# ----------------------------------------------------------------------------------------------------------------------
# bsub
# ----------------------------------------------------------------------------------------------------------------------


def bsub(store: Store, argv: list[str]) -> int:
    """Submit a job."""
    words = begin(lambda: _words(store, argv), USAGE, is_ibm=store.is_ibm)
    if isinstance(words, int):
        return words
    if words.has('h'):
        sys.stderr.write(USAGE)
        return 0
    try:
        command, is_script = _command(store, words)
        return _submit(store, words, command, is_script)
    except Refused as refused:
        sys.stderr.write(f'{refused.complaint}. Job not submitted.\n')
        return 255


def _words(store: Store, argv: list[str]) -> Words:
    flags, valued = (IBM_FLAGS, IBM_VALUED) if store.is_ibm else (FLAGS, VALUED)
    return by_longest_name('bsub', argv, flags, valued)


def _command(store: Store, words: Words) -> tuple[str, bool]:
    """What is to be executed, and whether it came on stdin, where it may name options too."""
    if words.rest:
        return quoted(words.rest), False
    text = sys.stdin.buffer.read().decode('utf-8', 'surrogateescape')
    embedded: list[str] = []
    for line in re.sub(r'^(#\s*BSUB.*)\\\n', r'\1', text, flags=re.MULTILINE).splitlines():
        if found := re.match(r'#\s*BSUB\s(.*)', line):
            embedded += shlex.split(found[1], comments=True)
    if not text.strip():
        raise Refused('No command is specified', takes_number=False)
    words.values = {**_words(store, embedded).values, **words.values}
    return text, True


def _submit(store: Store, words: Words, command: str, is_script: bool) -> int:
    tries = int(os.environ.get('LSB_NTRIES', '6'))
    while True:
        tries -= 1
        try:
            with store.locked():
                job = _accept(store, words.values, command, is_script)
            break
        except Refused as refused:
            if not refused.may_come_later or tries <= 0:
                raise
            interval = store.settings()['submit_retry_interval']
            sys.stderr.write(f'{refused.complaint}. Retrying in {interval} seconds...\n')
            sys.stderr.flush()
            time.sleep(interval)
    advance(store)
    asked = words.has('q') or os.environ.get('LSB_DEFAULTQUEUE')
    sys.stdout.write(f'Job <{job["id"]}> is submitted to {"" if asked else "default "}queue <{job["queue"]}>.\n')
    return 0


def _accept(store: Store, options: dict[str, str], command: str, is_script: bool) -> Job:
    """Make a job of it, under the lock."""
    run_limit = _minutes(options.get('W', ''), 'RUNLIMIT')
    _minutes(options.get('c', ''), 'CPULIMIT')
    try:
        job = _new_job(store, options, command, is_script, run_limit)
        _check(store, job)
    except Refused as refused:
        if refused.takes_number:
            store.next_number('jobs')
        raise
    job['id'] = store.next_number('jobs')
    store.write(dict(os.environ), 'jobs', f'{job["id"]}.environment')
    store.save(job)
    return job


def _minutes(text: str, what: str) -> float | None:
    """Seconds that ``MINUTES`` or ``HOURS:MINUTES`` are."""
    if not text:
        return None
    found = re.fullmatch(r'(?:(\d+):)?(\d+)(?:/\S+)?', text)
    if not found:
        raise Refused(f'{text}: Bad {what} specification', takes_number=False)
    return 60.0 * (60 * int(found[1] or 0) + int(found[2]))


def _new_job(store: Store, options: dict[str, str], command: str, is_script: bool, run_limit: float | None) -> Job:
    settings = store.settings()
    spec = options.get('J') or command.strip().replace('\n', ';')
    name, indices, step, throttle = _array(store, options.get('J', ''))
    state = 'PSUSP' if 'H' in options else 'PEND'
    return {
        'id': 0,
        'spec': spec,
        'name': name,
        'is_array': bool(indices),
        'step': step,
        'throttle': throttle,
        'command': command,
        'is_script': is_script,
        'options': options,
        'queue': options.get('q') or os.environ.get('LSB_DEFAULTQUEUE') or settings['default_queue'],
        'project': options.get('P', 'default'),
        'user': settings['user'],
        'cwd': os.path.join(os.getcwd(), options.get('cwd', '')).rstrip('/') or '/',
        'home': os.environ.get('HOME', '/'),
        'slots': int(options.get('n', '1').partition(',')[0]),
        'gpus': _gpus(options),
        'run_limit': run_limit,
        'memory_limit': _kibibytes(options.get('M', '')),
        'warning': _warning(options),
        'submitted': clock(),
        'begin': _begin(options.get('b', '')),
        'elements': [new_element(index, state) for index in indices or [0]],
    }


def _array(store: Store, spec: str) -> tuple[str, list[int], int, int]:
    """Name, indices, step and limit; no indices: it is no array, be it that they are wrong."""
    found = re.fullmatch(r'(.*?)\[([^\]]*)\](?:%(\d+))?', spec, re.DOTALL)
    if not found:
        return spec, [], 1, 0
    indices = index_list(found[2])
    largest = store.settings()['max_array_size']
    if not indices or max(indices) > largest or len(indices) > largest:
        if store.is_ibm:
            raise Refused('Job array index too large' if indices else f'{spec}: Bad job array index list')
        return spec, [], 1, 0
    step = indices[1] - indices[0] if ':' in found[2] else 1
    return found[1], indices, step, int(found[3] or 0)


def _gpus(options: dict[str, str]) -> int:
    if 'gpu' not in options:
        return 0
    found = re.search(r'\bnum=(\d+)', options['gpu'])
    return int(found[1]) if found else 1


def _kibibytes(text: str) -> float | None:
    found = re.fullmatch(r'(\d+(?:\.\d+)?)(?:([KMGT])B?)?!?', text, re.IGNORECASE)
    if not found:
        return None
    return float(found[1]) * {'K': 1, 'M': 1024, 'G': 1024**2, 'T': 1024**3}[(found[2] or 'K').upper()]


def _warning(options: dict[str, str]) -> list[float] | None:
    if 'wa' not in options or 'wt' not in options:
        return None
    return [signal_number(options['wa']), _minutes(options['wt'], 'job warning time') or 0.0]


def _begin(text: str) -> float | None:
    """The next such time of day; other forms are not understood."""
    found = re.fullmatch(r'(?:\d+:)*(\d\d?):(\d\d)', text)
    if not found:
        return None
    now = time.localtime()
    today = time.mktime((*now[:3], int(found[1]), int(found[2]), 0, 0, 0, -1))
    return today if today > clock() else today + 86400


def signal_number(name: str) -> int:
    """The number of a signal, which may be one already.

    Raises:
        Misuse: There is none.
    """
    if name.isdecimal():
        return int(name)
    try:
        return signal.Signals[f'SIG{name.removeprefix("SIG")}'].value
    except KeyError:
        raise Misuse(f'{name}: Illegal signal value') from None


def _check(store: Store, job: Job) -> None:
    """Refuse what cannot be accepted."""
    _check_place(store, job)
    _check_limits(store, job)
    jobs = store.jobs()
    _check_dependency(job, jobs)
    largest = store.settings()['max_pending']
    waiting = sum(element['state'] in PENDING for _, element in pairs(jobs))
    if largest is not None and waiting + len(job['elements']) > largest:
        raise Refused('Pending job threshold reached', takes_number=False, may_come_later=True)


def _check_place(store: Store, job: Job) -> None:
    settings = store.settings()
    queue = settings['queues'].get(job['queue'])
    if queue is None:
        raise Refused(f'{job["queue"]}: No such queue')
    if queue.get('is_closed'):
        raise Refused(f'{job["queue"]}: User cannot use the queue')
    for host in job['options'].get('m', '').split():
        if host.partition('+')[0] not in settings['hosts']:
            raise Refused(f'{host}: Bad host name, host group name or cluster name')


def _check_limits(store: Store, job: Job) -> None:
    settings = store.settings()
    if not _is_requirement(job['options'].get('R', ''), {*BUILT_IN, *settings['resources']}):
        raise Refused('Bad resource requirement syntax')
    longest = settings['queues'][job['queue']].get('run_limit', float('inf'))
    if job['run_limit'] and job['run_limit'] > 60 * longest:
        raise Refused("RUNLIMIT: Cannot exceed queue's hard limit(s)")
    if job['slots'] > settings['slots'] * len(settings['hosts']):
        raise Refused('Too many processors requested')


def _check_dependency(job: Job, jobs: list[Job]) -> None:
    text = job['options'].get('w', '')
    found = condition(text)
    if text and not found:
        raise Refused('Dependency condition syntax error')
    if found and not depended(jobs, found):
        raise Refused(f'{found[2]}: No matching job found')


def _is_requirement(text: str, known: set[str]) -> bool:
    """Whether LSF understands a resource requirement."""
    rest = _SECTION.sub('', text)
    inner = re.sub(r"'[\w.-]*'", '', ' '.join(found[2] for found in _SECTION.finditer(text)))
    if re.search(r'\brusage\[[^\]]*=\s*[\],:]', text) or not re.fullmatch(r'[\w\s.=<>!&|,:()*+/"\'-]*', rest + inner):
        return False
    if rest.count('(') != rest.count(')'):
        return False
    names = re.findall(r'(?<![\w=.])[A-Za-z]\w*', re.sub(r'==\s*\w+', '', f'{rest} {inner}'))
    return all(name in known for name in names)


# ----------------------------------------------------------------------------------------------------------------------
# bmod
# ----------------------------------------------------------------------------------------------------------------------


def bmod(store: Store, argv: list[str]) -> int:
    """Change a job that has been submitted; only its ``-J``, ``-W``, ``-M``, ``-R`` and ``-q`` matter."""
    try:
        words = _words(store, argv)
    except Misuse as misuse:
        sys.stderr.write(f'{misuse.complaint}\n')
        return 255
    number = words.rest[0] if words.rest else ''
    if not number.isdecimal():
        sys.stderr.write(f'{number}: Illegal job ID.\n')
        return 255
    with store.locked():
        job = store.job(int(number))
        if job:
            _change(job, words)
            store.save(job)
    if not job:
        sys.stderr.write(f'Job <{number}>: No matching job found\n')
        return 255
    advance(store)
    sys.stdout.write(f'Parameters of job <{number}> are being changed\n')
    return 0


def _change(job: Job, words: Words) -> None:
    now = clock()
    name = words.values.pop('J', '')
    if found := re.fullmatch(r'%(\d+)', name):
        job['throttle'] = int(found[1])
        job['spec'] = re.sub(r'(?<=\])(?:%\d+)?$', name, job['spec'])
    elif name:
        job['spec'] = name + job['spec'].removeprefix(job['name'])
        job['name'] = name
    job['options'].update(words.values)
    if words.values.get('R') == 'n':  # -Rn takes back what was asked for
        del job['options']['R']
    if 'M' in words.values:
        job['memory_limit'] = _kibibytes(words.values['M'])
    for element in job['elements']:
        note(element, 'Parameters of Job are changed', now)
