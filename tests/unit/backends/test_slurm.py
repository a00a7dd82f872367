"""The pure half for Slurm, on what a real Slurm 22.05 answered (``data/slurm``)."""

from __future__ import annotations

import re
import shlex
import time
from collections.abc import Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hpsearch.backends.queue.batch_system import (
    BatchSystem,
    CommandResult,
    JobSpec,
    Refusal,
    environment_outside_jobs,
    format_indices,
)
from hpsearch.backends.queue.slurm.options import SlurmOptions
from hpsearch.backends.queue.slurm.parsing import STATES, is_stuck, parse_time_left, parse_time_limit
from hpsearch.backends.queue.slurm.system import Slurm, in_mib, job_end, log_pattern, own_job
from hpsearch.model.evidence import JobRecord, JobState
from tests.support.paths import DATA

ANSWERS = DATA / 'slurm'
NAME = 'hps-1234abcd-5ef678'
LOG = f'/home/user/out/submissions/{NAME}.log'
SLURM = Slurm(SlurmOptions(), user=1000)


def transcript(name: str) -> Iterator[tuple[str, list[str], CommandResult]]:
    """The commands of a file, each with the last comment before it, and with its answer."""
    comment, words, streams, current = '', [''], {'out': '', 'err': ''}, 'out'
    for line in (ANSWERS / name).read_text(encoding='utf-8').splitlines(keepends=True):
        if line.startswith('# '):
            comment = line[2:].strip()
        elif line.startswith('$ '):
            words, streams = shlex.split(line[2:]), {'out': '', 'err': ''}
        elif line in ('[out]\n', '[err]\n'):
            current = line[1:4]
        elif ended := re.fullmatch(r'\[rc (\d+)\]\n', line):
            yield comment, words, CommandResult(int(ended[1]), streams['out'], streams['err'])
        else:
            streams[current] += line


def answer_to(name: str, program: str, comment: str) -> CommandResult:
    """The first answer of a program after a comment."""
    return next(answer for said, words, answer in transcript(name) if said == comment and words[0] == program)


def by_name(records: list[JobRecord] | None) -> dict[tuple[str, int], JobRecord]:
    """Sightings of an answer, by the end of their submission's name and index."""
    assert records is not None
    return {(seen.name.rpartition('-')[2], seen.index): seen for seen in records}


def listed(name: str, comment: str) -> dict[tuple[str, int], JobRecord]:
    """A listing that answered."""
    return by_name(list(SLURM.parse_listing(answer_to(name, 'squeue', comment)) or []))


def accounted(name: str, comment: str) -> dict[tuple[str, int], JobRecord]:
    """An account that was given."""
    return by_name(list(SLURM.parse_accounting(answer_to(name, 'sacct', comment)) or []))


def listing(*lines: str) -> list[JobRecord]:
    """What follows from these lines of a listing."""
    records = SLURM.parse_listing(CommandResult(0, '\n'.join(lines) + '\n'))
    assert records is not None
    return list(records)


def account(*lines: str) -> list[JobRecord]:
    """What follows from these lines of an account."""
    records = SLURM.parse_accounting(CommandResult(0, '\n'.join(lines) + '\n'))
    assert records is not None
    return list(records)


def test_that_slurm_is_a_queue_system() -> None:
    system: BatchSystem = SLURM
    assert system.name == 'slurm'
    assert 'sbatch' in system.programs


# ---------------------------------------------------------------------------------------------------------- submitting


def test_that_a_job_is_asked_for_with_what_the_original_asks_for() -> None:
    assert SLURM.submit_argv(JobSpec(NAME, 10, 4, LOG)) == [
        'sbatch',
        '--parsable',
        f'--job-name={NAME}',
        '--array=1-10%4',
        '--time=24:00:00',
        '--mem=8G',
        '--gres=gpu:1',
        '--no-requeue',
        '--open-mode=append',
        f'--output={LOG}',
        f'--error={LOG}',
    ]


def test_that_empty_options_are_not_given() -> None:
    words = Slurm(SlurmOptions(mem='', gres='')).submit_argv(JobSpec(NAME, 1, 0, LOG))
    assert not [word for word in words if word.startswith(('--mem', '--gres', '--partition', '--qos', '--account'))]
    assert '--array=1-1' in words


def test_that_every_option_reaches_sbatch() -> None:
    options = SlurmOptions(
        mem='4G',
        gres='gpu:a100:2',
        partition='gpu,long',
        qos='high',
        constraint='a100|h100',
        account='lab',
        time='1-12',
        cpus='8',
        extra=('--exclude=n7', '--nice'),
        hours=4,
    )
    words = Slurm(options).submit_argv(JobSpec(NAME, 2, 1, LOG, warning=90))
    assert {
        '--mem=4G',
        '--gres=gpu:a100:2',
        '--partition=gpu,long',
        '--qos=high',
        '--constraint=a100|h100',
        '--account=lab',
        '--time=1-12',
        '--cpus-per-task=8',
        '--signal=B:USR2@90',
    } <= set(words)
    assert words[-2:] == ['--exclude=n7', '--nice']


