"""A batch system that does what a test says, with stepped time: no processes, no threads."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import count
from pathlib import Path
from typing import Any, cast

from hpsearch.backends.base import AttemptStatus, Launch
from hpsearch.backends.queue.arrays import QueueSettings
from hpsearch.backends.queue.backend import QueueBackend
from hpsearch.backends.queue.batch_system import (
    BatchSystem,
    CommandResult,
    JobSpec,
    JobVariables,
    QueueLimits,
    Refusal,
    SubmitResult,
)
from hpsearch.backends.queue.commands import COMMAND_TIMEOUT, CommandRunner
from hpsearch.backends.queue.poller import JobPoller
from hpsearch.backends.queue.submission import QueueContext
from hpsearch.host.signals import Wakeup
from hpsearch.model.evidence import JobRecord, JobState
from hpsearch.model.history.search_state import SearchState
from hpsearch.model.resources import DEFAULT_RESOURCES, ResourceRequest, Slot
from hpsearch.model.run import Run
from hpsearch.store.attempt_files import attempt_id, claim
from hpsearch.store.folder import SearchFolder

WRITER = 'w'


class Clock:
    """Time that goes on when a test says so."""

    def __init__(self, now: float = 1000.0) -> None:
        self.now = now

    def __call__(self) -> float:
        return self.now

    def wall(self) -> float:
        """Seconds since 1970."""
        return 1_700_000_000.0 + self.now


@dataclass
class Made:
    """A job in the queue: its elements as a listing shows them."""

    job: JobSpec
    throttle: int
    elements: dict[int, JobRecord] = field(default_factory=dict)

    def count(self, kind: JobState) -> int:
        """How many elements are so."""
        return sum(element.kind is kind for element in self.elements.values())


class ScriptedQueue:
    """A queue system that does what the test says.

    Attributes:
        calls: The words of every command that was executed.
        jobs: What is in the queue, by id.
        accounts: What the accounting knows beside that.
        limit: Elements of ours it takes at most.
        wrong: Why it never takes a job; empty: it takes them.
        closed: Why it takes no jobs for now; empty: it takes them.
        is_away: Whether no command is answered (and none is heard).
        loses: How many submissions are heard, but not answered.
        deaf: How many submissions are neither heard nor answered.
        is_blind: Whether listings fail.
        accounting: ``on``, ``off`` (says so), ``away``.
        rejects: Names of commands (``cancel``, ``throttle``, ``limits``) that fail.
        ignores: Names of commands that succeed without an effect.
        slots: Elements that run at a time, of all jobs.
        nodes: Names of its nodes.
        avoided: Job to the nodes that its pending elements avoid.
        hidden: Ids of jobs that listings do not show.
    """

    name = 'slurm'
    variables = JobVariables('INDEX', 'JOB', 'RESTARTS', 'NODE')
    memory: int | None = 1000
    time_limit: float | None = 3600.0
    gpus: int | None = 1
    programs = ('queue',)

    def __init__(self) -> None:
        self.calls: list[tuple[str, ...]] = []
        self.jobs: dict[str, Made] = {}
        self.accounts: list[JobRecord] = []
        self.limit: int | None = None
        self.wrong = ''
        self.closed = ''
        self.is_away = False
        self.loses = 0
        self.deaf = 0
        self.is_blind = False
        self.accounting = 'on'
        self.rejects: set[str] = set()
        self.ignores: set[str] = set()
        self.limits = QueueLimits(array=1000)
        self.slots = 10_000
        self.nodes = ['n1', 'n2', 'n3', 'n4']
        self.avoided: dict[str, tuple[str, ...]] = {}
        self.hidden: set[str] = set()
        self._replies: dict[str, Any] = {}
        self._ids = count(1)
        self._tokens = count(1)
        self._asked: dict[str, JobSpec] = {}

    # The pure half

    def environment(self, inherited: Mapping[str, str]) -> dict[str, str]:
        return dict(inherited)

    def submit_argv(self, job: JobSpec) -> list[str]:
        self._asked[job.name] = job
        return ['submit', job.name, str(job.size), str(job.throttle)]

    def list_argv(self) -> list[str]:
        return ['list']

    def job_argv(self, job: str) -> list[str]:
        return ['job', job]

    def parse_job(self, answer: CommandResult) -> Sequence[JobRecord] | None:
        return self.parse_listing(answer)

    def accounting_argv(self, jobs: Sequence[str], since: float) -> list[str]:
        return ['account', *jobs]

    def cancel_argv(self, job: str, indices: Sequence[int], *, whole: bool, force: bool) -> list[str]:
        return ['cancel', job, 'whole' if whole else 'part', 'kill' if force else 'term', *map(str, indices)]

    def throttle_argv(self, job: str, throttle: int) -> list[str]:
        return ['throttle', job, str(throttle)]

    def trial_argv(self, avoided: Sequence[str]) -> list[str]:
        return ['trial', *avoided]

    def parse_trial(self, answer: CommandResult, avoided: Sequence[str]) -> bool | None:
        return bool(set(self.nodes) - set(avoided)) if answer.code == 0 else None

    def avoid_argv(self, job: str, avoided: Sequence[str], memory: int | None) -> list[str]:
        return ['avoid', job, *avoided]

    def parse_avoid(self, answer: CommandResult) -> str:
        return '' if answer.code == 0 else answer.err

    def limits_argv(self) -> list[str]:
        return ['limits']

    def submit_stdin(self, script: str, path: str) -> str:
        return script

    def parse_submission(self, answer: CommandResult) -> SubmitResult:
        return (
            cast(SubmitResult, self._reply(answer)) if answer.code == 0 else SubmitResult('', Refusal.AWAY, answer.err)
        )

    def parse_listing(self, answer: CommandResult) -> Sequence[JobRecord] | None:
        return cast('list[JobRecord]', self._reply(answer)) if answer.code == 0 else None

    def parse_accounting(self, answer: CommandResult) -> Sequence[JobRecord] | None:
        return cast('list[JobRecord]', self._reply(answer)) if answer.code == 0 else None

    def parse_cancel(self, answer: CommandResult) -> str:
        return '' if answer.code == 0 else answer.err

    def parse_limits(self, answer: CommandResult) -> QueueLimits:
        return self.limits if answer.code == 0 else QueueLimits()

    def _reply(self, answer: CommandResult) -> Any:
        return self._replies[answer.out]

    # The queue itself

    def execute(self, words: Sequence[str]) -> CommandResult:
        """What a command answers."""
        self.calls.append(tuple(words))
        if self.is_away or (words[0] in ('list', 'job') and self.is_blind):
            return CommandResult(None, err=f'{words[0]} did not answer')
        if words[0] in self.rejects:
            return CommandResult(1, err=f'{words[0]} failed')
        if words[0] in self.ignores:
            return self._answer()
        return cast(CommandResult, getattr(self, f'_do_{words[0]}')(*words[1:]))

    def _answer(self, reply: Any = None) -> CommandResult:
        token = str(next(self._tokens))
        self._replies[token] = reply
        return CommandResult(0, token)

    def _do_limits(self) -> CommandResult:
        return self._answer()

    def _do_trial(self, *avoided: str) -> CommandResult:
        return self._answer()

    def _do_avoid(self, job: str, *avoided: str) -> CommandResult:
        self.avoided[job] = avoided
        return self._answer()

    def _do_submit(self, name: str, size: str, throttle: str) -> CommandResult:
        if self.deaf:
            self.deaf -= 1
            return CommandResult(None, err='submit did not answer')
        if self.wrong:
            return self._answer(SubmitResult('', Refusal.WRONG, self.wrong))
        if self.closed:
            return self._answer(SubmitResult('', Refusal.CLOSED, self.closed))
        if self.limit is not None and self.live() + int(size) > self.limit:
            return self._answer(SubmitResult('', Refusal.LIMIT, 'too many'))
        ident = self.put(self._asked[name])
        if self.loses:
            self.loses -= 1
            return CommandResult(None, err='submit did not answer')
        return self._answer(SubmitResult(ident))

    def _do_list(self) -> CommandResult:
        jobs = {ident: made for ident, made in self.jobs.items() if ident not in self.hidden}
        return self._answer([element for made in jobs.values() for element in made.elements.values()])

    def _do_job(self, ident: str) -> CommandResult:
        return self._answer(list(self.jobs[ident].elements.values()) if ident in self.jobs else [])

    def _do_account(self, *idents: str) -> CommandResult:
        if self.accounting != 'on':
            return CommandResult(1, err='no accounting')
        return self._answer([seen for seen in self.accounts if seen.job in idents])

    def _do_cancel(self, job: str, whole: str, how: str, *indices: str) -> CommandResult:
        made = self.jobs.get(job)
        wanted = list(made.elements) if made and whole == 'whole' else list(map(int, indices))
        for index in wanted:
            if made and index in made.elements and made.elements[index].kind is not JobState.ENDED:
                self.change(job, index, kind=JobState.ENDED, cause='cancelled')
        return self._answer()

    def _do_throttle(self, job: str, throttle: str) -> CommandResult:
        if job in self.jobs:
            self.jobs[job].throttle = int(throttle)
        return self._answer()

    # What tests do to it

    def put(self, job: JobSpec) -> str:
        """A job of these elements is in the queue."""
        ident = str(next(self._ids))
        pending = JobRecord(ident, 0, job.name, JobState.PENDING, reason='Priority')
        elements = {index: replace(pending, index=index) for index in range(1, job.size + 1)}
        self.jobs[ident] = Made(job, job.throttle, elements)
        return ident

    def change(self, job: str, index: int, **changes: Any) -> None:
        """An element is different now."""
        elements = self.jobs[job].elements
        elements[index] = replace(elements[index], **changes)

    def remove(self, job: str, *indices: int) -> None:
        """Elements leave the listing, all where none is named."""
        for index in indices or list(self.jobs[job].elements):
            del self.jobs[job].elements[index]

    def asked(self, name: str) -> JobSpec:
        """What was submitted under a name."""
        return self._asked[name]

    def live(self) -> int:
        """Elements that have not ended."""
        return sum(len(made.elements) - made.count(JobState.ENDED) for made in self.jobs.values())

    def running(self) -> int:
        """Elements that run."""
        return sum(made.count(JobState.RUNNING) for made in self.jobs.values())

    def begin(self) -> list[tuple[Made, int]]:
        """Let elements run, as many as throttles and slots allow; tells which began."""
        begun = []
        for ident, made in self.jobs.items():
            allowed = (made.throttle or len(made.elements)) - made.count(JobState.RUNNING)
            for index in self._waiting(made)[: max(0, min(allowed, self.slots - self.running()))]:
                self.change(ident, index, kind=JobState.RUNNING, reason='', where='n1')
                begun.append((made, index))
        return begun

    def _waiting(self, made: Made) -> list[int]:
        return [index for index, element in made.elements.items() if element.kind is JobState.PENDING]

    def called(self, word: str) -> list[tuple[str, ...]]:
        """The commands of one kind that were executed."""
        return [words for words in self.calls if words[0] == word]


class ScriptedRunner:
    """Runs the commands of a scripted queue when their results are delivered."""

    def __init__(self, queue: ScriptedQueue) -> None:
        self.queue = queue
        self.scripts: list[str] = []
        self.is_slow = False
        self._asked: list[tuple[Sequence[str], Callable[[CommandResult], None]]] = []

    @property
    def pending(self) -> int:
        return len(self._asked)

    def run(
        self,
        argv: Sequence[str],
        receive: Callable[[CommandResult], None],
        *,
        stdin: str = '',
        timeout: float = COMMAND_TIMEOUT,
    ) -> None:
        self._asked.append((argv, receive))
        if stdin:
            self.scripts.append(stdin)

    def deliver(self) -> bool:
        """Answer every command, unless the queue is slow."""
        if self.is_slow:
            return False
        asked, self._asked = self._asked, []
        for argv, receive in asked:
            receive(self.queue.execute(argv))
        return bool(asked)

    def finish(self, timeout: float) -> None:
        self.deliver()


def as_runner(runner: ScriptedRunner) -> CommandRunner:
    """As the protocol has it."""
    return runner


def system(queue: ScriptedQueue) -> BatchSystem:
    """As the protocol has it."""
    return cast(BatchSystem, queue)


class Desk:
    """A backend with a scripted queue, and what its attempts would do.

    Attributes:
        ended: What was told of the attempts that ended, by their ids.
        events: What was written to the journal.
        takes_notes: Whether the journal can be written.
    """

    def __init__(self, folder: SearchFolder, **settings: Any) -> None:
        self.folder = folder
        self.clock = Clock()
        self.queue = ScriptedQueue()
        self.runner = ScriptedRunner(self.queue)
        self.events: list[dict[str, Any]] = []
        self.state = SearchState()
        self.takes_notes = True
        self.ended: dict[str, AttemptStatus] = {}
        self.told: dict[str, AttemptStatus] = {}
        self.settings = QueueSettings(**{'num_jobs': 25, **settings})
        self.salts = count(1)
        self.poller, self.backend = self.reopened()

    def reopened(self, known: Mapping[str, str] | None = None) -> tuple[JobPoller, QueueBackend]:
        """A backend as another process would have it."""
        poller = JobPoller(system(self.queue), self.runner, 30.0, clock=self.clock, wall=self.clock.wall)
        context = QueueContext(
            folder=self.folder,
            cwd='/tmp',
            system=system(self.queue),
            runner=self.runner,
            poller=poller,
            wakeup=cast(Wakeup, None),
            note=self._note,
            salt=lambda: f'{next(self.salts):06d}',
            wall=self.clock.wall,
        )
        return poller, QueueBackend(context, self.settings, known, self.state)

    def _note(self, event: dict[str, Any]) -> bool:
        if self.takes_notes:
            self.events.append(event)
            self.state.fold(WRITER, event)
        return self.takes_notes

    def launches(
        self, size: int, first: int = 1, resources: ResourceRequest = DEFAULT_RESOURCES, number: int = 1
    ) -> list[Launch]:
        """Claimed attempts."""
        return list(self._launches(size, first, resources, number))

    def _launches(self, size: int, first: int, resources: ResourceRequest, number: int) -> Iterator[Launch]:
        for at in range(first, first + size):
            name = f'sim_{at}'
            assert claim(self.folder, name, number, WRITER)
            run = Run(name, at, {}, ('true',))
            yield Launch(run, number, attempt_id(WRITER, name, number), Slot(), resources)

    def start(self, size: int, first: int = 1, **wishes: Any) -> list[str]:
        """Attempts are handed over; their ids."""
        launches = self.launches(size, first, **wishes)
        self.backend.start(launches, self.clock.now)
        return [launch.ident for launch in launches]

    def step(self, seconds: float = 1.0, times: int = 1) -> dict[str, AttemptStatus]:
        """Time goes on; what is told of the attempts."""
        for _ in range(times):
            self.clock.now += seconds
            self.told = dict(self.backend.states(self.clock.now))
            for ident, status in self.told.items():
                if status.kind in (JobState.ENDED, JobState.ABSENT):
                    assert ident not in self.ended, 'an end is told once'
                    self.ended[ident] = status
        return self.told

    def until(self, what: Callable[[], object], seconds: float = 1.0, limit: int = 2000) -> None:
        """Time goes on until something is so."""
        for _ in range(limit):
            if what():
                return
            self.step(seconds)
        raise AssertionError(f'it did not come about within {limit} steps; told: {self.told}')

    def ident(self, at: int, number: int = 1) -> str:
        """The id of an attempt."""
        return attempt_id(WRITER, f'sim_{at}', number)

    def paths(self, at: int, number: int = 1) -> Any:
        """The files of an attempt."""
        return self.folder.attempt(f'sim_{at}', number)

    def pass_fence(self, at: int, job: str = '1', restarts: int = 0) -> None:
        """The script of an attempt begins."""
        Path(self.paths(at).started).write_text(f'{self.ident(at)} 77 {job} {restarts} n1\n')

    def leave_record(self, at: int, code: int = 0, signalled: str = '') -> None:
        """The script of an attempt ends."""
        if signalled:
            Path(self.paths(at).signalled).write_text(f'{signalled}\n')
        Path(self.paths(at).exit).write_text(f'{code}\n')

    def hint(self, name: str, *indices: int) -> None:
        """Elements tell that they ended."""
        with open(self.folder.submission(name).ended, 'a') as hints:
            hints.writelines(f'{index}\n' for index in indices)

    @property
    def names(self) -> list[str]:
        """Names of the submissions, as they were announced."""
        return [event['submission'] for event in self.events if event['event'] == 'submitting']

    def begin_all(self) -> None:
        """What may run begins to run and passes its fence."""
        for made, index in self.queue.begin():
            ident = next(job for job, each in self.queue.jobs.items() if each is made)
            self.pass_fence(self.run_of(made.job.name, index), ident)

    def begin_all_without_files(self) -> None:
        """What may run begins to run and leaves nothing."""
        self.queue.begin()

    def run_of(self, name: str, index: int) -> int:
        """The ordinal of the run at an index of a submission."""
        event = next(each for each in self.events if each['event'] == 'submitting' and each['submission'] == name)
        return int(event['attempts'][index - 1][0].rpartition('_')[2])

    def finish(self, how_many: int | None = None, code: int = 0) -> int:
        """Elements that run end by themselves, with records and hints; says how many."""
        done = 0
        for ident, made in self.queue.jobs.items():
            for index, element in list(made.elements.items()):
                if element.kind is JobState.RUNNING and (how_many is None or done < how_many):
                    self.leave_record(self.run_of(made.job.name, index), code)
                    self.hint(made.job.name, index)
                    self.queue.change(ident, index, kind=JobState.ENDED, code=code, reason='None')
                    done += 1
        return done
