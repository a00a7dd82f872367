"""From options to a search that can be started, for ``run`` and ``plan``; and its creation."""

from __future__ import annotations

import hashlib
import logging
import os
import shutil
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from hpsearch import __version__
from hpsearch.arguments.command import environment_words, program_words, uses_gpus, uses_interpreter
from hpsearch.cli.adaptive.defaults import with_configuration
from hpsearch.cli.adaptive.pruning import prune_problems
from hpsearch.cli.adaptive.settings import problems_of as adaptive_problems
from hpsearch.cli.adaptive.settings import results_given
from hpsearch.cli.adaptive.suggested import with_suggested
from hpsearch.cli.backends.queue_system import requested_system
from hpsearch.cli.notifying.options import missing_programs
from hpsearch.cli.options import ConfigurationOptions, SearchOptions, flat
from hpsearch.cli.packing.ineffective import contradictions, of_a_new_search
from hpsearch.config.handles import description_of
from hpsearch.config.inline.command import FILE_NAME, files_of
from hpsearch.config.loading import load_configuration
from hpsearch.config.source import OF_SAMPLERS
from hpsearch.host.code import code_files, folder_of_code
from hpsearch.host.code_copy import (
    CodeCopy,
    Contents,
    code_copy,
    contents_of_code,
    copy_code,
    from_copy,
    git_facts,
    info_of_copy,
)
from hpsearch.host.git import Problem
from hpsearch.host.kernel import command_limits
from hpsearch.host.processes import user_name
from hpsearch.model.command import shell_line
from hpsearch.model.configuration import Configuration
from hpsearch.model.errors import ConfigError, SearchFolderError
from hpsearch.model.units import count_of
from hpsearch.records.finding import hint_of_search_below
from hpsearch.results.metrics.rules import watching
from hpsearch.space.order import Order
from hpsearch.space.plan import Plan, PlanSummary
from hpsearch.store.folder import SearchFolder
from hpsearch.store.opening.creation import NewFolder, make_folder
from hpsearch.store.opening.open_search import OpenSearch
from hpsearch.store.whole_files import write_whole

log = logging.getLogger('hpsearch')

MOST_EXAMPLES = 1_000_000
"""A limit for searches of which only examples are drawn."""


@dataclass(frozen=True)
class Snapshot:
    """A copy of the code that is to be made: what it has, and how runs are started from it."""

    contents: Contents
    copy: CodeCopy

    def notes(self, configuration: Configuration, run_cwd: Path) -> tuple[str, ...]:
        """What a user should know about it, in sentences."""
        contents = self.contents
        linked = f', with links to what is not copied: {_few(contents.linked)}' if contents.linked else ''
        notes = [f'Runs are started from a copy of {contents.top} ({count_of(len(contents.files), "file")}){linked}']
        outside = [] if self.copy.run_cwd is None else _values_outside(configuration, run_cwd)
        return (*notes, *(f'warning: {text}' for text in [*contents.left_out, *outside]))


def _few(names: Sequence[str], count: int = 5) -> str:
    more = f' and {len(names) - count:,} more' if len(names) > count else ''
    return f'{", ".join(names[:count])}{more}'


def _values_outside(configuration: Configuration, run_cwd: Path) -> list[str]:
    """Values that are relative paths out of the working directory, which is another one in the copy."""
    return [
        f'{option}: {value!r} is relative to the working directory, which is in the copy: give an absolute path'
        for option, values in configuration.grid.items()
        for value in values
        if isinstance(value, str) and value.startswith('../') and (run_cwd / value).exists()
    ]


