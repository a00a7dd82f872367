"""The pure half for LSF, on what a real LSF-compatible scheduler printed (``data/lsf``)."""

from __future__ import annotations

import re
import time
from collections.abc import Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hpsearch.backends.queue.batch_system import BatchSystem, CommandResult, JobSpec, Refusal, format_indices
from hpsearch.backends.queue.lsf.options import LsfOptions
from hpsearch.backends.queue.lsf.parsing import STATES, TERMINATIONS, Dialect, cause_of, parse_dialect, parse_job_end
from hpsearch.backends.queue.lsf.system import Lsf, long_listing_argv, own_job
from hpsearch.model.evidence import JobRecord, JobState
from tests.support.paths import DATA

TRANSCRIPTS = DATA / 'lsf'
JOB = JobSpec('hps-1234abcd-5ef678', 10, 2, '/home/user/out/submissions/hps-1234abcd-5ef678.log')
NAME = JOB.name
COMMON = Lsf(LsfOptions())
IBM = Lsf(LsfOptions(), Dialect.IBM)


def transcript(name: str) -> Iterator[tuple[str, CommandResult]]:
    """The commands of a transcript, each with its answer."""
    text = (TRANSCRIPTS / name).read_text(encoding='utf-8')
    for block in re.split(r'^\$ ', text, flags=re.MULTILINE)[1:]:
        command: list[str] = []
        lines = {'out': '', 'err': ''}
        for line in block.splitlines():
            if mark := re.match(r'\[(out|err)\] ?(.*)', line):
                lines[mark[1]] += mark[2] + '\n'
            elif code := re.match(r'\[rc \] (\d+)', line):
                yield '\n'.join(command), CommandResult(int(code[1]), lines['out'], lines['err'])
            elif not line.startswith('[...'):
                command.append(line)


def answers(name: str, start: str) -> list[tuple[str, CommandResult]]:
    """The answers to commands that begin with these words."""
    return [(command, answer) for command, answer in transcript(name) if command.startswith(start)]


def answer_to(name: str, command: str, occurrence: int = 0) -> CommandResult:
    """The answer to exactly this command."""
    return [answer for each, answer in transcript(name) if each == command][occurrence]


def listed(answer: CommandResult, lsf: Lsf = COMMON) -> dict[tuple[str, int], JobRecord]:
    """A listing that answered, by job and index."""
    records = lsf.parse_listing(answer)
    assert records is not None
    return {(seen.job, seen.index): seen for seen in records}


def told(answer: CommandResult) -> JobRecord:
    """The one job of a history."""
    records = COMMON.parse_accounting(answer)
    assert records is not None
    (seen,) = records
    return seen


def test_that_lsf_is_a_queue_system() -> None:
    system: BatchSystem = COMMON
    assert system.name == 'lsf'


# The kind of LSF


@pytest.mark.parametrize(
    ('version', 'dialect'),
    [
        ('IBM Spectrum LSF Standard 10.1.0.14, Aug 01 2024', Dialect.IBM),
        ('IBM Spectrum LSF Community Edition 10.1.0.12, Jun 10 2021', Dialect.IBM),
        ('IBM Spectrum LSF 10.1.0.0, Jul 04 2016', Dialect.IBM),
        ('IBM Platform LSF Standard 9.1.3.0, Jul 04 2014', Dialect.COMMON),
        ('Platform LSF 7.0.6.134609, Sep 03 2009', Dialect.COMMON),
        ('openlava project 3.0, Jun 2 2015', Dialect.COMMON),
        ('', Dialect.COMMON),
    ],
)
def test_that_the_kind_is_told_by_lsid(version: str, dialect: Dialect) -> None:
    banner = f'{version}\nCopyright International Business Machines Corp. 1992, 2016.\n\nMy cluster name is c\n'
    assert parse_dialect(CommandResult(0, banner)) is dialect


def test_that_the_kind_is_known_even_while_the_daemons_are_down() -> None:
    assert parse_dialect(answer_to('13_daemons_down.txt', 'timeout 25 lsid')) is Dialect.COMMON
    assert (
        parse_dialect(CommandResult(255, 'IBM Spectrum LSF 10.1.0.0, Jul 04 2016\n', 'LIM is down; try later'))
        is Dialect.IBM
    )


def test_that_bsub_gpu_is_refused_where_it_is_not_known() -> None:
    wants_gpu = LsfOptions(gpu='num=1:mode=exclusive_process')
    assert '--resources' in Lsf(wants_gpu, Dialect.COMMON).problems[0]
    assert not Lsf(wants_gpu, Dialect.IBM).problems
    assert not Lsf(LsfOptions(), Dialect.COMMON).problems


# Submissions


def test_that_a_job_is_submitted_as_an_array() -> None:
    assert COMMON.submit_argv(JOB) == ['bsub', '-J', f'{NAME}[1-10]%2', '-W', '24:00', '-o', '/dev/null']


def test_that_an_array_without_a_throttle_has_none() -> None:
    assert f'{NAME}[1-3]' in COMMON.submit_argv(JobSpec(NAME, 3, 0, ''))


def test_that_only_options_that_were_given_are_passed_and_further_words_come_last() -> None:
    options = LsfOptions('rusage[mem=1]', 4, 'gpu', 'vision', '', ('-n', '2'))
    words = Lsf(options).submit_argv(JOB)
    assert words[3:5] == ['-W', '4:00']
    assert words[7:] == ['-R', 'rusage[mem=1]', '-q', 'gpu', '-P', 'vision', '-n', '2']


@pytest.mark.parametrize(
    ('given_as', 'passed'),
    [
        ('rusage[mem=8000]', 'rusage[mem=8000]'),
        ('"rusage[mem=8000, ngpus_excl_p=1]"', 'rusage[mem=8000, ngpus_excl_p=1]'),
        ("'rusage[mem=8000]'", 'rusage[mem=8000]'),
        ('""select[type==any]""', '"select[type==any]"'),
        ('"rusage[mem=8000]\'', '"rusage[mem=8000]\''),
    ],
)
def test_that_one_pair_of_quotes_around_the_resources_is_removed(given_as: str, passed: str) -> None:
    assert Lsf(LsfOptions(given_as)).submit_argv(JOB)[-2:] == ['-R', passed]


