"""Slurm: the words of its commands. Pure; what its answers mean is in :mod:`hpsearch.backends.queue.slurm.parsing`."""

from __future__ import annotations

import math
import os
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from hpsearch.backends.queue.batch_system import CommandResult, JobSpec, JobVariables, QueueLimits, Submitted
from hpsearch.backends.queue.queue_words import index_list, outside_of_jobs
from hpsearch.backends.queue.slurm import parsing as slurm_answers
from hpsearch.backends.queue.slurm.parsing import ACCOUNTING_FIELDS, LISTING_FIELDS
from hpsearch.model.jobs import JobRecord

DAY = 86400.0


@dataclass(frozen=True, slots=True)
class SlurmOptions:
    """What the jobs ask for, each as sbatch writes it; what is empty is not asked for.

    Attributes:
        mem: Memory of a job.
        gres: Generic resources: GPUs.
        partition: Where.
        qos: Quality of service.
        constraint: What nodes must have.
        account: On whose account.
        time: Time limit, in place of ``hours``.
        cpus: Processors of a job.
        extra: Further words for sbatch; they overrule the others.
        hours: Time limit of a job.
    """

    mem: str = '8G'
    gres: str = 'gpu:1'
    partition: str = ''
    qos: str = ''
    constraint: str = ''
    account: str = ''
    time: str = ''
    cpus: str = ''
    extra: tuple[str, ...] = ()
    hours: int = 24


@dataclass(frozen=True, slots=True)
class Slurm:
    """The pure half for Slurm.

    Attributes:
        options: What the jobs ask for.
        user: Number of the user whose jobs are listed.
    """

    options: SlurmOptions
    user: int = field(default_factory=os.getuid)

    @property
    def name(self) -> str:
        """``slurm``."""
        return 'slurm'

    @property
    def variables(self) -> JobVariables:
        """By which a job knows itself."""
        return JobVariables(index='SLURM_ARRAY_TASK_ID', job='SLURM_ARRAY_JOB_ID', restarts='SLURM_RESTART_COUNT')

    @property
    def memory(self) -> int | None:
        """MiB a job asks for; None: it does not say, or a whole node's."""
        return in_mib(self.options.mem)

    @property
    def programs(self) -> Sequence[str]:
        """The commands that must be there; without accounting there need be no sacct."""
        return ('sbatch', 'squeue', 'scancel', 'scontrol')

    @property
    def unsupported(self) -> str:
        """Empty: what it cannot do, Slurm tells when it is asked."""
        return ''

    def environment(self, inherited: Mapping[str, str]) -> dict[str, str]:
        """What its commands inherit: without what tells a job of its own allocation, and without set options.

        Lists of indices are to be printed whole, not up to a length.
        """
        return {**outside_of_jobs(inherited), 'SLURM_BITSTR_LEN': '0'}

    def submit_argv(self, job: JobSpec) -> list[str]:
        """The command that submits the script on its stdin.

        Memory in place of the usual comes last, where it overrules what the further words say of it.
        """
        log = log_pattern(job.log)
        throttle = f'%{job.throttle}' if job.throttle else ''
        return [
            *('sbatch', '--parsable', f'--job-name={job.name}', f'--array=1-{job.size}{throttle}'),
            *self._resource_words(),
            *('--no-requeue', '--open-mode=append', f'--output={log}', f'--error={log}'),
            *([f'--signal=B:USR2@{job.warning}'] if job.warning else ()),
            *self.options.extra,
            *([f'--mem={job.memory}M'] if job.memory is not None else ()),
        ]

    def _resource_words(self) -> list[str]:
        asked = {
            'time': self.options.time or f'{self.options.hours}:00:00',
            'mem': self.options.mem,
            'gres': self.options.gres,
            'cpus-per-task': self.options.cpus,
            'partition': self.options.partition,
            'qos': self.options.qos,
            'constraint': self.options.constraint,
            'account': self.options.account,
        }
        return [f'--{name}={value}' for name, value in asked.items() if value]

    def submit_stdin(self, script: str, path: str) -> str:
        """What that command reads: the script."""
        return script

    def parse_submission(self, answer: CommandResult) -> Submitted:
        """What it answered."""
        return slurm_answers.parse_submission(answer)

    def list_argv(self) -> list[str]:
        """The command that lists all jobs of this user, every element in a line of its own.

        It shows what has ended, too, for as long as the controller remembers it (``MinJobAge``, usually five minutes).
        """
        return ['squeue', '--noheader', '--array', '--states=all', f'--user={self.user}', f'--format={LISTING_FIELDS}']

    def parse_listing(self, answer: CommandResult) -> Sequence[JobRecord] | None:
        """What it lists; None: it did not answer."""
        return slurm_answers.parse_listing(answer)

    def accounting_argv(self, jobs: Sequence[str], since: float) -> list[str]:
        """The command that tells what became of jobs, by their ids.

        Without a start time it may know nothing of yesterday; ours may go before the clock of the controller.
        """
        start = datetime.fromtimestamp(max(0.0, since - DAY)).strftime('%Y-%m-%dT%H:%M:%S')
        words = ['sacct', '--noheader', '--parsable2', '--allocations', f'--starttime={start}']
        return [*words, f'--format={ACCOUNTING_FIELDS}', f'--jobs={",".join(jobs)}']

    def parse_accounting(self, answer: CommandResult) -> Sequence[JobRecord] | None:
        """What it tells; None: it did not answer."""
        return slurm_answers.parse_accounting(answer)

    def cancel_argv(self, job: str, indices: Sequence[int], *, whole: bool, force: bool) -> list[str]:
        """The command that ends elements of a job: by TERM to all their processes, and by KILL after ``KillWait``.

        ``force`` changes nothing. Slurm ends what it was told to end, whether anybody still asks or not, within half a
        minute on most clusters; and its way to end a job at once is none for us: ``--signal=KILL`` for one element that
        waits ends all that wait (seen with 22.05), and with ``--batch`` the job has *failed*.
        """
        if whole:
            return ['scancel', job]
        chosen = index_list(indices)
        return ['scancel', f'{job}_{chosen}' if chosen.isdecimal() else f'{job}_[{chosen}]']

    def parse_cancel(self, answer: CommandResult) -> str:
        """Why a cancellation failed in a way that is worth another try; empty: it did not."""
        return slurm_answers.parse_cancel(answer)

    def throttle_argv(self, job: str, throttle: int) -> list[str]:
        """The command that changes how many elements may run at a time."""
        return ['scontrol', 'update', f'JobId={job}', f'ArrayTaskThrottle={throttle}']

    def limits_argv(self) -> list[str]:
        """The command that tells what the system accepts."""
        return ['scontrol', 'show', 'config']

    def parse_limits(self, answer: CommandResult) -> QueueLimits:
        """What it accepts; the usual, where it does not say."""
        return slurm_answers.parse_limits(answer)

    def own_job(self, environ: Mapping[str, str]) -> str:
        """The job this process runs in, as ``id`` or ``id_index``; empty: in none of this system."""
        return own_job(environ)


