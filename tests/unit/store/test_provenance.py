"""Provenance: what is found out about code and environment, without touching either or holding anybody up."""

from __future__ import annotations

import json
import os
import queue
import stat
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import hpsearch.host.code
import hpsearch.host.git
import hpsearch.store.provenance
from hpsearch.host.code import CodeReader, code_files
from hpsearch.host.code_copy import CodeCopy
from hpsearch.host.git import (
    Problem,
    Tree,
    TreeStatus,
    UnusableRepository,
    ask,
    find_repository,
    parse_status,
    without_empty_entries,
)
from hpsearch.model.configuration import Configuration
from hpsearch.model.history.search_state import SearchState
from hpsearch.store.folder import SearchFolder
from hpsearch.store.provenance import (
    INTERVAL,
    NAMES_LIMIT,
    SHARE_OF_TIME,
    Provenance,
    about_new_code,
    ask_interpreter,
    changed_files,
    code_changes,
    code_place,
    diff_text,
    runs_by_code,
)
from tests.support.git_settings import without_git_settings
from tests.support.harness import until

PATIENCE = 15.0


@pytest.fixture(autouse=True)
def own_git_settings(monkeypatch: pytest.MonkeyPatch, tmp_path_factory: pytest.TempPathFactory) -> None:
    """Keep the settings of whoever runs the tests, and any repository around the temporary folder, out of them."""
    without_git_settings(monkeypatch, tmp_path_factory.getbasetemp().parent)


def git(where: Path, *words: str) -> str:
    """Run git as a person would."""
    who = ['-c', 'user.name=a', '-c', 'user.email=a@b', '-c', 'commit.gpgsign=false']
    return subprocess.run(['git', *who, *words], cwd=where, check=True, capture_output=True, text=True).stdout.strip()


@pytest.fixture
def code(tmp_path: Path) -> Path:
    """A folder with a script and a module, without git."""
    path = tmp_path / 'code'
    path.mkdir()
    (path / 'train.py').write_text('import model\n')
    (path / 'model.py').write_text('a = 1\n')
    return path


@pytest.fixture
def tree(code: Path) -> Path:
    """The same in a git tree with one commit."""
    git(code, 'init', '-q', '-b', 'main')
    git(code, 'add', '.')
    git(code, 'commit', '-q', '-m', 'first')
    return code


@pytest.fixture
def folder(tmp_path: Path) -> SearchFolder:
    (tmp_path / 'search').mkdir()
    return SearchFolder(tmp_path / 'search')


class Teller:
    """Starts to gather and collects the events.

    Attributes:
        now: Monotonic seconds; reading it takes as long as ``step`` says.
    """

    def __init__(self, folder: SearchFolder, script_dir: Path, interpreter: str = '') -> None:
        self.provenance = Provenance(folder, [script_dir / 'train.py'], script_dir, interpreter, clock=self.tick)
        self.events: queue.Queue[dict[str, Any]] = queue.Queue()
        self.threads: set[int] = set()
        self.now = self.step = 0.0

    def tick(self) -> float:
        self.now += self.step
        return self.now

    def begin(self) -> dict[str, Any]:
        self.provenance.start(self.take)
        return self.next()

    def take(self, event: dict[str, Any]) -> None:
        self.threads.add(threading.get_ident())
        self.events.put(event)

    def next(self) -> dict[str, Any]:
        """Wait for an event."""
        return self.events.get(timeout=PATIENCE)


def ident_of(top: Path, script: str = 'train.py') -> str:
    """Return the id of the code as it is now."""
    repository = find_repository(top)
    reader = CodeReader(code_place(top, [top / script], top))
    reader.tracked = [top / name for name in repository.tracked()] if repository else []
    return reader.read().ident


# The code


def test_that_a_clean_tree_has_a_commit_and_no_diff(tree: Path, folder: SearchFolder) -> None:
    event = Teller(folder, tree).begin()
    assert event['event'] == 'provenance'
    assert (event['commit'], event['branch'], event['dirty']) == (git(tree, 'rev-parse', 'HEAD'), 'main', False)
    assert event['untracked'] == []
    assert 'diff' not in event
    assert 'problems' not in event
    assert len(event['code']) == 12
    assert not list((folder.path / 'provenance').glob('*.diff'))


