"""Places in which runs fail while they do not elsewhere, and what becomes of what failed there."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import pytest

from hpsearch.model.evidence import JobRecord, JobState
from hpsearch.model.history.attempt import Attempt
from hpsearch.model.history.places import place_in_words
from hpsearch.model.history.search_state import SearchState
from hpsearch.model.retries import (
    AVOIDED_SECONDS,
    LONGEST_AVOIDED,
    SECONDS_OF_A_BAD_PLACE,
    RetryPolicy,
    again,
    avoided_until,
    bad_places,
    failed_there,
    running_ages,
    since_bad,
    why_avoided,
)
from hpsearch.model.states import State

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
    assert set(bad_places(ended(ends), dict.fromkeys(running.split(), math.inf))) == set(bad.split())


def test_that_runs_that_fail_alike_on_a_node_that_is_well_do_not_count() -> None:
    """Values that diverge at once, say: three of them in a row on one node are chance."""
    failed = [replace(each, failure='loss is nan') for each in ended('a@n1:x b@n3:x c@n3:x d@n3:x')]
    well = ended('n1:f')
    assert not bad_places([*failed, *well])
    no_python = [replace(each, failure='python3: not found') for each in ended('n3:x n3:x n3:x')]
    assert list(bad_places([*failed, *no_python, *well])) == ['n3']
    assert list(bad_places([*failed, *no_python[:2], *well])) == []


def test_that_a_node_without_others_is_bad_where_the_queue_can_be_asked_for_others() -> None:
    alone = ended('n3:x n3:x n3:x')
    assert list(bad_places(alone, even_alone=True)) == ['n3']
    assert not bad_places([*alone, *ended('n1:x')], even_alone=True), 'another one is known, and is not well'


def test_that_two_are_enough_where_that_was_asked_for() -> None:
    assert list(bad_places(ended('n3:x n3:x n1:f'), in_a_row=2)) == ['n3']


@pytest.mark.parametrize(
    ('change', 'is_at_once'),
    [
        ({}, True),
        ({'state': State.LOST, 'cause': 'lost'}, True),
        ({'seconds': SECONDS_OF_A_BAD_PLACE + 1}, False),
        ({'seconds': None}, False),
        ({'node': ''}, False),
        ({'cause': 'timeout'}, False),
        ({'cause': 'gpu_oom'}, False),
        ({'state': State.INTERRUPTED, 'cause': 'preempted'}, False),
        ({'state': State.FINISHED}, False),
    ],
)
def test_that_only_failures_within_seconds_on_a_known_node_count(change: dict[str, object], is_at_once: bool) -> None:
    assert failed_there(replace(attempt('a', 'n3', 'x'), **change)) is is_at_once  # type: ignore[arg-type]


# GPUs

ECC = 'RuntimeError: CUDA error: uncorrectable ECC error encountered'
WELL = {'GPU 0 on w': 60.0}


def on_gpus(gpus: str, end: str = 'x', *, run: str = 'a', failure: str = '', seconds: float = 1.0) -> Attempt:
    """An attempt on GPUs of this machine, e.g. ``01``."""
    cause = {'l': 'lost', 'i': 'stop'}.get(end, 'exit')
    return Attempt(
        run, 1, ENDS[end], 'w', cause=cause, seconds=seconds, gpus=tuple(gpus), failure=failure, reason='status 1',
        claimed_at=1000.0,
    )  # fmt: skip


def on_gpu(gpu: str, ends: str, **facts: Any) -> list[Attempt]:
    """Attempts of different runs on one GPU."""
    return [on_gpus(gpu, end, run=f'{gpu}_{number}', **facts) for number, end in enumerate(ends)]


def bad_gpus(ended: Sequence[Attempt], running: Mapping[str, float] | None = None) -> list[str]:
    """Their names."""
    return [place.split()[1] for place in bad_places(ended, running)]


def test_that_a_gpu_is_bad_on_which_runs_fail_at_once_while_they_do_not_on_another() -> None:
    assert bad_gpus([*on_gpu('1', 'xxx'), *on_gpu('0', 'f')]) == ['1']
    assert bad_gpus(on_gpu('1', 'xxx'), WELL) == ['1']
    assert bad_gpus(on_gpu('1', 'xxx')) == [], 'there is only one'
    assert bad_gpus([*on_gpu('1', 'xxx'), *on_gpu('0', 'xxx')]) == [], 'the script is to blame'
    assert bad_gpus(on_gpu('1', 'xxxf'), WELL) == [], 'it is well again'


@pytest.mark.parametrize(('age', 'is_bad'), [(0.1, False), (2.0, False), (2.1, True)])
def test_that_a_run_shows_a_gpu_to_be_well_that_has_run_well_beyond_those_that_failed(age: float, is_bad: bool) -> None:
    assert bool(bad_gpus(on_gpu('1', 'xxx'), {'GPU 0 on w': age})) is is_bad


def test_that_what_was_well_beside_a_bad_gpu_stays_so_when_more_fails_there() -> None:
    slower = on_gpus('1', run='slower', seconds=9.0)
    assert bad_gpus([*on_gpu('1', 'xxx'), slower], {'GPU 0 on w': 2.1}) == ['1']


def test_that_a_stopped_run_shows_it_too_if_it_had_run_for_long_enough() -> None:
    """So a search that is resumed knows what the one before it knew."""
    failed = on_gpu('1', 'xxx')
    assert bad_gpus([*failed, on_gpus('0', 'i', seconds=60.0)]) == ['1']
    assert bad_gpus([*failed, on_gpus('0', 'i', seconds=1.5)]) == []


def test_that_a_run_that_was_stopped_because_of_its_metrics_shows_it_however_short_it_was() -> None:
    stopped = replace(on_gpus('0', seconds=1.0), state=State.STOPPED, cause='pruned')
    assert bad_gpus([*on_gpu('1', 'xxx'), stopped]) == ['1']


@pytest.mark.parametrize('failure', [ECC, 'Xid (PCI:#:#:#): #'])
def test_that_one_run_is_enough_that_names_a_broken_gpu(failure: str) -> None:
    assert bad_gpus(on_gpu('1', 'x', failure=failure), WELL) == ['1']
    assert bad_gpus(on_gpu('1', 'x', failure=failure, seconds=9999.0), WELL) == ['1'], 'however late'
    assert bad_gpus([replace(each, reason=f'status 1: {failure}') for each in on_gpu('1', 'x')], WELL) == ['1']
    assert bad_gpus(on_gpu('1', 'x', failure='status 1'), WELL) == []
    assert bad_gpus(on_gpu('1', 'x', failure=failure)) == [], 'there is only one'
    assert not bad_places([replace(attempt('a', 'n3', 'x'), gpus=('0',), failure=failure), *ended('n1:f')])


def test_that_two_gpus_may_break_in_the_same_way() -> None:
    """What fails like something on a GPU that is well is chance; an ECC error is not."""
    before = [*on_gpu('0', 'x', failure=ECC), *on_gpu('0', 'f')]
    assert bad_gpus([*before, *on_gpu('1', 'xxx', failure=ECC)]) == ['1']
    before = [*on_gpu('0', 'x', failure='loss is nan'), *on_gpu('0', 'f')]
    assert bad_gpus([*before, *on_gpu('1', 'xxx', failure='loss is nan')]) == []


def test_that_of_several_gpus_of_a_run_those_are_bad_that_are_well_nowhere_else() -> None:
    failed = [on_gpus('01', run=f'sim_{number}') for number in range(3)]
    assert bad_gpus([*failed, on_gpus('23', 'f')]) == ['0', '1'], 'any of them may be to blame'
    assert bad_gpus([*failed, on_gpus('02', 'f')]) == ['1'], 'it is not the one that is well beside another'
    assert bad_gpus(failed) == []


def test_that_gpus_of_the_same_number_are_told_apart_by_their_hosts() -> None:
    elsewhere = replace(on_gpus('1', 'f'), owner='20260101-000000_ws2_17_ab12')
    failed = [replace(each, owner='20260101-000000_ws1_17_ab12') for each in on_gpu('1', 'xxx')]
    assert list(bad_places([*failed, elsewhere])) == ['GPU 1 on ws1']


def test_that_what_never_used_the_gpu_says_nothing_about_it() -> None:
    never = replace(on_gpus('1'), cause='start', seconds=0.0)
    assert bad_gpus([*on_gpu('1', 'xx'), never, *on_gpu('1', 'x')], WELL) == ['1']


def test_that_the_longest_run_of_a_place_counts_and_a_wait_in_a_queue_does_not() -> None:
    old, new = on_gpus('0', 'f'), replace(on_gpus('0', 'f'), claimed_at=1050.0)
    assert running_ages([new, old], 1060.0) == {'GPU 0 on w': 60.0}
    in_queue = Attempt('a', 1, node='n1', claimed_at=0.0, handle={'submission': 's', 'index': 1})
    assert running_ages([in_queue], 1060.0) == {'n1': math.inf}


# GPUs of a job


def in_job(gpu: str, ends: str, node: str = 'n3', writer: str = 'w', **facts: Any) -> list[Attempt]:
    """Attempts on a GPU of a job that a writer is in."""
    facts = {'gpus': (gpu,), 'owner': writer, 'claimed_at': 1000.0, **facts}
    return [replace(attempt(f'{writer}{gpu}_{number}', node, end), **facts) for number, end in enumerate(ends)]


def test_that_one_gpu_of_a_job_is_to_blame_and_not_its_node() -> None:
    ends = [*in_job('1', 'xxx'), *in_job('0', 'f'), *ended('n1:f'), *in_job('1', 'xxx')]
    assert list(bad_places(ends)) == ['GPU 1 on n3, w']
    running = running_ages(in_job('0', 's'), 2000.0)
    assert list(bad_places([*in_job('1', 'xxx'), *ended('n1:f')], running)) == ['GPU 1 on n3, w']


def test_that_a_node_is_to_blame_where_no_gpu_of_the_job_is_well() -> None:
    ends = [*in_job('1', 'xxx'), *in_job('0', 'xxx'), *ended('n1:f')]
    assert list(bad_places(ends)) == ['n3']


def test_that_the_gpus_of_other_jobs_say_nothing_about_those_of_a_job() -> None:
    ends = [*in_job('1', 'xxx', failure=ECC), *in_job('1', 'f', writer='v'), *in_job('0', 'f', writer='v')]
    assert not bad_places(ends)


def test_that_one_end_does_not_condemn_a_node() -> None:
    assert not bad_places([*in_job('1', 'x', failure=ECC), *ended('n1:f')])


def test_that_a_gpu_of_a_job_is_named_with_its_node() -> None:
    place = 'GPU 1 on n3, w'
    assert place_in_words(place) == 'GPU 1 on n3'
    policy = RetryPolicy(bad_places=frozenset({place}))
    assert again(in_job('1', 'x'), policy) == 'failed on GPU 1 on n3, while others did not elsewhere (status 1)'


# Until when


@pytest.mark.parametrize(
    ('failed', 'until'),
    [
        ([0.0], AVOIDED_SECONDS),
        ([0.0, 5.0, AVOIDED_SECONDS - 1], AVOIDED_SECONDS),  # what was under way
        ([0.0, AVOIDED_SECONDS], 3 * AVOIDED_SECONDS),
        ([0.0, 1e6, 2e6, 3e6, 4e6, 5e6, 6e6], 6e6 + LONGEST_AVOIDED),
    ],
)
def test_that_a_place_is_avoided_for_twice_as_long_after_each_try(failed: list[float], until: float) -> None:
    assert avoided_until(failed) == until


def test_that_this_counts_from_the_run_on_that_made_the_place_bad() -> None:
    failed = on_gpu('1', 'xxxx')
    assert since_bad('GPU 1 on w', failed[:3]) == failed[2:3]
    assert since_bad('GPU 1 on w', failed) == failed[2:]
    broken = on_gpu('1', 'xx', failure=ECC)
    assert since_bad('GPU 1 on w', broken) == broken
    assert failed[0].ended_at == 1001.0


def test_that_the_reason_says_how_many_failed_and_how() -> None:
    failed = on_gpu('1', 'xxx')
    assert why_avoided(failed) == 'the last 3 runs there failed (status 1), and others elsewhere did not'
    assert why_avoided(failed[:1]).startswith('the last run there failed')


# Another attempt

BAD = RetryPolicy(bad_places=frozenset({'n3'}))


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


def test_that_what_a_bad_gpu_failed_is_run_elsewhere_and_not_for_ever() -> None:
    policy = RetryPolicy(bad_places=frozenset({'GPU 1 on w'}), max_attempts=3)
    assert again([on_gpus('01')], policy), 'it was one of its GPUs'
    assert again([on_gpus('1'), on_gpus('1')], policy)
    assert not again([on_gpus('1'), on_gpus('1'), on_gpus('1')], policy)
    assert not again([on_gpus('0')], policy)
    assert again([on_gpus('1', failure=ECC, seconds=3600.0)], policy)
    assert not again([on_gpus('1', seconds=3600.0)], policy)


def test_that_the_reason_names_the_node() -> None:
    assert again(tried('n3:x'), BAD) == 'failed on n3, while others did not elsewhere (status 1)'


# Where that is known from


def test_that_the_journal_has_the_nodes_of_attempts_that_run_and_that_ended() -> None:
    state = SearchState()
    for run in ('a', 'b'):
        state.fold('w', {'event': 'claimed', 'run': run, 'attempt': 1})
        state.fold('w', {'event': 'running', 'run': run, 'attempt': 1, 'node': 'n1'})
    assert [each.run for each in state.running_in_places.values()] == ['a', 'b']
    end = {'event': 'ended', 'run': 'a', 'attempt': 1, 'state': 'failed', 'seconds': 1.0, 'node': 'n2'}
    state.fold('w', end)
    state.fold('other', end)
    assert [(each.run, each.node) for each in state.ended_in_places] == [('a', 'n2')], 'once'
    assert [each.run for each in state.running_in_places.values()] == ['b']


def test_that_the_journal_has_the_gpus_of_attempts_that_run_and_that_ended() -> None:
    state, writer = SearchState(), '20260101-000000_ws1_17_ab12'
    state.fold(writer, {'event': 'claimed', 'run': 'a', 'attempt': 1, 'gpus': ['0', '3'], 'at': 5.0})
    state.fold(writer, {'event': 'running', 'run': 'a', 'attempt': 1})
    (running,) = state.running_in_places.values()
    assert running.places == ('GPU 0 on ws1', 'GPU 3 on ws1')
    state.fold(writer, {'event': 'ended', 'run': 'a', 'attempt': 1, 'state': 'failed', 'seconds': 1.0})
    assert [each.ended_at for each in state.ended_in_places] == [6.0]
    assert not state.running_in_places


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
