"""Results that there are already, taken into the search that repeats their runs."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from hpsearch.cli.seeds.choice import SeedArgs, by_configuration
from hpsearch.cli.seeds.sources import Known, Source
from hpsearch.dispatch.context import EventRecorder
from hpsearch.dispatch.reuse import Reused, take_results
from hpsearch.host.kernel import this_host
from hpsearch.model.history.attempt import Attempt
from hpsearch.model.run import Run
from hpsearch.model.states import State
from hpsearch.model.trials.seeds import without_seeds
from hpsearch.store.folder import SearchFolder
from hpsearch.store.journal import open_journals, own_journal


def take_known_results(folder: SearchFolder, source: Source, seeds: SeedArgs) -> int:
    """Take the results that there are into a search that repeats runs, as if it had run them.

    Args:
        folder: The search.
        source: Where the runs are that it repeats.
        seeds: The options that are seeds.

    Returns:
        How many were taken.
    """
    find = _finder(source, seeds)
    state, _ = open_journals(folder)
    if not any(find(run) for run in folder.read_runs() if run.name not in state.runs):
        return 0
    with own_journal(folder, this_host()) as journal:
        return take_results(folder, find, EventRecorder(state, journal))


def _finder(source: Source, seeds: SeedArgs) -> Callable[[Run], Reused | None]:
    known = by_configuration(source.runs, seeds)

    def find(run: Run) -> Reused | None:
        group = known.get(without_seeds(run.params, seeds.names))
        found = group.runs.get(seeds.of(run.params)) if group else None
        return _result(source.path, found) if found and found.has_finished else None

    return find


def _result(folder: Path, run: Known) -> Reused:
    code = run.code.rpartition('>')[2]  # the one it started with
    attempt = Attempt(run.name, 1, State.FINISHED, summary=dict(run.summary), seconds=run.seconds, code_id=code)
    return Reused(folder, run.name, attempt)
