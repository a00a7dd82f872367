"""Which runs start where, by what they are expected to need."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import pytest

from hpsearch.model.resources import ComputeMode, Gpu, GpuTenant, OtherStart, Reading, ResourceRequest
from hpsearch.model.usage.estimate import NOTHING_EXPECTED, Estimate, Guess
from hpsearch.model.usage.measured import Measured
from hpsearch.packing.box import Candidate, Packing, PackingPolicy
from hpsearch.packing.cards import Card
from hpsearch.packing.host_room import HostRoom
from hpsearch.packing.pack import pack
from hpsearch.packing.throughput import Sharing

NOW = 1000.0
SMALL, LARGE = 24_000, 80_000


def expected(memory: float | None, load: float = 0.3, seconds: float | None = 100.0) -> Estimate:
    """What a run is expected to need."""
    return Estimate(
        memory=None if memory is None else Guess(memory, memory),
        load=Guess(load, load),
        seconds=None if seconds is None else Guess(seconds, seconds),
    )


def run(name: str, memory: float | None, load: float = 0.3, seconds: float | None = 100.0) -> Candidate:
    """A run that waits."""
    return Candidate(name, expected(memory, load, seconds))


def runs(count: int, memory: float | None, load: float = 0.3, seconds: float | None = 100.0) -> list[Candidate]:
    """Runs that are alike."""
    return [run(f'r{number}', memory, load, seconds) for number in range(count)]


def unknown(count: int) -> list[Candidate]:
    """Runs of which nothing is known."""
    return [Candidate(f'r{number}') for number in range(count)]


def tenant(
    memory: int, estimate: Estimate = NOTHING_EXPECTED, gpu: str = '0', age: float = 30.0, **more: Any
) -> GpuTenant:
    """A run that is on a GPU."""
    return GpuTenant((gpu,), NOW - age, memory, estimate=estimate, **more)


def reading(used: int = 0, total: int = LARGE, load: float | None = 0.0, at: float = NOW, **more: Any) -> Reading:
    """What a GPU shows."""
    return Reading(at, memory_used=used, memory_total=total, load=load, **more)


def packed(
    readings: Sequence[Reading | Sequence[Reading]],
    candidates: Sequence[Candidate],
    *tenants: GpuTenant,
    policy: PackingPolicy | None = None,
    **more: Any,
) -> Packing:
    """What is decided on a machine with these GPUs."""
    gpus = [Gpu(str(number), f'GPU-{number}', 'Some Model', str(number)) for number in range(len(readings))]
    known: Mapping[str, Sequence[Reading]] = {
        gpu.name: [each] if isinstance(each, Reading) else each for gpu, each in zip(gpus, readings, strict=True)
    }
    return pack(gpus, known, tenants, candidates, policy or PackingPolicy(), NOW, **more)


def where(packing: Packing) -> dict[str, str]:
    """Where each run starts."""
    return {start.run: ','.join(start.slot.gpus) for start in packing.starts}


# ---------------------------------------------------------------------------------------------------------- memory


def test_that_as_many_runs_start_on_a_gpu_as_their_memory_fits() -> None:
    assert len(packed([reading(total=SMALL)], runs(9, 7_000, load=0.1)).starts) == 3


def test_that_some_memory_stays_free() -> None:
    assert len(packed([reading(total=SMALL)], runs(9, 8_000, load=0.1)).starts) == 2


def test_that_what_a_run_is_still_to_take_is_kept_for_it() -> None:
    loading = tenant(1_000, expected(20_000, 0.1))
    assert not packed([reading(1_000, SMALL)], [run('r', 5_000, 0.1)], loading).starts
    assert packed([reading(1_000, SMALL)], [run('r', 5_000, 0.1)], replace(loading, is_settled=True)).starts


def test_that_no_more_is_said_to_be_kept_than_there_is() -> None:
    closed = packed([reading(1_000, SMALL)], [run('r', 5_000, 0.1)], tenant(1_000, expected(30_000, 0.1))).closed
    assert closed['0'].endswith('; 23000 MiB are free, of which all are kept for what runs there and as a reserve')


def test_that_a_run_that_had_the_time_to_settle_keeps_what_it_uses() -> None:
    old = tenant(1_000, expected(20_000, 0.1), age=61.0)
    assert packed([reading(1_000, SMALL)], [run('r', 5_000, 0.1)], old).starts


def test_that_a_run_that_is_known_to_settle_late_is_given_that_time() -> None:
    late = replace(expected(20_000, 0.1), settled_after=Guess(100.0, 150.0))
    assert not packed([reading(1_000, SMALL)], [run('r', 5_000, 0.1)], tenant(1_000, late, age=140.0)).starts


def test_that_the_whole_window_counts() -> None:
    before = [reading(20_000, SMALL, at=NOW - 3), reading(0, SMALL)]
    assert not packed([before], [run('r', 5_000)]).starts


def test_that_others_may_come_to_need_more() -> None:
    assert not packed([reading(14_000, SMALL)], [run('r', 6_000, 0.1)]).starts


def test_that_a_quarter_is_kept_for_runs_of_another_search_of_this_user() -> None:
    shown, waiting = reading(10_000, SMALL), [run('r', 11_000, 0.1)]
    assert not packed([shown], waiting).starts
    assert packed([shown], waiting, siblings={'0': 10_000}).starts
    assert not packed([shown], [run('r', 11_100, 0.1)], siblings={'0': 10_000}).starts


def test_that_strangers_beside_such_runs_may_come_to_need_more() -> None:
    shown, waiting = reading(10_000, SMALL), [run('r', 10_000, 0.1)]
    assert packed([shown], waiting, siblings={'0': 10_000}).starts
    assert not packed([shown], waiting, siblings={'0': 8_000}).starts


def test_that_runs_of_another_search_of_this_user_count_with_the_load_they_show() -> None:
    shown, own = reading(4_000, load=0.6), tenant(2_000, expected(2_000, 0.3), is_settled=True)
    assert packed([shown], [run('r', 2_000, 0.3)], own, siblings={'0': 2_000}).starts
    assert not packed([shown], [run('r', 2_000, 0.5)], own, siblings={'0': 2_000}).starts


def test_that_a_run_that_leaves_no_reserve_gets_an_empty_gpu_all_the_same() -> None:
    assert packed([reading(200, SMALL)], [run('r', 23_900)]).starts


def test_that_a_run_that_seems_to_fit_nowhere_is_tried_on_an_empty_gpu() -> None:
    assert where(packed([reading(total=SMALL), reading()], [run('r', 90_000)])) == {'r': '1'}


# ---------------------------------------------------------------------------------------------------------- scouts


def test_that_one_run_per_free_gpu_starts_while_nothing_is_known() -> None:
    packing = packed([reading(), reading()], unknown(5))
    assert sorted(where(packing).values()) == ['0', '1']
    assert set(packing.closed) == {'0', '1'}


def test_that_a_run_of_which_nothing_is_known_is_alone_until_it_has_settled() -> None:
    scout = tenant(5_000)
    assert not packed([reading(5_000)], runs(1, 5_000), scout).starts
    assert packed([reading(5_000)], runs(1, 5_000), replace(scout, is_settled=True)).starts


# ------------------------------------------------------------------------------------------------------------ load


def test_that_runs_share_a_gpu_until_it_is_busy() -> None:
    assert len(packed([reading()], runs(9, 1_000, load=0.5)).starts) == 2
    assert len(packed([reading()], runs(9, 1_000, load=0.4)).starts) == 3


def test_that_what_was_learned_of_sharing_counts() -> None:
    assert len(packed([reading()], runs(9, 1_000, load=0.9)).starts) == 1
    assert len(packed([reading()], runs(9, 1_000, load=0.9), sharing=Sharing(0.2, seen=1.8)).starts) == 2
    assert len(packed([reading()], runs(9, 1_000, load=0.4), sharing=Sharing(1.0, 0.8)).starts) == 1


def test_that_one_gpu_is_tried_with_a_second_run_while_nobody_knows_what_that_does() -> None:
    there = [tenant(1_000, expected(1_000, 1.0), gpu=gpu, is_settled=True) for gpu in '01']
    shown = [reading(1_000, load=1.0)] * 2
    assert list(where(packed(shown, runs(5, 1_000, load=1.0), *there)).values()) == ['0']
    assert not packed(shown, runs(3, 1_000, load=1.0), *there).starts
    assert not packed(shown, runs(5, 1_000, load=1.0), *there, sharing=Sharing(tried=3)).starts


def test_that_a_run_of_unknown_load_counts_as_busy() -> None:
    candidates = [Candidate(name, Estimate(memory=Guess(1_000, 1_000))) for name in 'ab']
    assert len(packed([reading()], candidates).starts) == 1


def test_that_a_run_counts_with_what_it_was_measured_to_use() -> None:
    heavy = tenant(1_000, expected(1_000, 0.1), is_settled=True, measured=Measured(gpu_load=0.95))
    assert not packed([reading(1_000)], [run('r', 1_000, 0.6)], heavy).starts


def test_that_others_who_are_busy_are_not_slowed() -> None:
    assert not packed([reading(8_000, load=0.6)], [run('r', 1_000, load=0.5)]).starts
    assert packed([reading(8_000, load=0.6)], [run('r', 1_000, load=0.3)]).starts


# ----------------------------------------------------------------------------------------------------------- order


def test_that_the_longest_run_starts_first() -> None:
    candidates = [run('short', 60_000, seconds=10.0), run('long', 60_000, seconds=1000.0)]
    assert list(where(packed([reading()], candidates))) == ['long']


def test_that_a_run_that_fits_only_the_large_gpu_gets_it() -> None:
    candidates = [run('small', 10_000, 0.9, 500.0), run('large', 60_000, 0.9)]
    assert where(packed([reading(total=SMALL), reading()], candidates)) == {'large': '1', 'small': '0'}


def test_that_runs_spread_over_gpus() -> None:
    assert sorted(where(packed([reading(), reading(), reading()], runs(3, 1_000, 0.1))).values()) == ['0', '1', '2']


# ---------------------------------------------------------------------------------------------------------- limits


def test_that_the_limit_of_runs_per_gpu_holds() -> None:
    policy = PackingPolicy(max_runs_per_gpu=2)
    assert len(packed([reading(), reading()], runs(9, 1_000, 0.1), policy=policy).starts) == 4


def test_that_a_gpu_for_one_process_gets_one_run() -> None:
    assert len(packed([reading(compute_mode=ComputeMode.EXCLUSIVE)], runs(3, 1_000, 0.1)).starts) == 1


def test_that_a_run_that_needs_a_gpu_of_its_own_gets_it_and_keeps_it() -> None:
    alone = replace(run('alone', 1_000, 0.1), resources=ResourceRequest(alone=True))
    assert where(packed([reading()], [*runs(3, 1_000, 0.1), alone])) == {'alone': '0'}


def test_that_a_run_gets_several_gpus_at_once() -> None:
    packing = packed([reading()] * 5, runs(3, 1_000, 0.9), policy=PackingPolicy(gpus_per_run=2))
    assert sorted(where(packing).values()) == ['0,1', '2,3']


@pytest.mark.parametrize(
    ('shown', 'why'),
    [
        (Reading(NOW), 'memory in use could not be read'),
        (reading(problem='the GPU is lost'), 'the GPU is lost'),
        (reading(at=NOW - 60), 'no reading for 60 s; it does not answer'),
        (reading(compute_mode=ComputeMode.PROHIBITED), 'its compute mode PROHIBITED allows no process'),
    ],
)
def test_that_what_is_unknown_counts_as_busy(shown: Reading, why: str) -> None:
    assert packed([shown], runs(1, 1_000)).closed == {'0': why}


def test_that_a_gpu_to_avoid_gets_no_run() -> None:
    assert packed([reading()], runs(1, 1_000), avoided={'0': 'not now'}).closed == {'0': 'not now'}


def test_that_an_order_that_is_asked_for_decides_where_a_run_would_be_as_fast() -> None:
    policy = PackingPolicy(order=('2',))
    assert where(packed([reading()] * 3, [run('a', 1000)], policy=policy)) == {'a': '2'}


# ------------------------------------------------------------------------------------------- runs of other hpsearch


def other(memory: int | None, load: float | None = 0.1, age: float = 5.0) -> OtherStart:
    """A run that another hpsearch has started on the first GPU."""
    return OtherStart(('GPU-0',), NOW - age, 60.0, 'user bob, pid 1', memory=memory, load=load)


def test_that_what_a_run_of_another_search_will_still_take_is_kept_for_it() -> None:
    room = reading(total=SMALL)
    assert len(packed([room], runs(9, 7_000, load=0.1)).starts) == 3
    assert len(packed([room], runs(9, 7_000, load=0.1), other_starts=[other(7_000)]).starts) == 2
    assert len(packed([room], runs(9, 7_000, load=0.1), other_starts=[other(7_000, age=61)]).starts) == 3


def test_that_several_starts_of_other_searches_add_up() -> None:
    starts = [other(7_000), other(7_000), other(7_000)]
    assert not packed([reading(total=SMALL)], runs(9, 7_000, load=0.1), other_starts=starts).starts


def test_that_a_run_of_another_search_of_which_nothing_is_known_closes_its_gpu_for_a_while() -> None:
    packing = packed([reading(), reading()], runs(2, 7_000), other_starts=[other(None)])
    assert set(where(packing).values()) == {'1'}
    assert where(packed([reading()], runs(1, 7_000), other_starts=[other(None, age=61)])) == {'r0': '0'}


def test_that_a_run_that_needs_almost_a_whole_gpu_does_not_take_one_on_which_another_search_has_started() -> None:
    least = Candidate('r', Estimate(memory=Guess(SMALL - 1_000, SMALL)))
    assert not packed([reading(total=SMALL)], [least], other_starts=[other(3_000)]).starts


def test_that_the_load_of_a_run_of_another_search_counts_before_it_can_be_seen() -> None:
    assert not packed([reading()], [run('r', 1_000, 0.6)], other_starts=[other(1_000, load=0.9)]).starts
    assert where(packed([reading()], [run('r', 1_000, 0.6)], other_starts=[other(1_000, load=0.1)])) == {'r': '0'}


def test_that_a_run_of_which_nothing_is_known_keeps_away_from_what_another_search_will_need_most_of() -> None:
    assert not packed([reading(total=SMALL)], unknown(1), other_starts=[other(13_000)]).starts
    assert packed([reading(total=SMALL)], unknown(1), other_starts=[other(7_000)]).starts


# --------------------------------------------------------------------------------------------------------- guesses


def guessed(name: str, expected_memory: float, high: float) -> Candidate:
    """A run like which none was measured."""
    return Candidate(name, Estimate(memory=Guess(expected_memory, high, is_known=False), load=Guess(0.1, 0.1)))


def test_that_a_run_that_is_guessed_high_is_tried_where_it_should_fit() -> None:
    assert packed([reading(total=SMALL)], [guessed('r', 8_000, 40_000)]).starts
    assert not packed([reading(total=SMALL)], [guessed('r', 30_000, 60_000)], avoided={'0': 'no'}).starts


def test_that_such_a_run_starts_where_all_others_have_settled_and_alone_until_it_has() -> None:
    settled = tenant(5_000, expected(5_000, 0.1), is_settled=True)
    shown = [reading(5_000)]
    both = [guessed('a', 8_000, 20_000), guessed('b', 8_000, 20_000)]
    assert len(packed(shown, both, settled).starts) == 1
    assert not packed(shown, both, replace(settled, is_settled=False)).starts


def test_that_runs_that_differ_most_go_first_while_nothing_is_known() -> None:
    sizes = [(2, 0.1), (8, 0.1), (4, 0.5), (2, 0.9), (8, 0.9)]
    candidates = [Candidate(f'{size}-{rate}', params={'size': size, 'rate': rate}) for size, rate in sizes]
    assert set(where(packed([reading()] * 4, candidates))) == {'2-0.1', '8-0.1', '2-0.9', '8-0.9'}


# ------------------------------------------------------------------------------------------------------- starvation


def test_that_small_runs_do_not_starve_a_large_one() -> None:
    there = tenant(30_000, expected(30_000, 0.1, 100.0), is_settled=True)
    waiting = [run('large', 60_000, 0.1, 900.0), run('long', 20_000, 0.1, 500.0), run('short', 20_000, 0.1, 20.0)]
    packing = packed([reading(30_000)], waiting, there)
    assert list(where(packing)) == ['short']


def test_that_a_run_that_leaves_room_for_the_one_that_waits_starts_beside_it() -> None:
    there = tenant(30_000, expected(30_000, 0.1, 100.0), is_settled=True)
    waiting = [run('large', 60_000, 0.1, 900.0), run('long', 5_000, 0.1, 500.0), run('longer', 30_000, 0.1, 600.0)]
    assert list(where(packed([reading(30_000)], waiting, there))) == ['long']


def test_that_a_gpu_is_kept_for_a_run_that_waits_although_nobody_knows_when_it_has_room() -> None:
    there = tenant(30_000, expected(30_000, 0.1, None), is_settled=True)
    waiting = [run('large', 60_000, 0.1, None), *runs(3, 30_000, 0.1, None)]
    packing = packed([reading(30_000)], waiting, there)
    assert not packing.starts
    assert packing.closed['0'].startswith('a run is expected to need up to 60000 MiB; 50000 MiB are free')


def test_that_gpus_are_kept_together_for_a_run_that_needs_several() -> None:
    there = tenant(30_000, expected(30_000, 0.5, 100.0), is_settled=True)
    policy = PackingPolicy(gpus_per_run=2)
    packing = packed([reading(30_000), reading()], runs(1, 60_000, 0.9), there, policy=policy)
    assert not packing.starts
    assert packing.closed['1'] == 'a run needs 2 GPUs at a time (--gpus_per_run), and only this one has room'


# -------------------------------------------------------------------------------------------------------- the host


def test_that_runs_wait_while_the_host_has_no_room() -> None:
    room = HostRoom(memory_total=64_000, memory_free=10_000, runs=1, cores=64.0)
    hungry = [Candidate('r', replace(expected(1_000), host_memory=Guess(20_000, 20_000)))]
    packing = packed([reading()], hungry, host=room)
    assert not packing.starts
    assert 'host memory' in packing.waiting


# --------------------------------------------------------------------------------------------------------- settling


def test_that_a_start_that_pauses_has_not_settled_while_much_is_missing() -> None:
    pausing = tenant(500, expected(15_000, 0.1), age=15.0, is_settled=True)
    assert not packed([reading(500, SMALL)], [run('r', 15_000, 0.1)], pausing).starts
    assert packed([reading(500, SMALL)], [run('r', 15_000, 0.1)], replace(pausing, started=NOW - 45)).starts


def test_that_a_run_that_has_settled_may_still_grow_to_what_is_expected() -> None:
    settled = tenant(10_000, expected(12_000, 0.1), is_settled=True, age=300.0)
    assert not packed([reading(10_000, SMALL)], [run('r', 12_000, 0.1)], settled).starts
    assert packed([reading(10_000, SMALL)], [run('r', 11_000, 0.1)], settled).starts


# ----------------------------------------------------------------------------------------------------- MIG instances


def test_that_runs_are_packed_on_mig_instances_by_their_sizes() -> None:
    gpus = [Gpu(f'0:{number}', f'MIG-{number}', 'Some Model', f'MIG-{number}') for number in range(2)]
    sizes = {'0:0': 10_000, '0:1': 40_000}
    readings = {name: [reading(total=size, load=None, load_exists=False)] for name, size in sizes.items()}
    candidates = [run('large', 20_000, 0.3), run('small', 4_000, 0.3), run('other', 4_000, 0.3)]
    packing = pack(gpus, readings, (), candidates, PackingPolicy(), NOW)
    assert where(packing)['large'] == '0:1'
    assert {where(packing)['small'], where(packing)['other']} == {'0:0'}
    assert {start.slot.visible_devices for start in packing.starts} == {'MIG-0', 'MIG-1'}


def test_that_a_run_on_several_gpus_gets_no_mig_instance() -> None:
    gpus = [Gpu(f'0:{number}', f'MIG-{number}', 'Some Model', f'MIG-{number}') for number in range(2)]
    readings = {gpu.name: [reading(load=None, load_exists=False)] for gpu in gpus}
    packing = pack(gpus, readings, (), runs(1, 1_000), PackingPolicy(gpus_per_run=2), NOW)
    assert not packing.starts
    assert 'of which a process can use only one' in packing.closed['0:0']


def test_that_packed_runs_on_several_gpus_get_those_that_are_linked_most_closely() -> None:
    groups = ['a', 'b', 'a', 'b']
    gpus = [Gpu(str(number), f'GPU-{number}', '', str(number), (name,)) for number, name in enumerate(groups)]
    readings = {gpu.name: [reading()] for gpu in gpus}
    packing = pack(gpus, readings, (), runs(2, 30_000, load=0.9), PackingPolicy(gpus_per_run=2), NOW)
    assert sorted(start.slot.gpus for start in packing.starts) == [('0', '2'), ('1', '3')]


# ----------------------------------------------------------------------------------------------------- many runs wait


@pytest.mark.parametrize(
    ('candidates', 'shown'),
    [
        (unknown(300), reading(70_000, load=0.5)),
        (
            [
                Candidate(f'r{number}', Estimate(Guess(2000, 3000, is_known=False), load=Guess(0.6, 0.6)))
                for number in range(300)
            ],
            reading(60_000, load=0.5),
        ),
        ([*runs(3, 50_000), *unknown(300)], reading(60_000, load=0.5)),
    ],
)
def test_that_few_runs_are_considered_where_none_of_many_can_start(
    candidates: list[Candidate], shown: Reading, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[str] = []
    monkeypatch.setattr(Card, 'fits', lambda card, need: asked.append(need.candidate.run))
    assert not where(packed([shown], candidates))
    assert len(asked) < 20
