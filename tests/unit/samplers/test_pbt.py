"""Population based training: who goes on, who takes over from whom, and what it finds on a task that is known."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import replace

import pytest

from benchmarks.pbt import SPACE, STEPS, best_constant, best_schedule, expected, schedule_of_best, search
from hpsearch.model.trials.trial import Evaluation, Proposal, TrialState, trials_of
from hpsearch.samplers.pbt import PbtSampler, PopulationSettings, members_of

SETTINGS = PopulationSettings(size=4, interval=25)


def proposed(runs: Sequence[Evaluation], settings: PopulationSettings = SETTINGS) -> Proposal | None:
    return PbtSampler(SPACE, settings, 1).propose(trials_of(runs), len(runs) + 1)


def run(
    number: int,
    member: int,
    generation: int = 1,
    loss: float | None = None,
    *,
    lr: float = 0.1,
    has_failed: bool = False,
    budget: int = 0,
) -> Evaluation:
    """A run of a member; without a loss it waits, or has failed; its budget is 25 times the generation unless given."""
    budget = budget or 25 * generation
    facts = {'member': member, 'generation': generation}
    proposal = Proposal({'lr': lr, 'epochs': budget}, member, float(budget), facts=facts)
    state = TrialState.FAILED if has_failed else TrialState.WAITING if loss is None else TrialState.COMPLETE
    return Evaluation(f'run_{number}', number, proposal, state, () if loss is None else (loss,))


FIRST = [run(1, 1, loss=0.1, lr=0.5), run(2, 2, loss=0.2), run(3, 3, loss=0.3), run(4, 4, loss=0.4)]


def test_that_every_member_begins_before_any_goes_on() -> None:
    proposal = proposed(FIRST[:3])
    assert proposal is not None
    assert (proposal.trial, proposal.parent, proposal.facts) == (None, '', {'member': 4, 'generation': 1})
    assert proposal.values['epochs'] == 25


def test_that_the_member_furthest_behind_goes_first() -> None:
    proposal = proposed([*FIRST, run(5, 1, 2, loss=0.1)])
    assert proposal is not None
    assert proposal.facts['member'] == 2


def test_that_nobody_waits_for_those_that_are_slow() -> None:
    proposal = proposed([FIRST[0], run(2, 2), run(3, 3), run(4, 4)])
    assert proposal is not None
    assert (proposal.trial, proposal.parent, proposal.fidelity) == (1, 'run_1', 50.0)


def test_that_nothing_is_proposed_while_all_are_at_work() -> None:
    assert proposed([run(number, number) for number in range(1, 5)]) is None


def test_that_a_good_member_goes_on_with_its_own_values() -> None:
    proposal = proposed(FIRST)
    assert proposal is not None
    assert (proposal.parent, proposal.values) == ('run_1', {'lr': 0.5, 'epochs': 50})


def test_that_a_bad_member_goes_on_from_a_good_one_with_values_near_its() -> None:
    settings = replace(SETTINGS, exploration=replace(SETTINGS.exploration, resample=0.0))
    later = [run(5, 1, 2, loss=0.1), run(6, 2, 2, loss=0.2), run(7, 3, 2, loss=0.3)]
    proposal = proposed([*FIRST, *later], settings)
    assert proposal is not None
    assert (proposal.trial, proposal.parent) == (4, 'run_5')
    assert proposal.values['lr'] in (pytest.approx(0.08), pytest.approx(0.12))
    assert proposal.values['epochs'] == 75, 'the checkpoint has been trained that long'


def test_that_a_bad_member_goes_on_by_itself_while_it_is_new() -> None:
    proposal = proposed([*FIRST, *(run(4 + each, each, 2) for each in (1, 2, 3))], replace(SETTINGS, burn_in=26))
    assert proposal is not None
    assert (proposal.trial, proposal.parent) == (4, 'run_4')


def test_that_a_run_that_has_had_the_whole_budget_is_not_gone_on_from() -> None:
    whole = [run(5, 1, 2, loss=0.1), run(6, 1, 3, loss=0.1), run(7, 1, 4, loss=0.1), run(8, 2, 2), run(9, 3, 2)]
    proposal = proposed([*FIRST, *whole])
    assert proposal is not None
    assert (proposal.trial, proposal.parent, proposal.values['epochs']) == (4, 'run_6', 100)


def test_that_a_member_does_not_go_back_to_one_that_has_had_the_whole_budget() -> None:
    whole = [run(1, 1, loss=0.1), run(5, 1, 4, loss=0.1), run(2, 2), run(3, 3)]
    last = [run(4, 4, loss=0.4), run(6, 4, 2, loss=0.3)]
    proposal = proposed([*whole, *last])
    assert proposal is not None
    assert (proposal.trial, proposal.parent, proposal.values['epochs']) == (4, 'run_6', 75)


@pytest.mark.parametrize('seed', range(6))
def test_that_a_population_comes_to_its_end_also_one_run_after_the_other(seed: int) -> None:
    def fails_if_endless(each: Evaluation) -> bool:
        assert each.number < 50, 'a member goes back again and again'
        return False

    search(PopulationSettings(3, 25), seed, slots=1, fails=fails_if_endless)


def test_that_a_member_that_failed_goes_on_from_a_good_one() -> None:
    runs = [*FIRST[:3], run(4, 4, has_failed=True)]
    proposal = proposed([*runs, *(run(4 + each, each, 2) for each in (1, 2, 3))])
    assert proposal is not None
    assert (proposal.trial, proposal.parent) == (4, 'run_1')
    assert proposal.facts == {'member': 4, 'generation': 2}


def test_that_a_member_that_failed_begins_anew_where_there_is_no_good_one() -> None:
    proposal = proposed([run(1, 1, has_failed=True, lr=0.9), *(run(each, each) for each in (2, 3, 4))])
    assert proposal is not None
    assert (proposal.trial, proposal.parent, proposal.values['epochs']) == (1, '', 25)
    assert proposal.values['lr'] != 0.9


def test_that_a_member_that_fails_again_and_again_is_given_up() -> None:
    failed = [run(each, each % 4 + 1, each // 4 + 1, has_failed=True) for each in range(12)]
    assert proposed(failed) is None
    assert PbtSampler(SPACE, SETTINGS, 1).is_done(trials_of(failed))


def test_that_a_member_is_given_up_that_fails_wherever_it_had_come_whatever_it_does_in_between() -> None:
    begins = [run(1, 1, 1, loss=0.2), run(2, 1, 2, loss=0.2)]
    goes_on = [run(each, 1, each, has_failed=True, budget=75) for each in (3, 5, 7)]
    goes_back = [run(each, 1, each, loss=0.2, budget=50) for each in (4, 6)]
    runs = sorted([*begins, *goes_on, *goes_back], key=lambda each: each.number)
    (before,), (after,) = members_of(trials_of(runs[:6]), 1), members_of(trials_of(runs), 1)
    assert (before.is_given_up, after.is_given_up) == (False, True)


def test_that_of_two_runs_that_two_writers_proposed_at_once_one_counts() -> None:
    members = members_of(trials_of([run(1, 1, has_failed=True), run(2, 1, loss=0.2), run(3, 1, loss=0.1)]), 1)
    assert [[each.run for each in member.runs] for member in members] == [['run_2']]


def test_that_options_that_are_not_explored_come_with_the_checkpoint() -> None:
    later = [run(5, 1, 2, loss=0.1, lr=0.7), run(6, 2, 2, loss=0.2), run(7, 3, 2, loss=0.3)]
    proposal = proposed([*FIRST, *later], replace(SETTINGS, explore=('momentum',)))
    assert proposal is not None
    assert proposal.values['lr'] == 0.7


def test_that_the_same_trials_give_the_same_proposal() -> None:
    runs = search(PopulationSettings(4, 25), seed=1)
    first = trials_of(runs[:9])
    assert PbtSampler(SPACE, SETTINGS, 1).propose(first, 10) == PbtSampler(SPACE, SETTINGS, 1).propose(first, 10)


@pytest.mark.parametrize('slots', [1, 2, 3, 8])
def test_that_every_member_reaches_the_whole_budget_whatever_the_number_of_slots(slots: int) -> None:
    runs = search(PopulationSettings(6, 10), seed=2, slots=slots)
    whole = Counter(each.proposal.facts['member'] for each in runs if each.proposal.fidelity == STEPS)
    assert set(whole) == set(range(1, 7))


def test_that_a_population_larger_than_the_slots_takes_turns() -> None:
    runs = search(PopulationSettings(6, 10), seed=2, slots=2)
    reached = dict.fromkeys(range(1, 7), 0.0)
    for each in runs:
        member = each.proposal.facts['member']
        begins = (each.proposal.fidelity or 0.0) - 10
        assert begins <= min(reached.values()) + 30, 'a member is far ahead of the others'
        reached[member] = each.proposal.fidelity or 0.0


def test_that_failures_here_and_there_keep_nobody_from_the_end() -> None:
    runs = search(PopulationSettings(6, 10), seed=3, fails=lambda run: run.number % 5 == 0)
    assert {each.proposal.facts['member'] for each in runs if each.proposal.fidelity == STEPS and each.losses} == set(
        range(1, 7)
    )


@pytest.mark.parametrize('seed', range(5))
def test_that_the_schedule_it_finds_beats_the_best_constant_value(seed: int) -> None:
    constant = best_constant()
    runs = search(PopulationSettings(size=20, interval=5), seed)
    found = schedule_of_best(runs)
    assert len(found) == STEPS
    assert expected(best_schedule()) < expected(found) < expected([constant] * STEPS)


def test_that_values_that_are_not_allowed_are_changed_again_and_at_last_left_as_they_are() -> None:
    later = [run(5, 1, 2, loss=0.1, lr=0.5), run(6, 2, 2, loss=0.2), run(7, 3, 2, loss=0.3)]
    trials = trials_of([*FIRST, *later])
    below = PbtSampler(SPACE, SETTINGS, 1, lambda values: values['lr'] < 0.5).propose(trials, 8)
    none = PbtSampler(SPACE, SETTINGS, 1, lambda values: False).propose(trials, 8)
    assert below is not None and none is not None
    assert (below.values['lr'] < 0.5, none.values['lr']) == (True, 0.5)
