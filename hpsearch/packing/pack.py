"""Which of the runs that wait are started now, and on which GPUs. Pure."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from hpsearch.model.placement import Situation, identity, rank_of, slot_of, together
from hpsearch.model.resources import Gpu, GpuPolicy, GpuTenant, OtherStart, Readings
from hpsearch.packing.box import Candidate, Packing, PackingPolicy, Start
from hpsearch.packing.cards import Card, Reservation
from hpsearch.packing.host_room import HostRoom
from hpsearch.packing.needs import UNKNOWN_LOAD, Need, needs_in_order
from hpsearch.packing.scouts import scouts_first
from hpsearch.packing.throughput import BUSY, ENOUGH, NOTHING_LEARNED, Sharing

NO_LIMIT = 10**9
"""Runs per GPU that are as good as any number."""

MANY = 2
"""Runs per GPU that must wait for one to be slowed so that something is learned."""


def pack(
    gpus: Sequence[Gpu],
    readings: Readings,
    tenants: Sequence[GpuTenant],
    candidates: Sequence[Candidate],
    policy: PackingPolicy,
    now: float,
    *,
    freed: Mapping[str, float] | None = None,
    other_starts: Sequence[OtherStart] = (),
    avoided: Mapping[str, str] | None = None,
    sharing: Sharing = NOTHING_LEARNED,
    host: HostRoom | None = None,
    siblings: Mapping[str, int] | None = None,
) -> Packing:
    """Decide which runs are started now.

    Args:
        gpus: The GPUs the search may use, in nvidia-smi order.
        readings: Name of a GPU to its readings, oldest first.
        tenants: The attempts of this search that hold GPUs, each with its memory per GPU.
        candidates: The runs that wait, in the order of the search.
        policy: The limits.
        now: The time in seconds, of the clock of ``Reading.at`` and ``GpuTenant.started``.
        freed: Name of a GPU to the last time one of our runs on it ended; earlier readings are ignored.
        other_starts: Runs that other hpsearch of this host have started, each with the memory that it will still take.
        avoided: Name of a GPU on which runs fail to why it is avoided, in words.
        sharing: What was learned of how runs slow each other.
        host: What the machine has left of memory and cores; None: that is no limit.
        siblings: Name of a GPU to the MiB that runs of other hpsearch of this user use there, as far as is known.
    """
    unknown = [start for start in other_starts if start.memory is None]
    situation, limits = Situation(readings, tenants, now, freed or {}, {}, unknown, avoided or {}), _limits(policy)
    cards = [
        Card(
            situation.case_of(gpu, limits),
            sharing,
            policy.startup_time,
            *_promised(gpu, other_starts, now),
            (siblings or {}).get(gpu.name, 0),
        )
        for gpu in gpus
    ]
    needs = _in_order(candidates, cards)
    _let_one_be_a_trial(cards, len(needs), sharing)
    session = _Session(cards, policy.gpus_per_run, host)
    session.place(needs)
    return Packing(tuple(session.starts), session.closed(), session.why_waiting())


def _limits(policy: PackingPolicy) -> GpuPolicy:
    """Limits that hold for a GPU whatever runs need; memory and load are judged here."""
    return GpuPolicy(
        allowed_load=math.inf,
        allowed_memory=math.inf,
        startup_time=0.0,
        max_runs_per_gpu=policy.max_runs_per_gpu or NO_LIMIT,
        gpus_per_run=policy.gpus_per_run,
        window=policy.window,
        stale_after=policy.stale_after,
        order=policy.order,
    )


def _promised(gpu: Gpu, starts: Sequence[OtherStart], now: float) -> tuple[int, float]:
    """MiB, and load, that runs will take on a GPU which other hpsearch have just started there."""
    here = [start for start in starts if identity(gpu) in start.gpus and now < start.at + start.delay]
    loads = [UNKNOWN_LOAD if start.load is None else min(1.0, start.load) for start in here]
    return sum(start.memory or 0 for start in here), sum(loads)


def _in_order(candidates: Sequence[Candidate], cards: Sequence[Card]) -> list[Need]:
    """First those of which something is known, then those of which nothing is, beginning with those that tell most."""
    needs = needs_in_order(candidates, [card.room for card in cards])
    known = [need for need in needs if need.memory is not None]
    unknown = [need for need in needs if need.memory is None]
    return known + scouts_first(unknown, sum(not card.case.ours for card in cards))


def _let_one_be_a_trial(cards: Sequence[Card], count: int, sharing: Sharing) -> None:
    """Let a second run start on one GPU that is busy, where nobody knows yet whether that helps.

    What a driver calls a load of 1 is that something is computed all the time, on whatever part of a GPU. While many
    runs wait, it costs little to slow two of them, and it may show that all GPUs can do more.
    """
    is_due = sharing.tried < ENOUGH and count >= MANY * len(cards)
    if is_due and all(card.load < BUSY for card in cards):
        for card in [card for card in cards if card.may_be_trial][:1]:
            card.is_trial = True


@dataclass
class _Session:
    """Runs are placed one after the other.

    Attributes:
        cards: The GPUs.
        size: How many of them each run gets.
        host: What the machine has left.
        starts: What is started.
        waiting: The first run that waits.
        host_reason: Why the machine has no room for that run, in words.
    """

    cards: Sequence[Card]
    size: int
    host: HostRoom | None
    starts: list[Start] = field(default_factory=list)
    waiting: Need | None = None
    host_reason: str = ''

    def place(self, needs: Sequence[Need]) -> None:
        """Start runs as long as there is room."""
        for is_known in (True, False):
            self._place_alike([need for need in needs if (need.memory is not None) == is_known])

    def _place_alike(self, needs: Sequence[Need]) -> None:
        """Start runs of all of which something is known, or of none; beyond the last room none is considered."""
        memory = min((need.memory for need in needs if need.memory is not None), default=None)
        load = min((need.load for need in needs), default=0.0)
        for need in needs:
            if self.waiting and all(card.is_full(memory, load) for card in self.cards):
                break
            self._consider(need)

    def _consider(self, need: Need) -> None:
        why = '' if self.host is None else self.host.why_not(need.candidate.estimate)
        fitting = [] if why else [card for card in self.cards if card.fits(need)]
        if len(fitting) >= self.size:
            self._start(need, _together(fitting, need, self.size))
            return
        if self.waiting is None:
            self.waiting, self.host_reason = need, why
        if not why:
            self._keep_room(need)

    def _start(self, need: Need, chosen: Sequence[Card]) -> None:
        for card in chosen:
            card.add(need)
        if self.host is not None:
            self.host = self.host.with_run(need.candidate.estimate)
        gpus = [card.case.gpu for card in self.cards if card in chosen]
        self.starts.append(Start(need.candidate.run, slot_of(gpus)))

    def _keep_room(self, need: Need) -> None:
        """Keep GPUs for a run that waits, those which have room for it first, so that shorter ones do not starve it."""
        found = [
            (at, card) for card in self.cards if card.kept_for is None and (at := _room_from(card, need)) is not None
        ]
        if len(found) < self.size:
            return
        chosen = sorted(found, key=lambda each: (each[0], each[1].total))[: self.size]
        at = chosen[-1][0]
        if not math.isfinite(at) and not self._may_drain(need):
            return
        for _, card in chosen:
            card.kept_for = Reservation(need, at)

    def _may_drain(self, need: Need) -> bool:
        """Whether GPUs are kept for a run although nobody knows when they have room: for one such run at a time."""
        is_drained = any(card.kept_for is not None and not math.isfinite(card.kept_for.at) for card in self.cards)
        needs_much = need.candidate.resources.alone or self.size > 1
        lacks_memory = need.memory is not None and all(need.memory > card.free for card in self.cards)
        return not is_drained and (needs_much or lacks_memory)

    def closed(self) -> dict[str, str]:
        """Why each GPU does not get the first run that waits; where none waits, why it gets none at all."""
        waiting = self.waiting
        if waiting is None or self.host_reason:
            return {card.name: card.closed for card in self.cards if card.closed}
        reasons = {card.name: next(card.why_not(waiting), '') for card in self.cards}
        short = f'a run needs {self.size} GPUs at a time (--gpus_per_run), and only this one has room'
        return {name: why or short for name, why in reasons.items()}

    def why_waiting(self) -> str:
        """Why the machine as a whole has no room for the first run that waits."""
        return self.host_reason


def _room_from(card: Card, need: Need) -> float | None:
    return card.case.now if card.fits(need) else card.room_from(need)


def _together(fitting: Sequence[Card], need: Need, size: int) -> Sequence[Card]:
    """The best of the GPUs that have room; where a run gets several, those that are linked most closely."""
    ranked = sorted(fitting, key=lambda card: _preference(card, need))
    return together(ranked, size, lambda card: card.case.gpu, lambda card: _preference(card, need)[0])[0]


def _preference(card: Card, need: Need) -> tuple[float, float, float, float]:
    """The smaller, the better: where it goes fastest, the order asked for, the smallest with room, the least load."""
    return round(card.slowed_with(need), 1), rank_of(card.name, card.case.policy.order), card.total, card.load
