from __future__ import annotations

import pytest

from hpsearch.model.usage.threads import THREAD_VARIABLES, share_of, thread_variables, variables_set_by


@pytest.mark.parametrize(
    ('cores', 'runs', 'threads'), [(16, 8, 2), (8, 8, 1), (8, 16, 1), (7, 2, 3), (2.5, 2, 1), (8, 1, None)]
)
def test_the_share_of_a_run(cores: float, runs: int, threads: int | None) -> None:
    assert share_of(cores, runs) == threads


def test_that_every_library_is_told_the_share() -> None:
    assert thread_variables(2) == dict.fromkeys(THREAD_VARIABLES, '2')


def test_that_without_a_share_nothing_is_set() -> None:
    assert thread_variables(None) == {}


def test_that_what_the_user_has_set_stays() -> None:
    assert 'MKL_NUM_THREADS' not in thread_variables(2, {'MKL_NUM_THREADS'})
    assert thread_variables(2, {'MKL_NUM_THREADS'})['OMP_NUM_THREADS'] == '2'


def test_that_nothing_is_set_beside_the_variable_that_all_libraries_follow() -> None:
    assert thread_variables(2, {'OMP_NUM_THREADS'}) == {}


@pytest.mark.parametrize(
    ('words', 'names'),
    [
        (('env', 'A=1', 'OMP_NUM_THREADS=4', 'python3', 'train.py', 'b=2'), {'A', 'OMP_NUM_THREADS'}),
        (['env', 'A=1'], {'A'}),
        (('python3', 'train.py', 'a=1'), set()),
        ((), set()),
    ],
)
def test_the_variables_that_a_command_sets(words: tuple[str, ...], names: set[str]) -> None:
    assert variables_set_by(words) == names
