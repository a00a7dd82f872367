"""What a pretend LSF does with the output of a job: a file with a report on top, or mail."""

from __future__ import annotations

import os
import signal
import time

from tests.fakes.lsf.store import Store, label

TYPE_CHECKING = False
if TYPE_CHECKING:
    from tests.fakes.lsf.store import Element, Job

LINE = '-' * 60

REPORT = """\
Sender: LSF System <{sender}@{host}>
Subject: Job {label}: <{name}>{cluster} {verdict}

Job <{name}> was submitted from host <{submit_host}> by user <{user}>{cluster}.
Job was executed on host(s) <{host}>, in queue <{queue}>, as user <{user}>{cluster}.
<{home}> was used as the home directory.
<{cwd}> was used as the working directory.
Started at {started}
{terminated}Results reported at {reported}

Your job looked like:

{line}
# LSBATCH: User input
{command}
{line}

{ending}

Resource usage summary:

    CPU time   :{cpu:10.2f} sec.

The output (if any) follows:

"""


def deliver(store: Store, job: Job, element: Element, status: int, cpu: float) -> None:
    """Put the output of an element where it was asked for, with a report on top; mail it where that fails."""
    report = _report(store, job, element, status, cpu).encode('utf-8', 'surrogateescape')
    text = report + _content(store.spool(job, element, 'out'))
    error_file = expanded(job, element, ('e', 'eo'))
    if error_file:
        text += f'\n\nPS:\n\nRead file <{error_file}> for stderr output of this job.\n\n'.encode()
        if not _put(job, error_file, _content(store.spool(job, element, 'err')), 'eo' in job['options']):
            text += _content(store.spool(job, element, 'err'))
    path = expanded(job, element, ('o', 'oo'))
    if not (path and _put(job, path, text, 'oo' in job['options'])):
        _mail(store, job, text)
    for suffix in ('out', 'err', 'sh', 'sh.shell'):
        if os.path.exists(store.spool(job, element, suffix)):
            os.unlink(store.spool(job, element, suffix))


def _report(store: Store, job: Job, element: Element, status: int, cpu: float) -> str:
    settings = store.settings()
    now = time.strftime('%a %b %d %H:%M:%S %Y')
    return REPORT.format(
        sender='lsfadmin' if store.is_ibm else 'volclava',
        cluster=f' in cluster <{settings["cluster"]}>' if store.is_ibm else '',
        terminated=f'Terminated at {now}\n' if store.is_ibm else '',
        host=element['host'],
        submit_host=settings['submit_host'],
        label=label(job, element),
        name=job['spec'],
        verdict='Done' if status == 0 else 'Exited',
        user=job['user'],
        queue=job['queue'],
        home=job['home'],
        cwd=job['cwd'],
        started=time.strftime('%a %b %d %H:%M:%S %Y', time.localtime(element['started'])),
        reported=now,
        line=LINE,
        command=job['command'].rstrip('\n'),
        ending=_ending(element, status),
        cpu=cpu,
    )


def _ending(element: Element, status: int) -> str:
    reason = f'{element["reason"]}.\n' if element['reason'] and status else ''
    if os.WIFSIGNALED(status):
        name = signal.strsignal(os.WTERMSIG(status))
        return f'{reason}Exited with signal termination: {name}.'
    code = os.WEXITSTATUS(status)
    return f'{reason}Exited with exit code {code}.' if code else 'Successfully completed.'


def _content(path: str) -> bytes:
    try:
        with open(path, 'rb') as file:
            return file.read()
    except FileNotFoundError:
        return b''


def expanded(job: Job, element: Element, options: tuple[str, str]) -> str:
    """The file that one of these options names for an element; empty: none."""
    name = next((job['options'][option] for option in options if option in job['options']), '')
    return name.replace('%J', str(job['id'])).replace('%I', str(element['index']))


def _put(job: Job, path: str, text: bytes, anew: bool) -> bool:
    try:
        with open(os.path.join(job['cwd'], path), 'wb' if anew else 'ab') as file:
            file.write(text)
    except OSError:
        return False
    return True


def _mail(store: Store, job: Job, text: bytes) -> None:
    with store.locked():
        number = store.next_number('mails')
    with open(store.file('mail', str(number)), 'wb') as file:
        file.write(f'To: {job["user"]}\n'.encode() + text)
