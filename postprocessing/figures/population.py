"""The schedules of a population: what each member had over its training, and from whom it took over."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from hpsearch.model.configuration import Value
from hpsearch.model.states import ACTIVE, State
from hpsearch.model.table import cell
from hpsearch.model.trials.evaluations import losses_of
from hpsearch.model.trials.lineage import Stage, stages
from hpsearch.model.trials.trial import Evaluation, Objective, Proposal, TrialState
from hpsearch.model.units import count_of
from hpsearch.records.run import RunRecord
from hpsearch.records.search import SearchRecord

from .parameters import Parameter, number_of, parameter_of
from .plain import number

MOST_MEMBERS = 60

_STATES = {State.FINISHED: TrialState.COMPLETE, State.STOPPED: TrialState.STOPPED}


def population_stages(search: SearchRecord) -> list[Stage]:
    """The runs of a population, by member and generation; empty: the search has none."""
    proposed = [(run, run.proposal) for run in search.runs if run.proposal]
    if not search.objectives or not any('member' in proposal.facts for _, proposal in proposed):
        return []
    evaluations = [_evaluation(run, proposal, search.objectives[0]) for run, proposal in proposed]
    return stages(evaluations, search.fidelity, search.objectives[0])


def schedules(search: SearchRecord) -> dict[str, Any]:
    """What a page draws of them; empty: the search has no population.

    ``options``: ``name``, ``number`` and ``log``; ``members``: ``member`` and ``stages``, each with ``run``,
    ``budget``, ``score`` (None: it has none), ``values`` (for each option a number or a text), ``parent``, ``from``
    (the member that it took over from; None: it went on by itself) and ``best`` (the best run comes from it).
    """
    found = population_stages(search)
    if not found:
        return {}
    names = list(dict.fromkeys(name for stage in found for name in stage.values))
    options = [_option(search, name, found) for name in names]
    by_member: dict[int, list[Stage]] = {}
    for stage in found:
        by_member.setdefault(stage.member, []).append(stage)
    shown = _shown(by_member)
    members = {stage.run: stage.member for stage in found}
    return {
        'key': search.objectives[0].key,
        'maximize': search.objectives[0].maximize,
        'fidelity': search.fidelity or 'budget',
        'options': [{'name': each.name, 'number': each.is_number, 'log': each.is_log} for each in options],
        'members': [
            {'member': member, 'stages': [_as_plain(stage, options, members) for stage in by_member[member]]}
            for member in shown
        ],
        'caption': _caption(search, found, len(by_member), len(shown)),
    }


def _evaluation(run: RunRecord, proposal: Proposal, objective: Objective) -> Evaluation:
    losses = losses_of(run.summary or {}, [objective]) if run.state is State.FINISHED else None
    waits = run.state is State.PLANNED or run.state in ACTIVE
    state = TrialState.WAITING if waits else _STATES.get(run.state, TrialState.FAILED)
    if state is TrialState.COMPLETE and losses is None:
        state = TrialState.FAILED
    return Evaluation(run.name, run.number, proposal, state, losses or ())


def _option(search: SearchRecord, name: str, found: Sequence[Stage]) -> Parameter:
    values = [stage.values[name] for stage in found if name in stage.values]
    return parameter_of(name, values, search.configuration.distributions.get(name))


def _shown(by_member: Mapping[int, Sequence[Stage]]) -> list[int]:
    """The members that are shown: those that the best run comes from are always among them."""
    first = sorted(by_member, key=lambda member: (not any(stage.is_of_best for stage in by_member[member]), member))
    return sorted(first[:MOST_MEMBERS])


def _as_plain(stage: Stage, options: Sequence[Parameter], members: Mapping[str, int]) -> dict[str, Any]:
    return {
        'run': stage.run,
        'budget': number(stage.budget),
        'score': number(stage.score),
        'values': [_value(each, stage.values) for each in options],
        'parent': stage.parent,
        'from': members.get(stage.parent) if stage.exploited else None,
        'best': stage.is_of_best,
    }


def _value(option: Parameter, values: Mapping[str, Value]) -> float | str | None:
    if option.name not in values:
        return None
    return number(number_of(values[option.name])) if option.is_number else cell(values[option.name])


def _caption(search: SearchRecord, found: Sequence[Stage], members: int, shown: int) -> str:
    exploited = sum(stage.exploited for stage in found)
    sample = f', of which {shown} are shown' if shown < members else ''
    runs = count_of(len(found), 'run')
    return (
        f'{count_of(members, "member")} of a population{sample} over their {search.fidelity or "budget"}, in {runs}: '
        'the score, and the values that were changed on the way. '
        f'In {count_of(exploited, "run")} a member went on from another one that was better (dashed). In front: the '
        'way to the best run.'
    )
