"""A small server of HTTP: each connection has one request, a few seconds for it, and is closed."""

from __future__ import annotations

import asyncio
import json
import signal
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from http import HTTPStatus

from hpsearch.cli.serving.fresh import Fresh, Text
from hpsearch.cli.serving.gate import LONGEST_HEAD, Gate, Refusal, Request, Resource, request_of
from hpsearch.model.errors import HpsearchError

PATIENCE = 10.0
"""Seconds in which a request has to be here."""

SENDING_PATIENCE = 60.0
"""Seconds in which an answer has to be taken."""

MOST_CONNECTIONS = 64
"""At a time; others are closed at once."""

HEADERS = {
    'Cache-Control': 'no-store',
    'Connection': 'close',
    'Cross-Origin-Opener-Policy': 'same-origin',
    'Cross-Origin-Resource-Policy': 'same-origin',
    'Permissions-Policy': 'camera=(), geolocation=(), microphone=()',
    'Referrer-Policy': 'no-referrer',
    'Vary': 'Accept-Encoding',
    'X-Content-Type-Options': 'nosniff',
    'X-Frame-Options': 'DENY',
}
"""Of every answer: nothing is kept, nothing may be embedded, and the address with its token goes nowhere."""

NOTHING = "default-src 'none'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"

OF_PAGE = (
    "default-src 'none'; script-src 'unsafe-inline'; style-src 'unsafe-inline'; img-src data: blob:; "
    "connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
"""The page itself says by their hashes which scripts are its own; both policies hold."""

TYPES = {Resource.PAGE: 'text/html; charset=utf-8', Resource.DATA: 'application/json'}


def answer(status: int, headers: Mapping[str, str], body: bytes, *, with_body: bool = True) -> bytes:
    """An answer as it is sent."""
    lines = [f'HTTP/1.1 {status} {HTTPStatus(status).phrase}']
    lines += [f'{name}: {value}' for name, value in {**HEADERS, **headers}.items()]
    if status != HTTPStatus.NOT_MODIFIED:
        lines.append(f'Content-Length: {len(body)}')
    head = '\r\n'.join([*lines, '', '']).encode('latin-1')
    return head + body if with_body else head


def refused(refusal: Refusal) -> bytes:
    """The answer to a request that is refused."""
    headers = {'Content-Type': 'text/plain; charset=utf-8', 'Content-Security-Policy': NOTHING}
    if refusal.status == HTTPStatus.METHOD_NOT_ALLOWED:
        headers['Allow'] = 'GET, HEAD'
    return answer(refusal.status, headers, f'{refusal.words}\n'.encode())


def granted(request: Request, resource: Resource, text: Text) -> bytes:
    """The answer to a request for what there is."""
    policy = OF_PAGE if resource is Resource.PAGE else NOTHING
    headers = {'Content-Type': TYPES[resource], 'Content-Security-Policy': policy, 'ETag': text.tag}
    if request.header('if-none-match') == text.tag:
        return answer(HTTPStatus.NOT_MODIFIED, headers, b'', with_body=False)
    is_packed = 'gzip' in request.header('accept-encoding').replace(' ', '').split(',')
    headers |= {'Content-Encoding': 'gzip'} if is_packed else {}
    body = text.packed if is_packed else text.body
    return answer(HTTPStatus.OK, headers, body, with_body=request.method == 'GET')


def unreadable(request: Request, resource: Resource, problem: str) -> bytes:
    """The answer while the search cannot be read."""
    is_data = resource is Resource.DATA
    body = json.dumps({'problem': problem}).encode() if is_data else f'{problem}\n'.encode(errors='replace')
    kind = TYPES[resource] if is_data else 'text/plain; charset=utf-8'
    headers = {'Content-Type': kind, 'Content-Security-Policy': NOTHING}
    return answer(HTTPStatus.SERVICE_UNAVAILABLE, headers, body, with_body=request.method == 'GET')


class PageServer:
    """Serves the page until a signal ends it.

    Args:
        fresh: The page.
        patience: Seconds in which a request has to be here.
    """

    def __init__(self, fresh: Fresh, patience: float = PATIENCE) -> None:
        self._fresh = fresh
        self._patience = patience
        self._gate: Gate | None = None
        self._open: set[asyncio.Task[None]] = set()
        self._reading = ThreadPoolExecutor(max_workers=1)

    async def serve(self, host: str, port: int, gate_of: Callable[[int], Gate], ready: Callable[[int], None]) -> None:
        """Listen until SIGINT or SIGTERM.

        Args:
            host: Where.
            port: Where; 0: any that is free.
            gate_of: Makes what decides which requests are answered, from the port.
            ready: Called with the port once it listens.

        Raises:
            OSError: It cannot listen there.
        """
        ended, loop = asyncio.Event(), asyncio.get_running_loop()
        server, found = await self.listen(host, port, gate_of)
        for number in (signal.SIGINT, signal.SIGTERM):
            loop.add_signal_handler(number, ended.set)
        try:
            ready(found)
            await ended.wait()
        finally:
            server.close()
            for task in list(self._open):
                task.cancel()
            self._reading.shutdown(wait=False, cancel_futures=True)

    async def listen(self, host: str, port: int, gate_of: Callable[[int], Gate]) -> tuple[asyncio.Server, int]:
        """Begin to listen; returns the server and its port. Arguments and errors as those of :meth:`serve`."""
        server = await asyncio.start_server(self._connected, host, port, limit=LONGEST_HEAD, backlog=MOST_CONNECTIONS)
        found = int(server.sockets[0].getsockname()[1])
        self._gate = gate_of(found)
        return server, found

    async def _connected(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        if task is None or len(self._open) >= MOST_CONNECTIONS:
            writer.transport.abort()
            return
        self._open.add(task)
        try:
            await self._talk(reader, writer)
        except (OSError, asyncio.TimeoutError, asyncio.CancelledError):
            writer.transport.abort()  # whoever it was has gone, or takes too long
        finally:
            self._open.discard(task)
            writer.close()

    async def _talk(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            head = await asyncio.wait_for(reader.readuntil(b'\r\n\r\n'), self._patience)
        except asyncio.IncompleteReadError:
            return
        except asyncio.LimitOverrunError:
            writer.write(refused(Refusal(431, 'this request is too long')))
        else:
            writer.write(await self._answer(request_of(head[:-4])))
        await asyncio.wait_for(writer.drain(), SENDING_PATIENCE)
        writer.write_eof()
        await asyncio.wait_for(reader.read(LONGEST_HEAD), self._patience)  # until the other side has closed, too

    async def _answer(self, request: Request | None) -> bytes:
        judged = self._gate.judge(request) if self._gate else Refusal(503, 'not yet')
        if isinstance(judged, Refusal) or request is None:
            return refused(judged if isinstance(judged, Refusal) else Refusal(400, 'no request'))
        loop = asyncio.get_running_loop()
        try:
            text = await loop.run_in_executor(self._reading, self._fresh.get, judged)
        except HpsearchError as error:
            return unreadable(request, judged, str(error))
        return granted(request, judged, text)
