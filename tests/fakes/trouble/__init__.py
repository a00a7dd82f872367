"""Trouble of a machine: files that cannot be read for a while, shells that cannot start processes.

A library that is preloaded, compiled from C when it is first needed.
"""

from __future__ import annotations

import functools
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

HERE = Path(__file__).parent


@functools.cache
def _library_folder() -> tempfile.TemporaryDirectory[str]:
    """The folder with the compiled library, which lives as long as the tests."""
    folder = tempfile.TemporaryDirectory(prefix='trouble_')
    target, source = f'{folder.name}/trouble.so', str(HERE / 'trouble.c')
    subprocess.run(['gcc', '-shared', '-fPIC', '-O1', '-Wall', '-o', target, source, '-ldl'], check=True)
    return folder


class Trouble:
    """Something that fails in programs that are started with :attr:`env`.

    Args:
        left: A file that is made; its size is how often it still fails.
        times: How often at first.
        error: The code of the error.
        reading: Opening a file to read fails, if its path contains this.
        fork_in: Starting processes fails in programs of this name.
    """

    def __init__(self, left: Path, times: int, error: int, *, reading: str = '', fork_in: str = '') -> None:
        if not sys.platform.startswith('linux') or shutil.which('gcc') is None:
            pytest.skip('needs Linux, and gcc to compile a library')
        self._left = left
        left.write_bytes(b'x' * times)
        self.env = {
            'LD_PRELOAD': f'{_library_folder().name}/trouble.so',
            'TROUBLE_LEFT': str(left),
            'TROUBLE_ERRNO': str(error),
            **({'TROUBLE_OPEN': reading} if reading else {}),
            **({'TROUBLE_FORK': fork_in} if fork_in else {}),
        }

    @property
    def left(self) -> int:
        """How often it still fails."""
        return os.stat(self._left).st_size

    def end(self) -> None:
        """Let nothing fail any more."""
        self._left.write_bytes(b'')
