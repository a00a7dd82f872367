"""The lock for placing runs: real locks, stepped time."""

from __future__ import annotations

import fcntl
import os
from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path

import pytest

from hpsearch.host import locks
from hpsearch.host.locks import HELD_TOO_LONG, PATIENCE, placement_lock

Lock = Callable[[], AbstractContextManager[bool]]


class Time:
    """Time that passes only by sleeping; ``then`` happens at a moment."""

    def __init__(self) -> None:
        self.now = 100.0
        self.at = float('inf')
        self.then: Callable[[], object] = lambda: None

    def clock(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        self.now += seconds
        if self.now >= self.at:
            self.at = float('inf')
            self.then()


@pytest.fixture(autouse=True)
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where locks are, and below it the folder of this user."""
    place = tmp_path / 'place'
    place.mkdir()
    monkeypatch.setattr(locks, 'PLACE', str(place))
    return place / f'hpsearch-{os.getuid()}'


@pytest.fixture
def time() -> Time:
    return Time()


def lock_of(folder: Path, time: Time | None = None) -> Lock:
    """A lock as another dispatcher has it; without a time it never waits."""
    time = time or Time()
    return placement_lock(str(folder), time.clock, time.sleep)


def test_that_a_free_lock_is_acquired_at_once_and_again(tmp_path: Path, time: Time) -> None:
    lock = lock_of(tmp_path, time)
    for _ in range(2):
        with lock() as may_place:
            assert may_place
    assert time.now == 100.0


def test_that_a_lock_another_dispatcher_holds_is_not_acquired_after_a_while(tmp_path: Path, time: Time) -> None:
    lock = lock_of(tmp_path, time)
    with lock_of(tmp_path)(), lock() as may_place:
        assert not may_place
        assert PATIENCE <= time.now - 100.0 < HELD_TOO_LONG
    with lock() as may_place:
        assert may_place


def test_that_a_lock_is_acquired_when_its_holder_releases_it_meanwhile(tmp_path: Path, time: Time) -> None:
    other = lock_of(tmp_path)()
    other.__enter__()
    time.at, time.then = 100.5, lambda: other.__exit__(None, None, None)
    with lock_of(tmp_path, time)() as may_place:
        assert may_place
        assert 100.5 <= time.now < 100.6
        with lock_of(tmp_path)() as may_other_place:
            assert not may_other_place


def test_that_a_lock_is_released_when_placing_fails(tmp_path: Path) -> None:
    with pytest.raises(RuntimeError), lock_of(tmp_path)():
        raise RuntimeError
    with lock_of(tmp_path)() as may_place:
        assert may_place


def test_that_a_holder_who_never_releases_the_lock_is_disregarded(tmp_path: Path, time: Time) -> None:
    lock = lock_of(tmp_path, time)
    with lock_of(tmp_path)():
        while time.now <= 100.0 + HELD_TOO_LONG:
            with lock() as may_place:
                assert may_place == (time.now > 100.0 + HELD_TOO_LONG)
            time.now += 0.5


def test_that_a_holder_is_not_disregarded_for_an_earlier_wait(tmp_path: Path, time: Time) -> None:
    lock = lock_of(tmp_path, time)
    with lock_of(tmp_path)(), lock() as may_place:
        assert not may_place
    with lock() as may_place:
        assert may_place
    time.now += 2 * HELD_TOO_LONG
    with lock_of(tmp_path)(), lock() as may_place:
        assert not may_place


def test_that_searches_do_not_wait_for_each_other(tmp_path: Path, time: Time) -> None:
    with lock_of(tmp_path / 'one')(), lock_of(tmp_path / 'two', time)() as may_place:
        assert may_place
    assert time.now == 100.0


def test_that_a_lock_file_that_was_removed_is_made_anew_for_all(tmp_path: Path, place: Path) -> None:
    first, second = lock_of(tmp_path), lock_of(tmp_path)
    with first() as may_place:
        assert may_place
    (file,) = place.iterdir()
    file.unlink()
    with second() as may_place, first() as may_other_place:
        assert may_place and not may_other_place, 'the one that knew the file first waits for the other'


def test_that_a_lock_file_removed_while_it_is_acquired_is_not_the_lock(
    tmp_path: Path, place: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    removed: list[Path] = []
    real = fcntl.flock

    def flock(handle: int, how: int) -> None:
        real(handle, how)
        if not removed:
            removed.extend(place.iterdir())
            removed[0].unlink()

    monkeypatch.setattr(fcntl, 'flock', flock)
    with lock_of(tmp_path)() as may_place, lock_of(tmp_path)() as may_other_place:
        assert may_place and not may_other_place


def test_that_locks_are_readable_by_their_user_alone(tmp_path: Path, place: Path) -> None:
    with lock_of(tmp_path)():
        pass
    assert place.stat().st_mode & 0o777 == 0o700
    (file,) = place.iterdir()
    assert file.stat().st_mode & 0o777 == 0o600


def places_without_a_lock(folder: Path) -> bool:
    """Whether a dispatcher may place runs while another does."""
    with lock_of(folder)() as one, lock_of(folder)() as other:
        return one and other


def test_that_a_folder_of_somebody_else_is_refused(
    tmp_path: Path, place: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    place.mkdir()
    other = os.getuid() + 1
    monkeypatch.setattr(os, 'getuid', lambda: other)
    place.rename(place.with_name(f'hpsearch-{other}'))
    assert places_without_a_lock(tmp_path)
    assert f'hpsearch-{other} belongs to another user' in caplog.text
    assert not list(place.with_name(f'hpsearch-{other}').iterdir())


def test_that_a_link_in_the_place_of_the_folder_is_refused(
    tmp_path: Path, place: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / 'elsewhere').mkdir()
    place.symlink_to(tmp_path / 'elsewhere')
    assert places_without_a_lock(tmp_path)
    assert 'belongs to another user' in caplog.text
    assert not list((tmp_path / 'elsewhere').iterdir())


def test_that_runs_are_placed_where_there_is_no_place_for_a_lock(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / 'file').touch()
    monkeypatch.setattr(locks, 'PLACE', str(tmp_path / 'file'))
    assert places_without_a_lock(tmp_path)
    assert 'several hpsearch on this host may choose the same GPU' in caplog.text
