"""Reading what an attempt left: no file more than is needed, and nothing concluded from what cannot be read."""

from __future__ import annotations

import os
import shutil
from pathlib import Path
from typing import Any

import pytest

from hpsearch.host.processes import Process, start_ticks
from hpsearch.model.evidence import Evidence, HostRelation, JobState, Liveness, ProcessState, QueueView
from hpsearch.model.history.attempt import Attempt
from hpsearch.model.states import State
from hpsearch.store import evidence as evidence_module
from hpsearch.store.evidence import EvidenceReader, read_files
from hpsearch.store.folder import AttemptPaths, SearchFolder
from tests.fakes.late_records import LateRecords
from tests.support.harness import marked_process, new_folder

IDENT = 'w:sim_1:1'
ATTEMPT = Attempt('sim_1', 1)
AT_WORK, WAITS, OVER = (QueueView(kind) for kind in (JobState.RUNNING, JobState.PENDING, JobState.ENDED))


@pytest.fixture
def folder(tmp_path: Path) -> SearchFolder:
    return new_folder(tmp_path / 'search')


@pytest.fixture
def paths(folder: SearchFolder) -> AttemptPaths:
    made = folder.attempt('sim_1', 1)
    Path(made.folder).mkdir(parents=True)
    return made


def leave(paths: AttemptPaths, **files: str) -> None:
    """Leave files of one line."""
    for name, text in files.items():
        Path(paths.folder, name).write_text(f'{text}\n')


def test_that_an_attempt_that_left_nothing_has_not_started(paths: AttemptPaths) -> None:
    assert read_files(paths, is_queued=False) == Evidence()
    assert read_files(paths, is_queued=True, job=OVER) == Evidence(is_queued=True, job=OVER)


def test_that_a_record_is_read_with_what_the_job_was_sent(paths: AttemptPaths) -> None:
    leave(paths, exit='143', signalled='TERM', requeued='x')
    found = read_files(paths, is_queued=True)
    assert (found.code, found.signalled, found.is_requeued, found.has_started) == (143, 'TERM', True, True)
    assert read_files(paths, is_queued=False) == Evidence(code=143, has_started=True)


def test_that_half_a_record_is_none(paths: AttemptPaths) -> None:
    Path(paths.exit).write_text('1')
    assert read_files(paths, is_queued=False).code is None


@pytest.mark.parametrize(
    ('fence', 'started', 'closed'),
    [(f'{IDENT} 77 5 0 n1', True, False), ('w:closed', False, True), ('other:sim_1:1 77 5 0 n1', False, True)],
)
def test_that_a_fence_tells_whether_the_attempt_itself_passed_it(
    paths: AttemptPaths, fence: str, started: bool, closed: bool
) -> None:
    leave(paths, started=fence)
    found = read_files(paths, is_queued=True, ident=IDENT, job=OVER)
    assert (found.has_started, found.is_closed) == (started, closed)


def test_that_a_fence_names_the_job_that_passed_it_where_that_is_known(paths: AttemptPaths) -> None:
    leave(paths, started=f'{IDENT} 77 5 0 n1')
    assert read_files(paths, is_queued=True).fence_job == '5'
    leave(paths, started=f'{IDENT} 77 - 0 n1')
    found = read_files(paths, is_queued=False)
    assert (found.fence_job, found.is_queued) == ('', True), 'it is a job all the same'


@pytest.mark.parametrize(('job', 'opened'), [(AT_WORK, ['exit']), (WAITS, ['exit', 'requeued'])])
def test_that_no_file_is_read_that_says_nothing_while_a_job_waits_or_runs(
    paths: AttemptPaths, monkeypatch: pytest.MonkeyPatch, job: QueueView, opened: list[str]
) -> None:
    seen: list[str] = []

    def look(path: str) -> str:
        seen.append(Path(path).name)
        return ''

    monkeypatch.setattr('hpsearch.store.attempt_files.read_line', look)
    monkeypatch.setattr(evidence_module, 'read_line', look)
    read_files(paths, is_queued=True, ident=IDENT, job=job)
    assert seen == opened


