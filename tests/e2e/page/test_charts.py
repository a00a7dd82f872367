"""The charts of a page, in a real browser."""

from __future__ import annotations

import random
import statistics
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from hpsearch.model.configuration import Grid
from hpsearch.model.states import State
from hpsearch.model.trials.curves import Points
from hpsearch.model.trials.distributions import Drawn, Fidelity
from hpsearch.model.trials.trial import Objective, Proposal
from hpsearch.records.run import RunRecord
from hpsearch.records.search import SearchRecord
from postprocessing.figures.payload import figures_of
from postprocessing.page.html import build_page
from tests.support.browser import Browser
from tests.support.search_records import results_of, run_record, search_record

pytest.importorskip('plotly')

HOSTILE = '<img src=x onerror=alert(1)><b>%{y}</b></script>'

Opened = Callable[[str], Browser]


def page_of(search: SearchRecord) -> str:
    """Return the page of a search."""
    return build_page([search], figures_of(search))


@pytest.fixture
def opened(tmp_path: Path, browser: Browser) -> Iterator[Opened]:
    """Opens the page of a search; afterwards nothing has gone wrong in it, and nothing was asked for."""
    page = tmp_path / 'report.html'

    def open_page(text: str) -> Browser:
        page.write_text(text, 'utf-8')
        browser.open(page)
        browser.wait('window.Plotly')
        show(browser, 'best')
        return browser

    yield open_page
    assert browser.logged() == []
    assert browser.requests() == [page.as_uri()]


def show(browser: Browser, section: str, drawn: str = '.js-plotly-plot .main-svg') -> None:
    """Scroll to a section, and wait until it is drawn."""
    browser.run('document.getElementById(arguments[0]).scrollIntoView({behavior: "instant"})', section)
    browser.wait('document.querySelector(arguments[0])', f'#{section} {drawn}')


def choose(browser: Browser, section: str, label: str, value: str) -> None:
    """Choose a value where a label says so."""
    browser.run(
        'const labels = [...document.querySelectorAll(`#${arguments[0]} .choice`)];'
        'const select = labels.find(each => each.textContent.startsWith(arguments[1])).querySelector("select");'
        'select.value = arguments[2]; select.dispatchEvent(new Event("change"));',
        *(section, label, value),
    )


def data(browser: Browser, section: str, place: str, chart: int = 0) -> Any:
    """Return something of what Plotly draws."""
    return browser.run(f'return document.querySelectorAll("#{section} .js-plotly-plot")[arguments[0]].{place}', chart)


@pytest.fixture(scope='module')
def text(search: SearchRecord) -> str:
    """The page of the search of two objectives."""
    return page_of(search)


@pytest.fixture(scope='module')
def search() -> SearchRecord:
    """A search in which the learning rate matters, with texts that would do harm as markup."""
    chance = random.Random(1)
    found = []
    for number in range(1, 61):
        params: dict[str, Any] = {
            'lr': 10 ** chance.uniform(-4, 0),
            'name': chance.choice([HOSTILE, 'adam']),
            'width': chance.choice([8, 16]),
        }
        acc = 0.5 + params['lr'] ** 0.2 / 3 + chance.gauss(0, 0.01)
        summary = {'acc': acc, 'size': params['width'] * acc}
        curve: Points = {step: {'acc': acc * step / 10, HOSTILE: 1.0} for step in range(1, 11)}
        state = State.STOPPED if number % 10 == 0 else State.FINISHED
        found.append(run_record(number, params, summary, state=state, begin=60.0 * number, curve=curve, gpus=('0',)))
    return search_record(found, objectives=[Objective('acc', True), Objective('size')])


def test_that_every_chart_is_drawn_and_hostile_texts_are_texts(opened: Opened, text: str) -> None:
    browser = opened(text)
    for section in ('best', 'importance', 'effects', 'pairs', 'curves', 'tradeoffs'):
        show(browser, section)
    show(browser, 'parallel', 'canvas')
    assert browser.all('img') == []
    ticks = browser.texts('#effects .xtick')
    assert '<img src=x on…' in ticks
    assert data(browser, 'importance', 'data[0].hovertext').pop().startswith('lr: ')
    assert browser.texts('.note') == []


def test_that_the_heat_map_is_of_any_two_parameters_and_of_either_objective(
    opened: Opened, text: str, search: SearchRecord
) -> None:
    browser = opened(text)
    show(browser, 'pairs')
    choose(browser, 'pairs', 'Across', 'width')
    choose(browser, 'pairs', 'Up', 'name')
    choose(browser, 'pairs', 'Show', 'n')
    finished = [run for run in search.runs if run.state is State.FINISHED]
    wanted = [
        sum((run.params['width'], run.params['name']) == (width, name) for run in finished)
        for name in (HOSTILE, 'adam')
        for width in (8, 16)
    ]
    assert [count for row in data(browser, 'pairs', 'data[0].z') for count in row] == wanted
    choose(browser, 'pairs', 'Objective', '1')
    choose(browser, 'pairs', 'Show', 'best')
    best = min(
        run.value('size') or 0.0 for run in finished if run.params['width'] == 8 and run.params['name'] == 'adam'
    )
    assert data(browser, 'pairs', 'data[0].z[1][0]') == pytest.approx(best, rel=1e-5)
    choose(browser, 'pairs', 'As', 'lines')
    assert len(data(browser, 'pairs', 'data')) == 2


