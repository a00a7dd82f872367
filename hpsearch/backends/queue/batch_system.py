"""The contract of the pure half of a queue system: the words of its commands, and what its answers mean.

Nothing here executes anything. :mod:`hpsearch.backends.queue.commands` executes the commands of whatever system it is
given, so a new system is one module of words and parsers.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import Enum
from typing import Protocol

from hpsearch.model.jobs import JobRecord


@dataclass(frozen=True, slots=True)
class CommandResult:
    """What a command said.

    Attributes:
        code: Its exit status; None: it did not answer in time, or could not be executed.
        out: What it printed.
        err: What it complained; where ``code`` is None, why.
    """

    code: int | None
    out: str = ''
    err: str = ''

    def problem(self, program: str) -> str:
        """Why the program did not do what it was asked for, in its own words as far as it has any."""
        return ' '.join(self.err.split()) or f'{program} ended with status {self.code}'


@dataclass(frozen=True, slots=True)
class JobSpec:
    """A job to be submitted; always an array, if only of one element.

    Attributes:
        name: Of its submission; unique, of letters, digits and hyphens.
        size: Number of elements; their indices are 1 to this.
        throttle: Elements that may run at a time; 0: all.
        log: File that the queue system's own messages go to, absolute.
        memory: MiB of memory in place of the usual ones, or None.
        warning: Seconds before its time limit at which the job's shell is to get the signal USR2; 0: none.
    """

    name: str
    size: int
    throttle: int
    log: str
    memory: int | None = None
    warning: int = 0


class Refusal(Enum):
    """Why a job was not accepted."""

    LIMIT = 'limit'
    """So many are not accepted now: fewer may be, or later."""
    AWAY = 'away'
    """No answer, or none that says anything: it may even have been accepted."""
    WRONG = 'wrong'
    """It never will be accepted as it is."""


@dataclass(frozen=True, slots=True)
class Submitted:
    """The answer to a submission.

    Attributes:
        job: The id of the job; empty when it was not accepted.
        refusal: Why not; None when it was accepted.
        words: The queue system's own words about it.
    """

    job: str = ''
    refusal: Refusal | None = None
    words: str = ''


@dataclass(frozen=True, slots=True)
class JobVariables:
    """Names of the environment variables by which a job knows itself; each may be unset.

    Attributes:
        index: Which element it is.
        job: Id of the job (of the whole array).
        restarts: How often the system restarted it.
    """

    index: str
    job: str
    restarts: str


@dataclass(frozen=True, slots=True)
class QueueLimits:
    """What a queue system accepts and keeps.

    Attributes:
        array: Elements of one array at most.
        has_accounting: Whether it can be asked for jobs that have left the queue.
    """

    array: int = 1000
    has_accounting: bool = True


class BatchSystem(Protocol):
    """The pure half of one queue system."""

    @property
    def name(self) -> str:
        """``slurm`` or ``lsf``."""

    @property
    def variables(self) -> JobVariables:
        """By which a job knows itself."""

    @property
    def memory(self) -> int | None:
        """MiB a job asks for; None: it is not told, so it cannot be raised."""

    @property
    def programs(self) -> Sequence[str]:
        """The commands that must be there."""

    @property
    def unsupported(self) -> str:
        """Why it cannot do what the options ask for, in words; empty: it can."""

    def environment(self, inherited: Mapping[str, str]) -> dict[str, str]:
        """What its commands inherit: without what tells a job of its own allocation, and without set options."""

    def submit_argv(self, job: JobSpec) -> list[str]:
        """The command that submits the script on its stdin."""

    def submit_stdin(self, script: str, path: str) -> str:
        """What that command reads: the script, or what executes it.

        Args:
            script: The script.
            path: The file it is in, which the jobs can read.
        """

    def parse_submission(self, answer: CommandResult) -> Submitted:
        """What it answered."""

    def list_argv(self) -> list[str]:
        """The command that lists all jobs of this user, every element in a line of its own."""

    def parse_listing(self, answer: CommandResult) -> Sequence[JobRecord] | None:
        """What it lists; None: it did not answer, and nothing follows from that. A line of no sense is passed over."""

    def accounting_argv(self, jobs: Sequence[str], since: float) -> list[str]:
        """The command that tells what became of jobs, by their ids.

        Args:
            jobs: Ids, as in :attr:`JobRecord.job`.
            since: When the oldest of them was submitted, in seconds since 1970.
        """

    def parse_accounting(self, answer: CommandResult) -> Sequence[JobRecord] | None:
        """What it tells; None: it did not answer."""

    def cancel_argv(self, job: str, indices: Sequence[int], *, whole: bool, force: bool) -> list[str]:
        """The command that ends elements of a job.

        Args:
            job: Its id.
            indices: Which elements.
            whole: Whether that is all there is of it.
            force: At once, without asking them.
        """

    def parse_cancel(self, answer: CommandResult) -> str:
        """Why a cancellation failed in a way that is worth another try; empty: it did not."""

    def throttle_argv(self, job: str, throttle: int) -> list[str]:
        """The command that changes how many elements may run at a time; empty: there is none."""

    def limits_argv(self) -> list[str]:
        """The command that tells what the system accepts."""

    def parse_limits(self, answer: CommandResult) -> QueueLimits:
        """What it accepts; the usual, where it does not say."""

    def own_job(self, environ: Mapping[str, str]) -> str:
        """The job this process runs in, as ``id`` or ``id_index``; empty: in none of this system."""
