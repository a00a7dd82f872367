"""Which worker of pytest-xdist executes which test."""

from __future__ import annotations

from xdist.scheduler import LoadScopeScheduling


class OneWorkerForSlurm(LoadScopeScheduling):  # type: ignore[misc]  # it has no types
    """Gives all tests that need a Slurm to one worker, as there is one Slurm, and the others to whichever is free.

    ``--dist=loadgroup`` would do the same, but pytest-xdist 3.8 ignores its marker with pytest 9.2.
    """

    def _split_scope(self, nodeid: str) -> str:
        """The unit of work that a test belongs to: its file, where tests are short or share what they look at."""
        if needs_slurm(nodeid):
            return 'slurm'
        file = nodeid.partition('::')[0]
        return file if file.startswith(WHOLE) else nodeid


WHOLE = ('tests/unit/', 'tests/e2e/page/')
"""Folders of tests of which a worker executes a file at a time."""


def needs_slurm(nodeid: str) -> bool:
    """Whether the name of a test says that it needs a real Slurm: by its folder, or by its first parameter."""
    return 'e2e/slurm/' in nodeid or '[slurm' in nodeid
