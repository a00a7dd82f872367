"""Which requests are answered: those for exactly two paths, of the right name of this server, that only read."""

from __future__ import annotations

import hmac
import ipaddress
import re
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from enum import Enum

LONGEST_HEAD = 16 * 1024
"""Bytes of a request with its headers."""

_REQUEST = re.compile(rb'([A-Z]{1,20}) ([\x21-\x7e]+) HTTP/1\.[01]')
_HEADER = re.compile(rb'([!#$%&\'*+.^_`|~0-9A-Za-z-]+):[ \t]*([\x20-\x7e\x80-\xff\t]*)')


class Resource(Enum):
    """What there is."""

    PAGE = ''
    DATA = 'data.json'


@dataclass(frozen=True)
class Request:
    """A request that could be read.

    Attributes:
        method: ``GET`` …
        target: What it asks for, exactly as it came.
        headers: Name, in lower case, and value.
    """

    method: str
    target: bytes
    headers: Sequence[tuple[str, str]]

    def header(self, name: str) -> str:
        """The value of a header; empty: there is none, or several."""
        found = [value for key, value in self.headers if key == name]
        return found[0] if len(found) == 1 else ''


@dataclass(frozen=True)
class Refusal:
    """Why a request is not answered.

    Attributes:
        status: Of HTTP.
        words: For people.
    """

    status: int
    words: str


def request_of(head: bytes) -> Request | None:
    """The request that a head is, without the empty line at its end; None: it is none."""
    first, *lines = head.split(b'\r\n')
    found = _REQUEST.fullmatch(first)
    headers = [_HEADER.fullmatch(line) for line in lines]
    if found is None or not all(headers):
        return None
    pairs = [(each[1].decode('ascii').lower(), each[2].decode('latin-1').strip()) for each in headers if each]
    return Request(found[1].decode('ascii'), found[2], pairs)


@dataclass(frozen=True)
class Gate:
    """Decides which requests are answered.

    Attributes:
        token: What an address has to contain.
        port: Of this server.
        names: By which it may be called, in lower case.
        takes_addresses: Whether it may also be called by any numeric address, which no name of an attacker can be.
    """

    token: str
    port: int
    names: Collection[str]
    takes_addresses: bool = False

    def judge(self, request: Request | None) -> Resource | Refusal:
        """What is asked for, if it may be had."""
        if request is None:
            return Refusal(400, 'this is no request that is understood here')
        if not self._is_called(request.header('host')):
            # A page of somebody else may have its own name lead here (DNS rebinding); ours it cannot have.
            return Refusal(
                403, f'this server is {self._known_names()}; through ssh -L, use port {self.port} on both sides'
            )
        if request.method not in ('GET', 'HEAD'):
            return Refusal(405, 'everything here can only be read')
        for resource in Resource:
            if hmac.compare_digest(request.target, self.path(resource).encode()):
                return resource
        return Refusal(404, 'there is nothing here; use the whole address that hpsearch serve has printed')

    def path(self, resource: Resource) -> str:
        """The path of what there is."""
        return f'/{self.token}/{resource.value}'

    def _is_called(self, host: str) -> bool:
        name, port = _split(host)
        if port != str(self.port):
            return False
        return name in self.names or (self.takes_addresses and _is_address(name))

    def _known_names(self) -> str:
        return ' or '.join(f'{name}:{self.port}' for name in sorted(self.names))


def _split(host: str) -> tuple[str, str]:
    """Name and port; an address of IPv6 keeps its brackets."""
    name, _, port = host.lower().rpartition(':')
    return (name, port) if name and not port.endswith(']') else (host.lower(), '80')


def _is_address(name: str) -> bool:
    try:
        ipaddress.ip_address(name.removeprefix('[').removesuffix(']'))
    except ValueError:
        return False
    return True
