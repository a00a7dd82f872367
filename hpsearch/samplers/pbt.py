"""Population based training: members train in turns, and what does badly goes on from what does well.

Source: Jaderberg et al., Population Based Training of Neural Networks, 2017 (arXiv 1711.09846); where the paper leaves
a choice open, defaults are those of Ray Tune.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from random import Random

from hpsearch.model.configuration import Value
from hpsearch.model.errors import ConfigError
from hpsearch.model.trials.distributions import Fidelity, Space
from hpsearch.model.trials.perturbation import Exploration, explored
from hpsearch.model.trials.trial import Evaluation, Proposal, Trial, TrialState
from hpsearch.samplers.random_search import RandomSampler

MOST_FAILURES = 3
"""A member is given up after so many failures since it last came further than before."""


MOST_DRAWN = 10_000
"""So often values are drawn until they are allowed."""

_APART = 1_000_003
"""Numbers of draws are so far apart, beyond those of runs."""

MOST_TRIES = 100
"""So often values are changed until they are allowed."""


@dataclass(frozen=True, slots=True)
class PopulationSettings:
    """How a population is trained.

    Attributes:
        size: Number of members, at least 2.
        interval: A member is compared with the others whenever it has trained so much longer, in units of the budget.
        quantile: The worst fraction (0-0.5) goes on from the best fraction.
        burn_in: Up to this budget every member goes on from its own checkpoint.
        exploration: How values are changed.
        explore: The options whose values are changed; the others are those that came with the checkpoint. Empty: all.
    """

    size: int
    interval: int
    quantile: float = 0.25
    burn_in: int = 0
    exploration: Exploration = field(default_factory=Exploration)
    explore: Sequence[str] = ()


@dataclass(frozen=True, slots=True)
class Member:
    """A member of a population.

    Attributes:
        number: From 1.
        runs: Its runs, by generation.
    """

    number: int
    runs: Sequence[Evaluation] = ()

    @property
    def complete(self) -> Sequence[Evaluation]:
        """Those of its runs that have a score."""
        return [each for each in self.runs if each.losses]

    @property
    def is_busy(self) -> bool:
        """Whether it waits or trains."""
        return bool(self.runs) and self.runs[-1].state is TrialState.WAITING

    @property
    def has_failed(self) -> bool:
        """Whether its last run has ended without a score."""
        return bool(self.runs) and not self.is_busy and not self.runs[-1].losses

    @property
    def is_given_up(self) -> bool:
        """Whether it has failed too often without getting further, be it that it went back in between."""
        furthest, failures = 0.0, 0
        for each in self.runs:
            if each.losses and _budget(each) > furthest:
                furthest, failures = _budget(each), 0
            failures += _has_failed(each)
        return failures >= MOST_FAILURES

    @property
    def budget(self) -> float:
        """How far it has come."""
        complete = self.complete
        return _budget(complete[-1]) if complete else 0.0

    @property
    def loss(self) -> float:
        """Its latest score, as a loss; infinity: it has none."""
        complete = self.complete
        return complete[-1].losses[0] if complete else math.inf


class PbtSampler:
    """Gives each member its next interval; never waits for a generation to be complete.

    The member that is furthest behind goes first, so a population may be larger than the number of runs at a time.

    Args:
        space: Distributions of the values, and one budget.
        settings: How the population is trained.
        seed: Of the search.
        is_allowed: Whether values may be run; those of a good run are taken as they are if none near them may.
    """

    def __init__(
        self,
        space: Space,
        settings: PopulationSettings,
        seed: int,
        is_allowed: Callable[[Mapping[str, Value]], bool] = lambda values: True,
    ) -> None:
        self._option, self._whole = next(
            (name, each.high) for name, each in space.items() if isinstance(each, Fidelity)
        )
        self._space = space
        self._settings = settings
        self._seed = seed
        self._drawn = RandomSampler(space, seed)
        self._is_allowed = is_allowed

    def propose(self, trials: Sequence[Trial], number: int) -> Proposal | None:
        """See :class:`hpsearch.samplers.base.Sampler`.

        Raises:
            ConfigError: No values are found that may be run.
        """
        members = members_of(trials, self._settings.size)
        ready = [each for each in members if not each.is_busy and not self._has_ended(each)]
        if not ready:
            return None
        member = min(ready, key=lambda each: (each.budget, len(each.runs), each.number))
        return self._next_run(member, members, number)

    def continued(self, trials: Sequence[Trial], number: int) -> Proposal | None:
        """See :class:`hpsearch.samplers.base.Continuing`: none before every member has begun."""
        proposal = self.propose(trials, number)
        return None if proposal is None or proposal.trial is None else proposal

    def begun(self, trials: Sequence[Trial], number: int) -> Proposal | None:
        """See :class:`hpsearch.samplers.base.Continuing`: a member that has not begun."""
        proposal = self.propose(trials, number)
        return None if proposal is None or proposal.trial is not None else proposal

    def may_continue(self, trials: Sequence[Trial]) -> bool:
        """See :class:`hpsearch.samplers.base.Continuing`."""
        return any(each.runs and not self._has_ended(each) for each in members_of(trials, self._settings.size))

    def is_done(self, trials: Sequence[Trial]) -> bool:
        """Whether every member has had the whole budget, or was given up."""
        return all(self._has_ended(each) for each in members_of(trials, self._settings.size))

    def _has_ended(self, member: Member) -> bool:
        return member.is_given_up or (member.budget >= self._whole and not member.is_busy)

    def _next_run(self, member: Member, members: Sequence[Member], number: int) -> Proposal:
        random = Random(f'{self._seed} {number} exploit')
        donor = self._donor(member, members, random)
        if donor is not None:
            return self._proposal(member, self._explored(donor, random), donor)
        if member.complete and not member.has_failed:
            return self._proposal(member, member.complete[-1].proposal.values, member.complete[-1])
        return self._proposal(member, self._anew(number), None)

    def _anew(self, number: int) -> Mapping[str, Value]:
        draws = (self._drawn.propose((), number + draw * _APART) for draw in range(MOST_DRAWN))
        found = next((each.values for each in draws if each and self._is_allowed(each.values)), None)
        if found is None:
            raise ConfigError([f'constraints: none of {MOST_DRAWN:,} draws is allowed; loosen them.'])
        return found

    def _explored(self, donor: Evaluation, random: Random) -> Mapping[str, Value]:
        settings, values = self._settings, donor.proposal.values
        budget = {self._option: self._budget_after(donor)}
        tries = (
            explored(values, self._space, settings.exploration, random, settings.explore) for _ in range(MOST_TRIES)
        )
        return next((each for each in tries if self._is_allowed({**each, **budget})), values)

    def _budget_after(self, parent: Evaluation | None) -> int:
        """The next multiple of the interval."""
        reached, interval = int(_budget(parent)) if parent else 0, self._settings.interval
        return min((reached // interval + 1) * interval, self._whole)

    def _proposal(self, member: Member, values: Mapping[str, Value], parent: Evaluation | None) -> Proposal:
        budget = self._budget_after(parent)
        return Proposal(
            {**values, self._option: budget},
            trial=_trial_of(member),
            fidelity=float(budget),
            parent=parent.run if parent else '',
            facts={'member': member.number, 'generation': len(member.runs) + 1},
        )

    # Exploiting

    def _donor(self, member: Member, members: Sequence[Member], random: Random) -> Evaluation | None:
        """The run whose checkpoint and values a member takes over; None: it goes on by itself, or there is none."""
        ranked = sorted((each for each in members if each.complete), key=lambda each: (each.loss, each.number))
        count = _quantile_size(len(ranked), self._settings.quantile)
        is_bad = member in ranked[len(ranked) - count :] and member.budget >= self._settings.burn_in
        if not (is_bad or member.has_failed):
            return None
        best = [run for each in ranked[:count] if each is not member for run in self._usable(each, member)]
        return random.choice(best) if best else None

    def _usable(self, member: Member, by: Member) -> list[Evaluation]:
        """Its latest run that has not had the whole budget yet: of one that has, nothing is left to train.

        Once it gets no further, another one does not go back to it, since it would come back again and again.
        """
        latest = [each for each in member.complete if _budget(each) < self._whole and each.losses[0] < math.inf][-1:]
        is_ahead = bool(latest) and _budget(latest[0]) >= by.budget
        return latest if is_ahead or by.has_failed or not self._has_ended(member) else []


def members_of(trials: Sequence[Trial], size: int) -> list[Member]:
    """The members of a population, those included that have not begun.

    Two writers that did not know of each other may both have gone on with a member: the first that did not fail counts.

    Args:
        trials: All trials of the search.
        size: Number of members.
    """
    runs: dict[int, dict[int, Evaluation]] = {number: {} for number in range(1, size + 1)}
    everything = sorted((each for trial in trials for each in trial.evaluations), key=lambda each: each.number)
    for each in everything:
        member, generation = each.proposal.facts.get('member'), each.proposal.facts.get('generation')
        if isinstance(member, int) and isinstance(generation, int) and member in runs:
            before = runs[member].get(generation)
            if before is None or (_has_failed(before) and not _has_failed(each)):
                runs[member][generation] = each
    return [Member(number, [of_it[key] for key in sorted(of_it)]) for number, of_it in runs.items()]


def _trial_of(member: Member) -> int | None:
    """The number of the trial that is a member; None: it has not begun."""
    first = member.runs[0] if member.runs else None
    return None if first is None else first.proposal.trial or first.number


def _quantile_size(count: int, quantile: float) -> int:
    """How many members are in the best, and in the worst, fraction: as Ray Tune has it, at most half of them."""
    return 0 if count < 2 else min(math.ceil(count * quantile), count // 2)


def _budget(run: Evaluation) -> float:
    return run.proposal.fidelity or 0.0


def _has_failed(run: Evaluation) -> bool:
    return run.state is not TrialState.WAITING and not run.losses
