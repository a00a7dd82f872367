"""``hpsearch serve``, by real sockets: who is answered, what with, and that nothing takes it down."""

from __future__ import annotations

import http.client
import json
import re
import shutil
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from hpsearch.store.folder import SearchFolder
from tests.support.harness import until
from tests.support.paths import REPOSITORY
from tests.support.shown_search import shown_search


@dataclass
class Answer:
    """What came back: its status, its headers by name, what follows them."""

    status: int
    headers: Mapping[str, str]
    body: bytes


@dataclass
class Served:
    """A search that is served.

    Attributes:
        process: The server.
        folder: The search.
        port: Where.
        path: Of the page.
        printed: The lines it has printed.
    """

    process: subprocess.Popen[str]
    folder: SearchFolder
    port: int
    path: str
    printed: list[str]

    def ask(self, path: str = '', method: str = 'GET', **headers: str) -> Answer:
        """The answer to a request."""
        connection = http.client.HTTPConnection('127.0.0.1', self.port, timeout=30)
        try:
            named = {name.replace('_', '-'): value for name, value in headers.items()}
            connection.request(method, f'{self.path}{path}', headers=named)
            answer = connection.getresponse()
            return Answer(answer.status, dict(answer.getheaders()), answer.read())
        finally:
            connection.close()

    def send(self, data: bytes) -> bytes:
        """What comes back for these bytes."""
        with socket.create_connection(('127.0.0.1', self.port), timeout=30) as connection:
            connection.sendall(data)
            connection.shutdown(socket.SHUT_WR)
            parts = []
            while part := connection.recv(1 << 16):
                parts.append(part)
        return b''.join(parts)


@pytest.fixture
def served(tmp_path: Path) -> Iterator[Served]:
    folder = shown_search(tmp_path / 'search', runs=20)
    process = subprocess.Popen(
        [sys.executable, '-m', 'hpsearch', 'serve', str(folder.path)],
        cwd=tmp_path, env={'PYTHONPATH': str(REPOSITORY), 'PATH': '/usr/bin:/bin'}, text=True,
        stdout=subprocess.PIPE, stderr=subprocess.PIPE,
    )  # fmt: skip
    assert process.stdout
    printed = [process.stdout.readline() for _ in range(4)]
    address = urlsplit(printed[1].strip())
    assert address.port
    yield Served(process, folder, address.port, address.path, printed)
    process.kill()
    process.communicate()


def test_that_the_page_and_its_data_are_served_and_nothing_else(served: Served) -> None:
    assert re.fullmatch(r'/[\w-]{32}/', served.path)
    page, data = served.ask(), served.ask('data.json')
    assert (page.status, page.headers['Content-Type']) == (200, 'text/html; charset=utf-8')
    assert b'<script type="application/gzip+base64" id="data">' in page.body
    assert "frame-ancestors 'none'" in page.headers['Content-Security-Policy']
    for name, value in {
        'Cache-Control': 'no-store',
        'Referrer-Policy': 'no-referrer',
        'X-Frame-Options': 'DENY',
    }.items():
        assert page.headers[name] == value
    assert page.headers['X-Content-Type-Options'] == 'nosniff'
    assert page.headers['Cross-Origin-Resource-Policy'] == 'same-origin'
    assert json.loads(data.body)['searches'][0]['name'] == 'search'
    assert served.ask('data.json', If_None_Match=data.headers['ETag']).status == 304
    assert (served.ask(method='HEAD').status, served.ask(method='HEAD').body) == (200, b'')
    assert served.ask(method='POST').status == 405
    assert served.ask(Host=f'evil.example:{served.port}').status == 403
    token = served.path.encode()
    below = (b'search.json', b'..', b'../search.json', b'%2e%2e/search.json', b'data.json/', b'data.json?x', b'%00')
    beside = (b'/', b'/search.json', token[:-1], b'/etc/passwd', b'http://evil' + token)
    for path in (*beside, *(token + each for each in below)):
        answer = served.send(b'GET ' + path + b' HTTP/1.1\r\nHost: localhost:%d\r\n\r\n' % served.port)
        assert answer.startswith(b'HTTP/1.1 404 '), path


def test_that_nonsense_and_crowds_do_not_take_it_down(served: Served) -> None:
    assert served.send(b'\x00\xff\r\n\r\n').startswith(b'HTTP/1.1 400 ')
    assert served.send(b'GET /\x00 HTTP/1.1\r\n\r\n').startswith(b'HTTP/1.1 400 ')
    assert served.send(b'GET /' + b'a' * 20_000 + b' HTTP/1.1\r\n\r\n').startswith(b'HTTP/1.1 431 ')
    assert served.send(b'') == b''
    crowd = [socket.create_connection(('127.0.0.1', served.port)) for _ in range(100)]
    for each in crowd:
        each.close()
    assert until(lambda: answered(served)) == 200


def answered(served: Served) -> int | None:
    try:
        return served.ask().status
    except OSError:
        return None


def test_that_it_follows_the_search_tells_when_that_is_gone_and_frees_its_port(served: Served) -> None:
    tag = served.ask('data.json').headers['ETag']
    with next(served.folder.journal_dir.glob('*.jsonl')).open('a') as journal:
        journal.write('\n')
    until(lambda: served.ask('data.json', If_None_Match=tag).status == 200)
    shutil.rmtree(served.folder.path)
    gone = served.ask('data.json')
    assert (gone.status, 'deleted' in json.loads(gone.body)['problem']) == (503, True)
    assert b'deleted' in served.ask().body
    with socket.create_connection(('127.0.0.1', served.port)):  # a client that says nothing does not hold it up
        served.process.send_signal(signal.SIGTERM)
        out, err = served.process.communicate(timeout=30)
    assert (served.process.returncode, out, err) == (0, '', '')
    with socket.create_server(('127.0.0.1', served.port)):
        pass
