"""What every backend promises to the dispatcher; run on each backend that can be had here."""

from __future__ import annotations

import errno
import os
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from hpsearch.backends.base import AttemptBackend, AttemptStatus, Avoided
from hpsearch.backends.local.backend import LocalBackend
from hpsearch.backends.local.slots import FixedSlots
from hpsearch.backends.queue.arrays import QueueSettings
from hpsearch.backends.queue.backend import QueueBackend
from hpsearch.backends.queue.batch_system import BatchSystem
from hpsearch.backends.queue.commands import BackgroundRunner, execute
from hpsearch.backends.queue.lsf.options import LsfOptions
from hpsearch.backends.queue.lsf.parsing import parse_dialect
from hpsearch.backends.queue.lsf.system import DIALECT_ARGV, Lsf
from hpsearch.backends.queue.poller import JobPoller
from hpsearch.backends.queue.slurm.options import SlurmOptions
from hpsearch.backends.queue.slurm.system import Slurm
from hpsearch.backends.queue.submission import QueueContext
from hpsearch.host.signals import Wakeup
from hpsearch.model.evidence import RECORD_GRACE, JobState
from hpsearch.store.folder import SearchFolder
from tests.fakes.late_records import LateRecords
from tests.support.harness import PATIENCE, ends, launch, new_folder, python, shell, start, until

SLOTS = 4

LONGER_THAN_PATIENCE = 2 * PATIENCE
"""Seconds: what waits for so long fails."""


@pytest.fixture
def folder(tmp_path: Path) -> SearchFolder:
    return new_folder(tmp_path / 'search')


@pytest.fixture
def record_grace() -> float:
    """Seconds an exit record may be late; a test may choose others."""
    return 2.0


@pytest.fixture(params=['local', pytest.param('slurm', marks=pytest.mark.slurm), 'lsf-volclava', 'lsf-ibm'])
def backend(
    request: pytest.FixtureRequest, folder: SearchFolder, tmp_path: Path, record_grace: float
) -> Iterator[AttemptBackend]:
    with contextmanager(BACKENDS[request.param])(request, folder, tmp_path) as one:
        yield one


def local(request: pytest.FixtureRequest, folder: SearchFolder, cwd: Path) -> Iterator[AttemptBackend]:
    with Wakeup() as wakeup:
        backend = LocalBackend(folder, str(cwd), FixedSlots(SLOTS), wakeup)
        yield backend
        backend.cancel(list(backend.states(time.monotonic())), force=True)
        backend.close()


def slurm(request: pytest.FixtureRequest, folder: SearchFolder, cwd: Path) -> Iterator[AttemptBackend]:
    cluster = request.getfixturevalue('slurm')
    options = SlurmOptions(mem='100', gres='', time='10')
    grace = request.getfixturevalue('record_grace')
    yield from in_queue(Slurm(options), {**os.environ, **cluster.env()}, folder, cwd, grace)


def lsf(request: pytest.FixtureRequest, folder: SearchFolder, cwd: Path) -> Iterator[AttemptBackend]:
    dialect = request.node.callspec.params['backend'].removeprefix('lsf-')
    from tests.fakes.lsf import FakeLsf

    fake = FakeLsf(cwd / 'lsf', dialect, terminate_interval=2.0)
    try:
        environment = {**os.environ, **fake.env()}
        system = Lsf(LsfOptions(resources=''), parse_dialect(execute(DIALECT_ARGV, environment, b'', 10.0)))
        yield from in_queue(system, environment, folder, cwd, request.getfixturevalue('record_grace'))
    finally:
        fake.end()


def in_queue(
    system: BatchSystem, environment: Mapping[str, str], folder: SearchFolder, cwd: Path, record_grace: float
) -> Iterator[AttemptBackend]:
    with Wakeup() as wakeup:
        runner = BackgroundRunner(system.environment(environment), wakeup.poke)
        poller = JobPoller(system, runner, 0.5)
        context = QueueContext(folder, str(cwd), system, runner, poller, wakeup, note=lambda event: None)
        backend = QueueBackend(context, QueueSettings(num_jobs=SLOTS), record_grace=record_grace)
        yield backend
        left = list(backend.states(time.monotonic()))
        backend.cancel(left, force=True)
        backend.close()


