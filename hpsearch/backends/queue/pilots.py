"""Pilots: jobs that work on a search by themselves. Each executes ``hpsearch join`` inside its allocation.

A backend of pilots has no slots. It submits as many pilots as were asked for and as there is work for; what becomes of
the attempts is in the pilots' own journals.
"""

from __future__ import annotations

import logging
import math
import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from hpsearch.backends.base import Avoided, JobCounts, PilotBackend, Silence, Workload
from hpsearch.backends.queue.avoidance import Avoidance
from hpsearch.backends.queue.batch_system import BatchSystem, JobSpec, QueueLimits
from hpsearch.backends.queue.job_script import pilot_script
from hpsearch.backends.queue.leftovers import Leftovers
from hpsearch.backends.queue.submission import (
    JobArray,
    Outcome,
    PreparedJob,
    QueueContext,
    SubmissionEvent,
    Submitter,
    submission_name,
)
from hpsearch.model.command import shell_line
from hpsearch.model.evidence import JobState, node_name
from hpsearch.model.history.attempt import Attempt
from hpsearch.model.history.search_state import SearchState
from hpsearch.model.history.submission import Submission
from hpsearch.model.resources import Placement
from hpsearch.model.retries import bad_places
from hpsearch.model.snapshot import GpuLine, QueueLine
from hpsearch.model.states import State
from hpsearch.model.units import count_of
from hpsearch.store.attempt_files import tail
from hpsearch.store.folder import SearchFolder
from hpsearch.store.writers import is_astray

log = logging.getLogger('hpsearch')

STARTUP_SECONDS = 60.0
"""Seconds a pilot may run before its runs must have begun: until then they seem to wait for another pilot."""

NOT_TO_BLAME = ('preempted', 'node_fail', 'boot_fail')
"""Causes of ends for which a pilot that started no run is not to blame."""

MAX_FAILURES = 3
"""Consecutive submissions whose pilots all ended without starting a run, after which no more are made.

Those that were all on one node say nothing, unless no pilot can do without it."""

ENDED_ON_REQUEST = (130, 143)
"""Raw statuses of pilots that were asked to end: INT, TERM."""

PILOTS_IN_A_ROW = 2
"""Pilots that must fail at once in a row on a node before it counts as bad."""


# Values


@dataclass(frozen=True)
class PilotSettings:
    """How pilots are made.

    Attributes:
        num_jobs: Maximum number of pilots at a time.
        runs_per_job: Runs that each has at a time.
        argv: The command that each executes.
        prologue: Shell lines before it.
        warning: Seconds before its time limit at which it is sent TERM.
        holds: Whether to go on submitting; otherwise only as many are submitted as there is work for now.
    """

    num_jobs: int
    runs_per_job: int
    argv: tuple[str, ...]
    prologue: str = ''
    warning: int = 0
    holds: bool = True


@dataclass(slots=True)
class Pilot:
    """One pilot that has not ended.

    Attributes:
        running_since: When it was first seen running, in monotonic seconds, or None.
    """

    running_since: float | None = None

    def is_idle(self, state: JobState, now: float) -> bool:
        """Whether it has not begun its runs: it does not run, or has only just begun to."""
        since = self.running_since
        return state is not JobState.RUNNING or since is None or now - since < STARTUP_SECONDS


@dataclass(slots=True, eq=False)
class PilotArray(JobArray[Pilot]):
    """A submission whose elements are pilots.

    Attributes:
        started_before: Attempts that had been started when it was submitted.
        blamed_nodes: The nodes of those that ended for a reason of their own; empty text: it is not known.
        is_astray: Whether they look for the search folder where that is no more.
    """

    started_before: int = 0
    blamed_nodes: set[str] = field(default_factory=set)
    is_astray: bool = False


@dataclass(frozen=True, slots=True)
class PilotEnd:
    """How a pilot ended.

    Attributes:
        code: Raw exit status; None: not known.
        seconds: How long it ran.
        node: Where; empty: not known.
    """

    code: int | None
    seconds: float
    node: str

    @property
    def state(self) -> State:
        """What that means for its node."""
        if self.code in ENDED_ON_REQUEST:
            return State.INTERRUPTED
        return State.FINISHED if self.code == 0 else State.FAILED


def read_ends(path: str) -> dict[int, PilotEnd]:
    """Index to end, as the scripts of a submission wrote them; what cannot be read, or is no such line, is left out."""
    try:
        with open(path, encoding='utf-8', errors='replace') as lines:
            found = [re.fullmatch(r'(\d{1,9}) (\d{1,9}) (\d{1,9}) (\S+)\n', line, re.ASCII) for line in lines]
    except OSError:
        return {}  # none has ended by itself yet, or the folder is not there on its node
    return {int(each[1]): PilotEnd(int(each[2]), float(each[3]), node_name(each[4])) for each in found if each}


