"""Runs that are made of what was chosen: the same words as those of a plan, whatever the configuration."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from hpsearch.dispatch.adaptive.sampled_runs import RunMaker
from hpsearch.model.configuration import Configuration, Grid
from hpsearch.model.trials.suggestion import event_of
from hpsearch.model.trials.trial import Proposal
from hpsearch.space.order import Order
from hpsearch.space.plan import Plan
from hpsearch.store.events import problem_of
from tests.support.adaptive import adaptive_folder, write_journal

GRID: Grid = {'lr': [0.1, 1e-05], 'name': ["a 'b' {lr}", 'x\ny'], 'flag': [True, False], 'layers': [[1, 2], [3]]}
CONFIGURATIONS: dict[str, dict[str, Any]] = {
    'script': {'script': 'train.py'},
    'no output': {'script': 'train.py', 'out_arg': None},
    'fixed words': {'script': 'train.py', 'fixed_args': ['--a', '{lr}']},
    'placeholders': {'command': ['run', '{python}', '{out_dir}/x', 'n={name}:{lr}', '{run}.log', '{layers}']},
    'variables': {'command': ['run', '--x'], 'env': {'LR': '{lr}', 'OUT': '{out_dir}'}},
    'Hydra': {'script': 'train.py', 'out_arg': 'hydra.run.dir', 'styles': {'arg_style': 'hydra'}},
    'file': {'script': 'train.py', 'config_template': 'lr: 1\nname: a\nflag: true\nlayers: [1]\n'},
}


@pytest.mark.parametrize('more', CONFIGURATIONS.values(), ids=list(CONFIGURATIONS))
def test_that_a_run_that_was_chosen_has_the_words_that_a_planned_one_has(tmp_path: Path, more: dict[str, Any]) -> None:
    configuration = Configuration('my.py', '', GRID, **more)
    folder = adaptive_folder(tmp_path / 'search', configuration)
    maker = RunMaker(configuration, 'python3', 'x')
    plan = Plan(configuration, Order(), interpreter='python3', search_path=folder.path, ident='x')
    for planned in plan.runs():
        expected = replace(planned, argv=tuple(word.replace(planned.name, maker.name(1)) for word in planned.argv))
        run = maker.run(1, planned.params)
        event = event_of(run, Proposal(planned.params), 1.0)
        assert problem_of(event) == '' and str(tmp_path) not in str(event)
        (folder.journal_dir / 'a.jsonl').unlink(missing_ok=True)
        write_journal(folder, 'a', [event])
        (found,) = type(folder)(folder.path).read_runs()
        assert found == replace(expected, name=run.name, number=1)