def test_that_dragging_along_an_axis_selects_points_and_letting_go_shows_all(opened: Opened, text: str) -> None:
    from selenium.webdriver.common.action_chains import ActionChains

    browser = opened(text)
    show(browser, 'parallel', 'canvas')
    canvas = browser.one('#parallel canvas.over')
    width, height = canvas.size['width'], canvas.size['height']
    last = width // 2 - 60
    said = "document.querySelector('#parallel .controls').textContent"
    assert '54 of 54 points' in browser.run(f'return {said}')
    mouse = ActionChains(browser.driver, duration=0)
    mouse.move_to_element_with_offset(canvas, last, 46 - height // 2).click_and_hold().move_by_offset(
        0, 60
    ).release().perform()
    browser.wait(f'/^Show all([1-9]|[1-4][0-9]) of 54 points; the best of them: run_/.test({said})')
    mouse = ActionChains(browser.driver, duration=0)
    mouse.move_to_element_with_offset(canvas, last, 0).click().perform()
    browser.wait(f"{said}.includes('54 of 54 points')")
    ActionChains(browser.driver, duration=0).move_to_element_with_offset(canvas, -width // 2 + 80, 0).perform()
    browser.wait("!document.querySelector('#parallel .tip').hidden")
    assert browser.texts('#parallel .tip')[0].startswith('run_')


def test_that_charts_follow_the_theme_and_the_hours_that_are_chosen(opened: Opened, text: str) -> None:
    browser = opened(text)
    light = data(browser, 'best', 'layout.font.color')
    assert data(browser, 'best', 'data[1].x').pop() == pytest.approx(119, abs=2)
    assert data(browser, 'best', 'layout.xaxis.title.text') == 'minutes since the first start'
    choose(browser, 'best', 'Over', 'used')
    assert data(browser, 'best', 'data[1].x').pop() == pytest.approx(60)
    assert data(browser, 'best', 'layout.xaxis.title.text') == 'GPU hours'
    browser.run("document.getElementById('theme').click(); document.getElementById('theme').click()")
    browser.wait("document.querySelector('#best .js-plotly-plot')")
    assert data(browser, 'best', 'layout.font.color') != light


def test_that_the_bars_and_the_names_of_effects_are_not_cut(opened: Opened) -> None:
    values = (0.23, 0.63, 0.83)
    browser = opened(page_of(results_of([({'a\u202e' * 40: a, 'b': b}, values[b]) for a in (1, 2) for b in range(3)])))
    show(browser, 'effects')
    assert data(browser, 'effects', 'layout.yaxis.range[1]') > statistics.fmean(values) + statistics.stdev(values)
    sides = browser.run(
        "return [...document.querySelectorAll('#effects .chart')].map(chart =>"
        " [chart, chart.querySelector('.xtitle')].map(each => each.getBoundingClientRect()))"
    )
    assert all(chart['left'] <= title['left'] and title['right'] <= chart['right'] for chart, title in sides)


def test_that_the_names_of_all_sections_fit_above_the_page(opened: Opened, text: str) -> None:
    browser = opened(text)
    assert browser.run("const nav = document.querySelector('nav'); return nav.scrollWidth <= nav.clientWidth")


def test_that_numbers_of_logarithmic_axes_can_be_read_by_themselves(opened: Opened, text: str) -> None:
    browser = opened(text)
    ticks = [browser.run('return hps.charts.logAxis(...arguments).ticktext', *ends) for ends in ((90, 1200), (1e-5, 1))]
    assert ticks[0] == ['10', '20', '50', '100', '200', '500', '1000', '2000', '5000', '10000', '20000', '50000']
    assert ticks[1] == ['1e-5', '1e-4', '0.001', '0.01', '0.1', '1']


def member(number: int, who: int, generation: int, parent: str, lr: float) -> RunRecord:
    values = {'lr': lr, 'epochs': 4 * generation}
    facts = {'member': who, 'generation': generation}
    proposal = Proposal(values, trial=who, fidelity=4.0 * generation, parent=parent, facts=facts)
    return run_record(number, values, 0.1 * number, proposal=proposal)


def test_that_the_schedules_of_a_population_are_drawn(opened: Opened) -> None:
    runs = [
        member(1, 1, 1, '', 0.1),
        member(2, 2, 1, '', 0.2),
        member(3, 1, 2, 'run_00002', 0.25),
        member(4, 2, 2, 'run_00002', 0.2),
    ]
    grid: Grid = {'lr': [0.1, 0.2], 'epochs': Drawn(Fidelity(4, 8))}
    browser = opened(page_of(search_record(runs, grid=grid)))
    show(browser, 'schedules')
    assert data(browser, 'schedules', 'data[1].x') == [4, 8, None]
    assert data(browser, 'schedules', 'data[1].y', 1) == [0.2, 0.25, None]
    assert data(browser, 'schedules', 'data[3].customdata') == ['run_00002', 'run_00004']


def test_that_a_search_without_results_says_what_is_missing(opened: Opened, tmp_path: Path, browser: Browser) -> None:
    search = search_record([run_record(1, {'lr': 0.1}, None, state=State.RUNNING), run_record(2, {'lr': 0.2}, 'nan')])
    page = tmp_path / 'report.html'
    page.write_text(build_page([search], figures_of(search)), 'utf-8')
    browser.open(page)
    show(browser, 'best', '.nothing')
    assert not browser.all('#pairs, #effects, #importance, #parallel')
    assert 'No run has finished with a number for acc yet.' in browser.texts('.nothing')
