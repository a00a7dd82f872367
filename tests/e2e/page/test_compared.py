"""The page of several searches, in a real browser."""

from __future__ import annotations

from pathlib import Path

from hpsearch.cli.comparing.verb import compare_searches
from hpsearch.cli.runs.output import Form
from tests.support.browser import Browser
from tests.support.shown_search import shown_search


def test_that_one_page_shows_the_runs_of_all_searches_and_how_each_went(tmp_path: Path, browser: Browser) -> None:
    options = {'objective': ['acc', 'loss'], 'direction': ['maximize', 'minimize']}
    folders = [
        shown_search(tmp_path / name, runs=40, seed=seed, options=options).path
        for seed, name in enumerate(('<b>one', 'two'))
    ]
    page = tmp_path / 'compared.html'
    *_, written = compare_searches([str(each) for each in folders], Form.JSON, str(page))
    assert written.startswith(f'{page} (')
    browser.open(page)
    browser.wait("document.querySelector('#compared')")
    browser.run("document.querySelector('#compared').scrollIntoView()")
    browser.wait("document.querySelectorAll('#compared .js-plotly-plot .scatterlayer .trace').length === 4")
    assert browser.texts('h1') == ['<b>one, two']
    assert set(browser.texts('#compared .legendtext')) == {'<b>one', 'two'}
    assert browser.texts('#compared .ytitle') == ['acc', 'acc']
    browser.run(
        "const chosen = document.querySelector('#compared select'); chosen.value = '1';"
        "chosen.dispatchEvent(new Event('change'))"
    )
    browser.wait("document.querySelector('#compared .ytitle')?.textContent === 'loss'")
    browser.run("document.querySelector('#runs').scrollIntoView()")
    browser.wait("document.querySelector('#runs .grid th[data-column=search]')")
    assert browser.texts('#runs [role=status]') == ['80 runs']
    assert browser.logged() == []