@dataclass(frozen=True)
class SearchRequest:
    """A search that was requested and can be started.

    Attributes:
        options: Its options, with what the user's environment decides for good.
        configuration: What to run.
        order: In which order, and how many.
        interpreter: First word of the commands of a Python script.
        resolved_interpreter: Where it is found now; empty for ``_COMMAND``.
        run_cwd: Working directory of the runs, absolute.
        out_dir: ``--out_dir``, absolute.
        notes: What a user should know before it starts, in sentences.
        snapshot: The copy of the code that runs are started from; None: they are started from the original.
    """

    options: SearchOptions
    configuration: Configuration
    order: Order
    interpreter: str
    resolved_interpreter: str
    run_cwd: Path
    out_dir: Path
    notes: tuple[str, ...]
    snapshot: Snapshot | None = None

    @property
    def planned_path(self) -> Path:
        """The search folder, as long as its date is not known."""
        return self.out_dir if self.options.folder.force_out_dir else self.out_dir / 'search_<date>'

    def plan(self, search_path: Path, ident: str) -> Plan:
        """Its runs, once the folder is known."""
        copy = self.snapshot.copy if self.snapshot else None
        started = from_copy(self.configuration, copy, SearchFolder(search_path).code_dir)
        return Plan(started, self.order, interpreter=self.interpreter, search_path=search_path, ident=ident)

    def examples(self, search_path: Path) -> Plan:
        """A plan with examples of the values that are drawn, for what is to be said of options and values."""
        return replace(self, order=Order(limit=1)).plan(search_path, '<date>')

    def cwd_in(self, folder: SearchFolder) -> str:
        """The working directory of its runs, once the folder is known."""
        cwd = str(self.run_cwd)
        return self.snapshot.copy.cwd_of(folder.code_dir, cwd) if self.snapshot else cwd


def make_request(options: SearchOptions, *, needs_program: bool = True, draws_examples: bool = False) -> SearchRequest:
    """Check everything that was requested; nothing is written.

    Args:
        options: Those of the search.
        needs_program: Whether the script or command has to be there; if not, a note says that it is missing.
        draws_examples: Whether only examples of its runs are wanted, which distributions have without a sampler.

    Raises:
        ConfigError: With every problem of the options and of the configuration.
    """
    run_cwd = Path(os.path.abspath(options.folder.run_cwd))
    problems = _option_problems(options, run_cwd)
    options = _with_cluster(options, os.environ)
    try:
        configuration = replace(load_requested(options, run_cwd), gpus=options.local.gpus_per_run)
    except ConfigError as error:
        raise ConfigError([*problems, *contradictions(options, names_gpus=True), *error.problems]) from None
    problems += contradictions(options, names_gpus=uses_gpus(configuration))
    options, wrong = _with_defaults(options, configuration)
    options = _for_examples(options, configuration) if draws_examples else options
    problems += wrong or [*adaptive_problems(options, configuration), *prune_problems(options, configuration)]
    problems += [] if options.is_adaptive or wrong else _only_sampled(configuration)
    configuration = watching(configuration) if options.prunes else configuration
    in_queue, queue_problems = _of_queue(options, configuration)
    problems += queue_problems
    interpreter = interpreter_of(options.configuration.python)
    resolved, missing = _find_command(configuration, interpreter, run_cwd)
    if problems or (missing and needs_program):
        raise ConfigError([*problems, *missing])
    out_dir = Path(os.path.abspath(run_cwd / options.folder.out_dir))
    notes = () if missing else _interpreter_notes(configuration, interpreter, resolved, options.cluster.run_cluster)
    notes += (*in_queue, *(f'warning: {problem}' for problem in (*missing, *of_a_new_search(options))))
    order = order_of(options.configuration)
    snapshot = None
    if options.configuration.snapshot and not missing:
        snapshot = _snapshot(configuration, interpreter, run_cwd, out_dir)
        notes += snapshot.notes(configuration, run_cwd)
    return SearchRequest(options, configuration, order, interpreter, resolved, run_cwd, out_dir, notes, snapshot)


def _for_examples(options: SearchOptions, configuration: Configuration) -> SearchOptions:
    """The options with what an adaptive search needs, where somebody only wants to see one of its runs."""
    if configuration.distributions and not options.is_adaptive:
        options = replace(options, adaptive=replace(options.adaptive, search='random'))
    if options.is_adaptive and options.limits.max_trials is None:
        options = replace(options, limits=replace(options.limits, max_trials=MOST_EXAMPLES))
    return options


