"""The GPUs of this machine: how they are found, and what reads them.

A reading that fails or hangs is reported as such; it never looks like an idle GPU.
"""

from __future__ import annotations

import logging
import math
import shutil
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Future
from concurrent.futures import TimeoutError as FutureTimeoutError
from pathlib import Path
from typing import Any, Protocol, TypeVar

from hpsearch.host.gpu import amd
from hpsearch.host.gpu.amd import NoAmdSmi, open_amd
from hpsearch.host.gpu.nvml import NEXT_STEP, NoNvml, open_nvml
from hpsearch.host.kernel import text_of
from hpsearch.host.processes import start_thread
from hpsearch.model.errors import BackendError
from hpsearch.model.resources import Gpu, Reading

NVML_TIMEOUT = 30.0
"""Seconds for the driver to answer at the start: without persistence mode it initializes every GPU first."""

SMI_TIMEOUT = 10.0
"""Seconds for one call of nvidia-smi through GPUtil."""

AMD_CARD, INTEL_CARD = '0x1002', '0x8086'
"""Vendors on the PCI bus."""

_NO_DISPLAY = '0x0380'
"""The class of a GPU that is there to compute; one of Intel with a display is in most processors."""

log = logging.getLogger('hpsearch')

T = TypeVar('T')


class GpuSource(Protocol):
    """Lists the GPUs of this machine, and reads them."""

    @property
    def gpus(self) -> Sequence[Gpu]:
        """Every device a run could be given, in the order of nvidia-smi."""

    @property
    def notes(self) -> Sequence[str]:
        """What is special about them, for the user."""

    def read(self, name: str, now: float) -> Reading:
        """A reading of the GPU ``name`` at ``now``, in monotonic seconds; an error is :attr:`Reading.problem`."""

    def close(self) -> None:
        """Release the driver; may be called more than once."""


def open_gpus(timeout: float = NVML_TIMEOUT) -> GpuSource | None:
    """The GPUs of this machine; None only where there are none: the driver counted zero, or there is no driver.

    Args:
        timeout: Seconds for the driver to answer.

    Raises:
        BackendError: There is a driver, but it does not answer, or its answer cannot be used.
    """
    try:
        found = _answer(open_nvml, 'NVIDIA', NEXT_STEP, timeout)
    except NoNvml as reason:
        if _has_driver():
            return _open_gputil(str(reason))
        found = None
    return found or _open_amd(timeout)


def _open_amd(timeout: float) -> GpuSource | None:
    """The GPUs of AMD; None where there are none, or amdsmi cannot be used (:func:`why_none` says so)."""
    try:
        return _answer(open_amd, 'AMD', amd.NEXT_STEP, timeout)
    except NoAmdSmi as reason:
        log.debug('no GPU of AMD: %s', reason)
        return None


def _answer(opened: Callable[[], T], vendor: str, next_step: str, timeout: float) -> T:
    try:
        return _in_thread(opened).result(timeout)
    except FutureTimeoutError:
        raise BackendError(f'The {vendor} driver did not answer within {timeout:g} s. {next_step}') from None


def why_none(pci: Path = Path('/sys/bus/pci/devices')) -> str:
    """Why :func:`open_gpus` found no GPU, in words, as far as the PCI bus shows it."""
    found = (device for device in pci.glob('*') if text_of(device / 'class').startswith('0x03'))
    cards = {(text_of(device / 'vendor').strip(), text_of(device / 'class')[:6]) for device in found}
    if AMD_CARD in (vendor for vendor, _ in cards):
        return 'The GPU of AMD on this machine cannot be read: that takes the module amdsmi, which comes with ROCm'
    if (INTEL_CARD, _NO_DISPLAY) in cards:
        return 'GPUs of Intel, as on this machine, are not supported'
    return 'There is no GPU on this machine'


def _in_thread(work: Callable[[], T]) -> Future[T]:
    """Start work that may never return, in a thread that does not keep this process from ending."""
    future: Future[T] = Future()

    def body() -> None:
        try:
            future.set_result(work())
        except Exception as error:
            future.set_exception(error)

    try:
        start_thread(body, 'gpu-driver')
    except OSError as error:
        future.set_exception(error)
    return future


def _has_driver(control: Path = Path('/dev/nvidiactl')) -> bool:
    return shutil.which('nvidia-smi') is not None or control.exists()


def _open_gputil(why: str) -> GputilSource:
    """GPUtil, which calls nvidia-smi; ``why``: what is wrong with NVML."""
    try:
        import GPUtil as gputil
    except ImportError as error:
        raise BackendError(f'There is an NVIDIA driver, but {why}, and {_no_gputil(error)}. {NEXT_STEP}') from error
    return GputilSource(gputil, why)


def _no_gputil(error: ImportError) -> str:
    if error.name == 'distutils':
        return (
            'GPUtil, the fallback, cannot be imported: it needs distutils, which Python 3.12 and later do not have; '
            'pip install setuptools'
        )
    return f'GPUtil, the fallback, cannot be imported ({error}); pip install GPUtil setuptools'


class GputilSource:
    """The GPUs as nvidia-smi lists them, through GPUtil: the fallback where NVML cannot be loaded.

    One call reads all GPUs, takes far longer than NVML and may never return. So its answer serves all of them for a
    moment, and there is only one call at a time.

    Args:
        gputil: The module GPUtil.
        why: Why NVML is not used.
        timeout: Seconds for one call.

    Raises:
        BackendError: nvidia-smi does not answer, or lists no GPU (for GPUtil that and a failure look alike).
    """

    notes: Sequence[str] = ()

    def __init__(self, gputil: Any, why: str, timeout: float = SMI_TIMEOUT) -> None:
        self._gputil, self._timeout = gputil, timeout
        self._lock = threading.Lock()
        self._call: Future[list[Any]] | None = None
        self._found: Mapping[str, Any] = {}
        self._problem, self._read_at, self._took = '', -math.inf, 0.0
        self._ask(-math.inf)
        if self._problem or not self._found:
            problem = self._problem or 'nvidia-smi lists no GPU'
            raise BackendError(f'There is an NVIDIA driver, but {why}, and {problem}. {NEXT_STEP}')
        self.gpus: Sequence[Gpu] = tuple(Gpu(name, each.uuid, each.name, name) for name, each in self._found.items())

    def read(self, name: str, now: float) -> Reading:
        with self._lock:
            if now - self._read_at >= min(5.0, max(1.0, 10 * self._took)):
                self._ask(now)
            if self._problem:
                return Reading(now, problem=self._problem)
            if name not in self._found:
                return Reading(now, problem='nvidia-smi does not list it any more')
            return _reading(self._found[name], self._read_at)

    def close(self) -> None:
        return

    def _ask(self, now: float) -> None:
        """Call nvidia-smi, unless an earlier call still hangs."""
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
            self._problem = f'nvidia-smi did not return a list of GPUs ({error})'
        self._read_at, self._took = now, time.monotonic() - began


def _reading(gpu: Any, at: float) -> Reading:
    """A reading of GPUtil, whose numbers are nan where nvidia-smi does not know them."""
    used, total = (None if math.isnan(mib) else int(mib) for mib in (gpu.memoryUsed, gpu.memoryTotal))
    return Reading(at, used, total, None if math.isnan(gpu.load) else gpu.load)
