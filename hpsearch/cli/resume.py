"""``hpsearch resume`` and ``hpsearch join``: work on a search that exists."""

from __future__ import annotations

import logging
import time
from collections.abc import Collection, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from hpsearch.arguments.command import uses_gpus
from hpsearch.backends.queue.own_job import is_pilot, job_end, own_job
from hpsearch.cli.adaptive.options import LimitOptions
from hpsearch.cli.adaptive.pruning import prune_settings, with_metrics
from hpsearch.cli.adaptive.settings import adaptive_settings, impossible_options, results_given
from hpsearch.cli.backends.asking import JobAsker
from hpsearch.cli.backends.choice import choose_backend
from hpsearch.cli.backends.job_time import pilot_margin
from hpsearch.cli.backends.queue_system import check_queue
from hpsearch.cli.context import process_context
from hpsearch.cli.notifying.notices import Notices
from hpsearch.cli.notifying.options import missing_programs
from hpsearch.cli.options import SearchOptions, flat_group, merged_options
from hpsearch.cli.parsers.resuming import ResumeCommand
from hpsearch.cli.reports import report_end
from hpsearch.cli.request import no_searches, order_of
from hpsearch.cli.search_runner import work, work_options
from hpsearch.config.handles import description_of, stored_configuration, with_constraints, with_results_of
from hpsearch.config.loading import load_configuration
from hpsearch.host.code_copy import from_copy
from hpsearch.model.configuration import Configuration, from_plain
from hpsearch.model.errors import ConfigError, DamageError, SearchFolderError
from hpsearch.model.evidence import Liveness
from hpsearch.model.history.search_state import SearchState
from hpsearch.model.retries import JobTime
from hpsearch.model.units import count_of
from hpsearch.space.extension import Extension, extend, extending, note_place, write_extension
from hpsearch.space.plan import Plan
from hpsearch.store.completion import CompletionReader
from hpsearch.store.folder import SearchFolder
from hpsearch.store.journal import JournalReader, open_journals
from hpsearch.store.opening.open_search import OpenSearch
from hpsearch.store.opening.trust import to_work_on
from hpsearch.store.reconcile import Reconciler
from hpsearch.store.writers import poll_once

log = logging.getLogger('hpsearch')


def resume_search(command: ResumeCommand) -> int:
    """Work on a search that exists until it ends; returns the exit code.

    Raises:
        HpsearchError: It cannot be resumed.
    """
    folder, joins = SearchFolder(command.dir), not command.waits_for_others
    folder.read_info()  # says first what is no search
    folder = to_work_on(folder, trust=command.trust)
    info = folder.read_info()
    check_that_it_is_no_live_copy(folder, info, command.dead_hosts)
    options = _options(folder, info, command)
    with process_context(options.display) as context:
        check_queue(options)
        if command.waits_for_others and (earlier := note_place(folder)):
            log.info('%s was known as %s: its runs write into it under its present name', folder.path, earlier)
        keep_limits(folder, options)
        asked = _with_module_given(info, command)
        if command.extend:
            extension = extend_plan(folder, asked, options, command.dead_hosts)
            log.info('%s added, %d withdrawn', count_of(len(extension.added), 'run'), len(extension.withdrawn))
        if command.reread:
            read_results_anew(folder, asked, options, command.dead_hosts)
        search = with_metrics(open_search(folder, folder.read_info()), options)
        job_time = _job_time(folder, options) if joins else None
        make_backend, echo = choose_backend(options, search.configuration, context, job_time)
        how = work_options(
            options,
            echo=echo,
            waits_for_others=command.waits_for_others,
            declared_dead=command.dead_hosts,
            retry_failed=command.retry_failed,
            retry_cancelled=command.retry_cancelled,
            reread=command.reread,
            reuse=options.execution.reuse,
            job_time=job_time,
            adaptive=adaptive_settings(options, search),
            pruning=prune_settings(options, search.configuration),
        )
        notices = Notices(folder, options.notify)
        with notices.of_a_crash():
            result = work(search, context, make_backend, how, JobAsker(options, context.wakeup), notices.watch)
    code = report_end(result, options, in_own_job=joins and own_job() is not None)
    notices.tell_end(result, code)
    return code


def keep_limits(folder: SearchFolder, options: SearchOptions) -> None:
    """Let the limits that an adaptive search has from now on be its own, for other writers and the next time.

    Several that join it at once with the same limits need not wait for each other.

    Raises:
        OSError: Something of the machine is in the way.
    """
    limits = flat_group(options.limits)
    if not options.is_adaptive or _has_limits(folder, limits):
        return
    try:
        with extending(folder):
            info = folder.read_info()
            folder.write_info({**info, 'options': {**info['options'], **limits}})
    except SearchFolderError as error:
        if not _has_limits(folder, limits):
            log.warning('the limits hold for this process alone: %s', error)


