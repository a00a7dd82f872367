"""What is printed at the end of a search."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from types import SimpleNamespace
from typing import cast

import pytest

from hpsearch.cli.reports import _continue_lines
from hpsearch.cli.search_runner import SearchResult
from hpsearch.model.states import State


@pytest.mark.parametrize(('reached', 'said'), [(False, ['Continue with: hpsearch resume out']), (True, [])])
def test_that_nobody_is_asked_to_continue_while_others_end_a_search_that_has_reached_its_target(
    reached: bool, said: list[str]
) -> None:
    result = SimpleNamespace(
        has_reached_target=reached,
        folder=SimpleNamespace(path=Path('out')),
        state=SimpleNamespace(wanted=[]),
        given_up=frozenset(),
        counts=Counter(running=1, finished=2),
    )
    assert list(_continue_lines(cast(SearchResult, result))) == said


@pytest.mark.parametrize(('cause', 'said'), [('yielded', ['Continue with: hpsearch resume out']), ('cancelled', [])])
def test_that_the_command_is_named_that_takes_up_runs_which_made_room_for_good(cause: str, said: list[str]) -> None:
    history = SimpleNamespace(name='r1', state=State.INTERRUPTED, last=SimpleNamespace(cause=cause))
    result = SimpleNamespace(
        has_reached_target=False,
        folder=SimpleNamespace(path=Path('out')),
        state=SimpleNamespace(wanted=[history]),
        given_up=frozenset({'r1'}),
        counts=Counter(interrupted=1, finished=2),
    )
    assert list(_continue_lines(cast(SearchResult, result))) == said
