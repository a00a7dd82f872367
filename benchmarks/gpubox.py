"""Policies of placement on a simulated GPU box: ``python3 -m benchmarks gpubox``; see ``benchmarks/gpu_box``."""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable, Sequence
from statistics import mean

from benchmarks.gpu_box.policies import Oracle, Original, Packing, Policy, Thresholds
from benchmarks.gpu_box.simulation import Result, simulate
from benchmarks.gpu_box.worlds import HEAVY, LIGHT, VARIANTS, make_world
from hpsearch.model.resources import GpuPolicy

WORKLOADS = {workload.name: workload for workload in (LIGHT, HEAVY)}


def by_hand(runs: int, memory: float) -> Callable[[], Policy]:
    """Thresholds that somebody has set for the workload."""
    return lambda: Thresholds(GpuPolicy(allowed_load=0.8, allowed_memory=memory, max_runs_per_gpu=runs))


def original_by_hand(runs: int) -> Callable[[], Policy]:
    """The original with thresholds that somebody has set for the workload."""
    return lambda: Original(runs, allowed_memory=0.75, allowed_load=0.8, delay=30.0)


POLICIES: dict[str, Callable[[], Policy]] = {
    'original, 1 per GPU': Original,
    'original, 5 per GPU': lambda: Original(limit=5),
    **{f'original, {n} per GPU, by hand': original_by_hand(n) for n in (3, 5)},
    'fixed, defaults': Thresholds,
    **{f'fixed, {n} per GPU, memory {m}': by_hand(n, m) for n in (2, 3, 5) for m in (0.5, 0.75)},
    'packing': Packing,
    'packing that knows': Oracle,
}


def main(argv: Sequence[str]) -> int:
    """Print how far each policy is from the lower bound, and what it costs others."""
    args = options(argv)
    scale = 0.4 if args.quick else 1.0
    seeds = range(1, 1 + (3 if args.quick else args.seeds))
    for name in args.workload or WORKLOADS:
        begin = time.process_time()
        print(f'{name} ({args.variant}), {len(seeds)} seeds')
        print(HEADING)
        for policy, make in POLICIES.items():
            if not args.only or any(word in policy for word in args.only):
                results = [
                    simulate(make_world(WORKLOADS[name], VARIANTS[args.variant], seed, scale), make()) for seed in seeds
                ]
                print(line(policy, results), flush=True)
        print(f'{time.process_time() - begin:.0f} s of processor time\n')
    return 0


def options(argv: Sequence[str]) -> argparse.Namespace:
    """What was asked for."""
    parser = argparse.ArgumentParser(prog='benchmarks gpubox', description=main.__doc__)
    parser.add_argument('--seeds', type=int, default=20, help='boxes of each kind (default: %(default)s)')
    parser.add_argument('--quick', action='store_true', help='few and small ones')
    parser.add_argument('--variant', choices=[*VARIANTS], default='main', help='other boxes, with other laws')
    parser.add_argument('--workload', choices=[*WORKLOADS], action='append', help='only this one')
    parser.add_argument('--only', metavar='WORD', action='append', help='only policies with this in their name')
    return parser.parse_args(argv)


HEADING = (
    f'{"policy":30} {"ratio":>6} {"worst":>6} {"seed":>4} {"lost":>5} {"oom h":>6} {"hurt":>5} '
    f'{"met":>4} {"waits":>6} {"ms":>6}'
)


def line(policy: str, results: Sequence[Result]) -> str:
    """One policy, over all seeds."""
    worst = max(results, key=lambda each: each.ratio)
    lost = sum(len(each.lost) for each in results)
    hours = sum(each.cost.out_of_memory for each in results) / sum(each.cost.all for each in results)
    hurt, met = sum(each.neighbours.hurt for each in results), sum(each.neighbours.met for each in results)
    waits = sum(each.neighbours.kept_waiting for each in results)
    each_decision = sum(each.deciding for each in results) / sum(each.decisions for each in results)
    ratio = mean(each.ratio for each in results)
    return (
        f'{policy:30} {ratio:6.2f} {worst.ratio:6.2f} {worst.world.seed:4d} {lost:5d} {hours:6.1%} {hurt:5d} '
        f'{met:4d} {waits:5.1f}h {1000 * each_decision:6.2f}'
    )
