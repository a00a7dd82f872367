"""Which code and which environment the runs were made with.

It is gathered in a thread of its own after the first run was started, and kept in the folder ``provenance`` of the
search: ``<code id>.diff`` for a git tree with changes, and ``packages.txt``. What cannot be found out is listed as a
problem in the event; no search ends because of it.
"""

from __future__ import annotations

import hashlib
import json
import os
import platform
import socket
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property, partial
from pathlib import Path
from typing import Any

from hpsearch.host.git import Problem, Repository, Tree, UnusableRepository, ask, find_repository
from hpsearch.host.processes import start_thread, user_name
from hpsearch.model.configuration import Configuration
from hpsearch.store.folder import OpenSearch, SearchFolder, write_whole

NAMES_LIMIT = 100
"""Names of untracked files that are kept."""

FILE_LIMIT = 16 << 20
"""Bytes of a script that are hashed."""

INTERVAL = 60.0
"""Seconds between two checks of the code, at least."""

READS = 3
"""How often code that changes while it is read is read."""

SHARE_OF_TIME = 0.02
"""The largest share (0-1) of the time that checks of unchanged code may take."""


# The code


@dataclass(frozen=True, slots=True)
class Code:
    """The code of the runs at one moment.

    Attributes:
        ident: Identifies it, on every host alike; empty when there is nothing to identify it by.
        tree: The git tree it is in, or None.
        files: Path of a script to the SHA-256 of its content.
    """

    ident: str
    tree: Tree | None = None
    files: Mapping[str, str] = field(default_factory=dict)


def read_code(repository: Repository | None, files: Sequence[Path]) -> Code:
    """The code at this moment.

    Args:
        repository: The git tree of the runs, or None.
        files: What is run; entries that are no files are skipped. They count beside the commit and its changes, since
            they may be unknown to git.

    Raises:
        Problem: git does not answer, or a script cannot be read.
    """
    tree = repository.look() if repository else None
    digests = {str(path): digest for path in files if (digest := _digest(path))}
    facts = [tree.status.commit, tree.digest] if tree and tree.status.commit else []
    facts += digests.values()
    return Code(hashlib.sha256('\n'.join(facts).encode()).hexdigest()[:12] if facts else '', tree, digests)


def _digest(path: Path) -> str:
    try:
        if not path.is_file():
            return ''
        with open(path, 'rb') as script:
            return hashlib.sha256(script.read(FILE_LIMIT)).hexdigest()
    except OSError as error:
        raise Problem(f'{path} cannot be read: {error.strerror}') from error


def code_files(configuration: Configuration, run_cwd: Path) -> tuple[Path, ...]:
    """The files a configuration runs in a folder: its script, or what may be one among the words of its command."""
    if configuration.command is None:
        return (run_cwd / (configuration.script or ''),)
    return tuple(run_cwd / word for word in configuration.command if word and not word.startswith('-'))


def provenance_of(search: OpenSearch) -> Provenance:
    """What gathers which code and which environment the runs of a search are made with."""
    configuration, run_cwd = search.configuration, Path(search.run_cwd)
    files = code_files(configuration, run_cwd)
    interpreter = '' if configuration.command is not None else search.interpreter
    return Provenance(search.folder, files[0].parent if files else run_cwd, interpreter, files)


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


def is_due(*, changed: bool, since: float, took: float) -> bool:
    """Whether the code is checked again.

    Args:
        changed: Whether the script, or what git writes at every change of its own, is not what it was.
        since: Seconds since the last check.
        took: Seconds that the last check took.
    """
    return changed or took <= since * SHARE_OF_TIME


