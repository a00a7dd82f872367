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
    for record in _records(data):
        try:
            for number, content in fields(record):
                if number in logged and isinstance(content, bytes):
                    logged[number].update(_items(content))
        except (ValueError, IndexError):
            continue
    return {**logged[_HISTORY], **logged[_SUMMARY]}


def _records(data: bytes) -> Iterator[bytes]:
    place, record = _HEADER, b''
    while place + _PART.size <= len(data):
        if _BLOCK - place % _BLOCK < _PART.size:
            place += _BLOCK - place % _BLOCK
            continue
        _, length, kind = _PART.unpack_from(data, place)
        place += _PART.size
        part = data[place : place + length]
        if kind not in (_WHOLE, _FIRST, _MIDDLE, _LAST) or len(part) < length:
            return
        record = part if kind in (_WHOLE, _FIRST) else record + part
        place += length
        if kind in (_WHOLE, _LAST):
            yield record


def _items(content: bytes) -> Iterator[tuple[str, Any]]:
    for number, item in fields(content):
        if number == _ITEM and isinstance(item, bytes):
            parts = [(field, value) for field, value in fields(item) if isinstance(value, bytes)]
            keys = [value for field, value in parts if field in (_KEY, _NESTED_KEY) and value]
            texts = [value for field, value in parts if field == _VALUE]
            if keys and texts:
                yield b'.'.join(keys).decode('utf-8', 'replace'), json.loads(texts[-1])
