"""Hydra's own parser reads the value that was written."""

from __future__ import annotations

import math
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hpsearch.arguments.hydra import hydra_text

overrides_parser = pytest.importorskip('hydra.core.override_parser.overrides_parser')
PARSER = overrides_parser.OverridesParser.create()

TEXTS = st.text(st.characters(exclude_characters='\0', exclude_categories=['Cs'])) | st.sampled_from(
    [
        '',
        'null',
        'TRUE',
        'inf',
        '-inf',
        'nan',
        '1e5',
        '1_000',
        '+1',
        '.5',
        ' a',
        "'",
        "\\'",
        '\\',
        'a\\\n',
        'a=b,c:d',
        '[',
    ]
)
KEYS = st.from_regex(r'[A-Za-z_][A-Za-z0-9_.=:, -]*[A-Za-z0-9]', fullmatch=True).filter(
    lambda key: key.lower() not in ('null', 'true', 'false', 'inf', 'nan')
)
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | TEXTS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(KEYS, inner, max_size=3),
    max_leaves=6,
)


def read(text: str) -> Any:
    return plain(PARSER.parse_override(f'a={text}').value())


def plain(value: Any) -> Any:
    """Without the marks of quotes that Hydra keeps."""
    if isinstance(value, list):
        return [plain(each) for each in value]
    if isinstance(value, dict):
        return {plain(key): plain(each) for key, each in value.items()}
    return getattr(value, 'text', value)


@given(VALUES)
def test_that_hydra_reads_the_value(value: Any) -> None:
    assert repr(read(hydra_text(value))) == repr(value)


def test_that_hydra_reads_not_a_number() -> None:
    assert math.isnan(read(hydra_text(math.nan)))
