"""The queue system that options request: what it is asked for, and whether it is there and answers."""

from __future__ import annotations

import itertools
import logging
import os
import shutil
import time
from collections.abc import Callable, Sequence
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

from hpsearch.backends.queue.own_job import ANSWER_TIMEOUT
from hpsearch.cli.backends.prologue import prologue_of
from hpsearch.cli.options import SearchOptions
from hpsearch.model.configuration import Configuration
from hpsearch.model.errors import BackendError, ConfigError
from hpsearch.model.units import count_of, duration

if TYPE_CHECKING:
    from hpsearch.backends.queue.batch_system import BatchSystem
    from hpsearch.backends.queue.lsf.parsing import Dialect

NOTHING_CHANGED = 'Nothing was changed. Try again later; run, resume and join wait for it with --wait_for_queue.'
"""What is said of a queue that does not answer, in sentences."""

log = logging.getLogger('hpsearch')


def check_queue(
    options: SearchOptions, sleep: Callable[[float], object] = time.sleep, otherwise: str = NOTHING_CHANGED
) -> None:
    """Ask the queue, if there is one, a question: before it has answered, nothing is written or claimed.

    Args:
        options: Of the search.
        sleep: Waits for so many seconds.
        otherwise: What to do where it does not answer, in sentences.

    Raises:
        ConfigError: It is not installed here.
        BackendError: It does not answer. With ``--wait_for_queue``, it is asked again with growing pauses instead.
    """
    if not options.cluster.run_cluster:
        return
    from hpsearch.backends.queue.poller import list_jobs
    from hpsearch.backends.queue.submission import retry_pause

    system = installed_system(options)
    for tries in itertools.count(1):
        problem = list_jobs(system).problem
        if not problem:
            return
        if not options.cluster.wait_for_queue:
            raise BackendError(f'{system.name} does not answer: {problem}. {otherwise}')
        pause = retry_pause(tries)
        log.warning('%s does not answer, it is asked again in %s: %s', system.name, duration(pause), problem)
        sleep(pause)


def installed_system(options: SearchOptions) -> BatchSystem:
    """The queue system that was requested.

    Raises:
        ConfigError: It is not installed here.
    """
    name = options.cluster.scheduler
    system = system_named(name, options)
    missing = [program for program in system.programs if shutil.which(program) is None]
    if missing:
        other = 'lsf' if name == 'slurm' else 'slurm'
        raise ConfigError(
            [
                f'--scheduler={name}: {", ".join(missing)} not found on PATH. Are jobs submitted from this machine? '
                f'The other choice is --scheduler={other}. hpsearch status and hpsearch-postprocess work without them.'
            ]
        )
    return system


def requested_system(options: SearchOptions, configuration: Configuration) -> tuple[BatchSystem, Sequence[str]]:
    """The queue system, installed or not, with all that is requested of it; and what to report about that.

    Requests are our options, the environment of this process and the lines of prologues.

    Raises:
        ConfigError: With everything that it cannot do.
    """
    system = system_named(options.cluster.scheduler, options)
    system, notes = system.with_requests(os.environ, prologue_of(options.cluster, configuration))
    problems = [*system.problems, *gpu_problems(options, system)]
    if problems:
        raise ConfigError(problems)
    return system, notes


_MORE_GPUS = {'slurm': '--slurm_gres=gpu:{}', 'lsf': '--lsf_gpu=num={} or in --resources'}
"""How more GPUs are requested for a job."""


def gpu_problems(options: SearchOptions, system: BatchSystem) -> list[str]:
    """Why a job does not have the GPUs that a run needs, as far as that is known."""
    per_run, gpus = options.local.gpus_per_run, system.gpus
    if per_run == 1 or gpus is None or gpus >= per_run:
        return []
    more = _MORE_GPUS[system.name].format(per_run)
    return [f'--gpus_per_run={per_run}: a job requests only {count_of(gpus, "GPU")}; request more with {more}.']


def system_named(name: str, options: SearchOptions) -> BatchSystem:
    """The queue system of a name, whether it is installed or not."""
    return _slurm(options) if name == 'slurm' else _lsf(options)


def _slurm(options: SearchOptions) -> BatchSystem:
    from hpsearch.backends.queue.slurm.options import SlurmOptions
    from hpsearch.backends.queue.slurm.system import Slurm

    chosen = {name.removeprefix('slurm_'): value for name, value in vars(options.sbatch).items()}
    chosen['extra'] = with_listed_nodes(chosen['extra'])
    return Slurm(SlurmOptions(hours=options.cluster.num_hours, **chosen))


def with_listed_nodes(extra: tuple[str, ...]) -> tuple[str, ...]:
    """Arguments of sbatch, in which nodes to exclude that are in a file are named: others may have to be added to them.

    Raises:
        ConfigError: The file cannot be read.
    """
    from hpsearch.backends.queue.slurm.options import value_of

    path = value_of(extra, 'exclude', 'x')
    if '/' not in path:
        return extra
    file = os.path.expanduser(path)
    extra = tuple(word.removesuffix(path) + file if word.endswith(path) else word for word in extra)
    try:
        return (*extra, f'--exclude={",".join(Path(file).read_text().split())}')
    except (OSError, ValueError) as error:
        raise ConfigError([f'--slurm_extra=--exclude={path}: the file cannot be read: {error}']) from error


def _lsf(options: SearchOptions) -> BatchSystem:
    from hpsearch.backends.queue.lsf.options import LsfOptions
    from hpsearch.backends.queue.lsf.parsing import Dialect
    from hpsearch.backends.queue.lsf.system import Lsf

    chosen = {name.removeprefix('lsf_'): value for name, value in vars(options.bsub).items()}
    # Where there is no LSF to query, a plan is made for the only one that supports every option.
    is_planned = bool(options.bsub.lsf_gpu) and shutil.which('bsub') is None
    return Lsf(LsfOptions(hours=options.cluster.num_hours, **chosen), Dialect.IBM if is_planned else _dialect())


@cache
def _dialect() -> Dialect:
    """Which LSF is installed, queried once; where that is unknown, nothing is used that only some support."""
    from hpsearch.backends.queue.commands import execute, in_english
    from hpsearch.backends.queue.lsf.parsing import parse_dialect
    from hpsearch.backends.queue.lsf.system import DIALECT_ARGV

    return parse_dialect(execute(DIALECT_ARGV, in_english(os.environ), b'', ANSWER_TIMEOUT))
