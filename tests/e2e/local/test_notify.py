"""``--on_finish`` and ``--on_failure``: who is told what, when, and how often, whatever happens to hpsearch."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.support.cli_harness import Project
from tests.support.harness import until
from tests.support.paths import REPOSITORY
from tests.support.told import keeper, webhook

SCRIPTS = REPOSITORY / 'examples' / 'notify'

KILLED_BEFORE_IT_TELLS = """\
import os, signal, sys
from hpsearch.cli import main
from hpsearch.cli.notifying.notices import Notices
Notices.tell_end = lambda *_: os.kill(os.getpid(), signal.SIGKILL)
sys.exit(main.main(sys.argv[1:]))
"""


@pytest.fixture
def project(tmp_path: Path) -> Project:
    made = Project(tmp_path / 'project')
    made.configure({'lr': [0.1], 'mode': ['good']}, "_PERFORMANCE_KEY = 'acc'")
    made.env['HOME'] = str(tmp_path)
    return made


def told(path: Path) -> list[dict[str, Any]]:
    """The facts that a program of :func:`keeper` got."""
    lines = path.read_text().splitlines() if path.exists() else []
    return [json.loads(line.rstrip('|')) for line in lines]


def test_that_the_scripts_tell_of_each_kind_of_failure_and_of_each_end(project: Project) -> None:
    project.configure({'lr': [0.1, 0.2], 'mode': ['good', 'crash', 'killed']}, "_PERFORMANCE_KEY = 'acc'")
    mails = project.path / 'mails'
    keeper(project.path / 'bin' / 'sendmail', mails)
    project.env['PATH'] = f'{project.path / "bin"}:{project.env["PATH"]}'
    tell = ['--on_failure', f'{SCRIPTS / "mail.py"} ada@example.org', '--on_finish', str(SCRIPTS / 'webhook.py')]
    with webhook() as server:
        project.env['HPSEARCH_WEBHOOK'] = f'{server.address}/services/secret'
        first = project.search('--cpu_jobs=2', *tell)
        again = project.run('resume', 'out')
        project.env |= {'HPSEARCH_NTFY': f'{server.address}/topic', 'HPSEARCH_NTFY_TOKEN': 'tk_secret'}
        ntfy = project.run('resume', 'out', '--retry_failed', '--on_finish', str(SCRIPTS / 'ntfy.sh'))
    assert [first.returncode, again.returncode, ntfy.returncode] == [1, 1, 1]
    assert 'warning: --on' not in first.stderr + again.stderr + ntfy.stderr
    of_kinds = mails.read_text().splitlines()
    assert len(of_kinds) == 2
    assert all('To: ada@example.org|' in mail and '[hpsearch] a run of out failed: ' in mail for mail in of_kinds)
    assert any('RuntimeError: the loss is nan' in mail for mail in of_kinds)
    posted, sent = server.posted
    assert posted.path == '/services/secret'
    assert json.loads(posted.body)['text'].startswith('out finished: 4 failed, 2 finished of 6 runs; best acc 0.9 (')
    assert (sent.path, sent.headers['authorization']) == ('/topic', 'Bearer tk_secret')
    assert sent.body.startswith(b'out finished: 4 failed')
    assert 'secret' not in (project.out / 'search.json').read_text()


@pytest.mark.parametrize('address', ['hooks.example.org/secret', 'http://h ost/secret', 'http://127.0.0.1:secret/'])
def test_that_an_address_that_is_none_is_an_error_without_the_secret(address: str) -> None:
    facts = {'message': 'a test', 'host': '', 'folder': ''}
    words, env = [sys.executable, str(SCRIPTS / 'webhook.py')], {'HPSEARCH_WEBHOOK': address}
    done = subprocess.run(
        words, input=json.dumps(facts), env=env, capture_output=True, text=True, check=False, timeout=60
    )
    assert done.returncode == 1
    assert done.stderr.startswith('the message could not be posted: is the address one as https://')
    assert 'secret' not in done.stderr


def test_that_an_end_that_nobody_could_tell_is_told_once_by_those_that_resume(project: Project) -> None:
    program, facts = keeper(project.path / 'tell', project.path / 'told'), project.path / 'told'
    words = ['run', 'my_config', '--out_dir=out', '--force_out_dir', '--cpu_jobs=1', f'--on_finish={program}']
    killed = subprocess.run(
        [sys.executable, '-c', KILLED_BEFORE_IT_TELLS, *words],
        cwd=project.path, env=project.env, capture_output=True, check=False, timeout=120,
    )  # fmt: skip
    assert killed.returncode == -signal.SIGKILL
    assert (told(facts), len(project.ran())) == ([], 1)
    command = project.command('resume', 'out')
    both = [subprocess.Popen(command, cwd=project.path, env=project.env, stdout=subprocess.DEVNULL) for _ in range(2)]
    assert [each.wait(120) for each in both] == [0, 0]
    (only,) = told(facts)
    assert only['event'] == 'finished'
    assert only['exit_code'] == 0
    assert only['counts'] == {'finished': 1}
    assert only['best']['value'] == 0.9
    assert only['best']['params']['lr'] == 0.1
    assert (only['folder'], only['results']) == (str(project.out), str(project.out / 'search_results.csv'))
    assert len(project.ran()) == 1


def test_that_a_missing_program_is_named_with_the_other_problems_before_anything_starts(project: Project) -> None:
    ended = project.search('--on_finish=no-such-program', '--run_cwd=nowhere')
    assert ended.returncode == 2
    assert '2 problems' not in ended.stdout
    assert '--run_cwd=nowhere' in ended.stderr
    assert "--on_finish: 'no-such-program' is not an executable on PATH." in ended.stderr
    assert not project.out.exists()


def test_that_an_interrupted_search_tells_so_and_another_ctrl_c_ends_the_wait(project: Project) -> None:
    program = project.path / 'tell'
    program.write_text('#!/bin/sh\ncat\nexec sleep 600\n')
    program.chmod(0o755)
    project.configure({'lr': [0.1], 'seconds': [600]})
    search = project.start('--cpu_jobs=1', f'--on_failure={program}', '--stop_grace=1')
    until(project.ran)
    search.send_signal(signal.SIGINT)
    notices = project.out / 'notices'
    until(lambda: any(path.read_text().endswith('\n') for path in notices.glob('interrupted-*.log')))
    search.send_signal(signal.SIGINT)
    _, said = search.communicate(timeout=60)
    assert search.returncode == 130
    assert 'warning: --on_failure was ended' in said
    (log,) = notices.iterdir()
    facts = json.loads(log.read_text())
    assert (facts['event'], facts['exit_code'], facts['counts']) == ('interrupted', 130, {'interrupted': 1})


def test_that_no_command_of_a_search_that_others_can_write_is_executed(project: Project) -> None:
    facts = project.path / 'told'
    assert project.search('--dont_start', f'--on_finish={keeper(project.path / "tell", facts)}').returncode == 0
    project.out.chmod(0o777)
    assert project.run('resume', 'out').returncode == 2
    assert not facts.exists()