BACKENDS = {'local': local, 'slurm': slurm, 'lsf-volclava': lsf, 'lsf-ibm': lsf}


@pytest.mark.parametrize('code', [0, 1, 77])
def test_that_an_end_is_told_with_its_status(backend: AttemptBackend, folder: SearchFolder, code: int) -> None:
    (ident,) = start(backend, launch(folder, 'sim_1', *shell(f'exit {code}')))
    assert ends(backend, [ident])[ident].code == code


@pytest.mark.parametrize('record_grace', [RECORD_GRACE])
@pytest.mark.parametrize('code', [0, 3])
def test_that_an_end_whose_record_appears_a_minute_late_is_told_with_its_status(
    backend: AttemptBackend, folder: SearchFolder, monkeypatch: pytest.MonkeyPatch, record_grace: float, code: int
) -> None:
    hidden = [True]
    LateRecords(lambda: bool(hidden)).install(monkeypatch.setattr)
    (ident,) = start(backend, launch(folder, 'sim_1', *shell(f'exit {code}')))
    told = until(lambda: ended_or_awaited(backend, ident, time.monotonic()))
    if told and told.kind is not JobState.ENDED:  # a backend that sees the process itself needs no record
        assert ended_or_awaited(backend, ident, time.monotonic() + 61.0) == told
        hidden.clear()
        told = ended_or_awaited(backend, ident, time.monotonic() + 62.0)
    assert told is not None
    assert told.code == code


def ended_or_awaited(backend: AttemptBackend, ident: str, now: float) -> AttemptStatus | None:
    """What is known of an attempt that has ended, or whose record is awaited; None: it has not."""
    status = backend.states(now)[ident]
    is_awaited = status.detail == 'it ended; its record is awaited'
    return status if status.kind is JobState.ENDED or is_awaited else None


@pytest.mark.parametrize('number', [errno.EIO, errno.ESTALE, errno.EMFILE])
def test_that_an_end_that_cannot_be_read_for_a_moment_is_told_once_with_its_status(
    backend: AttemptBackend, folder: SearchFolder, monkeypatch: pytest.MonkeyPatch, number: int
) -> None:
    left, really_open = [None] * 3, os.open

    def reluctant(path: str, *words: Any, **options: Any) -> int:
        if left and str(path).endswith(('/exit', '/started')):
            left.pop()
            raise OSError(number, os.strerror(number), path)
        return really_open(path, *words, **options)

    monkeypatch.setattr(os, 'open', reluctant)
    (ident,) = start(backend, launch(folder, 'sim_1', *shell('exit 3')))
    assert ends(backend, [ident])[ident].code == 3
    assert not left


def test_that_an_attempt_is_running_until_it_ends(backend: AttemptBackend, folder: SearchFolder) -> None:
    gate = folder.path / 'gate'
    (ident,) = start(backend, launch(folder, 'sim_1', *gated_shell(gate, 0)))
    until(lambda: backend.states(time.monotonic())[ident].kind is JobState.RUNNING)
    gate.touch()
    assert ends(backend, [ident])[ident].code == 0


def test_that_many_start_in_one_call_and_each_is_told(backend: AttemptBackend, folder: SearchFolder) -> None:
    launches = [launch(folder, f'sim_{n}', *shell(f'exit {n}')) for n in range(1, 5)]
    idents = start(backend, *launches)
    assert idents == [one.ident for one in launches]
    assert [ends_of.code for _, ends_of in sorted(ends(backend, idents).items())] == [1, 2, 3, 4]


def test_that_slots_are_taken_and_come_back(backend: AttemptBackend, folder: SearchFolder) -> None:
    all_open = len(backend.open_slots(time.monotonic()).slots)
    assert all_open >= SLOTS
    idents = start(backend, *(launch(folder, f'sim_{n}', *shell('sleep 600')) for n in range(1, SLOTS + 1)))
    until(lambda: {backend.states(time.monotonic())[ident].kind for ident in idents} == {JobState.RUNNING})
    assert not backend.open_slots(time.monotonic()).slots
    backend.cancel(idents, force=True)
    ends(backend, idents)
    assert len(backend.open_slots(time.monotonic()).slots) == all_open


