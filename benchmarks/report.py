"""The page of a search of 10,000 runs: how long it takes to write, how large it is, and how soon its table is seen."""

from __future__ import annotations

import statistics
from collections.abc import Iterator
from pathlib import Path

from benchmarks.tools import Line, Place, hpsearch
from tests.support.browser import Browser, missing, started_browser
from tests.support.shown_search import shown_search

RUNS = 10_000
DRAWN = "performance.getEntriesByName('runs')[0]?.startTime"


def report(place: Place, rounds: int) -> Iterator[Line]:
    """``hpsearch report`` of 10,000 ended runs, and its page in Chromium, if there is one."""
    folder = shown_search(place.path / 'search', RUNS)
    page = place.path / 'report_search.html'
    times = [place.timed(hpsearch('report', str(folder.path))).wall for _ in range(min(rounds, 3))]
    yield Line(f'report of {RUNS:,} runs: written', f'{statistics.median(times):.1f} s')
    yield Line('report: its size', f'{page.stat().st_size / 1e6:.1f} MB', target='< 10 MB')
    if why := missing():
        yield Line('report: opened', f'not measured: {why}')
        return
    with started_browser() as browser:
        opened = [_opened(browser, page) for _ in range(rounds)]
    yield Line('report: opened until its table is seen', f'{statistics.median(opened):.2f} s', target='< 3 s')


def _opened(browser: Browser, page: Path) -> float:
    """Seconds from asking for the page until its table is drawn, by the clock of the page."""
    browser.open(page)
    return float(browser.wait(DRAWN)) / 1000
