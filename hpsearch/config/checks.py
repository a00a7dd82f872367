"""The checks of a configuration: from attributes to a whole, or to a list of all problems with them."""

from __future__ import annotations

import os
import reprlib
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import chain
from typing import Any

from hpsearch.arguments.document import keys_of_document
from hpsearch.arguments.placeholders import CONFIG, placeholders_in
from hpsearch.config.argument_checks import check_styles, unreached
from hpsearch.config.command_checks import (
    checkpoint_problem,
    environment,
    names_output,
    names_script,
    placeholder_problems,
)
from hpsearch.config.document_checks import read_template, unknown_keys, unwritable
from hpsearch.config.grid_checks import GridReader, can_be_passed, name_problem, several_fidelities, united
from hpsearch.config.source import OF_SAMPLERS, Source
from hpsearch.config.zip_checks import zipped_groups
from hpsearch.model.command import plain
from hpsearch.model.configuration import Condition, Configuration, Constraint, Grid, Style, Value
from hpsearch.model.errors import did_you_mean
from hpsearch.model.logs.out_of_memory import problem_of
from hpsearch.results.metrics.rules import metric_rules
from hpsearch.results.rules import hint_of_rule, keywords_of_rule, result_rules, rule_of

_DEFAULT_OUT_ARG = 'out_dir'
_DEFAULT_CONFIG_ARG = 'config'


@dataclass
class _Checks:
    """The attributes as they were found, and every problem with them."""

    source: Source
    attributes: dict[str, Any]
    problems: list[str]

    def problem(self, name: str, text: str) -> None:
        self.problems.append(f'{self.source.spelled(name)}: {text}')

    def found(self, name: str, expected: str) -> None:
        self.problem(name, f'is {reprlib.repr(self.attributes[name])}; {expected} is expected.')

    def text(self, name: str) -> str | None:
        value = self.attributes.get(name)
        if isinstance(value, os.PathLike):
            value = os.fspath(value)
        if value is None or isinstance(value, str):
            return value
        self.found(name, 'a string')
        return None

    def flag(self, name: str) -> bool:
        value = plain(self.attributes.get(name, False))
        if not isinstance(value, bool):
            self.found(name, 'True or False')
        return bool(value)

    def texts(self, name: str) -> list[str]:
        value = self.attributes.get(name)
        if value is None:
            return []
        if isinstance(value, (list, tuple)) and all(isinstance(each, str) for each in value):
            return [plain(each) for each in value]
        self.found(name, 'a list of strings')
        return []

    def handle(self, name: str) -> Callable[..., Any] | None:
        value = self.attributes.get(name)
        if value is None or callable(value):
            return value
        self.found(name, 'a function or None')
        return None


def check(source: Source, attributes: dict[str, Any], problems: list[str]) -> Configuration:
    """The configuration that the attributes make; usable only if no problem was appended to ``problems``.

    The attributes are those of the source, some of which the command line may have replaced.
    """
    checks = _Checks(source, attributes, problems)
    out_arg = _out_arg(checks)
    script, command = _what_to_run(checks)
    keywords = checks.texts('summary_keywords')
    results = _results(checks)
    reader = GridReader(out_arg, problems)
    (grid, rows), conditions = _grid(checks, reader), _conditions(checks, reader)
    problems += several_fidelities(grid, rows)
    always = set(grid).intersection(*rows)
    return Configuration(
        source=str(checks.source.path),
        sha256=checks.source.sha256,
        grid=grid,
        rows=rows,
        zipped=_zipped(checks, grid, rows),
        conditions=conditions,
        constraints=_constraints(checks),
        script=script,
        command=command,
        **_how_values_are_passed(checks, [grid, *(then for _, then in conditions)], always, command or (), out_arg),
        fixed_args=_fixed_args(checks),
        results=results,
        metrics=_metrics(checks),
        summary_filename=_summary_filename(checks, keywords),
        summary_keywords=keywords,
        out_arg=out_arg,
        summary_parser=checks.handle('summary_parser_handle'),
        performance_eval=checks.handle('performance_eval_handle'),
        performance_key=_performance_key(checks, keywords, results),
        performance_ascending=checks.flag('performance_sort_asc'),
        has_sort_order='performance_sort_asc' in attributes,
        resumable=checks.flag('resumable'),
        oom_patterns=_oom_patterns(checks),
        job_prologue=checks.text('job_prologue') or '',
        notes=[*source.notes, *reader.notes],
        suggested=source.suggested,
        of_samplers=_of_samplers(checks),
    )


