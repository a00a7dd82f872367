"""Configuration of Sphinx: ``make docs``."""

from __future__ import annotations

import ast
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent


def version_of(path: Path) -> str:
    """Return ``__version__`` of a module without importing it."""
    for node in ast.parse(path.read_text()).body:
        if isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == '__version__':
            return str(ast.literal_eval(node.value))
    raise ValueError(f'{path} has no __version__')


project = 'hpsearch'
author = 'The hpsearch developers'
project_copyright = author
release = version_of(ROOT / 'hpsearch' / '__init__.py')
version = release

sys.path[:0] = [str(ROOT), str(ROOT / 'docs' / 'extensions')]
extensions = ['command_line', 'sphinx.ext.autodoc', 'sphinx.ext.napoleon']
autodoc_typehints = 'description'
exclude_patterns = ['_build']
nitpicky = True
nitpick_ignore_regex = [('py:.*', '.*')]  # types of other packages, and our own that are not on these pages
highlight_language = 'none'

html_theme = 'furo'
html_title = f'hpsearch {release}'
html_static_path = ['_static']
html_css_files = ['hpsearch.css']