@pytest.mark.parametrize('job', [None, OVER, QueueView(JobState.ABSENT), QueueView(JobState.RUNNING, is_missing=True)])
def test_that_a_record_is_found_although_the_file_system_denied_it_before(
    paths: AttemptPaths, monkeypatch: pytest.MonkeyPatch, job: QueueView | None
) -> None:
    files = LateRecords()
    files.install(monkeypatch.setattr)
    leave(paths, started=f'{IDENT} 77 5 0 n1')
    assert read_files(paths, is_queued=True, job=AT_WORK).code is None
    leave(paths, exit='0')
    assert read_files(paths, is_queued=True, job=AT_WORK).code is None, 'nothing follows from that: it runs'
    assert read_files(paths, is_queued=True, job=job).code == 0


def test_that_a_record_which_is_listed_and_denied_cannot_be_read(
    paths: AttemptPaths, monkeypatch: pytest.MonkeyPatch
) -> None:
    LateRecords(is_refreshed=False).install(monkeypatch.setattr)
    leave(paths, started=f'{IDENT} 77 5 0 n1')
    assert read_files(paths, is_queued=True, job=OVER).code is None
    leave(paths, exit='0')
    with pytest.raises(OSError, match='exit'):
        read_files(paths, is_queued=True, job=OVER)


def test_that_a_record_of_a_process_is_found_although_it_was_denied_before(
    folder: SearchFolder, paths: AttemptPaths, monkeypatch: pytest.MonkeyPatch
) -> None:
    LateRecords().install(monkeypatch.setattr)
    leave(paths, started=f'{IDENT} 4194305')
    assert EvidenceReader(folder).read(ATTEMPT, Liveness.DEAD, HostRelation.OTHER).code is None
    leave(paths, exit='0')
    assert EvidenceReader(folder).read(ATTEMPT, Liveness.DEAD, HostRelation.OTHER).code == 0


def test_that_an_attempt_whose_folder_is_gone_left_nothing(folder: SearchFolder) -> None:
    assert read_files(folder.attempt('sim_9', 1), is_queued=False) == Evidence()


def test_that_a_file_that_cannot_be_read_raises(paths: AttemptPaths) -> None:
    Path(paths.exit).mkdir()
    with pytest.raises(OSError, match='exit'):
        read_files(paths, is_queued=False)


def test_that_nothing_is_read_of_an_attempt_that_is_looked_after(folder: SearchFolder, paths: AttemptPaths) -> None:
    Path(paths.exit).mkdir()
    found = EvidenceReader(folder).read(ATTEMPT, Liveness.ALIVE, HostRelation.SAME)
    assert found == Evidence(writer=Liveness.ALIVE, host=HostRelation.SAME)


@pytest.mark.parametrize(
    ('host', 'process'),
    [
        (HostRelation.SAME, ProcessState.GONE),
        (HostRelation.OTHER, ProcessState.UNKNOWN),
        (HostRelation.REBOOTED, ProcessState.UNKNOWN),
    ],
)
def test_that_only_this_host_is_asked_for_processes(
    folder: SearchFolder, paths: AttemptPaths, host: HostRelation, process: ProcessState
) -> None:
    leave(paths, started=f'{IDENT} 4194305')
    assert EvidenceReader(folder).read(ATTEMPT, Liveness.DEAD, host).process is process


def test_that_a_record_that_comes_while_processes_are_looked_for_counts(
    folder: SearchFolder, paths: AttemptPaths, monkeypatch: pytest.MonkeyPatch
) -> None:
    leave(paths, started=f'{IDENT} 4194305')

    def look(folder: object) -> dict[Process, tuple[str, str]]:
        leave(paths, exit='0')
        return {}

    monkeypatch.setattr(evidence_module, 'attempt_processes', look)
    assert EvidenceReader(folder).read(ATTEMPT, Liveness.DEAD, HostRelation.SAME).code == 0


def test_that_processes_are_looked_for_once_however_many_attempts_there_are(
    folder: SearchFolder, monkeypatch: pytest.MonkeyPatch
) -> None:
    looks: list[object] = []

    def look(folder: object) -> dict[Process, tuple[str, str]]:
        looks.append(folder)
        return {Process(7, '70'): ('sim_2', '1')}

    monkeypatch.setattr(evidence_module, 'attempt_processes', look)
    reader = EvidenceReader(folder)
    found = []
    for number in (1, 2, 3):
        made = folder.attempt(f'sim_{number}', 1)
        Path(made.folder).mkdir(parents=True)
        leave(made, started=f'w:sim_{number}:1 7')
        found.append(reader.read(Attempt(f'sim_{number}', 1), Liveness.DEAD, HostRelation.SAME).process)
    assert found == [ProcessState.GONE, ProcessState.ALIVE, ProcessState.GONE]
    assert len(looks) == 1


