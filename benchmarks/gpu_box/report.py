"""What the simulations of a workload tell: a line per policy, the aims, and why the worst seed is the worst."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from statistics import mean

from benchmarks.gpu_box.jobs import bounds
from benchmarks.gpu_box.simulation import Result

HEADING = f'{"policy":32} ratio  worst seed  lost    oom  hurt  met  waits    ms'

LEGEND = """\
ratio  makespan over the lower bound, as a mean over the boxes; worst: the largest, with its seed. The bound is the
       largest of: work (load times seconds) over what all cards do at best under the law of the box; memory times
       seconds over the memory of all cards; both for the runs that fit only into larger cards; the longest run. Others
       are left out of it. Where runs are lost, the bound is that of the rest.
lost   runs that never finished
oom    share of the hours of all attempts that went into attempts which ran out of memory
hurt   others whose memory was denied, or who lost more than 5 % of their time, to runs of ours that came after them
met    others whose memory was denied by runs of ours that were there before them
waits  hours for which others found no card with room, and would have without our runs
ms     milliseconds of processor time per decision"""


def line(policy: str, results: Sequence[Result]) -> str:
    """One policy, over all boxes."""
    worst = max(results, key=lambda each: each.ratio)
    summary = summary_of(results)
    waits = sum(each.neighbours.kept_waiting for each in results)
    each_decision = sum(each.deciding for each in results) / sum(each.decisions for each in results)
    met = sum(each.neighbours.met for each in results)
    return (
        f'{policy:32} {summary.ratio:5.2f} {worst.ratio:6.2f} {worst.world.seed:4d} {summary.lost:5d} '
        f'{summary.out_of_memory:6.2%} {summary.hurt:5d} {met:4d} {waits:5.1f}h {1000 * each_decision:5.1f}'
    )


@dataclass(frozen=True, slots=True)
class Summary:
    """How a policy fares.

    Attributes:
        ratio: Makespan over the lower bound, as a mean.
        lost: Runs that never finished.
        out_of_memory: Share (0-1) of the hours of attempts that went into those which ran out of memory.
        hurt: How many others were hurt.
    """

    ratio: float
    lost: int
    out_of_memory: float
    hurt: int


def summary_of(results: Sequence[Result]) -> Summary:
    """How a policy fares over these boxes."""
    hours = sum(each.cost.all for each in results)
    return Summary(
        mean(each.ratio for each in results),
        sum(len(each.lost) for each in results),
        sum(each.cost.out_of_memory for each in results) / hours if hours else 0.0,
        sum(each.neighbours.hurt for each in results),
    )


AIMS = {'light': 1.2, 'heavy': 1.3}
"""Ratio that packing is to have at most."""


def aims(workload: str, by_policy: Mapping[str, Sequence[Result]]) -> Iterator[str]:
    """What packing is to reach, and what it reaches; nothing where it was not simulated."""
    known = {policy: summary_of(results) for policy, results in by_policy.items()}
    packing, default = known.get('packing'), known.get('original, 1 per GPU')
    if packing is None:
        return
    yield _aim(f'at most {AIMS[workload]:.2f} of the bound', f'{packing.ratio:.2f}', packing.ratio <= AIMS[workload])
    if default is not None and not default.lost:
        faster = default.ratio / packing.ratio
        yield _aim("twice as fast as the original's defaults", f'{faster:.2f} times', faster >= 2)
    by_hand = {policy: one.ratio for policy, one in known.items() if 'packing' not in policy}
    if by_hand:
        best = min(by_hand, key=lambda policy: by_hand[policy])
        told = f'{packing.ratio:.2f}; {by_hand[best]:.2f} with {best}, which loses {known[best].lost} runs'
        yield _aim('not slower than the best thresholds', told, packing.ratio <= by_hand[best])
    yield _aim('no run lost', str(packing.lost), packing.lost == 0)
    yield _aim('under 1 % of hours out of memory', f'{packing.out_of_memory:.2%}', packing.out_of_memory < 0.01)
    yield _aim('nobody else hurt', str(packing.hurt), packing.hurt == 0)


def _aim(what: str, value: str, is_reached: bool) -> str:
    return f'  {"yes" if is_reached else "NO "}  {what}: {value}'


def why_worst(results: Sequence[Result]) -> Iterator[str]:
    """What became of the time of the cards in the worst box, and how it ended."""
    worst = max(results, key=lambda each: each.ratio)
    limits = bounds(worst.world)
    limit = max(limits, key=lambda name: limits[name])
    yield (
        f'  worst box: seed {worst.world.seed}, ratio {worst.ratio:.2f}; {len(worst.world.jobs)} runs, bound '
        f'{limits[limit]:.0f} s ({limit}), {worst.world.law}'
    )
    total = sum(worst.spent.values())
    shares = sorted(worst.spent.items(), key=lambda each: -each[1])
    yield '  time of its cards: ' + ', '.join(f'{what} {seconds / total:.1%}' for what, seconds in shares)
    yield '  ended last: ' + '; '.join(_last(worst))


def _last(result: Result, count: int = 3) -> Iterator[str]:
    for end in sorted(result.ended, key=lambda each: -each.at)[:count]:
        job, took = end.who.job, end.at - end.who.began
        yield (
            f'{job.name} at {end.at:.0f} s on card {end.who.card}, begun at {end.who.began:.0f} s, took {took:.0f} s '
            f'for {job.seconds:.0f} s of load {job.work / job.seconds:.2f} and {job.peak / 1024:.1f} GB'
        )
