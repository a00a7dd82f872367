"""The pruners by their names on the command line."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from hpsearch.model.errors import ConfigError
from hpsearch.pruners.base import Pruner


def make_pruner(name: str, settings: Mapping[str, Any]) -> Pruner | None:
    """The pruner of this name; None: nothing is pruned (``none``).

    Args:
        name: A value of ``--prune``.
        settings: Its options, by their names on the command line.

    Raises:
        ConfigError: With everything that is wrong with the options.
    """
    if name == 'none':
        return None
    raise ConfigError([f'--prune={name}: there is no such pruner yet.'])
