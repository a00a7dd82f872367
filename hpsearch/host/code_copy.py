"""A copy of the code that runs are started from, so that they all have the same whatever is edited meanwhile.

Of a git tree, it has what git tracks and what git does not ignore, as it is in the tree at that moment; of another
folder, everything. What is ignored (data, builds, environments) is not copied: the copy has links to it, so that it is
found under the same relative paths.
"""

from __future__ import annotations

import os
import shutil
import stat
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from hpsearch.arguments.command import environment_words
from hpsearch.arguments.placeholders import literal
from hpsearch.host.code import Stamp, folder_of_code, stamp_of
from hpsearch.host.git import Problem, Repository, find_repository
from hpsearch.model.configuration import Configuration
from hpsearch.model.units import count_of

MOST_BYTES = 256 << 20
"""Bytes that a copy may have."""

MOST_FILES = 20_000
"""Files that a copy may have."""

MOST_LINKS = 1000
"""Ignored entries that a copy has links to; of more, only the folders."""

LARGEST_SHOWN = 3
"""Entries that are named where a copy would be too large."""

_NEVER = ('.git', '__pycache__')

_ENVIRONMENT = ('pyvenv.cfg', 'conda-meta')
"""What is in the folder of a Python environment."""


# What is copied


@dataclass(frozen=True)
class Contents:
    """What a copy of a folder has, by names relative to it.

    Attributes:
        top: The folder.
        files: Files and links that are copied.
        linked: Entries that are not copied, to which the copy has links.
        left_out: What is neither, and why, in sentences.
    """

    top: Path
    files: Sequence[str]
    linked: Sequence[str] = ()
    left_out: Sequence[str] = ()

    def problem(self) -> str:
        """Why there can be no copy, in words; empty: there can."""
        sizes = {name: os.lstat(self.top / name).st_size for name in self.files}
        total = sum(sizes.values())
        if total <= MOST_BYTES and len(sizes) <= MOST_FILES:
            return ''
        shares: dict[str, int] = {}
        for name, size in sizes.items():
            part = name.partition('/')[0]
            shares[part] = shares.get(part, 0) + size
        largest = sorted(shares.items(), key=lambda share: -share[1])[:LARGEST_SHOWN]
        shown = ', '.join(f'{name} {_mib(size)}' for name, size in largest)
        files = count_of(len(sizes), 'file')
        return (
            f'a copy of {self.top} would have {files} and {_mib(total)}, but no more than {MOST_FILES:,} files and '
            f'{_mib(MOST_BYTES)} are copied. The largest: {shown}. Name what is no code in a .gitignore, in a git '
            'repository, or move it out of the folder.'
        )


def _mib(size: int) -> str:
    return f'{size / (1 << 20):,.1f} MiB'


def contents_of_code(files: Sequence[Path], run_cwd: Path, results: Path) -> Contents:
    """What is to be copied for runs: the git tree of what they run, else the working directory or the script's folder.

    Args:
        files: As for :func:`folder_of_code`.
        run_cwd: Working directory of the runs.
        results: A folder for results, which are not copied.

    Raises:
        Problem: git does not answer, or a folder cannot be read.
    """
    folder, cwd = folder_of_code(files, run_cwd), Path(os.path.realpath(run_cwd))
    repository, without = find_repository(folder), Path(os.path.realpath(results))
    try:
        if repository is not None:
            return _contents_of_tree(repository, without)
        return _contents_of_folder(cwd if folder.is_relative_to(cwd) else folder, without)
    except OSError as error:
        raise Problem(f'{error.filename} cannot be read: {error.strerror}') from error


def _contents_of_tree(repository: Repository, without: Path) -> Contents:
    """What git tracks and does not ignore, and the same of the repositories in it, submodules or not."""
    top = repository.top
    is_results = _Results(top, without)
    files: list[str] = []
    linked, left_out = _ignored(repository, is_results), list[str]()
    for name in repository.present():
        path = top / name
        if is_results(path) or any(part in _NEVER for part in Path(name).parts):
            continue
        if path.is_dir() and not path.is_symlink():
            inner = _inner_repository(path)
            if inner is None:
                left_out.append(f'{name.rstrip("/")} is not copied: it is a submodule that is not checked out')
                continue
            found = _contents_of_tree(inner, without)
            base = name.rstrip('/')
            files += [f'{base}/{each}' for each in found.files]
            linked += [f'{base}/{each}' for each in found.linked]
            left_out += [f'{base}: {each}' for each in found.left_out]
        elif os.path.lexists(path) and _is_copied(path):
            files.append(name)
    return Contents(top, sorted(set(files)), linked, left_out)


