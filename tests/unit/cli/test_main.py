"""Exit codes: what is wrong with a request is told from what is wrong with a search or a machine."""

from __future__ import annotations

import errno
import os
from pathlib import Path

import pytest

from hpsearch.cli import main as command
from hpsearch.model.errors import BackendError, ConfigError, DamageError, IllegalMove, JournalError, SearchFolderError


@pytest.mark.parametrize(
    ('error', 'code'),
    [
        (ConfigError(['--retries=x: a number is expected']), 2),
        (SearchFolderError('there is no search here'), 2),
        (BackendError('the driver does not answer'), 2),
        (DamageError('the plan is damaged'), 1),
        (JournalError('the journal cannot be read'), 1),
        (IllegalMove('sim_1, attempt 1: running cannot follow finished'), 1),
        (OSError(errno.EIO, os.strerror(errno.EIO), '/disk/plan'), 1),
        (OSError(errno.EMFILE, os.strerror(errno.EMFILE)), 1),
    ],
)
def test_that_only_a_wrong_request_has_the_status_of_one(
    error: Exception, code: int, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def fail(words: object) -> int:
        raise error

    monkeypatch.setitem(command.VERBS, 'status', fail)
    assert command.main(['status', str(Path('out'))]) == code
    shown = capsys.readouterr().err
    assert shown.startswith('hpsearch: ')
    assert (os.strerror(error.errno or 0) if isinstance(error, OSError) else str(error)) in shown


def test_that_who_may_not_read_is_told_whom_to_ask(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def fail(words: object) -> int:
        raise PermissionError(errno.EACCES, os.strerror(errno.EACCES), '/theirs/stdout.log')

    monkeypatch.setitem(command.VERBS, 'logs', fail)
    assert command.main(['logs']) == 1
    assert 'Permission denied (/theirs/stdout.log). Ask whoever owns it for access.' in capsys.readouterr().err
