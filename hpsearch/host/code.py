"""Which files are the code of a run, and what is in them; nothing of it is executed.

Code is what is run, the modules it imports as far as its import statements tell, and the configuration files that git
tracks. Where import statements do not tell it (another language, a module whose name is computed), it is all that git
tracks. Files are read once, and again when they have changed.
"""

from __future__ import annotations

import ast
import hashlib
import os
import stat
import time
import warnings
from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path

from hpsearch.arguments.command import program_words
from hpsearch.host.git import Problem
from hpsearch.model.configuration import Configuration
from hpsearch.model.errors import is_of_machine

MOST_FILES = 1000
"""Files that count as code, at most: those that are run and imported come first."""

FILE_LIMIT = 16 << 20
"""Bytes of a file that are hashed; of a longer one its length counts, too."""

CONFIGURATION_SUFFIXES = frozenset(('.yaml', '.yml', '.json', '.toml', '.ini', '.cfg', '.gin'))
"""Files that scripts read to know what to do, if git tracks them."""

MODULE_SUFFIXES = ('.so', '.pyd')
"""Modules that are compiled."""

SETTLED = 2.0
"""Seconds after which a file that is written again has another time stamp, on every file system."""

_BY_NAME = frozenset(('__import__', 'import_module'))
_BY_PATH = frozenset(('exec', 'run_path', 'run_module', 'exec_module', 'spec_from_file_location'))


# What is run


def code_files(configuration: Configuration, run_cwd: Path) -> tuple[Path, ...]:
    """The files a configuration runs in a folder: its script, or what may be one among the words of its command."""
    if configuration.command is None:
        return (run_cwd / (configuration.script or ''),)
    words = program_words(configuration, 'python3')
    files = [run_cwd / word for word in words if word and not word.startswith('-')]
    modules = (run_cwd / word.replace('.', '/') for before, word in pairwise(words) if before == '-m')
    return (*files, *(path for module in modules for path in _files_of_module(module) if path.is_file()))


def _files_of_module(path: Path) -> tuple[Path, Path]:
    """What ``python -m`` executes."""
    return path.with_name(f'{path.name}.py'), path / '__main__.py'


def folder_of_code(files: Sequence[Path], run_cwd: Path) -> Path:
    """The folder of what is run; its working directory where no word of the command is a file.

    Args:
        files: What may be run: the first word of a command, then its others.
        run_cwd: Working directory of the runs.

    Raises:
        Problem: See :func:`stamp_of`.
    """
    found = next((path for path in (*files[1:], *files[:1]) if stamp_of(path)), run_cwd / '-')
    return Path(os.path.realpath(found.parent))


# Imports


@dataclass(frozen=True, slots=True)
class Imports:
    """What the import statements of a module say.

    Attributes:
        names: Dotted names, each with the number of dots before it.
        is_complete: Whether there is nothing else that it may import.
    """

    names: Sequence[tuple[int, str]] = ()
    is_complete: bool = True