def test_that_memory_in_place_of_the_usual_overrules_everything_before() -> None:
    words = Slurm(SlurmOptions(extra=('--mem=1G',))).submit_argv(JobSpec(NAME, 1, 0, LOG, memory=12288))
    assert [word for word in words if word.startswith('--mem')][-1] == '--mem=12288M'
    assert words[-1] == '--mem=12288M'


@pytest.mark.parametrize(
    ('path', 'pattern'),
    [
        ('/home/user/a b/x.log', '/home/user/a b/x.log'),
        ('/home/user/100%/x.log', '/home/user/100%%/x.log'),
        ('/home/user/a\\b/x.log', '/home/user/a\\\\b/x.log'),
        ('/home/user/100%j\\b/x.log', '/home/user/100%j\\\\b/x.log'),
    ],
)
def test_that_a_log_is_where_its_path_says(path: str, pattern: str) -> None:
    assert log_pattern(path) == pattern


@pytest.mark.parametrize(
    ('text', 'mebibytes'),
    [
        ('8G', 8192),
        ('8g', 8192),
        ('8GB', 8192),
        ('8000', 8000),
        ('8000M', 8000),
        ('1T', 1048576),
        ('2048K', 2),
        ('100K', 1),
        ('0', None),
        ('', None),
        ('lots', None),
        ('-8G', None),
    ],
)
def test_that_memory_is_read_in_the_units_of_sbatch(text: str, mebibytes: int | None) -> None:
    assert in_mib(text) == mebibytes
    assert Slurm(SlurmOptions(mem=text)).memory == mebibytes


def test_that_an_accepted_job_has_its_id() -> None:
    ((_, words, answer),) = transcript('accepted.txt')
    assert words[:2] == ['sbatch', '--parsable']
    assert SLURM.parse_submission(answer).job == '1'
    assert SLURM.parse_submission(answer).refusal is None


@pytest.mark.parametrize(
    'out',
    [
        '12\n',
        '12;main\n',
        'Submitted batch job 12\n',
        'a note of the site\n12\n',
        'Submitted batch job 12 on cluster a\n',
    ],
)
def test_that_the_id_is_found_in_all_forms(out: str) -> None:
    assert SLURM.parse_submission(CommandResult(0, out, 'sbatch: note\n')).job == '12'


TRANSIENT = {
    'too many for the QOS': Refusal.LIMIT,
    'the accounting is away': None,
    'the controller is away': Refusal.AWAY,
    'the controller stands still': Refusal.AWAY,
    'munged is away': Refusal.AWAY,
    'there is no configuration': Refusal.AWAY,
    'partition is drained': Refusal.CLOSED,
}


@pytest.mark.parametrize('name', ['refused.txt', 'away.txt', 'other.txt'])
def test_that_every_recorded_refusal_is_taken_for_what_it_was(name: str) -> None:
    refused = [(said, answer) for said, words, answer in transcript(name) if words[0] == 'sbatch' and answer.code]
    assert refused
    for said, answer in refused:
        submitted = SLURM.parse_submission(answer)
        assert submitted.refusal is TRANSIENT.get(said, Refusal.WRONG), said
        assert not submitted.job


POLICY = "Job violates accounting/QOS policy (job submit limit, user's size and/or time limits)"


@pytest.mark.parametrize(
    ('before', 'verdict', 'refusal'),
    [
        ('', POLICY, Refusal.LIMIT),
        ('AssocMaxSubmitJobLimit', POLICY, Refusal.LIMIT),
        ('MaxSubmitJobsPerAccount', POLICY, Refusal.LIMIT),
        ('QOSGrpSubmitJobsLimit', POLICY, Refusal.LIMIT),
        ('QOSMaxWallDurationPerJobLimit', POLICY, Refusal.WRONG),
        ('QOSMinGRES', POLICY, Refusal.WRONG),
        (
            'Slurm temporarily unable to accept job, sleeping and retrying',
            'Resource temporarily unavailable',
            Refusal.LIMIT,
        ),
        ('', 'MaxJobCount limit reached', Refusal.LIMIT),
        ('', 'Zero Bytes were transmitted or received', Refusal.AWAY),
        ('', 'Rate limit exceeded, please retry momentarily', Refusal.AWAY),
        ('', 'Slurm backup controller in standby mode', Refusal.AWAY),
        ('slurm_receive_msg: Socket timed out on send/recv operation', 'Invalid qos specification', Refusal.WRONG),
        ('', 'Access/permission denied', Refusal.WRONG),
        ('', 'Requested time limit is invalid (missing or exceeds some limit)', Refusal.WRONG),
        ('', 'Unspecified error', Refusal.WRONG),
    ],
)
def test_that_a_refusal_is_read(before: str, verdict: str, refusal: Refusal) -> None:
    lines = [before, f'Batch job submission failed: {verdict}']
    err = ''.join(f'sbatch: error: {line}\n' for line in lines if line)
    assert SLURM.parse_submission(CommandResult(1, '', err)).refusal is refusal


