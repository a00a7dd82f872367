"""How runs are cut into arrays of jobs, and how the number of jobs that was asked for is shared by them. Pure.

A queue system lets only so many elements of an array run at a time (its throttle), but knows nothing of the other
arrays of a search. So the throttles of all that are alive are kept within the number of jobs together.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Share:
    """One array that is alive.

    Attributes:
        throttle: Elements that it may run at a time, as last asked for; at least 1.
        remaining: Elements that have not ended, running ones included.
        running: Elements that may be running. Where the throttle was lowered and no look at the queue has been taken
            since, these are as many as it allowed before.
    """

    throttle: int
    remaining: int
    running: int

    @property
    def allowed(self) -> int:
        """Elements that the throttle lets run: there may be fewer left than it allows."""
        return min(self.throttle, self.remaining)

    @property
    def claim(self) -> int:
        """Jobs it has, or may have at any moment."""
        return max(self.allowed, self.running)


@dataclass(frozen=True, slots=True)
class Division:
    """How the number of jobs is shared.

    Attributes:
        throttles: Of the arrays, in their order; that of an array which needs no change is its old one.
        spare: Jobs that a new array may have now.
    """

    throttles: tuple[int, ...]
    spare: int


def shares(arrays: Sequence[Share], num_jobs: int, *, wants_new: bool) -> Division:
    """Divide the number of jobs among arrays.

    A throttle is lowered at once, and what that sets free counts only in the next division, when it was looked how many
    still run. So the jobs of all arrays never become more than ``num_jobs``, however late a change takes effect; where
    they are more already, throttles are only lowered.

    Args:
        arrays: Those that are alive, the oldest first.
        num_jobs: Jobs at a time, of all of them together; at least 1.
        wants_new: Whether another array is to be made. What is spare is kept for it then; where nothing is, one job is
            kept back from those that are alive, unless each has but one.
    """
    free = num_jobs - sum(array.claim for array in arrays)
    if wants_new and free > 0:
        return Division(tuple(array.throttle for array in arrays), free)
    targets = _targets(arrays, num_jobs - 1 if wants_new else num_jobs)
    if wants_new or free < 0:
        return Division(tuple(map(_lowered, arrays, targets)), max(0, free))
    return _raised(arrays, targets, free)


def _targets(arrays: Sequence[Share], num_jobs: int) -> list[int]:
    """How many jobs each array should have."""
    most = [array.remaining for array in arrays]
    split = _split_evenly(most, num_jobs, [array.throttle for array in arrays])
    # There is no throttle of nothing: each has one job at least, even where that makes too many.
    return [max(target, min(1, size)) for target, size in zip(split, most, strict=True)]


def _lowered(array: Share, target: int) -> int:
    return target if target < array.allowed else array.throttle


def _raised(arrays: Sequence[Share], targets: Sequence[int], free: int) -> Division:
    """The oldest first: one that gets all it should have needs no further change."""
    throttles = []
    for array, target in zip(arrays, targets, strict=True):
        throttle = _lowered(array, target)
        if target > array.allowed:
            throttle = max(throttle, min(target, array.claim + free))
            free -= max(0, throttle - array.claim)
        throttles.append(throttle)
    return Division(tuple(throttles), free)


def cut(count: int, largest: int) -> list[int]:
    """Cut elements into as few arrays as possible, filled in order.

    Args:
        count: How many elements.
        largest: Elements of an array at most; at least 1.
    """
    full, rest = divmod(count, largest)
    return [largest] * full + [rest] * (rest > 0)


def first_throttles(sizes: Sequence[int], spare: int) -> list[int]:
    """Share what is spare among new arrays that are submitted together.

    Args:
        sizes: Their elements, each at least 1.
        spare: Jobs that they may have, all of them together.

    Returns:
        Of each how many elements may run at a time; 0: it has to wait.
    """
    return _split_evenly(sizes, spare)


def _split_evenly(most: Sequence[int], total: int, now: Sequence[int] = ()) -> list[int]:
    """Split a number into parts that differ by one at most, but for those that cannot be so large.

    Args:
        most: The largest each part may be.
        total: What is split; less than nothing is nothing.
        now: What the parts are. Where some must be larger by one, it is those that are so already, then the first ones:
            others would be changed for nothing.
    """
    level, rest = _level(most, max(0, total))
    larger = [part for part, size in enumerate(most) if size > level]
    if now:
        larger.sort(key=lambda part: now[part] != level + 1)
    parts = [min(size, level) for size in most]
    for part in larger[:rest]:
        parts[part] += 1
    return parts


def _level(most: Sequence[int], total: int) -> tuple[int, int]:
    """The size of the parts that could be larger, and how many of them are so by one."""
    for done, size in enumerate(sorted(most)):
        left = len(most) - done
        if size * left > total:
            return divmod(total, left)
        total -= size
    return max(most, default=0), 0
