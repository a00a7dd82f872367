"""What the tests of packing in the loop have in common."""

from __future__ import annotations

import pytest

from hpsearch.dispatch import dispatcher


@pytest.fixture(autouse=True)
def waits_for_what_is_learned(monkeypatch: pytest.MonkeyPatch) -> None:
    """Time is stepped, so that nothing may depend on how long it takes to learn."""
    monkeypatch.setattr(dispatcher, 'LEARNING_PATIENCE', None)
