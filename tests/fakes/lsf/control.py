"""What no command of LSF does, but happens to a cluster: for :class:`tests.fakes.lsf.FakeLsf`."""

from __future__ import annotations

import json
import os
import signal

from tests.fakes.lsf.cluster import (
    HOLDING,
    advance,
    end,
    end_pending,
    give_reason,
    poke,
    request,
    requeue,
)
from tests.fakes.lsf.store import clock, note, pairs
from tests.fakes.lsf.supervisor import groups

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from tests.fakes.lsf.store import Element, Job, Store


def fake_lsf(store: Store, argv: list[str]) -> int:
    """Do what one word of JSON says."""
    wanted: dict[str, Any] = json.loads(argv[0])
    act: Any = {'set': _set, 'lose': _lose, 'regain': _regain, 'preempt': _preempt, 'state': _set_state}[
        wanted.pop('do')
    ]
    with store.locked():
        touched = act(store, **wanted)
    poke(touched)
    # A new one, since what is set has perhaps changed.
    advance(type(store)(store.path))
    return 0


def _set(store: Store, settings: dict[str, Any]) -> list[Element]:
    store.write({**(store.read('settings.json') or {}), **settings}, 'settings.json')
    return []


def _on(store: Store, host: str) -> list[tuple[Job, Element]]:
    return [pair for pair in pairs(store.jobs()) if pair[1]['host'] == host and pair[1]['state'] in HOLDING]


def _save(store: Store, touched: list[tuple[Job, Element]]) -> None:
    for job in {job['id']: job for job, _ in touched}.values():
        store.save(job)


def _lose(store: Store, host: str, processes: bool) -> list[Element]:
    lost = [*store.settings()['lost_hosts'], host]
    _set(store, {'lost_hosts': lost})
    touched = _on(store, host)
    for job, element in touched:
        if processes:
            _destroy(element)
        note(element, 'Unknown; unable to reach the execution host', clock())
        element['state'] = 'UNKWN'
        if processes and 'r' in job['options']:
            note(element, 'Exited; job will be requeued and rerun', clock())
            requeue(element, clock())
    _save(store, touched)
    return []


def _destroy(element: Element) -> None:
    """Kill the processes of an element, beginning with the one that would tell."""
    if element['pid']:
        _kill(os.kill, element['pid'])
    element['pid'] = None
    for group in groups({element['group']}) if element['group'] else ():
        _kill(os.killpg, group)


def _kill(send: Any, number: int) -> None:
    try:
        send(number, signal.SIGKILL)
    except ProcessLookupError:
        return


def _regain(store: Store, host: str) -> list[Element]:
    lost = [each for each in store.settings()['lost_hosts'] if each != host]
    _set(store, {'lost_hosts': lost})
    touched = _on(store, host)
    for _, element in touched:
        _come_back(store, element)
    _save(store, touched)
    return [element for _, element in touched]


def _come_back(store: Store, element: Element) -> None:
    was_killed = element['state'] == 'ZOMBI'
    if was_killed:
        note(element, 'sbatchd startup; kill ZOMBIE job', clock())
    if element['unseen']:
        end(store, element, element['unseen']['status'], element['unseen']['cpu'], element['unseen']['at'])
    elif element['pid']:
        element['state'] = 'RUN'
        note(element, 'Running', clock())
        if was_killed:
            request(element, 'kill')
    else:
        give_reason(store, element, 'TERM_ZOMBIE')
        end_pending(store, element, clock())


def _find(store: Store, number: int, index: int) -> tuple[Job, Element]:
    job = store.job(number)
    assert job
    return job, next(element for element in job['elements'] if element['index'] == index)


def _preempt(store: Store, number: int, index: int, how: str) -> list[Element]:
    job, element = _find(store, number, index)
    if how == 'kill':
        give_reason(store, element, 'TERM_PREEMPT')
        request(element, 'kill')
    elif how == 'requeue':
        request(element, 'requeue')
    elif how == 'suspend':
        element['state'] = 'SSUSP'
        note(element, 'Suspended: The job was suspended by a job of higher priority', clock())
        request(element, 'signal', number=int(signal.SIGSTOP))
    else:
        element['state'] = 'RUN'
        note(element, 'Running', clock())
        request(element, 'signal', number=int(signal.SIGCONT))
    store.save(job)
    return [element]


def _set_state(store: Store, number: int, index: int, state: str) -> list[Element]:
    job, element = _find(store, number, index)
    element['state'] = state
    store.save(job)
    return []
