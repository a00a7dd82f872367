"""The data of a page, and the one text that it becomes."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hpsearch.records.reading import read_search
from postprocessing.page import html
from postprocessing.page.columns import Encoded, column
from postprocessing.page.html import build_page, json_for_html
from postprocessing.page.payload import payload_of
from tests.support.queued_search import BEGIN
from tests.support.shown_search import shown_search


def decoded(encoded: Encoded) -> list[Any]:
    """Return what the page makes of a column."""
    if isinstance(encoded, list):
        return encoded
    if 'of' in encoded:
        return [encoded['of'][at] for at in encoded['at']]
    return [encoded['all']] * encoded['count']


@given(st.lists(st.none() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=2), min_size=1))
def test_that_a_column_is_what_it_was(values: list[Any]) -> None:
    found = decoded(column(values))
    assert [(type(value), value) for value in found] == [(type(value), value) for value in values]


def test_that_a_column_of_few_values_is_small() -> None:
    assert len(json.dumps(column(['a long value'] * 1000))) < 100
    assert len(json.dumps(column(['a long value', 'another one'] * 500))) < 5000


@given(st.recursive(st.text(), lambda each: st.lists(each) | st.dictionaries(st.text(), each)))
def test_that_no_text_ends_the_element_of_the_data(data: Any) -> None:
    written = json_for_html(data)
    assert written.isascii()
    assert not set('<>&') & set(written)
    assert json.loads(written) == data


def test_that_runs_and_attempts_are_told_by_columns(tmp_path: Path) -> None:
    search = read_search(shown_search(tmp_path / 'search', runs=80), BEGIN + 1e5)
    data = payload_of(search)
    assert decoded(data['runs']['name']) == [run.name for run in search.runs]
    assert decoded(data['params']['lr']) == [run.params['lr'] for run in search.runs]
    assert decoded(data['values']['acc']) == [run.value('acc') for run in search.runs]
    attempts = [attempt for run in search.runs for attempt in run.attempts]
    assert [data['states'][at] for at in decoded(data['attempts']['state'])] == [each.state for each in attempts]
    assert decoded(data['attempts']['cause']).count('oom') == 2
    assert [data['runs']['name'][at] for at in data['ranked'][:3]] == [run.name for run in search.best(3)]
    words = data['commands']['words']
    assert ' '.join(words[at] for at in data['commands']['lines'][0]).startswith('python3 train.py --')


def test_that_an_empty_search_has_a_page(tmp_path: Path) -> None:
    search = read_search(shown_search(tmp_path / 'search', runs=3, waiting=3), BEGIN)
    data = payload_of(search)
    assert (data['counts'], data['begin'], data['ranked']) == ({'planned': 3}, None, [])


def test_that_the_page_executes_only_our_scripts(tmp_path: Path) -> None:
    text = build_page([read_search(shown_search(tmp_path / '<script>alert(1)<', runs=3), BEGIN)], {})
    policy = re.search(r'Content-Security-Policy" content="([^"]*)"', text)
    assert policy and 'unsafe-inline' not in policy[1].split('style-src')[0]
    assert '<script>alert(1)' not in text
    text.encode()


def test_that_charts_are_left_out_without_their_library(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(html, 'chart_library', lambda: None)
    search = read_search(shown_search(tmp_path / 'search', runs=3), BEGIN)
    data = re.search(r'<script type="application/json" id="data">(.*?)</script>', build_page([search], {'a': [1]}))
    assert data
    assert (json.loads(data[1])['figures'], json.loads(data[1])['notes']) == ({}, [html.WITHOUT_CHARTS])
