"""A grid that grew: what is added, what stays, what is withdrawn, and what a crash in between leaves."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from hpsearch.model.configuration import Configuration, Grid, plain_attributes
from hpsearch.model.errors import ConfigError, SearchFolderError
from hpsearch.model.history.search_state import SearchState
from hpsearch.model.run import Run
from hpsearch.space.extension import Extension, extend, extending, write_extension
from hpsearch.space.order import Order
from hpsearch.space.plan import Plan
from hpsearch.store.folder import SearchFolder

SMALL: Grid = {'lr': [1, 2], 'name': ['a b', 'x\ny']}
LARGE: Grid = {'name': ['x\ny', 'z', 'a b'], 'lr': [2, 1, 3]}
FILES = ('runs.jsonl', 'commands.sh', 'commands_wo_dirs.sh')


def configured(grid: Grid, **more: Any) -> Configuration:
    """Return a configuration of a script, or of a command where one is given."""
    return Configuration('grid.py', '', grid, **(more if 'command' in more else {'script': 'train.py', **more}))


def plan_of(configuration: Configuration, path: Path, ident: str = '20261120', limit: int | None = None) -> Plan:
    """Return the plan of a configuration."""
    order = Order(limit=limit)
    return Plan(configuration, order, interpreter='python3', search_path=path, ident=ident)


def description(configuration: Configuration) -> dict[str, Any]:
    """Return what search.json says of a configuration."""
    return {'configuration': {'sha256': configuration.sha256, 'attributes': plain_attributes(configuration)}}


def made(path: Path, configuration: Configuration) -> SearchFolder:
    """Make the folder of a search."""
    path.mkdir(exist_ok=True)
    folder = SearchFolder(path)
    folder.write_info({'run_cwd': '/work', 'user': 'somebody', **description(configuration)})
    plan_of(configuration, path).write(folder)
    return folder


@pytest.fixture
def folder(tmp_path: Path) -> SearchFolder:
    return made(tmp_path / 'search', configured(SMALL))


def extension_to(folder: SearchFolder, configuration: Configuration, state: SearchState | None = None) -> Extension:
    """Return the extension of a search to a configuration."""
    new = plan_of(configuration, Path('/elsewhere'), 'other').runs()
    return extend(folder, configuration, folder.read_runs(), new, state or SearchState())


def extended(folder: SearchFolder, configuration: Configuration, state: SearchState | None = None) -> Extension:
    """Extend a search and return what has changed."""
    with extending(folder):
        extension = extension_to(folder, configuration, state)
        write_extension(folder, extension, description(configuration))
    return extension


def state_with(**ends: str) -> SearchState:
    """Return a state in which these runs ended so."""
    state = SearchState()
    for run, end in ends.items():
        state.fold('w', {'event': 'claimed', 'run': run, 'attempt': 1})
        if end != 'claimed':
            state.fold('w', {'event': 'ended', 'run': run, 'attempt': 1, 'state': end})
    return state


def words_of(run: Run) -> frozenset[str]:
    """Return the words of a run without its folder."""
    return frozenset(word for word in run.argv if not word.startswith('--out_dir='))


def contents(folder: SearchFolder) -> list[list[bytes]]:
    """Return the lines of all files of a plan."""
    return [(folder.path / name).read_bytes().splitlines(keepends=True) for name in FILES]


def test_that_new_combinations_continue_the_old_plan(folder: SearchFolder) -> None:
    old = list(folder.read_runs())
    extension = extension_to(folder, configured(LARGE))
    assert (extension.kept, extension.planned, list(extension.withdrawn)) == (4, 4, [])
    assert [run.number for run in extension.added] == [5, 6, 7, 8, 9]
    assert [run.name for run in extension.added] == [f'sim_20261120_{number}' for number in range(5, 10)]
    together = {words_of(run) for run in [*old, *extension.added]}
    assert together == {words_of(run) for run in plan_of(configured(LARGE), folder.path).runs()}
    for run in extension.added:
        assert run.argv[:3] == ('python3', 'train.py', f'--out_dir={folder.path}/{run.name}')


def test_that_the_order_of_the_new_grid_is_kept(folder: SearchFolder) -> None:
    added = extension_to(folder, configured(LARGE)).added
    old = {words_of(run) for run in folder.read_runs()}
    new = [words_of(run) for run in plan_of(configured(LARGE), folder.path).runs()]
    assert [words_of(run) for run in added] == [words for words in new if words not in old]


def test_that_nothing_is_written_before_it_is_asked_for(folder: SearchFolder) -> None:
    before = contents(folder), folder.read_info()
    extension_to(folder, configured(LARGE))
    assert (contents(folder), folder.read_info()) == before


def test_that_old_lines_stay_byte_for_byte_and_new_ones_follow(folder: SearchFolder) -> None:
    before = contents(folder)
    extension = extended(folder, configured(LARGE))
    for old, new in zip(before, contents(folder), strict=True):
        assert new[: len(old)] == old
        assert len(new) == len(old) + 5
    assert list(folder.read_runs())[4:] == list(extension.added)


def test_that_lines_are_what_a_new_search_would_have_written(tmp_path: Path) -> None:
    grid: Grid = {'a': ['1', "it's", 'x\n', 'é'], 'b': [None, True, 0.5]}
    folder = made(tmp_path / 'search', configured({**grid, 'a': ['1']}))
    extended(folder, configured(grid))
    written = [{name: sorted(lines) for name, lines in zip(FILES, contents(folder), strict=True)}]
    shown = [f'{line}\n'.encode() for line in plan_of(configured(grid), folder.path).commands()]
    assert written[0]['commands_wo_dirs.sh'] == sorted(shown)
    runs = [run.params for run in folder.read_runs()]
    assert all(params in runs for params in (run.params for run in plan_of(configured(grid), folder.path).runs()))


def test_that_pasted_commands_give_the_script_the_words_of_the_plan(tmp_path: Path) -> None:
    command = {'command': ['printf', '%s\\0']}
    folder = made(tmp_path / 'search', configured(SMALL, **command))
    extended(folder, configured(LARGE, **command))
    done = subprocess.run(['sh', folder.commands_sh], capture_output=True, check=True)
    assert done.stdout.decode().split('\0')[:-1] == [word for run in folder.read_runs() for word in run.argv[2:]]


def test_that_lines_that_a_person_changed_are_left_as_they_are(folder: SearchFolder) -> None:
    text = folder.commands_sh.read_bytes().replace(b'python3', b'nice \xff python3')
    folder.commands_sh.write_bytes(text)
    extended(folder, configured(LARGE))
    assert folder.commands_sh.read_bytes().startswith(text)


@pytest.mark.parametrize('content', [None, b'', b'one line\n'])
def test_that_command_files_that_were_removed_are_made_anew(folder: SearchFolder, content: bytes | None) -> None:
    before = contents(folder)
    os.unlink(folder.commands_sh)
    if content is not None:
        folder.commands_sh.write_bytes(content)
    extended(folder, configured(LARGE))
    assert [lines[:4] for lines in contents(folder)] == before


def test_that_runs_the_new_grid_does_not_have_are_withdrawn_unless_they_finished(folder: SearchFolder) -> None:
    first, second, third, fourth = (run.name for run in folder.read_runs())
    state = state_with(**{first: 'finished', second: 'failed', third: 'claimed'})
    extension = extended(folder, configured({'lr': [7], 'name': ['n']}), state)
    assert extension.withdrawn == [second, third, fourth]
    assert (extension.kept, len(extension.added)) == (1, 1)
    assert folder.read_info()['withdrawn'] == [second, third, fourth]
    assert len(list(folder.read_runs())) == 5


def test_that_what_was_withdrawn_comes_back_with_its_grid(folder: SearchFolder) -> None:
    extended(folder, configured({'lr': [7], 'name': ['n']}))
    extension = extended(folder, configured(SMALL))
    assert extension.withdrawn == ['sim_20261120_5']
    assert not extension.added
    assert folder.read_info()['withdrawn'] == ['sim_20261120_5']


def test_that_a_search_that_has_all_stays_as_it_is(folder: SearchFolder) -> None:
    before = contents(folder)
    assert extended(folder, configured(SMALL)) == Extension([], [], 4, 4)
    assert contents(folder) == before


def test_that_an_extension_that_is_repeated_changes_nothing(folder: SearchFolder) -> None:
    extended(folder, configured(LARGE))
    before = contents(folder)
    assert extended(folder, configured(LARGE)) == Extension([], [], 9, 9)
    assert contents(folder) == before


def test_that_the_rest_of_what_was_asked_stays(folder: SearchFolder) -> None:
    extended(folder, configured(LARGE))
    info = folder.read_info()
    assert (info['user'], info['run_cwd']) == ('somebody', '/work')
    assert info['configuration']['attributes']['grid'] == LARGE


def test_that_numbers_outgrow_their_zeros(tmp_path: Path) -> None:
    folder = made(tmp_path / 'search', configured({'a': list(range(9))}))
    assert [run.name for run in extended(folder, configured({'a': list(range(11))})).added] == [
        'sim_20261120_10',
        'sim_20261120_11',
    ]


def test_that_zeros_are_kept(tmp_path: Path) -> None:
    folder = made(tmp_path / 'search', configured({'a': list(range(10))}))
    assert [run.name for run in extended(folder, configured({'a': list(range(11))})).added] == ['sim_20261120_11']
    assert next(folder.read_runs()).name == 'sim_20261120_01'


def test_that_a_script_without_output_option_gets_none(tmp_path: Path) -> None:
    folder = made(tmp_path / 'search', configured(SMALL, out_arg=None))
    for run in extended(folder, configured(LARGE, out_arg=None)).added:
        assert len(run.argv) == 4


def test_that_an_empty_plan_can_be_extended(tmp_path: Path) -> None:
    folder = made(tmp_path / 'search', configured(SMALL))
    plan_of(configured(SMALL, constraints=[lambda params: False]), folder.path).write(folder)
    assert [run.name for run in extended(folder, configured(SMALL)).added] == [f'sim_other_{n}' for n in range(1, 5)]


@pytest.mark.parametrize(
    ('change', 'name'),
    [({'script': 'b.py'}, '_SCRIPT_NAME'), ({'command': ['x']}, '_COMMAND'), ({'out_arg': 'o'}, '_OUT_ARG')],
)
def test_that_only_the_grid_can_change(folder: SearchFolder, change: dict[str, Any], name: str) -> None:
    with pytest.raises(ConfigError, match=name):
        extension_to(folder, configured(SMALL, **change))


def test_that_a_command_in_a_list_is_the_one_in_a_tuple(tmp_path: Path) -> None:
    folder = made(tmp_path / 'search', configured(SMALL, command=('sh', 'a')))
    assert not extension_to(folder, configured(SMALL, command=['sh', 'a'])).added


def test_that_an_extension_of_a_plan_that_has_changed_is_refused(folder: SearchFolder) -> None:
    late = extension_to(folder, configured(LARGE))
    extended(folder, configured({'lr': [9], 'name': ['n']}))
    before = contents(folder)
    with pytest.raises(SearchFolderError, match='again'):
        write_extension(folder, late, {})
    assert contents(folder) == before


def test_that_two_cannot_extend_at_once(folder: SearchFolder) -> None:
    lines = (
        'import sys',
        'from hpsearch.store.folder import SearchFolder as S',
        'from hpsearch.space.extension import extending',
    )
    code = ''.join(f'{line}\n' for line in lines)
    other = [sys.executable, '-c', f'{code}with extending(S(sys.argv[1])): pass', str(folder.path)]
    with extending(folder):
        refused = subprocess.run(other, capture_output=True, text=True, timeout=60, check=False)
    assert 'is being extended' in refused.stderr
    assert subprocess.run(other, timeout=60, check=False).returncode == 0


def test_that_a_folder_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    with pytest.raises(SearchFolderError, match=str(tmp_path)), extending(SearchFolder(tmp_path / 'gone')):
        pass


REPLACE, FSYNC, UNLINK = os.replace, os.fsync, Path.unlink


class Crash(BaseException):
    """The process is killed."""


class Crasher:
    """Ends everything before or after the n-th call that changes a folder; what would tidy up changes nothing then.

    Args:
        point: Twice the number of calls that work; one more: the last of them is followed by the crash.
    """

    def __init__(self, point: int) -> None:
        self._left = point
        self.crashed = False

    def install(self, patch: pytest.MonkeyPatch) -> None:
        patch.setattr(os, 'replace', lambda *args: self._act(REPLACE, *args))
        patch.setattr(os, 'fsync', lambda *args: self._act(FSYNC, *args))
        patch.setattr(Path, 'unlink', lambda *args, **more: None if self.crashed else UNLINK(*args, **more))

    def _act(self, call: Callable[..., None], *args: Any) -> None:
        self._pass()
        call(*args)
        self._pass()

    def _pass(self) -> None:
        self.crashed = self.crashed or self._left == 0
        self._left -= 1
        if self.crashed:
            raise Crash


def crashed_at(point: int, folder: SearchFolder, new: Configuration) -> bool:
    """Extend a search and crash there; says whether there was such a point."""
    crasher = Crasher(point)
    with pytest.MonkeyPatch.context() as patch:
        crasher.install(patch)
        try:
            extended(folder, new)
        except Crash:
            return True
    return False


def test_that_every_crash_leaves_a_search_that_can_be_resumed_and_extended(tmp_path: Path) -> None:
    new = configured({'lr': [2, 3], 'name': ['a b', 'z']})
    reference = made(tmp_path / 'search', configured(SMALL))
    old_plan, withdrawn = contents(reference), extended(reference, new).withdrawn
    new_plan = contents(reference)
    points = 0
    while crashed_at(points, folder := made(tmp_path / 'search', configured(SMALL)), new):
        plan, *commands = contents(folder)
        assert plan in (old_plan[0], new_plan[0])
        assert all(
            lines[: len(plan)] == whole[: len(plan)] for lines, whole in zip(commands, new_plan[1:], strict=True)
        )
        assert plan == new_plan[0] or 'withdrawn' not in folder.read_info()
        assert extended(folder, new).withdrawn == withdrawn == folder.read_info()['withdrawn']
        assert contents(folder) == new_plan
        assert folder.read_info()['configuration']['attributes']['grid'] == new.grid
        points += 1
    assert points == 2 * 8, 'four files are brought to the disk and renamed'


@pytest.mark.parametrize('name', [*FILES, 'search.json'])
def test_that_a_full_disk_leaves_a_search_that_can_be_extended(
    folder: SearchFolder, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(source: Any, target: Any) -> None:
        if Path(target).name == name:
            raise OSError(28, 'No space left on device')
        REPLACE(source, target)

    old = list(folder.read_runs())
    with monkeypatch.context() as patched:
        patched.setattr(os, 'replace', full)
        with pytest.raises(OSError, match='No space left'):
            extended(folder, configured(LARGE))
    assert list(folder.read_runs())[:4] == old
    assert not list(folder.path.glob('.*.tmp'))
    extended(folder, configured(LARGE))
    assert [len(lines) for lines in contents(folder)] == [9, 9, 9]
    assert json.loads(folder.search_json.read_text())['withdrawn'] == []


@given(st.sets(st.integers(0, 12)), st.sets(st.integers(0, 12)), st.sets(st.integers(0, 12)))
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=30, deadline=None)
def test_that_exactly_the_new_grid_is_left_to_run(tmp_path: Path, old: set[int], new: set[int], done: set[int]) -> None:
    folder = made(tmp_path / 'search', configured({'a': sorted(old) or [99]}))
    finished = {run.name: 'finished' for run in folder.read_runs() if run.params['a'] in done}
    configuration = configured({'a': sorted(new) or [99]})
    extended(folder, configuration, state_with(**finished))
    skipped = {*finished, *folder.read_info()['withdrawn']}
    left = [run.params['a'] for run in folder.read_runs() if run.name not in skipped]
    assert sorted(left) == sorted((new or {99}) - (old & done))


def test_that_rows_can_be_added_to_a_design(tmp_path: Path) -> None:
    rows: list[Grid] = [{'lr': [1], 'name': ['x']}, {'lr': [2]}, {'lr': [3], 'name': ['x', 'y']}]
    before, after = (configured({'lr': [1, 2, 3], 'name': ['x', 'y']}, rows=rows[:count]) for count in (2, 3))
    folder = made(tmp_path, before)
    plan = plan_of(after, folder.path)
    extension = extend(folder, after, folder.read_runs(), plan.runs(), SearchState())
    assert sorted((run.params['lr'], run.params['name']) for run in extension.added) == [(3, 'x'), (3, 'y')]
    assert (extension.kept, extension.withdrawn) == (2, [])


def test_that_a_group_of_options_can_be_extended(tmp_path: Path) -> None:
    before = configured({'lr': [1, 2], 'bs': [8, 16]}, zipped=[['lr', 'bs']])
    after = configured({'lr': [1, 2, 3], 'bs': [8, 32, 16]}, zipped=[['lr', 'bs']])
    folder = made(tmp_path, before)
    plan = plan_of(after, folder.path)
    extension = extend(folder, after, folder.read_runs(), plan.runs(), SearchState())
    assert sorted((run.params['lr'], run.params['bs']) for run in extension.added) == [(2, 32), (3, 16)]
    assert (extension.kept, len(extension.withdrawn)) == (1, 1)
