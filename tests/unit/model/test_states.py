"""The life of a run, and the fold of events."""

from __future__ import annotations

import random
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hpsearch.model.errors import IllegalMove
from hpsearch.model.history.search_state import SearchState
from hpsearch.model.states import END_ORDER, TRANSITIONS, State


def event(kind: str, run: str = 'sim_1', attempt: int = 1, **facts: Any) -> dict[str, Any]:
    return {'event': kind, 'run': run, 'attempt': attempt, **facts}


def folded(*events: tuple[str, dict[str, Any]]) -> SearchState:
    state = SearchState()
    for writer, one in events:
        state.fold(writer, one)
    return state


def test_that_a_run_without_events_is_planned() -> None:
    assert SearchState().state_of('sim_1') is State.PLANNED


def test_that_a_run_goes_through_its_states() -> None:
    state = SearchState()
    seen = []
    for one in (event('claimed'), event('submitted'), event('running'), event('ended', state='finished')):
        state.fold('w', one)
        seen.append(str(state.state_of('sim_1')))
    assert seen == ['claimed', 'submitted', 'running', 'finished']


def test_that_a_submission_tells_each_of_its_attempts_where_it_is() -> None:
    attempts = [['sim_1', 1], ['sim_2', 3]]
    submitting = {'event': 'submitting', 'queue': 'slurm', 'submission': 'hps-a', 'attempts': attempts, 'throttle': 2}
    state = folded(
        ('w', event('claimed')),
        ('w', event('claimed', 'sim_2', 3)),
        ('w', submitting),
        ('w', {'event': 'accepted', 'submission': 'hps-a', 'job': '77'}),
    )
    handles = [state.runs[run].by_number[number].handle for run, number in (('sim_1', 1), ('sim_2', 3))]
    assert handles == [{'queue': 'slurm', 'submission': 'hps-a', 'index': index} for index in (1, 2)]
    assert (state.submissions['hps-a'].job, state.submissions['hps-a'].writer) == ('77', 'w')
    assert state.state_of('sim_1') is State.CLAIMED


def test_that_an_attempt_that_is_adopted_in_a_queue_goes_on_waiting_there() -> None:
    state = folded(
        ('w', event('claimed')), ('w', event('submitted')), ('x', event('adopted', generation=1, queued=True))
    )
    assert (state.state_of('sim_1'), state.runs['sim_1'].by_number[1].owner) == (State.SUBMITTED, 'x')
    state.fold('x', event('running'))
    assert state.state_of('sim_1') is State.RUNNING


@pytest.mark.parametrize('later', ['claimed', 'submitted', 'running'])
def test_that_an_ended_attempt_cannot_move_on(later: str) -> None:
    state = folded(('w', event('claimed')), ('w', event('running')), ('w', event('ended', state='failed')))
    with pytest.raises(IllegalMove, match=r'sim_1, attempt 1.*failed.*history'):
        state.fold('w', event(later))


def test_that_an_attempt_cannot_run_before_it_was_claimed_by_its_owner() -> None:
    state = folded(('w', event('claimed')), ('w', event('running')))
    with pytest.raises(IllegalMove):
        state.fold('w', event('submitted'))


def test_that_finished_is_final_whatever_a_later_attempt_says() -> None:
    state = folded(
        ('w', event('claimed')),
        ('w', event('ended', state='finished', summary={'acc': '1'})),
        ('w', event('claimed', attempt=2)),
        ('w', event('ended', attempt=2, state='failed')),
    )
    history = state.runs['sim_1']
    assert history.state is State.FINISHED
    assert history.deciding is not None and history.deciding.summary == {'acc': '1'}


def test_that_a_new_attempt_speaks_for_a_run_that_was_lost() -> None:
    state = folded(('w', event('claimed')), ('w', event('ended', state='lost')), ('w', event('claimed', attempt=2)))
    assert state.state_of('sim_1') is State.CLAIMED


def test_that_evidence_of_an_end_beats_its_absence() -> None:
    told_lost = ('b', event('ended', state='lost', reason='gone'))
    told_finished = ('a', event('ended', state='finished', code=0))
    for order in ((told_lost, told_finished), (told_finished, told_lost)):
        state = folded(('a', event('claimed')), *order)
        assert state.state_of('sim_1') is State.FINISHED


