"""From options to a search that is ready to start, without touching anything: what ``run`` and ``plan`` share."""

from __future__ import annotations

import argparse
import os
import shutil
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from hpsearch.config.loading import load_configuration
from hpsearch.model.configuration import Configuration
from hpsearch.model.errors import ConfigError
from hpsearch.space.order import Order
from hpsearch.space.plan import Plan, make_plan


@dataclass(frozen=True)
class SearchRequest:
    """A search that was asked for and can be started.

    Attributes:
        args: The options.
        configuration: What to run.
        order: In which order, and how many.
        interpreter: First word of the commands of a Python script.
        resolved_interpreter: Where it is found now; empty for scripts that are not Python.
        run_cwd: Working directory of the runs, absolute.
        out_dir: ``--out_dir``, absolute.
        notes: What a user should know before it starts, in sentences.
    """

    args: argparse.Namespace
    configuration: Configuration
    order: Order
    interpreter: str
    resolved_interpreter: str
    run_cwd: Path
    out_dir: Path
    notes: tuple[str, ...]

    def plan(self, search_path: Path, ident: str) -> Plan:
        """Its runs, once the folder is known."""
        return make_plan(
            self.configuration, self.order, interpreter=self.interpreter, search_path=search_path, ident=ident
        )


def make_request(args: argparse.Namespace, environ: Mapping[str, str] = os.environ) -> SearchRequest:
    """Check everything that was asked for.

    Raises:
        ConfigError: With every problem of the options and of the configuration.
    """
    cwd = Path.cwd()
    run_cwd = Path(os.path.abspath(args.run_cwd))
    problems = _option_problems(args, run_cwd)
    try:
        configuration = _load(args, cwd)
    except ConfigError as error:
        raise ConfigError([*problems, *error.problems]) from None
    interpreter = _interpreter(args.python)
    resolved, found_problems = _find_command(configuration, interpreter, run_cwd, environ)
    if problems or found_problems:
        raise ConfigError([*problems, *found_problems])
    order = Order(
        seed=args.random_seed,
        deterministic=args.deterministic_search and not args.dont_generate_full_grid,
        limit=None if args.num_searches == -1 else args.num_searches,
    )
    out_dir = Path(os.path.abspath(run_cwd / args.out_dir))
    notes = _interpreter_notes(configuration, interpreter, resolved)
    return SearchRequest(args, configuration, order, interpreter, resolved, run_cwd, out_dir, notes)


def _load(args: argparse.Namespace, cwd: Path) -> Configuration:
    if not args.grid_module:
        raise ConfigError(
            ['--grid_module: is missing; a module name, a path to a .py file or to a YAML file is expected.']
        )
    return load_configuration(args.grid_module, cwd=cwd, grid_config=args.grid_config, replacements=args.replacements)


def _option_problems(args: argparse.Namespace, run_cwd: Path) -> list[str]:
    problems = []
    if args.num_searches != -1 and args.num_searches < 1:
        problems.append(f'--num_searches={args.num_searches}: a positive number, or -1 for all, is expected.')
    if not run_cwd.is_dir():
        problems.append(f'--run_cwd={args.run_cwd}: there is no folder {run_cwd}.')
    if args.cpu_jobs and args.visible_gpus not in ('', '-1'):
        problems.append('--cpu_jobs assigns no GPUs: give either it or --visible_gpus.')
    return problems


def _interpreter(python: str) -> str:
    """A path is made absolute, since the runs have a working directory of their own."""
    return os.path.abspath(python) if os.sep in python else python or 'python3'


def _find_command(
    configuration: Configuration, interpreter: str, run_cwd: Path, environ: Mapping[str, str]
) -> tuple[str, list[str]]:
    """Where the first word is found, and what is missing."""
    path = environ.get('PATH', os.defpath)
    if configuration.command is not None:
        first = configuration.command[0]
        found = shutil.which(str(run_cwd / first) if os.sep in first else first, path=path)
        return '', [] if found else [f'_COMMAND: {first!r} is not an executable on PATH or in {run_cwd}.']
    problems = []
    resolved = shutil.which(interpreter, path=path) or ''
    if not resolved:
        problems.append(f'--python: {interpreter!r} is not an executable on PATH.')
    script = run_cwd / (configuration.script or '')
    if not script.is_file():
        problems.append(f'_SCRIPT_NAME: there is no file {script} (a relative name is relative to --run_cwd).')
    return resolved, problems


def _interpreter_notes(configuration: Configuration, interpreter: str, resolved: str) -> tuple[str, ...]:
    if configuration.command is not None:
        return ()
    notes = [f'Runs use {interpreter}, which is {resolved}.']
    if not _same_place(resolved, sys.executable):
        notes.append(
            f'That is not the interpreter hpsearch runs on ({sys.executable}): the script may miss packages. '
            f'Another one is chosen with --python.'
        )
    return tuple(notes)


def _same_place(one: str, other: str) -> bool:
    return os.path.realpath(os.path.dirname(one)) == os.path.realpath(os.path.dirname(other))