@pytest.mark.parametrize(
    'answer',
    [
        CommandResult(None, err='sbatch did not answer within 180 s'),
        CommandResult(-15, '', 'sbatch: error: Invalid qos specification'),
        CommandResult(1),
        CommandResult(0, 'nothing of sense\n'),
        CommandResult(0),
    ],
)
def test_that_an_answer_that_says_nothing_leaves_open_whether_it_was_accepted(answer: CommandResult) -> None:
    submitted = SLURM.parse_submission(answer)
    assert submitted.refusal is Refusal.AWAY
    assert submitted.message


@given(
    st.integers(1, 255),
    st.lists(st.text(st.characters(codec='ascii', exclude_categories=['C', 'Z']), min_size=1), min_size=1),
)
def test_that_no_word_of_a_refusal_is_lost(code: int, texts: list[str]) -> None:
    err = ''.join(f'sbatch: error: {text}\n' for text in texts)
    submitted = SLURM.parse_submission(CommandResult(code, '', err))
    assert submitted.refusal is not None
    assert submitted.message == '; '.join(texts)


# ------------------------------------------------------------------------------------------------------------ listings


@pytest.mark.parametrize(
    ('gres', 'extra', 'gpus'),
    [
        ('gpu:1', (), 1),
        ('gpu', (), 1),
        ('gpu:a100:4', (), 4),
        ('gpu:a100', (), 1),
        ('gres/gpu:2(S:0)', (), 2),
        ('gpu:a100:1,gpu:v100:2,tmp:10G', (), 3),
        ('gpu:1', ('--gres=gpu:2',), 2),
        ('gpu:1', ('--gres', 'gpu:4'), 4),
        ('', (), None),
        ('shard:8', (), None),
        ('gpu:1', ('--gpus-per-node=4',), None),
        ('gpu:1', ('-G', '4'), None),
    ],
)
def test_that_the_gpus_a_job_asks_for_are_read(gres: str, extra: tuple[str, ...], gpus: int | None) -> None:
    assert Slurm(SlurmOptions(gres=gres, extra=extra), user=1000).gpus == gpus


@pytest.mark.parametrize(
    ('time', 'extra', 'seconds'),
    [
        ('', (), 24 * 3600),
        ('90', (), 5400),
        ('10:30', (), 630),
        ('1:00:05', (), 3605),
        ('2-3', (), 2 * 86400 + 3 * 3600),
        ('1-0:30', (), 86400 + 1800),
        ('1-00:00:01', (), 86401),
        ('', ('--time=5',), 300),
        ('', ('-t', '1-0'), 86400),
        ('', ('-t7',), 420),
        ('UNLIMITED', (), None),
        ('0', (), None),
    ],
)
def test_that_the_time_limit_of_a_job_is_read(time: str, extra: tuple[str, ...], seconds: int | None) -> None:
    assert Slurm(SlurmOptions(time=time, extra=extra), user=1000).time_limit == seconds


def test_that_a_job_is_asked_for_by_its_id_alone() -> None:
    argv = SLURM.job_argv('77')
    assert argv[:2] == ['squeue', '--all']
    assert (argv[-1], [word for word in argv if 'user' in word]) == ('--jobs=77', [])
    unknown = CommandResult(1, '', 'slurm_load_jobs error: Invalid job id specified\n')
    assert SLURM.parse_job(unknown) == []
    assert SLURM.parse_job(CommandResult(0, '')) == []
    away = CommandResult(1, '', 'slurm_load_jobs error: Unable to contact slurm controller (connect failure)\n')
    assert SLURM.parse_job(away) is None
    assert SLURM.parse_job(CommandResult(None, '', 'squeue did not answer within 60 s')) is None


def test_that_a_listing_says_when_a_job_was_submitted() -> None:
    line = '7_1|2026-11-26T00:26:41|a|name|RUNNING|None|n1\n'
    (seen,) = SLURM.parse_listing(CommandResult(0, line)) or ()
    begin = time.mktime(time.strptime('2026-11-26T00:26:41', '%Y-%m-%dT%H:%M:%S'))
    assert (seen.name, seen.kind, seen.submitted) == ('a|name', JobState.RUNNING, begin)


def test_that_one_listing_shows_all_jobs_of_the_user() -> None:
    assert SLURM.list_argv() == [
        *('squeue', '--all', '--noheader', '--array', '--states=all', '--format=%i|%V|%j|%T|%r|%N', '--user=1000')
    ]


