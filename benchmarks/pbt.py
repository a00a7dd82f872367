"""Population based training on a task whose best schedule is known: ``python3 -m benchmarks pbt``.

A noisy quadratic: each of ``DIMENSIONS`` numbers starts at 1 and is to become 0. A step of stochastic gradient descent
sees each with noise, ``x -= lr * (x + noise)``, so that their mean square ``v`` becomes, in expectation,
``(1 - lr)² v + lr² σ²``. The best learning rate of every step is ``v / (v + σ²)``: it begins high and has to decay.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from random import Random

from hpsearch.model.trials.distributions import Fidelity, Space, Uniform
from hpsearch.model.trials.lineage import best_evaluation, lineage
from hpsearch.model.trials.trial import Evaluation, Proposal, TrialState, trials_of
from hpsearch.samplers.pbt import PbtSampler, PopulationSettings

STEPS = 100
NOISE = 1.0
DIMENSIONS = 100
INTERVAL = 5
SPACE: Space = {'lr': Uniform(1e-3, 1.0, log=True), 'epochs': Fidelity(INTERVAL, STEPS)}


# What is known of the task


def expected(rates: Iterable[float]) -> float:
    """The mean square at the end that a schedule of learning rates has in expectation."""
    square = 1.0
    for rate in rates:
        square = (1 - rate) ** 2 * square + rate**2 * NOISE
    return square


def best_schedule() -> list[float]:
    """The best learning rate of each step."""
    rates, square = [], 1.0
    for _ in range(STEPS):
        rates.append(square / (square + NOISE))
        square = expected_step(square, rates[-1])
    return rates


def expected_step(square: float, rate: float) -> float:
    """The mean square after one step."""
    return (1 - rate) ** 2 * square + rate**2 * NOISE


def best_constant() -> float:
    """The constant learning rate that is the best in expectation."""
    candidates = [10 ** (exponent / 500 - 3) for exponent in range(1501)]
    return min(candidates, key=lambda rate: expected([rate] * STEPS))


# The task, as a script with a checkpoint would do it


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """What a run leaves: the numbers, and how many steps it has made."""

    numbers: Sequence[float]
    steps: int


BEGIN = Checkpoint([1.0] * DIMENSIONS, 0)


def train(start: Checkpoint, rate: float, until: int, random: Random) -> Checkpoint:
    """Go on from a checkpoint until so many steps were made."""
    numbers = list(start.numbers)
    for _ in range(start.steps, until):
        numbers = [x - rate * (x + random.gauss(0, NOISE**0.5)) for x in numbers]
    return Checkpoint(numbers, until)


def loss(checkpoint: Checkpoint) -> float:
    """The mean square of its numbers, capped where they have exploded."""
    return min(sum(x * x for x in checkpoint.numbers) / len(checkpoint.numbers), 1e9)


# A search


def search(
    settings: PopulationSettings,
    seed: int,
    slots: int = 2,
    fails: Callable[[Evaluation], bool] = lambda run: False,
    space: Space = SPACE,
) -> list[Evaluation]:
    """A whole search with so many runs at a time, which take turns at random; returns its runs.

    Args:
        settings: Of the population.
        seed: Of the search, and of the task.
        slots: Runs at a time.
        fails: Whether a run leaves no result.
        space: Has ``lr`` and ``epochs``.
    """
    sampler, random = PbtSampler(space, settings, seed), Random(seed)
    runs: list[Evaluation] = []
    left: dict[str, Checkpoint] = {'': BEGIN}
    active: list[int] = []
    while True:
        while len(active) < slots and (proposal := sampler.propose(trials_of(runs), len(runs) + 1)) is not None:
            active.append(len(runs))
            runs.append(_begun(proposal, len(runs) + 1))
        if not active:
            assert sampler.is_done(trials_of(runs)), 'the sampler proposes nothing and is not done'
            return runs
        place = active.pop(random.randrange(len(active)))
        runs[place] = _ended(runs[place], left, random, has_failed=fails(runs[place]))


def _begun(proposal: Proposal, number: int) -> Evaluation:
    return Evaluation(f'run_{number}', number, replace(proposal, trial=proposal.trial or number))


def _ended(run: Evaluation, left: dict[str, Checkpoint], random: Random, *, has_failed: bool) -> Evaluation:
    if has_failed:
        return replace(run, state=TrialState.FAILED)
    values = run.proposal.values
    left[run.run] = train(left[run.proposal.parent], values['lr'], values['epochs'], random)
    return replace(run, state=TrialState.COMPLETE, losses=(loss(left[run.run]),))


def schedule_of_best(runs: Sequence[Evaluation]) -> list[float]:
    """The learning rate of each step on the way to the best network."""
    best = best_evaluation(runs)
    rates: list[float] = []
    for each in lineage(runs, best.run if best else ''):
        rates += [each.proposal.values['lr']] * (each.proposal.values['epochs'] - len(rates))
    return rates


def main(argv: Sequence[str]) -> int:
    """Print how the schedules that were found compare with the best ones."""
    parser = argparse.ArgumentParser(prog='benchmarks pbt', description=main.__doc__)
    parser.add_argument('--seeds', type=int, default=20, help='searches of each size (default: %(default)s)')
    seeds = parser.parse_args(argv).seeds
    constant = best_constant()
    print(f'mean square after {STEPS} steps of a noisy quadratic, in expectation')
    print(f'best schedule                    {expected(best_schedule()):.5f}')
    print(f'best constant value, lr={constant:.4f}   {expected([constant] * STEPS):.5f}')
    for size in (6, 10, 20):
        found = sorted(
            expected(schedule_of_best(search(PopulationSettings(size, INTERVAL), seed))) for seed in range(seeds)
        )
        better = sum(each < expected([constant] * STEPS) for each in found)
        spread = f'{found[0]:.5f} to {found[-1]:.5f}'
        median = found[len(found) // 2]
        print(f'schedule of a population of {size:2d}   {median:.5f} ({spread}); better in {better} of {seeds}')
    return 0
