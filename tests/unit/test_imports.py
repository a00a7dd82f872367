"""Who may import whom, read from the packages themselves: every package of ``hpsearch`` has a place in an order, and no
module imports, even by way of others, what imports it. Imports for annotations (``TYPE_CHECKING``) count, too.
"""

from __future__ import annotations

import ast
import configparser
import functools
import graphlib
import importlib.util
import sys
from collections import Counter
from collections.abc import Collection, Iterator
from pathlib import Path

from tests.support.paths import REPOSITORY

ROOT = REPOSITORY
PACKAGE = ROOT / 'hpsearch'

MAY_IMPORT: dict[str, set[str]] = {
    'model': set(),
    'arguments': {'model'},
    'samplers': {'model'},
    'pruners': {'model'},
    'packing': {'model'},
    'host': {'model', 'arguments'},
    'results': {'model'},
    'store': {'model', 'arguments', 'host', 'results'},
    'config': {'model', 'arguments', 'host', 'results', 'store'},
    'space': {'model', 'arguments', 'host', 'results', 'store', 'config'},
    'backends': {'model', 'arguments', 'packing', 'host', 'results', 'store', 'config', 'space'},
    'dispatch': {
        *('model', 'arguments', 'samplers', 'pruners', 'packing', 'host', 'results', 'store', 'config', 'space'),
        'backends',
    },
    'records': {'model', 'arguments', 'host', 'results', 'store', 'config'},
    'export': {'model', 'arguments', 'host', 'results', 'store', 'config', 'space', 'records'},
    'ui': {'model'},
    'cli': {
        *('model', 'arguments', 'samplers', 'pruners', 'packing', 'host', 'results', 'store', 'config', 'space'),
        *('backends', 'dispatch', 'records', 'export', 'ui'),
    },
}
"""Package to the packages it may import beside itself."""

# Standard modules that compute and touch nothing outside the process.
PURE_STANDARD = {
    '__future__',
    'abc',
    'bisect',
    'codecs',
    'collections',
    'copy',
    'dataclasses',
    'decimal',
    'difflib',
    'enum',
    'errno',
    'fractions',
    'functools',
    'hashlib',
    'heapq',
    'itertools',
    'json',
    'math',
    'numbers',
    'operator',
    'random',
    're',
    'shlex',
    'signal',
    'statistics',
    'string',
    'struct',
    'typing',
    'uuid',
}

HEAVY = {
    'GPUtil',
    'amdsmi',
    'cmaes',
    'matplotlib',
    'mlflow',
    'numpy',
    'optuna',
    'pandas',
    'plotly',
    'psutil',
    'pynvml',
    'rich',
    'tensorboard',
    'tomlkit',
    'torch',
    'wandb',
    'yaml',
}


def module_name(path: Path) -> str:
    """Return the full name of the module in a file."""
    parts = path.relative_to(ROOT).with_suffix('').parts
    return '.'.join(parts[:-1] if parts[-1] == '__init__' else parts)


SOURCES = {module_name(path): path for path in sorted(PACKAGE.rglob('*.py'))}
PACKAGES = {module_name(path): path for path in sorted(PACKAGE.rglob('__init__.py')) if path.parent != PACKAGE}


def package_of(module: str) -> str:
    """Return ``backends`` for whatever is below that package; empty for ``hpsearch`` and its ``__main__``."""
    parts = module.split('.')
    return parts[1] if len(parts) > 1 and f'hpsearch.{parts[1]}' in PACKAGES else ''


CODE = [name for name in SOURCES if package_of(name)]


def is_type_checking(node: ast.AST) -> bool:
    """Say whether this is ``if TYPE_CHECKING:``, whose imports never happen."""
    return isinstance(node, ast.If) and ast.unparse(node.test) in ('TYPE_CHECKING', 'typing.TYPE_CHECKING')


def nodes(tree: ast.AST, functions: bool, types: bool) -> Iterator[ast.AST]:
    """Yield what is executed on import and, if asked for, the bodies of functions and what is for annotations alone."""
    for child in ast.iter_child_nodes(tree):
        if not types and is_type_checking(child):
            continue
        if not functions and isinstance(child, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda):
            continue
        yield child
        yield from nodes(child, functions, types)


