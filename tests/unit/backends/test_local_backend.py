"""What only processes of this machine do: they leave others behind, leave their group, and are killed from outside."""

from __future__ import annotations

import errno
import os
import signal
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from hpsearch.backends.base import AttemptStatus, Launch
from hpsearch.backends.local.attempts import ends as ends_module
from hpsearch.backends.local.attempts import leftovers, living, spawning
from hpsearch.backends.local.backend import LocalBackend
from hpsearch.backends.local.slots import FixedSlots
from hpsearch.host.processes import Process, start_ticks
from hpsearch.host.signals import Wakeup
from hpsearch.model.evidence import HostRelation, JobState, Liveness, ProcessState
from hpsearch.model.history.attempt import Attempt
from hpsearch.model.resources import Slot
from hpsearch.store.attempt_files import attempt_processes, exit_code, marks, read_fence
from hpsearch.store.evidence import EvidenceReader
from hpsearch.store.folder import SearchFolder
from hpsearch.store.whole_files import whole_file
from tests.fakes.trouble import Trouble
from tests.support.harness import ends, launch, new_folder, python, shell, start, until

DAEMON = 'import os, time; os.setsid(); open({pid!r}, "w").write(str(os.getpid()) + "\\n"); time.sleep(600)'


@pytest.fixture
def folder(tmp_path: Path) -> SearchFolder:
    return new_folder(tmp_path / 'search')


@pytest.fixture
def backend(folder: SearchFolder, tmp_path: Path) -> Iterator[LocalBackend]:
    with Wakeup() as wakeup:
        local = LocalBackend(folder, str(tmp_path), FixedSlots(4), wakeup)
        yield local
        local.cancel(list(local.states(time.monotonic())), force=True)
        local.close()


def pid_in(path: Path) -> int:
    return int(until(lambda: path.exists() and path.read_text().strip()))


def is_gone(pid: int) -> bool:
    return not start_ticks(pid)


def test_that_children_left_in_the_group_are_stopped_and_told(backend: LocalBackend, folder: SearchFolder) -> None:
    pid_file = folder.path / 'pid'
    (ident,) = start(backend, launch(folder, 'sim_1', *shell(f'sleep 600 & echo $! > {pid_file}; exit 0')))
    status = ends(backend, [ident])[ident]
    assert 'left processes behind' in status.detail
    until(lambda: is_gone(pid_in(pid_file)))


