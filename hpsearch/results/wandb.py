"""The summary of a run of W&B, from the file ``run-<id>.wandb`` that it writes online and offline.

After 7 bytes of header, the file is a log in the format of LevelDB: blocks of 32 KiB, in which each part of a record
has a checksum (4 bytes), a length (2, little endian) and a type (1). A record is a protocol buffer ``Record``:
``history`` is field 2, ``summary`` field 3; both have items in field 1 with ``key`` (1), ``nested_key`` (2) and
``value_json`` (16). See wandb_internal.proto. Checksums are not verified: what is cut off or damaged is left out.
"""

from __future__ import annotations

import json
import struct
from collections.abc import Iterator
from typing import Any

from hpsearch.results.rows import Row, flattened
from hpsearch.results.tensorboard import fields

_HEADER = 7
_BLOCK = 32 * 1024
_PART = struct.Struct('<IHB')
_WHOLE, _FIRST, _MIDDLE, _LAST = 1, 2, 3, 4

_HISTORY, _SUMMARY = 2, 3
_ITEM = 1
_KEY, _NESTED_KEY, _VALUE = 1, 2, 16


def summary_of(data: bytes) -> dict[str, Any]:
    """The last value of each key, those of the summary above those of the history; nested keys have dots."""
    logged: dict[int, dict[str, Any]] = {_HISTORY: {}, _SUMMARY: {}}
    for record in LogRecords().feed(data):
        for number, items in _logged(record):
            logged[number].update(items)
    return {**logged[_HISTORY], **logged[_SUMMARY]}


def history_of_record(record: bytes) -> list[Row]:
    """The rows of the history that a record has: what one call of ``log`` logged."""
    return [flattened(items) for number, items in _logged(record) if number == _HISTORY]


def _logged(record: bytes) -> list[tuple[int, dict[str, Any]]]:
    """The parts of the history and of the summary in a record; none where it is damaged."""
    try:
        parts = [(number, content) for number, content in fields(record) if isinstance(content, bytes)]
        return [(number, dict(_items(content))) for number, content in parts if number in (_HISTORY, _SUMMARY)]
    except (ValueError, IndexError, RecursionError):
        return []


class LogRecords:
    """The records of a log that comes in pieces."""

    def __init__(self) -> None:
        self._begin = 0
        self._place = _HEADER
        self._rest = b''
        self._record = b''
        self._is_damaged = False

    def feed(self, data: bytes) -> Iterator[bytes]:
        """The records that are complete now; none any more after one that is damaged."""
        self._rest += data
        while not self._is_damaged and (part := self._next_part()):
            kind, content = part
            self._record = content if kind in (_WHOLE, _FIRST) else self._record + content
            if kind in (_WHOLE, _LAST):
                yield self._record
        used = len(self._rest) if self._is_damaged else min(self._place - self._begin, len(self._rest))
        self._rest, self._begin = self._rest[used:], self._begin + used

    def _next_part(self) -> tuple[int, bytes] | None:
        """Kind and content of the next part of a record; None: it is not complete, or damaged."""
        left = _BLOCK - self._place % _BLOCK
        if left < _PART.size:
            self._place += left
        here = self._place - self._begin
        if here + _PART.size > len(self._rest):
            return None
        _, length, kind = _PART.unpack_from(self._rest, here)
        self._is_damaged = kind not in (_WHOLE, _FIRST, _MIDDLE, _LAST)
        end = here + _PART.size + length
        if self._is_damaged or end > len(self._rest):
            return None
        self._place += _PART.size + length
        return kind, self._rest[here + _PART.size : end]


def _items(content: bytes) -> Iterator[tuple[str, Any]]:
    for number, item in fields(content):
        if number == _ITEM and isinstance(item, bytes):
            parts = [(field, value) for field, value in fields(item) if isinstance(value, bytes)]
            keys = [value for field, value in parts if field in (_KEY, _NESTED_KEY) and value]
            texts = [value for field, value in parts if field == _VALUE]
            if keys and texts:
                yield b'.'.join(keys).decode('utf-8', 'replace'), json.loads(texts[-1])
