"""What the dispatcher finds out about the code of jobs when it sees that they have started."""

from __future__ import annotations

import errno
import logging
from pathlib import Path
from typing import Any, cast

import pytest

from hpsearch.dispatch.heartbeat import Heartbeat
from hpsearch.store.attempt_files import claim
from hpsearch.store.provenance import Provenance
from tests.fakes.instant_backend import InstantBackend
from tests.support.dispatching import Desk


class Code:
    """The code as it is now.

    Attributes:
        now: Its id.
        changes: When its files changed.
    """

    def __init__(self, now: str = '', changes: float = 0.0) -> None:
        self.now = now
        self.changes = changes
        self.asked: list[tuple[str, float]] = []

    def start(self, report: object) -> None:
        """It is known already."""

    def look(self) -> str:
        """What it is."""
        return self.now

    def look_again(self) -> str:
        """What it is."""
        return self.now

    def changed_before(self, code: str, moment: float) -> bool:
        """Whether it had changed by then."""
        self.asked.append((code, moment))
        return self.changes <= moment

    def wait(self, timeout: float) -> bool:
        """There is nothing to wait for."""
        return True


def started(desk: Desk, code: Code, claimed: str | None) -> Heartbeat:
    """A run that was claimed with a code and whose job has begun."""
    facts: dict[str, Any] = {} if claimed is None else {'code_id': claimed}
    claim(desk.folder, 'sim_1', 1, 'me')
    Path(desk.folder.attempt('sim_1', 1).started).write_text('')
    desk.recorder.record('claimed', 'sim_1', 1, **facts)
    heartbeat = Heartbeat(desk.search, InstantBackend(desk.clock), lambda: cast(Provenance, code))
    heartbeat.job_started('sim_1', 1)
    return heartbeat


@pytest.mark.parametrize(
    ('claimed', 'now', 'changes', 'is_noted'),
    [('a', 'b', 0.0, True), ('a', 'b', 1e12, False), ('a', 'a', 0.0, False), (None, 'b', 0.0, False)],
)
def test_that_other_code_at_the_start_of_a_job_is_noted(
    tmp_path: Path, claimed: str | None, now: str, changes: float, is_noted: bool
) -> None:
    desk, code = Desk(tmp_path), Code(now, changes)
    started(desk, code, claimed).step(0.0, '')
    noted = [{'event': 'code', 'run': 'sim_1', 'attempt': 1, 'code_id': now}]
    assert desk.events('code') == (noted if is_noted else [])
    assert desk.state.code_of('sim_1') == ''  # it has not ended
    began = Path(desk.folder.attempt('sim_1', 1).started).stat().st_mtime
    assert code.asked == ([('a', began)] if (claimed, now) == ('a', 'b') else [])


def test_that_a_start_is_looked_at_once_as_soon_as_the_code_is_known(tmp_path: Path) -> None:
    desk, code = Desk(tmp_path), Code()
    heartbeat = started(desk, code, 'a')
    heartbeat.step(0.0, '')
    assert desk.events('code') == []
    code.now = 'b'
    heartbeat.step(1.0, '')
    heartbeat.step(2.0, '')
    assert len(desk.events('code')) == 1


def test_that_what_never_began_has_no_code(tmp_path: Path) -> None:
    desk = Desk(tmp_path)
    heartbeat = started(desk, Code('b'), 'a')
    Path(desk.folder.attempt('sim_1', 1).started).unlink()
    heartbeat.step(0.0, '')
    assert desk.events('code') == []


def test_that_a_start_that_cannot_be_read_keeps_nothing_else_from_being_done(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    desk = Desk(tmp_path)
    heartbeat = started(desk, Code('b'), 'a')

    def fail(path: str) -> float:
        raise OSError(errno.EIO, 'Input/output error')

    with monkeypatch.context() as patch:
        patch.setattr('hpsearch.dispatch.heartbeat.changed_at', fail)
        heartbeat.step(0.0, '')
    assert (desk.events('code'), heartbeat.can_write) == ([], True)
    heartbeat.step(1.0, '')
    assert len(desk.events('code')) == 1


def test_that_new_code_is_told_once(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.WARNING, 'hpsearch')
    desk = Desk(tmp_path)
    heartbeat = started(desk, Code('a'), 'a')
    desk.recorder.record('running', 'sim_1', 1)
    for code in ('a', 'b', 'a', 'b'):
        heartbeat._found.append({'event': 'provenance', 'code': code})
        heartbeat.step(0.0, '')
    assert caplog.text.count('the code has changed') == 1