def _inner_repository(path: Path) -> Repository | None:
    found = find_repository(path)
    return found if found and found.top == Path(os.path.realpath(path)) else None


def _ignored(repository: Repository, is_results: _Results) -> list[str]:
    """What git ignores, without what only Python needs and what has results of searches."""
    names = [name.rstrip('/') for name in repository.ignored()]
    useful = [name for name in names if not name.endswith(('.pyc', *_NEVER))]
    wanted = [name for name in useful if not is_results.touches(repository.top / name)]
    if len(wanted) <= MOST_LINKS:
        return wanted
    return [name for name in wanted if (repository.top / name).is_dir()][:MOST_LINKS]


def _contents_of_folder(top: Path, without: Path) -> Contents:
    is_results = _Results(top, without)
    files: list[str] = []
    linked: list[str] = []
    for folder, folders, names in os.walk(top, onerror=_raise):
        place = Path(folder)
        environments = [name for name in folders if any((place / name / mark).exists() for mark in _ENVIRONMENT)]
        linked += [str((place / name).relative_to(top)) for name in environments]
        links = [name for name in folders if (place / name).is_symlink()]
        files += [str((place / name).relative_to(top)) for name in (*names, *links) if _is_copied(place / name)]
        left = {*environments, *links, *_NEVER}
        folders[:] = [name for name in folders if name not in left and not is_results(place / name)]
        if len(files) > MOST_FILES:
            break  # it is too large in any case
    return Contents(top, files, linked)


def _raise(error: OSError) -> None:
    raise error


def _is_copied(path: Path) -> bool:
    mode = os.lstat(path).st_mode
    return stat.S_ISREG(mode) or stat.S_ISLNK(mode)


class _Results:
    """Says of paths below a folder whether they are in the folder of results, or in any search folder."""

    def __init__(self, top: Path, folder: Path) -> None:
        self._folder = folder
        self._known: dict[Path, bool] = {top: False}

    def __call__(self, path: Path) -> bool:
        if path not in self._known:
            is_one = (path / 'search.json').is_file() and (path / 'runs.jsonl').is_file()
            self._known[path] = is_one or path == self._folder or self(path.parent)
        return self._known[path]

    def touches(self, path: Path) -> bool:
        """Whether a path is there, or has the folder of results in it."""
        return self(path) or self._folder.is_relative_to(path)


def git_facts(folder: Path) -> dict[str, Any]:
    """What git says of the tree that a folder is in: commit, branch, whether tracked files were changed.

    Raises:
        Problem: git does not answer.
    """
    repository = find_repository(folder)
    if repository is None:
        return {}
    status = repository.look().status
    return {'commit': status.commit, 'branch': status.branch, 'dirty': status.dirty}


# Copying


def copy_code(contents: Contents, to: Path) -> None:
    """Make a copy; nobody but this user may write what is in it.

    Raises:
        OSError: It cannot be written.
        Problem: The code cannot be read, or changed meanwhile.
    """
    stamps: dict[str, Stamp] = {}
    try:
        to.mkdir(0o755)
    except FileExistsError:
        raise Problem(f'{to} is there already, where the copy of the code would be') from None
    for name in contents.files:
        stamps[name] = stamp_of(contents.top / name)
        _make_parent(to, name)
        try:
            _copy(contents.top, name, to)
        except (FileNotFoundError, PermissionError) as error:
            raise Problem(f'{error.filename} cannot be copied: {error.strerror}') from error
    for name in contents.linked:
        _make_parent(to, name)
        os.symlink(contents.top / name, to / name)
    changed = [name for name, stamp in stamps.items() if stamp_of(contents.top / name) != stamp]
    if changed:
        raise Problem(f'{changed[0]} changed while the code was copied')


def _make_parent(to: Path, name: str) -> None:
    os.makedirs((to / name).parent, 0o755, exist_ok=True)


def _copy(top: Path, name: str, to: Path) -> None:
    source, target = top / name, to / name
    facts = os.lstat(source)
    if stat.S_ISLNK(facts.st_mode):
        os.symlink(_link_in_copy(top, name), target)
        return
    shutil.copyfile(source, target)
    os.chmod(target, stat.S_IMODE(facts.st_mode) & 0o755)
    os.utime(target, ns=(facts.st_atime_ns, facts.st_mtime_ns))


def _link_in_copy(top: Path, name: str) -> str:
    """Where the copy of a link leads: to the copy of what is in the tree, and to what it led to elsewhere."""
    link = os.readlink(top / name)
    parent = os.path.realpath((top / name).parent)
    target = os.path.normpath(os.path.join(parent, link))
    if Path(target).is_relative_to(top):
        return os.path.relpath(target, parent)
    return target


# A copy that is there


