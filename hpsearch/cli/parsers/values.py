"""The values of a command line, completed from a profile."""

from __future__ import annotations

import argparse
import os
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from hpsearch.cli.options import OF_PLACES, add_options

_RIVALS = {
    'slurm_time': 'num_hours',
    **dict.fromkeys(('visible_gpus', 'packing', 'gpus_per_run'), 'cpu_jobs'),
    'cpu_jobs': 'visible_gpus',
}
"""Option to another that says the same, or rules it out: where that one is given, a profile must not say it."""


def profile_options() -> dict[str, argparse.Action]:
    """The options that a profile may set, by their names without dashes: those of this machine, of clusters, of you."""
    parser = argparse.ArgumentParser(add_help=False)
    add_options(parser, (*OF_PLACES, 'notify'))
    return {action.dest: action for action in parser._actions if action.dest != 'profile'}


def values_of(parser: argparse.ArgumentParser, words: Sequence[str]) -> dict[str, Any]:
    """The values of a command line by their names, completed from its ``--profile``.

    The command line takes precedence; a list that it gives replaces that of the profile. The ``job_prologue`` of a
    profile becomes a value like the options.

    Raises:
        ConfigError: With every problem of the profile.
    """
    values = vars(parser.parse_args(words))
    if not values.get('profile'):
        return values
    from hpsearch.config.profile import read_profile

    profile = read_profile(Path(os.path.abspath(values['profile'])), profile_options())
    given = given_in(parser, words, {*profile, *_RIVALS.values()})
    added = {name for name in profile.keys() - given if _RIVALS.get(name) not in given}
    return {**values, **{name: profile[name] for name in added}}


def given_in(parser: argparse.ArgumentParser, words: Sequence[str], names: Iterable[str]) -> set[str]:
    """Which of these options a command line gives: argparse puts no default where there is a value, even None."""
    values = vars(parser.parse_args(words, argparse.Namespace(**dict.fromkeys(names))))
    return {name for name in names if values[name] is not None}
