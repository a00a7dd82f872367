"""The text of the scripts that jobs of a queue system execute: POSIX sh, which the queue reads from its stdin.

One script serves all elements of an array. An element finds its attempt by its index, passes the start fence, executes
the prologue (which may set positional parameters, exit the shell, or set ``-eu``), starts the command in the
background, passes signals on, and writes the exit record. It exits with the status of the command, or, if the command
was not started: 64, there is no such element; 73, the folder of the attempt is missing or read-only; 75, the fence has
been passed before; 126, there is no working directory; 143, a signal arrived.

Some queue systems signal every process of a job, others only the shell, and a command that gets TERM twice may spoil
its last checkpoint. So an idle process per signal is started beside the command: if a signal killed its idle process,
then it reached the command as well.
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
"""For queue systems that keep no log of their own."""

_PASS_FENCE = """\
hpsearch_files=$hpsearch_jobs/$hpsearch_run
[ "$hpsearch_attempt" = "$hpsearch_in_run" ] || hpsearch_files=$hpsearch_files/$hpsearch_attempt
hpsearch_line="$hpsearch_ident $$ $hpsearch_job $hpsearch_restarts $hpsearch_host"
(:)
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
"""The whole line is compared, so that a job which the queue restarted does not pass a second time. A shell that can
start no process ends before that, at ``(:)``, so that its attempt has not been started."""

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
        [ -d "$hpsearch_files" ] || hpsearch_tries=$((hpsearch_tries + 40))
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
export HPSEARCH_METRICS="$hpsearch_files/metrics.jsonl"
hpsearch_orion=$hpsearch_files/orion_results.json
[ ! -f "$hpsearch_orion" ] || export ORION_RESULTS_PATH="$hpsearch_orion\""""
"""120 tries of 5 s: a full disk has ten minutes to recover; a deleted folder is only looked for three times."""

_KEEP_END = """\
hpsearch_began=$(date +%s) || hpsearch_began=0
hpsearch_note() { :; }
hpsearch_record() {
    hpsearch_now=$(date +%s) || hpsearch_now=0
    hpsearch_line="$hpsearch_index $1 $((hpsearch_now - hpsearch_began)) $hpsearch_host"
    { printf '%s\\n' "$hpsearch_line" >> "$hpsearch_ended"; } 2>/dev/null || :
}
hpsearch_left() {
    hpsearch_code=$?
    [ "$hpsearch_stage" = ended ] || hpsearch_record "$hpsearch_code"
    return "$hpsearch_code"
}
trap hpsearch_left 0
echo "hpsearch: job $hpsearch_job, element $hpsearch_index of $hpsearch_name, on $hpsearch_host\""""

