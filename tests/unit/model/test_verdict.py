"""From evidence to a verdict."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest

from hpsearch.model.history.attempt import Attempt
from hpsearch.model.logs.failures import telling_lines
from hpsearch.model.resources import ResourceRequest
from hpsearch.model.retries import OOM_LIMIT, RetryPolicy, again, had_most_room, resources_for
from hpsearch.model.run import Run, Summary
from hpsearch.model.states import State
from hpsearch.model.verdict import failure_signature, judge, same_failure, status_in_words

NO_SUMMARY = Summary(problem='there is no performance_overview.txt')
GOOD = Summary({'acc': '1', 'finished': '1'}, finished=True, found=True)
UNFINISHED = Summary({'acc': '1', 'finished': '0'}, finished=False, found=True)
HALF = Summary({'acc': '1'}, finished=None, found=True, problem='it has no finished')


@pytest.mark.parametrize(
    ('code', 'summary', 'state', 'said'),
    [
        (0, GOOD, State.FINISHED, ''),
        (1, GOOD, State.FINISHED, 'status 1 after its summary'),
        (139, GOOD, State.FINISHED, 'SIGSEGV'),
        (None, GOOD, State.FINISHED, ''),
        (0, NO_SUMMARY, State.FAILED, 'there is no performance_overview.txt'),
        (0, HALF, State.FAILED, 'it has no finished'),
        (0, UNFINISHED, State.FAILED, 'finished 0'),
        (1, UNFINISHED, State.FAILED, 'status 1'),
        (2, NO_SUMMARY, State.FAILED, 'status 2'),
        (137, NO_SUMMARY, State.FAILED, 'SIGKILL'),
        (127, NO_SUMMARY, State.FAILED, 'not found'),
        (126, NO_SUMMARY, State.FAILED, 'not be executed'),
        (None, NO_SUMMARY, State.LOST, 'no exit record'),
    ],
)
def test_that_a_summary_and_a_status_decide(code: int | None, summary: Summary, state: State, said: str) -> None:
    verdict = judge(code, '', '', summary, wants_summary=True)
    assert verdict.state is state
    assert said in verdict.reason


@pytest.mark.parametrize(('code', 'state'), [(0, State.FINISHED), (1, State.FAILED), (None, State.LOST)])
def test_that_the_status_alone_decides_where_no_summary_is_configured(code: int | None, state: State) -> None:
    assert judge(code, '', '', Summary(), wants_summary=False).state is state


def test_that_a_run_we_stopped_is_interrupted_unless_it_had_finished() -> None:
    stopped = judge(143, '', '', NO_SUMMARY, wants_summary=True, stop_reason='stopped by the user')
    assert (stopped.state, stopped.reason) == (State.INTERRUPTED, 'stopped by the user')
    assert judge(143, '', '', GOOD, wants_summary=True, stop_reason='x').state is State.FINISHED


def test_that_an_end_from_outside_is_an_interruption() -> None:
    verdict = judge(None, 'preempted', 'by job 7', NO_SUMMARY, wants_summary=True)
    assert (verdict.state, verdict.cause) == (State.INTERRUPTED, 'preempted')


def test_that_running_out_of_memory_is_an_interruption_and_no_failure() -> None:
    verdict = judge(1, '', '', NO_SUMMARY, wants_summary=True, oom='gpu_oom')
    assert (verdict.state, verdict.cause, verdict.reason) == (State.INTERRUPTED, 'gpu_oom', 'out of GPU memory')
    verdict = judge(137, '', 'a detail', NO_SUMMARY, wants_summary=False, oom='host_oom')
    assert (verdict.state, verdict.cause) == (State.INTERRUPTED, 'host_oom')
    assert verdict.reason == 'out of host memory; a detail'


@pytest.mark.parametrize(
    ('oom', 'room', 'reason'),
    [
        ('gpu_oom', 'alone on the largest GPU', 'out of GPU memory, alone on the largest GPU'),
        ('host_oom', 'alone on this machine', 'out of host memory, alone on this machine'),
    ],
)
def test_that_running_out_of_all_the_memory_there_is_is_a_failure(oom: str, room: str, reason: str) -> None:
    verdict = judge(1, '', '', NO_SUMMARY, wants_summary=True, oom=oom, had_most_room=room)
    assert (verdict.state, verdict.cause, verdict.reason) == (State.FAILED, oom, reason)


def test_that_a_finished_summary_and_our_own_stop_come_before_memory_and_memory_before_other_causes() -> None:
    finished = judge(1, '', '', GOOD, wants_summary=True, oom='gpu_oom', had_most_room='alone')
    assert finished.state is State.FINISHED
    stopped = judge(
        1, '', '', NO_SUMMARY, wants_summary=True, stop_reason='asked', oom='gpu_oom', had_most_room='alone'
    )
    assert (stopped.state, stopped.cause) == (State.INTERRUPTED, 'stop')
    assert judge(1, 'preempted', '', NO_SUMMARY, wants_summary=True, oom='host_oom').cause == 'host_oom'


def test_that_statuses_above_128_name_a_signal_or_say_that_they_are_codes() -> None:
    assert 'SIGTERM' in status_in_words(143)
    assert 'code of its own' in status_in_words(255)


def run(name: str, *words: str) -> Run:
    return Run(name, 1, {}, ('python3', 'train.py', *words))


def signature(stderr: str, name: str = 'sim_1', *words: str, stdout: str = '', reason: str = 'status 1') -> str:
    return failure_signature(stderr, stdout, reason, run(name, *words))


def test_that_failures_which_differ_by_run_only_are_the_same() -> None:
    one = signature('Trace\ntrain.py: error: unrecognized arguments: --lr=0.1\n', 'sim_1', '--lr=0.1')
    two = signature('Trace\ntrain.py: error: unrecognized arguments: --lr=7\n', 'sim_2', '--lr=7')
    assert one == two
    one, two = (signature(f'no /out/{name}/x at 0x7f{name[-1]}', name) for name in ('sim_1', 'sim_2'))
    assert one == two


@pytest.mark.parametrize(
    ('one', 'two'),
    [
        ('loss is -0.5', 'loss is 12'),
        ('loss is nan', 'loss is 1e-3'),
        ('2026-11-26 00:01:02,123 ERROR no data', '2026-11-26 13:59:02,9 ERROR no data'),
        ('stopped at 3 %', 'stopped at 37.5 %'),
        ('no file /tmp/tmpab3_x9zq/data.bin', 'no file /tmp/tmpzzzzzzzz/data.bin'),
        ('no file /cache/9f8e7d6c5b4a/x', 'no file /cache/0123456789ab/x'),
        ('job 1a2b3c4d-0001-4abc-9def-0123456789ab failed', 'job ffffff0d-1111-4abc-9def-ba9876543210 failed'),
        ('<object at 0x7f00aa>', '<object at 0x7f11bbcc>'),
        ('read 1,234 of 99,999 bytes', 'read 12 of 7 bytes'),
        ('\x1b[31mValueError: bad\x1b[0m', 'ValueError: bad'),
    ],
)
def test_that_numbers_times_addresses_and_random_names_make_no_difference(one: str, two: str) -> None:
    assert signature(one) == signature(two)


BAR = '\r{0:3d}%|{1:10}| {0}/100 [00:0{2}<00:01, {0}.{2}it/s]'
TRACEBACK = 'Traceback (most recent call last):\n  File "train.py", line 9, in <module>\n    raise E\nValueError: bad\n'


def bars(last: int) -> str:
    return ''.join(BAR.format(done, '█' * (done // 10) + '▏▎▍▌▋▊▉'[done % 7], done % 10) for done in range(last + 1))


@pytest.mark.parametrize(
    'log',
    [
        lambda done: bars(done) + '\n' + TRACEBACK,
        lambda done: bars(done) + TRACEBACK,  # in the line of the bar
        lambda done: TRACEBACK + bars(done) + '\n',  # drawn once more when the program ends
        lambda done: bars(done) + 'ValueError: bad\n',
        lambda done: TRACEBACK + f'{done}it [00:01, {done}.5it/s]\n',
        lambda done: TRACEBACK + f'{done}/100 [{"=" * (done // 9)}>{"." * (11 - done // 9)}] - ETA: {done}s\n',
        lambda done: TRACEBACK + f'Working {"━" * (3 + done)} {done}% 0:00:0{done % 7}\n',
    ],
)
def test_that_how_far_a_progress_bar_had_come_makes_no_difference(log: Any) -> None:
    groups = {signature(log(done)) for done in (3, 10, 17, 24, 39, 55, 71, 98)}
    assert len(groups) == 1
    assert 'ValueError: bad' in groups.pop()


def test_that_an_error_on_stdout_counts_where_stderr_says_nothing() -> None:
    error = 'epoch 1\n2026-11-26 ERROR: no data in /data\n'
    assert 'no data' in signature('', stdout=error)
    assert 'no data' in signature(bars(7), stdout=error)
    assert 'no data' in signature('x.py:3: UserWarning: old\n  warnings.warn("old")\n', stdout=error)
    assert signature(TRACEBACK, stdout=error) == signature(TRACEBACK)


def test_that_stdout_without_an_error_makes_no_difference() -> None:
    assert signature('', stdout='epoch 1\n') == signature('', stdout='validating\n') == 'status #'


def test_that_the_last_lines_that_say_why_it_failed_are_shown() -> None:
    assert telling_lines('a\nb\nc\nd\n' + bars(4), 'x') == ['b', 'c', 'd']
    assert telling_lines('x.py:3: UserWarning: old\n  warnings.warn("old")\n', 'one\ntwo\n') == ['one', 'two']
    assert telling_lines('', '') == []


def test_that_different_failures_are_different() -> None:
    assert signature('KeyError: a') != signature('KeyError: b')


def test_that_only_the_last_lines_count_and_the_reason_where_there_are_none() -> None:
    assert signature('1\n2\nx\ny\nz\n\n') == 'x\ny\nz'
    assert signature('', reason='status 3') == 'status #'


@pytest.mark.parametrize(
    ('ends', 'limit', 'same'),
    [
        (['a', 'a'], 2, 'a'),
        (['a', 'a', None], 2, ''),
        (['a'], 2, None),
        (['a', 'b'], 2, ''),
        (['a', None], 2, ''),
        ([None, 'a', 'a'], 2, ''),
        (['a', 'a'], 0, ''),
        ([], 0, ''),
        ([], 2, None),
        (['a@n3'] * 7, 5, None),  # they say nothing about the runs
        ([*['a@n3'] * 7, 'a@n1'], 5, 'a'),
        ([*['a@n3'] * 7, 'b@n1'], 5, ''),
        ([*['a@n3'] * 4, 'a@n1'], 5, 'a'),
        ([*['a@n3'] * 4, 'a'], 5, 'a'),
        (['a@n9'] * 5, 5, 'a'),  # there is no other node
        ([*['a@g0@g1'] * 4, 'a@g1@g2'], 5, None),  # all of them were on g1
        ([*['a@g0@g1'] * 4, 'a@g2@g3'], 5, 'a'),
    ],
)
def test_that_the_first_runs_must_all_fail_alike_and_not_in_one_place_alone(
    ends: list[str | None], limit: int, same: str | None
) -> None:
    parts = [(None, []) if end is None else (end.partition('@')[0], end.split('@')[1:]) for end in ends]
    assert same_failure(parts, limit, {'n9'}) == same


def attempts(*states: State) -> list[Attempt]:
    return [Attempt('sim_1', number, state) for number, state in enumerate(states, 1)]


@pytest.mark.parametrize(
    ('states', 'retries', 'is_run_again'),
    [
        ([State.FINISHED], 5, False),
        ([State.LOST], 0, True),
        ([State.LOST] * 2, 0, True),
        ([State.LOST] * 3, 0, False),
        ([State.INTERRUPTED] * 9, 0, True),
        ([State.LOST, State.LOST, State.INTERRUPTED, State.LOST], 0, False),
        ([State.FAILED], 0, False),
        ([State.FAILED], 1, True),
        ([State.FAILED] * 2, 1, False),
        ([State.LOST, State.FAILED], 1, True),
    ],
)
def test_that_only_what_counts_is_counted(states: list[State], retries: int, is_run_again: bool) -> None:
    assert bool(again(attempts(*states), RetryPolicy(max_attempts=3, retries=retries))) is is_run_again


@pytest.mark.parametrize(
    ('states', 'is_taken_up', 'is_run_again'),
    [
        ([State.FAILED], True, True),
        ([State.FAILED] * 4, True, True),
        ([State.FAILED], False, False),
        ([State.LOST] * 3, True, True),
        ([State.FAILED, State.FINISHED], True, False),
        ([State.STOPPED], True, False),
    ],
)
def test_that_failed_runs_get_one_more_attempt_when_that_is_asked_for_on_taking_up_a_search(
    states: list[State], is_taken_up: bool, is_run_again: bool
) -> None:
    policy = RetryPolicy(retry_failed=True)
    assert bool(again(attempts(*states), policy, is_taken_up=is_taken_up)) is is_run_again
    assert not again(attempts(State.FAILED), RetryPolicy(), is_taken_up=is_taken_up)


@pytest.mark.parametrize(
    ('policy', 'is_taken_up', 'is_run_again'),
    [
        (RetryPolicy(), False, False),
        (RetryPolicy(retry_cancelled=True), False, False),
        (RetryPolicy(retry_cancelled=True), True, True),
        (RetryPolicy(retry_failed=True), True, False),
        (RetryPolicy(retries=3), False, False),
    ],
)
def test_that_what_somebody_cancelled_is_run_again_only_when_asked(
    policy: RetryPolicy, is_taken_up: bool, is_run_again: bool
) -> None:
    cancelled = ended(State.INTERRUPTED, 'cancelled')
    assert bool(again([cancelled], policy, is_taken_up=is_taken_up)) is is_run_again


@pytest.mark.parametrize(
    ('timeouts', 'policy', 'is_run_again'),
    [
        (1, RetryPolicy(), False),
        (1, RetryPolicy(retries=5), False),
        (2, RetryPolicy(max_attempts=3, retry_timeouts=True), True),
        (3, RetryPolicy(max_attempts=3, retry_timeouts=True), False),
    ],
)
def test_that_a_time_limit_is_tried_again_only_when_asked_and_not_for_ever(
    timeouts: int, policy: RetryPolicy, is_run_again: bool
) -> None:
    assert bool(again([ended(State.FAILED, 'timeout')] * timeouts, policy)) is is_run_again


def test_that_a_time_limit_does_not_use_up_the_retries_of_failures() -> None:
    tried = [ended(State.FAILED, 'timeout'), ended(State.FAILED, 'exit')]
    assert again(tried, RetryPolicy(retries=1))


def at_limit(left_nothing: bool) -> Attempt:
    return Attempt('sim_1', 1, State.INTERRUPTED, cause='timeout', left_nothing=left_nothing)


STUCK, FURTHER, STOPPED = at_limit(True), at_limit(False), Attempt('sim_1', 1, State.INTERRUPTED, cause='stop')


@pytest.mark.parametrize(
    ('tried', 'policy', 'is_run_again'),
    [
        ([STUCK] * 2, RetryPolicy(), True),
        ([STUCK] * 3, RetryPolicy(), False),
        ([STUCK], RetryPolicy(max_attempts=1), False),
        ([FURTHER] * 20, RetryPolicy(), True),
        ([STUCK, STUCK, FURTHER, STUCK, STUCK], RetryPolicy(), True),
        ([STUCK, STOPPED, STUCK, STOPPED, STUCK], RetryPolicy(), False),
        ([STUCK, STUCK, STUCK, STOPPED], RetryPolicy(), True),
        ([STUCK] * 3, RetryPolicy(retry_timeouts=True, retries=9), False),
        ([STUCK] * 4, RetryPolicy(retry_failed=True), True),
    ],
)
def test_that_what_reaches_its_time_limit_without_new_output_is_not_run_again_for_ever(
    tried: Sequence[Attempt], policy: RetryPolicy, is_run_again: bool
) -> None:
    assert bool(again(tried, policy, is_taken_up=True)) is is_run_again


@pytest.mark.parametrize(('resumable', 'state'), [(True, State.INTERRUPTED), (False, State.FAILED)])
def test_that_a_time_limit_interrupts_only_what_can_go_on(resumable: bool, state: State) -> None:
    verdict = judge(143, 'timeout', '', Summary(), wants_summary=True, resumable=resumable)
    assert (verdict.state, verdict.cause) == (state, 'timeout')
    assert verdict.reason == 'its job reached its time limit'


# ------------------------------------------------------------------------------------------------------- out of memory


def ended(state: State, cause: str, **facts: Any) -> Attempt:
    return Attempt('sim_1', 1, state, cause=cause, facts=facts)


def out(was_alone: bool, total: int | None, state: State = State.INTERRUPTED) -> Attempt:
    return ended(state, 'gpu_oom', was_alone=was_alone, gpu_total=total)


HOST = ended(State.INTERRUPTED, 'host_oom')


@pytest.mark.parametrize(
    ('earlier', 'resources'),
    [
        ([], ResourceRequest()),
        ([ended(State.FAILED, 'exit'), ended(State.INTERRUPTED, 'reboot')], ResourceRequest()),
        ([out(False, 24000)], ResourceRequest(alone=True)),
        ([out(False, 24000), ended(State.INTERRUPTED, 'reboot')], ResourceRequest(alone=True)),
        ([out(False, 24000), out(True, 24000)], ResourceRequest(alone=True, larger_than=24000)),
        ([out(True, 24000), out(True, 48000)], ResourceRequest(alone=True, larger_than=48000)),
        ([out(True, None)], ResourceRequest(alone=True)),
        ([ended(State.INTERRUPTED, 'gpu_oom')], ResourceRequest(alone=True)),
        ([HOST], ResourceRequest(alone_on_host=True)),
        ([HOST, out(True, 24000)], ResourceRequest(alone=True, larger_than=24000, alone_on_host=True)),
    ],
)
def test_that_a_run_that_ran_out_of_memory_demands_more_room_than_it_had(
    earlier: list[Attempt], resources: ResourceRequest
) -> None:
    assert resources_for(earlier) == resources


@pytest.mark.parametrize(
    ('earlier', 'resources'),
    [
        ([out(False, 24000)], ResourceRequest()),
        ([out(False, 24000), out(False, 24000)], ResourceRequest(alone=True)),
        ([out(True, 24000)], ResourceRequest(larger_than=24000)),
        ([out(True, 24000), out(False, 80000)], ResourceRequest(alone=True, larger_than=24000)),
        ([out(True, 80000, State.FAILED)], ResourceRequest(alone=True)),
        ([HOST], ResourceRequest()),
        ([HOST, HOST], ResourceRequest(alone_on_host=True)),
    ],
)
def test_that_where_runs_are_placed_by_their_needs_one_is_alone_only_after_memory_ran_out_again(
    earlier: list[Attempt], resources: ResourceRequest
) -> None:
    assert resources_for(earlier, packs=True) == resources


def in_queue(limit: int | None, most: int | None = None) -> Attempt:
    facts = {'in_queue': True, 'memory_limit': limit, 'memory_most': most, 'was_alone': True}
    return ended(State.INTERRUPTED, 'host_oom', **facts)


@pytest.mark.parametrize(
    ('earlier', 'memory'),
    [
        ([in_queue(1000)], 1500),
        ([in_queue(1000), in_queue(1500)], 2250),
        ([in_queue(1000, 1200)], 1200),
        ([in_queue(None)], None),
        ([in_queue(1000), ended(State.INTERRUPTED, 'preempted')], 1500),
    ],
)
def test_that_a_job_that_ran_out_of_memory_gets_one_with_more(earlier: list[Attempt], memory: int | None) -> None:
    assert resources_for(earlier) == ResourceRequest(memory=memory)


def test_that_a_job_with_the_most_memory_there_is_had_the_most_room() -> None:
    assert had_most_room('host_oom', in_queue(1000, 4000).facts, []) == ''
    assert had_most_room('host_oom', in_queue(4000, 4000).facts, []) == 'with 4000 MiB, the most it may have'
    assert 'is not known' in had_most_room('host_oom', in_queue(None).facts, [])


def test_that_a_failure_on_the_largest_gpu_can_be_tried_again_on_a_gpu_like_that() -> None:
    assert resources_for([out(True, 24000), out(True, 80000, State.FAILED)]) == ResourceRequest(
        alone=True, larger_than=24000
    )


@pytest.mark.parametrize(
    ('oom', 'facts', 'words'),
    [
        ('gpu_oom', {'was_alone': True, 'largest': True, 'gpu_total': 80000}, 'alone on the largest GPU'),
        ('gpu_oom', {'was_alone': True, 'largest': True, 'gpu_total': None}, 'with no other run'),
        ('gpu_oom', {'was_alone': True, 'largest': False, 'gpu_total': 24000}, ''),
        ('gpu_oom', {'was_alone': False, 'largest': True, 'gpu_total': 80000}, ''),
        ('gpu_oom', {'alone_on_host': True}, ''),
        ('gpu_oom', {}, ''),
        ('host_oom', {'alone_on_host': True}, 'alone on this machine'),
        ('host_oom', {'alone_on_host': False, 'was_alone': True, 'largest': True, 'gpu_total': 1}, ''),
        ('', {'was_alone': True, 'largest': True, 'gpu_total': 80000, 'alone_on_host': True}, ''),
    ],
)
def test_that_only_an_attempt_that_was_alone_had_the_most_room(oom: str, facts: dict[str, Any], words: str) -> None:
    said = had_most_room(oom, facts, [])
    assert said.startswith(words) if words else said == ''


def test_that_a_run_that_runs_out_of_memory_again_and_again_fails_in_the_end() -> None:
    assert had_most_room('gpu_oom', {}, [out(False, None)] * (OOM_LIMIT - 1)) == ''
    assert had_most_room('gpu_oom', {}, [out(False, None)] * OOM_LIMIT) == '6 times, wherever it was run'
    assert had_most_room('gpu_oom', {}, [HOST] * 9) == ''
    assert had_most_room('', {}, [ended(State.FAILED, '')] * 9) == ''
