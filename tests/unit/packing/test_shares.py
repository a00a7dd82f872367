"""How the searches of one user share places, in stepped time."""

from __future__ import annotations

import random
from dataclasses import dataclass, field, replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hpsearch.model.usage.contender import TINY, Contender
from hpsearch.packing.shares import (
    GATHERS_FOR,
    LONGEST_NOTICE,
    MARGIN,
    PASSED_FOR,
    Offer,
    Turns,
    contending,
    fair_shares,
    goes_first,
    portion,
    served_at_entry,
)

EIGHT = frozenset('01234567')


def one(
    name: str,
    held: float = 0.0,
    wanted: float = 100.0,
    places: frozenset[str] = EIGHT,
    priority: float = 1.0,
    served: float = 0.0,
    notices_after: float = 0.0,
) -> Contender:
    return Contender(name, places, priority, held, wanted, 1.0, served, notices_after)


def offers(places: str) -> list[Offer]:
    return [Offer(frozenset(each), 1.0) for each in places]


def allowed(turns: Turns, now: float, me: Contender, others: list[Contender], places: str) -> str:
    """The places that may be taken."""
    kept = turns.kept_back(now, me, others, offers(places))
    return ''.join(place for place, rival in zip(places, kept, strict=True) if rival is None)


# What each is due


@pytest.mark.parametrize(
    ('contenders', 'shares'),
    [
        ([one('a')], [8]),
        ([one('a'), one('b')], [4, 4]),
        ([one('a', priority=3.0), one('b')], [6, 2]),
        ([one('a'), one('b', held=1, wanted=1)], [6, 2]),
        ([one('a'), one('b', held=1, wanted=0)], [7, 1]),
        ([one('a'), one('b', wanted=0)], [8, 0]),
        ([one('a', held=8), one('b')], [4, 4]),
        ([one('a'), one('b', places=frozenset('01'))], [6, 2]),
        ([one('a'), one('b'), one('c', wanted=1)], [3.5, 3.5, 1]),
    ],
)
def test_that_places_are_due_in_proportion_to_priorities_and_to_whom_has_use_for_them(
    contenders: list[Contender], shares: list[float]
) -> None:
    assert list(fair_shares(contenders).values()) == pytest.approx(shares)


def test_that_searches_without_a_common_place_do_not_contend() -> None:
    left, right = one('a', places=frozenset('01')), one('b', places=frozenset('23'))
    middle = one('c', places=frozenset('12'))
    assert contending(left, [right]) == []
    assert contending(left, [right, middle]) == [middle, right]
    assert contending(left, [right, replace(middle, wanted=0.0)]) == []


@pytest.mark.parametrize(
    ('memory', 'load', 'total', 'part'),
    [(6000, 0.1, 24000, 0.25), (6000, 0.5, 24000, 0.5), (None, 0.1, 24000, 1), (6000, 0.1, None, 1), (9e9, 9, 1, 1)],
)
def test_that_a_run_holds_what_it_needs_most_of(
    memory: float | None, load: float, total: float | None, part: float
) -> None:
    assert portion(memory, load, total) == part


# Who goes first


def test_that_a_search_alone_takes_everything() -> None:
    assert allowed(Turns(), 0.0, one('a', held=3), [], '34567') == '34567'


def test_that_two_searches_that_begin_together_take_half_each() -> None:
    assert allowed(Turns(), 0.0, one('a'), [one('b')], '01234567') == '0123'
    assert allowed(Turns(), 0.0, one('b'), [one('a')], '01234567') == '0123'
    assert allowed(Turns(), 0.0, one('b'), [one('a', held=4)], '4567') == '4567'


def test_that_a_search_with_more_than_its_share_leaves_places_to_one_that_has_less() -> None:
    rich, poor = one('a', held=7), one('b')
    assert allowed(Turns(), 0.0, rich, [poor], '7') == ''
    assert allowed(Turns(), 0.0, poor, [rich], '7') == '7'


def test_that_shares_that_nobody_wants_are_used() -> None:
    assert allowed(Turns(), 0.0, one('a', held=7), [one('b', wanted=0)], '7') == '7'
    assert allowed(Turns(), 0.0, one('a', held=5), [one('b', wanted=1)], '567') == '56', 'it wants one only'


def test_that_places_that_the_other_may_not_use_are_taken() -> None:
    poor = one('b', places=frozenset('01'))
    assert allowed(Turns(), 0.0, one('a', held=6), [poor], '17') == '7'


def test_that_a_place_that_is_not_taken_in_time_is_not_kept_for_longer_and_longer() -> None:
    turns, rich, poor = Turns(), one('a', held=7), one('b', notices_after=5.0)
    kept = [now for now in range(180) if not allowed(turns, now, rich, [poor], '7')]
    wait = round(5 + MARGIN)
    begins = [0]
    for lasts in (PASSED_FOR, 2 * PASSED_FOR, 4 * PASSED_FOR):
        begins.append(begins[-1] + wait + round(lasts))
    assert kept == [now for begin in begins for now in range(begin, begin + wait + 1)]


