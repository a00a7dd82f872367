"""The schedules of a population, again from its journals: the table, and the plot."""

from __future__ import annotations

from collections.abc import Iterator

from hpsearch.cli.adaptive.settings import objectives_of
from hpsearch.cli.options import search_options
from hpsearch.dispatch.adaptive.schedules import has_population, stages_of, write_schedules
from hpsearch.model.configuration import Configuration
from hpsearch.model.retries import RetryPolicy
from hpsearch.store.folder import SCHEDULES, SearchFolder
from hpsearch.store.journal import read_state

from .plots import draw_schedules
from .tidy import keep_earlier


def written_schedules(folder: SearchFolder, configuration: Configuration, *, has_plot: bool) -> Iterator[str]:
    """Writes them, if the search has a population; yields lines to print.

    Args:
        folder: The search.
        configuration: Says which option is the budget.
        has_plot: Whether they are drawn, too.

    Raises:
        HpsearchError: A journal cannot be read.
        OSError: Something cannot be written.
    """
    state, options = read_state(folder), search_options(folder.read_info()['options'])
    objectives = objectives_of(options, configuration)
    if not has_population(state) or not objectives:
        return
    found = stages_of(state, configuration.fidelity, objectives[0], RetryPolicy(retries=options.execution.retries))
    keep_earlier(folder.path / SCHEDULES)
    yield f'Schedules: {write_schedules(folder, found)}'
    if has_plot:
        yield f'Plot: {draw_schedules(folder.path, found, objectives[0].key)}'
