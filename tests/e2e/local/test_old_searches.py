"""Searches that earlier versions left are continued and shown."""

from __future__ import annotations

import json
import os
import shutil
from pathlib import Path

import pytest

from hpsearch.store.folder import SearchFolder
from tests.support.gates import Gated, finish, gated, kill
from tests.support.harness import until
from tests.support.kept_searches import FORMATS, HOME, expected, kept

pytestmark = pytest.mark.e2e

UNFINISHED = {'8', '9'}


@pytest.mark.parametrize('place', ['out', 'elsewhere'])
@pytest.mark.parametrize('number', FORMATS)
def test_that_a_search_of_each_format_is_resumed_wherever_it_was_moved(tmp_path: Path, number: int, place: str) -> None:
    with gated(tmp_path / 'project', count=9) as project:
        copy_to(project, number)
        project.out.rename(project.path / place)
        project.out_name = place
        project.open()
        finish(project.drive({}, 'resume', place), (1,))
        assert project.begun() == [], 'nothing that may still run elsewhere, or that failed, is run again'
        finish(project.drive({}, 'resume', place, '--host_is_dead=gpu-box-3', '--retry_failed'))
        assert {value for value, _ in project.begun()} == UNFINISHED
        made = {path.name for path in project.out.glob('sim_*') if (path / 'performance_overview.txt').exists()}
        assert made == {project.run_name(value) for value in UNFINISHED}
        assert project.table_states() == project.all_finished()
        table = {row['n']: row for row in project.rows()}
        assert table['7']['hpsearch_reason'] == 'status 139: signal 11 (SIGSEGV) after its summary was written'


def copy_to(project: Gated, number: int) -> None:
    """Let a search that was kept be one of this project."""
    for source in kept(number).rglob('*'):
        target = project.out / source.relative_to(kept(number))
        if source.is_file():
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_text(source.read_text().replace(HOME, str(project.path)))
    (project.out / 'jobs').mkdir()
    for name, attempts in expected(number).items():
        for index, attempt in enumerate(attempts, 1):
            job = project.out / 'jobs' / name / str(index)
            job.mkdir(parents=True)
            (job / 'claim').write_text(f'{attempt["owner"]}\n')
            (job / 'started').write_text(f'{attempt["owner"]}:{name}:{index} 4194000\n')


@pytest.mark.parametrize('number', FORMATS)
def test_that_a_search_of_each_format_has_a_status(number: int, tmp_path: Path) -> None:
    with gated(tmp_path / 'project') as project:
        shutil.copytree(kept(number), project.out)
        status = json.loads(finish(project.drive({}, 'status', 'out', '--json')))
        assert status['total'] == 9
        assert status['counts']['finished'] == 7


def test_that_a_search_of_format_1_is_continued_with_its_files_where_they_are(tmp_path: Path) -> None:
    with gated(tmp_path / 'project', count=4) as project:
        finish(project.search_in_order('--dont_start'))
        description = json.loads((project.out / 'search.json').read_text())
        del description['layout']
        (project.out / 'search.json').write_text(json.dumps({**description, 'format': 1}))
        search = project.drive({}, 'resume', 'out', '--cpu_jobs=2')
        project.wait_for_begun(2)
        until(lambda: len(project.told('running')) == 2)
        kill(search)
        project.open('1')
        until((project.out / 'jobs' / project.run_name('1') / '1' / 'exit').exists)
        project.open()
        finish(project.drive({}, 'resume', 'out'))
        assert sorted(project.begun()) == project.once()
        assert project.table_states() == project.all_finished()
        for number in project.numbers:
            files = project.out / 'jobs' / project.run_name(number) / '1'
            assert set(os.listdir(files)) == {'claim', 'started', 'exit', 'stdout.log', 'stderr.log'}
            assert os.listdir(files.parent) == ['1']
        assert SearchFolder(project.out).layout == 1
