"""Whose search it is: which parts of a folder make it somebody else's, and that what is opened is what is checked."""

from __future__ import annotations

import errno
import grp
import os
import pwd
from collections.abc import Callable
from pathlib import Path

import pytest

from hpsearch.model.errors import JournalError, SearchFolderError
from hpsearch.model.run import Run, encode_run
from hpsearch.store.attempt_files import claim
from hpsearch.store.folder import SearchFolder
from hpsearch.store.journal import Journal, JournalReader
from hpsearch.store.opening.creation import make_folder
from hpsearch.store.opening.trust import to_work_on, why_foreign

NOBODY = 65534

PARTS = (
    *('', 'search.json', 'runs.jsonl', 'journal', 'journal/w.jsonl', 'jobs', 'jobs/sim_1', 'jobs/sim_1/2'),
    *('code', 'code/a', 'code/a/train.py'),
)
"""What decides what is executed and which processes are signalled."""

needs_root = pytest.mark.skipif(os.geteuid() != 0, reason='only root can give files away')


@pytest.fixture
def folder(tmp_path: Path) -> SearchFolder:
    """A search of this user in which an attempt was claimed."""
    folder = make_folder(tmp_path / 'search', exactly=True, may_exist=False).folder
    folder.write_info({})
    folder.jobs_dir.mkdir(0o755)
    folder.runs_jsonl.write_text(encode_run(Run('sim_1', 1, {}, ('true',))))
    folder.runs_jsonl.chmod(0o644)
    Journal(folder, 'w', {}).close()
    claim(folder, 'sim_1', 1, 'w')
    claim(folder, 'sim_1', 2, 'w')
    for made in (folder.code_dir, folder.code_dir / 'a'):
        made.mkdir(0o755)
    (folder.code_dir / 'a' / 'train.py').write_text('')
    (folder.code_dir / 'a' / 'train.py').chmod(0o644)
    (folder.code_dir / 'data').symlink_to('/tmp')
    return folder


def is_refused(folder: SearchFolder) -> bool:
    try:
        to_work_on(folder, trust=False)
    except SearchFolderError as error:
        assert '--trust' in str(error)
        return True
    return False


def test_that_a_search_of_this_user_is_worked_on(folder: SearchFolder) -> None:
    assert not is_refused(folder)
    assert to_work_on(folder, trust=False).only_ours


@needs_root
@pytest.mark.parametrize('part', PARTS)
def test_that_any_part_of_another_user_is_refused_by_name_unless_trusted(folder: SearchFolder, part: str) -> None:
    os.chown(folder.path / part, NOBODY, NOBODY)
    assert is_refused(folder)
    assert why_foreign(folder).startswith(f'{folder.path / part} belongs to user '.rstrip('/'))
    assert to_work_on(folder, trust=True) is folder


@pytest.mark.parametrize('part', PARTS)
def test_that_any_part_that_every_user_can_write_is_refused(folder: SearchFolder, part: str) -> None:
    path = folder.path / part
    path.chmod(path.stat().st_mode | 0o002)
    assert is_refused(folder)
    assert 'can be written by every user' in why_foreign(folder)


@pytest.mark.parametrize('part', [part for part in PARTS[1:] if not part.startswith('code/')])
def test_that_a_part_that_is_a_link_is_refused_wherever_it_leads(folder: SearchFolder, part: str) -> None:
    path = folder.path / part
    path.rename(folder.path / 'own')
    path.symlink_to(folder.path / 'own')
    assert is_refused(folder)
    assert why_foreign(folder) == f'{path} is a symbolic link'


def test_that_the_folder_itself_may_be_reached_through_a_link(folder: SearchFolder, tmp_path: Path) -> None:
    (tmp_path / 'link').symlink_to(folder.path)
    assert not is_refused(SearchFolder(tmp_path / 'link'))


