"""The data of a page, and the one text that it becomes."""

from __future__ import annotations

import base64
import gzip
import hashlib
import json
import math
import random
import re
import shlex
import shutil
import struct
from dataclasses import replace
from html import unescape
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hpsearch.host.kernel import this_host
from hpsearch.records.reading import read_search
from hpsearch.store.folder import SearchFolder
from hpsearch.store.journal import Journal
from postprocessing.page import html
from postprocessing.page.columns import Encoded, column
from postprocessing.page.commands import digits_of
from postprocessing.page.html import as_json, build_page, packed
from postprocessing.page.payload import payload_of
from tests.support.adaptive import adaptive_folder, suggested
from tests.support.kept_searches import FORMATS, kept
from tests.support.queued_search import BEGIN
from tests.support.shown_search import shown_search


def decoded(encoded: Encoded) -> list[Any]:
    """Return what the page makes of a column."""
    if isinstance(encoded, list):
        return encoded
    if 'doubles' in encoded:
        planes = base64.b64decode(encoded['doubles'])
        count = len(planes) // 8
        return list(struct.unpack(f'<{count}d', b''.join(planes[at::count] for at in range(count))))
    if 'of' in encoded:
        return [encoded['of'][at] for at in encoded['at']]
    return [encoded['all']] * encoded['count']


def unpacked(page: str, ident: str) -> str:
    """Return a text of a page that was compressed."""
    found = re.search(rf'<script type="application/gzip\+base64" id="{ident}">(.*?)</script>', page)
    assert found
    return gzip.decompress(base64.b64decode(found[1])).decode()


@given(st.lists(st.none() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=2), min_size=1))
def test_that_a_column_is_what_it_was(values: list[Any]) -> None:
    found = decoded(column(values))
    assert [(type(value), value) for value in found] == [(type(value), value) for value in values]


def test_that_a_column_of_few_values_is_small() -> None:
    assert len(json.dumps(column(['a long value'] * 1000))) < 100
    assert len(json.dumps(column(['a long value', 'another one'] * 500))) < 5000


@given(st.recursive(st.text(), lambda each: st.lists(each) | st.dictionaries(st.text(), each)))
def test_that_no_text_ends_the_element_of_the_data(data: Any) -> None:
    written = packed(as_json(data))
    assert written.isascii()
    assert not set('<>&') & set(written)
    assert json.loads(gzip.decompress(base64.b64decode(written))) == data


def test_that_a_page_of_the_same_data_is_the_same() -> None:
    assert packed('a' * 1000) == packed('a' * 1000)
    assert len(packed('a' * 1000)) < 100


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
    program, script, *_, seed = [words[at] for at in data['commands']['lines'][0]]
    assert (program, script, seed) == ('python3', 'train.py', ('--random_seed=', 'random_seed'))


def test_that_numbers_with_many_digits_take_little_room() -> None:
    drawn = [random.Random(1).random() / (each + 1) for each in range(100)]
    found = column(drawn)
    assert decoded(found) == drawn
    assert len(json.dumps(found)) < 0.7 * len(json.dumps(drawn))
    assert column([0.5, 0.25, 0.125]) == [0.5, 0.25, 0.125]


@pytest.mark.parametrize(
    ('value', 'digits'),
    [
        (0.1, '0.1'),
        (1e-7, '1e-07'),
        (-5, '-5'),
        (5.0, ''),
        (1e300, ''),
        (2**53, ''),
        (True, ''),
        ('0.1', ''),
        (-0.0, ''),
    ],
)
def test_that_the_page_can_write_a_number_of_a_command_where_no_other_is_the_same(value: Any, digits: str) -> None:
    assert digits_of(value) == digits


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


def test_that_the_library_of_the_charts_is_a_text_that_may_be_executed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(html, 'chart_library', lambda: 'window.Plotly = {};')
    text = build_page([read_search(shown_search(tmp_path / 'search', runs=3), BEGIN)], {'objectives': []})
    assert unpacked(text, 'plotly') == 'window.Plotly = {};'
    digest = base64.b64encode(hashlib.sha256(b'window.Plotly = {};').digest()).decode()
    assert f'sha256-{digest}' in unescape(text.partition('Content-Security-Policy" content="')[2].partition('"')[0])


