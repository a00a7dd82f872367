"""The process that runs one job of a pretend LSF: starts it, signals it, and reports its end."""

from __future__ import annotations

import os
import re
import select
import signal
import time

from tests.fakes.lsf.cluster import advance, finish, give_reason
from tests.fakes.lsf.report import deliver, expanded
from tests.fakes.lsf.store import Store, find, label, note, title

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from tests.fakes.lsf.store import Element, Job

SCRIPT = """\
#!/bin/sh
$LSB_TRAPSIGS
# LSBATCH: User input
{command}
ExitStat=$?
wait
# LSBATCH: End user input
true
exit `expr $? "|" $ExitStat`
"""
"""LSF's own script around what was submitted."""

FROM_STDIN = """\
"$LSB_JOBFILENAME.shell"
saveExit=$?
/bin/rm -f "$LSB_JOBFILENAME.shell"
(exit $saveExit)"""
"""How a script that came on stdin is executed: as a file of its own."""

TRAPS = 'trap # 15 10 12 2 1'
MEMORY_INTERVAL = 0.1
"""Seconds between two looks at the memory of a job that has a limit."""


def supervise(path: str, number: int, index: int) -> None:
    """Run an element until its end; in a process of its own, which knows nothing else.

    Args:
        path: The folder of the pretend LSF.
        number: The job.
        index: The element.
    """
    _cut_ties()
    store = Store(path)
    supervision = Supervision(store, number, index)
    if supervision.start():
        supervision.watch()
        supervision.report()
    advance(Store(path))


def _cut_ties() -> None:
    null = os.open(os.devnull, os.O_RDWR)
    for descriptor in range(3):
        os.dup2(null, descriptor)
    os.closerange(3, 256)
    os.chdir('/')
    os.umask(0o022)


