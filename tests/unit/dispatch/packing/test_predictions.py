"""What is learned of what runs need, and when."""

from __future__ import annotations

from collections.abc import Sequence
from threading import Event, Timer
from typing import Any, ClassVar, cast

import pytest

from hpsearch.dispatch.packing import predictions as module
from hpsearch.dispatch.packing.lessons import RunningAttempt, by_its_own, measured_of, observation, ran_out_of
from hpsearch.dispatch.packing.predictions import SHARE, Predictions, in_the_middle
from hpsearch.model.configuration import Params
from hpsearch.model.history.attempt import Attempt
from hpsearch.model.history.search_state import SearchState
from hpsearch.model.run import Run
from hpsearch.model.states import State
from hpsearch.model.usage.estimate import NOTHING_EXPECTED, Estimate, Guess
from hpsearch.model.usage.measured import Measured
from hpsearch.packing.learned import Learned
from hpsearch.packing.prediction.observation import Observation
from tests.fakes.scripted_queue import Clock
from tests.support.dispatching import run


class Learner:
    """In the place of the predictor: keeps what it was made from, and takes its time.

    Attributes:
        made: The observations of each that was made.
        asked: For how many runs each estimate was.
        may_end: Whether learning comes to an end.
    """

    made: ClassVar[list[Sequence[Observation]]] = []
    asked: ClassVar[list[int]] = []
    clock = Clock()
    takes = 0.0
    may_end = Event()

    def __init__(self, observations: Sequence[Observation]) -> None:
        assert self.may_end.wait(60)
        self.made.append(observations)
        self.clock.now += self.takes

    def estimates(self, params: Sequence[Params]) -> list[Estimate]:
        """As much as their parameter says, and as often as they are asked for."""
        self.asked.append(len(params))
        return [Estimate(memory=Guess(100.0 * each.get('a', 0), 200.0 * each.get('a', 0))) for each in params]


@pytest.fixture
def learner(monkeypatch: pytest.MonkeyPatch) -> type[Learner]:
    monkeypatch.setattr(module, 'learn', lambda known, before=None: Learned(cast(Any, Learner(known))))
    Learner.may_end.set()
    Learner.made, Learner.asked, Learner.clock, Learner.takes = [], [], Clock(), 0.0
    return Learner


def end(state: SearchState, number: int, ended: str = 'finished', attempt: int = 1, **facts: Any) -> None:
    key = {'run': f'sim_{number}', 'attempt': attempt}
    state.fold('w', {'event': 'claimed', **key, 'gpus': ['0']})
    state.fold('w', {'event': 'ended', **key, 'state': ended, **facts})


def attempt(**facts: Any) -> Attempt:
    return Attempt('sim_1', 1, **{'state': State.INTERRUPTED, **facts})


def predictions(state: SearchState, **more: Any) -> Predictions:
    known = {f'sim_{number}': run(number).params for number in range(1, 9)}
    return Predictions(state, known, clock=Learner.clock, **more)


def test_that_nothing_is_learned_where_nothing_is_new(learner: type[Learner]) -> None:
    state = SearchState()
    learned = predictions(state)
    end(state, 1, measured={'gpu_memory': 7})
    learned.learn((), 0.0)
    learned.learn((), 1.0)
    state.fold('w', {'event': 'provenance'})
    learned.learn((), 2.0)
    assert [len(each) for each in learner.made] == [0, 1]
    end(state, 2)
    learned.learn((), 3.0)
    assert [len(each) for each in learner.made] == [0, 1, 2]


def test_that_learning_takes_little_of_the_time(learner: type[Learner]) -> None:
    state = SearchState()
    learned = predictions(state)
    learner.takes = 0.5
    end(state, 1)
    learned.learn((), 99.0)
    end(state, 2)
    learned.learn((), 100.0)
    assert len(learner.made) == 3, 'the first time does not count: libraries were imported'
    end(state, 3)
    learned.learn((), 100.0 + 0.9 * 0.5 / SHARE)
    assert len(learner.made) == 3
    learned.learn((), 100.0 + 1.1 * 0.5 / SHARE)
    assert len(learner.made) == 4


