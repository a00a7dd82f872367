"""Time spans and amounts of memory, in words; and numbers in words of others."""

from __future__ import annotations

import math


def duration(seconds: float) -> str:
    """A time span in its two largest units (``3 s``, ``2 min 05 s``, ``2 d 4 h``); negative counts as none."""
    if not math.isfinite(seconds):
        return 'unknown'
    minutes, secs = divmod(max(0, int(seconds)), 60)
    hours, minutes = divmod(minutes, 60)
    days, hours = divmod(hours, 24)
    if days:
        return f'{days} d {hours} h'
    if hours:
        return f'{hours} h {minutes:02d} min'
    if minutes:
        return f'{minutes} min {secs:02d} s'
    return f'{secs} s'


def memory(mib: int | None) -> str:
    """An amount of memory: ``512 MiB``, ``12.3 GiB``, ``?`` when it is not known."""
    if mib is None:
        return '?'
    return f'{mib} MiB' if mib < 1024 else f'{mib / 1024:.1f} GiB'


def whole_number(text: str, digits: int = 9) -> int | None:
    """The number that a text is: some of the digits 0 to 9 and nothing else; None: it is none, or has more digits."""
    return int(text) if text.isascii() and text.isdigit() and len(text) <= digits else None
