"""What becomes of an attempt that has ended: by what it left, and by what others report of its end."""

from __future__ import annotations

import os
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from hpsearch.model.configuration import Configuration
from hpsearch.model.history.attempt import Attempt
from hpsearch.model.history.run_history import RunHistory
from hpsearch.model.resources import ResourceRequest
from hpsearch.model.retries import resources_for
from hpsearch.model.run import Run
from hpsearch.model.states import State
from hpsearch.results.summary import summary_mark
from hpsearch.store import attempt_files
from hpsearch.store.attempt_files import claim
from hpsearch.store.completion import (
    Completion,
    CompletionReader,
    EndReport,
    is_from_before,
    lacks_results,
    says_more,
)
from hpsearch.store.folder import SearchFolder
from tests.support.harness import new_folder

RUN = Run('sim_1', 1, {'lr': 0.1}, ('python3', 'train.py', '--lr=0.1'))
CUDA_OOM = 'torch.OutOfMemoryError: CUDA out of memory. Tried to allocate 2.00 GiB.\n'


def configured(**more: Any) -> Configuration:
    """A configuration with a summary file, unless something else is said."""
    known: dict[str, Any] = {'summary_filename': 'summary.txt', 'summary_keywords': ('acc', 'finished')}
    return Configuration(source='', sha256='', grid={}, script='train.py', **{**known, **more})


@pytest.fixture
def folder(tmp_path: Path) -> SearchFolder:
    made = new_folder(tmp_path / 'search')
    Path(made.attempt('sim_1', 1).folder).mkdir(parents=True)
    return made


def ended(
    folder: SearchFolder, told: EndReport, tried: Sequence[Attempt] = (), number: int = 1, **more: Any
) -> Completion:
    """How an attempt ended."""
    return CompletionReader(folder, configured(**more)).judge(RUN, number, tried, told)


def leave(folder: SearchFolder, summary: str = '', stderr: str = '') -> None:
    """Leave a summary, and a log of errors."""
    if summary:
        folder.output('sim_1').mkdir(exist_ok=True)
        (folder.output('sim_1') / 'summary.txt').write_text(summary)
    if stderr:
        Path(folder.attempt('sim_1', 1).stderr).write_text(stderr)


def test_that_a_summary_that_says_finished_makes_it_finished(folder: SearchFolder) -> None:
    leave(folder, 'acc 0.5\nfinished 1\n')
    found = ended(folder, EndReport(0, seconds=1.5))
    assert (found.state, found.reason, found.seconds) == (State.FINISHED, '', 1.5)
    assert found.summary == {'acc': '0.5', 'finished': '1'}
    assert found.failure is None


@pytest.mark.parametrize(
    ('code', 'state'), [(0, State.FAILED), (3, State.FAILED), (None, State.LOST)], ids=['zero', 'failure', 'no record']
)
def test_that_without_a_summary_the_status_does_not_make_it_finished(
    folder: SearchFolder, code: int | None, state: State
) -> None:
    assert ended(folder, EndReport(code)).state is state


@pytest.mark.parametrize(('code', 'state'), [(0, State.FINISHED), (3, State.FAILED)])
def test_that_the_status_decides_where_no_summary_is_expected(folder: SearchFolder, code: int, state: State) -> None:
    assert ended(folder, EndReport(code), summary_filename=None).state is state


@pytest.mark.parametrize(
    ('report', 'state'),
    [
        (EndReport(0), State.FINISHED),
        (EndReport(3), State.FAILED),
        (EndReport(None), State.LOST),
        (EndReport(0, stop_reason='stopped by the user'), State.INTERRUPTED),
        (EndReport(0, 'preempted'), State.INTERRUPTED),
    ],
    ids=['zero', 'failure', 'no record', 'stopped', 'preempted'],
)
def test_that_the_status_decides_where_the_keyword_finished_is_not_expected(
    folder: SearchFolder, report: EndReport, state: State
) -> None:
    leave(folder, 'acc 0.5\n')
    found = ended(folder, report, summary_keywords=('acc',))
    assert found.state is state and found.summary == {'acc': '0.5'}


