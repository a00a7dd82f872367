"""What every hpsearch of a host tells the others of its starts: real files and processes, stepped time."""

from __future__ import annotations

import errno
import json
import os
import stat
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from hpsearch.host import shared_folder
from hpsearch.host.gpu.starts import LONGEST_DELAY, SHORTEST_DELAY, GpuStarts, parse_start
from hpsearch.host.kernel import this_host
from hpsearch.host.locks import HELD_TOO_LONG
from hpsearch.host.processes import Process, start_ticks, user_name
from hpsearch.host.shared_folder import MOST_BYTES, MOST_FILES
from hpsearch.model.usage.estimate import Estimate, Guess
from tests.fakes.scripted_queue import Clock
from tests.support.harness import until
from tests.support.paths import REPOSITORY
from tests.support.users import NOBODY, as_another_user

OURSELVES = Process(os.getpid(), start_ticks(os.getpid()))


@pytest.fixture(autouse=True)
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where the starts are; everybody may go there."""
    for folder in (tmp_path, *tmp_path.parents[:2]):
        folder.chmod(0o755)
    monkeypatch.setattr(shared_folder, 'PLACE', str(tmp_path / 'gpus'))
    return tmp_path / 'gpus'


@pytest.fixture
def clock() -> Clock:
    return Clock()


def of(clock: Clock) -> GpuStarts:
    """What an hpsearch knows, that waits in stepped time."""

    def sleep(seconds: float) -> None:
        clock.now += seconds

    return GpuStarts(clock, sleep)


@pytest.fixture
def one(clock: Clock) -> GpuStarts:
    return of(clock)


@pytest.fixture
def other(clock: Clock) -> GpuStarts:
    return of(clock)


def files(place: Path) -> list[Path]:
    return sorted(place.glob('start-*'))


def said(**changes: Any) -> dict[str, Any]:
    """What a file says of a start that counts at the time of a new clock."""
    host = this_host()
    return {
        'gpus': ['GPU-a'],
        'pid': OURSELVES.pid,
        'ticks': OURSELVES.ticks,
        'boot': host.boot,
        'namespace': host.namespace,
        'at': 1000.0,
        'delay': 60.0,
        **changes,
    }


@pytest.fixture
def write(place: Path, one: GpuStarts) -> Callable[..., Path]:
    """Writes a file as somebody else might."""
    with one.lock():
        pass

    def body(text: str | bytes, name: str = 'start-x') -> Path:
        path = place / name
        path.write_bytes(text if isinstance(text, bytes) else text.encode())
        return path

    return body


def gpus_of_others(starts: GpuStarts) -> list[tuple[str, ...]]:
    return [start.gpus for start in starts.others()]


# What is told


def test_that_a_start_is_known_to_others_and_not_held_against_oneself(one: GpuStarts, other: GpuStarts) -> None:
    one.note('a', ['GPU-a', 'GPU-b'], OURSELVES, 60.0)
    (start,) = other.others()
    assert (start.gpus, start.at, start.delay) == (('GPU-a', 'GPU-b'), 1000.0, 60.0)
    assert start.who == f'user {user_name(os.geteuid())}, pid {os.getpid()}'
    assert one.others() == []


def test_that_a_start_counts_for_its_delay_and_is_removed_then(
    one: GpuStarts, other: GpuStarts, clock: Clock, place: Path
) -> None:
    one.note('a', ['GPU-a'], OURSELVES, 60.0)
    clock.now += 59.9
    assert len(other.others()) == 1
    clock.now += 0.1
    assert other.others() == []
    assert files(place) == []


def test_that_a_run_that_ended_is_not_waited_for(one: GpuStarts, other: GpuStarts, place: Path) -> None:
    one.note('a', ['GPU-a'], OURSELVES, 60.0)
    one.note('b', ['GPU-b'], OURSELVES, 60.0)
    one.forget('a')
    assert gpus_of_others(other) == [('GPU-b',)]
    assert len(files(place)) == 1
    one.forget('a')
    one.forget('nobody')


def test_that_a_start_dies_with_its_process(one: GpuStarts, other: GpuStarts, place: Path) -> None:
    with subprocess.Popen(['sleep', '600']) as child:
        one.note('a', ['GPU-a'], Process(child.pid, start_ticks(child.pid)), 60.0)
        assert len(other.others()) == 1
        child.kill()
    assert other.others() == []
    assert files(place) == []


def test_that_another_process_with_its_pid_does_not_count(write: Callable[..., Path], other: GpuStarts) -> None:
    path = write(json.dumps(said(ticks='1')))
    assert other.others() == []
    assert not path.exists()


def test_that_a_process_of_another_container_counts_for_its_delay(
    write: Callable[..., Path], other: GpuStarts, clock: Clock
) -> None:
    write(json.dumps(said(namespace='pid:[1]', pid=1 << 22, ticks='1')))
    assert len(other.others()) == 1
    clock.now += 60.0
    assert other.others() == []


def test_that_a_start_of_another_boot_does_not_count(write: Callable[..., Path], other: GpuStarts) -> None:
    write(json.dumps(said(boot='another')))
    assert other.others() == []


@pytest.mark.parametrize(
    ('delay', 'counts_for'), [(0, SHORTEST_DELAY), (1.5, SHORTEST_DELAY), (60, 60.0), (float('inf'), LONGEST_DELAY)]
)
def test_that_a_start_counts_until_there_is_a_reading_since_and_not_for_ever(
    delay: float, counts_for: float, one: GpuStarts, other: GpuStarts
) -> None:
    one.note('a', ['GPU-a'], OURSELVES, delay)
    assert [start.delay for start in other.others()] == [counts_for]


def test_that_an_attempt_that_is_started_again_is_told_once(one: GpuStarts, other: GpuStarts, clock: Clock) -> None:
    one.note('a', ['GPU-a'], OURSELVES, 60.0)
    clock.now += 30.0
    one.note('a', ['GPU-a'], OURSELVES, 60.0)
    assert [start.at for start in other.others()] == [1030.0]


def test_that_others_are_told_what_a_run_is_expected_to_take(one: GpuStarts, other: GpuStarts) -> None:
    needs = Estimate(Guess(7000.4, 8000.4), Guess(0.5, 0.9), host_memory=Guess(900.0, 1000.0), cpu=Guess(1.5, 3.0))
    one.note('a', ['GPU-a'], OURSELVES, 60.0, needs)
    (start,) = other.others()
    assert (start.memory, start.load, start.host_memory, start.cpu) == (8001, 0.5, 1000, 1.5)
    assert start.pid == OURSELVES.pid
    one.note('a', ['GPU-a'], OURSELVES, 60.0)
    (start,) = other.others()
    assert (start.memory, start.host_memory, start.cpu) == (None, None, None)


# What others wrote


def test_that_a_start_of_an_earlier_version_says_nothing_of_what_it_takes(
    write: Callable[..., Path], other: GpuStarts
) -> None:
    write(json.dumps(said()))
    (start,) = other.others()
    assert (start.memory, start.host_memory, start.cpu) == (None, None, None)


def test_that_an_earlier_version_finds_all_that_it_reads_in_a_start(one: GpuStarts, place: Path) -> None:
    one.note('a', ['GPU-a'], OURSELVES, 60.0, Estimate(Guess(7000, 8000)))
    (file,) = files(place)
    written = json.loads(file.read_text())
    assert {name: type(written[name]) for name in said()} == {name: type(value) for name, value in said().items()}


@pytest.mark.parametrize('odd', [-1, True, '9', 1.5, float('nan'), []])
def test_that_an_odd_amount_is_not_known(odd: Any, write: Callable[..., Path], other: GpuStarts) -> None:
    write(json.dumps(said(memory=odd, host_memory=odd, cpu=-1.0)))
    (start,) = other.others()
    assert (start.memory, start.host_memory, start.cpu) == (None, None, None)


def test_that_the_process_of_another_container_is_not_recognised(write: Callable[..., Path], other: GpuStarts) -> None:
    write(json.dumps(said(namespace='pid:[1]', memory=8000)))
    assert [(start.pid, start.memory) for start in other.others()] == [(None, 8000)]


@pytest.mark.parametrize(
    'text',
    [
        b'',
        b'\xff\x00',
        b'{',
        b'[' * MOST_BYTES,
        b'null',
        b'[]',
        json.dumps(said())[:-1].encode(),
        json.dumps(said(gpus='GPU-a')).encode(),
        json.dumps(said(gpus=[1])).encode(),
        json.dumps(said(pid='7')).encode(),
        json.dumps(said(pid=True)).encode(),
        json.dumps(said(at=None)).encode(),
        json.dumps(said(at=float('nan'))).encode(),
        json.dumps(said(delay=float('inf'))).encode(),
        json.dumps({name: value for name, value in said().items() if name != 'boot'}).encode(),
        json.dumps(said(gpus=['GPU-a' * MOST_BYTES])).encode(),
        b'{"pid": ' + b'9' * 5000 + b'}',
    ],
)
def test_that_garbage_says_nothing(text: bytes, write: Callable[..., Path], other: GpuStarts) -> None:
    assert parse_start(text) is None
    path = write(text)
    assert other.others() == []
    assert path.exists(), 'another process of ours may be writing it'


def test_that_what_is_no_start_is_removed_after_a_while(write: Callable[..., Path], other: GpuStarts) -> None:
    path = write(b'')
    old = path.stat().st_mtime - LONGEST_DELAY - 1
    os.utime(path, (old, old))
    other.others()
    assert not path.exists()


@pytest.mark.parametrize('pid', [0, -1, 1 << 40, 10**300])
def test_that_no_pid_is_too_odd(pid: int, write: Callable[..., Path], other: GpuStarts) -> None:
    write(json.dumps(said(pid=pid)))
    assert other.others() == []


def test_that_nobody_is_waited_for_longer_than_a_while(
    write: Callable[..., Path], other: GpuStarts, clock: Clock
) -> None:
    write(json.dumps(said(delay=1e9)))
    assert [start.delay for start in other.others()] == [LONGEST_DELAY]
    clock.now += LONGEST_DELAY
    assert other.others() == []


def test_that_a_start_in_the_future_does_not_count(write: Callable[..., Path], other: GpuStarts) -> None:
    write(json.dumps(said(at=1000.1)))
    assert other.others() == []


def test_that_links_pipes_and_folders_are_left_alone(
    write: Callable[..., Path], other: GpuStarts, place: Path, tmp_path: Path
) -> None:
    target = tmp_path / 'target'
    target.write_text(json.dumps(said()))
    (place / 'start-link').symlink_to(target)
    os.mkfifo(place / 'start-pipe')
    (place / 'start-folder').mkdir()
    write(json.dumps(said(gpus=['GPU-b'])))
    assert gpus_of_others(other) == [('GPU-b',)]
    assert target.exists()


def test_that_only_so_many_files_are_looked_at(write: Callable[..., Path], other: GpuStarts) -> None:
    for number in range(MOST_FILES + 10):
        write(json.dumps(said()), f'start-{number}')
    assert len(other.others()) <= MOST_FILES


# The folder


def test_that_every_user_may_write_and_read_there_whatever_the_umask_is(one: GpuStarts, place: Path) -> None:
    before = os.umask(0o077)
    try:
        one.note('a', ['GPU-a'], OURSELVES, 60.0)
    finally:
        os.umask(before)
    assert stat.S_IMODE(place.stat().st_mode) == 0o1777
    assert all(stat.S_IMODE(path.stat().st_mode) == 0o644 for path in place.iterdir())
    assert [path.name for path in place.parent.iterdir()] == [place.name], 'nothing else is left there'


def test_that_a_folder_that_somebody_else_makes_meanwhile_is_used(
    place: Path, one: GpuStarts, other: GpuStarts, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = os.rename

    def rename(old: str, new: str) -> None:
        monkeypatch.setattr(os, 'rename', real)
        other.note('b', ['GPU-b'], OURSELVES, 60.0)
        real(old, new)

    monkeypatch.setattr(os, 'rename', rename)
    assert gpus_of_others(one) == [('GPU-b',)]
    assert [path.name for path in place.parent.iterdir()] == [place.name]


def test_that_a_folder_that_was_cleaned_away_is_made_anew(place: Path, one: GpuStarts, other: GpuStarts) -> None:
    one.note('a', ['GPU-a'], OURSELVES, 60.0)
    for path in place.iterdir():
        path.unlink()
    place.rmdir()
    one.note('b', ['GPU-b'], OURSELVES, 60.0)
    assert gpus_of_others(other) == [('GPU-b',)]


def link(place: Path) -> None:
    elsewhere = place.parent / 'elsewhere'
    elsewhere.mkdir()
    elsewhere.chmod(0o1777)
    place.symlink_to(elsewhere)


def not_shared(place: Path) -> None:
    place.mkdir(mode=0o755)


def not_sticky(place: Path) -> None:
    place.mkdir()
    place.chmod(0o777)


def a_file(place: Path) -> None:
    place.touch()


def no_place(place: Path) -> None:
    place.parent.rmdir()


@pytest.mark.parametrize('made', [link, not_shared, not_sticky, a_file, no_place])
def test_that_without_a_folder_everybody_goes_on_and_says_so_once(
    made: Callable[[Path], None], place: Path, clock: Clock, one: GpuStarts, caplog: pytest.LogCaptureFixture
) -> None:
    made(place)
    for _ in range(2):
        with one.lock() as may_place:
            assert may_place
            one.note('a', ['GPU-a'], OURSELVES, 60.0)
            assert list(one.others()) == []
    assert clock.now == 1000.0
    (told,) = (record.getMessage() for record in caplog.records)
    assert 'several hpsearch on this host may choose the same GPU' in told
    assert str(place.parent) in told
    assert not list(place.parent.glob('elsewhere/*')), 'nothing is written where a link leads'


def test_that_a_folder_that_cannot_be_written_is_named(
    place: Path, one: GpuStarts, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def refuse(path: str, flags: int, *more: int, **options: int) -> int:
        if flags & os.O_CREAT:
            raise OSError(errno.EROFS, os.strerror(errno.EROFS), path)
        return real(path, flags, *more, **options)

    with one.lock():
        real = os.open
        monkeypatch.setattr(os, 'open', refuse)
        one.note('a', ['GPU-a'], OURSELVES, 60.0)
        assert one.others() == []
    assert f'Read-only file system ({place}/start-' in caplog.text


def test_that_a_lock_that_is_held_for_long_is_disregarded_which_is_said(
    clock: Clock, one: GpuStarts, other: GpuStarts, caplog: pytest.LogCaptureFixture
) -> None:
    with one.lock():
        while clock.now <= 1000.0 + HELD_TOO_LONG:
            with other.lock() as may_place:
                assert may_place == (clock.now > 1000.0 + HELD_TOO_LONG)
        now = clock.now
        with other.lock() as may_place:
            assert may_place
        assert clock.now == now, 'it is not waited for again'
    (told,) = (record.getMessage() for record in caplog.records)
    assert 'has been locked for more than 5 s' in told
    with other.lock() as may_place, one.lock() as may_other_place:
        assert may_place and not may_other_place, 'it is a lock again'


# Two users

OTHER_USER = """
import sys, time
from hpsearch.host import shared_folder
from hpsearch.host.gpu import starts as gpu_starts
from hpsearch.host.processes import Process, start_ticks
import os
shared_folder.PLACE = sys.argv[1]
starts = gpu_starts.GpuStarts()
with starts.lock() as may_place:
    print(may_place, [start.who for start in starts.others()], flush=True)
    starts.note('a', ['GPU-b'], Process(os.getpid(), start_ticks(os.getpid())), 60.0)
    sys.stdin.read()
