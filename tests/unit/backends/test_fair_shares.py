"""What a search may start beside others of the same user: stepped time, real files."""

from __future__ import annotations

import math
from pathlib import Path

import pytest

from hpsearch.backends.local.fair_shares import FairShares
from hpsearch.host import shared_folder
from hpsearch.host.gpu.searches import SearchesHere
from hpsearch.host.shared_folder import SharedFolder
from hpsearch.model.resources import Placement, Slot
from hpsearch.model.usage.estimate import NOTHING_EXPECTED, Estimate, Guess
from hpsearch.packing.box import Packing, Start
from tests.fakes.scripted_queue import Clock

FOUR = {name: f'GPU-{name}' for name in '0123'}


@pytest.fixture(autouse=True)
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where the files are."""
    monkeypatch.setattr(shared_folder, 'PLACE', str(tmp_path / 'shared'))


@pytest.fixture
def clock() -> Clock:
    return Clock()


def part(estimate: Estimate, gpu: str) -> float:
    return 1.0 if estimate.memory is None else estimate.memory.high / 10_000


def search(clock: Clock, name: str, *, priority: float = 1.0, most: float = math.inf) -> FairShares:
    found = FairShares(SearchesHere(SharedFolder(clock), clock), FOUR, part, priority, most, 5.0, clock)
    found.belong_to(name, f'out/{name}')
    return found


def held(gpus: str) -> list[tuple[Slot, Estimate]]:
    return [(Slot((gpu,)), NOTHING_EXPECTED) for gpu in gpus]


def opened(shares: FairShares, gpus: str, has: str = '') -> str:
    """The GPUs on which a search may start runs, of those that are open."""
    placement = Placement(tuple(Slot((gpu,)) for gpu in gpus))
    return ''.join(slot.gpus[0] for slot in shares.of_placement(placement, held(has)).slots)


def test_that_a_search_leaves_gpus_to_another_that_has_less_than_its_share(clock: Clock) -> None:
    one, other = search(clock, 'one'), search(clock, 'other')
    one.want(9, [])
    assert opened(one, '0123') == '0123'
    other.want(9, [])
    one.tell(held('0123'))
    placement = one.of_placement(Placement((Slot(('0',)),), {'1': 'full'}), held('123'))
    why = 'left to your search out/other, which waits and holds 0 of its share of 2 (--priority)'
    assert (placement.slots, placement.closed) == ((), {'0': why, '1': 'full'})
    assert one.kept_back == {'0': why}
    assert opened(other, '0') == '0'
    one.want(0, held('123'))
    assert one.kept_back == {}


def test_that_priorities_count(clock: Clock) -> None:
    one, other = search(clock, 'one', priority=3.0), search(clock, 'other')
    other.want(9, [])
    one.want(9, [])
    assert opened(one, '0123') == '012'
    one.tell(held('012'))
    assert opened(other, '3') == '3'


def test_that_a_search_without_runs_that_wait_gets_nothing(clock: Clock) -> None:
    one, other = search(clock, 'one'), search(clock, 'other')
    other.want(0, [])
    one.want(9, [])
    assert opened(one, '0123') == '0123'
    other.want(1, [])
    assert opened(one, '23', '01') == '2'


def test_that_a_search_that_may_start_nothing_at_all_now_gets_nothing(clock: Clock) -> None:
    one, other = search(clock, 'one'), search(clock, 'other')
    one.want(9, [])
    other.want(9, [])
    other.shut([])
    assert opened(one, '0123') == '0123'


def test_that_a_search_gets_no_more_gpus_than_it_may_use(clock: Clock) -> None:
    one, other = search(clock, 'one'), search(clock, 'other', most=1)
    one.want(9, [])
    other.want(9, [])
    assert opened(one, '0123') == '012'
    other.tell(held('3'))
    assert opened(one, '0', '12') == '0'


def test_that_gpus_on_which_the_other_would_start_nothing_are_not_left_to_it(clock: Clock) -> None:
    one, other = search(clock, 'one'), search(clock, 'other')
    other.avoid(['3'])
    one.want(9, [])
    other.want(9, [])
    assert opened(one, '3', '01') == '3'


def test_that_a_search_that_has_ended_gets_nothing(clock: Clock) -> None:
    one, other = search(clock, 'one'), search(clock, 'other')
    one.want(9, [])
    other.want(9, [])
    assert opened(one, '3', '012') == ''
    other.close()
    assert opened(one, '3', '012') == '3'


def test_that_two_processes_of_a_search_do_not_wait_for_each_other(clock: Clock) -> None:
    one, joined = search(clock, 'one'), search(clock, 'one')
    joined.want(9, [])
    one.want(9, [])
    assert opened(one, '3', '012') == '3'


def test_that_who_comes_late_does_not_catch_up_what_others_had_before(clock: Clock) -> None:
    one, other = search(clock, 'one'), search(clock, 'other')
    one.want(9, held('0123'))
    clock.now += 3600.0
    one.tell(held('0123'))
    other.want(9, [])
    other.tell(held('01'))
    one.tell(held('2'))
    clock.now += 10.0
    assert opened(one, '3', '2') == '3', 'the other has had twice as much since it came'


def test_that_packed_runs_count_as_what_they_are_expected_to_need(clock: Clock) -> None:
    one, other = search(clock, 'one'), search(clock, 'other')
    one.want(9, [])
    other.want(9, [])
    small = Estimate(Guess(2_500, 2_500))
    starts = tuple(Start(f'r{number}', Slot((gpu,))) for number, gpu in enumerate('000011112222'))
    packing = one.of_packing(Packing(starts), {start.run: small for start in starts}, [])
    assert len(packing.starts) == 8, 'two GPUs of four'
    assert set(packing.closed) == {'2'}


def test_that_cores_are_shared_as_well(clock: Clock) -> None:
    one, other = (
        FairShares(SearchesHere(SharedFolder(clock), clock), {'': 'cores'}, lambda estimate, gpu: 0.25, clock=clock)
        for _ in range(2)
    )
    one.belong_to('one', 'out/one')
    other.belong_to('other', 'out/other')
    one.want(9, [])
    other.want(9, [])
    starts = tuple(Start(f'r{number}', Slot()) for number in range(4))
    packing = one.of_packing(Packing(starts), dict.fromkeys(['r0', 'r1', 'r2', 'r3'], NOTHING_EXPECTED), [])
    assert [start.run for start in packing.starts] == ['r0', 'r1']
    why = 'left to your search out/other, which waits and holds 0 of its share of 0.5 (--priority)'
    assert (packing.waiting, packing.closed) == (why, {})
