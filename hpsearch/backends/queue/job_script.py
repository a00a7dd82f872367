"""The scripts that jobs execute: POSIX sh, read by the batch system from its stdin. Text only.

One script serves all elements of an array. An element finds its attempt by its index, passes the start fence, executes
the prologue (which may set positional parameters, exit the shell, or set ``-eu``), starts the command in background,
forwards signals to it, and writes the exit record. It exits with the status of the command, or with one of these before
the command has started: 64, there is no such element; 73, the attempt's folder does not exist or cannot be written; 75,
the fence has been passed already; 126, there is no working directory; 143, there was a signal.

Whether a signal has to be forwarded is not known in advance: some batch systems signal every process of a job, some
only the shell, and a script that gets the signal twice may spoil its last checkpoint. So an idle process is started
beside the command. If a signal ended that process as well, the command got the signal too.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from hpsearch.backends.queue.batch_system import JobVariables
from hpsearch.model.command import line_breaks_of, shell_word
from hpsearch.store.folder import SearchFolder

DEFAULT_SHELL = '#!/bin/sh'

DEFAULT_SIGNAL = 'TERM'

_OPEN_LOG = 'if { true >> "$hpsearch_log"; } 2>/dev/null; then exec >> "$hpsearch_log" 2>&1; fi'
"""Not every batch system has a log of its own."""

_PASS_FENCE = """\
hpsearch_host=$(uname -n) || hpsearch_host=-
hpsearch_files=$hpsearch_jobs/$hpsearch_run/$hpsearch_attempt
hpsearch_line="$hpsearch_ident $$ $hpsearch_job $hpsearch_restarts $hpsearch_host"
set -C
{ printf '%s\\n' "$hpsearch_line" > "$hpsearch_files/started"; } 2>/dev/null || :
set +C
if [ ! -f "$hpsearch_files/started" ]; then
    echo "hpsearch: $hpsearch_files is not there, or cannot be written, on $hpsearch_host" >&2
    exit 73
fi
if ! IFS=' ' read -r hpsearch_a hpsearch_b hpsearch_c hpsearch_d < "$hpsearch_files/started"; then
    hpsearch_a='a line that was cut short' hpsearch_b='' hpsearch_c='' hpsearch_d=''
fi
hpsearch_hint() {
    { printf '%s\\n' "$hpsearch_index" >> "$hpsearch_ended"; } 2>/dev/null || :
}
if [ "$hpsearch_a $hpsearch_b $hpsearch_c $hpsearch_d" != "$hpsearch_line" ]; then
    echo "hpsearch: $hpsearch_line is not started, after $hpsearch_a $hpsearch_b $hpsearch_c $hpsearch_d" >&2
    if [ "$hpsearch_a $hpsearch_c" = "$hpsearch_ident $hpsearch_job" ] && [ "$hpsearch_job" != - ]; then
        { printf '%s\\n' "$hpsearch_line" > "$hpsearch_files/requeued"; } 2>/dev/null || :
        hpsearch_hint
    fi
    exit 75
fi"""
"""The whole line is compared, so that a job that was restarted does not pass a second time."""

_KEEP_RECORD = """\
hpsearch_note() {
    [ -n "$1" ] && [ ! -s "$hpsearch_files/signalled" ] || return 0
    { printf '%s\\n' "$1" >| "$hpsearch_files/signalled"; } 2>/dev/null || :
}
hpsearch_record() {
    hpsearch_tries=0
    until {
        printf '%s\\n' "$1" >| "$hpsearch_files/exit" && IFS= read -r hpsearch_back < "$hpsearch_files/exit" &&
            [ "$hpsearch_back" = "$1" ]
    } 2>/dev/null; do
        hpsearch_tries=$((hpsearch_tries + 1))
        [ "$hpsearch_tries" -le 120 ] || break
        sleep 5 || :
    done
    hpsearch_hint
}
hpsearch_left() {
    hpsearch_code=$?
    [ "$hpsearch_stage" != ended ] || return "$hpsearch_code"
    if [ "$hpsearch_code" = 0 ]; then
        echo 'hpsearch: the prologue ended the job before its command began' >&2
        hpsearch_code=1
    fi
    hpsearch_end "$hpsearch_code"
}
trap hpsearch_left 0
exec </dev/null >> "$hpsearch_files/stdout.log" 2>> "$hpsearch_files/stderr.log"
export HPSEARCH_DIR="$hpsearch_dir" HPSEARCH_RUN="$hpsearch_run" HPSEARCH_ATTEMPT="$hpsearch_attempt"
export HPSEARCH_METRICS="$hpsearch_files/metrics.jsonl\""""
"""120 tries of 5 s: if the disk is full, the record is retried for ten minutes."""

