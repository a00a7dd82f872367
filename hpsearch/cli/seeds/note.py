"""What a folder with repeated runs says of itself: whose runs they are, and which options are their seeds."""

from __future__ import annotations

import json
import os
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from hpsearch.model.errors import DamageError
from hpsearch.store.whole_files import write_whole

FILE = 'seeds.json'
"""Its name. It is written before the search is made, so that there is no search over seeds without it."""


@dataclass(frozen=True)
class Note:
    """What is noted.

    Attributes:
        of: Path of the folder whose runs are repeated, relative to this one: both may be moved together.
        options: The option that is the seed, and that of the data if it varies along.
        varied: Options that tell configurations apart.
    """

    of: str
    options: Sequence[str]
    varied: Sequence[str]

    def source(self, folder: Path) -> str:
        """The folder whose runs are repeated, without links."""
        return os.path.realpath(folder / self.of)


def read_note(folder: Path) -> Note | None:
    """The note of a folder; None: it has none, since it repeats no runs.

    Raises:
        DamageError: It cannot be understood.
        OSError: It cannot be read.
    """
    try:
        text = (folder / FILE).read_text(encoding='utf-8')
    except FileNotFoundError:
        return None
    note = _note_of(text)
    if note is None:
        raise DamageError(f'{folder / FILE} is damaged: bring it back, or choose another --out_dir.')
    return note


def _note_of(text: str) -> Note | None:
    try:
        content = json.loads(text)
        note = Note(content['of'], tuple(content['options']), tuple(content['varied']))
    except (ValueError, KeyError, TypeError):
        return None
    are_texts = all(map(_is_text, (note.of, *note.options, *note.varied)))
    return note if are_texts and len(note.options) in (1, 2) else None


def _is_text(value: object) -> bool:
    return isinstance(value, str)


def write_note(folder: Path, note: Note) -> None:
    """Write the note of a folder.

    Raises:
        OSError: It cannot be written.
    """
    write_whole(folder / FILE, json.dumps(asdict(note), indent=1) + '\n')