def test_that_a_status_of_zero_without_results_is_no_success_where_a_summary_is_expected(folder: SearchFolder) -> None:
    assert ended(folder, EndReport(0), summary_keywords=('acc',)).state is State.FAILED
    folder.output('sim_1').mkdir()
    (folder.output('sim_1') / 'summary.txt').touch()
    found = ended(folder, EndReport(0), summary_keywords=('acc',))
    assert found.state is State.FAILED and 'its summary is empty' in found.reason


def test_that_what_is_missing_is_in_the_reason_of_a_run_that_finished_by_its_status(folder: SearchFolder) -> None:
    leave(folder, 'acc 0.5\n')
    found = ended(folder, EndReport(0, detail='left processes behind'), summary_keywords=('acc', 'loss'))
    assert (found.state, found.reason) == (State.FINISHED, 'missing keywords: loss; left processes behind')


@pytest.mark.parametrize(
    ('report', 'summary', 'state'),
    [
        (EndReport(143), '', State.STOPPED),
        (EndReport(137), 'acc 0.5\n', State.STOPPED),
        (EndReport(None), '', State.STOPPED),
        (EndReport(0), 'acc 0.5\n', State.STOPPED),
        (EndReport(0), 'acc 0.5\nfinished 0\n', State.STOPPED),
        (EndReport(None, 'reboot'), '', State.STOPPED),
        (EndReport(143, stop_reason='stopped by the user'), '', State.STOPPED),
        (EndReport(1), '', State.STOPPED),
        (EndReport(0), 'acc 0.5\nfinished 1\n', State.FINISHED),
    ],
)
@pytest.mark.parametrize('keywords', [('acc', 'finished'), ('acc',)])
def test_that_what_was_to_be_stopped_has_finished_only_if_it_says_so(
    folder: SearchFolder, report: EndReport, summary: str, state: State, keywords: tuple[str, ...]
) -> None:
    leave(folder, summary)
    tried = [Attempt('sim_1', 1, State.RUNNING, pruned='worse than others at step 3')]
    found = ended(folder, report, tried, summary_keywords=keywords)
    assert found.state is state
    if state is State.STOPPED:
        assert (found.verdict.cause, found.reason, found.failure) == ('pruned', 'worse than others at step 3', None)
    assert found.summary.get('acc') == ('0.5' if summary else None)


def test_that_what_waited_in_a_queue_when_it_was_to_be_stopped_may_still_be_run(folder: SearchFolder) -> None:
    tried = [Attempt('sim_1', 1, State.SUBMITTED, pruned='the target was reached')]
    report = EndReport(cause='cancelled', has_begun=False, stop_reason='the target was reached')
    found = ended(folder, report, tried)
    assert (found.state, found.verdict.cause, found.reason) == (
        State.INTERRUPTED,
        'abandoned',
        'the target was reached',
    )
    again = Attempt('sim_1', 1, State.SUBMITTED, pruned='the target was reached')
    again.apply('w', {'event': 'ended', 'run': 'sim_1', 'attempt': 1, **found.facts()})
    assert again.state is State.INTERRUPTED


def test_that_a_script_that_is_judged_by_its_status_alone_is_stopped_whatever_that_is(folder: SearchFolder) -> None:
    tried = [Attempt('sim_1', 1, State.RUNNING, pruned='worse')]
    assert ended(folder, EndReport(0), tried, summary_filename=None).state is State.STOPPED


# Read again


def read_again(folder: SearchFolder, *attempts: Attempt, **more: Any) -> list[tuple[int, str, bool]]:
    """Number and state of what was read again, and whether it is to take the place of what was known."""
    history = RunHistory('sim_1', {attempt.number: attempt for attempt in attempts})
    found = CompletionReader(folder, configured(**more)).read_again(RUN, history)
    return [(each.number, str(each.state), says_more(each, history.by_number[each.number])) for each in found]


