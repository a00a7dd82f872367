from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hpsearch.model.errors import ConfigError
from hpsearch.model.placement import choose_visible, gpu_order, impossible, place, predict_need, small_use
from hpsearch.model.resources import (
    ComputeMode,
    Gpu,
    GpuPolicy,
    GpuProcess,
    GpuTenant,
    OtherStart,
    Reading,
    ResourceRequest,
    Slot,
)

NOW = 1000.0
TOTAL = 40000


def gpu(name: str, uuid: str = '', visible: str = '') -> Gpu:
    return Gpu(name, uuid or f'GPU-{name}', 'Some Model', visible or name)


GPUS = [gpu('0'), gpu('1'), gpu('2'), gpu('3')]
POLICY = GpuPolicy()


def idle(at: float = NOW, used: int = 0, load: float = 0.0) -> Reading:
    return Reading(at, memory_used=used, memory_total=TOTAL, load=load)


def why(
    *readings: Reading,
    tenants: Sequence[GpuTenant] = (),
    policy: GpuPolicy = POLICY,
    need: int | None = None,
    freed: float | None = None,
    resources: ResourceRequest | None = None,
    others: Sequence[OtherStart] = (),
) -> str | None:
    """Why a machine's only GPU is closed; None when it is open."""
    ends = {} if freed is None else {'0': freed}
    placement = place(
        [gpu('0')], {'0': readings}, tenants, policy, NOW, need, ends, resources=resources, other_starts=others
    )
    return placement.closed.get('0')


def names(
    readings: Mapping[str, Sequence[Reading]], tenants: Sequence[GpuTenant] = (), policy: GpuPolicy = POLICY
) -> list[tuple[str, ...]]:
    return [slot.gpus for slot in place(GPUS, readings, tenants, policy, NOW).slots]


# ------------------------------------------------------------------------------------------------------------- unknown


def test_that_an_idle_gpu_is_a_slot_with_what_cuda_must_be_told() -> None:
    placement = place([gpu('0', visible='GPU-abc')], {'0': [idle()]}, (), POLICY, NOW)
    assert placement.slots == (Slot(('0',), 'GPU-abc'),)
    assert placement.closed == {}


def test_that_a_missing_reading_counts_as_busy() -> None:
    assert why() == 'no reading yet'
    assert place([gpu('0')], {}, (), POLICY, NOW).closed == {'0': 'no reading yet'}


def test_that_a_reading_is_stale_only_after_its_time() -> None:
    assert why(idle(NOW - 15.0)) is None
    assert why(idle(NOW - 15.5)) == 'no reading for 15 s; it does not answer'


def test_that_a_stale_reading_tells_the_last_problem() -> None:
    assert (
        why(Reading(NOW - 40, problem='the GPU is lost')) == 'no reading for 40 s; it does not answer (the GPU is lost)'
    )


def test_that_a_problem_is_told_in_its_own_words() -> None:
    assert why(idle(NOW - 1), Reading(NOW, problem='the GPU is lost')) == 'the GPU is lost'


@pytest.mark.parametrize('missing', ['memory_used', 'memory_total'])
def test_that_unknown_memory_counts_as_busy(missing: str) -> None:
    assert why(replace(idle(), **{missing: None})) == 'memory in use could not be read'  # type: ignore[arg-type]


def test_that_unknown_load_counts_as_busy_except_where_there_is_no_such_reading() -> None:
    assert why(replace(idle(), load=None)) == 'load could not be read'
    assert why(replace(idle(), load=None, load_exists=False)) is None


def test_that_an_old_reading_with_a_problem_closes_for_the_length_of_the_window() -> None:
    assert (
        why(Reading(NOW - 3, problem='NVML failed'), idle())
        == '3 s ago: NVML failed (all readings of the last 5 s count)'
    )
    assert why(Reading(NOW - 6, problem='NVML failed'), idle()) is None


# -------------------------------------------------------------------------------------------------------- compute mode

EXCLUSIVE = replace(idle(), compute_mode=ComputeMode.EXCLUSIVE)
IDLE_PROCESS = (GpuProcess(4711, 0),)