ENDS = {
    ('000mix', 1): ('', 'COMPLETED'),
    ('000mix', 2): ('', 'FAILED (NonZeroExitCode)'),
    ('000mix', 3): ('', 'FAILED (JobLaunchFailure)'),
    ('000mix', 4): ('cancelled', 'CANCELLED'),
    ('00low0', 1): ('preempted', 'PREEMPTED'),
    ('00low0', 2): ('cancelled', 'CANCELLED'),
    ('0nolog', 1): ('', 'FAILED (JobLaunchFailure)'),
    ('refused', 1): ('', 'FAILED (BadConstraints)'),
}


def test_that_ends_are_listed_with_their_causes() -> None:
    seen = listed('states.txt', 'many at once')
    assert {key: (seen[key].cause, seen[key].reason) for key in ENDS} == ENDS
    assert {seen[key].kind for key in ENDS} == {JobState.ENDED}


def test_that_a_lost_node_and_a_time_limit_are_causes() -> None:
    lost = listed('states.txt', 'a minute after n4 was lost')[('00node', 2)]
    assert (lost.kind, lost.cause, lost.where) == (JobState.ENDED, 'node_fail', 'n4')
    timed_out = {seen.job: seen for seen in SLURM.parse_listing(last_listing('ends.txt')) or []}['39']
    assert (timed_out.kind, timed_out.cause) == (JobState.ENDED, 'timeout')


def last_listing(name: str) -> CommandResult:
    """The last listing of a file."""
    return [answer for _, words, answer in transcript(name) if words[0] == 'squeue'][-1]


def test_that_a_job_that_is_ending_still_runs() -> None:
    ending = listed('states.txt', 'many at once')[('000mix', 5)]
    assert (ending.kind, ending.cause, ending.reason) == (JobState.RUNNING, '', 'COMPLETING')


def test_that_a_running_job_is_somewhere() -> None:
    running = listed('states.txt', 'many at once')[('000mix', 6)]
    assert (running.kind, running.where, running.reason, running.code) == (JobState.RUNNING, 'n2', '', None)


WAITING = {
    ('toolong', 2): ('PartitionTimeLimit', True),
    ('5nodes', 1): ('PartitionNodeLimit', True),
    ('00after', 1): ('DependencyNeverSatisfied', True),
    ('00few0', 3): ('QOSMaxJobsPerUserLimit', False),
    ('0begin', 1): ('BeginTime', False),
    ('00held', 2): ('JobHeldUser', False),
}


def test_that_a_job_that_waits_says_why_and_whether_it_waits_in_vain() -> None:
    seen = listed('states.txt', 'many at once')
    assert {key: (seen[key].reason, seen[key].is_stuck) for key in WAITING} == WAITING
    assert {seen[key].kind for key in WAITING} == {JobState.PENDING}


def test_that_a_restarted_job_waits_again() -> None:
    seen = listed('other.txt', 'restarted')
    assert seen[('again0', 1)].kind is JobState.PENDING
    assert accounted('other.txt', 'restarted')[('again0', 1)].kind is JobState.RUNNING


def test_that_names_of_other_jobs_do_no_harm() -> None:
    names = {
        seen.job: seen.name for seen in SLURM.parse_listing(answer_to('states.txt', 'squeue', 'many at once')) or []
    }
    assert (names['34'], names['35']) == ('a|b (c', '')


@pytest.mark.parametrize(
    'said', ['the controller is away', 'the controller stands still', 'munged is away', 'there is no configuration']
)
def test_that_a_controller_that_is_away_lists_nothing(said: str) -> None:
    assert SLURM.parse_listing(answer_to('away.txt', 'squeue', said)) is None


def test_that_a_user_who_cannot_be_looked_up_is_no_empty_queue() -> None:
    answer = answer_to('other.txt', 'squeue', 'a user who cannot be looked up')
    assert (answer.code, answer.out.strip()) == (0, '')
    assert SLURM.parse_listing(answer) is None


def test_that_an_empty_queue_is_an_answer() -> None:
    assert SLURM.parse_listing(answer_to('other.txt', 'squeue', 'a user without jobs')) == []


@pytest.mark.parametrize(
    'answer', [CommandResult(None, err='no answer'), CommandResult(1, '1_1|a|COMPLETED|None|n1\n'), CommandResult(-9)]
)
def test_that_a_command_that_failed_is_no_answer(answer: CommandResult) -> None:
    assert SLURM.parse_listing(answer) is None
    assert SLURM.parse_accounting(answer) is None


@pytest.mark.parametrize(
    ('ident', 'indices'),
    [
        ('123', [0]),
        ('123_4', [4]),
        ('123_[5-7%25]', [5, 6, 7]),
        ('123_[1,3,8-10%2]', [1, 3, 8, 9, 10]),
        ('123_[1-9:4]', [1, 5, 9]),
        ('123_[1,3,...]', [1, 3]),
        ('123_[1-999999999999]', []),
        ('123_[4-2]', []),
        ('123_[1-3:0]', []),
        ('123+0', []),
        ('123_4.batch', []),
        ('hello', []),
    ],
)
def test_that_the_elements_of_a_line_are_taken_apart(ident: str, indices: list[int]) -> None:
    assert [seen.index for seen in listing(f'{ident}|{NAME}|PENDING|Resources|')] == indices


