"""What describes a search (``search.json``): in which form it is written, and what is wrong with one that is read."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from hpsearch.model.configuration import from_plain
from hpsearch.model.errors import DamageError, SearchFolderError

if TYPE_CHECKING:
    from hpsearch.host.code_copy import CodeCopy

FOLDER_FORMAT = 3
"""Since 2, the plan has the names of output folders without the search folder; in 1 they are absolute paths. In 3 runs
are chosen while the search goes, and the plan is in the journals."""

PLANNED_FORMAT = 2
"""The format of a search whose runs are all planned in advance."""

LAYOUT = 2
"""Where the files of attempts are. A search keeps the layout it was made with: see docs/design.rst."""


@dataclass(frozen=True, slots=True)
class Form:
    """What decides where the files of a search are, and how they are read; by default that of a search to come.

    Attributes:
        layout: Where the files of attempts are.
        code_copy: How runs are started from a copy of the code; None: there is none.
        is_adaptive: Whether runs are chosen while the search goes: its plan is in its journals.
    """

    layout: int = LAYOUT
    code_copy: CodeCopy | None = None
    is_adaptive: bool = False


def form_of(info: Mapping[str, Any]) -> Form:
    """The form of a search, by what describes it."""
    return Form(info['layout'] or LAYOUT, _copy_of(info), _is_adaptive(info))


def decoded(text: bytes, path: object) -> dict[str, Any]:
    """What describes a search, as it was written.

    Args:
        text: The content of the file.
        path: The file, for errors.

    Raises:
        DamageError: It does not describe a search.
        SearchFolderError: A newer hpsearch wrote it.
    """
    try:
        info = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise DamageError(f'{path} is damaged: {error}.') from error
    if not isinstance(info, dict) or not all(isinstance(info.get(name, 0), int) for name in ('format', 'layout')):
        raise DamageError(f'{path} is damaged: it does not describe a search.')
    if info.get('format', 0) > FOLDER_FORMAT or info.setdefault('layout', 1) > LAYOUT:
        raise SearchFolderError(
            f'{path} is of a newer format than this hpsearch reads ({FOLDER_FORMAT}): update hpsearch.'
        )
    problem = _problem_of(info)
    if problem:
        raise DamageError(f'{path} is damaged: {problem}.')
    return info


def stamped(info: Mapping[str, Any], place: str) -> dict[str, Any]:
    """What describes a search, with what it takes to read it again.

    Args:
        info: What is to be written.
        place: Where the folder is.
    """
    form = FOLDER_FORMAT if _is_adaptive(info) else PLANNED_FORMAT
    return {'layout': LAYOUT, **info, 'format': form, 'place': place}


def encoded(info: Mapping[str, Any]) -> str:
    """The content of the file."""
    return json.dumps(info, indent=2, default=str) + '\n'


_INFO_TYPES = {
    **dict.fromkeys(('configuration', 'options'), dict),
    **dict.fromkeys(('run_cwd', 'interpreter', 'place'), str),
    'withdrawn': list,
}


def _problem_of(info: Mapping[str, Any]) -> str:
    """What is wrong with what describes a search, in words; empty: nothing of what is there."""
    for name, wanted in _INFO_TYPES.items():
        if not isinstance(info.get(name, wanted()), wanted):
            return f'{name} is {info[name]!r:.80}'
    if not all(isinstance(name, str) for name in info.get('withdrawn', ())):
        return 'withdrawn are no names'
    try:
        if 'configuration' in info:
            from_plain(info['configuration']['attributes'])
        _copy_of(info)
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        return f'its configuration, or its copy of the code: {error!r:.200}'
    return ''


def _is_adaptive(info: Mapping[str, Any]) -> bool:
    """Whether what describes a search says that its runs are chosen while it goes."""
    return bool(info.get('options', {}).get('search', 'grid') != 'grid')


def _copy_of(info: Mapping[str, Any]) -> CodeCopy | None:
    """The copy of the code that a search has; None: there is none.

    Raises:
        ValueError: Its description is damaged.
    """
    if info.get('code_copy') is None:
        return None
    from hpsearch.host.code_copy import copy_from_info

    return copy_from_info(info['code_copy'])