def test_that_an_idle_process_keeps_a_gpu_in_exclusive_mode_for_itself() -> None:
    assert why(EXCLUSIVE) is None
    assert why(replace(EXCLUSIVE, processes=())) is None
    assert why(replace(EXCLUSIVE, processes=IDLE_PROCESS)) == (
        'its compute mode EXCLUSIVE_PROCESS allows one process, and there is one already (pid 4711)'
    )
    assert why(replace(idle(), processes=IDLE_PROCESS)) is None
    assert why(replace(EXCLUSIVE, at=NOW - 1, processes=IDLE_PROCESS), EXCLUSIVE) is None, 'it has left'


def test_that_a_process_of_a_run_that_has_just_ended_is_nobodys() -> None:
    before = replace(EXCLUSIVE, at=NOW - 1, processes=IDLE_PROCESS)
    assert why(before, freed=NOW - 0.5) == 'a run ended there; waiting for the next reading'
    assert why(before, EXCLUSIVE, freed=NOW - 0.5) is None


def test_that_a_gpu_in_exclusive_mode_gets_one_run() -> None:
    one = GpuTenant(('0',), NOW - 100)
    assert why(EXCLUSIVE, tenants=[one], policy=GpuPolicy(max_runs_per_gpu=3)) == (
        'has 1 run of this search, and its compute mode EXCLUSIVE_PROCESS allows one process'
    )


def test_that_a_gpu_in_prohibited_mode_gets_no_run() -> None:
    prohibited = replace(idle(), compute_mode=ComputeMode.PROHIBITED)
    assert why(prohibited) == 'its compute mode PROHIBITED allows no process'


# ------------------------------------------------------------------------------------------------------------- avoided


def test_that_a_gpu_that_is_avoided_gets_no_run_and_what_the_driver_says_of_it_comes_first() -> None:
    readings = {name: [idle()] for name in '0123'}
    placement = place(GPUS, readings, (), replace(POLICY, gpus_per_run=2), NOW, avoided={'1': 'runs fail there'})
    assert [slot.gpus for slot in placement.slots] == [('0', '2')]
    assert placement.closed['1'] == 'runs fail there'
    readings['1'] = [Reading(NOW, problem='the GPU is lost')]
    assert place(GPUS, readings, (), POLICY, NOW, avoided={'1': 'so'}).closed == {'1': 'the GPU is lost'}


# ------------------------------------------------------------------------------------------------------ unified memory


def test_that_the_memory_of_the_system_is_named_where_a_gpu_has_none_of_its_own() -> None:
    unified = replace(idle(used=20001), is_unified=True)
    assert why(unified) == 'memory of the system in use 20001 of 40000 MiB is above --allowed_memory 0.5 (20000 MiB)'
    assert why(replace(unified, memory_used=20000)) is None


def test_that_what_the_system_uses_of_its_memory_keeps_no_run_waiting_for_ever() -> None:
    """A run that ran out of memory needs a GPU of its own; the system itself uses more than other users may."""
    jetson = Reading(NOW, memory_used=3000, memory_total=8000, load=0.0, is_unified=True)
    assert why(jetson, resources=ResourceRequest(alone=True)) is None
    assert why(replace(jetson, is_unified=False), resources=ResourceRequest(alone=True)) is not None


# ---------------------------------------------------------------------------------------------------------- thresholds


def test_that_a_gpu_at_the_memory_threshold_is_open_and_above_it_closed() -> None:
    assert why(idle(used=20000)) is None
    assert why(idle(used=20001)) == 'memory in use 20001 of 40000 MiB is above --allowed_memory 0.5 (20000 MiB)'


def test_that_a_gpu_at_the_load_threshold_is_open_and_above_it_closed() -> None:
    assert why(idle(load=0.5)) is None
    assert why(idle(load=0.83)) == 'load 0.83 is above --allowed_load 0.5'


@given(st.integers(0, 100), st.integers(0, 100))
def test_that_thresholds_in_per_cent_are_compared_exactly(load: int, allowed: int) -> None:
    policy = GpuPolicy(allowed_load=float(f'{allowed / 100:g}'))
    assert (why(idle(load=load / 100), policy=policy) is None) == (load <= allowed)