@pytest.mark.parametrize('nothing', ['', '""', "''"])
def test_that_empty_resources_are_not_passed(nothing: str) -> None:
    assert '-R' not in Lsf(LsfOptions(nothing)).submit_argv(JOB)


def test_that_options_of_ibm_are_passed_to_ibm_only() -> None:
    options = LsfOptions(gpu='num=1')
    job = JobSpec(NAME, 1, 0, '', warning=90)
    theirs = ['-rn', '-gpu', 'num=1', '-wa', 'USR2', '-wt', '2']
    assert Lsf(options, Dialect.IBM).submit_argv(job)[-7:] == theirs
    assert not set(theirs) & set(Lsf(options).submit_argv(job))
    assert '-wa' not in Lsf(options, Dialect.IBM).submit_argv(JOB)


SUBMISSIONS = ['01_bsub.txt', '04_arrays.txt', '13_daemons_down.txt']


@pytest.mark.parametrize('name', SUBMISSIONS)
def test_that_a_job_is_accepted_exactly_where_the_scheduler_accepted_it(name: str) -> None:
    for command, answer in transcript(name):
        if 'bsub' in command and '-V' not in command:
            submitted = COMMON.parse_submission(answer)
            assert (submitted.refusal is None) == (answer.code == 0), command
            assert bool(submitted.job) == (answer.code == 0), command


def test_that_the_id_of_an_accepted_job_is_read_for_either_queue() -> None:
    assert COMMON.parse_submission(answer_to('01_bsub.txt', 'bsub -q short -o out.%J -J viaQ "sleep 1"')).job == '2'
    accepted = CommandResult(
        0, 'esub: project set\nJob <4711> is submitted to default queue <normal>.\n', 'a warning\n'
    )
    assert COMMON.parse_submission(accepted).job == '4711'
    assert COMMON.parse_submission(accepted).message == 'a warning'


REFUSALS = [
    ('bsub -q nosuchqueue sleep 1', 'nosuchqueue: No such queue. Job not submitted.'),
    ('bsub -q admins sleep 1', 'admins: User cannot use the queue. Job not submitted.'),
    ('bsub -R "rusage[mem=" sleep 1', 'Bad resource requirement syntax. Job not submitted.'),
    ('bsub -q short -W 10 sleep 1', "RUNLIMIT: Cannot exceed queue's hard limit(s). Job not submitted."),
    ('bsub -W abc sleep 1', 'abc: Bad RUNLIMIT specification. Job not submitted.'),
    ('bsub -n 99 sleep 1', 'Too many processors requested. Job not submitted.'),
    ('bsub -gpu "num=1" sleep 1', 'bsub: illegal option -- gpu'),
    ('bsub -Ne sleep 1', 'bsub: option cannot have an argument -- N'),
    ('bsub -m nosuchhost sleep 1', 'nosuchhost: Bad host name, host group name or cluster name. Job not submitted.'),
    ('bsub', 'No command is specified. Job not submitted.'),
]


@pytest.mark.parametrize(('command', 'words'), REFUSALS)
def test_that_what_can_never_be_accepted_is_told_in_the_scheduler_s_words(command: str, words: str) -> None:
    submitted = COMMON.parse_submission(answer_to('01_bsub.txt', command))
    assert (submitted.refusal, submitted.message) == (Refusal.WRONG, words)


def test_that_an_lsf_that_is_not_set_up_is_an_error_not_a_pause() -> None:
    submitted = COMMON.parse_submission(answer_to('13_daemons_down.txt', 'env -u LSF_ENVDIR bsub true'))
    assert submitted.refusal is Refusal.WRONG
    assert 'lsf.conf' in submitted.message


@pytest.mark.parametrize(
    ('err', 'refusal'),
    [
        ('Pending job threshold reached. Job not submitted.', Refusal.LIMIT),
        ('User <user>: Pending job slots threshold reached. Job not submitted.', Refusal.LIMIT),
        ('Job array index too large. Job not submitted.', Refusal.LIMIT),
        ('No job Id can be used now. Job not submitted.', Refusal.LIMIT),
        ('normal: Queue has been closed. Job not submitted.', Refusal.CLOSED),
        ('Failed in an LSF library call: LIM is down; try later. Job not submitted.', Refusal.AWAY),
        ('Contacting batch daemon: Communication timeout. Job not submitted.', Refusal.AWAY),
        ('Master batch daemon internal error. Job not submitted.', Refusal.AWAY),
        ('LSF is down. Please wait ...', Refusal.AWAY),
        ('', Refusal.AWAY),
        ('Request aborted by esub. Job not submitted.', Refusal.WRONG),
        ('User permission denied. Job not submitted.', Refusal.WRONG),
        ('something nobody has seen yet', Refusal.WRONG),
    ],
)
def test_that_refusals_are_told_apart(err: str, refusal: Refusal) -> None:
    assert COMMON.parse_submission(CommandResult(255, '', err)).refusal is refusal


@pytest.mark.parametrize(
    'answer', [CommandResult(None, '', 'Pending job threshold reached. Retrying'), CommandResult(0, 'what?', '')]
)
def test_that_an_answer_that_says_nothing_is_no_refusal_for_good(answer: CommandResult) -> None:
    assert COMMON.parse_submission(answer).refusal is Refusal.AWAY


@given(st.text(), st.integers(1, 255))
def test_that_no_word_of_a_refusal_is_lost(words: str, code: int) -> None:
    submitted = COMMON.parse_submission(CommandResult(code, '', words))
    kept = words.partition('Usage:')[0] if 'Usage:' in words else words
    assert set(kept.split()) <= set(submitted.message.split())


# Memory


@pytest.mark.parametrize(
    ('resources', 'extra', 'mebibytes'),
    [
        ('rusage[mem=8000, ngpus_excl_p=1]', (), 8000),
        ('select[mem>500] rusage[ngpus_excl_p=1:mem=8GB]', (), 8192),
        ('"rusage[mem=0.5G]"', ('-M', '4GB'), 512),
        ('select[maxmem>64000]', (), None),
        ('rusage[gmem=5000, ngpus=1]', (), None),
        ('', ('-M', '4GB'), 4096),
        ('', ('-n', '2', '-M2048MB!'), 2048),
        ('', ('-M', '2097152'), 2048),
        ('', ('-M',), None),
        ('rusage[mem=0]', (), None),
    ],
)
def test_that_the_memory_a_job_asks_for_is_read(resources: str, extra: tuple[str, ...], mebibytes: int | None) -> None:
    assert Lsf(LsfOptions(resources, extra=extra)).memory == mebibytes


