"""Making a search: its folder, its description, its plan. Nothing that is there already is overwritten."""

from __future__ import annotations

import logging
import os
import shutil
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from hpsearch import __version__
from hpsearch.cli.request import SearchRequest
from hpsearch.host.processes import user_name
from hpsearch.model.configuration import Configuration, plain_attributes
from hpsearch.model.errors import SearchFolderError
from hpsearch.space.plan import PlanSummary
from hpsearch.store.folder import SearchFolder

log = logging.getLogger('hpsearch')

_OURS = (
    'search.json',
    'runs.jsonl',
    'journal',
    'jobs',
    'commands.sh',
    'commands_wo_dirs.sh',
    'search_results.csv',
)


@dataclass(frozen=True)
class OpenSearch:
    """A search to be worked on.

    Attributes:
        folder: Where.
        configuration: How its results are read.
        run_cwd: Working directory of its runs.
        interpreter: First word of the commands of a Python script.
        withdrawn: Runs of the plan that are not wanted any more.
    """

    folder: SearchFolder
    configuration: Configuration
    run_cwd: str
    interpreter: str
    withdrawn: frozenset[str] = frozenset()

    @property
    def total(self) -> int:
        """Number of runs that are wanted."""
        return self.folder.count_runs() - len(self.withdrawn)


@dataclass(frozen=True, slots=True)
class NewFolder:
    """A folder that was made for a search, and the identifier in the names of its runs."""

    folder: SearchFolder
    ident: str


def make_folder(
    out_dir: Path,
    *,
    exactly: bool,
    may_exist: bool,
    wall: Callable[[], float] = time.time,
    sleep: Callable[[float], None] = time.sleep,
) -> NewFolder:
    """Make the folder of a search.

    Args:
        out_dir: Where: a subfolder ``search_<date>`` of it, or with ``exactly`` itself.
        exactly: Use ``out_dir`` itself.
        may_exist: It may be there already; an earlier search in it is moved into a subfolder ``earlier_<date>``.
        wall: Seconds since 1970.
        sleep: Waits; used when another search took the name of this second.

    Raises:
        SearchFolderError: It exists, or cannot be made.
    """
    try:
        if exactly:
            return _exactly(out_dir, may_exist, wall())
        out_dir.mkdir(parents=True, exist_ok=True)
        while True:
            moment = time.localtime(wall())
            try:
                path = out_dir / time.strftime('search_%Y-%m-%d_%H-%M-%S', moment)
                path.mkdir()
                return NewFolder(SearchFolder(path), time.strftime('%Y%m%d%H%M%S', moment))
            except FileExistsError:
                sleep(1.0)
    except OSError as error:
        raise SearchFolderError(
            f'{out_dir} cannot be made: {error.strerror}. Choose another place with --out_dir.'
        ) from error


def _exactly(path: Path, may_exist: bool, now: float) -> NewFolder:
    if path.exists() and not may_exist:
        raise SearchFolderError(f'{path} exists already. Choose another --out_dir, or allow it: --dont_force_new_dir.')
    path.mkdir(parents=True, exist_ok=True)
    folder = SearchFolder(path)
    ident = time.strftime('%Y%m%d%H%M%S', time.localtime(now))
    _move_aside(folder, ident)
    return NewFolder(folder, ident)


def _move_aside(folder: SearchFolder, ident: str) -> None:
    found = [name for name in _OURS if (folder.path / name).exists()]
    if not found:
        return
    aside = folder.path / f'earlier_{ident}'
    aside.mkdir()
    for name in found:
        os.rename(folder.path / name, aside / name)


def make_search(request: SearchRequest) -> SearchFolder:
    """Make the folder of a search, with its plan.

    Raises:
        SearchFolderError: It cannot be made or written.
    """
    args = request.args
    made = make_folder(request.out_dir, exactly=args.force_out_dir, may_exist=args.dont_force_new_dir)
    folder = made.folder
    log.info('Results go to %s', folder.path)
    plan = request.plan(folder.path, made.ident)
    try:
        for source in filter(None, (request.configuration.source, args.grid_config)):
            shutil.copyfile(source, folder.path / os.path.basename(source))
        folder.write_info(description(request))
        folder.jobs_dir.mkdir()
        # Last, since what has a plan can be resumed.
        summary = plan.write(folder)
    except OSError as error:
        raise SearchFolderError(f'{folder.path} cannot be written: {error.strerror}.') from error
    for note in [*summary.notes(), *plan.warnings()]:
        log.warning(note)
    log.info('%d runs are planned%s', summary.runs, _left_out(summary))
    return folder


def _left_out(summary: PlanSummary) -> str:
    parts = [f'{summary.duplicates} duplicates'] if summary.duplicates else []
    parts += [f'{summary.rejected} that constraints rule out'] if summary.rejected else []
    return f' ({", ".join(parts)} left out)' if parts else ''


def description_of(configuration: Configuration, module: str, cwd: str) -> dict[str, object]:
    """What ``search.json`` says of a configuration.

    Args:
        configuration: The configuration.
        module: ``--grid_module``.
        cwd: Where that name or path starts.
    """
    return {
        'module': module,
        'source': configuration.source,
        'sha256': configuration.sha256,
        'cwd': cwd,
        'attributes': plain_attributes(configuration),
    }


def description(request: SearchRequest) -> dict[str, object]:
    """What ``search.json`` says of what was asked."""
    return {
        'hpsearch': __version__,
        'configuration': description_of(request.configuration, request.args.grid_module, os.getcwd()),
        'argv': sys.argv,
        'options': vars(request.args),
        'run_cwd': str(request.run_cwd),
        'interpreter': request.interpreter,
        'resolved_interpreter': request.resolved_interpreter,
        'seed': request.order.seed,
        'python': sys.version.split()[0],
        'host': os.uname().nodename,
        'user': user_name(os.getuid()),
        'created': time.strftime('%Y-%m-%dT%H:%M:%S%z'),
    }