def known(state: State, code: int | None = 0, cause: str = 'exit', number: int = 1, **more: Any) -> Attempt:
    return Attempt('sim_1', number, state, code=code, cause=cause, **more)


@pytest.mark.parametrize(
    ('attempt', 'expected'),
    [
        (known(State.FAILED), (1, 'finished', True)),
        (known(State.FAILED, 3), (1, 'failed', True)),
        (known(State.FAILED, 3, summary={'acc': '0.5'}), (1, 'failed', False)),
        (known(State.INTERRUPTED, 0, 'stop', reason='stopped by the user'), (1, 'interrupted', False)),
        (known(State.INTERRUPTED, 0, 'preempted'), (1, 'interrupted', False)),
        (known(State.FAILED, 0, 'timeout'), (1, 'failed', False)),
        (known(State.LOST, None, 'lost'), (1, 'lost', False)),
        (known(State.STOPPED, 0, 'pruned', pruned='worse'), (1, 'stopped', True)),
        (known(State.STOPPED, 143, 'pruned', pruned='worse', summary={'acc': '0.5'}), (1, 'stopped', False)),
        (known(State.FINISHED), (1, 'finished', True)),
        (known(State.FINISHED, summary={'acc': '0.5'}), (1, 'finished', False)),
    ],
    ids=lambda value: f'{value.state} {value.cause} {value.code}' if isinstance(value, Attempt) else '',
)
def test_that_what_ended_by_itself_is_judged_by_its_summary_again(
    folder: SearchFolder, attempt: Attempt, expected: tuple[int, str, bool]
) -> None:
    leave(folder, 'acc 0.5\n')
    assert read_again(folder, attempt, summary_keywords=('acc',)) == [expected]


def test_that_a_summary_that_says_finished_counts_whatever_had_ended_the_attempt(folder: SearchFolder) -> None:
    leave(folder, 'acc 0.5\nfinished 1\n')
    for attempt in (known(State.FAILED, 3), known(State.INTERRUPTED, None, 'reboot'), known(State.LOST, None, 'lost')):
        assert read_again(folder, attempt) == [(1, 'finished', True)]


def test_that_a_summary_that_is_gone_takes_nothing_back(folder: SearchFolder) -> None:
    for attempt in (known(State.FINISHED, summary={'acc': '1'}), known(State.FAILED, 3, summary={'acc': '1'})):
        assert [more for *_, more in read_again(folder, attempt)] == [False]


def test_that_only_attempts_whose_scripts_may_have_run_are_read_again(folder: SearchFolder) -> None:
    leave(folder, 'acc 0.5\nfinished 1\n')
    assert read_again(folder, known(State.INTERRUPTED, None, 'abandoned')) == []


def test_that_other_values_of_a_run_that_was_stopped_are_read_again_and_it_stays_so(folder: SearchFolder) -> None:
    leave(folder, 'acc 0.5\nfinished 0\n')
    attempt = known(State.STOPPED, 0, 'pruned', pruned='worse', summary={'acc': '0.4'})
    assert read_again(folder, attempt) == [(1, 'stopped', True)]
    leave(folder, 'acc 0.5\nfinished 1\n')
    assert read_again(folder, attempt) == [(1, 'finished', True)]


def test_that_only_the_attempt_that_decides_is_read_again_once_a_run_has_finished(folder: SearchFolder) -> None:
    leave(folder, 'acc 0.5\nfinished 1\n')
    found = read_again(folder, known(State.FAILED, 3), known(State.FINISHED, number=2, summary={'acc': '1'}))
    assert found == [(2, 'finished', True)]


