"""What is installed, and how fast the program answers."""

from __future__ import annotations

import configparser
import os
import re
import shutil
import subprocess
import sys
import zipfile
from email import message_from_string
from pathlib import Path

import pytest

from tests.support.paths import REPOSITORY

ROOT = REPOSITORY
HEAVY = ['GPUtil', 'numpy', 'optuna', 'pandas', 'psutil', 'pynvml', 'rich', 'yaml']


def python(*words: str, cwd: Path, path: Path = ROOT) -> subprocess.CompletedProcess[str]:
    """Run Python in a folder, with a folder in front of what it can import."""
    return subprocess.run(
        [sys.executable, *words],
        cwd=cwd,
        env={**os.environ, 'PYTHONPATH': str(path), 'PYTHONDONTWRITEBYTECODE': '1'},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )


@pytest.fixture(scope='module')
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Build a wheel from a copy of the sources, so that nothing old is in it and nothing is left behind."""
    pytest.importorskip('setuptools', minversion='68', reason='building without isolation needs setuptools')
    work = tmp_path_factory.mktemp('wheel')
    ignored = shutil.ignore_patterns(
        '.git', '.*_cache', '.hypothesis', '__pycache__', 'build', 'dist', 'out', '*.egg-info'
    )
    shutil.copytree(ROOT, work / 'source', ignore=ignored, symlinks=True)
    build = ['-m', 'pip', 'wheel', '-q', '--no-deps', '--no-build-isolation', '--no-index', '-w', str(work), '.']
    done = python(*build, cwd=work / 'source', path=work)
    assert done.returncode == 0, done.stdout + done.stderr
    (built,) = work.glob('*.whl')
    return built


@pytest.fixture(scope='module')
def installed(wheel: Path) -> Path:
    """Unpack the wheel: what would be in site-packages."""
    target = wheel.parent / 'site'
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(target)
    return target


def source_names(folder: Path, *endings: str) -> set[str]:
    """Return the files below a folder that have one of the endings."""
    return {str(path.relative_to(folder)) for path in folder.rglob('*') if path.suffix in endings}


@pytest.mark.parametrize(
    ('source', 'target'),
    [
        ('hpsearch', 'hpsearch'),
        ('postprocessing', 'hpsearch_postprocessing'),
        ('configs/templates', 'hpsearch/templates'),
    ],
)
def test_that_a_wheel_has_every_module_and_template(installed: Path, source: str, target: str) -> None:
    assert source_names(ROOT / source, '.py', '.yaml') <= source_names(installed / target, '.py', '.yaml')


def test_that_a_wheel_installs_no_generic_names(installed: Path) -> None:
    names = {path.name for path in installed.iterdir() if not path.name.endswith('.dist-info')}
    assert names == {'hpsearch', 'hpsearch_command.py', 'hpsearch_postprocessing'}


def test_that_a_wheel_says_that_it_is_typed(installed: Path) -> None:
    assert (installed / 'hpsearch' / 'py.typed').exists()
    assert (installed / 'hpsearch_postprocessing' / 'py.typed').exists()


def test_that_a_wheel_has_both_commands_and_the_licence(installed: Path) -> None:
    (info,) = installed.glob('*.dist-info')
    entry_points = configparser.ConfigParser()
    entry_points.read(info / 'entry_points.txt')
    assert dict(entry_points['console_scripts']) == {
        'hpsearch': 'hpsearch_command:hpsearch',
        'hpsearch-postprocess': 'hpsearch_command:postprocess',
    }
    assert 'Apache License' in next(info.rglob('LICENSE')).read_text()


def test_that_no_dependency_is_pinned_and_none_of_the_extras_is_needed(installed: Path) -> None:
    (info,) = installed.glob('*.dist-info')
    required = message_from_string((info / 'METADATA').read_text()).get_all('Requires-Dist', [])
    assert [text for text in required if '==' in text.split(';')[0]] == []
    core = {re.split(r'[\s<>=;]', text)[0].lower() for text in required if 'extra' not in text}
    assert core == {'nvidia-ml-py', 'pandas', 'psutil', 'pyyaml', 'rich'}


@pytest.mark.parametrize('entry', ['hpsearch.cli.main', 'hpsearch_postprocessing.main'])
def test_that_an_installed_command_explains_itself(installed: Path, entry: str, tmp_path: Path) -> None:
    code = f'import sys; sys.argv = ["x", "--help"]; from {entry} import main; sys.exit(main())'
    done = python('-c', code, cwd=tmp_path, path=installed)
    assert done.returncode == 0, done.stderr
    assert 'usage:' in done.stdout


@pytest.fixture
def with_its_own(tmp_path: Path) -> Path:
    """A repository with a package hpsearch of its own, as users of hypnettorch have it."""
    package = tmp_path / 'repository' / 'hpsearch'
    package.mkdir(parents=True)
    (package / '__init__.py').write_text('raise RuntimeError("the package of the repository")\n')
    (package / 'config.py').write_text("grid = {'lr': [0.1]}\nconditions = []\n_COMMAND = ['true']\n")
    return package.parent


@pytest.mark.parametrize('command', ['hpsearch', 'postprocess'])
def test_that_an_installed_command_finds_itself_beside_another_package_of_its_name(
    installed: Path, with_its_own: Path, command: str
) -> None:
    code = f'import sys; sys.argv = ["x", "--help"]; from hpsearch_command import {command}; sys.exit({command}())'
    for path in (f'{with_its_own}{os.pathsep}{installed}', f'.{os.pathsep}{installed}'):
        done = python('-c', code, cwd=with_its_own, path=Path(path))
        assert done.returncode == 0, done.stderr
        assert 'usage:' in done.stdout


def test_that_it_runs_as_a_module_beside_another_package_of_its_name(installed: Path, with_its_own: Path) -> None:
    words = ['-m', 'hpsearch_command', 'plan', '--grid_module=hpsearch.config', '--visible_gpus=-1']
    done = python(*words, cwd=with_its_own, path=installed)
    assert done.returncode == 0, done.stderr
    assert 'runs: 1' in done.stdout


def test_that_a_configuration_that_wants_another_package_hpsearch_is_told_which_one_is_there(
    installed: Path, with_its_own: Path
) -> None:
    (with_its_own / 'hpsearch' / 'config.py').write_text('import hpsearch.helpers\n')
    words = ['-m', 'hpsearch_command', 'plan', '--grid_module=hpsearch/config.py']
    done = python(*words, cwd=with_its_own, path=installed)
    assert done.returncode == 2
    assert f'hpsearch is the program in {installed / "hpsearch"}' in done.stderr


@pytest.mark.parametrize('verb', [[], ['run'], ['plan'], ['status']])
def test_that_help_imports_no_heavy_library(verb: list[str], tmp_path: Path) -> None:
    done = python('-X', 'importtime', '-m', 'hpsearch', *verb, '--help', cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    imported = {line.rsplit('|', 1)[-1].strip().split('.')[0] for line in done.stderr.splitlines()}
    assert 'argparse' in imported
    assert imported & set(HEAVY) == set()


def test_that_a_search_does_not_import_pandas(tmp_path: Path) -> None:
    options = [f'--grid_module={ROOT}/configs/templates/minimal.py', '--num_searches=1', '--visible_gpus=-1']
    done = python('-X', 'importtime', '-m', 'hpsearch', *options, '--out_dir=out', cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    imported = {line.rsplit('|', 1)[-1].strip().split('.')[0] for line in done.stderr.splitlines()}
    assert imported & {'numpy', 'optuna', 'pandas', 'plotly'} == set()


def test_that_only_a_search_that_packs_imports_what_learns_from_runs(tmp_path: Path) -> None:
    for packing, wanted in (('--cpu_jobs=2', False), ('--cpu_jobs=auto', True)):
        options = [f'--grid_module={ROOT}/configs/templates/minimal.py', '--num_searches=1', packing]
        done = python('-X', 'importtime', '-m', 'hpsearch', *options, '--out_dir=out', cwd=tmp_path)
        assert done.returncode == 0, done.stderr
        imported = {line.rsplit('|', 1)[-1].strip() for line in done.stderr.splitlines()}
        assert any(name.startswith('hpsearch.packing.prediction') for name in imported) is wanted


def test_that_a_template_is_run_from_an_installed_package(installed: Path, tmp_path: Path) -> None:
    options = ['--grid_module=hpsearch.templates.minimal', '--num_searches=1', '--visible_gpus=-1', '--out_dir=out']
    done = python('-m', 'hpsearch', *options, cwd=tmp_path, path=installed)
    assert done.returncode == 0, done.stdout + done.stderr


def test_that_templates_are_listed_by_an_installed_package(installed: Path, tmp_path: Path) -> None:
    done = python('-m', 'hpsearch', 'templates', cwd=tmp_path, path=installed)
    assert done.returncode == 0, done.stderr
    assert {'minimal.py', 'full.py', 'not_python.yaml'} <= set(re.findall(r'[\w.]+', done.stdout))


def test_that_the_command_loads_a_grid_module_beside_a_foreign_hpsearch_folder(installed: Path, tmp_path: Path) -> None:
    foreign = tmp_path / 'hpsearch'
    foreign.mkdir()
    (foreign / '__init__.py').write_text('raise RuntimeError("the wrong hpsearch")\n')
    shutil.copy(ROOT / 'configs' / 'templates' / 'train_script.py', foreign)
    shutil.copy(ROOT / 'configs' / 'templates' / 'minimal.py', foreign / 'my_config.py')
    # As a console script does it: the folder of the script, not the current one, is first on sys.path.
    script = tmp_path / 'bin' / 'hpsearch'
    script.parent.mkdir()
    script.write_text('import sys\nfrom hpsearch.cli.main import main\nsys.exit(main())\n')
    done = python(
        str(script), 'plan', '--commands', '--grid_module=hpsearch/my_config.py', cwd=tmp_path, path=installed
    )
    assert done.returncode == 0, done.stderr
    assert len(done.stdout.splitlines()) == 4