def test_that_what_takes_long_to_learn_is_taken_in_later(learner: type[Learner]) -> None:
    state = SearchState()
    learned = predictions(state, patience=0.0)
    runs = [run(number) for number in range(1, 4)]
    end(state, 1)
    learned.learn([RunningAttempt('sim_4', 1, {}, 1.0)], 0.0)
    learned.estimates(runs)
    learner.may_end.clear()
    for number in (2, 3):
        end(state, number)
        learned.learn([RunningAttempt('sim_4', 1, {}, 1.0)], float(number))
    learned.estimates(runs)
    assert learner.asked == [3], 'nothing is known that was not before'
    learner.may_end.set()
    end(state, 4, 'interrupted', cause='gpu_oom')
    learned.learn([], 4.0)
    assert [len(each) for each in learner.made] == [0, 2, 3, 4], 'both were waited for: others may run out of memory'
    learned.estimates(runs)
    assert learner.asked == [3, 3]


def test_that_what_ran_out_of_memory_is_learned_at_once(learner: type[Learner]) -> None:
    state = SearchState()
    learned = predictions(state)
    learner.takes = 0.5
    for number in (1, 2):
        end(state, number)
        learned.learn([RunningAttempt(f'sim_{each}', 1, {}, 1.0) for each in (3, 4)], float(number))
    end(state, 3, 'interrupted', cause='stop')
    learned.learn([RunningAttempt('sim_4', 1, {}, 2.0)], 3.0)
    assert len(learner.made) == 3, 'it takes time to learn'
    end(state, 4, 'interrupted', cause='gpu_oom', facts={'had': 3000})
    learned.learn([], 3.0)
    assert learner.made[-1][-1].ran_out_of == 3000
    learned.learn([], 3.0)
    assert len(learner.made) == 4


def test_that_a_run_is_estimated_once_as_long_as_nothing_is_learned(learner: type[Learner]) -> None:
    state = SearchState()
    learned = predictions(state)
    runs = [run(number) for number in range(1, 4)]
    assert learned.estimates(runs[:2]) == learned.estimates(runs[:2])
    assert [each.memory for each in learned.estimates(runs)] == [Guess(100.0 * n, 200.0 * n) for n in (1, 2, 3)]
    assert learner.asked == [2, 1]
    end(state, 8)
    learned.learn((), 0.0)
    learned.estimates(runs)
    assert learner.asked == [2, 1, 3]


def test_that_running_attempts_teach_once_their_memory_has_grown_or_settled(learner: type[Learner]) -> None:
    learned = predictions(SearchState())

    def made(memory: int, settled: float | None = None) -> int:
        measured = Measured(gpu_memory=memory, settled_after=settled)
        learned.learn([RunningAttempt('sim_1', 1, {}, 9.0, measured)], 0.0)
        return len(learner.made)

    assert [made(1000), made(1001), made(1500), made(1500, 3.0), made(1501, 3.0)] == [2, 2, 3, 4, 4]
    assert [each[0].is_settled for each in learner.made[1:]] == [False, False, True]


def test_that_an_end_that_turns_out_otherwise_is_learned_anew(learner: type[Learner]) -> None:
    state = SearchState()
    learned = predictions(state)
    end(state, 1, 'lost')
    learned.learn((), 0.0)
    state.fold('w', {'event': 'ended', 'run': 'sim_1', 'attempt': 1, 'state': 'finished'})
    learned.learn((), 1.0)
    assert [each.is_finished for each in learner.made[-1]] == [True]


def test_that_runs_of_other_writers_are_looked_up(learner: type[Learner]) -> None:
    state = SearchState()
    end(state, 9)
    learned = Predictions(state, {}, lambda name: run(9) if name == 'sim_9' else None, clock=learner.clock)
    learned.learn((), 0.0)
    assert [each.params for each in learner.made[-1]] == [run(9).params]


def test_that_an_end_is_learned_later_where_the_plan_cannot_be_read_now(learner: type[Learner]) -> None:
    state, troubles = SearchState(), [OSError('busy')]

    def find(name: str) -> Run:
        if troubles:
            raise troubles.pop()
        return run(9)

    end(state, 9)
    learned = Predictions(state, {}, find, clock=learner.clock)
    with pytest.raises(OSError, match='busy'):
        learned.learn((), 0.0)
    learned.learn((), 1.0)
    assert [each.params for each in learner.made[-1]] == [run(9).params]


def test_that_an_attempt_that_never_began_or_was_taken_from_elsewhere_tells_nothing() -> None:
    assert observation(attempt(cause='abandoned'), {}) is None
    assert observation(attempt(cause='reused', state=State.FINISHED), {}) is None


