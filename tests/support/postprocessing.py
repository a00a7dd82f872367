"""The package ``postprocessing`` of the checkout, under the name it is installed as, in this process and in others."""

from __future__ import annotations

import importlib.util
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from tests.support.paths import REPOSITORY

NAME = 'hpsearch_postprocessing'
SOURCE = REPOSITORY / 'postprocessing'

CODE = f"""\
import sys
sys.path.insert(0, {str(REPOSITORY)!r})
from tests.support.postprocessing import load_package
load_package()
from {NAME}.main import main
sys.exit(main())
"""


def load_package() -> None:
    """Make the folder of the checkout importable under that name."""
    if NAME in sys.modules:
        return
    spec = importlib.util.spec_from_file_location(
        NAME, SOURCE / '__init__.py', submodule_search_locations=[str(SOURCE)]
    )
    assert spec and spec.loader
    module = sys.modules[NAME] = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)


def postprocess(folder: Path, *words: str, cwd: Path | None = None) -> str:
    """Execute ``hpsearch-postprocess``; returns what it printed."""
    argv: Sequence[str] = [sys.executable, '-c', CODE, str(folder), *words]
    done = subprocess.run(argv, cwd=cwd, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout
