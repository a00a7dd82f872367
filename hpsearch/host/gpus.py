"""The GPUs of this machine: which there are, and readings of them, again and again.

A reading that fails or hangs is told as what it is; it never looks like an idle GPU.
"""

from __future__ import annotations

import math
import shutil
import threading
import time
from collections import deque
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import Future
from concurrent.futures import TimeoutError as FutureTimeoutError
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol, TypeVar

from hpsearch.model.errors import BackendError
from hpsearch.model.resources import Gpu, GpuProcess, Reading

MIB = 1 << 20
NVML_TIMEOUT = 30.0
"""Seconds for the driver to answer at the start: without its persistence mode many GPUs take their time."""
SMI_TIMEOUT = 10.0
"""Seconds for one call of nvidia-smi through GPUtil."""
HURRY_FOR = 2.0
"""Seconds of quick readings after a run ended: a load is an average, it takes up to a second to come down."""
HURRIED_INTERVAL = 0.25
WAY_OUT = 'Run nvidia-smi to see what it says; --visible_gpus=-1 runs without assigning GPUs.'

T = TypeVar('T')

# The keys are codes of nvmlReturn_t, which are part of the library's stable interface.
_PERMISSION, _NOT_SUPPORTED, _NOT_FOUND, _NOT_LOADED, _NO_LIBRARY, _NO_FUNCTION = 4, 3, 6, 9, 12, 13
_MEANING: Mapping[int, str] = {
    1: 'the driver was shut down',
    _PERMISSION: 'this user may not use the GPU',
    _NOT_LOADED: "the driver's kernel module is not loaded",
    15: 'the GPU is lost (it fell off the bus); it needs a reset or a reboot',
    16: 'the GPU needs a reset',
    18: 'the driver was replaced and does not fit its library (version mismatch); reboot, or reload its kernel module',
}


class GpuSource(Protocol):
    """What knows the GPUs of this machine and can look at them."""

    @property
    def gpus(self) -> Sequence[Gpu]:
        """Every device a run could be given, in the order of nvidia-smi."""

    def read(self, name: str, now: float) -> Reading:
        """Looks at one GPU; never raises: what goes wrong is :attr:`Reading.problem`.

        Args:
            name: Name of the GPU.
            now: The time in seconds, of the caller's monotonic clock.
        """

    def close(self) -> None:
        """Lets go of the driver; may be called more than once."""


def open_gpus(timeout: float = NVML_TIMEOUT) -> GpuSource | None:
    """The GPUs of this machine.

    Args:
        timeout: Seconds for the driver to answer.

    Returns:
        None only where there are none: the driver counted zero, or there is no driver.

    Raises:
        BackendError: There is a driver, but it does not answer, or says something that cannot be used.
    """
    opening = _in_thread(_open_nvml)
    try:
        return opening.result(timeout)
    except FutureTimeoutError:
        raise BackendError(f'The NVIDIA driver did not answer within {timeout:g} s. {WAY_OUT}') from None
    except _NoNvml as reason:
        if not _has_driver():
            return None
        return _open_gputil(str(reason))


class _NoNvml(Exception):
    """The library NVML cannot be loaded; says why."""


def _in_thread(work: Callable[[], T]) -> Future[T]:
    """Starts work that may never come back, in a thread that does not keep this process from ending."""
    future: Future[T] = Future()

    def body() -> None:
        try:
            future.set_result(work())
        except Exception as error:
            future.set_exception(error)

    threading.Thread(target=body, daemon=True, name='gpu-driver').start()
    return future


def _has_driver(control: Path = Path('/dev/nvidiactl')) -> bool:
    return shutil.which('nvidia-smi') is not None or control.exists()


def _has_card(pci: Path = Path('/sys/bus/pci/devices')) -> bool:
    """Whether a graphics or compute device of NVIDIA is on the PCI bus, as the kernel tells it."""
    vendors = (_text(device / 'vendor') for device in pci.glob('*') if _text(device / 'class').startswith('0x03'))
    return '0x10de' in vendors


def _text(path: Path) -> str:
    try:
        return path.read_text().strip()
    except OSError:
        return ''


# ---------------------------------------------------------------------------------------------------------------- NVML


