"""Who uses a GPU."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum

from hpsearch.model.units import memory


class HolderKind(str, Enum):
    """What a process on a GPU belongs to."""

    RUN = 'run'
    """A run of this search."""
    HPSEARCH = 'hpsearch'
    """A run of another search, or of another user's hpsearch."""
    PROCESS = 'process'
    """Anything else."""

    def __str__(self) -> str:
        return self.value


@dataclass(frozen=True, slots=True)
class GpuHolder:
    """A process on a GPU, as this host shows it to the user.

    Attributes:
        kind: What it belongs to.
        pid: Its id.
        name: Of its run, or of its command.
        user: Its user; empty: not known.
        memory: MiB it uses of the GPU; None: the driver does not tell.
        is_stranger: Whether it belongs to no run of an hpsearch of this user.
    """

    kind: HolderKind
    pid: int
    name: str = ''
    user: str = ''
    memory: int | None = None
    is_stranger: bool = False

    @property
    def text(self) -> str:
        """It in a few words."""
        size = '' if self.memory is None else memory(self.memory)
        match self.kind:
            case HolderKind.RUN:
                words = [self.name]
            case HolderKind.HPSEARCH:
                words = [f'another hpsearch of {self.user or "an unknown user"}', self.name, f'pid {self.pid}']
            case HolderKind.PROCESS:
                words = [self.user or 'an unknown user', f'pid {self.pid}', self.name]
        return ', '.join(filter(None, [*words, size]))
