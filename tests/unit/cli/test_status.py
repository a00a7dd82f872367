"""What people see of a search in a queue: from its writers, from its files, and from the queue itself."""

from __future__ import annotations

import json
import logging
import os
import re
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import pytest

from hpsearch.backends.queue.batch_system import CommandResult
from hpsearch.backends.queue.poller import match_jobs
from hpsearch.cli.backends import queue_system
from hpsearch.cli.backends.queue_system import check_queue
from hpsearch.cli.options import ClusterOptions, SearchOptions
from hpsearch.cli.runs.control import request_cancel, request_rerun
from hpsearch.cli.status import status_lines
from hpsearch.host.processes import start_ticks
from hpsearch.model.errors import BackendError
from hpsearch.model.evidence import JobRecord, JobState
from hpsearch.model.history.attempt import Attempt
from hpsearch.model.history.submission import Submission
from hpsearch.model.snapshot import QueueLine, RunLine
from hpsearch.store.writers import FRESH
from hpsearch.ui.format import progress_line, queue_texts, stuck_texts, worth_a_line
from hpsearch.ui.live import LiveLayout
from hpsearch.ui.status_report import status_json, status_text
from tests.support.queued_search import BEGIN, QueuedSearch, elsewhere
from tests.support.snapshots import GPUS, SNAPSHOT, counts

NEVER = QueueLine('pending', 'PartitionTimeLimit', 4, 'sim_007', is_stuck=True)
QUEUE = (
    QueueLine('waiting', 'QOSMaxSubmitJobPerUserLimit', 3, 'sim_100'),
    QueueLine('pending', 'Resources', 25, 'sim_050'),
    QueueLine('running', '', 25, 'sim_001'),
    QueueLine('pending', 'JobArrayTaskLimit', 950, 'sim_060'),
    NEVER,
)
IN_QUEUE = replace(SNAPSHOT, counts={'finished': 45, 'running': 25, 'submitted': 50}, gpus=(), queue=QUEUE)


# Time


def elapsed(search: QueuedSearch) -> float:
    """The time of a search in its status, in seconds."""
    return float(json.loads('\n'.join(status_lines(search.folder, as_json=True)))['elapsed'])


def test_that_the_time_of_a_search_ends_with_it(tmp_path: Path) -> None:
    search = QueuedSearch(tmp_path / 'search')
    search.plan(1)
    search.event('closed', at=BEGIN + 90.0)
    assert elapsed(search) == 90.0


def test_that_the_time_of_a_search_that_was_killed_ends_with_its_last_sign_of_life(tmp_path: Path) -> None:
    search = QueuedSearch(tmp_path / 'search')
    search.beat()
    os.utime(search.folder.journal_dir / 'w.alive', (BEGIN + 40.0, BEGIN + 40.0))
    assert elapsed(search) == pytest.approx(40.0, abs=0.01)


def test_that_the_time_of_a_search_that_was_killed_is_the_same_in_a_copy(tmp_path: Path) -> None:
    search = QueuedSearch(tmp_path / 'search')
    search.beat(at=BEGIN + 40.0)  # its file has the time of now, as that of a copy
    assert elapsed(search) == 40.0


def test_that_the_time_of_a_search_that_was_killed_at_once_has_that_of_the_runs_which_went_on(tmp_path: Path) -> None:
    search = QueuedSearch(tmp_path / 'search')
    search.submit(1, gpus=[])
    search.event('ended', run=search.names[0], attempt=1, state='finished', seconds=70.0)
    assert elapsed(search) == 70.0


