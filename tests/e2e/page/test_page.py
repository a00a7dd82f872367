"""The page of a search, in a real browser."""

from __future__ import annotations

from pathlib import Path

import pytest

from hpsearch.records.reading import read_search
from postprocessing.page.html import build_page
from tests.support.browser import Browser
from tests.support.queued_search import BEGIN
from tests.support.shown_search import shown_search


@pytest.fixture(scope='module')
def page(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The page of a search of 60 runs, the last two of which wait."""
    folder = shown_search(tmp_path_factory.mktemp('page') / 'search', runs=60, waiting=2)
    path = tmp_path_factory.mktemp('report') / 'report.html'
    path.write_text(build_page([read_search(folder, BEGIN + 1e5)], {}), 'utf-8')
    return path


def test_that_the_page_opens_without_an_error_and_without_a_network(page: Path, browser: Browser) -> None:
    browser.open(page)
    browser.wait("document.querySelector('#summary .state-bar')")
    assert browser.texts('h1') == ['search']
    assert browser.logged() == []
    assert browser.requests() == [page.as_uri()]
