"""The result of a training script: the summary file in its output folder."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from itertools import islice
from pathlib import Path
from typing import Any

from hpsearch.model.configuration import Configuration
from hpsearch.model.errors import is_of_machine, reason_of
from hpsearch.model.run import Summary
from hpsearch.model.units import read_number
from hpsearch.results.documents import keywords_of, read_json, read_yaml
from hpsearch.results.files import decode, look_again, read_fresh
from hpsearch.results.keyword_lines import read_lines
from hpsearch.results.rules import rule_of
from hpsearch.results.sources import Places, files_of, read_by_rule
from hpsearch.results.text import text_of_result

MOST_KEYWORDS = 1000
"""Keywords of a run that are kept; each is a column of the table."""

FINISHED = 'finished'
"""The keyword that says whether a run is complete."""

_LIST_TEXT = re.compile(r'[^,\s]+(?:,[^,\s]+)+')


NO_LOGS: Mapping[str, Path] = {}


def read_summary(
    folder: Path, configuration: Configuration, run_number: int, logs: Mapping[str, Path] = NO_LOGS
) -> Summary:
    """Read the result of a run that has ended; an error of its script or a custom parser is :attr:`Summary.problem`.

    Args:
        folder: The run's output folder.
        configuration: Says where the result is and which keywords are expected; it may have a custom parser.
        run_number: Ordinal of the run in the search, from 1; a custom parser gets it from 0.
        logs: ``stdout`` and ``stderr`` to the files with what it printed, where these are known.

    Raises:
        OSError: Something of the machine is in the way; the summary may be good.
    """
    keywords = configuration.summary_keywords
    if configuration.summary_parser is not None:
        return _by_handle(configuration.summary_parser, folder, keywords, run_number - 1)
    filename = configuration.summary_filename
    summary = Summary() if filename is None else _by_file(folder, filename, keywords)
    if not configuration.results:
        return summary
    return _by_rules(Places(folder, logs), configuration, summary)


def _by_rules(places: Places, configuration: Configuration, summary: Summary) -> Summary:
    """The result with what the rules find added to it; the later of two values for a keyword counts."""
    values, oddities = dict(summary.values), [summary.problem] if summary.problem and not summary.found else []
    for rule in map(rule_of, configuration.results):
        try:
            row, oddity = read_by_rule(
                rule, places, key=configuration.performance_key or '', ascending=configuration.performance_ascending
            )
        except Exception as error:
            # A damaged or hostile file can make a library raise anything.
            if isinstance(error, OSError) and is_of_machine(error):
                raise
            row, oddity = {}, f'{rule.words} cannot be read: {_one_line(error)}'
        values |= row
        oddities += [oddity] if oddity else []
    if not values:
        return Summary(problem=f'no result ({"; ".join(oddities)})')
    return _judged(values, configuration.summary_keywords, oddities)


def result_files(folder: Path, configuration: Configuration) -> list[Path]:
    """The files that the result of a run would be read from at this moment, of which some may not exist."""
    filename = configuration.summary_filename
    named = [] if filename is None else [folder / filename]
    return [*named, *(file for rule in configuration.results for file in files_of(rule_of(rule), folder))]


def summary_mark(folder: Path, configuration: Configuration) -> list[int] | None:
    """Identifies the files of a result that are there before an attempt begins; None without any.

    Raises:
        OSError: Something of the machine keeps that from being known.
    """
    marks = [mark for file in result_files(folder, configuration) for mark in _mark(file)]
    return marks or None


def _mark(file: Path) -> tuple[int, ...]:
    try:
        facts = file.stat()
    except OSError as error:
        if is_of_machine(error):
            raise
        return ()
    return (facts.st_ino, facts.st_mtime_ns, facts.st_size)


def read_attempt_summary(
    folder: Path,
    configuration: Configuration,
    run_number: int,
    before: Sequence[int] | None,
    logs: Mapping[str, Path] = NO_LOGS,
) -> Summary:
    """Like :func:`read_summary`, for one attempt: what was in its folder before it began does not count.

    Args:
        before: The :func:`summary_mark` taken before the attempt, or None.

    Raises:
        OSError: Something of the machine is in the way.
    """
    if before is None or list(before) != summary_mark(folder, configuration):
        return read_summary(folder, configuration, run_number, logs)
    printed = [rule for rule in configuration.results if not rule.get('file')]
    if not printed:
        return Summary(problem='its summary was there before it began')
    return read_summary(folder, replace(configuration, summary_filename=None, results=printed), run_number, logs)


def handle_form(summary: Summary) -> dict[str, list[str]]:
    """The values in the form that an evaluation handle gets: one-element lists of strings.

    A list of several values has the form ``['"v1,v2"']``, with an extra pair of double quotes.
    """
    return {keyword: [f'"{text}"' if _LIST_TEXT.fullmatch(text) else text] for keyword, text in summary.values.items()}


def says_finished(text: str) -> bool | None:
    """The meaning of the value of the keyword ``finished``; None when it is neither yes nor no."""
    lowered = text.strip().lower()
    if lowered in ('yes', 'no'):
        return lowered == 'yes'
    reading = read_number(text)
    is_plain = reading is not None and reading.is_single and not reading.unit
    return {1.0: True, 0.0: False}.get(reading.value) if reading and is_plain else None


def _by_file(folder: Path, filename: str, keywords: Sequence[str]) -> Summary:
    try:
        raw = read_fresh(folder / filename)
    except FileNotFoundError:
        missing = f'no summary file {filename} in the output folder' if folder.is_dir() else 'no output folder'
        return Summary(problem=missing)
    except (OSError, ValueError) as error:
        if isinstance(error, OSError) and is_of_machine(error):
            raise
        return Summary(problem=f'summary file {filename} cannot be read: {reason_of(error)}')
    text, oddities = decode(raw)
    try:
        values, more = _read(filename, text, keywords)
    except Exception as error:
        # A damaged or hostile file can make a library raise anything.
        return Summary(problem=f'summary file {filename} cannot be read: {_one_line(error)}')
    return _judged(values, keywords, [*oddities, *more])


def _by_handle(handle: Callable[..., Any], folder: Path, keywords: Sequence[str], cmd_ident: int) -> Summary:
    look_again(folder)
    if not folder.is_dir():
        return Summary(problem='no output folder')
    try:
        result = handle(str(folder), cmd_ident)
        if not isinstance(result, Mapping):
            return Summary(problem=f'_SUMMARY_PARSER_HANDLE returned a {type(result).__name__}, not a dict')
        values = {str(keyword): text_of_result(value) for keyword, value in result.items()}
    except (Exception, SystemExit) as error:
        if isinstance(error, OSError) and error.errno is not None and is_of_machine(error):
            raise
        # The handle is the user's code; a bug in it must not end a search that has run for days.
        return Summary(problem=f'_SUMMARY_PARSER_HANDLE raised {type(error).__name__}: {_one_line(error)}')
    return _judged(values, keywords, [])


def _judged(found: Mapping[str, str], keywords: Sequence[str], oddities: list[str]) -> Summary:
    values = {_encodable(keyword): _encodable(text) for keyword, text in _most_of(found, keywords)}
    if len(values) < len(found):
        oddities.append(f'it has {len(found)} keywords, of which {len(values)} are kept')
    finished = says_finished(values[FINISHED]) if FINISHED in values else None
    status_decides = bool(values) and FINISHED not in (*values, *keywords)
    if not values:
        oddities.append('its summary is empty')
    elif FINISHED not in values and not status_decides:
        oddities.append('the keyword finished is missing (have it written, or remove it from _SUMMARY_KEYWORDS)')
    elif FINISHED in values and finished is None:
        oddities.append(f'finished is {values[FINISHED]!r}, neither 1 nor 0')
    missing = [keyword for keyword in keywords if keyword not in values and keyword != FINISHED]
    if missing:
        oddities.append(f'missing keywords: {", ".join(missing)}')
    return Summary(
        values=values, finished=finished, problem='; '.join(oddities), found=True, status_decides=status_decides
    )


def _most_of(found: Mapping[str, str], keywords: Sequence[str]) -> Iterable[tuple[str, str]]:
    """Keywords with values; of too many those that are expected, and the first others."""
    if len(found) <= MOST_KEYWORDS:
        return found.items()
    expected = {FINISHED, *keywords}
    return islice(sorted(found.items(), key=lambda item: item[0] not in expected), MOST_KEYWORDS)


def _encodable(text: str) -> str:
    """JSON may have halves of characters, which can be neither printed nor written."""
    return text.encode('utf-8', 'replace').decode()


_DOCUMENTS = {'.json': read_json, '.yaml': read_yaml, '.yml': read_yaml}


def _read(filename: str, text: str, keywords: Sequence[str]) -> tuple[dict[str, str], list[str]]:
    ending = os.path.splitext(filename)[1].lower()
    return (keywords_of(_DOCUMENTS[ending](text)), []) if ending in _DOCUMENTS else read_lines(text, keywords)


def _one_line(error: BaseException) -> str:
    return ' '.join(str(error).split())[:500]
