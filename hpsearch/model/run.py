"""A run: one set of hyperparameters, its line in the plan, and what its script leaves as a result."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from hpsearch.model.command import plain
from hpsearch.model.configuration import Params, Value

_QUOTES = ("'", '"')

OUT_DIR, RUN, CONFIG, CHECKPOINT = '\0out_dir\0', '\0run\0', '\0config\0', '\0checkpoint\0'
"""In the words of a run as its plan may have them: its output folder, its name, its configuration file without the
ending, and the copy of the checkpoint it goes on from; no word can contain them."""

_TAKEN = frozenset(('code', 'jobs', 'journal', 'provenance', 'submissions', 'TO_BE_DELETED'))


@dataclass(frozen=True, slots=True)
class Run:
    """One set of hyperparameters of a search, as the plan (``runs.jsonl``) has it.

    Attributes:
        name: Unique in the search and the name of its output folder, e.g. ``sim_20261120231900_007``.
        number: Ordinal in the search, from 1.
        params: Its hyperparameters, without the output option.
        argv: Every word of its command, interpreter, script and output folder included. In a line of the plan the
            output folder is the name of the run, so that the search folder can be moved; in format 1 it is a path.
            Where a command names its run or output folder, the line has :data:`RUN` and :data:`OUT_DIR` instead.
    """

    name: str
    number: int
    params: Params
    argv: tuple[str, ...]


def encode_run(run: Run) -> str:
    """A run as a line of the plan, its line break included."""
    params = ', '.join(param_json(option, value) for option, value in run.params.items())
    return plan_line(json.dumps(run.name), run.number, params, ', '.join(map(json.dumps, planned_words(run))))


def planned_words(run: Run) -> tuple[str, ...]:
    """The words of a run as its plan has them, in whatever place the search folder is."""
    return run.argv if _has_marks(run.argv) else with_output(run, run.name).argv


def with_output(run: Run, output: str) -> Run:
    """A run with another output folder; the same if its command has none."""
    if _has_marks(run.argv):
        return replace(run, argv=tuple(_filled(word, run.name, output) for word in run.argv))
    argv = _with_output(run.argv, run.name, output)
    return run if argv is None else replace(run, argv=argv)


def config_file(output: str) -> str:
    """The configuration file that is written for a run, without the ending, from its output folder."""
    return CONFIG if output == OUT_DIR else _among_jobs(output, 'config')


def checkpoint_copy(output: str) -> str:
    """The folder that a checkpoint of an earlier run is copied to for a run, from its output folder."""
    return CHECKPOINT if output == OUT_DIR else _among_jobs(output, 'checkpoint')


def _among_jobs(output: str, file: str) -> str:
    folder, slash, name = output.rpartition('/')
    return f'{folder}{slash}jobs/{name}/{file}'


def _has_marks(words: Iterable[str]) -> bool:
    return '\0' in ''.join(words)


def _filled(word: str, name: str, output: str) -> str:
    word = word.replace(RUN, name).replace(CONFIG, config_file(output)).replace(CHECKPOINT, checkpoint_copy(output))
    before, mark, after = word.partition(OUT_DIR)
    return _enclosed(output, before, after.replace(OUT_DIR, output)) if mark else before


def without_path(words: Sequence[str], name: str) -> tuple[str, ...]:
    """The words of a command with the name of the run in place of its output folder."""
    return _with_output(words, name, name) or tuple(words)


def search_path_of(run: Run) -> str:
    """The search folder that a plan of format 1 has in the command of a run; empty: there is none."""
    words = (word.partition('=')[2] for word in run.argv if _around_output(word, run.name))
    return next(words, '').removesuffix(run.name).rstrip('/')


def _with_output(words: Sequence[str], name: str, output: str) -> tuple[str, ...] | None:
    for place, word in enumerate(words):
        if name in word and (around := _around_output(word, name)):
            return (*words[:place], _enclosed(output, *around), *words[place + 1 :])
    return None


def _around_output(word: str, name: str) -> tuple[str, str] | None:
    """What stands before and after an output folder in a word; None: it has none.

    An output folder is an absolute path, or in the plan the name alone; it may have quotes, as in Hydra's grammar. No
    other search has runs of this name.
    """
    head, found, after = word.rpartition(name) if name else ('', '', '')
    if not found or after not in ('', *_QUOTES):
        return None
    before, slash, path = head.partition('/')
    is_path = path.endswith('/') or not path if slash else not before[-1:].isalnum() and before[-1:] not in ('_', '-')
    return (before, after) if is_path else None


def _enclosed(output: str, before: str, after: str) -> str:
    """An output folder between its quotes, if it has any, which are not such as it contains."""
    if after in _QUOTES and after in output:
        other = _QUOTES[1 - _QUOTES.index(after)]
        return f'{before[:-1]}{other}{output}{other}'
    return f'{before}{output}{after}'


def param_json(option: str, value: Value) -> str:
    """A hyperparameter as it stands in a line of the plan."""
    return f'{json.dumps(option)}: {json.dumps(plain(value))}'


def values_note(params: str) -> str:
    """The comment at the end of a line for a shell whose command reads its values from a file.

    Args:
        params: Hyperparameters by :func:`param_json`, separated by ``, ``.
    """
    return f'  # {{{params}}}'


def plan_line(name: str, number: int, params: str, argv: str) -> str:
    """A line of the plan, from parts in JSON that many runs share, so that each is rendered once.

    Args:
        name: Name of the run.
        number: Ordinal of the run.
        params: Its hyperparameters by :func:`param_json`, separated by ``, ``.
        argv: The words of its command, separated by ``, ``.
    """
    return f'{{"run": {name}, "number": {number}, "params": {{{params}}}, "argv": [{argv}]}}\n'


def is_run_name(name: str) -> bool:
    """Whether a run may have this name: one component of a path, one word, and nothing that a search folder has."""
    return name not in _TAKEN and not re.search(r'^$|^\.|[/\\\s\0]', name)


def decode_run(line: str) -> Run:
    """The run of a line of the plan.

    Raises:
        ValueError: The line is damaged, or its name cannot be that of a run.
    """
    try:
        return run_of_entry(json.loads(line))
    except RecursionError as error:
        raise ValueError(f'not a line of a plan: {error!r}') from error


def run_of_entry(entry: Mapping[str, Any]) -> Run:
    """The run of what a line of the plan, or of a journal, says of it.

    Raises:
        ValueError: It is damaged, or its name cannot be that of a run.
    """
    try:
        run = Run(entry['run'], entry['number'], entry['params'], tuple(entry['argv']))
    except (KeyError, TypeError) as error:
        raise ValueError(f'not a line of a plan: {error!r}') from error
    if not _has_types(run, entry['argv']):
        raise ValueError('not a line of a plan: a field is of another type')
    _checked(run.name)
    return run


def _has_types(run: Run, argv: object) -> bool:
    return is_command(argv) and type(run.number) is int and isinstance(run.params, dict)


def is_command(argv: object) -> bool:
    """Whether something can be the words of a run, with marks or without."""
    if not isinstance(argv, list) or {*map(type, argv)} != {str}:
        return False
    return not _has_marks(argv) or not any('\0' in _filled(word, '', '') for word in argv)


def _checked(name: object) -> str:
    if not isinstance(name, str) or not is_run_name(name):
        raise ValueError(f'{name!r:.80} cannot be the name of a run')
    return name


@dataclass(frozen=True, slots=True)
class Summary:
    """What a training script left as its result.

    Attributes:
        values: Keyword to text as it goes into the table; a list is ``v1,v2``.
        finished: What the keyword ``finished`` says; None: it is missing, or there is no summary.
        problem: Why there is no summary, or what is wrong with it (missing keywords, half a file); may be empty.
        found: Whether there is a summary that could be read.
        status_decides: Whether it has results, and the keyword ``finished`` is neither there nor expected, so that the
            exit status says whether the run is complete.
    """

    values: Mapping[str, str] = field(default_factory=dict)
    finished: bool | None = None
    problem: str = ''
    found: bool = False
    status_decides: bool = False

    def is_success(self, code: int | None) -> bool:
        """Whether it shows, beside this exit status (None: not known), that the run is complete."""
        return bool(self.finished) or (self.status_decides and code == 0)