def _open_nvml() -> NvmlSource | None:
    """NVML with at least one device; None when it counts zero."""
    nvml = _start_nvml()
    if nvml is None:
        return None
    try:
        count = nvml.nvmlDeviceGetCount()
        source = NvmlSource(nvml, count)
    except nvml.NVMLError as error:
        raise BackendError(f'The NVIDIA driver does not list its GPUs: {_meaning(error)}. {WAY_OUT}') from error
    if count and not source.gpus:
        raise BackendError(f'Every GPU is in MIG mode without an instance: make one with nvidia-smi mig. {WAY_OUT}')
    if count:
        return source
    source.close()
    return None


def _start_nvml() -> Any:
    """The module pynvml with NVML initialised, or None where a driver is installed but there is no card for it."""
    try:
        import pynvml as nvml
    except ImportError as error:
        raise _NoNvml(f'nvidia-ml-py cannot be imported ({error})') from error
    try:
        nvml.nvmlInit()
    except nvml.NVMLError as error:
        if error.value == _NO_LIBRARY:
            raise _NoNvml('the library libnvidia-ml.so.1 cannot be loaded') from error
        if error.value == _NOT_LOADED and not _has_card():
            return None
        raise BackendError(f'The NVIDIA driver does not answer: {_meaning(error)}. {WAY_OUT}') from error
    return nvml


def _meaning(error: Any) -> str:
    """An NVML error in words."""
    return _MEANING.get(error.value) or f'NVML says {str(error).rstrip(".")!r} (code {error.value})'


@dataclass(frozen=True)
class _Device:
    """A device as NVML enumerates it; without a handle it could not be opened, for the reason of ``problem``."""

    name: str
    handle: Any
    uuid: str = ''
    model: str = ''
    problem: str = ''


class NvmlSource:
    """The GPUs as NVML tells them, which numbers them in PCI order.

    A GPU in MIG mode is represented by its instances.
    """

    def __init__(self, nvml: Any, count: int) -> None:
        self._nvml, self._open = nvml, True
        devices = [device for index in range(count) for device in _devices(nvml, index)]
        self._devices = {device.name: device for device in devices}
        # CUDA's own numbers are certain only where it sees just what NVML sees: no instance, no GPU left out.
        numbers_agree = all(device.handle is not None and ':' not in device.name for device in devices)
        self._gpus = tuple(_gpu(device, numbers_agree) for device in devices)

    @property
    def gpus(self) -> Sequence[Gpu]:
        return self._gpus

    def read(self, name: str, now: float) -> Reading:
        device = self._devices[name]
        if device.handle is None:
            return Reading(now, problem=device.problem)
        try:
            return self._look(device, now)
        except self._nvml.NVMLError as error:
            return Reading(now, problem=_meaning(error))
        except Exception as error:
            return Reading(now, problem=f'it could not be read ({type(error).__name__}: {error})')

    def _look(self, device: _Device, now: float) -> Reading:
        memory = _memory(self._nvml, device.handle)
        load, load_exists = (None, False) if ':' in device.name else _load(self._nvml, device.handle)
        return Reading(
            now,
            memory_used=memory.used // MIB,
            memory_total=memory.total // MIB,
            memory_free=memory.free // MIB,
            load=load,
            load_exists=load_exists,
            processes=_processes(self._nvml, device.handle),
        )

    def close(self) -> None:
        if not self._open:
            return
        self._open = False
        try:
            self._nvml.nvmlShutdown()
        except self._nvml.NVMLError:
            # There is nothing left to shut down, which is what was wanted.
            return


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
    return _Device(name, handle, nvml.nvmlDeviceGetUUID(handle), nvml.nvmlDeviceGetName(handle))


def _in_mig_mode(nvml: Any, handle: Any) -> bool:
    try:
        current, _pending = nvml.nvmlDeviceGetMigMode(handle)
    except nvml.NVMLError as error:
        if error.value in (_NOT_SUPPORTED, _NO_FUNCTION):
            return False
        raise
    return bool(current)


def _instance(nvml: Any, handle: Any, slot: int) -> Any:
    """The handle of a MIG instance, or None for a slot that is empty."""
    try:
        return nvml.nvmlDeviceGetMigDeviceHandleByIndex(handle, slot)
    except nvml.NVMLError as error:
        if error.value == _NOT_FOUND:
            return None
        raise


def _gpu(device: _Device, numbers_agree: bool) -> Gpu:
    visible = device.name if numbers_agree else device.uuid or device.name
    return Gpu(device.name, device.uuid, device.model, visible)


