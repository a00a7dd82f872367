"""The options of a search: each is a field of a dataclass, which declares it to argparse and holds its value.

In ``search.json`` they are one flat mapping of names to values. Options of hypnettorch keep their meaning and default.
"""

from __future__ import annotations

import argparse
import os
from collections.abc import Iterable, Mapping
from dataclasses import Field, dataclass, field, fields
from typing import TYPE_CHECKING, Any, ClassVar

from hpsearch.cli.adaptive.options import GRID, NO_PRUNER, AdaptiveOptions, LimitOptions, PruneOptions
from hpsearch.cli.declaring.fields import (
    OptionGroup,
    auto_or,
    integer_from,
    memory_size,
    number_between,
    option,
    warning_signal,
)
from hpsearch.cli.declaring.help_format import as_before
from hpsearch.cli.notifying.options import NotifyOptions
from hpsearch.cli.packing.options import NeighbourOptions

if TYPE_CHECKING:
    from hpsearch.config.inline.hunt import CommandLine


@dataclass(frozen=True)
class ConfigurationOptions(OptionGroup):
    """What is run."""

    title: ClassVar[str] = 'what is run'

    grid_module: str = option(
        '',
        'the configuration: a module name, a path to a .py file, or a path to a YAML file (required, unless a command '
        'follows after --)',
        metavar='MODULE',
        type=os.path.expanduser,
    )
    grid_config: str = option(
        '',
        'YAML, JSON or pickle file whose "grid" and/or "conditions" replace those of the configuration',
        metavar='FILE',
        type=os.path.expanduser,
    )
    replacements: tuple[str, ...] = option(
        (),
        'replace the values of one option of the grid; may be given several times',
        flag='set',
        metavar='NAME=[V1,V2]',
    )
    results: tuple[str, ...] = option(
        (),
        "where a run leaves its result, instead of _RESULT: 'stdout:accuracy=([0-9.]+)', metrics.csv, lightning, ...; "
        'may be given several times',
        flag='result',
        metavar='RULE',
    )
    checkpoint_arg: str = option(
        '',
        'the option of the script that takes a checkpoint, for runs that go on from an earlier one, instead of '
        '_CHECKPOINT_ARG',
        metavar='OPTION',
    )
    checkpoint: str = option(
        '',
        'what it gets a copy of, in the output folder of the earlier run, instead of _CHECKPOINT (default: the folder)',
        metavar='PATH',
    )
    num_searches: int = option(-1, 'run at most N combinations; -1: all', metavar='N', type=int)
    deterministic_search: bool = option(False, 'keep the order of the grid instead of shuffling it')
    dont_generate_full_grid: bool = option(
        False, 'draw --num_searches combinations at random, without repetition, instead of enumerating the grid'
    )
    snapshot: bool = option(False, 'copy the code when the search is created, and start all runs from that copy')
    random_seed: int = option(42, 'seed of shuffling and drawing', metavar='SEED', type=int)
    python: str = option(
        '', 'interpreter of the training script (default: python3 from PATH)', metavar='FILE', type=os.path.expanduser
    )
    command: tuple[str, ...] = ()
    """No option: the words after ``--``, a command that is the configuration itself."""
    given: tuple[str, ...] = field(default=(), compare=False)
    """No option: the options that a configuration may say, too, as far as the command line gives them."""
    hunt: str = ''
    """No option: the name of the experiment, where the command is read as Oríon reads it."""
    orion_config: str = ''
    """No option: the path of Oríon's configuration, absolute."""

    @property
    def command_line(self) -> CommandLine | None:
        """The command that is the configuration; None: there is none."""
        from hpsearch.config.inline.hunt import CommandLine

        return CommandLine(self.command, self.hunt, self.orion_config) if self.command else None


@dataclass(frozen=True)
class FolderOptions(OptionGroup):
    """Where results go."""

    title: ClassVar[str] = 'where results go'

    out_dir: str = option(
        './out/hyperparam_search',
        'parent of the search folder search_<date>; relative to --run_cwd',
        metavar='DIR',
        type=os.path.expanduser,
    )
    force_out_dir: bool = option(False, 'use exactly --out_dir, without a subfolder')
    dont_force_new_dir: bool = option(
        False, 'the folder may exist already; an earlier search in it is moved aside, not merged'
    )
    dont_start: bool = option(
        False, 'only create the search folder and its plan; start it with hpsearch join or resume'
    )
    run_cwd: str = option(
        '.', 'working directory of the runs (default: the current one)', metavar='DIR', type=os.path.expanduser
    )


