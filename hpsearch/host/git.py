"""What git knows of the tree that a script is in.

git is only queried: it may not write, fetch, or run hooks, a file system monitor, external diffs or text conversions.
"""

from __future__ import annotations

import hashlib
import os
import re
import select
import shutil
import subprocess
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from hpsearch.host.processes import kill_group_of

OUTPUT_LIMIT = 5 << 20
"""Bytes of a diff that are kept."""

STATUS_LIMIT = 64 << 20
"""Bytes that git may print about which files have changed."""

TIMEOUT = 60.0
"""Seconds after which a program that was queried is killed."""


class Problem(Exception):
    """Something could not be found out; the message says what and why."""


class UnusableRepository(Problem):
    """There is a git tree, but git refuses to read it."""


# Programs that are queried


@dataclass(frozen=True, slots=True)
class ProgramOutput:
    """What a program printed.

    Attributes:
        code: Its exit status, negative for a signal.
        text: Its output, up to a limit of bytes.
        size: Bytes of the whole output.
        digest: SHA-256 of the whole output.
    """

    code: int
    text: bytes
    size: int
    digest: str


def ask(
    argv: Sequence[str],
    cwd: Path,
    environment: Mapping[str, str],
    *,
    limit: int = OUTPUT_LIMIT,
    timeout: float = TIMEOUT,
    stderr: int = subprocess.DEVNULL,
) -> ProgramOutput:
    """Run a program for its output, of which ``limit`` bytes are kept: without a shell, a terminal or input.

    ``stderr``: what becomes of its stderr, as for :class:`subprocess.Popen`.

    Raises:
        Problem: It cannot be started, or was killed, with all it started, after ``timeout`` seconds.
    """
    try:
        process = subprocess.Popen(
            argv,
            cwd=cwd,
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=stderr,
            start_new_session=True,
        )
    except (OSError, ValueError) as error:
        raise Problem(f'{argv[0]} cannot be started: {error}') from error
    with process:
        try:
            return _read(process, limit, timeout)
        except subprocess.TimeoutExpired:
            kill_group_of(process)
    raise Problem(f'{argv[0]} gave no answer within {timeout:g} s')


def _read(process: subprocess.Popen[bytes], limit: int, timeout: float) -> ProgramOutput:
    digest, kept, size = hashlib.sha256(), bytearray(), 0
    assert process.stdout is not None
    end, output = time.monotonic() + timeout, select.poll()
    output.register(process.stdout, select.POLLIN)
    while (left := end - time.monotonic()) > 0 and output.poll(1000 * left):
        chunk = os.read(process.stdout.fileno(), 1 << 16)
        if not chunk:
            return ProgramOutput(process.wait(left), bytes(kept), size, digest.hexdigest())
        digest.update(chunk)
        size += len(chunk)
        kept += chunk[: limit - len(kept)]
    raise subprocess.TimeoutExpired(process.args, timeout)


# git

_GIT = (
    *('git', '--no-optional-locks', '--no-pager', '-c', 'core.fsmonitor=false', '-c', 'core.hooksPath=/dev/null'),
    # What would write the index, reach for the network (a partial clone), or change the form of a diff.
    *('-c', 'diff.autoRefreshIndex=false', '-c', 'protocol.allow=never', '-c', 'core.quotePath=true'),
    *('-c', 'diff.algorithm=myers', '-c', 'diff.noprefix=false', '-c', 'diff.mnemonicPrefix=false'),
)

_STATUS = ('status', '--porcelain=v2', '--branch', '-z', '--no-renames', '--untracked-files=no')

_TRACKED = ('ls-files', '--recurse-submodules', '-z')

_UNTRACKED = ('ls-files', '--others', '--exclude-standard', '--directory', '--no-empty-directory', '-z')

_PRESENT = ('ls-files', '--cached', '--others', '--exclude-standard', '-z')

_IGNORED = ('ls-files', '--others', '--ignored', '--exclude-standard', '--directory', '-z')

_DIFF = (
    *('diff', '--no-ext-diff', '--no-textconv', '--no-color', '--no-renames', '--no-relative', '--full-index'),
    *('--unified=3', '--inter-hunk-context=0', '--submodule=short', '-O/dev/null'),
)

_SUBMODULES = '--ignore-submodules=untracked'

_NO_REPOSITORY = re.compile(r'not a git repository|must be run in a work tree')
"""What git says where a folder is in no git tree."""

LONGEST_WORDS = 400
"""Characters of its words that are passed on."""

_ELSEWHERE = ('GIT_DIR', 'GIT_WORK_TREE', 'GIT_INDEX_FILE', 'GIT_NAMESPACE', 'GIT_EXTERNAL_DIFF', 'GIT_DIFF_OPTS')
"""Variables that would make git report on another tree, or differently."""


@dataclass(frozen=True, slots=True)
class TreeStatus:
    """What ``git status`` says.

    Attributes:
        commit: Hash of the commit; empty before the first one.
        branch: Name of the branch; empty for a detached head.
        dirty: Whether a file of the repository has been changed.
    """

    commit: str = ''
    branch: str = ''
    dirty: bool = False