def test_that_any_reading_of_the_window_closes() -> None:
    expected = '2 s ago: load 0.9 is above --allowed_load 0.5 (all readings of the last 5 s count)'
    assert why(idle(NOW - 2.5, load=0.9), idle(NOW - 1), idle()) == expected
    assert why(idle(NOW - 5, load=0.9), idle()) is not None
    assert why(idle(NOW - 5.1, load=0.9), idle()) is None


def test_that_the_newest_reading_counts_even_when_it_is_older_than_the_window() -> None:
    assert why(idle(NOW - 9, load=0.9)) == 'load 0.9 is above --allowed_load 0.5'


def test_that_another_users_memory_closes_whatever_runs_of_ours_there_are() -> None:
    mine = GpuTenant(('0',), NOW - 100, 1000)
    policy = GpuPolicy(max_runs_per_gpu=4)
    assert why(idle(used=1000), tenants=[mine], policy=policy) is None
    assert 'memory in use 39000' in (why(idle(used=39000), tenants=[mine], policy=policy) or '')


# ----------------------------------------------------------------------------------------------- after a run has ended


def test_that_readings_from_before_a_run_ended_are_not_held_against_the_gpu() -> None:
    busy = idle(NOW - 3, used=39000, load=1.0)
    assert why(busy, idle(), freed=NOW - 2) is None
    assert why(busy, idle()) is not None


def test_that_a_gpu_waits_for_a_reading_since_a_run_ended_there() -> None:
    assert why(idle(NOW - 3), freed=NOW - 2) == 'a run ended there; waiting for the next reading'


def test_that_a_load_that_is_coming_down_after_a_run_ended_closes_only_while_it_is_the_newest() -> None:
    coming_down = idle(NOW - 1.9, load=0.9)
    assert why(coming_down, freed=NOW - 2) == 'load 0.9 is above --allowed_load 0.5'
    assert why(coming_down, idle(NOW - 1.5), freed=NOW - 2) is None


def test_that_load_which_is_there_well_after_a_run_ended_is_someone_elses() -> None:
    assert why(idle(NOW - 2.5, load=0.9), idle(), freed=NOW - 4) is not None


# ---------------------------------------------------------------------------------------------------------------- ours


def test_that_a_fresh_start_closes_until_the_startup_time_is_over() -> None:
    policy = GpuPolicy(max_runs_per_gpu=2)
    assert why(idle(), tenants=[GpuTenant(('0',), NOW - 12.9)], policy=policy) == (
        'started a run 12 s ago, --sim_startup_time is 60 s'
    )
    assert why(idle(), tenants=[GpuTenant(('0',), NOW - 60)], policy=policy) is None


def start_of_another(ago: float, delay: float = 60.0, gpus: tuple[str, ...] = ('GPU-0',)) -> OtherStart:
    return OtherStart(gpus, NOW - ago, delay, 'user bob, pid 7')


def test_that_the_start_of_another_hpsearch_closes_until_its_startup_time_is_over() -> None:
    policy = GpuPolicy(startup_time=0.0)
    assert why(idle(), others=[start_of_another(12.9)], policy=policy) == (
        'another hpsearch (user bob, pid 7) started a run 12 s ago, whose use of the GPU can be seen after 60 s'
    )
    assert why(idle(), others=[start_of_another(60)], policy=policy) is None
    assert why(idle(), others=[start_of_another(5, delay=5)]) is None, 'it knows how long its runs take'


def test_that_of_the_starts_of_others_the_one_that_counts_longest_closes() -> None:
    others = [start_of_another(1, delay=5), start_of_another(10, delay=30), start_of_another(2, delay=10)]
    assert 'started a run 10 s ago' in (why(idle(), others=others) or '')


def test_that_starts_of_others_are_no_runs_of_ours() -> None:
    assert 'another hpsearch' in (why(idle(), others=[start_of_another(1)] * 3) or '')
    assert why(idle(), others=[start_of_another(61)] * 3) is None


def test_that_a_gpu_is_known_to_others_by_its_uuid_or_its_number() -> None:
    for known, uuid in (('GPU-a', 'GPU-a'), ('0', '')):
        others = [start_of_another(1, gpus=(known,))]
        assert place([Gpu('0', uuid, '', '0')], {'0': [idle()]}, (), POLICY, NOW, other_starts=others).closed
    assert why(idle(), others=[start_of_another(1, gpus=('0',))]) is None


