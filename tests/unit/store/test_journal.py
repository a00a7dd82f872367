"""Journals: what is written is read back, whatever happens to the file."""

from __future__ import annotations

import errno
import os
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from hpsearch.model.errors import JournalError
from hpsearch.model.states import State
from hpsearch.store.folder import SearchFolder
from hpsearch.store.journal import Journal, JournalReader, read_state, writer_name


@pytest.fixture
def folder(tmp_path: Path) -> SearchFolder:
    return SearchFolder(tmp_path)


def claimed(run: str) -> dict[str, Any]:
    return {'event': 'claimed', 'run': run, 'attempt': 1}


def runs_read(folder: SearchFolder) -> list[str]:
    return [event['run'] for _, event in JournalReader(folder).news()]


def test_that_events_come_back_with_their_writer(folder: SearchFolder) -> None:
    journal = Journal(folder, 'w1', {'host': 'here'})
    assert journal.append(claimed('a'))
    reader = JournalReader(folder)
    assert list(reader.news()) == [('w1', claimed('a'))]
    assert reader.headers['w1']['host'] == 'here'
    assert reader.headers['w1']['format'] == 1


def test_that_a_reader_goes_on_where_it_left_off(folder: SearchFolder) -> None:
    journal = Journal(folder, 'w1', {})
    reader = JournalReader(folder)
    journal.append(claimed('a'))
    assert len(list(reader.news())) == 1
    journal.append(claimed('b'))
    assert [event['run'] for _, event in reader.news()] == ['b']
    assert list(reader.news()) == []


def test_that_a_torn_last_line_is_left_until_it_is_whole(folder: SearchFolder) -> None:
    journal = Journal(folder, 'w1', {})
    journal.append(claimed('a'))
    path = folder.journal_dir / 'w1.jsonl'
    reader = JournalReader(folder)
    with path.open('ab') as file:
        file.write(b'{"event":"claimed","run":"b",')
        file.flush()
        assert [event['run'] for _, event in reader.news()] == ['a']
        file.write(b'"attempt":1}\n')
    assert [event['run'] for _, event in reader.news()] == ['b']


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=60)
@given(st.binary(min_size=1, max_size=60).filter(lambda data: b'{' not in data))
def test_that_garbage_in_the_middle_costs_no_other_event(folder: SearchFolder, garbage: bytes) -> None:
    path = folder.journal_dir / 'w1.jsonl'
    path.unlink(missing_ok=True)
    journal = Journal(folder, 'w1', {})
    journal.append(claimed('a'))
    with path.open('ab') as file:
        file.write(b'x' + garbage.replace(b'\n', b'') + b'\n')
    journal.append(claimed('b'))
    journal.close()
    reader = JournalReader(folder)
    assert [event['run'] for _, event in reader.news()] == ['a', 'b']
    assert reader.odd


def test_that_garbage_which_completes_to_two_events_is_not_believed(folder: SearchFolder) -> None:
    Journal(folder, 'w1', {}).close()
    with (folder.journal_dir / 'w1.jsonl').open('ab') as file:
        file.write(b'{"event":"claimed","run":"a","attempt":1},{"event":"claimed","run":"b","attempt":1}\n')
        file.write(b'{"event":"claimed","run":"c","attempt":1}\n')
    assert runs_read(folder) == ['c']


def test_that_a_newer_format_is_refused_with_the_reason(folder: SearchFolder) -> None:
    folder.journal_dir.mkdir()
    (folder.journal_dir / 'w9.jsonl').write_text('{"event":"writer","format":99}\n')
    with pytest.raises(JournalError, match=r'format 99.*update hpsearch'):
        list(JournalReader(folder).news())


def test_that_a_journal_is_never_written_over(folder: SearchFolder) -> None:
    Journal(folder, 'w1', {}).close()
    with pytest.raises(JournalError, match='cannot be created'):
        Journal(folder, 'w1', {})


