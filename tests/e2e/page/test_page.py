"""The page of a search, in a real browser."""

from __future__ import annotations

import shlex
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from hpsearch.model.configuration import Grid
from hpsearch.records.failures import FailureGroup
from hpsearch.records.reading import read_search
from hpsearch.records.search import SearchRecord
from postprocessing.page.html import build_page
from tests.support.browser import Browser
from tests.support.queued_search import BEGIN
from tests.support.shown_search import shown_search

Opened = Callable[..., Browser]


@pytest.fixture(scope='module')
def search(tmp_path_factory: pytest.TempPathFactory) -> SearchRecord:
    """A search of 400 runs, the last two of which wait."""
    folder = shown_search(tmp_path_factory.mktemp('page') / 'search', runs=400, waiting=2)
    return read_search(folder, BEGIN + 1e6, with_failures=True)


@pytest.fixture
def opened(tmp_path: Path, browser: Browser, search: SearchRecord) -> Iterator[Opened]:
    """Opens the page of searches; afterwards nothing has gone wrong in it, and nothing was asked for."""
    page = tmp_path / 'report.html'

    def open_page(*searches: SearchRecord) -> Browser:
        page.write_text(build_page(searches or [search], {}), 'utf-8')
        browser.open(page)
        browser.wait("document.querySelector('#runs tbody')")
        return browser

    yield open_page
    assert browser.logged() == []
    assert browser.requests() == [page.as_uri()]


def column(browser: Browser, title: str) -> list[str]:
    """Return the cells of a column that are in the page."""
    found: list[str] = browser.run(
        "const titles = [...document.querySelectorAll('.grid th')].map(each => each.textContent);"
        'const at = titles.findIndex(each => each.startsWith(arguments[0]));'
        "return [...document.querySelectorAll('.grid tbody tr:not(.space)')].map(row => row.cells[at].textContent);",
        title,
    )
    return found


def click(browser: Browser, selector: str) -> None:
    """Click on the first element that a selector finds."""
    browser.run('document.querySelector(arguments[0]).click()', selector)


def enter(browser: Browser, selector: str, text: str) -> None:
    """Write a text into a field."""
    browser.run(
        'const field = document.querySelector(arguments[0]); field.value = arguments[1];'
        "field.dispatchEvent(new Event('input')); field.dispatchEvent(new Event('change'));",
        selector,
        text,
    )


def scroll_to_end(browser: Browser) -> None:
    """Go to the last rows of the table."""
    browser.run("const rows = document.querySelector('.grid-scroll'); rows.scrollTop = rows.scrollHeight;")
    browser.wait(
        "(() => { const last = document.querySelector('.grid tbody tr.space:last-of-type');"
        "return last && last.style.height === '0px'; })()"
    )


def test_that_the_page_shows_what_came_of_a_search(opened: Opened, search: SearchRecord) -> None:
    browser = opened()
    assert browser.texts('h1') == ['search']
    assert browser.texts('#summary .legend li b')[0] == str(sum(run.state == 'finished' for run in search.runs))
    assert browser.texts('#summary .tile .value')[1] == '398 of 400'
    assert browser.texts('#summary h3 button') == [search.best(1)[0].name]


def test_that_only_rows_in_view_are_in_the_page_and_all_can_be_reached(opened: Opened, search: SearchRecord) -> None:
    browser = opened()
    assert column(browser, 'Run')[:3] == [run.name for run in search.best(3)]
    assert len(column(browser, 'Run')) < 100
    scroll_to_end(browser)
    assert column(browser, 'State')[-2:] == ['planned', 'planned']


def test_that_a_heading_sorts_numbers_as_numbers_with_missing_ones_last(opened: Opened) -> None:
    browser = opened()
    for direction in ('ascending', 'descending'):
        click(browser, '.grid th[data-column="value:acc"] button')
        assert browser.one('.grid th[data-column="value:acc"]').get_attribute('aria-sort') == direction
        numbers = [float(text) for text in column(browser, 'acc')]
        assert numbers == sorted(numbers, reverse=direction == 'descending')
        scroll_to_end(browser)
        assert column(browser, 'acc')[-1] == ''


