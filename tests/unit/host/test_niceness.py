"""The niceness of processes that were just started."""

from __future__ import annotations

import os
import subprocess

from hpsearch.host.niceness import Niceness


def test_that_a_process_has_its_niceness_from_the_beginning() -> None:
    words = Niceness(5).words
    done = subprocess.run([*words, 'nice'], check=True, capture_output=True, text=True)
    assert int(done.stdout) == min(19, 5 + os.getpriority(os.PRIO_PROCESS, 0))
    assert Niceness(0).words == ()


def test_that_a_process_that_is_gone_is_no_trouble() -> None:
    niceness = Niceness(5)
    with subprocess.Popen(['true'], start_new_session=True) as process:
        pass
    niceness.give(process.pid)
    niceness.step()