def test_that_charts_are_left_out_without_their_library(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(html, 'chart_library', lambda: None)
    search = read_search(shown_search(tmp_path / 'search', runs=3), BEGIN)
    data = json.loads(unpacked(build_page([search], {'a': [1]}), 'data'))
    assert (data['figures'], data['notes']) == ({}, [html.WITHOUT_CHARTS])


@pytest.mark.parametrize('number', FORMATS)
def test_that_searches_of_earlier_versions_have_a_page(number: int, tmp_path: Path) -> None:
    folder = SearchFolder(shutil.copytree(kept(number), tmp_path / 'search'))
    search = read_search(folder, BEGIN)
    data = payload_of(search)
    assert len(decoded(data['runs']['name'])) == len(search.runs) > 0
    as_json(data)


def test_that_an_adaptive_search_has_a_page(tmp_path: Path) -> None:
    folder = adaptive_folder(tmp_path / 'search')
    data = payload_of(read_search(folder, BEGIN))
    assert (decoded(data['runs']['name']), data['total']) == ([], None)
    journal = Journal(folder, 'w', {**this_host().as_header(), 'user': 'ada', 'at': BEGIN})
    journal.append({**suggested(1), 'trial': {'trial': 1, 'values': {'lr': 0.1}, 'fidelity': 3.0}})
    journal.close()
    data = payload_of(read_search(folder, BEGIN))
    assert decoded(data['params']['lr']) == [0.1]
    assert decoded(data['runs']['budget']) == [3.0]


def test_that_the_best_means_over_seeds_are_told(tmp_path: Path) -> None:
    folder = shown_search(tmp_path / 'search', runs=20, options={'seeds_per_config': 2})
    search = read_search(folder, BEGIN + 1e6)
    data = payload_of(search)
    assert [data['runs']['name'][each['run']] for each in data['leaders']] == [each.run for each in search.leaders()]
    assert data['leaders'][0]['values'] == [max(run.value('acc') or 0.0 for run in search.runs)]
    assert payload_of(replace(search, info={'options': []}))['leaders'] == []


def test_that_numbers_that_json_lacks_are_texts(tmp_path: Path) -> None:
    search = read_search(shown_search(tmp_path / 'search', runs=2), BEGIN)
    odd = {'a': math.nan, 'b': -math.inf, 'c': 2**60, 'd': True, 'e': [1, 2], 'f': None}
    runs = [
        replace(each, run=replace(each.run, params=odd), summary={'acc': 'nan', 'x': '1e400', 'y': str(2**60)})
        for each in search.runs
    ]
    data = payload_of(replace(search, runs=runs))
    found = {name: decoded(values)[0] for name, values in {**data['params'], **data['values']}.items()}
    assert found == {
        **{'a': 'nan', 'b': '-inf', 'c': str(2**60), 'd': 'True', 'e': '[1, 2]', 'f': 'None'},
        **{'acc': 'nan', 'x': 'inf', 'y': str(2**60)},
    }
    as_json(data)


def test_that_what_a_folder_says_of_itself_may_be_anything(tmp_path: Path) -> None:
    search = read_search(shown_search(tmp_path / 'search', runs=2), BEGIN)
    info = {'configuration': {'source': 3}, 'options': [], 'argv': {'a': 1}, 'user': None, 'host': ['x'], 'created': 4}
    events: list[dict[str, Any]] = [
        {'code': 5, 'problems': 6},
        {'code': 'c0de', 'untracked': 7, 'commit': [], 'dirty': 'yes'},
        {},
    ]
    about = payload_of(replace(search, info=info, provenance=events, writers={'w': {'user': 1}}))['about']
    assert (about['command'], about['owner'], about['writers'], about['problems']) == ('', '', ['?@?'], [])
    assert [(code['id'], code['runs'], code['dirty']) for code in about['codes']] == [('c0de', 2, False)]


def test_that_the_command_is_as_one_types_it(tmp_path: Path) -> None:
    search = read_search(shown_search(tmp_path / 'search', runs=2), BEGIN)
    for program in ('/opt/lib/hpsearch/__main__.py', '/opt/bin/hpsearch'):
        info = {**search.info, 'argv': [program, '--set', "lr=[1, '2']"]}
        command = payload_of(replace(search, info=info))['about']['command']
        assert shlex.split(command) == ['hpsearch', '--set', "lr=[1, '2']"]


def test_that_the_library_of_the_charts_is_in_the_page_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(html, 'chart_library', lambda: 'the library')
    search = read_search(shown_search(tmp_path / 'search', runs=3), BEGIN)
    assert build_page([search], {'a': [1]}).count(packed('the library')) == 1
