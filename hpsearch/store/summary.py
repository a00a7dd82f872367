"""The result of a training script: the summary file in its output folder."""

from __future__ import annotations

import codecs
import json
import math
import os
import re
import stat
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from itertools import chain, islice
from pathlib import Path
from typing import Any

from hpsearch.model.configuration import Configuration
from hpsearch.model.errors import is_of_machine
from hpsearch.model.logs.failures import clipped
from hpsearch.model.run import Summary
from hpsearch.model.units import is_ambiguous, read_number

LARGEST_SUMMARY = 10 * 2**20
"""Bytes; a larger file is no summary and is not read."""

LARGEST_YAML = 2**20
"""The same for YAML, which takes some seconds per MiB to read."""

MOST_KEYWORDS = 1000
"""Keywords of a run that are kept; each is a column of the table."""

MOST_NAMES = 6
"""Names that are listed of a folder without a summary."""

MOST_ENTRIES = 2000
"""Entries of such a folder, and of those in it, that are looked at."""

LONGEST_NAME = 60
"""Characters of such a name."""

_OURS = re.compile(r'hpsearch_command\.sh$|job_.*\.(?:out|err)$')

FINISHED = 'finished'
"""The keyword that says whether a run is complete."""

_QUOTES = '\'"'
_BRACKETS = {'[': ']', '(': ')'}
_COLON_OR_EQUALS = re.compile(r'([^\s:=]+)\s*[:=](?:\s+(.*))?$', re.DOTALL)
_EQUALS_TIGHT = re.compile(r'([A-Za-z_][\w.-]*)=(.*)$', re.DOTALL)
_LIST_TEXT = re.compile(r'[^,\s]+(?:,[^,\s]+)+')


def read_summary(folder: Path, configuration: Configuration, run_number: int) -> Summary:
    """Read the result of a run that has ended; an error of its script or a custom parser is :attr:`Summary.problem`.

    Args:
        folder: The run's output folder.
        configuration: Has the name of the summary file, the expected keywords, and perhaps a custom parser.
        run_number: Ordinal of the run in the search, from 1; a custom parser gets it from 0.

    Raises:
        OSError: Something of the machine is in the way; the summary may be good.
    """
    if configuration.summary_parser is not None:
        return _by_handle(configuration.summary_parser, folder, configuration.summary_keywords, run_number - 1)
    if configuration.summary_filename is None:
        return Summary()
    return _by_file(folder, configuration.summary_filename, configuration.summary_keywords)


def summary_mark(folder: Path, configuration: Configuration) -> list[int] | None:
    """Identifies the summary file that is there before an attempt begins; None without one.

    Raises:
        OSError: Something of the machine keeps that from being known.
    """
    if configuration.summary_filename is None:
        return None
    try:
        facts = (folder / configuration.summary_filename).stat()
    except OSError as error:
        if is_of_machine(error):
            raise
        return None
    return [facts.st_ino, facts.st_mtime_ns, facts.st_size]


def read_attempt_summary(
    folder: Path, configuration: Configuration, run_number: int, before: Sequence[int] | None
) -> Summary:
    """Like :func:`read_summary`, for one attempt: what was in its folder before it began does not count.

    Args:
        before: The :func:`summary_mark` taken before the attempt, or None.

    Raises:
        OSError: Something of the machine is in the way.
    """
    if before is not None and list(before) == summary_mark(folder, configuration):
        return Summary(problem='its summary was there before it began')
    return read_summary(folder, configuration, run_number)


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
        raw = _read_fresh(folder / filename)
    except FileNotFoundError:
        missing = f'no summary file {filename} in the output folder' if folder.is_dir() else 'no output folder'
        return Summary(problem=missing)
    except (OSError, ValueError) as error:
        if isinstance(error, OSError) and is_of_machine(error):
            raise
        return Summary(problem=f'summary file {filename} cannot be read: {_reason(error)}')
    text, oddities = _decode(raw)
    try:
        values, more = _reader(filename)(text, keywords)
    except Exception as error:
        # A damaged or hostile file can make a library raise anything.
        return Summary(problem=f'summary file {filename} cannot be read: {_one_line(error)}')
    return _judged(values, keywords, [*oddities, *more])


def _by_handle(handle: Callable[..., Any], folder: Path, keywords: Sequence[str], cmd_ident: int) -> Summary:
    _look_again(folder)
    if not folder.is_dir():
        return Summary(problem='no output folder')
    try:
        result = handle(str(folder), cmd_ident)
        if not isinstance(result, Mapping):
            return Summary(problem=f'_SUMMARY_PARSER_HANDLE returned a {type(result).__name__}, not a dict')
        values = {str(keyword): _text_of_result(value) for keyword, value in result.items()}
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