@dataclass(frozen=True)
class LocalOptions(OptionGroup):
    """Runs on this machine."""

    title: ClassVar[str] = 'on this machine'

    visible_gpus: str = option(
        '',
        'comma-separated GPU numbers as nvidia-smi shows them; empty: all; -1: assign none, '
        'one run after the other in the foreground (default: all)',
        metavar='LIST',
    )
    cpu_jobs: int | str | None = option(
        None,
        'run N runs at a time and assign no GPUs; auto: as many as the cores and the memory have room for, as earlier '
        'runs tell',
        metavar='N|auto',
        type=auto_or(integer_from(1)),
    )
    allowed_load: float = option(
        0.5, 'a GPU above this load (0-1) gets no run', metavar='FRACTION', type=number_between(0, 1)
    )
    allowed_memory: float = option(
        0.5,
        'a GPU with more than this fraction (0-1) of its memory in use gets no run',
        metavar='FRACTION',
        type=number_between(0, 1),
    )
    sim_startup_time: float = option(
        60,
        'seconds after a start on a GPU before it is considered again',
        metavar='SECONDS',
        type=number_between(0, float('inf')),
    )
    max_num_jobs_per_gpu: int | None = option(
        None,
        'runs of this search per GPU at a time (default: 1; with --packing=auto as many as fit)',
        metavar='N',
        type=integer_from(1),
    )
    packing: str = option(
        'fixed',
        'fixed: a GPU gets a run while it is below the thresholds; auto: runs share GPUs by what each of them is '
        'expected to need, as earlier runs tell',
        choices=('fixed', 'auto'),
    )
    learn_from: tuple[str, ...] = option(
        (),
        'with --packing=auto or --cpu_jobs=auto: learn what runs need also from this earlier search; may be given '
        'several times',
        metavar='DIR',
        type=os.path.expanduser,
    )
    gpus_per_run: int = option(1, 'GPUs that each run gets', metavar='N', type=integer_from(1))


@dataclass(frozen=True)
class ClusterOptions(OptionGroup):
    """Runs in the queue of a cluster."""

    title: ClassVar[str] = 'on a cluster'

    run_cluster: bool = option(False, 'submit the runs to a scheduler')
    scheduler: str = option('lsf', 'which scheduler', choices=('lsf', 'slurm'))
    num_jobs: int = option(8, 'jobs of this search in the queue at a time', metavar='N', type=integer_from(1))
    num_hours: int = option(24, 'time limit of a job in hours', metavar='HOURS', type=integer_from(1))
    runs_per_job: int | str = option(
        0,
        'submit jobs that each work on the search, K runs at a time, until their time limit is near; auto: as many as '
        'its GPUs, or without any its cores and its memory, have room for; 0: one job per run',
        metavar='K|auto',
        type=auto_or(integer_from(0)),
    )
    submit_only: bool = option(
        False, 'exit when the queue has accepted as many jobs as it takes; hpsearch resume continues'
    )
    wait_for_queue: bool = option(
        False, 'wait until the scheduler answers if it does not at the start, instead of ending with an error'
    )
    queue_interval: float = option(
        30.0,
        'seconds between two queries to the scheduler',
        metavar='SECONDS',
        type=number_between(0.5, 3600),
    )
    signal: str = option(
        '',
        'send a run this signal so many seconds before its time limit; none: no signal '
        '(default: TERM@60 if the script is resumable, otherwise none)',
        metavar='NAME@SECONDS',
        type=warning_signal,
    )
    max_job_mem: str = option(
        '',
        'give a run that ran out of memory 1.5 times as much, up to this limit, in MiB, or with a unit, e.g. 64G '
        '(default: 4 times the memory of its job)',
        metavar='SIZE',
        type=memory_size,
    )
    profile: str = option(
        '',
        'YAML file with values for options of this machine or cluster that are not given here',
        metavar='FILE',
        type=os.path.expanduser,
    )
    job_prologue: str = ''
    """No option: shell lines that a profile puts before those of the configuration."""


def _of_sbatch(default: str, name: str, metavar: str, what: str) -> Any:
    otherwise = '; empty: not passed' if default else ' (default: not passed)'
    return option(default, f'{what}: sbatch --{name}{otherwise}', metavar=metavar)