@pytest.mark.parametrize(
    ('resources', 'extra', 'mebibytes', 'expected'),
    [
        ('rusage[mem=8000, ngpus_excl_p=1]', (), 12000, ['-R', 'rusage[mem=12000, ngpus_excl_p=1]']),
        ('select[mem>100] rusage[mem=8GB]', (), 16384, ['-R', 'select[mem>100] rusage[mem=16GB]']),
        ('rusage[mem=1GB]', (), 1536, ['-R', 'rusage[mem=1536MB]']),
        ('rusage[mem=8000]', ('-M', '9GB'), 16000, ['-R', 'rusage[mem=16000]', '-M', '18GB']),
        ('', ('-x', '-M1048576!'), 1500, ['-x', '-M1536000!']),
        ('rusage[mem=10:duration=5] rusage[mem=4]', (), 15, ['-R', 'rusage[mem=15:duration=5] rusage[mem=6]']),
        ('rusage[ngpus_excl_p=1]', (), 9000, ['-R', 'rusage[ngpus_excl_p=1]']),
    ],
)
def test_that_more_memory_replaces_what_was_asked_for(
    resources: str, extra: tuple[str, ...], mebibytes: int, expected: list[str]
) -> None:
    job = JobSpec(NAME, 10, 2, '', memory=mebibytes)
    assert Lsf(LsfOptions(resources, extra=extra)).submit_argv(job)[7:] == expected


@given(st.integers(1, 10**6), st.sampled_from(['', 'M', 'MB', 'G', 'gb', 'TB']), st.integers(1, 64))
def test_that_memory_that_was_raised_reads_as_raised(number: int, unit: str, factor: int) -> None:
    lsf = Lsf(LsfOptions(f'rusage[mem={number}{unit}]'))
    assert lsf.memory
    words = lsf.submit_argv(JobSpec(NAME, 1, 0, '', memory=lsf.memory * factor))
    assert Lsf(LsfOptions(words[words.index('-R') + 1])).memory == lsf.memory * factor


# GPUs, time limits


@pytest.mark.parametrize(
    ('options', 'gpus'),
    [
        (LsfOptions('rusage[mem=8000, ngpus_excl_p=1]'), 1),
        (LsfOptions('select[ngpus>0] rusage[ngpus_physical=4.00]'), 4),
        (LsfOptions('rusage[mem=8000, ngpus_excl_p=1]', gpu='num=2:mode=exclusive_process'), 2),
        (LsfOptions(extra=('-gpu', 'num=3')), 3),
        (LsfOptions('rusage[mem=8000]'), None),
    ],
)
def test_that_the_gpus_a_job_asks_for_are_read(options: LsfOptions, gpus: int | None) -> None:
    assert Lsf(options).gpus == gpus


@pytest.mark.parametrize(
    ('extra', 'seconds'),
    [((), 7200), (('-W', '90'), 5400), (('-W1:30',), 5400), (('-W', '0:10/vm'), 600), (('-W', 'long'), None)],
)
def test_that_the_time_limit_of_a_job_is_read(extra: tuple[str, ...], seconds: int | None) -> None:
    assert Lsf(LsfOptions(hours=2, extra=extra)).time_limit == seconds


@pytest.mark.parametrize('lsf', [COMMON, IBM])
def test_that_a_job_is_asked_for_by_its_id(lsf: Lsf) -> None:
    assert lsf.job_argv('77') == [*lsf.list_argv(), '77']
    assert lsf.parse_job(CommandResult(255, '', 'Job <77> is not found\n')) == []
    assert lsf.parse_job(CommandResult(255, '', 'LSF is down. Please wait ...\n')) is None
    assert lsf.parse_job(CommandResult(None, '', 'bjobs did not answer within 60 s')) is None


def test_that_the_end_of_a_job_is_its_start_and_its_run_limit() -> None:
    answer = answer_to('02_bjobs.txt', 'bjobs -l 21')
    start = time.mktime((2026, 11, 20, 23, 42, 25, 0, 0, -1))
    assert parse_job_end(answer, start + 100) == start + 30 * 60
    new_year = time.mktime((2027, 1, 1, 0, 0, 5, 0, 0, -1))
    assert parse_job_end(answer, new_year) == start + 30 * 60, 'it began last year'
    assert parse_job_end(answer_to('02_bjobs.txt', 'bjobs -l 22'), start) is None, 'it has no run limit'


def test_that_the_end_of_a_job_is_read_from_what_ibm_prints() -> None:
    text = (
        '\nJob <7[3]>, Job Name <name[3]>, User <u>, Status <RUN>\n'
        'Fri Nov 20 23:42:25: Submitted from host <a>, CWD <$HOME>;\n\n'
        ' RUNLIMIT                MEMLIMIT\n 720.0 min of a             4 G\n'
        'Fri Nov 20 23:50:00: [3] started on <a>;\nSat Nov 21 01:00:00: [3] Started 1 Task(s) on Host(s) <b>;\n'
    )
    begin = time.mktime((2026, 11, 21, 1, 0, 0, 0, 0, -1))
    assert parse_job_end(CommandResult(0, text), begin) == begin + 12 * 3600
    assert long_listing_argv('7_3') == ['bjobs', '-l', '7[3]']
    assert long_listing_argv('7') == ['bjobs', '-l', '7']


# Listings


def test_that_all_jobs_are_listed_by_one_command() -> None:
    assert COMMON.list_argv() == ['bjobs', '-a', '-w']
    assert IBM.list_argv()[:4] == ['bjobs', '-a', '-noheader', '-o']
    assert IBM.list_argv()[4].endswith("pend_reason delimiter='^'")


