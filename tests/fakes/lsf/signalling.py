"""The pretend bkill, bstop, bresume and brequeue."""

from __future__ import annotations

import signal
import sys

from tests.fakes.lsf.cluster import advance, end_pending, give_reason, poke, request, requeue, settle
from tests.fakes.lsf.selecting import known_to_bjobs, read_ids, with_id, with_name
from tests.fakes.lsf.store import clock, is_ended, label, note, pairs
from tests.fakes.lsf.submitting import signal_number
from tests.fakes.lsf.words import Misuse, Words, by_letters

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.fakes.lsf.store import Element, Job, Store

    Pair = tuple[Job, Element]

BKILL_USAGE = """\
Job ID or one of '-m', '-u' '-q' and '-J' must be specified.
Usage: bkill [-h] [-V] [-l] [-m host_name] [-q queue_name]
               [-u user_name | -u all] [0] [-r | -s sigval] [-J job_name] 
               [jobId | "jobId[index_list]"]...
"""  # noqa: W291

KILLED = 'is being terminated'
SIGNALLED = 'is being signaled'


class Answers:
    """What is to be printed.

    Attributes:
        out: What was done.
        err: What was not.
    """

    def __init__(self) -> None:
        self.out: list[str] = []
        self.err: list[str] = []

    def give(self) -> int:
        """Print it; returns the exit status."""
        sys.stdout.writelines(f'{line}\n' for line in self.out)
        sys.stdout.flush()
        sys.stderr.writelines(f'{line}\n' for line in self.err)
        return 255 if self.err else 0


def bkill(store: Store, argv: list[str]) -> int:
    """End or signal jobs."""
    words = by_letters('bkill', argv, 'hVlrb', 'mquJsgC')
    if not words.rest and not words.has('J', 'm', 'q', 'u'):
        sys.stderr.write(BKILL_USAGE)
        return 255
    number = signal_number(words.values.get('s', 'KILL'))
    answers = Answers()
    with store.locked():
        settle(store, clock())
        touched = _kill(store, words, number, answers)
    poke([element for _, element in touched])
    advance(store)
    return answers.give()


def _kill(store: Store, words: Words, number: int, answers: Answers) -> list[Pair]:
    jobs = known_to_bjobs(store)
    if not words.rest or words.rest == ['0']:
        touched = _kill_many(store, words, jobs, number, answers)
    else:
        touched = []
        for word, job_number, indices in read_ids(words.rest):
            found = with_id(jobs, job_number, indices)
            if not found:
                answers.err.append(f'Job <{word}>: No matching job found')
            elif found[0][0]['is_array'] and indices is None:
                touched += _kill_array(store, found, number, answers, bool(words.has('r')))
            else:
                touched += [pair for pair in found if _kill_one(store, pair, number, answers, bool(words.has('r')))]
    for job in {id(job): job for job, _ in touched}.values():
        store.save(job)
    return touched


def _kill_many(store: Store, words: Words, jobs: list[Job], number: int, answers: Answers) -> list[Pair]:
    if words.has('J'):
        found = with_name(jobs, words.values['J'])
        if not found:
            answers.err.append(f'Job <{words.values["J"]}> is not found')
    else:
        found = [pair for pair in pairs(jobs) if not is_ended(pair[1])]
        if not found:
            answers.err.append('No unfinished job found')
    return [pair for pair in found if _kill_one(store, pair, number, answers, bool(words.has('r')))]


def _kill_array(store: Store, found: list[Pair], number: int, answers: Answers, by_force: bool) -> list[Pair]:
    """A whole array: what runs is signalled at once, the others go a moment later."""
    job = found[0][0]
    alive = [pair for pair in found if not is_ended(pair[1])]
    if not alive:
        answers.err.append(f'Job <{job["id"]}>: Job has already finished')
    elif store.is_ibm:
        answers.out.append(f'Job <{job["id"]}> {KILLED if number == signal.SIGKILL else SIGNALLED}')
    else:
        answers.err.append(f'Job <{job["id"]}>: Operation is in progress')
    for pair in alive:
        if pair[1]['started'] is None and number == signal.SIGKILL:
            pair[1]['doomed'] = clock() + store.settings()['array_kill_delay']
        else:
            _end_or_signal(store, pair[1], number, by_force)
    return alive


