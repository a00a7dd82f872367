"""Which seeds configurations are given, and which configurations."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hpsearch.cli.seeds.choice import SeedArgs, best, by_configuration, labels, run_named, seed_args
from hpsearch.cli.seeds.planning import changes_of, seeds_listed
from hpsearch.cli.seeds.sources import Known
from hpsearch.cli.seeds.topping_up import listed, topped_up
from hpsearch.model.configuration import Value
from hpsearch.model.errors import ConfigError, SearchFolderError
from hpsearch.model.states import State

there_are = st.lists(st.lists(st.integers(-3, 12), unique=True, max_size=6), min_size=1, max_size=4)

SEED = SeedArgs('random_seed')
BOTH = SeedArgs('random_seed', 'data_random_seed')


def known(number: int, loss: float | None = 0.0, state: State = State.FINISHED, **params: Value) -> Known:
    return Known(f'sim_{number}', number, dict(params), state, {}, loss)


@given(there_are, st.integers(1, 12))
def test_that_each_configuration_has_as_many_seeds_as_asked_for_and_keeps_its_own(
    there: list[list[int]], wanted: int
) -> None:
    for own, seeds in zip(there, topped_up(there, wanted), strict=True):
        assert seeds[: len(own)] == own
        assert len(seeds) == len(set(seeds)) == max(wanted, len(own))


@given(there_are, st.integers(1, 8), st.integers(0, 8))
def test_that_asking_again_for_more_only_adds_the_difference(there: list[list[int]], wanted: int, more: int) -> None:
    first = topped_up(there, wanted)
    assert topped_up(first, wanted) == first
    for before, after in zip(first, topped_up(first, wanted + more), strict=True):
        assert after[: len(before)] == before
        assert len(after) == max(len(before), wanted + more)


@given(st.integers(1, 5), there_are)
def test_that_configurations_without_seeds_of_their_own_get_the_same(count: int, there: list[list[int]]) -> None:
    first, second, *_ = topped_up([[], [], *there], count)
    assert first == second


def test_that_a_seed_that_another_configuration_has_is_taken_before_a_new_one() -> None:
    assert topped_up([[42], []], 3) == [[42, 1, 2], [42, 1, 2]]
    assert topped_up([[7, 42], [42], [3]], 2) == [[7, 42], [42, 7], [3, 42]]


def test_that_a_list_of_seeds_is_added_to_those_that_are_planned() -> None:
    assert listed([[42], []], [1, 42]) == [[42, 1], [1, 42]]


@pytest.mark.parametrize('text', ['1,2,3', '1 2 3', '[1, 2, 3]', '(1 2 3)', '1,2,3,2'])
def test_that_seeds_are_listed_with_commas_or_as_a_list_of_a_shell(text: str) -> None:
    assert seeds_listed(text) == [1, 2, 3]


@pytest.mark.parametrize('text', ['1,x', '1.5', '1-3', ','])
def test_that_a_seed_is_a_whole_number(text: str) -> None:
    with pytest.raises(ConfigError, match='whole numbers are expected'):
        seeds_listed(text)


# Which configurations


def test_that_runs_that_differ_in_the_seed_alone_are_one_configuration() -> None:
    runs = [known(1, lr=0.1, random_seed=1), known(2, random_seed=2, lr=0.1), known(3, lr=0.2, random_seed=1)]
    groups = by_configuration(runs, SEED)
    assert [each.seeds for each in groups.values()] == [[1, 2], [1]]


def test_that_one_and_one_point_nought_and_true_are_different_configurations() -> None:
    runs = [known(number, x=value, random_seed=1) for number, value in enumerate((1, 1.0, True, '1'))]
    assert len(by_configuration(runs, SEED)) == 4


def test_that_of_two_runs_with_a_seed_the_one_that_has_finished_counts() -> None:
    runs = [known(1, state=State.FAILED, random_seed=1), known(2, random_seed=1), known(3, random_seed=1)]
    (group,) = by_configuration(runs, SEED).values()
    assert group.finished[1].number == 2


def test_that_a_run_counts_for_both_seeds_only_where_they_are_equal() -> None:
    runs = [known(1, random_seed=1, data_random_seed=1), known(2, random_seed=2, data_random_seed=1)]
    (group,) = by_configuration(runs, BOTH).values()
    assert group.seeds == [1]
    assert BOTH.row({'lr': 0.1, 'random_seed': 5}, [1, 2]) == {
        'lr': [0.1],
        'random_seed': [1, 2],
        'data_random_seed': [1, 2],
    }


def test_that_a_run_without_the_seed_has_none_that_counts() -> None:
    runs = [known(1, lr=0.1), known(2, lr=0.1, random_seed=[1]), known(3, lr=0.1, random_seed=None)]
    (group,) = by_configuration(runs, SEED).values()
    assert group.seeds == []


def test_that_the_best_are_those_with_the_smallest_mean_over_their_seeds() -> None:
    lucky = [known(1, 0.1, lr=1, random_seed=1), known(2, 0.9, lr=1, random_seed=2)]
    steady = [known(3, 0.3, lr=2, random_seed=1), known(4, 0.3, lr=2, random_seed=2)]
    assert [params['lr'] for params in best([*lucky, *steady, known(5, None, lr=3)], SEED, 5)] == [2, 1]


def test_that_a_run_is_found_by_its_name_and_by_its_number() -> None:
    runs = [known(1), known(12)]
    assert run_named(runs, '12') is run_named(runs, 'sim_12') is runs[1]
    with pytest.raises(SearchFolderError, match='there is no run 3'):
        run_named(runs, '3')


def test_that_the_seed_is_the_option_whose_name_says_so_and_is_asked_for_otherwise() -> None:
    assert seed_args([{'lr': 1, 'my_seed': 1}, {'seed': 2}], '', '').seed == 'seed'
    assert seed_args([{'data_random_seed': 1, 'noise_seed': 2}], '', 'data_random_seed').seed == 'noise_seed'
    with pytest.raises(ConfigError, match='--seed_arg: which option is the seed'):
        seed_args([{'lr': 1}], '', '')


def test_that_values_are_set_as_yaml_reads_them() -> None:
    assert changes_of(['lr=1e-3', 'name=a=b', 'layers=[1, 2]', 'flag=true', '+text='], ['texts'], ()) == {
        **{'lr': 1e-3, 'name': 'a=b', 'layers': [1, 2], 'flag': True, 'text': ''}
    }
    with pytest.raises(ConfigError) as error:
        changes_of(['lr', 'seed=3', '+seed=3', 'x=[1', 'momntum=0.9'], ['momentum'], ('seed',))
    assert len(error.value.problems) == 5
    assert 'did you mean momentum? To add it, write +momntum.' in error.value.problems[-1]


def test_that_a_configuration_is_called_by_what_varied_or_differs() -> None:
    params = [{'lr': 0.1, 'width': 8, 'depth': 2, 'seed': 1}, {'lr': 0.2, 'width': 8, 'depth': 2, 'seed': 3}]
    assert labels(params, ['seed'], ['depth'], 'run') == ['depth=2, lr=0.1', 'depth=2, lr=0.2']
    assert labels(params[:1], ['seed'], ['seed'], 'run') == ['run']
