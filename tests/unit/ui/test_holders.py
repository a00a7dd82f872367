"""Who uses a GPU, as it is shown."""

from __future__ import annotations

from dataclasses import replace

from hpsearch.model.usage.holders import GpuHolder, HolderKind
from hpsearch.ui.status_report import status_text
from tests.support.snapshots import GPUS, SNAPSHOT


def test_that_the_status_lists_below_a_gpu_who_uses_it_largest_first() -> None:
    small = GpuHolder(HolderKind.PROCESS, 7, 'python', 'bob', 9000)
    large = GpuHolder(HolderKind.RUN, 8, 'sim_1\x1b[31m', '', 20000)
    many = [GpuHolder(HolderKind.PROCESS, pid, 'x', 'ann') for pid in range(20, 30)]
    text = status_text(replace(SNAPSHOT, gpus=[replace(GPUS[0], holders=[small, large])]))
    assert '\n      sim_1, 19.5 GiB\n      bob, pid 7, python, 8.8 GiB\n' in text
    assert '\n      and 2 more\n' in status_text(replace(SNAPSHOT, gpus=[replace(GPUS[0], holders=many)]))