def test_that_the_latest_of_several_starts_counts() -> None:
    tenants = [GpuTenant(('0',), NOW - 1), GpuTenant(('0',), NOW - 500)]
    assert 'started a run 1 s ago' in (why(idle(), tenants=tenants, policy=GpuPolicy(max_runs_per_gpu=9)) or '')


def test_that_a_gpu_with_as_many_runs_as_allowed_is_closed() -> None:
    one = GpuTenant(('0',), NOW - 100)
    assert why(idle(), tenants=[one]) == 'has 1 run of this search, --max_num_jobs_per_gpu is 1'
    assert why(idle(), tenants=[one, one], policy=GpuPolicy(max_runs_per_gpu=3)) is None


def test_that_runs_on_other_gpus_do_not_count() -> None:
    assert why(idle(), tenants=[GpuTenant(('1',), NOW)]) is None


@pytest.mark.parametrize(
    ('readings', 'tenants', 'part'),
    [
        ([idle(NOW - 99, load=1.0)], [GpuTenant(('0',), NOW)], 'no reading for'),
        ([idle(load=1.0)], [GpuTenant(('0',), NOW)], 'started a run'),
        ([idle(load=1.0)], [GpuTenant(('0',), NOW - 99)], 'has 1 run'),
        ([idle(used=39000, load=1.0)], [], 'memory in use'),
        ([idle(used=19000, load=1.0)], [], 'load 1'),
        ([idle(used=19000)], [], 'expected to need'),
    ],
)
def test_that_reasons_are_told_in_order(readings: list[Reading], tenants: list[GpuTenant], part: str) -> None:
    assert part in (why(*readings, tenants=tenants, need=30000) or '')


# ------------------------------------------------------------------------------------------------------ predicted need


def test_that_nothing_observed_predicts_nothing_and_otherwise_the_largest_peak_counts() -> None:
    assert predict_need([]) is None
    assert predict_need([100, 9000, 300]) == 9000


def test_that_a_run_that_just_fits_is_placed_and_one_that_does_not_is_not() -> None:
    assert why(idle(used=10000), need=30000) is None
    assert why(idle(used=10000), need=30001) == 'a run is expected to need 30001 MiB; 30000 MiB are free'


def test_that_what_the_driver_keeps_for_itself_is_not_free() -> None:
    assert why(replace(idle(used=10000), memory_free=29000), need=30000) is not None


def test_that_memory_is_kept_for_runs_that_are_still_loading() -> None:
    policy = GpuPolicy(max_runs_per_gpu=3)
    loading = GpuTenant(('0',), NOW - 100, 4000)
    assert why(idle(used=4000), tenants=[loading], need=15000, policy=policy) is None
    assert why(idle(used=8000), tenants=[loading, loading], need=15000, policy=policy) == (
        'a run is expected to need 15000 MiB; 32000 MiB are free, '
        '22000 MiB of them reserved for runs that are still loading'
    )


def test_that_a_run_that_uses_more_than_expected_gives_nothing_back() -> None:
    policy = GpuPolicy(max_runs_per_gpu=3)
    tenants = [GpuTenant(('0',), NOW - 100, 19000), GpuTenant(('0',), NOW - 100, 1000)]
    assert why(idle(used=20000), tenants=tenants, need=11000, policy=policy) is not None


def test_that_the_memory_of_a_run_on_several_gpus_is_shared_among_them() -> None:
    policy = GpuPolicy(max_runs_per_gpu=2)
    both = GpuTenant(('0', '1'), NOW - 100, 20000)
    assert why(idle(used=10000), tenants=[both], need=15000, policy=policy) is None
    assert '10001 MiB of them' in (why(idle(used=10000), tenants=[both], need=20001, policy=policy) or '')


def test_that_a_run_that_took_all_there_is_does_not_close_an_empty_gpu_for_ever() -> None:
    assert why(idle(used=2000), need=39900) is None
    assert 'expected to need' in (why(idle(used=2001), need=39900) or '')
    assert 'expected to need' in (why(idle(used=0), need=40001) or '')


# ------------------------------------------------------------------------------------------------------- out of memory

ALONE = ResourceRequest(alone=True)


def test_that_a_default_demand_changes_nothing() -> None:
    assert why(idle(used=20000), resources=ResourceRequest()) is None
    assert why(idle(used=20000), resources=None) is None