@dataclass(frozen=True)
class CodeCopy:
    """How the runs of a search are started from its copy of the code.

    Attributes:
        of: The folder it is a copy of, absolute.
        run_cwd: Their working directory, relative to the copy; None: it is elsewhere.
        words: Index of a word of their commands to the file it stands for, relative to the copy, where the word itself
            would lead to the original.
        facts: What git said of the code: ``commit``, ``branch`` and ``dirty``.
    """

    of: str
    run_cwd: str | None
    words: Mapping[int, str] = field(default_factory=dict)
    facts: Mapping[str, Any] = field(default_factory=dict)

    def cwd_of(self, copy: Path, run_cwd: str) -> str:
        """The working directory of the runs, which is ``run_cwd`` without a copy."""
        return run_cwd if self.run_cwd is None else os.path.normpath(copy / self.run_cwd)

    def argv(self, copy: Path, argv: Sequence[str]) -> tuple[str, ...]:
        """The words of a command, with those that are paths of the original leading to the copy."""
        return tuple(str(copy / self.words[index]) if index in self.words else word for index, word in enumerate(argv))

    def python_path(self, copy: Path, entries: str) -> str:
        """The variable ``PYTHONPATH``, with folders of the original replaced by those of the copy."""
        return os.pathsep.join(
            str(copy / inside) if (inside := self._inside(entry)) else entry for entry in entries.split(os.pathsep)
        )

    def _inside(self, path: str) -> str:
        """An absolute path relative to the original; empty: it is not in it."""
        real = os.path.realpath(path)
        return os.path.relpath(real, self.of) if os.path.isabs(path) and Path(real).is_relative_to(self.of) else ''


def code_copy(
    contents: Contents, program: Sequence[str], run_cwd: Path, repository_facts: Mapping[str, Any]
) -> CodeCopy:
    """How runs are started from a copy.

    Args:
        contents: What it has.
        program: The words before the options of a run, those of its environment included.
        run_cwd: Working directory of the runs without a copy.
        repository_facts: What git said of the code.

    Raises:
        Problem: A file that is run is not in the copy.
    """
    top, cwd = contents.top, Path(os.path.realpath(run_cwd))
    is_inside = cwd.is_relative_to(top)
    has = frozenset(contents.files)
    words: dict[int, str] = {}
    for index, word in enumerate(program):
        path = Path(os.path.realpath(run_cwd / word)) if word and not word.startswith('-') else top.parent
        if not (path.is_file() and path.is_relative_to(top)):
            continue
        name = str(path.relative_to(top))
        if name not in has and (index > 0 or not _is_linked(name, contents.linked)):
            raise Problem(f'{name} would not be in the copy of {top}: git ignores it, or it is among results')
        if name in has and (os.path.isabs(word) or not is_inside):
            words[index] = name
    return CodeCopy(str(top), str(cwd.relative_to(top)) if is_inside else None, words, repository_facts)


def _is_linked(name: str, linked: Sequence[str]) -> bool:
    return any(name == each or name.startswith(f'{each}/') for each in linked)


def from_copy(configuration: Configuration, copy: CodeCopy | None, folder: Path) -> Configuration:
    """A configuration whose script or command is that of the copy in a folder, if there is one."""
    if copy is None:
        return configuration
    before = len(environment_words(configuration))
    copy = replace(copy, words={index - before: name for index, name in copy.words.items()})
    if configuration.command is not None:
        words = copy.argv(folder, configuration.command)
        return replace(
            configuration,
            command=[literal(word) if place in copy.words else word for place, word in enumerate(words)],
        )
    return replace(configuration, script=copy.argv(folder, ('', configuration.script or ''))[1])


def files_in(copy: Path) -> Iterator[Path]:
    """The files of a copy; links are not followed."""
    for folder, _, names in os.walk(copy):
        yield from (Path(folder) / name for name in names if not os.path.islink(f'{folder}/{name}'))


def copy_from_info(info: Mapping[str, Any]) -> CodeCopy:
    """A copy as ``search.json`` describes it.

    Raises:
        ValueError: The description is damaged.
    """
    try:
        words = {int(index): str(name) for index, name in info['words'].items()}
        cwd = info['run_cwd']
        return CodeCopy(str(info['of']), None if cwd is None else str(cwd), words, dict(info.get('facts', {})))
    except (KeyError, TypeError, AttributeError, ValueError) as error:
        raise ValueError(f'it does not say how the copy of the code is used: {error!r:.200}') from error


def info_of_copy(copy: CodeCopy) -> dict[str, Any]:
    """What ``search.json`` says of a copy."""
    return {'of': copy.of, 'run_cwd': copy.run_cwd, 'words': dict(copy.words), 'facts': dict(copy.facts)}
