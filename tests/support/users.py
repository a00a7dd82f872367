"""Another user of this machine, to whom ``/proc`` shows only processes of their own."""

from __future__ import annotations

import functools
import os
import subprocess
import sys

import pytest

NOBODY = 65534

_HIDE = 'mount -t proc -o hidepid=2 proc /proc && exec "$@"'

_BECOME = ('--reuid', str(NOBODY), '--regid', str(NOBODY), '--clear-groups')

_READ_ALL = ('--inh-caps=+dac_read_search', '--ambient-caps=+dac_read_search')
"""Python may be in the home of the user who runs the tests. This shows files only, and no processes."""


def hidden(*argv: str) -> list[str]:
    """The words that run a command while ``/proc`` hides from every user but root what belongs to others."""
    return ['unshare', '--mount', 'sh', '-c', _HIDE, 'sh', *argv]


def as_another_user(*argv: str) -> list[str]:
    """The words that run a command as another user, from whom processes are hidden; skips where that cannot be."""
    why = _why_not()
    if why:
        pytest.skip(f'nobody else can be asked here: {why}')
    return hidden('setpriv', *_BECOME, *_READ_ALL, *argv)


@functools.cache
def _why_not() -> str:
    if not sys.platform.startswith('linux') or os.geteuid() != 0:
        return 'it takes a Linux, and root'
    try:
        words = hidden('setpriv', *_BECOME, *_READ_ALL, 'true')
        return subprocess.run(words, check=False, capture_output=True, text=True).stderr
    except OSError as error:
        return str(error)
