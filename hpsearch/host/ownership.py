"""Who may have written a file: its owner, and those its mode lets write."""

from __future__ import annotations

import grp
import os
import pwd
import stat

from hpsearch.host.processes import user_name

_ACCESS_LIST = 'system.posix_acl_access'


def why_not_ours(path: str | os.PathLike[str], opened: int | None = None) -> str:
    """Why somebody other than this user may have written a file or folder, in words; empty: nobody else may have.

    A group that may write it is no obstacle when it is the user's private group, as with the umask 002 of Debian.

    Args:
        path: What is asked about; a symbolic link is not ours, whoever made it. What is missing is nobody's.
        opened: A descriptor of it; what was opened counts then, whatever the path leads to by now.

    Raises:
        OSError: It cannot be looked at.
    """
    try:
        facts = os.lstat(path) if opened is None else os.fstat(opened)
    except FileNotFoundError:
        return ''
    if stat.S_ISLNK(facts.st_mode):
        return f'{path} is a symbolic link'
    if facts.st_uid != os.geteuid():
        return f'{path} belongs to user {user_name(facts.st_uid)}'
    if facts.st_mode & stat.S_IWOTH:
        return f'{path} can be written by every user'
    if facts.st_mode & stat.S_IWGRP and not _is_private(facts.st_gid, opened if opened is not None else path):
        return f'{path} can be written by group {_group_name(facts.st_gid)}'
    return ''


def _is_private(group: int, place: int | str | os.PathLike[str]) -> bool:
    """Whether the members of the group of a file are this user alone: it has the user's name and no other member."""
    try:
        user, found = pwd.getpwuid(os.geteuid()), grp.getgrgid(group)
    except KeyError:
        return False
    is_own = (found.gr_name, found.gr_gid) == (user.pw_name, user.pw_gid) and set(found.gr_mem) <= {user.pw_name}
    return is_own and not _has_access_list(place)


def _has_access_list(place: int | str | os.PathLike[str]) -> bool:
    """Whether more users and groups have access than the mode says: what it gives the group is given to them, then."""
    try:
        return bool(os.getxattr(place, _ACCESS_LIST))
    except (OSError, AttributeError):
        return False  # there is none, or nothing like it on this system


def _group_name(group: int) -> str:
    try:
        return grp.getgrgid(group).gr_name
    except KeyError:
        return str(group)