@pytest.mark.parametrize(
    ('attempt', 'lacks'),
    [
        (known(State.FAILED), True),
        (known(State.FAILED, summary={'acc': '1'}), True),
        (known(State.FAILED, summary={'finished': 'maybe'}), True),
        (known(State.FAILED, summary={'finished': '0'}), False),
        (known(State.FAILED, 3), False),
        (known(State.FAILED, 0, 'timeout'), False),
        (known(State.FINISHED), False),
    ],
)
def test_that_results_are_lacking_where_only_they_made_a_run_fail(attempt: Attempt, lacks: bool) -> None:
    assert lacks_results(attempt) is lacks


RMM = 'MemoryError: std::bad_alloc: out_of_memory: RMM failure at:pool.hpp:196: Maximum pool size exceeded\n'


@pytest.mark.parametrize('log', ['stdout', 'stderr'])
@pytest.mark.parametrize(
    ('text', 'cause', 'needed'),
    [
        (CUDA_OOM, 'gpu_oom', ResourceRequest(alone=True)),
        (RMM, 'gpu_oom', ResourceRequest(alone=True)),
        ('MemoryError\n', 'host_oom', ResourceRequest(alone_on_host=True)),
    ],
)
def test_that_a_run_gets_more_of_the_memory_it_ran_out_of(
    folder: SearchFolder, log: str, text: str, cause: str, needed: ResourceRequest
) -> None:
    Path(getattr(folder.attempt('sim_1', 1), log)).write_text(f'epoch 1\n{text}')
    found = ended(folder, EndReport(1, room=lambda: {'was_alone': False}))
    assert (found.state, found.verdict.cause) == (State.INTERRUPTED, cause)
    assert resources_for([Attempt('sim_1', 1, state=found.state, cause=found.verdict.cause)]) == needed


def test_that_what_a_failure_is_grouped_by_comes_from_its_log(folder: SearchFolder) -> None:
    leave(folder, stderr='Traceback\nKeyError: 7\n')
    found = ended(folder, EndReport(1))
    assert found.failure == 'Traceback\nKeyError: #'
    assert found.facts()['failure'] == found.failure


def test_that_a_failure_whose_error_is_on_stdout_is_grouped_by_that(folder: SearchFolder) -> None:
    leave(folder, stderr='\r 37%|###7      | 37/100 [00:01<00:02, 30.1it/s]\n')
    Path(folder.attempt('sim_1', 1).stdout).write_text('epoch 3\nERROR: no data at 0x7f01\n')
    assert ended(folder, EndReport(1)).failure == 'epoch #\nERROR: no data at #'


def test_that_runs_that_reached_a_time_limit_are_grouped_by_that(folder: SearchFolder) -> None:
    leave(folder, stderr='epoch 3\nTerminated\n')
    found = ended(folder, EndReport(143, 'timeout'))
    assert found.failure == found.reason == 'its job reached its time limit'


def test_that_half_a_summary_is_kept_with_the_failure(folder: SearchFolder) -> None:
    leave(folder, 'acc 0.5\n')
    found = ended(folder, EndReport(0))
    assert (found.state, found.summary) == (State.FAILED, {'acc': '0.5'})
    assert 'finished is missing' in found.reason


def test_that_an_attempt_that_never_began_has_no_summary(folder: SearchFolder) -> None:
    leave(folder, 'acc 0.5\nfinished 1\n')
    found = ended(folder, EndReport(cause='abandoned', detail='it had not been started', has_begun=False))
    assert (found.state, found.summary) == (State.INTERRUPTED, {})


def test_that_a_summary_of_an_earlier_attempt_does_not_count(folder: SearchFolder) -> None:
    leave(folder, 'acc 0.5\nfinished 1\n')
    facts = (folder.output('sim_1') / 'summary.txt').stat()
    mark = [facts.st_ino, facts.st_mtime_ns, facts.st_size]
    tried = [Attempt('sim_1', 2, summary_before=mark)]
    found = ended(folder, EndReport(1), tried, number=2, resumable=True)
    assert (found.state, found.summary) == (State.FAILED, {})
    assert ended(folder, EndReport(1), resumable=True).state is State.FINISHED


