"""Which options have no effect beside the others, in sentences: nothing that is asked for is ignored without a word."""

from __future__ import annotations

from collections.abc import Collection, Iterator

from hpsearch.cli.declaring.fields import AUTO, OptionGroup
from hpsearch.cli.options import SearchOptions

OF_GPUS = (
    *('allowed_load', 'allowed_memory', 'sim_startup_time', 'max_num_jobs_per_gpu', 'packing', 'gpus_per_run'),
    *('max_gpus', 'leave_free', 'gpu_order'),
)
"""Options that are about the GPUs of this machine alone."""

THRESHOLDS = ('allowed_load', 'allowed_memory', 'sim_startup_time', 'max_num_jobs_per_gpu', 'learn_from')
"""Those of a machine that also hold within a job that works on the search, if it packs."""

OF_MANY_MACHINES = ('profile', 'slurm_clusters')
"""Options of clusters that may be there although the search runs here."""


def given_of(group: OptionGroup, but: Collection[str] = ()) -> dict[str, object]:
    """The options of a group that are not at their defaults, by their names on the command line."""
    defaults = vars(type(group)())
    given = {name: value for name, value in vars(group).items() if value != defaults[name] and name not in but}
    return {'yield' if name == 'yields' else name: value for name, value in given.items()}


def _named(given: dict[str, object]) -> str:
    return ', '.join(f'--{name}' if value is True else f'--{name}={_text(value)}' for name, value in given.items())


def _text(value: object) -> str:
    return ','.join(map(str, value)) if isinstance(value, tuple) else str(value)


def in_a_queue(options: SearchOptions) -> Iterator[str]:
    """What has no effect where the runs are jobs of a queue."""
    cluster, packs = options.cluster, options.cluster.runs_per_job == AUTO
    if given := given_of(options.neighbours):
        yield (
            f'{_named(given)}: without effect with --run_cluster, where the scheduler decides what is left to others.'
        )
    if given := given_of(options.local, ('gpus_per_run', *(THRESHOLDS if packs else ()))):
        yield f'{_named(given)}: without effect with --run_cluster, where the scheduler places the runs.'
    given = given_of(options.bsub if cluster.scheduler == 'slurm' else options.sbatch, OF_MANY_MACHINES)
    if given and not cluster.profile:  # that may be for several clusters
        yield f'{_named(given)}: without effect with --scheduler={cluster.scheduler}.'
    if options.sbatch.slurm_time and 'num_hours' in given_of(cluster) and not (cluster.profile or cluster.runs_per_job):
        yield f'--num_hours={cluster.num_hours}: without effect with --slurm_time.'


def on_this_machine(
    options: SearchOptions, *, packs: bool, assigns_gpus: bool, names_gpus: bool = False
) -> Iterator[str]:
    """What has no effect where the runs are started here.

    Args:
        options: Of the search.
        packs: Whether runs are placed by what each is expected to need.
        assigns_gpus: Whether runs are given GPUs.
        names_gpus: Whether their commands say how many GPUs they have, whatever they are given.
    """
    if options.local.learn_from and not packs:
        yield '--learn_from: without effect unless --packing=auto or --cpu_jobs=auto is given.'
    # Where there are no GPUs, packing shares the cores.
    counting = [*(['packing'] if packs else []), *(['gpus_per_run'] if names_gpus else [])]
    given = {**given_of(options.local, counting), **given_of(options.neighbours)}
    if not assigns_gpus and (of_gpus := {name: value for name, value in given.items() if name in OF_GPUS}):
        yield f'{_named(of_gpus)}: without effect, since no GPUs are assigned.'
    if not (assigns_gpus or packs) and 'priority' in given:
        yield f'--priority={given["priority"]}: without effect, since a fixed number of runs goes on at a time.'


def of_a_new_search(options: SearchOptions) -> Iterator[str]:
    """What has no effect in a search that is made with these options, wherever its runs are."""
    what, folder = options.configuration, options.folder
    groups = (options.cluster, options.sbatch, options.bsub)
    given = {name: value for group in groups for name, value in given_of(group, OF_MANY_MACHINES).items()}
    if given and not (options.cluster.run_cluster or options.cluster.profile):
        yield f'{_named(given)}: without effect, since --run_cluster is not given.'
    if folder.dont_force_new_dir and not folder.force_out_dir:
        yield '--dont_force_new_dir: without effect, since --force_out_dir is not given: the folder is a new one.'
    if what.deterministic_search and options.is_adaptive:
        yield f'--deterministic_search: without effect with --search={options.adaptive.search}.'
    elif what.deterministic_search and what.dont_generate_full_grid:
        yield '--deterministic_search: without effect with --dont_generate_full_grid, which draws.'


def contradictions(options: SearchOptions, *, names_gpus: bool) -> list[str]:
    """Options of a new search of which one would have no effect; for ``names_gpus`` see :func:`on_this_machine`."""
    local, problems = options.local, []
    others = ['visible_gpus'] if local.visible_gpus not in ('', '-1') else []
    if not options.cluster.run_cluster:
        others += [f'packing={AUTO}'] if local.packing == AUTO else []
        others += ['gpus_per_run'] if local.gpus_per_run > 1 and not names_gpus else []
    if local.cpu_jobs:
        problems += [f'--cpu_jobs assigns no GPUs: use either it or --{other}.' for other in others]
    if options.display.quiet and 'log_level' in given_of(options.display):
        problems.append('--quiet shows errors only: use either it or --log_level.')
    return problems