def test_that_a_run_that_needs_a_gpu_of_its_own_gets_none_with_another_run_on_it() -> None:
    policy = GpuPolicy(max_runs_per_gpu=3)
    one = GpuTenant(('0',), NOW - 100)
    assert why(idle(), tenants=[one], policy=policy, resources=ALONE) == (
        'a run that ran out of memory needs a GPU of its own, and it has 1 run of this search'
    )
    assert why(idle(), tenants=[one], policy=policy) is None


@pytest.mark.parametrize(('used', 'is_open'), [(0, True), (2000, True), (2001, False), (19000, False)])
def test_that_others_may_use_little_of_a_gpu_that_a_run_needs_for_itself(used: int, is_open: bool) -> None:
    reason = why(idle(used=used), resources=ALONE)
    assert (reason is None) is is_open
    assert is_open or f'others use {used} of 40000 MiB of it (2000 MiB may be used)' in (reason or '')


def test_that_a_desktop_on_a_small_card_is_no_obstacle() -> None:
    small = Reading(NOW, memory_used=900, memory_total=8192, load=0.0)
    assert why(small, resources=ALONE) is None


def test_that_others_must_have_used_little_for_the_whole_window() -> None:
    assert (why(idle(NOW - 2, used=3000), idle(), resources=ALONE) or '').startswith('2 s ago: a run that ran out')


def test_that_a_gpu_that_a_run_has_for_itself_is_closed_for_every_other() -> None:
    policy = GpuPolicy(max_runs_per_gpu=3)
    kept = GpuTenant(('0',), NOW - 100, exclusive=True)
    assert why(idle(), tenants=[kept], policy=policy) == ('reserved for a run that ran out of memory before')


@pytest.mark.parametrize(('than', 'is_open'), [(None, True), (24000, True), (39900, False), (40000, False)])
def test_that_a_run_that_outgrew_a_gpu_gets_a_larger_one_only(than: int | None, is_open: bool) -> None:
    reason = why(idle(), resources=ResourceRequest(alone=True, larger_than=than))
    assert (reason is None) is is_open
    assert is_open or 'needs a larger one; this one has 40000 MiB' in (reason or '')


@pytest.mark.parametrize(
    ('totals', 'than', 'size', 'is_possible'),
    [
        ({'0': 24000, '1': 80000}, None, 1, True),
        ({'0': 24000, '1': 80000}, 24000, 1, True),
        ({'0': 24000, '1': 80000}, 24000, 2, False),
        ({'0': 24000, '1': 80000}, 80000, 1, False),
        ({'0': 24000, '1': 24100}, 24000, 1, False),
        ({'0': 24000, '1': None}, 24000, 1, True),
        ({}, 24000, 1, False),
    ],
)
def test_that_a_demand_is_impossible_when_no_known_card_is_larger(
    totals: dict[str, int | None], than: int | None, size: int, is_possible: bool
) -> None:
    reason = impossible(totals, ResourceRequest(alone=True, larger_than=than), size)
    assert (reason == '') is is_possible
    assert is_possible or f'{than} MiB' in reason


# --------------------------------------------------------------------------------------------------------------- order


def test_that_the_fewest_runs_come_first_then_the_most_free_memory_then_the_number() -> None:
    readings = {'0': [idle(used=900)], '1': [idle(used=500)], '2': [idle()], '3': [idle(used=500)]}
    tenants = [GpuTenant(('2',), NOW - 100)]
    assert names(readings, tenants, GpuPolicy(max_runs_per_gpu=2)) == [('1',), ('3',), ('0',), ('2',)]


@pytest.mark.parametrize(
    ('groups', 'used', 'given_'),
    [
        ('ab ab ab ab', {}, ['0,1', '2,3']),
        ('ab ac ab ac', {}, ['0,2', '1,3']),
        ('ab cd cd ab', {'0': 100}, ['1,2', '0,3']),
        ('ab ab ab cd cd', {}, ['3,4', '0,1']),
        ('ab ac db', {'1': 100}, ['0,1']),
        ('ab cd ef', {'0': 100}, ['1,2']),
        ('- - ab ab', {}, ['2,3', '0,1']),
    ],
    ids=['all alike', 'pairs', 'most free first', 'an island stays whole', 'node', 'not linked', 'not told'],
)
def test_that_a_run_gets_gpus_that_are_linked_most_closely(
    groups: str, used: dict[str, int], given_: list[str]
) -> None:
    linked = [replace(gpu(str(number)), groups=tuple(each.strip('-'))) for number, each in enumerate(groups.split())]
    readings = {each.name: [idle(used=used.get(each.name, 0))] for each in linked}
    placement = place(linked, readings, (), GpuPolicy(gpus_per_run=2), NOW)
    assert [','.join(slot.gpus) for slot in placement.slots] == given_


