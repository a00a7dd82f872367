"""``hpsearch report``: which file it writes."""

from __future__ import annotations

import errno
import os
from pathlib import Path

import pytest

from hpsearch.cli.main import main
from tests.support.shown_search import shown_search


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A search, and a current directory in which it is the newest."""
    monkeypatch.chdir(tmp_path)
    return shown_search(tmp_path / 'search', runs=3).path


def test_that_a_report_is_named_after_its_search_and_can_be_written_again(
    folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    before = {path: path.stat().st_mtime_ns for path in folder.rglob('*')}
    assert [main(['report']), main(['report', str(folder)])] == [0, 0]
    assert capsys.readouterr().out.startswith(f'{tmp_path / "report_search.html"} (')
    assert (tmp_path / 'report_search.html').read_text().endswith('</html>\n')
    assert {path: path.stat().st_mtime_ns for path in folder.rglob('*')} == before


@pytest.mark.usefixtures('folder')
def test_that_a_file_that_is_no_report_is_left_alone(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / 'thesis.html').write_text('years of work')
    assert main(['report', '--output=thesis.html']) == 2
    assert 'is there, and is no page of hpsearch' in capsys.readouterr().err
    assert (tmp_path / 'thesis.html').read_text() == 'years of work'
    assert main(['report', '--output=nowhere/a.html']) == 2
    assert 'there is no folder' in capsys.readouterr().err


@pytest.mark.usefixtures('folder')
def test_that_the_width_of_figures_needs_figures(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(['report', '--columns=1']) == 2
    assert '--columns: needs --png or --pdf' in capsys.readouterr().err
    assert not list(tmp_path.glob('*.html'))


def test_that_nothing_is_written_into_the_search_of_somebody_else(
    folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(folder)
    me = os.geteuid()
    monkeypatch.setattr(os, 'geteuid', lambda: me + 1)
    assert main(['report']) == 2
    assert 'in the search of another user' in capsys.readouterr().err
    assert not list(folder.glob('*.html'))


@pytest.mark.usefixtures('folder')
def test_that_a_pipe_or_a_place_where_nothing_can_be_written_is_named_at_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    os.mkfifo(tmp_path / 'pipe')
    assert main(['report', '--output=pipe']) == 2
    assert f'{tmp_path / "pipe"} is there, and is no page of hpsearch' in capsys.readouterr().err

    def refuse(temporary: Path, path: Path) -> None:
        raise PermissionError(errno.EACCES, 'Permission denied', str(temporary))

    monkeypatch.setattr(os, 'replace', refuse)
    assert main(['report']) == 2
    assert (
        f'Permission denied ({tmp_path / "report_search.html"}): name another file with --output'
        in capsys.readouterr().err
    )
    assert sorted(each.name for each in tmp_path.iterdir() if each.name != 'search') == ['pipe']
