"""What a pretend LSF does with its jobs: when they start, why they wait, how they end.

There is no daemon. Whoever changes something (a command, or the supervisor of a job that ends) does what follows from
it, under the lock of the folder.
"""

from __future__ import annotations

import os
import re
import signal

from tests.fakes.lsf.store import ENDED, clock, find, is_ended, note, pairs

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from typing import Any

    from tests.fakes.lsf.store import Element, Job, Store

HOLDING = ('RUN', 'USUSP', 'SSUSP', 'UNKWN', 'ZOMBI')
"""States in which a job has its slots."""

REASONS = {
    'TERM_OWNER': 'job killed by owner',
    'TERM_FORCE_OWNER': 'job killed by owner without time for cleanup',
    'TERM_RUNLIMIT': 'job killed after reaching LSF run time limit',
    'TERM_MEMLIMIT': 'job killed after reaching LSF memory usage limit',
    'TERM_PREEMPT': 'job killed after preemption',
    'TERM_ZOMBIE': 'job exited while LSF is not available',
    'TERM_REQUEUE_OWNER': 'job killed and requeued by owner',
    'TERM_ADMIN': 'job killed by root or LSF administrator',
    'TERM_CWD_NOTEXIST': 'current working directory is not accessible or does not exist on the execution host',
}
"""IBM's termination reasons that jobs here can have, and what they mean."""

NEW = 'New job is waiting for scheduling'
FULL = 'Job slot limit reached'


class Room:
    """What is free.

    Args:
        settings: Of the cluster.
        jobs: All of them.
    """

    def __init__(self, settings: Mapping[str, Any], jobs: Sequence[Job]) -> None:
        hosts = [host for host in settings['hosts'] if host not in settings['lost_hosts']]
        self.slots = dict.fromkeys(hosts, settings['slots'])
        self.gpus = {host: list(range(settings['gpus'])) for host in hosts}
        self.memory = settings['memory']
        self.starts: dict[str, int] = settings['starts']
        self.running: dict[int, int] = {}
        for job, element in pairs(list(jobs)):
            if element['state'] in HOLDING:
                self._take(job, element)

    def host_for(self, job: Job) -> str:
        """A host on which an element can start; empty: none."""
        excluded = re.findall(r"hname *!= *'?([\w.-]+)", job['options'].get('R', ''))
        fits = (
            host for host, free in self.slots.items() if free >= job['slots'] and len(self.gpus[host]) >= job['gpus']
        )
        return next((host for host in fits if host not in excluded), '')

    def give(self, job: Job, element: Element, host: str) -> None:
        """Let an element have its share of a host."""
        element['host'] = host
        element['gpus'] = self.gpus[host][: job['gpus']]
        self._take(job, element)

    def _take(self, job: Job, element: Element) -> None:
        self.running[job['id']] = self.running.get(job['id'], 0) + 1
        host = element['host']
        if host in self.slots:
            self.slots[host] -= job['slots']
            self.gpus[host] = [number for number in self.gpus[host] if number not in element['gpus']]


def why_pending(room: Room, jobs: Sequence[Job], job: Job, element: Element, now: float) -> str:
    """Why an element does not start, in LSF's words; empty: it can."""
    if element['state'] == 'PSUSP':
        return 'The job was suspended by the user while pending'
    if job['begin'] and job['begin'] > now:
        return 'The job has a specified start time'
    if unmet := _unmet(jobs, job, element):
        return unmet
    if job['throttle'] and room.running.get(job['id'], 0) >= job['throttle']:
        return 'The job array has reached its running element limit'
    asked = re.search(r'\bmem *= *(\d+)', job['options'].get('R', ''))
    if asked and int(asked[1]) > room.memory:
        return 'Job requirements for reserving resource (mem) not satisfied'
    allowed = room.starts.get(str(job['id']))
    if allowed is not None and sum(each['runs'] > 0 for each in job['elements']) >= allowed:
        return NEW
    return '' if room.host_for(job) else FULL


_CONDITION = re.compile(r'\s*(done|ended|exit|started)\(\s*"?([^",)]+?)"?\s*(?:,\s*(\d+)\s*)?\)\s*')


def condition(text: str) -> re.Match[str] | None:
    """A dependency; only single ones are understood."""
    return _CONDITION.fullmatch(text)


def depended(jobs: Sequence[Job], found: re.Match[str], index_of_its_own: int = 0) -> list[Element]:
    """The elements a dependency is on; ``[*]`` means that of the same index."""
    number, _, index = found[2].rstrip(']').partition('[')
    if index == '*' and index_of_its_own:
        index = str(index_of_its_own)
    return [
        element
        for job, element in pairs(list(jobs))
        if number in (str(job['id']), job['name']) and index in ('', '*', str(element['index']))
    ]


def _unmet(jobs: Sequence[Job], job: Job, element: Element) -> str:
    found = condition(job['options'].get('w', ''))
    if not found:
        return ''
    elements = depended(jobs, found, element['index'])
    if not all(map(is_ended, elements)):
        return 'Job dependency condition not satisfied'
    good = {
        'done': all(each['state'] == 'DONE' for each in elements),
        'exit': all(each['state'] == 'EXIT' and found[3] in (None, str(each['code'])) for each in elements),
    }
    return '' if good.get(found[1], True) else 'Dependency condition invalid or never satisfied'


# ----------------------------------------------------------------------------------------------------------------------
# Starting
# ----------------------------------------------------------------------------------------------------------------------


def advance(store: Store) -> None:
    """Let everything happen that can: to be called whenever something has changed, without the lock."""
    with store.locked():
        settle(store, clock())
        chosen = _start_what_can(store, clock())
    for job, element in chosen:
        _launch(store, job, element)


