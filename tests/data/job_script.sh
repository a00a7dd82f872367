#!/bin/bash -l
# sbatch --parsable --array=1-2
hpsearch_name=hps-search-1a2b3c
hpsearch_dir=/home/user/out/search_1
hpsearch_jobs=/home/user/out/search_1/jobs
hpsearch_in_run=1
hpsearch_log=/home/user/out/search_1/submissions/hps-search-1a2b3c.log
hpsearch_ended=/home/user/out/search_1/submissions/hps-search-1a2b3c.ended
hpsearch_cwd=/home/user/project
hpsearch_on_int=TERM
hpsearch_on_usr2=TERM
hpsearch_index=${SLURM_ARRAY_TASK_ID:-1}
hpsearch_job=${SLURM_ARRAY_JOB_ID:--}
hpsearch_restarts=${SLURM_RESTART_COUNT:-0}
hpsearch_host=${SLURMD_NODENAME-}
hpsearch_host=${hpsearch_host%% *}
[ -n "$hpsearch_host" ] || hpsearch_host=$(uname -n) || hpsearch_host=-
if { true >> "$hpsearch_log"; } 2>/dev/null; then exec >> "$hpsearch_log" 2>&1; fi
case $hpsearch_index in
1) hpsearch_run=sim_a_1 hpsearch_attempt=1 hpsearch_ident=w:sim_a_1:1 ;;
2) hpsearch_run=sim_a_2 hpsearch_attempt=2 hpsearch_ident=w:sim_a_2:2 ;;
*) echo "hpsearch: $hpsearch_name has no element $hpsearch_index" >&2; exit 64 ;;
esac
hpsearch_files=$hpsearch_jobs/$hpsearch_run
[ "$hpsearch_attempt" = "$hpsearch_in_run" ] || hpsearch_files=$hpsearch_files/$hpsearch_attempt
hpsearch_line="$hpsearch_ident $$ $hpsearch_job $hpsearch_restarts $hpsearch_host"
(:)
set -C
{ printf '%s\n' "$hpsearch_line" > "$hpsearch_files/started"; } 2>/dev/null || :
set +C
if [ ! -f "$hpsearch_files/started" ]; then
    echo "hpsearch: $hpsearch_files is not there, or cannot be written, on $hpsearch_host" >&2
    exit 73
fi
if ! IFS=' ' read -r hpsearch_a hpsearch_b hpsearch_c hpsearch_d < "$hpsearch_files/started"; then
    hpsearch_a='a line that was cut short' hpsearch_b='' hpsearch_c='' hpsearch_d=''
fi
hpsearch_hint() {
    { printf '%s\n' "$hpsearch_index" >> "$hpsearch_ended"; } 2>/dev/null || :
}
if [ "$hpsearch_a $hpsearch_b $hpsearch_c $hpsearch_d" != "$hpsearch_line" ]; then
    echo "hpsearch: $hpsearch_line is not started, after $hpsearch_a $hpsearch_b $hpsearch_c $hpsearch_d" >&2
    if [ "$hpsearch_a $hpsearch_c" = "$hpsearch_ident $hpsearch_job" ] && [ "$hpsearch_job" != - ]; then
        { printf '%s\n' "$hpsearch_line" > "$hpsearch_files/requeued"; } 2>/dev/null || :
        hpsearch_hint
    fi
    exit 75
fi
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
        while IFS=':	 ' read -r hpsearch_key hpsearch_caught; do
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
            eval "hpsearch_pid=\${hpsearch_idle_$hpsearch_one-}"
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
    eval "hpsearch_pid=\${hpsearch_idle_$1-}"
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
cd -- "$hpsearch_cwd" 2>/dev/null || :
hpsearch_note() {
    [ -n "$1" ] && [ ! -s "$hpsearch_files/signalled" ] || return 0
    { printf '%s\n' "$1" >| "$hpsearch_files/signalled"; } 2>/dev/null || :
}
hpsearch_record() {
    hpsearch_tries=0
    until {
        printf '%s\n' "$1" >| "$hpsearch_files/exit" && IFS= read -r hpsearch_back < "$hpsearch_files/exit" &&
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
[ ! -f "$hpsearch_orion" ] || export ORION_RESULTS_PATH="$hpsearch_orion"
# The prologue:
module load python/3.11

# The prologue ends here.
set +e +u +C +a +f
cd -- "$hpsearch_cwd" || hpsearch_end 126
case $hpsearch_index in
1) set -- python3 train.py --lr=0.1 '--out=/home/user/out x' ;;
2) nl="$(printf '\n.')"; nl="${nl%.}"; set -- python3 train.py '--note=it'"'"'s'"$nl" ;;
esac
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
