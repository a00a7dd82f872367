"""Which program a document is for, and what it says in our words."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from hpsearch.config.foreign.seml import is_seml, translate_seml
from hpsearch.config.foreign.translation import Translation
from hpsearch.config.foreign.wandb import is_sweep, translate_sweep

OUR_OWN = 'x-hpsearch'
"""The key of such a document for attributes of ours: what the other program cannot say."""


def translated(content: Mapping[Any, Any], folder: Path) -> Translation | None:
    """A document of another program in our words; None where it is none, by its keys.

    Args:
        content: The document.
        folder: Where it is.
    """
    theirs = {key: value for key, value in content.items() if key != OUR_OWN}
    if is_seml(theirs):
        translation = translate_seml(theirs, folder)
    elif 'grid' not in theirs and is_sweep(theirs):
        translation = translate_sweep(theirs)
    else:
        return None
    translation.own = translation.mapping(content, OUR_OWN)
    return translation
