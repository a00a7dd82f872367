"""The installed commands. Many repositories have a folder ``hpsearch`` of their own, which Python may find first.

So the package beside this file is taken, wherever Python would find one of that name. ``python -m hpsearch_command`` is
the same for a checkout, or where the command is not on PATH.
"""

from __future__ import annotations

import importlib
import importlib.util
import sys
from pathlib import Path

OURS = Path(__file__).resolve().parent / 'hpsearch'


def _take_our_package() -> None:
    """Import the package ``hpsearch`` beside this file under its name, unless it is there already."""
    known = sys.modules.get('hpsearch')
    if known is not None and OURS in map(Path, getattr(known, '__path__', ())):
        return
    spec = importlib.util.spec_from_file_location(
        'hpsearch', OURS / '__init__.py', submodule_search_locations=[str(OURS)]
    )
    if spec is None or spec.loader is None:
        raise ImportError(f'{OURS} is not the package hpsearch')
    module = importlib.util.module_from_spec(spec)
    sys.modules['hpsearch'] = module
    spec.loader.exec_module(module)


def hpsearch() -> int:
    """The command ``hpsearch``; returns its exit code."""
    _take_our_package()
    from hpsearch.cli.main import main

    return main()


def postprocess() -> int:
    """The command ``hpsearch-postprocess``; returns its exit code."""
    _take_our_package()
    return int(importlib.import_module('hpsearch_postprocessing.main').main())


if __name__ == '__main__':
    raise SystemExit(hpsearch())
