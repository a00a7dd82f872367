"""A search folder that is moved or copied: its runs are in it where it is now, and none runs twice."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from hpsearch.store.folder import SearchFolder
from tests.support.gates import Gated, finish, gated, kill
from tests.support.harness import until


@pytest.fixture
def project(tmp_path: Path) -> Iterator[Gated]:
    with gated(tmp_path / 'project') as made:
        yield made


def killed(project: Gated) -> None:
    """Kill a search of three runs: one has finished, one is lost, one was not started."""
    search = project.search_in_order('--cpu_jobs=1')
    project.wait_for_begun(1)
    project.open('1')
    project.wait_for_begun(2)
    kill(search)
    project.kill_runs()


def moved(project: Gated, name: str) -> None:
    """Move the search folder."""
    project.out.rename(project.path / name)
    project.out_name = name


def copied(project: Gated, name: str) -> None:
    """Copy the search folder as ``cp -r`` does; from now on the search of the project is the copy."""
    shutil.copytree(project.out, project.path / name, copy_function=shutil.copyfile)
    project.out_name = name


def resume(project: Gated) -> str:
    """Resume to the end, with all gates open."""
    project.open()
    return finish(project.drive({}, 'resume', project.out_name))


def snapshot(path: Path) -> dict[str, bytes]:
    """Every file below a folder."""
    return {str(each.relative_to(path)): each.read_bytes() for each in sorted(path.rglob('*')) if each.is_file()}


def outputs(project: Gated) -> list[str]:
    """The output folders in the table, with what is there."""
    return [row['out_dir'] for row in project.rows() if (Path(row['out_dir']) / 'performance_overview.txt').exists()]


def expected_outputs(project: Gated) -> list[str]:
    """Those that every run has where the search is now."""
    return [str(project.out / project.run_name(number)) for number in reversed(project.numbers)]


def test_that_a_search_that_was_moved_goes_on_where_it_is(project: Gated) -> None:
    killed(project)
    moved(project, 'elsewhere')
    printed = resume(project)
    assert f'{project.out} was known as {project.path / "out"}' in printed
    assert project.table_states() == project.all_finished()
    assert outputs(project) == expected_outputs(project)
    assert not (project.path / 'out').exists()
    assert sorted(project.begun()) == [('1', '1'), ('2', '1'), ('2', '2'), ('3', '1')]


def test_that_the_commands_of_a_moved_search_are_those_of_its_new_place(project: Gated) -> None:
    killed(project)
    moved(project, 'elsewhere')
    resume(project)
    assert (project.out / 'commands.sh').read_text().count(f'--out_dir={project.out}/sim_') == 3
    assert SearchFolder(project.out).read_info()['place'] == str(project.out)
    assert 'was known as' not in finish(project.drive({}, 'resume', 'elsewhere'))


def test_that_a_copy_of_an_ended_search_goes_on_in_the_copy(project: Gated) -> None:
    killed(project)
    before = snapshot(project.out)
    copied(project, 'copy')
    resume(project)
    assert project.table_states() == project.all_finished()
    assert outputs(project) == expected_outputs(project)
    assert snapshot(project.path / 'out') == before
    project.out_name = 'out'
    resume(project)
    assert outputs(project) == expected_outputs(project)
    once, twice = [('1', '1'), ('2', '1')], [('2', '2'), ('2', '2'), ('3', '1'), ('3', '1')]
    assert sorted(project.begun()) == sorted(once + twice), 'what had not finished ran once in each'


def test_that_a_search_whose_plan_has_paths_of_its_old_place_goes_on_where_it_is(project: Gated) -> None:
    killed(project)
    folder = SearchFolder(project.out)
    plan = [
        {'run': run.name, 'number': run.number, 'params': dict(run.params), 'argv': list(run.argv)}
        for run in folder.read_runs()
    ]
    assert json.dumps(plan).count(f'"--out_dir={project.out}/sim_') == 3
    folder.runs_jsonl.write_text(''.join(json.dumps(entry) + '\n' for entry in plan))
    info = json.loads(folder.search_json.read_text())
    del info['place']
    folder.search_json.write_text(json.dumps({**info, 'format': 1}))
    moved(project, 'elsewhere')
    resume(project)
    assert project.table_states() == project.all_finished()
    assert outputs(project) == expected_outputs(project)
    assert not (project.path / 'out').exists()


def test_that_a_project_that_was_moved_as_a_whole_goes_on_in_its_new_folder(tmp_path: Path, project: Gated) -> None:
    (project.path / 'my_config.py').write_text(
        "grid = {'n': [1, 2, 3]}; _SCRIPT_NAME = 'train.py'\n"
        "_SUMMARY_FILENAME = 'performance_overview.txt'; _SUMMARY_KEYWORDS = ['acc', 'finished']\n"
    )
    (project.path / 'train.py').write_text("import os, sys; os.execvp('sh', ['sh', 'train.sh', *sys.argv[1:]])\n")
    killed(project)
    project.path.rename(tmp_path / 'renamed')
    project.path = tmp_path / 'renamed'
    resume(project)
    assert outputs(project) == expected_outputs(project)
    assert not (tmp_path / 'project').exists()
    assert len(project.begun()) == 4, 'all of them ran in the new folder'


def test_that_a_moved_search_is_extended_where_it_is(project: Gated) -> None:
    killed(project)
    moved(project, 'elsewhere')
    project.numbers.append('4')
    project.write_config()
    project.open()
    finish(project.drive({}, 'resume', 'elsewhere', '--extend'))
    assert project.table_states() == project.all_finished()
    assert outputs(project) == expected_outputs(project)


@pytest.mark.parametrize('move', [moved, copied])
def test_that_a_moved_or_copied_search_is_read_where_it_is(project: Gated, move: Callable[[Gated, str], None]) -> None:
    project.open()
    assert project.search('--cpu_jobs=3').returncode == 0
    move(project, 'elsewhere')
    assert '3 of 3 done' in finish(project.drive({}, 'status', 'elsewhere'))
    assert 'training 2' in finish(project.drive({}, 'logs', 'elsewhere', project.run_name('2')))
    assert 'nothing runs' in finish(project.drive({}, 'stop', 'elsewhere'))
    resume(project)
    assert outputs(project) == expected_outputs(project)
    finish(project.drive({}, 'resume', 'elsewhere'))
    assert sorted(project.begun()) == project.once()


def test_that_the_results_of_a_project_that_was_moved_are_reused_in_it(tmp_path: Path, project: Gated) -> None:
    config = (project.path / 'my_config.py').read_text().replace(str(project.path / 'train.sh'), 'train.sh')
    (project.path / 'my_config.py').write_text(config)
    project.open()
    assert project.search('--cpu_jobs=3', '--out_dir=earlier').returncode == 0
    project.path.rename(tmp_path / 'renamed')
    project.path = tmp_path / 'renamed'
    assert project.search('--reuse=earlier').returncode == 0
    assert sorted(project.begun()) == project.once()
    assert project.table_states() == project.all_finished()


def test_that_the_results_of_a_moved_search_are_reused(project: Gated) -> None:
    project.open()
    assert project.search('--cpu_jobs=3').returncode == 0
    moved(project, 'elsewhere')
    project.out_name = 'out'
    assert project.search('--reuse=elsewhere').returncode == 0
    assert sorted(project.begun()) == project.once()
    assert {row['hpsearch_reason'].rpartition('/')[0] for row in project.rows()} == {
        f'reused from {project.path / "elsewhere"}'
    }


# Copies of what is under way


@pytest.mark.parametrize('verb', ['resume', 'join', 'stop'])
def test_that_a_copy_of_a_search_that_is_worked_on_is_refused(project: Gated, verb: str) -> None:
    search = project.begin(1)
    copied(project, 'copy')
    before = snapshot(project.out)
    refused = finish(project.drive({}, verb, 'copy'), (2,))
    assert f'copy is a copy of {project.path / "out"}, and that search is under way: hpsearch works on it' in refused
    assert f'hpsearch stop {project.path / "out"}' in refused
    assert snapshot(project.out) == before, 'nothing is written into it'
    assert 'is a copy of' in finish(project.drive({}, 'status', 'copy'))
    project.out_name = 'out'
    assert len(project.living()) == 1
    project.open()
    finish(search)
    assert sorted(project.begun()) == project.once()
    project.out_name = 'copy'
    assert 'is a copy of' not in finish(project.drive({}, 'status', 'copy'))
    resume(project)
    assert outputs(project) == expected_outputs(project)


def test_that_a_copy_of_a_search_whose_runs_go_on_without_hpsearch_is_refused(project: Gated) -> None:
    kill(project.begin(2))
    copied(project, 'copy')
    assert '2 of its runs are under way' in finish(project.drive({}, 'resume', 'copy'), (2,))
    assert '2 of its runs are under way' in finish(project.drive({}, 'stop', 'copy'), (2,))
    project.out_name = 'out'
    assert len(project.living()) == 2
    project.kill_runs()
    project.out_name = 'copy'
    resume(project)
    assert outputs(project) == expected_outputs(project)


def test_that_a_copy_which_was_worked_on_is_a_search_of_its_own(project: Gated) -> None:
    killed(project)
    copied(project, 'copy')
    finish(project.drive({}, 'stop', 'copy'))
    original = project.drive({}, 'resume', 'out')
    project.wait_for_begun(3)
    resume(project)
    assert outputs(project) == expected_outputs(project)
    finish(original)
    project.out_name = 'out'
    assert outputs(project) == expected_outputs(project)


def test_that_a_copy_on_another_host_is_refused_while_the_original_shows_life(project: Gated) -> None:
    search = project.drive_search({'host': 'node7'}, '--cpu_jobs=1')
    project.wait_for_begun(1)
    until(lambda: list((project.out / 'journal').glob('*.alive')))
    shutil.copytree(project.out, project.path / 'copy')
    project.out.rename(project.path / 'hidden')
    project.out_name = 'copy'
    refused = finish(project.drive({}, 'resume', 'copy'), (2,))
    assert f'hpsearch works on this search in {project.path / "out"} on node7' in refused
    assert '--host_is_dead=node7' in refused
    kill(search)
    project.kill_runs()
    project.open()
    finish(project.drive({}, 'resume', 'copy', '--host_is_dead=node7'))
    assert outputs(project) == expected_outputs(project)


def test_that_a_search_that_is_worked_on_may_have_two_names(project: Gated) -> None:
    search = project.begin(1)
    (project.path / 'link').symlink_to('out')
    second = project.drive({}, 'join', 'link', '--cpu_jobs=1')
    project.wait_for_begun(2)
    project.open()
    finish(search)
    finish(second, (0, 1))  # it leaves while the last run of the other may go on
    assert sorted(project.begun()) == project.once()
    assert project.table_states() == project.all_finished()


# Moving what is under way


def test_that_a_search_that_is_moved_while_it_is_worked_on_ends_and_goes_on_where_it_is(project: Gated) -> None:
    search = project.drive_search({}, '--cpu_jobs=1')
    project.wait_for_begun(1)
    moved(project, 'elsewhere')
    printed = finish(search, (130,))
    assert f'{project.path / "out"} was moved to {project.out}: ending 1 run' in printed
    assert f'Continue with: hpsearch resume {project.out}' in printed
    assert project.ends() == {'1': [('interrupted', 'stop')]}
    resume(project)
    assert sorted(project.begun()) == [('1', '1'), ('1', '2'), ('2', '1'), ('3', '1')]
    assert outputs(project) == expected_outputs(project)
    assert not (project.path / 'out').exists()


def test_that_runs_that_go_on_while_their_search_is_moved_are_not_started_beside_themselves(project: Gated) -> None:
    kill(project.begin(1))
    moved(project, 'elsewhere')
    resumed = project.drive({}, 'resume', 'elsewhere', '--cpu_jobs=1')
    until(lambda: project.told('adopted'))
    assert len(project.living()) == 1
    assert project.begun() == [('1', '1')]
    project.kill_runs()  # its shell would look 15 s for the old folder, to write the exit record there
    project.open()
    finish(resumed)
    assert sorted(project.begun()) == [('1', '1'), ('1', '2'), ('2', '1'), ('3', '1')]
    assert project.ends()['1'][0] == ('lost', 'lost')
    assert outputs(project) == expected_outputs(project)
