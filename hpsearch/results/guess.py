"""Where the result of a run may be, guessed from what it left and printed."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from hpsearch.results.files import decode, read_end
from hpsearch.results.rules import KINDS, rule_of
from hpsearch.results.sources import Places, read_by_rule

_METRICS = re.compile(
    r'(?:^|[^a-z])(acc(?:uracy)?\d?|loss|f1|auc|auroc|err(?:or)?|score|m?ap|m?iou|bleu|ppl|perplexity|r?mse|mae|r2|reward'
    r'|return|wer|precision|recall)(?:$|[^a-z])',
    re.IGNORECASE,
)
_SMALLER_IS_BETTER = re.compile(r'(?:^|[^a-z])(loss|err|error|ppl|perplexity|r?mse|mae|wer)(?:$|[^a-z])', re.IGNORECASE)
_PREFERRED = ('val', 'eval', 'test', '')
"""What stands in the names of metrics, the best first."""

_PRINTED = re.compile(
    r'(?:(?:^|[,;|:]\s*)(?P<two>[A-Za-z][\w./-]{0,40} [A-Za-z]{1,12})|(?<![\w./-])(?P<one>[A-Za-z][\w./-]{0,40}))'
    r'(?P<between>\s*[=:]\s*|[ \t]+)[-+]?\d+(?:\.\d+)?(?:e[-+]?\d+)?',
    re.MULTILINE,
)
"""A name and a number behind it."""

_NUMBER = r'([-+]?\d+(?:\.\d+)?(?:[eE][-+]?\d+)?)'

_NO_RESULT = re.compile(r'config|hparam|param|args|option|setting|package|requirement|\.hydra|vocab', re.IGNORECASE)
_RESULT = re.compile(r'metric|result|summary|performance|history|score|log|eval', re.IGNORECASE)
_ENDINGS = ('.json', '.jsonl', '.ndjson', '.csv', '.tsv', '.yaml', '.yml', '.toml', '.txt')

_MOST_FILES = 500
_END_OF_LOG = 1 << 20


@dataclass(frozen=True)
class Guess:
    """Where a result seems to be.

    Attributes:
        attributes: Attributes of a grid module to their values; empty: nothing was found.
        keywords: What the result has.
        words: Where it is.
    """

    attributes: Mapping[str, object]
    keywords: Sequence[str] = ()
    words: str = ''


def guess_result(places: Places) -> Guess:
    """Where a run seems to have left its result: files of known programs, then other files, then what it printed."""
    for kind, its in KINDS.items():
        if keywords := _keywords(its, places):
            return _found({'_RESULT': kind}, keywords, f'the files of {kind}')
    for name in _files(places.output):
        if keywords := _keywords({'file': name}, places):
            return _in_file(name, keywords)
    return _printed(places)


def is_smaller_better(key: str) -> bool:
    """Whether a metric of this name is better the smaller it is."""
    return bool(_SMALLER_IS_BETTER.search(key.replace('_', ' ')))


def _in_file(name: str, keywords: Sequence[str]) -> Guess:
    if name.endswith('.txt') and 'finished' in keywords:
        others = [keyword for keyword in _sorted(keywords) if keyword != 'finished']
        kept = {'_SUMMARY_FILENAME': name, '_SUMMARY_KEYWORDS': [*others, 'finished']}
        return _found(kept, others, name)
    return _found({'_RESULT': name}, keywords, name)


def _found(attributes: Mapping[str, object], keywords: Sequence[str], words: str) -> Guess:
    ranked = _sorted(keywords)
    order = {'_PERFORMANCE_KEY': ranked[0], '_PERFORMANCE_SORT_ASC': is_smaller_better(ranked[0])} if ranked else {}
    return Guess({**attributes, **order}, ranked, words)


def _sorted(keywords: Sequence[str]) -> list[str]:
    """Keywords, those by which runs may be sorted first."""
    return sorted(keywords, key=_rank)


def _rank(keyword: str) -> tuple[bool, bool, bool, int]:
    name = keyword.replace('_', ' ').lower()
    split = next((place for place, part in enumerate(_PREFERRED) if part in name), 0)
    return not _METRICS.search(name), 'train' in name, is_smaller_better(keyword), split


def _keywords(its: Mapping[str, str], places: Places) -> list[str]:
    """The keywords of what a rule finds, those with numbers; none where it finds no such."""
    try:
        row, _ = read_by_rule(rule_of(its), places, key='', ascending=False)
    except Exception:
        # A file of another kind, or a damaged one, can make a library raise anything.
        return []
    return [keyword for keyword, value in row.items() if _is_number(value)]


def _is_number(text: object) -> bool:
    try:
        float(str(text))
    except ValueError:
        return False
    return True


def _files(output: Path) -> Iterator[str]:
    """Files that may have a result, as paths in an output folder, the likeliest first."""
    found: list[str] = []
    for root, folders, files in os.walk(output):
        folders.sort()
        found += [os.path.relpath(os.path.join(root, name), output) for name in sorted(files)]
        if len(found) > _MOST_FILES:
            break
    may_be = [name for name in found if name.endswith(_ENDINGS) and not _NO_RESULT.search(name)]
    return iter(sorted(may_be, key=lambda name: (not _RESULT.search(name), name.count(os.sep))))


def _printed(places: Places) -> Guess:
    """The metric that was printed last, of those that are the likeliest."""
    for log, path in places.logs.items():
        try:
            text, _ = decode(read_end(path, _END_OF_LOG))
        except (OSError, ValueError):
            continue
        matches = ((match['two'] or match['one'], match['between']) for match in _PRINTED.finditer(text))
        names = {name: between for name, between in matches if _METRICS.search(name.replace('_', ' '))}
        if names:
            name = _sorted(list(names)[::-1])[0]
            key = re.sub(r'\W+', '_', name)
            between = r'\s*[=:]\s*' if names[name].strip() else r'\s+'
            rule = {log: rf'(?<!\w){re.escape(name)}{between}{_NUMBER}', 'key': key}
            return _found({'_RESULT': rule}, [key], f'{log}, behind {name!r}')
    return Guess({})