def test_that_a_summary_that_was_there_before_the_first_attempt_does_not_count(folder: SearchFolder) -> None:
    leave(folder, 'acc 0.5\nfinished 1\n')
    tried = [Attempt('sim_1', 1, summary_before=summary_mark(folder.output('sim_1'), configured()))]
    found = ended(folder, EndReport(0), tried)
    assert (found.state, found.summary) == (State.FAILED, {})
    assert 'its summary was there before it began' in found.reason
    leave(folder, 'acc 0.75\nfinished 1\n')
    assert ended(folder, EndReport(0), tried).state is State.FINISHED


@pytest.mark.parametrize(
    ('text', 'keywords'), [('acc 0.5\nfinished 1\n', ('acc', 'finished')), ('acc 0.5\n', ('acc',))]
)
def test_that_a_summary_that_is_older_than_the_attempt_does_not_count(
    folder: SearchFolder, text: str, keywords: tuple[str, ...]
) -> None:
    assert claim(folder, 'sim_1', 1, 'w')
    leave(folder, text)
    summary, now = folder.output('sim_1') / 'summary.txt', time.time()
    tried = [Attempt('sim_1', 1, claimed_at=now)]
    assert ended(folder, EndReport(0), tried, summary_keywords=keywords).state is State.FINISHED
    os.utime(summary, (now - 3600, now - 3600))
    found = ended(folder, EndReport(0), tried, summary_keywords=keywords)
    assert (found.state, found.summary) == (State.FAILED, {})
    assert found.reason == 'it ended with status 0; its summary is older than the attempt'
    os.utime(folder.attempt('sim_1', 1).claim, (now + 86400, now + 86400))
    assert ended(folder, EndReport(0), tried, summary_keywords=keywords).state is State.FINISHED, 'its files are copies'


def test_that_a_claim_which_is_a_link_to_an_earlier_one_tells_when_it_was_made(folder: SearchFolder) -> None:
    assert claim(folder, 'sim_1', 1, 'w') and claim(folder, 'sim_1', 2, 'w')
    leave(folder, 'acc 0.5\nfinished 1\n')
    now = time.time()
    later = [Attempt('sim_1', 1), Attempt('sim_1', 2, claimed_at=now + 3600)]
    found = ended(folder, EndReport(0), later, number=2)
    assert found.reason == 'it ended with status 0; its summary is older than the attempt'


@pytest.mark.parametrize(
    ('written', 'claimed_at', 'claim_at', 'end', 'is_before'),
    [
        (0.0, 5000.0, 5000.0, 5060.0, True),
        (0.0, 5000.0, 5000.0, None, True),
        (4999.0, 5000.0, 5000.0, 5060.0, False),
        (0.0, 5000.0, 5000.0, 10.0, False),
        (0.0, 5000.0, 9000.0, 9060.0, False),
        (0.0, 5000.0, None, 5060.0, False),
    ],
    ids=[
        'older',
        'without a record',
        'by a clock that differs a little',
        'the clock was set back',
        'a copy',
        'no claim',
    ],
)
def test_that_times_are_believed_only_where_they_agree(
    written: float, claimed_at: float, claim_at: float | None, end: float | None, is_before: bool
) -> None:
    assert is_from_before(written, claimed_at, claim_at, end) is is_before


@pytest.mark.parametrize(
    ('earlier', 'code', 'state'),
    [
        ({'state': State.INTERRUPTED, 'cause': 'host_dead'}, 143, State.FAILED),
        ({'state': State.INTERRUPTED, 'cause': 'host_dead'}, None, State.LOST),
        ({'state': State.INTERRUPTED, 'cause': 'host_dead'}, 0, State.FINISHED),
        ({'state': State.LOST}, 1, State.FINISHED),
        ({'state': State.INTERRUPTED, 'cause': 'preempted', 'code': 143}, 1, State.FINISHED),
    ],
)
def test_that_what_an_earlier_attempt_may_have_written_needs_a_success_of_its_own(
    folder: SearchFolder, earlier: dict[str, Any], code: int | None, state: State
) -> None:
    leave(folder, 'acc 0.5\nfinished 1\n')
    tried = [Attempt('sim_1', 1, **earlier), Attempt('sim_1', 2)]
    assert ended(folder, EndReport(code), tried, number=2).state is state


