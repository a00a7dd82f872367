"""Somebody else's processes on a GPU, since when they are there, and which of our runs makes room for them. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from math import inf

from hpsearch.model.placement import LOAD_IS_AVERAGED_OVER, SMALL_USE, identity, small_use
from hpsearch.model.resources import Gpu, OtherStart, Reading
from hpsearch.model.units import memory
from hpsearch.model.usage.holders import GpuHolder, HolderKind

PATIENCE = 10.0
"""Seconds for which somebody must be there, without a break, before a run makes room: a short test evicts nobody."""

SETTLING = 5.0
"""Seconds for which a GPU is looked at after something changed there, before another run makes room."""

NEW_FOR = 120.0
"""Seconds for which a process of others counts however little it uses: most programs take their memory later."""

NAMED = 2
"""How many processes of others are named."""


@dataclass(frozen=True, slots=True)
class Presence:
    """Others on a GPU.

    Attributes:
        since: From when on they were there in every reading; infinite: they are not there.
        last: When they were last there; minus infinite: never.
        who: Who they are, in words.
        arrivals: Process of others, large or small, to when it came; minus infinite: it was there in the first reading.
            None: there was no reading yet.
        siblings: MiB that runs of other hpsearch of this user use, as far as the driver tells.
    """

    since: float = inf
    last: float = -inf
    who: str = ''
    arrivals: Mapping[GpuHolder, float] | None = None
    siblings: int = 0

    @property
    def is_there(self) -> bool:
        """Whether they are there in the latest reading."""
        return self.since < inf

    def then(self, at: float, who: str) -> Presence:
        """After a reading at a time; ``who``: who was there, empty: nobody."""
        since, last = (min(self.since, at), at) if who else (inf, self.last)
        return replace(self, since=since, last=last, who=who or self.who)

    def seen(self, reading: Reading, holders: Sequence[GpuHolder], ours: int | None) -> Presence:
        """After a reading; for the arguments see :func:`who_is_there`."""
        came = {holder.pid: at for holder, at in (self.arrivals or {}).items()}
        new = -inf if self.arrivals is None else reading.at
        arrivals = {holder: came.get(holder.pid, new) for holder in holders if holder.is_stranger}
        after = self.then(reading.at, who_is_there(reading, holders, ours))
        siblings = [each for each in holders if each.kind is HolderKind.HPSEARCH and not each.is_stranger]
        return replace(after, arrivals=arrivals, siblings=sum(each.memory or 0 for each in siblings))

    def newcomers(self, now: float) -> Sequence[GpuHolder]:
        """Processes of others that came a short while ago and are there."""
        return [holder for holder, at in (self.arrivals or {}).items() if now - at < NEW_FOR]


NOBODY = Presence()


def who_is_there(reading: Reading, holders: Sequence[GpuHolder], ours: int | None) -> str:
    """Who else is on a GPU, in words; empty: nobody, or only the small processes of a desktop, or it cannot be told.

    Args:
        reading: Of the GPU.
        holders: The processes on it that can be seen from here.
        ours: MiB that runs of this search use of it, as far as all of that is known; None: it is not.
    """
    strangers = [holder for holder in holders if holder.is_stranger]
    unlisted = len(holders) < len(reading.processes or ()) or reading.processes is None
    if not unlisted and not strangers:
        return ''
    is_told = not unlisted and all(holder.memory is not None for holder in strangers)
    used = sum(holder.memory or 0 for holder in strangers) if is_told else _rest(reading, holders, ours)
    # What is told is theirs, so that a large GPU needs no larger tolerance; by difference, drivers and libraries count.
    if used is None or used <= (SMALL_USE if is_told and not reading.is_unified else small_use(reading)):
        return ''
    return _named(strangers) or f'processes that cannot be seen from here, {memory(used)}'


def _named(holders: Sequence[GpuHolder]) -> str:
    """Processes in words, the largest first; empty: none."""
    largest = sorted(holders, key=lambda holder: -(holder.memory or 0))
    more = [f'{len(largest) - NAMED} more'] if len(largest) > NAMED else []
    return '; '.join([*(holder.text for holder in largest[:NAMED]), *more])


def _rest(reading: Reading, holders: Sequence[GpuHolder], ours: int | None) -> int | None:
    """MiB that are in use and not by runs of an hpsearch of this user, by difference; None: it cannot be told."""
    own = [holder.memory for holder in holders if not holder.is_stranger]
    known = [each for each in own if each is not None]
    if reading.memory_used is None or ours is None or len(known) < len(own):
        return None
    return max(0, reading.memory_used - max(ours, sum(known)))


def why_kept_away(presences: Mapping[str, Presence], window: float, now: float) -> Mapping[str, str]:
    """Why GPUs get no run since somebody else is there, or was within the window: name to the reason, in words."""
    closed = {}
    for name, presence in presences.items():
        if presence.is_there:
            closed[name] = f'others use it ({presence.who})'
        elif newcomers := presence.newcomers(now):
            closed[name] = f'others have just come, and may need more ({_named(newcomers)})'
        elif now - presence.last < window:
            closed[name] = (
                f'others used it {int(now - presence.last)} s ago ({presence.who}); it is free after {window:g} s'
            )
    return closed


def why_promised(gpus: Sequence[Gpu], starts: Sequence[OtherStart]) -> Mapping[str, str]:
    """Why GPUs get no run since hpsearch of another user has just started one there, which may not be seen yet."""
    return {
        gpu.name: f'another hpsearch ({start.who}) has started a run there'
        for start in starts
        for gpu in gpus
        if not start.is_own_user and identity(gpu) in start.gpus
    }


# Making room


@dataclass(frozen=True, slots=True)
class Limits:
    """What a GPU that is shared may be used to: load and memory, as fractions (0-1)."""

    load: float
    memory: float

    def why_above(self, reading: Reading) -> str:
        """What is above them in a reading, in words; empty: nothing, as far as is known."""
        used, total = reading.memory_used, reading.memory_total
        if reading.load is not None and reading.load > self.load:
            return f'its load {reading.load:.2g} is above {self.load:g}'
        if used is not None and total and used > self.memory * total:
            return f'{used} of its {total} MiB are in use, more than {self.memory:g} of them'
        return ''


NO_LIMIT = Limits(1.0, 1.0)


@dataclass(frozen=True, slots=True)
class OwnRun:
    """An attempt of ours on a GPU: its id, when it was started, and whether it was asked to end."""

    ident: str
    started: float
    is_leaving: bool = False


def who_makes_room(
    presence: Presence,
    readings: Sequence[Reading],
    ours: Sequence[OwnRun],
    limits: Limits,
    now: float,
    changed: float = -inf,
) -> tuple[str, str]:
    """Which of our attempts on a GPU makes room for others, and why; both empty: none.

    The youngest does, one at a time, as long as others are there and the GPU is above the limits all the time.

    Args:
        presence: Of others on it.
        readings: Of the GPU, oldest first.
        ours: Our attempts there.
        limits: What the GPU may be used to.
        now: The time in seconds, of the clock of the readings.
        changed: When an attempt of ours last ended there.
    """
    is_settled = now - presence.since >= PATIENCE and now - changed >= SETTLING
    if not (ours and is_settled) or any(each.is_leaving for each in ours):
        return '', ''
    since = max(now - SETTLING, changed + LOAD_IS_AVERAGED_OVER)
    reasons = [limits.why_above(reading) for reading in readings if reading.at >= since]
    if not reasons or not all(reasons):
        return '', ''
    youngest = max(ours, key=lambda each: (each.started, each.ident))
    return youngest.ident, f'it makes room for others ({presence.who}): {reasons[-1]}'