def _has_limits(folder: SearchFolder, limits: Mapping[str, Any]) -> bool:
    stored = folder.read_info()['options']
    return all(stored.get(name) == value for name, value in limits.items())


def _with_module_given(info: Mapping[str, Any], command: ResumeCommand) -> Mapping[str, Any]:
    """The description of a search with the file of the configuration that was given now, if one was.

    Raises:
        ConfigError: Nothing would be read from it.
    """
    module, problems = command.given.get('grid_module'), []
    if 'num_searches' in command.given and not command.extend:
        problems.append('--num_searches needs --extend: otherwise the plan stays as it is.')
    if module and not (command.reread or command.extend):
        problems.append(f'--grid_module={module} needs --reread or --extend: otherwise nothing is read from it.')
    if problems:
        raise ConfigError(problems)
    if not module:
        return info
    return {**info, 'configuration': {**info['configuration'], 'module': module, 'cwd': str(Path.cwd())}}


def _job_time(folder: SearchFolder, options: SearchOptions) -> JobTime | None:
    """The time of the job this process is in.

    A job that hpsearch submitted is signalled before its time limit; of a script of one's own that is not known. Slurm
    signals up to a minute early, and says when the limit is.
    """
    hours = options.cluster.num_hours if options.cluster.runs_per_job else None
    end = job_end(hours, time.time())
    job = own_job()
    if end is None or job is None:
        return None
    now, is_ours = time.monotonic(), is_pilot(folder)
    margin = pilot_margin(options.execution.stop_grace) if is_ours else 0.0
    return JobTime(now, now + end - time.time(), margin, warns_early=is_ours and job['queue'] == 'slurm')


def _options(folder: SearchFolder, info: Mapping[str, Any], command: ResumeCommand) -> SearchOptions:
    """The options from now on.

    Raises:
        ConfigError: They do not suit the search, or each other.
    """
    given = dict(command.given)
    _check_cluster(folder, info, given)
    _check_gpus(info, given)
    if problems := list(no_searches('learn_from', given.get('learn_from', ()))):
        raise ConfigError(problems)
    if not command.waits_for_others:
        given.setdefault('run_cluster', False)  # join works where it is started
    options = merged_options(info, given, is_first_time=not any(folder.journal_dir.glob('*.jsonl')))
    _check_adaptive(folder, command, options)
    if problems := list(missing_programs(options.notify, given.keys() & vars(options.notify).keys())):
        raise ConfigError(problems)
    for problem in missing_programs(options.notify):
        log.warning('nobody can be told from here: %s', problem)
    return options


def _check_adaptive(folder: SearchFolder, command: ResumeCommand, options: SearchOptions) -> None:
    """Refuse what only one of the two kinds of searches can have.

    Raises:
        ConfigError: With all of it.
    """
    if not folder.is_adaptive:
        limits = [name for name in flat_group(LimitOptions()) if name in command.given]
        problems = [f'--{name}: the runs of this search were all planned in advance.' for name in limits]
    else:
        extends = '--max_trials=N gives it more runs; for another grid, start a new search.'
        problems = [f'--extend: this search chooses its runs while it goes. {extends}'] * command.extend
        problems += impossible_options(options)
    if problems:
        raise ConfigError(problems)


def _check_cluster(folder: SearchFolder, info: Mapping[str, Any], given: Mapping[str, Any]) -> None:
    """Refuse another cluster: the ids of the jobs that were submitted mean nothing there.

    Raises:
        ConfigError: One is given, and jobs were submitted.
    """
    stored = info.get('options', {}).get('slurm_clusters', '')
    if given.get('slurm_clusters', stored) != stored and folder.submissions_dir.is_dir():
        where = stored or 'the default cluster'
        raise ConfigError([f'--slurm_clusters={given["slurm_clusters"]}: the jobs of this search are in {where}.'])


def _check_gpus(info: Mapping[str, Any], given: Mapping[str, Any]) -> None:
    """Refuse another number of GPUs per run than the commands of the plan have.

    Raises:
        ConfigError: Another one is given, and they have one.
    """
    configuration = from_plain(info['configuration']['attributes'])
    if uses_gpus(configuration) and given.get('gpus_per_run', configuration.gpus) != configuration.gpus:
        raise ConfigError(
            [
                f'--gpus_per_run={given["gpus_per_run"]}: the commands of this search are for {configuration.gpus} '
                '({gpus} in _COMMAND); start a new search, with --reuse for the runs that have finished.'
            ]
        )


