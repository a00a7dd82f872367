"""The command lines of the pure half for Slurm, and its parsers, on a real Slurm."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from hpsearch.backends.queue.batch_system import CommandResult, JobSpec
from hpsearch.backends.queue.slurm.options import SlurmOptions
from hpsearch.backends.queue.slurm.parsing import parse_time_left
from hpsearch.backends.queue.slurm.system import Slurm, time_left_argv
from hpsearch.model.evidence import JobRecord, JobState
from tests.e2e.slurm.cluster import Cluster
from tests.e2e.slurm.projects import slowly

NAME = 'hps-1234abcd-5ef678'


def ask(slurm: Cluster, words: list[str], stdin: str = '') -> CommandResult:
    """The answer to a command of Slurm."""
    done = slurm.run(*words, stdin=stdin)
    return CommandResult(done.returncode, done.stdout, done.stderr)


SMALL = Slurm(SlurmOptions(mem='50M', gres='', hours=1))


def eventually(slurm: Cluster, job: str, index: int, *kinds: JobState) -> JobRecord:
    """An element of a job, once it is in one of these states."""

    def found() -> list[JobRecord]:
        listed = SMALL.parse_listing(ask(slurm, SMALL.list_argv())) or []
        return [seen for seen in listed if (seen.job, seen.index) == (job, index) and seen.kind in kinds]

    return slowly(found)[0]


def submitted(slurm: Cluster, size: int, throttle: int, log: Path, script: str) -> str:
    """The id of a new job."""
    answer = ask(slurm, SMALL.submit_argv(JobSpec(NAME, size, throttle, str(log))), f'#!/bin/sh\n{script}\n')
    job = SMALL.parse_submission(answer).job
    assert job, answer
    return job


@pytest.mark.parametrize('folder', ["it's 100%j", 'back\\slash %A'])
def test_that_slurm_writes_its_log_where_the_path_says(slurm: Cluster, tmp_path: Path, folder: str) -> None:
    (tmp_path / folder).mkdir()
    log = tmp_path / folder / 'x.log'
    job = submitted(slurm, 2, 0, log, 'echo element $SLURM_ARRAY_TASK_ID')
    for index in (1, 2):
        assert eventually(slurm, job, index, JobState.ENDED).cause == ''
    assert sorted(log.read_text().split('\n')) == ['', 'element 1', 'element 2']


def test_that_slurm_ends_the_named_elements_and_no_others(slurm: Cluster, tmp_path: Path) -> None:
    job = submitted(slurm, 6, 2, tmp_path / 'x.log', 'exec sleep 60')
    eventually(slurm, job, 2, JobState.RUNNING)
    answer = ask(slurm, SMALL.cancel_argv(job, [1, 4, 5], whole=False, force=True))
    assert not SMALL.parse_cancel(answer)
    assert eventually(slurm, job, 1, JobState.ENDED).cause == 'cancelled'
    assert eventually(slurm, job, 2, JobState.RUNNING)
    left = {seen.index for seen in SMALL.parse_listing(ask(slurm, SMALL.list_argv())) or [] if seen.job == job}
    # What waited and was cancelled is in no listing, and in no account, any more.
    assert left == {1, 2, 3, 6}


def test_that_slurm_tells_limits_accounts_throttles_and_the_time_left(slurm: Cluster, tmp_path: Path) -> None:
    begin = time.time()
    assert SMALL.parse_limits(ask(slurm, SMALL.limits_argv())).array == 1000
    job = submitted(slurm, 2, 1, tmp_path / 'x.log', 'test $SLURM_ARRAY_TASK_ID = 1 && exec sleep 60; exit 3')
    eventually(slurm, job, 1, JobState.RUNNING)
    left = parse_time_left(ask(slurm, time_left_argv(f'{job}_1')))
    assert left is not None
    assert 3500 < left <= 3600
    assert ask(slurm, SMALL.throttle_argv(job, 2)).code == 0
    eventually(slurm, job, 2, JobState.ENDED)
    assert end_of(slurm, job, 2, begin).code == 3


def end_of(slurm: Cluster, job: str, index: int, since: float) -> JobRecord:
    """What the accounting says of the end of an element; it may know the end of a short one before its status."""

    def found() -> list[JobRecord]:
        account = SMALL.parse_accounting(ask(slurm, SMALL.accounting_argv([job], since))) or []
        return [
            seen for seen in account if (seen.index, seen.kind) == (index, JobState.ENDED) and seen.code is not None
        ]

    return slowly(found)[0]