def test_that_a_stop_interrupts_it_unless_it_had_finished(folder: SearchFolder) -> None:
    stopped = EndReport(143, stop_reason='stopped by the user')
    found = ended(folder, stopped)
    assert (found.state, found.reason, found.verdict.cause) == (State.INTERRUPTED, 'stopped by the user', 'stop')
    leave(folder, 'acc 0.5\nfinished 1\n')
    assert ended(folder, stopped).state is State.FINISHED


@pytest.mark.parametrize(('resumable', 'state'), [(False, State.FAILED), (True, State.INTERRUPTED)])
def test_that_a_time_limit_only_interrupts_what_can_go_on(folder: SearchFolder, resumable: bool, state: State) -> None:
    assert ended(folder, EndReport(143, 'timeout'), resumable=resumable).state is state


def test_that_running_out_of_gpu_memory_asks_for_the_room_it_had(folder: SearchFolder) -> None:
    leave(folder, stderr=CUDA_OOM)
    room = {'was_alone': False, 'gpu_total': 40960}
    found = ended(folder, EndReport(1, room=lambda: room))
    assert (found.state, found.verdict.cause) == (State.INTERRUPTED, 'gpu_oom')
    assert found.facts()['facts'] == room


def test_that_it_fails_when_it_had_all_the_room_there_is(folder: SearchFolder) -> None:
    leave(folder, stderr=CUDA_OOM)
    room = {'was_alone': True, 'largest': True, 'gpu_total': 40960}
    found = ended(folder, EndReport(1, room=lambda: room))
    assert (found.state, found.verdict.cause) == (State.FAILED, 'gpu_oom')
    assert 'alone on the largest GPU' in found.reason


def test_that_the_word_of_a_queue_is_enough_for_host_memory(folder: SearchFolder) -> None:
    found = ended(folder, EndReport(137, 'out_of_memory'))
    assert (found.state, found.verdict.cause) == (State.INTERRUPTED, 'host_oom')


def test_that_the_room_is_not_asked_for_otherwise(folder: SearchFolder) -> None:
    def room() -> dict[str, Any]:
        raise AssertionError('it was asked for')

    found = ended(folder, EndReport(1, room=room))
    assert 'facts' not in found.facts()


def test_that_the_journal_keeps_only_what_is_known(folder: SearchFolder) -> None:
    leave(folder, 'acc 0.5\nfinished 1\n')
    assert ended(folder, EndReport(0, seconds=2.0, peak_memory=100)).facts() == {
        'state': 'finished',
        'code': 0,
        'cause': 'exit',
        'reason': '',
        'summary': {'acc': '0.5', 'finished': '1'},
        'seconds': 2.0,
        'peak_memory': 100,
    }


def test_that_an_attempt_and_its_completion_give_the_same_row(folder: SearchFolder) -> None:
    leave(folder, 'acc 0.5\nfinished 1\n')
    found = ended(folder, EndReport(0, seconds=2.0))
    attempt = Attempt('sim_1', 1, State.FINISHED, summary=found.summary, seconds=2.0)
    reader = CompletionReader(folder, configured())
    assert reader.row(RUN, found, [attempt]) == reader.row(RUN, attempt, [attempt])
    assert reader.row(RUN, found, ()).params == {'lr': 0.1, 'out_dir': str(folder.output('sim_1'))}