def imports_of(source: bytes) -> Imports:
    """Read the import statements of a module; one that cannot be parsed may import anything."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter('ignore')  # what the compiler thinks of the user's strings
            tree = ast.parse(source)
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return Imports(is_complete=False)
    names: dict[tuple[int, str], None] = {}
    is_complete = True
    has_calls = any(name.encode() in source for name in _BY_NAME | _BY_PATH)
    for node in ast.walk(tree) if has_calls else _statements(tree):
        found = _names_in(node)
        names.update(dict.fromkeys(found or ()))
        is_complete = is_complete and found is not None
    return Imports(tuple(names), is_complete)


def _statements(tree: ast.Module) -> Iterator[ast.AST]:
    """All statements, also those within others; much faster than :func:`ast.walk`, which visits every expression."""
    waiting: list[ast.AST] = [*tree.body]
    while waiting:
        node = waiting.pop()
        yield node
        for name in _BODIES:
            waiting.extend(getattr(node, name, ()))


_BODIES = ('body', 'orelse', 'finalbody', 'handlers', 'cases')


def _names_in(node: ast.AST) -> Sequence[tuple[int, str]] | None:
    """What one node imports; None: that is not told by reading."""
    match node:
        case ast.Import(names=aliases):
            return [(0, alias.name) for alias in aliases]
        case ast.ImportFrom(module=module, names=aliases, level=level):
            # Each name may be a module of the package.
            return [(level, '.'.join(filter(None, (module, alias.name)))) for alias in aliases]
        case ast.Call(func=ast.Name(id=called) | ast.Attribute(attr=called), args=args):
            return _names_in_call(called, args)
    return ()


def _names_in_call(called: str, args: Sequence[ast.expr]) -> Sequence[tuple[int, str]] | None:
    if called in _BY_PATH:
        return None
    if called not in _BY_NAME:
        return ()
    match args:
        case [ast.Constant(value=str(name))] if not name.startswith('.'):
            return [(0, name)]
    return None


class _Modules:
    """Finds the files of modules as Python would, below some folders; what it lists is listed once."""

    def __init__(self, search_path: Sequence[Path]) -> None:
        self._search_path = search_path
        self._listed: dict[Path, _Listing] = {}
        self._found: dict[tuple[Path, str], list[Path]] = {}

    def imported(self, path: Path, imports: Imports) -> Iterator[Path]:
        """The files that a module imports, those of the packages around them included."""
        for level, name in imports.names:
            bases = [path.parents[level - 1]] if 0 < level <= len(path.parents) else self._search_path
            yield from next(filter(None, (self._files(base, name) for base in bases)), ())

    def _files(self, folder: Path, name: str) -> list[Path]:
        if (folder, name) not in self._found:
            self._found[folder, name] = list(self._walk(folder, name.split('.')))
        return self._found[folder, name]

    def _walk(self, folder: Path, parts: Sequence[str]) -> Iterator[Path]:
        for part in parts:
            listing = self._list(folder)
            is_package = part in listing.folders and '__init__' in self._list(folder / part).modules
            if part in listing.modules and not is_package:
                yield folder / listing.modules[part]
                return
            if part not in listing.folders:
                return
            folder = folder / part
            if is_package:
                yield folder / '__init__.py'

    def _list(self, folder: Path) -> _Listing:
        if folder not in self._listed:
            try:
                with os.scandir(folder) as entries:
                    self._listed[folder] = _listing_of({entry.name: entry.is_dir() for entry in entries})
            except OSError as error:
                if is_of_machine(error):
                    raise Problem(f'{folder} cannot be listed: {error.strerror}') from error
                self._listed[folder] = _listing_of({})
        return self._listed[folder]


@dataclass(frozen=True, slots=True)
class _Listing:
    """What is in a folder: module names to names of files, and names of folders."""

    modules: Mapping[str, str]
    folders: frozenset[str]


def _listing_of(entries: Mapping[str, bool]) -> _Listing:
    """Sort the entries of a folder, of which it is known whether each is a folder."""
    compiled = {name.partition('.')[0]: name for name in entries if name.endswith(MODULE_SUFFIXES)}
    sources = {name[:-3]: name for name in entries if name.endswith('.py')}
    return _Listing({**compiled, **sources}, frozenset(name for name, is_folder in entries.items() if is_folder))


# What is in the files


@dataclass(frozen=True, slots=True)
class Code:
    """The code of the runs at one moment.

    Attributes:
        ident: Identifies it, on every host alike; empty when there is nothing to identify it by.
        files: Name of a file, relative to the folder of the code, to what identifies its content: SHA-256, after ``x:``
            where it may be executed.
    """

    ident: str = ''
    files: Mapping[str, str] = field(default_factory=dict)


def code_of(files: Mapping[str, str]) -> Code:
    """The code that consists of these files (:attr:`Code.files`); their order does not matter."""
    text = '\n'.join(f'{name}\0{content}' for name, content in sorted(files.items()))
    return Code(hashlib.sha256(os.fsencode(text)).hexdigest()[:12] if files else '', files)


Stamp = tuple[int, ...]


def stamp_of(path: Path) -> Stamp:
    """What changes whenever a file is written; empty: there is no such file.

    Raises:
        Problem: Something of the machine keeps that from being known.
    """
    try:
        facts = os.stat(path)
    except OSError as error:
        if is_of_machine(error):
            raise Problem(f'{path} cannot be looked at: {error.strerror}') from error
        return ()
    except ValueError:
        return ()  # a word of a command with a zero byte
    if not stat.S_ISREG(facts.st_mode):
        return ()
    return facts.st_mtime_ns, facts.st_ctime_ns, facts.st_size, facts.st_ino, facts.st_mode


@dataclass(frozen=True, slots=True)
class _File:
    """A file as it was read.

    Attributes:
        stamp: Its :func:`stamp_of` before that.
        content: See :attr:`Code.files`; empty: there is no such file.
        is_settled: Whether its stamp would tell that it was written since.
    """

    stamp: Stamp
    content: str
    is_settled: bool


@dataclass(frozen=True, slots=True)
class CodePlace:
    """Where the code of the runs is.

    Attributes:
        top: The folder of the code: modules are looked for below it, and names are relative to it.
        run: Files that are run; some may not exist.
        search_path: Folders where absolute imports begin.
    """

    top: Path
    run: Sequence[Path]
    search_path: Sequence[Path]

    @property
    def is_python(self) -> bool:
        """Whether all that is run below the folder is Python, so that reading tells what is imported."""
        below = [path for path in self.run if path.is_relative_to(self.top) and stamp_of(path)]
        return bool(below) and all(path.suffix == '.py' for path in below)

    def name_of(self, path: Path) -> str:
        """The name of a file in the code."""
        return str(path.relative_to(self.top)) if path.is_relative_to(self.top) else str(path)


class CodeReader:
    """Reads the code in a place, and tells cheaply whether it has changed.

    Attributes:
        tracked: The files that git tracks there, or none.
        place: Where it is.

    Args:
        place: Where it is.
        wall: Seconds since 1970.
    """

    def __init__(self, place: CodePlace, wall: Callable[[], float] = time.time) -> None:
        self.tracked: Sequence[Path] = ()
        self.place = place
        self._wall = wall
        self._files: dict[Path, _File] = {}
        self._imports: dict[str, Imports] = {}
        self._names: dict[Path, str] = {}

    def has_changed(self) -> bool:
        """Whether a file of the code may have changed since it was read; asks for the stamp of each, no more.

        Raises:
            Problem: See :func:`stamp_of`.
        """
        return not (self.is_same() and all(file.is_settled for file in self._files.values()))

    def is_same(self) -> bool:
        """Whether every file of the code has the stamp it had when it was read.

        Raises:
            Problem: See :func:`stamp_of`.
        """
        return all(stamp_of(path) == file.stamp for path, file in self._files.items())

    def read(self) -> Code:
        """The code at this moment; only what has changed is read.

        Raises:
            Problem: A file cannot be read.
        """
        found, is_complete = self._read_imported()
        for path in self.tracked:
            if len(found) >= MOST_FILES:
                break
            if path not in found and (not is_complete or path.suffix in CONFIGURATION_SUFFIXES):
                found[path] = self._read(path)
        self._files = found
        return code_of({self._name_of(path): file.content for path, file in found.items() if file.content})

    def _name_of(self, path: Path) -> str:
        if path not in self._names:
            self._names[path] = self.place.name_of(path)
        return self._names[path]

    def _read_imported(self) -> tuple[dict[Path, _File], bool]:
        """What is run and what it imports; and whether it imports nothing else."""
        modules, is_complete = _Modules(self.place.search_path), self.place.is_python
        found: dict[Path, _File] = {}
        waiting = deque(self.place.run)
        while waiting and len(found) < MOST_FILES:
            path = waiting.popleft()
            if path in found:
                continue
            file = found[path] = self._read(path)
            if path.suffix == '.py' and file.content:
                imports = self._imports_in(path, file)
                is_complete = is_complete and imports.is_complete
                waiting.extend(modules.imported(path, imports))
        return found, is_complete

    def _read(self, path: Path) -> _File:
        stamp, known = stamp_of(path), self._files.get(path)
        if known is not None and known.is_settled and known.stamp == stamp:
            return known
        is_settled = not stamp or abs(self._wall() - stamp[0] / 1e9) >= SETTLED
        return _File(stamp, _content(path, stamp), is_settled)

    def _imports_in(self, path: Path, file: _File) -> Imports:
        if file.content not in self._imports:
            self._imports[file.content] = imports_of(_head(path))
        return self._imports[file.content]


def _content(path: Path, stamp: Stamp) -> str:
    if not stamp:
        return ''
    head, size = _head(path), stamp[2]
    digest = hashlib.sha256(head if size <= FILE_LIMIT else head + str(size).encode()).hexdigest()
    return f'x:{digest}' if stamp[-1] & stat.S_IXUSR else digest


def _head(path: Path) -> bytes:
    try:
        with open(path, 'rb') as file:
            return file.read(FILE_LIMIT)
    except OSError as error:
        raise Problem(f'{path} cannot be read: {error.strerror}') from error
