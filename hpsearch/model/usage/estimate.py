"""What a run is expected to need."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any

from hpsearch.model.units import duration, noun_for


@dataclass(frozen=True, slots=True)
class Guess:
    """One quantity of a run that was not measured yet.

    Attributes:
        expected: The most likely value.
        high: What it should not exceed.
        is_known: Whether runs that were measured tell as much; otherwise it is guessed high.
    """

    expected: float
    high: float
    is_known: bool = True


@dataclass(frozen=True, slots=True)
class Estimate:
    """What a run is expected to need; None: nothing is known.

    Attributes:
        memory: MiB on each of its GPUs.
        load: The load (0-1) that it puts on each of its GPUs.
        seconds: How long it runs where nothing slows it.
        host_memory: MiB of host memory.
        cpu: Cores that it keeps busy.
        settled_after: Seconds from its start until its GPU memory has settled.
    """

    memory: Guess | None = None
    load: Guess | None = None
    seconds: Guess | None = None
    host_memory: Guess | None = None
    cpu: Guess | None = None
    settled_after: Guess | None = None

    @property
    def in_words(self) -> str:
        """For people; empty: nothing is expected."""
        memory, load, seconds, host_memory, cpu = self.memory, self.load, self.seconds, self.host_memory, self.cpu
        cores = f'{cpu.expected:.2g}' if cpu else '0'
        words = [
            f'{memory.expected:.0f} MiB ({memory.high:.0f} at most)' if memory else '',
            f'load {load.expected:.2g}' if load else '',
            duration(seconds.expected) if seconds else '',
            f'{host_memory.expected:.0f} MiB of the host' if host_memory else '',
            f'{cores} {noun_for(float(cores), "core")}' if cpu else '',
        ]
        return ', '.join(filter(None, words))

    def facts(self) -> dict[str, list[float]]:
        """What the journal keeps of it: each quantity as the expected value and the high one."""
        guesses = {each.name: getattr(self, each.name) for each in fields(self)}
        return {name: [round(one.expected, 3), round(one.high, 3)] for name, one in guesses.items() if one is not None}


NOTHING_EXPECTED = Estimate()


_QUANTITIES = frozenset(each.name for each in fields(Estimate))


def estimate_from(facts: Mapping[str, Any] | None) -> Estimate:
    """What :meth:`Estimate.facts` returned, from a journal; facts that are not known here are left out."""
    if not facts:
        return NOTHING_EXPECTED
    return Estimate(**{name: Guess(*pair) for name, pair in facts.items() if name in _QUANTITIES})
