"""Which files are the code of a run, as reading them tells; nothing is executed."""

from __future__ import annotations

import errno
import os
from collections.abc import Iterable, Mapping
from pathlib import Path

import pytest

import hpsearch.host.code
from hpsearch.host.code import (
    SETTLED,
    Code,
    CodePlace,
    CodeReader,
    Imports,
    code_of,
    imports_of,
    stamp_of,
)
from hpsearch.host.git import Problem


def write(top: Path, files: Mapping[str, str] | Iterable[str]) -> None:
    """Make files: names with their contents, or just names."""
    for name in files:
        (top / name).parent.mkdir(parents=True, exist_ok=True)
        (top / name).write_text(files[name] if isinstance(files, Mapping) else '')


def read(top: Path, *run: str, tracked: Iterable[str] = (), folders: Iterable[str] = ('',)) -> Code:
    """The code of what is run in a folder."""
    reader = CodeReader(CodePlace(top, [top / name for name in run], [top / folder for folder in folders]))
    reader.tracked = [top / name for name in tracked]
    return reader.read()


# Import statements


@pytest.mark.parametrize(
    ('source', 'names'),
    [
        ('import a, b.c as d', [(0, 'a'), (0, 'b.c')]),
        ('from a.b import c, d as e', [(0, 'a.b.c'), (0, 'a.b.d')]),
        ('from . import a\nfrom ..b import *', [(1, 'a'), (2, 'b.*')]),
        ('def f():\n    try:\n        import late\n    except ImportError: pass', [(0, 'late')]),
        ('import importlib\nimportlib.import_module("a.b")\n__import__("c")', [(0, 'importlib'), (0, 'a.b'), (0, 'c')]),
        ('x = "import a"', []),
    ],
)
def test_that_import_statements_are_read_wherever_they_stand(source: str, names: list[tuple[int, str]]) -> None:
    found = imports_of(source.encode())
    assert (sorted(found.names), found.is_complete) == (sorted(names), True)


@pytest.mark.parametrize(
    'source',
    [
        'from importlib import import_module\nimport_module(name)',
        'importlib.import_module(".a", package=__package__)',
        '__import__()',
        'import runpy\nrunpy.run_path("a.py")',
        'exec(open("a.py").read())',
        'print "Python 2"',
        'a\0',
        '(' * 500,
    ],
)
def test_that_a_module_that_may_import_anything_says_so(source: str) -> None:
    assert not imports_of(source.encode()).is_complete


def test_that_what_the_compiler_warns_of_is_not_shown(recwarn: pytest.WarningsRecorder) -> None:
    assert imports_of(b'"\\d" is 1') == Imports()
    assert not recwarn.list


# The files


def test_that_what_is_imported_counts_and_what_is_not_does_not(tmp_path: Path) -> None:
    write(
        tmp_path,
        {
            'train.py': 'import os, torch, model\nfrom pkg.sub import thing\nfrom pkg import other',
            'model.py': 'import train',
            'pkg/__init__.py': 'from .base import *',
            'pkg/base.py': '',
            'pkg/other.py': '',
            'pkg/sub/__init__.py': 'from .. import up',
            'pkg/sub/thing.py': '',
            'pkg/up.py': '',
            'pkg/unused.py': '',
            'data.csv': '',
        },
    )
    assert sorted(read(tmp_path, 'train.py').files) == [
        *('model.py', 'pkg/__init__.py', 'pkg/base.py', 'pkg/other.py', 'pkg/sub/__init__.py', 'pkg/sub/thing.py'),
        *('pkg/up.py', 'train.py'),
    ]


def test_that_modules_are_found_as_python_finds_them(tmp_path: Path) -> None:
    write(
        tmp_path,
        {
            'scripts/train.py': 'import a, b.c, d, e',
            **dict.fromkeys(('a.py', 'a/__init__.py', 'scripts/b/c.py', 'b/c.py', 'src/d.cpython-311.so', 'e.txt'), ''),
        },
    )
    found = read(tmp_path, 'scripts/train.py', folders=('scripts', '', 'src'))
    assert sorted(found.files) == ['a/__init__.py', 'scripts/b/c.py', 'scripts/train.py', 'src/d.cpython-311.so']


TRACKED = ('train.py', 'other.py', 'base.yaml', 'README.md', 'data.csv')


@pytest.mark.parametrize(
    ('run', 'source', 'found'),
    [
        (['train.py'], 'import os', ['base.yaml', 'train.py']),
        (['train.py'], 'import importlib\nimportlib.import_module(x)', sorted(TRACKED)),
        (['train.sh'], 'python train.py', sorted([*TRACKED, 'train.sh'])),
        (['train.sh', 'train.py'], 'python other.py', sorted([*TRACKED, 'train.sh'])),
        ([], '', sorted(TRACKED)),
    ],
)
def test_that_all_that_git_tracks_counts_where_reading_does_not_tell(
    tmp_path: Path, run: list[str], source: str, found: list[str]
) -> None:
    write(tmp_path, TRACKED)
    if run:
        (tmp_path / run[0]).write_text(source)
    assert sorted(read(tmp_path, *run, tracked=[*TRACKED, 'gone.py']).files) == found


