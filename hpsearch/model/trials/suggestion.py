"""A suggestion: a proposal of a sampler that was made into a run, as the journal has it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from hpsearch.model.configuration import Params
from hpsearch.model.run import Run, planned_words
from hpsearch.model.trials.trial import Proposal

SUGGESTED = b'{"event":"suggested"'
"""How the line of a suggestion in a journal begins."""


@dataclass(frozen=True, slots=True)
class Suggestion:
    """A run that a sampler chose.

    Attributes:
        run: Its name.
        number: Its number in the search, from 1.
        params: Its hyperparameters.
        proposal: What was proposed; its ``trial`` is always the number of the trial.
        writer: Who suggested it.
    """

    run: str
    number: int
    params: Params
    proposal: Proposal
    writer: str


def event_of(run: Run, proposal: Proposal, at: float) -> dict[str, Any]:
    """The event that makes a run one of the search; ``at`` in seconds since 1970."""
    trial = {
        'trial': proposal.trial or run.number,
        'values': dict(proposal.values),
        'fidelity': proposal.fidelity,
        'parent': proposal.parent,
        'seed': proposal.seed,
        'facts': dict(proposal.facts),
    }
    said = {name: value for name, value in trial.items() if value not in (None, '', {}) or name == 'values'}
    words = list(planned_words(run))
    return {
        **{'event': 'suggested', 'run': run.name, 'number': run.number, 'params': dict(run.params), 'argv': words},
        **{'trial': said, 'at': at},
    }


def suggestion_of(writer: str, event: Mapping[str, Any]) -> Suggestion:
    """The suggestion of an event that was checked."""
    trial = event['trial']
    known = {name: trial[name] for name in ('fidelity', 'parent', 'seed', 'facts') if name in trial}
    proposal = Proposal(trial['values'], trial=trial['trial'], **known)
    return Suggestion(event['run'], event['number'], event['params'], proposal, writer)