def test_that_what_a_line_says_of_one_element_counts_more_than_what_it_says_of_many() -> None:
    lines = (f'44_6|{NAME}|COMPLETED|0:0|n2', f'44_[6-8%5]|{NAME}|CANCELLED by 0|0:0|None assigned')
    for order in (lines, lines[::-1]):
        assert {seen.index: seen.cause for seen in account(*order)} == {6: '', 7: 'cancelled', 8: 'cancelled'}


@pytest.mark.parametrize('word', ['MELTING', '', '?', 'LAUNCH_FAILED'])
def test_that_an_unheard_of_state_is_no_end(word: str) -> None:
    assert [seen.kind for seen in listing(f'1_1|{NAME}|{word}|None|n1')] == [JobState.RUNNING]


def test_that_only_ends_have_causes() -> None:
    assert all(state.kind is JobState.ENDED for state in STATES.values() if state.cause)
    assert {state.kind for state in STATES.values()} == {JobState.PENDING, JobState.RUNNING, JobState.ENDED}


@pytest.mark.parametrize(
    'reason',
    [
        'PartitionTimeLimit',
        'BadConstraints',
        'QOSMaxWallDurationPerJobLimit',
        'QOSMaxMemoryPerJob',
        'AssocMaxGRESPerNode',
        'AssocMaxCpuMinutesPerJobLimit',
        'QOSMinGRES',
        'InvalidAccount',
        'MaxMemPerLimit',
    ],
)
def test_that_what_is_against_a_rule_waits_in_vain(reason: str) -> None:
    assert is_stuck(reason)
    assert [seen.is_stuck for seen in listing(f'1_1|{NAME}|PENDING|{reason}|')] == [True]


@pytest.mark.parametrize(
    'reason',
    [
        '',
        'Priority',
        'Resources',
        'JobArrayTaskLimit',
        'QOSMaxJobsPerUserLimit',
        'QOSMaxCpuPerUserLimit',
        'MaxGRESPerAccount',
        'QOSGrpCpuLimit',
        'AssocGrpCPUMinutesLimit',
        'AssocMaxJobsLimit',
        'QOSMaxSubmitJobPerUserLimit',
        'Dependency',
        'PartitionDown',
        'ReqNodeNotAvail, UnavailableNodes:n3',
        'Nodes required for job are DOWN, DRAINED or reserved for jobs in higher priority partitions',
        'JobHeldUser',
    ],
)
def test_that_what_passes_does_not_wait_in_vain(reason: str) -> None:
    assert not is_stuck(reason)


def test_that_what_runs_or_has_ended_does_not_wait() -> None:
    assert not any(
        seen.is_stuck for seen in listing(f'1_1|{NAME}|FAILED|BadConstraints|', f'1_2|{NAME}|RUNNING|None|n1')
    )


GOOD = st.builds(
    lambda job, index, state: (job, index, f'{job}_{index}|{NAME}|{state}|None|n1'),
    st.integers(1, 10**6),
    st.integers(1, 1000),
    st.sampled_from(sorted(STATES)),
)
BAD = st.one_of(
    st.text(st.characters(codec='utf-8', exclude_categories=['C', 'Zl', 'Zp'])).filter(
        lambda text: not re.match(r'\s*\d', text)
    ),
    st.sampled_from(['1_1', '1_1|a|b', '1_1.batch|a|RUNNING|None|n1', '5+1|a|RUNNING|None|n1', '|||||']),
)


@given(st.lists(st.one_of(GOOD, BAD)))
def test_that_lines_of_no_sense_are_passed_over(lines: list[tuple[int, int, str] | str]) -> None:
    texts = [line if isinstance(line, str) else line[2] for line in lines]
    expected = {line[:2] for line in lines if not isinstance(line, str)}
    for seen in (listing(*texts), account(*texts)):
        assert {(int(each.job), each.index) for each in seen} == expected
        assert len(seen) == len(expected)


def test_that_a_listing_of_ten_thousand_is_read_whole() -> None:
    lines = [f'77_{index}|{NAME}|PENDING|JobArrayTaskLimit|' for index in range(1, 10_001)]
    assert len(listing(*lines)) == 10_000


# ---------------------------------------------------------------------------------------------------------- accounting


def test_that_the_accounting_is_asked_from_the_day_before() -> None:
    words = SLURM.accounting_argv(['12', '15'], 1_800_000_000.0)
    start = time.mktime(time.strptime(words[4].partition('=')[2], '%Y-%m-%dT%H:%M:%S'))
    assert words[0] == 'sacct'
    assert words[-1] == '--jobs=12,15'
    assert start == 1_800_000_000 - 86400


