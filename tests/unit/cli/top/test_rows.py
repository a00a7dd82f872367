"""What a table of the terminal view shows of a run."""

from __future__ import annotations

from dataclasses import replace

import pytest

from hpsearch.cli.viewing.top.rows import row_of
from hpsearch.model.control.requests import CANCELLED_ON_REQUEST
from hpsearch.model.states import State
from tests.support.search_records import run_record


@pytest.mark.parametrize(
    ('state', 'ended', 'request_', 'shown'),
    [
        (State.RUNNING, '', 'cancel', 'asked to end'),
        (State.INTERRUPTED, CANCELLED_ON_REQUEST, 'cancel', CANCELLED_ON_REQUEST),
        (State.STOPPED, 'loss 3\nat step 3', 'cancel', 'not started again: loss 3 at step 3'),
        (State.FAILED, 'exit status 1', 'rerun', 'asked for again'),
        (State.FAILED, 'exit status 1', '', 'exit status 1'),
        (State.RUNNING, 'of an earlier attempt', '', ''),
    ],
)
def test_that_what_was_asked_of_a_run_is_told_by_what_has_become_of_it(
    state: State, ended: str, request_: str, shown: str
) -> None:
    record = run_record(1, {}, None, state=state)
    attempt = replace(record.attempts[0], reason=ended)
    assert row_of(replace(record, attempts=[attempt], request=request_), (), 'box').reason == shown
