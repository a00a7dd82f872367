"""Which jobs the words of a command mean."""

from __future__ import annotations

import fnmatch
import re

from tests.fakes.lsf.store import clock, is_ended, pairs, title
from tests.fakes.lsf.words import Misuse, index_list

TYPE_CHECKING = False
if TYPE_CHECKING:
    from tests.fakes.lsf.store import Element, Job, Store

    Pair = tuple[Job, Element]


def read_ids(words: list[str]) -> list[tuple[str, int, list[int] | None]]:
    """Job ids, each as it was given, its number, and the indices asked for; None: all.

    Raises:
        Misuse: One is none.
    """
    found = []
    for word in words:
        match = re.fullmatch(r'(\d+)(?:\[([^\]]*)\])?', word)
        indices = index_list(match[2]) if match and match[2] is not None else None
        if not match or (match[2] is not None and indices is None):
            raise Misuse(f'{word}: Illegal job ID.')
        found.append((word, int(match[1]), indices))
    return found


def with_id(jobs: list[Job], number: int, indices: list[int] | None) -> list[Pair]:
    """The elements that an id means."""
    return [
        (job, element)
        for job, element in pairs(jobs)
        if job['id'] == number and (indices is None or element['index'] in indices)
    ]


def with_name(jobs: list[Job], name: str) -> list[Pair]:
    """The elements that a name means, with wildcards."""
    pattern = re.sub(r'\[', '[[]', name)
    return [
        (job, element)
        for job, element in pairs(jobs)
        if fnmatch.fnmatchcase(job['name'], pattern) or fnmatch.fnmatchcase(title(job, element), pattern)
    ]


def known_to_bjobs(store: Store) -> list[Job]:
    """The jobs that have not left: those that ended long ago have."""
    settings = store.settings()
    oldest = clock() - settings['clean_period']

    def is_kept(job: Job) -> bool:
        left = all(is_ended(element) and (element['ended'] or 0) < oldest for element in job['elements'])
        return not left and job['id'] not in settings['forgotten']

    return [job for job in store.jobs() if is_kept(job)]


def in_listing_order(found: list[Pair]) -> list[Pair]:
    """Those that have started first, then those that wait, then those that have ended, as they ended."""

    def place(pair: Pair) -> tuple[int, float, int, int]:
        job, element = pair
        if is_ended(element):
            return 2, element['order'], 0, 0
        return int(element['started'] is None), 0, job['id'], element['index']

    return sorted(found, key=place)
