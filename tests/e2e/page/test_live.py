"""The page of a search that ``hpsearch serve`` keeps fresh, in a real browser."""

from __future__ import annotations

import asyncio
import json
import shutil
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from hpsearch.cli.serving.fresh import Fresh
from hpsearch.cli.serving.server import PageServer
from hpsearch.cli.serving.verb import gate_of, views
from hpsearch.store.folder import SearchFolder
from tests.support.browser import Browser
from tests.support.queued_search import BEGIN
from tests.support.shown_search import shown_search


@dataclass
class Served:
    """A search of 60 runs, the last two of which wait, and where it is shown."""

    folder: SearchFolder
    address: str


@pytest.fixture
def served(tmp_path: Path) -> Iterator[Served]:
    folder = shown_search(tmp_path / 'search', runs=60, waiting=2)
    loop, server, listens = asyncio.new_event_loop(), PageServer(Fresh(folder, views())), threading.Event()
    ports: list[int] = []

    async def serve() -> None:
        ports.append((await server.listen('127.0.0.1', 0, lambda port: gate_of('127.0.0.1', port, 'secret')))[1])
        listens.set()

    def run() -> None:
        loop.run_until_complete(serve())
        loop.run_forever()

    threading.Thread(target=run, daemon=True).start()
    assert listens.wait(30)
    yield Served(folder, f'http://127.0.0.1:{ports[0]}/secret/')
    loop.call_soon_threadsafe(loop.stop)


def finish(folder: SearchFolder, number: int) -> None:
    """One of the runs that wait has run and finished."""
    run = list(folder.read_runs())[number].name
    end = {'state': 'finished', 'cause': 'exit', 'code': 0, 'seconds': 5.0, 'summary': {'acc': '0.99', 'finished': '1'}}
    events = [
        {
            'event': 'writer',
            'format': 1,
            'writer': 'w2',
            'host': 'gone',
            'boot': '',
            'pid': 1,
            'ticks': '',
            'at': BEGIN,
        },
        {'event': 'claimed', 'run': run, 'attempt': 1, 'gpus': ['0'], 'at': BEGIN},
        {'event': 'running', 'run': run, 'attempt': 1, 'handle': {}},
        {'event': 'ended', 'run': run, 'attempt': 1, **end},
        {'event': 'closed', 'at': BEGIN + 10},
    ]
    path = folder.journal_dir / 'w2.jsonl'
    path.write_text(''.join(f'{json.dumps(event)}\n' for event in events))


def test_that_the_page_takes_in_what_happens_and_stays_where_it_was_read(served: Served, browser: Browser) -> None:
    browser.open(served.address)
    browser.wait("document.querySelector('#summary .state-bar')")
    assert browser.texts('#live') == ['live']
    browser.run("document.body.style.minHeight = '5000px'")
    browser.run("document.querySelector('#runs').scrollIntoView({behavior: 'instant'})")
    browser.wait("document.querySelector('#runs input')")
    browser.one('#runs input').send_keys('sgd')
    where = browser.run('return window.scrollY')
    finish(served.folder, 58)
    browser.wait('hps.data.searches[0].counts.planned === 1')
    assert browser.run('return window.scrollY') == where
    assert browser.run('return document.activeElement.value') == 'sgd'
    assert browser.logged() == []
    shutil.rmtree(served.folder.path)
    browser.wait("document.querySelector('#live.bad')")
    assert 'is not there any more' in browser.texts('#live')[0]
    browser.wait("document.querySelector('#summary .state-bar')")