class Provenance:
    """Gathers which code and which environment the runs of a search are made with, in a thread of its own.

    Attributes:
        code: The id of the code at the last check; empty before the first.

    Args:
        folder: The search.
        script_dir: A folder of the code, to find its git tree.
        interpreter: First word of the commands of a Python script; empty: it is no Python script.
        files: What is run (:func:`code_files`).
        clock: Seconds, monotonic.
    """

    def __init__(
        self,
        folder: SearchFolder,
        script_dir: Path,
        interpreter: str,
        files: Sequence[Path] = (),
        *,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._folder = folder.provenance_dir
        self._script_dir = script_dir
        self._interpreter = interpreter
        self._files = tuple(files)
        self._clock = clock
        self.code = ''
        self._checked_at: float | None = None
        self._thread: threading.Thread | None = None
        self._wanted = threading.Event()
        self._has_reported = threading.Event()
        self._witnesses: list[tuple[int, ...]] = []
        self._refused: list[str] = []
        self._read_at = self._took = 0.0

    @cached_property
    def _repository(self) -> Repository | None:
        """The git tree of the script; one that git refuses to read counts as none, and is a problem."""
        try:
            return find_repository(self._script_dir)
        except UnusableRepository as problem:
            self._refused.append(str(problem))
            return None

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

    def check(self, now: float) -> None:
        """Check the code again if it is time; returns at once. To be called when attempts start."""
        if self._checked_at is None:
            self._checked_at = now
        elif now - self._checked_at >= INTERVAL:
            self._checked_at = now
            self._wanted.set()

    def wait(self, timeout: float) -> bool:
        """Wait for the first event, at most ``timeout`` seconds; returns whether it came."""
        return self._has_reported.wait(timeout)

    def _work(self, report: Callable[[dict[str, Any]], None]) -> None:
        report(self._first())
        self._has_reported.set()
        while self._wanted.wait():
            self._wanted.clear()
            event = self._again()
            if event is not None:
                report(event)

    def _first(self) -> dict[str, Any]:
        problems: list[str] = []
        environment = self._environment(problems)
        code = None
        try:
            code = self._read()
        except Problem as problem:
            problems.append(str(problem))
        return self._event(code, environment, [*problems, *self._refused])

    def _again(self) -> dict[str, Any] | None:
        before, since = self.code, self._clock() - self._read_at
        try:
            if not is_due(changed=self._stamps() != self._witnesses, since=since, took=self._took):
                return None
            code = self._read()
        except Problem:
            return None  # it is checked again later; until then the code counts as unchanged
        return self._event(code, {}, []) if code.ident != before else None

    def _read(self) -> Code:
        self._read_at = self._clock()
        try:
            code = self._read_unchanged()
        finally:
            self._took = self._clock() - self._read_at
        self.code = code.ident
        return code

    def _read_unchanged(self) -> Code:
        """Read the code again where it has changed meanwhile: what was read may be half old and half new."""
        for _ in range(READS):
            self._witnesses = self._stamps()
            code = read_code(self._repository, self._files)
            if self._stamps() == self._witnesses:
                break
        return code

    def _stamps(self) -> list[tuple[int, ...]]:
        private = self._repository.private if self._repository else None
        return [_stamp(path) for path in (*self._files, *([private / 'HEAD', private / 'index'] if private else ()))]

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
            facts |= self._interpreter_facts()
        except Problem as problem:
            problems.append(str(problem))
        except OSError as error:
            problems.append(f'the packages cannot be kept: {error.strerror}')
        return facts

    def _interpreter_facts(self) -> dict[str, Any]:
        if not self._interpreter:
            return {}
        path = self._folder / 'packages.txt'
        is_there = path.exists()
        facts = ask_interpreter(self._interpreter, self._folder, packages=not is_there)
        if not is_there:
            write_whole(path, ''.join(f'{line}\n' for line in facts['packages']))
        return {'python': facts['python'], 'packages': f'{self._folder.name}/{path.name}'}

    def _event(self, code: Code | None, environment: Mapping[str, Any], problems: list[str]) -> dict[str, Any]:
        event: dict[str, Any] = {'event': 'provenance', 'code': code.ident if code else '', **environment}
        if code:
            event['files'] = dict(code.files)
            event |= self._tree_facts(code, problems)
        if problems:
            event['problems'] = problems
        return event

    def _tree_facts(self, code: Code, problems: list[str]) -> dict[str, Any]:
        if code.tree is None:
            return {}
        status = code.tree.status
        untracked = self._untracked(problems)
        facts = {'commit': status.commit, 'branch': status.branch, 'dirty': status.dirty}
        facts |= {'untracked': untracked[:NAMES_LIMIT], 'untracked_count': len(untracked)}
        if code.tree.digest:
            try:
                facts['diff'] = self._keep_diff(code.ident, code.tree, untracked)
            except OSError as error:
                problems.append(f'the diff cannot be kept: {error.strerror}')
        return facts

    def _untracked(self, problems: list[str]) -> list[str]:
        try:
            return self._repository.untracked() if self._repository else []
        except Problem as problem:
            problems.append(f'the files that are not in the repository are not known: {problem}')
            return []

    def _keep_diff(self, ident: str, tree: Tree, untracked: Sequence[str]) -> str:
        path = self._folder / f'{ident}.diff'
        if not path.exists():
            write_whole(path, diff_text(tree, untracked))
        return f'{self._folder.name}/{path.name}'


def _stamp(path: Path) -> tuple[int, ...]:
    try:
        facts = path.stat()
    except OSError:
        return ()
    return (facts.st_mtime_ns, facts.st_size, facts.st_ino)


def diff_text(tree: Tree, untracked: Sequence[str]) -> str:
    """A diff as it is kept, for ``git apply``: with its commit, the untracked files, and the changes."""
    about = [f'# changes to commit {tree.status.commit}, branch {tree.status.branch or "none"}']
    if tree.size > len(tree.diff):
        about.append(f'# cut after {len(tree.diff)} of {tree.size} bytes')
    about += [f'# not in the repository: {name!r}' for name in untracked[:NAMES_LIMIT]]
    if len(untracked) > NAMES_LIMIT:
        about.append(f'# not in the repository: {len(untracked) - NAMES_LIMIT} more')
    return '\n'.join([*about, '', os.fsdecode(tree.diff)])


def code_changes(codes: Iterable[str], diffs: Mapping[str, str] | None = None) -> str:
    """A warning when attempts of one search were made with different code; empty when they were not.

    Args:
        codes: The code id of each attempt; unknown ones are ignored.
        diffs: Code id to the file with its changes.
    """
    counts = Counter(code for code in codes if code)
    if len(counts) < 2:
        return ''
    numbers = ', '.join(f'{count} with {code}{_diff_of(code, diffs or {})}' for code, count in counts.items())
    return f'the code changed between attempts: {numbers}'


def _diff_of(code: str, diffs: Mapping[str, str]) -> str:
    return f' (diff: {diffs[code]})' if code in diffs else ''
