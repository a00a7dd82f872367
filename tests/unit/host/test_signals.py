"""Requests to stop: which signal counts as what, and that the earlier handlers come back."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator

import pytest

from hpsearch.host.signals import StopRequests, stop_signals

ALL = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGUSR2)


@pytest.fixture(autouse=True)
def untouched() -> Iterator[None]:
    """Fail a test that leaves a handler behind."""
    before = [signal.getsignal(number) for number in ALL]
    yield
    assert [signal.getsignal(number) for number in ALL] == before


def send(*numbers: signal.Signals) -> None:
    """Send signals to this process; each is handled before this returns."""
    for number in numbers:
        signal.raise_signal(number)


def test_that_ctrl_c_and_term_are_counted() -> None:
    with stop_signals() as requests:
        assert requests == StopRequests(0, leaves=False)
        send(signal.SIGINT)
        assert requests == StopRequests(1, leaves=False)
        send(signal.SIGINT, signal.SIGTERM)
        assert requests == StopRequests(3, leaves=False)


def test_that_counting_starts_with_what_was_requested_already() -> None:
    with stop_signals(1) as requests:
        send(signal.SIGINT)
        assert requests.stops == 2


def test_that_term_leaves_where_jobs_continue_in_a_queue() -> None:
    with stop_signals(term_leaves=True) as requests:
        send(signal.SIGTERM)
        assert requests == StopRequests(0, leaves=True)
        send(signal.SIGINT)
        assert requests == StopRequests(1, leaves=True)


@pytest.mark.parametrize('leaves', [False, True])
def test_that_a_lost_terminal_changes_nothing(leaves: bool) -> None:
    with stop_signals(term_leaves=leaves) as requests:
        send(signal.SIGHUP)
        assert requests == StopRequests(0, leaves=False)


@pytest.mark.parametrize(
    ('leaves', 'expected'), [(False, StopRequests(is_near_limit=True)), (True, StopRequests(leaves=True))]
)
def test_that_a_signal_can_announce_the_time_limit(leaves: bool, expected: StopRequests) -> None:
    with stop_signals(term_leaves=leaves, limit=[signal.SIGUSR2]) as requests:
        send(signal.SIGUSR2)
        assert requests == expected


def test_that_what_this_process_was_started_to_ignore_stays_ignored() -> None:
    before = signal.signal(signal.SIGUSR2, signal.SIG_IGN)
    try:
        with stop_signals(limit=[signal.SIGUSR2]) as requests:
            send(signal.SIGUSR2)
            assert requests.stops == 0
            assert signal.getsignal(signal.SIGUSR2) is signal.SIG_IGN
    finally:
        signal.signal(signal.SIGUSR2, before)


def test_that_handlers_are_restored_when_the_work_fails() -> None:
    with pytest.raises(RuntimeError), stop_signals(limit=[signal.SIGUSR2]):
        raise RuntimeError


def test_that_a_child_does_not_inherit_that_hangups_are_ignored() -> None:
    code = 'import signal; print(signal.getsignal(signal.SIGHUP) is signal.SIG_DFL)'
    with stop_signals():
        done = subprocess.run([sys.executable, '-c', code], env=os.environ, capture_output=True, text=True, check=True)
    assert done.stdout == 'True\n'