def test_that_cancel_asks_and_the_script_may_end_in_its_own_way(backend: AttemptBackend, folder: SearchFolder) -> None:
    ready = folder.path / 'ready'
    code = f"trap 'exit 9' TERM; touch {ready}; while :; do sleep 0.02; done"
    (ident,) = start(backend, launch(folder, 'sim_1', *shell(code)))
    until(lambda: (backend.states(time.monotonic()), ready.exists())[1])
    backend.cancel([ident], force=False)
    assert ends(backend, [ident])[ident].code == 9


def test_that_force_ends_what_ignores_a_polite_request(backend: AttemptBackend, folder: SearchFolder) -> None:
    ready = folder.path / 'ready'
    (ident,) = start(backend, launch(folder, 'sim_1', *shell(f"trap '' TERM; touch {ready}; sleep 600; sleep 600")))
    until(lambda: (backend.states(time.monotonic()), ready.exists())[1])
    backend.cancel([ident], force=False)
    backend.wait(0.2)
    assert backend.states(time.monotonic())[ident].kind is not JobState.ENDED
    backend.cancel([ident], force=True)
    assert was_killed(ends(backend, [ident])[ident])


def was_killed(status: AttemptStatus) -> bool:
    """A queue may kill the shell, too, that would have told the status."""
    return status.code == 137 or (status.code is None and status.cause in ('cancelled', 'terminated'))


def test_that_cancelling_what_has_ended_or_never_was_does_nothing(
    backend: AttemptBackend, folder: SearchFolder
) -> None:
    (ident,) = start(backend, launch(folder, 'sim_1', 'true'))
    ends(backend, [ident])
    backend.cancel([ident, 'never:was:1'], force=True)


def gated_shell(gate: Path, code: int) -> tuple[str, ...]:
    """The words of a command that exits once a file is there."""
    return shell(f'while [ ! -e {gate} ]; do sleep 0.02; done; exit {code}')


def test_that_only_the_named_attempt_is_cancelled(backend: AttemptBackend, folder: SearchFolder) -> None:
    gate = folder.path / 'gate'
    one, other = start(
        backend, launch(folder, 'sim_1', *shell('sleep 600')), launch(folder, 'sim_2', *gated_shell(gate, 5))
    )
    until(lambda: backend.states(time.monotonic())[one].kind is JobState.RUNNING)
    backend.cancel([one], force=True)
    assert ends(backend, [one])[one].code != 0
    gate.touch()
    assert ends(backend, [other])[other].code == 5


def test_that_attempts_are_stopped_one_by_one_each_with_time_to_end_while_others_go_on(
    backend: AttemptBackend, folder: SearchFolder
) -> None:
    gate, deaf, ready = (folder.path / name for name in ('gate', 'deaf', 'ready'))
    ignores = f"trap '' TERM; touch {deaf}; sleep 600; sleep 600"
    catches = f"trap 'sleep 0.5; exit 0' TERM; touch {ready}; while :; do sleep 0.02; done"
    one, two, three = start(
        backend,
        launch(folder, 'sim_1', *shell(ignores)),
        launch(folder, 'sim_2', *shell(catches)),
        launch(folder, 'sim_3', *gated_shell(gate, 5)),
    )
    until(lambda: (backend.states(time.monotonic()), deaf.exists() and ready.exists())[1])
    until(lambda: {status.kind for status in backend.states(time.monotonic()).values()} == {JobState.RUNNING})
    backend.cancel([one], force=False)
    backend.cancel([one], force=True)
    backend.cancel([two], force=False)
    ended = ends(backend, [one, two])
    assert was_killed(ended[one])
    assert ended[two].code == 0, 'that another one was killed does not cut its time short'
    gate.touch()
    assert ends(backend, [three])[three].code == 5