def test_that_the_owner_may_take_back_that_an_attempt_was_lost_or_interrupted() -> None:
    for given_up, later in (('lost', 'failed'), ('lost', 'finished'), ('interrupted', 'finished')):
        state = folded(('a', event('claimed')), ('a', event('ended', state=given_up)))
        state.fold('a', event('ended', state=later, code=0))
        assert str(state.state_of('sim_1')) == later


@pytest.mark.parametrize(('first', 'then'), [('lost', 'lost'), ('interrupted', 'failed'), ('failed', 'finished')])
def test_that_no_other_end_is_taken_back(first: str, then: str) -> None:
    state = folded(('a', event('claimed')), ('a', event('ended', state=first)))
    with pytest.raises(IllegalMove):
        state.fold('a', event('ended', state=then))


@pytest.mark.parametrize('told', ['failed', 'interrupted', 'lost', 'stopped'])
@pytest.mark.parametrize('is_heard_first', [True, False])
def test_that_what_was_to_be_stopped_is_stopped_however_its_end_is_reported(told: str, is_heard_first: bool) -> None:
    pruned = ('a', event('pruned', step=3, reason='worse than others at step 3'))
    claimed = ('a', event('claimed'))
    end = ('b', event('ended', state=told, cause='exit', reason='status 143', code=143))
    state = folded(*((pruned, claimed, end) if is_heard_first else (claimed, end, pruned)))
    attempt = state.runs['sim_1'].by_number[1]
    assert (attempt.state, attempt.cause) == (State.STOPPED, 'pruned')
    assert (attempt.reason, attempt.code) == ('worse than others at step 3', 143)


@pytest.mark.parametrize('is_heard_first', [True, False])
def test_that_what_finished_by_itself_before_it_was_stopped_has_finished(is_heard_first: bool) -> None:
    pruned, end = ('a', event('pruned', step=3, reason='worse')), ('b', event('ended', state='finished', code=0))
    state = folded(('a', event('claimed')), *((pruned, end) if is_heard_first else (end, pruned)))
    assert state.state_of('sim_1') is State.FINISHED


def test_that_a_run_that_was_stopped_and_goes_on_is_under_way() -> None:
    state = folded(
        ('a', event('claimed')),
        ('a', event('pruned', step=3, reason='worse')),
        ('a', event('ended', state='stopped')),
        ('b', event('claimed', attempt=2)),
        ('b', event('running', attempt=2)),
    )
    assert state.state_of('sim_1') is State.RUNNING
    assert not state.runs['sim_1'].by_number[2].pruned


def test_that_of_equal_ends_the_one_read_again_last_holds_in_any_order() -> None:
    told = [
        (writer, event('ended', state=state, summary={'acc': acc}, reading=reading))
        for writer, state, acc, reading in (
            ('w', 'failed', '1', 0),
            ('z', 'finished', '2', 1),
            ('x', 'finished', '3', 2),
            ('a', 'finished', '4', 1),
            ('b', 'failed', '5', 3),
        )
    ]
    for order in (told, told[::-1]):
        attempt = folded(('w', event('claimed')), *order).runs['sim_1'].by_number[1]
        assert (attempt.state, attempt.summary, attempt.reading) == (State.FINISHED, {'acc': '3'}, 2)


def test_that_replay_passes_over_what_cannot_be_and_says_where_it_stands() -> None:
    state = SearchState()
    state.replay([('w', event('claimed')), ('w', event('claimed')), ('w', event('running'))], lambda: 'w.jsonl, line 2')
    assert state.state_of('sim_1') is State.RUNNING
    (odd,) = state.odd
    assert odd.startswith("w.jsonl, line 2: sim_1, attempt 1: 'claimed' cannot follow claimed")


def test_that_an_adopted_attempt_belongs_to_its_last_heir_in_any_order() -> None:
    told = [
        ('a', event('claimed')),
        ('a', event('running')),
        ('b', event('adopted', generation=1)),
        ('c', event('adopted', generation=2)),
    ]
    for order in (told, told[::-1]):
        state = folded(*[(writer, one) for writer, one in order if writer != 'a'], *told[:2])
        (attempt,) = state.runs['sim_1'].attempts
        assert (attempt.owner, attempt.state) == ('c', State.RUNNING)