# What cannot be read, and what is missing


def process_of(folder: SearchFolder, attempt: Attempt, host: HostRelation = HostRelation.SAME) -> tuple[str, bool]:
    """What is known of the processes of an attempt of a writer that is gone, and whether it counts as started."""
    found = EvidenceReader(folder).read(attempt, Liveness.DEAD, host)
    return found.process.value, found.has_started


def running(handle: dict[str, Any] | None = None) -> Attempt:
    return Attempt('sim_1', 1, State.RUNNING, handle=handle)


def test_that_a_live_process_named_by_the_fence_is_never_gone_whatever_its_marks(
    folder: SearchFolder, paths: AttemptPaths
) -> None:
    leave(paths, started=f'{IDENT} {os.getpid()} {start_ticks(os.getpid())}')
    assert process_of(folder, ATTEMPT) == ('alive', True)
    leave(paths, started=f'{IDENT} {os.getpid()} 1')
    assert process_of(folder, ATTEMPT) == ('gone', True), 'its pid was reused'


def test_that_a_live_process_named_by_the_journal_wins_over_a_missing_fence(
    folder: SearchFolder, paths: AttemptPaths
) -> None:
    handle = {'pid': os.getpid(), 'ticks': start_ticks(os.getpid())}
    assert process_of(folder, running(handle)) == ('alive', True)
    shutil.rmtree(folder.jobs_dir)
    assert process_of(folder, running(handle)) == ('alive', True)
    assert process_of(folder, running({**handle, 'ticks': '1'})) == ('gone', False), 'it can be fenced'


def test_that_a_live_process_with_its_marks_wins_over_a_missing_fence(
    folder: SearchFolder, paths: AttemptPaths
) -> None:
    with marked_process(folder, 'sim_1') as process:
        assert process_of(folder, ATTEMPT) == ('alive', True)
        expected = {'pid': process.pid, 'ticks': start_ticks(process.pid)}
        assert EvidenceReader(folder).handle(ATTEMPT) == expected, 'it can be adopted'


@pytest.mark.parametrize('host', [HostRelation.SAME, HostRelation.OTHER])
def test_that_what_is_said_to_run_and_cannot_be_asked_is_not_fenced_for_want_of_a_fence(
    folder: SearchFolder, paths: AttemptPaths, host: HostRelation, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(evidence_module, 'presence', lambda pid, ticks: ProcessState.UNKNOWN)
    assert process_of(folder, running({'pid': 7, 'ticks': '7'}), host) == ('unknown', True)
    assert process_of(folder, ATTEMPT, host)[1] is False, 'what was only claimed can be'


def test_that_an_attempt_whose_fence_was_closed_runs_no_more(folder: SearchFolder, paths: AttemptPaths) -> None:
    leave(paths, started='w:closed')
    assert process_of(folder, running({'pid': os.getpid(), 'ticks': start_ticks(os.getpid())}))[1] is False


def test_that_an_attempt_of_somebody_whose_processes_cannot_be_read_is_unknown(
    folder: SearchFolder, paths: AttemptPaths, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(evidence_module, 'can_read_processes_of', lambda user: False)
    leave(paths, started=f'{IDENT} 4194305 1')
    assert process_of(folder, ATTEMPT) == ('unknown', True), 'it may have left children that we cannot see'


def test_that_a_session_that_the_shell_left_behind_may_be_the_attempt(
    folder: SearchFolder, paths: AttemptPaths, monkeypatch: pytest.MonkeyPatch
) -> None:
    leave(paths, started=f'{IDENT} 4194305 1')
    monkeypatch.setattr(evidence_module, 'sessions', lambda: {4194305: [Process(7, '70')]})
    assert process_of(folder, ATTEMPT) == ('unknown', True)
    leave(paths, started=f'{IDENT} {os.getpid()} 1')
    monkeypatch.setattr(evidence_module, 'sessions', lambda: {os.getpid(): [Process(7, '70')]})
    assert process_of(folder, ATTEMPT) == ('gone', True), 'another process leads it'