# How many, and which script. Pure.


def pilots_needed(work: Workload, alive: int, idle: int, settings: PilotSettings) -> int:
    """How many more pilots there is work for.

    Args:
        work: What there is to do.
        alive: Pilots that have not ended.
        idle: Those of them that have not begun their runs.
        settings: How many pilots there may be, and how many runs each has.
    """
    wanted = -(-work.waiting // settings.runs_per_job) - idle
    return max(0, min(settings.num_jobs - alive, wanted))


@dataclass(frozen=True)
class PilotMaker:
    """Makes array jobs of pilots.

    Attributes:
        folder: The search.
        cwd: Working directory of the pilots.
        system: The batch system.
        settings: How pilots are made.
    """

    folder: SearchFolder
    cwd: str
    system: BatchSystem
    settings: PilotSettings

    def prepare(self, name: str, count: int, avoided: tuple[str, ...] = ()) -> PreparedJob:
        """An array of ``count`` pilots, as a submission of this name, which avoids nodes."""
        log_path, warning = self.folder.submission(name).log, self.settings.warning
        job = JobSpec(name, count, 0, log_path, warning=warning, avoided=avoided)
        script = pilot_script(
            folder=self.folder,
            name=name,
            argv=self.settings.argv,
            cwd=self.cwd,
            variables=self.system.variables,
            prologue=self.settings.prologue,
            header=shell_line(self.system.submit_argv(job)),
        )
        return PreparedJob(job, script)


# Keeping pilots


class Pilots:
    """Keeps as many pilots alive as were asked for and as there is work for.

    Attributes:
        is_final: Whether no more will ever be submitted.

    Args:
        context: The search and its queue.
        settings: How pilots are made.
        known: Submissions of earlier writers.
    """

    def __init__(self, context: QueueContext, settings: PilotSettings, known: Iterable[Submission] = ()) -> None:
        self._context = context
        self._poller = context.poller
        self._settings = settings
        self._maker = PilotMaker(context.folder, context.cwd, context.system, settings)
        self._submitter: Submitter[PilotArray] = Submitter(context)
        self._avoidance = Avoidance(context.system, context.runner)
        self._ended: list[Attempt] = []
        self._failed_on: set[str] = set()
        self._end_reason = ''
        self._is_cancelling = False
        self._is_complete = False
        self._failures = 0
        self._listings = 0
        self.is_final = False
        for submission in known:
            if submission.queue == context.system.name and submission.pilots:
                self._adopt(submission)

    def _adopt(self, submission: Submission) -> None:
        """The pilots of an earlier writer count as long as they live; those that cannot find it are cancelled."""
        members = {index: Pilot() for index in range(1, submission.pilots + 1)}
        array = PilotArray(submission.name, submission.at, members, submission.job)
        array.is_astray = is_astray(submission, self._context.folder)
        self._submitter.adopt(array)
        if array.is_astray:
            self._submitter.cancel(array, members, force=False)
        for index in members:
            self._poller.watch((array.name, index), array.at, array.job)
        self._poller.poll_soon()

    # What there is

    @property
    def arrays(self) -> Mapping[str, PilotArray]:
        """Arrays that have pilots left, by name."""
        return self._submitter.arrays

    @property
    def problem(self) -> str:
        """Why no more pilots are submitted, or empty."""
        return self._end_reason or self._submitter.problem

    @property
    def is_settled(self) -> bool:
        """Whether no submission is under way, and cancelled pilots have ended."""
        return not self._submitter.is_busy and not (self._is_cancelling and self.arrays)

    def queue_lines(self) -> list[QueueLine]:
        """How many pilots wait, and why, and how many run."""
        counts: Counter[tuple[str, str, str, bool]] = Counter()
        for array in self.arrays.values():
            for index in array.members:
                state, record = self._poller.state_of((array.name, index)), self._poller.record_of((array.name, index))
                word = 'running' if state is JobState.RUNNING else 'pending' if array.job else 'waiting'
                if record is None:
                    counts[word, 'not listed yet' if array.job else '', array.name, False] += 1
                else:
                    reason = record.reason if state is JobState.PENDING else ''
                    counts[word, reason, array.name, record.is_stuck] += 1
        return [
            QueueLine(word, reason, count, name, is_stuck)
            for (word, reason, name, is_stuck), count in counts.most_common()
        ]

    # Submitting

    def keep(self, work: Workload, now: float) -> None:
        """Submit the pilots that are missing, if they may be submitted now.

        Args:
            work: What there is to do.
            now: Monotonic seconds.
        """
        limits = self._submitter.limits(now)
        if limits is None or self._is_complete or self.is_final or self._is_cancelling:
            return
        count = self._how_many(work, limits, now)
        if count:
            self._submit(count, work, now)
        elif not self._settings.holds:
            self._is_complete = True

    def _how_many(self, work: Workload, limits: QueueLimits, now: float) -> int:
        alive = sum(len(array.members) for array in self.arrays.values())
        idle = sum(
            pilot.is_idle(self._poller.state_of((array.name, index)), now)
            for array in self.arrays.values()
            for index, pilot in array.members.items()
        )
        needed = min(pilots_needed(work, alive, idle, self._settings), limits.array)
        room = self._submitter.room(now)
        return needed if room is None else min(needed, room)

    def _submit(self, count: int, work: Workload, now: float) -> None:
        name = submission_name(self._context.folder, self._context.salt())
        members = {index: Pilot() for index in range(1, count + 1)}
        avoided = self._avoidance.nodes
        array = PilotArray(name, self._context.wall(), members, unsent=self._maker.prepare(name, count, avoided))
        array.started_before, array.avoided = work.started, avoided
        if not self._submitter.submit(array, {'pilots': count, 'throttle': count}, now):
            self._is_complete = not self._settings.holds

    # What became of them

    def step(self, work: Workload, now: float) -> None:
        """Take in what became of submissions and of pilots.

        Args:
            work: What there is to do.
            now: Monotonic seconds.
        """
        for event in self._submitter.step(now):
            self._take_outcome(event, now)
        self._avoidance.apply(self.arrays.values(), now)
        if self._poller.listings == self._listings:
            return
        self._listings = self._poller.listings
        for array in list(self.arrays.values()):
            self._look(array, work, now)
        self._submitter.resume_cancelling()
        if not work.waiting and self._settings.holds:
            self._cancel_pending()

    def _take_outcome(self, event: SubmissionEvent[PilotArray], now: float) -> None:
        match event.outcome:
            case Outcome.ACCEPTED:
                log.info('%s submitted, to work on the search', count_of(len(event.array.members), 'job'))
            case Outcome.REFUSED:
                self._is_complete = self._is_complete or not (self._settings.holds or self._submitter.room(now))
            case Outcome.REJECTED:
                self.is_final, self._end_reason = True, event.message
            case Outcome.WITHDRAWN:
                pass

    def _look(self, array: PilotArray, work: Workload, now: float) -> None:
        if array.is_sent or array.is_lost:
            return
        if not array.job:
            self._learn_job(array)
        for index, pilot in list(array.members.items()):
            state, record = self._poller.state_of((array.name, index)), self._poller.record_of((array.name, index))
            if state is JobState.RUNNING and pilot.running_since is None:
                pilot.running_since = now
            if state in (JobState.ENDED, JobState.ABSENT):
                if not array.is_astray and (record is None or record.cause not in NOT_TO_BLAME):
                    self._note_end(array, index, now)
                del array.members[index]
                self._poller.drop((array.name, index))
        if not array.members:
            self._submitter.forget(array)
            self._count_failure(array, work)

    def _note_end(self, array: PilotArray, index: int, now: float) -> None:
        """Note how a pilot ended, by what its script wrote, else by how long it was seen running."""
        record, since = self._poller.record_of((array.name, index)), array.members[index].running_since
        seen = PilotEnd(None, 0.0 if since is None else now - since, record.node if record else '')
        end = read_ends(self._context.folder.submission(array.name).ended).get(index, seen)
        node = end.node or seen.node
        array.blamed_nodes.add(node)
        if node and not self._is_cancelling:
            name = f'{array.name}[{index}]'
            self._ended.append(Attempt(name, 1, end.state, cause='exit', seconds=end.seconds, node=node))

    def _learn_job(self, array: PilotArray) -> None:
        """An array whose submission was not answered is in the queue if one of its pilots is listed."""
        records = filter(None, (self._poller.record_of((array.name, index)) for index in array.members))
        record = next(records, None)
        if record is not None:
            self._submitter.accepted(array, record.job)

    def _count_failure(self, array: PilotArray, work: Workload) -> None:
        """Pilots that found nothing to do, or that the batch system ended, have not failed."""
        if work.started > array.started_before:
            self._failures = 0
            self._failed_on.clear()
        elif work.waiting and array.blamed_nodes and not self._is_cancelling:
            self._failures += 1
            self._failed_on |= array.blamed_nodes
        is_one_alone = len(self._failed_on) == 1 and not self._failed_on & {'', *self._avoidance.indispensable}
        if self._failures >= MAX_FAILURES and not is_one_alone:
            self.is_final = True
            log_path = self._context.folder.submission(array.name).log
            last = tail(log_path, 4096).strip().rpartition('\n')[2]
            self._end_reason = f'{self._failures} submissions in a row ended without starting a run: see {log_path}' + (
                f', which ends with: {last}' if last else ''
            )

    # Nodes

    def avoid(self, nodes: frozenset[str], now: float) -> Avoided:
        """Keep pilots away from nodes, those that are pending included."""
        return self._avoidance.avoid(nodes, now)

    def bad_nodes(self) -> Mapping[str, Sequence[Attempt]]:
        """Nodes on which pilots fail at once while others do not."""
        keys = ((array.name, index) for array in self.arrays.values() for index in array.members)
        records = [self._poller.record_of(key) for key in keys if self._poller.state_of(key) is JobState.RUNNING]
        running = {record.node for record in records if record is not None} - {''}
        ages = dict.fromkeys(running, math.inf)
        return bad_places(self._ended, ages, even_alone=True, in_a_row=PILOTS_IN_A_ROW)

    # Cancelling

    def cancel(self, *, force: bool) -> None:
        """Cancel all pilots: they end their runs."""
        self._is_cancelling = True
        self._poller.poll_now()
        for array in self.arrays.values():
            self._submitter.cancel(array, array.members, force=force)

    def _cancel_pending(self) -> None:
        """Cancel those that are still pending: there is nothing left to do for them."""
        for array in self.arrays.values():
            if array.job:
                states = ((index, self._poller.state_of((array.name, index))) for index in array.members)
                pending = [index for index, state in states if state is JobState.PENDING]
                self._submitter.cancel(array, pending, force=False)


# The backend


class QueuedPilots(PilotBackend):
    """Executes runs in pilots.

    Args:
        context: The search and its queue.
        pilots: The pilots.
        state: What all journals say.
    """

    def __init__(self, context: QueueContext, pilots: Pilots, state: SearchState | None = None) -> None:
        self._context = context
        self._pilots = pilots
        self._leftovers = Leftovers(context, state or SearchState())

    def keep(self, workload: Workload, now: float) -> Placement:
        """Submit the pilots that are missing, and say how many there are."""
        self._pilots.keep(workload, now)
        is_final = self._pilots.is_final and not self._pilots.arrays
        return Placement(waiting=self._why_waiting(), is_final=is_final)

    def _why_waiting(self) -> str:
        if self._pilots.problem:
            return self._pilots.problem
        counts: Counter[str] = Counter()
        for line in self.queue_lines():
            counts[line.state] += line.count
        jobs = ', '.join(f'{count} {state}' for state, count in sorted(counts.items()))
        return f'jobs that work on it: {jobs or "none yet"}'

    def step(self, workload: Workload, now: float) -> None:
        """Take in what became of the pilots."""
        self._context.runner.deliver()
        self._context.poller.poll(now)
        self._pilots.step(workload, now)

    def cancel(self, *, force: bool) -> None:
        """Cancel all pilots: they end their runs."""
        self._pilots.cancel(force=force)

    def is_settled(self) -> bool:
        """Whether all commands have been answered, and cancelled pilots have ended."""
        return self._pilots.is_settled and not self._context.runner.pending

    def is_clear(self, now: float) -> bool:
        """Whether no job of the search is left in the queue; what is left is cancelled."""
        return self._leftovers.is_clear(now)

    @property
    def leftovers(self) -> str:
        """Jobs that may be left in the queue all the same, in words; empty: none."""
        return self._leftovers.words

    @property
    def silence(self) -> Silence | None:
        """The answer that the queue owes; None: none."""
        return self._context.poller.silence

    def job_counts(self) -> JobCounts:
        """How many pilots are in the queue, by its answers."""
        accepted = sum(len(array.members) for array in self._pilots.arrays.values() if array.job)
        return JobCounts(accepted, sum(len(array.members) for array in self._pilots.arrays.values()) - accepted)

    def wait(self, timeout: float) -> None:
        """Wait until a command is answered, a signal comes, or the time is over."""
        self._context.wakeup.wait(timeout)

    def queue_lines(self) -> Sequence[QueueLine]:
        """How many pilots wait, and why, and how many run."""
        return self._pilots.queue_lines()

    def avoid(self, nodes: frozenset[str], now: float) -> Avoided:
        """Keep pilots away from nodes, those that are pending included."""
        return self._pilots.avoid(nodes, now)

    def bad_nodes(self) -> Mapping[str, Sequence[Attempt]]:
        """Nodes on which pilots fail at once while others do not."""
        return self._pilots.bad_nodes()

    def close(self) -> None:
        """Let go; pilots go on."""
        self._context.runner.finish(self._context.poller.close_timeout)

    def gpu_lines(self, now: float) -> Sequence[GpuLine]:
        """None: the pilots report their own."""
        return ()
