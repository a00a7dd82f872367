"""The scripts that jobs of a queue system execute: POSIX sh, read by the queue from its stdin. Text only.

One script serves all elements of an array. An element finds its attempt by its index, passes the start fence, executes
the prologue (which may set positional parameters, end the shell, or set ``-eu``), starts the command in the background,
passes signals on, and writes the exit record. It ends with the status of the command, or with one of these before the
command was begun: 64, there is no such element; 73, the attempt's folder is not there or cannot be written; 75,
somebody else passed the fence; 126, there is no working directory; 143, a signal came.

Whether a signal has to be passed on is not known beforehand: some queue systems signal every process of a job, some the
shell alone, and a script that is told twice to end may spoil its last checkpoint. So a process that does nothing is
started beside the command. If a signal ended it as well, then the command got that signal too.
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
"""Not every queue system has a log of its own."""

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
"""The whole line decides, so that a job which the queue restarted does not pass where it passed before."""

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
"""120 tries of 5 s are the ten minutes a full disk is waited for."""

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
"""A signal that came is told, in this order, as what it is, what the command is sent, and why it came.

TERM is sent once. Another idler is started before it is seen whether the signal ended the first, so that signals which
come after one another are told apart.
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
"""The command ignores INT (as some shells have it) and USR2 at its start: it gets another signal in their place, before
which a queue that sends them to all processes would have ended it.

A signal interrupts ``wait``, or comes after it, which cannot be told apart, and bash may forget a child that ended at
that very moment. So once a signal came, the end is waited for in another way, and without another child whose end bash
would wait for. A shell that has told the status already, or forgotten it, answers 127 or -1; then what the first
``wait`` told holds.
"""


@dataclass(frozen=True, slots=True)
class ScriptElement:
    """One element of an array job: an attempt.

    Attributes:
        run: Name of its run.
        number: Number of the attempt.
        ident: What it writes into the start fence; one word.
        argv: The command, at least one word.
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
        name: Of the submission.
        elements: The attempts.
        cwd: Working directory of the commands, and of the prologue where it is there by then.
        variables: By which the job knows itself.
        prologue: Shell lines before each command; if the first is a ``#!`` line it becomes that of the script, whose
            shell must be ``sh``, ``dash``, ``bash``, ``mksh`` or that of busybox: others differ in what ``wait`` says.
        signal: Name of the signal that a command is sent when the time limit is near; empty: TERM.
        header: What people shall read on top, such as the command that submits the script.

    Returns:
        The script. What of a path or a word is not UTF-8 is in it as surrogates.
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
            *_case(_who(element) for element in elements),
            '*) echo "hpsearch: $hpsearch_name has no element $hpsearch_index" >&2; exit 64 ;;',
            'esac',
            _PASS_FENCE,
            _PASS_SIGNALS,
            _KEEP_RECORD,
            *_framed(lines),
            _BEGIN,
            *_case(_what(element.argv) for element in elements),
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

    The shell stays beside the command, which is told to end (TERM) when the time limit is near. INT is not passed on:
    a queue that sends it sends it to all processes, and one that is interrupted twice ends at once.

    Args:
        folder: The search.
        name: Of the submission.
        argv: The command.
        cwd: Its working directory.
        variables: By which the job knows itself.
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
            _what(argv),
            _RUN,
        ]
    )


def _split_prologue(prologue: str) -> tuple[str, str]:
    """The line that names the shell, and the rest."""
    first, _, rest = prologue.partition('\n')
    return (first.rstrip(), rest) if first.startswith('#!') else (DEFAULT_SHELL, prologue)


def _framed(prologue: str) -> list[str]:
    """The prologue; the empty line behind it takes a backslash at its end."""
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
    """The beginning of a ``case`` of what each element does."""
    lines = [f'{index}) {command} ;;' for index, command in enumerate(commands, start=1)]
    return ['case $hpsearch_index in', *lines]


def _who(element: ScriptElement) -> str:
    run, ident = shell_word(element.run), shell_word(element.ident)
    return f'hpsearch_run={run} hpsearch_attempt={element.number} hpsearch_ident={ident}'


def _what(argv: Sequence[str]) -> str:
    words = ' '.join(map(shell_word, argv))
    return f'{line_breaks_of(words)}set -- {words}'
