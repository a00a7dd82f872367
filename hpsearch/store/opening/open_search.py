"""A search to be worked on."""

from __future__ import annotations

from dataclasses import dataclass

from hpsearch.model.configuration import Configuration
from hpsearch.store.folder import SearchFolder


@dataclass(frozen=True)
class OpenSearch:
    """A search to be worked on.

    Attributes:
        folder: Where it is.
        configuration: What it runs and how its results are read.
        run_cwd: Working directory of its runs.
        interpreter: First word of the commands of a Python script.
        withdrawn: Runs of the plan that are no longer wanted.
        ident: Identifies the search in the names of runs that are chosen while it goes; empty: it was planned.
    """

    folder: SearchFolder
    configuration: Configuration
    run_cwd: str
    interpreter: str
    withdrawn: frozenset[str] = frozenset()
    ident: str = ''

    @property
    def total(self) -> int:
        """Number of runs that are wanted."""
        return self.folder.count_runs() - len(self.withdrawn)