def _kill_one(store: Store, pair: Pair, number: int, answers: Answers, by_force: bool) -> bool:
    job, element = pair
    if is_ended(element):
        answers.err.append(f'Job <{label(job, element)}>: Job has already finished')
        return False
    answers.out.append(f'Job <{label(job, element)}> {KILLED if number == signal.SIGKILL else SIGNALLED}')
    _end_or_signal(store, element, number, by_force)
    return True


def _end_or_signal(store: Store, element: Element, number: int, by_force: bool) -> None:
    now = clock()
    name = signal.Signals(number).name.removeprefix('SIG')
    note(element, f'Signal <{name}> requested by user or administrator <{store.settings()["user"]}>', now)
    if element['state'] in ('PEND', 'PSUSP', 'PROV', 'WAIT'):
        if number in (signal.SIGKILL, signal.SIGTERM, signal.SIGINT):
            end_pending(store, element, now)
    elif by_force:
        give_reason(store, element, 'TERM_FORCE_OWNER')
        end_pending(store, element, now, 'Exited; job has been forced to exit')
        request(element, 'kill')
    elif number != signal.SIGKILL:
        request(element, 'signal', number=number)
    else:
        give_reason(store, element, 'TERM_OWNER')
        if element['state'] == 'UNKWN':
            note(element, 'Termination request issued; but unable to reach the execution host', now)
            element['state'] = 'ZOMBI'
        else:
            request(element, 'kill')


# ----------------------------------------------------------------------------------------------------------------------
# Others
# ----------------------------------------------------------------------------------------------------------------------


def bstop(store: Store, argv: list[str]) -> int:
    """Suspend jobs."""
    return _change(store, 'bstop', argv, _stop, 'is being stopped')


def bresume(store: Store, argv: list[str]) -> int:
    """Let suspended jobs go on."""
    return _change(store, 'bresume', argv, _resume, 'is being resumed')


def brequeue(store: Store, argv: list[str]) -> int:
    """End jobs and let them wait again."""
    return _change(store, 'brequeue', argv, _requeue, 'is being requeued ')


def _change(store: Store, program: str, argv: list[str], act: Callable[[Element], bool], done: str) -> int:
    words = by_letters(program, argv, 'hVadper', 'Jumq')
    answers = Answers()
    touched: list[Pair] = []
    with store.locked():
        for word, number, indices in read_ids(words.rest):
            found = with_id(known_to_bjobs(store), number, indices)
            changed = [pair for pair in found if not is_ended(pair[1]) and act(pair[1])]
            if changed:
                answers.out.append(f'Job <{word}> {done}')
                store.save(changed[0][0])
            else:
                answers.err.append(f'Job <{word}>: {"Job has already finished" if found else "No matching job found"}')
            touched += changed
    poke([element for _, element in touched])
    advance(store)
    return answers.give()


def _stop(element: Element) -> bool:
    if element['state'] == 'PEND':
        element['state'] = 'PSUSP'
        note(element, 'Suspended by the user or administrator while pending', clock())
    elif element['state'] == 'RUN':
        element['state'] = 'USUSP'
        note(element, 'Suspended by the user or administrator', clock())
        request(element, 'signal', number=int(signal.SIGSTOP))
    return True


def _resume(element: Element) -> bool:
    if element['state'] == 'PSUSP':
        element['state'] = 'PEND'
    elif element['state'] in ('USUSP', 'SSUSP'):
        element['state'] = 'RUN'
        note(element, 'Running', clock())
        request(element, 'signal', number=int(signal.SIGCONT))
    return True


def _requeue(element: Element) -> bool:
    if element['started'] is None:
        return False
    note(element, 'Job requeue requested by user or administrator', clock())
    if element['pid']:
        request(element, 'requeue')
    else:
        requeue(element, clock())
    return True


def run(store: Store, program: str, argv: list[str]) -> int:
    """Execute one of these commands."""
    try:
        return {'bkill': bkill, 'bstop': bstop, 'bresume': bresume, 'brequeue': brequeue}[program](store, argv)
    except Misuse as misuse:
        sys.stderr.write(f'{misuse.complaint}\n')
        return 255