def _snapshot(configuration: Configuration, interpreter: str, run_cwd: Path, out_dir: Path) -> Snapshot:
    """The copy of the code that is to be made.

    Raises:
        ConfigError: There can be none.
    """
    files = code_files(configuration, run_cwd)
    try:
        contents = contents_of_code(files, run_cwd, out_dir)
        if problem := contents.problem():
            raise Problem(problem)
        facts = git_facts(folder_of_code(files, run_cwd))
        words = [*environment_words(configuration), *program_words(configuration, interpreter)]
        return Snapshot(contents, code_copy(contents, words, run_cwd, facts))
    except Problem as problem:
        raise ConfigError([f'--snapshot: {problem}']) from problem


def _with_defaults(options: SearchOptions, configuration: Configuration) -> tuple[SearchOptions, Sequence[str]]:
    """The options with what the configuration, or that of another program, says of them, and what is wrong with it."""
    try:
        return with_suggested(with_configuration(options, configuration), configuration), ()
    except ConfigError as error:
        return options, error.problems


def _only_sampled(configuration: Configuration) -> list[str]:
    """Why the combinations of a configuration cannot be gone through."""
    drawn = ', '.join(configuration.distributions)
    if not drawn:
        return []
    return [
        f'--search=grid: {drawn}: there is no end of the values of a distribution. Give --search=random --max_trials=N '
        'to draw N of them, or lists of values.'
    ]


def _of_queue(options: SearchOptions, configuration: Configuration) -> tuple[Sequence[str], Sequence[str]]:
    """What to report about what is requested of a queue, and its problems."""
    if not options.cluster.run_cluster:
        return (), ()
    try:
        return requested_system(options, configuration)[1], ()
    except ConfigError as error:
        return (), error.problems


def _with_cluster(options: SearchOptions, environ: Mapping[str, str]) -> SearchOptions:
    """The options with the cluster of the user's environment, if none is given: the search has to remember it."""
    cluster = environ.get('SBATCH_CLUSTERS') or environ.get('SLURM_CLUSTERS') or ''
    if not cluster or options.sbatch.slurm_clusters:
        return options
    return replace(options, sbatch=replace(options.sbatch, slurm_clusters=cluster))


def order_of(options: ConfigurationOptions) -> Order:
    """In which order the combinations of a grid are run, and how many."""
    return Order(
        seed=options.random_seed,
        deterministic=options.deterministic_search and not options.dont_generate_full_grid,
        limit=None if options.num_searches == -1 else options.num_searches,
    )


def load_requested(options: SearchOptions, run_cwd: Path) -> Configuration:
    """The configuration that is requested; ``run_cwd`` is where the runs work.

    Raises:
        ConfigError: With every problem of it.
    """
    chosen = options.configuration
    if not chosen.grid_module and not chosen.command:
        raise ConfigError(
            [
                '--grid_module: is missing; a module name, a path to a .py file or to a YAML file is expected, or a '
                "command after --: hpsearch run -- python3 train.py --lr~'[0.1, 0.01]'."
            ]
        )
    return load_configuration(
        chosen.grid_module,
        cwd=run_cwd if chosen.command else Path.cwd(),
        grid_config=chosen.grid_config,
        replacements=chosen.replacements,
        command=chosen.command_line,
        results=results_given(options),
        is_sampled=options.is_adaptive,
    )


def _option_problems(options: SearchOptions, run_cwd: Path) -> list[str]:
    problems, limit = [], options.configuration.num_searches
    if limit != -1 and limit < 1:
        problems.append(f'--num_searches={limit}: a positive number, or -1 for all, is expected.')
    if not run_cwd.is_dir():
        problems.append(f'--run_cwd={options.folder.run_cwd}: there is no folder {run_cwd}.')
    problems += no_searches('reuse', options.execution.reuse)
    problems += no_searches('learn_from', options.local.learn_from)
    problems += missing_programs(options.notify)
    return problems


