"""Jobs of a queue that work on a search by themselves: how many there should be, and what they execute. Pure."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field

from hpsearch.backends.queue.batch_system import BatchSystem, JobSpec
from hpsearch.backends.queue.job_script import pilot_script
from hpsearch.model.command import shell_line
from hpsearch.model.jobs import JobState
from hpsearch.store.folder import SearchFolder

YOUNG = 60.0
"""Seconds a job may run before it is expected to have begun its runs: until then they seem to wait for another one."""

HIT = ('preempted', 'node_fail', 'boot_fail')
"""Causes of ends for which a job that started no run is not to blame."""


@dataclass(frozen=True)
class PilotSettings:
    """How pilots are made.

    Attributes:
        num_jobs: Pilots at a time.
        runs_per_job: Runs that each has at a time.
        argv: The command each executes.
        prologue: Shell lines before it.
        warning: Seconds before its time limit at which it is told to end.
        holds: Whether to go on submitting; otherwise only as many are submitted as there is work for now.
    """

    num_jobs: int
    runs_per_job: int
    argv: tuple[str, ...]
    prologue: str = ''
    warning: int = 0
    holds: bool = True


@dataclass(frozen=True, slots=True)
class Workload:
    """How much there is to do, as the dispatcher counts it: runs that wait, and attempts that were ever started."""

    waiting: int
    started: int


@dataclass(slots=True, eq=False)
class PilotArray:
    """One submission.

    Attributes:
        name: Of its jobs.
        left: Indices of those that have not ended.
        started: Attempts that had been started when it was submitted.
        at: When that was, in seconds since 1970.
        job: Its id; empty while it is not known.
        is_sent: Whether the queue was asked to accept it and has not answered.
        is_lost: Whether the answer was lost: it may have been accepted.
        retry_at: When a lost one is looked for, in monotonic seconds.
        tries: How often it was sent.
        running_since: Index to when it was first seen running, in monotonic seconds.
        to_cancel: Indices whose cancellation is still to be asked for.
        force: Whether without asking them.
        is_to_blame: Whether one of them ended for no reason of the queue's own.
    """

    name: str
    left: set[int]
    started: int
    at: float
    job: str = ''
    is_sent: bool = False
    is_lost: bool = False
    retry_at: float = 0.0
    tries: int = 0
    running_since: dict[int, float] = field(default_factory=dict)
    to_cancel: set[int] = field(default_factory=set)
    force: bool = False
    is_to_blame: bool = False

    def is_all(self, indices: Collection[int]) -> bool:
        """Whether these are all of its jobs that are left."""
        return len(indices) == len(self.left)


def pilots_needed(work: Workload, alive: int, pending: int, settings: PilotSettings) -> int:
    """How many more pilots there is work for.

    Args:
        work: What there is to do.
        alive: Pilots that have not ended.
        pending: Those of them that do not work yet.
        settings: How many there may be, and how many runs each has.
    """
    wanted = -(-work.waiting // settings.runs_per_job) - pending
    return max(0, min(settings.num_jobs - alive, wanted))


def count_idle(kinds: Mapping[int, JobState], running_since: Mapping[int, float], now: float) -> int:
    """How many pilots do not work yet: those that wait, and those that have only just begun.

    Args:
        kinds: Index to what is known of a pilot.
        running_since: Index to when it was first seen running, in monotonic seconds.
        now: Monotonic seconds.
    """
    return sum(
        kind is not JobState.RUNNING or now - running_since.get(index, now) < YOUNG for index, kind in kinds.items()
    )


def pilot_text(folder: SearchFolder, cwd: str, system: BatchSystem, settings: PilotSettings, job: JobSpec) -> str:
    """The script of jobs that work on a search.

    Args:
        folder: The search.
        cwd: Their working directory.
        system: The queue system.
        settings: How they are made.
        job: How they are submitted.
    """
    return pilot_script(
        folder=folder,
        name=job.name,
        argv=settings.argv,
        cwd=cwd,
        variables=system.variables,
        prologue=settings.prologue,
        header=shell_line(system.submit_argv(job)),
    )
