"""The package of tables and pages is found beside the package of the search, whichever others are installed."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from hpsearch.cli.viewing.postprocessing import NAME, postprocessing
from tests.support.paths import REPOSITORY


def test_that_the_package_of_this_checkout_is_taken(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [each for each in sys.modules if each.partition('.')[0] == NAME]:
        monkeypatch.delitem(sys.modules, name)
    found = postprocessing('plots')
    assert found.__file__ is not None
    assert Path(found.__file__).parent == REPOSITORY / 'postprocessing'