def test_that_every_job_of_a_listing_is_seen() -> None:
    seen = listed(answer_to('02_bjobs.txt', 'bjobs -a -w'))
    assert len(seen) == 28
    assert seen['21', 0] == JobRecord('21', 0, 'run job with spaces; and $x', JobState.RUNNING, where='vm')
    assert seen['26', 0] == JobRecord('26', 0, 'pend_job', JobState.PENDING)
    assert (seen['27', 0].kind, seen['27', 0].reason[:4]) == (JobState.PENDING, 'held')
    assert seen['12', 10] == JobRecord('12', 10, 'a', JobState.ENDED, code=0, where='vm')
    assert seen['23', 0] == JobRecord('23', 0, 'exit_job', JobState.ENDED, where='vm')


def test_that_a_name_that_was_misread_as_no_array_stays_as_it_is() -> None:
    seen = listed(answer_to('02_bjobs.txt', 'bjobs -a -w'))
    assert seen['13', 0].name == 'a[1-100000]'
    assert seen['14', 0].name == 'a[x]'


def test_that_elements_are_told_by_the_index_in_their_name() -> None:
    seen = listed(answer_to('04_arrays.txt', 'bjobs -a -w 30'))
    assert set(seen) == {('30', index) for index in range(1, 11)}
    assert {each.name for each in seen.values()} == {'arr'}
    kinds = [seen['30', index].kind for index in range(1, 11)]
    assert kinds == [JobState.ENDED] * 6 + [JobState.RUNNING] + [JobState.ENDED] * 3
    assert seen['30', 8].where == ''
    assert seen['30', 8].code is None


def test_that_elements_are_seen_while_they_wait() -> None:
    seen = listed(answer_to('04_arrays.txt', 'bjobs -w'))
    assert [seen['30', index].kind for index in (2, 3, 10)] == [JobState.RUNNING, JobState.PENDING, JobState.PENDING]


def test_that_a_host_that_is_not_there_yet_shifts_nothing() -> None:
    seen = listed(answer_to('04_arrays.txt', 'bjobs -J arr'))
    assert seen['30', 3] == JobRecord('30', 3, 'arr', JobState.PENDING)
    assert seen['30', 1].where == 'vm'


def test_that_long_values_shift_nothing() -> None:
    seen = listed(answer_to('08_dependencies.txt', 'bjobs -a -w 7 8 9 10 11'))
    assert seen['9', 0].name == 'after_arr_ended'
    assert (seen['11', 2].name, seen['11', 2].kind) == ('one2one', JobState.PENDING)


def test_that_further_hosts_of_a_job_are_no_jobs() -> None:
    answer = answer_to('14_multislot_requeue_clean.txt', 'bjobs 5; bjobs -w 5')
    assert listed(answer)['5', 0].where == 'vm:vm'
    assert len(listed(answer)) == 1


def test_that_a_requeued_job_waits_again() -> None:
    assert listed(answer_to('14_multislot_requeue_clean.txt', 'bjobs -w 6'))['6', 0].kind is JobState.PENDING


LISTINGS = ['02_bjobs.txt', '03_bkill.txt', '04_arrays.txt', '05_limits_signals.txt', '08_dependencies.txt']


@pytest.mark.parametrize('name', LISTINGS)
def test_that_every_row_of_every_listing_in_columns_is_seen(name: str) -> None:
    for command, answer in answers(name, 'bjobs'):
        if re.search(r'-l|-o|-A|-UF|-noheader|;|\|', command) or answer.code:
            continue
        rows = [line for line in answer.out.splitlines() if re.match(r'\d+ +lsfuser', line)]
        assert len(COMMON.parse_listing(answer) or ()) == len(rows), command


@pytest.mark.parametrize(
    'answer',
    [
        answer_to('08_dependencies.txt', 'bjobs'),
        answer_to('03_bkill.txt', 'bjobs'),
        answer_to('02_bjobs.txt', 'bjobs -J nosuchname'),
        CommandResult(255, '', 'No job found\n'),
        CommandResult(0, '', 'No unfinished job found\n'),
    ],
)
@pytest.mark.parametrize('lsf', [COMMON, IBM])
def test_that_an_empty_queue_is_an_answer(answer: CommandResult, lsf: Lsf) -> None:
    assert lsf.parse_listing(answer) == []


def test_that_jobs_beside_one_that_is_not_known_are_seen() -> None:
    assert set(listed(answer_to('02_bjobs.txt', 'bjobs 21 999999 22'))) == {('21', 0), ('22', 0)}


@pytest.mark.parametrize(
    'answer',
    [
        answer_to('13_daemons_down.txt', 'timeout 25 bjobs'),
        answer_to('02_bjobs.txt', 'bjobs -noheader'),
        answer_to('14_multislot_requeue_clean.txt', "bjobs -o 'exit_code' 5"),
        CommandResult(None, '', 'bjobs did not answer within 60 s'),
        CommandResult(0, '', ''),
        CommandResult(0, 'please log in again\n', ''),
        CommandResult(255, '', 'LSF is down. Please wait ...\n'),
        CommandResult(-15, answer_to('02_bjobs.txt', 'bjobs -a -w').out, ''),
        CommandResult(-15, '30^1^RUN^-^h^a[1]^-^-\n', ''),
    ],
)
@pytest.mark.parametrize('lsf', [COMMON, IBM])
def test_that_a_listing_that_failed_says_nothing(answer: CommandResult, lsf: Lsf) -> None:
    assert lsf.parse_listing(answer) is None


IBM_LISTING = """\
30^1^DONE^-^node1^hps-1234abcd-5ef678[1]^-^-
30^2^EXIT^3^node1^hps-1234abcd-5ef678[2]^-^-
30^3^EXIT^140^node2^hps-1234abcd-5ef678[3]^TERM_RUNLIMIT: job killed after reaching LSF run time limit^-
30^4^EXIT^137^node2^hps-1234abcd-5ef678[4]^TERM_MEMLIMIT: job killed after reaching LSF memory usage limit^-
30^5^EXIT^-^-^hps-1234abcd-5ef678[5]^TERM_OWNER: job killed by owner^-
30^6^RUN^-^4*node3:4*node4^hps-1234abcd-5ef678[6]^-^-
30^7^UNKWN^-^node5^hps-1234abcd-5ef678[7]^-^-
30^8^PEND^-^-^hps-1234abcd-5ef678[8]^-^The job array has reached its running element limit;
30^9^PEND^-^-^hps-1234abcd-5ef678[9]^-^Dependency condition invalid or never satisfied;
31^0^PSUSP^-^-^a job ^ of somebody^-^-
"""


