"""``hpsearch top`` in a terminal: a pseudo terminal for its signals, and tmux for what a user sees and presses."""

from __future__ import annotations

import fcntl
import os
import pty
import re
import select
import shutil
import signal
import struct
import subprocess
import sys
import termios
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from hpsearch.ui.top.screen import ENTER, LEAVE
from tests.support.cli_harness import Project
from tests.support.paths import REPOSITORY
from tests.support.shown_search import shown_search

PATIENCE = 30.0

IN_TERMINAL = """
import fcntl, os, sys, termios
fcntl.ioctl(0, termios.TIOCSCTTY, 0)
os.execv(sys.argv[1], sys.argv[1:])
"""
"""Executes a command of which its standard input is the terminal, so that keys make signals."""


class Watching:
    """``hpsearch top`` in a pseudo terminal of its own."""

    def __init__(self, *words: str, **environ: str) -> None:
        self.seen = ''
        self._ours, theirs = pty.openpty()
        self.resize(24, 80)
        self.before = termios.tcgetattr(theirs)
        command = [sys.executable, '-c', IN_TERMINAL, sys.executable, '-m', 'hpsearch', 'top', *words]
        env = {**os.environ, 'PYTHONPATH': str(REPOSITORY), 'TERM': 'xterm', **environ}
        self.process = subprocess.Popen(
            command, stdin=theirs, stdout=theirs, stderr=theirs, env=env, start_new_session=True
        )
        self.theirs = theirs

    def resize(self, rows: int, columns: int) -> None:
        fcntl.ioctl(self._ours, termios.TIOCSWINSZ, struct.pack('HHHH', rows, columns, 0, 0))

    def press(self, keys: str) -> None:
        os.write(self._ours, keys.encode())

    def until(self, text: str) -> str:
        """Read what it shows until there is this text; returns what was before it, which is forgotten."""
        end = time.monotonic() + PATIENCE
        while text not in self.seen:
            assert time.monotonic() < end, self.seen
            if select.select([self._ours], [], [], 0.1)[0]:
                self.seen += os.read(self._ours, 65536).decode()
        before, _, self.seen = self.seen.partition(text)
        return before

    def ended(self) -> int:
        """Its exit status, after which the terminal is as it was."""
        status = self.process.wait(PATIENCE)
        assert termios.tcgetattr(self.theirs) == self.before
        return status

    def close(self) -> None:
        self.process.kill()
        self.process.wait()
        os.close(self._ours)
        os.close(self.theirs)


Watch = Callable[..., Watching]


@pytest.fixture
def watch(tmp_path: Path) -> Iterator[Watch]:
    """Start it on a search, in a terminal."""
    shown_search(tmp_path / 's', 20, waiting=2)
    started: list[Watching] = []

    def start(*words: str, **environ: str) -> Watching:
        started.append(Watching(str(tmp_path / 's'), *words, **environ))
        return started[-1]

    yield start
    for each in started:
        each.close()


@pytest.mark.parametrize(('signum', 'status'), [(signal.SIGTERM, 143), (signal.SIGHUP, 129)])
def test_that_a_signal_ends_the_view_and_leaves_the_terminal_as_it_was(
    watch: Watch, signum: signal.Signals, status: int
) -> None:
    watching = watch()
    watching.until(ENTER)
    watching.until('17 finished')
    watching.process.send_signal(signum)
    watching.until(LEAVE)
    assert watching.ended() == status


def test_that_the_view_follows_the_size_of_the_terminal_until_it_is_interrupted(watch: Watch) -> None:
    watching = watch('--interval=600')
    watching.until('17 finished')
    watching.resize(5, 20)
    watching.until('30 x 8 at least')
    watching.resize(24, 80)
    watching.until('17 finished')
    watching.press('\x03')  # Ctrl-C
    watching.until(LEAVE)
    assert watching.ended() == 0


