"""The output of a run, as ``hpsearch logs`` prints it."""

from __future__ import annotations

import csv
import io
import json
from pathlib import Path

import pytest

from hpsearch.cli.main import main
from tests.support.queued_search import QueuedSearch


def logs(tmp_path: Path, capfdbinary: pytest.CaptureFixture[bytes], *options: str, **texts: str) -> tuple[str, str]:
    """Print the output of a run, which is this; returns what is on stdout and stderr."""
    search = QueuedSearch(tmp_path / 's')
    (name,) = search.plan(1)
    paths = search.folder.attempt(name, 1)
    claim = Path(paths.claim)
    claim.parent.mkdir(parents=True)
    claim.write_text('me')
    for stream, text in texts.items():
        Path(getattr(paths, stream)).write_text(text)
    assert main(['logs', str(search.folder.path), name, *options]) == 0
    out, err = map(bytes.decode, capfdbinary.readouterr())
    return out.replace(f'{claim.parent}/', ''), err


def test_that_whose_output_follows_is_said_in_a_line_of_its_own(
    tmp_path: Path, capfdbinary: pytest.CaptureFixture[bytes]
) -> None:
    out, _ = logs(tmp_path, capfdbinary, stdout='epoch 1', stderr='a warning\n')
    assert out == '==> stdout.log <==\nepoch 1\n==> stderr.log <==\na warning\n'


def test_that_of_a_run_without_output_it_is_said_that_there_is_none(
    tmp_path: Path, capfdbinary: pytest.CaptureFixture[bytes]
) -> None:
    out, err = logs(tmp_path, capfdbinary)
    assert out == ''
    assert err.endswith(' has printed nothing\n')


def test_that_a_program_gets_a_row_for_each_log(tmp_path: Path, capfdbinary: pytest.CaptureFixture[bytes]) -> None:
    (tmp_path / 'a').mkdir()
    (tmp_path / 'b').mkdir()
    out, _ = logs(tmp_path / 'a', capfdbinary, '--json', stdout='epoch 1\n"ü"\n', stderr='')
    rows = json.loads(out)
    assert [(row['path'], row['text']) for row in rows] == [('stdout.log', 'epoch 1\n"ü"\n'), ('stderr.log', '')]
    out, _ = logs(tmp_path / 'b', capfdbinary, '--csv', stdout='epoch 1\n"ü"\n')
    assert list(csv.reader(io.StringIO(out, newline=''))) == [
        ['hpsearch_run', 'path', 'text'], [rows[0]['hpsearch_run'], 'stdout.log', 'epoch 1\n"ü"\n'],
    ]  # fmt: skip


def test_that_what_is_followed_has_no_rows(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        main(['logs', 's', '1', '--json', '-f'])
    assert 'not allowed with' in capsys.readouterr().err
