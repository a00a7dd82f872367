"""Configurations of Oríon, with the command that follows ``orion hunt`` and the space file that it names."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from hpsearch.arguments.placeholders import CONFIG, OUT_DIR, placeholders_in
from hpsearch.arguments.priors import looks_searched, searched_words
from hpsearch.config.distributions.notation import ORION, read_distribution
from hpsearch.config.foreign.algorithms import suggested_by
from hpsearch.config.foreign.translation import Translation
from hpsearch.config.inline.space_file import with_space_file
from hpsearch.config.inline.values import values_of
from hpsearch.results.rules import OBJECTIVE

_KNOWN = {'experiment', 'database', 'storage', 'worker', 'evc', 'frameworks_conf', 'debug', 'executor'}
COMMAND = ('x-hpsearch', 'command')
"""The keys of the words that follow ``orion hunt``."""

_OF_TRIAL = {
    '{exp.working_dir}/{trial.id}': '{out_dir}',
    '{exp.working_dir}/{trial.hash_params}': '{out_dir}',
    '{exp.working_dir}': '{out_dir}/..',
    '{trial.working_dir}': '{out_dir}',
    '{exp.version}': '1',
    **dict.fromkeys(('{trial.id}', '{trial.hash_params}', '{trial.hash_name}', '{trial.full_name}'), '{run}'),
}
"""Oríon's placeholders to ours."""


def is_orion(content: Mapping[Any, Any]) -> bool:
    """Whether a document is for Oríon: it describes an experiment, and has no other keys than Oríon's."""
    return isinstance(content.get('experiment'), Mapping) and content.keys() <= _KNOWN


def translate_orion(content: Mapping[Any, Any], command: Any, folder: Path, name: str = '') -> Translation:
    """A configuration of Oríon in our words.

    Args:
        content: The document.
        command: The words that follow ``orion hunt`` and its own options; None: they are not known.
        folder: Where the document is, and where relative paths of space files begin.
        name: The name of the experiment, if that in the document does not count.
    """
    orion = Translation('Oríon')
    orion.attributes |= {
        'out_arg': None,
        'list_style': 'python',
        'result': 'orion',
        'performance_key': OBJECTIVE,
        'performance_sort_asc': True,
    }
    experiment, worker = orion.mapping(content, 'experiment'), orion.mapping(content, 'worker')
    if isinstance(command, list) and command and all(isinstance(word, (str, int, float)) for word in command):
        config_arg = orion.text(worker, 'worker', 'user_script_config') or CONFIG
        renamed = {**_OF_TRIAL, '{exp.name}': name or str(experiment.get('name', ''))}
        _translate_command(orion, [str(word) for word in command], config_arg, folder, renamed)
    else:
        orion.problem(
            ('experiment',),
            'does not say what to run; add, as a list below x-hpsearch: command:, the words that follow "orion hunt".',
        )
    orion.suggested |= suggested_by(orion, experiment, worker)
    orion.note([key for key in content if key not in ('experiment', 'worker')], 'not used here.')
    return orion


def _translate_command(
    orion: Translation, words: Sequence[str], config_arg: str, folder: Path, renamed: Mapping[str, str]
) -> None:
    file = with_space_file(words, folder, looks_searched, config_arg)
    found = searched_words(file.words, renamed)
    for problem in (*file.problems, *(f'has {problem}' for problem in found.problems)):
        orion.problem(COMMAND, problem)
    grid: dict[str, Any] = {}
    for name, prior in (*file.priors.items(), *found.priors.items()):
        try:
            grid[name] = values_of(prior, orions=True)
            if isinstance(grid[name], str):
                read_distribution(grid[name])
        except ValueError as error:
            orion.problem(COMMAND, f'{name}: {prior.removeprefix(ORION)!r} {error}')
    orion.attributes |= {'grid': grid, 'command': found.command}
    if file.path:
        orion.attributes |= {'config_template': file.path}
    if any(OUT_DIR in placeholders_in(word) for word in found.command):
        orion.attributes |= {'make_out_dir': True}
    if not grid and not orion.problems:
        orion.problem(COMMAND, 'has no priors, and no space file with some.')
