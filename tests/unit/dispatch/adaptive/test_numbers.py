"""Numbers that several writers take: each is given once, and who proposes knows whom to reckon with."""

from __future__ import annotations

from pathlib import Path

import pytest

from hpsearch.dispatch.adaptive.numbers import GAP_PATIENCE, OWN_PATIENCE, Numbers
from hpsearch.store.folder import SearchFolder
from tests.fakes.scripted_queue import Clock
from tests.support.adaptive import adaptive_folder, name


@pytest.fixture
def folder(tmp_path: Path) -> SearchFolder:
    return adaptive_folder(tmp_path / 'search')


def test_that_each_number_is_given_once(folder: SearchFolder) -> None:
    clock = Clock()
    taken = [Numbers(folder, name, clock).take(0) for _ in range(4)]
    assert taken == [1, 2, 3, 4]
    assert Numbers(folder, name, clock).take(7) == 8


def test_that_a_number_that_comes_to_nothing_is_the_next_one(folder: SearchFolder) -> None:
    numbers = Numbers(folder, name, Clock())
    assert numbers.take(0) == numbers.take(0) == 1
    numbers.give_back()
    assert numbers.take(0) == 1
    numbers.use()
    assert numbers.take(1) == 2


def test_that_a_number_that_was_given_back_is_not_taken_once_there_is_a_larger_one(folder: SearchFolder) -> None:
    first, second = Numbers(folder, name, Clock()), Numbers(folder, name, Clock())
    assert (first.take(0), second.take(0)) == (1, 2)
    first.give_back()
    assert second.gaps(2, ()) == 0, 'nobody is about to suggest it'
    assert first.take(0) == 3
    assert first.gaps(3, ()) == 1, 'but the other one is'


def test_that_others_are_reckoned_with_until_their_number_is_suggested_or_they_must_be_dead(
    folder: SearchFolder,
) -> None:
    clock = Clock()
    first, second = Numbers(folder, name, clock), Numbers(folder, name, clock)
    assert (first.take(0), second.take(0)) == (1, 2)
    assert (first.gaps(1, ()), second.gaps(2, ()), second.gaps(2, {1})) == (0, 1, 0)
    third = Numbers(folder, name, clock)
    assert third.take(0) == 3 and third.gaps(3, ()) == 2
    clock.now += GAP_PATIENCE
    assert third.gaps(3, ()) == 0


def test_that_a_number_is_given_up_before_others_give_up_its_writer(folder: SearchFolder) -> None:
    clock = Clock()
    numbers = Numbers(folder, name, clock)
    numbers.take(0)
    assert not numbers.is_late()
    clock.now += OWN_PATIENCE + 1
    assert numbers.is_late() and OWN_PATIENCE < GAP_PATIENCE / 2
    assert numbers.take(0) == 1 and not numbers.is_late()