def test_that_the_listing_of_ibm_tells_causes_statuses_and_reasons() -> None:
    seen = listed(CommandResult(0, IBM_LISTING), IBM)
    assert [seen['30', index].cause for index in range(1, 6)] == ['', '', 'timeout', 'out_of_memory', 'cancelled']
    assert [seen['30', index].code for index in range(1, 6)] == [0, 3, 140, 137, None]
    assert {each.name for key, each in seen.items() if key[0] == '30'} == {NAME}
    assert (seen['30', 6].kind, seen['30', 6].where) == (JobState.RUNNING, '4*node3:4*node4')
    assert seen['30', 7].kind is JobState.RUNNING
    assert 'running element limit' in seen['30', 8].reason
    assert [seen['30', index].is_stuck for index in (8, 9)] == [False, True]
    assert seen['31', 0].kind is JobState.PENDING


@pytest.mark.parametrize('state', ['RUN', 'USUSP', 'SSUSP', 'UNKWN', 'ZOMBI', 'NEWSTATE'])
def test_that_a_state_that_is_no_end_is_none(state: str) -> None:
    row = f'7 u {state} normal h1 h2 {NAME}[2] Nov 20 23:43\n'
    header = 'JOBID USER STAT QUEUE FROM_HOST EXEC_HOST JOB_NAME SUBMIT_TIME\n'
    assert listed(CommandResult(0, header + row))['7', 2].kind is JobState.RUNNING
    assert listed(CommandResult(0, f'7^2^{state}^-^h2^{NAME}[2]^-^-\n'), IBM)['7', 2].kind is JobState.RUNNING


def test_that_only_two_states_are_ends() -> None:
    assert {state for state, meaning in STATES.items() if meaning.kind is JobState.ENDED} == {'DONE', 'EXIT'}


GOOD_ROWS = [line for line in answer_to('04_arrays.txt', 'bjobs -w').out.splitlines() if line[:1].isdigit()]
BAD_LINE = st.text(st.characters(exclude_categories=['Cs', 'Cc']), max_size=40).filter(
    lambda line: not re.match(r'\s*\d+\s+\S+\s+[A-Z]+\b', line) and not {'JOBID', 'STAT'} <= set(line.split())
)


@given(st.lists(st.one_of(st.sampled_from(GOOD_ROWS), BAD_LINE), max_size=12))
def test_that_bad_lines_are_passed_over(lines: list[str]) -> None:
    header = answer_to('04_arrays.txt', 'bjobs -w').out.splitlines()[0]
    good = sum(line in GOOD_ROWS for line in lines)
    assert len(COMMON.parse_listing(CommandResult(0, '\n'.join([header, *lines]))) or ()) == good


@given(st.lists(st.one_of(st.sampled_from(IBM_LISTING.splitlines()), st.text(max_size=30)), max_size=12))
def test_that_bad_lines_are_passed_over_with_ibm(lines: list[str]) -> None:
    good = sum(line in IBM_LISTING.splitlines() for line in lines)
    records = IBM.parse_listing(CommandResult(0, '\n'.join([IBM_LISTING, *lines])))
    assert records is not None
    assert len(records) == len(IBM_LISTING.splitlines()) + good


# Histories


def test_that_the_accounting_is_asked_by_ids() -> None:
    assert COMMON.accounting_argv(['30', '31'], 0.0) == ['bhist', '-l', '-n', '10', '30', '31']


def test_that_a_history_tells_the_exit_status() -> None:
    seen = told(answer_to('02_bjobs.txt', 'bhist -l 23'))
    assert seen == JobRecord('23', 0, 'exit_job', JobState.ENDED, code=3, reason='Exited with exit code 3', where='vm')


def test_that_a_history_of_nobody_is_an_answer() -> None:
    assert COMMON.parse_accounting(CommandResult(255, 'No matching job found\n')) == []
    assert COMMON.parse_accounting(CommandResult(255, '', 'No matching job found\n')) == []


@pytest.mark.parametrize(
    'answer',
    [CommandResult(None), CommandResult(0), CommandResult(255, '', 'LIM is down; try later'), CommandResult(1, 'x')],
)
def test_that_a_history_that_failed_says_nothing(answer: CommandResult) -> None:
    assert COMMON.parse_accounting(answer) is None


START = """\

Job <30[4]>, Job Name <hps-1234abcd-5ef678[1-10]%2>, User <user>, Project <default>, Comm
                     and <#!/bin/sh;case $LSB_JOBINDEX in>
Fri Nov 20 23:42:25: Submitted from host <login>, to Queue <normal>, CWD <$HOME/w>;
"""
RUN = """\
Fri Nov 20 23:42:25: Dispatched 1 Task(s) on Host(s) <node1>, Allocated 1 Slot(s) on Host(s) <node1>,
                      Effective RES_REQ <select[type == local] order[r15s:pg] >;
Fri Nov 20 23:42:25: Starting (Pid 5622);
Fri Nov 20 23:42:25: Running with execution home </home/user>, Execution CWD
                      </home/user/w>, Execution Pid <5622>;
"""
END = """\

Summary of time in seconds spent in various states by  Fri Nov 20 23:42:27
  PEND     PSUSP    RUN      USUSP    SSUSP    UNKWN    TOTAL
  0        0        2        0        0        0        2
"""


def history(*events: str) -> JobRecord:
    """A job of which these events are told."""
    return told(
        CommandResult(0, START + ''.join(event.replace('@', 'Fri Nov 20 23:50:01: ') for event in events) + END)
    )


def test_that_an_element_is_told_by_its_header() -> None:
    seen = history(RUN, '@Done successfully. The CPU time used is 0.1 seconds;\n')
    assert seen == JobRecord('30', 4, NAME, JobState.ENDED, code=0, reason='Done successfully', where='node1')


