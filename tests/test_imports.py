"""The layering: who may import whom, read from the sources without running them."""

from __future__ import annotations

import ast
import importlib.util
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
PACKAGE = ROOT / 'hpsearch'

# Layer -> modules. A module may import from its own layer and from those above it in this table.
LAYERS = {
    'pure': [
        'errors',
        'records',
        'space',
        'command',
        'oom',
        'placement',
        'retries',
        'script_output',
        'states',
        'takeover',
        'texts',
        'throttle',
        'walltime',
    ],
    'files and devices': [
        'attempt',
        'books',
        'config',
        'endings',
        'evidence',
        'extension',
        'folder',
        'follow',
        'git',
        'gpus',
        'host_memory',
        'journal',
        'locks',
        'others',
        'outcome',
        'plan',
        'process',
        'progress',
        'provenance',
        'results',
        'reuse',
        'source',
        'summary',
        'unpickling',
        'wakeup',
        'writers',
    ],
    'backends': [
        'backends',
        'backends.base',
        'backends.slots',
        'backends.gpu_slots',
        'backends.wall_time',
        'backends.local',
        'backends.queue_system',
        'backends.queue_words',
        'backends.slurm',
        'backends.slurm_answers',
        'backends.lsf',
        'backends.lsf_answers',
        'job_script',
        'backends.jobs',
        'backends.watched_jobs',
        'backends.job_watch',
        'asking',
        'backends.queue_limits',
        'backends.queue_evidence',
        'backends.submit_limit',
        'backends.sending',
        'backends.cancelling',
        'backends.arrays',
        'backends.array_making',
        'backends.queue_traces',
        'backends.queue_lines',
        'backends.submissions',
        'backends.queue',
        'backends.pilot_plan',
        'backends.pilot_jobs',
        'backends.pilots',
    ],
    'dispatcher': ['backlog', 'stops', 'claims', 'upkeep', 'dispatcher'],
    'view': ['terminal', 'painting', 'table', 'live', 'view'],
    'command line': [
        'options',
        'profile',
        'preparation',
        'session',
        'search',
        'reopening',
        'cluster',
        'machine',
        'conduct',
        'stopping',
        'showing',
        'status',
        'planned_jobs',
        'cli',
    ],
}

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
    'enum',
    'fractions',
    'functools',
    'hashlib',
    'heapq',
    'itertools',
    'json',
    'math',
    'numbers',
    'operator',
    're',
    'shlex',
    'string',
    'typing',
    'uuid',
}

HEAVY = {'GPUtil', 'matplotlib', 'numpy', 'optuna', 'pandas', 'plotly', 'psutil', 'pynvml', 'rich', 'torch', 'yaml'}

LAYER_OF = {module: layer for layer, modules in LAYERS.items() for module in modules}
ORDER = list(LAYERS)


def module_name(path: Path) -> str:
    """Return ``backends.local`` for hpsearch/backends/local.py, and ``backends`` for its ``__init__``."""
    parts = path.relative_to(PACKAGE).with_suffix('').parts
    return '.'.join(parts[:-1] if parts[-1] == '__init__' and len(parts) > 1 else parts)


SOURCES = {module_name(path): path for path in sorted(PACKAGE.rglob('*.py'))}
CODE = [name for name in SOURCES if name not in ('__init__', '__main__')]


def is_type_checking(node: ast.AST) -> bool:
    """Say whether this is ``if TYPE_CHECKING:``, whose imports never happen."""
    return isinstance(node, ast.If) and ast.unparse(node.test) in ('TYPE_CHECKING', 'typing.TYPE_CHECKING')


def nodes(tree: ast.AST, functions: bool) -> Iterator[ast.AST]:
    """Yield what is executed on import and, if asked for, the bodies of functions as well."""
    for child in ast.iter_child_nodes(tree):
        if is_type_checking(child):
            continue
        if not functions and isinstance(child, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda):
            continue
        yield child
        yield from nodes(child, functions)