def _memory(nvml: Any, handle: Any) -> Any:
    """Memory in bytes; what the driver keeps for itself is not in ``used`` where it tells the two apart."""
    try:
        return nvml.nvmlDeviceGetMemoryInfo(handle, version=nvml.nvmlMemory_v2)
    except nvml.NVMLError:
        # Drivers before 510 have the older call only; where that is not the reason it fails likewise.
        return nvml.nvmlDeviceGetMemoryInfo(handle)


def _load(nvml: Any, handle: Any) -> tuple[float | None, bool]:
    """The load of a GPU (0-1), and whether it has such a reading at all."""
    try:
        return nvml.nvmlDeviceGetUtilizationRates(handle).gpu / 100, True
    except nvml.NVMLError as error:
        if error.value == _NOT_SUPPORTED:
            return None, False
        raise


def _processes(nvml: Any, handle: Any) -> tuple[GpuProcess, ...] | None:
    """The compute processes on a device, or None where the driver does not list them."""
    for name in ('nvmlDeviceGetComputeRunningProcesses_v3', 'nvmlDeviceGetComputeRunningProcesses_v2'):
        try:
            found = getattr(nvml, name)(handle)
        except (nvml.NVMLError, AttributeError):
            continue
        return tuple(GpuProcess(each.pid, _mib(each.usedGpuMemory)) for each in found)
    return None


def _mib(size: int | None) -> int | None:
    return None if size is None else size // MIB


# -------------------------------------------------------------------------------------------------------------- GPUtil


def _open_gputil(why: str) -> GputilSource:
    """GPUtil, which asks nvidia-smi; ``why`` says what is wrong with NVML."""
    try:
        import GPUtil as gputil
    except ImportError as error:
        raise BackendError(f'There is an NVIDIA driver, but {why}, and {_no_gputil(error)}. {WAY_OUT}') from error
    return GputilSource(gputil, why)


def _no_gputil(error: ImportError) -> str:
    if error.name == 'distutils':
        return (
            'GPUtil, the fallback, cannot be imported: it needs distutils, which Python 3.12 and later do not have; '
            'pip install setuptools'
        )
    return f'GPUtil, the fallback, cannot be imported ({error}); pip install GPUtil setuptools'


class GputilSource:
    """The GPUs as nvidia-smi tells them through GPUtil: the fallback where NVML cannot be loaded.

    One call reads all GPUs, takes far longer than NVML and may never come back. So its answer serves all of them for
    a moment, and while a call is under way no other is started.

    Args:
        gputil: The module GPUtil.
        why: Why NVML is not used.
        timeout: Seconds for one call.

    Raises:
        BackendError: nvidia-smi does not answer, or lists no GPU (GPUtil does not tell that from a failure).
    """

    def __init__(self, gputil: Any, why: str, timeout: float = SMI_TIMEOUT) -> None:
        self._gputil, self._timeout = gputil, timeout
        self._lock = threading.Lock()
        self._call: Future[list[Any]] | None = None
        self._found: Mapping[str, Any] = {}
        self._problem, self._read_at, self._took = '', -math.inf, 0.0
        self._ask(-math.inf)
        if self._problem or not self._found:
            problem = self._problem or 'nvidia-smi lists no GPU'
            raise BackendError(f'There is an NVIDIA driver, but {why}, and {problem}. {WAY_OUT}')
        self._gpus = tuple(Gpu(name, each.uuid, each.name, name) for name, each in self._found.items())

    @property
    def gpus(self) -> Sequence[Gpu]:
        return self._gpus

    def read(self, name: str, now: float) -> Reading:
        with self._lock:
            if now - self._read_at >= min(5.0, max(1.0, 10 * self._took)):
                self._ask(now)
            if self._problem:
                return Reading(now, problem=self._problem)
            if name not in self._found:
                return Reading(now, problem='nvidia-smi does not list it any more')
            return _gputil_reading(self._found[name], self._read_at)

    def close(self) -> None:
        return

    def _ask(self, now: float) -> None:
        """Calls nvidia-smi, unless an earlier call still hangs."""
        if self._call is not None and not self._call.done():
            return
        began = time.monotonic()
        self._call = _in_thread(self._gputil.getGPUs)
        try:
            self._found = {str(each.id): each for each in self._call.result(self._timeout)}
            self._problem = '' if self._found else 'nvidia-smi lists no GPU'
        except FutureTimeoutError:
            self._problem = f'nvidia-smi did not answer within {self._timeout:g} s'
        except Exception as error:
            self._problem = f'nvidia-smi said something else than a list of GPUs ({error})'
        self._read_at, self._took = now, time.monotonic() - began


