"""``hpsearch plan``: what a search would run; the code of ``hpsearch run`` up to the first start."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Sequence
from itertools import islice
from typing import TYPE_CHECKING

from hpsearch.arguments.command import CommandForm
from hpsearch.arguments.help_text import is_hydra, may_have_help
from hpsearch.arguments.unknown_options import asking_words, may_take_others
from hpsearch.backends.base import Launch, Workload
from hpsearch.cli.adaptive.samples import Samples
from hpsearch.cli.backends.job_time import pilot_note
from hpsearch.cli.backends.jobs import pilot_settings, queue_settings
from hpsearch.cli.backends.queue_system import requested_system, system_named
from hpsearch.cli.declaring.fields import AUTO
from hpsearch.cli.options import SearchOptions
from hpsearch.cli.parsers.searches import PlanCommand
from hpsearch.cli.request import SearchRequest, make_request
from hpsearch.host.kernel import command_limits
from hpsearch.host.script_help import help_of
from hpsearch.model.command import shell_line, why_no_command
from hpsearch.model.configuration import best_text
from hpsearch.model.errors import ConfigError
from hpsearch.model.resources import Slot
from hpsearch.model.run import Run
from hpsearch.model.units import count_of
from hpsearch.results.documents import read_yaml
from hpsearch.results.rows import flattened
from hpsearch.store.attempt_files import attempt_id
from hpsearch.store.folder import SearchFolder

if TYPE_CHECKING:
    from hpsearch.backends.queue.batch_system import BatchSystem, QueueLimits
    from hpsearch.space.plan import Plan

COMMANDS_SHOWN = 20
"""With the summary, unless all are asked for."""

SAMPLES_SHOWN = 5
"""Examples of what an adaptive search may run; with ``--all``, :data:`COMMANDS_SHOWN`."""

WRITER = 'hpsearch'
SALT = '000000'
"""Placeholders for the writer and the random letters, which only a search has."""


def plan_lines(command: PlanCommand) -> Iterable[str]:
    """What a search would run, as lines: a summary and commands, or only these, or the scripts of its first jobs.

    Raises:
        ConfigError: With every problem of the options and of the configuration.
    """
    request = make_request(command.options, needs_program=False)
    if command.scripts:
        return _script_lines(request)
    if request.options.is_adaptive:
        if command.only_commands:
            raise ConfigError([_about_unknown_commands(request)])
        return _lines_of_samples(request, COMMANDS_SHOWN if command.shows_all else SAMPLES_SHOWN)
    if command.only_commands:
        return request.plan(request.planned_path, '<date>').commands()
    return _lines(request, None if command.shows_all else COMMANDS_SHOWN)


def _lines(request: SearchRequest, shown: int | None) -> Iterator[str]:
    plan = request.plan(request.planned_path, '<date>')
    summary = plan.survey()
    yield from _first_lines(request)
    yield f'Combinations of the grid: {summary.raw:,}; runs: {summary.runs:,}'
    yield f'Left out: {count_of(summary.duplicates, "duplicate")}, {summary.rejected:,} rejected by constraints'
    yield from summary.notes()
    yield from _warnings(request, plan, plan.not_startable(command_limits(os.environb)))
    yield from _lines_about_runs(request)
    yield 'Commands (without their output folders):'
    yield from islice(plan.commands(), shown)
    if shown is not None and summary.runs > shown:
        yield f'... and {summary.runs - shown:,} more: --all shows all, --commands prints nothing else'


def _lines_of_samples(request: SearchRequest, shown: int) -> Iterator[str]:
    """What an adaptive search would run, with examples of what its sampler may propose."""
    samples = Samples(request, '<date>')
    runs = list(islice(samples.runs(SearchFolder(request.planned_path)), shown))
    limits = command_limits(os.environb)
    reasons = dict.fromkeys(why for run in runs if (why := why_no_command(run.argv, limits)))
    yield from _first_lines(request)
    yield from samples.lines()
    yield from _warnings(
        request, request.examples(request.planned_path), [f'runs cannot be started: {why}.' for why in reasons]
    )
    yield from _lines_about_runs(request)
    yield 'Examples, drawn at random (without their output folders):'
    yield from map(samples.command, runs)


def _about_unknown_commands(request: SearchRequest) -> str:
    return (
        f'--commands: with --search={request.options.adaptive.search}, runs are chosen while the search goes; without '
        'it, plan shows examples.'
    )


def _first_lines(request: SearchRequest) -> Iterator[str]:
    yield from request.notes
    command = request.options.configuration.command
    yield f'Configuration: {shell_line(["--", *command]) if command else request.configuration.source}'
    yield f'Results would go to {request.planned_path}'


def _warnings(request: SearchRequest, plan: Plan, more: Sequence[str]) -> Iterator[str]:
    warnings = [*plan.warnings(), *doubts_by_help(request, plan), *more, *_job_notes(request.options)]
    return (f'warning: {warning}' for warning in warnings)


def _lines_about_runs(request: SearchRequest) -> Iterator[str]:
    if request.configuration.performance_key is not None:
        yield f'Best: {best_text(request.configuration)}'
    if request.configuration.make_out_dir:
        yield 'The output folder of a run is made before its script starts (_MAKE_OUT_DIR).'


def doubts_by_help(request: SearchRequest, plan: Plan) -> list[str]:
    """Which options and values the script's own help does not show; it is executed only where it can say so."""
    form = CommandForm(request.configuration, request.interpreter)  # the copy of the code is not there yet
    script = request.run_cwd / (form.python_script or os.devnull)
    try:
        source = script.read_text(encoding='utf-8', errors='replace')
    except OSError:
        return [] if script.exists() or '{' in str(script) else [f'there is no file {script}, which the command names.']
    if '--' in form.program:
        return []
    if is_hydra(source):
        return plan.doubts_by_hydra(values_of_hydra(form.program, str(request.run_cwd)))
    if not plan.can_be_doubted or not may_have_help(source):
        return []
    text = help_of(asking_words(form.program), str(request.run_cwd))
    return plan.doubts_by_help(text, takes_others=may_take_others(source))