@dataclass(frozen=True)
class SbatchOptions(OptionGroup):
    """What is passed to sbatch."""

    title: ClassVar[str] = 'on a cluster with Slurm'

    slurm_mem: str = _of_sbatch('8G', 'mem', 'SIZE', 'memory per node, in MiB or with a unit')
    slurm_gres: str = _of_sbatch('gpu:1', 'gres', 'LIST', 'GPUs and other resources')
    slurm_partition: str = _of_sbatch('', 'partition', 'NAME', 'the partition')
    slurm_qos: str = _of_sbatch('', 'qos', 'NAME', 'the quality of service')
    slurm_constraint: str = _of_sbatch('', 'constraint', 'LIST', 'features that a node must have')
    slurm_account: str = _of_sbatch('', 'account', 'NAME', 'the account that is charged')
    slurm_cpus: str = _of_sbatch('', 'cpus-per-task', 'N', 'cores of a job')
    slurm_clusters: str = option(
        '',
        'the cluster that the jobs go to, for every command of Slurm (default: that of this machine)',
        metavar='NAME',
    )
    slurm_time: str = option(
        '', 'time limit in the notation of Slurm (90: minutes; 1-12:00:00), instead of --num_hours', metavar='TIME'
    )
    slurm_extra: tuple[str, ...] = option(
        (), 'further option of sbatch, e.g. --slurm_extra=--exclude=n7; may be given several times', metavar='OPTION'
    )


@dataclass(frozen=True)
class BsubOptions(OptionGroup):
    """What is passed to bsub."""

    title: ClassVar[str] = 'on a cluster with LSF'

    resources: str = option(
        '"rusage[mem=8000, ngpus_excl_p=1]"', 'what a job needs: bsub -R; empty: not passed', metavar='TEXT'
    )
    lsf_queue: str = option('', 'the queue: bsub -q (default: not passed)', metavar='NAME')
    lsf_project: str = option('', 'the project that is charged: bsub -P (default: not passed)', metavar='NAME')
    lsf_gpu: str = option('', 'GPUs, with IBM Spectrum LSF 10: bsub -gpu (default: not passed)', metavar='TEXT')
    lsf_extra: tuple[str, ...] = option(
        (), 'further argument of bsub, one word each, e.g. --lsf_extra=-sla --lsf_extra=night', metavar='OPTION'
    )


@dataclass(frozen=True)
class ExecutionOptions(OptionGroup):
    """How the search is worked on."""

    title: ClassVar[str] = 'failures, retries and reuse'

    fail_fast: int = option(
        5,
        'stop when the first N runs to end all failed with the same last lines; 0: never',
        metavar='N',
        type=integer_from(0),
    )
    stop_grace: float = option(
        15.0,
        'seconds between TERM and KILL for runs that are stopped',
        metavar='SECONDS',
        type=number_between(0, float('inf')),
    )
    retries: int = option(0, 'run a failed run again, at most N times', metavar='N', type=integer_from(0))
    retry_timeouts: bool = option(
        False, 'run again what was ended by the time limit of its job, up to --max_attempts attempts'
    )
    max_attempts: int = option(
        3,
        'give up on a run after N attempts that were lost without a trace, or N in a row that reached a time limit '
        'without new output',
        metavar='N',
        type=integer_from(1),
    )
    reuse: tuple[str, ...] = option(
        (),
        'take finished results of identical commands from this earlier search; may be given several times',
        metavar='DIR',
        type=os.path.expanduser,
    )


@dataclass(frozen=True)
class DisplayOptions(OptionGroup):
    """What is shown."""

    title: ClassVar[str] = 'what is shown'

    quiet: bool = option(False, 'show errors only')
    code_column: bool = option(False, 'add the column hpsearch_code to the table: the id of the code that each run had')
    measure_columns: bool = option(
        False, 'add columns with what each run used to the table: GPU memory and load, host memory, processors'
    )
    log_level: str = option(
        'info',
        'least severe messages that are shown',
        choices=('debug', 'info', 'warning', 'error'),
    )


