"""Imports configurations that are Python modules, by name or by path."""

from __future__ import annotations

import importlib
import importlib.util
import os
import re
import sys
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from types import ModuleType

from hpsearch.model.errors import ConfigError, one_line


def load_module(grid_module: str, cwd: Path) -> ModuleType:
    """Import a configuration.

    Args:
        grid_module: Name of a module, or path of a ``.py`` file.
        cwd: Where relative paths start and where modules are looked for first; absolute.

    Raises:
        ConfigError: It is not there, or cannot be imported.
    """
    importlib.invalidate_caches()
    if grid_module.endswith('.py') or os.sep in grid_module:
        path = Path(os.path.abspath(cwd / grid_module))
        if not path.is_file():
            raise ConfigError([f'--grid_module: there is no file {path}.'])
        return _by_path(grid_module, path, cwd)
    return _by_name(grid_module, cwd)


def _by_name(name: str, cwd: Path) -> ModuleType:
    file = cwd / (name.replace('.', os.sep) + '.py')
    if file.is_file() and (_is_ours(name) or _is_another(sys.modules.get(name), file)):
        return _by_path(name, file, cwd)
    with _importing_from(cwd):
        module = _reported(name, cwd, lambda: importlib.import_module(name))
    if getattr(module, '__file__', None) is None:
        raise ConfigError([f'--grid_module: {name} is a folder or built in, not a module with a grid.'])
    return module


def _is_ours(name: str) -> bool:
    """Whether Python would look for the module in this package: a repository may have a folder of the same name."""
    return name.partition('.')[0] == __name__.partition('.')[0]


def _is_another(loaded: ModuleType | None, file: Path) -> bool:
    return loaded is not None and os.path.abspath(getattr(loaded, '__file__', None) or '') != str(file)


def _by_path(name: str, path: Path, cwd: Path) -> ModuleType:
    with _importing_from(cwd, path.parent):
        return _reported(name, cwd, lambda: _executed(path, cwd), path)


def _executed(path: Path, cwd: Path) -> ModuleType:
    try:
        return _executed_alone(path)
    except ImportError as error:
        if 'relative import' not in str(error):
            raise
        return _imported_in_its_package(path, cwd)


def _executed_alone(path: Path) -> ModuleType:
    name = 'hpsearch_configuration_' + re.sub(r'\W', '_', path.stem)
    spec = importlib.util.spec_from_file_location(name, path)
    if spec is None or spec.loader is None:
        raise ImportError(f'{path} is not a Python file')
    module = importlib.util.module_from_spec(spec)
    # Dataclasses and pickle look a class's module up there.
    sys.modules[name] = module
    try:
        spec.loader.exec_module(module)
    except BaseException:
        del sys.modules[name]
        raise
    return module


def _imported_in_its_package(path: Path, cwd: Path) -> ModuleType:
    root = _root_of_package(path, cwd)
    dotted = '.'.join(path.relative_to(root).with_suffix('').parts)
    with _importing_from(root):
        return importlib.import_module(dotted)


def _root_of_package(path: Path, cwd: Path) -> Path:
    """The folder its absolute imports start from: the first above it without ``__init__.py``, else the cwd."""
    root = path.parent
    while (root / '__init__.py').is_file():
        root = root.parent
    return cwd if root == path.parent and path.is_relative_to(cwd) else root


@contextmanager
def _importing_from(*folders: Path) -> Iterator[None]:
    """Look into these folders first, and from then on last: what a handle imports later must still be found."""
    added = [str(folder) for folder in folders if str(folder) not in sys.path]
    sys.path[:0] = added
    try:
        yield
    finally:
        sys.path[:] = [entry for entry in sys.path if entry not in added] + added


def _reported(name: str, cwd: Path, load: Callable[[], ModuleType], path: Path | None = None) -> ModuleType:
    try:
        return load()
    except (Exception, SystemExit) as error:
        raise ConfigError([f'--grid_module: {_import_problem(name, cwd, error, path)}']) from error


def _import_problem(name: str, cwd: Path, error: BaseException, path: Path | None) -> str:
    if path is None and isinstance(error, ModuleNotFoundError) and _is_part_of(error.name or '', name):
        return f'there is no module {name} in {cwd}; give a module name, or the path of a .py or .yaml file.'
    where = _place_of(error, [cwd] if path is None else [cwd, path.parent])
    return f'{name} cannot be imported: {where}{one_line(error)}'


def _is_part_of(missing: str, name: str) -> bool:
    return name == missing or name.startswith(f'{missing}.')


def _place_of(error: BaseException, folders: list[Path]) -> str:
    """``file, line N: `` of the last frame that is the user's."""
    if isinstance(error, SyntaxError) and error.filename:
        return f'{error.filename}, line {error.lineno}: '
    frames = [(frame.filename, frame.lineno) for frame in traceback.extract_tb(error.__traceback__)]
    foreign = [each for each in frames if not each[0].startswith('<') and each[0] != __file__]
    own = [each for each in foreign if any(Path(each[0]).is_relative_to(folder) for folder in folders)]
    return ''.join(f'{file}, line {line}: ' for file, line in (own or foreign)[-1:])