class Supervision:
    """One run of one element.

    Args:
        store: The folder of the pretend LSF.
        number: The job.
        index: The element.
    """

    def __init__(self, store: Store, number: int, index: int) -> None:
        self._store = store
        self._key = number, index
        self._child = 0
        self._groups: set[int] = set()
        self._status = 0
        self._cpu = 0.0
        self._alarms: list[tuple[float, Any]] = []
        self._to_be_requeued = False
        self._ears, self._mouth = os.pipe()
        for end in (self._ears, self._mouth):
            os.set_blocking(end, False)
        signal.set_wakeup_fd(self._mouth)
        for number_ in (signal.SIGUSR1, signal.SIGCHLD):
            signal.signal(number_, lambda *_: None)
        for number_ in (signal.SIGINT, signal.SIGHUP, signal.SIGPIPE):
            signal.signal(number_, signal.SIG_IGN)

    def start(self) -> bool:
        """Start the job, unless it is to be no more."""
        with self._store.locked():
            job, element = self._load()
            if element['state'] not in ('RUN', 'USUSP', 'SSUSP') or element['pid']:
                return False
            self._child = _execute(self._store, job, element)
            element['pid'], element['group'] = os.getpid(), self._child
            for text in _started(job, self._child):
                note(element, text, time.time())
            self._store.save(job)
        self._groups = {self._child}
        self._set_limits(job)
        return True

    def _load(self) -> tuple[Job, Element]:
        job = self._store.job(self._key[0])
        element = find(job, self._key[1])
        assert job
        assert element
        return job, element

    # -- time ----------------------------------------------------------------------------------------------------------

    def _set_limits(self, job: Job) -> None:
        minute, obey = self._store.settings()['minute'], self._store.settings()['minutes_to_obey']
        now = time.monotonic()
        if job['run_limit'] is not None:
            limit = now + job['run_limit'] / 60 * minute
            self._alarms.append((limit, self._reach_run_limit))
            self._alarms.append((limit + obey * minute, lambda: self._signal(signal.SIGKILL)))
            if job['warning']:
                number, seconds = job['warning']
                self._alarms.append((limit - seconds / 60 * minute, lambda: self._signal(number)))
        if job['memory_limit'] and self._store.is_ibm:
            self._alarms.append((now + MEMORY_INTERVAL, lambda: self._look_at_memory(job['memory_limit'] or 0)))

    def _reach_run_limit(self) -> None:
        self._give_reason('TERM_RUNLIMIT')
        self._signal(signal.SIGUSR2)

    def _look_at_memory(self, limit: float) -> None:
        if resident(processes(self._groups)) > limit:
            self._give_reason('TERM_MEMLIMIT')
            self._kill()
        else:
            again = time.monotonic() + MEMORY_INTERVAL
            self._alarms.append((again, lambda: self._look_at_memory(limit)))

    def _give_reason(self, name: str) -> None:
        with self._store.locked():
            job, element = self._load()
            give_reason(self._store, element, name)
            self._store.save(job)

    # -- watching ------------------------------------------------------------------------------------------------------

    def watch(self) -> None:
        """Wait until the job has ended, and do meanwhile what is asked for."""
        self._obey()
        while not self._has_ended():
            timeout = max(0.0, min(at for at, _ in self._alarms) - time.monotonic()) if self._alarms else None
            select.select([self._ears], [], [], timeout)
            if signal.SIGUSR1 in self._heard():
                self._obey()
            self._fire()

    def _heard(self) -> bytes:
        try:
            return os.read(self._ears, 4096)
        except BlockingIOError:
            return b''

    def _has_ended(self) -> bool:
        child, status, usage = os.wait4(self._child, os.WNOHANG)
        if child:
            self._status = status
            self._cpu = usage.ru_utime + usage.ru_stime
        return bool(child)

    def _fire(self) -> None:
        now = time.monotonic()
        due = sorted((alarm for alarm in self._alarms if alarm[0] <= now), key=lambda alarm: alarm[0])
        self._alarms = [alarm for alarm in self._alarms if alarm[0] > now]
        for _, action in due:
            action()

    def _obey(self) -> None:
        with self._store.locked():
            job, element = self._load()
            wanted, element['requests'] = element['requests'], []
            if wanted:
                self._store.save(job)
        for one in wanted:
            if one['do'] == 'signal':
                self._signal(one['number'])
            else:
                self._to_be_requeued = one['do'] == 'requeue'
                self._kill()

    def _kill(self) -> None:
        """Ask it to end, then force it."""
        # Read again: it may have been changed since the job was started.
        interval = Store(self._store.path).settings()['terminate_interval']
        now = time.monotonic()
        self._signal(signal.SIGCONT)
        # A shell that gets both at once acts upon the lower number first.
        self._alarms.append((now + min(0.2, interval / 2), lambda: self._signal(signal.SIGINT)))
        self._alarms.append((now + interval, lambda: self._signal(signal.SIGTERM)))
        self._alarms.append((now + 2 * interval, lambda: self._signal(signal.SIGKILL)))

    def _signal(self, number: int) -> None:
        self._groups = groups(self._groups)
        for group in self._groups:
            try:
                os.killpg(group, number)
            except ProcessLookupError:
                continue

    # -- the end -------------------------------------------------------------------------------------------------------

    def report(self) -> None:
        """Deliver its output, and say how it ended."""
        job, element = self._load()
        if not self._to_be_requeued:
            deliver(self._store, job, element, self._status, self._cpu)
        finish(Store(self._store.path), *self._key, self._status, self._cpu, self._to_be_requeued)


def _started(job: Job, pid: int) -> list[str]:
    home, cwd = job['home'], job['cwd']
    running = f'Running with execution home <{home}>, Execution CWD\n{"":21}<{cwd}>, Execution Pid <{pid}>'
    return [f'Starting (Pid {pid})', running]


def _execute(store: Store, job: Job, element: Element) -> int:
    """Start the script of an element in a process group of its own; returns its pid."""
    script = store.spool(job, element, 'sh')
    if job['is_script']:
        _write_script(f'{script}.shell', job['command'])
    _write_script(script, SCRIPT.format(command=FROM_STDIN if job['is_script'] else job['command']))
    environment = _environment(store, job, element, script)
    if child := os.fork():
        return child
    try:
        os.setsid()
        _redirect(store, job, element)
        for number in (signal.SIGUSR1, signal.SIGCHLD, signal.SIGINT, signal.SIGHUP, signal.SIGPIPE, signal.SIGXFSZ):
            signal.signal(number, signal.SIG_DFL)
        os.execve('/bin/sh', ['/bin/sh', script], environment)
    finally:
        os._exit(126)


def _write_script(path: str, text: str) -> None:
    with open(path, 'w', encoding='utf-8', errors='surrogateescape') as file:
        file.write(text)
    os.chmod(path, 0o755)