def test_that_who_lost_an_attempt_to_an_heir_may_still_report_without_harm() -> None:
    state = folded(
        ('a', event('claimed')), ('b', event('adopted', generation=1)), ('b', event('ended', state='finished'))
    )
    state.fold('a', event('running'))
    state.fold('a', event('ended', state='lost'))
    assert state.state_of('sim_1') is State.FINISHED


def test_that_events_of_later_versions_change_nothing() -> None:
    state = folded(('w', {'event': 'a-kind-to-come', 'run': 'sim_1'}))
    assert state.runs == {}


def test_that_the_table_fits_on_a_screen_and_reaches_every_end() -> None:
    assert len(TRANSITIONS) <= 12
    assert set(END_ORDER) <= TRANSITIONS[(State.RUNNING, 'ended')]


@st.composite
def journals(draw: st.DrawFn) -> dict[str, list[dict[str, Any]]]:
    """Journals of up to three writers, each in a legal order of its own."""
    ends = st.sampled_from([str(state) for state in END_ORDER])
    owners = draw(st.lists(st.sampled_from('abc'), min_size=1, max_size=4))
    written: dict[str, list[dict[str, Any]]] = {writer: [] for writer in 'abc'}
    for number, owner in enumerate(owners, 1):
        steps = draw(st.sampled_from([1, 2, 3]))
        for kind in ('claimed', 'submitted', 'running')[:steps]:
            written[owner].append(event(kind, attempt=number, handle={'pid': number}))
        heirs = draw(st.permutations([writer for writer in 'abc' if writer != owner]))
        for generation, heir in enumerate(heirs[: draw(st.integers(0, 2))], 1):
            written[heir].append(event('adopted', attempt=number, generation=generation))
        for writer in draw(st.lists(st.sampled_from('abc'), max_size=3, unique=True)):
            how: dict[str, Any] = {
                'state': draw(ends),
                'code': draw(st.integers(0, 3)),
                'reading': draw(st.integers(0, 2)),
            }
            written[writer].append(event('ended', attempt=number, **how))
        for writer in draw(st.lists(st.sampled_from('abc'), max_size=2, unique=True)):
            written[writer].insert(0, event('pruned', attempt=number, step=3, reason=f'worse, says {writer}'))
    for writer in draw(st.lists(st.sampled_from('abc'), max_size=4)):
        at = draw(st.integers(0, len(written[writer])))
        written[writer].insert(at, draw(requests()))
    return written


@st.composite
def requests(draw: st.DrawFn) -> dict[str, Any]:
    """What a user asks, knowing of any number of attempts and earlier requests."""
    kind, revision = draw(st.sampled_from(['cancel', 'rerun', 'pause'])), draw(st.integers(1, 3))
    if kind == 'pause':
        return {'event': kind, 'on': draw(st.booleans()), 'revision': revision}
    return {'event': kind, 'run': 'sim_1', 'after': draw(st.integers(0, 4)), 'revision': revision}


def shuffled(written: dict[str, list[dict[str, Any]]], seed: int) -> list[tuple[str, dict[str, Any]]]:
    """Interleave journals at random, keeping the order within each."""
    chance = random.Random(seed)
    left = {writer: list(events) for writer, events in written.items() if events}
    merged = []
    while left:
        writer = chance.choice(sorted(left))
        merged.append((writer, left[writer].pop(0)))
        left = {name: events for name, events in left.items() if events}
    return merged


@given(journals(), st.integers(), st.integers())
def test_that_replay_does_not_depend_on_how_journals_interleave(
    written: dict[str, list[dict[str, Any]]], one: int, other: int
) -> None:
    results = []
    for seed in (one, other):
        state = SearchState()
        state.replay(shuffled(written, seed))
        results.append((state.runs, state.odd, state.admission))
    assert results[0] == results[1]


@given(journals())
def test_that_replaying_twice_changes_nothing_of_the_outcome(written: dict[str, list[dict[str, Any]]]) -> None:
    events = shuffled(written, 0)
    once, twice = SearchState(), SearchState()
    once.replay(events)
    twice.replay([*events, *events])
    assert {name: run.state for name, run in once.runs.items()} == {name: run.state for name, run in twice.runs.items()}
    assert [run.requests for run in once.runs.values()] == [run.requests for run in twice.runs.values()]
    assert once.admission == twice.admission