def imported(name: str, functions: bool = True) -> set[str]:
    """Return the full names of what a module of hpsearch imports."""
    path = SOURCES[name]
    package = '.'.join(path.relative_to(ROOT).parent.parts)
    found: set[str] = set()
    for node in nodes(ast.parse(path.read_text()), functions):
        if isinstance(node, ast.Import):
            found.update(alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            base = importlib.util.resolve_name('.' * node.level + (node.module or ''), package)
            found.add(base)
            found.update(f'{base}.{alias.name}' for alias in node.names)
    return found


def own(names: set[str]) -> set[str]:
    """Return which modules of hpsearch are among the names, without the package's prefix."""
    short = {name.removeprefix('hpsearch.') for name in names if name.startswith('hpsearch.')}
    return {name for name in short if name in SOURCES}


def top(names: set[str]) -> set[str]:
    """Return the first parts of the names that do not belong to hpsearch."""
    return {name.split('.')[0] for name in names} - {'hpsearch', 'hpsearch_postprocessing'}


def test_that_every_module_has_a_layer() -> None:
    assert not set(CODE) - set(LAYER_OF), 'give the new module a place in LAYERS'


@pytest.mark.parametrize('name', CODE)
def test_that_a_module_imports_only_from_its_layer_and_those_below(name: str) -> None:
    level = ORDER.index(LAYER_OF[name])
    wrong = {other for other in own(imported(name)) if ORDER.index(LAYER_OF[other]) > level}
    assert not wrong


@pytest.mark.parametrize('name', [name for name in LAYERS['pure'] if name in SOURCES])
def test_that_a_pure_module_imports_nothing_that_touches_the_outside(name: str) -> None:
    assert not top(imported(name)) - PURE_STANDARD


def test_that_the_dispatcher_sees_only_the_protocol_of_backends() -> None:
    if 'dispatcher' not in SOURCES:
        pytest.skip('there is no dispatcher')
    seen = {name for name in own(imported('dispatcher')) if name.startswith('backends')}
    assert seen <= {'backends', 'backends.base'}


@pytest.mark.parametrize('name', [name for name in CODE if name not in (*LAYERS['view'], *LAYERS['command line'])])
def test_that_only_the_command_line_knows_the_view(name: str) -> None:
    assert not own(imported(name)) & set(LAYERS['view'])


@pytest.mark.parametrize('name', CODE)
def test_that_no_heavy_library_is_imported_at_start(name: str) -> None:
    assert not top(imported(name, functions=False)) & HEAVY


@pytest.mark.parametrize('name', CODE)
def test_that_postprocessing_is_imported_by_the_command_line_alone_and_late(name: str) -> None:
    late = {found for found in imported(name) if found.startswith('hpsearch_postprocessing')}
    early = {found for found in imported(name, functions=False) if found.startswith('hpsearch_postprocessing')}
    assert not early
    assert not late or name in LAYERS['command line']


@pytest.mark.parametrize('name', CODE)
def test_that_every_import_is_declared_as_a_dependency(name: str) -> None:
    declared = {'GPUtil', 'numpy', 'pandas', 'psutil', 'pynvml', 'rich', 'yaml'}
    assert not top(imported(name)) - declared - set(sys.stdlib_module_names)


Definition = ast.FunctionDef | ast.ClassDef


def public_definitions(tree: ast.Module) -> list[Definition]:
    """Return public functions and classes of a module and the public methods of those classes."""
    outer = [node for node in tree.body if isinstance(node, Definition) and not node.name.startswith('_')]
    inner = [node for outside in outer if isinstance(outside, ast.ClassDef) for node in outside.body]
    methods = [node for node in inner if isinstance(node, ast.FunctionDef)]
    return [node for node in [*outer, *methods] if not node.name.startswith('_')]


def parsed(path: Path) -> ast.Module:
    """Return the syntax tree of a file."""
    return ast.parse(path.read_text())


ALL_SOURCES = sorted([*PACKAGE.rglob('*.py'), *(ROOT / 'postprocessing').rglob('*.py'), *ROOT.glob('examples/*/*.py')])

# A method may leave its meaning to the protocol it fulfils: the same name, documented somewhere.
EXPLAINED = {
    node.name
    for path in ALL_SOURCES
    for node in public_definitions(parsed(path))
    if ast.get_docstring(node) is not None
}


@pytest.mark.parametrize('path', ALL_SOURCES, ids=lambda path: str(path.relative_to(ROOT)))
def test_that_everything_public_has_a_docstring(path: Path) -> None:
    tree = parsed(path)
    silent = {node.name for node in public_definitions(tree) if ast.get_docstring(node) is None}
    outer = {node.name for node in tree.body if isinstance(node, Definition)}
    assert ast.get_docstring(tree), 'the module'
    assert not silent & outer
    assert not silent - EXPLAINED


def length(node: ast.FunctionDef | ast.AsyncFunctionDef) -> int:
    """Return the number of lines of a function."""
    return (node.end_lineno or node.lineno) - node.lineno + 1


@pytest.mark.parametrize('path', ALL_SOURCES, ids=lambda path: str(path.relative_to(ROOT)))
def test_that_no_function_is_longer_than_fifty_lines(path: Path) -> None:
    functions = [node for node in ast.walk(parsed(path)) if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)]
    assert not [node.name for node in functions if length(node) > 50]