def test_that_nothing_is_coloured_where_nobody_wants_it_and_a_plain_terminal_gets_one_frame(watch: Watch) -> None:
    watching = watch(NO_COLOR='1', LC_ALL='C', PYTHONUTF8='0', PYTHONCOERCECLOCALE='0')
    watching.until('17 finished')
    watching.press('3')
    watching.until('[3 all runs]')
    watching.press('q')
    frame = watching.until(LEAVE)
    assert 'state' in frame
    assert frame.isascii()
    assert not re.search(r'\x1b\[[\d;]*3\dm', frame)
    assert watching.ended() == 0
    plain = watch(TERM='dumb')
    plain.until('17 finished')
    assert plain.ended() == 0
    assert '\x1b' not in plain.seen


# tmux


class Tmux:
    """A terminal in which a command runs."""

    def __init__(self, path: Path, command: str) -> None:
        self._socket = path / 'tmux'
        self._tmux('-f', '/dev/null', 'new-session', '-d', '-x', '80', '-y', '24', command)

    def _tmux(self, *words: str) -> str:
        command = ['tmux', '-S', str(self._socket), *words]
        return subprocess.run(command, capture_output=True, text=True, check=True, timeout=PATIENCE).stdout

    def press(self, *keys: str) -> None:
        self._tmux('send-keys', *keys)

    def screen(self) -> str:
        return self._tmux('capture-pane', '-p')

    def until(self, text: str) -> str:
        """The screen once there is this text."""
        end = time.monotonic() + PATIENCE
        while text not in (screen := self.screen()):
            assert time.monotonic() < end, screen
            time.sleep(0.05)
        return screen

    def until_gone(self, text: str) -> None:
        """Wait until there is this text no longer."""
        end = time.monotonic() + PATIENCE
        while text in (screen := self.screen()):
            assert time.monotonic() < end, screen
            time.sleep(0.05)

    def close(self) -> None:
        subprocess.run(['tmux', '-S', str(self._socket), 'kill-server'], check=False, capture_output=True)


needs_tmux = pytest.mark.skipif(shutil.which('tmux') is None, reason='there is no tmux')


@needs_tmux
def test_that_the_view_is_suspended_and_goes_on(tmp_path: Path) -> None:
    shown_search(tmp_path / 's', 20, waiting=2)
    tmux = Tmux(tmp_path, f'env PYTHONPATH={REPOSITORY} PS1=% sh -i')
    try:
        tmux.press(f'{sys.executable} -m hpsearch top --interval=600 {tmp_path / "s"}', 'Enter')
        tmux.until('17 finished')
        tmux.press('C-z')
        tmux.until('Stopped')
        tmux.until_gone('17 finished')
        tmux.press('fg', 'Enter')
        tmux.until('17 finished')
        tmux.press('q')
        tmux.until('fg')
    finally:
        tmux.close()


@needs_tmux
def test_that_a_user_watches_a_search_stops_a_run_and_lets_it_drain(tmp_path: Path) -> None:
    project = Project(tmp_path)
    project.configure({'lr': [0.1, 0.2, 0.3, 0.4], 'seconds': [600]})
    environ = ' '.join(f'{key}={project.env[key]}' for key in ('PYTHONPATH', 'PATH'))
    with project.start('--cpu_jobs=2') as search:
        tmux = None
        try:
            while not (project.out / 'search.json').exists():
                assert search.poll() is None
                time.sleep(0.05)
            words = ' '.join(project.command('top', str(project.out), '--interval=0.2'))
            tmux = Tmux(tmp_path, f'env {environ} {words}; sleep 600')
            tmux.until('2 running · 2 planned')
            tmux.press('5')
            tmux.until('training with 0.')
            tmux.press('1', 'Down', 'k')
            tmux.until('Stop run 2, which is running? y/n')
            tmux.press('y')
            tmux.until('1 interrupted · 2 running · 1 planned')
            tmux.press('d', 'y')
            tmux.until('it starts no more runs')
            for left in ('2 interrupted · 1 running', 'no run is under way'):
                tmux.press('Home', 'k')
                tmux.until('which is running? y/n')
                tmux.press('y')
                tmux.until(left)
            assert search.wait(PATIENCE) == 130
            assert list(project.states().values()) == ['interrupted'] * 3
            tmux.press('q')
            tmux.until_gone('3 interrupted')
        finally:
            search.terminate()
            if tmux is not None:
                tmux.close()
