"""How often attempts are looked at, and what counts of what they share; the processes are made up."""

from __future__ import annotations

from collections.abc import Collection, Sequence

import pytest

from hpsearch.backends.local import measuring
from hpsearch.backends.local.measuring import LOOK_SHARE, PAGES_SHARE, HostWatch, Measuring
from hpsearch.backends.local.slots import FixedSlots
from hpsearch.host.processes import Reaped
from hpsearch.host.usage import HostUse
from hpsearch.model.resources import Slot
from hpsearch.model.usage.measured import Measured


class Host:
    """Processes that use what a test says, and what looking at them costs."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.uses: dict[int, HostUse] = {}
        self.once: int | None = None
        self.seconds = 0.0
        self.cost, self.cost_of_pages = 0.0, 0.0
        self.looks = self.looks_at_pages = 0
        monkeypatch.setattr(measuring, 'uses_of', self._uses_of)
        monkeypatch.setattr(measuring, 'shared_once', self._shared_once)
        self.watch = HostWatch(lambda: self.seconds)

    def _uses_of(self, leaders: Collection[int]) -> dict[int, HostUse]:
        self.looks += 1
        self.seconds += self.cost
        return {leader: use for leader, use in self.uses.items() if leader in leaders}

    def _shared_once(self, pids: Sequence[int]) -> int | None:
        self.looks_at_pages += 1
        self.seconds += self.cost_of_pages
        return self.once


@pytest.fixture
def host(monkeypatch: pytest.MonkeyPatch) -> Host:
    return Host(monkeypatch)


def test_that_the_processes_of_each_attempt_are_looked_at_together_once_a_second(host: Host) -> None:
    host.uses = {7: HostUse((7,), (100,), 1.0), 8: HostUse((8, 9), (50, 60), 2.0)}
    leaders = {7: 'a', 8: 'b', 10: 'gone'}
    assert host.watch.look(leaders, 0.0) == {'a': (100, 1.0), 'b': (110, 2.0)}
    assert host.watch.look(leaders, 0.5) == {}
    assert host.watch.look(leaders, 1.0) != {}
    assert host.looks == 2


def test_that_looks_are_rare_where_they_cost_much(host: Host) -> None:
    host.cost = 0.1
    for tenth in range(1000):
        host.watch.look({7: 'a'}, tenth / 10)
    assert host.looks * host.cost <= LOOK_SHARE * 100 + host.cost


def test_that_nothing_is_looked_at_where_nothing_runs(host: Host) -> None:
    assert host.watch.look({}, 0.0) == {}
    assert host.looks == 0


def test_that_what_workers_share_counts_once(host: Host) -> None:
    host.uses, host.once = {7: HostUse((7, 8, 9), (1000, 1000, 1000), 1.0)}, 1200
    assert host.watch.look({7: 'a'}, 0.0) == {'a': (1200, 1.0)}
    host.uses = {7: HostUse((7, 8, 9), (1500, 1500, 1500), 1.0)}
    assert host.watch.look({7: 'a'}, 1.0) == {'a': (1800, 1.0)}, 'as much of it as before is shared'
    assert host.looks_at_pages == 1


def test_that_memory_waits_until_it_is_known_what_is_shared(host: Host) -> None:
    host.uses, host.once, host.cost_of_pages = {7: HostUse((7, 8), (900, 900), 1.0)}, 900, 0.1
    host.watch.look({7: 'a'}, 0.0)
    host.uses[17] = HostUse((17, 18), (900, 900), 1.0)
    both = {7: 'a', 17: 'b'}
    assert host.watch.look(both, 1.0) == {'a': (900, 1.0), 'b': (None, 1.0)}
    assert host.watch.look(both, 0.1 / PAGES_SHARE) == {'a': (900, 1.0), 'b': (900, 1.0)}


def test_that_the_pages_of_one_attempt_are_looked_at_at_a_time(host: Host) -> None:
    host.uses, host.once = {pid: HostUse((pid, pid + 1), (900, 900), 1.0) for pid in (7, 17)}, 900
    both, pages = {7: 'a', 17: 'b'}, []
    for second in range(20):
        found = host.watch.look(both, float(second))
        pages.append(host.looks_at_pages)
        known = {ident: memory for ident, (memory, _) in found.items()}
        assert known == {'a': 900, 'b': None if second < 5 else 900}
    assert pages == [1] * 5 + [2] * 5 + [3] * 5 + [4] * 5


def test_that_each_attempt_is_looked_at_in_turn(host: Host) -> None:
    host.uses, host.once = {pid: HostUse((pid, pid + 1), (900, 900), 1.0) for pid in (7, 17)}, 900
    for second in (0, 5):
        host.watch.look({7: 'a', 17: 'b'}, float(second))
    host.once = 1200
    assert host.watch.look({7: 'a', 17: 'b'}, 10.0) == {'a': (1200, 1.0), 'b': (900, 1.0)}
    assert host.watch.look({7: 'a', 17: 'b'}, 15.0) == {'a': (1200, 1.0), 'b': (1200, 1.0)}


def test_that_all_counts_where_it_is_not_told_what_is_shared(host: Host) -> None:
    host.uses = {7: HostUse((7, 8), (900, 900), 1.0)}
    assert host.watch.look({7: 'a'}, 0.0) == {'a': (1800, 1.0)}


def test_that_what_an_attempt_has_used_so_far_is_known_while_it_runs_and_at_its_end(host: Host) -> None:
    slots = FixedSlots(2)
    measure = Measuring(slots, host.watch)
    slots.acquire('a', Slot(), 7, 0.0)
    host.uses = {7: HostUse((7,), (100,), 6.0)}
    measure.look({7: 'a'}, 4.0)
    assert measure.so_far('a') == Measured(host_memory=100, cpu=1.5, sharing=1.0)
    slots.acquire('b', Slot(), 8, 4.0)
    ended = measure.end('a', Reaped(0, cpu_seconds=16.0, largest=130), 8.0, None)
    assert ended == Measured(host_memory=130, cpu=2.0, sharing=1.5)


def test_that_an_end_that_was_seen_late_does_not_make_an_attempt_longer(host: Host) -> None:
    slots = FixedSlots(2)
    slots.acquire('a', Slot(), 7, 0.0)
    assert Measuring(slots, host.watch).end('a', Reaped(0, cpu_seconds=8.0), 1000.0, 4.0).cpu == 2.0
