"""What a script prints when it is asked for help."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Sequence

from hpsearch.host.processes import kill_group_of

PATIENCE = 10.0
"""Seconds that a script has for it: some import large libraries first."""

_PLAIN = {
    'CUDA_VISIBLE_DEVICES': '',
    'COLUMNS': '200',
    'NO_COLOR': '1',
    'TERM': 'dumb',
    'PAGER': 'cat',
    'PYTHONDONTWRITEBYTECODE': '1',
}
"""No GPU is touched, no line is broken or coloured, and nothing is left."""


def help_of(argv: Sequence[str], cwd: str, patience: float = PATIENCE, words: Sequence[str] = ('--help',)) -> str:
    """What a command prints on stdout when it is asked for help; empty if it does not end in so many seconds.

    Nothing that it started is left.

    Args:
        argv: The command.
        cwd: Its working directory.
        patience: Seconds that it has.
        words: What asks for help.
    """
    try:
        child = subprocess.Popen(
            [*argv, *words],
            cwd=cwd,
            env={**os.environ, **_PLAIN},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )
    except (OSError, ValueError):
        return ''  # whoever starts a run is told why that fails
    with child:
        try:
            printed, _ = child.communicate(timeout=patience)
        except subprocess.TimeoutExpired:
            kill_group_of(child)
            return ''
    return printed.decode('utf-8', 'replace')
