"""Which GPU gets the next run and why the others do not; whether a run still fits into its job. Pure."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import chain, takewhile
from operator import itemgetter
from typing import TypeVar

from hpsearch.model.errors import ConfigError
from hpsearch.model.resources import (
    CUDA,
    DEFAULT_RESOURCES,
    ROCR,
    ComputeMode,
    Gpu,
    GpuPolicy,
    GpuTenant,
    OtherStart,
    Placement,
    Reading,
    Readings,
    ResourceRequest,
    Slot,
)
from hpsearch.model.units import count_of, duration

T = TypeVar('T')

LOAD_IS_AVERAGED_OVER = 1.0
"""Seconds over which a driver averages the load, at most; a run that ended is visible for that long."""

SMALL_USE = 1024
"""MiB that others (a desktop, say) may use of a GPU that still counts as free."""

LARGER_BY = 1.02
"""Factor by which a GPU must have more memory to count as larger; cards of one model differ slightly."""

MOST_PERCENT = 90
"""Percentile of the durations of ended runs that the next run is expected to take."""

NEEDS_ITS_OWN = 'a run that ran out of memory needs a GPU of its own'

NO_DEVICES = ('', '-1', 'NoDevFiles')
"""Values of ``CUDA_VISIBLE_DEVICES`` that allow no GPU."""


# Which GPUs may be used


def choose_visible(
    all_gpus: Sequence[Gpu], visible_option: str, inherited: str | None, variable: str = CUDA
) -> tuple[list[Gpu], dict[str, str]]:
    """The GPUs this search may use: those asked for that the environment of the dispatcher allows.

    Args:
        all_gpus: What the machine has, in nvidia-smi order; MIG instances instead of a GPU in MIG mode.
        visible_option: ``--visible_gpus``: nvidia-smi numbers separated by commas (``0`` stands for all MIG instances
            of GPU 0, ``0:1`` for one of them); empty: all.
        inherited: ``CUDA_VISIBLE_DEVICES`` of the dispatcher, or None when it is not set. It is read as CUDA reads it,
            with numbers in the order of nvidia-smi: the list ends at its first entry that is no device.
        variable: The name of that variable, if it is another one.

    Returns:
        The GPUs in nvidia-smi order, and for each other one the reason why it is not among them.

    Raises:
        ConfigError: A number that does not exist, or nothing is left.
    """
    asked = _asked_for(all_gpus, visible_option)
    allowed = _allowed_by(all_gpus, inherited)
    hidden = {gpu.name: f'not in --visible_gpus={visible_option}' for gpu in all_gpus if gpu.name not in asked}
    for gpu in all_gpus:
        if gpu.name not in allowed:
            hidden.setdefault(gpu.name, f'not in {variable}={inherited}, under which hpsearch was started')
    chosen = [gpu for gpu in all_gpus if gpu.name not in hidden]
    if not chosen:
        raise ConfigError([_nothing_left(all_gpus, visible_option, inherited, allowed, variable)])
    return chosen, hidden


def inherited_choice(gpus: Sequence[Gpu], environ: Mapping[str, str]) -> tuple[str | None, str]:
    """Which GPUs the environment of the dispatcher allows, and the variable that says so; None: it does not.

    On GPUs of AMD, ROCm and HIP each have a variable, and HIP reads that of CUDA as well.
    """
    names = (CUDA,) if not gpus or gpus[0].variable == CUDA else (ROCR, 'HIP_VISIBLE_DEVICES', CUDA)
    found = next((name for name in names if name in environ), names[0])
    return environ.get(found), found


def _asked_for(all_gpus: Sequence[Gpu], option: str) -> set[str]:
    """Names of the GPUs that ``--visible_gpus`` names."""
    if not option.strip():
        return {gpu.name for gpu in all_gpus}
    words = [word.strip() for word in option.split(',') if word.strip()]
    found = {word: [gpu.name for gpu in all_gpus if word in (gpu.name, _card(gpu))] for word in words}
    unknown = [word for word, names in found.items() if not names]
    if unknown or not words:
        what = f'there is no GPU {", ".join(unknown)}' if unknown else 'it names no GPU'
        raise ConfigError([f'--visible_gpus={option}: {what}; this machine has {_listing(all_gpus)}'])
    return {name for names in found.values() for name in names}


def gpu_order(gpus: Sequence[Gpu], option: str) -> tuple[str, ...]:
    """The order in which GPUs are taken, by ``--gpu_order``: names, ``reverse``, or empty.

    Raises:
        ConfigError: It names a GPU that may not be used.
    """
    if option.strip() == 'reverse':
        return tuple(gpu.name for gpu in reversed(gpus))
    words = [word.strip() for word in option.split(',') if word.strip()]
    if unknown := [word for word in words if not any(word in (gpu.name, _card(gpu)) for gpu in gpus)]:
        what = f'GPU {", ".join(unknown)} is not among those that are used'
        raise ConfigError([f'--gpu_order={option}: {what}: {_listing(gpus)}; or reverse'])
    return tuple(gpu.name for word in words for gpu in gpus if word in (gpu.name, _card(gpu)))


def _allowed_by(all_gpus: Sequence[Gpu], inherited: str | None) -> set[str]:
    """Names of the GPUs that CUDA would see under this ``CUDA_VISIBLE_DEVICES``."""
    if inherited is None:
        return {gpu.name for gpu in all_gpus}
    return set(takewhile(bool, (_device(all_gpus, entry.strip()) for entry in inherited.split(','))))


def _device(all_gpus: Sequence[Gpu], entry: str) -> str:
    """The device one entry of ``CUDA_VISIBLE_DEVICES`` stands for; empty: no device, or more than one."""
    if entry.isdecimal():
        # Of a GPU in MIG mode a number gives the first instance only.
        return next((gpu.name for gpu in all_gpus if _card(gpu) == str(int(entry))), '')
    if not entry.startswith(('GPU-', 'MIG-')):
        return ''
    matching = [gpu for gpu in all_gpus if gpu.uuid.startswith(entry)]
    found = [gpu for gpu in matching if gpu.uuid == entry] or matching
    return found[0].name if len(found) == 1 else ''


def _nothing_left(all_gpus: Sequence[Gpu], option: str, inherited: str | None, allowed: set[str], variable: str) -> str:
    """The error of a search that may use no GPU at all."""
    there = f'this machine has {_listing(all_gpus)}'
    way_out = 'change it, or use --visible_gpus=-1 to run without assigning GPUs'
    environment = f'{variable}={inherited}, under which hpsearch was started,'
    if not all_gpus or inherited is None:
        return f'there is no GPU that --visible_gpus={option} could name; {there}'
    if inherited.strip() in NO_DEVICES:
        return f'{environment} allows no GPU; {there}; {way_out}'
    if not allowed:
        return f'{environment} begins with something that is no GPU here; {there}; {way_out}'
    return f'--visible_gpus={option} and {environment} have no GPU in common; {there}; {way_out}'


def _card(gpu: Gpu) -> str:
    """The nvidia-smi number of a GPU, or of the GPU a MIG instance is part of."""
    return gpu.name.partition(':')[0]


def _listing(all_gpus: Sequence[Gpu]) -> str:
    names = [f'{gpu.name} ({gpu.model})' if gpu.model else gpu.name for gpu in all_gpus]
    return f'GPU {", ".join(names)}' if names else 'no GPU'


# Which GPUs are open


@dataclass(frozen=True)
class GpuCase:
    """Everything that a decision about one GPU depends on; see the arguments of :func:`place`.

    Attributes:
        counted: The readings that are compared with the thresholds.
        ours: The attempts of this search on it.
        last_start: When one of our runs last started on it.
        other_start: The start there of another hpsearch that counts longest, or None.
        avoided: Why it is avoided, in words, or empty.
    """

    gpu: Gpu
    readings: Sequence[Reading]
    counted: Sequence[Reading]
    ours: Sequence[GpuTenant]
    policy: GpuPolicy
    now: float
    need: int | None
    last_start: float
    resources: ResourceRequest
    other_start: OtherStart | None
    avoided: str = ''

    @property
    def newest(self) -> Reading:
        """The last reading."""
        return self.readings[-1]

    def ago(self, moment: float) -> str:
        """How long ago, rounded down so that it never seems to reach a limit that it is below."""
        return f'{int(max(0.0, self.now - moment))} s'


@dataclass(frozen=True)
class Situation:
    """What there is to know of all GPUs; see the arguments of :func:`place`."""

    readings: Readings
    tenants: Sequence[GpuTenant]
    now: float
    freed: Mapping[str, float]
    starts: Mapping[str, float]
    other_starts: Sequence[OtherStart]
    avoided: Mapping[str, str]

    def case_of(
        self, gpu: Gpu, policy: GpuPolicy, need: int | None = None, resources: ResourceRequest = DEFAULT_RESOURCES
    ) -> GpuCase:
        """What a decision about one of them depends on."""
        ours = [tenant for tenant in self.tenants if gpu.name in tenant.gpus]
        history = self.readings.get(gpu.name, ())
        counted = counted_readings(history, self.now - policy.window, self.freed.get(gpu.name))
        last_start = max([self.starts.get(gpu.name, -math.inf), *(tenant.started for tenant in ours)])
        other = max((each for each in self.other_starts if identity(gpu) in each.gpus), key=_counts_until, default=None)
        why = self.avoided.get(gpu.name, '')
        return GpuCase(gpu, history, counted, ours, policy, self.now, need, last_start, resources, other, why)


def place(
    gpus: Sequence[Gpu],
    readings: Readings,
    tenants: Sequence[GpuTenant],
    policy: GpuPolicy,
    now: float,
    need: int | None = None,
    freed: Mapping[str, float] | None = None,
    starts: Mapping[str, float] | None = None,
    resources: ResourceRequest | None = None,
    other_starts: Sequence[OtherStart] = (),
    avoided: Mapping[str, str] | None = None,
) -> Placement:
    """Decide which GPUs get a run now: at most one more run per GPU and call.

    What is unknown counts as busy. The caller starts runs in as many of the slots as it wants, and calls again.

    Args:
        gpus: The GPUs the search may use, in nvidia-smi order.
        readings: Name of a GPU to its readings, oldest first.
        tenants: The attempts of this search that hold GPUs.
        policy: The thresholds.
        now: The time in seconds, of the clock of ``Reading.at`` and ``GpuTenant.started``.
        need: MiB per GPU that the next run is expected to need; None: nothing is known.
        freed: Name of a GPU to the last time one of our runs on it ended; earlier readings are ignored.
        starts: Name of a GPU to the last time one of our runs started on it, even if it has ended since.
        resources: What the next run needs because it ran out of memory, or None. Its ``alone_on_host`` is ignored.
        other_starts: Runs that other hpsearch of this host have started.
        avoided: Name of a GPU on which runs fail to why it is avoided, in words.

    Returns:
        Slots in the order of preference (fewest of our runs, ``policy.order``, most free memory, nvidia-smi order),
        with ``policy.gpus_per_run`` GPUs each and none twice; and a reason for every GPU that is in no slot.
    """

    wanted = resources or DEFAULT_RESOURCES
    situation = Situation(readings, tenants, now, freed or {}, starts or {}, other_starts, avoided or {})
    cases = [situation.case_of(gpu, policy, need, wanted) for gpu in gpus]
    closed = {case.gpu.name: reason for case in cases if (reason := why_closed(case))}
    return _slots([case for case in cases if case.gpu.name not in closed], closed, policy)


def identity(gpu: Gpu) -> str:
    """What a GPU is known by to every process of its host: its UUID, or its number where that is not known."""
    return gpu.uuid or gpu.name


def _counts_until(start: OtherStart) -> float:
    return start.at + start.delay


def predict_need(peaks: Sequence[int]) -> int | None:
    """MiB that the next run is expected to need: the highest peak so far; None without any."""
    return max(peaks, default=None)


def is_larger(total: int, than: int) -> bool:
    """Whether a GPU with ``total`` MiB has room for what ran out of memory on one with ``than`` MiB."""
    return total > than * LARGER_BY


def small_use(reading: Reading) -> int:
    """MiB that others may use of a GPU that is reserved for one run; of the system's memory, the system uses much."""
    total = reading.memory_total or 0
    return total // 2 if reading.is_unified else max(SMALL_USE, total // 20)


