"""Lineages: where the runs of a population come from."""

from __future__ import annotations

from hpsearch.model.trials.lineage import best_evaluation, lineage, schedule_table, stages
from hpsearch.model.trials.trial import Evaluation, Objective, Proposal, TrialState


def run(number: int, member: int, generation: int, parent: int = 0, *, lr: float, acc: float | None) -> Evaluation:
    """A run of a member that trains 5 epochs more than its parent."""
    proposal = Proposal(
        {'lr': lr, 'epochs': 5 * generation},
        member,
        5.0 * generation,
        f'run_{parent}' if parent else '',
        facts={'member': member, 'generation': generation},
    )
    state = TrialState.FAILED if acc is None else TrialState.COMPLETE
    return Evaluation(f'run_{number}', number, proposal, state, () if acc is None else (-acc,))


RUNS = [
    run(1, 1, 1, lr=0.1, acc=0.5),
    run(2, 2, 1, lr=0.9, acc=0.2),
    run(3, 2, 2, 1, lr=0.08, acc=0.7),
    run(4, 1, 2, 1, lr=0.1, acc=0.6),
    run(5, 1, 3, 4, lr=0.1, acc=None),
]


def test_that_a_lineage_goes_back_to_the_run_that_began_anew() -> None:
    assert [each.run for each in lineage(RUNS, 'run_3')] == ['run_1', 'run_3']
    assert lineage(RUNS, 'run_9') == []


def test_that_the_best_run_is_the_best_of_those_with_the_largest_budget() -> None:
    assert best_evaluation(RUNS) == RUNS[2]
    longer = run(6, 1, 3, 4, lr=0.1, acc=0.1)
    assert best_evaluation([*RUNS, longer]) == longer
    assert best_evaluation([]) is None


def test_that_the_table_has_each_member_with_its_generations_and_marks_the_lineage_of_the_best() -> None:
    columns, cells = schedule_table(stages(RUNS, 'epochs', Objective('acc', maximize=True)))
    assert columns == ['member', 'generation', 'run', 'parent', 'exploited', 'budget', 'lr', 'state', 'score', 'best']
    assert list(cells) == [
        ['1', '1', 'run_1', '', '0', '5', '0.1', 'complete', '0.5', '1'],
        ['1', '2', 'run_4', 'run_1', '0', '10', '0.1', 'complete', '0.6', '0'],
        ['1', '3', 'run_5', 'run_4', '0', '15', '0.1', 'failed', '', '0'],
        ['2', '1', 'run_2', '', '0', '5', '0.9', 'complete', '0.2', '0'],
        ['2', '2', 'run_3', 'run_1', '1', '10', '0.08', 'complete', '0.7', '1'],
    ]


def test_that_runs_of_no_member_are_left_out() -> None:
    assert stages([Evaluation('run_1', 1, Proposal({}))], 'epochs', Objective('acc')) == []