def test_that_a_search_that_has_taken_something_is_waited_for_again() -> None:
    turns, rich, poor = Turns(), one('a', held=6), one('b', notices_after=0.0)
    assert [allowed(turns, now, rich, [poor], '7') for now in range(5)] == ['', '', '', '', '7']
    assert allowed(turns, 5, rich, [replace(poor, held=1.0)], '7') == ''


def test_that_nobody_is_waited_for_longer_than_a_minute_whatever_is_said() -> None:
    turns, rich, poor = Turns(), one('a', held=7), one('b', notices_after=1e9)
    first = next(now for now in range(1000) if allowed(turns, now, rich, [poor], '7'))
    assert first <= LONGEST_NOTICE + MARGIN + 1


def test_that_places_are_gathered_for_a_search_whose_runs_need_several() -> None:
    turns, rich = Turns(), one('a', held=8)
    poor = replace(one('b', notices_after=5.0), unit=2.0)
    kept = [now for now in range(300) if not allowed(turns, now, rich, [poor], '7')]
    assert kept == [*range(300)]
    first = next(now for now in range(300, 320) if allowed(turns, now, rich, [poor], '67'))
    assert first == 300 + round(5 + MARGIN) + 1


def test_that_places_are_not_gathered_for_ever() -> None:
    turns, rich, poor = Turns(), one('a', held=8), replace(one('b'), unit=2.0)
    first = next(now for now in range(2000) if allowed(turns, now, rich, [poor], '7'))
    assert first == GATHERS_FOR + 1


def test_that_who_had_less_so_far_goes_first_for_the_last_place() -> None:
    had, new = one('a', places=frozenset('0'), served=100.0), one('b', places=frozenset('0'), served=50.0)
    assert allowed(Turns(), 0.0, had, [new], '0') == ''
    assert allowed(Turns(), 0.0, new, [had], '0') == '0'


def test_that_nobody_saves_up_a_claim_while_wanting_nothing() -> None:
    assert served_at_entry(3.0, [one('a', served=50.0), one('b', served=70.0), one('c', wanted=0)]) == 50.0
    assert served_at_entry(90.0, [one('a', served=50.0)]) == 90.0
    assert served_at_entry(3.0, []) == 3.0


# Any searches

numbers = st.floats(0, 20, allow_nan=False)
some_places = st.sets(st.sampled_from(sorted(EIGHT)), min_size=1).map(frozenset)
contender = st.builds(
    Contender,
    name=st.just(''),
    places=some_places,
    priority=st.floats(0.1, 10),
    held=numbers,
    wanted=numbers,
    unit=st.sampled_from([0.1, 0.5, 1.0, 2.0]),
    served=numbers,
)
several = st.lists(contender, min_size=2, max_size=5).map(
    lambda found: [replace(each, name=str(number)) for number, each in enumerate(found)]
)


@given(several)
def test_that_shares_add_up_to_no_more_than_there_is_and_none_exceeds_its_use(found: list[Contender]) -> None:
    shares = fair_shares(found)
    assert sum(shares.values()) <= len(frozenset[str]().union(*(each.places for each in found))) + 1e-6
    assert all(shares[each.name] <= each.demand + 1e-6 for each in found)
    assert fair_shares(found[::-1]) == pytest.approx(shares)


@given(several)
def test_that_no_two_wait_for_each_other_and_somebody_may_always_start(found: list[Contender]) -> None:
    shares = fair_shares(found)
    blocked = {each.name: [other.name for other in found if goes_first(other, each, shares)] for each in found}
    assert not [(a, b) for a in blocked for b in blocked[a] if a in blocked[b]]
    waiting = [each for each in found if each.wanted > TINY]
    assert not waiting or any(not blocked[each.name] for each in waiting)


# A host in stepped time


@dataclass
class Search:
    """A search with runs that all take as long.

    Attributes:
        notices: Seconds for which a place of others must be free before this search sees it as open.
        first: When it begins.
        runs: How many runs it has; it wants nothing after them.
    """

    name: str
    places: str
    seconds: int
    priority: float = 1.0
    notices: int = 5
    first: int = 0
    runs: int = 10**6
    can_start: bool = True
    served: float = 0.0
    longest_wait: int = 0
    turns: Turns = field(default_factory=Turns)
    running: dict[str, int] = field(default_factory=dict)
    total: int = 0
    waited: int = 0

    def contender(self, now: int) -> Contender:
        wanted = float(self.runs) if now >= self.first else 0.0
        held, notices = float(len(self.running)), float(self.notices)
        return Contender(self.name, frozenset(self.places), self.priority, held, wanted, 1.0, self.served, notices)


