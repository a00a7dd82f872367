#!/bin/sh
# A launcher such as torchrun: its own options first, then what it starts, once per process.
processes=${1#--nproc=} name=${2#--name=}
shift 2
RANK=0
while [ "$RANK" -lt "$processes" ]; do
    export RANK JOB_NAME="$name"
    "$@" || exit
    RANK=$((RANK + 1))
done
