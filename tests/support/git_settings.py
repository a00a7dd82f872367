"""Git as the tests want it."""

from __future__ import annotations

import os
from pathlib import Path

import pytest


def without_git_settings(monkeypatch: pytest.MonkeyPatch, above: Path) -> None:
    """Keep the settings of whoever runs the tests, and any repository around the temporary folder, out of them."""
    for name in [name for name in os.environ if name.startswith('GIT_')]:
        monkeypatch.delenv(name)
    monkeypatch.setenv('GIT_CONFIG_GLOBAL', os.devnull)
    monkeypatch.setenv('GIT_CONFIG_NOSYSTEM', '1')
    monkeypatch.setenv('GIT_CEILING_DIRECTORIES', str(above))
