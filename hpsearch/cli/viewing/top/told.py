"""What the writers of a search that are at work tell of themselves, of GPUs and of their queue."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from functools import partial
from typing import Any, TypeVar

from hpsearch.cli.status import gpu_line_from, queue_line_from
from hpsearch.model.evidence import HostRelation
from hpsearch.model.snapshot import GpuLine, QueueLine
from hpsearch.records.opening import OpenedSearch
from hpsearch.store import writers

T = TypeVar('T')


def gpu_lines(search: OpenedSearch) -> list[GpuLine]:
    """The GPUs that they read, those of other hosts with these; of one that several tell of, what the first says."""
    found: dict[str, GpuLine] = {}
    for writer, news in search.living.items():
        host = '' if search.relation(writer) is HostRelation.SAME else _host(search, writer)
        silence = writers.silence_of(search.folder, writer, search.now)
        for line in _readable(news.get('gpus'), partial(gpu_line_from, silence=silence)):
            name = f'{line.name} on {host}' if host else line.name
            found.setdefault(name, replace(line, name=name))
    return list(found.values())


def queue_lines(search: OpenedSearch) -> Iterator[QueueLine]:
    """What is in their queue."""
    for news in search.living.values():
        yield from _readable(news.get('queue'), queue_line_from)


def who_works(search: OpenedSearch) -> str:
    """Who is at work, in words."""
    who = [f'{_user(search, each)} on {_host(search, each)} (pid {_pid(search, each)})' for each in search.living]
    return f'at work: {", ".join(who)}' if who else 'no hpsearch is at work on it, as far as can be seen from here'


def _host(search: OpenedSearch, writer: str) -> str:
    return str(search.reader.headers.get(writer, {}).get('host', ''))


def _user(search: OpenedSearch, writer: str) -> str:
    return str(search.reader.headers.get(writer, {}).get('user', '')) or 'somebody'


def _pid(search: OpenedSearch, writer: str) -> str:
    return str(search.reader.headers.get(writer, {}).get('pid', '?'))


def _readable(told: Any, read: Callable[[Mapping[str, Any]], T]) -> Iterator[T]:
    """What a writer tells in a list; what another version of it tells otherwise is left out."""
    for each in told if isinstance(told, list) else ():
        try:
            yield read(each)
        except (TypeError, ValueError, KeyError, AttributeError):
            continue
