"""What keys ask for, done to a search."""

from __future__ import annotations

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
    """
    if action.kind == 'filter':
        search.filter(action.what)
        return ''
    from hpsearch.cli.runs import control

    folder = search.search.folder
    with undisturbed():
        match action.kind:
            case 'stop':
                said = control.request_cancel(folder, [action.what], trust=trust)
            case 'retry':
                said = control.request_rerun(folder, [action.what], trust=trust)
            case 'drain':
                said = control.request_drain(folder, trust=trust)
            case _:
                said = control.request_pause(folder, not search.is_paused, trust=trust)
    return '; '.join(said)
