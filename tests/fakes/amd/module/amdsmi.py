"""What hpsearch uses of amdsmi, under the names and with the units of the real module."""

import json
import os
from enum import IntEnum
from pathlib import Path
from typing import Any

MIB = 1 << 20


class AmdSmiException(Exception):
    """The base of what it raises."""


class AmdSmiLibraryException(AmdSmiException):
    """The library says no."""


class AmdSmiMemoryType(IntEnum):
    """Kinds of memory."""

    VRAM = 0
    VIS_VRAM = 1
    GTT = 2


def _state() -> dict[str, Any]:
    found: dict[str, Any] = json.loads(Path(os.environ['FAKE_AMD_STATE']).read_text())
    return found


def _gpu(handle: int) -> dict[str, Any]:
    found: dict[str, Any] = _state()['gpus'][handle]
    if found.get('error'):
        raise AmdSmiLibraryException(found['error'])
    return found


def amdsmi_init(flag: int = 2) -> None:
    if _state().get('init'):
        raise AmdSmiLibraryException(_state()['init'])


def amdsmi_shut_down() -> None:
    return


def amdsmi_get_processor_handles() -> list[int]:
    return list(range(len(_state()['gpus'])))


def amdsmi_get_gpu_asic_info(handle: int) -> dict[str, Any]:
    return {name: _gpu(handle)[name] for name in ('market_name', 'asic_serial')}


def amdsmi_get_gpu_enumeration_info(handle: int) -> dict[str, Any]:
    if _gpu(handle)['hip_uuid'] is None:
        raise AmdSmiLibraryException('not supported')
    return {'hip_id': handle, 'hip_uuid': _gpu(handle)['hip_uuid']}


def amdsmi_get_gpu_memory_total(handle: int, memory: AmdSmiMemoryType) -> int:
    assert memory is AmdSmiMemoryType.VRAM
    return int(_gpu(handle)['total']) * MIB


def amdsmi_get_gpu_memory_usage(handle: int, memory: AmdSmiMemoryType) -> int:
    assert memory is AmdSmiMemoryType.VRAM
    return int(_gpu(handle)['used']) * MIB


def amdsmi_get_gpu_activity(handle: int) -> dict[str, Any]:
    return {'gfx_activity': _gpu(handle)['load'], 'umc_activity': 0, 'mm_activity': 'N/A'}


def amdsmi_get_gpu_process_list(handle: int) -> list[Any]:
    processes = _gpu(handle)['processes']
    if _state().get('old'):
        return list(range(len(processes)))
    return [_told(pid, memory) for pid, memory in processes]


def amdsmi_get_gpu_process_info(handle: int, process: int) -> dict[str, Any]:
    return _told(*_gpu(handle)['processes'][process])


def _told(pid: int, memory: Any) -> dict[str, Any]:
    vram = 'N/A' if memory is None else memory * MIB
    return {'name': 'N/A', 'pid': pid, 'mem': vram, 'memory_usage': {'gtt_mem': 0, 'cpu_mem': 0, 'vram_mem': vram}}
