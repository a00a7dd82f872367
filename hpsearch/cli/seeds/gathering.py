"""Makes and extends the search that repeats runs, and works on it."""

from __future__ import annotations

import hashlib
import logging
import os
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from hpsearch.cli.context import process_context
from hpsearch.cli.exit_codes import ALL_FINISHED
from hpsearch.cli.options import SearchOptions, merged_options, search_options
from hpsearch.cli.parsers.resuming import ResumeCommand
from hpsearch.cli.plan import doubts_by_help
from hpsearch.cli.request import SearchRequest, create, make_request
from hpsearch.cli.resume import extend_plan, resume_search
from hpsearch.cli.seeds.choice import by_configuration
from hpsearch.cli.seeds.module import module_text, template_name, write_module
from hpsearch.cli.seeds.note import Note, write_note
from hpsearch.cli.seeds.parsers import SeedsCommand
from hpsearch.cli.seeds.planning import Gathering, changes_of, read_there
from hpsearch.cli.seeds.taking import take_known_results
from hpsearch.model.configuration import Configuration
from hpsearch.model.errors import ConfigError, SearchFolderError
from hpsearch.model.units import count_of
from hpsearch.space.extension import extending
from hpsearch.store.folder import SearchFolder
from hpsearch.store.opening.trust import to_work_on

log = logging.getLogger('hpsearch')

MARK = 'written by hpsearch seeds'
"""It is in the first lines of each configuration that may be written again."""


def prepare(command: SeedsCommand, gathering: Gathering) -> Gathering:
    """Make the search that repeats the runs, or add what it does not have, and take the results that there are.

    Returns:
        The same with what there is now.

    Raises:
        HpsearchError: It cannot be made or extended.
    """
    folder = gathering.folder
    options = _options(command, gathering)
    with process_context(options.display):
        if gathering.there is None:
            _make(command, gathering, options)
        else:
            _extend(command, gathering)
        taken = take_known_results(folder, gathering.source, gathering.seeds)
        if taken:
            log.info('%s there already', count_of(taken, 'result was', 'results were'))
    return replace(gathering, folder=SearchFolder(folder.path), there=read_there(folder, command.what))


def _options(command: SeedsCommand, gathering: Gathering) -> SearchOptions:
    what, source, path = command.what, gathering.source, gathering.folder.path
    own = {
        'grid_module': str(path / f'{command.gathering.config_name}.py'),
        'out_dir': str(path),
        'force_out_dir': True,
        'dont_force_new_dir': True,  # the configuration is in it
        'deterministic_search': True,
        'run_cwd': os.path.abspath(what.run_cwd or source.run_cwd),
        'python': what.python or source.interpreter,
        'snapshot': command.gathering.snapshot,
    }
    of_source = {} if command.given.get('cpu_jobs') else {'gpus_per_run': source.configuration.gpus}
    return search_options({**of_source, **command.given, **own})


def _configuration(gathering: Gathering) -> Configuration:
    """How the runs are executed and compared: as in the search, with one objective."""
    source = gathering.source
    if source.objective is None:
        return source.configuration
    is_ascending = not source.objective.maximize
    return replace(
        source.configuration,
        performance_key=source.objective.key,
        performance_ascending=is_ascending,
        has_sort_order=True,
    )


def _text(command: SeedsCommand, gathering: Gathering) -> str:
    configuration = _configuration(gathering)
    zipped = [list(gathering.seeds.names)] if gathering.seeds.data else []
    comment = [
        f'Runs of {gathering.source.path} with other seeds; {MARK}, which writes it again.',
    ]
    template = template_name(configuration, command.gathering.config_name)
    return module_text(configuration, gathering.rows, zipped, comment, template, gathering.source.handles)


