"""Where a configuration comes from: a Python module or a YAML file; its attributes, unchecked."""

from __future__ import annotations

import difflib
import hashlib
import os
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from hpsearch.config.python_module import load_module
from hpsearch.config.yaml_file import read_yaml_file
from hpsearch.model.errors import ConfigError

SPELLINGS = {
    'grid': 'grid',
    'conditions': 'conditions',
    'constraints': 'constraints',
    'script_name': '_SCRIPT_NAME',
    'command': '_COMMAND',
    'summary_filename': '_SUMMARY_FILENAME',
    'summary_keywords': '_SUMMARY_KEYWORDS',
    'summary_parser_handle': '_SUMMARY_PARSER_HANDLE',
    'out_arg': '_OUT_ARG',
    'performance_eval_handle': '_PERFORMANCE_EVAL_HANDLE',
    'performance_key': '_PERFORMANCE_KEY',
    'performance_sort_asc': '_PERFORMANCE_SORT_ASC',
    'argparse_handle': '_ARGPARSE_HANDLE',
    'resumable': '_RESUMABLE',
    'oom_patterns': '_OOM_PATTERNS',
    'job_prologue': '_JOB_PROLOGUE',
}
"""Every attribute of a configuration, as YAML spells it, to its name in a Python module."""

YAML_SUFFIXES = ('.yml', '.yaml')

_CLEARLY_A_MISSPELLING = 0.85


@dataclass(frozen=True)
class Source:
    """What was read.

    Attributes:
        path: The file, absolute.
        sha256: Hash of its bytes.
        attributes: The attributes that are there, by their names in :data:`SPELLINGS`.
        problems: Attributes that look like misspelled ones.
    """

    path: Path
    sha256: str
    attributes: Mapping[str, Any]
    problems: tuple[str, ...]

    def spelled(self, name: str) -> str:
        """The attribute's name as the user writes it in this kind of file."""
        return name if self.path.suffix in YAML_SUFFIXES else SPELLINGS[name]


def read_source(grid_module: str, cwd: Path) -> Source:
    """Read a configuration.

    Args:
        grid_module: Name of a module, path of a ``.py`` file, or path of a ``.yml`` or ``.yaml`` file.
        cwd: Where relative paths start and where modules are looked for first; absolute.

    Raises:
        ConfigError: It is not there, or cannot be imported or parsed.
    """
    if grid_module.endswith(YAML_SUFFIXES):
        return _read_yaml(grid_module, Path(os.path.abspath(cwd / grid_module)))
    module = load_module(grid_module, cwd)
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
    near = ((name, _closest(name, missing, _CLEARLY_A_MISSPELLING)) for name in candidates if name not in known)
    return tuple(f'{name}: is not an attribute of a configuration; did you mean {hint}?' for name, hint in near if hint)


def did_you_mean(name: str, known: Iterable[Any]) -> str:
    """The end of a sentence about a name that is not known: the most similar one that is, where there is one."""
    hint = _closest(name, [each for each in known if isinstance(each, str)])
    return f'; did you mean {hint}?' if hint else '.'


def _closest(name: str, known: Iterable[str], cutoff: float = 0.6) -> str:
    """The known name that looks most like it, or an empty string."""
    return next(iter(difflib.get_close_matches(name, list(known), 1, cutoff)), '')


def _read_yaml(grid_module: str, path: Path) -> Source:
    content = read_yaml_file(path, '--grid_module')
    if not isinstance(content, Mapping):
        raise ConfigError([f'--grid_module: {path} holds {type(content).__name__}; a mapping with grid is expected.'])
    names = {spelling: name for name, spelling in SPELLINGS.items()} | {name: name for name in SPELLINGS}
    attributes = {names[key]: value for key, value in content.items() if key in names}
    twice = [name for name, spelling in SPELLINGS.items() if name != spelling and {name, spelling} <= content.keys()]
    defined = {*content, *attributes, *(SPELLINGS[name] for name in attributes)}
    problems = (
        *(f'{name}: is given twice, also as {SPELLINGS[name]}; keep one.' for name in twice),
        *_misspelled((key for key in content if isinstance(key, str)), names, defined),
    )
    return Source(path, _sha256(path), attributes, problems)