def test_that_gpus_without_other_runs_come_before_those_that_are_linked() -> None:
    linked = [replace(each, groups=('a',) if each.name in '01' else (each.name,)) for each in GPUS]
    tenants = [GpuTenant((name,), 0.0) for name in '01']
    policy = GpuPolicy(gpus_per_run=2, max_runs_per_gpu=2)
    placement = place(linked, {each.name: [idle()] for each in linked}, tenants, policy, NOW)
    assert [slot.gpus for slot in placement.slots] == [('2', '3'), ('0', '1')]


def test_that_a_run_on_one_gpu_gets_the_best_wherever_it_is_linked() -> None:
    linked = [replace(each, groups=('a',) if each.name in '01' else (each.name,)) for each in GPUS]
    placement = place(linked, {each.name: [idle(used=int(each.name))] for each in linked}, (), POLICY, NOW)
    assert [slot.gpus[0] for slot in placement.slots] == ['0', '1', '2', '3']


def test_that_several_gpus_per_run_make_disjoint_slots_and_the_rest_says_so() -> None:
    readings = {'0': [idle(used=900)], '1': [idle()], '2': [idle(load=0.9)], '3': [idle()]}
    placement = place(GPUS, readings, (), GpuPolicy(gpus_per_run=2), NOW)
    assert placement.slots == (Slot(('1', '3'), '1,3'),)
    assert placement.closed['0'] == 'only 1 more GPU is open, and a run needs 2 (--gpus_per_run)'


def test_that_mig_instances_are_not_combined() -> None:
    placement = place([gpu('0:1')], {'0:1': [idle()]}, (), GpuPolicy(gpus_per_run=2), NOW)
    assert placement.closed == {'0:1': 'a MIG instance, of which a process can use only one (--gpus_per_run=2)'}


reading_strategy = st.builds(
    Reading,
    at=st.floats(NOW - 30, NOW),
    memory_used=st.none() | st.integers(0, TOTAL),
    memory_total=st.none() | st.just(TOTAL),
    load=st.none() | st.floats(0, 1),
    load_exists=st.booleans(),
    problem=st.sampled_from(['', '', '', 'lost']),
    processes=st.sampled_from([None, (), (GpuProcess(7, None),)]),
    is_unified=st.booleans(),
    compute_mode=st.sampled_from(ComputeMode),
)
history_strategy = st.lists(reading_strategy, max_size=4).map(lambda found: sorted(found, key=lambda each: each.at))
occupant_strategy = st.builds(
    GpuTenant,
    gpus=st.lists(st.sampled_from('0123'), min_size=1, max_size=2, unique=True).map(tuple),
    started=st.floats(NOW - 200, NOW),
    memory=st.none() | st.integers(0, TOTAL),
    exclusive=st.booleans(),
)
policy_strategy = st.builds(
    GpuPolicy,
    allowed_load=st.floats(0, 1),
    allowed_memory=st.floats(0, 1),
    max_runs_per_gpu=st.integers(1, 3),
    gpus_per_run=st.integers(1, 3),
)