def no_searches(option: str, paths: Sequence[str]) -> Iterator[str]:
    """What is wrong with the folders of earlier searches that an option names, in words."""
    for path in paths:
        folder = SearchFolder(path)
        if not folder.search_json.is_file():
            yield f'--{option}={path}: there is no search in {folder.path}{hint_of_search_below(folder.path)}.'


def interpreter_of(python: str) -> str:
    """The first word of the commands of a Python script, from ``--python``.

    A path is made absolute, since the runs have a working directory of their own.
    """
    return os.path.abspath(python) if os.sep in python else python or 'python3'


def _find_command(configuration: Configuration, interpreter: str, run_cwd: Path) -> tuple[str, list[str]]:
    """Where the first word is found, and what is missing."""
    problems = []
    needs_interpreter = uses_interpreter(configuration)
    resolved = shutil.which(interpreter) or '' if needs_interpreter else ''
    if needs_interpreter and not resolved:
        problems.append(f'--python: {interpreter!r} is not an executable on PATH.')
    if configuration.script is not None and not (run_cwd / configuration.script).is_file():
        script = run_cwd / configuration.script
        problems.append(f'_SCRIPT_NAME: there is no file {script} (a relative name is relative to --run_cwd).')
    first = program_words(configuration, interpreter)[0]
    if configuration.variables and '=' in first:
        problems.append(f'_ENV: variables cannot be set for the program {first!r}, which has "=" in its name.')
    if first not in (interpreter, configuration.script) and not _is_program(first, run_cwd):
        cure = '; write python3, or {python} for --python.' if first == 'python' else '.'
        problems.append(f'_COMMAND: {first!r} is not an executable on PATH or in {run_cwd}{cure}')
    return resolved, problems


def _is_program(word: str, run_cwd: Path) -> bool:
    return shutil.which(str(run_cwd / word) if os.sep in word else word) is not None


def _interpreter_notes(configuration: Configuration, interpreter: str, resolved: str, in_jobs: bool) -> tuple[str, ...]:
    """Which interpreter the runs will have; a job looks a name up itself, after its prologue."""
    if not uses_interpreter(configuration):
        return ()
    if in_jobs and os.sep not in interpreter:
        return (
            f'Jobs use the {interpreter} that they find on their PATH, after _JOB_PROLOGUE; here it is {resolved}.',
        )
    note = f'Runs use {interpreter}, which is {resolved}.'
    if os.path.realpath(os.path.dirname(resolved)) == os.path.realpath(os.path.dirname(sys.executable)):
        return (note,)
    return (
        note,
        f'That is not the interpreter hpsearch runs on ({sys.executable}): the script may miss packages. '
        'Choose another one with --python.',
    )


# Creating it


def create(request: SearchRequest) -> OpenSearch:
    """Create the folder of a search, with its plan.

    Raises:
        SearchFolderError: It cannot be created or written.
    """
    chosen = request.options.folder
    if chosen.force_out_dir and chosen.dont_force_new_dir:
        _check_that_nothing_is_under_way(SearchFolder(request.out_dir))
    made = make_folder(request.out_dir, exactly=chosen.force_out_dir, may_exist=chosen.dont_force_new_dir)
    if made.earlier is not None:
        log.warning('The earlier search in %s, with its runs, is now in %s', made.folder.path, made.earlier)
    log.info('Results go to %s', made.folder.path)
    written = _written_configuration(request)
    request = _with_source(request, written, made.folder)
    try:
        notes = _write(request, made, written)
    except Problem as problem:
        raise SearchFolderError(f'--snapshot: {problem}.') from problem
    except OSError as error:
        raise SearchFolderError(f'{made.folder.path} cannot be written: {error.strerror}.') from error
    for note in notes:
        log.warning(note)
    cwd, ident = request.cwd_in(made.folder), made.ident if request.options.is_adaptive else ''
    return OpenSearch(made.folder, request.configuration, cwd, request.interpreter, ident=ident)


def _check_that_nothing_is_under_way(folder: SearchFolder) -> None:
    """Refuse to move a search from under those who work on it."""
    from hpsearch.cli.status import why_under_way

    if os.path.lexists(folder.search_json) and why_under_way(folder):
        raise SearchFolderError(
            f'{folder.path} has a search that is at work, or whose runs are: end it first with '
            f'hpsearch stop {folder.path}, or choose another --out_dir.'
        )