def test_that_children_which_ignore_term_are_killed_after_their_grace(
    backend: LocalBackend, folder: SearchFolder, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(leftovers, 'GRACE', 0.2)
    pid_file = folder.path / 'pid'
    code = f"(trap '' TERM; echo ready > {pid_file}.ready; sleep 600; sleep 600) & echo $! > {pid_file}"
    gate = f'while [ ! -e {pid_file}.ready ]; do sleep 0.02; done'
    (ident,) = start(backend, launch(folder, 'sim_1', *shell(f'{code}; {gate}')))
    ends(backend, [ident])

    def gone() -> bool:
        backend.states(time.monotonic())
        return is_gone(pid_in(pid_file))

    until(gone)


def test_that_a_process_which_left_the_group_is_found_by_its_environment_and_stopped(
    backend: LocalBackend, folder: SearchFolder
) -> None:
    pid_file = folder.path / 'pid'
    code = f"import subprocess, sys; subprocess.Popen([sys.executable, '-c', {DAEMON.format(pid=str(pid_file))!r}])"
    wait = f'\nimport os, time\nwhile not os.path.exists({str(pid_file)!r}): time.sleep(0.02)'
    (ident,) = start(backend, launch(folder, 'sim_1', *python(code + wait)))
    ends(backend, [ident])

    def gone() -> bool:
        backend.states(time.monotonic() + 5)
        return is_gone(pid_in(pid_file))

    until(gone)


def test_that_cancel_reaches_a_process_that_left_the_group(backend: LocalBackend, folder: SearchFolder) -> None:
    pid_file = folder.path / 'pid'
    code = f"import subprocess, sys; subprocess.run([sys.executable, '-c', {DAEMON.format(pid=str(pid_file))!r}])"
    (ident,) = start(backend, launch(folder, 'sim_1', *python(code)))
    pid = pid_in(pid_file)
    backend.cancel([ident], force=True)
    ends(backend, [ident])
    until(lambda: is_gone(pid))


CHECKPOINTS = """
import os, signal, sys, time
def note(number, frame):
    with open('terms', 'a') as log:
        log.write('x')
signal.signal(signal.SIGTERM, note)
open('ready', 'w').write(str(os.getpid()) + '\\n')
while not os.path.exists('over'):
    time.sleep(0.02)
open('checkpoint', 'w').close()
"""


def test_that_a_script_behind_a_wrapper_that_ended_is_left_its_time_when_it_is_cancelled(
    backend: LocalBackend, folder: SearchFolder, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(leftovers, 'GRACE', 0.0)
    wrapper = 'import subprocess, sys; subprocess.call(sys.argv[1:])'
    (ident,) = start(backend, launch(folder, 'sim_1', *python(wrapper), *python(CHECKPOINTS)))
    pid = pid_in(tmp_path / 'ready')
    backend.cancel([ident], force=False)
    until(lambda: exit_code(folder.attempt('sim_1', 1)) == 143)
    until(
        lambda: backend.states(time.monotonic())[ident].kind is JobState.RUNNING and backend._processes[ident].headless
    )
    for _ in range(3):
        assert backend.states(time.monotonic())[ident].kind is JobState.RUNNING
    assert not is_gone(pid)
    (tmp_path / 'over').touch()
    status = ends(backend, [ident])[ident]
    assert (status.code, status.detail) == (143, '')
    assert (tmp_path / 'checkpoint').exists()
    assert (tmp_path / 'terms').read_text() == 'x', 'it was asked once'


def test_that_a_script_behind_a_wrapper_that_ended_is_killed_when_it_is_time(
    backend: LocalBackend, folder: SearchFolder, tmp_path: Path
) -> None:
    wrapper = 'import subprocess, sys; subprocess.call(sys.argv[1:])'
    (ident,) = start(backend, launch(folder, 'sim_1', *python(wrapper), *python(CHECKPOINTS)))
    pid = pid_in(tmp_path / 'ready')
    backend.cancel([ident], force=False)
    until(lambda: exit_code(folder.attempt('sim_1', 1)) == 143)
    backend.states(time.monotonic())
    backend.cancel([ident], force=True)
    assert ends(backend, [ident])[ident].code == 143
    until(lambda: is_gone(pid))


def test_that_processes_of_others_are_never_touched(backend: LocalBackend, folder: SearchFolder) -> None:
    theirs = subprocess.Popen(
        ['sleep', '600'], env={**os.environ, 'HPSEARCH_DIR': '/another/search', 'HPSEARCH_RUN': 'sim_1'}
    )
    try:
        (ident,) = start(backend, launch(folder, 'sim_1', *shell('sleep 600')))
        backend.cancel([ident], force=True)
        ends(backend, [ident])
        backend.states(time.monotonic() + 5)
        assert theirs.poll() is None
    finally:
        theirs.kill()
        theirs.wait()


def test_that_a_whole_group_killed_from_outside_is_told_as_a_signal(
    backend: LocalBackend, folder: SearchFolder
) -> None:
    started = backend.start([launch(folder, 'sim_1', *shell('sleep 600'))], time.monotonic())[0]
    assert started.handle is not None
    os.killpg(started.handle['pid'], signal.SIGKILL)
    status = ends(backend, [started.ident])[started.ident]
    assert status.code == 137
    assert 'whole process group' in status.detail


def is_running(folder: SearchFolder, number: int = 1) -> bool:
    """Whether another writer finds an attempt running."""
    evidence = EvidenceReader(folder).read(Attempt('sim_1', number), Liveness.DEAD, HostRelation.SAME)
    return evidence.process is ProcessState.ALIVE


def test_that_its_marks_find_the_process_and_no_other(backend: LocalBackend, folder: SearchFolder) -> None:
    started = backend.start([launch(folder, 'sim_1', *shell('sleep 600'))], time.monotonic())[0]
    assert started.handle is not None
    until(lambda: is_running(folder))
    for number, pid in ((2, started.handle['pid']), (3, os.getpid())):
        Path(folder.attempt('sim_1', number).folder).mkdir()
        Path(folder.attempt('sim_1', number).started).write_text(f'w:sim_1:{number} {pid}\n')
        assert not is_running(folder, number), 'a reused pid has other marks'


def test_that_an_attempt_waits_until_the_machine_can_start_processes(
    backend: LocalBackend, folder: SearchFolder, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*words: object, **options: object) -> None:
        raise BlockingIOError(11, 'Resource temporarily unavailable')

    one, now = launch(folder, 'sim_1', *shell('exit 3')), time.monotonic()
    with monkeypatch.context() as patch:
        patch.setattr(os, 'posix_spawn', refuse)
        started = backend.start([one], now)[0]
        assert started.handle is None
        assert 'Resource temporarily unavailable' in started.problem
        assert len(backend.open_slots(0).slots) == 3, 'it has its slot'
        assert backend.states(now + 1)[one.ident].kind is JobState.WAITING
        assert backend.states(now + 2)[one.ident].problem == started.problem
    assert backend.states(now + 2.5)[one.ident].kind is JobState.WAITING, 'pauses grow'
    assert one.ident not in backend.states(now + 4), 'it has just been started'
    assert ends(backend, [one.ident])[one.ident].code == 3
    assert not os.path.exists(folder.attempt('sim_1', 2).folder)


def test_that_an_attempt_that_waits_for_a_process_ends_when_it_is_cancelled(
    backend: LocalBackend, folder: SearchFolder, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(os, 'posix_spawn', failing(OSError(errno.ENOMEM, 'Cannot allocate memory')))
    one = launch(folder, 'sim_1', 'true')
    backend.start([one], time.monotonic())
    backend.cancel([one.ident], force=False)
    assert ends(backend, [one.ident])[one.ident].cause == 'start'
    assert len(backend.open_slots(0).slots) == 4


def test_that_a_word_that_is_too_long_fails_its_run_alone_and_is_named(
    backend: LocalBackend, folder: SearchFolder
) -> None:
    long, short = launch(folder, 'sim_1', 'true', '--text=' + 'x' * 140_000), launch(folder, 'sim_2', 'true')
    results = backend.start([long, short], time.monotonic())
    assert [result.problem for result in results] == ['', ''], 'the machine is well'
    ended = ends(backend, [long.ident, short.ident])
    assert ended[short.ident].code == 0
    assert ended[long.ident].cause == 'impossible'
    assert ended[long.ident].detail == '--text=… has 140,007 bytes, and a word of a command may have 131,071'


def test_that_a_command_that_is_too_long_fails_its_run_and_names_its_longest_word(
    backend: LocalBackend, folder: SearchFolder
) -> None:
    one = launch(folder, 'sim_1', 'true', *['x' * 100_000] * 100, '--most=' + 'x' * 100_000)
    backend.start([one], time.monotonic())
    status = ends(backend, [one.ident])[one.ident]
    assert status.cause == 'impossible'
    assert 'its command has 10,' in status.detail
    assert 'its longest word is --most=…' in status.detail


def test_that_a_word_that_no_program_can_get_fails_its_run(backend: LocalBackend, folder: SearchFolder) -> None:
    idents = [launch(folder, f'sim_{number}', 'true', f'--a=b{char}') for number, char in ((1, '\0'), (2, '\ud800'))]
    backend.start(idents, time.monotonic())
    nul, surrogate = ends(backend, [each.ident for each in idents]).values()
    assert (nul.cause, nul.detail) == ('impossible', '--a=… cannot be passed to a program: it has a NUL byte')
    assert (surrogate.cause, 'cannot be encoded' in surrogate.detail) == ('impossible', True)


@pytest.mark.parametrize('name', ['E2BIG', 'ENOENT', 'EACCES', 'ENOEXEC', 'ENOTDIR', 'ELOOP', 'EPERM'])
def test_that_what_is_the_fault_of_a_run_fails_that_run_and_no_other(
    backend: LocalBackend, folder: SearchFolder, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    error = OSError(getattr(errno, name), os.strerror(getattr(errno, name)))
    monkeypatch.setattr(os, 'posix_spawn', failing(error, 1, os.posix_spawn))
    one, two = launch(folder, 'sim_1', 'true'), launch(folder, 'sim_2', 'true')
    results = backend.start([one, two], time.monotonic())
    assert [result.problem for result in results] == ['', '']
    ended = ends(backend, [one.ident, two.ident])
    assert ended[two.ident].code == 0
    assert (ended[one.ident].cause, ended[one.ident].problem) == ('impossible', '')
    assert ended[one.ident].detail == f'it cannot be started: {error.strerror}'
    assert len(backend.open_slots(0).slots) == 4, 'its slot is free again'


@pytest.mark.parametrize('name', ['EAGAIN', 'ENOMEM', 'EMFILE', 'ENFILE', 'ENOSPC', 'EDQUOT', 'EIO', 'ESTALE'])
def test_that_what_is_trouble_of_the_machine_makes_a_run_wait_and_is_told(
    backend: LocalBackend, folder: SearchFolder, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    error = OSError(getattr(errno, name), os.strerror(getattr(errno, name)))
    monkeypatch.setattr(os, 'posix_spawn', failing(error, 1, os.posix_spawn))
    one, now = launch(folder, 'sim_1', 'true'), time.monotonic()
    assert backend.start([one], now)[0].problem == f'no process could be started: {error.strerror}'
    assert backend.states(now)[one.ident].kind is JobState.WAITING
    backend.states(now + 2)
    assert ends(backend, [one.ident])[one.ident].code == 0


class Announced(FixedSlots):
    """Slots that note which process every attempt was announced with."""

    def __init__(self) -> None:
        super().__init__(4)
        self.processes: list[Process] = []

    def announce(self, ident: str, slot: Slot, process: Process) -> None:
        self.processes.append(process)


def test_that_others_hear_of_a_run_when_it_has_a_slot_and_of_its_process_when_there_is_one(
    folder: SearchFolder, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(os, 'posix_spawn', failing(OSError(errno.EAGAIN, 'too many'), 1, os.posix_spawn))
    slots, one = Announced(), launch(folder, 'sim_1', 'sleep', '600')
    with Wakeup() as wakeup:
        backend = LocalBackend(folder, str(folder.path), slots, wakeup)
        now = time.monotonic()
        backend.start([one], now)
        backend.states(now + 2)
        handle = backend.states(now + 2)[one.ident].handle
        backend.cancel([one.ident], force=True)
        ends(backend, [one.ident])
        backend.close()
    ours = Process(os.getpid(), start_ticks(os.getpid()))
    assert handle is not None
    assert slots.processes == [ours, Process(handle['pid'], handle['ticks'])]


def test_that_a_program_that_is_gone_or_cannot_be_executed_fails_its_run(
    backend: LocalBackend, folder: SearchFolder
) -> None:
    plain = folder.path / 'plain'
    plain.write_text('no program\n')
    idents = start(backend, launch(folder, 'sim_1', str(folder.path / 'nowhere')), launch(folder, 'sim_2', str(plain)))
    ended = ends(backend, idents)
    assert [(ended[ident].code, ended[ident].cause) for ident in idents] == [(127, ''), (126, '')]


def failing(error: OSError, times: int = 10**9, real: Callable[..., Any] | None = None) -> Callable[..., Any]:
    """A function that fails so often."""
    left = iter(range(times))

    def call(*words: Any, **options: Any) -> Any:
        if next(left, None) is not None or real is None:
            raise error
        return real(*words, **options)

    return call


def test_that_an_end_that_cannot_be_read_is_reported_when_it_can(
    backend: LocalBackend, folder: SearchFolder, monkeypatch: pytest.MonkeyPatch
) -> None:
    one = launch(folder, 'sim_1', *shell('exit 3'))
    start(backend, one)
    until(lambda: os.path.exists(folder.attempt('sim_1', 1).exit))
    broken = failing(OSError(errno.EIO, 'Input/output error'), 2, exit_code)
    monkeypatch.setattr(ends_module, 'exit_code', broken)
    assert 'Input/output error' in until(lambda: backend.states(time.monotonic())[one.ident].problem)
    assert ends(backend, [one.ident])[one.ident].code == 3


@pytest.fixture
def preload(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Trouble]:
    """Makes trouble for the attempts of a backend that is made afterwards."""

    def make(times: int, error: int, **what: str) -> Trouble:
        trouble = Trouble(tmp_path / 'left', times, error, **what)
        for name, value in trouble.env.items():
            monkeypatch.setenv(name, value)
        return trouble

    return make


def in_trouble(folder: SearchFolder, one: Launch, trouble: Trouble) -> AttemptStatus:
    """How an attempt ends that is started where there is trouble."""
    with Wakeup() as wakeup:
        backend = LocalBackend(folder, str(folder.path), FixedSlots(4), wakeup)
        start(backend, one)
        status = ends(backend, [one.ident])[one.ident]
        backend.close()
    assert trouble.left == 0
    return status


def test_that_a_shell_that_cannot_start_processes_tries_again_and_nothing_is_judged(
    folder: SearchFolder, preload: Callable[..., Trouble], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(spawning, 'PAUSE', 0.05)
    trouble = preload(1, errno.EAGAIN, fork_in='sh')
    status = in_trouble(folder, launch(folder, 'sim_1', 'true'), trouble)
    assert (status.code, status.cause, status.problem) == (0, '', '')
    assert os.path.getsize(folder.attempt('sim_1', 1).stderr) == 0
    assert not os.path.exists(folder.attempt('sim_1', 2).folder)


def test_that_an_attempt_whose_shell_cannot_read_its_fence_has_not_been_started(
    folder: SearchFolder, preload: Callable[..., Trouble]
) -> None:
    trouble = preload(1, errno.EIO, reading='/started')
    status = in_trouble(folder, launch(folder, 'sim_1', 'true'), trouble)
    assert (status.code, status.cause) == (None, 'start')
    assert status.problem, 'the next one is started after a pause'


def test_that_a_gigabyte_of_output_does_not_pass_through_us(backend: LocalBackend, folder: SearchFolder) -> None:
    (ident,) = start(backend, launch(folder, 'sim_1', *shell('head -c 200000000 /dev/zero; exit 3')))
    assert ends(backend, [ident])[ident].code == 3
    assert os.path.getsize(folder.attempt('sim_1', 1).stdout) == 200_000_000


def test_that_an_attempt_whose_shell_alone_was_killed_goes_on_and_ends_with_its_group(
    backend: LocalBackend, folder: SearchFolder
) -> None:
    gate, ready = folder.path / 'gate', folder.path / 'ready'
    code = f'touch {ready}; while [ ! -e {gate} ]; do sleep 0.02; done'
    started = backend.start([launch(folder, 'sim_1', *shell(code))], time.monotonic())[0]
    assert started.handle is not None
    until(ready.exists)
    os.kill(started.handle['pid'], signal.SIGKILL)
    for _ in range(5):
        backend.wait(0.1)
        assert backend.states(time.monotonic())[started.ident].kind is JobState.RUNNING
    assert is_running(folder)
    gate.touch()
    assert ends(backend, [started.ident])[started.ident].code is None, 'nobody knows its status'
    assert not is_running(folder)


# Which processes are ours


@pytest.fixture
def by_another_name(folder: SearchFolder, tmp_path: Path) -> Iterator[LocalBackend]:
    """A backend that knows the search by another name."""
    (tmp_path / 'link').symlink_to(folder.path)
    with Wakeup() as wakeup:
        local = LocalBackend(SearchFolder(tmp_path / 'link'), str(tmp_path), FixedSlots(4), wakeup)
        yield local
        local.close()


def test_that_an_attempt_is_known_and_stopped_by_whatever_name_the_search_has(
    backend: LocalBackend, by_another_name: LocalBackend, folder: SearchFolder, tmp_path: Path
) -> None:
    pid_file = folder.path / 'pid'
    code = f"import subprocess, sys; subprocess.run([sys.executable, '-c', {DAEMON.format(pid=str(pid_file))!r}])"
    one = launch(folder, 'sim_1', *python(code))
    (started,) = backend.start([one], time.monotonic())
    pid = pid_in(pid_file)
    backend.forget(one.ident, 0.0)
    assert started.handle is not None
    by_another_name.adopt(one, {'pid': started.handle['pid']}, 0.0, time.monotonic())  # as earlier versions noted it
    assert by_another_name.states(time.monotonic())[one.ident].kind is JobState.RUNNING
    assert is_running(SearchFolder(tmp_path / 'link'))
    by_another_name.cancel([one.ident], force=True)
    ends(by_another_name, [one.ident])
    until(lambda: is_gone(pid))


def test_that_a_shell_does_not_go_on_with_its_next_command_when_it_is_stopped_by_who_took_it_over(
    backend: LocalBackend, folder: SearchFolder, tmp_path: Path
) -> None:
    for number in range(1, 11):
        ready, went_on = tmp_path / f'ready{number}', tmp_path / f'went_on{number}'
        one = launch(folder, f'sim_{number}', *shell(f"sh -c 'touch {ready}; exec sleep 600'; touch {went_on}"))
        (started,) = backend.start([one], time.monotonic())
        until(ready.exists)
        backend.forget(one.ident, 0.0)
        backend.adopt(one, started.handle or {}, 0.0, time.monotonic())
        backend.cancel([one.ident], force=False)
        assert ends(backend, [one.ident])[one.ident].code == 143
        assert not went_on.exists()


def test_that_a_search_is_the_same_under_a_mount_of_another_name(folder: SearchFolder) -> None:
    environment = {**os.environ, **marks(folder, 'sim_1', 1), 'HPSEARCH_DIR': '/mounted/elsewhere'}
    with subprocess.Popen(['sleep', '600'], env=environment) as process:
        assert attempt_processes(folder)[Process(process.pid, start_ticks(process.pid))] == ('sim_1', '1')
        process.kill()


def test_that_an_attempt_in_a_session_of_its_own_whose_shell_was_killed_goes_on_and_can_be_stopped(
    backend: LocalBackend, folder: SearchFolder
) -> None:
    pid_file = folder.path / 'pid'
    (started,) = backend.start([launch(folder, 'sim_1', *python(DAEMON.format(pid=str(pid_file))))], time.monotonic())
    pid = pid_in(pid_file)
    assert started.handle is not None
    os.kill(started.handle['pid'], signal.SIGKILL)
    until(lambda: is_gone(started.handle['pid']) if started.handle else False)
    for _ in range(3):
        backend.wait(0.1)
        assert backend.states(time.monotonic())[started.ident].kind is JobState.RUNNING
    assert is_running(folder)
    backend.cancel([started.ident], force=True)
    ends(backend, [started.ident])
    assert is_gone(pid)


def test_that_an_attempt_that_cleared_its_environment_is_not_taken_for_gone(
    backend: LocalBackend, folder: SearchFolder
) -> None:
    pid_file = folder.path / 'pid'
    (started,) = backend.start([launch(folder, 'sim_1', *shell(BARE.format(pid=pid_file)))], time.monotonic())
    pid = pid_in(pid_file)
    assert started.handle is not None
    os.kill(started.handle['pid'], signal.SIGKILL)
    until(lambda: backend.states(time.monotonic())[started.ident].kind is JobState.RUNNING and is_orphan(pid))
    found = EvidenceReader(folder).read(Attempt('sim_1', 1), Liveness.DEAD, HostRelation.SAME)
    assert found.process is ProcessState.UNKNOWN
    backend.cancel([started.ident], force=True)
    ends(backend, [started.ident])
    assert is_gone(pid)


BARE = 'echo $$ > {pid}; exec env -i sleep 600'


def is_orphan(pid: int) -> bool:
    return Path(f'/proc/{pid}/stat').read_text().rpartition(')')[2].split()[1] == '1'


@pytest.mark.parametrize('ticks', ['1', ''])
def test_that_the_session_of_another_program_is_not_signalled_when_it_got_the_pid_of_an_attempt(
    backend: LocalBackend, folder: SearchFolder, ticks: str
) -> None:
    with subprocess.Popen(['sh', '-c', 'sleep 600 & wait'], start_new_session=True) as other:
        one = launch(folder, 'sim_1', 'true')
        backend.adopt(one, {'pid': other.pid, **({'ticks': ticks} if ticks else {})}, 0.0, time.monotonic())
        backend.cancel([one.ident], force=True)
        assert ends(backend, [one.ident])[one.ident].code is None
        backend.states(time.monotonic() + 2 * leftovers.GRACE)
        backend.close()
        assert other.poll() is None
        os.killpg(other.pid, signal.SIGKILL)


def test_that_what_got_the_pid_of_what_was_left_behind_is_not_killed(
    backend: LocalBackend, folder: SearchFolder, monkeypatch: pytest.MonkeyPatch
) -> None:
    later: list[subprocess.Popen[bytes]] = []

    def look() -> dict[int, list[Process]]:
        """The pid of the shell, which has just been waited for, is that of another one now."""
        later.append(subprocess.Popen(['sleep', '600'], start_new_session=True))
        return {started.handle['pid']: [Process(later[-1].pid, start_ticks(later[-1].pid))]} if started.handle else {}

    (started,) = backend.start([launch(folder, 'sim_1', *shell('sleep 600 & exit 0'))], time.monotonic())
    monkeypatch.setattr(living, 'sessions', look)
    ends(backend, [started.ident])
    backend.states(time.monotonic() + 2 * leftovers.GRACE)
    assert [other.poll() for other in later] == [None] * len(later) and later
    for other in later:
        other.kill()
        other.wait()


def test_that_the_time_in_which_we_were_stopped_is_not_the_time_of_a_run(
    backend: LocalBackend, folder: SearchFolder
) -> None:
    gate = folder.path / 'gate'
    one = launch(folder, 'sim_1', *shell(f'while [ ! -e {gate} ]; do sleep 0.02; done'))
    start(backend, one)
    now = time.monotonic()
    backend.states(now)
    gate.touch()
    until(lambda: os.path.exists(folder.attempt('sim_1', 1).exit))
    until(lambda: is_gone(read_fence(folder.attempt('sim_1', 1)).pid))
    status = backend.states(now + 3600)[one.ident]
    assert status.kind is JobState.ENDED
    assert status.seconds is not None
    assert status.seconds < 60


def test_that_the_dispatcher_measures_how_long_a_run_took_that_it_watched(
    backend: LocalBackend, folder: SearchFolder
) -> None:
    one = launch(folder, 'sim_1', 'true')
    start(backend, one)
    assert ends(backend, [one.ident])[one.ident].seconds is None


def test_that_two_with_the_same_pid_may_write_a_file_at_once(tmp_path: Path) -> None:
    with whole_file(tmp_path / 'file') as first, whole_file(tmp_path / 'file') as second:
        first.write('first')
        second.write('second')
    assert [path.read_text() for path in tmp_path.iterdir()] == ['first']


def test_that_each_run_is_started_before_the_next_is_claimed(backend: LocalBackend, folder: SearchFolder) -> None:
    def claimed_in_turn() -> Iterator[Launch]:
        yield launch(folder, 'sim_1', *shell('exit 3'))
        until(lambda: exit_code(folder.attempt('sim_1', 1)) == 3)
        yield launch(folder, 'sim_2', *shell('exit 0'))

    started = backend.start(claimed_in_turn(), time.monotonic())
    assert [one.problem for one in started] == ['', '']
    assert ends(backend, [one.ident for one in started])['w:sim_2:1'].code == 0
