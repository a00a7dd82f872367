"""Which worker of pytest-xdist executes which test."""

from __future__ import annotations

from xdist.scheduler import LoadScopeScheduling


class OneWorkerForSlurm(LoadScopeScheduling):  # type: ignore[misc]  # it has no types
    """Gives each test to a worker that is free, but all tests that need a Slurm to one, as there is one Slurm.

    ``--dist=loadgroup`` would do the same, but pytest-xdist 3.8 ignores its marker with pytest 9.2.
    """

    def _split_scope(self, nodeid: str) -> str:
        """The unit of work that a test belongs to."""
        return 'slurm' if needs_slurm(nodeid) else nodeid


def needs_slurm(nodeid: str) -> bool:
    """Whether the name of a test says that it needs a real Slurm: by its folder, or by its first parameter."""
    return 'e2e/slurm/' in nodeid or '[slurm' in nodeid
