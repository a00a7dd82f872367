"""Records of runs and attempts: values that were read once, with everything that is known."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from hpsearch.model.configuration import Params
from hpsearch.model.run import Run
from hpsearch.model.states import ENDED, NEVER_STARTED, State
from hpsearch.model.trials.curves import Points, last_values
from hpsearch.model.trials.trial import Proposal
from hpsearch.model.units import read_number
from hpsearch.model.usage.estimate import NOTHING_EXPECTED, Estimate
from hpsearch.model.usage.measured import NOTHING_MEASURED, Measured


@dataclass(frozen=True, slots=True)
class AttemptRecord:
    """One execution of a run.

    Attributes:
        run: Name of its run.
        number: From 1.
        state: Where it stands.
        reason: Why it ended so, in words; empty: it has not ended, or that is not known.
        cause: What ended it, in one word (``exit``, ``oom``, ``timeout`` …).
        code: Raw exit status, if known.
        claimed_at: When a writer took it, in seconds since 1970.
        started_at: When its script began, in seconds since 1970; None: it has not, or that is not known.
        ended_at: When it ended, in seconds since 1970; None: it has not, or that is not known.
        seconds: How long it ran, or has run so far; None: not known.
        host: The machine or the node of a cluster it ran on; empty: not known.
        gpus: The GPUs it was given.
        queue: ``slurm`` or ``lsf``; empty: it is no job of a queue.
        job: The id of its job there; empty: not known.
        measured: What it was measured to use.
        estimate: What it was expected to need.
        memory: MiB its job was given, where that is not the usual.
        failure: What its failure is grouped by; empty: it did not fail.
        code_id: The code it ran; empty: not known.
        writer: The hpsearch that started it.
    """

    run: str
    number: int
    state: State
    reason: str = ''
    cause: str = ''
    code: int | None = None
    claimed_at: float | None = None
    started_at: float | None = None
    ended_at: float | None = None
    seconds: float | None = None
    host: str = ''
    gpus: Sequence[str] = ()
    queue: str = ''
    job: str = ''
    measured: Measured = NOTHING_MEASURED
    estimate: Estimate = NOTHING_EXPECTED
    memory: int | None = None
    failure: str = ''
    code_id: str = ''
    writer: str = ''

    @property
    def was_started(self) -> bool:
        """Whether its script ran, or may have."""
        return self.started_at is not None and self.cause not in NEVER_STARTED

    @property
    def gpu_seconds(self) -> float:
        """Seconds times the GPUs it had; 0 where it had none, or its duration is not known."""
        return (self.seconds or 0.0) * len(self.gpus)


@dataclass(frozen=True, slots=True)
class RunRecord:
    """One run of a search.

    Attributes:
        run: Its name, number, parameters and command.
        state: Where it stands.
        output: Its output folder, which may not exist.
        attempts: Its attempts in their order; empty: it has not been started.
        summary: Keyword of its result to text; empty: it has none.
        curve: What it has reported so far: step to metric to value.
        proposal: What a sampler says of it; None: it was planned in advance.
        waiting: Why it waits, or was never started; empty: neither is so, or that is not known.
        request: What users asked of it that holds now: ``cancel``, ``rerun`` (until it is started), or nothing.
    """

    run: Run
    state: State
    output: str
    attempts: Sequence[AttemptRecord] = ()
    summary: Mapping[str, str] | None = None
    curve: Points = field(default_factory=dict)
    proposal: Proposal | None = None
    waiting: str = ''
    request: str = ''

    @property
    def name(self) -> str:
        """Its name, unique in the search."""
        return self.run.name

    @property
    def number(self) -> int:
        """Its number in the search, from 1."""
        return self.run.number

    @property
    def params(self) -> Params:
        """Its parameters."""
        return self.run.params

    @property
    def trial(self) -> int:
        """The trial it belongs to: the same for runs that repeat or continue it."""
        return (self.proposal.trial if self.proposal else None) or self.run.number

    @property
    def last(self) -> AttemptRecord | None:
        """Its latest attempt; None: there is none."""
        return self.attempts[-1] if self.attempts else None

    @property
    def deciding(self) -> AttemptRecord | None:
        """The attempt that speaks for it: the first that finished, else the latest."""
        finished = (attempt for attempt in self.attempts if attempt.state is State.FINISHED)
        return next(finished, self.last)

    @property
    def has_ended(self) -> bool:
        """Whether it is over; otherwise it waits or runs."""
        return self.state in ENDED

    @property
    def reason(self) -> str:
        """Why it ended as it did, or why it waits."""
        return (self.deciding.reason if self.deciding and self.has_ended else '') or self.waiting

    @property
    def gpu_seconds(self) -> float:
        """What all its attempts took, in seconds times GPUs."""
        return sum(attempt.gpu_seconds for attempt in self.attempts)

    def value(self, key: str) -> float | None:
        """The number of a keyword of its result; None: there is none, or it is no number."""
        reading = read_number((self.summary or {}).get(key))
        return reading.value if reading else None

    @property
    def metrics(self) -> Mapping[str, float]:
        """The last value of each metric it has reported."""
        return last_values(self.curve)
