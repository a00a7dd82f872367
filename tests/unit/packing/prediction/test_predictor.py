"""What runs are expected to need, as their parameters and other runs tell."""

from __future__ import annotations

import math
import random
from dataclasses import replace
from itertools import pairwise
from typing import Any

import pytest

from hpsearch.model.usage.estimate import NOTHING_EXPECTED, Guess
from hpsearch.model.usage.measured import Measured
from hpsearch.packing.prediction.observation import Observation
from hpsearch.packing.prediction.predictor import MOST_OBSERVATIONS, Predictor


def observed(memory: int, seconds: float = 100.0, **params: Any) -> Observation:
    """A run that has finished."""
    measured = Measured(gpu_memory=memory)
    return Observation(f'r{random.random()}', params, measured, seconds, is_finished=True, is_settled=True)


def memory_of(predictor: Predictor, **params: Any) -> Guess:
    """What is expected of the memory of a run."""
    guess = predictor.estimate(params).memory
    assert guess is not None
    return guess


SIZES = [(batch, width) for batch in (16, 32, 64, 128) for width in (64, 128, 256, 512)]


def task(batch: int, width: int) -> int:
    """The memory of a run, in MiB."""
    return int(800 + 0.02 * batch * width + 0.004 * width**2)


def some_runs() -> list[Observation]:
    """Runs of which batch size and width decide, and not the rate."""
    rates = random.Random(1)
    return [observed(task(*size), batch=size[0], width=size[1], rate=rates.uniform(0, 1)) for size in SIZES]


def test_that_nothing_is_expected_where_nothing_was_measured() -> None:
    assert Predictor([]).estimate({'a': 1}) == NOTHING_EXPECTED
    assert Predictor([Observation('r', {'a': 1})]).estimate({'a': 1}) == NOTHING_EXPECTED


def test_that_the_memory_of_a_batch_size_and_a_width_never_seen_together_is_foretold() -> None:
    runs = [each for each in some_runs() if (each.params['batch'], each.params['width']) != (128, 512)]
    guess = memory_of(Predictor(runs), batch=128, width=512, rate=0.3)
    assert guess.is_known
    assert guess.expected == pytest.approx(task(128, 512), rel=0.03)
    assert task(128, 512) < guess.high < 1.15 * task(128, 512)


def test_that_numbers_are_understood_as_texts() -> None:
    as_texts = [replace(each, params={name: str(each.params[name]) for name in each.params}) for each in some_runs()]
    guess = memory_of(Predictor(as_texts), batch='96', width='320', rate='0.3')
    assert guess.expected == pytest.approx(task(96, 320), rel=0.03)


def test_that_a_seed_and_a_path_of_each_run_do_not_matter() -> None:
    runs = [
        replace(each, params={**each.params, 'seed': 10**number, 'out': f'/out/{number}'})
        for number, each in enumerate(some_runs())
    ]
    plain = memory_of(Predictor(some_runs()), batch=128, width=256, rate=0.3)
    assert memory_of(Predictor(runs), batch=128, width=256, rate=0.3, seed=10**30, out='/out/new') == plain


def test_that_a_run_with_another_seed_is_expected_to_need_what_was_measured() -> None:
    runs = [observed(1000 + 50 * number**2, batch=number, seed=0) for number in (1, 5, 3, 9)]
    assert memory_of(Predictor(runs), batch=5, seed=1).expected == 2250


def test_that_a_number_never_varied_that_is_larger_makes_the_guess_as_much_higher() -> None:
    runs = [observed(4000 + number, batch=32, rate=0.1 * number) for number in range(1, 9)]
    guess = memory_of(Predictor(runs), batch=128, rate=0.2)
    assert not guess.is_known
    assert guess.high > 4 * 4000


def test_that_a_number_that_has_varied_without_consequence_may_vary_more() -> None:
    runs = [observed(4000 + number, workers=2**number, rate=0.1 * number) for number in range(1, 11)]
    assert memory_of(Predictor(runs), workers=2048, rate=0.2).high < 4500


def test_that_a_word_never_seen_is_guessed_high() -> None:
    runs = [observed(4000 + number % 3, model='ab'[number % 2]) for number in range(10)]
    guess = memory_of(Predictor(runs), model='c')
    assert not guess.is_known
    assert guess.high > 1.3 * 4000


def test_that_few_runs_are_guessed_no_lower_than_the_largest() -> None:
    runs = [observed(2000, batch=16, width=64), observed(9000, batch=64, width=128)]
    guess = memory_of(Predictor(runs), batch=16, width=80)
    assert not guess.is_known
    assert guess.high >= 9000


def test_that_a_run_that_ran_out_of_memory_needs_more_than_it_had() -> None:
    small = [observed(1000 + 10 * batch, batch=batch) for batch in (8, 16, 24, 32, 40, 48)]
    failed = Observation('failed', {'batch': 512}, Measured(gpu_memory=20000), 5.0, ran_out_of=24000)
    itself = memory_of(Predictor([*small, failed]), batch=512)
    assert itself.high >= 1.1 * 24000
    assert itself.expected >= 24000
    assert memory_of(Predictor([*small, failed]), batch=480).high > memory_of(Predictor(small), batch=480).high


