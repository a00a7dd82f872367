"""The schedules that the values of a population went through, as a table in the search folder."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from hpsearch.model.history.search_state import SearchState
from hpsearch.model.retries import RetryPolicy
from hpsearch.model.trials.evaluations import evaluation_of
from hpsearch.model.trials.lineage import Stage, schedule_table, stages
from hpsearch.model.trials.trial import Objective
from hpsearch.store.folder import SCHEDULES, SearchFolder
from hpsearch.store.results import write_table


def has_population(state: SearchState) -> bool:
    """Whether the runs of a search are those of a population."""
    first = next(iter(state.suggestions.values()), None)
    return first is not None and 'member' in first.proposal.facts


def stages_of(state: SearchState, option: str, objective: Objective, policy: RetryPolicy) -> list[Stage]:
    """The runs of a population, by member and generation.

    Args:
        state: What the journals of the search say.
        option: The option that is the budget.
        objective: What the scores are values of.
        policy: Which runs get another attempt.
    """
    suggestions = sorted(state.suggestions.values(), key=lambda each: each.number)
    runs = [
        evaluation_of(each, state.runs.get(each.run), state.curves.of(each.run), [objective], policy)
        for each in suggestions
        if each.run not in state.withdrawn
    ]
    return stages(runs, option, objective)


def write_schedules(folder: SearchFolder, found: Sequence[Stage]) -> Path:
    """Write the table; returns its path.

    Raises:
        OSError: It cannot be written; an earlier one is untouched.
    """
    path = folder.path / SCHEDULES
    columns, rows = schedule_table(found)
    write_table(path, columns, rows)
    return path