@functools.cache
def parsed(path: Path) -> ast.Module:
    """Return the syntax tree of a file."""
    return ast.parse(path.read_text())


@functools.cache
def imported(name: str, functions: bool = True, types: bool = False) -> frozenset[str]:
    """Return the full names of what a module of hpsearch imports, in functions and for annotations alone as asked."""
    path = SOURCES[name]
    package = '.'.join(path.relative_to(ROOT).parent.parts)
    found: set[str] = set()
    for node in nodes(parsed(path), functions, types):
        if isinstance(node, ast.Import):
            found.update(alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            base = importlib.util.resolve_name('.' * node.level + (node.module or ''), package)
            found.update(f'{base}.{alias.name}' for alias in node.names)
            if any(f'{base}.{alias.name}' not in SOURCES for alias in node.names):
                found.add(base)
    return frozenset(found)


def own(name: str) -> set[str]:
    """Return the modules of hpsearch that a module imports, anywhere and for whatever purpose."""
    return {other for other in imported(name, types=True) if other in SOURCES}


def top(names: Collection[str]) -> set[str]:
    """Return the first parts of the names that do not belong to hpsearch."""
    return {name.split('.')[0] for name in names} - {'hpsearch', 'hpsearch_postprocessing'}


def test_that_every_module_lives_in_a_package() -> None:
    assert {path.name for path in PACKAGE.glob('*.py')} == {'__init__.py', '__main__.py'}


def test_that_every_package_is_installed() -> None:
    declared = configparser.ConfigParser()
    declared.read(ROOT / 'setup.cfg')
    packages = set(declared['options']['packages'].split())
    assert {'hpsearch', *PACKAGES} <= packages


def test_that_every_package_has_a_place_in_the_order() -> None:
    assert {package_of(name) for name in CODE} == set(MAY_IMPORT)


def test_that_a_package_opens_with_one_sentence_that_says_what_belongs_in_it() -> None:
    texts = {name: ast.get_docstring(parsed(path)) or '' for name, path in PACKAGES.items()}
    first = {name: text.split('\n\n')[0] for name, text in texts.items()}
    assert not [name for name, sentence in first.items() if not sentence.endswith('.') or len(sentence) <= 20]


def test_that_a_package_is_small_enough_to_be_seen_at_a_glance() -> None:
    modules = Counter(path.parent for path in SOURCES.values() if path.name != '__init__.py')
    assert not [folder for folder, count in modules.items() if count > 13]


def test_that_a_module_imports_only_from_its_package_and_those_before_it() -> None:
    allowed = {package: {*others, package, ''} for package, others in MAY_IMPORT.items()}
    assert not [
        (name, other) for name in CODE for other in own(name) if package_of(other) not in allowed[package_of(name)]
    ]


def test_that_no_module_imports_what_imports_it() -> None:
    graph = {name: own(name) - {name} for name in SOURCES}
    graphlib.TopologicalSorter(graph).prepare()


def modules_in(package: str) -> list[str]:
    """Return the modules of a package and of those within it."""
    return [name for name in CODE if package_of(name) == package]


def outside(names: Collection[str], allowed: Collection[str]) -> dict[str, set[str]]:
    """Return what modules import that is neither hpsearch nor allowed, by module."""
    found = {name: top(imported(name)) - set(allowed) for name in names}
    return {name: others for name, others in found.items() if others}


def test_that_the_model_imports_nothing_that_touches_the_outside() -> None:
    assert outside(modules_in('model'), PURE_STANDARD) == {}


def test_that_packing_only_computes() -> None:
    assert outside(modules_in('packing'), PURE_STANDARD | {'numpy'}) == {}


def test_that_the_dispatcher_sees_only_the_protocols_of_backends() -> None:
    seen = {other for name in modules_in('dispatch') for other in own(name) if package_of(other) == 'backends'}
    assert seen <= {'hpsearch.backends', 'hpsearch.backends.base'}


def test_that_no_heavy_library_is_imported_at_start() -> None:
    assert not [name for name in CODE if top(imported(name, functions=False)) & HEAVY]


def test_that_pandas_is_imported_in_one_place_alone() -> None:
    assert [name for name in CODE if 'pandas' in top(imported(name))] == ['hpsearch.records.loading']


def test_that_postprocessing_is_imported_by_the_command_line_alone_and_late() -> None:
    named = [name for name, path in SOURCES.items() if 'hpsearch_postprocessing' in path.read_text()]
    assert named == ['hpsearch.cli.viewing.postprocessing']
    assert not [name for name in CODE if any('postprocessing' in found.split('.')[0] for found in imported(name))]


def named_of_postprocessing() -> set[str]:
    """The modules of postprocessing that are named in calls, as ``figures.payload``, of which mypy knows nothing."""
    calls = (node for name in CODE for node in ast.walk(parsed(SOURCES[name])) if isinstance(node, ast.Call))
    words = (call.args[0] for call in calls if ast.unparse(call.func) == 'postprocessing')
    return {ast.literal_eval(word) for word in words}


def test_that_the_modules_of_postprocessing_that_are_imported_late_are_there() -> None:
    paths = {name: (ROOT / 'postprocessing').joinpath(*name.split('.')) for name in named_of_postprocessing()}
    assert paths
    assert not [name for name, path in paths.items() if not path.with_suffix('.py').is_file()]


def test_that_every_import_is_declared_as_a_dependency() -> None:
    assert outside(CODE, DECLARED | set(sys.stdlib_module_names)) == {}


DECLARED = {
    'GPUtil',
    'amdsmi',
    'cmaes',
    'mlflow',
    'numpy',
    'optuna',
    'pandas',
    'psutil',
    'pynvml',
    'rich',
    'tensorboard',
    'tomlkit',
    'wandb',
    'yaml',
}


Definition = ast.FunctionDef | ast.ClassDef


def public_definitions(tree: ast.Module) -> list[Definition]:
    """Return public functions and classes of a module and the public methods of those classes."""
    outer = [node for node in tree.body if isinstance(node, Definition) and not node.name.startswith('_')]
    inner = [node for outside in outer if isinstance(outside, ast.ClassDef) for node in outside.body]
    methods = [node for node in inner if isinstance(node, ast.FunctionDef)]
    return [node for node in [*outer, *methods] if not node.name.startswith('_')]


ALL_SOURCES = sorted([*PACKAGE.rglob('*.py'), *(ROOT / 'postprocessing').rglob('*.py'), *ROOT.glob('examples/*/*.py')])


def explained() -> set[str]:
    """Return the names of what is documented somewhere: a method may leave its meaning to the protocol it fulfils."""
    definitions = (node for path in ALL_SOURCES for node in public_definitions(parsed(path)))
    return {node.name for node in definitions if ast.get_docstring(node) is not None}


def test_that_everything_public_has_a_docstring() -> None:
    meanings = explained()
    assert not {path: silent for path in ALL_SOURCES if (silent := silent_in(parsed(path), meanings))}


def silent_in(tree: ast.Module, meanings: Collection[str]) -> list[str]:
    """Return what is public in a module and says nothing of itself."""
    outer = {node.name for node in tree.body if isinstance(node, Definition)}
    silent = {node.name for node in public_definitions(tree) if ast.get_docstring(node) is None}
    of_module = [] if ast.get_docstring(tree) else ['the module']
    return of_module + [name for name in silent if name in outer or name not in meanings]


def length(node: ast.FunctionDef | ast.AsyncFunctionDef) -> int:
    """Return the number of lines of a function."""
    return (node.end_lineno or node.lineno) - node.lineno + 1


def test_that_no_function_is_longer_than_fifty_lines() -> None:
    functions = [
        (path, node)
        for path in ALL_SOURCES
        for node in ast.walk(parsed(path))
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
    ]
    assert not [(str(path), node.name) for path, node in functions if length(node) > 50]