def test_that_a_command_which_is_not_there_is_told_as_127(backend: AttemptBackend, folder: SearchFolder) -> None:
    (ident,) = start(backend, launch(folder, 'sim_1', '/nowhere/train'))
    assert ends(backend, [ident])[ident].code == 127


def test_that_output_goes_to_the_logs_and_nothing_waits_on_stdin(backend: AttemptBackend, folder: SearchFolder) -> None:
    code = 'import sys; print("out", repr(sys.stdin.read())); print("err", file=sys.stderr)'
    (ident,) = start(backend, launch(folder, 'sim_1', *python(code)))
    ends(backend, [ident])
    paths = folder.attempt('sim_1', 1)
    assert Path(paths.stdout).read_text() == "out ''\n"
    assert Path(paths.stderr).read_text() == 'err\n'


def test_that_words_arrive_as_they_are(backend: AttemptBackend, folder: SearchFolder) -> None:
    words = ['--x=a b', "it's", '"q"', '$HOME', '`id`', '*', 'back\\slash', 'new\nline', '', '-n', 'ü€', '~']
    (ident,) = start(backend, launch(folder, 'sim_1', *python('import sys; print(sys.argv[1:])'), *words))
    ends(backend, [ident])
    assert Path(folder.attempt('sim_1', 1).stdout).read_text() == f'{words!r}\n'


def test_that_a_folder_is_made_before_the_command_whether_it_is_there_or_not(
    backend: AttemptBackend, folder: SearchFolder, tmp_path: Path
) -> None:
    made, hostile = str(tmp_path / "it's $HOME\n\\ *"), ['', ' ', '$HOME', "it's", '-n', 'a\nb']
    script = python('import os, sys; print(os.listdir(sys.argv[1]), sys.argv[2:])')
    for name in ('sim_1', 'sim_2'):
        (ident,) = start(backend, replace(launch(folder, name, *script, made, *hostile), makes=made))
        assert ends(backend, [ident])[ident].code == 0
        assert Path(folder.attempt(name, 1).stdout).read_text() == f'[] {hostile}\n'


@pytest.mark.parametrize(('name', 'shown'), [('', ['a.pt', 'b.pt']), ('last.pt', ['last.pt'])])
def test_that_a_checkpoint_is_copied_before_the_command_and_replaces_an_earlier_copy(
    backend: AttemptBackend, folder: SearchFolder, tmp_path: Path, name: str, shown: list[str]
) -> None:
    left = tmp_path / "it's $HOME" / 'left'
    left.mkdir(parents=True)
    (left / 'a.pt').write_text('weights')
    (left / 'b.pt').symlink_to('a.pt')
    checkpoint = str(left / 'b.pt' if name else left)
    copy = folder.jobs_dir / 'sim_1' / 'checkpoint'
    for half in (copy, copy.with_name('checkpoint.part')):
        half.mkdir(parents=True)
        (half / 'half.pt').write_text('of one that was killed')
    script = python('import os, sys; print(sorted(os.listdir(sys.argv[1])), sys.argv[2:])')
    asked = launch(folder, 'sim_1', *script, str(copy), '$HOME', '')
    (ident,) = start(backend, replace(asked, goes_on=(checkpoint, str(copy), name), makes=str(tmp_path / 'made')))
    assert ends(backend, [ident])[ident].code == 0
    assert Path(folder.attempt('sim_1', 1).stdout).read_text() == f"{shown} ['$HOME', '']\n"
    assert {(copy / each).read_text() for each in shown} == {'weights'}
    assert (left / 'a.pt').read_text() == 'weights'


def test_that_a_checkpoint_that_is_missing_fails_the_attempt_and_is_named(
    backend: AttemptBackend, folder: SearchFolder, tmp_path: Path
) -> None:
    copy = str(folder.jobs_dir / 'sim_1' / 'checkpoint')
    asked = launch(folder, 'sim_1', *shell('echo started'))
    (ident,) = start(backend, replace(asked, goes_on=(str(tmp_path / 'gone'), copy, '')))
    assert ends(backend, [ident])[ident].code == 1
    assert Path(folder.attempt('sim_1', 1).stdout).read_text() == ''
    assert f'no checkpoint {tmp_path / "gone"} to go on from' in Path(folder.attempt('sim_1', 1).stderr).read_text()


