"""The state of a pretend LSF: one folder, in which every command and every running job looks things up and writes them.

The commands are started often, so nothing here imports what takes long to import.
"""

from __future__ import annotations

import fcntl
import json
import os
import time

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from types import TracebackType
    from typing import Any, TypedDict

    class Element(TypedDict):
        """One element of a job; a job that is no array has one, of index 0.

        Attributes:
            index: Which element.
            state: As bjobs prints it.
            host: Where it runs or ran; empty: it never did.
            pid: Of its supervisor; None: not started, or not yet known.
            group: Process group of the job itself, or None.
            started: When it was dispatched, in seconds since 1970, or None.
            ended: When it ended, or None.
            order: The how-manieth end in this cluster.
            code: Exit status, or None.
            signal: Signal that ended it, or None.
            reason: Termination reason with its explanation; empty: none.
            events: What happened, with its time, beyond its submission.
            requests: What its supervisor is to do.
            doomed: When it turns into EXIT although it never ran, or None.
            runs: How often it was started.
            gpus: Numbers of the GPUs it has.
            unseen: What its supervisor could not report because its host was lost, or None.
            cpu: Seconds of processor time.
        """

        index: int
        state: str
        host: str
        pid: int | None
        group: int | None
        started: float | None
        ended: float | None
        order: int
        code: int | None
        signal: int | None
        reason: str
        events: list[list[Any]]
        requests: list[dict[str, Any]]
        doomed: float | None
        runs: int
        gpus: list[int]
        unseen: dict[str, Any] | None
        cpu: float

    class Job(TypedDict):
        """One submission.

        Attributes:
            id: Its number.
            spec: Its name as LSF shows it, for an array with indices and limit.
            name: Without these.
            is_array: Whether the indices were understood.
            step: From the first index to the second.
            throttle: Elements that may run at a time; 0: all.
            command: What is executed.
            is_script: Whether that came on stdin.
            options: Values by option, as given.
            queue: Its queue.
            project: Its project.
            user: Who submitted it.
            cwd: Where.
            home: Home folder of who submitted it.
            slots: How many slots an element takes.
            gpus: How many GPUs an element takes.
            run_limit: Seconds of LSF's time an element may run, or None.
            memory_limit: KiB, or None.
            warning: Signal and seconds of LSF's time before the run limit, or None.
            submitted: When, in seconds since 1970.
            begin: When it may start, in seconds since 1970, or None.
            elements: In the order of their indices.
        """

        id: int
        spec: str
        name: str
        is_array: bool
        step: int
        throttle: int
        command: str
        is_script: bool
        options: dict[str, str]
        queue: str
        project: str
        user: str
        cwd: str
        home: str
        slots: int
        gpus: int
        run_limit: float | None
        memory_limit: float | None
        warning: list[Any] | None
        submitted: float
        begin: float | None
        elements: list[Element]


DEFAULTS: Mapping[str, Any] = {
    'dialect': 'volclava',
    'cluster': 'cluster1',
    'hosts': ['vm'],
    'submit_host': 'vm',
    'user': '',
    'slots': 4,
    'memory': 16000,
    'gpus': 4,
    'lost_hosts': [],
    'queues': {'normal': {}, 'short': {'run_limit': 5}, 'admins': {'is_closed': True}},
    'default_queue': 'normal',
    'max_array_size': 1000,
    'max_pending': None,
    'clean_period': 3600.0,
    'terminate_interval': 10.0,
    'minute': 60.0,
    'minutes_to_obey': 10.0,
    'array_kill_delay': 1.0,
    'retry_interval': 10.0,
    'submit_retry_interval': 60,
    'is_down': False,
    'consistent_exit_code': False,
    'forgotten': [],
    'forgotten_by_history': [],
    'resources': ['ngpus', 'ngpus_excl_p', 'ngpus_shared'],
    'is_closed': False,
    'starts': {},
}
"""What can be set, see :class:`tests.fakes.lsf.FakeLsf`."""

ENDED = ('DONE', 'EXIT')
PENDING = ('PEND', 'PSUSP', 'PROV', 'WAIT')


