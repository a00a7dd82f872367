"""What keys ask for, done to a search."""

from __future__ import annotations

import time

from hpsearch.cli.viewing.top.following import FollowedSearch
from hpsearch.cli.viewing.top.terminal import undisturbed
from hpsearch.ui.top.view import Action


def perform(action: Action, search: FollowedSearch, *, trust: bool) -> str:
    """Do what a key asked for; returns what became of it, in words.

    Args:
        action: What is asked for.
        search: The search that is looked at.
        trust: Whether it may be the search of another user.

    Raises:
        HpsearchError: It is refused, or not possible.
        OSError: The search cannot be read any more.
    """
    if action.kind == 'filter':
        search.filter(action.what)
        return ''
    from hpsearch.cli.runs import control

    with undisturbed():
        search.read_on(time.time(), checks=True)
        folder, read = search.search.folder, search.search
        match action.kind:
            case 'stop':
                said = control.request_cancel(folder, [action.what], trust=trust, read=read)
            case 'retry':
                said = control.request_rerun(folder, [action.what], trust=trust, read=read)
            case 'drain':
                said = control.request_drain(folder, trust=trust, read=read)
            case _:
                said = control.request_pause(folder, not search.is_paused, trust=trust, read=read)
    return '; '.join(said)