def impossible(totals: Mapping[str, int | None], resources: ResourceRequest, gpus_per_run: int = 1) -> str:
    """Why no GPU here can ever satisfy a request, in words; empty: one can, or that is not known yet.

    Args:
        totals: GPU name to its memory in MiB; None: not read yet.
        resources: What the run needs.
        gpus_per_run: How many such GPUs it needs.
    """
    known = [total for total in totals.values() if total is not None]
    if resources.larger_than is None or len(known) < len(totals):
        return ''
    if sum(is_larger(total, resources.larger_than) for total in known) >= gpus_per_run:
        return ''
    what = 'no GPU here has' if gpus_per_run == 1 else f'fewer than {gpus_per_run} GPUs here have'
    return f'it ran out of memory alone on a GPU with {resources.larger_than} MiB, and {what} more'


def _slots(ready: Sequence[GpuCase], closed: Mapping[str, str], policy: GpuPolicy) -> Placement:
    def preference(place: tuple[int, GpuCase]) -> tuple[int, int, int]:
        case = place[1]
        return len(case.ours), rank_of(case.gpu.name, policy.order), -free_memory(case.newest)

    size, ranked = policy.gpus_per_run, sorted(enumerate(ready), key=preference)
    groups = together(ranked, size, lambda place: place[1].gpu, lambda place: len(place[1].ours))
    in_order = [sorted(group, key=itemgetter(0)) for group in groups]
    left = len(ranked) % size
    short = f'only {count_of(left, "more GPU is", "more GPUs are")} open, and a run needs {size} (--gpus_per_run)'
    given = {case.gpu.name for group in groups for _, case in group}
    left_over = {case.gpu.name: short for _, case in ranked if case.gpu.name not in given}
    return Placement(tuple(slot_of([case.gpu for _, case in group]) for group in in_order), {**closed, **left_over})


