"""What the searches of one user tell each other: real files, stepped time."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from hpsearch.host import shared_folder
from hpsearch.host.gpu.searches import (
    BEAT_INTERVAL,
    LONGEST_NAME,
    SILENT_AFTER,
    SearchesHere,
    parse_search,
    place_name,
)
from hpsearch.host.gpu.starts import GpuStarts
from hpsearch.host.kernel import this_host
from hpsearch.host.processes import start_ticks
from hpsearch.host.shared_folder import MOST_BYTES, SharedFolder
from hpsearch.model.usage.contender import Contender
from tests.fakes.scripted_queue import Clock
from tests.support.paths import REPOSITORY
from tests.support.users import as_another_user

A = Contender('a', frozenset({'0', '1'}), 2.0, held=1.0, wanted=5.0, served=10.0, notices_after=5.0, who='out/a')


@pytest.fixture(autouse=True)
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where the files are; everybody may go there."""
    for folder in (tmp_path, *tmp_path.parents[:2]):
        folder.chmod(0o755)
    monkeypatch.setattr(shared_folder, 'PLACE', str(tmp_path / 'shared'))
    return tmp_path / 'shared'


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def one(clock: Clock) -> SearchesHere:
    return SearchesHere(SharedFolder(clock), clock)


@pytest.fixture
def other(clock: Clock) -> SearchesHere:
    return SearchesHere(SharedFolder(clock), clock)


def files(place: Path) -> list[Path]:
    return sorted(place.glob('search-*'))


def said(**changes: Any) -> dict[str, Any]:
    """What a file says of a search that is at work at the time of a new clock."""
    host = this_host()
    numbers = {'priority': 2.0, 'held': 1.0, 'wanted': 5.0, 'unit': 1.0, 'served': 10.0, 'notices_after': 5.0}
    us = {'pid': os.getpid(), 'ticks': start_ticks(os.getpid()), 'boot': host.boot, 'namespace': host.namespace}
    return {'search': 'a', 'who': 'out/a', 'places': ['0', '1'], **numbers, **us, 'at': 1000.0, **changes}


@pytest.fixture
def write(place: Path, one: SearchesHere) -> Callable[..., Path]:
    """Writes a file as somebody else might."""
    one.others('')

    def body(text: str | bytes, name: str = 'search-x') -> Path:
        path = place / name
        path.write_bytes(text if isinstance(text, bytes) else text.encode())
        return path

    return body


def test_that_a_search_knows_how_the_others_stand(one: SearchesHere, other: SearchesHere) -> None:
    one.tell(A)
    assert other.others('b') == [A]
    assert one.others('a') == []
    assert other.others('a') == [], 'another process of the same search'


def test_that_what_a_search_holds_counts_as_served_as_time_goes_by(
    one: SearchesHere, other: SearchesHere, clock: Clock
) -> None:
    one.tell(A)
    clock.now += 4.0
    assert other.others('b') == [replace(A, served=10.0 + 4.0 * 1.0 / 2.0)]


def test_that_a_file_is_written_again_when_something_has_changed_or_after_a_while(
    one: SearchesHere, other: SearchesHere, clock: Clock, place: Path
) -> None:
    def at() -> float:
        (file,) = files(place)
        return float(json.loads(file.read_text())['at'])

    one.tell(A)
    clock.now += 1.0
    one.tell(replace(A, served=11.0, wanted=4.0))
    assert at() == 1000.0
    one.tell(replace(A, held=2.0))
    assert at() == 1001.0
    clock.now += BEAT_INTERVAL
    one.tell(replace(A, held=2.0))
    assert at() == 1001.0 + BEAT_INTERVAL
    assert [path.name for path in place.iterdir() if path.name.startswith('new-')] == []


def test_that_a_search_that_ends_or_is_silent_does_not_count(
    one: SearchesHere, other: SearchesHere, clock: Clock, place: Path
) -> None:
    one.tell(A)
    clock.now += SILENT_AFTER
    assert other.others('b') == []
    assert files(place), 'its process lives'
    one.tell(A)
    assert other.others('b')
    one.close()
    assert other.others('b') == []
    assert files(place) == []


def test_that_a_search_dies_with_its_process(write: Callable[..., Path], other: SearchesHere) -> None:
    with subprocess.Popen(['sleep', '600']) as child:
        path = write(json.dumps(said(pid=child.pid, ticks=start_ticks(child.pid))))
        assert len(other.others('b')) == 1
        child.kill()
    assert other.others('b') == []
    assert not path.exists()


def test_that_several_processes_of_a_search_count_as_one(write: Callable[..., Path], other: SearchesHere) -> None:
    write(json.dumps(said(held=3.0, places=['0'])), 'search-x')
    write(json.dumps(said(held=2.0, places=['1'], priority=4.0)), 'search-y')
    (found,) = other.others('b')
    assert (found.held, found.priority, found.places) == (3.0, 4.0, A.places)


@pytest.mark.parametrize(
    'text',
    [
        b'',
        b'{',
        b'[]',
        json.dumps(said(priority=0.0)).encode(),
        json.dumps(said(priority=-1.0)).encode(),
        json.dumps(said(priority=float('nan'))).encode(),
        json.dumps(said(unit=0.0)).encode(),
        json.dumps(said(held=float('inf'))).encode(),
        json.dumps(said(held=1)).encode(),
        json.dumps(said(places=[1])).encode(),
        json.dumps(said(places=['x' * MOST_BYTES])).encode(),
        json.dumps({name: value for name, value in said().items() if name != 'boot'}).encode(),
    ],
)
def test_that_garbage_says_nothing(text: bytes, write: Callable[..., Path], other: SearchesHere) -> None:
    assert parse_search(text) is None
    write(text)
    assert other.others('b') == []


def test_that_a_search_may_have_any_path(one: SearchesHere, other: SearchesHere) -> None:
    path = os.fsdecode(b'out/\xff"\n' + b'\xe9' * 300)
    one.tell(replace(A, name=place_name(path), who=path, places=frozenset(place_name(str(n)) for n in range(128))))
    (found,) = other.others('b')
    assert found.who == path[:LONGEST_NAME]
    assert len(found.places) == 128


def test_that_links_and_pipes_are_left_alone(
    write: Callable[..., Path], other: SearchesHere, place: Path, tmp_path: Path
) -> None:
    target = tmp_path / 'target'
    target.write_text(json.dumps(said()))
    (place / 'search-link').symlink_to(target)
    os.mkfifo(place / 'search-pipe')
    assert other.others('b') == []
    assert target.exists()


def test_that_an_earlier_version_sees_no_start_in_it(one: SearchesHere, clock: Clock) -> None:
    one.tell(A)
    assert list(GpuStarts(clock).others()) == []


def test_that_the_searches_of_other_users_do_not_take_part(one: SearchesHere, other: SearchesHere, place: Path) -> None:
    one.tell(A)
    code = (
        'import sys; from hpsearch.host import shared_folder; from hpsearch.host.gpu.searches import SearchesHere;'
        'from hpsearch.model.usage.contender import Contender; shared_folder.PLACE = sys.argv[1];'
        'here = SearchesHere(shared_folder.SharedFolder()); print(here.others("x"));'
        'here.tell(Contender("c", frozenset({"0"}), wanted=9.0)); print(len(here.others("x")))'
    )
    words = as_another_user(sys.executable, '-c', code, str(place))
    done = subprocess.run(words, cwd=REPOSITORY, check=True, capture_output=True, text=True)
    assert done.stdout.split() == ['[]', '0']
    assert len(files(place)) == 2
    assert [each.name for each in other.others('b')] == ['a']