_KEEP_NOTHING = """\
hpsearch_note() { :; }
hpsearch_record() { :; }
echo "hpsearch: job $hpsearch_job, element $hpsearch_index of $hpsearch_name, on $(uname -n)\""""

_PASS_SIGNALS = """\
hpsearch_stage=prologue hpsearch_signals=0 hpsearch_child='' hpsearch_idler='' hpsearch_kept='' hpsearch_told=''
hpsearch_end_idler() {
    if [ -n "$hpsearch_idler" ]; then hpsearch_has_killed "$hpsearch_idler" || :; fi
    hpsearch_idler=''
}
hpsearch_end() {
    hpsearch_stage=ended
    trap : TERM INT HUP USR1 USR2
    hpsearch_end_idler
    hpsearch_record "$1"
    exit "$1"
}
hpsearch_has_killed() {
    { kill -s KILL "$1" && wait "$1" || [ "$(($? & 127))" = 9 ]; } 2>/dev/null
}
hpsearch_idle() {
    sleep 99999999 </dev/null >/dev/null 2>&1 &
    hpsearch_idler=$!
}
hpsearch_is_alone() {
    hpsearch_idle
    { sleep 1 || :; } 2>/dev/null
    hpsearch_has_killed "$1"
}
hpsearch_send() {
    [ "$1" != TERM ] || [ -z "$hpsearch_told" ] || return 0
    [ "$1" != TERM ] || hpsearch_told=1
    [ -z "$1" ] || kill -s "$1" "$hpsearch_child" 2>/dev/null || :
}
hpsearch_got() {
    hpsearch_signals=$((hpsearch_signals + 1))
    hpsearch_note "$3"
    case $hpsearch_stage in
    prologue) hpsearch_end 143 ;;
    starting) hpsearch_kept=$2 ;;
    running)
        if [ "$1" != "$2" ] || hpsearch_is_alone "$hpsearch_idler"; then
            hpsearch_send "$2"
        elif [ "$1" = TERM ]; then
            hpsearch_told=1
        fi
        ;;
    esac
}
trap 'hpsearch_got TERM TERM TERM' TERM
trap 'hpsearch_got INT "$hpsearch_on_int" TERM' INT
trap 'hpsearch_got HUP HUP ""' HUP
trap 'hpsearch_got USR1 USR1 ""' USR1
trap 'hpsearch_got USR2 "$hpsearch_on_usr2" timeout' USR2
cd -- "$hpsearch_cwd" 2>/dev/null || :"""
"""The arguments of ``hpsearch_got`` are the signal, the signal to forward, and the note of why it came.

TERM is forwarded once. Another idle process is started before it is checked whether the signal ended the first one, so
that consecutive signals can be told apart.
"""

_BEGIN = """\
set +e +u +C +a
cd -- "$hpsearch_cwd" || hpsearch_end 126"""

_RUN = """\
hpsearch_stage=starting
hpsearch_idle
( trap '' INT; [ "$hpsearch_on_usr2" = USR2 ] || trap '' USR2; exec "$@" ) </dev/null &
hpsearch_child=$! hpsearch_stage=running
[ -z "$hpsearch_kept" ] || hpsearch_send "$hpsearch_kept"
hpsearch_code=0 hpsearch_again=127
wait "$hpsearch_child" || hpsearch_code=$?
if [ "$hpsearch_signals" != 0 ]; then
    while kill -0 "$hpsearch_child" 2>/dev/null; do sleep 1 || :; done
    hpsearch_end_idler
    wait "$hpsearch_child" 2>/dev/null && hpsearch_again=0 || hpsearch_again=$?
    case $hpsearch_again in 127 | -*) ;; *) hpsearch_code=$hpsearch_again ;; esac
fi
hpsearch_end "$hpsearch_code"
"""
"""The command starts with INT (as in some shells) and USR2 ignored: another signal is forwarded in their place, and a
batch system that sends them to all processes must not end the command before that.

A signal may interrupt ``wait`` or come right after it, which looks the same, and bash may lose the status of a child
that ends at that moment. So after a signal the end is awaited by polling, without another child for whose end bash
would wait. A shell that has already returned the status, or lost it, returns 127 or -1; then the result of the first
``wait`` counts.
"""


@dataclass(frozen=True, slots=True)
class ScriptElement:
    """One element of an array job: an attempt.

    Attributes:
        run: Name of its run.
        number: Number of the attempt.
        ident: What it writes into the start fence; without blanks.
        argv: The command; not empty.
    """

    run: str
    number: int
    ident: str
    argv: Sequence[str]


