"""Which searches of this user are at work on this host, as each of them tells the others in a folder that all share.

Only files of this user count: somebody else's neither take part in nor change how the searches of a user share.
"""

from __future__ import annotations

import hashlib
import json
import math
import os
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

from hpsearch.host.kernel import this_host
from hpsearch.host.processes import presence, start_ticks
from hpsearch.host.shared_folder import SharedFile, SharedFolder, facts_in
from hpsearch.model.evidence import ProcessState
from hpsearch.model.usage.contender import Contender

SILENT_AFTER = 30.0
"""Seconds without a sign of life after which a search does not count: its process is suspended, say."""

BEAT_INTERVAL = 5.0
"""Seconds between two signs of life."""

LONGEST_NAME = 200
"""Characters of what people read of a search."""

_PREFIX = 'search-'


class SearchesHere:
    """The other searches of this user on this host, and ours for them.

    Args:
        folder: Where they tell of each other.
        clock: Monotonic seconds, of the clock that all processes of this host have.
    """

    def __init__(self, folder: SharedFolder, clock: Callable[[], float] = time.monotonic) -> None:
        self._folder = folder
        self._clock = clock
        self._host = this_host()
        self._ticks = start_ticks(os.getpid())
        self._name = ''
        self._told: Contender | None = None
        self._told_at = -math.inf

    def tell(self, ours: Contender) -> None:
        """Tell the others how we stand, if that has changed or was long ago."""
        now = self._clock()
        is_known = self._told is not None and _without_time(self._told) == _without_time(ours)
        if is_known and 0 <= now - self._told_at < BEAT_INTERVAL:
            return
        self._told, self._told_at = ours, now
        if self._name:
            self._folder.replace(self._name, json.dumps(self._facts(ours, now)))
        else:
            self._name = self._folder.add(_PREFIX, json.dumps(self._facts(ours, now)))

    def _facts(self, ours: Contender, now: float) -> dict[str, Any]:
        return {
            'search': ours.name,
            'who': ours.who[:LONGEST_NAME],
            'places': sorted(ours.places),
            **{name: float(getattr(ours, name)) for name in _NUMBERS},
            'pid': os.getpid(),
            'ticks': self._ticks,
            'boot': self._host.boot,
            'namespace': self._host.namespace,
            'at': now,
        }

    def others(self, ours: str) -> Sequence[Contender]:
        """The other searches of this user that are at work here; files of those that are not are removed.

        Args:
            ours: The name of this one, whose other processes are none.
        """
        files = [file for file in self._folder.files(_PREFIX) if file.is_ours and file.name != self._name]
        told = [(file, parse_search(file.text)) for file in files]
        self._folder.remove([file.name for file, facts in told if self._is_gone(file, facts)])
        living = [facts for file, facts in told if facts and not self._is_gone(file, facts) and self._is_awake(facts)]
        return merged(self._contender(facts) for facts in living if facts['search'] != ours)

    def _is_gone(self, file: SharedFile, facts: Mapping[str, Any] | None) -> bool:
        if facts is None:
            return time.time() - file.modified > SILENT_AFTER
        is_here = facts['namespace'] == self._host.namespace
        is_dead = is_here and presence(facts['pid'], facts['ticks']) is ProcessState.GONE
        return is_dead or bool(facts['boot'] != self._host.boot)

    def _is_awake(self, facts: Mapping[str, Any]) -> bool:
        age: float = self._clock() - facts['at']
        return 0 <= age < SILENT_AFTER

    def _contender(self, facts: Mapping[str, Any]) -> Contender:
        """How a search stands now, if it has held since what it held then."""
        since = self._clock() - facts['at']
        served = facts['served'] + facts['held'] * since / facts['priority']
        numbers = {**{name: facts[name] for name in _NUMBERS}, 'served': served}
        return Contender(facts['search'], frozenset(facts['places']), who=facts['who'], **numbers)

    def close(self) -> None:
        """This process does not work on its search any more."""
        if self._name:
            self._folder.remove([self._name])
            self._name = ''


def place_name(identity: str) -> str:
    """A place as files name it, in few letters, so that many fit."""
    return hashlib.sha256(os.fsencode(identity)).hexdigest()[:10]


def merged(contenders: Iterable[Contender]) -> list[Contender]:
    """Several processes of one search as one; each tells what all of them hold on this host."""
    found: dict[str, Contender] = {}
    for each in contenders:
        known = found.get(each.name, each)
        most = {name: max(getattr(known, name), getattr(each, name)) for name in _NUMBERS}
        found[each.name] = Contender(each.name, known.places | each.places, who=known.who, **most)
    return list(found.values())


def _without_time(contender: Contender) -> tuple[Any, ...]:
    """What others have to know at once: not by how much what it has held has grown, or how many runs wait."""
    return contender.places, contender.priority, round(contender.held, 3), contender.wanted > 0, contender.notices_after


# The file of a search

_NUMBERS = ('priority', 'held', 'wanted', 'unit', 'served', 'notices_after')
_KINDS: Mapping[str, type] = {
    **{'search': str, 'who': str, 'places': list, 'pid': int, 'ticks': str, 'boot': str, 'namespace': str, 'at': float},
    **dict.fromkeys(_NUMBERS, float),
}


def parse_search(text: bytes) -> Mapping[str, Any] | None:
    """What the file of a search says; None: it is nothing that hpsearch writes."""
    said = facts_in(text, _KINDS)
    if said is None:
        return None
    numbers = [said[name] for name in (*_NUMBERS, 'at')]
    is_sound = all(0 <= number < math.inf for number in numbers) and said['priority'] > 0 and said['unit'] > 0
    return said if is_sound and all(isinstance(place, str) for place in said['places']) else None