def check_that_it_is_no_live_copy(
    folder: SearchFolder, info: Mapping[str, Any], dead_hosts: Collection[str] = ()
) -> None:
    """Refuse to work on a copy of a search that is under way.

    Raises:
        SearchFolderError: It is one, or a file cannot be read.
    """
    from hpsearch.cli.status import why_live_copy

    if problem := why_live_copy(folder, info, dead_hosts):
        raise SearchFolderError(f'{problem}.')


def open_search(folder: SearchFolder, info: Mapping[str, Any]) -> OpenSearch:
    """A search from its folder; whether its owner is trusted is for the caller to check.

    Raises:
        SearchFolderError: The folder is damaged.
    """
    stored = stored_configuration(folder, info, trust=True)
    for note in stored.notes:
        log.warning(note)
    if not folder.is_adaptive and next(folder.read_runs(), None) is None:
        raise DamageError(f'{folder.runs_jsonl} is damaged: there is no run in it.')
    try:
        withdrawn = frozenset(info.get('withdrawn', ()))
        run_cwd = folder.cwd_of_runs(str(info['run_cwd']))
        interpreter, ident = str(info['interpreter']), str(info.get('ident', ''))
        configuration = stored.configuration
        if folder.is_adaptive:
            configuration = with_constraints(configuration, info['configuration'])
        return OpenSearch(folder, configuration, run_cwd, interpreter, withdrawn, ident)
    except (KeyError, TypeError) as error:
        raise DamageError(f'{folder.search_json} is damaged: {error!r}.') from error


# --reread, --extend


def read_results_anew(
    folder: SearchFolder, info: Mapping[str, Any], options: SearchOptions, dead_hosts: Collection[str]
) -> None:
    """From now on, results are read by the configuration as it is now; everything else stays.

    Raises:
        ConfigError: The configuration cannot be used.
        SearchFolderError: A process works on the search, or it cannot be written.
    """
    with extending(folder):
        _, reader = open_journals(folder)
        _check_that_no_process_works(folder, reader, dead_hosts)
        stored, chosen = folder.read_info(), info['configuration']
        described = {**stored['configuration'], 'module': chosen['module'], 'cwd': chosen['cwd']}
        described = with_results_of(described, _configuration_of_now(info, options))
        folder.write_info({**stored, 'configuration': described})


def extend_plan(
    folder: SearchFolder, info: Mapping[str, Any], options: SearchOptions, dead_hosts: Collection[str]
) -> Extension:
    """Bring the plan of a search up to date with its configuration.

    Raises:
        ConfigError: The configuration cannot be used, or runs something else now.
        SearchFolderError: A process works on the search, or it cannot be written.
    """
    module, cwd = info['configuration']['module'], info['configuration']['cwd']
    with extending(folder):
        state, reader = open_journals(folder)
        _check_that_no_process_works(folder, reader, dead_hosts)
        _take_in_ends(folder, info, state, reader, dead_hosts)
        configuration = _configuration_of_now(info, options)
        order, interpreter = order_of(options.configuration), info['interpreter']
        started = from_copy(configuration, folder.code_copy, folder.code_dir)
        plan = Plan(started, order, interpreter=interpreter, search_path=folder.path, ident='x')
        extension = extend(folder, configuration, folder.read_runs(), plan.runs(), state)
        write_extension(folder, extension, {'configuration': description_of(configuration, module, cwd)})
    return extension


def _configuration_of_now(info: Mapping[str, Any], options: SearchOptions) -> Configuration:
    described, chosen = info['configuration'], options.configuration
    configuration = load_configuration(
        described['module'],
        cwd=Path(described['cwd']),
        grid_config=chosen.grid_config,
        replacements=chosen.replacements,
        results=results_given(options),
    )
    return replace(configuration, gpus=described['attributes'].get('gpus', 1))


def _take_in_ends(
    folder: SearchFolder,
    info: Mapping[str, Any],
    state: SearchState,
    reader: JournalReader,
    dead_hosts: Collection[str],
) -> None:
    """Take in what nobody has journaled yet: a run that has finished is not withdrawn."""
    lives = poll_once(folder, reader.headers, reader.closed, time.time(), dead_hosts)
    configuration = open_search(folder, info).configuration
    reconciler = Reconciler(folder, state, reader.headers, lives, lambda: CompletionReader(folder, configuration))
    for problem in [*reconciler.take_in_unattended(), *reconciler.take_in_late_records()]:
        log.warning(problem)


def _check_that_no_process_works(folder: SearchFolder, reader: JournalReader, dead_hosts: Collection[str]) -> None:
    lives = poll_once(folder, reader.headers, reader.closed, time.time(), dead_hosts)
    for writer in (writer for writer, life in lives.items() if life is not Liveness.DEAD):
        raise SearchFolderError(
            f'{folder.path}: {writer} may be working on it. Stop it first (hpsearch stop), then try again; '
            f'if its host is dead, use --host_is_dead={reader.headers[writer].get("host", "")}.'
        )