def together(
    ranked: Sequence[T], size: int, gpu_of: Callable[[T], Gpu], rank: Callable[[T], float]
) -> list[Sequence[T]]:
    """Places in groups for one run each: those whose GPUs are linked most closely, where there are enough of them.

    Args:
        ranked: The places, in the order of preference.
        size: How many each run needs.
        gpu_of: The GPU of a place.
        rank: What counts more than how closely GPUs are linked; the smaller, the better.
    """
    rest, groups = list(ranked), list[Sequence[T]]()
    while len(rest) >= size:
        last = rank(rest[size - 1])
        group = _closest([place for place in rest if rank(place) <= last], size, gpu_of)
        groups.append(group)
        rest = [place for place in rest if place not in group]
    return groups


def _closest(ranked: Sequence[T], size: int, gpu_of: Callable[[T], Gpu]) -> Sequence[T]:
    """The places whose GPUs are linked most closely; of several such groups those of the smallest."""
    deepest = max(len(gpu_of(place).groups) for place in ranked) if size > 1 else 0
    for depth in range(deepest, 0, -1):
        near: dict[tuple[str, ...], list[T]] = {}
        for place in ranked:
            if len(gpu_of(place).groups) >= depth:
                near.setdefault(gpu_of(place).groups[:depth], []).append(place)
        if whole := [places for places in near.values() if len(places) >= size]:
            return min(whole, key=len)[:size]
    return ranked[:size]