def test_that_the_changes_of_a_tree_are_kept_as_a_diff_that_can_be_applied(tree: Path, folder: SearchFolder) -> None:
    (tree / 'model.py').write_bytes(b'a = 2\r\n\xff\n')
    (tree / 'new.py').write_text('')
    git(tree, 'add', 'model.py')
    (tree / 'model.py').write_bytes(b'a = 3\r\n\xff\n')
    event = Teller(folder, tree).begin()
    assert (event['dirty'], event['untracked'], event['untracked_count']) == (True, ['new.py'], 1)
    assert event['diff'] == f'provenance/{event["code"]}.diff'
    kept = folder.path / event['diff']
    assert b"# not in the repository: 'new.py'\n" in kept.read_bytes()
    git(tree, 'reset', '-q', '--hard')
    git(tree, 'apply', str(kept))
    assert (tree / 'model.py').read_bytes() == b'a = 3\r\n\xff\n'


def test_that_a_script_deep_in_a_tree_sees_all_of_it(tree: Path, folder: SearchFolder) -> None:
    (tree / 'deep').mkdir()
    (tree / 'model.py').write_text('a = 2\n')
    event = Teller(folder, tree / 'deep').begin()
    assert b'b/model.py' in (folder.path / event['diff']).read_bytes()


def test_that_code_has_the_same_id_wherever_it_lies(tree: Path, tmp_path: Path) -> None:
    (tree / 'model.py').write_text('a = 2\n')
    copy = tmp_path / 'copy'
    git(tmp_path, 'clone', '-q', str(tree), str(copy))
    (copy / 'model.py').write_text('a = 2\n')
    git(copy, 'config', 'diff.noprefix', 'true')
    git(copy, 'config', 'diff.context', '0')
    assert ident_of(copy) == ident_of(tree)


def test_that_every_kind_of_change_gives_another_id(tree: Path) -> None:
    seen = [ident_of(tree)]
    (tree / 'model.py').write_text('a = 2\n')
    seen.append(ident_of(tree))
    (tree / 'model.py').chmod(0o755)
    seen.append(ident_of(tree))
    (tree / 'model.py').unlink()
    seen.append(ident_of(tree))
    assert len(set(seen)) == 4


def test_that_a_commit_of_what_is_there_is_no_change(tree: Path) -> None:
    (tree / 'model.py').write_text('a = 2\n')
    before = ident_of(tree)
    git(tree, 'commit', '-qam', 'second')
    assert ident_of(tree) == before


def test_that_a_binary_file_that_changes_again_gives_another_id(tree: Path) -> None:
    seen = set()
    for byte in (b'\0a', b'\0b'):
        (tree / 'model.py').write_bytes(byte)
        seen.add(ident_of(tree))
    assert len(seen) == 2


def test_that_new_time_stamps_and_files_git_does_not_know_change_nothing(tree: Path) -> None:
    (tree / 'model.py').write_text('a = 2\n')
    before = ident_of(tree)
    os.utime(tree / 'train.py', (1, 1))
    (tree / 'results.csv').write_text('x')
    assert ident_of(tree) == before


def test_that_a_script_git_does_not_know_counts(tree: Path) -> None:
    (tree / 'own.py').write_text('1')
    one = ident_of(tree, 'own.py')
    (tree / 'own.py').write_text('2')
    assert ident_of(tree, 'own.py') != one


def test_that_without_git_the_script_and_its_modules_tell_the_code(code: Path, folder: SearchFolder) -> None:
    event = Teller(folder, code).begin()
    assert list(event['files']) == [str(code / 'train.py')]
    assert 'commit' not in event
    assert event['code'] == ident_of(code) != ''
    for name in ('model.py', 'train.py'):
        before = ident_of(code)
        (code / name).write_text('changed = True\n')
        assert ident_of(code) != before


