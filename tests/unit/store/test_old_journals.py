"""Searches that earlier versions left must be read for ever: what is in tests/data is added to, never changed."""

from __future__ import annotations

import json
import os
import shutil
from pathlib import Path
from typing import Any

import pytest

from hpsearch.model.errors import JournalError
from hpsearch.model.states import Attempt, SearchState
from hpsearch.store.folder import SearchFolder
from hpsearch.store.journal import JOURNAL_FORMAT, read_state
from tests.support.gates import Gated, finish, gated, kill
from tests.support.harness import until
from tests.support.paths import DATA

FORMATS = range(1, JOURNAL_FORMAT + 1)
HOME = '/home/someone/project'
"""Where the searches were made."""

UNFINISHED = {'8', '9'}


def kept(number: int) -> Path:
    """The search that the first version of a format left."""
    return DATA / f'search_of_format_{number}'


def expected(number: int) -> dict[str, list[dict[str, Any]]]:
    """What its journals say."""
    told: dict[str, list[dict[str, Any]]] = json.loads(kept(number).with_suffix('.json').read_text())
    return told


def plain(attempt: Attempt) -> dict[str, Any]:
    """An attempt, as far as it is kept."""
    return {
        'state': attempt.state.value,
        'cause': attempt.cause,
        'code': attempt.code,
        'reason': attempt.reason,
        'owner': attempt.owner,
        'gpus': list(attempt.gpus),
        'summary': dict(attempt.summary),
        'seconds': attempt.seconds,
    }


def told(state: SearchState) -> dict[str, list[dict[str, Any]]]:
    """Everything that is kept of a search."""
    return {name: [plain(attempt) for attempt in history.attempts] for name, history in state.runs.items()}


@pytest.mark.parametrize('number', FORMATS)
def test_that_a_journal_of_each_format_says_what_it_said(number: int) -> None:
    state = read_state(SearchFolder(kept(number)))
    assert told(state) == expected(number)
    assert any('it is damaged' in odd for odd in state.odd), 'a damaged line is told'
    assert not any('weather' in odd for odd in state.odd), 'an event of another version is none'


@pytest.mark.parametrize('number', FORMATS)
def test_that_a_plan_of_each_format_is_read(number: int) -> None:
    folder = SearchFolder(kept(number))
    runs = list(folder.read_runs())
    assert [run.name for run in runs] == sorted(expected(number))
    assert [run.params for run in runs] == [{'n': value} for value in range(1, 10)]
    assert folder.read_info()['run_cwd'] == HOME


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


def test_that_a_journal_of_a_later_format_is_refused_with_the_reason(tmp_path: Path) -> None:
    shutil.copytree(kept(1), tmp_path / 'search')
    folder = SearchFolder(tmp_path / 'search')
    journal = min(folder.journal_dir.iterdir())
    journal.write_text(journal.read_text().replace('"format":1', f'"format":{JOURNAL_FORMAT + 1}'))
    with pytest.raises(JournalError, match=f'format {JOURNAL_FORMAT + 1}.*update'):
        read_state(folder)


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