def test_that_an_output_folder_that_was_moved_is_read_where_it_is(folder: SearchFolder, tmp_path: Path) -> None:
    moved = tmp_path / 'moved'
    moved.mkdir()
    (moved / 'summary.txt').write_text('acc 0.5\nfinished 1\n')
    reader = CompletionReader(folder, configured(), lambda name: moved)
    found = reader.judge(RUN, 1, (), EndReport(0))
    assert found.state is State.FINISHED
    assert reader.row(RUN, found, ()).params['out_dir'] == str(moved)


def test_that_the_reason_has_the_error_in_the_words_of_the_script(folder: SearchFolder) -> None:
    leave(folder, stderr='usage: train.py [-h]\ntrain.py: error: unrecognized arguments: --hiden=3\n')
    assert ended(folder, EndReport(2)).reason == 'exit status 2: unrecognized arguments: --hiden=3'
    leave(folder, stderr='Fatal Python error: Segmentation fault\n')
    assert ended(folder, EndReport(139)).reason == (
        'exit status 139: signal 11 (SIGSEGV); Fatal Python error: Segmentation fault'
    )
    leave(folder, stderr='epoch 1\n')
    assert ended(folder, EndReport(3)).reason == 'exit status 3'


def missing(folder: SearchFolder, *names: str) -> Completion:
    """How an attempt ended that left files of these names, and no summary."""
    for name in names:
        path = folder.output('sim_1') / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text('')
    return ended(folder, EndReport(0))


MISSING = 'it ended with status 0; no summary file summary.txt in the output folder; '


def test_that_the_files_beside_a_summary_that_is_missing_are_listed(folder: SearchFolder) -> None:
    folder.output('sim_1').mkdir()
    ours = ('hpsearch_command.sh', 'job_sim_1.out', 'job_sim_1.err')
    assert missing(folder, *ours).reason == f'{MISSING}there is nothing; _SUMMARY_FILENAME names the file to read'
    found = missing(folder, 'result.json', 'ckpt/1.pt', 'a\x1b[31m', *(f'z{number}' for number in range(100)))
    assert found.reason == (
        f'{MISSING}there is a [31m, ckpt/, result.json, z0, z1, z10 and 97 more; '
        '_SUMMARY_FILENAME names the file to read'
    )


def test_that_a_summary_at_another_depth_is_named(folder: SearchFolder) -> None:
    found = missing(folder, 'logs/version_0/summary.txt', 'other.txt')
    assert found.reason == f'{MISSING}there is logs/version_0/summary.txt: _SUMMARY_FILENAME may name that'


def test_that_failures_are_alike_whatever_files_are_there(folder: SearchFolder) -> None:
    alone = missing(folder, 'x').failure
    assert missing(folder, 'events.host.a').failure == alone
    assert missing(folder, 'logs/summary.txt').failure == alone


def test_that_an_output_folder_that_cannot_be_listed_is_not_described(folder: SearchFolder) -> None:
    assert ended(folder, EndReport(0)).reason == 'it ended with status 0; no output folder'
    leave(folder, 'acc 0.5\n')
    assert '_SUMMARY_FILENAME' not in ended(folder, EndReport(0)).reason


# What reached its time limit


CLAIMED = [Attempt('sim_1', 1, claimed_at=1e9)]


def cut_off(folder: SearchFolder, **more: Any) -> Completion:
    """How a resumable attempt ended at its time limit."""
    return ended(folder, EndReport(143, 'timeout'), CLAIMED, **{'resumable': True, **more})


@pytest.fixture
def claimed(folder: SearchFolder) -> SearchFolder:
    """A folder with an attempt that was claimed a while ago."""
    Path(folder.attempt('sim_1', 1).claim).write_text('w\n')
    os.utime(folder.attempt('sim_1', 1).claim, (1e9, 1e9))
    return folder


def put(folder: SearchFolder, name: str, at: float) -> Path:
    """A file in the output folder that was written at a time."""
    path = folder.output('sim_1') / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.touch()
    os.utime(path, (at, at))
    return path