def test_that_whole_numbers_are_shown_in_full_and_ordered_however_large(opened: Opened, search: SearchRecord) -> None:
    numbers = [2**70 + 1, 4_294_967_295, 7, -(2**53) - 1]
    planned = [replace(run.run, params={'seed': number}) for number, run in zip(numbers, search.runs, strict=False)]
    runs = [replace(run, run=each) for each, run in zip(planned, search.runs, strict=False)]
    browser = opened(replace(search, runs=runs, failures=()))
    click(browser, '.grid th[data-column="param:seed"] button')
    assert column(browser, 'seed') == [str(number) for number in sorted(numbers)]


def test_that_commands_have_the_numbers_that_runs_were_given(opened: Opened, search: SearchRecord) -> None:
    numbers = [0.1, 1e-5, -1.5e-7, 1 / 3, 1e-300, 123456.75, 5, 5.0, 1e22, 2**60, -0.0]
    words = [('train.py', f'--a={number}', "it's", str(number)) for number in numbers]
    runs = [
        replace(run, run=replace(run.run, params={'a': number}, argv=argv))
        for run, number, argv in zip(search.runs, numbers, words, strict=False)
    ]
    browser = opened(replace(search, runs=runs, failures=()))
    commands = browser.run('return hps.data.searches[0].runs.name.map((_, run) => hps.data.searches[0].commandOf(run))')
    assert [tuple(shlex.split(command)) for command in commands] == words


def test_that_columns_of_drawn_numbers_are_read(opened: Opened, search: SearchRecord) -> None:
    numbers = [each / 7 for each in range(100)]
    runs = [
        replace(run, run=replace(run.run, params={'a': number}))
        for number, run in zip(numbers, search.runs, strict=False)
    ]
    browser = opened(replace(search, runs=runs, failures=()))
    assert browser.run('return hps.data.searches[0].params.a') == numbers


def test_that_filters_leave_what_they_ask_for(opened: Opened, search: SearchRecord) -> None:
    browser = opened()
    at = [each.get_attribute('data-column') for each in browser.all('.grid th')]
    lr, state = (f'.grid .filters td:nth-child({at.index(name) + 1}) > *' for name in ('param:lr', 'state'))
    enter(browser, lr, '0.01..0.1')
    wanted = [run for run in search.runs if 0.01 <= float(run.params['lr']) <= 0.1]
    assert browser.texts('#runs [role=status]') == [f'{len(wanted)} of 400 runs']
    enter(browser, state, 'failed')
    failed = [run.name for run in wanted if run.state == 'failed']
    assert sorted(column(browser, 'Run')) == sorted(failed)
    enter(browser, '.tools .search', failed[0])
    assert column(browser, 'Run') == failed[:1]
    enter(browser, '.tools .search', 'nothing like this')
    assert browser.texts('.grid td.nothing') == ['No run matches.']


def test_that_columns_can_be_chosen(opened: Opened) -> None:
    browser = opened()
    assert 'param:width' in [each.get_attribute('data-column') for each in browser.all('.grid th')]
    browser.run(
        "[...document.querySelectorAll('.choices label')].find(each => each.textContent === ' width')"
        ".querySelector('input').click()"
    )
    assert 'param:width' not in [each.get_attribute('data-column') for each in browser.all('.grid th')]


def test_that_a_row_opens_all_that_is_known_of_its_run(opened: Opened, search: SearchRecord) -> None:
    browser = opened()
    enter(browser, '.tools .search', search.runs[39].name)  # it ran out of memory first
    click(browser, '.grid tbody tr:not(.space) td:nth-child(3)')
    details = browser.wait("document.querySelector('dialog[open]')?.textContent")
    assert 'out of memory on GPU' in details
    assert 'python3 train.py --' in details
    assert f'hpsearch logs {search.path} {search.runs[39].name}' in details
    assert browser.run("return document.querySelectorAll('dialog .plain tbody tr').length") == 2
    click(browser, 'dialog .close')
    assert browser.wait("!document.querySelector('dialog')")


