"""Distributions in ``_CONFIG_TEMPLATE``, which add to the grid of its configuration."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from hpsearch.arguments.priors import looks_searched
from hpsearch.config.distributions.notation import is_distribution
from hpsearch.config.document_checks import read_template
from hpsearch.config.inline.space_file import searched_in
from hpsearch.config.inline.values import values_of


def searched_text(text: str) -> str:
    """What a text in the configuration file of a script stands for, with or without a mark; empty: itself."""
    return looks_searched(text) or (text if is_distribution(text) else '')


def with_template(attributes: Mapping[str, Any], folder: Path, *, is_sampled: bool) -> tuple[dict[str, Any], list[str]]:
    """The attributes of a configuration with what its template has to search, and what is wrong with that.

    Keys that are in the grid already keep what they have there.

    Args:
        attributes: The attributes, unchecked.
        folder: Where the configuration is.
        is_sampled: Whether values are drawn. If not, a text without a mark is a text, as it has always been.
    """
    path = attributes.get('config_template')
    if not isinstance(path, (str, os.PathLike)):
        return dict(attributes), []
    try:
        text, form = read_template(folder / os.path.expanduser(path))
        priors, problems = searched_in(text, form, searched_text if is_sampled else looks_searched)
    except ValueError:
        return dict(attributes), []  # the check of the attribute says what is wrong
    values: dict[str, Any] = {}
    for name, prior in priors.items():
        try:
            values[name] = values_of(prior)
        except ValueError as error:
            problems.append(f'{name}: {prior!r} {error}')
    grid = {'grid': _with_values(attributes.get('grid'), values)} if values else {}
    return {**attributes, **grid}, problems


def _with_values(grid: Any, values: Mapping[str, Any]) -> Any:
    """A grid, or each part of it, with values for what it does not have."""
    if isinstance(grid, (list, tuple)):
        return [_with_values(row, values) for row in grid]
    if not isinstance(grid, Mapping):
        return dict(values) if grid is None else grid
    return {**grid, **{name: value for name, value in values.items() if name not in grid}}
