"""A terminal that a program really runs in, of which pictures are taken: tmux."""

from __future__ import annotations

import os
import subprocess
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

from docs.pictures.svg import Frame

LOOK = 0.1
"""Seconds between two looks at a terminal."""

LIMIT = 120.0
"""Seconds after which what should have come is missing."""


class Terminal:
    """A shell in a terminal of its own.

    Args:
        server: Path of the socket of its tmux.
        secrets: Text that is shown otherwise, such as the path of a temporary folder.
    """

    def __init__(self, server: Path, secrets: Mapping[str, str]) -> None:
        self._server, self._secrets = server, secrets

    def tmux(self, *words: str) -> str:
        """What a command of tmux prints."""
        command = ['tmux', '-S', str(self._server), *words]
        return subprocess.run(command, check=True, capture_output=True, text=True).stdout

    def lines(self) -> tuple[str, ...]:
        """What the terminal shows now, with its colours."""
        shown = self.tmux('capture-pane', '-e', '-p')
        for secret, instead in self._secrets.items():
            shown = shown.replace(secret, instead)
        return tuple(line.rstrip() for line in shown.rstrip('\n').split('\n'))

    def press(self, *keys: str) -> None:
        """Press keys, by their names in tmux."""
        self.tmux('send-keys', *keys)

    def type(self, text: str) -> None:
        """Type a text, and Enter."""
        self.tmux('send-keys', '-l', text)
        self.press('Enter')

    def wait_for(self, is_there: Callable[[str], bool]) -> tuple[str, ...]:
        """What is shown as soon as it is as it should be."""
        return list(self.record(is_there))[-1].lines

    def record(self, is_over: Callable[[str], bool]) -> Iterator[Frame]:
        """What is shown, as often as it changes, until it is as it should be in the end."""
        began = since = time.monotonic()
        last = self.lines()
        while not is_over('\n'.join(last)):
            if time.monotonic() - began > LIMIT:
                raise TimeoutError('\n'.join(last))
            time.sleep(LOOK)
            now = self.lines()
            if now != last:
                yield Frame(last, time.monotonic() - since)
                last, since = now, time.monotonic()
        yield Frame(last, 4.0)


@contextmanager
def terminal(
    folder: Path, columns: int, rows: int, env: Mapping[str, str], secrets: Mapping[str, str]
) -> Iterator[Terminal]:
    """A terminal in a folder, with a prompt of two characters; it is gone at the end."""
    server = folder / '.tmux'
    shown = Terminal(server, secrets)
    shell = 'env PS1="$ " bash --noprofile --norc'
    own = {
        **os.environ,
        **env,
        'NO_COLOR': '',
        'TERM': 'xterm-256color',
        'COLORTERM': 'truecolor',
        'TMUX': '',
        'PS1': '$ ',
    }
    size = ('-x', str(columns), '-y', str(rows))
    command: Sequence[str] = ['tmux', '-S', str(server), '-f', '/dev/null', 'new-session', '-d', *size, shell]
    subprocess.run(command, check=True, cwd=folder, env=own)
    try:
        shown.wait_for(lambda text: text.startswith('$'))
        yield shown
    finally:
        shown.tmux('kill-server')
