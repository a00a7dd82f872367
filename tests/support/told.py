"""What was told: a server that keeps what is posted to it, and programs that keep what they are given."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread


@dataclass
class Posted:
    """One request.

    Attributes:
        path: With the query.
        headers: By their names in lower case.
        body: What was posted.
    """

    path: str
    headers: dict[str, str]
    body: bytes


@dataclass
class Webhook:
    """A server on this machine.

    Attributes:
        address: Of it, without a slash at the end.
        posted: What came so far.
    """

    address: str
    posted: list[Posted] = field(default_factory=list)


@contextmanager
def webhook() -> Iterator[Webhook]:
    """A server that takes whatever is posted."""

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            """Keep what came."""
            body = self.rfile.read(int(self.headers['Content-Length']))
            headers = {name.lower(): value for name, value in self.headers.items()}
            kept.posted.append(Posted(self.path, headers, body))
            self.send_response(200)
            self.end_headers()

        def log_message(self, *_: object) -> None:
            """Nobody wants to know."""

    with ThreadingHTTPServer(('127.0.0.1', 0), Handler) as server:
        kept = Webhook(f'http://127.0.0.1:{server.server_port}')
        Thread(target=server.serve_forever, daemon=True).start()
        yield kept
        server.shutdown()


def keeper(path: Path, into: Path) -> Path:
    """A program that appends its standard input, as one line, to a file."""
    path.parent.mkdir(exist_ok=True)
    path.write_text(f'#!/bin/sh\n{{ tr "\\n" "|"; echo; }} >> {into}\n')
    path.chmod(0o755)
    return path
