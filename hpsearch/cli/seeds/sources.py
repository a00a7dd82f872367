"""What is repeated: runs of a search of ours, of one of the original, or a run alone, all in one form."""

from __future__ import annotations

import os
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from hpsearch.cli.seeds.module import NO_HANDLES, Handles
from hpsearch.cli.seeds.parsers import SeedsOptions
from hpsearch.cli.viewing.postprocessing import postprocessing
from hpsearch.config.checks import check
from hpsearch.config.loading import load_configuration
from hpsearch.config.safe_pickle import plain_namespace
from hpsearch.config.source import Source as Written
from hpsearch.model.configuration import Configuration, Params
from hpsearch.model.errors import ConfigError, SearchFolderError, one_line
from hpsearch.model.states import REUSED, State
from hpsearch.model.trials.trial import Objective
from hpsearch.model.units import read_number
from hpsearch.records.finding import hint_of_search_below
from hpsearch.records.reading import read_search
from hpsearch.records.run import RunRecord
from hpsearch.store.folder import SearchFolder
from hpsearch.store.opening.trust import why_foreign

ARGUMENTS = 'config.pickle'
"""The file in which scripts of hypnettorch leave their arguments."""


@dataclass(frozen=True)
class Known:
    """A run that there is.

    Attributes:
        name: Its name.
        number: Its number in its search, from 1.
        params: Its parameters.
        state: Where it stands.
        summary: Its result.
        loss: What is made of its result, of which less is better; None: it has no number.
        budget: How much it was given; 0 where all are given the same.
        seconds: How long it took, if known.
        code: The code it ran; empty: not known.
        was_taken: Whether its result was taken from an earlier run.
        continues: Whether it went on from the checkpoint of another run.
    """

    name: str
    number: int
    params: Params
    state: State
    summary: Mapping[str, str]
    loss: float | None = None
    budget: float = 0.0
    seconds: float | None = None
    code: str = ''
    was_taken: bool = False
    continues: bool = False

    @property
    def has_finished(self) -> bool:
        """Whether it has a result that counts."""
        return self.state is State.FINISHED


@dataclass(frozen=True)
class Source:
    """Where the runs are that are repeated.

    Attributes:
        path: The folder.
        configuration: What they run.
        runs: They themselves.
        objective: By which they are compared; None: they are not.
        run_cwd: Their working directory.
        interpreter: First word of the commands of a Python script; empty: the usual one.
        handles: Where the functions of the configuration are.
        info: ``search.json``; empty: it is no search of ours.
        only: The run that is meant; empty: none in particular.
        is_at_work: Whether hpsearch is at work on it.
    """

    path: Path
    configuration: Configuration
    runs: Sequence[Known]
    objective: Objective | None
    run_cwd: str
    interpreter: str = ''
    handles: Handles = NO_HANDLES
    info: Mapping[str, Any] | None = None
    only: str = ''
    is_at_work: bool = False


def source_of(path: Path, what: SeedsOptions, *, executes: bool, trust: bool = False) -> Source:
    """The source that a folder is.

    Args:
        path: A search folder, or the output folder of a run.
        what: Says more about folders that are not ours.
        executes: Whether runs are going to be executed, so that what they execute must be this user's own.
        trust: Do so whoever wrote the search.

    Raises:
        ConfigError: With everything that is missing.
        SearchFolderError: It is neither, or cannot be read.
    """
    if not path.is_dir():
        raise SearchFolderError(f'there is no folder {path}.')
    for folder, only in ((path, ''), (path.parent, path.name)):
        if (folder / 'search.json').exists():
            return replace(_of_ours(SearchFolder(folder), what, executes=executes, trust=trust), only=only)
        if (folder / 'commands.pickle').is_file():
            return replace(_of_original(folder, what), only=only)
    if (path / ARGUMENTS).is_file():
        return _of_run(path, what)
    raise SearchFolderError(
        f'{path} is no search, is in none, and has no {ARGUMENTS}{hint_of_search_below(path)}. Give a search folder, '
        'or with --run_dir the output folder of a run.'
    )


# A search of ours


def _of_ours(folder: SearchFolder, what: SeedsOptions, *, executes: bool, trust: bool) -> Source:
    if problems := _superfluous(what, ('grid_module', 'script', 'results'), 'the search says it'):
        raise ConfigError(problems)
    record = read_search(folder, time.time())
    if executes and not trust and (foreign := why_foreign(folder)):
        raise SearchFolderError(f'{foreign}, and its script would be executed: check it, then use --trust.')
    described = record.info['configuration']
    names = [name for name in described['attributes'].get('handles', ()) if name != 'constraints']
    handles = Handles(names, str(described.get('module') or record.configuration.source), str(described.get('cwd', '')))
    return Source(
        path=folder.path,
        configuration=record.configuration,
        runs=[_known(run, record.loss(run), record.budget(run)) for run in record.runs],
        objective=next(iter(record.objectives), None),
        run_cwd=str(record.info['run_cwd']),
        interpreter=str(record.info['interpreter']),
        handles=handles,
        info=record.info,
        is_at_work=bool(record.alive),
    )


def _known(run: RunRecord, loss: float | None, budget: float) -> Known:
    last = run.deciding
    return Known(
        name=run.name,
        number=run.number,
        params=run.params,
        state=run.state,
        summary=run.summary or {},
        loss=loss,
        budget=budget,
        seconds=last.seconds if last else None,
        code=last.code_id if last else '',
        was_taken=last is not None and last.cause == REUSED,
        continues=run.proposal is not None and bool(run.proposal.parent),
    )