_PASS_SIGNALS = """\
hpsearch_stage=prologue hpsearch_signals=0 hpsearch_child='' hpsearch_arrived='' hpsearch_busy=''
hpsearch_had_term='' hpsearch_told=''
hpsearch_kill() {
    hpsearch_stat=''
    { IFS= read -r hpsearch_stat < "/proc/$2/stat"; } 2>/dev/null || :
    hpsearch_stat=${hpsearch_stat##*") "}
    hpsearch_stat=${hpsearch_stat#* }
    case ${hpsearch_stat%% *} in
    '' | "$$") kill -s "$1" "$2" ;;
    *) return 1 ;;
    esac
}
hpsearch_began() {
    hpsearch_stat=''
    { IFS= read -r hpsearch_stat < "/proc/$1/stat"; } 2>/dev/null || :
    hpsearch_stat=${hpsearch_stat##*") "}
    case $hpsearch_stat in Z* | X*) hpsearch_stat='' ;; esac
    hpsearch_n=0
    while [ "$hpsearch_n" -lt 19 ]; do
        hpsearch_stat=${hpsearch_stat#* }
        hpsearch_n=$((hpsearch_n + 1))
    done
    hpsearch_stat=${hpsearch_stat%% *}
}
hpsearch_catches() {
    case $1 in
    HUP) hpsearch_bit=0x1 ;; INT) hpsearch_bit=0x2 ;; QUIT) hpsearch_bit=0x4 ;; USR1) hpsearch_bit=0x200 ;;
    USR2) hpsearch_bit=0x800 ;; ALRM) hpsearch_bit=0x2000 ;; TERM) hpsearch_bit=0x4000 ;; *) return 1 ;;
    esac
    {
        while IFS=':\t ' read -r hpsearch_key hpsearch_caught; do
            [ "$hpsearch_key" != SigCgt ] || break
            hpsearch_caught=''
        done < "/proc/$2/status"
    } 2>/dev/null || return 1
    [ "$((0x0${hpsearch_caught#????????????} & hpsearch_bit))" != 0 ]
}
hpsearch_is_shell() {
    hpsearch_exe=$(readlink "/proc/$1/exe" 2>/dev/null) || hpsearch_exe=''
    case ${hpsearch_exe##*/} in sh | dash | bash | busybox | zsh | *ksh | *ksh93) ;; *) return 1 ;; esac
}
hpsearch_add_children() {
    for hpsearch_file in "/proc/$1/task/"*/children; do
        hpsearch_pids=''
        { IFS= read -r hpsearch_pids < "$hpsearch_file"; } 2>/dev/null || :
        hpsearch_todo="$hpsearch_todo$hpsearch_pids "
    done
}
hpsearch_find() {
    hpsearch_todo="$hpsearch_child " hpsearch_catching='' hpsearch_all=''
    while [ -n "$hpsearch_todo" ]; do
        hpsearch_pid=${hpsearch_todo%% *}
        hpsearch_todo=${hpsearch_todo#* }
        [ -n "$hpsearch_pid" ] || continue
        hpsearch_began "$hpsearch_pid"
        hpsearch_all="$hpsearch_all$hpsearch_pid/$hpsearch_stat "
        if hpsearch_catches "$1" "$hpsearch_pid"; then
            hpsearch_catching="$hpsearch_catching$hpsearch_pid/$hpsearch_stat "
            hpsearch_is_shell "$hpsearch_pid" || continue
        fi
        hpsearch_add_children "$hpsearch_pid"
    done
}
hpsearch_deliver() {
    hpsearch_find "$1"
    hpsearch_told="$hpsearch_told$hpsearch_catching"
    hpsearch_todo=${hpsearch_catching:-$hpsearch_all}
    while [ -n "$hpsearch_todo" ]; do
        hpsearch_pid=${hpsearch_todo%%/*}
        hpsearch_began "$hpsearch_pid"
        if [ "$hpsearch_pid" = "$hpsearch_child" ]; then
            hpsearch_kill "$1" "$hpsearch_pid" || :
        elif [ -n "$hpsearch_stat" ] && [ "$hpsearch_pid/$hpsearch_stat" = "${hpsearch_todo%% *}" ]; then
            kill -s "$1" "$hpsearch_pid" || :
        fi
        hpsearch_todo=${hpsearch_todo#* }
    done 2>/dev/null
}
hpsearch_await_told() {
    while [ -n "$hpsearch_told" ]; do
        hpsearch_began "${hpsearch_told%%/*}"
        if [ -n "$hpsearch_stat" ] && [ "${hpsearch_told%%/*}/$hpsearch_stat" = "${hpsearch_told%% *}" ]; then
            sleep 1 || :
        else
            hpsearch_told=${hpsearch_told#* }
        fi
    done
}
hpsearch_end() {
    hpsearch_stage=ended
    trap : TERM INT HUP USR1 USR2
    hpsearch_end_idle
    hpsearch_record "$1"
    exit "$1"
}
hpsearch_idle() {
    (
        for hpsearch_one in TERM INT HUP USR1 USR2; do
            [ "$hpsearch_one" = "$1" ] || trap '' "$hpsearch_one"
        done
        exec sleep 99999999
    ) </dev/null >/dev/null 2>&1 &
    eval "hpsearch_idle_$1=$!"
}
hpsearch_end_idle() {
    for hpsearch_do in 'hpsearch_kill KILL' wait; do
        for hpsearch_one in HUP TERM USR1 USR2; do
            eval "hpsearch_pid=\\${hpsearch_idle_$hpsearch_one-}"
            [ -z "$hpsearch_pid" ] || eval "$hpsearch_do $hpsearch_pid" || :
        done
    done 2>/dev/null
}
hpsearch_send() {
    [ "$1" != TERM ] || [ -z "$hpsearch_had_term" ] || return 0
    [ "$1" != TERM ] || hpsearch_had_term=1
    [ -z "$1" ] || hpsearch_deliver "$1"
}
hpsearch_judge() {
    eval "hpsearch_pid=\\${hpsearch_idle_$1-}"
    [ "$1" != "$2" ] || hpsearch_idle "$1"
    { sleep 1 || :; } 2>/dev/null
    if [ "$1" != "$2" ] || hpsearch_kill "$1" "$hpsearch_pid" 2>/dev/null; then
        hpsearch_send "$2"
    elif [ "$1" = TERM ]; then
        hpsearch_had_term=1
    fi
}
hpsearch_pass_on() {
    while [ -n "$hpsearch_arrived" ]; do
        hpsearch_busy=1
        hpsearch_one=${hpsearch_arrived%% *}
        hpsearch_arrived=${hpsearch_arrived#* }
        [ -z "$hpsearch_one" ] || hpsearch_judge "${hpsearch_one%=*}" "${hpsearch_one#*=}"
        hpsearch_busy=''
    done
}
hpsearch_got() {
    hpsearch_signals=$((hpsearch_signals + 1))
    hpsearch_note "$3"
    case $hpsearch_stage in
    prologue) hpsearch_end 143 ;;
    starting) hpsearch_arrived="${hpsearch_arrived}start=$2 " ;;
    running)
        hpsearch_arrived="$hpsearch_arrived$1=$2 "
        [ -n "$hpsearch_busy" ] || hpsearch_pass_on
        ;;
    esac
}
trap 'hpsearch_got TERM TERM TERM' TERM
trap 'hpsearch_got INT "$hpsearch_on_int" TERM' INT
trap 'hpsearch_got HUP HUP ""' HUP
trap 'hpsearch_got USR1 USR1 ""' USR1
trap 'hpsearch_got USR2 "$hpsearch_on_usr2" timeout' USR2
cd -- "$hpsearch_cwd" 2>/dev/null || :"""
"""Arguments of ``hpsearch_got``: the signal, what the command gets in its place, and the reason to note.

``hpsearch_deliver`` sends a signal to the outermost processes of the command that catch it: below wrappers such as
``conda run``, and below a shell also where that has a trap, since one for EXIT is enough. Only if none does, all get
it. A wrapper that does not catch it would die of it, and the job with it before the script has written its checkpoint;
the workers of a script that does would die, and the script of their death. Where a wrapper ended all the same, the job
goes on until the processes that caught the signal have ended. Only Linux says what a process catches; elsewhere, and
where the kernel does not list the children of a process, the command alone gets the signal.

A signal may arrive while another is handled, and shells execute the traps of several in any order. So signals are
queued, and each has an idle process that no other signal ends. It is replaced before it is examined, so that the next
signal finds one. During ``sleep 1`` a signal to all processes reaches all, a command that was just started gets ready
for signals, and the shell reaps what the signal killed, so that ``kill`` fails; ``wait`` would not do, since it may
block in a trap of bash. TERM is sent once. bash reaps a child as soon as it ends, and its pid may then be used again:
so only children of this shell are signalled.
"""

