"""Nodes on which runs fail at once while others do not, and what becomes of what failed there."""

from __future__ import annotations

from dataclasses import replace

import pytest

from hpsearch.model.evidence import JobRecord, JobState
from hpsearch.model.retries import SECONDS_OF_A_BAD_NODE, RetryPolicy, again, bad_nodes, failed_at_once
from hpsearch.model.states import Attempt, SearchState, State

ENDS = {'x': State.FAILED, 'l': State.LOST, 'f': State.FINISHED, 'i': State.INTERRUPTED, 's': State.FAILED}
"""Letter to end: ``s`` is a failure after an hour."""


def attempt(run: str, node: str, end: str, number: int = 1) -> Attempt:
    seconds = 3600.0 if end in 'sf' else 1.0
    cause = {'l': 'lost', 'i': 'stop'}.get(end, 'exit')
    return Attempt(run, number, ENDS[end], cause=cause, seconds=seconds, node=node, reason='status 1')


def ended(text: str) -> list[Attempt]:
    """E.g. ``n3:x n1:f a@n2:x``: node and end of each attempt, with its run where that matters."""
    found = []
    for number, word in enumerate(text.split()):
        where, _, end = word.partition(':')
        run, _, node = where.rpartition('@')
        found.append(attempt(run or f'sim_{number}', node, end))
    return found


@pytest.mark.parametrize(
    ('ends', 'running', 'bad'),
    [
        ('n3:x n3:x n3:x n1:f', '', 'n3'),
        ('n3:x n3:x n3:x', 'n1', 'n3'),  # others have not failed yet
        ('n3:x n3:x n3:x', 'n3', ''),  # nothing is known of others
        ('n3:x n3:x n1:f', '', ''),
        ('n3:x n3:x n3:f n3:x n1:f', '', ''),
        ('n3:f n3:x n3:x n3:x n1:f', '', 'n3'),  # it was well once
        ('n3:l n3:x n3:l n1:f', '', 'n3'),
        ('n3:x n3:x n3:i n3:x n1:f', '', 'n3'),  # a stop says nothing
        ('n3:s n3:s n3:s n1:f', '', ''),  # not within seconds
        ('n3:x n3:x n3:x n1:x n1:x n1:x', '', ''),  # the runs are to blame
        ('n3:x n3:x n3:x n1:x n1:x n1:x', 'n3 n1', ''),
        ('n3:x n3:x n3:x n1:x', '', ''),
        ('n3:x n3:x n3:x n4:x n4:x n4:x n1:f', '', 'n3 n4'),
        ('n3:x n3:x n3:x n1:s', '', 'n3'),
        ('a@n3:x b@n3:x c@n3:x n1:f a@n1:x n1:f', '', ''),  # one of them fails elsewhere, too
        ('a@n3:x b@n3:x c@n3:x d@n3:x n1:f a@n1:x n1:f', '', 'n3'),
        ('', 'n1 n2', ''),
    ],
)
def test_that_a_node_is_bad_on_which_the_last_runs_failed_at_once_while_another_is_well(
    ends: str, running: str, bad: str
) -> None:
    assert set(bad_nodes(ended(ends), running.split())) == set(bad.split())


def test_that_runs_that_fail_alike_on_a_node_that_is_well_do_not_count() -> None:
    """Values that diverge at once, say: three of them in a row on one node are chance."""
    failed = [replace(each, failure='loss is nan') for each in ended('a@n1:x b@n3:x c@n3:x d@n3:x')]
    well = ended('n1:f')
    assert not bad_nodes([*failed, *well])
    no_python = [replace(each, failure='python3: not found') for each in ended('n3:x n3:x n3:x')]
    assert list(bad_nodes([*failed, *no_python, *well])) == ['n3']
    assert list(bad_nodes([*failed, *no_python[:2], *well])) == []


def test_that_a_node_without_others_is_bad_where_the_queue_can_be_asked_for_others() -> None:
    alone = ended('n3:x n3:x n3:x')
    assert list(bad_nodes(alone, even_alone=True)) == ['n3']
    assert not bad_nodes([*alone, *ended('n1:x')], even_alone=True), 'another one is known, and is not well'


