"""What a page says of where results come from: who searched with which command, which code and which environment."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from hpsearch.model.command import shell_line
from hpsearch.records.search import SearchRecord


def about_of(search: SearchRecord) -> dict[str, Any]:
    """The provenance of a search as plain values, all of them texts but for counts; what is not known is empty.

    What the folder says of itself may have been written by anybody, and by any version.
    """
    info, configuration = search.info, search.configuration
    options = info.get('options')
    return {
        'command': _command(info.get('argv')),
        'quoted': shell_line(['x', search.path.replace('\0', '')])[2:],
        'source': configuration.source,
        'script': configuration.script or (_command(configuration.command) if configuration.command else ''),
        'cwd': _text(info.get('run_cwd')),
        'sampler': _text(options.get('search')) if isinstance(options, Mapping) else '',
        'created': _text(info.get('created')),
        'owner': '@'.join(filter(None, [_text(info.get('user')), _text(info.get('host'))])),
        'hpsearch': ' '.join(filter(None, ['hpsearch', _text(info.get('hpsearch'))])),
        'writers': _writers(search.writers.values()),
        'codes': _codes(search),
        'environments': _environments(search.provenance),
        'packages': _first(search.provenance, 'packages'),
        'problems': _problems(search.provenance),
    }


def _text(value: Any) -> str:
    return value if isinstance(value, str) else ''


def _command(argv: Any) -> str:
    """A command line as one types it."""
    words = [word.replace('\0', '') for word in argv if isinstance(word, str)] if isinstance(argv, list | tuple) else []
    if words and words[0].endswith('/hpsearch/__main__.py'):
        words[0] = 'hpsearch'
    return (
        shell_line([Path(words[0]).name if words[0].endswith('/hpsearch') else words[0], *words[1:]]) if words else ''
    )


def _writers(headers: Iterable[Mapping[str, Any]]) -> list[str]:
    """Who worked on it, each once, with how often."""
    names = Counter(f'{_text(header.get("user")) or "?"}@{_text(header.get("host")) or "?"}' for header in headers)
    return [name if count == 1 else f'{name} ({count} times)' for name, count in names.items()]


def _codes(search: SearchRecord) -> list[dict[str, Any]]:
    """Each code that runs were made with, in the order in which it appeared."""
    pairs = {(each.run, each.code_id) for run in search.runs for each in run.attempts if each.code_id}
    runs = Counter(code for _, code in pairs)
    facts: dict[str, Mapping[str, Any]] = {}
    for event in search.provenance:
        facts[_text(event.get('code'))] = {**facts.get(_text(event.get('code')), {}), **event}
    return [
        {
            'id': code,
            'runs': runs.get(code, 0),
            'commit': _text(facts.get(code, {}).get('commit')),
            'branch': _text(facts.get(code, {}).get('branch')),
            'dirty': facts.get(code, {}).get('dirty') is True,
            'diff': _text(facts.get(code, {}).get('diff')),
            'untracked': _names(facts.get(code, {}).get('untracked')),
        }
        for code in dict.fromkeys([*filter(None, facts), *sorted(runs)])
    ]


def _names(names: Any, most: int = 10) -> str:
    """The first of some names."""
    found = [name for name in names if isinstance(name, str)] if isinstance(names, list) else []
    more = f' and {len(found) - most} more' if len(found) > most else ''
    return ', '.join(found[:most]) + more


def _environments(events: Sequence[Mapping[str, Any]]) -> list[str]:
    keys = ('host', 'user', 'platform')
    versions = (('python', 'Python'), ('hpsearch', 'hpsearch'))
    lines = (
        [
            *(_text(event.get(key)) for key in keys),
            *(f'{name} {_text(event.get(key))}' for key, name in versions if _text(event.get(key))),
        ]
        for event in events
    )
    return list(dict.fromkeys(' · '.join(filter(None, line)) for line in lines))


def _first(events: Sequence[Mapping[str, Any]], key: str) -> str:
    return next(filter(None, (_text(event.get(key)) for event in events)), '')


def _problems(events: Sequence[Mapping[str, Any]]) -> list[str]:
    lists = (event.get('problems') for event in events)
    return list(dict.fromkeys(str(problem) for each in lists if isinstance(each, list) for problem in each))
