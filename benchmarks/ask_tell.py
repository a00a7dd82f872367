"""What a proposal costs, and what it is worth: each sampler beside Optuna's own study with the same class.

The samplers are asked as a search asks them, with so many trials that have ended and eight that run. Optuna's study has
the same trials. The second half minimises functions of the literature, four runs at a time, with several seeds.
"""

from __future__ import annotations

import functools
import importlib.util
import math
import statistics
import time
import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from random import Random
from typing import Any

from benchmarks.tools import Line, Place
from hpsearch.model.configuration import Configuration
from hpsearch.model.trials.distributions import Choice, Drawn, Integer, Space, Uniform
from hpsearch.model.trials.trial import Evaluation, Objective, Proposal, Trial, TrialState
from hpsearch.samplers.allowed import AllowedSampler
from hpsearch.samplers.base import Sampler
from hpsearch.samplers.factory import make_sampler
from hpsearch.space.sampled import SampledSpace

COUNTS = (10, 1000, 5000)
RUNNING = 8
SAMPLERS = ('random', 'qmc', 'tpe', 'tpe, 2 objectives', 'nsga2', 'cmaes')
MOST_OF_GP = 1000
"""Optuna's Gaussian process takes minutes for more trials than this."""

SPACE: Space = {
    'lr': Uniform(1e-5, 1.0, log=True),
    'dropout': Uniform(0.0, 0.9),
    'momentum': Uniform(0.0, 1.0),
    'width': Integer(16, 1024, log=True),
    'depth': Integer(1, 12),
    'batch': Choice((16, 32, 64, 128, 256), ordered=True),
    'optimizer': Choice(('sgd', 'adam', 'lamb')),
    'decay': Uniform(1e-8, 1e-2, log=True),
}

Function = Callable[[Mapping[str, Any]], float]


def ask_tell(place: Place, rounds: int) -> Iterator[Line]:
    """The lines of this part."""
    if importlib.util.find_spec('optuna') is None or importlib.util.find_spec('cmaes') is None:
        yield Line('ask and tell', "not measured: pip install 'hpsearch[search]'")
        return
    _quiet()
    for name in SAMPLERS:
        yield from (_overhead(name, count, rounds) for count in COUNTS)
    for title, function, space in FUNCTIONS:
        yield from _quality(('qmc', 'tpe', 'cmaes'), title, function, space, seeds=2 * rounds, runs=80)


def ask_tell_gp(place: Place, rounds: int) -> Iterator[Line]:
    """The same of the Gaussian process, which takes minutes."""
    if importlib.util.find_spec('optuna') is None or importlib.util.find_spec('torch') is None:
        yield Line('ask and tell: gp', "not measured: pip install 'hpsearch[search-gp]'")
        return
    _quiet()
    yield from (_overhead('gp', count, rounds) for count in COUNTS)
    for title, function, space in FUNCTIONS:
        yield from _quality(('gp',), title, function, space, seeds=rounds, runs=40)


def _quiet() -> None:
    import optuna

    optuna.logging.set_verbosity(optuna.logging.CRITICAL)
    warnings.simplefilter('ignore')


# What it costs


def _overhead(name: str, count: int, rounds: int) -> Line:
    kind, objectives = name.partition(',')[0], 2 if 'objectives' in name or name == 'nsga2' else 1
    ours = statistics.median(_seconds_of_ours(kind, objectives, count, rounds))
    what = f'a proposal of {name} after {count:,} runs; Optuna'
    if kind == 'gp' and count > MOST_OF_GP:
        return Line(what, _in_ms(ours), 'minutes')
    theirs = statistics.median(_seconds_of_theirs(kind, objectives, count, rounds))
    target = 'below 100 ms' if (kind, objectives, count) == ('tpe', 1, 5000) else ''
    return Line(what, _in_ms(ours), _in_ms(theirs), f'{ours / theirs:.2f}', target)


def _in_ms(seconds: float) -> str:
    return f'{1000 * seconds:.1f} ms'


def _seconds_of_ours(kind: str, objectives: int, count: int, rounds: int) -> Iterator[float]:
    """Processor time: a result is taken in and a run proposed, by a sampler that has been at work."""
    sampler, trials = sampler_of(kind, SPACE, objectives, 1), history(count, objectives, kind)
    sampler.propose(trials, len(trials) + 1)
    for _ in range(rounds):
        begin = time.process_time()
        first = next(place for place, each in enumerate(trials) if each.state is TrialState.WAITING)
        trials[first] = ended(trials[first], objectives)
        proposal = sampler.propose(trials, len(trials) + 1)
        yield time.process_time() - begin
        assert proposal is not None
        trials.append(waiting(len(trials) + 1, proposal))