def test_that_a_machine_without_git_is_no_problem(
    tree: Path, folder: SearchFolder, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv('PATH', '')
    event = Teller(folder, tree).begin()
    assert event['code']
    assert 'problems' not in event


def test_that_a_tree_without_a_commit_is_told_by_its_script(code: Path, folder: SearchFolder) -> None:
    without = ident_of(code)
    git(code, 'init', '-q', '-b', 'main')
    git(code, 'add', '.')
    event = Teller(folder, code).begin()
    assert (event['commit'], event['dirty'], event['code']) == ('', True, without)


def test_that_nothing_to_tell_the_code_by_has_no_id(tmp_path: Path) -> None:
    assert CodeReader(code_place(tmp_path, [tmp_path / 'gone', tmp_path], tmp_path)).read().ident == ''


def test_that_a_linked_work_tree_has_its_own_head(tree: Path, tmp_path: Path) -> None:
    git(tree, 'worktree', 'add', '-q', '-b', 'other', str(tmp_path / 'linked'))
    repository = find_repository(tmp_path / 'linked')
    assert repository is not None
    assert (repository.private / 'HEAD').is_file()
    assert repository.private != tree / '.git'
    assert repository.look().status.branch == 'other'


def test_that_git_is_asked_about_this_tree_whatever_the_environment_says(
    tree: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv('GIT_DIR', str(tmp_path / 'other'))
    assert find_repository(tree) is not None


# What is not touched


def write_program(path: Path, mark: Path) -> str:
    """Make a program that leaves a mark when it is run."""
    path.write_text(f'#!/bin/sh\ntouch {mark}\n')
    path.chmod(path.stat().st_mode | stat.S_IXUSR)
    return str(path)


def test_that_no_program_of_the_repository_is_run(tree: Path, tmp_path: Path, folder: SearchFolder) -> None:
    mark = tmp_path / 'mark'
    program = write_program(tmp_path / 'program', mark)
    for name in ('core.fsmonitor', 'diff.external', 'diff.x.textconv', 'diff.x.command', 'core.pager'):
        git(tree, 'config', name, program)
    (tree / '.git' / 'info' / 'attributes').write_text('*.py diff=x\n')
    write_program(tree / '.git' / 'hooks' / 'post-index-change', mark)
    (tree / 'model.py').write_text('a = 2\n')
    event = Teller(folder, tree).begin()
    assert b'+a = 2' in (folder.path / event['diff']).read_bytes()
    assert not mark.exists()
    git(tree, 'status')
    assert mark.exists(), 'the program would have been run'


def everything(path: Path) -> dict[Path, tuple[int, bytes]]:
    """Return times and contents of all files below a folder."""
    files = [file for file in path.rglob('*') if file.is_file()]
    return {file: (file.stat().st_mtime_ns, file.read_bytes()) for file in files}


def test_that_git_writes_nothing(tree: Path, folder: SearchFolder) -> None:
    for name in ('train.py', 'model.py'):
        os.utime(tree / name, (1, 1))
    (tree / 'model.py').write_text('a = 2\n')
    before = everything(tree)
    Teller(folder, tree).begin()
    assert everything(tree) == before


# Programs that are asked


def test_that_a_program_that_does_not_answer_is_killed_with_its_children(tmp_path: Path) -> None:
    with pytest.raises(Problem, match=r'no answer within 0\.2 s'):
        ask(['sh', '-c', 'sleep 1000 & sleep 1000'], tmp_path, os.environ, timeout=0.2)


def test_that_of_a_long_answer_the_beginning_is_kept(tmp_path: Path) -> None:
    answer = ask([sys.executable, '-c', 'print("x" * 300000)'], tmp_path, os.environ, limit=10)
    assert (answer.code, answer.text, answer.size) == (0, b'x' * 10, 300001)
    other = ask([sys.executable, '-c', 'print("x" * 299999 + "y")'], tmp_path, os.environ, limit=10)
    assert other.digest != answer.digest


@pytest.mark.parametrize('name', ['no-such-program', 'nul\0'])
def test_that_a_program_that_cannot_be_started_is_a_problem(tmp_path: Path, name: str) -> None:
    with pytest.raises(Problem, match='cannot be started'):
        ask([name], tmp_path, os.environ)


def test_that_a_long_diff_is_cut_and_says_so(tree: Path, folder: SearchFolder, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(hpsearch.host.git, 'OUTPUT_LIMIT', 1000)
    (tree / 'model.py').write_text('x' * 2000)
    first = Teller(folder, tree).begin()
    text = (folder.path / first['diff']).read_text()
    assert '# cut after 1000 of 2' in text
    assert 1000 < len(text) < 1300
    (tree / 'model.py').write_text('x' * 1999 + 'y')
    assert ident_of(tree) != first['code'], 'what is cut off counts'


def test_that_a_diff_that_is_whole_does_not_say_that_it_was_cut() -> None:
    assert '# cut' not in diff_text(Tree(TreeStatus('abc'), b'+1\n', 3, 'digest'), [])


def test_that_many_unknown_files_are_counted() -> None:
    text = diff_text(Tree(TreeStatus('abc')), [f'file{number}' for number in range(NAMES_LIMIT + 7)])
    assert f"'file{NAMES_LIMIT - 1}'\n# not in the repository: 7 more\n" in text
    assert text.startswith('# changes to commit abc, branch none\n')


def test_that_a_status_is_read() -> None:
    text = b'# branch.oid abc\0# branch.head a b\0# branch.upstream o/a\0# branch.ab +0 -0\0'
    assert parse_status(text) == TreeStatus('abc', 'a b', False)
    for entry in (b'1 .M N... 100644 x', b'2 R. N... x', b'u UU N... x'):
        assert parse_status(text + entry + b'\0').dirty
    assert parse_status(b'# branch.oid (initial)\0# branch.head (detached)\0') == TreeStatus()


def test_that_only_entries_without_content_leave_a_diff() -> None:
    diff = b'diff --git a/x b/x\ndiff --git a/y b/y\nindex 1..2\n+a\ndiff --git a/z b/z\n'
    assert without_empty_entries(diff) == b'diff --git a/y b/y\nindex 1..2\n+a\n'


# The environment


def test_that_the_packages_are_listed_once(code: Path, folder: SearchFolder) -> None:
    event = Teller(folder, code, sys.executable).begin()
    assert event['python'] == '.'.join(map(str, sys.version_info[:3]))
    lines = (folder.path / event['packages']).read_text().splitlines()
    assert f'pytest=={pytest.__version__}' in lines
    (folder.path / event['packages']).write_text('kept')
    assert Teller(folder, code, sys.executable).begin()['python'] == event['python']
    assert (folder.path / event['packages']).read_text() == 'kept'


def test_that_versions_host_and_user_are_told(code: Path, folder: SearchFolder) -> None:
    event = Teller(folder, code).begin()
    assert all(event[name] for name in ('hpsearch', 'platform', 'host', 'user'))


@pytest.mark.parametrize('interpreter', ['no-such-python', 'true'])
def test_that_an_interpreter_that_does_not_answer_is_a_named_problem(
    code: Path, folder: SearchFolder, interpreter: str
) -> None:
    event = Teller(folder, code, interpreter).begin()
    assert len(event['problems']) == 1
    assert interpreter in event['problems'][0]
    assert event['code']


def test_that_a_module_of_the_user_does_not_hide_one_of_the_interpreter(
    code: Path, folder: SearchFolder, monkeypatch: pytest.MonkeyPatch
) -> None:
    (code / 'json.py').write_text('raise SystemExit("hidden")')
    monkeypatch.chdir(code)
    assert 'python' in Teller(folder, code, sys.executable).begin()


def test_that_packages_are_not_listed_when_nobody_asks(tmp_path: Path) -> None:
    assert ask_interpreter(sys.executable, tmp_path, packages=False)['packages'] == []


def test_that_a_folder_that_cannot_be_written_is_a_named_problem(tree: Path, tmp_path: Path) -> None:
    (tree / 'model.py').write_text('a = 2\n')
    (tmp_path / 'search').mkdir()
    (tmp_path / 'search' / 'provenance').write_text('in the way')
    event = Teller(SearchFolder(tmp_path / 'search'), tree, sys.executable).begin()
    assert len(event['problems']) == 3
    assert (event['dirty'], event['code']) == (True, ident_of(tree))


def test_that_a_copy_is_told_by_all_its_files_and_by_what_git_said_of_the_original(
    tree: Path, folder: SearchFolder
) -> None:
    write_copy(folder)
    facts = {'commit': 'abc', 'branch': 'main', 'dirty': True}
    copy = CodeCopy('/home/me/project', '.', facts=facts)
    run = [folder.code_dir / 'train.py']
    provenance = Provenance(folder, run, folder.code_dir, copy=copy)
    events: queue.Queue[dict[str, Any]] = queue.Queue()
    provenance.start(events.put)
    event = events.get(timeout=PATIENCE)
    assert {name: event.get(name) for name in facts} == facts
    listed = json.loads((folder.provenance_dir / f'{event["code"]}.json').read_text())
    assert sorted(listed) == ['base.yaml', 'train.py']


def write_copy(folder: SearchFolder) -> None:
    folder.code_dir.mkdir()
    for name in ('train.py', 'base.yaml', 'other.py'):
        (folder.code_dir / name).write_text('')


def test_that_a_package_that_is_installed_from_the_original_is_warned_of() -> None:
    provenance = Provenance(SearchFolder('/s'), [], Path('/'), copy=CodeCopy('/home/me/project', '.'))
    lines = ['mine==1 @ file:///home/me/project', 'other==1 @ file:///home/me/other', 'numpy==2']
    assert provenance._not_from_copy(lines) == [
        'mine is installed from /home/me/project: runs may import that and not the copy'
    ]


# In the course of a search


@pytest.fixture
def teller(tree: Path, folder: SearchFolder) -> Teller:
    return Teller(folder, tree)


def test_that_the_code_is_not_known_before_the_start(teller: Teller) -> None:
    assert teller.provenance.look() == ''
    assert not teller.provenance.wait(0.0)
    assert teller.begin()['code'] == teller.provenance.look() != ''
    assert teller.provenance.wait(PATIENCE)


def test_that_all_is_reported_by_one_other_thread(teller: Teller, tree: Path) -> None:
    teller.begin()
    teller.provenance.start(teller.take)
    (tree / 'train.py').write_text('2')
    teller.provenance.look()
    teller.next()
    assert len(teller.threads) == 1
    assert threading.get_ident() not in teller.threads


@pytest.mark.parametrize('name', ['train.py', 'model.py'])
def test_that_what_starts_after_a_change_has_another_code_at_once(
    teller: Teller, tree: Path, folder: SearchFolder, name: str
) -> None:
    first = teller.begin()
    (tree / name).write_text('import model\nchanged = True\n')
    code = teller.provenance.look()
    assert code not in ('', first['code'])
    second = teller.next()
    assert second['code'] == code
    assert b'+changed' in (folder.path / second['diff']).read_bytes()
    assert changed_files(folder, first['code'], code) == [name]
    assert teller.provenance.wait(PATIENCE)


def test_that_a_change_within_the_resolution_of_time_stamps_is_seen(teller: Teller, tree: Path) -> None:
    (tree / 'model.py').write_text('a = 2\n')
    first, facts = teller.begin(), (tree / 'model.py').stat()
    (tree / 'model.py').write_text('a = 3\n')
    os.utime(tree / 'model.py', ns=(facts.st_atime_ns, facts.st_mtime_ns))
    assert teller.provenance.look() != first['code']


def test_that_a_module_that_was_not_imported_before_counts_as_soon_as_it_is(teller: Teller, tree: Path) -> None:
    teller.begin()
    (tree / 'later.py').write_text('b = 1\n')
    (tree / 'model.py').write_text('import later\n')
    one = teller.provenance.look()
    (tree / 'later.py').write_text('b = 2\n')
    assert teller.provenance.look() != one


def test_that_new_time_stamps_and_code_that_is_back_are_no_new_code(teller: Teller, tree: Path) -> None:
    first = teller.begin()
    os.utime(tree / 'train.py', (1, 1))
    assert teller.provenance.look() == first['code']
    (tree / 'train.py').write_text('2')
    teller.provenance.look()
    changed = teller.next()
    git(tree, 'checkout', '-q', 'train.py')
    assert teller.provenance.look() == teller.next()['code'] == first['code']
    assert changed['dirty'] is True


@pytest.mark.parametrize('name', ['data.csv', 'README.md', 'other.py', 'out/results.yaml', '.git/index'])
def test_that_what_is_not_code_makes_no_new_code(teller: Teller, tree: Path, name: str) -> None:
    for tracked in ('data.csv', 'README.md', 'other.py'):
        (tree / tracked).write_text('1\n')
        git(tree, 'add', tracked)
    git(tree, 'commit', '-qm', 'second')
    (tree / 'out').mkdir()
    first = teller.begin()
    if name == '.git/index':
        git(tree, 'rm', '-q', '--cached', 'data.csv')
    else:
        (tree / name).write_text('2\n')
    assert teller.provenance.look() == first['code'] == ident_of(tree)


def test_that_a_configuration_file_counts_where_git_tracks_it(teller: Teller, tree: Path) -> None:
    (tree / 'base.yaml').write_text('lr: 1\n')
    git(tree, 'add', 'base.yaml')
    first = teller.begin()
    (tree / 'base.yaml').write_text('lr: 2\n')
    assert teller.provenance.look() != first['code']


def test_that_files_which_git_tracks_by_now_are_looked_for_once_in_a_while(teller: Teller, tree: Path) -> None:
    codes = [teller.begin()['code']]
    track(tree, 'base.yaml')
    teller.provenance.look()
    codes.append(teller.next()['code'])
    track(tree, 'other.yaml')
    teller.now += INTERVAL - 0.001
    assert teller.provenance.look() == codes[-1]
    teller.now += 0.001
    teller.provenance.look()
    codes.append(teller.next()['code'])
    assert len(set(codes)) == 3
    assert teller.provenance.look() == codes[-1] == ident_of(tree)


def track(tree: Path, name: str) -> None:
    (tree / name).write_text('')
    git(tree, 'add', name)


def test_that_looking_takes_a_small_share_of_the_time(teller: Teller, tree: Path) -> None:
    first = teller.begin()
    teller.step = 1.0
    teller.provenance.look()
    teller.step = 0.0
    (tree / 'train.py').write_text('2')
    teller.now += 1 / SHARE_OF_TIME - 0.001
    assert teller.provenance.look() == first['code']
    teller.now += 0.001
    assert teller.provenance.look() != first['code']


def test_that_it_can_be_looked_at_again_at_once(teller: Teller, tree: Path) -> None:
    first = teller.begin()
    teller.step = 1.0
    teller.provenance.look()
    teller.step = 0.0
    (tree / 'train.py').write_text('2')
    assert teller.provenance.look() == first['code']
    assert teller.provenance.look_again() not in ('', first['code'])


@pytest.fixture
def troubled(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[str]]:
    """A git that does not answer for as long as the list is not empty."""
    trouble: list[str] = []
    original = hpsearch.host.git.Repository.tracked

    def tracked(self: hpsearch.host.git.Repository) -> list[str]:
        if trouble:
            raise Problem(trouble.pop())
        return original(self)

    monkeypatch.setattr(hpsearch.host.git.Repository, 'tracked', tracked)
    yield trouble


def test_that_a_git_that_does_not_answer_hides_no_change(teller: Teller, tree: Path, troubled: list[str]) -> None:
    first = teller.begin()
    troubled.append('git is slow')
    (tree / 'train.py').write_text('2')
    git(tree, 'add', 'train.py')
    assert teller.provenance.look() == ident_of(tree) != first['code']
    assert teller.next()['code'] == teller.provenance.look()


def test_that_a_git_that_does_not_answer_at_first_is_told_and_asked_again(teller: Teller, troubled: list[str]) -> None:
    troubled.append('git is slow')
    event = teller.begin()
    assert (event['code'], event['problems']) == ('', ['git is slow'])
    teller.now += INTERVAL
    teller.provenance.look()
    assert teller.next()['code'] == teller.provenance.look() != ''


def test_that_a_script_that_cannot_be_read_for_a_while_is_no_change(
    teller: Teller, tree: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = teller.begin()
    (tree / 'model.py').write_text('a = 2\n')
    with monkeypatch.context() as patch:
        patch.setattr(hpsearch.host.code, '_head', fail)
        assert teller.provenance.look() == first['code']
        assert teller.provenance.look_again() == '', 'what it says of a job that started is said later'
    assert teller.provenance.look() != first['code']


def fail(path: Path) -> bytes:
    raise Problem(f'{path} cannot be read')


def test_that_a_change_is_dated_by_the_files_that_differ(teller: Teller, tree: Path) -> None:
    first = teller.begin()['code']
    before = (tree / 'model.py').stat().st_ctime
    until(lambda: touched(tree / 'probe') > before)
    (tree / 'model.py').write_text('a = 2\n')
    teller.provenance.look()
    assert not teller.provenance.changed_before(first, before)
    assert teller.provenance.changed_before(first, (tree / 'model.py').stat().st_ctime + 0.001)
    assert teller.provenance.changed_before('0123456789ab', before), 'of an unknown code nothing is known'
    (tree / 'model.py').unlink()
    teller.provenance.look()
    assert teller.provenance.changed_before(first, before), 'nothing says when a file was removed'


def touched(path: Path) -> float:
    path.write_text('')
    return path.stat().st_ctime


# What is said of it


def state_with(*codes: str) -> SearchState:
    """A search with one run that ended per code."""
    state = SearchState()
    for number, code in enumerate(codes, 1):
        of_run = {'run': f'sim_{number}', 'attempt': 1}
        state.fold('w', {'event': 'claimed', **of_run, 'code_id': code})
        state.fold('w', {'event': 'ended', **of_run, 'state': 'finished', 'cause': 'exit'})
    return state


def keep_list(folder: SearchFolder, code: str, files: dict[str, str]) -> None:
    folder.provenance_dir.mkdir(exist_ok=True)
    (folder.provenance_dir / f'{code}.json').write_text(json.dumps(files))


@pytest.mark.parametrize('codes', [[], ['a', 'a'], ['', 'a', ''], ['']])
def test_that_one_code_needs_no_warning(folder: SearchFolder, codes: list[str]) -> None:
    assert code_changes(folder, state_with(*codes)) == ''
    assert about_new_code(folder, state_with(*codes), 'a') == ''


def test_that_a_change_between_runs_is_a_warning_with_what_changed(folder: SearchFolder) -> None:
    keep_list(folder, 'a', {'m.py': '1', 'n.py': '1', 'o.py': '1'})
    keep_list(folder, 'b', {'m.py': '2', 'o.py': '1', 'p\n.py': '1'})
    state = state_with('a', 'b', 'a')
    state.fold('w', {'event': 'provenance', 'code': 'b', 'diff': 'provenance/b.diff'})
    assert code_changes(folder, state) == (
        "the code changed between runs: 2 with a, 1 with b (changed: m.py, n.py, 'p\\n.py'; diff: provenance/b.diff)"
    )
    assert about_new_code(folder, state, 'c') == (
        'the code has changed (what differs from b is not known): runs start with c from now on, before with b (1 did)'
    )


def test_that_of_many_codes_the_last_ones_are_told(folder: SearchFolder) -> None:
    text = code_changes(folder, state_with(*'aabcdefgh'))
    assert text.startswith(
        'the code changed between runs: 4 with 3 others, 1 with d (what differs from c is not known)'
    )
    assert text.count(' with ') == 6


def test_that_of_many_changed_files_a_few_are_named(folder: SearchFolder) -> None:
    keep_list(folder, 'a', {})
    keep_list(folder, 'b', {f'm{number}.py': '1' for number in range(9)})
    assert 'm3.py, m4.py and 4 more)' in code_changes(folder, state_with('a', 'b'))


def test_that_no_other_file_is_read_for_the_code_of_a_journal(folder: SearchFolder, tmp_path: Path) -> None:
    folder.provenance_dir.mkdir()
    (tmp_path / 'secret.json').write_text('{}')
    assert changed_files(folder, '../../secret', '../../secret') is None
    os.mkfifo(folder.provenance_dir / 'a.json')
    assert changed_files(folder, 'a', 'a') is None


def test_that_attempts_without_a_code_have_the_one_that_their_writer_found_first(folder: SearchFolder) -> None:
    state = SearchState()
    state.fold('w', {'event': 'claimed', 'run': 'sim_1', 'attempt': 1})
    state.fold('w', {'event': 'running', 'run': 'sim_1', 'attempt': 1})
    state.fold('v', {'event': 'adopted', 'run': 'sim_1', 'attempt': 1, 'generation': 1})
    for code in ('a', 'b'):
        state.fold('w', {'event': 'provenance', 'code': code})
    state.fold('v', {'event': 'provenance', 'code': 'c'})
    assert runs_by_code(state) == {'a': 1}


def test_that_what_never_ran_and_what_was_reused_had_no_code_of_this_search(folder: SearchFolder) -> None:
    state = SearchState()
    for number, cause in enumerate(('abandoned', 'reused'), 1):
        of_run = {'run': f'sim_{number}', 'attempt': 1}
        state.fold('w', {'event': 'claimed', **of_run})
        state.fold('w', {'event': 'ended', **of_run, 'state': 'finished', 'cause': cause})
    state.fold('w', {'event': 'claimed', 'run': 'sim_3', 'attempt': 1})
    state.fold('w', {'event': 'provenance', 'code': 'a'})
    assert runs_by_code(state) == {}


@pytest.mark.parametrize('claim_first', [True, False])
def test_that_code_that_changed_between_submission_and_start_is_marked(folder: SearchFolder, claim_first: bool) -> None:
    state, of_run = SearchState(), {'run': 'sim_1', 'attempt': 1}
    claim = ('w', {'event': 'claimed', **of_run, 'code_id': 'a'})
    found = ('v', {'event': 'code', **of_run, 'code_id': 'b'})
    for writer, event in (claim, found) if claim_first else (found, claim):
        state.fold(writer, event)
    state.fold('w', {'event': 'running', **of_run})
    attempt = state.attempt_of('sim_1', 1)
    assert attempt is not None
    assert attempt.code_text == 'a>b'
    state.fold('w', {'event': 'claimed', 'run': 'sim_2', 'attempt': 1, 'code_id': 'a'})
    state.fold('w', {'event': 'running', 'run': 'sim_2', 'attempt': 1})
    assert code_changes(folder, state).endswith(
        '; 1 of them were submitted with earlier code than was there when they started'
    )


def test_that_the_files_of_a_command_are_those_among_its_words() -> None:
    script = Configuration('c', '', {}, script='a/train.py')
    command = Configuration('c', '', {}, command=['sh', '-e', '/x/run.sh', ''])
    assert code_files(script, Path('/project')) == (Path('/project/a/train.py'),)
    assert code_files(command, Path('/project')) == (Path('/project/sh'), Path('/x/run.sh'))


def test_that_a_repository_that_git_refuses_to_read_is_a_problem_and_not_none(
    tree: Path, folder: SearchFolder, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv('GIT_TEST_ASSUME_DIFFERENT_OWNER', '1')  # git's own tests set it
    with pytest.raises(UnusableRepository, match=r'dubious ownership.*safe.directory'):
        find_repository(tree)
    event = Teller(folder, tree).begin()
    assert 'dubious ownership' in event['problems'][0]
    assert event['code'], 'the script itself still tells it'
