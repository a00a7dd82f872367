"""Which code and which environment the runs were made with.

The code is read in a thread of its own after the first run was started; from then on it is looked at whenever a run is
started. In the folder ``provenance`` of the search are ``<code id>.json``, the files of the code with their hashes,
``<code id>.diff`` for a git tree with changes, and ``packages.txt``. What cannot be found out is listed as a problem in
the event; no search ends because of it.
"""

from __future__ import annotations

import json
import logging
import os
import platform
import socket
import threading
import time
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from functools import cached_property, partial
from pathlib import Path
from typing import Any

from hpsearch.arguments.command import uses_interpreter
from hpsearch.host.code import Code, CodePlace, CodeReader, code_files, folder_of_code, stamp_of
from hpsearch.host.code_copy import CodeCopy, files_in, from_copy
from hpsearch.host.git import Problem, Repository, Tree, UnusableRepository, ask, find_repository
from hpsearch.host.processes import start_thread, user_name
from hpsearch.model.errors import SearchFolderError
from hpsearch.model.history.attempt import Attempt
from hpsearch.model.history.search_state import SearchState
from hpsearch.model.states import NEVER_STARTED, State
from hpsearch.model.units import count_of
from hpsearch.store.folder import SearchFolder
from hpsearch.store.opening.open_search import OpenSearch
from hpsearch.store.whole_files import write_whole

log = logging.getLogger('hpsearch')

NAMES_LIMIT = 100
"""Names of untracked files that are kept."""

LIST_LIMIT = 16 << 20
"""Bytes that are read of a list of files."""

CODES_SHOWN = 5
"""Codes in a message, the last ones."""

NAMES_SHOWN = 5
"""Names of changed files in a message."""

INTERVAL = 60.0
"""Seconds between two checks which files git tracks, at least."""

SHARE_OF_TIME = 0.02
"""The largest share (0-1) of the time that looking at the code may take."""

PATIENCE = 0.05
"""Seconds that the start of a run waits for a reading of the code that is under way."""


# The code


def code_place(top: Path, run: Sequence[Path], run_cwd: Path, python_path: str = '') -> CodePlace:
    """Where the code is.

    Args:
        top: The folder it is below.
        run: What is run (:func:`code_files`).
        run_cwd: Working directory of the runs.
        python_path: The variable ``PYTHONPATH``.
    """
    real = [Path(os.path.realpath(path)) for path in run]
    scripts = [path.parent for path in real if path.suffix == '.py']
    named = [run_cwd / entry for entry in ('', *filter(None, python_path.split(os.pathsep)))]
    folders = [*scripts, *(Path(os.path.realpath(path)) for path in named), top, top / 'src']
    return CodePlace(top, real, [each for each in dict.fromkeys(folders) if each.is_relative_to(top)])


def provenance_of(search: OpenSearch) -> Provenance:
    """What gathers which code and which environment the runs of a search are made with."""
    copy, run_cwd = search.folder.code_copy, Path(search.run_cwd)
    configuration = from_copy(search.configuration, copy, search.folder.code_dir)
    files = code_files(configuration, run_cwd)
    interpreter = search.interpreter if uses_interpreter(search.configuration) else ''
    return Provenance(search.folder, files, run_cwd, interpreter, copy)


# The environment

_DESCRIBE_ENVIRONMENT = """
import json, sys
facts = {'python': sys.version.split()[0], 'packages': []}
if sys.argv[1] == 'packages':
    from importlib.metadata import distributions
    lines = set()
    for one in distributions():
        name, direct = one.metadata['Name'], one.read_text('direct_url.json')
        source = ' @ ' + json.loads(direct).get('url', '') if direct else ''
        lines.add('%s==%s%s' % (name, one.version, source))
    facts['packages'] = sorted(lines, key=str.lower)
sys.stdout.write(json.dumps(facts))
"""


