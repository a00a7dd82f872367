"""Where searches are looked for, and what is said of a folder that is none."""

from __future__ import annotations

import errno
import os
from pathlib import Path
from typing import Any

import pytest

import hpsearch
from hpsearch.model.errors import SearchFolderError
from hpsearch.records.finding import named_search, newest_search
from hpsearch.store.folder import SearchFolder


def search_at(path: Path, moment: float) -> Path:
    path.mkdir(parents=True)
    (path / 'search.json').write_text('{}')
    os.utime(path / 'search.json', (moment, moment))
    return path


def test_that_the_newest_search_below_a_directory_is_found(tmp_path: Path) -> None:
    search_at(tmp_path / 'out' / 'hyperparam_search' / 'search_1', 1000)
    newest = search_at(tmp_path / 'results', 2000)
    search_at(newest / 'inner', 3000)
    search_at(tmp_path / '.hidden', 3000)
    (tmp_path / 'link').symlink_to(tmp_path / '.hidden')
    search_at(tmp_path / 'a' / 'b' / 'c' / 'd' / 'e', 3000)
    assert newest_search(tmp_path).path == newest
    assert newest_search(newest).path == newest


def test_that_what_others_may_not_look_into_is_no_search_to_be_found(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    search = search_at(tmp_path / 'search_1', 1000)
    (tmp_path / 'theirs').mkdir()
    look = os.stat

    def refused(path: str | Path | int, **options: Any) -> os.stat_result:
        if 'theirs' in str(path):
            raise PermissionError(errno.EACCES, 'Permission denied', str(path))
        return look(path, **options)

    monkeypatch.setattr(os, 'stat', refused)
    assert newest_search(tmp_path).path == search


def test_that_a_directory_without_searches_is_named(tmp_path: Path) -> None:
    with pytest.raises(SearchFolderError, match=str(tmp_path)):
        newest_search(tmp_path)


def test_that_a_folder_of_searches_is_not_one_and_the_newest_is_named(tmp_path: Path) -> None:
    search = search_at(tmp_path / 'search_2026', 1000)
    search_at(tmp_path / 'search_2025', 1000)
    with pytest.raises(SearchFolderError, match=rf'not a search folder; one below it is {search}\.$'):
        named_search(tmp_path)
    with pytest.raises(SearchFolderError, match=f'one below it is {search}'):
        hpsearch.load(tmp_path)


def test_that_nothing_is_looked_for_below_a_folder_that_no_user_names(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object) -> None:
        raise AssertionError('a large search would be slow')

    monkeypatch.setattr(os, 'scandir', refuse)
    folder = SearchFolder(tmp_path)
    assert folder.attempt('run_1', 1).folder == f'{tmp_path}/jobs/run_1'
    with pytest.raises(SearchFolderError, match=r'it has no search\.json\.$'):
        folder.read_info()


def test_that_a_folder_that_cannot_be_looked_into_is_no_reason_to_look_for_another(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    search_at(tmp_path / 'search_1', 1000)

    def refused(path: Any) -> None:
        raise PermissionError(errno.EACCES, 'Permission denied', str(path))

    monkeypatch.setattr(os, 'lstat', refused)
    assert named_search(tmp_path).path == tmp_path
