"""The protocol of a batch system: the argument lists of its commands, and parsers of what they print. Pure.

Nothing here executes anything: :mod:`hpsearch.backends.queue.commands` does, for whatever system it is given. So a new
batch system is one module of argument lists and parsers; what such modules share is at the end of this one.
"""

from __future__ import annotations

import re
import shlex
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from enum import Enum
from typing import NamedTuple, Protocol

from hpsearch.model.evidence import JobRecord


@dataclass(frozen=True, slots=True)
class CommandResult:
    """The result of a command.

    Attributes:
        code: Its exit status; None: it timed out, or could not be executed.
        out: What it wrote to stdout.
        err: What it wrote to stderr; where ``code`` is None, the reason for that.
    """

    code: int | None
    out: str = ''
    err: str = ''

    def problem(self, program: str) -> str:
        """Why the command failed: what it wrote to stderr, else its exit status."""
        return ' '.join(self.err.split()) or f'{program} exited with status {self.code}'


@dataclass(frozen=True, slots=True)
class JobSpec:
    """A job to be submitted; always an array, if only of one element.

    Attributes:
        name: Name of the job; unique, of letters, digits and hyphens.
        size: Number of elements; their indices are 1 to this.
        throttle: Elements that may run at a time; 0: all.
        log: Absolute path of the file for the batch system's own messages.
        memory: MiB of memory instead of the configured amount, or None.
        warning: Seconds before the time limit at which the job's shell gets the signal USR2; 0: never.
        avoided: Nodes it must not run on, beside those that the user excluded.
    """

    name: str
    size: int
    throttle: int
    log: str
    memory: int | None = None
    warning: int = 0
    avoided: tuple[str, ...] = ()


class Refusal(Enum):
    """Why a submission was not accepted."""

    LIMIT = 'limit'
    """Too many jobs for now: fewer may be accepted, or the same number later."""
    CLOSED = 'closed'
    """No job is accepted for now, however few: the same may be accepted later."""
    AWAY = 'away'
    """No answer, or none that can be understood: the submission may even have been accepted."""
    WRONG = 'wrong'
    """It will never be accepted as it is."""


@dataclass(frozen=True, slots=True)
class SubmitResult:
    """The answer to a submission.

    Attributes:
        job: Id of the job; empty when it was not accepted.
        refusal: Why it was not accepted; None when it was.
        message: What the batch system printed about it.
    """

    job: str = ''
    refusal: Refusal | None = None
    message: str = ''


@dataclass(frozen=True, slots=True)
class JobVariables:
    """Names of the environment variables in which a job finds its own identity; each may be unset.

    Attributes:
        index: Index of the element.
        job: Id of the job (of the whole array).
        restarts: How often the batch system restarted it.
        node: The nodes it runs on, the first one first, separated by spaces.
    """

    index: str
    job: str
    restarts: str
    node: str


@dataclass(frozen=True, slots=True)
class QueueLimits:
    """What a batch system accepts and keeps.

    Attributes:
        array: Maximum number of elements of an array.
        has_accounting: Whether it can be asked about jobs that have left the queue.
    """

    array: int = 1000
    has_accounting: bool = True


