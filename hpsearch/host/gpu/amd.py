"""GPUs of AMD, read through amdsmi, the Python module that comes with ROCm."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from hpsearch.model.errors import BackendError
from hpsearch.model.resources import ROCR, Gpu, GpuProcess, Reading

MIB = 1 << 20
NEXT_STEP = 'Run amd-smi to see what it says; --visible_gpus=-1 runs without assigning GPUs.'

_UNKNOWN = 'N/A'


class NoAmdSmi(Exception):
    """amdsmi cannot be used, for the reason of its message."""


def open_amd() -> AmdSource | None:
    """The GPUs of AMD; None when amdsmi counts none.

    Raises:
        NoAmdSmi: amdsmi cannot be imported, or finds no driver.
        BackendError: It does not list its GPUs.
    """
    try:
        import amdsmi
    except Exception as error:  # it loads a library when it is imported, and raises what it likes where that is missing
        raise NoAmdSmi(f'the module amdsmi cannot be imported ({error})') from error
    try:
        amdsmi.amdsmi_init()
    except amdsmi.AmdSmiException as error:
        raise NoAmdSmi(f'amdsmi finds no driver ({error})') from error
    try:
        source = AmdSource(amdsmi)
    except amdsmi.AmdSmiException as error:
        raise BackendError(f'The AMD driver does not list its GPUs: {error}. {NEXT_STEP}') from error
    if source.gpus:
        return source
    source.close()
    return None


@dataclass(frozen=True)
class _Device:
    gpu: Gpu
    handle: Any


class AmdSource:
    """The GPUs as amdsmi lists them."""

    notes: Sequence[str] = ()

    def __init__(self, amdsmi: Any) -> None:
        self._amdsmi, self._open = amdsmi, True
        handles = list(amdsmi.amdsmi_get_processor_handles())
        devices = [_Device(_gpu(amdsmi, number, handle), handle) for number, handle in enumerate(handles)]
        self._devices = {device.gpu.name: device for device in devices}
        self.gpus: Sequence[Gpu] = tuple(device.gpu for device in devices)

    def read(self, name: str, now: float) -> Reading:
        """See :class:`hpsearch.host.gpu.source.GpuSource`."""
        try:
            return self._read(self._devices[name].handle, now)
        except self._amdsmi.AmdSmiException as error:
            return Reading(now, problem=f'amdsmi says {str(error).strip()!r}')
        except Exception as error:
            return Reading(now, problem=f'it could not be read ({type(error).__name__}: {error})')

    def _read(self, handle: Any, now: float) -> Reading:
        amdsmi = self._amdsmi
        memory = amdsmi.AmdSmiMemoryType.VRAM
        total = amdsmi.amdsmi_get_gpu_memory_total(handle, memory) // MIB
        used = amdsmi.amdsmi_get_gpu_memory_usage(handle, memory) // MIB
        activity = _number(amdsmi.amdsmi_get_gpu_activity(handle).get('gfx_activity'))
        load = None if activity is None else activity / 100
        return Reading(now, used, total, load, load is not None, tuple(_processes(amdsmi, handle)))

    def close(self) -> None:
        """See :class:`hpsearch.host.gpu.source.GpuSource`."""
        if self._open:
            self._open = False
            try:
                self._amdsmi.amdsmi_shut_down()
            except self._amdsmi.AmdSmiException:
                return  # it is shut down already


def _gpu(amdsmi: Any, number: int, handle: Any) -> Gpu:
    asic = amdsmi.amdsmi_get_gpu_asic_info(handle)
    uuid = _uuid(amdsmi, handle, asic)
    return Gpu(str(number), uuid, str(asic.get('market_name') or ''), uuid or str(number), variable=ROCR)


def _uuid(amdsmi: Any, handle: Any, asic: Any) -> str:
    """What ROCm knows a GPU by, ``GPU-`` and its serial number; empty: it has none."""
    try:
        found = str(amdsmi.amdsmi_get_gpu_enumeration_info(handle).get('hip_uuid') or '')
    except (AttributeError, amdsmi.AmdSmiException):  # a version before ROCm 6.4 does not have it
        found = ''
    if found.startswith('GPU-'):
        return found
    serial = str(asic.get('asic_serial') or '').lower().removeprefix('0x')
    is_one = all(letter in '0123456789abcdef' for letter in serial) and serial.strip('0')
    return f'GPU-{serial.zfill(16)}' if is_one else ''


def _processes(amdsmi: Any, handle: Any) -> Iterator[GpuProcess]:
    for each in amdsmi.amdsmi_get_gpu_process_list(handle):
        # Before ROCm 6.1 it lists what a second function explains.
        said = each if isinstance(each, dict) else amdsmi.amdsmi_get_gpu_process_info(handle, each)
        memory = _number(said.get('memory_usage', {}).get('vram_mem'))
        yield GpuProcess(int(said['pid']), None if memory is None else int(memory) // MIB)


def _number(said: Any) -> float | None:
    """A number as amdsmi tells it; None: it is not known."""
    return None if said is None or said == _UNKNOWN else float(said)
