"""``hpsearch try``: execute one run in the foreground."""

from __future__ import annotations

import shutil
import sys
import tempfile
from itertools import islice
from pathlib import Path

from hpsearch.cli.adaptive.samples import sample
from hpsearch.cli.exit_codes import ALL_FINISHED, SOME_DID_NOT
from hpsearch.cli.parsers.searches import TryCommand
from hpsearch.cli.plan import doubts_by_help
from hpsearch.cli.request import SearchRequest, make_request
from hpsearch.dispatch.trial import Trial, try_run
from hpsearch.model.command import shell_line
from hpsearch.model.errors import ConfigError
from hpsearch.model.run import Run
from hpsearch.model.states import State
from hpsearch.space.plan import Plan
from hpsearch.store.folder import SearchFolder
from hpsearch.ui.trial import trial_lines


def try_one(command: TryCommand) -> int:
    """Run one set of hyperparameters in the foreground, in a scratch folder; returns the exit code.

    Raises:
        ConfigError: Something is wrong with what was requested.
    """
    request = make_request(command.options, draws_examples=True)
    for note in request.notes:
        print(note)
    path = Path(tempfile.mkdtemp(prefix='hpsearch-try-'))
    trial: Trial | None = None
    try:
        trial = _tried(request, SearchFolder(path), command.run)
    finally:
        is_kept = command.keeps or (trial is not None and trial.verdict.state is not State.FINISHED)
        if not is_kept:
            shutil.rmtree(path, ignore_errors=True)
    for line in trial_lines(trial.verdict, trial.summary, trial.seconds, request.configuration):
        print(line)
    if is_kept:
        print(f'Its folder is kept: {path}')
    return ALL_FINISHED if trial.verdict.state is State.FINISHED else SOME_DID_NOT


def _tried(request: SearchRequest, folder: SearchFolder, number: int) -> Trial:
    plan, run = _planned(request, folder, number)
    for doubt in doubts_by_help(request, plan):
        print(f'warning: {doubt}')
    print(f'Run {number}: {shell_line(run.argv)}', flush=True)
    try:
        return try_run(run, request.configuration, folder, request.cwd_in(folder), show_output)
    except OSError as error:
        raise ConfigError([f'{run.argv[0]}: cannot be started: {error.strerror}.']) from error


def _planned(request: SearchRequest, folder: SearchFolder, number: int) -> tuple[Plan, Run]:
    """The plan, and the run of this number; of an adaptive search it is an example that is drawn at random.

    Raises:
        ConfigError: There is none.
    """
    if request.options.is_adaptive:
        drawn = sample(request, folder, number, 'try')
        if drawn is None:
            raise ConfigError([f'RUN: there is no run {number}; the search has fewer.'])
        return request.examples(folder.path), drawn
    plan = request.plan(folder.path, 'try')
    return plan, run_of(plan, number)


def run_of(plan: Plan, number: int) -> Run:
    """The run of a plan with this number.

    Raises:
        ConfigError: There is none.
    """
    run = next(islice(plan.runs(), number - 1, None), None)
    if run is None:
        raise ConfigError([f'RUN: there is no run {number}; the plan has {plan.survey().runs:,}.'])
    return run


def show_output(stream: str, chunk: bytes) -> None:
    """Pass on what a run has printed, as it is."""
    out = (sys.stdout if stream == 'stdout' else sys.stderr).buffer
    out.write(chunk)
    out.flush()