@dataclass
class Host:
    """A host on which searches start runs by turns."""

    searches: list[Search]
    random: random.Random
    freed: dict[str, tuple[int, str]] = field(default_factory=dict)
    idle: dict[str, int] = field(default_factory=dict)
    longest_idle: int = 0

    def step(self, now: int) -> None:
        for search in self.searches:
            self._end(search, now)
        for search in self.random.sample(self.searches, len(self.searches)):
            self._start(search, now)
        for search in self.searches:
            search.served += len(search.running) / search.priority
            search.total += len(search.running)
            search.waited = 0 if search.running or now < search.first or not search.runs else search.waited + 1
            search.longest_wait = max(search.longest_wait, search.waited)
        self._note_idle(now)

    def _end(self, search: Search, now: int) -> None:
        for place in [place for place, until in search.running.items() if until <= now]:
            del search.running[place]
            self.freed[place] = now, search.name

    def _start(self, search: Search, now: int) -> None:
        others = [each.contender(now) for each in self.searches if each is not search]
        me = search.contender(now)
        if now == search.first:
            search.served = served_at_entry(search.served, others)
            me = search.contender(now)
        seen = [place for place in search.places if now >= search.first and self._is_open(place, search, now)]
        seen = seen[: search.runs] if search.can_start else []
        kept = search.turns.kept_back(now, me, others, offers(''.join(seen)))
        for place, rival in zip(seen, kept, strict=True):
            if rival is None:
                search.running[place] = now + search.seconds
                search.runs -= 1

    def _is_open(self, place: str, search: Search, now: int) -> bool:
        if any(place in each.running for each in self.searches):
            return False
        since, by = self.freed.get(place, (-1000, ''))
        return by == search.name or now - since >= search.notices

    def _note_idle(self, now: int) -> None:
        for place in EIGHT:
            users = [each for each in self.searches if place in each.places and each.runs and now >= each.first]
            is_idle = any(each.can_start for each in users) and not any(place in each.running for each in self.searches)
            self.idle[place] = self.idle.get(place, 0) + 1 if is_idle else 0
            self.longest_idle = max(self.longest_idle, self.idle[place])


def simulated(searches: list[Search], seconds: int, seed: int = 0) -> Host:
    host = Host(searches, random.Random(seed))
    for now in range(seconds):
        host.step(now)
    return host


@pytest.mark.parametrize('places', ['0', '012', '01234567'])
@pytest.mark.parametrize('priority', [1.0, 3.0])
def test_that_what_two_searches_have_converges_to_their_shares(places: str, priority: float) -> None:
    a, b = Search('a', places, 40, priority=priority), Search('b', places, 70)
    simulated([a, b], 4000)
    assert a.total / (a.total + b.total) == pytest.approx(priority / (priority + 1), abs=0.04)


def test_that_a_search_that_comes_late_gets_its_share_and_no_more() -> None:
    a, b = Search('a', '01234567', 100), Search('b', '01234567', 100, first=1000)
    host = Host([a, b], random.Random(0))
    for now in range(1400):
        host.step(now)
        assert len(b.running) <= 4
    assert (len(a.running), len(b.running)) == (4, 4)


def test_that_shares_follow_a_change_of_priority() -> None:
    a, b = Search('a', '01234567', 30), Search('b', '01234567', 30)
    host = simulated([a, b], 500)
    a.priority = 3.0
    for now in range(500, 700):
        host.step(now)
    assert (len(a.running), len(b.running)) == (6, 2)


searches = st.lists(
    st.builds(
        Search,
        name=st.just(''),
        places=some_places.map(lambda found: ''.join(sorted(found))),
        seconds=st.integers(5, 60),
        priority=st.floats(0.2, 5),
        notices=st.integers(0, 10),
        first=st.integers(0, 100),
        runs=st.integers(1, 200),
        can_start=st.booleans(),
    ),
    min_size=2,
    max_size=4,
)


@settings(max_examples=20)
@given(searches, st.integers(0, 5))
def test_that_no_place_stays_empty_that_somebody_can_use(found: list[Search], seed: int) -> None:
    for number, each in enumerate(found):
        each.name = str(number)
    host = simulated(found, 250, seed)
    assert host.longest_idle <= 10 + (len(found) - 1) * (10 + MARGIN + 2)


@settings(max_examples=20)
@given(st.lists(st.floats(0.2, 5), min_size=2, max_size=4), st.integers(5, 30), st.integers(0, 5))
def test_that_nobody_waits_for_ever_on_one_gpu(priorities: list[float], seconds: int, seed: int) -> None:
    found = [Search(str(number), '0', seconds, priority) for number, priority in enumerate(priorities)]
    simulated(found, 1500, seed)
    turns = sum(max(1.0, priority / min(priorities)) + 1 for priority in priorities)
    assert max(each.longest_wait for each in found) <= turns * (seconds + 5 + MARGIN + 2)
