"""Which requests ``hpsearch serve`` answers, and when it reads a search again."""

from __future__ import annotations

import asyncio
import json
import shutil
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hpsearch.cli.serving.fresh import AGEING, INTERVAL, SHARE, Fresh, Views
from hpsearch.cli.serving.gate import Gate, Refusal, Request, Resource, request_of
from hpsearch.cli.serving.parsers import serve_parser
from hpsearch.cli.serving.server import PageServer, granted
from hpsearch.cli.serving.verb import gate_of, is_loopback, lines_of
from hpsearch.model.errors import DamageError, HpsearchError
from hpsearch.store.folder import SearchFolder
from tests.support.shown_search import shown_search

GATE = gate_of('127.0.0.1', 8123, 'secret', lambda: 'box')
HOST = [('host', '127.0.0.1:8123')]


def status(gate: Gate, method: str, target: bytes, *headers: tuple[str, str]) -> int | Resource:
    """What a request gets."""
    judged = gate.judge(Request(method, target, headers))
    return judged.status if isinstance(judged, Refusal) else judged


@pytest.mark.parametrize('host', ['127.0.0.1:8123', 'localhost:8123', 'LOCALHOST:8123', '[::1]:8123'])
def test_that_this_machine_is_let_in_by_its_names(host: str) -> None:
    assert status(GATE, 'GET', b'/secret/', ('host', host)) is Resource.PAGE
    assert status(GATE, 'HEAD', b'/secret/data.json', ('host', host)) is Resource.DATA


@pytest.mark.parametrize(
    'host',
    [
        *(
            'evil.example:8123',
            '127.0.0.1',
            '127.0.0.1:80',
            'localhost:8124',
            '',
            'localhost:8123:8123',
            '[::1]',
            '::1:8123',
        ),
        *('127.0.0.1.evil.example:8123', 'localhost.:8123', 'box:8123', '10.0.0.1:8123', '0:8123', '127.1:8123'),
        *('user@127.0.0.1:8123', '127.0.0.1:8123/', ' ', '127.0.0.1:08123', '127.0.0.1:8123\x00'),
    ],
)
def test_that_any_other_name_is_refused_before_anything_else_is_looked_at(host: str) -> None:
    assert status(GATE, 'GET', b'/secret/', ('host', host)) == 403


def test_that_a_request_without_a_host_or_with_two_is_refused() -> None:
    assert status(GATE, 'GET', b'/secret/') == 403
    assert status(GATE, 'GET', b'/secret/', *HOST, *HOST) == 403


@given(st.one_of(st.binary(), st.sampled_from([b'/', b'/secret', b'/secret/../secret/', b'//secret/', b'/SECRET/'])))
def test_that_no_other_path_leads_anywhere(path: bytes) -> None:
    if path not in (b'/secret/', b'/secret/data.json'):
        assert status(GATE, 'GET', path, *HOST) == 404


@pytest.mark.parametrize('method', ['POST', 'PUT', 'DELETE', 'OPTIONS', 'TRACE', 'CONNECT'])
def test_that_nothing_can_be_changed(method: str) -> None:
    assert status(GATE, method, b'/secret/', *HOST) == 405


@given(st.binary())
def test_that_any_bytes_are_a_request_or_none(head: bytes) -> None:
    assert isinstance(GATE.judge(request_of(head)), Refusal)


def test_that_a_request_of_a_browser_is_understood() -> None:
    found = request_of(b'GET /secret/ HTTP/1.1\r\nHost: localhost:8123\r\nUser-Agent: x/1 (y; z)')
    assert found
    assert (found.header('host'), GATE.judge(found)) == ('localhost:8123', Resource.PAGE)


def test_that_an_address_in_the_network_is_let_in_by_numbers_and_its_own_names_alone() -> None:
    gate = gate_of('0.0.0.0', 8123, 'secret', lambda: 'Box')
    known = [
        status(gate, 'GET', b'/secret/', ('host', host)) for host in ('10.0.0.1:8123', 'box:8123', '[fe80::1]:8123')
    ]
    assert known == [Resource.PAGE] * 3
    assert status(gate, 'GET', b'/secret/', ('host', 'evil.example:8123')) == 403
    assert [is_loopback(each) for each in ('127.0.0.1', '127.8.8.8', '::1', 'localhost', '0.0.0.0', 'box')] == [
        *(True,) * 4, False, False,
    ]  # fmt: skip