def _redirect(store: Store, job: Job, element: Element) -> None:
    try:
        os.chdir(job['cwd'])
    except OSError:
        os.chdir('/tmp')
    flags = os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_APPEND
    source = os.open(job['options'].get('i', os.devnull), os.O_RDONLY)
    out = os.open(store.spool(job, element, 'out'), flags, 0o666)
    err = os.open(store.spool(job, element, 'err'), flags, 0o666) if has_error_file(job) else out
    for number, descriptor in enumerate((source, out, err)):
        os.dup2(descriptor, number)
    os.closerange(3, 256)


def has_error_file(job: Job) -> bool:
    """Whether what it complains goes into another file than what it prints."""
    return 'e' in job['options'] or 'eo' in job['options']


def _environment(store: Store, job: Job, element: Element, script: str) -> dict[str, str]:
    """What a job inherits: what its submitter had, and what LSF adds."""
    inherited: dict[str, str] = store.read('jobs', f'{job["id"]}.environment')
    last = job['elements'][-1]['index']
    hosts = ' '.join([element['host']] * job['slots'])
    added = {
        'FAKE_LSF_DIR': store.path,
        'LSB_JOBID': str(job['id']),
        'LSB_JOBINDEX': str(element['index']),
        'LSB_JOBINDEX_END': str(last),
        'LSB_JOBINDEX_STEP': str(job['step']),
        'LSB_JOBNAME': title(job, element) if store.is_ibm else job['spec'],
        'LSB_ACCT_FILE': f'{script}.acct',
        'LSB_QUEUE': job['queue'],
        'LSB_HOSTS': hosts,
        'LSB_MCPU_HOSTS': f'{element["host"]} {job["slots"]} ',
        'LSB_SUB_HOST': store.settings()['submit_host'],
        'LSB_JOBFILENAME': script,
        'LSB_CHKFILENAME': script,
        'LSB_TRAPSIGS': TRAPS,
        'LSB_JOBEXIT_STAT': '0',
        'LSB_EXIT_PRE_ABORT': '99',
        'LSB_UNIXGROUP': job['user'],
        'LSFUSER': job['user'],
        'LS_SUBCWD': job['cwd'],
    }
    for name, option in (('LSB_OUTPUTFILE', ('o', 'oo')), ('LSB_ERRORFILE', ('e', 'eo'))):
        if path := expanded(job, element, option):
            added[name] = path
    if store.is_ibm:
        added['LSB_BATCH_JID'] = label(job, element)
    if element['runs'] > 1:
        added['LSB_RESTART'] = 'Y'
    if element['gpus']:
        added['CUDA_VISIBLE_DEVICES'] = ','.join(map(str, element['gpus']))
    return {**inherited, **added}


# ----------------------------------------------------------------------------------------------------------------------
# Processes
# ----------------------------------------------------------------------------------------------------------------------


def _table() -> list[tuple[int, int, int]]:
    """Pid, parent and process group of every process; empty where there is no ``/proc``."""
    found = []
    for entry in os.listdir('/proc') if os.path.isdir('/proc') else []:
        if entry.isdigit():
            try:
                with open(f'/proc/{entry}/stat', encoding='utf-8', errors='replace') as file:
                    fields = file.read().rpartition(')')[2].split()
            except (FileNotFoundError, ProcessLookupError):
                continue
            found.append((int(entry), int(fields[1]), int(fields[2])))
    return found


def processes(known: set[int]) -> set[int]:
    """The processes of groups, and all that they started."""
    table = _table()
    members = {pid for pid, _, group in table if group in known}
    while True:
        more = {pid for pid, parent, _ in table if parent in members} - members
        if not more:
            return members
        members |= more


def groups(known: set[int]) -> set[int]:
    """Process groups, and those that their processes have made."""
    members = processes(known)
    return known | {group for pid, _, group in _table() if pid in members}


def resident(pids: set[int]) -> int:
    """KiB of memory that processes have."""
    total = 0
    for pid in pids:
        try:
            with open(f'/proc/{pid}/status', encoding='utf-8', errors='replace') as file:
                found = re.search(r'^VmRSS:\s+(\d+)', file.read(), re.MULTILINE)
        except (FileNotFoundError, ProcessLookupError):
            continue
        total += int(found[1]) if found else 0
    return total
