"""Which of the runs that wait are started now, and on which GPUs. Pure."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

from hpsearch.model.placement import Situation, identity, rank_of, slot_of, together
from hpsearch.model.resources import Gpu, GpuPolicy, GpuTenant, OtherStart, Reading, Slot
from hpsearch.packing.box import Candidate, Packing, PackingPolicy, Start
from hpsearch.packing.cards import Card
from hpsearch.packing.needs import UNKNOWN_LOAD, Need, needs_in_order
from hpsearch.packing.throughput import NOTHING_LEARNED, Sharing


def pack(
    gpus: Sequence[Gpu],
    readings: Mapping[str, Sequence[Reading]],
    tenants: Sequence[GpuTenant],
    candidates: Sequence[Candidate],
    policy: PackingPolicy,
    now: float,
    *,
    freed: Mapping[str, float] | None = None,
    other_starts: Sequence[OtherStart] = (),
    avoided: Mapping[str, str] | None = None,
    sharing: Sharing = NOTHING_LEARNED,
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
    """
    unknown = [start for start in other_starts if start.memory is None]
    situation = Situation(readings, tenants, now, freed or {}, {}, unknown, avoided or {})
    limits = _limits(policy)
    promised = {gpu.name: _promised(gpu, other_starts, now) for gpu in gpus}
    cards = [Card(situation.case_of(gpu, limits), sharing, policy.startup_time, *promised[gpu.name]) for gpu in gpus]
    starts, waiting = _place(cards, needs_in_order(candidates, [card.room for card in cards]), policy.gpus_per_run)
    return Packing(tuple(starts), _closed(cards, waiting))


def _limits(policy: PackingPolicy) -> GpuPolicy:
    """Limits that hold for a GPU whatever runs need; memory and load are judged here."""
    return GpuPolicy(
        allowed_load=math.inf,
        allowed_memory=math.inf,
        startup_time=0.0,
        max_runs_per_gpu=policy.max_runs_per_gpu or 10**9,
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


def _place(cards: Sequence[Card], needs: Sequence[Need], size: int) -> tuple[list[Start], Need | None]:
    """Start runs as long as there is room; returns also the first that waits."""
    starts: list[Start] = []
    waiting = None
    for need in needs:
        fitting = [card for card in cards if next(card.why_not(need), None) is None]
        if len(fitting) < size:
            waiting = waiting or need
            continue
        chosen = _together(fitting, need, size)
        for card in chosen:
            card.add(need)
        starts.append(Start(need.candidate.run, _slot(cards, chosen)))
    return starts, waiting


def _together(fitting: Sequence[Card], need: Need, size: int) -> Sequence[Card]:
    """The best of the GPUs that have room; where a run gets several, those that are linked most closely."""
    ranked = sorted(fitting, key=lambda card: _preference(card, need))
    return together(ranked, size, lambda card: card.case.gpu, lambda card: _preference(card, need)[0])[0]


def _preference(card: Card, need: Need) -> tuple[float, float, float, float]:
    """The smaller, the better: where it goes fastest, the order asked for, the smallest with room, the least load."""
    speed = card.sharing.speed(card.load + need.load)
    return -round(speed, 1), rank_of(card.name, card.case.policy.order), card.total, card.load


def _slot(cards: Sequence[Card], chosen: Sequence[Card]) -> Slot:
    gpus = [card.case.gpu for card in cards if card in chosen]
    return slot_of(gpus)


def _closed(cards: Sequence[Card], waiting: Need | None) -> dict[str, str]:
    """Why each GPU does not get the first run that waits; where none waits, why it gets none at all."""
    if waiting is None:
        return {card.name: card.closed for card in cards if card.closed}
    return {card.name: why for card in cards if (why := next(card.why_not(waiting), ''))}
