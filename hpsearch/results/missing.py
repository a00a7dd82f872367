"""What there is in place of a summary that is missing."""

from __future__ import annotations

import os
import re
from contextlib import suppress
from itertools import islice
from pathlib import Path

from hpsearch.model.logs.failures import clipped

MOST_NAMES = 6
"""Names that are listed of a folder without a summary."""

MOST_ENTRIES = 2000
"""Entries of such a folder, and of those in it, that are looked at."""

LONGEST_NAME = 60
"""Characters of such a name."""

_OURS = re.compile(r'hpsearch_command\.sh$|job_.*\.(?:out|err)$')


def found_instead(folder: Path, filename: str) -> str:
    """What an output folder has in place of a summary file that is missing, in words; empty: nothing is known."""
    if os.path.lexists(folder / filename):
        return ''
    if elsewhere := _file_of_that_name(folder, os.path.basename(filename)):
        return f'there is {clipped(elsewhere, LONGEST_NAME)}: _SUMMARY_FILENAME may name that'
    with suppress(OSError), os.scandir(folder) as entries:
        names = sorted(entry.name + '/' * entry.is_dir() for entry in islice(entries, MOST_ENTRIES))
        own = [clipped(name, LONGEST_NAME) for name in names if not _OURS.match(name)]
        more = f' and {len(own) - MOST_NAMES} more' if len(own) > MOST_NAMES else ''
        return f'there is {", ".join(own[:MOST_NAMES]) or "nothing"}{more}; _SUMMARY_FILENAME names the file to read'
    return ''


def _file_of_that_name(folder: Path, name: str) -> str:
    """The path, in a folder, of the first file of this name anywhere below it; empty: none of those looked at."""
    seen = 0
    for root, folders, files in os.walk(folder):
        folders.sort()
        seen += len(folders) + len(files) + 1
        if name in files:
            return os.path.relpath(os.path.join(root, name), folder)
        if seen > MOST_ENTRIES:
            break
    return ''
