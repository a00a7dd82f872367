"""Which program a document is for, and what it says in our words."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from hpsearch.config.foreign.orion import is_orion, translate_orion
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
    own = content.get(OUR_OWN) or {}
    ours = dict(own) if isinstance(own, Mapping) else {}
    if is_seml(theirs):
        translation = translate_seml(theirs, folder)
    elif 'grid' in theirs:
        return None
    elif is_sweep(theirs):
        translation = translate_sweep(theirs)
    elif is_orion(theirs):
        translation = translate_orion(theirs, ours.pop('command', None), folder)
    else:
        return None
    translation.mapping(content, OUR_OWN)
    translation.own = ours
    return translation