def _seconds_of_theirs(kind: str, objectives: int, count: int, rounds: int) -> Iterator[float]:
    import optuna

    distributions = _distributions(SPACE)
    study = optuna.create_study(directions=['minimize'] * objectives, sampler=_their_sampler(kind, 1))  # type: ignore[arg-type]
    random = Random(1)
    for _ in range(count):
        values = {name: each.at(random.random()) for name, each in SPACE.items() if not hasattr(each, 'rungs')}
        losses = losses_of(values, objectives)
        study.add_trial(optuna.trial.create_trial(params=values, distributions=distributions, values=losses))
    running = [study.ask(distributions) for _ in range(RUNNING)]
    for _ in range(rounds):
        begin = time.process_time()
        first = running.pop(0)
        study.tell(first, losses_of(first.params, objectives))
        running.append(study.ask(distributions))
        yield time.process_time() - begin


def history(count: int, objectives: int, kind: str) -> list[Trial]:
    """Trials that have ended, with the generations that a sampler would have noted, and some that run."""
    random = Random(1)
    trials = []
    for number in range(1, count + RUNNING + 1):
        values = {name: each.at(random.random()) for name, each in SPACE.items() if not hasattr(each, 'rungs')}
        trial = waiting(number, Proposal(values, facts=_facts(kind, number)))
        trials.append(ended(trial, objectives) if number <= count else trial)
    return trials


def _facts(kind: str, number: int) -> dict[str, Any]:
    size = {'nsga2': 50, 'cmaes': 9}.get(kind, 0)
    if not size:
        return {}
    generation, place = divmod(number - 1, size)
    parents = list(range(number - size, number)) if generation and not place else []
    if kind == 'cmaes':
        return {'generation': generation, **({'parents': parents} if parents else {})}
    study = {f'NSGAIISampler:parent:{generation}': parents} if parents else {}
    return {'optuna': {'trial': {'NSGAIISampler:generation': generation}, 'study': study}}


def waiting(number: int, proposal: Proposal) -> Trial:
    """A trial that runs."""
    return Trial(number, [Evaluation(f'run_{number}', number, proposal)])


def ended(trial: Trial, objectives: int) -> Trial:
    """The trial with its result."""
    run = trial.evaluations[0]
    losses = losses_of(run.proposal.values, objectives)
    return Trial(trial.number, [Evaluation(run.run, run.number, run.proposal, TrialState.COMPLETE, losses)])


def losses_of(values: Mapping[str, Any], objectives: int) -> tuple[float, ...]:
    """Something to learn from."""
    loss = abs(math.log10(values['lr']) + 2) + values['dropout'] + (values['optimizer'] != 'adam') * 0.3
    return (loss, values['width'] * values['depth'] / 1000)[:objectives]


# What it is worth


def branin(values: Mapping[str, Any]) -> float:
    """Branin's function less its minimum, 0 in three places."""
    x, y = values['x'], values['y']
    bend = y - 5.1 / (4 * math.pi**2) * x**2 + 5 / math.pi * x - 6
    return float(bend**2 + 10 * (1 - 1 / (8 * math.pi)) * math.cos(x) + 10 - 0.397887)


_ALPHA = (1.0, 1.2, 3.0, 3.2)
_A = (
    (10, 3, 17, 3.5, 1.7, 8),
    (0.05, 10, 17, 0.1, 8, 14),
    (3, 3.5, 1.7, 10, 17, 8),
    (17, 8, 0.05, 10, 0.1, 14),
)
_P = (
    (0.1312, 0.1696, 0.5569, 0.0124, 0.8283, 0.5886),
    (0.2329, 0.4135, 0.8307, 0.3736, 0.1004, 0.9991),
    (0.2348, 0.1451, 0.3522, 0.2883, 0.3047, 0.6650),
    (0.4047, 0.8828, 0.8732, 0.5743, 0.1091, 0.0381),
)


def hartmann(values: Mapping[str, Any]) -> float:
    """Hartmann's function of six numbers less its minimum."""
    x = [values[f'x{place}'] for place in range(6)]
    rows = zip(_ALPHA, _A, _P, strict=True)
    total = sum(
        alpha * math.exp(-sum(a * (each - p) ** 2 for a, p, each in zip(row, points, x, strict=True)))
        for alpha, row, points in rows
    )
    return 3.32237 - total