def test_that_an_attempt_that_left_nothing_until_its_time_limit_is_told(claimed: SearchFolder) -> None:
    found = cut_off(claimed)
    assert found.left_nothing
    assert found.reason == 'its job reached its time limit; nothing new in its output folder'
    assert found.facts()['left_nothing'] is True
    (claimed.output('sim_1') / 'checkpoints').mkdir(parents=True)
    assert cut_off(claimed).left_nothing, 'an empty folder is nothing'


@pytest.mark.parametrize(('at', 'is_new'), [(1e9 - 1, False), (1e9, False), (1e9 + 1, True)])
@pytest.mark.parametrize('name', ['model.pt', 'checkpoints/epoch=3/model.pt'])
def test_that_only_a_file_that_was_written_since_the_claim_is_new(
    claimed: SearchFolder, name: str, at: float, is_new: bool
) -> None:
    put(claimed, name, at)
    put(claimed, 'old.txt', 1e9 - 100)
    found = cut_off(claimed)
    assert found.left_nothing is not is_new
    assert ('left_nothing' in found.facts()) is not is_new


def test_that_our_own_files_in_the_output_folder_are_nothing_new(claimed: SearchFolder) -> None:
    Path(claimed.attempt('sim_1', 1).stderr).write_text('words\n')
    reader = CompletionReader(claimed, configured(resumable=True))
    reader.show_logs(RUN, *CLAIMED)
    assert len(os.listdir(claimed.output('sim_1'))) == 2
    assert cut_off(claimed).left_nothing


def test_that_what_is_not_known_is_not_taken_for_nothing(
    claimed: SearchFolder, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert not cut_off(claimed, out_arg=None).left_nothing
    put(claimed, 'a', 1), put(claimed, 'b', 1)
    assert cut_off(claimed).left_nothing
    with monkeypatch.context() as patch:
        patch.setattr(attempt_files, 'MOST_FILES', 1)
        assert not cut_off(claimed).left_nothing, 'too many files'
    (claimed.output('sim_1') / 'elsewhere').symlink_to(tmp_path)
    assert not cut_off(claimed).left_nothing, 'what is linked to is not ours to go through'
    os.remove(claimed.output('sim_1') / 'elsewhere')
    os.remove(claimed.attempt('sim_1', 1).claim)
    assert not cut_off(claimed).left_nothing, 'when it began is not known'


@pytest.mark.parametrize(('cause', 'more'), [('preempted', {}), ('', {}), ('timeout', {'resumable': False})])
def test_that_only_a_time_limit_of_what_can_go_on_makes_us_look(
    claimed: SearchFolder, cause: str, more: dict[str, Any]
) -> None:
    assert not ended(claimed, EndReport(143, cause), CLAIMED, **{'resumable': True, **more}).left_nothing


@pytest.mark.parametrize('state', [State.STOPPED, State.INTERRUPTED])
@pytest.mark.parametrize('resumable', [True, False])
def test_that_a_script_that_had_nothing_left_to_do_has_the_result_that_it_printed_before(
    folder: SearchFolder, state: State, resumable: bool
) -> None:
    Path(folder.attempt('sim_1', 1).stdout).write_text('acc 0.5\nacc 0.7\n')
    tried = [Attempt('sim_1', 1, state), Attempt('sim_1', 2, State.RUNNING)]
    again = Path(folder.attempt('sim_1', 2).stdout)
    again.parent.mkdir(parents=True)
    again.write_text('nothing to do\n')
    rules: dict[str, Any] = {'results': ({'stdout': 'acc (?P<acc>[0-9.]+)'},), 'summary_filename': None}
    rules |= {'summary_keywords': (), 'resumable': resumable}
    found = ended(folder, EndReport(0), tried, 2, **rules)
    assert (found.state is State.FINISHED, found.summary) == (resumable, {'acc': '0.7'} if resumable else {})
    again.write_text('acc 0.6\n')
    assert ended(folder, EndReport(0), tried, 2, **rules).summary == {'acc': '0.6'}
