"""The box: cards, the processes on them, and time, which goes from one event to the next."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from benchmarks.gpu_box.jobs import RESERVED, Job, Visit, World
from hpsearch.model.usage.meter import is_noticeable, quiet_needed

LOOKS_AGAIN_AFTER = 60.0
"""Seconds after which somebody who found no card with room looks again."""

NOTHING_LEFT = 1e-6
"""Seconds of a phase that count as none, since sums of floating-point numbers are not exact."""


FIRST_PID = 1000


@dataclass(eq=False)
class Resident:
    """A process on a card.

    Attributes:
        job: What it is.
        card: Number of its card.
        is_ours: Whether it is a run of the search.
        began: When it came.
        pid: Its process id.
        phase: Number of the phase it is in.
        left: Seconds of that phase that are left, where nothing slows it.
        memory: MiB that it has now.
        peak: The most that it had.
        speed: How fast it goes now.
        done: Seconds of its phases that it has behind it.
        busy: Seconds of a whole card that it has used.
        lost: Seconds that it lost to runs of ours that came after it (somebody else's only).
        company: Seconds times runs of ours on its card, itself included.
        was_alone: Whether nothing else was on its card as long as it ran.
        grown: When its memory grew noticeably for the last time.
        busy_before: What it had used of a card until then.
    """

    job: Job
    card: int
    is_ours: bool
    began: float
    pid: int
    phase: int = -1
    left: float = 0.0
    memory: int = 0
    peak: int = 0
    speed: float = 1.0
    done: float = 0.0
    busy: float = 0.0
    lost: float = 0.0
    company: float = 0.0
    was_alone: bool = True
    grown: float = 0.0
    busy_before: float = 0.0

    @property
    def load(self) -> float:
        """The load that it would put on a card for itself."""
        return self.job.phases[self.phase].load

    def measured_load(self, now: float) -> float:
        """The mean load that it put on its card since its memory grew last."""
        return min(1.0, (self.busy - self.busy_before) / max(1.0, now - self.grown))

    def settled_after(self, now: float) -> float | None:
        """Seconds from its start until its memory had settled, by the rule of hpsearch; None: it has not."""
        grew_for = self.grown - self.began
        is_quiet = now - self.grown >= quiet_needed(grew_for, self.measured_load(now))
        return grew_for if is_quiet else None


@dataclass(frozen=True, slots=True)
class Ended:
    """A process that has ended.

    Attributes:
        who: What it was.
        at: When.
        lacked: MiB that its card did not have for it: it ran out of memory; 0: it has finished.
        free: MiB that its card had left then.
    """

    who: Resident
    at: float
    lacked: int = 0
    free: int = 0


@dataclass
class Neighbours:
    """How others fared.

    Attributes:
        denied: Whose memory was denied because of runs of ours that came after them.
        met: Whose memory was denied because of runs of ours that were there before them.
        slowed: Who lost more than ``SLOWED`` of their time to runs of ours that came after them.
        kept_waiting: Hours for which others found no card with room, and would have without our runs.
        came: How many came at all.
    """

    denied: int = 0
    met: int = 0
    slowed: int = 0
    kept_waiting: float = 0.0
    came: int = 0

    @property
    def hurt(self) -> int:
        """How many were hurt by what we did after they had come."""
        return self.denied + self.slowed


SLOWED = 0.05
"""Share (0-1) of its time that somebody else must have lost to our arrivals to count as slowed."""


@dataclass(eq=False)
class Card:
    """A GPU, and who is on it.

    Attributes:
        number: As nvidia-smi numbers it.
        total: Its memory in MiB.
        residents: Who is on it.
        at: Until when they have been followed.
        due: When one of them is through with a phase.
        changes: How often what is on it has changed.
    """

    number: int
    total: int
    residents: list[Resident] = field(default_factory=list)
    at: float = 0.0
    due: float = math.inf
    changes: int = 0

    @property
    def used(self) -> int:
        """MiB in use."""
        return sum(each.memory for each in self.residents)

    @property
    def free(self) -> int:
        """MiB that can be allocated."""
        return self.total - RESERVED - self.used


class Box:
    """All cards, with what others do to them.

    Attributes:
        now: The time, in seconds.
        cards: The cards.
        neighbours: How others fared.
        some_wait: Whether runs of ours wait.
        spent: Seconds of whole cards, by what became of them.

    Args:
        world: What will happen.
    """

    def __init__(self, world: World) -> None:
        self.now = 0.0
        self.cards = [Card(number, total) for number, total in enumerate(world.totals)]
        self.neighbours = Neighbours()
        self.some_wait = True
        self.spent: dict[str, float] = {}
        self._law = world.law
        self._visits = [*world.visits]
        self._came = 0

    def start(self, job: Job, number: int) -> Ended | None:
        """Start a run of ours now; returns its end if it has no memory even to begin."""
        return self._come(self._new(job, number, is_ours=True))

    def _new(self, job: Job, number: int, *, is_ours: bool) -> Resident:
        self._came += 1
        return Resident(job, number, is_ours, self.now, FIRST_PID + self._came)

    def ours(self) -> list[Resident]:
        """The runs of ours that are running."""
        return [each for card in self.cards for each in card.residents if each.is_ours]

    def advance(self, until: float) -> list[Ended]:
        """Let time pass, to the next moment at which runs of ours end or until that time; returns those that ended."""
        while True:
            card = min(self.cards, key=lambda each: each.due)
            visit = self._visits[0].at if self._visits else math.inf
            moment = min(card.due, visit)
            if moment > until:
                self._pass(until)
                return []
            self.now = moment
            ended = [*self._change(card)] if card.due <= visit else self._visit(self._visits.pop(0))
            ours = [each for each in ended if each.who.is_ours]
            if ours:
                return ours

    def see_off(self) -> None:
        """Count what those have suffered who are still there at the end."""
        for card in self.cards:
            for each in card.residents:
                if not each.is_ours:
                    self._remember(card, Ended(each, self.now))

    def _pass(self, until: float) -> None:
        self.now = until
        for card in self.cards:
            self._progress(card)

    # One card

    def _progress(self, card: Card) -> None:
        """Let those on a card do what they did since it was looked at last."""
        passed, card.at = self.now - card.at, self.now
        if passed <= 0:
            return
        ours = sum(each.is_ours for each in card.residents)
        self._account(card, passed)
        for each in card.residents:
            each.left -= passed * each.speed
            each.done += passed * each.speed
            each.busy += passed * each.speed * each.load
            each.company += passed * ours
            if not each.is_ours and ours:
                each.lost += passed * max(0.0, 1.0 - each.speed / self._speed_without_newcomers(card, each))

    def _account(self, card: Card, passed: float) -> None:
        """Note what became of the time of a card."""
        ours = sum(each.load * each.speed for each in card.residents if each.is_ours)
        theirs = sum(each.load * each.speed for each in card.residents if not each.is_ours)
        left = max(0.0, 1.0 - ours - theirs)
        if not self.some_wait:
            why = 'nothing was left to start'
        elif any(not each.is_ours for each in card.residents):
            why = 'others were there'
        elif sum(each.load for each in card.residents) >= 1.0:
            why = "runs were in each other's way"
        else:
            why = 'part of a card was left empty' if card.residents else 'a card was empty'
        for what, share in (('our runs', ours), ('others', theirs), (why, left)):
            self.spent[what] = self.spent.get(what, 0.0) + passed * share

    def _speed_without_newcomers(self, card: Card, who: Resident) -> float:
        """How fast somebody would go without our runs that came later."""
        rest = [each for each in card.residents if not each.is_ours or each.began <= who.began]
        return self._speeds(rest)[rest.index(who)]

    def _speeds(self, residents: Sequence[Resident]) -> list[float]:
        return self._law.speeds([each.load for each in residents], [each.job.touchy for each in residents])

    def _settle(self, card: Card) -> None:
        """How fast those on a card go from now on, and when one of them is through with its phase."""
        card.changes += 1
        for each, speed in zip(card.residents, self._speeds(card.residents), strict=True):
            each.speed = speed
        card.due = min((self.now + max(0.0, each.left) / each.speed for each in card.residents), default=math.inf)

    def _change(self, card: Card) -> Iterator[Ended]:
        """Let those that are through with a phase begin the next one, or end."""
        self._progress(card)
        through = [each for each in card.residents if each.left <= NOTHING_LEFT]
        for who in through:
            end = self._next_phase(card, who)
            if end is not None:
                yield end
        self._settle(card)

    def _next_phase(self, card: Card, who: Resident) -> Ended | None:
        if who.phase + 1 == len(who.job.phases):
            return self._leave(card, Ended(who, self.now))
        phase = who.job.phases[who.phase + 1]
        if phase.memory - who.memory > card.free:
            return self._leave(card, Ended(who, self.now, phase.memory, card.free))
        who.phase += 1
        who.left = phase.seconds
        if is_noticeable(phase.memory, who.memory):
            who.grown, who.busy_before = self.now, who.busy
        who.memory, who.peak = phase.memory, max(who.peak, phase.memory)
        return None

    def _come(self, who: Resident) -> Ended | None:
        card = self.cards[who.card]
        self._progress(card)
        card.residents.append(who)
        if len(card.residents) > 1:
            for each in card.residents:
                each.was_alone = False
        end = self._next_phase(card, who)
        self._settle(card)
        return end

    def _leave(self, card: Card, end: Ended) -> Ended:
        card.residents.remove(end.who)
        if not end.who.is_ours:
            self._remember(card, end)
        return end

    # Others

    def _visit(self, visit: Visit) -> list[Ended]:
        """Let somebody else come, if there is a card for them."""
        number = self._chosen(visit)
        if number is None:
            again = Visit(visit.job, self.now + LOOKS_AGAIN_AFTER, visit.looks, visit.card)
            if any(card.total - RESERVED >= visit.job.peak for card in self._without_ours(visit)):
                self.neighbours.kept_waiting += LOOKS_AGAIN_AFTER / 3600
            self._visits = sorted([*self._visits, again], key=lambda each: each.at)
            return []
        self.neighbours.came += 1
        end = self._come(self._new(visit.job, number, is_ours=False))
        return [] if end is None else [end]

    def _chosen(self, visit: Visit) -> int | None:
        """The card with most room, as far as is to be seen, for one who looks."""
        if not visit.looks:
            return visit.card
        best = max(self.cards, key=lambda card: (-sum(each.load for each in card.residents) // 0.5, card.free))
        fitting = [card for card in (best, *self.cards) if card.free >= visit.job.peak]
        return fitting[0].number if fitting else None

    def _without_ours(self, visit: Visit) -> list[Card]:
        """The cards that would have room without our runs."""
        theirs = {card.number: sum(each.memory for each in card.residents if not each.is_ours) for card in self.cards}
        return [card for card in self.cards if card.total - RESERVED - theirs[card.number] >= visit.job.peak]

    def _remember(self, card: Card, end: Ended) -> None:
        """Count what somebody suffered who has gone."""
        who = end.who
        if end.lacked:
            ours = [each for each in card.residents if each.is_ours]
            newer = [each for each in ours if each.began > who.began]
            lacking = end.lacked - who.memory - end.free
            if sum(each.memory for each in newer) >= lacking:
                self.neighbours.denied += 1
            elif ours:
                self.neighbours.met += 1
        elif who.lost > SLOWED * who.job.seconds:
            self.neighbours.slowed += 1
