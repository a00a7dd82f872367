"""What searches with several objectives, or with several seeds for each trial, have come to."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from hpsearch.config.inline.objective import objectives_of_search
from hpsearch.model.configuration import Configuration
from hpsearch.model.history.search_state import SearchState
from hpsearch.model.states import State
from hpsearch.model.trials.leading import Found, Leader, leaders, objectives_in_words
from hpsearch.model.trials.trial import Objective
from hpsearch.model.units import count_of, noun_for
from hpsearch.store.folder import SearchFolder
from hpsearch.ui.table import shortened

LINES = 5
"""Leaders that ``hpsearch status`` lists, at most; its JSON has all."""


def leaders_of(
    folder: SearchFolder, state: SearchState, options: Mapping[str, Any], configuration: Configuration
) -> tuple[list[Objective], list[Leader]]:
    """The objectives and the leading trials; none: the search has one objective and one run for each trial."""
    objectives = objectives_of_search(options, configuration)
    if len(objectives) < 2 and (not objectives or int(options.get('seeds_per_config') or 1) < 2):
        return objectives, []
    return objectives, leaders(list(_found(folder, state)), objectives)


def _found(folder: SearchFolder, state: SearchState) -> Iterator[Found]:
    """The results of the runs that have finished."""
    for history in state.wanted:
        attempt = history.deciding
        if attempt is None or attempt.state is not State.FINISHED:
            continue
        suggestion = state.suggestions.get(attempt.run)
        if suggestion is not None:
            trial, fidelity = suggestion.proposal.trial or suggestion.number, suggestion.proposal.fidelity
            yield Found(attempt.run, trial, suggestion.params, attempt.summary, fidelity)
        elif (run := folder.find_run(attempt.run)) is not None:
            yield Found(attempt.run, run.number, run.params, attempt.summary)


def heading(objectives: Sequence[Objective], found: Sequence[Leader], shown: int) -> str:
    """What is said above the table of the leaders."""
    trials, in_words = count_of(len(found), 'trial'), objectives_in_words(objectives)
    if len(objectives) > 1:
        few = f', the first {shown} of them' if shown < len(found) else ''
        return f'Pareto front: {trials}{few} ({in_words})'
    return f'best {shown} of {trials} (mean over {noun_for(len(found), "its", "their")} seeds; best: {in_words})'


def lines_of(objectives: Sequence[Objective], found: Sequence[Leader]) -> Iterator[str]:
    """The leaders as ``hpsearch status`` lists them."""
    if not found:
        return
    yield heading(objectives, found, min(LINES, len(found)))
    for each in found[:LINES]:
        values = ', '.join(
            f'{objective.key} {shortened(str(value))}' for objective, value in zip(objectives, each.values, strict=True)
        )
        mean = f', mean of {each.runs}' if each.runs > 1 else ''
        yield f'  {values}{mean}: {each.run}'


def json_of(objectives: Sequence[Objective], found: Sequence[Leader]) -> list[dict[str, Any]]:
    """The leaders for ``hpsearch status --json``."""
    return [
        {
            'run': each.run,
            'runs': each.runs,
            'params': dict(each.params),
            'values': {objective.key: value for objective, value in zip(objectives, each.values, strict=True)},
        }
        for each in found
    ]
