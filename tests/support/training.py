"""Projects whose scripts train for some steps, report their loss at each, and go on where they were stopped."""

from __future__ import annotations

from tests.support.gates import Gated

PRUNED, FINISHED = ('stopped', 'pruned'), ('finished', 'exit')
"""State and cause of attempts."""

SCRIPT = """\
for word; do
    case $word in
        --out_dir=*) out=${word#*=} ;;
        --n=*) n=${word#*=} ;;
    esac
done
mkdir -p "$out"
step=0
[ -e "$out/step" ] && read -r step < "$out/step"
[ -e then.sh ] && . ./then.sh
echo "$n $HPSEARCH_ATTEMPT $step" >> ran.txt
while [ "$step" -lt 6 ]; do
    step=$((step + 1))
    echo "$step" > "$out/step"
    echo "{\\"step\\": $step, \\"loss\\": $n}" >> "$HPSEARCH_METRICS"
    if [ "$step" = 3 ]; then
        until [ -e go ] || [ -e "go.$n" ]; do sleep 0.05; done
    fi
done
printf 'loss %s\\nfinished 1\\n' "$n" > "$out/performance_overview.txt"
echo "$n $HPSEARCH_ATTEMPT" >> done.txt
"""
"""Reports the value of ``--n`` as its loss, six times; after the third time it waits at its gate."""

MORE = """\
_SUMMARY_KEYWORDS = ['loss', 'finished']
_PERFORMANCE_KEY = 'loss'
_PERFORMANCE_SORT_ASC = True
_METRICS = []
"""

RESUMABLE = f'{MORE}_RESUMABLE = True\n'

STOPS = {'pruner': {'at': 3, 'most': 2.5}}
"""Settings of ``host_driver.py``: runs whose loss is above 2.5 are stopped at their gate."""

PROMOTES = {'pruner': {'at': 3, 'most': 2.5, 'promotes': 2}}
"""The same; once two runs are complete, the best of those that were stopped goes on."""


def let_train(project: Gated) -> None:
    """Replace the script of a project."""
    (project.path / 'train.sh').write_text(SCRIPT)
