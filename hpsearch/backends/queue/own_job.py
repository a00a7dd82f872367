"""The queue job this process runs in, if any: its id, its time limit, and the signals that announce its end."""

from __future__ import annotations

import os
import signal
from collections.abc import Mapping

from hpsearch.backends.queue.batch_system import environment_outside_jobs
from hpsearch.model.evidence import node_name
from hpsearch.model.usage.host import ALL, Allotted
from hpsearch.store.folder import SearchFolder

ANSWER_TIMEOUT = 10.0
"""Seconds that a scheduler may take to answer."""


def own_job(environ: Mapping[str, str] = os.environ) -> dict[str, str] | None:
    """The job (``queue`` and ``id``) a process with this environment runs in, or None."""
    for queue, variable in (('slurm', 'SLURM_JOB_ID'), ('lsf', 'LSB_JOBID')):
        if environ.get(variable) and (job := _job_id(queue, environ)):
            return {'queue': queue, 'id': job}
    return None


def _job_id(queue: str, environ: Mapping[str, str]) -> str:
    if queue == 'slurm':
        from hpsearch.backends.queue.slurm import system as slurm

        return slurm.own_job(environ)
    from hpsearch.backends.queue.lsf import system as lsf

    return lsf.own_job(environ)


def allotted(environ: Mapping[str, str] = os.environ) -> Allotted:
    """What the queue gave to that job of the node it is on, as its environment tells; all where it does not."""
    job = own_job(environ)
    if job is None:
        return ALL
    if job['queue'] == 'lsf':
        return Allotted(cores=_positive(environ.get('LSB_DJOB_NUMPROC')))
    cores, per_core = _positive(environ.get('SLURM_CPUS_ON_NODE')), _positive(environ.get('SLURM_MEM_PER_CPU'))
    of_cores = cores * per_core if cores and per_core else None
    return Allotted(cores, _positive(environ.get('SLURM_MEM_PER_NODE')) or of_cores)


def _positive(text: str | None) -> int | None:
    return int(text) if text and text.isdecimal() and int(text) else None


def own_job_name(environ: Mapping[str, str] = os.environ) -> str:
    """The name of that job, without the index of an array; empty: it is in none."""
    job = own_job(environ)
    if job is None:
        return ''
    return environ.get('SLURM_JOB_NAME' if job['queue'] == 'slurm' else 'LSB_JOBNAME', '').partition('[')[0]


def own_node(environ: Mapping[str, str] = os.environ) -> str:
    """The node of a cluster that the job of a process with this environment runs on; empty: it is in no job."""
    job = own_job(environ)
    if job is None:
        return ''
    nodes = environ.get('SLURMD_NODENAME' if job['queue'] == 'slurm' else 'LSB_HOSTS', '').split()
    return node_name(nodes[0] if nodes else os.uname().nodename)


def limit_signals(job: Mapping[str, str] | None) -> tuple[signal.Signals, ...]:
    """The signals that the processes of a job get before its time limit, or at it.

    Args:
        job: The result of :func:`own_job`.
    """
    return (signal.SIGUSR2,) if job is not None else ()


def job_end(hours: float | None, begin: float, environ: Mapping[str, str] = os.environ) -> float | None:
    """When the job this process runs in reaches its time limit, in seconds since 1970; None: unknown.

    Args:
        hours: Time limit that the job was submitted with, where the scheduler does not answer; None: unknown.
        begin: When this process began, in seconds since 1970.
        environ: Its environment.
    """
    job = own_job(environ)
    if job is None:
        return None
    if job['queue'] == 'slurm':
        return _slurm_job_end(job['id'], begin, environ)
    return _lsf_job_end(job['id'], hours, begin, environ)


def _lsf_job_end(job: str, hours: float | None, begin: float, environ: Mapping[str, str]) -> float | None:
    from hpsearch.backends.queue.commands import execute, in_english
    from hpsearch.backends.queue.lsf import system as lsf
    from hpsearch.backends.queue.lsf.parsing import parse_job_end

    answer = execute(lsf.long_listing_argv(job), in_english(environment_outside_jobs(environ)), b'', ANSWER_TIMEOUT)
    if answer.code == 0:
        return parse_job_end(answer, begin)
    return None if hours is None else begin + 3600 * hours


def _slurm_job_end(job: str, begin: float, environ: Mapping[str, str]) -> float | None:
    from hpsearch.backends.queue.commands import execute
    from hpsearch.backends.queue.slurm import system as slurm
    from hpsearch.backends.queue.slurm.parsing import parse_time_left

    end = slurm.job_end(environ)
    if end is not None:
        return end
    left = parse_time_left(execute(slurm.time_left_argv(job), environment_outside_jobs(environ), b'', ANSWER_TIMEOUT))
    return None if left is None else begin + left


def is_pilot(folder: SearchFolder) -> bool:
    """Whether this process is in a job that hpsearch submitted for this search."""
    name = own_job_name()
    return bool(name) and '/' not in name and folder.submission(name).script.exists()
