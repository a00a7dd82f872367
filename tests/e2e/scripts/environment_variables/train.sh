# Takes no arguments: everything is in its environment.
[ $# -eq 0 ] || exit 2
[ "$FIXED" = '$(echo *)' ] || exit 3
[ "$JOB_NAME" = "${OUT##*/}/$LR" ] || exit 4
{
    printf 'got_lr %s\n' "$LR"
    printf 'got_title %s\n' "$TITLE"
    echo 'finished 1'
} > "$OUT/summary.txt"