_BEGIN = """\
set +e +u +C +a +f
cd -- "$hpsearch_cwd" || hpsearch_end 126"""

_RUN = """\
hpsearch_stage=starting
hpsearch_idle HUP
hpsearch_idle TERM
hpsearch_idle USR1
[ "$hpsearch_on_usr2" != USR2 ] || hpsearch_idle USR2
( trap '' INT; [ "$hpsearch_on_usr2" = USR2 ] || trap '' USR2; exec "$@" ) </dev/null &
hpsearch_child=$! hpsearch_stage=running
hpsearch_pass_on
hpsearch_code=0 hpsearch_again=127
wait "$hpsearch_child" || hpsearch_code=$?
if [ "$hpsearch_signals" != 0 ]; then
    while hpsearch_kill 0 "$hpsearch_child" 2>/dev/null; do sleep 1 || :; done
    hpsearch_await_told
    hpsearch_stage=over
    hpsearch_end_idle
    wait "$hpsearch_child" 2>/dev/null && hpsearch_again=0 || hpsearch_again=$?
    case $hpsearch_again in 127 | -*) ;; *) hpsearch_code=$hpsearch_again ;; esac
fi
hpsearch_end "$hpsearch_code"
"""
"""The command starts with INT (as in some shells) and USR2 ignored: it gets another signal in their place, and a queue
that sends them to all processes would otherwise have killed it by then.

Whether a signal interrupted ``wait`` or arrived after it cannot be determined, and bash may forget a child that exits
at that moment. So once a signal has arrived, the shell polls for the end of the command, and the idle processes are
ended first because bash would wait for one of them. A shell that has already reported the status, or has forgotten it,
answers 127 or -1; then the result of the first ``wait`` holds.
"""


