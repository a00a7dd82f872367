"""Slurm: the argument lists of its commands. Pure; :mod:`hpsearch.backends.queue.slurm.parsing` parses their output."""

from __future__ import annotations

import math
import os
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime

from hpsearch.backends.queue.batch_system import (
    CommandResult,
    JobSpec,
    JobVariables,
    QueueLimits,
    SubmitResult,
    environment_outside_jobs,
    format_indices,
)
from hpsearch.backends.queue.slurm import parsing
from hpsearch.backends.queue.slurm.options import (
    SlurmOptions,
    problems_of,
    submission_environment,
    value_of,
    with_environment,
    with_header,
)
from hpsearch.model.evidence import JobRecord

DAY = 86400.0


@dataclass(frozen=True, slots=True)
class Slurm:
    """The pure half for Slurm.

    Attributes:
        options: What a job requests.
        user: Numeric id of the user whose jobs are listed.
        header_problems: What is wrong with the ``#SBATCH`` lines of a prologue.
    """

    options: SlurmOptions
    user: int = field(default_factory=os.getuid)
    header_problems: tuple[str, ...] = ()

    @property
    def name(self) -> str:
        """``slurm``."""
        return 'slurm'

    @property
    def variables(self) -> JobVariables:
        """The variables that identify a job from within."""
        return JobVariables('SLURM_ARRAY_TASK_ID', 'SLURM_ARRAY_JOB_ID', 'SLURM_RESTART_COUNT', 'SLURMD_NODENAME')

    @property
    def memory(self) -> int | None:
        """MiB a job requests; None: not stated, or all of a node."""
        return in_mib(self.options.mem)

    @property
    def time_limit(self) -> float | None:
        """Seconds that a job may run; None: without a limit."""
        return parsing.parse_time_limit(_time_option(self.options))

    @property
    def gpus(self) -> int | None:
        """Number of GPUs a job requests with ``--gres``; None: not known, for instance requested in another way."""
        if any(word.startswith(('--gpus', '-G')) for word in self.options.extra):
            return None
        gres = value_of(self.options.extra, 'gres') or self.options.gres
        counts = [_gpus_of(each) for each in gres.split(',')]
        return sum(counts) or None

    @property
    def programs(self) -> Sequence[str]:
        """The commands that must be installed; sacct is not needed where there is no accounting."""
        return ('sbatch', 'squeue', 'scancel', 'scontrol')

    @property
    def problems(self) -> Sequence[str]:
        """Why what is requested cannot be done; Slurm itself reports most of it."""
        problems = [*self.header_problems, *problems_of(self.options.extra, '--slurm_extra=')]
        if not re.fullmatch(r'[^,\s]*', self.options.clusters):
            problems.append(
                f'--slurm_clusters={self.options.clusters}: one cluster is expected, where its jobs are followed.'
            )
        return problems

    def with_requests(self, environ: Mapping[str, str], prologue: str) -> tuple[Slurm, Sequence[str]]:
        """It with what the user's environment and the ``#SBATCH`` lines of a prologue request, and what to report."""
        options, notes = with_environment(self.options, environ)
        options, more, problems = with_header(options, prologue)
        return replace(self, options=options, header_problems=tuple(problems)), [*notes, *more]

    def environment(self, inherited: Mapping[str, str]) -> dict[str, str]:
        """The environment of its commands: without the variables of a job and what breaks the bookkeeping.

        Lists of indices are printed in full, not up to a length.
        """
        return {**submission_environment(environment_outside_jobs(inherited), self.options), 'SLURM_BITSTR_LEN': '0'}

    def submit_argv(self, job: JobSpec) -> list[str]:
        """The command that submits the script on its stdin.

        A different amount of memory comes last, where it overrides that of the further arguments.
        """
        log = log_pattern(job.log)
        throttle = f'%{job.throttle}' if job.throttle else ''
        return [
            *self._command('sbatch'),
            *('--parsable', f'--job-name={job.name}', f'--array=1-{job.size}{throttle}'),
            *self._resource_options(),
            *('--no-requeue', '--open-mode=append', f'--output={log}', f'--error={log}'),
            *([f'--signal=B:USR2@{job.warning}'] if job.warning else ()),
            *self.options.extra,
            *([f'--exclude={self._excluded(job.avoided)}'] if job.avoided else ()),
            *([f'--mem={job.memory}M'] if job.memory is not None else ()),
        ]

    def _excluded(self, avoided: Sequence[str]) -> str:
        """Nodes in the form of sbatch, with those that the user excludes: the last option counts alone."""
        requested = self.submit_argv(JobSpec('', 1, 0, ''))
        return ','.join(filter(None, (value_of(requested, 'exclude', 'x'), *avoided)))

    def _command(self, program: str) -> list[str]:
        return [program, *([f'--clusters={self.options.clusters}'] if self.options.clusters else [])]

    def _resource_options(self) -> list[str]:
        requested = {
            'time': self.options.time or f'{self.options.hours}:00:00',
            'mem': self.options.mem,
            'gres': self.options.gres,
            'cpus-per-task': self.options.cpus,
            'partition': self.options.partition,
            'qos': self.options.qos,
            'constraint': self.options.constraint,
            'account': self.options.account,
        }
        return [f'--{name}={value}' for name, value in requested.items() if value]

    def submit_stdin(self, script: str, path: str) -> str:
        """The stdin of that command: the script."""
        return script

    def parse_submission(self, answer: CommandResult) -> SubmitResult:
        """Whether the job was accepted."""
        return parsing.parse_submission(answer)

    def list_argv(self) -> list[str]:
        """The command that lists all jobs of this user, one line per element.

        It also shows jobs that have ended, for as long as the controller keeps them (``MinJobAge``, usually five
        minutes), and those in partitions that are hidden from ordinary users.
        """
        return [*self._command('squeue'), *_ALL_ELEMENTS, f'--user={self.user}']

    def parse_listing(self, answer: CommandResult) -> Sequence[JobRecord] | None:
        """The listed elements; None: it failed."""
        return parsing.parse_listing(answer)

    def job_argv(self, job: str) -> list[str]:
        """The command that lists the elements of one job.

        Asked for a single job, the controller itself says whether it knows it; of several, squeue leaves out those that
        it does not find.
        """
        return [*self._command('squeue'), *_ALL_ELEMENTS, f'--jobs={job}']

    def parse_job(self, answer: CommandResult) -> Sequence[JobRecord] | None:
        """The elements of that job; empty: the controller does not know it; None: the command failed."""
        return parsing.parse_job(answer)

    def accounting_argv(self, jobs: Sequence[str], since: float) -> list[str]:
        """The command that queries the accounting about jobs, by their ids.

        By default it only covers today. The start time allows for a controller whose clock is behind ours.
        """
        start = datetime.fromtimestamp(max(0.0, since - DAY)).strftime('%Y-%m-%dT%H:%M:%S')
        argv = [*self._command('sacct'), '--noheader', '--parsable2', '--allocations', f'--starttime={start}']
        return [*argv, f'--format={parsing.ACCOUNTING_FIELDS}', f'--jobs={",".join(jobs)}']

    def parse_accounting(self, answer: CommandResult) -> Sequence[JobRecord] | None:
        """The elements it knows; None: it failed."""
        return parsing.parse_accounting(answer)

    def cancel_argv(self, job: str, indices: Sequence[int], *, whole: bool, force: bool) -> list[str]:
        """The command that cancels elements of a job: TERM to all their processes, and KILL after ``KillWait``.

        ``force`` changes nothing: ``KillWait`` is half a minute on most clusters, and killing a job at once has side
        effects. ``--signal=KILL`` for one pending element ends all pending ones (seen with 22.05), and with ``--batch``
        the job has *failed*.
        """
        if whole:
            return [*self._command('scancel'), job]
        chosen = format_indices(indices)
        return [*self._command('scancel'), f'{job}_{chosen}' if chosen.isdecimal() else f'{job}_[{chosen}]']

    def parse_cancel(self, answer: CommandResult) -> str:
        """Why a cancellation failed in a way that is worth another try; empty: it did not."""
        return parsing.parse_cancel(answer)

    def throttle_argv(self, job: str, throttle: int) -> list[str]:
        """The command that changes how many elements may run at a time."""
        return [*self._command('scontrol'), 'update', f'JobId={job}', f'ArrayTaskThrottle={throttle}']

    def trial_argv(self, avoided: Sequence[str]) -> list[str]:
        """The command that shows whether jobs could run without some nodes."""
        job = JobSpec('hps-trial', 1, 0, '/dev/null', avoided=tuple(avoided))
        return [*self.submit_argv(job), '--test-only', '--wrap=:']

    def parse_trial(self, answer: CommandResult, avoided: Sequence[str]) -> bool | None:
        """Whether jobs could run without some nodes; None: that is not known."""
        return parsing.parse_trial(answer)

    def avoid_argv(self, job: str, avoided: Sequence[str], memory: int | None) -> list[str]:
        """The command that makes the pending elements of a job avoid nodes; it fails for those that have begun."""
        return [*self._command('scontrol'), 'update', f'JobId={job}', f'ExcNodeList={self._excluded(avoided)}']

    def parse_avoid(self, answer: CommandResult) -> str:
        """Why that failed in a way that is worth another try; empty: it did not."""
        return parsing.parse_avoid(answer)

    def limits_argv(self) -> list[str]:
        """The command that shows the limits of the system."""
        return [*self._command('scontrol'), 'show', 'config']

    def parse_limits(self, answer: CommandResult) -> QueueLimits:
        """Its limits; the defaults where it does not state them."""
        return parsing.parse_limits(answer)