def test_that_a_run_that_ran_out_of_memory_alone_tells_what_the_others_need() -> None:
    failed = Observation('failed', {'batch': 512}, ran_out_of=24000)
    guess = memory_of(Predictor([failed]), batch=512)
    assert not guess.is_known
    assert guess.high > 24000


def test_that_a_run_that_was_stopped_takes_longer_than_it_took() -> None:
    runs = [observed(1000, 60.0 * epochs, epochs=epochs) for epochs in range(1, 11)]
    stopped = Observation('stopped', {'epochs': 10, 'model': 'large'}, Measured(gpu_memory=1000), 5000.0)
    seconds = Predictor([*runs, stopped]).estimate({'epochs': 10, 'model': 'large'}).seconds
    assert seconds is not None
    assert seconds.expected >= 5000


def test_that_seconds_are_those_of_a_run_that_nothing_slows() -> None:
    runs = [observed(1000, 120.0 * epochs, epochs=epochs) for epochs in range(1, 11)]
    seconds = Predictor(runs, slowed_by=lambda each: 2.0).estimate({'epochs': 5}).seconds
    assert seconds is not None
    assert seconds.expected == pytest.approx(300, rel=0.02)


def test_that_the_widths_of_layers_count() -> None:
    numbers = random.Random(3)
    shapes = [[numbers.choice([64, 128, 256, 512]) for _ in range(numbers.randint(1, 4))] for _ in range(40)]
    weights = [sum(one * other for one, other in pairwise(each)) for each in shapes]
    runs = [
        observed(1000 + weight // 50, layers=','.join(map(str, shape)))
        for shape, weight in zip(shapes, weights, strict=True)
    ]
    guess = memory_of(Predictor(runs), layers='512,512,64')
    assert guess.expected == pytest.approx(1000 + (512 * 512 + 512 * 64) // 50, rel=0.03)


def test_that_a_load_is_no_more_than_all_of_a_gpu() -> None:
    runs = [
        Observation(f'r{width}', {'width': width}, Measured(gpu_load=0.01 * width), 10.0, True, True)
        for width in range(10, 100, 10)
    ]
    load = Predictor(runs).estimate({'width': 400}).load
    assert load == Guess(1.0, 1.0, is_known=load.is_known if load else False)


def test_that_what_a_run_got_of_a_gpu_beside_others_is_less_than_its_load() -> None:
    alone = [Observation(f'r{width}', {'width': width}, Measured(gpu_load=0.6), 10.0, True, True) for width in range(9)]
    beside = [replace(each, measured=Measured(gpu_load=0.3, sharing=2.0)) for each in alone]
    load = Predictor([*alone[:5], *beside[5:]]).estimate({'width': 7}).load
    assert load is not None
    assert load.expected == pytest.approx(0.6)


def test_that_a_formula_is_written_down_with_the_parameters_that_matter() -> None:
    learned = {each.quantity: each for each in Predictor(some_runs()).explain()}
    assert learned['memory'].formula == '800 + 0.004 × width^2 + 0.02 × batch × width'
    assert learned['memory'].is_relied_upon
    assert learned['memory'].runs == 16
    assert list(learned['memory'].shares) == ['width', 'batch']
    assert learned['seconds'].formula == '100'


def test_that_the_latest_runs_are_learned_from() -> None:
    old = [observed(9000, batch=batch % 7) for batch in range(MOST_OBSERVATIONS)]
    new = [observed(1000, batch=batch % 7) for batch in range(MOST_OBSERVATIONS)]
    assert memory_of(Predictor([*old, *new]), batch=3).expected == 1000


ODD = [
    math.nan,
    math.inf,
    -math.inf,
    10**400,
    '',
    ' ',
    'x' * 5000,
    [],
    [[]],
    [None],
    ['a', 1],
    {'a': 1},
    '1e999',
    '[',
    '\0',
    (),
]


@pytest.mark.parametrize('value', ODD, ids=lambda value: repr(value)[:20])
def test_that_odd_values_are_words_like_others(value: Any) -> None:
    runs = [observed(1000 + number, odd=[value, 3, None][number % 3], width=number) for number in range(12)]
    guess = memory_of(Predictor(runs), odd=value, width=3)
    assert 900 < guess.expected < 1100
    assert math.isfinite(guess.high)
    assert memory_of(Predictor(runs), width=3).high > 900


@pytest.mark.filterwarnings('error')
def test_that_a_number_that_is_out_of_all_proportion_is_guessed_without_a_warning() -> None:
    runs = [Observation(f'r{row}', {'a': 1e-300}, Measured(gpu_memory=1000), 9.0, is_finished=True) for row in range(3)]
    assert memory_of(Predictor(runs), a=1e99).high >= 1000
