"""Writes the log of a run of W&B, as its documentation and that of LevelDB describe it."""

from __future__ import annotations

import struct
import zlib


def field(number: int, content: bytes) -> bytes:
    """Return a field of a protocol buffer that holds bytes."""
    return varint(number << 3 | 2) + varint(len(content)) + content


def varint(value: int) -> bytes:
    """Return an integer of a protocol buffer."""
    return bytes([value]) if value < 128 else bytes([value & 127 | 128]) + varint(value >> 7)


def item(value: str, *names: str) -> bytes:
    """Return an item: a key or nested keys, and its value as JSON."""
    keys = field(1, names[0].encode()) if len(names) == 1 else b''.join(field(2, name.encode()) for name in names)
    return field(1, keys + field(16, value.encode()))


def history(*items: bytes) -> bytes:
    """Return a record of a step."""
    return varint(1 << 3) + varint(7) + field(2, b''.join(items))


def summary(*items: bytes) -> bytes:
    """Return a record of a summary."""
    return varint(1 << 3) + varint(7) + field(3, b''.join(items))


def log(*records: bytes) -> bytes:
    """Return a file with these records, split at the ends of its blocks."""
    data = b':W&B\xe1\xbe\x00'
    for record in records:
        rest, kinds = record, (1, 2)
        while rest or kinds == (1, 2):
            room = 32768 - len(data) % 32768
            if room < 7:
                data += bytes(room)
                continue
            part, rest = rest[: room - 7], rest[room - 7 :]
            data += struct.pack('<IHB', zlib.crc32(part), len(part), kinds[bool(rest)]) + part
            kinds = (4, 3)
    return data
