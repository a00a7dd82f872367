"""Claims on disk: who has an attempt, where file systems have links and where not, and in searches of layout 1."""

from __future__ import annotations

import errno
import json
import os
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from hpsearch.model.errors import SearchFolderError
from hpsearch.store.attempt_files import attempts_on_disk, claim, claim_changed_at, claimant, runs_with_files
from hpsearch.store.description import LAYOUT
from hpsearch.store.folder import SearchFolder
from tests.support.harness import new_folder


@pytest.fixture
def folder(tmp_path: Path) -> SearchFolder:
    return new_folder(tmp_path / 'search')


def refuse_links(monkeypatch: pytest.MonkeyPatch, number: int, times: int = 1 << 30) -> None:
    """Let the first links be refused by the file system."""
    link, left = os.link, [number] * min(times, 100)

    def refused(source: str, path: str) -> None:
        if left:
            raise OSError(left.pop(), os.strerror(number))
        link(source, path)

    monkeypatch.setattr(os, 'link', refused)


def test_that_all_claims_of_a_writer_need_one_inode(folder: SearchFolder) -> None:
    folder.journal_dir.mkdir()
    attempts = [('sim_1', 1), ('sim_2', 1), ('sim_1', 2)]
    assert all(claim(folder, *attempt, 'w') for attempt in attempts)
    assert claim(folder, 'sim_3', 1, 'v')
    inodes = {os.stat(folder.attempt(*attempt).claim).st_ino for attempt in attempts}
    assert inodes == {os.stat(folder.claims_of('w')).st_ino}
    assert [claimant(folder.attempt(*attempt)) for attempt in [*attempts, ('sim_3', 1)]] == ['w', 'w', 'w', 'v']


@pytest.mark.parametrize('has_links', [True, False])
def test_that_a_claim_is_taken_once_and_kept_by_who_has_it(
    folder: SearchFolder, monkeypatch: pytest.MonkeyPatch, has_links: bool
) -> None:
    folder.journal_dir.mkdir()
    if not has_links:
        refuse_links(monkeypatch, errno.EPERM)
    assert claim(folder, 'sim_1', 1, 'a')
    assert not claim(folder, 'sim_1', 1, 'b')
    assert claim(folder, 'sim_1', 1, 'a'), 'a network file system may report its own link as existing'
    assert claim(folder, 'sim_1', 2, 'b')
    assert claimant(folder.attempt('sim_1', 1)) == 'a'


@pytest.mark.parametrize('number', [errno.EPERM, errno.EXDEV, errno.ENOTSUP, errno.EMLINK])
def test_that_a_claim_is_a_file_where_there_are_no_links(
    folder: SearchFolder, monkeypatch: pytest.MonkeyPatch, number: int
) -> None:
    folder.journal_dir.mkdir()
    refuse_links(monkeypatch, number)
    assert claim(folder, 'sim_1', 1, 'w') and claim(folder, 'sim_2', 1, 'w')
    assert os.stat(folder.attempt('sim_1', 1).claim).st_nlink == 1
    assert claimant(folder.attempt('sim_2', 1)) == 'w'


def test_that_a_file_with_as_many_names_as_it_can_have_is_replaced(
    folder: SearchFolder, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder.journal_dir.mkdir()
    assert claim(folder, 'sim_1', 1, 'w')
    refuse_links(monkeypatch, errno.EMLINK, 1)
    assert claim(folder, 'sim_2', 1, 'w') and claim(folder, 'sim_3', 1, 'w')
    first, second, third = (os.stat(folder.attempt(f'sim_{number}', 1).claim) for number in (1, 2, 3))
    assert first.st_ino != second.st_ino == third.st_ino
    assert claimant(folder.attempt('sim_1', 1)) == claimant(folder.attempt('sim_2', 1)) == 'w'


def test_that_a_claim_that_cannot_be_made_is_an_error(folder: SearchFolder, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(path: str, flags: int, mode: int = 0o777) -> int:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    folder.write_info({})
    refuse_links(monkeypatch, errno.ENOSPC)
    monkeypatch.setattr(os, 'open', full)
    with pytest.raises(OSError, match='No space left'):
        claim(folder, 'sim_1', 1, 'w')
    assert not os.path.exists(folder.attempt('sim_1', 1).claim)


def test_that_a_search_of_layout_1_keeps_its_claims_where_earlier_versions_look(folder: SearchFolder) -> None:
    folder.write_info({'layout': 1})
    assert claim(folder, 'sim_1', 1, 'w')
    assert (folder.jobs_dir / 'sim_1/1/claim').read_text() == 'w\n'
    assert not os.path.exists(folder.claims_of('w'))
    assert SearchFolder(folder.path).attempt('sim_1', 1).folder == str(folder.jobs_dir / 'sim_1/1')
    before = os.stat(folder.attempt('sim_1', 1).claim).st_mtime
    assert claim_changed_at(folder.attempt('sim_1', 1), 5.0) == before, 'the file was written for this claim'


@pytest.mark.parametrize('layout', [1, LAYOUT])
def test_that_a_search_keeps_its_layout_when_it_is_described_again(folder: SearchFolder, layout: int) -> None:
    folder.write_info({})
    description = json.loads(folder.search_json.read_text())
    if layout == 1:
        del description['layout']
    folder.search_json.write_text(json.dumps(description))
    folder.write_info({**SearchFolder(folder.path).read_info(), 'withdrawn': ['sim_1']})
    assert folder.layout == SearchFolder(folder.path).layout == layout


def test_that_a_newer_layout_is_refused(folder: SearchFolder) -> None:
    folder.write_info({'layout': LAYOUT + 1})
    with pytest.raises(SearchFolderError, match='update hpsearch'):
        SearchFolder(folder.path).read_info()


@pytest.mark.parametrize('text', ['w', 'w x', 'w nan', 'w 1e400', 'w -1.0', 'w ' + '9' * 400 + '.0'])
def test_that_a_damaged_time_of_a_claim_says_nothing(folder: SearchFolder, text: str) -> None:
    paths = folder.attempt('sim_1', 1)
    os.mkdir(paths.folder)
    Path(paths.claim).write_text(f'{text}\n')
    assert claimant(paths) == 'w'
    assert claim_changed_at(paths, time.time()) == os.stat(paths.claim).st_mtime


@pytest.mark.parametrize('number', [1, 2])
def test_that_claims_on_disk_are_found_in_each_layout(folder: SearchFolder, number: int) -> None:
    folder.write_info({'layout': number})
    for attempt in (('sim_1', 1), ('sim_1', 2), ('sim_2', 1), ('sim_3', 1)):
        claim(folder, *attempt, 'w')
    (folder.jobs_dir / 'sim_4').mkdir()
    found = {name: attempts_on_disk(folder, name) for name in sorted(runs_with_files(folder))}
    assert found == {'sim_1': {1, 2}, 'sim_2': {1}, 'sim_3': {1}, 'sim_4': set()}


@pytest.mark.parametrize('attempt', [1, 2])
@pytest.mark.parametrize('lose', [lambda folder: folder.jobs_dir.rmdir(), lambda folder: None])
def test_that_a_lost_folder_is_made_again_but_no_search(
    folder: SearchFolder, attempt: int, lose: Callable[[SearchFolder], None]
) -> None:
    lose(folder)
    assert claim(folder, 'sim_1', attempt, 'w')
    gone = SearchFolder(folder.path.with_name('deleted'))
    with pytest.raises(FileNotFoundError):
        claim(gone, 'sim_1', attempt, 'w')
    assert not gone.path.exists()
