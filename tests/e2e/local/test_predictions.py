"""What is learned of one search serves the next one, on stand-in GPUs whose memory follows from parameters."""

from __future__ import annotations

import json
import os
from pathlib import Path

from tests.fakes.nvml.box import FakeBox
from tests.support.cli_harness import Project
from tests.support.paths import REPOSITORY


def test_that_a_search_begins_with_what_an_earlier_one_has_learned(tmp_path: Path) -> None:
    project = Project(tmp_path / 'project')
    box = FakeBox(tmp_path / 'nvml', [24000])
    project.env.update(box.env())
    project.env['PATH'] = f'{Path(project.command()[0]).parent}{os.pathsep}{project.env["PATH"]}'
    project.env['PYTHONPATH'] = str(REPOSITORY)
    box.write_script(project.path / 'train.py', memory='1000 * width', load='0.1', seconds='1.5', startup='0')
    project.configure({'width': [1, 2, 3, 5]})
    words = ['--packing=auto', '--sim_startup_time=1']
    assert project.search(*words).returncode == 0
    earlier = project.out

    shown = project.run('status', str(earlier), '--predictions').stdout
    assert 'memory (MiB on each GPU): ' in shown
    assert 'measured 5000' in shown

    project.configure({'width': [4]})
    done = project.search(*words, f'--learn_from={earlier}', '--out_dir=again')
    assert done.returncode == 0, done.stderr
    assert f'4 attempts of {earlier} tell what runs need' in done.stdout
    journals = (project.path / 'again').rglob('journal/*.jsonl')
    claimed = next(line for path in journals for line in path.read_text().splitlines() if '"claimed"' in line)
    expected = json.loads(claimed)['estimate']['memory'][0]
    assert 3900 < expected < 4200