def _superfluous(what: SeedsOptions, names: Sequence[str], why: str) -> list[str]:
    given = [name for name in names if getattr(what, name)]
    return [f'--{"result" if name == "results" else name}: is not needed here, since {why}.' for name in given]


# A search of the original


def _of_original(folder: Path, what: SeedsOptions) -> Source:
    if problems := _superfluous(what, ('script', 'results'), 'the grid module says it'):
        raise ConfigError(problems)
    configuration = _with_module(what.grid_module, folder)
    run_cwd = Path(os.path.abspath(what.run_cwd or '.'))
    gathered = postprocessing('original_folder').gather_original(folder, configuration, run_cwd)
    objective = objective_of(configuration)
    runs = [
        Known(
            name=each.run.name,
            number=each.run.number,
            params=plain_params(each.run.params),
            state=each.state,
            summary=each.summary,
            loss=loss_of(each.summary, objective) if each.state is State.FINISHED else None,
        )
        for each in gathered
    ]
    return Source(folder, configuration, runs, objective, str(run_cwd), handles=_handles(configuration, what))


def _with_module(grid_module: str, folder: Path) -> Configuration:
    """The configuration of a search of the original, which does not say where it is.

    Raises:
        ConfigError: None is given, or it cannot be used.
    """
    if grid_module:
        return load_configuration(grid_module, cwd=Path.cwd())
    copies = sorted(str(path) for path in folder.glob('*.py'))
    copy = f'--grid_module={copies[0]}, the copy in it' if copies else '--grid_module'
    raise ConfigError(
        [
            f'{folder} was made by the original hpsearch, which does not record what is run and how results are read: '
            f'give the grid module of that search with {copy}. It is executed.'
        ]
    )


def _handles(configuration: Configuration, what: SeedsOptions) -> Handles:
    names = [name for name in ('summary_parser', 'performance_eval') if getattr(configuration, name)]
    return Handles(names, what.grid_module, str(Path.cwd()))


def objective_of(configuration: Configuration) -> Objective | None:
    """By what the runs of a configuration are compared."""
    key = configuration.performance_key
    return None if key is None else Objective(key, maximize=not configuration.performance_ascending)


def loss_of(summary: Mapping[str, str], objective: Objective | None) -> float | None:
    """What an objective makes of a result, of which less is better; None: it has no number for it."""
    reading = read_number(summary.get(objective.key)) if objective else None
    return objective.loss(reading.value) if objective and reading else None


def plain_params(params: Mapping[str, Any]) -> Params:
    """Parameters with lists where there are tuples, as a plan has them."""
    return {name: list(value) if isinstance(value, tuple) else value for name, value in params.items()}


# A run alone


def _of_run(folder: Path, what: SeedsOptions) -> Source:
    arguments = _arguments(folder / ARGUMENTS)
    configuration = _configuration_of_run(folder, what, arguments)
    own = (configuration.out_arg,)
    params = {name: value for name, value in arguments.items() if name not in own and value is not None}
    gathered = postprocessing('gathered')
    result = gathered.summary_on_disk(folder, configuration, 1)
    objective = objective_of(configuration)
    state = State.FINISHED if result.finished else State.UNKNOWN
    loss = loss_of(result.values, objective)
    run = Known(folder.name, 1, params, state, result.values, loss)
    run_cwd = os.path.abspath(what.run_cwd or '.')
    handles = _handles(configuration, what)
    return Source(folder, configuration, [run], objective, run_cwd, handles=handles, only=folder.name)


def _arguments(path: Path) -> Params:
    """The arguments that a script of hypnettorch was called with.

    Raises:
        ConfigError: The file is damaged, or has values that are no arguments.
    """
    try:
        arguments = plain_params(plain_namespace(path.read_bytes()))
    except Exception as error:
        # A damaged pickle can make the unpickler raise anything.
        raise ConfigError([f'{path} cannot be read: {one_line(error)}. Nothing in it was executed.']) from error
    wrong = [name for name, value in arguments.items() if not _can_be_argument(value)]
    if wrong:
        named = ', '.join(wrong)
        raise ConfigError([f'{path}: {named}: no value of a command line; an option has a text, a number or a list.'])
    return arguments


def _can_be_argument(value: Any) -> bool:
    if isinstance(value, list):
        return all(not isinstance(each, list) and _can_be_argument(each) for each in value)
    return value is None or isinstance(value, (str, int, float, bool))


def _configuration_of_run(folder: Path, what: SeedsOptions, arguments: Params) -> Configuration:
    """How a run is started again, and its result is read.

    Raises:
        ConfigError: With everything that is missing.
    """
    if what.grid_module:
        if superfluous := _superfluous(what, ('script', 'results'), 'the grid module says it'):
            raise ConfigError(superfluous)
        return load_configuration(what.grid_module, cwd=Path.cwd())
    missing = [] if what.script else ['which script made it (--script train.py)']
    missing += [] if what.results else ["where its result is (--result 'stdout:accuracy=([0-9.]+)', metrics.csv, …)"]
    if missing:
        raise ConfigError(
            [
                f'{folder} says with which arguments it was made, and not {" and ".join(missing)}: give that, or '
                '--grid_module with the grid module of its search, which says both.'
            ]
        )
    attributes = {'script_name': what.script, 'result': list(what.results), 'grid': _grid_of(arguments)}
    problems: list[str] = []
    configuration = check(Written(folder / f'{ARGUMENTS}.py', '', attributes, ()), attributes, problems)
    if problems:
        raise ConfigError(problems)
    return configuration


def _grid_of(arguments: Params) -> dict[str, list[Any]]:
    return {name: [value] for name, value in arguments.items() if name != 'out_dir' and value is not None}
