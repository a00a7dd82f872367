"""What is known of runs that were started, to learn from."""

from __future__ import annotations

from dataclasses import dataclass

from hpsearch.model.configuration import Params
from hpsearch.model.usage.measured import NOTHING_MEASURED, Measured


@dataclass(frozen=True, slots=True)
class Observation:
    """One attempt, ended or running.

    Attributes:
        run: Name of its run.
        params: The parameters of its run.
        measured: What it has used.
        seconds: How long it ran, or has run so far; None: not known.
        is_finished: Whether it ended by itself with success; otherwise ``seconds`` is a lower bound.
        is_settled: Whether its memory had settled; otherwise what it used of it is a lower bound.
        ran_out_of: MiB that a GPU did not have for it: it needs more than this; None: it did not run out of GPU memory.
        ran_out_of_host: The same of host memory.
    """

    run: str
    params: Params
    measured: Measured = NOTHING_MEASURED
    seconds: float | None = None
    is_finished: bool = False
    is_settled: bool = False
    ran_out_of: int | None = None
    ran_out_of_host: int | None = None