def rank_of(gpu: str, order: Sequence[str]) -> int:
    """The place of a GPU in an order in which GPUs are taken; those that are not in it come last."""
    return order.index(gpu) if gpu in order else len(order)


def slot_of(gpus: Sequence[Gpu]) -> Slot:
    """The slot of a run that gets these GPUs."""
    visible = ','.join(gpu.visible_devices for gpu in gpus)
    return Slot(tuple(gpu.name for gpu in gpus), visible, variable=gpus[0].variable)


def free_memory(reading: Reading) -> int:
    """MiB that can still be allocated, as far as it is known."""
    if reading.memory_free is not None:
        return reading.memory_free
    return (reading.memory_total or 0) - (reading.memory_used or 0)


def counted_readings(readings: Sequence[Reading], since: float, freed: float | None) -> list[Reading]:
    """The readings that decide: the newest, and those of the window that no ended run of ours influenced."""
    settled = since if freed is None else max(since, freed + LOAD_IS_AVERAGED_OVER)
    newest = [reading for reading in readings[-1:] if freed is None or reading.at >= freed]
    return [reading for reading in readings[:-1] if reading.at >= settled] + newest


# Why a GPU is closed: reasons in the order of their precedence


def why_closed(case: GpuCase) -> str:
    """The first reason why a GPU gets no run now; empty when it gets one."""
    reasons = _not_readable(case), _given_to_our_runs(case), _given_by_others(case), _used_by_others(case)
    return next(chain(*reasons), '')