@given(
    st.dictionaries(st.sampled_from('0123'), history_strategy),
    st.lists(occupant_strategy, max_size=5),
    policy_strategy,
    st.none() | st.integers(0, TOTAL),
    st.dictionaries(st.sampled_from('0123'), st.floats(NOW - 20, NOW)),
    st.none() | st.builds(ResourceRequest, alone=st.booleans(), larger_than=st.none() | st.integers(0, 2 * TOTAL)),
)
def test_that_every_gpu_is_either_given_once_and_under_the_thresholds_or_has_a_reason(
    readings: dict[str, list[Reading]],
    tenants: list[GpuTenant],
    policy: GpuPolicy,
    need: int | None,
    freed: dict[str, float],
    resources: ResourceRequest | None,
) -> None:
    placement = place(GPUS, readings, tenants, policy, NOW, need, freed, resources=resources)
    given_out = [name for slot in placement.slots for name in slot.gpus]
    assert sorted([*given_out, *placement.closed]) == ['0', '1', '2', '3']
    assert all(placement.closed.values())
    assert all(len(slot.gpus) == policy.gpus_per_run for slot in placement.slots)
    for name in given_out:
        newest = readings[name][-1]
        assert not newest.problem
        assert newest.memory_used is not None and newest.memory_used / TOTAL <= policy.allowed_memory
        assert newest.load is None or newest.load <= policy.allowed_load
        assert newest.load is not None or not newest.load_exists
        assert newest.compute_mode is not ComputeMode.PROHIBITED
        is_taken = newest.processes or any(name in tenant.gpus for tenant in tenants)
        assert newest.compute_mode is not ComputeMode.EXCLUSIVE or not is_taken
        is_empty = newest.memory_used <= small_use(newest) and not any(name in each.gpus for each in tenants)
        assert need is None or is_empty or need <= TOTAL - newest.memory_used
        assert sum(name in tenant.gpus for tenant in tenants) < policy.max_runs_per_gpu
        ours = [tenant for tenant in tenants if name in tenant.gpus]
        assert all(NOW - tenant.started >= 60 and not tenant.exclusive for tenant in ours)
        assert resources is None or not resources.alone or (not ours and newest.memory_used <= small_use(newest))
        assert resources is None or resources.larger_than is None or resources.larger_than < TOTAL


# ------------------------------------------------------------------------------------------------------------- visible

REAL = [gpu('0', 'GPU-aaaa-1'), gpu('1', 'GPU-aabb-2'), gpu('2', 'GPU-cccc-3')]
MIG = [gpu('0:0', 'MIG-11-a'), gpu('0:1', 'MIG-12-b'), gpu('1', 'GPU-aabb-2')]


def visible(all_gpus: Sequence[Gpu], option: str = '', inherited: str | None = None) -> list[str]:
    return [each.name for each in choose_visible(all_gpus, option, inherited)[0]]


def refusal(all_gpus: Sequence[Gpu], option: str = '', inherited: str | None = None) -> str:
    with pytest.raises(ConfigError) as caught:
        choose_visible(all_gpus, option, inherited)
    return str(caught.value)


def test_that_an_empty_option_means_all_gpus() -> None:
    assert choose_visible(REAL, '', None) == (REAL, {})


def test_that_numbers_are_picked_in_the_order_of_the_machine() -> None:
    chosen, hidden = choose_visible(REAL, '2, 0,', None)
    assert [each.name for each in chosen] == ['0', '2']
    assert hidden == {'1': 'not in --visible_gpus=2, 0,'}


@pytest.mark.parametrize(
    ('option', 'part'),
    [('0,7', 'there is no GPU 7'), ('x', 'there is no GPU x'), (',', 'it names no GPU'), ('0,-1', '-1')],
)
def test_that_a_number_that_does_not_exist_is_an_error_that_names_what_is_there(option: str, part: str) -> None:
    message = refusal(REAL, option)
    assert part in message
    assert 'this machine has GPU 0 (Some Model), 1 (Some Model), 2 (Some Model)' in message


@pytest.mark.parametrize(
    ('inherited', 'expected'),
    [
        ('2', ['2']),
        ('2,0', ['0', '2']),
        (' 1 , 2', ['1', '2']),
        ('0,9,2', ['0']),
        ('1,-1,2', ['1']),
        ('1,,2', ['1']),
        ('0,0,1', ['0', '1']),
        ('GPU-aabb-2', ['1']),
        ('GPU-aab', ['1']),
        ('GPU-c,GPU-aa,0', ['2']),
        ('GPU-c,0', ['0', '2']),
    ],
)
def test_that_the_inherited_devices_are_read_as_cuda_reads_them(inherited: str, expected: list[str]) -> None:
    assert visible(REAL, '', inherited) == expected