@dataclass(frozen=True, slots=True)
class ScriptElement:
    """One element of an array job: an attempt.

    Attributes:
        run: Name of its run.
        number: Number of the attempt.
        ident: The word it writes into the start fence.
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
        name: Name of the submission.
        elements: The attempts.
        cwd: Working directory of the commands, and of the prologue if it exists by then.
        variables: Names of the variables in which the queue gives a job its id and index.
        prologue: Shell lines before each command; a first line ``#!`` becomes that of the script, whose shell must be
            ``sh``, ``dash``, ``bash``, ``mksh`` or that of busybox: the status of ``wait`` differs in others.
        signal: Name of the signal that a command gets shortly before its time limit; empty: TERM.
        header: Comment at the top, such as the command that submits the script.

    Returns:
        The script. Bytes of a path or a word that are not UTF-8 are in it as surrogates.
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
    """The script of pilots: jobs that work on a search by themselves. It executes the prologue, then the command.

    The shell stays beside the command, which gets USR2 shortly before the time limit. INT is not passed on: a queue
    sends it to all processes, and a second one makes a dispatcher exit at once.

    Args:
        folder: The search.
        name: Name of the submission.
        argv: The command.
        cwd: Its working directory.
        variables: As for :func:`array_script`.
        prologue: As for :func:`array_script`.
        header: As for :func:`array_script`.
    """
    shell, lines = _split_prologue(prologue)
    return '\n'.join(
        [
            shell,
            *_comment(header),
            *_constants(folder, name, cwd, on_int='', on_usr2='USR2'),
            *_own_variables(variables),
            _OPEN_LOG,
            _PASS_SIGNALS,
            _KEEP_END,
            *_framed(lines),
            _BEGIN,
            _what(argv),
            _RUN,
        ]
    )


def _split_prologue(prologue: str) -> tuple[str, str]:
    """The ``#!`` line of the script, and the remaining lines."""
    first, _, rest = prologue.partition('\n')
    return (first.rstrip(), rest) if first.startswith('#!') else (DEFAULT_SHELL, prologue)


def _framed(prologue: str) -> list[str]:
    """The prologue; a backslash at its end joins only the empty line after it."""
    return ['# The prologue:', prologue.rstrip('\n'), '', '# The prologue ends here.']


def _comment(text: str) -> list[str]:
    return [f'# {line}' for line in text.splitlines()]


def _constants(folder: SearchFolder, name: str, cwd: str, *, on_int: str, on_usr2: str) -> list[str]:
    paths = folder.submission(name)
    values = {
        'name': name,
        'dir': str(folder.path),
        'jobs': str(folder.jobs_dir),
        'in_run': '' if folder.attempt('', 1).of_run else '1',
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
        f'hpsearch_host=${{{variables.node}-}}',
        'hpsearch_host=${hpsearch_host%% *}',
        '[ -n "$hpsearch_host" ] || hpsearch_host=$(uname -n) || hpsearch_host=-',
    ]


def _case(commands: Iterable[str]) -> list[str]:
    """All of a ``case`` with one command per element, but its end."""
    lines = [f'{index}) {command} ;;' for index, command in enumerate(commands, start=1)]
    return ['case $hpsearch_index in', *lines]


def _who(element: ScriptElement) -> str:
    run, ident = shell_word(element.run), shell_word(element.ident)
    return f'hpsearch_run={run} hpsearch_attempt={element.number} hpsearch_ident={ident}'


def _what(argv: Sequence[str]) -> str:
    words = ' '.join(map(shell_word, argv))
    return f'{line_breaks_of(words)}set -- {words}'
