"""A queue that fails or hangs: at the start, later, and while a search is stopped."""

from __future__ import annotations

import signal
from pathlib import Path

import pytest

from tests.e2e.lsf.projects import LsfProject, lsf_project
from tests.fakes.lsf import FakeLsf
from tests.support.gates import finish
from tests.support.harness import until

FAILURE = 'Failed in an LSF library call: Communication time out'
PILOTS = ('--runs_per_job=2', '--num_jobs=2')
WAYS = pytest.mark.parametrize('way', [(), PILOTS], ids=['one job per run', 'pilots'])

HASTY = {'queue': {'timeout': 1.0, 'retry': 0.1, 'record_grace': 1.0}}
"""Commands may take a second, and what failed is tried again soon."""


@pytest.fixture
def lsf(tmp_path: Path) -> FakeLsf:
    return FakeLsf(tmp_path / 'lsf', slots=8)


def journals(project: LsfProject) -> list[Path]:
    return sorted((project.out / 'journal').glob('*.jsonl'))


def leave_jobs(project: LsfProject, count: int = 2) -> None:
    """A search that was left while its jobs run."""
    search = project.submit('--num_jobs=2')
    project.wait_until_running(count)
    search.terminate()
    finish(search, (130,))


# At the start


@WAYS
def test_that_nothing_is_made_where_the_queue_fails_at_the_start(
    tmp_path: Path, lsf: FakeLsf, way: tuple[str, ...]
) -> None:
    lsf.fail('bjobs', -1)
    with lsf_project(tmp_path / 'project', lsf) as project:
        printed = finish(project.submit(*way), (2,))
        assert f'lsf does not answer: {FAILURE}' in printed
        assert '--wait_for_queue' in printed
        assert not project.out.exists()
        assert lsf.calls('bsub') == []


def test_that_nothing_is_made_where_the_queue_hangs_at_the_start(tmp_path: Path, lsf: FakeLsf) -> None:
    lsf.delay('bjobs', times=-1)
    with lsf_project(tmp_path / 'project', lsf) as project:
        assert 'lsf does not answer: bjobs did not answer within 1 s' in finish(project.drive_queue(HASTY), (2,))
        assert not project.out.exists()


def test_that_a_queue_is_waited_for_on_request(tmp_path: Path, lsf: FakeLsf) -> None:
    lsf.fail('bjobs', 2)
    with lsf_project(tmp_path / 'project', lsf) as project:
        project.open()
        printed = finish(project.drive_queue(HASTY, '--wait_for_queue'))
        assert printed.count('lsf does not answer, it is asked again in') == 2
        assert project.table_states() == project.all_finished()
        assert sorted(project.begun()) == project.once()


def test_that_waiting_for_a_queue_can_be_interrupted(tmp_path: Path, lsf: FakeLsf) -> None:
    lsf.fail('bjobs', 1)
    lsf.delay('bjobs', times=-1)
    with lsf_project(tmp_path / 'project', lsf) as project:
        search = project.drive_queue({'queue': {**HASTY['queue'], 'timeout': 600.0}}, '--wait_for_queue')
        until(lambda: len(lsf.calls('bjobs')) >= 2)
        search.send_signal(signal.SIGINT)
        finish(search, (130,))
        assert not project.out.exists()


def test_that_a_silent_queue_is_said_by_resume_and_stop_and_changes_nothing(tmp_path: Path, lsf: FakeLsf) -> None:
    with lsf_project(tmp_path / 'project', lsf) as project:
        leave_jobs(project)
        before = [path.read_text() for path in journals(project)]
        lsf.fail('bjobs', -1)
        assert f'lsf does not answer: {FAILURE}' in project.resume(codes=(2,))
        assert f'lsf does not answer: {FAILURE}' in project.say('join', 'out', '--run_cluster', codes=(2,))
        assert [path.read_text() for path in journals(project)] == before
        assert f'lsf does not answer: {FAILURE}' in project.say('stop', 'out', codes=(2,))
        assert f'what hpsearch knew last: {FAILURE}' in project.say('status', 'out')
        lsf.heal()
        assert 'stopped' in project.say('stop', 'out')
        assert {state for ends in project.ends().values() for state, _ in ends} == {'interrupted'}


# Later


