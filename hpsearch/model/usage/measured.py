"""What an attempt was measured to use."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from typing import Any


@dataclass(frozen=True, slots=True)
class Measured:
    """What an attempt has used so far, or used until it ended; None: it is not known.

    Attributes:
        gpu_memory: Its largest use of memory on any one of its GPUs, in MiB.
        gpu_load: The mean load (0-1) that it alone put on each of its GPUs.
        settled_after: Seconds from its start until its GPU memory had settled; None: it has not, as far as is known.
        host_memory: The largest use of host memory of all its processes together, in MiB.
        cpu: The mean number of cores that its processes kept busy.
        sharing: How many runs, itself included, were on its GPUs, as a mean over the time it ran; without GPUs that are
            read, in the slots of its writer.
    """

    gpu_memory: int | None = None
    gpu_load: float | None = None
    settled_after: float | None = None
    host_memory: int | None = None
    cpu: float | None = None
    sharing: float | None = None

    def facts(self) -> dict[str, Any]:
        """What the journal keeps of it: what is known."""
        known = {name: value for name, value in asdict(self).items() if value is not None}
        return {name: round(value, 3) if isinstance(value, float) else value for name, value in known.items()}


NOTHING_MEASURED = Measured()


_QUANTITIES = frozenset(each.name for each in fields(Measured))


def measured_from(facts: Mapping[str, Any] | None) -> Measured:
    """What :meth:`Measured.facts` returned, from a journal; facts that are not known here are left out."""
    if not facts:
        return NOTHING_MEASURED
    return Measured(**{name: value for name, value in facts.items() if name in _QUANTITIES})
