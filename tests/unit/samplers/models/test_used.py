"""Values that made no difference are not learnt from."""

from __future__ import annotations

from collections.abc import Sequence

from hpsearch.model.configuration import Configuration
from hpsearch.model.trials.distributions import Drawn, Uniform
from hpsearch.model.trials.trial import Proposal, Trial
from hpsearch.samplers.models.used import UsedSampler
from hpsearch.space.sampled import SampledSpace
from tests.unit.samplers.models.trials import trial

CONDITIONAL = Configuration(
    'grid.py',
    '',
    {'optimizer': ['sgd', 'adam'], 'lr': Drawn(Uniform(0.0, 1.0))},
    conditions=[({'optimizer': ['sgd']}, {'momentum': Drawn(Uniform(0.0, 1.0))})],
    command=('true',),
)


class Seeing:
    """Keeps the trials that it was shown."""

    def __init__(self) -> None:
        self.seen: Sequence[Trial] = []

    def propose(self, trials: Sequence[Trial], number: int) -> Proposal | None:
        """Nothing."""
        self.seen = trials
        return None

    def is_done(self, trials: Sequence[Trial]) -> bool:
        """Never."""
        return False


def test_that_a_value_that_no_condition_asks_for_is_not_shown() -> None:
    space, seeing = SampledSpace(CONDITIONAL), Seeing()
    momentum = next(name for name in space.space if name not in ('optimizer', 'lr'))
    sampler = UsedSampler(seeing, space.used)
    values = [{'optimizer': kind, 'lr': 0.5, momentum: 0.9} for kind in ('sgd', 'adam')]
    trials = [trial(number, Proposal(each), (1.0,)) for number, each in enumerate(values, 1)]
    sampler.propose(trials, 3)
    assert [set(each.values) for each in seeing.seen] == [{'optimizer', 'lr', momentum}, {'optimizer', 'lr'}]
    assert [each.losses for each in seeing.seen] == [(1.0,), (1.0,)]


def test_that_only_a_space_with_conditions_or_rows_has_parts() -> None:
    assert SampledSpace(CONDITIONAL).has_parts
    assert not SampledSpace(Configuration('grid.py', '', {'lr': [1, 2]}, command=('true',))).has_parts