def _not_readable(case: GpuCase) -> Iterator[str]:
    if ':' in case.gpu.name and case.policy.gpus_per_run > 1:
        yield f'a MIG instance, of which a process can use only one (--gpus_per_run={case.policy.gpus_per_run})'
    if not case.readings:
        yield 'no reading yet'
    reading = case.newest
    if case.now - reading.at > case.policy.stale_after:
        last_words = f' ({reading.problem})' if reading.problem else ''
        yield f'no reading for {case.ago(reading.at)}; it does not answer{last_words}'
    yield from _unknown(reading)
    if reading.compute_mode is ComputeMode.PROHIBITED:
        yield f'its compute mode {ComputeMode.PROHIBITED.value} allows no process'
    if case.avoided:
        yield case.avoided


def _given_to_our_runs(case: GpuCase) -> Iterator[str]:
    total, than = case.newest.memory_total or 0, case.resources.larger_than
    if than is not None and not is_larger(total, than):
        yield f'a run that ran out of memory on a GPU with {than} MiB needs a larger one; this one has {total} MiB'
    if any(tenant.exclusive for tenant in case.ours):
        yield 'reserved for a run that ran out of memory before'
    count, limit = len(case.ours), case.policy.max_runs_per_gpu
    has_runs = f'has {count_of(count, "run")} of this search'
    if case.resources.alone and case.ours:
        yield f'{NEEDS_ITS_OWN}, and it {has_runs}'
    if case.now - case.last_start < case.policy.startup_time:
        yield f'started a run {case.ago(case.last_start)} ago, --sim_startup_time is {case.policy.startup_time:g} s'
    if count >= limit:
        yield f'{has_runs}, --max_num_jobs_per_gpu is {limit}'
    if count and case.newest.compute_mode is ComputeMode.EXCLUSIVE:
        yield f'{has_runs}, and its compute mode {ComputeMode.EXCLUSIVE.value} allows one process'


def _given_by_others(case: GpuCase) -> Iterator[str]:
    start = case.other_start
    if start is not None and case.now < _counts_until(start):
        seen = f'whose use of the GPU can be seen after {start.delay:g} s'
        yield f'another hpsearch ({start.who}) started a run {case.ago(start.at)} ago, {seen}'


def _used_by_others(case: GpuCase) -> Iterator[str]:
    if not case.counted:
        yield 'a run ended there; waiting for the next reading'
    yield from _kept_by_one(case.newest)
    for reading in reversed(case.counted):
        for reason in _above_thresholds(reading, case):
            ago = f'{case.ago(reading.at)} ago: {reason} (all readings of the last {case.policy.window:g} s count)'
            yield reason if reading is case.newest else ago
    free, loading = free_memory(case.newest), _still_loading(case)
    if case.need is not None and case.need > free - loading and not _is_as_free_as_can_be(case, case.need):
        kept = f', {loading} MiB of them reserved for runs that are still loading' if loading else ''
        yield f'a run is expected to need {case.need} MiB; {free} MiB are free{kept}'


