#!/bin/sh
# getopts of the shell.
fast=False
while getopts o:r:l:f option; do
    case $option in
        o) out=$OPTARG ;;
        r) rate=$OPTARG ;;
        l) label=$OPTARG ;;
        f) fast=True ;;
        *) exit 2 ;;
    esac
done
mkdir -p "$out"
printf 'got_r %s\ngot_f %s\ngot_l %s\nfinished 1\n' "$rate" "$fast" "$label" > "$out/summary.txt"
