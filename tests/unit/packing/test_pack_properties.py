"""What holds of packing whatever the machine, the runs and the guesses are."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st

from hpsearch.model.resources import Gpu, GpuTenant, Reading
from hpsearch.model.usage.estimate import Estimate, Guess
from hpsearch.packing.box import Candidate, Packing, PackingPolicy
from hpsearch.packing.pack import pack

NOW = 1000.0

guesses = st.floats(10, 90_000).flatmap(
    lambda expected: st.builds(Guess, st.just(expected), st.floats(expected, 2 * expected), st.booleans())
)
loads = st.floats(0, 1).map(lambda load: Guess(load, load))
times = st.floats(1, 10_000).map(lambda seconds: Guess(seconds, 2 * seconds))
estimates = st.builds(Estimate, memory=st.none() | guesses, load=st.none() | loads, seconds=st.none() | times)
machines = st.lists(st.sampled_from([24_000, 80_000]), min_size=1, max_size=4)


def candidates_of(needs: list[Estimate]) -> list[Candidate]:
    return [Candidate(f'r{number}', estimate) for number, estimate in enumerate(needs)]


def packed(totals: list[int], tenants: list[GpuTenant], candidates: list[Candidate], now: float = NOW) -> Packing:
    """What is decided where all that is in use is ours."""
    gpus = [Gpu(str(number), f'GPU-{number}', '', str(number)) for number in range(len(totals))]
    used = Counter(dict.fromkeys(map(str, range(len(totals))), 0))
    for tenant in tenants:
        used[tenant.gpus[0]] += tenant.memory or 0
    readings = {gpu.name: [Reading(now, used[gpu.name], total, 0.0)] for gpu, total in zip(gpus, totals, strict=True)}
    return pack(gpus, readings, tenants, candidates, PackingPolicy(), now)


@given(machines, st.lists(estimates, max_size=12))
def test_that_what_is_known_to_be_needed_always_fits(totals: list[int], needs: list[Estimate]) -> None:
    candidates = candidates_of(needs)
    known = {each.run: each.estimate.memory for each in candidates}
    promised: Counter[str] = Counter()
    runs: Counter[str] = Counter()
    for start in packed(totals, [], candidates).starts:
        memory, name = known[start.run], start.slot.gpus[0]
        runs[name] += 1
        promised[name] += int(memory.high) if memory is not None and memory.is_known else 0
    assert all(promised[name] <= totals[int(name)] or runs[name] == 1 for name in promised)


@given(machines, st.lists(estimates, max_size=12))
def test_that_the_same_case_is_decided_alike(totals: list[int], needs: list[Estimate]) -> None:
    assert packed(totals, [], candidates_of(needs)) == packed(totals, [], candidates_of(needs))


@given(machines, st.lists(estimates, min_size=1, max_size=12))
def test_that_every_run_is_started_sooner_or_later(totals: list[int], needs: list[Estimate]) -> None:
    """Whenever nothing more starts, the runs that are there settle, or else end."""
    waiting, tenants = candidates_of(needs), list[GpuTenant]()
    for _ in range(3 * len(needs)):
        packing = packed(totals, tenants, waiting)
        started = {start.run: start.slot.gpus for start in packing.starts}
        if not started and all(tenant.is_settled for tenant in tenants):
            assert tenants, packing.closed
            tenants = []
        tenants = [replace(tenant, is_settled=True, memory=100) for tenant in tenants]
        known = {each.run: each.estimate for each in waiting}
        tenants += [GpuTenant(gpus, NOW, 0, run=run, estimate=known[run]) for run, gpus in started.items()]
        waiting = [each for each in waiting if each.run not in started]
        if not waiting:
            return
    raise AssertionError(f'{len(waiting)} never started')


@given(machines, st.lists(estimates, min_size=1, max_size=12))
def test_that_every_gpu_without_a_run_has_a_reason(totals: list[int], needs: list[Estimate]) -> None:
    candidates = candidates_of(needs)
    packing = packed(totals, [], candidates)
    if len(packing.starts) < len(candidates):
        assert set(packing.closed) == set(map(str, range(len(totals))))
        assert all(packing.closed.values())