@pytest.mark.parametrize(
    ('events', 'kind', 'cause', 'code'),
    [
        ([], JobState.PENDING, '', None),
        ([RUN], JobState.RUNNING, '', None),
        ([RUN, '@Exited with exit code 3. The CPU time used is 0.0 seconds;\n'], JobState.ENDED, '', 3),
        ([RUN, '@Exited by signal 9. The CPU time used is 0.0 seconds;\n'], JobState.ENDED, '', 137),
        ([RUN, '@Exited with exit code 140. The CPU time used is 0.0 seconds;\n'], JobState.ENDED, 'timeout', 140),
        (
            [RUN, '@Exited with exit code 1;\n', '@Completed <exit>; TERM_RUNLIMIT: job killed after rea\n', ' ' * 21],
            JobState.ENDED,
            'timeout',
            1,
        ),
        (
            [
                RUN,
                '@Exited by signal 9. The CPU time used is 57.3 seconds;\n',
                f'@Completed <exit>; TERM_MEML\n{" " * 21}IMIT: job killed after reaching LSF memory usage limit;\n',
            ],
            JobState.ENDED,
            'out_of_memory',
            137,
        ),
        (
            [RUN, '@MEMLIMIT termination action initiated (actpid 3);\n', '@Exited\n'],
            JobState.ENDED,
            'out_of_memory',
            None,
        ),
        (
            [
                RUN,
                '@Signal <KILL> requested by user or administrator <user>;\n',
                '@Exited with exit code 130. The C;\n',
            ],
            JobState.ENDED,
            'cancelled',
            130,
        ),
        (
            ['@Signal <KILL> requested by user or administrator <user>;\n', '@Exited;\n'],
            JobState.ENDED,
            'cancelled',
            None,
        ),
        ([RUN, '@Signal <USR1> requested by user or administrator <user>;\n'], JobState.RUNNING, '', None),
        ([RUN, '@Signal <KILL> requested by user or administrator <u>;\n'], JobState.RUNNING, '', None),
        ([RUN, '@Unknown; unable to reach the execution host;\n'], JobState.RUNNING, '', None),
        (
            [RUN, '@Unknown; unable to reach the execution host;\n', '@Exited;\n'],
            JobState.ENDED,
            'node_fail',
            None,
        ),
        (
            [RUN, '@Unknown; unable to reach the execution host;\n', '@Running;\n', '@Exited with exit code 1;\n'],
            JobState.ENDED,
            '',
            1,
        ),
        (
            [
                RUN,
                '@Unknown; unable to reach it;\n',
                '@Running;\n',
                '@Exited with exit code 143;\n',
                '@Completed <exit>; TERM_ZOMBIE: x;\n',
            ],
            JobState.ENDED,
            'node_fail',
            143,
        ),
        (
            [RUN, '@Termination request issued; but unable to reach the execution host;\n'],
            JobState.RUNNING,
            '',
            None,
        ),
        ([RUN, '@Exited; job has been forced to exit;\n'], JobState.ENDED, 'cancelled', None),
        ([RUN, '@sbatchd startup; kill ZOMBIE job;\n'], JobState.ENDED, 'node_fail', None),
        (
            [
                RUN,
                '@RUNLIMIT termination action initiated (actpid 3);\n',
                '@Signal <KILL> requested by;\n',
                '@Exited;\n',
            ],
            JobState.ENDED,
            'timeout',
            None,
        ),
        ([RUN, '@Signal <KILL> requested by user;\n', '@Done successfully;\n'], JobState.ENDED, '', 0),
        ([RUN, '@Exited with exit code 9;\n', '@Pending: Job has been requeued;\n'], JobState.PENDING, '', None),
        ([RUN, '@Exited; job will be requeued and rerun;\n'], JobState.PENDING, '', None),
        (
            [
                RUN,
                '@Signal <KILL> requested by user;\n',
                '@Pending: Job has been requeued;\n',
                RUN,
                '@Exited with exit code 2;\n',
            ],
            JobState.ENDED,
            '',
            2,
        ),
        (  # killed in its first instant
            [RUN, '@Signal <KILL> requested by user;\n', '@Pending: Job is being dispatched;\n', '@Exited;\n'],
            JobState.ENDED,
            'cancelled',
            None,
        ),
        (['@Signal <KILL> requested by user;\n', RUN, '@Exited by signal 9;\n'], JobState.ENDED, 'cancelled', 137),
        ([RUN, '@Suspended by the user or administrator;\n'], JobState.RUNNING, '', None),
        (['@Suspended by the user or administrator while pending;\n'], JobState.PENDING, '', None),
        (
            [RUN, '@Load termination action initiated (actpid 3);\n', '@Exited by signal 2;\n'],
            JobState.ENDED,
            'preempted',
            130,
        ),
        (
            [RUN, '@Done successfully. The CPU time used is 0.1 seconds;\n', '@Post job process done successfully;\n'],
            JobState.ENDED,
            '',
            0,
        ),
    ],
)
def test_that_a_history_tells_how_a_job_ended(events: list[str], kind: JobState, cause: str, code: int | None) -> None:
    seen = history(*events)
    assert (seen.kind, seen.cause, seen.code) == (kind, cause, code)


def test_that_histories_of_several_jobs_are_told_apart() -> None:
    answer = answer_to('02_bjobs.txt', 'bhist -l 23')
    line = '-' * 78 + '\n'
    records = COMMON.parse_accounting(CommandResult(0, START + RUN + END + line + answer.out + line + START))
    assert records is not None
    assert [(seen.job, seen.kind) for seen in records] == [
        ('30', JobState.RUNNING),
        ('23', JobState.ENDED),
        ('30', JobState.PENDING),
    ]


def test_that_jobs_beside_one_without_a_history_are_told() -> None:
    answer = answer_to('02_bjobs.txt', 'bhist -l 23')
    assert told(CommandResult(255, answer.out, 'Job <99>: No matching job found\n')).code == 3


def test_that_every_end_in_the_long_listings_is_read_likewise() -> None:
    """``bjobs -l`` words events as ``bhist -l`` does."""
    expected = {'21': 130, '22': 0, '23': 3, '24': 0, '25': 127, '29': 0}
    codes = {}
    for name in ('02_bjobs.txt', '03_bkill.txt'):
        for _, answer in answers(name, 'bjobs -l'):
            seen = told(answer)
            codes[seen.job] = seen.code if seen.kind is JobState.ENDED else None
    assert {job: codes[job] for job in expected} == expected
    assert codes['26'] is None


