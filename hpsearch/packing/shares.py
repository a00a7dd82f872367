"""How several searches of one user share a host: who lets whom go first. Pure; time is an argument.

Each search is due a share of the places (GPUs, or the machine as one place) in proportion to its priority, but no more
than it has use for. What is due to searches that want more than they hold is left to them; all the rest anybody may
take. Where none has its share and there is not room for all, the one goes first that has had the least so far.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace

from hpsearch.model.usage.contender import TINY, Contender

MARGIN = 3.0
"""Seconds that a place is left to a search beyond those for which it must have been free for that one."""

LONGEST_NOTICE = 60.0
"""Seconds of that at most, whatever the search says."""

GATHERS_FOR = 600.0
"""Seconds that places are left to a search whose runs need several at a time, while there are fewer than that."""

PASSED_FOR = 10.0
"""Seconds for which a place is not left again to a search that did not take it; each time twice as long."""

LONGEST_PASS = 320.0
"""Seconds of that at most."""

FORGOTTEN_AFTER = 3.0
"""Seconds after which a place that was open and is not any more counts as taken."""

SMALLEST_PORTION = 0.02
"""Part of a place that a run holds at least."""


@dataclass(frozen=True, slots=True)
class Offer:
    """A start that nothing but other searches of this user is in the way of: where, and how much it would hold."""

    places: frozenset[str]
    size: float


def portion(memory: float | None, load: float | None, total: float | None) -> float:
    """The part of a place that a run holds (0-1), by what it needs most of.

    Args:
        memory: MiB that it needs; None, here and below: not known.
        load: The load (0-1) that it puts on the place.
        total: MiB that there are.
    """
    if memory is None or not total:
        return 1.0
    return min(1.0, max(SMALLEST_PORTION, memory / total, load or 0.0))


def contending(me: Contender, others: Iterable[Contender]) -> list[Contender]:
    """Those of the others that share a place with me, or with one that does, and so on."""
    rest, found, places = [each for each in others if each.is_active], list[Contender](), set(me.places)
    while near := [each for each in rest if not places.isdisjoint(each.places)]:
        found += near
        rest = [each for each in rest if each not in near]
        places.update(*(each.places for each in near))
    return found


def fair_shares(contenders: Sequence[Contender]) -> dict[str, float]:
    """How many places each is due: in proportion to priorities, and what one has no use for goes to the others."""
    left = float(len(frozenset[str]().union(*(each.places for each in contenders))))
    shares = {each.name: 0.0 for each in contenders}
    hungry = [each for each in contenders if each.is_active]
    while hungry:
        rate = left / sum(each.priority for each in hungry)
        content = [each for each in hungry if each.demand <= rate * each.priority + TINY]
        for each in content or hungry:
            shares[each.name] = each.demand if content else rate * each.priority
        left = max(0.0, left - sum(shares[each.name] for each in content))
        hungry = [each for each in hungry if each not in content] if content else []
    return shares


def goes_first(other: Contender, me: Contender, shares: Mapping[str, float]) -> bool:
    """Whether a place is left by one search to another that may use it, since that has less than its share."""
    if other.wanted <= TINY or other.held >= shares[other.name] - TINY:
        return False
    if me.held >= shares[me.name] - TINY:
        return True
    return (other.served, other.name) < (me.served, me.name)


def lack(one: Contender, share: float) -> float:
    """How much more a search needs to have its share, in whole runs."""
    runs = math.ceil((share - one.held) / one.unit - TINY)
    return max(0.0, min(runs * one.unit, one.wanted))


@dataclass(slots=True)
class _Wait:
    """For how long a place has been left to a search, in monotonic seconds.

    Attributes:
        held: What the search held at first.
        since: When that began; None: it is not left to it now.
        seen: When it was last so.
        passed: When it was concluded that the search does not take it; None: it may.
        times: How often that has been so.
        is_short: Whether there were fewer places then than a run of the search needs.
    """

    held: float
    since: float | None = None
    seen: float = 0.0
    passed: float | None = None
    times: int = 0
    is_short: bool = False

    def wait(self, now: float, patience: float, *, is_short: bool) -> None:
        """The place is left to the search, for so many seconds at most; from when there are enough, anew."""
        since = now if self.since is None or (self.is_short and not is_short) else self.since
        self.since, self.seen, self.is_short = since, now, is_short
        if self.passed is None and now - since >= patience:
            self.passed, self.times = now, self.times + 1

    def pass_by(self, now: float) -> None:
        """As time goes by, the search is asked again, and a place that was taken is not waited for."""
        lasts = min(LONGEST_PASS, PASSED_FOR * 2.0 ** (self.times - 1))
        if self.passed is not None and now - self.passed >= lasts:
            self.passed = self.since = None
        elif self.passed is None and now - self.seen > FORGOTTEN_AFTER:
            self.since = None


@dataclass(slots=True)
class Turns:
    """Remembers which places are left to which search, so that nobody waits for one that does not take them."""

    _waits: dict[tuple[str, str], _Wait] = field(default_factory=dict)

    def kept_back(
        self, now: float, me: Contender, others: Sequence[Contender], offers: Sequence[Offer]
    ) -> list[Contender | None]:
        """For each offer, in the order of preference, the search to which it is left; None: it may be taken.

        Args:
            now: Monotonic seconds.
            me: The search that asks.
            others: The other searches of this user.
            offers: What it would start now.
        """
        self._forget(now, others)
        rivals = contending(me, others)
        shares = fair_shares([me, *rivals])
        result: list[Contender | None] = []
        free = list(offers)
        for offer in offers:
            first = self._first_for(offer, me, rivals, shares)
            due = sum(lack(each, shares[each.name]) for each in first)
            left = sum(each.size for each in free if any(each.places & rival.places for rival in first))
            if first and left - offer.size < due - TINY:
                self._note(now, offer, first, offers)
                result.append(min(first, key=lambda each: (each.served, each.name)))
            else:
                free.remove(offer)
                me = replace(me, held=me.held + offer.size)
                result.append(None)
        return result

    def _first_for(
        self, offer: Offer, me: Contender, rivals: Sequence[Contender], shares: Mapping[str, float]
    ) -> list[Contender]:
        """Those that go first and may take an offer."""
        ahead = (each for each in rivals if goes_first(each, me, shares))
        return [each for each in ahead if any(not self._is_passed(one, each) for one in offer.places & each.places)]

    def _is_passed(self, place: str, other: Contender) -> bool:
        wait = self._waits.get((place, other.name))
        return wait is not None and wait.passed is not None

    def _note(self, now: float, offer: Offer, first: Sequence[Contender], offers: Sequence[Offer]) -> None:
        for other in first:
            there = frozenset[str]().union(*(each.places for each in offers)) & other.places
            is_short = len(there) < other.unit - TINY
            patience = GATHERS_FOR if is_short else min(other.notices_after, LONGEST_NOTICE) + MARGIN
            for place in offer.places & other.places:
                self._waits.setdefault((place, other.name), _Wait(other.held)).wait(now, patience, is_short=is_short)

    def _forget(self, now: float, others: Sequence[Contender]) -> None:
        """A search that has started something meanwhile is waited for again; one that has gone is not."""
        held = {each.name: each.held for each in others}
        self._waits = {key: wait for key, wait in self._waits.items() if held.get(key[1], math.inf) <= wait.held + TINY}
        for wait in self._waits.values():
            wait.pass_by(now)


def served_at_entry(served: float, others: Iterable[Contender]) -> float:
    """What counts as served of a search that begins to contend: nobody saves up a claim while wanting nothing."""
    return max(served, min((each.served for each in others if each.is_active), default=served))
