"""The verbs on runs, beside a search that runs."""

from __future__ import annotations

import signal
import subprocess
from pathlib import Path

from tests.support.cli_harness import Project


def test_that_logs_are_followed_across_attempts_until_the_run_has_ended(tmp_path: Path) -> None:
    project = Project(tmp_path)
    project.configure({'mode': ['killed_at_gate']})
    script = (tmp_path / 'train.py').read_text()
    gate = "elif args.mode == 'killed_at_gate':\n    attempt = int(os.environ['HPSEARCH_ATTEMPT'])\n"
    gate += (
        "    print('attempt', attempt, flush=True)\n    while not os.path.exists('gate'):\n        time.sleep(0.02)\n"
    )
    gate += "    summary() if attempt > 1 else sys.exit('no luck')\n"
    (tmp_path / 'train.py').write_text(script + gate)
    options = {'cwd': tmp_path, 'env': project.env, 'stdout': subprocess.PIPE, 'stderr': subprocess.PIPE, 'text': True}
    with project.start('--visible_gpus=-1', '--cpu_jobs=1', '--retries=1') as search:
        while not list(tmp_path.glob('out/jobs/*/stdout.log')):
            assert search.poll() is None
        follow = project.command('logs', 'out', '1', '-f')
        with subprocess.Popen(follow, **options) as logs, subprocess.Popen(follow, **options) as other:  # type: ignore[call-overload]
            for process in (logs, other):
                while 'attempt 1' not in (line := process.stdout.readline()):
                    assert line
            other.send_signal(signal.SIGINT)
            assert other.wait(30) == 130
            (tmp_path / 'gate').touch()
            out, err = logs.communicate(timeout=60)
        search.communicate(timeout=60)
    assert 'no luck' in out
    assert 'attempt 2' in out
    assert err.endswith(': finished\n')
    assert logs.returncode == 0
