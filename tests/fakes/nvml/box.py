"""A box of stand-in GPUs, whose memory, load and processes are those of real processes."""

from __future__ import annotations

import subprocess
import sys
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from tests.fakes.nvml import HERE, FakeNvml
from tests.fakes.nvml.training import Cards

SCRIPT = """\
import sys
sys.path.insert(0, {here!r})
import training
training.train(**{formulas!r})
"""


class FakeBox(FakeNvml):
    """GPUs of which each process of :mod:`tests.fakes.nvml.training` uses what it says, as long as it lives.

    What :meth:`set` says of a GPU (``used``, ``load``, ``processes``) is added to that.

    Args:
        folder: Where the state is kept.
        sizes: MiB of each GPU.
    """

    def __init__(self, folder: Path, sizes: Sequence[int] = (24000,)) -> None:
        super().__init__(folder, len(sizes))
        self.folder = folder / 'box'
        self.folder.mkdir(exist_ok=True)
        (self.folder / 'log').touch()
        self.set_driver(box=str(self.folder))
        for number, size in enumerate(sizes):
            self.set(number, total=size)
        self.cards = Cards(self.state)

    @staticmethod
    def write_script(path: Path, **formulas: str) -> None:
        """Write a training script for this box; the formulas are those of :func:`tests.fakes.nvml.training.train`."""
        path.write_text(SCRIPT.format(here=str(HERE), formulas=formulas))

    @contextmanager
    def neighbour(self, gpu: int, memory: int, load: float = 0.0) -> Iterator[int]:
        """A process of somebody else on a GPU, as long as the context lasts; gives its pid.

        Raises:
            MemoryError: The card has no room for it.
        """
        with subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(3600)']) as process:
            try:
                if self.cards.take(process.pid, memory, round(100 * load), [str(gpu)]):
                    raise MemoryError(f'GPU {gpu} has no {memory} MiB')
                yield process.pid
            finally:
                process.kill()
                process.wait()
                self.cards.leave(process.pid)

    def used(self, gpu: int) -> int:
        """MiB that processes use of a GPU now."""
        return sum(use.memory for use in self.cards.uses() if str(gpu) in use.gpus)

    def peaks(self) -> dict[str, int]:
        """GPU to the most MiB that processes ever used of it together."""
        peaks: Counter[str] = Counter()
        for line in self._log():
            for gpu, _, used in (word.partition('=') for word in line[5:]):
                peaks[gpu] = max(peaks[gpu], int(used))
        return dict(peaks)

    def out_of_memory(self) -> int:
        """How often a process found no room on its card."""
        return sum(line[0] == 'oom' for line in self._log())

    def _log(self) -> list[list[str]]:
        return [line.split() for line in (self.folder / 'log').read_text().splitlines()]
