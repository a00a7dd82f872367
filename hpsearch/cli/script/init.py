"""``hpsearch init``: write a configuration from the help of a script and one run of it."""

from __future__ import annotations

import os
import tempfile
from dataclasses import replace
from pathlib import Path

from hpsearch.arguments.draft import Draft, draft_of, draft_of_hydra, is_configuration, module_text
from hpsearch.arguments.help_text import is_hydra, may_have_help
from hpsearch.cli.exit_codes import ALL_FINISHED
from hpsearch.cli.parsers.searches import parse_try
from hpsearch.cli.plan import values_of_hydra
from hpsearch.cli.request import interpreter_of, make_request
from hpsearch.cli.script.parsers import InitCommand
from hpsearch.cli.script.trial import run_of, show_output
from hpsearch.dispatch.trial import try_run
from hpsearch.host.script_help import help_of
from hpsearch.model.command import shell_line
from hpsearch.model.errors import ConfigError
from hpsearch.model.states import State
from hpsearch.model.units import count_of
from hpsearch.results.guess import Guess, guess_result
from hpsearch.results.sources import Places
from hpsearch.store.attempt_files import tail
from hpsearch.store.folder import SearchFolder

_MOST_SOURCE = 10 * 2**20
"""Bytes of a script, which may be a large program, that are looked at."""


def write_module(command: InitCommand) -> int:
    """Write a grid module for a script, from its help and from one run of it; returns the exit code.

    Raises:
        ConfigError: It is no script, or the file exists.
    """
    path = Path(command.output or f'{Path(command.script).stem}_search.py')
    draft = _draft(command, path)
    for_output = f', and {draft.output.shown.name} for the output folder' if draft.output else ''
    shown = count_of(len(draft.options), 'option is', 'options are') if draft.options else 'no options are'
    print(f'{command.script}: {shown} shown by its help{for_output}.')
    if draft.is_python and not draft.options:
        words = [interpreter_of(command.python), command.script, *command.words, '--help']
        print(f'If that is wrong, see what {shell_line(words)} prints; --python=... is another interpreter.')
    if command.tries and draft.can_run:
        draft = _with_result(draft, command.python)
    try:
        with open(path, 'x', encoding='utf-8') as file:
            file.write(module_text(draft))
    except FileExistsError as error:
        raise ConfigError([_exists(path)]) from error
    except OSError as error:
        raise ConfigError([f'{path}: cannot be written: {error.strerror}.']) from error
    print(f'{path} is written. Left to fill in:')
    for sentence in draft.missing:
        print(f'  {sentence}')
    chosen = [f'--python={command.python}'] if command.python else []
    print(f'Then: hpsearch run {shell_line([str(path), *chosen])}')
    return ALL_FINISHED


def _exists(path: Path) -> str:
    return f'{path}: exists, and is not overwritten; --output=FILE names another file.'


def _draft(command: InitCommand, path: Path) -> Draft:
    """What the help of a script says."""
    script = command.script
    is_python = script.endswith('.py')
    if not os.path.isfile(script):
        raise ConfigError([f'{script}: there is no such file; the path of a script is expected.'])
    if not is_python and not os.access(script, os.X_OK):
        raise ConfigError([f'{script}: is no script: a .py file or an executable program is expected.'])
    if os.path.lexists(path):
        raise ConfigError([_exists(path)])
    if not path.parent.is_dir():
        raise ConfigError([f'--output: there is no folder {path.parent}.'])
    if not is_python and os.sep not in script:
        script = os.path.join('.', script)
    with open(script, 'rb') as file:
        source = file.read(_MOST_SOURCE).decode('utf-8', 'replace')
    if is_python and is_configuration(source):
        raise ConfigError(
            [f'{script}: is a configuration, not a script: hpsearch plan {script} shows what it would run.']
        )
    program = [interpreter_of(command.python), script] if is_python else [script]
    if is_hydra(source):
        values = values_of_hydra([*program, *command.words], os.getcwd())
        return draft_of_hydra(script, values, command.words)
    text = help_of([*program, *command.words], os.getcwd()) if may_have_help(source) or '--help' in source else ''
    return draft_of(script, source, text, command.words, is_python=is_python)


def _with_result(draft: Draft, python: str) -> Draft:
    """The draft with what one run of it shows: where its result is, and whether its output folder has to be made."""
    with tempfile.TemporaryDirectory(prefix='hpsearch-init-', ignore_cleanup_errors=True) as scratch:
        for number, makes in enumerate((False, True)):
            tried = replace(draft, make_out_dir=makes)
            folder = SearchFolder(Path(scratch, str(number)))
            reason, needs_folder, guess = _outcome(tried, folder, python)
            if not (reason and needs_folder):
                break
    if reason:
        print(f'The run has failed, so nothing was learned of its result: {reason}')
        return draft
    if guess.words:
        found = f': {", ".join(guess.keywords[:8])}' if guess.keywords else ''
        print(f'Its result seems to be in {guess.words}{found}')
    return replace(tried, result=guess.attributes)


def _outcome(draft: Draft, folder: SearchFolder, python: str) -> tuple[str, bool, Guess]:
    """Why a run of a draft failed (empty: it did not), whether it lacked its output folder, and where its result is."""
    os.makedirs(folder.path)
    module = folder.path / 'draft.py'
    module.write_text(module_text(draft), encoding='utf-8')
    chosen = [f'--python={python}'] if python else []
    request = make_request(parse_try([str(module), '--deterministic_search', *chosen]).options)
    run = run_of(request.plan(folder.path, 'init'), 1)
    print(f'One run, to see where its result is (Ctrl-C ends it): {shell_line(run.argv)}', flush=True)
    reason = ''
    try:
        trial = try_run(run, request.configuration, folder, request.cwd_in(folder), show_output)
        reason = '' if trial.verdict.state is State.FINISHED else trial.verdict.reason
    except KeyboardInterrupt:
        print('It was ended; what there is so far counts.')
    except OSError as error:
        reason = f'{run.argv[0]}: cannot be started: {error.strerror}'
    paths, output = folder.attempt(run.name, 1), folder.output(run.name)
    needs_folder = not output.exists() and str(output) in tail(paths.stderr)
    logs = {'stdout': Path(paths.stdout), 'stderr': Path(paths.stderr)}
    return reason, needs_folder, Guess({}) if reason else guess_result(Places(output, logs))
