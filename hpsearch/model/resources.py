"""What runs need and what a machine offers: slots, GPUs, their readings and their tenants."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import Enum
from typing import TypeAlias

from hpsearch.model.usage.estimate import NOTHING_EXPECTED, Estimate
from hpsearch.model.usage.measured import NOTHING_MEASURED, Measured

CUDA, ROCR = 'CUDA_VISIBLE_DEVICES', 'ROCR_VISIBLE_DEVICES'
"""The environment variables that say which GPUs a process may use, of NVIDIA and of AMD."""


@dataclass(frozen=True, slots=True)
class Slot:
    """Permission to start one run now.

    Attributes:
        gpus: Names of the GPUs that are given; empty: none assigned.
        visible_devices: What the variable is set to that says which GPUs a process may use; None: it is inherited
            untouched.
        threads: How many threads each of its libraries starts, so that its share of the cores is enough; None: as
            many as it likes.
        variable: The name of that variable.
    """

    gpus: tuple[str, ...] = ()
    visible_devices: str | None = None
    threads: int | None = None
    variable: str = CUDA


@dataclass(frozen=True, slots=True)
class GpuProcess:
    """A process on a GPU: its pid as the driver reports it, its memory in MiB, its load 0-1 (None: unknown)."""

    pid: int
    memory: int | None
    load: float | None = None


class ComputeMode(str, Enum):
    """How many processes may use a GPU, whatever else it has."""

    SHARED = 'DEFAULT'
    """Any number."""
    EXCLUSIVE = 'EXCLUSIVE_PROCESS'
    """One."""
    PROHIBITED = 'PROHIBITED'
    """None."""


@dataclass(frozen=True, slots=True)
class Reading:
    """One reading of one GPU.

    Attributes:
        at: When, in seconds of the reader's monotonic clock.
        memory_used: MiB in use; None, here and below: it could not be read.
        memory_total: MiB of the card.
        load: Utilisation, 0-1.
        load_exists: False where the device has no such reading (a MIG instance), so that None is no problem.
        processes: Compute processes on it.
        problem: Why the GPU could not be read, in words; empty when it could.
        memory_free: MiB that can still be allocated: total minus used minus what the driver reserves.
        is_unified: Whether the memory is that of the system, since the GPU has none of its own.
        compute_mode: How many processes may use it.
    """

    at: float
    memory_used: int | None = None
    memory_total: int | None = None
    load: float | None = None
    load_exists: bool = True
    processes: tuple[GpuProcess, ...] | None = None
    problem: str = ''
    memory_free: int | None = None
    is_unified: bool = False
    compute_mode: ComputeMode = ComputeMode.SHARED


Readings: TypeAlias = Mapping[str, Sequence[Reading]]
"""GPU to its readings, oldest first."""


@dataclass(frozen=True, slots=True)
class Gpu:
    """One device a run can be given.

    Attributes:
        name: nvidia-smi number, or ``number:instance`` for a MIG instance.
        uuid: ``GPU-…`` or ``MIG-…`` as the driver reports it; empty: not known.
        model: E.g. ``NVIDIA A100-SXM4-40GB``.
        visible_devices: What ``CUDA_VISIBLE_DEVICES`` must be for it (with ``CUDA_DEVICE_ORDER=PCI_BUS_ID``), or the
            ``variable`` that it has instead.
        groups: Names of groups of GPUs that it is in, from the largest to that in which GPUs are linked most closely.
        variable: The environment variable that is set to ``visible_devices``.
    """

    name: str
    uuid: str
    model: str
    visible_devices: str
    groups: tuple[str, ...] = ()
    variable: str = CUDA


@dataclass(frozen=True, slots=True)
class GpuTenant:
    """An attempt of this search that holds GPUs now.

    Attributes:
        gpus: Names of the GPUs it was given.
        started: When, in seconds of the same monotonic clock as :attr:`Reading.at`.
        memory: Its present use in MiB, over all its processes; None: unknown.
        exclusive: Whether its GPUs are reserved for it, since it ran out of memory before.
        alone_on_host: Whether the machine is reserved for it, for that reason.
        run: Name of its run; empty: not known.
        estimate: What its run was expected to need when it was started.
        is_settled: Whether its GPU memory has settled, so that it will take no more than now.
        measured: What it has used so far.
        group: Its process group, where its memory is not measured already; 0: not known.
    """

    gpus: tuple[str, ...]
    started: float
    memory: int | None = None
    exclusive: bool = False
    alone_on_host: bool = False
    run: str = ''
    estimate: Estimate = NOTHING_EXPECTED
    is_settled: bool = False
    measured: Measured = NOTHING_MEASURED
    group: int = 0


@dataclass(frozen=True, slots=True)
class OtherStart:
    """A run that another hpsearch of this host started, of whatever search and user.

    Attributes:
        gpus: UUIDs of its GPUs.
        at: When it was started, in seconds of the same monotonic clock as :attr:`Reading.at`.
        delay: Seconds after that until its use of them can be read.
        who: Its user and its process, in words.
        pid: Its process; None: it cannot be recognised from here.
        memory: MiB that it will still take on each of its GPUs beyond what a reading shows; None, here and below: not
            known.
        load: The load (0-1) that it is expected to put on each of its GPUs.
        host_memory: MiB of host memory that it is expected to take.
        cpu: Cores that it is expected to keep busy.
        is_own_user: Whether it is of this user.
    """

    gpus: tuple[str, ...]
    at: float
    delay: float
    who: str
    pid: int | None = None
    memory: int | None = None
    load: float | None = None
    host_memory: int | None = None
    cpu: float | None = None
    is_own_user: bool = True


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
        stale_after: Seconds after which a reading is outdated.
        order: Names of the GPUs that are taken first; empty: those with most free memory.
    """

    allowed_load: float = 0.5
    allowed_memory: float = 0.5
    startup_time: float = 60.0
    max_runs_per_gpu: int = 1
    gpus_per_run: int = 1
    window: float = 5.0
    stale_after: float = 15.0
    order: tuple[str, ...] = ()


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