def test_that_the_accounting_tells_causes_and_codes() -> None:
    told = accounted('states.txt', 'a minute after n4 was lost')
    assert {key: (told[key].kind, told[key].cause, told[key].code) for key in told if key[0] == '000mix'} == {
        ('000mix', 1): (JobState.ENDED, '', 0),
        ('000mix', 2): (JobState.ENDED, '', 3),
        ('000mix', 3): (JobState.ENDED, '', 128 + 9),
        ('000mix', 4): (JobState.ENDED, 'cancelled', None),
        ('000mix', 5): (JobState.ENDED, 'cancelled', None),
        ('000mix', 6): (JobState.RUNNING, '', None),
        ('000mix', 7): (JobState.ENDED, 'node_fail', None),
        ('000mix', 8): (JobState.ENDED, 'node_fail', None),
        ('000mix', 9): (JobState.ENDED, 'cancelled', None),
    }
    assert (told[('0nolog', 1)].code, told[('0nolog', 1)].reason) == (128 + 53, 'FAILED (ExitCode 0:53)')
    assert (told[('00low0', 1)].cause, told[('00low0', 2)].reason) == ('preempted', 'CANCELLED by 0')
    assert [told[('toolong', index)].kind for index in (1, 2, 3)] == [JobState.PENDING] * 3


def test_that_a_lack_of_memory_is_a_cause_and_no_exit_status() -> None:
    (told,) = account(f'9_1|{NAME}|OUT_OF_MEMORY|0:125|n1')
    assert (told.cause, told.code) == ('out_of_memory', None)


def test_that_no_accounting_is_no_answer() -> None:
    assert SLURM.parse_accounting(CommandResult(1, '', 'Slurm accounting storage is disabled\n')) is None
    assert SLURM.parse_accounting(answer_to('away.txt', 'sacct', 'the accounting is away')) is None
    assert SLURM.parse_accounting(answer_to('away.txt', 'sacct', 'munged is away')) is None
    assert SLURM.parse_accounting(CommandResult(0, '', 'sacct: error: slurmdbd: Connection refused\n')) is None


def test_that_the_accounting_may_know_nothing() -> None:
    assert SLURM.parse_accounting(CommandResult(0)) == []


# ------------------------------------------------------------------------------------------- cancelling, limits, places


@pytest.mark.parametrize(
    ('indices', 'whole', 'words'),
    [
        ([1, 2, 3], True, ['scancel', '40']),
        ([3], False, ['scancel', '40_3']),
        ([7, 3, 5, 6, 3], False, ['scancel', '40_[3,5-7]']),
    ],
)
@pytest.mark.parametrize('force', [False, True])
def test_that_exactly_the_elements_are_cancelled(
    indices: list[int], whole: bool, force: bool, words: list[str]
) -> None:
    assert SLURM.cancel_argv('40', indices, whole=whole, force=force) == words


@given(st.sets(st.integers(1, 300), min_size=1))
def test_that_a_list_of_indices_stands_for_all_of_them(indices: set[int]) -> None:
    seen = listing(f'1_[{format_indices(indices)}]|{NAME}|PENDING|Resources|')
    assert {each.index for each in seen} == indices


@pytest.mark.parametrize('said', ['one that runs, one that waits, several', 'again, and some that are not there'])
def test_that_what_is_not_there_needs_no_end(said: str) -> None:
    answers = [answer for each, words, answer in transcript('cancel.txt') if each == said and words[-1] != 'abc']
    assert len(answers) >= 3
    assert not any(SLURM.parse_cancel(answer) for answer in answers)


def test_that_one_that_could_not_be_told_to_end_is_told_again() -> None:
    answer = CommandResult(
        1,
        '',
        'scancel: error: Kill job error on job id 40_77: Invalid job id specified\n'
        'scancel: error: Kill job error on job id 40_3: Job can not be altered now, try again later\n',
    )
    assert SLURM.parse_cancel(answer) == 'Kill job error on job id 40_3: Job can not be altered now, try again later'


@pytest.mark.parametrize('said', ['the controller is away', 'the controller stands still', 'munged is away'])
def test_that_a_cancellation_that_nobody_heard_failed(said: str) -> None:
    assert SLURM.parse_cancel(answer_to('away.txt', 'scancel', said))


@pytest.mark.parametrize(
    'answer', [CommandResult(None, err='scancel did not answer within 60 s'), CommandResult(1), CommandResult(-9)]
)
def test_that_a_cancellation_without_an_answer_failed(answer: CommandResult) -> None:
    assert SLURM.parse_cancel(answer)


def test_that_the_limits_are_those_of_the_configuration() -> None:
    ((_, words, answer),) = transcript('limits.txt')
    assert SLURM.limits_argv() == words
    limits = SLURM.parse_limits(answer)
    assert (limits.array, limits.has_accounting) == (1000, True)


