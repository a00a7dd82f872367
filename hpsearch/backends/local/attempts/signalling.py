"""Signals to all processes of attempts."""

from __future__ import annotations

import signal
from collections.abc import Collection, Sequence

from hpsearch.backends.local.attempts.living import living_of, oldest_first
from hpsearch.backends.local.attempts.process import AttemptProcess
from hpsearch.host.processes import Process, group_of, send_signal, signal_group_of_child
from hpsearch.store.folder import SearchFolder


def ask_to_end(folder: SearchFolder, processes: Sequence[AttemptProcess], *, force: bool) -> None:
    """TERM to all processes of attempts (KILL with ``force``), also to descendants that left their session."""
    number = signal.SIGKILL if force else signal.SIGTERM
    for process in processes:
        process.is_cancelled = True
        process.is_forced = process.is_forced or force
    groups = {process.pid for process in processes if process.keeps_its_pid}
    for group in groups:
        signal_group_of_child(group, number)
    _signal_others(folder, processes, groups, number)


def _signal_others(
    folder: SearchFolder, processes: Sequence[AttemptProcess], groups: Collection[int], number: signal.Signals
) -> None:
    """Signal what is in none of the groups; what is killed may have started another process at that moment."""
    if not processes:
        return
    done: set[Process] = set()
    while found := {each for each in living_of(folder, processes) if group_of(each.pid) not in groups} - done:
        for each in oldest_first(found):
            send_signal(each, number)
        if number is not signal.SIGKILL:
            return
        done |= found