def _gputil_reading(gpu: Any, at: float) -> Reading:
    total, used, load = (_known(value) for value in (gpu.memoryTotal, gpu.memoryUsed, gpu.load))
    return Reading(
        at,
        memory_used=None if used is None else int(used),
        memory_total=None if total is None else int(total),
        load=load,
    )


def _known(value: float) -> float | None:
    """GPUtil's number, which is nan where nvidia-smi does not tell it."""
    return None if math.isnan(value) else value


# ------------------------------------------------------------------------------------------------------------- monitor


@dataclass
class _Watched:
    """What the monitor keeps of one GPU."""

    readings: deque[Reading] = field(default_factory=deque)
    wake: threading.Event = field(default_factory=threading.Event)
    hurry_until: float = -math.inf


class GpuMonitor:
    """Reads every GPU in a thread of its own, so that one that hangs makes only itself stale.

    Args:
        source: What reads.
        gpus: The GPUs to watch.
        interval: Seconds between two readings of a GPU.
        clock: The monotonic clock that readings are stamped with, before they are taken.
        on_reading: Called after each new reading, in the thread that took it; must be quick. It is not called any more
            once :meth:`close` has returned.
        window: Seconds for which readings are kept; the newest is kept in any case.
    """

    def __init__(
        self,
        source: GpuSource,
        gpus: Iterable[Gpu],
        *,
        interval: float,
        on_reading: Callable[[], object],
        clock: Callable[[], float] = time.monotonic,
        window: float = 10.0,
    ) -> None:
        self._source, self._interval, self._clock = source, interval, clock
        self._on_reading, self._window = on_reading, window
        self._lock = threading.RLock()
        self._closed = False
        self._watched = {gpu.name: _Watched() for gpu in gpus}
        self._threads = [
            threading.Thread(target=self._watch, args=(name,), name=f'gpu-{name}', daemon=True)
            for name in self._watched
        ]
        for thread in self._threads:
            thread.start()

    def readings(self) -> dict[str, tuple[Reading, ...]]:
        """Name of a GPU to its kept readings, oldest first; empty where there is none yet."""
        with self._lock:
            return {name: tuple(watched.readings) for name, watched in self._watched.items()}

    def refresh(self, names: Iterable[str]) -> None:
        """Asks for readings of these GPUs at once and, for two seconds, in quick succession: a run ended there."""
        until = self._clock() + HURRY_FOR
        for name in names:
            self._watched[name].hurry_until = until
            self._watched[name].wake.set()

    def close(self, patience: float = 1.0) -> None:
        """Ends the threads and closes the source, which is left alone when a reading hangs.

        Args:
            patience: Seconds to wait for readings that are under way.
        """
        with self._lock:
            self._closed = True
        for watched in self._watched.values():
            watched.wake.set()
        deadline = time.monotonic() + patience
        for thread in self._threads:
            thread.join(max(0.0, deadline - time.monotonic()))
        if not any(thread.is_alive() for thread in self._threads):
            self._source.close()

    def _watch(self, name: str) -> None:
        watched = self._watched[name]
        while True:
            watched.wake.clear()
            reading = self._source.read(name, self._clock())
            if not self._keep(watched, reading):
                return
            watched.wake.wait(self._pause(watched))

    def _keep(self, watched: _Watched, reading: Reading) -> bool:
        """Takes a reading in and tells of it; False when the monitor was closed."""
        with self._lock:
            if self._closed:
                return False
            kept = watched.readings
            if kept and kept[-1] == reading:
                return True
            kept.append(reading)
            while kept[0].at < reading.at - self._window:
                kept.popleft()
            self._on_reading()
            return True

    def _pause(self, watched: _Watched) -> float:
        if self._clock() < watched.hurry_until:
            return min(HURRIED_INTERVAL, self._interval)
        return self._interval


def memory_by_pid(readings: Mapping[str, Sequence[Reading]]) -> dict[int, int]:
    """The memory in MiB that each process uses, summed over the newest readings of all GPUs.

    Args:
        readings: As :meth:`GpuMonitor.readings` gives them.

    Returns:
        Process id, as the driver tells it, to MiB; without the processes whose memory it does not tell. In a container
        with process ids of its own these are the ids of the host.
    """
    memory: dict[int, int] = {}
    for process in (each for past in readings.values() if past for each in past[-1].processes or ()):
        if process.memory is not None:
            memory[process.pid] = memory.get(process.pid, 0) + process.memory
    return memory
