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


LARGEST_RECORD = 1 << 24
"""Bytes of a record that may have a scalar; larger ones, such as images, are passed over."""

_BEFORE, _BEHIND = 12, 4
"""Bytes of a record before and behind its data."""


def scalars(data: bytes) -> Iterator[tuple[str, int, float]]:
    """The scalars of an event file as ``(tag, step, value)``; what is damaged or no scalar is left out."""
    for record in EventRecords().feed(data):
        yield from scalars_of_record(record)


def scalars_of_record(record: bytes) -> list[tuple[str, int, float]]:
    """The scalars of a record; none where it is damaged or has none."""
    try:
        return list(_scalars_of_event(record))
    except (ValueError, struct.error, IndexError):
        return []


class EventRecords:
    """The records of an event file that comes in pieces."""

    def __init__(self) -> None:
        self._rest = b''
        self._passed_over = 0

    def feed(self, data: bytes) -> Iterator[bytes]:
        """The data of the records that are complete now."""
        skipped = min(self._passed_over, len(data))
        self._passed_over -= skipped
        data, place = self._rest + data[skipped:], 0
        while place + _BEFORE <= len(data):
            (length,) = struct.unpack_from('<Q', data, place)
            end = place + _BEFORE + length + _BEHIND
            if length <= LARGEST_RECORD and end <= len(data):
                yield data[place + _BEFORE : end - _BEHIND]
            elif length <= LARGEST_RECORD:
                break
            place = end
        self._passed_over += max(0, place - len(data))
        self._rest = data[place:]


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


def shortest(value: float) -> str:
    """A float of 32 bits in as few digits as identify it."""
    for digits in range(6, 10):
        text = f'{value:.{digits}g}'
        if _as_float32(float(text)) == _as_float32(value):
            return text
    return repr(value)


def _as_float32(value: float) -> bytes:
    try:
        return struct.pack('<f', value)
    except OverflowError:
        return b''


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
