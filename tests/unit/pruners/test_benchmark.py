"""The benchmark of pruners: its clock, its recorded curves, and that pruning is worth something on them."""

from __future__ import annotations

import math
from collections.abc import Sequence

import pytest

from benchmarks.learning_curves.methods import ours
from benchmarks.learning_curves.peers import Published
from benchmarks.learning_curves.simulation import Job, time_to_target
from benchmarks.learning_curves.tasks import STEPS, Task, Values, digits, made_up, one_in_a_hundred
from hpsearch.model.trials.distributions import Uniform
from hpsearch.samplers.random_search import RandomSampler

LIMIT = 3000


def falling(values: Values) -> Sequence[float]:
    """A curve that reaches 0 in its last step."""
    return [1 - step / STEPS for step in range(1, STEPS + 1)]


class OneAfterTheOther:
    """Begins runs and stops each after some steps."""

    def __init__(self, steps: int) -> None:
        self.watches = True
        self.begun = 0
        self._steps = steps

    def begin(self) -> Job:
        """A new run."""
        self.begun += 1
        return Job(self.begun, {})

    def report(self, number: int, step: int, loss: float) -> bool:
        """Whether it goes on."""
        return step < self._steps

    def end(self, number: int) -> None:
        """Nothing is to be done."""


@pytest.mark.parametrize(('target', 'time'), [(0.0, STEPS), (1 - 1 / STEPS, 1), (-1.0, math.inf)])
def test_that_a_worker_makes_one_step_per_unit_of_time(target: float, time: float) -> None:
    task = Task('falling', {}, falling, target)
    assert time_to_target(task, OneAfterTheOther(STEPS), 3, LIMIT) == time


def test_that_a_worker_whose_run_was_stopped_begins_the_next() -> None:
    method = OneAfterTheOther(2)
    assert time_to_target(Task('falling', {}, falling, 0.5), method, 3, 10) == math.inf
    assert method.begun == 3 * 5


def test_that_a_promoted_run_goes_on_where_it_was() -> None:
    task = Task('falling', {'a': Uniform(0, 1)}, falling, 1 - 9 / STEPS)
    assert time_to_target(task, Published(task, 1, 1, 2), 1, LIMIT) < 9 * 9


def test_that_one_in_a_hundred_has_the_loss_of_the_target() -> None:
    assert one_in_a_hundred(list(range(1000))) == 9
    assert one_in_a_hundred([5, 3]) == 3


def test_that_the_network_was_trained_with_every_combination() -> None:
    task = digits()
    drawn = RandomSampler(task.space, seed=1).propose([], 1)
    assert drawn is not None
    assert len(task.curve(drawn.values)) == STEPS
    assert 0 < task.target < 1


def test_that_pruning_finds_a_good_configuration_sooner() -> None:
    task = made_up('easy', samples=1000)
    random, asha = (
        sum(min(time_to_target(task, ours(prune)(task, seed), 8, LIMIT), LIMIT) for seed in range(3))
        for prune in ('none', 'asha')
    )
    assert asha < random / 3
