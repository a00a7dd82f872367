"""A backend of one card, on which runs are placed by what they are expected to need, and whose memory can run out."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

from hpsearch.backends.base import AttemptStatus
from hpsearch.model.evidence import JobState
from hpsearch.model.resources import GpuTenant, ResourceRequest, Slot
from hpsearch.model.usage.measured import Measured
from hpsearch.packing.box import Candidate, Packing, Start
from hpsearch.packing.throughput import NOTHING_LEARNED, Sharing
from hpsearch.store.folder import SearchFolder
from tests.fakes.instant_backend import InstantBackend
from tests.fakes.scripted_queue import Clock

NO_ROOM = 'torch.OutOfMemoryError: CUDA out of memory. Tried to allocate 2.00 GiB.'


class PackingBackend(InstantBackend):
    """Attempts that end in the round after they were started, some because there was no memory for them.

    Attributes:
        needs: Name of a run to the MiB that it needs.
        offered: The candidates of each decision.
        is_open: Whether anything is started.

    Args:
        folder: Where attempts leave what they print.
        total: MiB of the card.
    """

    def __init__(self, clock: Clock, folder: SearchFolder, needs: Mapping[str, int], total: int = 24000) -> None:
        super().__init__(clock)
        self.needs = needs
        self.offered: list[Sequence[Candidate]] = []
        self.is_open = True
        self._folder = folder
        self._total = total

    @property
    def packs(self) -> bool:
        return True

    def pack(
        self,
        now: float,
        candidates: Sequence[Candidate],
        others: Sequence[GpuTenant] = (),
        sharing: Sharing = NOTHING_LEARNED,
    ) -> Packing:
        self.offered.append(candidates)
        starts, used = [], sum(self._expected(each.estimate) for each in self._held.values())
        for candidate in candidates if self.is_open else ():
            need = self._total if candidate.resources.alone else self._expected(candidate)
            if used + need <= self._total:
                used += need
                starts.append(Start(candidate.run, Slot(('0',), '0')))
        return Packing(tuple(starts), {} if starts else {'0': 'full'})

    def _expected(self, of: Candidate | object) -> float:
        memory = getattr(getattr(of, 'estimate', of), 'memory', None)
        return self._total if memory is None else min(self._total, memory.high)

    def impossible(self, resources: ResourceRequest) -> str:
        than = resources.larger_than
        return f'no GPU here has more than {than} MiB' if than and than >= self._total else ''

    def states(self, now: float) -> Mapping[str, AttemptStatus]:
        used = sum(self.needs[launch.run.name] for launch in self._held.values())
        is_alone, ended = len(self._held) == 1, {}
        for ident, launch in self._held.items():
            need = self.needs[launch.run.name]
            room = self._total - (used - need)
            measured = Measured(gpu_memory=min(need, room), settled_after=None if need > room else 1.0)
            status = AttemptStatus(JobState.ENDED, code=0, measured=measured)
            if need > room:
                paths = self._folder.attempt(launch.run.name, launch.number)
                with open(paths.stderr, 'w') as log:
                    log.write(f'{NO_ROOM}\n')
                facts = {'was_alone': is_alone, 'largest': True, 'gpu_total': self._total, 'had': room}
                status = replace(status, code=1, room=facts)
                used -= need
            ended[ident] = status
        self._held = {}
        return ended