class Store:
    """The folder.

    Args:
        path: Its path.
    """

    def __init__(self, path: str) -> None:
        self.path = path
        self._settings: dict[str, Any] | None = None

    def file(self, *parts: str) -> str:
        """A path inside."""
        return os.path.join(self.path, *parts)

    def settings(self) -> dict[str, Any]:
        """What is set, with the defaults; the same for as long as this object lives."""
        if self._settings is None:
            self._settings = {**DEFAULTS, **(self.read('settings.json') or {})}
        return self._settings

    @property
    def is_ibm(self) -> bool:
        """Whether this is to be IBM's."""
        return bool(self.settings()['dialect'] == 'ibm')

    def locked(self) -> Lock:
        """Nobody else looks or writes meanwhile; not to be nested."""
        return Lock(self.file('lock'))

    def read(self, *parts: str) -> Any:
        """The content of a file, or None."""
        try:
            with open(self.file(*parts), encoding='utf-8', errors='surrogateescape') as file:
                return json.load(file)
        except FileNotFoundError:
            return None

    def write(self, content: object, *parts: str) -> None:
        """Replace a file; who reads it sees the old or the new one."""
        path = self.file(*parts)
        temporary = f'{path}.{os.getpid()}'
        with open(temporary, 'w', encoding='utf-8', errors='surrogateescape') as file:
            file.write(json.dumps(content))
        os.replace(temporary, path)

    def append(self, line: object, *parts: str) -> None:
        """Add a line to a file."""
        data = (json.dumps(line) + '\n').encode('utf-8', 'surrogateescape')
        descriptor = os.open(self.file(*parts), os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o666)
        try:
            os.write(descriptor, data)
        finally:
            os.close(descriptor)

    # -- jobs ----------------------------------------------------------------------------------------------------------

    def next_number(self, name: str) -> int:
        """Count something."""
        counters = self.read('counters.json') or {}
        counters[name] = counters.get(name, 0) + 1
        self.write(counters, 'counters.json')
        return int(counters[name])

    def jobs(self) -> list[Job]:
        """All jobs, by number."""
        numbers = sorted(int(name[:-5]) for name in os.listdir(self.file('jobs')) if name.endswith('.json'))
        return [job for job in map(self.job, numbers) if job]

    def job(self, number: int) -> Job | None:
        """One job."""
        job: Job | None = self.read('jobs', f'{number}.json')
        return job

    def save(self, job: Job) -> None:
        """Write a job."""
        self.write(job, 'jobs', f'{job["id"]}.json')

    def spool(self, job: Job, element: Element, suffix: str) -> str:
        """A file that belongs to an element."""
        return self.file('spool', f'{job["id"]}.{element["index"]}.{suffix}')


class Lock:
    """A lock between processes.

    Args:
        path: The file.
    """

    def __init__(self, path: str) -> None:
        self._path = path
        self._file = -1

    def __enter__(self) -> None:
        self._file = os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o666)
        fcntl.flock(self._file, fcntl.LOCK_EX)

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        # Explicitly, since a process that was started meanwhile has it open too until it executes its program.
        fcntl.flock(self._file, fcntl.LOCK_UN)
        os.close(self._file)


def new_element(index: int, state: str) -> Element:
    """An element that has just been submitted."""
    return {
        'index': index,
        'state': state,
        'host': '',
        'pid': None,
        'group': None,
        'started': None,
        'ended': None,
        'order': 0,
        'code': None,
        'signal': None,
        'reason': '',
        'events': [],
        'requests': [],
        'doomed': None,
        'runs': 0,
        'gpus': [],
        'unseen': None,
        'cpu': 0.0,
    }


def find(job: Job | None, index: int) -> Element | None:
    """One element of a job."""
    elements = job['elements'] if job else []
    return next((element for element in elements if element['index'] == index), None)


def pairs(jobs: list[Job]) -> Iterator[tuple[Job, Element]]:
    """Every element with its job."""
    return ((job, element) for job in jobs for element in job['elements'])


def is_ended(element: Element) -> bool:
    """Whether it has."""
    return element['state'] in ENDED


def label(job: Job, element: Element) -> str:
    """How an element is addressed, as ``30[4]``."""
    return f'{job["id"]}[{element["index"]}]' if job['is_array'] else str(job['id'])


def title(job: Job, element: Element) -> str:
    """The name of an element, as ``arr[4]``."""
    return f'{job["name"]}[{element["index"]}]' if job['is_array'] else job['spec']


def note(element: Element, text: str, now: float) -> None:
    """Write down what happened."""
    element['events'].append([now, text])


def clock() -> float:
    """Seconds since 1970."""
    return time.time()
