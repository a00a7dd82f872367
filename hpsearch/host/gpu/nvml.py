"""GPUs read through NVML, the library that ``nvidia-smi`` itself uses."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from statistics import fmean
from typing import Any

from hpsearch.host.gpu.topology import groups_of
from hpsearch.host.kernel import system_memory, text_of
from hpsearch.host.processes import all_pids
from hpsearch.model.errors import BackendError
from hpsearch.model.resources import ComputeMode, Gpu, GpuProcess, Reading

MIB = 1 << 20

FIRST_LOADS = 2.0
"""Seconds before the first reading of a GPU from which on loads of processes count."""

NEXT_STEP = 'Run nvidia-smi to see what it says; --visible_gpus=-1 runs without assigning GPUs.'

# The keys are codes of nvmlReturn_t, which are part of the library's stable interface.
_PERMISSION, _NOT_SUPPORTED, _NOT_FOUND, _NOT_LOADED, _NO_LIBRARY, _NO_FUNCTION = 4, 3, 6, 9, 12, 13
_COMPUTE_MODES = {1: ComputeMode.EXCLUSIVE, 2: ComputeMode.PROHIBITED, 3: ComputeMode.EXCLUSIVE}
_MPS = 'nvidia-cuda-mps'
_MEANING: Mapping[int, str] = {
    1: 'the driver was shut down',
    _PERMISSION: 'this user may not use the GPU',
    _NOT_LOADED: "the driver's kernel module is not loaded",
    15: 'the GPU is lost (it fell off the bus); it needs a reset or a reboot',
    16: 'the GPU needs a reset',
    18: 'the driver was replaced and does not fit its library (version mismatch); reboot, or reload its kernel module',
}
_BROKEN_MEMORY = (
    'its memory is damaged beyond repair (a row could not be remapped, see nvidia-smi -q -d ROW_REMAPPER); '
    'the GPU has to be replaced'
)


class NoNvml(Exception):
    """NVML cannot be loaded, for the reason of its message."""


def open_nvml() -> NvmlSource | None:
    """NVML with at least one device; None when it counts none.

    Raises:
        NoNvml: NVML cannot be loaded.
        BackendError: The driver does not answer, or lists no GPU that can be used.
    """
    nvml = _start_nvml()
    if nvml is None:
        return None
    try:
        count = nvml.nvmlDeviceGetCount()
        source = NvmlSource(nvml, count)
    except nvml.NVMLError as error:
        raise BackendError(f'The NVIDIA driver does not list its GPUs: {_meaning(error)}. {NEXT_STEP}') from error
    if count and not source.gpus:
        raise BackendError(f'Every GPU is in MIG mode without an instance: make one with nvidia-smi mig. {NEXT_STEP}')
    if count:
        return source
    source.close()
    return None


def _start_nvml() -> Any:
    """The module pynvml with NVML initialised, or None where a driver is installed but there is no card for it."""
    try:
        import pynvml as nvml
    except ImportError as error:
        raise NoNvml(f'nvidia-ml-py cannot be imported ({error})') from error
    try:
        nvml.nvmlInit()
    except nvml.NVMLError as error:
        if error.value == _NO_LIBRARY:
            raise NoNvml('the library libnvidia-ml.so.1 cannot be loaded') from error
        if error.value == _NOT_LOADED and not has_nvidia_card():
            return None
        raise BackendError(f'The NVIDIA driver does not answer: {_meaning(error)}. {NEXT_STEP}') from error
    return nvml


def _meaning(error: Any) -> str:
    """An NVML error in words."""
    return _MEANING.get(error.value) or f'NVML says {str(error).rstrip(".")!r} (code {error.value})'


@dataclass(frozen=True)
class _Device:
    """A device as NVML enumerates it; without a handle if it could not be opened (``problem``: why)."""

    name: str
    handle: Any
    uuid: str = ''
    model: str = ''
    problem: str = ''


class NvmlSource:
    """The GPUs as NVML lists them, in PCI order; instead of a GPU in MIG mode, its instances."""

    def __init__(self, nvml: Any, count: int) -> None:
        self._nvml, self._open = nvml, True
        self._loads_since: dict[str, int] = {}
        devices = [device for index in range(count) for device in _devices(nvml, index)]
        self._devices = {device.name: device for device in devices}
        whole = [device for device in devices if device.handle is not None and ':' not in device.name]
        # CUDA's own numbers are certain only where it sees just what NVML sees: no instance, no GPU left out.
        numbers_agree = len(whole) == len(devices)
        groups = groups_of(nvml, {device.name: device.handle for device in whole})
        self.gpus: Sequence[Gpu] = tuple(_gpu(device, numbers_agree, groups.get(device.name, ())) for device in devices)
        self.notes: Sequence[str] = [*(note for device in devices for note in _notes(nvml, device)), *_notes_on_mps()]

    def read(self, name: str, now: float) -> Reading:
        device = self._devices[name]
        if device.handle is None:
            return Reading(now, problem=device.problem)
        try:
            return self._read(device, now)
        except self._nvml.NVMLError as error:
            return Reading(now, problem=_meaning(error))
        except Exception as error:
            return Reading(now, problem=f'it could not be read ({type(error).__name__}: {error})')

    def _read(self, device: _Device, now: float) -> Reading:
        nvml, handle = self._nvml, device.handle
        memory = _memory(nvml, handle)
        load = None if ':' in device.name else _load(nvml, handle)
        processes = self._with_loads(device, _processes(nvml, handle))
        return Reading(
            now,
            memory_used=memory.used // MIB,
            memory_total=memory.total // MIB,
            memory_free=memory.free // MIB,
            load=load,
            load_exists=load is not None,
            processes=processes,
            problem=_damage(nvml, handle),
            is_unified=memory.is_unified,
            compute_mode=_compute_mode(nvml, handle, processes or ()),
        )

    def _with_loads(self, device: _Device, processes: tuple[GpuProcess, ...] | None) -> tuple[GpuProcess, ...] | None:
        """The processes on a device with the load that each put on it since this was asked last."""
        since = self._loads_since.get(device.name, int((time.time() - FIRST_LOADS) * 1e6))
        samples = _process_loads(self._nvml, device, since) if processes else None
        if not processes or samples is None:
            return processes
        self._loads_since[device.name] = max([since, *(at for _, at, _ in samples)])
        loads: dict[int, list[float]] = {each.pid: [] for each in processes}
        for pid, at, load in samples:
            if at > since and pid in loads:
                loads[pid].append(load)
        return tuple(replace(each, load=fmean(loads[each.pid] or [0.0])) for each in processes)

    def close(self) -> None:
        if self._open:
            self._open = False
            with suppress(self._nvml.NVMLError):  # it is shut down already
                self._nvml.nvmlShutdown()


def _devices(nvml: Any, index: int) -> list[_Device]:
    """The device with this number, or its MIG instances when it is in MIG mode."""
    try:
        handle = nvml.nvmlDeviceGetHandleByIndex(index)
        if not _in_mig_mode(nvml, handle):
            return [_described(nvml, str(index), handle)]
        slots = range(nvml.nvmlDeviceGetMaxMigDeviceCount(handle))
        found = [(slot, _instance(nvml, handle, slot)) for slot in slots]
        return [_described(nvml, f'{index}:{slot}', instance) for slot, instance in found if instance is not None]
    except nvml.NVMLError as error:
        return [_Device(str(index), None, problem=_meaning(error))]


def _described(nvml: Any, name: str, handle: Any) -> _Device:
    uuid, model = (_if_supported(nvml, f'nvmlDeviceGet{what}', handle) or '' for what in ('UUID', 'Name'))
    return _Device(name, handle, uuid, model)


def _in_mig_mode(nvml: Any, handle: Any) -> bool:
    modes = _if_supported(nvml, 'nvmlDeviceGetMigMode', handle)
    return modes is not None and bool(modes[0])


def _if_supported(nvml: Any, name: str, handle: Any) -> Any:
    """What a function of NVML returns for a device; None where the device, the driver or pynvml does not have it."""
    try:
        return getattr(nvml, name)(handle)
    except AttributeError:
        return None
    except nvml.NVMLError as error:
        if error.value in (_NOT_SUPPORTED, _NO_FUNCTION):
            return None
        raise


def _if_any(nvml: Any, name: str, handle: Any) -> Any:
    """What a function returns that nothing depends on; None where it fails, for whatever reason."""
    try:
        return _if_supported(nvml, name, handle)
    except nvml.NVMLError:
        return None


def _instance(nvml: Any, handle: Any, slot: int) -> Any:
    """The handle of a MIG instance, or None for a slot that is empty."""
    try:
        return nvml.nvmlDeviceGetMigDeviceHandleByIndex(handle, slot)
    except nvml.NVMLError as error:
        if error.value == _NOT_FOUND:
            return None
        raise


def _gpu(device: _Device, numbers_agree: bool, groups: tuple[str, ...]) -> Gpu:
    visible = device.name if numbers_agree else device.uuid or device.name
    return Gpu(device.name, device.uuid, device.model, visible, groups)


@dataclass(frozen=True)
class _Memory:
    """Bytes of memory, and whether it is that of the system, since the device has none of its own."""

    total: int
    used: int
    free: int
    is_unified: bool = False


def _notes(nvml: Any, device: _Device) -> Iterator[str]:
    """What a device does not report, and what that means, in words."""
    if device.handle is None:
        return
    with suppress(nvml.NVMLError):  # its readings say what is wrong
        if _memory(nvml, device.handle).is_unified:
            yield f'GPU {device.name} has no memory of its own: --allowed_memory counts that of the system'
        if ':' not in device.name and _load(nvml, device.handle) is None:
            yield f'GPU {device.name} does not report its load: only its memory is checked'


def _memory(nvml: Any, handle: Any) -> _Memory:
    """The memory that a device has; ``used`` is without what the driver reserves, where it reports the two apart."""
    try:
        found = nvml.nvmlDeviceGetMemoryInfo(handle, version=nvml.nvmlMemory_v2)
    except nvml.NVMLError:
        # Drivers before 510 have the older call only; for any other reason that call fails, too.
        found = _if_supported(nvml, 'nvmlDeviceGetMemoryInfo', handle)
    if found is not None and found.total:
        return _Memory(found.total, found.used, found.free)
    total, available = system_memory()
    return _Memory(total, total - available, available, is_unified=True)


def _load(nvml: Any, handle: Any) -> float | None:
    """The load of a GPU (0-1); None where it has no such reading at all."""
    rates = _if_supported(nvml, 'nvmlDeviceGetUtilizationRates', handle)
    return None if rates is None else rates.gpu / 100


def _notes_on_mps() -> Iterator[str]:
    """Whether MPS, through which the processes of a user run on a GPU at the same time, is at work here."""
    pids = [pid for pid in all_pids() if _is_of_mps(pid)]
    if pids:
        yield f'MPS is at work (pid {min(pids)}): runs of one user share a GPU at the same time, not by turns'


def _is_of_mps(pid: int) -> bool:
    return text_of(Path(f'/proc/{pid}/comm')).startswith(_MPS)


def _compute_mode(nvml: Any, handle: Any, processes: Sequence[GpuProcess]) -> ComputeMode:
    """Who may use a device. Through the server of MPS, the one process that is on it, any number of others may."""
    mode = _COMPUTE_MODES.get(_if_any(nvml, 'nvmlDeviceGetComputeMode', handle), ComputeMode.SHARED)
    is_served = any(_is_of_mps(each.pid) for each in processes)
    return ComputeMode.SHARED if mode is ComputeMode.EXCLUSIVE and is_served else mode


def _damage(nvml: Any, handle: Any) -> str:
    """What is broken for good although the device still answers, in words; empty: nothing, as far as it says."""
    rows = _if_any(nvml, 'nvmlDeviceGetRemappedRows', handle)
    # Corrected, not correctable, pending, failed.
    return _BROKEN_MEMORY if rows is not None and rows[3] else ''


def _processes(nvml: Any, handle: Any) -> tuple[GpuProcess, ...] | None:
    """The compute processes on a device, or None where the driver does not list them."""
    for name in ('nvmlDeviceGetComputeRunningProcesses_v3', 'nvmlDeviceGetComputeRunningProcesses_v2'):
        try:
            found = getattr(nvml, name)(handle)
        except (nvml.NVMLError, AttributeError):
            continue
        return tuple(GpuProcess(each.pid, _mib(each.usedGpuMemory)) for each in found)
    return None


def _process_loads(nvml: Any, device: _Device, since: int) -> list[tuple[int, int, float]] | None:
    """Samples of the load of the processes on a device: pid, time, load (0-1); None where there are none of that kind.

    Only processes that put some load on it have samples. A MIG instance has none.

    Args:
        nvml: The module pynvml.
        device: The device.
        since: The time after which they were taken, in microseconds since 1970.
    """
    if ':' in device.name:
        return None
    try:
        found = nvml.nvmlDeviceGetProcessUtilization(device.handle, since)
    except AttributeError:
        return None
    except nvml.NVMLError as error:
        return [] if error.value == _NOT_FOUND else None
    return [(each.pid, each.timeStamp, min(1.0, each.smUtil / 100)) for each in found]


def _mib(size: int | None) -> int | None:
    return None if size is None else size // MIB


def has_nvidia_card(pci: Path = Path('/sys/bus/pci/devices')) -> bool:
    """Whether a graphics or compute device of NVIDIA is on the PCI bus, as the kernel lists it."""
    devices = (device for device in pci.glob('*') if text_of(device / 'class').startswith('0x03'))
    return any(text_of(device / 'vendor').strip() == '0x10de' for device in devices)
