"""Waiting that ends early."""

from __future__ import annotations

import threading
from pathlib import Path

from hpsearch.host.signals import Wakeup

LONG = 60.0
"""Seconds that no test waits for."""


def test_that_a_thread_can_end_a_wait() -> None:
    with Wakeup() as wakeup:
        thread = threading.Thread(target=wakeup.poke)
        thread.start()
        wakeup.wait(LONG)
        thread.join()


def test_that_more_pokes_than_a_pipe_holds_end_one_wait() -> None:
    with Wakeup() as wakeup:
        for _ in range(100_000):
            wakeup.poke()
        wakeup.wait(LONG)


def test_that_a_thread_that_pokes_too_late_writes_to_no_other_file(tmp_path: Path) -> None:
    with Wakeup() as wakeup:
        pass
    files = [(tmp_path / str(number)).open('wb', buffering=0) for number in range(8)]  # they get the free numbers
    wakeup.poke()
    for file in files:
        file.close()
    assert {path.stat().st_size for path in tmp_path.iterdir()} == {0}
