"""Gathers the runs of a search folder that hypnettorch's hpsearch made: ``commands.pickle`` and the run folders."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from hpsearch.arguments.command import CommandForm
from hpsearch.config.safe_pickle import plain_pickle
from hpsearch.model.command import unquoted
from hpsearch.model.configuration import Configuration
from hpsearch.model.errors import SearchFolderError
from hpsearch.model.run import Run

from .gathered import Gathered, find_output, gather_without_journal, summary_on_disk

PLAN = 'commands.pickle'


def is_original_folder(folder: Path) -> bool:
    """Says whether a folder has the plan of the original and none of ours."""
    return (folder / PLAN).is_file() and not (folder / 'search.json').exists()


def gather_original(folder: Path, configuration: Configuration, run_cwd: Path) -> list[Gathered]:
    """Gathers every run of the plan; a run is matched by the name of its output folder.

    Args:
        folder: The search folder, which may have been moved since.
        configuration: The grid module of that search.
        run_cwd: What relative output folders are relative to, where they are not in the search folder.

    Raises:
        SearchFolderError: The plan is not a list of commands, or has no such output option.
    """
    commands = _read_plan(folder / PLAN)
    return [_gather(folder, configuration, run_cwd, index, command) for index, command in enumerate(commands)]


def _read_plan(path: Path) -> list[dict[str, Any]]:
    try:
        plan = plain_pickle(path.read_bytes())
    except Exception as error:  # a damaged pickle can make the unpickler raise anything
        raise SearchFolderError(f'{path} cannot be read: {error}.') from error
    if not isinstance(plan, list) or not all(isinstance(command, dict) for command in plan):
        raise SearchFolderError(f'{path} is not a list of commands, so it is not the plan of a search.')
    return plan


def _gather(
    folder: Path, configuration: Configuration, run_cwd: Path, index: int, command: Mapping[str, Any]
) -> Gathered:
    written = _written_output(folder, configuration, command)
    output = find_output(folder, os.path.basename(written), [run_cwd / written])
    run = _run(configuration, command, index + 1, output)
    return gather_without_journal(run, output, summary_on_disk(output, configuration, run.number))


def _written_output(folder: Path, configuration: Configuration, command: Mapping[str, Any]) -> str:
    out_arg = configuration.out_arg or 'out_dir'
    written = unquoted(str(command.get(out_arg, ''))).rstrip('/')
    if not written:
        raise SearchFolderError(
            f'{folder / PLAN} has a command without the option {out_arg}, which the configuration names as its output '
            f'option (_OUT_ARG); the options are: {", ".join(map(str, command)) or "none"}.'
        )
    if os.path.basename(written) in ('.', '..'):
        raise SearchFolderError(
            f'{folder / PLAN} has {written!r} as the output folder of a run, which is not the name of a folder.'
        )
    return written


def _run(configuration: Configuration, command: Mapping[str, Any], number: int, output: Path) -> Run:
    out_arg = configuration.out_arg or 'out_dir'
    params = {str(option): value for option, value in command.items() if option != out_arg}
    form = CommandForm(replace(configuration, out_arg=out_arg), 'python3')
    return Run(output.name, number, params, form.argv(str(output), params))
