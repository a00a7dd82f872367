"""Provenance: what is found out about code and environment, without touching either or holding anybody up."""

from __future__ import annotations

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

import hpsearch.host.git
import hpsearch.store.provenance
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
from hpsearch.store.folder import SearchFolder
from hpsearch.store.provenance import (
    INTERVAL,
    NAMES_LIMIT,
    Provenance,
    ask_interpreter,
    code_changes,
    code_files,
    diff_text,
    is_due,
    read_code,
)
from tests.support.harness import until

PATIENCE = 60.0


@pytest.fixture(autouse=True)
def own_git_settings(monkeypatch: pytest.MonkeyPatch, tmp_path_factory: pytest.TempPathFactory) -> None:
    """Keep the settings of whoever runs the tests, and any repository around the temporary folder, out of them."""
    for name in [name for name in os.environ if name.startswith('GIT_')]:
        monkeypatch.delenv(name)
    monkeypatch.setenv('GIT_CONFIG_GLOBAL', os.devnull)
    monkeypatch.setenv('GIT_CONFIG_NOSYSTEM', '1')
    monkeypatch.setenv('GIT_CEILING_DIRECTORIES', str(tmp_path_factory.getbasetemp().parent))


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
    """Starts to gather and collects the events."""

    def __init__(self, folder: SearchFolder, script_dir: Path, interpreter: str = '', **more: Any) -> None:
        self.provenance = Provenance(
            folder, script_dir, interpreter, [script_dir / 'train.py'], clock=lambda: 0.0, **more
        )
        self.events: queue.Queue[dict[str, Any]] = queue.Queue()
        self.threads: set[int] = set()
        self._now = 0.0

    def begin(self) -> dict[str, Any]:
        self.provenance.start(self.take)
        return self.next()

    def take(self, event: dict[str, Any]) -> None:
        self.threads.add(threading.get_ident())
        self.events.put(event)

    def next(self) -> dict[str, Any]:
        """Wait for an event."""
        return self.events.get(timeout=PATIENCE)

    def check(self) -> None:
        """Check when it is time again."""
        self.provenance.check(self._now)
        self._now += INTERVAL
        self.provenance.check(self._now)


def ident_of(tree: Path) -> str:
    """Return the id of the code as it is now."""
    return read_code(find_repository(tree), [tree / 'train.py']).ident


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
    git(tree, 'commit', '-qam', 'second')
    seen.append(ident_of(tree))
    (tree / 'model.py').unlink()
    seen.append(ident_of(tree))
    git(tree, 'checkout', '-q', 'model.py')
    (tree / 'model.py').chmod(0o755)
    seen.append(ident_of(tree))
    assert len(set(seen)) == 5


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
    one = read_code(find_repository(tree), [tree / 'own.py']).ident
    (tree / 'own.py').write_text('2')
    assert read_code(find_repository(tree), [tree / 'own.py']).ident != one


def test_that_without_git_the_script_tells_the_code(code: Path, folder: SearchFolder) -> None:
    event = Teller(folder, code).begin()
    assert list(event['files']) == [str(code / 'train.py')]
    assert 'commit' not in event
    before = event['code']
    (code / 'train.py').write_text('import other\n')
    assert before != ident_of(code) != ''


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
    assert read_code(None, [tmp_path / 'gone', tmp_path]).ident == ''


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
    assert len(event['problems']) == 2
    assert (event['dirty'], event['code']) == (True, ident_of(tree))


# In the course of a search


@pytest.fixture
def teller(tree: Path, folder: SearchFolder) -> Teller:
    return Teller(folder, tree)


def test_that_the_code_is_not_known_before_the_start(teller: Teller) -> None:
    assert teller.provenance.code == ''
    teller.check()
    assert not teller.provenance.wait(0.0)
    assert teller.begin()['code'] == teller.provenance.code != ''
    assert teller.provenance.wait(PATIENCE)


def test_that_all_happens_in_one_other_thread(teller: Teller, tree: Path) -> None:
    teller.begin()
    teller.provenance.start(teller.take)
    (tree / 'train.py').write_text('2')
    teller.check()
    teller.next()
    assert len(teller.threads) == 1
    assert threading.get_ident() not in teller.threads


@pytest.mark.parametrize('name', ['train.py', 'model.py'])
def test_that_a_change_between_attempts_is_told_with_its_diff(
    teller: Teller, tree: Path, folder: SearchFolder, name: str
) -> None:
    first = teller.begin()
    (tree / name).write_text('changed = True\n')
    teller.check()
    second = teller.next()
    assert second['code'] == teller.provenance.code != first['code']
    assert b'+changed' in (folder.path / second['diff']).read_bytes()


def test_that_unchanged_code_is_not_told_again(teller: Teller, tree: Path) -> None:
    first = teller.begin()
    os.utime(tree / 'train.py', (1, 1))
    teller.check()
    (tree / 'train.py').write_text('2')
    teller.check()
    changed = teller.next()
    git(tree, 'checkout', '-q', 'train.py')
    teller.check()
    assert [changed['dirty'], teller.next()['code']] == [True, first['code']]


def test_that_a_check_within_the_interval_does_nothing(teller: Teller, tree: Path) -> None:
    first = teller.begin()
    teller.provenance.check(100.0)
    (tree / 'train.py').write_text('2')
    for now in (100.0 + INTERVAL / 2, 100.0 + INTERVAL - 0.001):
        teller.provenance.check(now)
    assert teller.events.empty()
    assert teller.provenance.code == first['code']
    teller.provenance.check(100.0 + INTERVAL)
    assert teller.next()['code'] == ident_of(tree) != first['code']


def test_that_looking_at_unchanged_code_takes_a_small_share_of_the_time() -> None:
    assert is_due(changed=True, since=0.0, took=10.0)
    assert is_due(changed=False, since=60.0, took=1.0)
    assert not is_due(changed=False, since=60.0, took=2.0)


@pytest.fixture
def troubled(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[str]]:
    """A git that does not answer for as long as the list is not empty."""
    trouble: list[str] = []
    original = hpsearch.host.git.Repository.look

    def look(self: hpsearch.host.git.Repository) -> Tree:
        if trouble:
            raise Problem(trouble.pop())
        return original(self)

    monkeypatch.setattr(hpsearch.host.git.Repository, 'look', look)
    yield trouble


def test_that_a_git_that_does_not_answer_is_no_change_of_the_code(
    teller: Teller, tree: Path, troubled: list[str]
) -> None:
    first = teller.begin()
    troubled.append('git is slow')
    (tree / 'train.py').write_text('2')
    teller.check()
    until(lambda: not troubled)
    assert teller.provenance.code == first['code']
    teller.check()
    assert teller.next()['code'] == ident_of(tree)


def test_that_a_git_that_does_not_answer_at_first_is_told_and_asked_again(teller: Teller, troubled: list[str]) -> None:
    troubled.append('git is slow')
    event = teller.begin()
    assert (event['code'], event['problems']) == ('', ['git is slow'])
    teller.check()
    assert teller.next()['code'] == teller.provenance.code != ''


# What is said of it


@pytest.mark.parametrize('codes', [[], ['a', 'a'], ['', 'a', ''], ['']])
def test_that_one_code_needs_no_warning(codes: list[str]) -> None:
    assert code_changes(codes) == ''


def test_that_a_change_between_attempts_is_a_warning() -> None:
    assert code_changes(['a', 'b', '', 'a'], {'b': 'provenance/b.diff'}) == (
        'the code changed between attempts: 2 with a, 1 with b (diff: provenance/b.diff)'
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
