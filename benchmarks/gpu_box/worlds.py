"""What happens to a box, drawn from a seed: runs whose needs follow from their parameters, and what others do.

Each seed has laws of its own, so that nothing can be tuned to one of them.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from random import Random
from typing import Any

from benchmarks.gpu_box.jobs import Job, Law, Phase, Visit, World
from hpsearch.model.configuration import Params

Size = Callable[[Params], Any]

GB = 1024
"""MiB."""

CONTEXT = 450
"""MiB that a process has as soon as it uses a card."""


@dataclass(frozen=True, slots=True)
class Workload:
    """A kind of search.

    Attributes:
        name: What it is called.
        runs: How many runs there are, at least and at most.
        memory: GB of the smallest and of the largest runs.
        load: Load (0-1) of the lightest and of the heaviest runs.
        seconds: How long the shortest and the longest runs take.
        visits: How many of others' processes come.
    """

    name: str
    runs: tuple[int, int]
    memory: tuple[float, float]
    load: tuple[float, float]
    seconds: tuple[float, float]
    visits: tuple[int, int]


LIGHT = Workload('light', (220, 300), (1.0, 9.0), (0.2, 0.6), (300.0, 2400.0), (4, 10))
HEAVY = Workload('heavy', (110, 150), (6.0, 60.0), (0.5, 1.0), (300.0, 2400.0), (4, 10))


@dataclass(frozen=True, slots=True)
class Variant:
    """A box with its people.

    Attributes:
        name: What it is called.
        totals: GB of each card.
        memory_laws: How memory follows from parameters: one is drawn per seed.
        laws: Draws how processes slow each other.
        visitor_seconds: How long others' processes take.
        careless: Share (0-1) of others who do not look before they take a card.
        startup: Seconds from the start of a run until its memory seems to stay.
        late: Share (0-1) of runs that grow later all the same.
    """

    name: str
    totals: Sequence[int]
    memory_laws: Sequence[Size]
    laws: Callable[[Random], Law]
    visitor_seconds: tuple[float, float]
    careless: float
    startup: tuple[float, float]
    late: float


OPTIMIZERS = {'sgd': 1.0, 'momentum': 1.5, 'adam': 2.0}
MODELS = {'mlp': 0.5, 'resnet': 1.0, 'transformer': 1.7}


def _weights_and_activations(p: Params) -> Any:
    return (
        0.02 * p['width'] ** 2 * p['depth'] * OPTIMIZERS[p['optimizer']] / 64
        + p['batch_size'] * p['width'] * p['depth'] / 64
    )


def _activations(p: Params) -> Any:
    return float(p['batch_size'] * p['width'] * MODELS[p['model']])


def _batch_alone(p: Params) -> Any:
    return float(p['batch_size']) + 8 * p['depth']


def _by_model(p: Params) -> Any:
    return MODELS[p['model']] * (40 + p['batch_size'] * p['depth'] ** 0.5)


def _recomputed(p: Params) -> Any:
    return p['batch_size'] ** 0.7 * p['width'] ** 0.8 + 3.0 * p['width'] * OPTIMIZERS[p['optimizer']]


def _quadratic(p: Params) -> Any:
    return float(p['width'] ** 2 * p['depth']) / 500 + p['batch_size'] * p['depth'] * 0.5


def _sharing(random: Random) -> Law:
    """A law of sharing: fair, mildly interfering, gaining or thrashing, or some of each."""
    kind = random.randrange(4)
    return Law(
        interference=random.uniform(0.02, 0.12) if kind in (1, 3) else 0.0,
        gain=random.uniform(0.1, 0.35) if kind == 2 else 0.0,
        thrash=random.uniform(0.1, 0.5) if kind == 3 else 0.0,
    )


def _other_sharing(random: Random) -> Law:
    return Law(random.uniform(0.0, 0.3), random.choice([0.0, 0.0, 0.2, 0.5]), random.choice([0.0, 0.0, 0.3]))


MAIN = Variant(
    'main',
    (24, 24, 24, 24, 80, 80, 80, 80),
    (_weights_and_activations, _activations, _by_model, _recomputed),
    _sharing,
    (600.0, 3600.0),
    careless=0.2,
    startup=(20.0, 120.0),
    late=0.03,
)
OTHER = Variant(
    'other',
    (48, 48, 48, 48),
    (_batch_alone, _quadratic, _by_model),
    _other_sharing,
    (120.0, 5400.0),
    careless=0.5,
    startup=(5.0, 180.0),
    late=0.06,
)
VARIANTS = {variant.name: variant for variant in (MAIN, OTHER)}


def make_world(workload: Workload, variant: Variant, seed: int, scale: float = 1.0) -> World:
    """Everything that happens in one box; the same for the same arguments.

    Args:
        workload: The kind of search.
        variant: The box and its people.
        seed: What everything is drawn from.
        scale: Factor of the number of runs.
    """
    random = Random(f'{workload.name} {variant.name} {seed}')
    totals = [gigabytes * GB for gigabytes in variant.totals]
    law = variant.laws(random)
    share = scale * len(totals) / 8
    count = round(share * random.randint(*workload.runs))
    jobs = _draw_jobs(workload, variant, count, max(totals), random)
    horizon = 1.3 * sum(job.work for job in jobs) / len(totals)
    visits = _draw_visits(variant, max(1, round(share * random.randint(*workload.visits))), horizon, totals, random)
    return World(seed, totals, jobs, visits, law)


# Runs


def _draw_jobs(workload: Workload, variant: Variant, count: int, most: int, random: Random) -> list[Job]:
    grid = [_draw_params(random) for _ in range(count)]
    memory = _memory_of(grid, workload, random.choice(variant.memory_laws), most, random)
    load = _load_of(grid, workload, random)
    seconds = _seconds_of(grid, workload, random)
    touchy = random.choice([None, None, *MODELS])
    return [
        _run(f'run_{number:03d}', grid[number], memory[number], load[number], seconds[number], variant, touchy, random)
        for number in range(count)
    ]


def _draw_params(random: Random) -> Params:
    return {
        'batch_size': random.choice([16, 32, 64, 128, 256]),
        'width': random.choice([32, 64, 128, 256]),
        'depth': random.choice([2, 4, 8, 16]),
        'epochs': random.choice([10, 20, 40]),
        'model': random.choice([*MODELS]),
        'optimizer': random.choice([*OPTIMIZERS]),
        'lr': random.choice([1e-4, 1e-3, 1e-2]),
        'seed': random.randrange(1000),
    }


def _memory_of(grid: Sequence[Params], workload: Workload, law: Size, most: int, random: Random) -> list[int]:
    """MiB of each run: a law, scaled to the workload, with noise of 2 %; one in fifty is far above its like."""
    found = []
    for share in _shares([law(params) for params in grid], random.uniform(0.8, 1.3)):
        surprise = random.uniform(1.2, 1.5) if random.random() < 0.02 else random.gauss(1.0, 0.02)
        gigabytes = (workload.memory[0] + share * (workload.memory[1] - workload.memory[0])) * surprise
        found.append(int(min(gigabytes * GB, 0.95 * most)))
    return found


def _load_of(grid: Sequence[Params], workload: Workload, random: Random) -> list[float]:
    by_batch, by_model = random.uniform(0.2, 1.0), random.uniform(0.0, 1.0)
    raw = [by_batch * (p['batch_size'] * p['width']) ** 0.4 / 20 + by_model * MODELS[p['model']] for p in grid]
    low, high = workload.load
    return [min(1.0, max(0.05, low + share * (high - low) + random.gauss(0, 0.03))) for share in _shares(raw, 0.8)]


def _seconds_of(grid: Sequence[Params], workload: Workload, random: Random) -> list[float]:
    by_depth, by_width = random.uniform(0.2, 0.8), random.uniform(0.0, 0.6)
    raw = [p['epochs'] * p['depth'] ** by_depth * p['width'] ** by_width for p in grid]
    low, high = workload.seconds
    noise = random.uniform(0.02, 0.2)
    return [(low + share * (high - low)) * max(0.5, random.gauss(1.0, noise)) for share in _shares(raw, 0.7)]


def _shares(values: Sequence[float], power: float) -> list[float]:
    """Where each value is between the smallest (0) and the largest (1); a power below 1 favours large ones."""
    low, high = min(values), max(values)
    return [((value - low) / (high - low or 1.0)) ** power for value in values]


def _run(
    name: str,
    params: Params,
    memory: int,
    load: float,
    seconds: float,
    variant: Variant,
    touchy: str | None,
    random: Random,
) -> Job:
    startup = random.uniform(*variant.startup)
    steps = sorted(random.random() for _ in range(random.randint(1, 3)))
    begin = [*zip([0.0, *steps], [*steps, 1.0], strict=True)]
    phases = [
        Phase((until - since) * startup, max(CONTEXT, int(memory * since)), random.uniform(0.0, 0.5) * load)
        for since, until in begin
    ]
    training = [Phase(seconds, memory, load)]
    if random.random() < variant.late:
        grown = random.uniform(0.3, 0.8)
        training = [
            Phase(grown * seconds, int(memory / random.uniform(1.1, 1.4)), load),
            Phase((1 - grown) * seconds, memory, load),
        ]
    suffers = 3.0 if params['model'] == touchy else 1.0
    return Job(name, [*_rising(phases, training[0].memory), *training], params, len(phases), suffers)


def _rising(phases: Sequence[Phase], most: int) -> list[Phase]:
    """Phases of a start-up, none of which has more than what is used after it."""
    return [Phase(each.seconds, min(each.memory, most), each.load) for each in phases]


# Others


def _draw_visits(variant: Variant, count: int, horizon: float, totals: Sequence[int], random: Random) -> list[Visit]:
    visits = [_visit(variant, number, horizon, totals, random) for number in range(count)]
    return sorted(visits, key=lambda each: each.at)


def _visit(variant: Variant, number: int, horizon: float, totals: Sequence[int], random: Random) -> Visit:
    card = random.randrange(len(totals))
    most = totals[card] if random.random() < 0.3 else totals[card] // 3
    memory, load = int(random.uniform(0.15, 0.9) * most), random.uniform(0.1, 1.0)
    startup = random.uniform(10.0, 120.0)
    phases = [
        Phase(startup / 2, CONTEXT, 0.02),
        Phase(startup / 2, max(CONTEXT, memory // 2), 0.1),
        Phase(random.uniform(*variant.visitor_seconds), max(CONTEXT, memory), load),
    ]
    job = Job(f'visitor_{number}', phases, {}, is_settled_in=2)
    return Visit(job, random.uniform(0.0, horizon), random.random() >= variant.careless, card)