def _how_values_are_passed(
    checks: _Checks,
    grids: Sequence[Mapping[str, Sequence[Value]]],
    always: Collection[str],
    command: Sequence[str],
    out_arg: str | None,
) -> dict[str, Any]:
    """The attributes by which values reach a script: as options, in words of the command, variables or a file.

    Args:
        checks: Gets the problems.
        grids: The grid, and what conditions put in the place of its values.
        always: Options that every run has.
        command: The words of ``_COMMAND``.
        out_arg: The option of the output folder.
    """
    options = {*chain(*grids)}
    if checks.attributes.get('config_template') is not None:
        always = {*always, CONFIG}
    for problem in placeholder_problems(command, always, options.difference(always)):
        checks.problem('command', problem)
    env, problems = environment(checks.attributes.get('env'), always, options.difference(always))
    for problem in problems:
        checks.problem('env', problem)
    words, config_arg = [*command, *env.values()], _config_arg(checks)
    template, form = _config_template(checks, grids, words)
    is_told = out_arg is not None or names_output(words, options)
    checkpoint_arg, checkpoint = _checkpoint(checks, {*options, out_arg}, is_told=is_told)
    keys = keys_of_document(template, form) if template else ()
    ours = (out_arg, config_arg, None if checkpoint_arg in keys else checkpoint_arg)
    return {
        'env': env,
        'config_template': template,
        'config_format': form,
        'config_arg': config_arg,
        'styles': _styles(checks, grids, ours, words, in_file=bool(template)),
        'make_out_dir': _make_out_dir(checks, is_told=is_told),
        'checkpoint_arg': checkpoint_arg,
        'checkpoint': checkpoint,
    }


def _checkpoint(checks: _Checks, taken: Collection[str | None], *, is_told: bool) -> tuple[str | None, str]:
    """The option that takes a checkpoint, and where that is in the output folder of the run that left it.

    Args:
        checks: Gets the problems.
        taken: The options that have another meaning.
        is_told: Whether the script knows its output folder.
    """
    option, path = checks.text('checkpoint_arg'), checks.text('checkpoint')
    if option is not None and (problem := name_problem(option) or _why_no_checkpoint(checks, option, taken, is_told)):
        checks.problem('checkpoint_arg', problem)
    if path is not None and (problem := checkpoint_problem(path)):
        checks.problem('checkpoint', problem)
    elif path is not None and option is None:
        checks.problem('checkpoint', f'is given, but {checks.source.spelled("checkpoint_arg")} is not.')
    return option, '.' if path is None else path


def _why_no_checkpoint(checks: _Checks, option: str, taken: Collection[str | None], is_told: bool) -> str:
    if option in taken:
        return f'is {option!r}, which is an option of the grid or that of the output folder.'
    spelled = checks.source.spelled('out_arg')
    return '' if is_told else f'is given, but {spelled} is None: no run leaves a checkpoint in a folder that is known.'


def _make_out_dir(checks: _Checks, *, is_told: bool) -> bool:
    is_made = checks.flag('make_out_dir')
    if is_made and not is_told:
        spelled = checks.source.spelled('out_arg')
        checks.problem('make_out_dir', f'is True, but {spelled} is None: the script is not told any folder.')
    return is_made


def _oom_patterns(checks: _Checks) -> list[str]:
    patterns = checks.texts('oom_patterns')
    for pattern in patterns:
        if wrong := problem_of(pattern):
            checks.problem('oom_patterns', f'{pattern!r} is not a regular expression: {wrong}.')
    return patterns