def test_that_a_job_ended_by_a_signal_is_told_so() -> None:
    seen = told(answer_to('05_limits_signals.txt', 'bjobs -l 41'))
    assert (seen.kind, seen.code, seen.reason) == (JobState.ENDED, 137, 'Exited by signal 9')


# Causes


def test_that_every_cause_is_one_that_others_know() -> None:
    assert set(TERMINATIONS.values()) == {'timeout', 'out_of_memory', 'cancelled', 'preempted', 'node_fail'}


@pytest.mark.parametrize(
    ('reason', 'code', 'cause'),
    [
        ('TERM_RUNLIMIT: job killed after reaching LSF run time limit', 1, 'timeout'),
        ('TERM_PREEMPT: job killed after preemption', 130, 'preempted'),
        ('TERM_FORCE_ADMIN: job killed by root or LSF administrator without time for cleanup', None, 'cancelled'),
        ('TERM_PROCESSLIMIT: job killed after reaching LSF process limit', 130, ''),
        ('TERM_EXTERNAL_SIGNAL: job killed by a signal external to LSF', 140, ''),
        ('', 140, 'timeout'),
        ('', 139, ''),
        ('', None, ''),
    ],
)
def test_that_a_termination_reason_goes_before_the_status(reason: str, code: int | None, cause: str) -> None:
    assert cause_of(reason, code) == cause


def test_that_the_status_of_a_job_that_reached_its_limit_tells_so() -> None:
    lines = answers('10_runlimit_memlimit.txt', 'bjobs -a -w 12 14')[0][1].out.splitlines()
    header = 'Job <12>, Job Name <wsleep>\n'
    seen = told(CommandResult(0, header + next(line for line in lines if 'Exited' in line)))
    assert (seen.cause, seen.code) == ('timeout', 140)


# Cancellations


@pytest.mark.parametrize(
    ('indices', 'whole', 'force', 'words'),
    [
        ([4], False, False, ['bkill', '30[4]']),
        ([9, 8, 7, 1, 3, 5, 6], False, False, ['bkill', '30[1,3,5-9]']),
        ([1, 2], True, False, ['bkill', '30']),
        ([1, 2], True, True, ['bkill', '-s', 'KILL', '30']),
        ([2], False, True, ['bkill', '-s', 'KILL', '30[2]']),
    ],
)
def test_that_elements_are_ended_by_one_command(indices: list[int], whole: bool, force: bool, words: list[str]) -> None:
    assert COMMON.cancel_argv('30', indices, whole=whole, force=force) == words


@given(st.sets(st.integers(1, 60), min_size=1))
def test_that_the_short_form_of_indices_means_these_indices(indices: set[int]) -> None:
    meant: set[int] = set()
    for part in format_indices(sorted(indices)).split(','):
        first, _, last = part.partition('-')
        meant |= set(range(int(first), int(last or first) + 1))
    assert meant == indices


@pytest.mark.parametrize(
    ('name', 'command'),
    [
        ('03_bkill.txt', 'bkill 21'),
        ('03_bkill.txt', 'bkill 999999'),
        ('03_bkill.txt', 'bkill 27 28 29 999999'),
        ('04_arrays.txt', "bkill '30[8,10]'"),
        ('04_arrays.txt', 'bkill 30'),
        ('04_arrays.txt', "bkill -J 'big' 0"),
        ('05_limits_signals.txt', 'bkill -s KILL 42'),
        ('05_limits_signals.txt', 'bkill 43'),
    ],
)
def test_that_a_cancellation_that_took_place_is_not_tried_again(name: str, command: str) -> None:
    assert [COMMON.parse_cancel(answer) for each, answer in transcript(name) if each == command][-1] == ''


@pytest.mark.parametrize(
    'answer',
    [
        answer_to('13_daemons_down.txt', 'timeout 25 bkill 1'),
        CommandResult(None, '', 'bkill did not answer within 60 s'),
        CommandResult(255, '', ''),
        CommandResult(255, '', 'Job <3>: Operation is in progress\nJob <4>: User permission denied\n'),
    ],
)
def test_that_a_cancellation_that_failed_says_why(answer: CommandResult) -> None:
    assert COMMON.parse_cancel(answer)


def test_that_a_refused_cancellation_names_what_is_left() -> None:
    words = COMMON.parse_cancel(
        CommandResult(255, '', 'Job <3>: Operation is in progress\nJob <4>: User permission denied\n')
    )
    assert words == 'Job <4>: User permission denied'


# Throttle, limits


def test_that_the_throttle_is_changed_as_the_scheduler_took_it() -> None:
    assert COMMON.throttle_argv('30', 4) == ['bmod', '-J', '%4', '30']
    assert answer_to('04_arrays.txt', "bmod -J '%4' 30").code == 0
    assert COMMON.throttle_argv('30', 0) == []


def test_that_the_size_of_arrays_is_asked() -> None:
    assert COMMON.limits_argv() == ['bparams', '-l']
    assert IBM.limits_argv() == ['bparams', '-a']
    told_size = 'The maximum number of jobs in a job array.\n    MAX_JOB_ARRAY_SIZE = 250\n\n'
    assert COMMON.parse_limits(CommandResult(0, told_size)).array == 250


@pytest.mark.parametrize(
    'answer', [CommandResult(None), CommandResult(127, '', 'not found'), CommandResult(0, 'Default Queues:  normal\n')]
)
def test_that_arrays_have_the_usual_size_where_it_is_not_told(answer: CommandResult) -> None:
    assert COMMON.parse_limits(answer).array == 1000


# What bsub reads


@pytest.mark.parametrize(
    ('first', 'shell'),
    [('#!/bin/sh', '/bin/sh'), ('#!/bin/bash -l', '/bin/bash -l'), ('#! /usr/bin/ksh', '/usr/bin/ksh')],
)
def test_that_bsub_reads_little_that_executes_the_script_by_its_own_shell(first: str, shell: str) -> None:
    text = IBM.submit_stdin(f"{first}\nprintf '%s' x\n", '/home/user/my search/submissions/hps-1.sh')
    assert text == f"#!/bin/sh\nexec {shell} '/home/user/my search/submissions/hps-1.sh'\n"