def test_that_two_are_enough_where_that_was_asked_for() -> None:
    assert list(bad_nodes(ended('n3:x n3:x n1:f'), in_a_row=2)) == ['n3']


@pytest.mark.parametrize(
    ('change', 'is_at_once'),
    [
        ({}, True),
        ({'state': State.LOST, 'cause': 'lost'}, True),
        ({'seconds': SECONDS_OF_A_BAD_NODE + 1}, False),
        ({'seconds': None}, False),
        ({'node': ''}, False),
        ({'cause': 'timeout'}, False),
        ({'cause': 'gpu_oom'}, False),
        ({'state': State.INTERRUPTED, 'cause': 'preempted'}, False),
        ({'state': State.FINISHED}, False),
    ],
)
def test_that_only_failures_within_seconds_on_a_known_node_count(change: dict[str, object], is_at_once: bool) -> None:
    assert failed_at_once(replace(attempt('a', 'n3', 'x'), **change)) is is_at_once  # type: ignore[arg-type]


# Another attempt

BAD = RetryPolicy(bad_nodes=frozenset({'n3'}))


def tried(text: str) -> list[Attempt]:
    """The attempts of one run."""
    words = (word.split(':') for word in text.split())
    return [attempt('a', node, end, number) for number, (node, end) in enumerate(words, 1)]


@pytest.mark.parametrize(
    ('attempts', 'policy', 'is_run_again'),
    [
        ('n3:x', BAD, True),
        ('n3:x', RetryPolicy(), False),
        ('n1:x', BAD, False),
        ('n3:s', BAD, False),
        ('n3:x n3:x', BAD, True),
        ('n3:x n3:x n3:x', BAD, False),  # bounded
        ('n3:x n1:x', BAD, False),
        ('n3:x n1:x', replace(BAD, retries=1), True),  # what the node failed does not count
        ('n3:x n1:x n1:x', replace(BAD, retries=1), False),
        ('n3:l n3:l n1:l', BAD, True),
        ('n3:l n1:l n1:l n1:l', BAD, False),
        ('n3:x n1:f', BAD, False),
    ],
)
def test_that_what_a_bad_node_failed_is_run_elsewhere_and_not_for_ever(
    attempts: str, policy: RetryPolicy, is_run_again: bool
) -> None:
    assert bool(again(tried(attempts), policy)) is is_run_again


def test_that_the_reason_names_the_node() -> None:
    assert again(tried('n3:x'), BAD) == 'failed on n3, as other runs did (status 1)'


# Where that is known from


def test_that_the_journal_has_the_nodes_of_attempts_that_run_and_that_ended() -> None:
    state = SearchState()
    for run in ('a', 'b'):
        state.fold('w', {'event': 'claimed', 'run': run, 'attempt': 1})
        state.fold('w', {'event': 'running', 'run': run, 'attempt': 1, 'node': 'n1'})
    assert [each.run for each in state.running_on_nodes.values()] == ['a', 'b']
    end = {'event': 'ended', 'run': 'a', 'attempt': 1, 'state': 'failed', 'seconds': 1.0, 'node': 'n2'}
    state.fold('w', end)
    state.fold('other', end)
    assert [(each.run, each.node) for each in state.ended_on_nodes] == [('a', 'n2')], 'once'
    assert [each.run for each in state.running_on_nodes.values()] == ['b']


@pytest.mark.parametrize(
    ('where', 'node'),
    [
        ('n3', 'n3'),
        ('', ''),
        ('n[1-2]', ''),
        ('n1,n2', ''),
        ('2*hosta', 'hosta'),
        ('hosta:hosta', 'hosta'),
        ('a:b', ''),
        ('-x', ''),
        ("n3'", ''),
    ],
)
def test_that_a_record_names_the_node_where_it_is_one(where: str, node: str) -> None:
    assert JobRecord('1', 1, 'x', JobState.RUNNING, where=where).node == node
