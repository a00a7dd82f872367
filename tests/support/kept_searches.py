"""Searches that earlier versions left, as they are kept in tests/data."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from hpsearch.store.journal import JOURNAL_FORMAT
from tests.support.paths import DATA

FORMATS = range(1, JOURNAL_FORMAT + 1)
HOME = '/home/someone/project'
"""Where the searches were made."""


def kept(number: int) -> Path:
    """The search that the first version of a format left."""
    return DATA / f'search_of_format_{number}'


def expected(number: int) -> dict[str, list[dict[str, Any]]]:
    """What its journals say."""
    told: dict[str, list[dict[str, Any]]] = json.loads(kept(number).with_suffix('.json').read_text())
    return told