_ALL_ELEMENTS = ('--all', '--noheader', '--array', '--states=all', f'--format={parsing.LISTING_FIELDS}')

_GPUS = re.compile(r'(?:gres/)?gpu(?::[A-Za-z][^:]*)?(?::(\d+))?(?:\(.*\))?')


def _gpus_of(gres: str) -> int:
    found = _GPUS.fullmatch(gres.strip())
    return int(found[1] or 1) if found else 0


def _time_option(options: SlurmOptions) -> str:
    """The time limit that sbatch takes: the last one that it is given."""
    return value_of(options.extra, 'time', 't') or options.time or f'{options.hours}:00:00'


_MEMORY = re.compile(r'(\d+)([KMGT]?)B?', re.IGNORECASE)
_IN_MIB = {'K': 1 / 1024, '': 1.0, 'M': 1.0, 'G': 1024.0, 'T': 1024.0**2}


def in_mib(text: str) -> int | None:
    """An amount of memory in the format of sbatch, in MiB; None: none is requested, or all of a node (0).

    Args:
        text: A whole number, with the suffix K, M, G or T; without one it is in MiB.
    """
    found = _MEMORY.fullmatch(text.strip())
    return math.ceil(int(found[1]) * _IN_MIB[found[2].upper()]) or None if found else None


def log_pattern(path: str) -> str:
    """The pattern for a path that sbatch takes literally.

    Percent signs are doubled; but in a pattern with a backslash sbatch takes percent signs literally, and backslashes
    are doubled.
    """
    return path.replace('\\', '\\\\') if '\\' in path else path.replace('%', '%%')


# The job of this process


def own_job(environ: Mapping[str, str]) -> str:
    """The Slurm job that a process with this environment runs in, as ``id`` or ``id_index``; empty: in none.

    A shell that salloc opened on a login node has a job, but does not run in it and does not end with it. Only on a
    node of the job there is a variable with the name of that node.
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
        None where Slurm is too old to provide it (22.05 is): use :func:`time_left_argv` then.
    """
    text = environ.get('SLURM_JOB_END_TIME', '')
    return float(text) if own_job(environ) and text.isdecimal() and int(text) else None


def time_left_argv(job: str) -> list[str]:
    """The command that prints how long a job may still run; see :func:`.parsing.parse_time_left`."""
    return ['squeue', '--noheader', f'--jobs={job}', '--format=%L']
