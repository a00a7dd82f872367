"""Whole searches that pack runs on GPUs whose memory, load and processes are those of real processes."""

from __future__ import annotations

import os
import signal
from pathlib import Path

import pytest

from tests.support.gates import finish
from tests.support.harness import until
from tests.support.packed import packed


def test_that_runs_are_packed_by_the_memory_that_their_parameters_need(tmp_path: Path) -> None:
    with packed(tmp_path, [8000], memory='500 + 10 * batch_size', load='0.1', seconds='1', startup='0.2') as project:
        project.configure({'batch_size': [*range(50, 150, 8)]})
        done = project.search(*project.pack('--deterministic_search'))
        assert done.returncode == 0, done.stderr
        assert {row['hpsearch_state'] for row in project.rows()} == {'finished'}
        assert project.box.out_of_memory() == 0
        assert max(project.box.peaks().values()) <= 8000
        assert project.most_at_once() >= 3
        estimates = [event['estimate'] for event in project.events() if event.get('estimate')]
        assert estimates


def test_that_a_run_that_needs_more_than_expected_is_run_again_where_there_is_room(tmp_path: Path) -> None:
    memory = '9000 if seed == 9 else 1500'
    with packed(tmp_path, [10000], memory=memory, load='0.1', seconds='1', startup='0.2') as project:
        project.configure({'seed': [*range(12)]})
        done = project.search(*project.pack('--deterministic_search', '--max_attempts=1'))
        assert done.returncode == 0, done.stderr
        assert project.box.out_of_memory() >= 1
        assert max(project.box.peaks().values()) <= 10000
        assert {row['hpsearch_state'] for row in project.rows()} == {'finished'}
        assert {end['cause'] for end in project.ends('interrupted')} == {'gpu_oom'}


def test_that_a_run_that_fits_no_card_fails_and_says_so(tmp_path: Path) -> None:
    with packed(tmp_path, [4000, 8000], memory='100 * width', load='0.1', seconds='0.5', startup='0.1') as project:
        project.configure({'width': [10, 20, 30, 70, 200]})
        done = project.search(*project.pack())
        assert done.returncode == 1, done.stderr
        rows = {row['width']: row for row in project.rows()}
        assert [rows[width]['hpsearch_state'] for width in ('10', '20', '30', '70')] == ['finished'] * 4
        assert rows['200']['hpsearch_state'] == 'failed'
        assert rows['200']['hpsearch_reason'] == 'out of GPU memory, alone on the largest GPU'


def test_that_a_search_that_was_killed_goes_on_with_what_it_has_learned(tmp_path: Path) -> None:
    with packed(tmp_path, [8000], memory='100 * width', load='0.1', seconds='2', startup='0.2') as project:
        project.configure({'width': [10, 11, 12, 13, 14, 15, 16, 17]})
        search = project.start(*project.pack())
        until(lambda: project.out.exists() and len(project.ends('finished')) >= 1)
        os.kill(search.pid, signal.SIGKILL)
        search.communicate()
        done = project.run('resume', 'out', '--packing=auto', '--sim_startup_time=2')
        assert done.returncode == 0, done.stderr
        assert {row['hpsearch_state'] for row in project.rows()} == {'finished'}
        assert project.box.out_of_memory() == 0
        resumed = [event for event in project.events() if event.get('event') == 'claimed'][-1]
        assert resumed['estimate']['memory']


@pytest.mark.parametrize('packing', ['fixed', 'auto'])
def test_that_a_search_goes_on_with_another_way_of_packing(tmp_path: Path, packing: str) -> None:
    with packed(tmp_path, [8000], memory='100 * width', load='0.1', seconds='0.8', startup='0.1') as project:
        project.configure({'width': [10, 11, 12, 13]})
        other = {'fixed': 'auto', 'auto': 'fixed'}[packing]
        search = project.start(f'--packing={other}', '--sim_startup_time=0')
        until(lambda: project.out.exists() and len(project.ends('finished')) >= 1)
        search.send_signal(signal.SIGINT)
        finish(search, codes=(130, 0, 1))
        done = project.run('resume', 'out', f'--packing={packing}', '--sim_startup_time=0')
        assert done.returncode == 0, done.stderr
        assert {row['hpsearch_state'] for row in project.rows()} == {'finished'}


def test_that_two_writers_never_fill_a_card_beyond_its_memory(tmp_path: Path) -> None:
    with packed(tmp_path, [6000, 6000], memory='100 * width', load='0.1', seconds='0.7', startup='0.4') as project:
        project.configure({'width': [*range(10, 26)]})
        first = project.start(*project.pack())
        until(lambda: project.out.exists() and (project.out / 'search.json').exists())
        second = project.join(*project.pack())
        finish(first, patience=90)
        finish(second, (0, 1), patience=90)  # it may end while the other has runs
        assert {row['hpsearch_state'] for row in project.rows()} == {'finished'}
        assert project.box.out_of_memory() == 0
        # The end of an attempt of a writer that has left may be told by the other one as well.
        assert len({(end['run'], end['attempt']) for end in project.ends('finished')}) == 16
        assert len([event for event in project.events() if event['event'] == 'claimed']) == 16


@pytest.mark.parametrize('sampler', ['random', 'tpe'])
def test_that_an_adaptive_search_is_packed(tmp_path: Path, sampler: str) -> None:
    with packed(tmp_path, [8000], memory='10 * width', load='0.1', seconds='0.5', startup='0.1') as project:
        project.configure({}, "from hpsearch import randint\ngrid = {'width': randint(100, 200)}\n")
        done = project.search(*project.pack(f'--search={sampler}', '--max_trials=12'))
        assert done.returncode == 0, done.stderr
        assert len(project.ends('finished')) == 12
        assert project.box.out_of_memory() == 0
        assert project.most_at_once() >= 3


def test_that_what_somebody_else_takes_meanwhile_is_left_to_them(tmp_path: Path) -> None:
    with packed(tmp_path, [8000, 8000], memory='1500', load='0.1', seconds='1', startup='0.2') as project:
        project.configure({'width': [*range(10)]})
        search = project.start(*project.pack())
        until(lambda: project.out.exists() and len(project.ends('finished')) >= 1)
        with project.box.neighbour(1, 6000):
            finish(search)
        assert max(project.box.peaks().values()) <= 8000
        assert {row['hpsearch_state'] for row in project.rows()} == {'finished'}