def _out_arg(checks: _Checks) -> str | None:
    if 'out_arg' not in checks.attributes:
        return _DEFAULT_OUT_ARG
    option = checks.text('out_arg')
    if option is not None and (problem := name_problem(option)):
        checks.problem('out_arg', problem)
    return option


def _config_arg(checks: _Checks) -> str:
    option = checks.text('config_arg')
    if option is None:
        return _DEFAULT_CONFIG_ARG
    if problem := name_problem(option):
        checks.problem('config_arg', problem)
    if checks.attributes.get('config_template') is None:
        checks.problem('config_arg', f'is given, but {checks.source.spelled("config_template")} is not.')
    return option


def _config_template(
    checks: _Checks, grids: Sequence[Mapping[str, Sequence[Value]]], words: Iterable[str]
) -> tuple[str, str]:
    """Text and format; a relative path is one from the folder of the configuration."""
    path = _home_expanded(checks.text('config_template'))
    if path is None:
        return '', 'yaml'
    try:
        template, form = read_template(checks.source.path.parent / path)
    except ValueError as error:
        checks.problem('config_template', str(error))
        return '', 'yaml'
    named = {name for text in words for name in placeholders_in(text)}
    options = sorted({*chain(*grids)}, key=str)
    for problem in (*unknown_keys(template, form, options, named), *unwritable(form, grids)):
        checks.problem('config_template', problem)
    return template, form


def _fixed_args(checks: _Checks) -> list[str]:
    words = checks.texts('fixed_args')
    _check_words(checks, 'fixed_args', words)
    return words


def _check_words(checks: _Checks, name: str, words: Iterable[str]) -> None:
    for text in words:
        if not can_be_passed(text):
            checks.problem(name, f'has {text!r}, which holds characters that no command line can hold.')


def _styles(
    checks: _Checks,
    grids: Sequence[Mapping[str, Sequence[Value]]],
    ours: tuple[str | None, str, str | None],
    templates: Sequence[str],
    *,
    in_file: bool,
) -> dict[str, Style]:
    """How options are written; ``ours``: those of the output folder, the configuration file, and the checkpoint."""
    out_arg, config_arg, checkpoint_arg = ours
    own = [out_arg, config_arg if in_file else None, checkpoint_arg]
    options = {*([] if in_file else chain(*grids)), *filter(None, own)}
    values = chain.from_iterable(grid.items() for grid in grids)
    flags = [option for option, its_own in values if not in_file and any(isinstance(each, bool) for each in its_own)]
    styles, problems = check_styles(checks.attributes, options, flags, out_arg)
    if not problems:
        problems = unreached(styles, options, out_arg, templates)
    for name, problem in problems.items():
        checks.problem(name, problem)
    return styles


def _what_to_run(checks: _Checks) -> tuple[str | None, list[str] | None]:
    script = _home_expanded(checks.text('script_name'))
    command = checks.texts('command')
    command[:1] = [os.path.expanduser(first) for first in command[:1]]
    given = [name for name in ('script_name', 'command') if checks.attributes.get(name) is not None]
    spelled = checks.source.spelled('script_name')
    if len(given) == 2 and not names_script(command):
        checks.problem('command', f'excludes {spelled}; keep one of them, or write {{script}} where it belongs.')
    elif not given:
        checks.problem('script_name', 'is missing; the path of the training script is expected.')
    elif names_script(command) and not script:
        checks.problem('command', f'has {{script}}, and {spelled} is missing.')
    for name in given:
        if checks.attributes[name] in ('', [], ()):
            checks.found(name, 'the path of a script' if name == 'script_name' else 'a list of words')
    _check_words(checks, given[0] if given else '', [script or '', *command])
    return script, command or None


def _home_expanded(path: str | None) -> str | None:
    return None if path is None else os.path.expanduser(path)


def _summary_filename(checks: _Checks, keywords: Sequence[str]) -> str | None:
    name = checks.text('summary_filename') or None
    if name is not None and not keywords:
        checks.problem('summary_keywords', 'is empty; a list of keywords is expected, since a summary file is given.')
    return name


