"""Stand-ins for libnvidia-ml and nvidia-smi, for tests of programs that look for GPUs on machines that have none.

The library is compiled from C when it is first needed and found by the real nvidia-ml-py through LD_LIBRARY_PATH.
"""

from __future__ import annotations

import functools
import os
import shutil
import subprocess
import sys
import tempfile
import uuid
from collections.abc import Iterable
from pathlib import Path

import pytest

HERE = Path(__file__).parent
GPU_IS_LOST, VERSION_MISMATCH, UNKNOWN_ERROR, NOT_LOADED, FUNCTION_NOT_FOUND = 15, 18, 999, 9, 13
PROHIBITED, EXCLUSIVE_PROCESS = 2, 3


@functools.cache
def _library_folder() -> tempfile.TemporaryDirectory[str]:
    """The folder with the compiled library, which lives as long as the tests."""
    folder = tempfile.TemporaryDirectory(prefix='fake_nvml_')
    target = str(Path(folder.name) / 'libnvidia-ml.so.1')
    source = str(HERE / 'fake_nvml.c')
    subprocess.run(['gcc', '-shared', '-fPIC', '-O1', '-Wall', '-o', target, source], check=True)
    return folder


def _skip_where_it_cannot_be_built() -> None:
    if not sys.platform.startswith('linux'):
        pytest.skip('the stand-in for NVML is a Linux library')
    if shutil.which('gcc') is None:
        pytest.skip('the stand-in for NVML is compiled with gcc, which is not on PATH')


class FakeNvml:
    """GPUs that are not there, for programs started with :meth:`env`; what they tell can be changed at any time.

    Args:
        folder: Where the state is kept; made if it is not there.
        gpus: How many GPUs: ``Fake GPU`` with 40000 MiB, of which 0 are used, load 0.
    """

    def __init__(self, folder: Path, gpus: int = 1) -> None:
        _skip_where_it_cannot_be_built()
        folder.mkdir(parents=True, exist_ok=True)
        self.state = folder / 'fake_nvml_state'
        self._values: dict[str, str] = {'count': str(gpus)}
        for number in range(gpus):
            self._values.update(self._fresh(str(number), f'GPU-{uuid.uuid4()}'))
        self._write()

    def env(self) -> dict[str, str]:
        """The environment of this process with the stand-in library; CUDA_VISIBLE_DEVICES is not set in it."""
        libraries = f'{_library_folder().name}{os.pathsep}{os.environ.get("LD_LIBRARY_PATH", "")}'.rstrip(os.pathsep)
        inherited = {name: text for name, text in os.environ.items() if name != 'CUDA_VISIBLE_DEVICES'}
        return {**inherited, 'LD_LIBRARY_PATH': libraries, 'FAKE_NVML_STATE': str(self.state)}

    def smi_env(self) -> dict[str, str]:
        """The environment of this process with the stand-in nvidia-smi on PATH and a library that cannot be loaded."""
        broken = self.state.parent / 'broken_library'
        broken.mkdir(exist_ok=True)
        (broken / 'libnvidia-ml.so.1').write_text('not a library')
        path = f'{HERE}{os.pathsep}{os.environ.get("PATH", "")}'
        return {**self.env(), 'LD_LIBRARY_PATH': str(broken), 'PATH': path}

    def set(
        self,
        gpu: int | str,
        *,
        used: int | None = None,
        total: int | str | None = None,
        reserved: int | None = None,
        load: float | str | None = None,
        processes: Iterable[tuple[int, int | None]] | str | None = None,
        error: int | None = None,
        hang: bool | None = None,
        name: str | None = None,
        uuid: str | None = None,
        compute_mode: int | None = None,
        remap_failed: int | None = None,
        node: int | None = None,
        bridge: int | None = None,
        links: str | None = None,
    ) -> None:
        """Changes what one GPU tells from now on; what is None stays.

        Args:
            gpu: Its number, or e.g. ``0:1`` for a MIG instance.
            used: MiB in use; ``total`` and ``reserved`` likewise.
            total: MiB of the card, or ``none``: memory is not supported.
            reserved: MiB that the driver keeps for itself.
            load: 0-1, or ``none``: not supported.
            processes: Pairs of process id and MiB (None: not told), or ``none``: not supported.
            error: Code that every call about it gives; 0: none any more.
            hang: Whether every call about it waits until this is False again.
            name: Its model.
            uuid: Its UUID.
            compute_mode: A value of ``nvmlComputeMode_t``; not supported before it is given.
            remap_failed: Whether a row of its memory could not be remapped; not supported before it is given.
            node: Its NUMA node; not supported before it is given.
            bridge: The PCI bridge that it shares with other cards of its node.
            links: To which card each of its NVLinks leads, ``s``: to a switch, ``-``: to none; e.g. ``1,1,-``.
        """
        numbers = {
            'used': used,
            'total': total,
            'reserved': reserved,
            'error': error,
            'name': name,
            'uuid': uuid,
            'compute_mode': compute_mode,
            'remap_failed': remap_failed,
            'node': node,
            'bridge': bridge,
            'links': links,
        }
        given = {key: str(value) for key, value in numbers.items() if value is not None}
        if load is not None:
            given['load'] = load if isinstance(load, str) else str(round(load * 100))
        if isinstance(processes, str):
            given['processes'] = processes
        elif processes is not None:
            given['processes'] = ','.join(f'{pid}:{"-" if size is None else size}' for pid, size in processes)
        if hang is not None:
            given['hang'] = str(int(hang))
        self._values.update({f'gpu.{gpu}.{key}': value for key, value in given.items()})
        self._write()

    def set_mig(self, gpu: int, instances: Iterable[int], total: int = 5000) -> None:
        """Puts a GPU in MIG mode with instances in these slots; their UUIDs are ``MIG-<gpu>-<slot>``."""
        self._values[f'gpu.{gpu}.mig'] = '1'
        for slot in instances:
            self._values.update(self._fresh(f'{gpu}:{slot}', f'MIG-{gpu}-{slot}', total))
        self._write()

    def set_driver(self, **values: int | str) -> None:
        """Changes the driver itself: ``count``, ``init`` (a code or ``hang``), ``memory_v2``, ``processes_v3``."""
        self._values.update({key: str(value) for key, value in values.items()})
        self._write()

    @staticmethod
    def _fresh(name: str, uuid: str, total: int = 40000) -> dict[str, str]:
        told = {'uuid': uuid, 'name': 'Fake GPU', 'total': str(total), 'used': '0', 'load': '0'}
        return {f'gpu.{name}.{key}': value for key, value in told.items()}

    def _write(self) -> None:
        """Replaces the state as a whole, since it may be read at any moment."""
        fresh = self.state.with_suffix('.new')
        fresh.write_text(''.join(f'{key} {value}\n' for key, value in self._values.items()))
        fresh.replace(self.state)