def test_that_the_time_goes_on_while_jobs_of_a_search_do(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr('shutil.which', lambda program: None)
    search = QueuedSearch(tmp_path / 'search')
    search.submit(1)
    search.event('closed', at=BEGIN + 90.0)
    assert elapsed(search) > 1e6


# Texts


def test_that_the_status_has_states_and_reasons_with_their_counts() -> None:
    assert (
        '  queue: 25 running, 950 pending (JobArrayTaskLimit), 25 pending (Resources), '
        '4 pending (PartitionTimeLimit), 3 waiting (QOSMaxSubmitJobPerUserLimit)'
    ) in status_text(IN_QUEUE).splitlines()


def test_that_what_never_starts_is_named_with_the_reason() -> None:
    line = '  stuck: sim_007 and 3 more will never start: PartitionTimeLimit'
    assert line in status_text(IN_QUEUE).splitlines()
    assert stuck_texts([replace(NEVER, count=1)]) == ['sim_007 will never start: PartitionTimeLimit']


def test_that_a_search_without_a_queue_says_nothing_of_one() -> None:
    assert 'queue' not in status_text(SNAPSHOT)
    assert status_json(SNAPSHOT)['queue'] == []


def test_that_the_counts_say_in_the_queue_and_the_json_the_state() -> None:
    assert '45 finished, 25 running, 50 in the queue' in status_text(IN_QUEUE)
    assert status_json(IN_QUEUE)['counts']['submitted'] == 50


def test_that_the_json_has_the_lines_of_the_queue() -> None:
    read = json.loads(json.dumps(status_json(IN_QUEUE)))['queue']
    assert read[4] == {
        'state': 'pending', 'reason': 'PartitionTimeLimit', 'count': 4, 'example': 'sim_007', 'is_stuck': True
    }  # fmt: skip


def test_that_jobs_which_are_alike_are_counted_together() -> None:
    lines = [QueueLine('pending', 'Priority', 2, 'a'), QueueLine('pending', 'Priority', 3, 'b')]
    assert queue_texts(lines) == ['5 pending (Priority)']


def test_that_a_reason_which_says_none_is_left_out() -> None:
    assert queue_texts([QueueLine('pending', 'None', 2, 'a')]) == ['2 pending']


def test_that_many_reasons_do_not_make_a_long_line() -> None:
    texts = queue_texts([QueueLine('pending', f'Reason{number}', 1, 'a') for number in range(100)])
    assert len(texts) == 8
    assert texts[-1] == '93 others'


def test_that_a_reason_cannot_command_the_terminal() -> None:
    line = QueueLine('pending', 'a\x1b[2J\nb', 1, 'sim\x07', is_stuck=True)
    assert queue_texts([line]) == ['1 pending (a b)']
    assert stuck_texts([line]) == ['sim will never start: a b']


def test_that_many_runs_under_way_are_named_only_as_far_as_a_screen_goes() -> None:
    running = [RunLine(f'sim_{number:03d}', 1.0, '') for number in range(100)]
    shown = [line for line in status_text(replace(IN_QUEUE, running=running)).splitlines() if 'running:' in line]
    assert len(shown) == 25
    assert shown[-1] == '  running: and 76 more'
    assert len(status_json(replace(IN_QUEUE, running=running))['running']) == 100


def test_that_the_progress_line_has_the_queue_and_what_is_stuck() -> None:
    line = progress_line(replace(IN_QUEUE, queue=(NEVER,)))
    assert line.endswith(
        'queue: 4 pending (PartitionTimeLimit); sim_007 and 3 more will never start: PartitionTimeLimit'
    )


def test_that_jobs_that_will_never_start_are_worth_a_line_once() -> None:
    before, after = counts(submitted=4), replace(counts(submitted=4), queue=(NEVER,))
    assert worth_a_line(before, after, 0.0)
    assert not worth_a_line(after, after, 1000.0)


def painted(rows: int) -> list[str]:
    lines = LiveLayout(unicode=False).paint(IN_QUEUE, 200, rows)
    return [re.sub(r'\x1b\[[\d;]*m', '', line).rstrip() for line in lines]


def test_that_the_live_view_shows_the_queue_before_the_runs() -> None:
    lines = painted(20)
    queue = next(index for index, line in enumerate(lines) if line.startswith('queue'))
    assert '25 running · 950 pending (JobArrayTaskLimit) · 25 pending (Resources)' in lines[queue]
    assert lines[queue + 1] == 'stuck    sim_007 and 3 more will never start: PartitionTimeLimit'
    assert lines[queue + 2].startswith('running')
    assert any('50 in the queue' in line for line in lines)


@pytest.mark.parametrize('rows', range(3, 12))
def test_that_the_live_view_with_a_queue_keeps_to_its_rows(rows: int) -> None:
    assert len(painted(rows)) <= rows


# What a listing says


def record(index: int, state: JobState, reason: str = '', name: str = 'hps-x-1', **more: Any) -> JobRecord:
    return JobRecord('101', index, name, state, reason=reason, **more)


def queued(number: int) -> Attempt:
    handle = {'queue': 'lsf', 'submission': 'hps-x-1', 'index': number}
    return Attempt(f'sim_{number}', 1, handle=handle)


def test_that_a_listing_is_sorted_by_state_and_reason() -> None:
    attempts = [queued(number) for number in range(1, 6)]
    listed = [
        record(1, JobState.RUNNING, 'None'),
        record(2, JobState.PENDING, 'Resources'),
        record(3, JobState.PENDING, 'BadConstraints', is_stuck=True),
        record(4, JobState.ENDED, cause='cancelled'),
        record(1, JobState.PENDING, name='of-somebody-else'),
    ]
    matched = match_jobs(listed, attempts, [])
    assert matched.lines == (
        QueueLine('running', '', 1, 'sim_1'),
        QueueLine('pending', 'BadConstraints', 1, 'sim_3', is_stuck=True),
        QueueLine('pending', 'Resources', 1, 'sim_2'),
    )
    assert matched.running == (attempts[0],)
    assert matched.ended == ((attempts[3], listed[3]),)
    assert matched.missing == (attempts[4],)


def test_that_of_two_jobs_of_one_name_the_one_that_lives_counts() -> None:
    listed = [record(1, JobState.ENDED), record(1, JobState.RUNNING), record(1, JobState.PENDING)]
    assert [line.state for line in match_jobs(listed, [queued(1)], []).lines] == ['running']


def test_that_elements_which_were_cancelled_together_are_found_in_their_array() -> None:
    matched = match_jobs([record(0, JobState.ENDED, cause='cancelled')], [queued(1), queued(2)], [])
    assert [(attempt.run, job.cause) for attempt, job in matched.ended] == [
        ('sim_1', 'cancelled'),
        ('sim_2', 'cancelled'),
    ]
    assert matched.missing == ()


def test_that_jobs_that_work_on_the_search_are_counted() -> None:
    pilots = [Submission('hps-pilots-1', 'lsf', 'w', 0.0, 2, pilots=3)]
    listed = [
        record(1, JobState.RUNNING, name='hps-pilots-1'),
        record(2, JobState.PENDING, 'Priority', name='hps-pilots-1'),
        record(3, JobState.ENDED, name='hps-pilots-1'),
    ]
    matched = match_jobs(listed, [], pilots)
    assert matched.lines == (
        QueueLine('running', '', 1, 'hps-pilots-1[1]'),
        QueueLine('pending', 'Priority', 1, 'hps-pilots-1[2]'),
    )
    assert matched.missing == ()


# The question before a search begins


def in_queue(**chosen: Any) -> SearchOptions:
    return SearchOptions(cluster=ClusterOptions(run_cluster=True, **chosen))


def test_that_a_queue_that_answers_is_asked_once(queue: Queue) -> None:
    queue.lists()
    check_queue(in_queue())
    assert queue.questions == 1


def test_that_a_queue_that_does_not_answer_is_an_error_in_its_own_words(queue: Queue) -> None:
    queue.lists(code=1, err='slurm_load_jobs error: Unable to contact slurm controller (connect failure)')
    with pytest.raises(BackendError, match=r'slurm does not answer: slurm_load_jobs error: Unable .*--wait_for_queue'):
        check_queue(in_queue())
    assert queue.questions == 1


def test_that_a_queue_is_waited_for_on_request_with_growing_pauses(
    queue: Queue, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.WARNING, 'hpsearch')
    queue.lists(code=1, err='connect failure')
    pauses: list[float] = []

    def sleep(seconds: float) -> None:
        pauses.append(seconds)
        if len(pauses) == 6:
            queue.lists()

    check_queue(in_queue(wait_for_queue=True), sleep)
    assert pauses == [30.0, 60.0, 120.0, 240.0, 300.0, 300.0]
    assert caplog.messages[1] == 'slurm does not answer, it is asked again in 1 min 00 s: connect failure'


# hpsearch status


@dataclass
class ScriptedSystem:
    """A queue system whose listing is a file of ``name index state reason``."""

    memory: int | None = 1000
    name: str = 'slurm'
    programs: Sequence[str] = ()
    unsupported: str = ''

    def list_argv(self) -> list[str]:
        return ['list_jobs_of_a_test']

    def environment(self, inherited: Mapping[str, str]) -> dict[str, str]:
        return dict(inherited)

    def parse_listing(self, answer: CommandResult) -> Sequence[JobRecord] | None:
        if answer.code != 0:
            return None
        rows = (line.split() for line in answer.out.splitlines() if line)
        return [
            JobRecord('1', int(index), name, JobState(state), reason=reason, cause=reason if state == 'ended' else '')
            for name, index, state, reason in rows
        ]


class Queue:
    """A command on PATH that lists jobs."""

    def __init__(self, path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self._path = path
        path.mkdir()
        self.asked = path / 'asked'
        monkeypatch.setenv('PATH', f'{path}{os.pathsep}{os.environ["PATH"]}')
        monkeypatch.setattr(queue_system, 'system_named', lambda name, args: ScriptedSystem())

    def lists(self, *rows: str, code: int = 0, err: str = '') -> None:
        text = '\n'.join(rows)
        command = self._path / 'list_jobs_of_a_test'
        command.write_text(
            f"#!/bin/sh\necho asked >> {self.asked}\ncat <<'END'\n{text}\nEND\necho '{err}' >&2\nexit {code}\n"
        )
        command.chmod(0o755)

    def also(self, code: str) -> None:
        """Do something else when it is asked."""
        command = self._path / 'list_jobs_of_a_test'
        command.write_text(command.read_text().replace('#!/bin/sh\n', f'#!/bin/sh\n{code}\n'))

    @property
    def questions(self) -> int:
        return len(self.asked.read_text().splitlines()) if self.asked.exists() else 0


@pytest.fixture
def queue(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Queue:
    return Queue(tmp_path / 'bin', monkeypatch)


@pytest.fixture
def search(tmp_path: Path) -> QueuedSearch:
    return QueuedSearch(tmp_path / 'search')


def status(search: QueuedSearch) -> str:
    return '\n'.join(status_lines(search.folder, as_json=False))


def json_of(search: QueuedSearch) -> dict[str, Any]:
    read: dict[str, Any] = json.loads('\n'.join(status_lines(search.folder, as_json=True)))
    return read


def news(count: int) -> list[dict[str, Any]]:
    return [
        {'state': 'pending', 'reason': 'Priority', 'count': count, 'example': 'sim_001', 'is_stuck': False, 'new': 1}
    ]


def test_that_status_shows_what_a_writer_on_another_host_tells_of_the_queue(tmp_path: Path, queue: Queue) -> None:
    search = QueuedSearch(tmp_path / 'search', host=elsewhere('login1'))
    search.submit(2)
    search.beat(queue=news(2))
    assert '  queue: 2 pending (Priority)' in status(search)
    assert json_of(search)['counts'] == {'submitted': 2}
    assert json_of(search)['waiting'] == ''
    assert queue.questions == 0


def test_that_what_a_silent_writer_told_long_ago_is_not_shown(tmp_path: Path, queue: Queue) -> None:
    search = QueuedSearch(tmp_path / 'search', host=elsewhere('login1'))
    search.submit(1)
    search.beat(age=FRESH + 1, queue=news(7))
    queue.lists('hps-x-1 1 pending Resources')
    assert '  queue: 1 pending (Resources)' in status(search)


def test_that_results_are_counted_although_nobody_works_on_the_search(search: QueuedSearch, queue: Queue) -> None:
    names = search.submit(6)
    search.leave()
    search.end(names[0], 0, acc=0.7)
    search.end(names[1], 0, acc=0.9)
    search.end(names[2], 1, stderr='KeyError: x\n')
    search.start(names[3])
    queue.lists('hps-x-1 4 running None', 'hps-x-1 5 pending Resources', 'hps-x-1 6 pending Resources')
    read = json_of(search)
    assert read['counts'] == {'finished': 2, 'failed': 1, 'running': 1, 'submitted': 2}
    assert read['best'] == {'run': names[1], 'params': {'lr': 2}, 'performance': '0.9'}
    assert read['failures'] == [{'count': 1, 'stderr': 'exit status 1: KeyError: x', 'example': names[2]}]
    assert [(line['name'], line['where']) for line in read['running']] == [(names[3], 'on node7')]
    assert [(line['state'], line['count']) for line in read['queue']] == [('running', 1), ('pending', 2)]
    assert read['waiting'].startswith('no hpsearch works on it; its jobs in the queue continue')
    assert read['notes'] == []


def test_that_the_time_of_a_run_begins_with_its_start_and_not_with_its_submission(
    search: QueuedSearch, queue: Queue
) -> None:
    (name,) = search.submit(1)
    search.start(name)
    queue.lists('hps-x-1 1 running None')
    (line,) = json_of(search)['running']
    assert line['seconds'] < 60


def test_that_the_queue_is_asked_once_however_many_runs_there_are(search: QueuedSearch, queue: Queue) -> None:
    search.submit(50)
    search.submit(50)
    queue.lists(*(f'hps-x-{array} {index} pending Resources' for array in (1, 2) for index in range(1, 51)))
    assert '100 pending (Resources)' in status(search)
    assert queue.questions == 1


def test_that_a_job_which_the_queue_says_runs_is_counted_as_running(search: QueuedSearch, queue: Queue) -> None:
    search.submit(1)
    queue.lists('hps-x-1 1 running None')
    assert json_of(search)['counts'] == {'running': 1}


def test_that_a_run_that_is_missing_in_the_queue_is_told_and_not_given_up(search: QueuedSearch, queue: Queue) -> None:
    names = search.submit(2)
    queue.lists('hps-x-1 1 pending Resources')
    read = json_of(search)
    assert read['counts'] == {'submitted': 2}
    (note,) = read['notes']
    assert names[1] in note
    assert note.startswith(f'1 of the runs ({names[1]}) has ended in the queue, or is not listed there')


def test_that_a_job_that_ended_without_a_record_is_told_and_not_given_up(search: QueuedSearch, queue: Queue) -> None:
    names = search.submit(2)
    search.start(names[0])
    queue.lists('hps-x-1 1 ended CANCELLED', 'hps-x-1 2 ended CANCELLED')
    read = json_of(search)
    assert read['counts'] == {'running': 1, 'submitted': 1}
    assert [(line['state'], line['reason'], line['count']) for line in read['queue']] == [('ended', 'CANCELLED', 2)]
    (note,) = read['notes']
    assert note.startswith('2 of the runs (sim_001, …) have ended')


def test_that_a_run_that_was_killed_has_the_cause_that_the_queue_tells(search: QueuedSearch, queue: Queue) -> None:
    cancelled, unknown = search.submit(2)
    search.end(cancelled, 143)
    search.end(unknown, 143)
    queue.lists('hps-x-1 1 ended cancelled')
    read = json_of(search)
    assert read['counts'] == {'interrupted': 1, 'failed': 1}
    assert read['queue'] == []
    (note,) = read['notes']
    assert note.startswith('1 run was cancelled in the queue; to run it again: hpsearch resume ')


def test_that_what_was_cancelled_in_the_queue_waits_for_nobody_until_it_is_asked_for(
    search: QueuedSearch, queue: Queue
) -> None:
    (name,) = search.submit(1)
    search.event('ended', run=name, attempt=1, state='interrupted', cause='cancelled', reason='it was cancelled')
    search.leave()
    queue.lists()
    assert json_of(search)['waiting'] == ''
    request_rerun(search.folder, [name])
    read = json_of(search)
    assert 'hpsearch resume continues it' in read['waiting']
    assert read['notes'] == ['1 run waits to be run again: hpsearch rerun asked for it']


def test_that_a_run_that_is_cancelled_while_nobody_works_on_the_search_is_said_to_have_yet_to_end(
    search: QueuedSearch, queue: Queue
) -> None:
    names = search.submit(2)
    search.leave()
    queue.lists('hps-x-1 1 running -', 'hps-x-1 2 running -')
    request_cancel(search.folder, names[:1])
    assert json_of(search)['notes'] == ['1 run has yet to end, cancelled by hpsearch cancel']


def test_that_a_run_that_was_killed_has_an_end_where_the_queue_cannot_be_asked(
    search: QueuedSearch, queue: Queue
) -> None:
    (name,) = search.submit(1)
    search.end(name, 137)
    assert json_of(search)['counts'] == {'failed': 1}


def test_that_a_record_that_came_while_the_queue_was_asked_counts(search: QueuedSearch, queue: Queue) -> None:
    (name,) = search.submit(1)
    queue.lists('hps-x-1 1 ended COMPLETED')
    search.end(name, 0, acc=0.5)
    record = search.folder.attempt(name, 1).exit
    os.rename(record, f'{record}.late')
    queue.also(f"mv '{record}.late' '{record}'")
    read = json_of(search)
    assert (read['counts'], read['queue'], read['notes']) == ({'finished': 1}, [], [])


def test_that_a_queue_that_does_not_answer_is_told_in_one_note(search: QueuedSearch, queue: Queue) -> None:
    search.submit(3)
    queue.lists(code=1, err='Unable to contact slurm controller')
    (note,) = json_of(search)['notes']
    assert note.endswith('Unable to contact slurm controller')


def test_that_a_machine_without_the_commands_of_the_queue_says_so(search: QueuedSearch, queue: Queue) -> None:
    search.submit(3)
    (note,) = json_of(search)['notes']
    assert 'list_jobs_of_a_test is not on PATH here' in note


def test_that_the_queue_is_not_asked_of_a_search_that_is_done(search: QueuedSearch, queue: Queue) -> None:
    names = search.submit(2)
    search.event('submitting', queue='lsf', submission='hps-pilots-1', pilots=3, throttle=3, at=0.0)
    for name in names:
        search.end(name, 0, acc=0.5)
    queue.lists()
    assert json_of(search)['counts'] == {'finished': 2}
    assert queue.questions == 0


def test_that_jobs_that_work_on_the_search_are_asked_for_while_there_is_work(
    search: QueuedSearch, queue: Queue
) -> None:
    search.plan(2)
    search.event('submitting', queue='lsf', submission='hps-pilots-1', pilots=3, throttle=3, at=0.0)
    queue.lists('hps-pilots-1 1 pending Priority', 'hps-pilots-1 2 pending Priority')
    shown = status(search)
    assert '  queue: 2 pending (Priority)' in shown
    assert 'its jobs in the queue continue' in shown


def test_that_only_their_own_user_asks_for_jobs(
    search: QueuedSearch, queue: Queue, monkeypatch: pytest.MonkeyPatch
) -> None:
    search.submit(1)
    queue.lists('hps-x-1 1 pending Resources')
    monkeypatch.setattr(os, 'geteuid', lambda: 54321)
    (note,) = json_of(search)['notes']
    assert 'the jobs belong to' in note
    assert queue.questions == 0


def test_that_a_search_that_has_a_dispatcher_here_is_left_to_it(tmp_path: Path, queue: Queue) -> None:
    search = QueuedSearch(tmp_path / 'search', process={'pid': os.getpid(), 'ticks': start_ticks(os.getpid())})
    (name,) = search.submit(1)
    search.end(name, 0, acc=0.5)
    assert json_of(search)['counts'] == {'submitted': 1}
    assert queue.questions == 0


def test_that_a_parser_of_its_own_reads_the_results_of_a_search(tmp_path: Path, queue: Queue) -> None:
    (tmp_path / 'config.py').write_text(
        "grid = {'lr': [0.1]}\nconditions = []\n_SCRIPT_NAME = 'train.py'\n_SUMMARY_FILENAME = 'summary.txt'\n"
        "_SUMMARY_KEYWORDS = ['acc', 'finished']\n_PERFORMANCE_KEY = 'acc'\n"
        "_SUMMARY_PARSER_HANDLE = lambda out_dir, ident: {'acc': [7], 'finished': [1]}\n"
    )
    search = QueuedSearch(tmp_path / 'search', handles=('summary_parser',))
    (name,) = search.submit(1)
    search.end(name, 0, acc=0.1)
    assert json_of(search)['best']['performance'] == '7'


def test_that_status_says_why_no_run_is_the_best(search: QueuedSearch, queue: Queue) -> None:
    first, second = search.submit(2)
    queue.lists()
    search.end(first, 0, acc='0,950')
    assert f"No finished run has a number for acc; in {first} it is '0,950'" in status(search)
    search.end(second, 0, acc=0.5)
    assert 'No finished run' not in status(search)


def test_that_runs_in_jobs_that_show_no_life_are_told_in_one_note(tmp_path: Path, queue: Queue) -> None:
    job = {'job': {'queue': 'lsf', 'id': '7_1'}}
    search = QueuedSearch(tmp_path / 'search', host=elsewhere('node1'), header=job)
    for name in search.plan(2):
        search.claim(name)
    search.beat(age=FRESH + 1)
    (note,) = json_of(search)['notes']
    assert note.startswith('2 of the runs under way show no sign of life, in 1 of the jobs')
    search.beat()
    assert json_of(search)['notes'] == []


def test_that_two_thousand_runs_in_a_queue_are_looked_at_by_one_listing(search: QueuedSearch, queue: Queue) -> None:
    search.submit(2000)
    queue.lists(*(f'hps-x-1 {index} pending Resources' for index in range(1, 2001)))
    assert '2000 pending (Resources)' in status(search)
    assert queue.questions == 1


def test_that_the_age_of_the_readings_of_gpus_includes_the_silence_of_their_writer(tmp_path: Path) -> None:
    pid = os.getpid()
    search = QueuedSearch(tmp_path / 'search', process={'pid': pid, 'ticks': start_ticks(pid)})
    search.plan(1)
    search.journal.beat({'gpus': [asdict(replace(GPUS[0], age=1.0))]})
    alive = search.folder.journal_dir / 'w.alive'
    facts = alive.stat()
    os.utime(alive, (facts.st_atime, facts.st_mtime - 600))
    (gpu,) = json_of(search)['gpus']
    assert 601 <= gpu['age'] < 660


# What is not known to run


def test_that_what_was_only_claimed_does_not_run(tmp_path: Path) -> None:
    search = QueuedSearch(tmp_path / 'search', process={'pid': os.getpid(), 'ticks': start_ticks(os.getpid())})
    search.beat()
    for name in search.plan(2):
        search.claim(name)
    search.submit(2, accepted=False)
    read = json_of(search)
    assert (read['counts']['claimed'], read['running']) == (4, [])


def test_that_jobs_that_were_not_accepted_are_not_said_to_continue(search: QueuedSearch, queue: Queue) -> None:
    queue.lists(code=1, err='connect failure')
    search.submit(2, accepted=False)
    search.leave()
    said = status(search)
    assert 'its jobs in the queue continue' not in said
    assert 'so what is shown of them is what hpsearch knew last: connect failure' in said
