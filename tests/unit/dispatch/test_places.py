"""Which nodes are avoided and for how long, in stepped time; and what a dispatcher makes of it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest

from hpsearch.backends.base import AttemptStatus, Avoided
from hpsearch.dispatch.context import WorkOptions
from hpsearch.dispatch.places import ANSWER_PATIENCE, AVOIDED_SECONDS, NodeWatch
from hpsearch.model.evidence import JobState
from hpsearch.model.states import Attempt, State
from tests.fakes.instant_backend import InstantBackend
from tests.fakes.scripted_queue import Clock
from tests.support.dispatching import Desk

FAILED = [Attempt(f'sim_{number}', 1, State.FAILED, seconds=1.0, node='n3') for number in range(6)]


def test_that_a_bad_node_is_avoided_for_a_while_and_longer_if_it_is_still_bad() -> None:
    watch = NodeWatch()
    found: dict[str, Sequence[Attempt]] = {'n3': FAILED[:3]}
    watch.step(found, 0.0)
    assert watch.avoided == {'n3'}
    found['n3'] = FAILED[:4]  # what was under way there
    watch.step(found, AVOIDED_SECONDS - 1)
    assert watch.avoided == {'n3'}
    watch.step(found, AVOIDED_SECONDS)
    assert not watch.avoided
    found['n3'] = FAILED[:5]
    watch.step(found, AVOIDED_SECONDS + 10)
    assert watch.avoided == {'n3'}
    watch.step(found, 3 * AVOIDED_SECONDS + 9)
    assert watch.avoided == {'n3'}
    watch.step(found, 3 * AVOIDED_SECONDS + 10)
    assert not watch.avoided


def test_that_a_node_that_is_bad_no_more_is_not_avoided() -> None:
    watch = NodeWatch()
    watch.step({'n3': FAILED[:3]}, 0.0)
    watch.take(Avoided(watch.avoided))
    assert watch.bad == {'n3'}
    watch.step({}, 1.0)
    assert not watch.avoided
    assert not watch.bad


def test_that_the_answer_of_a_queue_is_waited_for_and_not_for_ever() -> None:
    watch = NodeWatch()
    assert not watch.is_open(0.0)
    watch.step({'n3': FAILED[:3]}, 0.0)
    watch.take(Avoided())
    assert watch.is_open(ANSWER_PATIENCE - 1)
    assert not watch.is_open(ANSWER_PATIENCE)
    watch.take(Avoided(indispensable=frozenset({'n3'})))
    assert not watch.is_open(0.0)
    assert not watch.bad
    watch.take(Avoided(frozenset({'n3'})))
    assert not watch.is_open(0.0)
    assert watch.bad == {'n3'}


class Cluster(InstantBackend):
    """Runs fail at once on n3, which is always free; elsewhere they take long, and finish.

    Attributes:
        asked: The nodes it was asked to avoid last.
        is_alone: Whether n3 is all there is.
        fails: Whether they fail everywhere.
    """

    def __init__(self, clock: Clock, *, is_alone: bool = False, fails: bool = False) -> None:
        super().__init__(clock, slots=4, rounds_at_most=200)
        self.asked: frozenset[str] = frozenset()
        self.is_alone = is_alone
        self.fails = fails
        self._others = 0

    def avoid(self, nodes: frozenset[str], now: float) -> Avoided:
        self.asked = nodes
        return Avoided(frozenset(), nodes) if self.is_alone else Avoided(nodes)

    def states(self, now: float) -> Mapping[str, AttemptStatus]:
        idents, told = list(self._held), {}
        for place, ident in enumerate(idents):
            if self.is_alone or (place == len(idents) - 1 and 'n3' not in self.asked):
                told[ident] = AttemptStatus(JobState.ENDED, 1, seconds=1.0, node='n3')
            elif self.fails:
                told[ident] = AttemptStatus(JobState.ENDED, 1, seconds=1.0, node=f'n{place % 2 + 1}')
            else:
                self._others += 1
                if self._others % 7 == 0:
                    told[ident] = AttemptStatus(JobState.ENDED, 0, seconds=3600.0, node='n1')
        for ident in told:
            del self._held[ident]
        return told


def worked(path: Path, count: int = 40, **cluster: Any) -> tuple[Desk, Any]:
    """A search on such a cluster, and how it ended."""
    desk = Desk(path, count, WorkOptions(in_queue=True, fail_fast=5))
    return desk, desk.dispatcher(Cluster(desk.clock, **cluster)).run()


def test_that_one_bad_node_fails_no_run_and_does_not_stop_the_search(tmp_path: Path) -> None:
    desk, outcome = worked(tmp_path)
    assert not outcome.failed_fast
    assert {history.state for history in desk.state.runs.values()} == {State.FINISHED}
    on_n3 = [event for event in desk.events('ended') if event['node'] == 'n3']
    assert 3 <= len(on_n3) <= 6
    assert len(desk.state.runs) == 40


@pytest.mark.parametrize('cluster', [{'fails': True}, {'is_alone': True}])
def test_that_runs_that_fail_on_all_nodes_there_are_stop_the_search(tmp_path: Path, cluster: dict[str, bool]) -> None:
    desk, outcome = worked(tmp_path, **cluster)
    assert outcome.failed_fast
    assert len(desk.events('ended')) < 20