@pytest.mark.parametrize(
    ('inherited', 'expected'),
    [('MIG-12-b', ['0:1']), ('MIG-11,GPU-aabb', ['0:0', '1']), ('0', ['0:0']), ('1', ['1'])],
)
def test_that_mig_instances_are_understood(inherited: str, expected: list[str]) -> None:
    assert visible(MIG, '', inherited) == expected


def test_that_a_number_stands_for_all_instances_of_a_gpu_and_one_can_be_named() -> None:
    assert visible(MIG, '0') == ['0:0', '0:1']
    assert visible(MIG, '0:1,1') == ['0:1', '1']


def test_that_an_exact_uuid_wins_over_one_that_it_is_the_beginning_of() -> None:
    assert visible([gpu('0', 'GPU-a'), gpu('1', 'GPU-ab')], '', 'GPU-a') == ['0']


def test_that_the_option_is_intersected_with_the_environment() -> None:
    chosen, hidden = choose_visible(REAL, '0,1', '1,2')
    assert [each.name for each in chosen] == ['1']
    assert hidden['0'] == 'not in CUDA_VISIBLE_DEVICES=1,2, under which hpsearch was started'
    assert hidden['2'] == 'not in --visible_gpus=0,1'


def test_that_an_empty_intersection_is_an_error_that_names_both() -> None:
    message = refusal(REAL, '0,1', '2')
    assert '--visible_gpus=0,1 and CUDA_VISIBLE_DEVICES=2' in message
    assert '--visible_gpus=-1' in message


@pytest.mark.parametrize('inherited', ['', '-1', 'NoDevFiles', ' '])
def test_that_an_environment_that_allows_no_gpu_is_an_error(inherited: str) -> None:
    assert 'allows no GPU' in refusal(REAL, '', inherited)


@pytest.mark.parametrize('inherited', ['9', 'GPU-aa', 'gpu-aabb', 'nonsense', ',1'])
def test_that_an_environment_that_begins_with_no_device_is_an_error(inherited: str) -> None:
    assert 'begins with something that is no GPU here' in refusal(REAL, '', inherited)


def test_that_the_start_up_time_counts_from_a_start_whose_run_has_ended_already() -> None:
    gpu = Gpu('0', '', 'Fake', '0')
    reading = Reading(at=9.0, memory_used=0, memory_total=100, load=0.0)
    policy = GpuPolicy(startup_time=60)
    early = place([gpu], {'0': [reading]}, [], policy, 10.0, starts={'0': 5.0})
    assert 'started a run 5 s ago' in early.closed['0']
    late = Reading(at=65.0, memory_used=0, memory_total=100, load=0.0)
    assert place([gpu], {'0': [late]}, [], policy, 65.0, starts={'0': 5.0}).slots


def test_that_the_start_up_time_of_a_run_that_ended_counts_beside_an_older_run() -> None:
    policy = GpuPolicy(max_runs_per_gpu=2)
    old = GpuTenant(('0',), NOW - 100)
    placement = place([gpu('0')], {'0': [idle()]}, [old], policy, NOW, starts={'0': NOW - 5})
    assert 'started a run 5 s ago' in placement.closed['0']


def test_that_an_order_that_is_asked_for_comes_before_free_memory() -> None:
    readings = {each.name: [idle(used=100 * int(each.name))] for each in GPUS}
    assert names(readings, (), POLICY) == [('0',), ('1',), ('2',), ('3',)]
    ordered = replace(POLICY, order=('3', '1'))
    assert names(readings, (), ordered) == [('3',), ('1',), ('0',), ('2',)]
    there = [GpuTenant(('3',), 0.0)]
    assert names(readings, there, replace(ordered, max_runs_per_gpu=2, startup_time=0.0))[-1] == ('3',)


@pytest.mark.parametrize(
    ('option', 'order'), [('', ''), ('reverse', '3210'), (' 2, 0 ', '20'), ('3,3', '33'), ('1,', '1')]
)
def test_that_gpus_are_named_in_the_order_in_which_they_are_taken(option: str, order: str) -> None:
    assert gpu_order(GPUS, option) == tuple(order)


def test_that_an_order_names_only_gpus_that_are_used() -> None:
    with pytest.raises(ConfigError, match='GPU 7 is not among those that are used: GPU 0 '):
        gpu_order(GPUS, '1,7')
