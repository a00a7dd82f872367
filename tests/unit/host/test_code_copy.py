"""The copy of the code that runs are started from: what is in it, and how it is used."""

from __future__ import annotations

import os
import stat
import subprocess
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import pytest

import hpsearch.host.code_copy
from hpsearch.arguments.command import CommandForm
from hpsearch.host.code_copy import (
    CodeCopy,
    Contents,
    code_copy,
    contents_of_code,
    copy_code,
    copy_from_info,
    from_copy,
    git_facts,
    info_of_copy,
)
from hpsearch.host.git import Problem
from hpsearch.model.configuration import Configuration
from tests.support.git_settings import without_git_settings


@pytest.fixture(autouse=True)
def own_git_settings(monkeypatch: pytest.MonkeyPatch, tmp_path_factory: pytest.TempPathFactory) -> None:
    """Keep the settings of whoever runs the tests, and any repository around the temporary folder, out of them."""
    without_git_settings(monkeypatch, tmp_path_factory.getbasetemp().parent)


def git(where: Path, *words: str) -> None:
    who = [
        '-c',
        'user.name=a',
        '-c',
        'user.email=a@b',
        '-c',
        'commit.gpgsign=false',
        '-c',
        'protocol.file.allow=always',
    ]
    subprocess.run(['git', *who, *words], cwd=where, check=True, capture_output=True)


