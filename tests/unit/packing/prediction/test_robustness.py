"""Whatever parameters and measurements there are, something can be planned with what is expected."""

from __future__ import annotations

import math
from dataclasses import fields
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from hpsearch.model.usage.measured import Measured
from hpsearch.packing.prediction.observation import Observation
from hpsearch.packing.prediction.predictor import Predictor

VALUES: st.SearchStrategy[Any] = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.floats(),
    st.sampled_from([0, 1, 2, 32, 64, 1e-30, 1e30, -5, '64,64', '[1, 2]', 'a', '', '1e3', [64, 32], [], [None], ()]),
    st.text(max_size=5),
)
PARAMS = st.dictionaries(st.sampled_from(['batch', 'width', 'lr', 'seed', 'name']), VALUES)
NUMBERS = st.one_of(st.none(), st.floats(0, 1e7), st.just(0.0))
MEASURED = st.builds(
    Measured,
    gpu_memory=st.one_of(st.none(), st.integers(0, 10**6)),
    gpu_load=st.one_of(st.none(), st.floats(0, 1)),
    settled_after=NUMBERS,
    host_memory=st.one_of(st.none(), st.integers(0, 10**6)),
    cpu=NUMBERS,
    sharing=st.one_of(st.none(), st.floats(1, 8)),
)
OBSERVATIONS = st.lists(
    st.builds(
        Observation,
        run=st.just('r'),
        params=PARAMS,
        measured=MEASURED,
        seconds=NUMBERS,
        is_finished=st.booleans(),
        is_settled=st.booleans(),
        ran_out_of=st.one_of(st.none(), st.integers(0, 10**6)),
        ran_out_of_host=st.one_of(st.none(), st.integers(0, 10**6)),
    ),
    max_size=25,
)


@given(OBSERVATIONS, st.lists(PARAMS, min_size=1, max_size=5))
def test_that_what_is_expected_is_finite_and_not_above_the_high_value(
    observations: list[Observation], asked: list[dict[str, Any]]
) -> None:
    predictor = Predictor(observations)
    estimates = predictor.estimates(asked)
    assert len(estimates) == len(asked)
    for estimate in estimates:
        for each in fields(estimate):
            guess = getattr(estimate, each.name)
            if guess is not None:
                assert math.isfinite(guess.high)
                assert 0 <= guess.expected <= guess.high


@given(OBSERVATIONS)
def test_that_what_was_learned_can_be_explained(observations: list[Observation]) -> None:
    for each in Predictor(observations).explain():
        assert each.formula
        assert all(0 <= share <= 1 for share in each.shares.values())


@given(OBSERVATIONS, PARAMS, st.integers(1, 10**6))
def test_that_a_run_that_ran_out_of_memory_is_expected_to_need_more(
    observations: list[Observation], params: dict[str, Any], room: int
) -> None:
    failed = Observation('failed', params, ran_out_of=room)
    memory = Predictor([*observations, failed]).estimate(params).memory
    assert memory is not None
    assert memory.high >= 1.1 * room