def mixed(values: Mapping[str, Any]) -> float:
    """A made-up network: a learning rate whose best value depends on the optimizer, and sizes."""
    best = {'sgd': -1.0, 'adam': -3.0, 'lamb': -2.0}[values['optimizer']]
    size = abs(math.log2(values['batch']) - 6) / 4 + abs(values['depth'] - 5) / 12
    return float(
        (math.log10(values['lr']) - best) ** 2 + size + {'sgd': 0.2, 'adam': 0.0, 'lamb': 0.1}[values['optimizer']]
    )


FUNCTIONS: Sequence[tuple[str, Function, Space]] = (
    ('Branin', branin, {'x': Uniform(-5.0, 10.0), 'y': Uniform(0.0, 15.0)}),
    ('Hartmann 6', hartmann, {f'x{place}': Uniform(0.0, 1.0) for place in range(6)}),
    ('mixed', mixed, {name: SPACE[name] for name in ('lr', 'batch', 'depth', 'optimizer')}),
)


def _quality(
    kinds: Sequence[str], title: str, function: Function, space: Space, *, seeds: int, runs: int
) -> Iterator[Line]:
    """The median of the best loss over seeds, beside that of Optuna, and that of random search as the target."""
    chance = statistics.median(_best_of_ours('random', function, space, seed, runs) for seed in range(seeds))
    for kind in kinds:
        ours = statistics.median(_best_of_ours(kind, function, space, seed, runs) for seed in range(seeds))
        theirs = statistics.median(_best_of_theirs(kind, function, space, seed, runs) for seed in range(seeds))
        what = f'best of {runs} runs of {kind} on {title}, {seeds} seeds; Optuna'
        ratio = f'{ours / theirs:.2f}' if theirs else ''
        yield Line(what, f'{ours:.3g}', f'{theirs:.3g}', ratio, f'below {chance:.3g} (random)')


def _best_of_ours(kind: str, function: Function, space: Space, seed: int, runs: int) -> float:
    sampler = sampler_of(kind, space, 1, seed)
    trials: list[Trial] = []
    for number in range(1, runs + 1):
        proposal = sampler.propose(trials, number)
        assert proposal is not None
        trials.append(waiting(number, proposal))
        if number >= 4:
            run = trials[number - 4].evaluations[0]
            loss = function(run.proposal.values)
            done = Evaluation(run.run, run.number, run.proposal, TrialState.COMPLETE, (loss,))
            trials[number - 4] = Trial(run.number, [done])
    return min(function(each.values) for each in trials)


def _best_of_theirs(kind: str, function: Function, space: Space, seed: int, runs: int) -> float:
    import optuna

    study, distributions = optuna.create_study(sampler=_their_sampler(kind, seed)), _distributions(space)
    running, losses = [], []
    for number in range(1, runs + 1):
        running.append(study.ask(distributions))
        if number >= 4:
            first = running.pop(0)
            losses.append(function(first.params))
            study.tell(first, losses[-1])
    return min([*losses, *(function(each.params) for each in running)])


# Both


def sampler_of(kind: str, space: Space, objectives: int, seed: int) -> Sampler:
    """The sampler as a search has it: it repeats nothing."""
    grid: dict[str, Any] = {name: Drawn(each) for name, each in space.items()}
    allowed = SampledSpace(Configuration('grid.py', '', grid, command=('true',)))
    keys = [Objective(f'loss{place}') for place in range(objectives)]
    return AllowedSampler(make_sampler(kind, allowed.space, keys, seed, {}), allowed, allowed.space, seed)


def _their_sampler(kind: str, seed: int) -> Any:
    import optuna

    samplers = optuna.samplers
    made: Mapping[str, Callable[[], Any]] = {
        'random': lambda: samplers.RandomSampler(seed=seed),
        'qmc': lambda: samplers.QMCSampler(seed=seed, scramble=True),
        'tpe': lambda: samplers.TPESampler(seed=seed, constant_liar=True, multivariate=True),
        'nsga2': lambda: samplers.NSGAIISampler(seed=seed),
        'cmaes': lambda: samplers.CmaEsSampler(seed=seed, warn_independent_sampling=False),
        'gp': lambda: samplers.GPSampler(seed=seed),
    }
    return made[kind]()


@functools.cache
def _axes() -> Any:
    from hpsearch.samplers.models import optuna_view

    return optuna_view


def _distributions(space: Space) -> dict[str, Any]:
    """Those that somebody would write for Optuna."""
    from optuna.distributions import CategoricalDistribution

    return {
        name: CategoricalDistribution(each.values) if isinstance(each, Choice) else axis.theirs
        for (name, each), axis in zip(space.items(), _axes().axes_of(space).values(), strict=True)
    }
