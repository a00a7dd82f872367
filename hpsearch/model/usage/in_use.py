"""What a run that is under way uses now, as whoever looks after it tells others."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from hpsearch.model.usage.measured import NOTHING_MEASURED, Measured, measured_from


@dataclass(frozen=True, slots=True)
class RunUse:
    """What a run uses.

    Attributes:
        memory: MiB of GPU memory now, on all GPUs together; None: not known.
        is_settled: Whether that has settled, so that it will take no more.
        measured: What it has used so far.
        elsewhere: GPUs that it uses although it was not given them.
    """

    memory: int | None = None
    is_settled: bool = False
    measured: Measured = NOTHING_MEASURED
    elsewhere: tuple[str, ...] = ()

    def facts(self) -> dict[str, Any]:
        """What is told of it, made of plain values: what is known."""
        told = {
            'memory': self.memory,
            'is_settled': self.is_settled,
            'measured': self.measured.facts(),
            'elsewhere': list(self.elsewhere),
        }
        return {name: fact for name, fact in told.items() if fact not in (None, False, {}, [])}


NOTHING_USED = RunUse()


def run_use_from(told: Any) -> RunUse:
    """What :meth:`RunUse.facts` returned, as another process tells it: what is no such thing is left out."""
    facts = told if isinstance(told, Mapping) else {}
    memory, measured, elsewhere = facts.get('memory'), facts.get('measured'), facts.get('elsewhere')
    numbers = measured if isinstance(measured, Mapping) else {}
    return RunUse(
        memory=memory if _is_number(memory) else None,
        is_settled=facts.get('is_settled') is True,
        measured=measured_from({name: value for name, value in numbers.items() if _is_number(value)}),
        elsewhere=tuple(map(str, elsewhere)) if isinstance(elsewhere, list) else (),
    )


def _is_number(value: Any) -> bool:
    return type(value) in (int, float)