def write(top: Path, files: Mapping[str, str]) -> None:
    for name, text in files.items():
        (top / name).parent.mkdir(parents=True, exist_ok=True)
        (top / name).write_text(text)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder with a script and a module, without git."""
    top = tmp_path / 'project'
    write(top, {'train.py': 'import model', 'model.py': '1', 'pkg/__init__.py': ''})
    return top


@pytest.fixture
def tree(folder: Path) -> Path:
    """The same in a git tree with one commit."""
    write(folder, {'.gitignore': 'data/\n*.so\n'})
    git(folder, 'init', '-q', '-b', 'main')
    git(folder, 'add', '.')
    git(folder, 'commit', '-q', '-m', 'first')
    return folder


def contents(top: Path, script: str = 'train.py', results: str = 'out') -> Contents:
    return contents_of_code([top / script], top, top / results)


def copied(top: Path) -> Path:
    """The copy of the code of a folder."""
    copy = top.parent / 'copy'
    copy_code(contents(top), copy)
    return copy


# What is in it


def test_that_a_git_tree_is_copied_with_what_is_not_committed(tree: Path) -> None:
    write(tree, {'model.py': '2', 'new.py': '3', 'data/set.bin': '4', 'pkg/fast.so': '5', '__pycache__/m.pyc': '6'})
    (tree / 'pkg' / '__init__.py').unlink()
    found = contents(tree)
    assert found.files == ['.gitignore', 'model.py', 'new.py', 'train.py']
    assert sorted(found.linked) == ['data', 'pkg/fast.so']
    copy = copied(tree)
    assert [(copy / name).read_text() for name in ('model.py', 'new.py', 'data/set.bin')] == ['2', '3', '4']
    assert (os.readlink(copy / 'data'), (copy / 'pkg' / 'fast.so').is_symlink()) == (str(tree / 'data'), True)
    assert not (copy / '.git').exists()


def test_that_a_script_deep_in_a_tree_gets_all_of_it(tree: Path) -> None:
    write(tree, {'scripts/train.py': ''})
    found = contents_of_code([tree / 'scripts' / 'train.py'], tree / 'scripts', tree / 'out')
    assert found.top == tree
    assert {'model.py', 'scripts/train.py'} <= set(found.files)


@pytest.mark.parametrize('uses_git', [True, False])
def test_that_results_of_searches_are_neither_copied_nor_linked(tree: Path, uses_git: bool) -> None:
    if not uses_git:
        (tree / '.git').rename(tree.parent / 'aside')
    write(
        tree, {'out/search_1/x': '', 'old/a/search.json': '{}', 'old/a/runs.jsonl': '', 'old/a/b/c': '', 'old/kept': ''}
    )
    found = contents(tree)
    assert [name for name in found.files if name.startswith(('out', 'old'))] == ['old/kept']
    (tree / '.gitignore').write_text('out/\n')
    assert contents(tree).linked == []
    assert contents(tree, results='out/deep/in/it').linked == []


def test_that_results_beside_the_code_hide_none_of_it(folder: Path) -> None:
    assert sorted(contents(folder, results='.').files) == ['model.py', 'pkg/__init__.py', 'train.py']
    assert sorted(contents(folder, results='..').files) == ['model.py', 'pkg/__init__.py', 'train.py']


def test_that_submodules_and_repositories_in_the_tree_are_copied(tree: Path) -> None:
    other = tree.parent / 'other'
    write(other, {'lib.py': '1', '.gitignore': 'data/\n'})
    git(other, 'init', '-q')
    git(other, 'add', '.')
    git(other, 'commit', '-qm', 'first')
    git(tree, 'submodule', 'add', '-q', str(other), 'sub')
    git(tree, 'submodule', 'add', '-q', str(other), 'gone')
    git(tree, 'submodule', 'deinit', '-f', 'gone')
    git(tree, 'clone', '-q', str(other), 'nested')
    write(tree, {'sub/lib.py': '2', 'sub/data/set': ''})
    found = contents(tree)
    assert {'sub/lib.py', 'nested/lib.py'} <= set(found.files)
    assert found.linked == ['sub/data']
    assert found.left_out == ['gone is not copied: it is a submodule that is not checked out']
    assert (copied(tree) / 'sub' / 'lib.py').read_text() == '2'


def test_that_without_git_the_folder_is_copied_and_environments_are_linked(folder: Path) -> None:
    write(folder, {'.venv/pyvenv.cfg': '', 'env/conda-meta/history': '', '__pycache__/a.pyc': '', 'data.csv': ''})
    found = contents(folder)
    assert sorted(found.files) == ['data.csv', 'model.py', 'pkg/__init__.py', 'train.py']
    assert sorted(found.linked) == ['.venv', 'env']


def test_that_without_git_the_working_directory_is_copied_if_the_script_is_in_it(folder: Path, tmp_path: Path) -> None:
    write(folder, {'scripts/train.py': ''})
    script = [folder / 'scripts' / 'train.py']
    assert contents_of_code(script, folder, tmp_path / 'out').top == folder
    assert contents_of_code(script, tmp_path / 'elsewhere', tmp_path / 'out').top == folder / 'scripts'


def test_that_what_is_too_large_is_not_copied_and_the_largest_part_named(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert contents(folder).problem() == ''
    write(folder, {'data/a': 'x' * 700_000, 'data/b': 'x' * 700_000, 'c': 'x' * 600_000})
    monkeypatch.setattr(hpsearch.host.code_copy, 'MOST_BYTES', 1 << 20)
    problem = contents(folder).problem()
    assert '6 files and 1.9 MiB, but no more than 20,000 files and 1.0 MiB' in problem
    assert 'The largest: data 1.3 MiB, c 0.6 MiB,' in problem
    assert '.gitignore' in problem
    monkeypatch.setattr(hpsearch.host.code_copy, 'MOST_BYTES', 1 << 30)
    monkeypatch.setattr(hpsearch.host.code_copy, 'MOST_FILES', 3)
    assert 'no more than 3 files' in contents(folder).problem()


def test_that_many_ignored_files_are_not_linked_one_by_one(tree: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(hpsearch.host.code_copy, 'MOST_LINKS', 3)
    write(tree, {'data/x': '', **{f'pkg/{number}.so': '' for number in range(4)}})
    assert contents(tree).linked == ['data']


# How it is made


def test_that_links_lead_where_they_led_and_within_the_tree_to_the_copy(folder: Path) -> None:
    write(folder.parent, {'elsewhere/x.py': 'there'})
    links = {
        'inside.py': 'model.py',
        'absolute.py': str(folder / 'model.py'),
        'pkg/up.py': '../model.py',
        'outside.py': '../elsewhere/x.py',
        'folder': '../elsewhere',
        'broken': '/no/such/file',
    }
    for name, target in links.items():
        (folder / name).symlink_to(target)
    copy = copied(folder)
    (folder / 'model.py').write_text('edited')
    assert [(copy / name).read_text() for name in ('inside.py', 'absolute.py', 'pkg/up.py')] == ['1', '1', '1']
    assert {name: os.readlink(copy / name) for name in ('outside.py', 'folder', 'broken')} == {
        'outside.py': str(folder.parent / 'elsewhere' / 'x.py'),
        'folder': str(folder.parent / 'elsewhere'),
        'broken': '/no/such/file',
    }


def test_that_modes_are_kept_as_far_as_nobody_else_may_write(folder: Path) -> None:
    (folder / 'train.py').chmod(0o775)
    (folder / 'model.py').chmod(0o640)
    copy = copied(folder)
    modes = [stat.S_IMODE((copy / name).stat().st_mode) for name in ('train.py', 'model.py')]
    assert modes == [0o755, 0o640]
    assert (copy / 'model.py').stat().st_mtime == (folder / 'model.py').stat().st_mtime


def test_that_a_copy_of_code_that_changes_meanwhile_is_refused(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    original = hpsearch.host.code_copy._copy

    def copy_and_edit(top: Path, name: str, to: Path) -> None:
        original(top, name, to)
        (folder / 'model.py').write_text(f'edited with {name}')

    found = contents(folder)
    monkeypatch.setattr(hpsearch.host.code_copy, '_copy', copy_and_edit)
    with pytest.raises(Problem, match=r'model.py changed while the code was copied'):
        copy_code(found, folder.parent / 'copy')


def test_that_a_file_that_is_gone_by_now_is_named(folder: Path, tmp_path: Path) -> None:
    found = contents(folder)
    (folder / 'model.py').unlink()
    with pytest.raises(Problem, match=r'model.py cannot be copied: No such file'):
        copy_code(found, tmp_path / 'copy')


def test_that_nothing_that_is_there_is_overwritten(folder: Path, tmp_path: Path) -> None:
    (tmp_path / 'copy').mkdir()
    with pytest.raises(Problem, match='is there already'):
        copied(folder)


# How it is used

PYTHON = 'python3'


def test_that_relative_words_need_no_change_where_the_working_directory_is_copied(folder: Path) -> None:
    copy = code_copy(contents(folder), [PYTHON, 'train.py'], folder, {})
    assert (copy.run_cwd, copy.words) == ('.', {})
    assert copy.cwd_of(Path('/s/code'), str(folder)) == '/s/code'
    inner = code_copy(contents(folder), [PYTHON, '../train.py'], folder / 'pkg', {})
    assert (inner.cwd_of(Path('/s/code'), 'x'), inner.words) == ('/s/code/pkg', {})


def test_that_words_that_lead_to_the_original_lead_to_the_copy(folder: Path, tmp_path: Path) -> None:
    absolute = code_copy(contents(folder), [PYTHON, str(folder / 'train.py')], folder, {})
    assert absolute.argv(Path('/s/code'), [PYTHON, str(folder / 'train.py'), 'x']) == (PYTHON, '/s/code/train.py', 'x')
    elsewhere = code_copy(contents(folder), [PYTHON, 'project/train.py'], tmp_path, {})
    assert (elsewhere.run_cwd, elsewhere.words) == (None, {1: 'train.py'})
    assert elsewhere.cwd_of(Path('/s/code'), str(tmp_path)) == str(tmp_path)
    link = tmp_path / 'link'
    link.symlink_to(folder)
    linked = code_copy(contents(folder), [PYTHON, str(link / 'train.py')], link, {})
    assert (linked.run_cwd, linked.words) == ('.', {1: 'train.py'})


def test_that_a_program_elsewhere_stays(folder: Path) -> None:
    copy = code_copy(contents(folder), ['/bin/sh', '-e', 'train.py', ''], folder, {})
    assert copy.words == {}


def test_that_a_script_that_would_not_be_in_the_copy_is_a_problem(tree: Path) -> None:
    write(tree, {'data/train.py': ''})
    with pytest.raises(Problem, match=r'data/train.py would not be in the copy'):
        code_copy(contents(tree), [PYTHON, 'data/train.py'], tree, {})
    write(tree, {'data/python': ''})
    assert code_copy(contents(tree), [str(tree / 'data' / 'python'), 'train.py'], tree, {}).words == {}


def test_that_folders_of_the_original_in_a_path_are_those_of_the_copy(folder: Path) -> None:
    copy = CodeCopy(str(folder), '.')
    entries = os.pathsep.join(['/other', str(folder), str(folder / 'src'), 'relative', ''])
    assert copy.python_path(Path('/s/code'), entries) == os.pathsep.join(
        ['/other', '/s/code', '/s/code/src', 'relative', '']
    )


def test_that_script_and_command_of_a_configuration_are_those_of_the_copy() -> None:
    copy, place = CodeCopy('/p', None, {1: 'train.py'}), Path('/s/code')
    script = Configuration('c', '', {}, script='/p/train.py')
    command = Configuration('c', '', {}, command=['sh', '/p/train.py'])
    assert from_copy(script, copy, place).script == '/s/code/train.py'
    assert from_copy(command, copy, place).command == ['sh', '/s/code/train.py']
    wrapped = replace(command, command=['wrap', '{script}', '{lr}'], script='/p/train.py', grid={'lr': [1]})
    variables = replace(script, env={'A': '1', 'B': '2'})
    assert from_copy(variables, CodeCopy('/p', None, {4: 'train.py'}), place).script == '/s/code/train.py'
    braces = from_copy(wrapped, copy, Path('/{lr}/code'))
    assert CommandForm(braces, 'python3').argv('/o/sim', {'lr': 1})[:3] == ('wrap', '/{lr}/code/train.py', '1')
    assert from_copy(command, None, place) is command


def test_that_a_copy_is_described_and_read_again() -> None:
    copy = CodeCopy('/p', 'a', {1: 'train.py'}, {'commit': 'abc', 'dirty': True})
    assert copy_from_info(info_of_copy(copy)) == copy


@pytest.mark.parametrize('info', [{}, {'of': '/p', 'run_cwd': None, 'words': ['a']}, 3])
def test_that_a_damaged_description_is_an_error(info: object) -> None:
    with pytest.raises(ValueError, match='copy of the code'):
        copy_from_info(info)  # type: ignore[arg-type]


def test_that_git_is_asked_of_the_code(tree: Path, tmp_path: Path) -> None:
    (tree / 'model.py').write_text('2')
    facts = git_facts(tree / 'pkg')
    assert (len(facts['commit']), facts['branch'], facts['dirty']) == (40, 'main', True)
    assert git_facts(tmp_path) == {}