def settle(store: Store, now: float) -> None:
    """Let everything happen whose time has come, under the lock."""
    for job in store.jobs():
        due = [element for element in job['elements'] if element['doomed'] and element['doomed'] <= now]
        for element in due:
            end_pending(store, element, now)
        if due:
            store.save(job)


def _start_what_can(store: Store, now: float) -> list[tuple[int, int]]:
    if store.settings()['is_closed']:
        return []
    jobs = store.jobs()
    room = Room(store.settings(), jobs)
    chosen = []
    for job in jobs:
        started = _start_of(store, room, jobs, job, now)
        if started:
            store.save(job)
        chosen += [(job['id'], index) for index in started]
    return chosen


def _start_of(store: Store, room: Room, jobs: Sequence[Job], job: Job, now: float) -> list[int]:
    started = []
    for element in job['elements']:
        if element['state'] == 'PEND' and not element['doomed']:
            if why_pending(room, jobs, job, element, now):
                continue
            room.give(job, element, room.host_for(job))
            element.update({'state': 'RUN', 'started': now, 'runs': element['runs'] + 1, 'pid': None, 'group': None})
            note(element, _dispatched(store, element['host']), now)
            started.append(element['index'])
    return started


def _dispatched(store: Store, host: str) -> str:
    if not store.is_ibm:
        return f'Dispatched to <{host}>'
    return (
        f'Dispatched 1 Task(s) on Host(s) <{host}>, Allocated 1 Slot(s) on Host(s) <{host}>, '
        'Effective RES_REQ <select[type == local] order[r15s:pg] >'
    )


def _launch(store: Store, number: int, index: int) -> None:
    """Start the supervisor of an element: a process that belongs to nobody."""
    if child := os.fork():
        os.waitpid(child, 0)
        return
    try:
        os.setsid()
        if os.fork() == 0:
            from tests.fakes.lsf.supervisor import supervise

            supervise(store.path, number, index)
    except BaseException:
        import traceback

        store.append(traceback.format_exc(), 'errors.jsonl')
    finally:
        os._exit(0)


# ----------------------------------------------------------------------------------------------------------------------
# Ending
# ----------------------------------------------------------------------------------------------------------------------


def give_reason(store: Store, element: Element, name: str) -> None:
    """Keep why an element is ended, the first time; only IBM's tells."""
    if store.is_ibm and not element['reason']:
        element['reason'] = f'{name}: {REASONS[name]}'


def end_pending(store: Store, element: Element, now: float, text: str = 'Exited') -> None:
    """End an element that does not run."""
    give_reason(store, element, 'TERM_OWNER')
    _close(store, element, 'EXIT', now)
    note(element, text, now)
    _note_reason(element, now)


def end(store: Store, element: Element, status: int, cpu: float, now: float) -> None:
    """Write down how an element ended.

    Args:
        status: As :func:`os.waitpid` tells it.
        cpu: Seconds of processor time.
    """
    element['cpu'] = cpu
    if os.WIFSIGNALED(status):
        element['signal'] = os.WTERMSIG(status)
    else:
        element['code'] = os.WEXITSTATUS(status)
    done = element['code'] == 0
    _close(store, element, 'DONE' if done else 'EXIT', now)
    note(element, ending(element), now)
    if done:
        element['reason'] = ''
    _note_reason(element, now)


def _close(store: Store, element: Element, state: str, now: float) -> None:
    element.update(
        {'state': state, 'ended': now, 'order': store.next_number('ends'), 'doomed': None, 'requests': [], 'gpus': []}
    )


def ending(element: Element) -> str:
    """How an element ended, in LSF's words, without a full stop."""
    used = f'The CPU time used is {element["cpu"]:.1f} seconds'
    if element['code'] == 0:
        return f'Done successfully. {used}'
    if element['signal'] is not None:
        return f'Exited by signal {element["signal"]}. {used}'
    return f'Exited with exit code {element["code"]}. {used}'


def _note_reason(element: Element, now: float) -> None:
    if element['reason']:
        note(element, f'Completed <exit>; {element["reason"]}', now)


def requeue(element: Element, now: float) -> None:
    """Let an element that has ended wait again."""
    note(element, 'Pending: Job has been requeued', now)
    element.update(
        {
            'state': 'PEND',
            'pid': None,
            'group': None,
            'started': None,
            'host': '',
            'requests': [],
            'gpus': [],
            'reason': '',
        }
    )


def request(element: Element, operation: str, **more: Any) -> None:
    """Ask the supervisor of an element for something, under the lock; to be followed by :func:`poke`."""
    element['requests'].append({'do': operation, **more})


def poke(elements: Sequence[Element]) -> None:
    """Let supervisors see what they are asked for."""
    for element in elements:
        if element['pid']:
            try:
                os.kill(element['pid'], signal.SIGUSR1)
            except ProcessLookupError:
                element['pid'] = None


def finish(store: Store, number: int, index: int, status: int, cpu: float, to_be_requeued: bool) -> None:
    """What a supervisor reports at the end of its job."""
    with store.locked():
        job = store.job(number)
        element = find(job, index)
        # It may have been forced out meanwhile.
        if job and element and element['state'] not in ENDED and element['pid'] == os.getpid():
            if element['host'] in store.settings()['lost_hosts']:
                element['unseen'] = {'status': status, 'cpu': cpu, 'at': clock()}
            elif to_be_requeued:
                requeue(element, clock())
            else:
                end(store, element, status, cpu, clock())
            store.save(job)
