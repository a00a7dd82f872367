"""Budgets that are an option: promotions, brackets, and what the sampler of new trials sees."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import replace

from hpsearch.model.trials.distributions import Fidelity, Space, Uniform
from hpsearch.model.trials.trial import Evaluation, Proposal, Trial, TrialState, trials_of
from hpsearch.samplers.fidelity import FidelitySampler
from hpsearch.samplers.random_search import RandomSampler

SPACE: Space = {'lr': Uniform(0.0, 1.0)}
BUDGETS = Fidelity(1, 9, 3)


class FixedSampler:
    """Proposes one value after the other, and keeps what it was shown."""

    def __init__(self, rates: Sequence[float]) -> None:
        self.rates = list(rates)
        self.seen: Sequence[Trial] = ()

    def propose(self, trials: Sequence[Trial], number: int) -> Proposal | None:
        self.seen = trials
        return Proposal({'lr': self.rates[len(trials)]}) if len(trials) < len(self.rates) else None

    def is_done(self, trials: Sequence[Trial]) -> bool:
        return len(trials) >= len(self.rates)


def begun(proposal: Proposal, number: int) -> Evaluation:
    return Evaluation(f'run_{number}', number, replace(proposal, trial=proposal.trial or number))


def ended(run: Evaluation, loss: float | None) -> Evaluation:
    if loss is None:
        return replace(run, state=TrialState.FAILED)
    return replace(run, state=TrialState.COMPLETE, losses=(loss,))


def searched(
    sampler: FidelitySampler, most: int = 100, loss: Callable[[Evaluation], float | None] | None = None
) -> list[Evaluation]:
    """One run after the other; the loss is the learning rate."""
    runs: list[Evaluation] = []
    while len(runs) < most and (proposal := sampler.propose(trials_of(runs), len(runs) + 1)) is not None:
        run = begun(proposal, len(runs) + 1)
        runs.append(ended(run, loss(run) if loss else run.proposal.values['lr']))
    return runs


def told(runs: Sequence[Evaluation]) -> list[tuple[float, int]]:
    return [(each.proposal.values['lr'], each.proposal.values['epochs']) for each in runs]


def test_that_the_best_of_three_goes_on_with_three_times_the_budget() -> None:
    runs = searched(FidelitySampler(FixedSampler([0.5, 0.2, 0.7]), 'epochs', BUDGETS))
    assert told(runs) == [(0.5, 1), (0.2, 1), (0.7, 1), (0.2, 3)]


def test_that_a_promotion_is_another_run_of_the_trial_and_goes_on_from_its_last_one() -> None:
    promotion = searched(FidelitySampler(FixedSampler([0.5, 0.2, 0.7]), 'epochs', BUDGETS))[-1].proposal
    assert (promotion.trial, promotion.parent, promotion.fidelity) == (2, 'run_2', 3.0)


def test_that_of_nine_trials_one_reaches_the_whole_budget_and_the_search_is_done() -> None:
    sampler = FidelitySampler(FixedSampler([0.9, 0.8, 0.7, 0.6, 0.5, 0.4, 0.3, 0.2, 0.1]), 'epochs', BUDGETS)
    runs = searched(sampler)
    assert [each for each in told(runs) if each[1] == 9]
    assert Counter(budget for _, budget in told(runs))[1] == 9
    assert sampler.is_done(trials_of(runs))


def test_that_what_waits_keeps_nobody_from_going_on() -> None:
    sampler = FidelitySampler(FixedSampler([0.1, 0.2, 0.3, 0.4]), 'epochs', BUDGETS)
    runs = searched(sampler, 3)
    waiting = begun(Proposal({'lr': 0.4, 'epochs': 1}, fidelity=1.0), 4)
    proposal = sampler.propose(trials_of([*runs, waiting]), 5)
    assert proposal is not None
    assert proposal.trial == 1
    assert not sampler.is_done(trials_of([*runs, waiting]))


def test_that_a_trial_is_promoted_once_also_while_that_run_waits() -> None:
    sampler = FidelitySampler(FixedSampler([0.1, 0.2, 0.3]), 'epochs', BUDGETS)
    runs = searched(sampler, 3)
    promotion = sampler.propose(trials_of(runs), 4)
    assert promotion is not None
    waiting = trials_of([*runs, begun(promotion, 4)])
    assert sampler.propose(waiting, 5) is None
    assert not sampler.is_done(waiting)


def test_that_the_next_best_goes_on_where_a_promotion_has_failed() -> None:
    rates = [0.1, 0.2, 0.3, 0.4]
    sampler = FidelitySampler(FixedSampler(rates), 'epochs', BUDGETS)
    runs = searched(sampler, loss=lambda run: None if run.proposal.values['epochs'] > 1 else run.proposal.values['lr'])
    assert told(runs) == [(0.1, 1), (0.2, 1), (0.3, 1), (0.1, 3), (0.4, 1), (0.2, 3)]


def test_that_a_trial_that_was_not_promoted_looks_like_one_that_was_stopped() -> None:
    inner = FixedSampler([0.5, 0.2, 0.7, 0.9])
    searched(FidelitySampler(inner, 'epochs', BUDGETS), 5)
    shown = [(trial.evaluations[0].state, trial.evaluations[0].curve) for trial in inner.seen]
    assert shown == [
        (TrialState.STOPPED, {1.0: 0.5}),
        (TrialState.STOPPED, {1.0: 0.2, 3.0: 0.2}),
        (TrialState.STOPPED, {1.0: 0.7}),
    ]
    assert all(set(trial.values) == {'lr'} for trial in inner.seen)


def test_that_only_a_trial_with_the_whole_budget_looks_complete() -> None:
    inner = FixedSampler([index / 10 for index in range(10)])
    searched(FidelitySampler(inner, 'epochs', BUDGETS))
    assert [trial.number for trial in inner.seen if trial.losses] == [1]


def test_that_with_brackets_some_trials_begin_with_larger_budgets_and_are_compared_among_themselves() -> None:
    sampler = FidelitySampler(RandomSampler(SPACE, 1), 'epochs', BUDGETS, brackets=3, seed=1)
    runs = searched(sampler, 80)
    first = Counter(each.proposal.fidelity for each in runs if not each.proposal.parent)
    assert set(first) == {1.0, 3.0, 9.0}
    for trial in trials_of(runs):
        assert len({each.proposal.facts['bracket'] for each in trial.evaluations}) == 1


def test_that_the_same_trials_give_the_same_proposal() -> None:
    def sampler() -> FidelitySampler:
        return FidelitySampler(RandomSampler(SPACE, 1), 'epochs', BUDGETS, brackets=2, seed=3)

    runs = searched(sampler(), 30)
    assert [sampler().propose(trials_of(runs[:count]), count + 1) for count in range(30)] == [
        replace(each.proposal, trial=each.proposal.trial if each.proposal.parent else None) for each in runs
    ]