"""


@pytest.fixture
def somebody(place: Path) -> Iterator[Callable[[], subprocess.Popen[str]]]:
    """Starts an hpsearch of another user, who has the lock until stdin ends and sees no process of ours."""
    started: list[subprocess.Popen[str]] = []

    def start() -> subprocess.Popen[str]:
        words = as_another_user(sys.executable, '-c', OTHER_USER, str(place))
        pipes: dict[str, Any] = {'stdin': subprocess.PIPE, 'stdout': subprocess.PIPE, 'text': True}
        started.append(subprocess.Popen(words, cwd=REPOSITORY, **pipes))
        return started[-1]

    yield start
    for each in started:
        each.communicate()


def test_that_two_users_share_lock_and_starts(
    somebody: Callable[[], subprocess.Popen[str]], place: Path, caplog: pytest.LogCaptureFixture
) -> None:
    ours = GpuStarts()
    ours.note('a', ['GPU-a'], OURSELVES, 60.0)
    theirs = somebody()
    assert theirs.stdout is not None
    assert theirs.stdout.readline() == f"True ['user {user_name(os.geteuid())}, pid {os.getpid()}']\n"
    (start,) = until(ours.others)
    assert start.gpus == ('GPU-b',)
    assert start.who.startswith(f'user {user_name(NOBODY)}')
    with of(Clock()).lock() as may_place:
        assert not may_place
    theirs.communicate()
    with ours.lock() as may_place:
        assert may_place
    assert ours.others() == []
    assert len(files(place)) == 2, 'only its user removes a file'
    assert not caplog.records


def test_that_the_folder_may_belong_to_somebody_else(
    somebody: Callable[[], subprocess.Popen[str]], place: Path, caplog: pytest.LogCaptureFixture
) -> None:
    place.parent.chmod(0o777)
    theirs = somebody()
    assert theirs.stdout is not None
    assert theirs.stdout.readline() == 'True []\n'
    assert place.stat().st_uid == NOBODY
    ours = GpuStarts()
    ours.note('a', ['GPU-a'], OURSELVES, 60.0)
    assert [start.gpus for start in until(ours.others)] == [('GPU-b',)]
    assert not caplog.records