@pytest.mark.parametrize(
    ('text', 'array', 'has_accounting'),
    [
        ('', 1000, True),
        ('MaxArraySize            = 100001\n', 100_000, True),
        ('MaxArraySize = 5001\nSchedulerParameters = defer,max_array_tasks=200\n', 200, True),
        ('MaxArraySize = 0\n', 1, True),
        ('AccountingStorageType   = accounting_storage/none\n', 1000, False),
        ('AccountingStorageType   = (null)\n', 1000, False),
    ],
)
def test_that_limits_are_read(text: str, array: int, has_accounting: bool) -> None:
    limits = SLURM.parse_limits(CommandResult(0, text))
    assert (limits.array, limits.has_accounting) == (array, has_accounting)


def test_that_an_inherited_job_is_left_behind() -> None:
    inherited = {
        'PATH': '/usr/bin',
        'SLURM_CONF': '/etc/slurm/slurm.conf',
        'SLURM_JWT': 'token',
        'LSF_ENVDIR': '/lsf/conf',
        'SLURM_JOB_ID': '5',
        'SLURM_CONF_X': '1',
        'SLURMD_NODENAME': 'n1',
        'SBATCH_PARTITION': 'gpu',
        'SBATCH_CPU_BIND': 'quiet',
        'SBATCH_MEM_BIND_TYPE': 'none',
        'SLURM_CLUSTERS': 'b',
        'SQUEUE_FORMAT': '%i',
        'SLURM_TIME_FORMAT': 'relative',
        'LSB_JOBID': '7',
        'CUDA_VISIBLE_DEVICES': '3',
        'ROCR_VISIBLE_DEVICES': '3',
    }
    left = {'PATH', 'SLURM_CONF', 'SLURM_JWT', 'LSF_ENVDIR', 'SBATCH_PARTITION'}
    assert set(environment_outside_jobs(inherited)) == left
    assert set(SLURM.environment(inherited)) == left | {'SLURM_BITSTR_LEN'}


def test_that_gpus_chosen_by_a_person_stay_chosen() -> None:
    assert environment_outside_jobs({'CUDA_VISIBLE_DEVICES': '2'}) == {'CUDA_VISIBLE_DEVICES': '2'}


@pytest.mark.parametrize(
    ('environ', 'job'),
    [
        ({}, ''),
        ({'SLURM_JOB_ID': '13', 'SLURMD_NODENAME': 'n1'}, '13'),
        (
            {
                'SLURM_JOB_ID': '13',
                'SLURM_ARRAY_JOB_ID': '7',
                'SLURM_ARRAY_TASK_ID': '4',
                'SLURMD_NODENAME': 'n1',
            },
            '7_4',
        ),
        ({'SLURM_JOB_ID': 'x', 'SLURMD_NODENAME': 'n1'}, ''),
        # A shell of salloc on a login node.
        ({'SLURM_JOB_ID': '13', 'SLURM_NODELIST': 'n1'}, ''),
    ],
)
def test_that_a_process_knows_the_job_it_is_in(environ: dict[str, str], job: str) -> None:
    assert own_job(environ) == job


def test_that_the_end_of_the_job_is_told_by_newer_versions() -> None:
    inside = {'SLURM_JOB_ID': '13', 'SLURMD_NODENAME': 'n1'}
    assert job_end(inside) is None
    assert job_end({**inside, 'SLURM_JOB_END_TIME': '1800000000'}) == 1_800_000_000.0
    assert job_end({'SLURM_JOB_END_TIME': '1800000000'}) is None


@pytest.mark.parametrize(
    ('text', 'seconds'),
    [
        ('59:57\n', 3597.0),
        ('0:05\n', 5.0),
        ('1:00:00\n', 3600.0),
        ('2-03:04:05\n', 183845.0),
        ('UNLIMITED\n', None),
        ('INVALID\n', None),
        ('NOT_SET\n', None),
        ('', None),
        ('1:00:00\n59:59\n', None),
    ],
)
def test_that_the_time_left_is_read(text: str, seconds: float | None) -> None:
    assert parse_time_left(CommandResult(0, text)) == seconds
    assert parse_time_left(CommandResult(1, text)) is None


# --------------------------------------------------------------------------------------------------------------- nodes


@pytest.mark.parametrize(
    ('extra', 'excluded'),
    [
        ((), 'n3,n4'),
        (('--exclude=n7',), 'n7,n3,n4'),
        (('--exclude', 'n[7-9]'), 'n[7-9],n3,n4'),
        (('-x', 'n7', '--comment=x'), 'n7,n3,n4'),
        (('-xn7',), 'n7,n3,n4'),
        (('--excl=n7',), 'n7,n3,n4'),
        (('--exclude=n6', '--exclude=n7'), 'n7,n3,n4'),
        (('--exclusive',), 'n3,n4'),
        (('--exclusive=user',), 'n3,n4'),
    ],
)
def test_that_nodes_are_avoided_beside_those_that_the_user_excludes(extra: tuple[str, ...], excluded: str) -> None:
    slurm = Slurm(SlurmOptions(extra=extra), 1000)
    argv = slurm.submit_argv(JobSpec('x', 1, 1, '/log', avoided=('n3', 'n4')))
    assert argv[-1] == f'--exclude={excluded}', 'the last one counts'
    assert slurm.avoid_argv('12', ('n3', 'n4'), None)[-1] == f'ExcNodeList={excluded}'
    assert slurm.trial_argv(('n3', 'n4'))[-3:] == [f'--exclude={excluded}', '--test-only', '--wrap=:']


