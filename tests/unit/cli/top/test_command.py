"""``hpsearch top`` as a command: what is printed where there is no terminal, and what is refused."""

from __future__ import annotations

from pathlib import Path

import pytest

from hpsearch.cli.main import main
from hpsearch.cli.viewing.top.parsers import top_parser
from hpsearch.cli.viewing.top.watching import pause_after
from tests.support.shown_search import shown_search


@pytest.fixture(autouse=True)
def size(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv('COLUMNS', '100')
    monkeypatch.setenv('LINES', '20')


@pytest.mark.parametrize('words', [[], ['--once']])
def test_that_one_frame_is_printed_where_there_is_no_terminal(
    words: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    shown_search(tmp_path / 's', 20, waiting=2)
    assert main(['top', *words, str(tmp_path / 's')]) == 0
    out = capsys.readouterr().out
    assert '17 finished · 1 failed · 2 planned' in out
    assert '\x1b' not in out
    assert 'q quit' not in out


def test_that_the_searches_below_a_folder_are_printed(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for each in 'ab':
        shown_search(tmp_path / each, 20)
    assert main(['top', '--once', str(tmp_path)]) == 0
    assert '2 searches  below' in capsys.readouterr().out


def test_that_the_only_search_below_a_folder_is_shown(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    shown_search(tmp_path / 'deep' / 'only', 20)
    monkeypatch.chdir(tmp_path)
    assert main(['top']) == 0
    assert capsys.readouterr().out.startswith('only')


def test_that_options_that_one_frame_does_not_need_are_refused(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        main(['top', '--once', '--interval=1', '--trust'])
    assert '--interval, --trust: without effect with --once' in capsys.readouterr().err


def test_that_a_folder_without_a_search_is_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(['top', str(tmp_path)]) == 2
    assert 'is a search' in capsys.readouterr().err
    assert main(['top', str(tmp_path / 'none')]) == 2
    assert 'is not a search folder' in capsys.readouterr().err


@pytest.mark.parametrize(
    ('took', 'interval', 'expected'), [(0.001, 1.0, 1.0), (0.2, 1.0, 4.0), (3.0, 1.0, 10.0), (3.0, 60.0, 60.0)]
)
def test_that_a_search_that_is_slow_to_read_is_read_less_often(took: float, interval: float, expected: float) -> None:
    assert pause_after(took, interval) == pytest.approx(expected)


@pytest.mark.parametrize('text', ['0', '-1', 'x', 'nan', 'inf'])
def test_that_an_interval_is_a_time(text: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        top_parser().parse_args([f'--interval={text}'])
    assert 'a number of seconds' in capsys.readouterr().err
