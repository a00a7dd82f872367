"""How attempts are cut into arrays, and how the number of jobs is divided among them. Pure.

A batch system limits how many elements of an array run at a time (its throttle), but does not know which other arrays
belong to a search. So the sum of the throttles of all arrays is kept within the number of jobs.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Share:
    """One array that has elements left.

    Attributes:
        throttle: Elements that may run at a time, as last requested; at least 1.
        remaining: Elements that have not ended, including running ones.
        running: Elements that may be running. If the throttle was lowered and there has been no listing since, these
            are as many as it allowed before.
    """

    throttle: int
    remaining: int
    running: int

    @property
    def allowed(self) -> int:
        """Elements that may run by its throttle: there may be fewer left."""
        return min(self.throttle, self.remaining)

    @property
    def claim(self) -> int:
        """Jobs that it has, or may have at any moment."""
        return max(self.allowed, self.running)


@dataclass(frozen=True, slots=True)
class Division:
    """How the number of jobs is divided.

    Attributes:
        throttles: Throttles of the arrays, in their order; unchanged where no change is needed.
        spare: Jobs that a new array may have now.
    """

    throttles: tuple[int, ...]
    spare: int


def shares(arrays: Sequence[Share], num_jobs: int, *, wants_new: bool) -> Division:
    """Divide the number of jobs among arrays.

    A throttle is lowered at once, but the jobs that this frees count only in the next division, after a listing has
    shown how many still run. So there are never more than ``num_jobs`` jobs, however late a change takes effect; if
    there are more already, throttles are only lowered.

    Args:
        arrays: The arrays, the oldest first.
        num_jobs: Maximum number of jobs that run at a time, of all arrays together; at least 1.
        wants_new: Whether another array is to be made. Then spare jobs are kept for it; if there are none, the others
            give up one job, unless each has only one.
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
    # There is no throttle of 0: each array has at least one job, even if that makes too many.
    return [max(target, min(1, size)) for target, size in zip(split, most, strict=True)]


def _lowered(array: Share, target: int) -> int:
    return target if target < array.allowed else array.throttle


def _raised(arrays: Sequence[Share], targets: Sequence[int], free: int) -> Division:
    """The oldest is raised first: an array that gets all it should have needs no further change."""
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
        count: Number of elements.
        largest: Maximum number of elements of an array; at least 1.
    """
    full, rest = divmod(count, largest)
    return [largest] * full + [rest] * (rest > 0)


def first_throttles(sizes: Sequence[int], spare: int) -> list[int]:
    """Divide spare jobs among new arrays that are submitted together.

    Args:
        sizes: Their numbers of elements, each at least 1.
        spare: Jobs that they may have together.

    Returns:
        The throttle of each; 0: it has to wait.
    """
    return _split_evenly(sizes, spare)


def _split_evenly(most: Sequence[int], total: int, now: Sequence[int] = ()) -> list[int]:
    """Split a number into parts that differ by at most one, except for those that cannot be that large.

    Args:
        most: Maximum of each part.
        total: The number; a negative one counts as 0.
        now: The current parts. If some must be larger by one, these are the ones that are already, then the first ones,
            so that as few as possible change.
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
    """The size of the parts that are not at their maximum, and how many of them are larger by one."""
    for done, size in enumerate(sorted(most)):
        left = len(most) - done
        if size * left > total:
            return divmod(total, left)
        total -= size
    return max(most, default=0), 0