def test_that_the_timeline_shows_each_gpu_and_opens_a_run_at_a_click(opened: Opened) -> None:
    browser = opened()
    browser.run("location.hash = '#timeline'")
    canvas = browser.wait("document.querySelector('#timeline canvas')")
    assert canvas.get_attribute('aria-label').startswith('8 GPUs, busy 9')
    browser.wait("document.querySelector('#timeline canvas').width > 300")
    browser.run(
        "const canvas = document.querySelector('#timeline canvas'), at = canvas.getBoundingClientRect();"
        "for (const type of ['pointerdown', 'pointerup']) canvas.dispatchEvent(new PointerEvent(type, "
        "{pointerType: 'mouse', clientX: at.left + 300, clientY: at.top + 36, bubbles: true}))"
    )
    assert browser.wait("document.querySelector('dialog[open] h2')?.textContent").startswith('sim_')


def test_that_failures_are_grouped(opened: Opened, search: SearchRecord) -> None:
    browser = opened()
    browser.run("location.hash = '#failures'")
    browser.wait("document.querySelector('.failure')")
    assert search.failures
    assert browser.texts('.failure .count') == [str(len(group.runs)) for group in search.failures]
    assert browser.texts('.failure pre') == ['exit status 1\nRuntimeError: the loss is nan']


def test_that_the_page_is_light_or_dark_as_asked(opened: Opened) -> None:
    browser = opened()
    seen = set()
    for _ in range(3):
        click(browser, '#theme')
        seen.add(browser.run('return getComputedStyle(document.body).backgroundColor'))
        assert browser.wait("document.querySelector('#runs tbody tr:not(.space)')")
    assert len(seen) == 2


def test_that_no_heading_and_no_short_value_of_the_table_is_cut(opened: Opened, tmp_path: Path) -> None:
    grid: Grid = {'momentum': [1, 2], 'mmmmmmmmmmmm': [1, 2], 'i': ['mmmmmmmmmmmm', 2]}
    browser = opened(read_search(shown_search(tmp_path / 'wide', runs=8, grid=grid), BEGIN + 1e6))
    cut = "[...document.querySelectorAll('.grid th button')]"
    cut = f"{cut}.concat(...document.querySelectorAll('.grid td')).filter(each => each.scrollWidth > each.clientWidth)"
    assert len(browser.all('.grid th button')) > 5
    assert browser.run(f'return {cut}.length') == 0


def test_that_short_values_of_the_best_run_are_in_one_line(opened: Opened) -> None:
    heights = opened().run("return [...document.querySelectorAll('.chips dd')].map(each => each.clientHeight)")
    assert heights
    assert max(heights) < 32


def test_that_nothing_is_wider_than_a_phone(opened: Opened, browser: Browser, search: SearchRecord) -> None:
    phone = {'width': 400, 'height': 800, 'deviceScaleFactor': 1, 'mobile': False}
    browser.driver.execute_cdp_cmd('Emulation.setDeviceMetricsOverride', phone)
    try:
        opened(replace(search, path='/' + 'm' * 100))
        assert browser.run('return document.documentElement.scrollWidth <= innerWidth')
        top = browser.run("return document.querySelector('#theme').getBoundingClientRect().top")
        assert top < 20, 'the button is not beside the title'
    finally:
        browser.driver.execute_cdp_cmd('Emulation.clearDeviceMetricsOverride', {})


