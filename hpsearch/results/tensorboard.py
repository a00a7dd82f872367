"""Scalars of TensorBoard's event files, without TensorFlow.

A file is a sequence of records: the length (8 bytes, little endian), its checksum (4), the data, their checksum (4).
The data are a protocol buffer ``Event``: ``step`` is field 2, ``summary`` field 5; a ``Summary`` has ``Value`` in field
1; a ``Value`` has ``tag`` (1), ``simple_value`` (2) and ``tensor`` (8), a ``TensorProto``. See event.proto in
tensorflow/core/util, and summary.proto and tensor.proto in tensorflow/core/framework. Checksums are not verified: a
record that is cut off ends the file.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator

_VARINT, _EIGHT_BYTES, _BYTES, _FOUR_BYTES = 0, 1, 2, 5

_STEP, _SUMMARY = 2, 5
_VALUE = 1
_TAG, _SIMPLE_VALUE, _TENSOR = 1, 2, 8
_DTYPE, _CONTENT, _FLOATS, _DOUBLES = 1, 4, 5, 6
_FLOAT, _DOUBLE = 1, 2
"""``DataType`` of a tensor."""


def scalars(data: bytes) -> Iterator[tuple[str, int, float]]:
    """The scalars of an event file as ``(tag, step, value)``; what is damaged or no scalar is left out."""
    for record in _records(data):
        try:
            yield from _scalars_of_event(record)
        except (ValueError, struct.error, IndexError):
            continue


def _records(data: bytes) -> Iterator[bytes]:
    place = 0
    while place + 12 <= len(data):
        (length,) = struct.unpack_from('<Q', data, place)
        place += 12
        if place + length + 4 > len(data):
            return
        yield data[place : place + length]
        place += length + 4


def _scalars_of_event(record: bytes) -> Iterator[tuple[str, int, float]]:
    step = 0
    summaries = []
    for number, value in fields(record):
        if number == _STEP and isinstance(value, int):
            step = value - (1 << 64) if value >> 63 else value
        elif number == _SUMMARY and isinstance(value, bytes):
            summaries.append(value)
    for summary in summaries:
        for number, value in fields(summary):
            if number == _VALUE and isinstance(value, bytes) and (found := _scalar(value)):
                yield (found[0], step, found[1])


def _scalar(value: bytes) -> tuple[str, float] | None:
    tag, number = '', None
    for field, content in fields(value):
        if field == _TAG and isinstance(content, bytes):
            tag = content.decode('utf-8', 'replace')
        elif field == _SIMPLE_VALUE and isinstance(content, bytes):
            (number,) = struct.unpack('<f', content)
        elif field == _TENSOR and isinstance(content, bytes):
            number = _scalar_of_tensor(content)
    return None if number is None or not tag else (tag, number)


def _scalar_of_tensor(tensor: bytes) -> float | None:
    """The value of a tensor with a single float or double."""
    parts = dict(fields(tensor))
    kind = parts.get(_DTYPE)
    content = parts.get(_CONTENT) or parts.get(_FLOATS) or parts.get(_DOUBLES)
    form = {_FLOAT: '<f', _DOUBLE: '<d'}.get(kind, '') if isinstance(kind, int) else ''
    if not form or not isinstance(content, bytes) or len(content) != struct.calcsize(form):
        return None
    return float(struct.unpack(form, content)[0])


def fields(data: bytes) -> Iterator[tuple[int, int | bytes]]:
    """The fields of a protocol buffer as ``(number, value)``.

    Raises:
        ValueError, IndexError: It is damaged.
    """
    place = 0
    while place < len(data):
        key, place = _varint(data, place)
        number, kind = key >> 3, key & 7
        if kind == _VARINT:
            value, place = _varint(data, place)
            yield number, value
            continue
        if kind == _BYTES:
            length, place = _varint(data, place)
        else:
            length = {_EIGHT_BYTES: 8, _FOUR_BYTES: 4}.get(kind, -1)
        if length < 0 or place + length > len(data):
            raise ValueError('a field is damaged')
        yield number, data[place : place + length]
        place += length


def _varint(data: bytes, place: int) -> tuple[int, int]:
    value = shift = 0
    while True:
        byte = data[place]
        value |= (byte & 127) << shift
        place, shift = place + 1, shift + 7
        if byte < 128:
            return value, place