def array_script(
    *,
    folder: SearchFolder,
    name: str,
    elements: Sequence[ScriptElement],
    cwd: str,
    variables: JobVariables,
    prologue: str,
    signal: str,
    header: str,
) -> str:
    """The script of an array job; the index of an element, from 1, is its place in ``elements``.

    Args:
        folder: The search, on a file system that the nodes share.
        name: Name of the submission.
        elements: The attempts.
        cwd: Working directory of the commands, and of the prologue if it exists by then.
        variables: The variables that identify the job from within.
        prologue: Shell lines before each command; if the first is a ``#!`` line it becomes that of the script, whose
            shell must be ``sh``, ``dash``, ``bash``, ``mksh`` or that of busybox: others differ in the result of
            ``wait``.
        signal: Name of the signal that a command is sent when the time limit is near; empty: TERM.
        header: Comment at the top for human readers, such as the command that submits the script.

    Returns:
        The script. Bytes of paths and arguments that are not UTF-8 are surrogates in it.
    """
    shell, lines = _split_prologue(prologue)
    on_usr2 = signal.removeprefix('SIG') or DEFAULT_SIGNAL
    return '\n'.join(
        [
            shell,
            *_comment(header),
            *_constants(folder, name, cwd, on_int='TERM', on_usr2=on_usr2),
            *_own_variables(variables),
            _OPEN_LOG,
            *_case(_identity(element) for element in elements),
            '*) echo "hpsearch: $hpsearch_name has no element $hpsearch_index" >&2; exit 64 ;;',
            'esac',
            _PASS_FENCE,
            _PASS_SIGNALS,
            _KEEP_RECORD,
            *_framed(lines),
            _BEGIN,
            *_case(_command(element.argv) for element in elements),
            'esac',
            _RUN,
        ]
    )


def pilot_script(
    *,
    folder: SearchFolder,
    name: str,
    argv: Sequence[str],
    cwd: str,
    variables: JobVariables,
    prologue: str,
    header: str,
) -> str:
    """The script of jobs that work on a search by themselves: the prologue, then the command.

    The shell stays beside the command, which is sent TERM when the time limit is near. INT is not forwarded: batch
    systems send it to all processes, and a pilot that is interrupted twice ends at once.

    Args:
        folder: The search.
        name: Name of the submission.
        argv: The command.
        cwd: Its working directory.
        variables: The variables that identify the job from within.
        prologue: As for :func:`array_script`.
        header: As for :func:`array_script`.
    """
    shell, lines = _split_prologue(prologue)
    return '\n'.join(
        [
            shell,
            *_comment(header),
            *_constants(folder, name, cwd, on_int='', on_usr2=DEFAULT_SIGNAL),
            *_own_variables(variables),
            _OPEN_LOG,
            _KEEP_NOTHING,
            _PASS_SIGNALS,
            *_framed(lines),
            _BEGIN,
            _command(argv),
            _RUN,
        ]
    )


def _split_prologue(prologue: str) -> tuple[str, str]:
    """The ``#!`` line, and the rest."""
    first, _, rest = prologue.partition('\n')
    return (first.rstrip(), rest) if first.startswith('#!') else (DEFAULT_SHELL, prologue)


def _framed(prologue: str) -> list[str]:
    """The prologue, with an empty line after it in case it ends with a backslash."""
    return ['# The prologue:', prologue.rstrip('\n'), '', '# The prologue ends here.']


def _comment(text: str) -> list[str]:
    return [f'# {line}' for line in text.splitlines()]


def _constants(folder: SearchFolder, name: str, cwd: str, *, on_int: str, on_usr2: str) -> list[str]:
    paths = folder.submission(name)
    values = {
        'name': name,
        'dir': str(folder.path),
        'jobs': str(folder.jobs_dir),
        'log': paths.log,
        'ended': paths.ended,
        'cwd': cwd,
        'on_int': on_int,
        'on_usr2': on_usr2,
    }
    lines = [f'hpsearch_{key}={shell_word(value)}' for key, value in values.items()]
    return [line_breaks_of(line) + line for line in lines]


def _own_variables(variables: JobVariables) -> list[str]:
    return [
        f'hpsearch_index=${{{variables.index}:-1}}',
        f'hpsearch_job=${{{variables.job}:--}}',
        f'hpsearch_restarts=${{{variables.restarts}:-0}}',
    ]


def _case(commands: Iterable[str]) -> list[str]:
    """The beginning of a ``case`` with the commands of each element."""
    lines = [f'{index}) {command} ;;' for index, command in enumerate(commands, start=1)]
    return ['case $hpsearch_index in', *lines]


def _identity(element: ScriptElement) -> str:
    run, ident = shell_word(element.run), shell_word(element.ident)
    return f'hpsearch_run={run} hpsearch_attempt={element.number} hpsearch_ident={ident}'


def _command(argv: Sequence[str]) -> str:
    line = ' '.join(map(shell_word, argv))
    return f'{line_breaks_of(line)}set -- {line}'