def _results(checks: _Checks) -> list[dict[str, str]]:
    rules, problems = result_rules(checks.attributes.get('result'))
    for problem in problems:
        checks.problem('result', problem)
    return [] if problems else rules


def _metrics(checks: _Checks) -> list[dict[str, str]] | None:
    if checks.attributes.get('metrics') is None:
        return None
    rules, problems = metric_rules(checks.attributes['metrics'])
    for problem in problems:
        checks.problem('metrics', problem)
    return [] if problems else rules


def _performance_key(checks: _Checks, keywords: Sequence[str], results: Sequence[Mapping[str, str]]) -> str | None:
    key = checks.text('performance_key')
    known = [*chain(keywords, *(keywords_of_rule(rule_of(rule)) for rule in results))]
    if key is None:
        return next(iter(known), None)
    spelled = checks.source.spelled
    if not keywords and not results and not checks.attributes.get('result'):
        where = f'{spelled("result")} or {spelled("summary_keywords")}'
        hint = hint_of_rule(key) or f'; set {where}.'
        checks.problem('performance_key', f'is {key!r}, and nothing says where results are{hint}')
    elif keywords and key not in known:
        hint = hint_of_rule(key) or did_you_mean(key, known)
        checks.problem('performance_key', f'is {key!r}, which is not in {spelled("summary_keywords")}{hint}')
    return key


def _constraints(checks: _Checks) -> list[Constraint]:
    constraints = checks.attributes.get('constraints')
    if constraints is None:
        return []
    if not isinstance(constraints, (list, tuple)):
        checks.found('constraints', 'a list of functions of the parameters (in a Python module)')
        return []
    for index, constraint in enumerate(constraints):
        if not callable(constraint):
            checks.problems.append(f'constraints[{index}]: is {reprlib.repr(constraint)}; a function is expected.')
    return list(constraints)


def _of_samplers(checks: _Checks) -> dict[str, Any]:
    """What is said of samplers; whether the options take such values is known where they are declared."""
    given = {name: plain(checks.attributes[name]) for name in OF_SAMPLERS if checks.attributes.get(name) is not None}
    for name, value in given.items():
        parts = value.values() if isinstance(value, Mapping) else value if isinstance(value, (list, tuple)) else [value]
        if not all(isinstance(part, (bool, int, float, str)) for part in parts):
            checks.found(name, 'a number, a text, or a list or dict of such')
    return {name: list(value) if isinstance(value, tuple) else value for name, value in given.items()}


# Grid and conditions


def _grid(checks: _Checks, reader: GridReader) -> tuple[Grid, list[Grid]]:
    """The grid, and its parts where it is a list."""
    grid = checks.attributes.get('grid')
    if grid is None:
        checks.problem('grid', 'is missing; a dict of option to list of values is expected.')
    elif isinstance(grid, (list, tuple)) and grid and all(isinstance(row, Mapping) and row for row in grid):
        rows = [reader.row(f'grid[{index}]', row) for index, row in enumerate(grid)]
        return united(rows), rows
    elif isinstance(grid, Mapping) and grid:
        return reader.options('grid', grid, may_be_empty=False), []
    else:
        checks.found('grid', 'a dict of option to list of values that is not empty, or a list of such dicts,')
    return {}, []


def _zipped(checks: _Checks, grid: Grid, rows: Sequence[Grid]) -> list[list[str]]:
    groups, problems = zipped_groups(checks.attributes.get('zipped'), grid, rows)
    checks.problems += problems
    return groups


def _conditions(checks: _Checks, reader: GridReader) -> list[Condition]:
    conditions = checks.attributes.get('conditions')
    if conditions is None:
        return []
    if not isinstance(conditions, (list, tuple)):
        checks.found('conditions', 'a list of pairs (when, then)')
        return []
    parsed = (reader.condition(f'conditions[{index}]', pair) for index, pair in enumerate(conditions))
    return [condition for condition in parsed if condition is not None]
