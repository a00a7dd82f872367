"""Where a run comes from: the runs whose checkpoints it went on from, and the values they had."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from hpsearch.model.configuration import Value
from hpsearch.model.trials.trial import Evaluation, Objective, TrialState


@dataclass(frozen=True, slots=True)
class Stage:
    """One run of a member of a population.

    Attributes:
        member: Number of the member, from 1.
        generation: Which of its runs it is, from 1.
        run: Its name.
        parent: The run whose checkpoint it went on from; empty: it began anew.
        exploited: Whether the parent is a run of another member.
        budget: How long the network had been trained at its end, in units of the budget.
        values: The values of its options, the budget aside.
        state: Where it stands.
        score: Value of the objective; None: it has none.
        is_of_best: Whether the best run comes from it, or is it.
    """

    member: int
    generation: int
    run: str
    parent: str
    exploited: bool
    budget: float
    values: Mapping[str, Value]
    state: TrialState
    score: float | None
    is_of_best: bool


def lineage(evaluations: Iterable[Evaluation], run: str) -> list[Evaluation]:
    """A run with all those it comes from, the first one first; empty: there is no such run."""
    known = {each.run: each for each in evaluations}
    found: list[Evaluation] = []
    while run in known:
        found.append(known.pop(run))
        run = found[-1].proposal.parent
    return found[::-1]


def best_evaluation(evaluations: Iterable[Evaluation]) -> Evaluation | None:
    """The run with the largest budget, among these the one with the smallest loss; None: none is complete."""
    complete = [each for each in evaluations if each.state is TrialState.COMPLETE and each.losses]
    return min(complete, key=lambda each: (-(each.proposal.fidelity or 0.0), each.losses[0], each.number), default=None)


def stages(evaluations: Sequence[Evaluation], option: str, objective: Objective) -> list[Stage]:
    """The runs of a population, by member and generation.

    Args:
        evaluations: The runs of the search; those of no member are left out.
        option: The option that is the budget.
        objective: What the scores are values of.
    """
    best = best_evaluation(evaluations)
    of_best = {each.run for each in lineage(evaluations, best.run)} if best else set()
    members = {each.run: each.proposal.facts.get('member') for each in evaluations}
    found = [
        _stage(each, option, objective, members, is_of_best=each.run in of_best)
        for each in evaluations
        if members[each.run] is not None
    ]
    return sorted(found, key=lambda stage: (stage.member, stage.generation))


def _stage(
    each: Evaluation, option: str, objective: Objective, members: Mapping[str, int | None], *, is_of_best: bool
) -> Stage:
    proposal = each.proposal
    return Stage(
        member=proposal.facts['member'],
        generation=proposal.facts['generation'],
        run=each.run,
        parent=proposal.parent,
        exploited=bool(proposal.parent) and members.get(proposal.parent) != proposal.facts['member'],
        budget=proposal.fidelity or 0.0,
        values={name: value for name, value in proposal.values.items() if name != option},
        state=each.state,
        score=objective.value(each.losses[0]) if each.losses else None,
        is_of_best=is_of_best,
    )


def schedule_table(found: Sequence[Stage]) -> tuple[list[str], Iterator[list[str]]]:
    """Columns and cells of the table of schedules; of a value that is a text, the text."""
    options = list(dict.fromkeys(name for stage in found for name in stage.values))
    columns = ['member', 'generation', 'run', 'parent', 'exploited', 'budget', *options, 'state', 'score', 'best']
    return columns, (_cells(stage, options) for stage in found)


def _cells(stage: Stage, options: Sequence[str]) -> list[str]:
    texts = ['' if name not in stage.values else str(stage.values[name]) for name in options]
    before = [str(stage.member), str(stage.generation), stage.run, stage.parent, _flag(stage.exploited)]
    score = '' if stage.score is None else str(stage.score)
    return [*before, f'{stage.budget:g}', *texts, stage.state.value, score, _flag(stage.is_of_best)]


def _flag(value: bool) -> str:
    return '1' if value else '0'