def values_of_hydra(program: Sequence[str], cwd: str) -> dict[str, str]:
    """The configuration of a script of Hydra, by names with dots, which it prints without doing any work."""
    try:
        return dict(flattened(read_yaml(help_of(program, cwd, words=('--cfg', 'job')))))
    except Exception:
        # What a script prints can make a library raise anything.
        return {}


def _job_notes(options: SearchOptions) -> list[str]:
    """What is to be known of the jobs before they are submitted."""
    cluster = options.cluster
    is_of_pilots = cluster.run_cluster and cluster.runs_per_job
    note = pilot_note(options, system_named(cluster.scheduler, options)) if is_of_pilots else ''
    return [note] if note else []


# The scripts of the jobs; what makes them is imported here, since the other ways to see a plan do without


def _script_lines(request: SearchRequest) -> Iterator[str]:
    """The script of the first jobs that would be submitted, and how many others there would be.

    Raises:
        ConfigError: No jobs were requested, or the batch system does not support them.
    """
    options = request.options
    if not options.cluster.run_cluster:
        raise ConfigError(
            ['--scripts: without --run_cluster there are no jobs; give it, with --scheduler=slurm or --scheduler=lsf.']
        )
    from hpsearch.backends.queue.commands import query

    folder = SearchFolder(request.planned_path)
    system, _ = requested_system(options, request.configuration)
    lines = _pilot_lines if options.cluster.runs_per_job else _array_lines
    limits = system.parse_limits(query(system, system.limits_argv()))
    return lines(request, folder, system, limits)


def _runs_of_jobs(request: SearchRequest, folder: SearchFolder) -> tuple[int, Iterator[Run]]:
    """How many runs would be submitted at first, and which; those of an adaptive search are examples."""
    if not request.options.is_adaptive:
        plan = request.plan(folder.path, '<date>')
        return plan.survey().runs, plan.runs()
    most = request.options.limits.max_trials or request.options.cluster.num_jobs
    runs = list(islice(Samples(request, '<date>').runs(folder), min(most, request.options.cluster.num_jobs)))
    return len(runs), iter(runs)


def _array_lines(
    request: SearchRequest, folder: SearchFolder, system: BatchSystem, limits: QueueLimits
) -> Iterator[str]:
    """The script of the first array."""
    from hpsearch.backends.queue.arrays import ArrayMaker
    from hpsearch.backends.queue.submission import submission_name
    from hpsearch.backends.queue.throttle import cut, first_throttles

    total, runs = _runs_of_jobs(request, folder)
    if not total:
        yield '# There are no runs, so no job would be submitted.'
        return
    sizes = cut(total, limits.array)
    throttle = first_throttles(sizes, request.options.cluster.num_jobs)[0]
    settings = queue_settings(request.options, request.configuration, system.memory)
    makes = request.configuration.make_out_dir
    launches = [
        Launch(run, 1, attempt_id(WRITER, run.name, 1), Slot(), makes=str(folder.output(run.name)) if makes else '')
        for run in islice(runs, sizes[0])
    ]
    maker = ArrayMaker(folder, request.cwd_in(folder), system, settings)
    prepared = maker.prepare(submission_name(folder, SALT), launches, throttle)
    yield from prepared.script.rstrip('\n').split('\n')
    if request.options.is_adaptive:
        most = count_of(total, 'job at most waits or runs', 'jobs at most wait or run')
        yield f'# The first array, with examples: {most}, and others follow as these end.'
        return
    size = prepared.job.size
    count = len(cut(total, size))
    yield (
        f'# The first of {count:,} arrays for {count_of(total, "run")}: it has {size:,} of them.'
        if count > 1
        else f'# The only array: it has {"the only run" if total == 1 else f"all {total:,} runs"}.'
    )


def _pilot_lines(
    request: SearchRequest, folder: SearchFolder, system: BatchSystem, limits: QueueLimits
) -> Iterator[str]:
    """The script of the jobs that work on the search by themselves."""
    from hpsearch.backends.queue.pilots import PilotMaker, pilots_needed
    from hpsearch.backends.queue.submission import submission_name

    settings = pilot_settings(request.options, folder, request.configuration)
    if request.options.is_adaptive:
        runs = request.options.limits.max_trials or settings.num_jobs * settings.runs_per_job
    else:
        runs = request.plan(folder.path, '<date>').survey().runs
    count = min(pilots_needed(Workload(runs, 0), 0, 0, settings), limits.array)
    if not count:
        yield '# There are no runs, so no job would be submitted.'
        return
    maker = PilotMaker(folder, request.cwd_in(folder), system, settings)
    prepared = maker.prepare(submission_name(folder, SALT), count)
    yield from prepared.script.rstrip('\n').split('\n')
    at_a_time = request.options.cluster.runs_per_job
    many = 'as many as it has room for' if at_a_time == AUTO else at_a_time
    yield f'# {count_of(count, "job")} of this array would work on {count_of(runs, "run")}, each on {many} at a time.'
