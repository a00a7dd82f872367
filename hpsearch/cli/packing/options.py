"""The options by which a search leaves some of a machine to others."""

from __future__ import annotations

import argparse
import re
from dataclasses import dataclass
from typing import ClassVar

from hpsearch.cli.declaring.fields import OptionGroup, integer_from, number_between, option

LONGEST_WINDOW = 3600
"""Seconds of readings that are kept at most."""

YIELDS = ('none', 'requeue', 'stop')

_SIZE = re.compile(r'(?P<number>\d+(?:\.\d+)?)(?P<unit>[KMGT%]?)')
_MIB = {'K': 1 / 1024, 'M': 1.0, '': 1.0, 'G': 1024.0, 'T': 1024.0**2}


def hours_of_the_week(text: str) -> str:
    """An argparse type: what :func:`hpsearch.packing.neighbours.hours.parse_hours` reads; or empty."""
    from hpsearch.packing.neighbours.hours import parse_hours

    try:
        return parse_hours(text).text if text else ''
    except ValueError as error:
        raise argparse.ArgumentTypeError(str(error)) from error


def size_or_percent(text: str) -> str:
    """An argparse type: an amount of memory, or a percentage of all of it; or empty."""
    if text and memory_of(text) is None:
        raise argparse.ArgumentTypeError(
            f'{text!r} is neither an amount of memory (16G) nor a percentage below 100 (10%)'
        )
    return text


def memory_of(text: str) -> float | None:
    """MiB, or a fraction below 1 of all memory, that a text names; None: neither."""
    found = _SIZE.fullmatch(text)
    if found is None:
        return None
    if found['unit'] != '%':
        return float(round(float(found['number']) * _MIB[found['unit']]))
    fraction = float(found['number']) / 100
    return fraction if fraction < 1 else None


@dataclass(frozen=True)
class NeighbourOptions(OptionGroup):
    """What of this machine is left to others."""

    title: ClassVar[str] = 'what of this machine is left to others'

    window: float | None = option(
        None,
        'a GPU is free when it was below the thresholds for so many seconds; if given, also before the first run is '
        'started (default: 5, and one reading before the first run)',
        metavar='SECONDS',
        type=number_between(0, LONGEST_WINDOW),
    )
    yields: str = option(
        'none',
        'what the youngest runs do when somebody else uses their GPU, and all runs at the end of --hours: they go on '
        '(none), or end and wait for room (requeue), or end until hpsearch resume takes them up (stop)',
        flag='yield',
        choices=YIELDS,
    )
    max_gpus: int | None = option(
        None,
        'GPUs with runs of this search at a time (default: all that may be used)',
        metavar='N',
        type=integer_from(1),
    )
    leave_free: int = option(0, 'start nothing on the last N idle GPUs', metavar='N', type=integer_from(0))
    gpu_order: str = option(
        '',
        'which GPUs are taken first: numbers separated by commas, or reverse; the others follow '
        '(default: those with most free memory)',
        metavar='LIST',
    )
    hours: str = option(
        '',
        'start runs only then, in local time: 20:00-08:00, or Mon-Fri 20:00-08:00,Sat,Sun (default: always)',
        metavar='RANGES',
        type=hours_of_the_week,
    )
    nice: int = option(0, 'niceness of the runs, 0-19', metavar='NICENESS', type=integer_from(0))
    min_free_ram: str = option(
        '',
        'start nothing while less memory of this machine than this is free: a size (16G, in MiB without a unit) or a '
        'percentage (10%%) (default: no limit)',
        metavar='SIZE|PERCENT',
        type=size_or_percent,
    )
    max_cpu_load: float | None = option(
        None,
        'start nothing while the cores of this machine are busier than this fraction (0-1) (default: no limit)',
        metavar='FRACTION',
        type=number_between(0, 1),
    )

    priority: float = option(
        1.0,
        'share of GPUs or cores, in proportion, beside other searches of yours on this machine',
        metavar='FACTOR',
        type=number_between(0.001, 1000),
    )