def _kept_by_one(reading: Reading) -> Iterator[str]:
    """A process may keep a GPU for itself without using it."""
    if reading.compute_mode is ComputeMode.EXCLUSIVE and reading.processes:
        pids = ', '.join(str(process.pid) for process in reading.processes)
        mode = ComputeMode.EXCLUSIVE.value
        yield f'its compute mode {mode} allows one process, and there is one already (pid {pids})'


def _above_thresholds(reading: Reading, case: GpuCase) -> Iterator[str]:
    yield from _unknown(reading)
    used, total, policy = reading.memory_used or 0, reading.memory_total or 1, case.policy
    if used / total > policy.allowed_memory:
        allowed = f'--allowed_memory {policy.allowed_memory:g} ({int(policy.allowed_memory * total)} MiB)'
        whose = 'memory of the system' if reading.is_unified else 'memory'
        yield f'{whose} in use {used} of {total} MiB is above {allowed}'
    small = small_use(reading)
    if case.resources.alone and used > small:
        yield f'{NEEDS_ITS_OWN}, and others use {used} of {total} MiB of it ({small} MiB may be used)'
    if reading.load is not None and reading.load > policy.allowed_load:
        yield f'load {reading.load:.4g} is above --allowed_load {policy.allowed_load:g}'


def _unknown(reading: Reading) -> Iterator[str]:
    if reading.problem:
        yield reading.problem
    if reading.memory_used is None or not reading.memory_total:
        yield 'memory in use could not be read'
    if reading.load is None and reading.load_exists:
        yield 'load could not be read'


def _is_as_free_as_can_be(case: GpuCase, need: int) -> bool:
    """Whether waiting would gain nothing: a run that used all memory must not close an empty GPU for ever."""
    used, total = case.newest.memory_used or 0, case.newest.memory_total or 0
    return not case.ours and need <= total and used <= small_use(case.newest)


def _still_loading(case: GpuCase) -> int:
    """MiB that our runs on a GPU will still take, as far as their present use is known."""
    known = [tenant.memory // len(tenant.gpus) for tenant in case.ours if tenant.memory is not None]
    return sum(max(0, (case.need or 0) - memory) for memory in known)


# Whether a run still fits into a job


def expected_seconds(durations: Sequence[float]) -> float | None:
    """The 90th percentile of the durations of the runs of this search so far, in seconds; None without any."""
    if not durations:
        return None
    rank = -(-MOST_PERCENT * len(durations) // 100)
    return sorted(durations)[rank - 1]


def why_no_more(remaining: float, durations: Sequence[float], *, margin: float, is_fresh: bool = False) -> str:
    """Why no other run is started in a job, in words; empty: one may be.

    Until the first run has ended, another one may be started as long as there is any time. In a job that is fresh there
    will never be more time than now.

    Args:
        remaining: Seconds until the job ends.
        durations: Durations of runs of this search, in seconds.
        margin: Seconds before the end of the job in which nothing may run any more.
        is_fresh: Whether the job has just begun and has started no run.
    """
    left = remaining - margin
    if is_fresh and remaining > 0:
        return ''
    if left <= 0:
        return f'this job ends in {duration(remaining)}'
    expected = expected_seconds(durations)
    if expected is None or expected <= left:
        return ''
    kept = f', of which {duration(margin)} are reserved for its end' if margin > 0 else ''
    return f'this job ends in {duration(remaining)}{kept}, and runs of this search take {duration(expected)}'


def why_too_short(job: float, durations: Sequence[float], *, margin: float) -> str:
    """Why jobs of a length may be too short for the runs of a search, in a sentence; empty: they are not.

    Args:
        job: Time limit of a job, in seconds.
        durations: Durations of runs of this search, in seconds; empty: none are known yet.
        margin: Seconds before its end at which a job ends its runs.
    """
    left, expected = max(0.0, job - margin), expected_seconds(durations)
    is_known_to_fit = expected is not None and expected <= left
    if is_known_to_fit or (expected is None and left >= job / 2):
        return ''
    takes = '' if expected is None else f'Runs of this search take {duration(expected)}. '
    return (
        f'{takes}A job of {duration(job)} ends its runs {duration(margin)} before its time limit, so that they have '
        f'{duration(left)}: those that take longer reach the time limit. Give jobs more time.'
    )