HOSTILE = (
    '</script><script>window.hurt = 1</script>',
    '<img src=x onerror="window.hurt = 1">',
    "\"' onmouseover='window.hurt = 1' x=\"",
    'javascript:window.hurt=1',
    '<!--<script>',
    ']]></style><style>* {display: none}</style>',
    'left\u202eright',
    'nul\0\x1b[31m\u2028\ud800',
    '__proto__',
    'constructor',
    '\N{PILE OF POO}' * 4000,
)


def hostile(search: SearchRecord) -> SearchRecord:
    """Return the search with hostile texts wherever it may have texts."""
    runs = []
    for number, run in enumerate(search.runs[:60]):
        bad = HOSTILE[number % len(HOSTILE)]
        params: dict[str, Any] = {**run.params, **dict.fromkeys(HOSTILE, bad), 'width': bad, 'list': [bad]}
        name = f'{number}{bad}'
        attempts = [replace(each, run=name, reason=bad, host=bad, gpus=[bad], job=bad) for each in run.attempts]
        summary = {**(run.summary or {}), bad: bad, 'loss': bad} if run.summary else None
        command = replace(run.run, name=name, params=params, argv=('python3', bad, f'--{bad}'))
        runs.append(replace(run, run=command, attempts=attempts, summary=summary))
    everything = '\n'.join(HOSTILE)
    info = {
        **search.info,
        'argv': ['hpsearch', *HOSTILE],
        'user': everything,
        'host': HOSTILE[1],
        'created': everything,
    }
    return replace(
        search,
        path=f'/tmp/{everything}',
        info=info,
        runs=runs,
        writers={'w': {'user': HOSTILE[0], 'host': HOSTILE[1]}},
        provenance=[{'code': 'c0de', 'commit': HOSTILE[0], 'problems': list(HOSTILE), 'untracked': list(HOSTILE)}],
        failures=[FailureGroup(everything, [runs[0].name, runs[1].name])],
        notes=HOSTILE,
    )


def test_that_hostile_texts_are_shown_and_execute_nothing(opened: Opened, search: SearchRecord) -> None:
    browser = opened(hostile(search), search)
    for section in ('runs', 'timeline', 'failures', 'provenance', 'notes'):
        browser.run('document.getElementById(arguments[0]).scrollIntoView({behavior: "instant"})', section)
        browser.wait('document.getElementById(arguments[0]).querySelector(".section-body").childElementCount', section)
    click(browser, '.choices input')
    for run in range(len(HOSTILE)):
        browser.run('hps.showRun(0, arguments[0])', run)
        assert browser.texts('dialog h2')[0].startswith(str(run))
        click(browser, 'dialog .close')
        browser.wait("!document.querySelector('dialog')")
    assert browser.run('return window.hurt') is None
    assert set(browser.run("return [...document.querySelectorAll('a')].map(each => each.getAttribute('href')[0])")) == {
        '#'
    }
    assert browser.run("return document.querySelectorAll('img, iframe, object, embed, body script script').length") == 0
    shown = ''.join(browser.texts('#notes li'))
    assert HOSTILE[0] in shown
    assert 'left\\u202eright' in shown
    assert 'nul\\x00\\x1b[31m\\u2028\\ud800' in shown


def test_that_several_objectives_have_a_front(opened: Opened, tmp_path: Path) -> None:
    options = {'objective': ['acc', 'loss'], 'direction': ['maximize', 'minimize']}
    search = read_search(shown_search(tmp_path / 'several', runs=40, options=options), BEGIN + 1e6)
    browser = opened(search)
    assert browser.texts('#summary .best h3') == ['Pareto front']
    assert browser.texts('#summary .best tbody button') == [each.run for each in search.leaders()]


def test_that_a_search_that_has_not_begun_has_a_page(opened: Opened, tmp_path: Path) -> None:
    waiting = read_search(shown_search(tmp_path / 'new', runs=3, waiting=3), BEGIN)
    browser = opened(waiting)
    assert browser.texts('#summary .tile .value') == ['0 of 3', 'not begun']
    assert column(browser, 'State') == ['planned'] * 3