@pytest.fixture
def group(monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """Makes the group of new files one of a name and members."""
    user = pwd.getpwuid(os.geteuid()).pw_name

    def make(name: str = user, *members: str) -> None:
        monkeypatch.setattr(grp, 'getgrgid', lambda number: grp.struct_group((name, 'x', number, list(members))))
        entry = pwd.struct_passwd((user, 'x', os.geteuid(), os.getegid(), '', '/', 'sh'))
        monkeypatch.setattr(pwd, 'getpwuid', lambda number: entry)

    return make


def test_that_the_private_group_of_the_user_may_write(folder: SearchFolder, group: Callable[..., None]) -> None:
    group()
    for part in PARTS:
        path = folder.path / part
        os.chown(path, -1, os.getegid())
        path.chmod(path.stat().st_mode | 0o020)
    assert not is_refused(folder)
    assert list(to_work_on(folder, trust=False).read_runs())


@pytest.mark.parametrize('who', [('lab',), (pwd.getpwuid(os.geteuid()).pw_name, 'mallory')])
def test_that_a_group_with_others_in_it_may_not_write(
    folder: SearchFolder, group: Callable[..., None], who: tuple[str, ...]
) -> None:
    group(*who)
    folder.runs_jsonl.chmod(0o664)
    assert is_refused(folder)
    assert why_foreign(folder) == f'{folder.runs_jsonl} can be written by group {who[0]}'


def test_that_a_private_group_counts_for_nothing_where_an_access_list_says_more(
    folder: SearchFolder, group: Callable[..., None], monkeypatch: pytest.MonkeyPatch
) -> None:
    group()
    folder.runs_jsonl.chmod(0o664)
    monkeypatch.setattr(os, 'getxattr', lambda path, name: b'\2')
    assert is_refused(folder)


def test_that_a_new_search_can_be_worked_on_whatever_the_umask(tmp_path: Path, group: Callable[..., None]) -> None:
    group('lab', 'mallory')
    before = os.umask(0)
    try:
        folder = make_folder(tmp_path / 'shared' / 'search', exactly=True, may_exist=False).folder
        folder.write_info({})
        Journal(folder, 'w', {}).close()
    finally:
        os.umask(before)
    assert not is_refused(folder)


# Between the check and the reading


def test_that_a_plan_that_was_replaced_by_a_link_after_the_check_is_not_read(folder: SearchFolder) -> None:
    checked = to_work_on(folder, trust=False)
    folder.runs_jsonl.rename(folder.path / 'own')
    folder.runs_jsonl.symlink_to(folder.path / 'own')
    for read in (lambda: list(checked.read_runs()), lambda: checked.find_run('sim_1')):
        with pytest.raises(SearchFolderError, match=r'runs\.jsonl is a symbolic link'):
            read()
    assert [run.name for run in folder.read_runs()] == ['sim_1']  # as it is for who only looks


@needs_root
def test_that_what_another_user_put_there_after_the_check_is_not_read(folder: SearchFolder) -> None:
    checked = to_work_on(folder, trust=False)
    for path in (folder.search_json, folder.runs_jsonl, folder.journal_dir / 'w.jsonl'):
        os.chown(path, NOBODY, NOBODY)
    with pytest.raises(SearchFolderError, match=r'search\.json belongs to user .*not read'):
        checked.read_info()
    with pytest.raises(SearchFolderError, match=r'runs\.jsonl belongs to user'):
        list(checked.read_runs())
    with pytest.raises(JournalError, match=r'w\.jsonl belongs to user'):
        list(JournalReader(checked).news())
    assert folder.read_info()


def test_that_a_named_pipe_in_place_of_a_file_is_an_error_and_no_endless_wait(folder: SearchFolder) -> None:
    folder.runs_jsonl.unlink()
    os.mkfifo(folder.runs_jsonl)
    with pytest.raises(SearchFolderError, match='not a regular file'):
        list(folder.read_runs())


def test_that_a_folder_that_cannot_be_listed_is_an_error_that_names_it(
    folder: SearchFolder, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fails(path: object) -> object:
        raise OSError(errno.EIO, 'Input/output error', str(path))

    monkeypatch.setattr(os, 'scandir', fails)
    with pytest.raises(SearchFolderError, match=r'journal cannot be read: Input/output error'):
        why_foreign(folder)