class BatchSystem(Protocol):
    """The pure half of one batch system."""

    @property
    def name(self) -> str:
        """``slurm`` or ``lsf``."""

    @property
    def variables(self) -> JobVariables:
        """The variables that identify a job from within."""

    @property
    def memory(self) -> int | None:
        """MiB that a job requests; None: not known, so it cannot be raised."""

    @property
    def time_limit(self) -> float | None:
        """Seconds that a job may run; None: not known, or without a limit."""

    @property
    def gpus(self) -> int | None:
        """Number of GPUs that a job requests; None: not known."""

    @property
    def programs(self) -> Sequence[str]:
        """The commands that must be installed."""

    @property
    def problems(self) -> Sequence[str]:
        """Why it cannot do what is requested, one sentence each."""

    def with_requests(self, environ: Mapping[str, str], prologue: str) -> tuple[BatchSystem, Sequence[str]]:
        """It with what the user requests by other means than our options, and sentences on what counts.

        Args:
            environ: The environment of this process.
            prologue: The shell lines before a run, which may have lines such as ``#SBATCH``.
        """

    def environment(self, inherited: Mapping[str, str]) -> dict[str, str]:
        """The environment of its commands: without the variables of a job and without default options."""

    def submit_argv(self, job: JobSpec) -> list[str]:
        """The command that submits the script on its stdin."""

    def submit_stdin(self, script: str, path: str) -> str:
        """The stdin of that command: the script, or lines that execute it.

        Args:
            script: The script.
            path: The file it is in, which the jobs can read.
        """

    def parse_submission(self, answer: CommandResult) -> SubmitResult:
        """Whether the job was accepted."""

    def list_argv(self) -> list[str]:
        """The command that lists all jobs of this user, one line per element."""

    def parse_listing(self, answer: CommandResult) -> Sequence[JobRecord] | None:
        """The listed elements; None: the command failed, and nothing can be concluded. Odd lines are skipped."""

    def job_argv(self, job: str) -> list[str]:
        """The command that lists the elements of one job, by its id, like :meth:`list_argv`."""

    def parse_job(self, answer: CommandResult) -> Sequence[JobRecord] | None:
        """The elements of that job; empty: the system says that it does not know the job; None: the command failed."""

    def accounting_argv(self, jobs: Sequence[str], since: float) -> list[str]:
        """The command that queries the accounting.

        Args:
            jobs: Ids, as in :attr:`JobRecord.job`.
            since: When the oldest of them was submitted, in seconds since 1970.
        """

    def parse_accounting(self, answer: CommandResult) -> Sequence[JobRecord] | None:
        """The elements the accounting knows; None: the command failed."""

    def cancel_argv(self, job: str, indices: Sequence[int], *, whole: bool, force: bool) -> list[str]:
        """The command that cancels elements of a job.

        Args:
            job: Its id.
            indices: The elements.
            whole: Whether no other elements are left.
            force: At once, without giving them time to end.
        """

    def parse_cancel(self, answer: CommandResult) -> str:
        """Why a cancellation failed in a way that is worth another try; empty: it did not."""

    def throttle_argv(self, job: str, throttle: int) -> list[str]:
        """The command that changes how many elements may run at a time; empty: there is none."""

    def trial_argv(self, avoided: Sequence[str]) -> list[str]:
        """The command that shows whether jobs could run without some nodes."""

    def parse_trial(self, answer: CommandResult, avoided: Sequence[str]) -> bool | None:
        """Whether jobs could run without some nodes; None: that is not known."""

    def avoid_argv(self, job: str, avoided: Sequence[str], memory: int | None) -> list[str]:
        """The command that makes the pending elements of a job avoid nodes, and no others but those of the user.

        Args:
            job: Its id.
            avoided: The nodes; empty: none.
            memory: As for :class:`JobSpec`.
        """

    def parse_avoid(self, answer: CommandResult) -> str:
        """Why that failed in a way that is worth another try; empty: it did not."""

    def limits_argv(self) -> list[str]:
        """The command that shows the limits of the system."""

    def parse_limits(self, answer: CommandResult) -> QueueLimits:
        """Its limits; the defaults where it does not state them."""


# What batch systems share

_JOB_VARIABLES = re.compile(
    r'SLURM(?:D|_)|SBATCH_(?:CPU|MEM)_BIND|(?:SQUEUE|SACCT|SCANCEL|SCONTROL|SINFO|SALLOC|SRUN|SLAUNCH)_|LSB_|LSF_|BSUB_'
    r'|LS_(?:JOBPID|EXEC_T|SUBCWD)$|LSFUSER$'
)
"""Variables that a batch system sets in a job, or that set options of its commands."""