def parse_status(output: bytes) -> TreeStatus:
    """Read the output of ``git status --porcelain=v2 --branch -z --no-renames``."""
    fields = [os.fsdecode(entry) for entry in output.split(b'\0') if entry]
    facts = dict(entry[len('# branch.') :].split(' ', 1) for entry in fields if entry.startswith('# branch.'))
    oid, head = facts.get('oid', ''), facts.get('head', '')
    return TreeStatus(
        commit='' if oid == '(initial)' else oid,
        branch='' if head == '(detached)' else head,
        dirty=any(entry[0] in '12u' for entry in fields),
    )


def without_empty_entries(diff: bytes) -> bytes:
    """A diff without the files in it of which only a time stamp differs."""
    return re.sub(rb'(?m)^diff --git [^\n]*\n(?=diff --git |\Z)', b'', diff)


@dataclass(frozen=True, slots=True)
class Tree:
    """A git tree at one moment.

    Attributes:
        status: Commit, branch, what has changed.
        diff: The changes, at most :data:`OUTPUT_LIMIT` bytes.
        size: Bytes of all changes.
        digest: Identifies these changes; empty without any.
    """

    status: TreeStatus
    diff: bytes = b''
    size: int = 0
    digest: str = ''


@dataclass(frozen=True, slots=True)
class Repository:
    """Where a git tree is: its top folder, and its ``.git`` (of a linked work tree: the part that is its own)."""

    top: Path
    private: Path

    def look(self) -> Tree:
        """The tree at this moment.

        Raises:
            Problem: git does not answer.
        """
        status = parse_status(_git(self.top, *_STATUS, _SUBMODULES, limit=STATUS_LIMIT).text)
        if not (status.dirty and status.commit):
            return Tree(status)
        answer = _git(self.top, *_DIFF, _SUBMODULES, status.commit, '--', limit=OUTPUT_LIMIT)
        diff = without_empty_entries(answer.text)
        is_whole = answer.size <= OUTPUT_LIMIT
        digest = hashlib.sha256(diff).hexdigest() if is_whole else answer.digest
        return Tree(status, diff, len(diff) if is_whole else answer.size, digest)

    def tracked(self) -> list[str]:
        """Names of the files that git knows, those of submodules included.

        Raises:
            Problem: git does not answer.
        """
        return self._names(*_TRACKED)

    def present(self) -> list[str]:
        """Names of the files that git knows or does not ignore; a repository in this one is a name of its own.

        Raises:
            Problem: git does not answer.
        """
        return self._names(*_PRESENT)

    def ignored(self) -> list[str]:
        """Names of the files and folders that git ignores, the latter with a slash at the end.

        Raises:
            Problem: git does not answer.
        """
        return self._names(*_IGNORED)

    def untracked(self) -> list[str]:
        """Names of the files and folders that git does not know and does not ignore either.

        Raises:
            Problem: git does not answer.
        """
        return self._names(*_UNTRACKED)

    def _names(self, *words: str) -> list[str]:
        output = _git(self.top, *words, limit=STATUS_LIMIT).text
        return [os.fsdecode(name) for name in output.split(b'\0')[:-1]]


def find_repository(folder: Path) -> Repository | None:
    """The git tree a folder is in; None where there is none, or no git.

    Raises:
        UnusableRepository: git refuses to read it, as it does where it belongs to another user.
        Problem: git did not answer in time.
    """
    if shutil.which('git') is None:
        return None
    answer = _ask_git(folder, 'rev-parse', '--absolute-git-dir', '--show-toplevel', stderr=subprocess.STDOUT)
    lines = os.fsdecode(answer.text).splitlines()
    if answer.code == 0 and len(lines) >= 2:
        return Repository(Path(lines[-1]), Path(lines[-2]))
    if _NO_REPOSITORY.search(os.fsdecode(answer.text)):
        return None
    words = ' '.join(' '.join(lines).split()).removeprefix('fatal: ')
    raise UnusableRepository(f'git does not read the repository of {folder}: {words[:LONGEST_WORDS]}')


def _git(folder: Path, *words: str, limit: int = OUTPUT_LIMIT) -> ProgramOutput:
    answer = _ask_git(folder, *words, limit=limit)
    if answer.code != 0:
        raise Problem(f'git {words[0]} ended with status {answer.code}')
    return answer


def _ask_git(folder: Path, *words: str, limit: int = OUTPUT_LIMIT, stderr: int = subprocess.DEVNULL) -> ProgramOutput:
    environment = {name: value for name, value in os.environ.items() if name not in _ELSEWHERE}
    environment |= {'GIT_TERMINAL_PROMPT': '0', 'GIT_NO_LAZY_FETCH': '1', 'LC_ALL': 'C'}
    return ask([*_GIT, *words], folder, environment, limit=limit, stderr=stderr)