def test_that_an_empty_address_does_not_mean_all_of_them(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        serve_parser().parse_args(['--host', ''])
    assert 'it names no address' in capsys.readouterr().err


def test_that_the_address_and_a_tunnel_to_it_are_printed(tmp_path: Path) -> None:
    lines = lines_of(SearchFolder(tmp_path), GATE, '127.0.0.1')
    assert lines[1] == 'http://127.0.0.1:8123/secret/'
    assert 'ssh -N -L 8123:127.0.0.1:8123 ' in lines[2]


class Clock:
    """A clock that a test sets; reading a search takes ``took`` seconds."""

    def __init__(self) -> None:
        self.now = 1000.0
        self.took = 0.0
        self.readings = 0
        self.problem: HpsearchError | None = None

    def read(self, folder: SearchFolder) -> int:
        """How often it was read."""
        self.readings += 1
        self.now += self.took
        if self.problem:
            raise self.problem
        return self.readings

    def fresh(self, folder: SearchFolder) -> Fresh:
        """A page that is only how often the search was read."""
        views = Views(self.read, lambda count: f'page {count}', lambda count: {'count': count})
        return Fresh(folder, views, lambda: self.now, lambda: 0.0)


@pytest.fixture
def folder(tmp_path: Path) -> SearchFolder:
    return shown_search(tmp_path / 'search', runs=4)


def write(folder: SearchFolder) -> None:
    """Something happens in the search."""
    with next(folder.journal_dir.glob('*.jsonl')).open('a') as journal:
        journal.write('{}\n')


def count_in(fresh: Fresh) -> Any:
    return json.loads(fresh.get(Resource.DATA).body)['count']


def test_that_a_search_is_read_again_when_it_has_changed_and_not_too_often(folder: SearchFolder) -> None:
    clock = Clock()
    fresh = clock.fresh(folder)
    tag = fresh.get(Resource.DATA).tag
    clock.now += 100
    assert (count_in(fresh), fresh.get(Resource.DATA).tag, fresh.get(Resource.PAGE).body) == (1, tag, b'page 1')
    write(folder)
    clock.took = 10.0
    assert count_in(fresh) == 2
    assert fresh.get(Resource.DATA).tag != tag
    write(folder)
    clock.now += SHARE * 10 - 1
    assert count_in(fresh) == 2
    clock.now += 1
    assert count_in(fresh) == 3


def test_that_a_search_is_read_now_and_then_although_nothing_was_written(folder: SearchFolder) -> None:
    clock = Clock()
    views = Views(clock.read, str, lambda count: {'count': count})
    fresh = Fresh(folder, views, lambda: clock.now, lambda: clock.now)
    assert count_in(fresh) == 1
    clock.now += AGEING + INTERVAL
    assert count_in(fresh) == 2


def test_that_a_search_that_cannot_be_read_says_so_until_it_can(folder: SearchFolder) -> None:
    clock = Clock()
    fresh = clock.fresh(folder)
    clock.problem = DamageError('it is damaged')
    for _ in range(2):
        with pytest.raises(DamageError):
            fresh.get(Resource.PAGE)
    assert clock.readings == 1
    clock.problem = None
    clock.now += INTERVAL
    assert count_in(fresh) == 2


def test_that_a_search_that_was_deleted_is_named_and_comes_back_if_it_does(folder: SearchFolder) -> None:
    clock = Clock()
    fresh = clock.fresh(folder)
    assert count_in(fresh) == 1
    shutil.move(folder.path, folder.path.with_name('moved'))
    with pytest.raises(HpsearchError, match='deleted or moved'):
        fresh.get(Resource.DATA)
    shutil.move(folder.path.with_name('moved'), folder.path)
    assert count_in(fresh) == 2


def test_that_what_the_browser_has_is_not_sent_again(folder: SearchFolder) -> None:
    text = Clock().fresh(folder).get(Resource.DATA)
    again = granted(Request('GET', b'', [('if-none-match', text.tag)]), Resource.DATA, text)
    assert again.startswith(b'HTTP/1.1 304 ')
    assert again.endswith(b'\r\n\r\n')
    packed = granted(Request('GET', b'', [('accept-encoding', 'br, gzip')]), Resource.DATA, text)
    assert packed.endswith(text.packed)


async def _left_alone(folder: SearchFolder, sent: bytes) -> bytes:
    """What a client gets that does not end its request."""
    server = PageServer(Clock().fresh(folder), patience=0.05)
    listening, port = await server.listen('127.0.0.1', 0, lambda found: gate_of('127.0.0.1', found, 'secret'))
    reader, writer = await asyncio.open_connection('127.0.0.1', port)
    writer.write(sent)
    got = await reader.read()
    writer.close()
    listening.close()
    return got


@pytest.mark.parametrize('sent', [b'', b'GET /secret/ HTTP/1.1\r\nHost: '])
def test_that_a_client_that_does_not_end_its_request_is_left(folder: SearchFolder, sent: bytes) -> None:
    try:
        assert asyncio.run(_left_alone(folder, sent)) == b''
    except ConnectionResetError:
        return  # it was left, too
