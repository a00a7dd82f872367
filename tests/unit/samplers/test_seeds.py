"""Several seeds for each trial."""

from __future__ import annotations

from hpsearch.model.trials.distributions import Space, Uniform
from hpsearch.model.trials.trial import Evaluation, Proposal, Trial, TrialState, trials_of
from hpsearch.samplers.random_search import RandomSampler
from hpsearch.samplers.seeds import SeedsSampler

SPACE: Space = {'a': Uniform(0.0, 1.0)}
SAMPLER = SeedsSampler(RandomSampler(SPACE, 1), [10, 11, 12])


def ended(number: int, proposal: Proposal, *losses: float, state: TrialState = TrialState.COMPLETE) -> Evaluation:
    """A run with these losses."""
    numbered = Proposal(proposal.values, trial=proposal.trial or number, seed=proposal.seed, facts=proposal.facts)
    return Evaluation(f'r{number}', number, numbered, state, losses)


def proposed(runs: list[Evaluation]) -> Proposal:
    """What is proposed next."""
    proposal = SAMPLER.propose(trials_of(runs), len(runs) + 1)
    assert proposal is not None
    return proposal


def test_that_a_trial_gets_all_seeds_one_after_the_other_and_before_a_new_trial() -> None:
    runs: list[Evaluation] = []
    for _ in range(4):
        runs.append(ended(len(runs) + 1, proposed(runs), 1.0 + len(runs) / 10))
    assert [(run.proposal.trial, run.proposal.seed) for run in runs] == [(1, 10), (1, 11), (1, 12), (4, 10)]
    assert runs[0].proposal.values == runs[1].proposal.values != runs[3].proposal.values


def test_that_new_trials_are_begun_while_a_seed_runs() -> None:
    first = proposed([])
    second = proposed([ended(1, first, state=TrialState.WAITING)])
    assert (second.trial, second.seed) == (None, 10)
    assert second.values != first.values


def test_that_what_is_hopeless_gets_no_more_seeds() -> None:
    best = [ended(number, Proposal({'a': 0.1}, trial=1, seed=9 + number), 1.0 + number / 10) for number in (1, 2, 3)]
    bad = ended(4, Proposal({'a': 0.2}, seed=10), 5.0)
    assert proposed([*best, bad]).trial is None
    good = ended(4, Proposal({'a': 0.2}, seed=10), 1.1)
    assert (proposed([*best, good]).trial, proposed([*best, good]).seed) == (4, 11)


def test_that_the_best_trial_gets_its_next_seed_first() -> None:
    runs = [ended(1, Proposal({'a': 0.1}, seed=10), 2.0), ended(2, Proposal({'a': 0.2}, seed=10), 1.0)]
    assert proposed(runs).trial == 2


def test_that_a_generation_is_noted_once() -> None:
    runs = [ended(1, Proposal({'a': 0.1}, seed=10, facts={'parents': [1]}), 2.0)]
    assert proposed(runs).facts == {}


class Nothing:
    """Has nothing more to propose."""

    def propose(self, trials: object, number: int) -> None:
        """Nothing."""

    def is_done(self, trials: object) -> bool:
        """It is."""
        return True


def test_that_it_ends_with_the_last_seed() -> None:
    sampler = SeedsSampler(Nothing(), [10, 11])
    first = ended(1, Proposal({'a': 0.1}, seed=10), 2.0)
    second = ended(2, Proposal({'a': 0.1}, trial=1, seed=11), 2.0)
    waiting = ended(2, second.proposal, state=TrialState.WAITING)
    ends = [sampler.is_done(trials_of(runs)) for runs in ([], [first], [first, waiting], [first, second])]
    assert ends == [True, False, True, True]


def test_that_the_score_of_a_trial_is_the_mean_over_its_seeds() -> None:
    runs = [ended(1, Proposal({'a': 0.1}, seed=10), 2.0), ended(2, Proposal({'a': 0.1}, trial=1, seed=11), 1.0)]
    assert [trial.losses for trial in trials_of(runs)] == [(1.5,)]
    assert isinstance(trials_of(runs)[0], Trial)