def test_that_a_program_elsewhere_leaves_the_script_to_be_read(tmp_path: Path) -> None:
    write(tmp_path, ('bin/python', 'project/train.py', 'project/other.py'))
    top, program = tmp_path / 'project', tmp_path / 'bin' / 'python'
    reader = CodeReader(CodePlace(top, [program, top / 'train.py', top / 'no_file'], [top]))
    reader.tracked = [top / 'other.py']
    assert sorted(reader.read().files) == [str(program), 'train.py']


def test_that_of_too_many_files_those_that_are_imported_count(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(hpsearch.host.code, 'MOST_FILES', 3)
    write(tmp_path, {'train.py': 'import a', 'a.py': '', **{f'{n}.yaml': '' for n in range(5)}})
    assert sorted(read(tmp_path, 'train.py', tracked=[f'{n}.yaml' for n in range(5)]).files) == [
        *('0.yaml', 'a.py', 'train.py'),
    ]


def test_that_the_id_depends_on_names_contents_and_modes_alone() -> None:
    one = code_of({'a': '1', 'b': '2'})
    assert one.ident == code_of({'b': '2', 'a': '1'}).ident
    assert len({one.ident, *(code_of(each).ident for each in ({'a': '2', 'b': '1'}, {'a': '1'}, {}))}) == 4
    assert code_of({}).ident == ''


def test_that_of_a_long_file_the_beginning_and_the_length_count(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(hpsearch.host.code, 'FILE_LIMIT', 10)
    idents = set()
    for text in ('x' * 11, 'x' * 12, 'y' + 'x' * 11):
        (tmp_path / 'a.sh').write_text(text)
        idents.add(read(tmp_path, 'a.sh').ident)
    assert len(idents) == 3


def test_that_a_file_that_cannot_be_read_is_a_problem(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write(tmp_path, ['train.py'])

    def refuse(*words: object) -> None:
        raise PermissionError(13, 'Permission denied')

    monkeypatch.setattr('builtins.open', refuse)
    with pytest.raises(Problem, match=r'train.py cannot be read: Permission denied'):
        read(tmp_path, 'train.py')


@pytest.mark.parametrize('name', ['stat', 'scandir'])
def test_that_trouble_of_the_machine_is_no_change(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    write(tmp_path, {'train.py': 'import a', 'a.py': ''})
    reader = CodeReader(CodePlace(tmp_path, [tmp_path / 'train.py'], [tmp_path]))
    first = reader.read()

    def fail(path: object, *words: object, **more: object) -> None:
        raise OSError(errno.EIO, 'Input/output error')

    with monkeypatch.context() as patch:
        patch.setattr(f'hpsearch.host.code.os.{name}', fail)
        with pytest.raises(Problem, match='Input/output error'):
            reader.read()
    assert reader.read() == first


@pytest.mark.parametrize('word', ['x' * 5000, 'a\0b', 'train.py/x'])
def test_that_a_word_that_can_be_no_file_is_none(tmp_path: Path, word: str) -> None:
    write(tmp_path, ['train.py'])
    assert stamp_of(tmp_path / word) == ()


# Looking again


def test_that_only_what_has_changed_is_read_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write(tmp_path, {'train.py': 'import a, b', 'a.py': '1', 'b.py': '1'})
    now = [os.stat(tmp_path / 'b.py').st_mtime + SETTLED + 1]
    reader = CodeReader(CodePlace(tmp_path, [tmp_path / 'train.py'], [tmp_path]), lambda: now[0])
    first, opened = reader.read(), list[str]()
    original = hpsearch.host.code._head

    def head(path: Path) -> bytes:
        opened.append(path.name)
        return original(path)

    monkeypatch.setattr(hpsearch.host.code, '_head', head)
    assert not reader.has_changed()
    assert (reader.read(), opened) == (first, [])
    (tmp_path / 'a.py').write_text('22')
    assert reader.has_changed()
    assert not reader.is_same()
    assert reader.read().ident != first.ident
    assert set(opened) == {'a.py'}


def test_that_a_file_written_just_now_is_read_until_its_time_stamp_can_be_relied_upon(tmp_path: Path) -> None:
    write(tmp_path, {'train.py': '1'})
    written = os.stat(tmp_path / 'train.py').st_mtime
    now = [written + SETTLED / 2]
    reader = CodeReader(CodePlace(tmp_path, [tmp_path / 'train.py'], [tmp_path]), lambda: now[0])
    reader.read()
    assert reader.has_changed()
    assert reader.is_same()
    now[0] = written + SETTLED + 0.1
    reader.read()
    assert not reader.has_changed()


def test_that_a_folder_has_no_stamp(tmp_path: Path) -> None:
    assert stamp_of(tmp_path) == stamp_of(tmp_path / 'gone') == ()