def _make(command: SeedsCommand, gathering: Gathering, options: SearchOptions) -> None:
    folder = gathering.folder
    if folder.path.exists() and not folder.path.is_dir():
        raise SearchFolderError(f'{folder.path} is no folder: choose another --out_dir.')
    folder.path.mkdir(0o755, parents=True, exist_ok=True)
    with extending(folder):
        if folder.search_json.exists():
            raise SearchFolderError(f'{folder.path} has just been made by another hpsearch: try again.')
        _check_that_it_is_free(folder.path / f'{command.gathering.config_name}.py')
        path = write_module(
            folder.path, command.gathering.config_name, _text(command, gathering), _configuration(gathering)
        )
        try:
            request = make_request(options)
            _check_new_options(request, gathering, command.what.changes)
        except ConfigError:
            path.unlink()  # what cannot be run is no configuration to be found later
            raise
        for text in request.notes:
            log.info(text)
        write_note(folder.path, _note(command, gathering))
        create(request)


def _check_new_options(request: SearchRequest, gathering: Gathering, changes: Sequence[str]) -> None:
    """Ask the script for help where its runs get an option that they did not have: it may be mistyped.

    Nothing is asked about what a + before its name says to be a new one.

    Raises:
        ConfigError: The script has no such option, but one with a name like it.
    """
    added = {text.partition('=')[0].removeprefix('+') for text in changes if text.startswith('+')}
    new = {name: said_by for name, said_by in gathering.new_options.items() if name not in added}
    if not new:
        return
    doubts = doubts_by_help(request, request.plan(gathering.folder.path, '<date>'))
    about = [f'{new[name]}: {doubt}' for name in new for doubt in doubts if doubt.startswith(f'{name}: ')]
    if mistyped := [doubt for doubt in about if 'did you mean' in doubt]:
        raise ConfigError(mistyped)
    for doubt in about:
        log.warning('%s', doubt)


def _check_that_it_is_free(path: Path) -> None:
    """Refuse to write over a file that is not ours; ours was left by a process that was killed.

    Raises:
        SearchFolderError: There is one.
    """
    if path.exists() and MARK not in path.read_text(encoding='utf-8', errors='replace'):
        raise SearchFolderError(f'{path} is there already: choose another --config_name or --out_dir.')


def _note(command: SeedsCommand, gathering: Gathering) -> Note:
    varied = [*gathering.source.configuration.varying, *changes_of(command.what.changes, (), ())]
    of = os.path.relpath(os.path.realpath(gathering.source.path), os.path.realpath(gathering.folder.path))
    names = gathering.seeds.names
    return Note(of, names, [name for name in dict.fromkeys(varied) if name not in names])


def _extend(command: SeedsCommand, gathering: Gathering) -> None:
    """Add the runs that the plan does not have; if that fails, the configuration is as it was."""
    planned = by_configuration(gathering.there.runs if gathering.there else (), gathering.seeds)
    if all(key in planned and set(seeds) <= set(planned[key].seeds) for key, seeds in gathering.chosen.items()):
        return
    folder = to_work_on(gathering.folder, trust=command.gathering.trust)
    info = folder.read_info()
    path = Path(folder.path / os.path.basename(info['configuration']['module']))
    before = path.read_text(encoding='utf-8') if path.exists() else ''
    configuration = _configuration(gathering)
    named = replace(command, gathering=replace(command.gathering, config_name=path.stem))
    write_module(folder.path, path.stem, _text(named, gathering), configuration)
    described = info['configuration']
    attributes = {**described['attributes'], 'sha256': hashlib.sha256(path.read_bytes()).hexdigest()}
    asked = {**info, 'configuration': {**described, 'module': str(path), 'attributes': attributes}}
    try:
        extension = extend_plan(folder, asked, merged_options(info, {}), ())
    except Exception:
        path.write_text(before, encoding='utf-8')
        raise
    log.info('%s added', count_of(len(extension.added), 'run'))


def start(command: SeedsCommand, gathering: Gathering) -> int:
    """Work on the search until its runs have ended; returns the exit code.

    Raises:
        HpsearchError: It cannot be worked on.
    """
    there = gathering.there
    if there is not None and all(run.has_finished for run in there.runs):
        return ALL_FINISHED
    return resume_search(
        ResumeCommand(
            dir=str(gathering.folder.path),
            given=command.given,
            waits_for_others=True,
            retry_failed=command.gathering.retry_failed,
            trust=command.gathering.trust,
        )
    )