_MEMORY = re.compile(r'(\d+)([KMGT]?)B?', re.IGNORECASE)
_IN_MIB = {'K': 1 / 1024, '': 1.0, 'M': 1.0, 'G': 1024.0, 'T': 1024.0**2}


def in_mib(text: str) -> int | None:
    """An amount of memory as sbatch reads it, in MiB; None: none is asked for, or a whole node's (0).

    Args:
        text: A whole number, with K, M, G or T behind it; without it is in MiB.
    """
    found = _MEMORY.fullmatch(text.strip())
    return math.ceil(int(found[1]) * _IN_MIB[found[2].upper()]) or None if found else None


def log_pattern(path: str) -> str:
    """The pattern that sbatch makes this very path of.

    A percent sign is doubled; but where there is a backslash sbatch takes percent signs as they are, and backslashes
    are doubled.
    """
    return path.replace('\\', '\\\\') if '\\' in path else path.replace('%', '%%')


# The job this process is in


def own_job(environ: Mapping[str, str]) -> str:
    """The job a process with this environment runs in, as ``id`` or ``id_index``; empty: in none of Slurm's.

    A shell that salloc opened on a login node has a job, but is not in it: what runs there does not end with the job.
    Only what runs on a node of the job is told the name of that node.
    """
    if not environ.get('SLURMD_NODENAME'):
        return ''
    array, index = environ.get('SLURM_ARRAY_JOB_ID', ''), environ.get('SLURM_ARRAY_TASK_ID', '')
    if array.isdecimal() and index.isdecimal():
        return f'{array}_{index}'
    job = environ.get('SLURM_JOB_ID', '')
    return job if job.isdecimal() else ''


def job_end(environ: Mapping[str, str]) -> float | None:
    """When the job of a process with this environment reaches its time limit, in seconds since 1970.

    Returns:
        None where Slurm is too old to tell (22.05 is): :func:`time_left_argv` asks.
    """
    text = environ.get('SLURM_JOB_END_TIME', '')
    return float(text) if own_job(environ) and text.isdecimal() and int(text) else None


def time_left_argv(job: str) -> list[str]:
    """The command that tells how long a job may still run; :func:`.slurm_answers.parse_time_left` reads its answer."""
    return ['squeue', '--noheader', f'--jobs={job}', '--format=%L']
