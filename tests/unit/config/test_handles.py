"""Handles of a search that exists: when its module is executed, and what is said where it is not."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest

from hpsearch.config.handles import (
    HANDLES,
    StoredConfiguration,
    description_of,
    stored_configuration,
    with_results_of,
)
from hpsearch.config.loading import load_configuration
from hpsearch.model.errors import SearchFolderError
from hpsearch.store.folder import SearchFolder

MODULE = """
open('executed', 'a').close()
grid = {'lr': [0.1]}
conditions = []
_SCRIPT_NAME = 'train.py'
_SUMMARY_FILENAME = 'summary.txt'
_SUMMARY_KEYWORDS = ['acc', 'finished']
"""
PARSER = "_SUMMARY_PARSER_HANDLE = lambda out_dir, ident: {'acc': [7]}\n"


@pytest.fixture
def cwd(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


def search(cwd: Path, text: str = MODULE + PARSER) -> SearchFolder:
    """Make a folder of a search with a module; forget that the module was executed for it."""
    (cwd / 'my_config.py').write_text(text)
    configuration = load_configuration('my_config.py', cwd=cwd)
    (cwd / 'executed').unlink()
    folder = SearchFolder(cwd / 'out')
    folder.path.mkdir()
    folder.write_info({'configuration': description_of(configuration, 'my_config.py', str(cwd))})
    return folder


def stored(folder: SearchFolder, **how: Any) -> StoredConfiguration:
    return stored_configuration(folder, folder.read_info(), **how)


def is_executed(cwd: Path) -> bool:
    return (cwd / 'executed').exists()


def test_that_handles_are_loaded_from_the_module(cwd: Path) -> None:
    found = stored(search(cwd))
    assert found.configuration.summary_parser is not None
    assert found.configuration.summary_parser('', '') == {'acc': [7]}
    assert (found.notes, found.lacks_handles) == ((), False)


def test_that_a_module_without_handles_is_not_executed(cwd: Path) -> None:
    found = stored(search(cwd, MODULE))
    assert not is_executed(cwd)
    assert found.configuration.grid == {'lr': [0.1]}
    assert (found.notes, found.lacks_handles) == ((), False)


def test_that_handles_that_are_needed_are_loaded_though_the_search_had_none(cwd: Path) -> None:
    folder = search(cwd, MODULE)
    (cwd / 'my_config.py').write_text(MODULE + PARSER)
    assert stored(folder).configuration.summary_parser is None
    assert stored(folder, handles=HANDLES).configuration.summary_parser is not None


def test_that_a_changed_module_is_noted_and_only_its_handles_are_used(cwd: Path) -> None:
    folder = search(cwd)
    (cwd / 'my_config.py').write_text((MODULE + PARSER).replace('0.1', '0.2').replace('7', '8'))
    found = stored(folder)
    assert found.configuration.grid == {'lr': [0.1]}
    assert found.configuration.summary_parser is not None
    assert found.configuration.summary_parser('', '') == {'acc': [8]}
    (note,) = found.notes
    assert 'has changed' in note


def test_that_another_way_to_read_results_changes_nothing_else(cwd: Path) -> None:
    folder = search(cwd, MODULE)
    info = folder.read_info()
    changed = (
        MODULE.replace('0.1', '0.2').replace("'acc', 'finished'", "'loss'") + '_PERFORMANCE_SORT_ASC = True\n' + PARSER
    )
    (cwd / 'my_config.py').write_text(changed)
    (note,) = stored(folder).notes
    assert 'the plan, and how results are read, stay as they were' in note
    described = with_results_of(info['configuration'], load_configuration('my_config.py', cwd=cwd))
    folder.write_info({**info, 'configuration': described})
    found = stored(folder)
    assert (found.configuration.grid, found.configuration.summary_keywords) == ({'lr': [0.1]}, ['loss'])
    assert (found.configuration.performance_key, found.configuration.performance_ascending) == ('loss', True)
    assert found.configuration.summary_parser is not None
    (note,) = found.notes
    assert note.endswith('has changed since the search was made: the plan stays as it was.')


@pytest.mark.parametrize('text', [None, 'raise RuntimeError("broken")\n'])
def test_that_a_module_that_cannot_be_loaded_leaves_the_built_in_reader(cwd: Path, text: str | None) -> None:
    folder = search(cwd)
    (cwd / 'my_config.py').unlink() if text is None else (cwd / 'my_config.py').write_text(text)
    found = stored(folder)
    assert found.configuration.summary_parser is None
    assert found.lacks_handles
    assert 'cannot be loaded' in found.notes[-1]
    assert 'the built-in reader' in found.notes[-1]
    assert '_SUMMARY_PARSER_HANDLE' in found.notes[-1]


def test_that_a_module_that_is_gone_does_not_matter_without_handles(cwd: Path) -> None:
    folder = search(cwd, MODULE)
    (cwd / 'my_config.py').unlink()
    assert stored(folder).notes == ()


def test_that_the_module_of_another_user_is_not_executed_unless_trusted(
    cwd: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = search(cwd)
    monkeypatch.setattr(os, 'geteuid', lambda: folder.search_json.stat().st_uid + 1)
    found = stored(folder)
    assert not is_executed(cwd)
    assert found.lacks_handles
    assert 'belongs to user' in found.notes[0]
    assert not stored(folder, trust=True).lacks_handles
    assert is_executed(cwd)


@pytest.mark.parametrize('info', [{}, {'configuration': None}, {'configuration': {}}, {'configuration': []}])
def test_that_a_damaged_description_is_named(cwd: Path, info: dict[str, Any]) -> None:
    with pytest.raises(SearchFolderError, match='is damaged'):
        stored_configuration(SearchFolder(cwd), info)