_CLUSTER_VARIABLES = re.compile(
    r'SLURM_(?:CONF|CONF_SERVER|JWT|SACK_\w+)'
    r'|LSF_(?:ENVDIR|CONFDIR|SERVERDIR|LIBDIR|BINDIR|TOP)'
    r'|LSB_DEFAULT(?:QUEUE|PROJECT|_JOBGROUP|_USERGROUP)'
)
"""Those of them that the commands need to find their cluster and to authenticate, or that are the user's own choice."""

_JOB_IDS = ('SLURM_JOB_ID', 'SLURM_JOBID', 'LSB_JOBID')

_GPU_VARIABLES = (
    'CUDA_VISIBLE_DEVICES',
    'GPU_DEVICE_ORDINAL',
    'HIP_VISIBLE_DEVICES',
    'ROCR_VISIBLE_DEVICES',
    'ZE_AFFINITY_MASK',
)
"""Variables with the GPUs that a job was given; another job gets others."""


def environment_outside_jobs(inherited: Mapping[str, str]) -> dict[str, str]:
    """The environment as it is outside of jobs: without a job's variables and without default options of commands.

    Args:
        inherited: The environment of this process.
    """
    gpus = _GPU_VARIABLES if any(inherited.get(name) for name in _JOB_IDS) else ()
    return {name: value for name, value in inherited.items() if name not in gpus and not _belongs_to_job(name)}


def _belongs_to_job(name: str) -> bool:
    return bool(_JOB_VARIABLES.match(name)) and not _CLUSTER_VARIABLES.fullmatch(name)


class GivenOption(NamedTuple):
    """An option as a command was given it: its name without dashes (empty: no option), its value, and its words."""

    name: str
    value: str
    words: tuple[str, ...]


def refusals(given: Iterable[GivenOption], source: str, refused: Mapping[str, str], otherwise: str) -> list[str]:
    """Why arguments cannot be used, one sentence each.

    Args:
        given: The arguments.
        source: Where they are from, as the user wrote it.
        refused: Names of options to why they are refused.
        otherwise: What the command would do with a word that is no option.
    """
    reasons = ((each, refused.get(each.name, '') if each.name else f'is no option, and {otherwise}') for each in given)
    return [f'{source}{" ".join(each.words)}: {reason}.' for each, reason in reasons if reason]


def header_words(prologue: str, mark: str) -> tuple[list[str], list[str]]:
    """The words of the lines of a prologue that begin with a mark such as ``#SBATCH``, and what is wrong with lines.

    Args:
        prologue: Shell lines.
        mark: The mark as a regular expression.
    """
    words: list[str] = []
    problems = []
    for line in prologue.splitlines():
        if found := re.match(rf'{mark}\s(.*)', line):
            try:
                words += shlex.split(found[1], comments=True)
            except ValueError as error:
                problems.append(f'_JOB_PROLOGUE: {line}: {error}')
    return words, problems


def format_indices(indices: Collection[int]) -> str:
    """Indices in the short form that batch systems read, as in ``1,3,5-9``."""
    ranges: list[list[int]] = []
    for index in sorted(set(indices)):
        if ranges and ranges[-1][1] == index - 1:
            ranges[-1][1] = index
        else:
            ranges.append([index, index])
    return ','.join(str(first) if first == last else f'{first}-{last}' for first, last in ranges)


def cancel_errors(answer: CommandResult, harmless: Collection[str]) -> list[str] | None:
    """The lines of a failed cancellation that are worth another try; None: it need not be repeated.

    Args:
        answer: Result of the command.
        harmless: Texts of lines which say that there is nothing left to cancel, or that it is being done.
    """
    if answer.code == 0:
        return None
    lines = [line.strip() for line in answer.err.splitlines() if line.strip()]
    errors = [line for line in lines if not any(text in line for text in harmless)]
    return None if lines and not errors and answer.code is not None else errors