def ask_interpreter(interpreter: str, folder: Path, *, packages: bool) -> dict[str, Any]:
    """Version (``python``) and, if asked for, packages (``packages``: a list of lines) of an interpreter.

    Args:
        interpreter: As it stands in the commands.
        folder: Where it is started; a module there may shadow one of the standard library.

    Raises:
        Problem: It does not answer.
    """
    words = [interpreter, '-c', _DESCRIBE_ENVIRONMENT, 'packages' if packages else '']
    answer = ask(words, folder, os.environ)
    try:
        facts = json.loads(answer.text)
    except ValueError:
        raise Problem(f'{interpreter} does not list its packages: status {answer.code}') from None
    return dict(facts)


# All of it


class Provenance:
    """Gathers which code and which environment the runs of a search are made with.

    Args:
        folder: The search.
        files: What is run (:func:`code_files`).
        run_cwd: Working directory of the runs.
        interpreter: First word of the commands of a Python script; empty: it is no Python script.
        copy: The copy of the code that they are started from; None: they are started from the original.
        clock: Seconds, monotonic.
    """

    def __init__(
        self,
        folder: SearchFolder,
        files: Sequence[Path],
        run_cwd: Path,
        interpreter: str = '',
        copy: CodeCopy | None = None,
        *,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._search = folder
        self._folder = folder.provenance_dir
        self._copy_dir = folder.code_dir
        self._copy = copy
        self._files = tuple(files)
        self._run_cwd = run_cwd
        self._interpreter = interpreter
        self._clock = clock
        self._code: Code | None = None
        self._unreported: list[Code] = []
        self._index: list[tuple[int, ...]] = []
        self._next_look = self._next_check = 0.0
        self._reading = threading.Lock()
        self._thread: threading.Thread | None = None
        self._wanted = threading.Event()
        self._has_reported = threading.Event()
        self._refused: list[str] = []

    @cached_property
    def _repository(self) -> Repository | None:
        """The git tree of the script; one that git refuses to read counts as none, and is a problem."""
        if self._copy is not None:
            return None  # it may lie in a tree that has nothing to do with it
        try:
            return find_repository(folder_of_code(self._files, self._run_cwd))
        except UnusableRepository as problem:
            self._refused.append(str(problem))
            return None

    @cached_property
    def _top(self) -> Path:
        """The folder of the code."""
        if self._copy is not None:
            return Path(os.path.realpath(self._copy_dir))
        return self._repository.top if self._repository else folder_of_code(self._files, self._run_cwd)

    @cached_property
    def _reader(self) -> CodeReader:
        return CodeReader(code_place(self._top, self._files, self._run_cwd, os.environ.get('PYTHONPATH', '')))

    def start(self, report: Callable[[dict[str, Any]], None]) -> None:
        """Start the thread, once; to be called after the first run was started.

        Args:
            report: Called in the thread with an event (``provenance``) for the journal, at the start and whenever the
                code has changed.

        Raises:
            OSError: No thread can be started now.
        """
        if self._thread is None:
            self._thread = start_thread(partial(self._work, report), 'provenance')

    @property
    def code(self) -> str:
        """The id of the code when it was looked at last; empty before it was read."""
        return self._code.ident if self._code else ''

    def look(self) -> str:
        """The id of the code as it is now, for what starts now; empty before it was read.

        Its files are asked for their time stamps; this takes at most :data:`SHARE_OF_TIME` of the time.
        """
        if self._clock() >= self._next_look:
            self.look_again()
        return self.code

    def look_again(self) -> str:
        """The same, however recently it was looked at; empty also where it cannot be read now."""
        now, has_looked = self._clock(), False
        try:
            has_looked = self._look(now)
        except Problem as problem:
            log.debug('the code counts as unchanged until it can be read: %s', problem)
        end = self._clock()
        self._next_look = end + (end - now) / SHARE_OF_TIME
        return self.code if has_looked else ''

    def _look(self, now: float) -> bool:
        """Take in what has changed; returns whether that could be seen now."""
        if (self._code is None or self._index != self._index_stamps()) and now >= self._next_check:
            self._next_check = now + INTERVAL
            self._wanted.set()
        if self._code is None or not self._reading.acquire(timeout=PATIENCE):
            return False
        try:
            if self._reader.has_changed():
                self._take(self._reader.read())
            if self._unreported:
                self._wanted.set()
        finally:
            self._reading.release()
        return True

    def changed_before(self, code: str, moment: float) -> bool:
        """Whether, of the files that differ between a code and the present one, one had changed by a time.

        Args:
            code: The id of the earlier code.
            moment: Seconds since 1970, by the clock of the file system.
        """
        names = changed_files(self._search, code, self.code, self._code)
        try:
            return names is None or any(_changed_by(self._top / name, moment) for name in names)
        except Problem:
            return True  # that is not known, so that both have to be named

    def wait(self, timeout: float) -> bool:
        """Wait until all that was found is reported, at most ``timeout`` seconds; returns whether it is."""
        return self._has_reported.wait(timeout)

    # In the thread

    def _work(self, report: Callable[[dict[str, Any]], None]) -> None:
        problems: list[str] = []
        try:
            self._read()
        except Problem as problem:
            problems.append(str(problem))
        self._report(report, self._environment(problems), [*problems, *self._refused])
        while self._wanted.wait():
            self._wanted.clear()
            self._check()
            while self._unreported:
                self._report(report, {}, [])

    def _report(
        self, report: Callable[[dict[str, Any]], None], environment: Mapping[str, Any], problems: list[str]
    ) -> None:
        """Report the code that was found first of those that were not reported; or that there is none."""
        code = self._unreported[0] if self._unreported else None
        report(self._event(code, environment, problems))
        with self._reading:
            del self._unreported[:1]
            if not self._unreported:
                self._has_reported.set()

    def _check(self) -> None:
        """Read the code again where git tracks other files now, or where it could not be read before."""
        try:
            if self._code is None or self._index != self._index_stamps():
                self._read()
        except Problem:
            return  # it is checked again later; until then the code counts as unchanged

    def _read(self) -> None:
        """Read all of the code.

        Raises:
            Problem: It cannot be read, or git does not answer.
        """
        index, tracked = self._index_stamps(), self._tracked()
        with self._reading:
            self._reader.tracked = tracked
            self._take(self._reader.read())
            self._index = index

    def _tracked(self) -> list[Path]:
        """The files that git tracks; of a copy, all of them."""
        if self._copy is not None:
            return sorted(files_in(self._top))
        return [self._top / name for name in self._repository.tracked()] if self._repository else []

    def _take(self, code: Code) -> None:
        """Take in the code that was just read, as what is to be reported if it has changed."""
        if code.ident != self.code or self._code is None:
            self._unreported.append(code)
            self._has_reported.clear()
        self._code = code

    def _index_stamps(self) -> list[tuple[int, ...]]:
        """What changes when git tracks other files."""
        return [stamp_of(self._repository.private / name) for name in ('HEAD', 'index')] if self._repository else []

    # What is reported

    def _environment(self, problems: list[str]) -> dict[str, Any]:
        from hpsearch import __version__

        facts: dict[str, Any] = {
            'hpsearch': __version__,
            'platform': platform.platform(),
            'host': socket.gethostname(),
            'user': user_name(os.getuid()),
        }
        try:
            self._folder.mkdir(exist_ok=True)
            facts |= self._interpreter_facts(problems)
        except Problem as problem:
            problems.append(str(problem))
        except OSError as error:
            problems.append(f'the packages cannot be kept: {error.strerror}')
        return facts

    def _interpreter_facts(self, problems: list[str]) -> dict[str, Any]:
        if not self._interpreter:
            return {}
        path = self._folder / 'packages.txt'
        is_there = path.exists()
        facts = ask_interpreter(self._interpreter, self._folder, packages=not is_there)
        if not is_there:
            write_whole(path, ''.join(f'{line}\n' for line in facts['packages']))
            problems += self._not_from_copy(facts['packages'])
        return {'python': facts['python'], 'packages': f'{self._folder.name}/{path.name}'}

    def _not_from_copy(self, packages: Sequence[str]) -> list[str]:
        """Packages that are installed from the original of the copy, in sentences."""
        if self._copy is None:
            return []
        url = Path(self._copy.of).as_uri()
        names = [line.partition('==')[0] for line in packages if line.partition(' @ ')[2] in (url, f'{url}/')]
        return [f'{name} is installed from {self._copy.of}: runs may import that and not the copy' for name in names]

    def _event(self, code: Code | None, environment: Mapping[str, Any], problems: list[str]) -> dict[str, Any]:
        event: dict[str, Any] = {'event': 'provenance', 'code': code.ident if code else '', **environment}
        if code:
            event['files'] = self._files_run(code)
            self._keep_list(code, problems)
            event |= self._tree_facts(code, problems)
        if problems:
            event['problems'] = problems
        return event

    def _files_run(self, code: Code) -> dict[str, str]:
        """Of the files of the code, those that are run themselves."""
        place = self._reader.place
        names = {str(path): place.name_of(real) for path, real in zip(self._files, place.run, strict=True)}
        return {path: code.files[name] for path, name in names.items() if name in code.files}

    def _keep_list(self, code: Code, problems: list[str]) -> None:
        path = _list_of(self._search, code.ident)
        try:
            if code.ident and not path.exists():
                self._folder.mkdir(exist_ok=True)
                write_whole(path, json.dumps(dict(code.files), indent=0) + '\n')
        except OSError as error:
            problems.append(f'the names of the files cannot be kept: {error.strerror}')

    def _tree_facts(self, code: Code, problems: list[str]) -> dict[str, Any]:
        if self._copy is not None:
            return dict(self._copy.facts)
        try:
            tree = self._repository.look() if self._repository else None
            untracked = self._repository.untracked() if self._repository and tree else []
        except Problem as problem:
            problems.append(str(problem))
            return {}
        if tree is None:
            return {}
        if not self._is_current(code):
            problems.append('the code changed again before git was asked about it')
            return {}
        status = tree.status
        facts = {'commit': status.commit, 'branch': status.branch, 'dirty': status.dirty}
        facts |= {'untracked': untracked[:NAMES_LIMIT], 'untracked_count': len(untracked)}
        if tree.digest:
            try:
                facts['diff'] = self._keep_diff(code.ident, tree, untracked)
            except OSError as error:
                problems.append(f'the diff cannot be kept: {error.strerror}')
        return facts

    def _is_current(self, code: Code) -> bool:
        """Whether the code is still as it was read."""
        with self._reading:
            try:
                return self._code is code and self._reader.is_same()
            except Problem:
                return False  # that is not known

    def _keep_diff(self, ident: str, tree: Tree, untracked: Sequence[str]) -> str:
        path = self._folder / f'{ident}.diff'
        if not path.exists():
            write_whole(path, diff_text(tree, untracked))
        return f'{self._folder.name}/{path.name}'


def _changed_by(path: Path, moment: float) -> bool:
    """Whether a file, of which it is known that it has changed, had changed by a time; also if that is not known."""
    stamp = stamp_of(path)
    return not stamp or stamp[1] / 1e9 <= moment


def diff_text(tree: Tree, untracked: Sequence[str]) -> str:
    """A diff as it is kept, for ``git apply``: with its commit, the untracked files, and the changes."""
    about = [f'# changes to commit {tree.status.commit}, branch {tree.status.branch or "none"}']
    if tree.size > len(tree.diff):
        about.append(f'# cut after {len(tree.diff)} of {tree.size} bytes')
    about += [f'# not in the repository: {name!r}' for name in untracked[:NAMES_LIMIT]]
    if len(untracked) > NAMES_LIMIT:
        about.append(f'# not in the repository: {len(untracked) - NAMES_LIMIT} more')
    return '\n'.join([*about, '', os.fsdecode(tree.diff)])


# What is said of it


def _list_of(folder: SearchFolder, ident: str) -> Path:
    return folder.provenance_dir / f'{ident}.json'


def changed_files(folder: SearchFolder, before: str, after: str, known: Code | None = None) -> list[str] | None:
    """Names of the files in which two codes differ; None: not known.

    Args:
        folder: The search.
        before: The id of the one.
        after: The id of the other.
        known: The latter, where it need not be looked up.
    """
    one = _read_list(folder, before)
    other = known.files if known and known.ident == after else _read_list(folder, after)
    if one is None or other is None:
        return None
    return sorted(name for name in one.keys() | other.keys() if one.get(name) != other.get(name))


def _read_list(folder: SearchFolder, ident: str) -> Mapping[str, str] | None:
    if not ident.isalnum():  # it may be anything in the journal of somebody else
        return None
    try:
        with folder.open(_list_of(folder, ident)) as file:
            files = json.loads(file.read(LIST_LIMIT))
    except (OSError, SearchFolderError, ValueError, RecursionError):
        return None  # it was written by an earlier version, not at all, or by somebody else
    return files if isinstance(files, dict) else None


def about_new_code(folder: SearchFolder, state: SearchState, code: str) -> str:
    """A warning that runs start with other code than before; empty: with the same, or there were none before.

    Args:
        folder: The search.
        state: What is known of its runs.
        code: The id of the code that was found.
    """
    earlier = {other: count for other, count in runs_by_code(state).items() if other != code}
    if not code or not earlier:
        return ''
    before, count = next(reversed(earlier.items()))
    about = _about_changes(folder, before, code)
    return f'the code has changed ({about}): runs start with {code} from now on, before with {before} ({count} did)'


def code_changes(folder: SearchFolder, state: SearchState) -> str:
    """A warning when runs of one search were started with different code; empty when they were not."""
    runs = runs_by_code(state)
    if len(runs) < 2:
        return ''
    earlier, shown = list(runs.items())[:-CODES_SHOWN], list(runs.items())[-CODES_SHOWN:]
    parts = [f'{sum(count for _, count in earlier)} with {count_of(len(earlier), "other")}'] if earlier else []
    before = earlier[-1][0] if earlier else ''
    for code, count in shown:
        about = [_about_changes(folder, before, code)] if before else []
        about += [f'diff: {state.diffs[code]}'] if code in state.diffs else []
        parts.append(f'{count} with {code}' + (f' ({"; ".join(about)})' if about else ''))
        before = code
    text = f'the code changed between runs: {", ".join(parts)}'
    late = sum(bool(attempt.code_at_start) for attempt in _that_ran(state))
    return f'{text}; {late} of them were submitted with earlier code than was there when they started' if late else text


def runs_by_code(state: SearchState) -> Mapping[str, int]:
    """Code id to how many runs have an attempt that was started with it, in the order in which they appeared."""
    pairs = {(attempt.run, attempt.code_at_start or attempt.code_id): None for attempt in _that_ran(state)}
    return Counter(code for _, code in pairs if code)


_BEFORE_ITS_START = (State.CLAIMED, State.SUBMITTED)


def _that_ran(state: SearchState) -> list[Attempt]:
    every = (attempt for history in state.wanted for attempt in history.attempts)
    return [each for each in every if each.state not in _BEFORE_ITS_START and each.cause not in NEVER_STARTED]


def _about_changes(folder: SearchFolder, before: str, after: str) -> str:
    names = changed_files(folder, before, after)
    if names is None:
        return f'what differs from {before} is not known'
    shown = [name if name.isprintable() else repr(name) for name in names[:NAMES_SHOWN]]
    more = len(names) - len(shown)
    return f'changed: {", ".join(shown)}{f" and {more} more" if more else ""}'