def test_that_no_path_is_taken_for_an_option_of_bsub() -> None:
    text = COMMON.submit_stdin('#!/bin/sh\n', '/home/user/a\n#BSUB -q other/hps-1.sh')
    assert not [line for line in text.splitlines() if line.startswith('#BSUB')]


# Environment


def test_that_commands_do_not_inherit_what_belongs_to_a_job() -> None:
    inherited = {
        'PATH': '/usr/bin',
        'LS_COLORS': 'di=34',
        'LSF_ENVDIR': '/opt/lsf/conf',
        'LSF_SERVERDIR': '/opt/lsf/etc',
        'XLSF_UIDDIR': '/opt/lsf/uid',
        'EGO_TOP': '/opt/ego',
        'LSB_DEFAULTQUEUE': 'gpu',
        'SLURM_CONF': '/etc/slurm.conf',
    }
    of_a_job = {
        'LSB_JOBID': '7',
        'LSB_JOBINDEX': '3',
        'LSB_BJOBS_FORMAT': 'jobid',
        'LSB_DISPLAY_YEAR': 'Y',
        'BSUB_QUIET': 'Y',
        'LS_JOBPID': '9',
        'LSF_INVOKE_CMD': 'bsub',
        'LSFUSER': 'user',
        'SLURM_JOB_ID': '1',
        'CUDA_VISIBLE_DEVICES': '2',
    }
    kept = COMMON.environment({**inherited, **of_a_job})
    assert {name: kept[name] for name in inherited} == inherited
    assert not set(of_a_job) & set(kept)


def test_that_chosen_gpus_are_inherited_outside_of_jobs() -> None:
    assert COMMON.environment({'CUDA_VISIBLE_DEVICES': '2'})['CUDA_VISIBLE_DEVICES'] == '2'


def test_that_commands_give_up_by_themselves() -> None:
    assert COMMON.environment({'LSB_NTRIES': '100'})['LSB_NTRIES'] == '1'


@pytest.mark.parametrize(
    ('environ', 'job'),
    [
        ({'LSB_JOBID': '30', 'LSB_JOBINDEX': '4'}, '30_4'),
        ({'LSB_JOBID': '30', 'LSB_JOBINDEX': '0'}, '30'),
        ({'LSB_JOBID': '30'}, '30'),
        ({'LSB_JOBINDEX': '4'}, ''),
        ({'LSB_JOBID': ''}, ''),
    ],
)
def test_that_a_job_knows_itself(environ: dict[str, str], job: str) -> None:
    assert own_job(environ) == job


# Hosts


@pytest.mark.parametrize(
    ('resources', 'expected'),
    [
        ('', "select[hname!='n3']"),
        ('rusage[mem=8000, ngpus_excl_p=1]', "select[hname!='n3'] rusage[mem=8000, ngpus_excl_p=1]"),
        ('select[mem>100] rusage[mem=8]', "select[(mem>100) && hname!='n3'] rusage[mem=8]"),
        ('rusage[mem=8] select[type==any]', "rusage[mem=8] select[(type==any) && hname!='n3']"),
        ('mem>100 && swp>5 rusage[mem=8]', "select[(mem>100 && swp>5) && hname!='n3'] rusage[mem=8]"),
        ('type==any', "select[(type==any) && hname!='n3']"),
        ('select[]', "select[hname!='n3']"),
    ],
)
def test_that_hosts_are_avoided_beside_what_the_user_selects(resources: str, expected: str) -> None:
    lsf = Lsf(LsfOptions(resources))
    argv = lsf.submit_argv(JobSpec('x', 1, 1, '/log', avoided=('n3',)))
    assert argv[argv.index('-R') + 1] == expected
    assert lsf.avoid_argv('12', ('n3',), None) == ['bmod', '-R', expected, '12']


def test_that_several_hosts_are_avoided_and_more_memory_is_still_asked_for() -> None:
    lsf = Lsf(LsfOptions('rusage[mem=100]', extra=('-R', 'span[hosts=1]', '-M', '5GB')))
    assert lsf.avoid_argv('12', ('n3', 'n4'), 150) == [
        *('bmod', '-R', "select[hname!='n3' && hname!='n4'] rusage[mem=150]"),
        *('-R', "select[hname!='n3' && hname!='n4'] span[hosts=1]", '12'),
    ]


@pytest.mark.parametrize('given', [('-R', 'mem>5'), ('-Rmem>5',)])
def test_that_each_requirement_excludes_hosts_as_the_last_may_count_alone(given: tuple[str, ...]) -> None:
    argv = Lsf(LsfOptions('', extra=given)).submit_argv(JobSpec('x', 1, 1, '/log', avoided=('n3',)))
    assert ' '.join(argv[-len(given) :]) == ' '.join(given).replace('mem>5', "select[(mem>5) && hname!='n3']")


def test_that_a_host_is_used_again() -> None:
    assert Lsf(LsfOptions('rusage[mem=100]')).avoid_argv('12', (), None) == ['bmod', '-R', 'rusage[mem=100]', '12']
    assert Lsf(LsfOptions('')).avoid_argv('12', (), None) == ['bmod', '-Rn', '12']


HOSTS = 'HOST_NAME   STATUS JL/U MAX NJOBS RUN SSUSP USUSP RSV\nn1          ok     -    4   0     0   0     0     0\n'


@pytest.mark.parametrize(
    ('answer', 'can'),
    [
        (CommandResult(0, HOSTS + 'n3          ok     -    4   0     0   0     0     0\n'), True),
        (CommandResult(0, HOSTS.replace('n1 ', 'n3 ')), False),
        (CommandResult(255, '', 'batch daemon is not responding'), None),
        (CommandResult(None, '', 'bhosts did not answer'), None),
    ],
)
def test_that_lsf_says_whether_there_are_other_hosts(answer: CommandResult, can: bool | None) -> None:
    assert Lsf(LsfOptions()).parse_trial(answer, ('n3',)) is can


@pytest.mark.parametrize(
    ('extra', 'seconds'), [((), 86400), (('-W', '4'), 240), (('-W2:30/hosta',), 9000), (('-W', 'x'), None)]
)
def test_that_the_time_limit_of_a_job_is_known(extra: tuple[str, ...], seconds: int | None) -> None:
    assert Lsf(LsfOptions(extra=extra)).time_limit == seconds
