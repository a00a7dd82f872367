"""The values that travel between the modules: plain, immutable, without behaviour of the outside world."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeAlias

Value: TypeAlias = Any
"""One hyperparameter value: a bool (a flag), a number, a string or None."""

Params: TypeAlias = dict[str, Value]
"""The hyperparameters of one run: option name (without dashes) to value, in command-line order."""

Grid: TypeAlias = dict[str, Sequence[Value]]
"""Option name to the values it may take."""

Condition: TypeAlias = tuple[Mapping[str, Any], Mapping[str, Sequence[Value]]]
"""``(when, then)``: a configuration that matches ``when`` is replaced by the product of ``then``."""

Constraint: TypeAlias = Callable[[Params], bool]
"""Says whether a configuration is allowed."""


class Not:
    """In a when-part: the condition matches when the value is none of these.

    Args:
        values: A list of values, or a single one.
    """

    __slots__ = ('values',)

    def __init__(self, values: Any) -> None:
        single = isinstance(values, (str, bytes)) or not isinstance(values, Iterable)
        self.values: tuple[Value, ...] = (values,) if single else tuple(values)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Not) and self.values == other.values

    def __hash__(self) -> int:
        return hash((Not, self.values))

    def __repr__(self) -> str:
        return f'Not({list(self.values)!r})'


@dataclass(frozen=True)
class Configuration:
    """What a grid module (or its YAML form) says, checked and completed with defaults.

    Attributes:
        source: Absolute path of the module or YAML file.
        sha256: Hash of that file's bytes.
        grid: Option name to its values, in the order of the file.
        conditions: Pairs ``(when, then)``.
        constraints: Predicates on parameters.
        script: ``_SCRIPT_NAME``, or None where ``command`` is given.
        command: ``_COMMAND``, the words before the options, or None where ``script`` is given.
        summary_filename: Name of the summary file in the output folder; None: the exit status alone decides.
        summary_keywords: Keywords the summary is expected to have.
        out_arg: Option that takes the output folder; None: the script takes none.
        summary_parser: ``f(out_dir, cmd_ident) -> {keyword: [value]}``, or None for the built-in reader.
        performance_eval: ``f(summary, criteria) -> keep the folder?``, or None.
        performance_key: Keyword by which results are sorted; None when there are no keywords.
        performance_ascending: Whether smaller is better.
        resumable: Whether the script goes on where it stopped when it is started again on its output folder.
        oom_patterns: Texts in a run's stderr that mean it ran out of memory, beside the built-in ones.
        job_prologue: Shell lines that a queue job executes before the run (modules, environments).
    """

    source: str
    sha256: str
    grid: Grid
    conditions: Sequence[Condition] = ()
    constraints: Sequence[Constraint] = ()
    script: str | None = None
    command: Sequence[str] | None = None
    summary_filename: str | None = None
    summary_keywords: Sequence[str] = ()
    out_arg: str | None = 'out_dir'
    summary_parser: Callable[..., Mapping[str, Any]] | None = None
    performance_eval: Callable[[Mapping[str, Any], str], bool] | None = None
    performance_key: str | None = None
    performance_ascending: bool = False
    resumable: bool = False
    oom_patterns: Sequence[str] = ()
    job_prologue: str = ''


@dataclass(frozen=True, slots=True)
class Run:
    """One set of hyperparameters of a search, as the plan (``runs.jsonl``) has it.

    Attributes:
        name: Unique in the search and the name of its output folder, e.g. ``sim_20261120231900_007``.
        number: Ordinal in the search, from 1.
        params: Its hyperparameters, without the output option.
        argv: Every word of its command, interpreter, script and output folder included.
    """

    name: str
    number: int
    params: Params
    argv: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Slot:
    """Permission to start one run now.

    Attributes:
        gpus: Names of the GPUs that are given (nvidia-smi numbers; ``0:1`` for a MIG instance); empty: none assigned.
        visible_devices: What ``CUDA_VISIBLE_DEVICES`` is set to, or None: it is inherited untouched.
    """

    gpus: tuple[str, ...] = ()
    visible_devices: str | None = None


@dataclass(frozen=True, slots=True)
class GpuProcess:
    """A process on a GPU: its pid as the driver tells it and its memory in MiB (None: not told)."""

    pid: int
    memory: int | None


@dataclass(frozen=True, slots=True)
class Reading:
    """One look at one GPU.

    Attributes:
        at: When, in seconds of the reader's monotonic clock.
        memory_used: MiB in use; None when it could not be read.
        memory_total: MiB of the card; None when it could not be read.
        load: Utilisation, 0-1; None when it could not be read (or does not exist, as on a MIG instance).
        load_exists: False where the device has no such reading at all, so that None is no sign of trouble.
        processes: Compute processes on it, or None when they could not be listed.
        problem: Why the GPU could not be read, in words; empty when it could.
        memory_free: MiB that can still be allocated, which is less than total minus used by what the driver keeps for
            itself; None where only that difference is known.
    """

    at: float
    memory_used: int | None = None
    memory_total: int | None = None
    load: float | None = None
    load_exists: bool = True
    processes: tuple[GpuProcess, ...] | None = None
    problem: str = ''
    memory_free: int | None = None


@dataclass(frozen=True, slots=True)
class Gpu:
    """One device a run can be given.

    Attributes:
        name: nvidia-smi number, or ``number:instance`` for a MIG instance.
        uuid: ``GPU-…`` or ``MIG-…`` as the driver tells it; empty where it is not known.
        model: E.g. ``NVIDIA A100-SXM4-40GB``.
        visible_devices: What ``CUDA_VISIBLE_DEVICES`` must be for it (with ``CUDA_DEVICE_ORDER=PCI_BUS_ID``).
    """

    name: str
    uuid: str
    model: str
    visible_devices: str


@dataclass(frozen=True, slots=True)
class GpuTenant:
    """An attempt of this search that holds GPUs now (what placement needs to know of it).

    Attributes:
        gpus: Names of the GPUs it was given.
        started: When, in seconds of the same monotonic clock as :attr:`Reading.at`.
        memory: Its present use in MiB summed over its processes, or None when unknown.
        exclusive: Whether it was given its GPUs for itself, since it ran out of memory before.
        alone_on_host: Whether it was given the machine for itself, likewise.
    """

    gpus: tuple[str, ...]
    started: float
    memory: int | None = None
    exclusive: bool = False
    alone_on_host: bool = False


@dataclass(frozen=True, slots=True)
class ResourceRequest:
    """What a run needs beyond what every run gets, since it ran out of memory; the default: nothing.

    Attributes:
        alone: Its GPUs for itself.
        larger_than: GPUs with more memory in all than this, in MiB; None: any.
        alone_on_host: No other run of this search on the machine.
        memory: MiB of host memory for its job in a queue; None: as much as every run gets.
    """

    alone: bool = False
    larger_than: int | None = None
    alone_on_host: bool = False
    memory: int | None = None


DEFAULT_RESOURCES = ResourceRequest()


@dataclass(frozen=True, slots=True)
class GpuPolicy:
    """The thresholds of placement, as on the command line.

    Attributes:
        allowed_load: A GPU above this load (0-1) gets no run.
        allowed_memory: A GPU with more than this share (0-1) of its memory in use gets no run.
        startup_time: Seconds after a start on a GPU before it is considered again.
        max_runs_per_gpu: Runs of this search per GPU at a time.
        gpus_per_run: How many GPUs a run is given.
        window: Seconds of readings that must all be under the thresholds.
        stale_after: Seconds after which a reading says nothing any more.
    """

    allowed_load: float = 0.5
    allowed_memory: float = 0.5
    startup_time: float = 60.0
    max_runs_per_gpu: int = 1
    gpus_per_run: int = 1
    window: float = 5.0
    stale_after: float = 15.0


@dataclass(frozen=True, slots=True)
class Placement:
    """What placement decided.

    Attributes:
        slots: In the order of preference.
        closed: The reason for each closed GPU.
        waiting: Why the machine, or the queue, as a whole gives no slot, or empty.
        is_final: Whether there will never be a slot again.
    """

    slots: tuple[Slot, ...] = ()
    closed: Mapping[str, str] = field(default_factory=dict)
    waiting: str = ''
    is_final: bool = False


@dataclass(frozen=True, slots=True)
class Summary:
    """What a training script left as its result.

    Attributes:
        values: Keyword to text as it goes into the table; a list is ``v1,v2``.
        finished: What the keyword ``finished`` says; None when the summary does not have it or there is no summary.
        problem: Why there is none, or what is odd about it (missing keywords, half a file); empty when all is well.
        found: Whether a summary was there and could be read at all.
    """

    values: Mapping[str, str] = field(default_factory=dict)
    finished: bool | None = None
    problem: str = ''
    found: bool = False


@dataclass(frozen=True, slots=True)
class GpuLine:
    """What the live view and ``status`` show of one GPU (memory in MiB, load 0-1; None: unknown)."""

    name: str
    model: str
    load: float | None
    memory_used: int | None
    memory_total: int | None
    own_runs: int
    others_memory: int | None
    closed: str


@dataclass(frozen=True, slots=True)
class QueueLine:
    """What the live view and ``status`` show of jobs in a queue that are alike.

    Attributes:
        state: ``waiting`` (not accepted yet), ``pending`` or ``running``.
        reason: Why they wait, in the queue's own words; empty for those that run.
        count: How many.
        example: Name of one of the runs, or of a job.
        is_stuck: Whether they wait for something that will never come.
    """

    state: str
    reason: str
    count: int
    example: str
    is_stuck: bool = False


@dataclass(frozen=True, slots=True)
class RunLine:
    """What the live view shows of one run that is under way (seconds since its start, where)."""

    name: str
    seconds: float
    where: str


@dataclass(frozen=True)
class Snapshot:
    """What a search looks like at one moment, for the live view and for ``status``.

    Attributes:
        folder: The search folder.
        total: Number of runs of the plan.
        counts: State (``planned``, ``running``, ``finished`` …) to number of runs.
        elapsed: Seconds since this process took the search up.
        eta: Expected seconds left, or None when there is nothing to tell it from.
        gpus: A line per GPU, empty where none is assigned.
        queue: What is in a queue, empty where there is none.
        running: The runs that are under way.
        best: Name, parameters and performance of the best run so far, or None.
        performance_key: The keyword of that performance.
        waiting: Why no run is started at the moment, or empty.
        varying: Names of the parameters that differ between runs; empty: not known.
    """

    folder: str
    total: int
    counts: Mapping[str, int]
    elapsed: float
    eta: float | None = None
    gpus: Sequence[GpuLine] = ()
    running: Sequence[RunLine] = ()
    best: tuple[str, Params, str] | None = None
    performance_key: str | None = None
    waiting: str = ''
    varying: Sequence[str] = ()
    queue: Sequence[QueueLine] = ()


QUEUE_ORDER = ('running', 'pending', 'waiting', 'ended')


def merged_queue(lines: Iterable[QueueLine]) -> list[QueueLine]:
    """Jobs that are alike counted together, in the order they are shown: those that run, then the most first."""
    merged: dict[tuple[str, str, bool], QueueLine] = {}
    for line in lines:
        reason = '' if line.reason == 'None' else line.reason
        key = (line.state, reason, line.is_stuck)
        count = line.count + (merged[key].count if key in merged else 0)
        example = merged[key].example if key in merged else line.example
        merged[key] = QueueLine(line.state, reason, count, example, line.is_stuck)
    places = {state: place for place, state in enumerate(QUEUE_ORDER)}
    return sorted(merged.values(), key=lambda line: (places.get(line.state, len(places)), -line.count, line.reason))