def test_that_a_folder_that_cannot_be_made_fails_the_attempt(
    backend: AttemptBackend, folder: SearchFolder, tmp_path: Path
) -> None:
    asked = launch(folder, 'sim_1', *shell('echo started'))
    (ident,) = start(backend, replace(asked, makes=str(tmp_path / 'gone' / 'made')))
    assert ends(backend, [ident])[ident].code == 1
    assert Path(folder.attempt('sim_1', 1).stdout).read_text() == ''
    assert 'mkdir' in Path(folder.attempt('sim_1', 1).stderr).read_text()
    assert not (tmp_path / 'gone').exists()


def test_that_the_attempt_knows_who_it_is(backend: AttemptBackend, folder: SearchFolder) -> None:
    code = 'echo "$HPSEARCH_DIR $HPSEARCH_RUN $HPSEARCH_ATTEMPT $HPSEARCH_METRICS"'
    (ident,) = start(backend, launch(folder, 'sim_1', *shell(code)))
    ends(backend, [ident])
    paths = folder.attempt('sim_1', 1)
    assert Path(paths.stdout).read_text().split() == [str(folder.path), 'sim_1', '1', paths.metrics]


def test_that_waiting_ends_when_an_attempt_ends(backend: AttemptBackend, folder: SearchFolder) -> None:
    (ident,) = start(backend, launch(folder, 'sim_1', *shell('sleep 0.3')))
    assert ends(backend, [ident], pause=LONGER_THAN_PATIENCE)[ident].code == 0


def test_that_an_attempt_whose_fence_was_passed_by_somebody_else_does_not_run(
    backend: AttemptBackend, folder: SearchFolder
) -> None:
    late = launch(folder, 'sim_1', 'touch', str(folder.path / 'ran'))
    Path(folder.attempt('sim_1', 1).started).write_text('somebody:else:1 1 (sh) S\n')
    (ident,) = start(backend, late)
    assert ends(backend, [ident])[ident].cause == 'fenced'
    assert not (folder.path / 'ran').exists()


def test_that_an_attempt_outlives_its_backend(backend: AttemptBackend, folder: SearchFolder) -> None:
    (ident,) = start(backend, launch(folder, 'sim_1', *shell('sleep 0.3; exit 4')))
    until(lambda: backend.states(time.monotonic())[ident].kind is not JobState.WAITING)
    backend.close()
    record = Path(folder.attempt('sim_1', 1).exit)
    assert until(lambda: record.exists() and record.read_text()) == '4\n'


def test_that_the_node_of_an_attempt_is_known_where_nodes_can_be_avoided(
    backend: AttemptBackend, folder: SearchFolder
) -> None:
    (ident,) = start(backend, launch(folder, 'sim_1', *shell('exit 1')))
    node = ends(backend, [ident])[ident].node
    assert bool(node) is not isinstance(backend, LocalBackend)


def test_that_a_node_is_avoided_unless_there_is_no_other(
    backend: AttemptBackend, folder: SearchFolder, request: pytest.FixtureRequest
) -> None:
    """The stand-ins for LSF have one host."""
    (ident,) = start(backend, launch(folder, 'sim_1', *shell('exit 1')))
    nodes = frozenset({ends(backend, [ident])[ident].node or 'n3'})

    def look() -> Avoided | None:
        backend.states(time.monotonic())
        found = backend.avoid(nodes, time.monotonic())
        return found if found.nodes or found.indispensable else None

    found = until(look)
    is_alone = request.node.callspec.params['backend'].startswith('lsf')
    assert found == (Avoided(frozenset(), nodes) if is_alone else Avoided(nodes))
    again = start(backend, launch(folder, 'sim_2', *shell('exit 0')))
    end = ends(backend, again)[again[0]]
    assert end.code == 0
    assert (end.node in nodes) is is_alone
