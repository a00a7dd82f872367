"""``hpsearch serve``: what it prints, and where it listens."""

from __future__ import annotations

import asyncio
import ipaddress
import os
import secrets
import socket
import sys
import time
from collections.abc import Callable, Mapping
from typing import Any

from hpsearch.cli.exit_codes import ALL_FINISHED
from hpsearch.cli.serving.fresh import Fresh, Views
from hpsearch.cli.serving.gate import Gate, Resource
from hpsearch.cli.serving.parsers import LOOPBACK
from hpsearch.cli.serving.server import PageServer
from hpsearch.cli.viewing.postprocessing import postprocessing
from hpsearch.host.processes import user_name
from hpsearch.model.errors import ConfigError
from hpsearch.records.reading import read_search
from hpsearch.records.search import SearchRecord
from hpsearch.store.folder import SearchFolder
from hpsearch.ui.terminal import put_line

LOCAL_NAMES = (LOOPBACK, 'localhost', '[::1]')


def serve_search(folder: SearchFolder, host: str, port: int) -> int:
    """Show the page of a search to browsers until Ctrl-C; returns the exit code.

    Args:
        folder: The search.
        host: Where to listen.
        port: Where to listen; 0: any that is free.

    Raises:
        HpsearchError: It is no search, or it cannot be listened there.
    """
    folder.read_info()  # says first what is no search
    fresh, token = Fresh(folder, views()), secrets.token_urlsafe(24)
    if not is_loopback(host):
        put_line(sys.stderr, f'hpsearch: warning: {_about_risk(host)}')

    def ready(found: int) -> None:
        for line in lines_of(folder, gate_of(host, found, token), host):
            put_line(sys.stdout, line)

    try:
        asyncio.run(PageServer(fresh).serve(host, port, lambda found: gate_of(host, found, token), ready))
    except OSError as error:
        reason = os.strerror(error.errno) if error.errno and error.errno > 0 else error.strerror
        raise ConfigError([f'{host}, port {port}: hpsearch cannot listen there: {reason}.']) from None
    return ALL_FINISHED


def views() -> Views:
    """How a search is read, with its figures, and shown."""
    page, figures = postprocessing('page.html'), postprocessing('figures.payload')

    def read(folder: SearchFolder) -> tuple[SearchRecord, Mapping[str, Any]]:
        search = read_search(folder, time.time(), with_failures=True)
        return search, figures.figures_of(search)

    return Views(
        read=read,
        page=lambda found: page.build_page([found[0]], found[1], is_live=True),
        data=lambda found: page.page_data([found[0]], found[1], is_live=True),
    )


def is_loopback(host: str) -> bool:
    """Whether only this machine can reach it."""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == 'localhost'


def gate_of(host: str, port: int, token: str, own_name: Callable[[], str] = socket.gethostname) -> Gate:
    """Who is let in: loopback by its names alone, whatever else by its numeric addresses and the names of this host."""
    if is_loopback(host):
        return Gate(token, port, LOCAL_NAMES)
    return Gate(token, port, (*LOCAL_NAMES, host.lower(), own_name().lower()), takes_addresses=True)


def _about_risk(host: str) -> str:
    return (
        f'--host={host}: whoever in the network sees or learns the address can read this search, since nothing is '
        'encrypted. Without --host, ssh -L is as convenient, and safe.'
    )


def lines_of(folder: SearchFolder, gate: Gate, host: str) -> list[str]:
    """What is printed."""
    name = LOOPBACK if host in ('0.0.0.0', '::') else f'[{host}]' if ':' in host else host
    tunnel = f'ssh -N -L {gate.port}:{name}:{gate.port} {user_name(os.getuid())}@{socket.gethostname()}'
    return [
        f'{folder.path} is shown at',
        f'http://{name}:{gate.port}{gate.path(Resource.PAGE)}',
        f'From another machine: {tunnel}, then open the same address there.',
        'Ctrl-C ends it.',
    ]
