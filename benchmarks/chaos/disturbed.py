"""One disturbed search, in a process of its own: its scenario may give it namespaces of its own."""

from __future__ import annotations

import json
import os
import random
import signal
import subprocess
import sys
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path

from benchmarks.chaos.judges import Problem, folder_problems, ledger_problems, process_problems, repeated
from benchmarks.chaos.place import CHECKOUT, Place
from benchmarks.chaos.scenarios import SCENARIOS
from benchmarks.chaos.storm import Storm

LONGEST = 900.0
"""Seconds after which a search that is disturbed is given up; it hangs."""


@dataclass
class Report:
    """What was done to a search, and what went wrong.

    Attributes:
        path: Where it was.
        counts: What was done, by kind.
        problems: What went wrong.
    """

    path: Path
    counts: Counter[str] = field(default_factory=Counter)
    problems: list[Problem] = field(default_factory=list)


def disturbed_search(path: Path, scenario: str, *, seed: str, blows: tuple[int, int], runs: int) -> Report:
    """Disturb one search.

    Args:
        path: Where; made.
        scenario: One of :data:`SCENARIOS`.
        seed: What the choices depend on.
        blows: How many, at least and at most; fewer if the search is over before.
        runs: Number of runs.
    """
    words = [*SCENARIOS[scenario].wrapper, sys.executable, '-m', 'benchmarks.chaos.disturbed']
    asked = json.dumps({'path': str(path), 'scenario': scenario, 'seed': seed, 'blows': blows, 'runs': runs})
    process = subprocess.Popen(
        [*words, asked], cwd=CHECKOUT, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, start_new_session=True
    )
    try:
        answer, _ = process.communicate(timeout=LONGEST)
    except subprocess.TimeoutExpired:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()
        Place(path, runs).kill_processes()
        return Report(path, Counter(searches=1), [Problem('hangs', f'not over after {LONGEST:.0f} s')])
    if process.returncode:
        return Report(path, Counter(searches=1), [Problem('broken', f'the judge ended with {process.returncode}')])
    told = json.loads(answer)
    return Report(path, Counter(told['counts']), [Problem(*each) for each in told['problems']])


def _disturb(path: Path, scenario: str, seed: str, blows: tuple[int, int], runs: int) -> Report:
    choices = random.Random(seed)
    place = Place(path, runs).make()
    storm = Storm(place, SCENARIOS[scenario], choices, Counter())
    try:
        storm.counts['blows'] += storm.rage(choices.randint(*blows))
        storm.calm()
        storm.problems += _judged(storm)
    finally:
        storm.place.kill_processes()
    counts, ledger = storm.counts, storm.place.ledger()
    counts['searches'] += 1
    counts['runs'] += runs
    counts['attempts'] += sum(line.startswith('begin') for lines in ledger.values() for line in lines)
    counts['run again since their records were deleted'] += repeated(storm.place)
    return Report(path, counts, storm.problems)


def _judged(storm: Storm) -> list[Problem]:
    place = storm.place
    return [
        *ledger_problems(place, storm.kills, storm.erased),
        *folder_problems(place, storm.erased, may_be_odd=storm.scenario.may_be_odd),
        *process_problems(place),
    ]


def main() -> None:
    """Disturb the search that is described on the command line, and print the report as JSON."""
    asked = json.loads(sys.argv[1])
    path = Path(asked.pop('path'))
    report = _disturb(path, **asked)
    print(json.dumps({'counts': report.counts, 'problems': report.problems}))


if __name__ == '__main__':
    main()
