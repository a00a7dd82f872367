"""A stand-in for amdsmi, the Python module of ROCm: a program finds it by PYTHONPATH, and a test says what it tells."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

HERE = Path(__file__).parent / 'module'


class FakeAmd:
    """GPUs of AMD that are not there, for programs started with :meth:`env`.

    Args:
        folder: Where the state is kept.
        gpus: How many GPUs: ``AMD Fake`` with 65536 MiB, of which 0 are used, load 0.
    """

    def __init__(self, folder: Path, gpus: int = 1) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self._state = folder / 'fake_amd.json'
        self._values: dict[str, Any] = {'gpus': [self._fresh(number) for number in range(gpus)]}
        self._write()

    @staticmethod
    def _fresh(number: int) -> dict[str, Any]:
        return {
            'market_name': 'AMD Fake',
            'asic_serial': f'0xA0B{number}',
            'hip_uuid': f'GPU-{number:016x}',
            'total': 65536,
            'used': 0,
            'load': 0,
            'processes': [],
        }

    def env(self, inherited: Mapping[str, str]) -> dict[str, str]:
        """An environment with the stand-in."""
        path = ':'.join(filter(None, [str(HERE), inherited.get('PYTHONPATH', '')]))
        return {**inherited, 'PYTHONPATH': path, 'FAKE_AMD_STATE': str(self._state)}

    def set(self, gpu: int, **values: Any) -> None:
        """Change what one GPU tells: ``total`` and ``used`` (MiB), ``load`` (per cent), ``processes`` (pairs of pid and
        MiB), ``error`` (a text), or what identifies it; None: that is not told by this version.
        """
        self._values['gpus'][gpu].update(values)
        self._write()

    def set_module(self, **values: Any) -> None:
        """Change the module itself: ``init`` (a text: it fails with it), ``old`` (processes are listed by handle)."""
        self._values.update(values)
        self._write()

    def _write(self) -> None:
        fresh = self._state.with_suffix('.new')
        fresh.write_text(json.dumps(self._values))
        fresh.replace(self._state)
