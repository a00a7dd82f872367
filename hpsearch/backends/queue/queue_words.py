"""What the words of queue systems share: lists of indices, complaints, an environment that is no job's. Pure."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping

from hpsearch.backends.queue.batch_system import CommandResult

_OF_A_QUEUE = re.compile(
    r'SLURM(?:D|_)|(?:SBATCH|SQUEUE|SACCT|SCANCEL|SCONTROL|SINFO|SALLOC|SRUN|SLAUNCH)_|LSB_|LSF_|BSUB_'
    r'|LS_(?:JOBPID|EXEC_T|SUBCWD)$|LSFUSER$'
)
"""Variables that a job gets from its queue system, or that set options of its commands."""

_OF_THE_CLUSTER = re.compile(
    r'SLURM_(?:CONF|CONF_SERVER|JWT|SACK_\w+)'
    r'|LSF_(?:ENVDIR|CONFDIR|SERVERDIR|LIBDIR|BINDIR|TOP)'
    r'|LSB_DEFAULT(?:QUEUE|PROJECT)'
)
"""Of these, what the commands need to find their cluster, and to be let in."""

_JOB_IDS = ('SLURM_JOB_ID', 'SLURM_JOBID', 'LSB_JOBID')

_GPUS = (
    'CUDA_VISIBLE_DEVICES',
    'GPU_DEVICE_ORDINAL',
    'HIP_VISIBLE_DEVICES',
    'ROCR_VISIBLE_DEVICES',
    'ZE_AFFINITY_MASK',
)
"""What a queue system says of the GPUs of a job: another job has others."""


def outside_of_jobs(inherited: Mapping[str, str]) -> dict[str, str]:
    """An environment as it is where nothing was submitted: neither a job's own variables nor options of commands.

    Args:
        inherited: The environment of this process.
    """
    gpus = _GPUS if any(inherited.get(name) for name in _JOB_IDS) else ()
    return {name: value for name, value in inherited.items() if name not in gpus and not _is_of_a_queue(name)}


def _is_of_a_queue(name: str) -> bool:
    return bool(_OF_A_QUEUE.match(name)) and not _OF_THE_CLUSTER.fullmatch(name)


def index_list(indices: Collection[int]) -> str:
    """Indices in the short form that queue systems read, as in ``1,3,5-9``."""
    ranges: list[list[int]] = []
    for index in sorted(set(indices)):
        if ranges and ranges[-1][1] == index - 1:
            ranges[-1][1] = index
        else:
            ranges.append([index, index])
    return ','.join(str(first) if first == last else f'{first}-{last}' for first, last in ranges)


def open_complaints(answer: CommandResult, harmless: Collection[str]) -> list[str] | None:
    """What a cancellation complained of that is worth another try; None: nothing is.

    Args:
        answer: Of the command.
        harmless: What stands in lines that say that there was nothing to be ended, or that it is being done.
    """
    if answer.code == 0:
        return None
    lines = [line.strip() for line in answer.err.splitlines() if line.strip()]
    left = [line for line in lines if not any(text in line for text in harmless)]
    return None if lines and not left and answer.code is not None else left
