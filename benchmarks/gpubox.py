"""Policies of placement on a simulated GPU box: ``python3 -m benchmarks gpubox``; see ``benchmarks/gpu_box``."""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ProcessPoolExecutor
from functools import partial

from benchmarks.gpu_box.policies import Oracle, Original, Packing, Policy, Thresholds
from benchmarks.gpu_box.report import HEADING, LEGEND, aims, line, why_worst
from benchmarks.gpu_box.simulation import Result, simulate
from benchmarks.gpu_box.worlds import HEAVY, LIGHT, VARIANTS, make_world
from hpsearch.model.resources import GpuPolicy

WORKLOADS = {workload.name: workload for workload in (LIGHT, HEAVY)}


GRID = ((2, 0.75), (3, 0.75), (5, 0.5), (5, 0.75))
"""Runs per GPU, and allowed memory, that somebody may set."""


def by_hand(runs: int, memory: float) -> Callable[[], Policy]:
    """Thresholds that somebody has set for the workload."""
    return lambda: Thresholds(GpuPolicy(allowed_load=0.8, allowed_memory=memory, max_runs_per_gpu=runs))


def original_by_hand(runs: int) -> Callable[[], Policy]:
    """The original with thresholds that somebody has set for the workload."""
    return lambda: Original(runs, allowed_memory=0.75, allowed_load=0.8, delay=30.0)


POLICIES: dict[str, Callable[[], Policy]] = {
    'original, 1 per GPU': Original,
    'original, 5 per GPU': lambda: Original(limit=5),
    **{f'original, {n} per GPU, by hand': original_by_hand(n) for n in (2, 3, 5)},
    'fixed, defaults': Thresholds,
    **{f'fixed, {n} per GPU, memory {m}': by_hand(n, m) for n, m in GRID},
    'packing': Packing,
    'packing that knows': Oracle,
}


def main(argv: Sequence[str]) -> int:
    """Print how far each policy is from the lower bound, and what it costs others."""
    args = options(argv)
    for name in args.workload or WORKLOADS:
        begin = time.monotonic()
        by_policy: dict[str, Sequence[Result]] = {}
        print(f'\n{name} ({args.variant} boxes)\n{HEADING}')
        for policy in chosen(args.only or ()):
            by_policy[policy] = results_of(name, policy, args)
            print(line(policy, by_policy[policy]), flush=True)
        for policy in by_policy:
            if policy.startswith('packing'):
                print(policy, *why_worst(by_policy[policy]), sep='\n')
        print('aims', *aims(name, by_policy), f'{time.monotonic() - begin:.0f} s', sep='\n')
    print(f'\n{LEGEND}')
    return 0


def chosen(words: Sequence[str]) -> list[str]:
    """The policies that have one of these words in their names; without words all."""
    return [policy for policy in POLICIES if not words or any(word in policy for word in words)]


def results_of(workload: str, policy: str, args: argparse.Namespace) -> list[Result]:
    """The simulations of one policy."""
    last, scale = (min(3, args.seeds), 0.3) if args.quick else (args.seeds, 1.0)
    seeds = args.seed or range(1, 1 + last)
    one = partial(result_of, workload, args.variant, scale, policy)
    if args.processes == 1:
        return [*map(one, seeds)]
    with ProcessPoolExecutor(args.processes) as pool:
        return [*pool.map(one, seeds)]


def result_of(workload: str, variant: str, scale: float, policy: str, seed: int) -> Result:
    """One simulation."""
    return simulate(make_world(WORKLOADS[workload], VARIANTS[variant], seed, scale), POLICIES[policy]())


def options(argv: Sequence[str]) -> argparse.Namespace:
    """What was asked for."""
    parser = argparse.ArgumentParser(prog='benchmarks gpubox', description=main.__doc__)
    parser.add_argument('--seeds', type=int, default=20, help='boxes of each kind (default: %(default)s)')
    parser.add_argument('--seed', type=int, action='append', help='only this one')
    parser.add_argument('--quick', action='store_true', help='few and small ones')
    parser.add_argument('--processes', type=int, default=1, help='simulations at a time (default: %(default)s)')
    parser.add_argument('--variant', choices=[*VARIANTS], default='main', help='other boxes, with other laws')
    parser.add_argument('--workload', choices=[*WORKLOADS], action='append', help='only this one')
    parser.add_argument('--only', metavar='WORD', action='append', help='only policies with this in their name')
    return parser.parse_args(argv)
