"""What of a run cannot be read is said, and keeps nobody from reading the rest."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from hpsearch.cli.main import main
from hpsearch.cli.status import status_lines, why_under_way
from hpsearch.model.states import State
from hpsearch.records.reading import read_search
from hpsearch.store.attempt_files import claim
from tests.support.queued_search import BEGIN, QueuedSearch

NOW = BEGIN + 100.0

WITHOUT_CONTENT: dict[str, Callable[[Path], object]] = {
    'folder': os.mkdir,
    'loop': lambda path: path.symlink_to(path.name),
    'link to nothing': lambda path: path.symlink_to('nothing'),
    'pipe': os.mkfifo,
    'no text': lambda path: path.write_bytes(b'\xff\xfe\x80\n'),
}

FILES = ('claim', 'started', 'exit', 'stdout.log', 'stderr.log', 'metrics.jsonl', 'signalled', 'requeued')


def begun(search: QueuedSearch, name: str) -> None:
    search.claim(name, gpus=['0'])
    search.event('running', run=name, attempt=1, handle={})


def failed(search: QueuedSearch, name: str) -> None:
    begun(search, name)
    search.end(name, 1, stderr='Traceback (most recent call last):\nRuntimeError: the loss is nan\n')
    search.event('ended', run=name, attempt=1, state='failed', cause='exit', code=1, reason='exit status 1')


@pytest.fixture
def search(tmp_path: Path) -> QueuedSearch:
    return QueuedSearch(tmp_path / 'search')


def replaced(path: str | Path, kind: str) -> None:
    """Put something else in the place of what is there."""
    if os.path.isdir(path):
        shutil.rmtree(path)
    elif os.path.lexists(path):
        os.unlink(path)
    WITHOUT_CONTENT[kind](Path(path))


@pytest.mark.parametrize('kind', WITHOUT_CONTENT)
@pytest.mark.parametrize('file', FILES)
def test_that_no_file_of_a_run_keeps_the_others_from_being_read(search: QueuedSearch, kind: str, file: str) -> None:
    fine, bad, under_way, lost = search.plan(4)
    failed(search, bad)
    for name in (fine, under_way, lost):
        begun(search, name)
        search.end(name, 0, acc=0.5)
    search.event('ended', run=lost, attempt=1, state='lost', reason='no exit record')
    in_queue, ended = search.submit(2)
    search.start(in_queue)
    search.end(ended, 1, stderr='MemoryError\n')
    search.leave()
    for name in (bad, under_way, lost, in_queue, ended):
        replaced(Path(search.folder.attempt(name, 1).folder, file), kind)
    record = read_search(search.folder, NOW, with_failures=True)
    assert [run.state for run in record.runs[:2]] == [State.FINISHED, State.FAILED]
    assert len(record.runs) == 6
    assert any(bad in group.runs for group in record.failures)
    assert fine in '\n'.join(status_lines(search.folder, as_json=False))


@pytest.mark.parametrize('kind', WITHOUT_CONTENT)
def test_that_a_claim_that_cannot_be_read_is_told(search: QueuedSearch, kind: str) -> None:
    odd, fine = search.plan(2)
    for name in (odd, fine):
        claim(search.folder, name, 1, 'w')
    replaced(search.folder.attempt(odd, 1).folder, 'folder')
    replaced(search.folder.attempt(odd, 1).claim, kind)
    record = read_search(search.folder, NOW)
    assert len(record.runs) == 2
    assert all(f'what {odd} left cannot be read' in note for note in record.notes)
    assert bool(record.notes) is (kind in ('folder', 'loop'))


def test_that_runs_are_shown_where_their_files_may_not_be_listed(search: QueuedSearch) -> None:
    (name,) = search.plan(1)
    failed(search, name)
    replaced(search.folder.jobs_dir, 'loop')
    record = read_search(search.folder, NOW, with_failures=True)
    assert record.runs[0].state is State.FAILED
    (note,) = record.notes
    assert note.startswith(
        f'what runs left cannot be read: Too many levels of symbolic links ({search.folder.jobs_dir}'
    )


def test_that_a_search_whose_claims_cannot_be_read_may_be_under_way(search: QueuedSearch) -> None:
    search.plan(1)
    search.leave()
    assert not why_under_way(search.folder)
    replaced(search.folder.jobs_dir, 'loop')
    assert 'cannot be read' in why_under_way(search.folder)


# Logs


def test_that_failures_are_grouped_only_where_they_are_shown(search: QueuedSearch) -> None:
    (name,) = search.plan(1)
    failed(search, name)
    assert not read_search(search.folder, NOW).failures
    (group,) = read_search(search.folder, NOW, with_failures=True).failures
    assert 'RuntimeError: the loss is nan' in group.words


@pytest.mark.parametrize('kind', ['folder', 'loop', 'pipe'])
def test_that_a_group_of_failures_says_which_log_cannot_be_read(search: QueuedSearch, kind: str) -> None:
    (name,) = search.plan(1)
    failed(search, name)
    log = search.folder.attempt(name, 1).stderr
    replaced(log, kind)
    (group,) = read_search(search.folder, NOW, with_failures=True).failures
    assert group.words.splitlines()[0] == 'exit status 1'
    assert f'{log} cannot be read: ' in group.words


@pytest.mark.parametrize('kind', ['folder', 'loop', 'link to nothing', 'pipe'])
def test_that_the_other_log_is_printed(
    search: QueuedSearch, capfdbinary: pytest.CaptureFixture[bytes], kind: str
) -> None:
    (name,) = search.plan(1)
    failed(search, name)
    log = search.folder.attempt(name, 1).stdout
    replaced(log, kind)
    assert main(['logs', str(search.folder.path), name]) == 1
    out, err = map(bytes.decode, capfdbinary.readouterr())
    assert 'RuntimeError: the loss is nan' in out
    assert f'{log} cannot be read' in err


# What is said


@pytest.mark.parametrize('words', [['list'], ['best'], ['show', '{run}'], ['diff', '{run}', '2']])
def test_that_what_cannot_be_read_is_said_beside_the_rest(
    search: QueuedSearch, capsys: pytest.CaptureFixture[str], words: list[str]
) -> None:
    names = search.plan(10)
    for name in names[:7]:
        begun(search, name)
        replaced(search.folder.attempt(name, 1).exit, 'folder')
    begun(search, names[7])
    search.end(names[7], 0, acc=0.5)
    verb, *runs = (word.format(run=names[7]) for word in words)
    assert main([verb, str(search.folder.path), *runs]) == 0
    out, err = capsys.readouterr()
    assert '0.5' in out
    lines = err.splitlines()
    assert lines[0] == (
        f'hpsearch: what {names[0]} left cannot be read: Is a directory ({search.folder.attempt(names[0], 1).exit})'
    )
    assert lines[5:] == ['hpsearch: and 2 more like these']
