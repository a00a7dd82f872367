"""Reads a configuration, which is a Python module or a YAML file: its attributes, unchecked."""

from __future__ import annotations

import hashlib
import importlib
import importlib.util
import os
import re
import sys
import traceback
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from types import ModuleType
from typing import Any

from hpsearch.config.foreign.formats import OUR_OWN, translated
from hpsearch.config.foreign.translation import Translation
from hpsearch.config.yaml_file import YamlFile, read_yaml_file
from hpsearch.model.errors import ConfigError, closest, one_line
from hpsearch.model.errors import did_you_mean as did_you_mean  # most modules know it from here

OF_SAMPLERS = {
    'search': '_SEARCH',
    'search_options': '_SEARCH_OPTIONS',
    'max_trials': '_MAX_TRIALS',
    'max_broken': '_MAX_BROKEN',
    'target': '_TARGET',
    'budget': '_BUDGET',
    'objective': '_OBJECTIVE',
    'direction': '_DIRECTION',
    'seeds_per_config': '_SEEDS_PER_CONFIG',
    'seed_arg': '_SEED_ARG',
    'prune': '_PRUNE',
    'prune_options': '_PRUNE_OPTIONS',
    'grace_period': '_GRACE_PERIOD',
    'reduction_factor': '_REDUCTION_FACTOR',
    'max_resource': '_MAX_RESOURCE',
}
"""Attributes that are options of the command line, by the same names, where it does not give them."""

SPELLINGS = {
    'grid': 'grid',
    'zipped': 'zipped',
    'conditions': 'conditions',
    'constraints': 'constraints',
    'script_name': '_SCRIPT_NAME',
    'command': '_COMMAND',
    'fixed_args': '_FIXED_ARGS',
    'env': '_ENV',
    'config_template': '_CONFIG_TEMPLATE',
    'config_arg': '_CONFIG_ARG',
    'arg_style': '_ARG_STYLE',
    'bool_style': '_BOOL_STYLE',
    'name_style': '_NAME_STYLE',
    'list_style': '_LIST_STYLE',
    'none_style': '_NONE_STYLE',
    'result': '_RESULT',
    'metrics': '_METRICS',
    'summary_filename': '_SUMMARY_FILENAME',
    'summary_keywords': '_SUMMARY_KEYWORDS',
    'summary_parser_handle': '_SUMMARY_PARSER_HANDLE',
    'out_arg': '_OUT_ARG',
    'performance_eval_handle': '_PERFORMANCE_EVAL_HANDLE',
    'performance_key': '_PERFORMANCE_KEY',
    'performance_sort_asc': '_PERFORMANCE_SORT_ASC',
    'argparse_handle': '_ARGPARSE_HANDLE',
    'make_out_dir': '_MAKE_OUT_DIR',
    'checkpoint_arg': '_CHECKPOINT_ARG',
    'checkpoint': '_CHECKPOINT',
    'resumable': '_RESUMABLE',
    'oom_patterns': '_OOM_PATTERNS',
    'job_prologue': '_JOB_PROLOGUE',
    **OF_SAMPLERS,
}
"""Every attribute of a configuration, as YAML spells it, to its name in a Python module."""

YAML_SUFFIXES = ('.yml', '.yaml')

FOR_ANCHORS = 'x-'
"""How keys of a YAML file begin that only hold parts to be used elsewhere."""

_WHAT_TO_RUN = frozenset(('script_name', 'command', 'fixed_args'))

_CLEARLY_A_MISSPELLING = 0.85


@dataclass(frozen=True)
class Source:
    """What was read.

    Attributes:
        path: The file, absolute.
        sha256: Hash of its bytes.
        attributes: The attributes that are there, by their names in :data:`SPELLINGS`.
        problems: Attributes that seem to be misspelled.
        file: What was read of a YAML file, with the lines of its entries; None: it is a module.
        notes: What is written in it for another program and has no effect here, in sentences.
        suggested: Names of options of a search to values that hold where the command line gives none; ``problem``: why
            there is none for ``--search`` although the file says one.
    """

    path: Path
    sha256: str
    attributes: Mapping[str, Any]
    problems: tuple[str, ...]
    file: YamlFile | None = None
    notes: tuple[str, ...] = ()
    suggested: Mapping[str, Any] = field(default_factory=dict)

    def spelled(self, name: str) -> str:
        """The name of the attribute in this type of file."""
        return name if self.path.suffix in YAML_SUFFIXES else SPELLINGS[name]


def read_source(grid_module: str, cwd: Path) -> Source:
    """Read a configuration.

    Args:
        grid_module: Name of a module, path of a ``.py`` file, or path of a ``.yml`` or ``.yaml`` file.
        cwd: Where relative paths start and modules are searched first; absolute.

    Raises:
        ConfigError: It is not there, or cannot be imported or parsed.
    """
    if grid_module.endswith(YAML_SUFFIXES):
        return _read_yaml(grid_module, Path(os.path.abspath(cwd / grid_module)))
    module = _load_module(grid_module, cwd)
    path = Path(os.path.abspath(str(module.__file__)))
    defined = {name: value for name, value in vars(module).items() if not name.startswith('__')}
    attributes = {name: defined[spelling] for name, spelling in SPELLINGS.items() if spelling in defined}
    candidates = [name for name in defined if re.match('_[A-Z]', name)]
    return Source(path, _sha256(path), attributes, _misspelled(candidates, SPELLINGS.values(), defined))