# Bytes and text


def _read_fresh(path: Path) -> bytes:
    try:
        return _read_bounded(path)
    except FileNotFoundError:
        _look_again(path.parent)
        return _read_bounded(path)


def _look_again(folder: Path) -> None:
    """Let a network file system look again for what was not there a minute ago, by listing where it should be.

    What is wrong, if anything, says the reading that follows.
    """
    with suppress(OSError):
        if not folder.is_dir():
            os.listdir(folder.parent)
        os.listdir(folder)


def _read_bounded(path: Path) -> bytes:
    # Non-blocking, since there may be a named pipe of this name.
    descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK)
    with os.fdopen(descriptor, 'rb') as file:
        if not stat.S_ISREG(os.fstat(descriptor).st_mode):
            raise ValueError('it is not a regular file')
        raw = file.read(LARGEST_SUMMARY + 1)
    if len(raw) > LARGEST_SUMMARY:
        raise ValueError(f'it is larger than {LARGEST_SUMMARY // 2**20} MiB')
    return raw


_MARKS = (
    *((codecs.BOM_UTF32_LE, 'utf-32'), (codecs.BOM_UTF32_BE, 'utf-32')),
    *((codecs.BOM_UTF16_LE, 'utf-16'), (codecs.BOM_UTF16_BE, 'utf-16')),
)
"""Byte order marks, the longer ones first, and what begins with them."""


def _decode(raw: bytes) -> tuple[str, list[str]]:
    oddities = []
    encoding = next((name for mark, name in _MARKS if raw.startswith(mark)), 'utf-8-sig')
    try:
        text = raw.decode(encoding)
    except UnicodeDecodeError:
        text = raw.decode(encoding, errors='replace')
        oddities.append(f'not valid {encoding.upper().removesuffix("-SIG")}')
    if '\0' in text:
        text = text.replace('\0', '')
        oddities.append('holds zero bytes')
    return text.replace('\r\n', '\n').replace('\r', '\n'), oddities


def _reader(filename: str) -> Callable[[str, Sequence[str]], tuple[dict[str, str], list[str]]]:
    ending = os.path.splitext(filename)[1].lower()
    return {'.json': _read_json, '.yaml': _read_yaml, '.yml': _read_yaml}.get(ending, _read_lines)


# Lines of ``keyword value``


def _read_lines(text: str, keywords: Sequence[str]) -> tuple[dict[str, str], list[str]]:
    known = frozenset(keywords)
    values: dict[str, str] = {}
    repeated: dict[str, None] = {}
    for line in _logical_lines(text):
        keyword, value = _split_keyword(line, known)
        if keyword in values:
            repeated[keyword] = None
        values[keyword] = value_text(value)
    oddities = [f'given more than once (the last counts): {", ".join(repeated)}'] if repeated else []
    if values and not text.endswith('\n') and known - values.keys():
        oddities.append('the last line has no end, so the file may be cut off')
    return values, oddities


def _logical_lines(text: str) -> list[str]:
    """Stripped lines; an indented line continues an open bracket, as numpy prints arrays, and torch what follows them.

    Of round brackets, which texts have, too, only one that is open after a comma is continued.
    """
    lines: list[list[str]] = []
    square = round_ = 0
    for raw in text.split('\n'):
        line = raw.strip()
        if not line:
            continue
        if raw[0].isspace() and (square > 0 or (round_ > 0 and lines[-1][-1].endswith(','))):
            lines[-1].append(line)
        else:
            lines.append([line])
            square = round_ = 0
        square += line.count('[') - line.count(']')
        round_ += line.count('(') - line.count(')')
    return [' '.join(parts) for parts in lines]


def _split_keyword(line: str, known: frozenset[str]) -> tuple[str, str]:
    first, rest = _first_word(line)
    if first in known and rest not in ('=', ':') and not rest.startswith(('= ', ': ')):
        return first, rest
    match = _COLON_OR_EQUALS.match(line) or _EQUALS_TIGHT.match(line)
    if match:
        return match[1], (match[2] or '').strip()
    name, colon, value = line.partition(':')
    if colon and name in known:
        return name, value.strip()
    return first, rest


def _first_word(line: str) -> tuple[str, str]:
    words = line.split(None, 1)
    return words[0], words[1] if len(words) > 1 else ''