@dataclass(frozen=True)
class SearchOptions:
    """The options of a search, by groups."""

    configuration: ConfigurationOptions = ConfigurationOptions()
    adaptive: AdaptiveOptions = field(default_factory=AdaptiveOptions)
    pruning: PruneOptions = field(default_factory=PruneOptions)
    limits: LimitOptions = field(default_factory=LimitOptions)
    folder: FolderOptions = FolderOptions()
    local: LocalOptions = LocalOptions()
    neighbours: NeighbourOptions = field(default_factory=NeighbourOptions)
    cluster: ClusterOptions = ClusterOptions()
    sbatch: SbatchOptions = SbatchOptions()
    bsub: BsubOptions = BsubOptions()
    execution: ExecutionOptions = ExecutionOptions()
    notify: NotifyOptions = field(default_factory=NotifyOptions)
    display: DisplayOptions = DisplayOptions()

    @property
    def is_adaptive(self) -> bool:
        """Whether runs are chosen while the search goes."""
        return self.adaptive.search != GRID

    @property
    def prunes(self) -> bool:
        """Whether runs are stopped because of their metrics."""
        return self.pruning.prune != NO_PRUNER

    @property
    def only_submits(self) -> bool:
        """Whether the search is left to the queue once that has accepted what it takes."""
        return self.cluster.run_cluster and self.cluster.submit_only


GROUPS: dict[str, type[OptionGroup]] = {name: type(group) for name, group in vars(SearchOptions()).items()}
"""Field of :class:`SearchOptions` to its class."""

OF_PLACES = ('local', 'neighbours', 'cluster', 'sbatch', 'bsub')
"""Groups that say where runs execute: those a profile can set."""


# Between a command line, a flat mapping and typed values


def add_options(parser: argparse.ArgumentParser, groups: Iterable[str] = GROUPS, *, keeps: bool = False) -> None:
    """Declare groups of options; where it ``keeps`` earlier values, an option that is not given is left out."""
    for name in groups:
        add_group(parser, GROUPS[name], keeps=keeps)


def add_group(
    parser: argparse.ArgumentParser, group: type[OptionGroup], *, keeps: bool = False
) -> argparse._ArgumentGroup:
    """Declare one group of options."""
    added = parser.add_argument_group(group.title)
    for each in fields(group):
        if each.metadata:
            _add_option(added, each, keeps=keeps)
    return added


def _add_option(group: argparse._ArgumentGroup, each: Field[Any], *, keeps: bool) -> None:
    details = dict(each.metadata['details'])
    default = list(each.default) if isinstance(each.default, tuple) else each.default
    if keeps:
        default = argparse.SUPPRESS
        if 'action' not in details:
            details['help'] = as_before(details['help'])
    group.add_argument(f'--{each.metadata["flag"] or each.name}', dest=each.name, default=default, **details)


def search_options(values: Mapping[str, Any]) -> SearchOptions:
    """Typed options from a flat mapping; unknown names are ignored, and what is missing has its default."""
    parts: dict[str, Any] = {name: group(**given_to(group, values)) for name, group in GROUPS.items()}
    return SearchOptions(**parts)


def given_to(group: type[OptionGroup], values: Mapping[str, Any]) -> dict[str, Any]:
    """The values that belong to the fields of a group."""
    names = [each.name for each in fields(group) if each.name in values]
    return {name: tuple(values[name]) if isinstance(values[name], list) else values[name] for name in names}


_NO_OPTIONS = ('job_prologue', 'command', 'hunt', 'orion_config')


def flat(options: SearchOptions) -> dict[str, Any]:
    """Options as ``search.json`` stores them; :func:`search_options` reads them again."""
    parts = [flat_group(getattr(options, name)) for name in GROUPS]
    values = {name: value for part in parts for name, value in part.items()}
    del values['given']
    return {name: value for name, value in values.items() if name not in _NO_OPTIONS or value}


def flat_group(group: OptionGroup) -> dict[str, Any]:
    """The values of one group of options by their names."""
    return dict(vars(group))


FIRST_TIME_ONLY = ('reuse', 'submit_only', 'wait_for_queue')
"""Options that hold only the first time a process works on a search."""


def merged_options(info: Mapping[str, Any], given: Mapping[str, Any], *, is_first_time: bool = False) -> SearchOptions:
    """The options in a ``search.json``, replaced by those that are given now.

    Those for the first time hold as long as no process has worked on the search.
    """
    dropped = () if is_first_time else FIRST_TIME_ONLY
    stored = {name: value for name, value in info.get('options', {}).items() if name not in dropped}
    if 'visible_gpus' in given and 'cpu_jobs' not in given:
        stored['cpu_jobs'] = None  # it would take precedence over the GPUs that are requested now
    if 'num_hours' in given and 'slurm_time' not in given:
        stored['slurm_time'] = ''  # likewise
    return search_options({**stored, **given})