def _sha256(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def _misspelled(candidates: Iterable[str], spellings: Iterable[str], defined: Iterable[str]) -> tuple[str, ...]:
    """Only a name that is like one of ours that is not there can be a misspelling."""
    known = set(spellings)
    missing = sorted(known - set(defined))
    near = ((name, closest(name, missing, _CLEARLY_A_MISSPELLING)) for name in candidates if name not in known)
    return tuple(f'{name}: is not an attribute of a configuration; did you mean {hint}?' for name, hint in near if hint)


# YAML files


def _read_yaml(grid_module: str, path: Path) -> Source:
    file = read_yaml_file(path, '--grid_module')
    content = file.content
    if not isinstance(content, Mapping):
        raise ConfigError([f'--grid_module: {path} holds {type(content).__name__}; a mapping with grid is expected.'])
    translation = translated(content, path.parent)
    if translation is not None:
        return _in_our_words(path, file, translation)
    attributes, problems = _attributes_in(content)
    return Source(path, _sha256(path), attributes, problems, file)


def _in_our_words(path: Path, file: YamlFile, translation: Translation) -> Source:
    own, unknown = _attributes_in(translation.own)
    problems = [
        *(f'{file.place(*keys)}: {".".join(map(str, keys))}: {text}' for keys, text in translation.problems),
        *(f'{file.place(OUR_OWN)}: {problem}' for problem in unknown),
    ]
    if problems:
        raise ConfigError(problems)
    replaced = _WHAT_TO_RUN if own.keys() & _WHAT_TO_RUN else ()
    attributes = {name: value for name, value in translation.attributes.items() if name not in replaced} | own
    return Source(path, _sha256(path), attributes, (), file, tuple(translation.notes), translation.suggested)


def with_own(translation: Translation, content: Mapping[str, Any]) -> tuple[dict[str, Any], list[str]]:
    """What a document of another program says in our words, and what is wrong with it."""
    own, unknown = _attributes_in(translation.mapping(content, OUR_OWN))
    return {name: value for name, value in own.items() if name != 'command'}, [f'{OUR_OWN}: {text}' for text in unknown]


def _attributes_in(content: Mapping[Any, Any]) -> tuple[dict[str, Any], tuple[str, ...]]:
    """The attributes of a mapping, and what is wrong with its keys."""
    names = {spelling: name for name, spelling in SPELLINGS.items()} | {name: name for name in SPELLINGS}
    attributes = {names[key]: value for key, value in content.items() if key in names}
    twice = [name for name, spelling in SPELLINGS.items() if name != spelling and {name, spelling} <= content.keys()]
    defined = {*content, *attributes, *(SPELLINGS[name] for name in attributes)}
    unknown = [key for key in content if key not in names and not str(key).startswith(FOR_ANCHORS)]
    missing = sorted(set(names) - defined)
    problems = (
        *(f'{name}: is given twice, also as {SPELLINGS[name]}; keep one.' for name in twice),
        *(f'{key}: is not an attribute of a configuration{did_you_mean(str(key), missing)}' for key in unknown),
    )
    return attributes, problems


# Python modules


def _load_module(grid_module: str, cwd: Path) -> ModuleType:
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
    """Whether Python would find the module in this package: a repository may have a folder of the same name."""
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
    # Dataclasses and pickle find the module of a class there.
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
    """Search these folders first, and from then on last: what a handle imports later must still be found.

    No bytecode is written beside them: the folders are the user's, and a module that is edited twice within a second
    would be read as it was.
    """
    added = [str(folder) for folder in folders if str(folder) not in sys.path]
    sys.path[:0] = added
    writes_no_bytecode, sys.dont_write_bytecode = sys.dont_write_bytecode, True
    try:
        yield
    finally:
        sys.dont_write_bytecode = writes_no_bytecode
        sys.path[:] = [entry for entry in sys.path if entry not in added] + added


def _reported(name: str, cwd: Path, load: Callable[[], ModuleType], path: Path | None = None) -> ModuleType:
    try:
        return load()
    except (Exception, SystemExit) as error:
        raise ConfigError([f'--grid_module: {_import_problem(name, cwd, error, path)}']) from error


def _import_problem(name: str, cwd: Path, error: BaseException, path: Path | None) -> str:
    if path is None and isinstance(error, ModuleNotFoundError) and _is_part_of(error.name or '', name):
        return f'there is no module {name} in {cwd}; give a module name, or the path of a .py or .yaml file.'
    if isinstance(error, ModuleNotFoundError) and _is_ours(error.name or ''):
        ours = Path(__file__).parents[1]
        return f'{name} imports {error.name}, but hpsearch is the program in {ours}: give that folder another name.'
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