def test_that_nodes_are_avoided_on_the_cluster_of_the_jobs() -> None:
    slurm = Slurm(SlurmOptions(clusters='b'), 1000)
    assert slurm.avoid_argv('12', ('n3',), None)[:2] == ['scontrol', '--clusters=b']
    assert slurm.trial_argv(('n3',))[:2] == ['sbatch', '--clusters=b']


def test_that_nodes_that_the_prologue_or_the_environment_excludes_stay_excluded() -> None:
    slurm, _ = Slurm(SlurmOptions(), 1000).with_requests({}, '#SBATCH -x n7\n')
    assert slurm.avoid_argv('12', ('n3',), None)[-1] == 'ExcNodeList=n7,n3'
    slurm, _ = Slurm(SlurmOptions(), 1000).with_requests({'SBATCH_EXCLUDE': 'n8'}, '')
    assert slurm.submit_argv(JobSpec('x', 1, 1, '/log', avoided=('n3',)))[-1] == '--exclude=n8,n3'


def test_that_what_the_user_excludes_stays_when_nothing_else_is_avoided() -> None:
    slurm = Slurm(SlurmOptions(extra=('--exclude=n7',)), 1000)
    assert slurm.submit_argv(JobSpec('x', 1, 1, '/log'))[-1] == '--exclude=n7'
    assert slurm.avoid_argv('12', (), None) == ['scontrol', 'update', 'JobId=12', 'ExcNodeList=n7']


@pytest.mark.parametrize(
    ('answer', 'can'),
    [
        (CommandResult(0, '', 'sbatch: Job 7 to start at 2026-11-26T00:33:33 using 1 processors on nodes n4'), True),
        (CommandResult(1, '', 'allocation failure: Requested node configuration is not available'), False),
        (CommandResult(1, '', 'sbatch: error: Batch job submission failed: Invalid node name specified'), False),
        (CommandResult(1, '', 'sbatch: error: Unable to contact slurm controller'), None),
        (CommandResult(None, '', 'sbatch did not answer within 60 s'), None),
    ],
)
def test_that_slurm_says_whether_jobs_can_run_without_a_node(answer: CommandResult, can: bool | None) -> None:
    assert SLURM.parse_trial(answer, ('n3',)) is can


@pytest.mark.parametrize(
    ('answer', 'problem'),
    [
        (CommandResult(0), ''),
        (CommandResult(1, '', '12_1-2: Job is no longer pending execution\n12_3-20: No error\n'), ''),
        (CommandResult(1, '', '12_1-2: Job has already finished\n12_3-6: No error\n'), ''),
        (CommandResult(1, '', 'slurm_update error: Unable to contact slurm controller\n'), 'Unable to contact'),
        (CommandResult(None, '', 'scontrol did not answer'), 'did not answer'),
    ],
)
def test_that_elements_that_have_begun_are_no_failure_to_avoid_a_node(answer: CommandResult, problem: str) -> None:
    assert problem in SLURM.parse_avoid(answer)
    assert bool(SLURM.parse_avoid(answer)) is bool(problem)


@pytest.mark.parametrize(
    ('text', 'seconds'),
    [
        ('4', 240),
        ('4:30', 270),
        ('1:00:00', 3600),
        ('1-0', 86400),
        ('1-2', 93600),
        ('1-02:30', 95400),
        ('1-02:30:15', 95415),
        ('UNLIMITED', None),
        ('0', None),
        ('', None),
    ],
)
def test_that_time_limits_are_read(text: str, seconds: int | None) -> None:
    assert parse_time_limit(text) == seconds


@pytest.mark.parametrize(
    ('options', 'seconds'),
    [
        (SlurmOptions(hours=2), 7200),
        (SlurmOptions(hours=2, time='4'), 240),
        (SlurmOptions(time='4', extra=('--time=5',)), 300),
        (SlurmOptions(time='4', extra=('-t', '6', '--time-min=1')), 360),
        (SlurmOptions(time='4', extra=('-t7',)), 420),
        (SlurmOptions(extra=('--time=INFINITE',)), None),
    ],
)
def test_that_the_time_limit_of_a_job_is_known(options: SlurmOptions, seconds: int | None) -> None:
    assert Slurm(options).time_limit == seconds