class FlakyDisk:
    """os.write that fails as a full disk does: first in the middle of a line, then wholly."""

    def __init__(self, answers: list[int | None]) -> None:
        self.answers = answers
        self.write = os.write

    def __call__(self, handle: int, data: bytes) -> int:
        answer = self.answers.pop(0) if self.answers else len(data)
        if answer is None:
            raise OSError(errno.ENOSPC, 'No space left on device')
        return self.write(handle, data[:answer])


def test_that_a_full_disk_loses_no_event_and_breaks_no_line(
    folder: SearchFolder, monkeypatch: pytest.MonkeyPatch
) -> None:
    journal = Journal(folder, 'w1', {})
    journal.append(claimed('a'))
    monkeypatch.setattr(os, 'write', FlakyDisk([10, None, 5]))
    assert not journal.append(claimed('b'))
    assert 'full' in journal.blocked
    assert not journal.append(claimed('c'))
    assert 'No space left' in journal.blocked
    assert not journal.flush()
    assert journal.flush()
    assert journal.blocked == ''
    assert runs_read(folder) == ['a', 'b', 'c']


@pytest.mark.parametrize('written', [None, 10, -1])
def test_that_an_event_written_now_or_never_is_as_if_it_had_never_been(
    folder: SearchFolder, monkeypatch: pytest.MonkeyPatch, written: int | None
) -> None:
    journal = Journal(folder, 'w1', {})
    assert journal.append_now(claimed('a'))
    with monkeypatch.context() as broken:
        broken.setattr(os, 'write', FlakyDisk([written]))
        assert not journal.append_now(claimed('b')), 'also where only its line break is missing'
        assert 'cannot be written' in journal.blocked
    assert journal.append_now(claimed('c'))
    assert runs_read(folder) == ['a', 'c']


def test_that_an_event_that_must_be_written_now_comes_after_those_that_wait(
    folder: SearchFolder, monkeypatch: pytest.MonkeyPatch
) -> None:
    journal = Journal(folder, 'w1', {})
    with monkeypatch.context() as broken:
        broken.setattr(os, 'write', FlakyDisk([None, None]))
        journal.append(claimed('a'))
        assert not journal.append_now(claimed('b'))
    assert journal.append_now(claimed('b'))
    assert runs_read(folder) == ['a', 'b']


def test_that_a_beat_that_failed_leaves_nothing_behind(folder: SearchFolder, monkeypatch: pytest.MonkeyPatch) -> None:
    journal = Journal(folder, 'w1', {})
    journal.beat({})
    with monkeypatch.context() as patch:
        patch.setattr(os, 'replace', FlakyDisk([None]))
        with pytest.raises(OSError, match='No space left'):
            journal.beat({})
    journal.close()
    assert sorted(path.name for path in folder.journal_dir.iterdir()) == ['w1.alive', 'w1.jsonl']


def test_that_read_state_folds_all_journals(folder: SearchFolder) -> None:
    Journal(folder, 'w1', {}).append(claimed('a'))
    other = Journal(folder, 'w2', {})
    other.append(claimed('b'))
    other.append({'event': 'ended', 'run': 'b', 'attempt': 1, 'state': 'finished'})
    state = read_state(folder)
    assert (state.state_of('a'), state.state_of('b')) == (State.CLAIMED, State.FINISHED)


def test_that_a_writer_name_is_a_file_name() -> None:
    assert '/' not in writer_name('ho/st name', 12, 0.0, 'ab12')


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=40)
@given(st.dictionaries(st.text(max_size=8), st.text(max_size=20), max_size=4), st.integers(0, 400))
def test_that_a_journal_cut_anywhere_gives_a_prefix_of_its_events(
    folder: SearchFolder, summary: dict[str, str], cut: int
) -> None:
    path = folder.journal_dir / 'w1.jsonl'
    path.unlink(missing_ok=True)
    journal = Journal(folder, 'w1', {})
    written = [{'event': 'ended', 'run': str(n), 'attempt': 1, 'state': 'failed', 'summary': summary} for n in range(3)]
    for event in written:
        journal.append(event)
    journal.close()
    os.truncate(path, min(cut, path.stat().st_size))
    read = [event for _, event in JournalReader(folder).news()]
    assert read == written[: len(read)]