def value_text(text: str) -> str:
    """The value part of a line in the form of the table: a list becomes ``v1,v2``, enclosing quotes are removed."""
    text = _unquoted(text.strip())
    inner = _unbracketed(text)
    if inner is None:
        words = [word for part in text.split(',') for word in part.split() or ['']]
        is_list = len(words) > 1 and all(_number(word) is not None for word in words) and not _has_decimal_commas(text)
        return ','.join(words) if is_list else text
    if '[' in inner or '(' in inner:
        return text
    words = [_unquoted(word.strip()) for word in (inner.split(',') if ',' in inner else inner.split())]
    return ','.join(word for word in words if word)


def _has_decimal_commas(text: str) -> bool:
    """Whether each of several words is a number with a comma (``0,95 0,93``): they are not twice as many numbers."""
    words = text.split()
    return len(words) > 1 and all(is_ambiguous(word.rstrip(',')) for word in words)


def _unbracketed(text: str) -> str | None:
    closing = _BRACKETS.get(text[:1])
    return text[1:-1].strip() if closing and len(text) > 1 and text.endswith(closing) else None


def _unquoted(text: str) -> str:
    enclosed = len(text) > 1 and text[0] in _QUOTES and text[-1] == text[0]
    return text[1:-1] if enclosed and text[0] not in text[1:-1] else text


def _number(text: str) -> float | None:
    if '_' in text:
        return None
    try:
        return float(text)
    except ValueError:
        return None


# JSON, YAML, and results of custom parsers


def _read_json(text: str, keywords: Sequence[str]) -> tuple[dict[str, str], list[str]]:
    return _of_mapping(json.loads(text)), []


def _read_yaml(text: str, keywords: Sequence[str]) -> tuple[dict[str, str], list[str]]:
    import yaml

    if len(text) > LARGEST_YAML:
        raise ValueError(f'it is larger than {LARGEST_YAML // 2**20} MiB, which is too much for YAML')
    loader = yaml.SafeLoader(text)
    try:
        node = loader.get_single_node()
        # Aliases of aliases are small as long as they are not written out.
        if expanded_size(node, _parts_of_node) > LARGEST_SUMMARY:
            raise ValueError(f'its aliases make it larger than {LARGEST_SUMMARY // 2**20} MiB')
        return _of_mapping(None if node is None else loader.construct_document(node)), []
    finally:
        loader.dispose()


def _parts_of_node(node: Any) -> Iterable[Any]:
    """What a node of YAML consists of: other nodes, or a text."""
    value = getattr(node, 'value', ())
    if isinstance(value, str):
        return (value,)
    return chain(*value) if value and isinstance(value[0], tuple) else value


def expanded_size(root: Any, parts_of: Callable[[Any], Iterable[Any]]) -> float:
    """How large something is if everything is written out each time it occurs; infinite if it contains itself.

    Args:
        root: The whole; texts count by their length, everything else as one.
        parts_of: What something consists of.
    """
    sizes: dict[int, float] = {}

    def size(value: Any) -> float:
        if id(value) not in sizes:
            sizes[id(value)] = math.inf  # while it is open
            is_text = isinstance(value, (str, bytes))
            sizes[id(value)] = len(value) if is_text else 1 + sum(map(size, parts_of(value)))
        return sizes[id(value)]

    return size(root)


def _of_mapping(document: object) -> dict[str, str]:
    if not isinstance(document, Mapping):
        raise ValueError(f'it holds a {type(document).__name__}, not keywords with values')
    return {str(keyword): _text_of(value) for keyword, value in document.items()}


def _text_of_result(value: Any) -> str:
    """The text of what a custom parser returned for a keyword; by convention a one-element list."""
    value = _plain(value)
    if isinstance(value, (list, tuple)) and len(value) == 1:
        value = _plain(value[0])
    return _unquoted(value.strip()) if isinstance(value, str) else _text_of(value)


def _plain(value: Any) -> Any:
    """Arrays and scalars of numpy or torch as lists and scalars of Python, without importing either."""
    return value.tolist() if hasattr(value, 'tolist') else value


def _text_of(value: Any) -> str:
    value = _plain(value)
    if value is None:
        return ''
    if isinstance(value, bool):
        return '1' if value else '0'
    if isinstance(value, (list, tuple)):
        return _text_of_list([_plain(item) for item in value])
    return json.dumps(value, default=str) if isinstance(value, Mapping) else str(value)


def _text_of_list(items: Sequence[Any]) -> str:
    if any(isinstance(item, (list, tuple, Mapping)) or (isinstance(item, str) and ',' in item) for item in items):
        return json.dumps(items, default=str)
    return ','.join(_text_of(item) for item in items)


def _reason(error: OSError | ValueError) -> str:
    return error.strerror or str(error) if isinstance(error, OSError) else str(error)


def _one_line(error: BaseException) -> str:
    return ' '.join(str(error).split())[:500]
