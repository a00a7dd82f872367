"""Trials for tests of samplers that learn."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace

from hpsearch.model.configuration import Value
from hpsearch.model.trials.distributions import Space, Uniform, choice_of
from hpsearch.model.trials.trial import Evaluation, Proposal, Trial, TrialState
from hpsearch.samplers.base import Sampler
from hpsearch.samplers.models.making import learning_sampler

Function = Callable[[Mapping[str, Value]], tuple[float, ...]]

SPACE: Space = {'lr': Uniform(1e-5, 1.0, log=True), 'width': choice_of([16, 32, 64]), 'kind': choice_of(['a', 'b'])}


OPTIONS: Mapping[str, Mapping[str, str]] = {
    'tpe': {'n_startup_trials': '5'},
    'gp': {'n_startup_trials': '3'},
    'nsga2': {'population_size': '10'},
}


def number(value: Value) -> float:
    """A value that is a number."""
    assert isinstance(value, int | float)
    return float(value)


def bowl(values: Mapping[str, Value]) -> tuple[float, ...]:
    """Best at lr=0.1, width=32."""
    return ((number(values.get('lr', 1.0)) - 0.1) ** 2 + abs(number(values.get('width', 32)) - 32) / 100,)


def trial(
    number: int,
    proposal: Proposal,
    losses: Sequence[float] = (),
    state: TrialState | None = None,
    curve: Mapping[float, float] | None = None,
) -> Trial:
    """A trial of one run, complete if it has losses."""
    known = state or (TrialState.COMPLETE if losses else TrialState.WAITING)
    return Trial(number, [Evaluation(f'run_{number}', number, proposal, known, tuple(losses), curve or {})])


def searched(sampler: Sampler, function: Function, runs: int, at_once: int = 1) -> list[Trial]:
    """The trials of a search in which so many run at once, and the first one that was started is the first to end."""
    trials: list[Trial] = []
    for begun in range(1, runs + 1):
        proposal = sampler.propose(trials, begun)
        assert proposal is not None
        trials.append(trial(begun, proposal))
        done = begun - at_once
        if done >= 0:
            first = trials[done].evaluations[0].proposal
            trials[done] = trial(done + 1, first, function(first.values))
    return trials


def sampler_of(kind: str, space: Space = SPACE, objectives: int = 1) -> Sampler:
    """A sampler that begins to learn early."""
    return learning_sampler(kind, space, objectives, 1, OPTIONS.get(kind, {}))


def through_json(trials: list[Trial]) -> list[Trial]:
    """The trials as they come back from a journal."""
    return [
        Trial(each.number, [replace(run, proposal=_through_json(run.proposal)) for run in each.evaluations])
        for each in trials
    ]


def _through_json(proposal: Proposal) -> Proposal:
    values, facts = json.loads(json.dumps([proposal.values, proposal.facts]))
    return replace(proposal, values=values, facts=facts)
