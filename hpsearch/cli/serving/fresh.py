"""The page of a search as it is now: it is made again when something has changed, and not too often."""

from __future__ import annotations

import gzip
import json
import math
import os
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from hpsearch.cli.serving.gate import Resource
from hpsearch.model.errors import HpsearchError, SearchFolderError, trouble_in_words
from hpsearch.store.folder import SearchFolder

INTERVAL = 2.0
"""Seconds between two readings of a search, at least."""

SHARE = 4.0
"""A search that takes long to read is read no more often than this many times as long."""

AGEING = 30.0
"""Seconds after which a search is read again although nothing was written: runs grow older, and writers die."""

Signature = tuple[object, ...]


@dataclass(frozen=True)
class Text:
    """What is sent, as it is and compressed.

    Attributes:
        tag: Changes with the content.
    """

    body: bytes
    packed: bytes
    tag: str


@dataclass(frozen=True)
class Views:
    """How a page is made from what was read: ``read`` reads, the others write it down, each as one text."""

    read: Callable[[SearchFolder], Any]
    page: Callable[[Any], str]
    data: Callable[[Any], Any]


def signature_of(folder: SearchFolder, now: float) -> Signature:
    """Changes when something of the search may have changed.

    Args:
        folder: The search.
        now: Seconds since 1970.

    Raises:
        OSError: It is not there.
    """
    described = os.stat(folder.search_json)
    journals = sorted(
        (entry.name, entry.stat().st_size, entry.stat().st_mtime_ns)
        for entry in os.scandir(folder.journal_dir)
        if entry.name.endswith('.jsonl')
    ) if folder.journal_dir.is_dir() else []  # fmt: skip
    return (described.st_ino, described.st_mtime_ns, tuple(journals), int(now // AGEING))


class Fresh:
    """Keeps what was read of a search.

    Args:
        folder: The search.
        views: How it is read and shown.
        clock: Monotonic seconds.
        wall: Seconds since 1970.
    """

    def __init__(
        self,
        folder: SearchFolder,
        views: Views,
        clock: Callable[[], float] = time.monotonic,
        wall: Callable[[], float] = time.time,
    ) -> None:
        self._folder = folder
        self._views = views
        self._clock = clock
        self._wall = wall
        self._lock = threading.Lock()
        self._name = os.urandom(6).hex()
        self._version = 0
        self._signature: Signature | None = None
        self._record: Any = None
        self._problem: HpsearchError | None = None
        self._due = -math.inf
        self._texts: dict[Resource, Text] = {}

    def get(self, resource: Resource) -> Text:
        """The page, or its data.

        Raises:
            HpsearchError: The search cannot be read now; it says why.
        """
        with self._lock:
            self._refresh()
            if resource not in self._texts:
                self._texts[resource] = self._text(resource)
            return self._texts[resource]

    def _refresh(self) -> None:
        try:
            signature = signature_of(self._folder, self._wall())
        except OSError as error:
            self._forget()
            raise SearchFolderError(self._why_gone(error)) from error
        now = self._clock()
        if now >= self._due and signature != self._signature:
            self._read(signature, now)
        if self._problem is not None:
            raise self._problem

    def _read(self, signature: Signature, now: float) -> None:
        self._problem = None
        try:
            self._record = self._views.read(SearchFolder(self._folder.path))
        except HpsearchError as error:
            self._problem = error
        except OSError as error:
            self._problem = SearchFolderError(f'{trouble_in_words(error)}.')
        else:
            self._signature, self._version = signature, self._version + 1
            self._texts.clear()
        ended = self._clock()
        self._due = ended + max(INTERVAL, SHARE * (ended - now))

    def _forget(self) -> None:
        self._signature, self._record, self._problem, self._due = None, None, None, -math.inf
        self._texts.clear()

    def _why_gone(self, error: OSError) -> str:
        if isinstance(error, FileNotFoundError):
            return f'{self._folder.path} is not there any more: it was deleted or moved.'
        return f'{self._folder.path} cannot be read: {error.strerror}.'

    def _text(self, resource: Resource) -> Text:
        if resource is Resource.PAGE:
            body = self._views.page(self._record).encode('utf-8', 'replace')
        else:
            body = json.dumps(self._views.data(self._record), separators=(',', ':'), allow_nan=False).encode()
        return Text(body, gzip.compress(body, 4, mtime=0), f'"{self._name}-{self._version}"')