def test_that_only_what_the_queue_accepted_is_said_to_continue(tmp_path: Path, lsf: FakeLsf) -> None:
    lsf.delay('bparams', times=-1)
    with lsf_project(tmp_path / 'project', lsf) as project:
        search = project.submit()
        until(lambda: len(project.told('claimed')) == 3)
        assert 'running:' not in project.say('status', 'out')
        search.terminate()
        printed = finish(search, (130,))
        assert 'No job of this search is in the queue.' in printed
        assert '3 runs remain to be submitted' in printed
        assert 'continue without' not in printed
        lsf.heal()
        project.open()
        project.resume()
        assert sorted(number for number, _ in project.begun()) == project.numbers, 'each once'


def test_that_a_submission_without_an_answer_is_said_to_be_that(tmp_path: Path, lsf: FakeLsf) -> None:
    lsf.delay('bsub', times=-1, acted=True)
    with lsf_project(tmp_path / 'project', lsf) as project:
        search = project.submit()
        project.wait_for_begun(3)
        search.terminate()
        assert '3 jobs were submitted without an answer: the queue may have accepted them' in finish(search, (130,))
        lsf.heal()
        project.open()
        project.resume()
        assert sorted(project.begun()) == project.once()


# Stopping


@WAYS
@pytest.mark.parametrize('command', ['bsub', 'bjobs', '*'])
def test_that_one_ctrl_c_ends_a_search_whose_queue_hangs(
    tmp_path: Path, lsf: FakeLsf, command: str, way: tuple[str, ...]
) -> None:
    lsf.delay(command, times=-1, skip=3 if command != 'bsub' else 0)
    with lsf_project(tmp_path / 'project', lsf) as project:
        search = project.submit('--stop_grace=1', *way)
        until(lambda: len(project.told('submitting')) >= 1 or len(lsf.calls(command.strip('*'))) >= 4)
        search.send_signal(signal.SIGINT)
        assert 'although the queue does not answer' in finish(search, (130,))


@WAYS
def test_that_two_ctrl_c_end_a_search_whose_queue_hangs(tmp_path: Path, lsf: FakeLsf, way: tuple[str, ...]) -> None:
    with lsf_project(tmp_path / 'project', lsf) as project:
        search = project.submit('--stop_grace=600', *way)
        project.wait_for_begun(3)
        lsf.delay('*', times=-1)
        search.send_signal(signal.SIGINT)
        until(lambda: project.told('stopping'))
        search.send_signal(signal.SIGINT)
        printed = finish(search, (130,))
        assert 'although the queue does not answer: bjobs has not answered yet' in printed
        assert 'jobs were to be cancelled and have not ended, as far as is known' in printed
        lsf.heal()
        assert 'stopped' in project.say('stop', 'out')
        assert {state for ends in project.ends().values() for state, _ in ends} == {'interrupted'}


def test_that_two_ctrl_c_end_the_jobs_of_a_queue_that_answers(tmp_path: Path, lsf: FakeLsf) -> None:
    with lsf_project(tmp_path / 'project', lsf) as project:
        search = project.submit('--stop_grace=60')
        project.wait_until_running(3)
        search.send_signal(signal.SIGINT)
        until(lambda: project.told('stopping'))
        search.send_signal(signal.SIGINT)
        assert 'does not answer' not in finish(search, (130,))
        assert {state for ends in project.ends().values() for state, _ in ends} == {'interrupted'}


@WAYS
def test_that_stop_says_that_the_queue_was_silent_to_the_hpsearch_at_work(
    tmp_path: Path, lsf: FakeLsf, way: tuple[str, ...]
) -> None:
    with lsf_project(tmp_path / 'project', lsf) as project:
        search = project.submit('--stop_grace=1', *way)
        project.wait_for_begun(3)
        lsf.fail('*', -1)
        printed = project.say('stop', 'out', codes=(2,))
        assert 'may go on in the queue' in printed
        assert FAILURE in printed
        assert 'stopped' not in printed.splitlines()
        finish(search, (130,))


def test_that_stop_ends_by_itself_where_the_queue_becomes_silent_meanwhile(tmp_path: Path, lsf: FakeLsf) -> None:
    with lsf_project(tmp_path / 'project', lsf) as project:
        leave_jobs(project)
        (project.out / 'search.json').write_text(
            (project.out / 'search.json').read_text().replace('"stop_grace": 15.0', '"stop_grace": 1.0')
        )
        lsf.fail('*', -1, skip=2)  # lsid, and the first bjobs
        printed = project.say('stop', 'out', codes=(2,))
        assert '2 jobs may go on in the queue' in printed or '3 jobs may go on in the queue' in printed
        assert FAILURE in printed
