"""Searches that earlier versions left must be read for ever: what is in tests/data is added to, never changed."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import pytest

from hpsearch.model.errors import JournalError
from hpsearch.model.history.attempt import Attempt
from hpsearch.model.history.search_state import SearchState
from hpsearch.store.folder import SearchFolder
from hpsearch.store.journal import JOURNAL_FORMAT, read_state
from tests.support.kept_searches import FORMATS, HOME, expected, kept


def plain(attempt: Attempt) -> dict[str, Any]:
    """An attempt, as far as it is kept."""
    return {
        'state': attempt.state.value,
        'cause': attempt.cause,
        'code': attempt.code,
        'reason': attempt.reason,
        'owner': attempt.owner,
        'gpus': list(attempt.gpus),
        'summary': dict(attempt.summary),
        'seconds': attempt.seconds,
    }


def told(state: SearchState) -> dict[str, list[dict[str, Any]]]:
    """Everything that is kept of a search."""
    return {name: [plain(attempt) for attempt in history.attempts] for name, history in state.runs.items()}


@pytest.mark.parametrize('number', FORMATS)
def test_that_a_journal_of_each_format_says_what_it_said(number: int) -> None:
    state = read_state(SearchFolder(kept(number)))
    assert told(state) == expected(number)
    assert any('it is damaged' in odd for odd in state.odd), 'a damaged line is told'
    assert not any('weather' in odd for odd in state.odd), 'an event of another version is none'


@pytest.mark.parametrize('number', FORMATS)
def test_that_a_plan_of_each_format_is_read(number: int) -> None:
    folder = SearchFolder(kept(number))
    runs = list(folder.read_runs())
    assert [run.name for run in runs] == sorted(expected(number))
    assert [run.params for run in runs] == [{'n': value} for value in range(1, 10)]
    assert folder.read_info()['run_cwd'] == HOME


def test_that_a_journal_of_a_later_format_is_refused_with_the_reason(tmp_path: Path) -> None:
    shutil.copytree(kept(1), tmp_path / 'search')
    folder = SearchFolder(tmp_path / 'search')
    journal = min(folder.journal_dir.iterdir())
    journal.write_text(journal.read_text().replace('"format":1', f'"format":{JOURNAL_FORMAT + 1}'))
    with pytest.raises(JournalError, match=f'format {JOURNAL_FORMAT + 1}.*update'):
        read_state(folder)