@pytest.mark.parametrize(
    ('facts', 'measured', 'bound'),
    [
        ({'had': 7000}, {'gpu_memory': 5000}, 7000),
        ({'had': 4000}, {'gpu_memory': 5000}, 5000),
        ({'gpu_total': 24000, 'was_alone': True}, {}, 24000),
        ({'gpu_total': 24000, 'was_alone': False}, {'gpu_memory': 5000}, 5000),
        ({}, {}, None),
    ],
)
def test_that_memory_that_was_not_enough_is_a_lower_bound(
    facts: dict[str, Any], measured: dict[str, Any], bound: int | None
) -> None:
    ended = attempt(cause='gpu_oom', facts=facts, measured=Measured(**measured))
    assert ran_out_of(ended) == bound
    found = observation(ended, {})
    assert found is not None and found.ran_out_of == bound and not found.is_settled
    assert ran_out_of(attempt(facts=facts, measured=Measured(**measured))) is None


def test_that_the_peak_of_an_earlier_version_is_shared_among_its_gpus() -> None:
    assert measured_of(attempt(peak_memory=3000, gpus=('0', '1'))).gpu_memory == 1500


def test_that_a_run_is_expected_to_need_more_than_what_was_not_enough_for_it() -> None:
    ran_out = attempt(cause='gpu_oom', facts={'had': 10000})
    memory = by_its_own(Estimate(memory=Guess(3000.0, 4000.0)), [ran_out]).memory
    assert memory is not None and memory.expected > 10000 and memory.high > memory.expected
    victim = by_its_own(Estimate(memory=Guess(20000.0, 24000.0)), [ran_out]).memory
    assert victim == Guess(20000.0, 24000.0), 'another run took what was meant for it'
    unknown = by_its_own(NOTHING_EXPECTED, [ran_out]).memory
    assert unknown is not None and not unknown.is_known


def test_that_a_run_is_expected_to_need_what_it_used_before_it_was_interrupted() -> None:
    used = attempt(measured=Measured(gpu_memory=9000, host_memory=500))
    found = by_its_own(Estimate(memory=Guess(3000.0, 4000.0)), [used])
    assert found.memory == Guess(9000, 9000)
    assert found.host_memory == Guess(500, 500, is_known=False)


def test_that_what_ran_out_of_host_memory_needs_more_of_it() -> None:
    ended = attempt(cause='host_oom', measured=Measured(host_memory=1000))
    found = by_its_own(NOTHING_EXPECTED, [ended]).host_memory
    assert found is not None and found.expected > 1000


def test_that_a_run_that_is_not_chosen_yet_is_expected_to_need_as_much_as_the_last_ones(
    learner: type[Learner],
) -> None:
    state = SearchState()
    for number in (1, 2, 8):
        end(state, number)
    assert predictions(state).typical() == Estimate(memory=Guess(200.0, 400.0))
    assert predictions(SearchState()).typical() == NOTHING_EXPECTED


def test_that_what_is_typical_is_known_only_where_all_of_it_is() -> None:
    known, guessed = Estimate(memory=Guess(1.0, 2.0)), Estimate(memory=Guess(3.0, 4.0, is_known=False))
    assert in_the_middle([known, guessed, NOTHING_EXPECTED]) == Estimate(memory=Guess(2.0, 3.0, is_known=False))


def test_that_numbers_from_which_nothing_can_be_learned_do_not_end_a_search(
    learner: type[Learner], monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    state = SearchState()
    end(state, 1)
    known = predictions(state)
    known.learn([], 0.0)
    before = known.estimates([run(5)])

    def fails(*told: object) -> Learned:
        raise ValueError('Singular matrix')

    monkeypatch.setattr(module, 'learn', fails)
    for number, now in ((2, 100.0), (3, 200.0), (4, 300.0)):
        end(state, number)
        known.learn([], now)
    assert known.estimates([run(5)]) == before
    assert [each.getMessage() for each in caplog.records] == [
        'what runs need cannot be learned from what they have used: Singular matrix'
    ]


def test_that_what_the_first_run_tells_that_ends_is_waited_for(learner: type[Learner]) -> None:
    state = SearchState()
    learned = predictions(state, patience=0.0)
    learned.learn([RunningAttempt('sim_1', 1, {}, 1.0)], 0.0)
    end(state, 1)
    learner.may_end.clear()
    Timer(0.1, learner.may_end.set).start()
    learned.learn([], 1.0)
    assert [len(each) for each in learner.made] == [0, 1, 1]