def _written_configuration(request: SearchRequest) -> dict[str, bytes]:
    """The files that say what a command on the command line says: names to contents."""
    chosen = request.options.configuration
    if chosen.command_line is None:
        return {}
    said_by = shell_line(['hpsearch', *sys.argv[1:]])
    values, defaults = flat(request.options), flat(SearchOptions())
    samplers = {name: values[name] for name in OF_SAMPLERS if values[name] != defaults[name]}
    return files_of(chosen.command_line, request.run_cwd, results_given(request.options), samplers, said_by)


def _with_source(request: SearchRequest, written: Mapping[str, bytes], folder: SearchFolder) -> SearchRequest:
    """A request whose configuration is a file of the search, where it was none."""
    if not written:
        return request
    source, sha256 = str(folder.path / FILE_NAME), hashlib.sha256(written[FILE_NAME]).hexdigest()
    return replace(request, configuration=replace(request.configuration, source=source, sha256=sha256))


def _write(request: SearchRequest, made: NewFolder, written: Mapping[str, bytes]) -> Sequence[str]:
    """Write what a search has from the beginning; returns what the user should know of its runs, in sentences."""
    folder = made.folder
    for name, content in written.items():
        (folder.path / name).write_bytes(content)
    sources = ('' if written else request.configuration.source, request.options.configuration.grid_config)
    for source in filter(None, sources):
        copy = folder.path / os.path.basename(source)
        if not (copy.exists() and os.path.samefile(source, copy)):  # it may have been written for this search
            shutil.copyfile(source, copy)
    if request.snapshot:
        copy_code(request.snapshot.contents, folder.code_dir)
        os.makedirs(request.cwd_in(folder), exist_ok=True)
    folder.write_info(_description(request, made.ident))
    folder.jobs_dir.mkdir(0o755)
    # Last, since what has a plan can be resumed.
    if request.options.is_adaptive:
        write_whole(folder.runs_jsonl, '')
        return request.examples(folder.path).warnings()
    return _write_plan(request.plan(folder.path, made.ident), folder)


def _write_plan(plan: Plan, folder: SearchFolder) -> Sequence[str]:
    summary = plan.write(folder)
    notes = [*summary.notes(), *plan.warnings(), *plan.not_startable(command_limits(os.environb))]
    log.info('%s planned%s', count_of(summary.runs, 'run is', 'runs are'), _left_out(summary))
    return notes


def _left_out(summary: PlanSummary) -> str:
    parts = [count_of(summary.duplicates, 'duplicate')] if summary.duplicates else []
    parts += [f'{summary.rejected} rejected by constraints'] if summary.rejected else []
    return f' ({", ".join(parts)} left out)' if parts else ''


def _description(request: SearchRequest, ident: str) -> dict[str, object]:
    """What ``search.json`` says of what was requested."""
    module = request.options.configuration.grid_module or request.configuration.source
    # The search may be started elsewhere.
    reuse = [os.path.abspath(path) for path in request.options.execution.reuse]
    learn_from = [os.path.abspath(path) for path in request.options.local.learn_from]
    return {
        'hpsearch': __version__,
        'configuration': description_of(request.configuration, module, os.getcwd()),
        'argv': sys.argv,
        'options': {**flat(request.options), 'reuse': reuse, 'learn_from': learn_from},
        'run_cwd': str(request.run_cwd),
        **({'code_copy': info_of_copy(request.snapshot.copy)} if request.snapshot else {}),
        'interpreter': request.interpreter,
        'resolved_interpreter': request.resolved_interpreter,
        'seed': request.order.seed,
        **({'ident': ident} if request.options.is_adaptive else {}),
        'python': sys.version.split()[0],
        'host': os.uname().nodename,
        'user': user_name(os.getuid()),
        'created': time.strftime('%Y-%m-%dT%H:%M:%S%z'),
    }
