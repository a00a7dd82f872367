from __future__ import annotations

import json
import re
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hpsearch.model.snapshot import RunLine, Snapshot
from hpsearch.model.units import duration, memory
from hpsearch.model.usage.in_use import RunUse
from hpsearch.model.usage.measured import Measured
from hpsearch.ui.format import bar_cells, gpu_line, printable, progress_line, running_texts, worth_a_line
from hpsearch.ui.status_report import status_json, status_text
from tests.support.snapshots import GPUS, SNAPSHOT, counts


@pytest.mark.parametrize(
    ('seconds', 'text'),
    [
        (0, '0 s'),
        (3.9, '3 s'),
        (59.99, '59 s'),
        (60, '1 min 00 s'),
        (125, '2 min 05 s'),
        (3600, '1 h 00 min'),
        (11535, '3 h 12 min'),
        (86399, '23 h 59 min'),
        (187200, '2 d 4 h'),
        (-5, '0 s'),
        (float('inf'), 'unknown'),
        (float('nan'), 'unknown'),
    ],
)
def test_that_a_duration_has_its_two_largest_units(seconds: float, text: str) -> None:
    assert duration(seconds) == text


@pytest.mark.parametrize(('mib', 'text'), [(None, '?'), (0, '0 MiB'), (1023, '1023 MiB'), (12595, '12.3 GiB')])
def test_that_memory_is_in_readable_units(mib: int | None, text: str) -> None:
    assert memory(mib) == text


def test_that_the_progress_line_tells_counts_times_best_run_and_reason_for_waiting() -> None:
    assert progress_line(SNAPSHOT) == (
        '48 of 120 done (45 finished, 3 failed, 8 running, 64 planned); 12 min 05 s, about 35 min left; '
        'best acc 97.31 (sim_012); waiting: every GPU is closed'
    )


def test_that_an_unknown_time_left_is_left_out_of_the_progress_line() -> None:
    assert 'left' not in progress_line(replace(SNAPSHOT, eta=None))


def test_that_a_total_nobody_knows_is_left_out() -> None:
    unknown = replace(SNAPSHOT, total=None, eta=None)
    assert progress_line(unknown).startswith('48 done (45 finished, 3 failed, 8 running); 12 min 05 s; best')
    assert status_text(unknown).splitlines()[1] == '  48 done: 45 finished, 3 failed, 8 running'
    assert status_json(unknown)['total'] is None


@given(st.text(), st.text())
def test_that_the_progress_line_is_one_line_whatever_the_texts_in_it(waiting: str, value: str) -> None:
    line = progress_line(replace(SNAPSHOT, waiting=waiting, best=('sim_1', {}, value)))
    assert not re.search(r'[\x00-\x1f\x7f-\x9f]', line)


def test_that_a_gpu_line_tells_load_memory_own_runs_and_why_it_is_closed() -> None:
    assert gpu_line(GPUS[0]) == (
        'GPU 0   load  87 %   12.3/40.0 GiB  2 runs  closed: has 2 of 2 runs of this search  NVIDIA A100'
    )


def test_that_a_gpu_line_shows_the_memory_of_others() -> None:
    assert 'others 37.0 GiB' in gpu_line(GPUS[1])


def test_that_unknown_readings_are_question_marks_and_never_zeros() -> None:
    line = gpu_line(GPUS[2])
    assert 'load   ?' in line
    assert '?/? GiB' in line
    assert '0.0' not in line


def test_that_a_gpu_line_without_room_keeps_the_reason_and_leaves_the_model_out() -> None:
    line = gpu_line(GPUS[1], 60)
    assert 'closed: 93 %' in line
    assert 'A100' not in line


def test_that_columns_of_gpus_are_aligned() -> None:
    assert len({gpu_line(gpu).index('run') for gpu in GPUS}) == 1


@given(st.text())
def test_that_printable_text_has_no_control_characters(text: str) -> None:
    assert not re.search(r'[\x00-\x1f\x7f-\x9f]', printable(text))


def test_that_the_status_names_folder_counts_gpus_and_reasons() -> None:
    lines = status_text(SNAPSHOT).splitlines()
    assert lines[0] == SNAPSHOT.folder
    assert lines[1].strip() == '48 of 120 done: 45 finished, 3 failed, 8 running, 64 planned'
    assert '  waiting: every GPU is closed' in lines
    assert '  best: acc 97.31, sim_012: lr=0.001 batch_size=64' in lines
    assert any('closed: no reading for 17 s' in line for line in lines)


def test_that_the_status_groups_failures_with_their_last_lines_and_an_example() -> None:
    text = status_text(SNAPSHOT, [(3, 'Traceback\nKeyError: x\x1b[2J', 'sim_007'), (1, '', 'sim_009')])
    assert text.splitlines()[-5:] == [
        f'3 runs failed like this, see: hpsearch logs {SNAPSHOT.folder} sim_007',
        '    Traceback',
        '    KeyError: x',
        f'1 run failed like this, see: hpsearch logs {SNAPSHOT.folder} sim_009',
        '    (nothing on stderr)',
    ]


def test_that_the_status_is_strict_json_even_with_values_that_json_has_no_word_for() -> None:
    best: tuple[str, dict[str, Any], str] = ('sim_1', {'lr': float('nan'), 'x': {1, 2}}, 'nan')
    facts = status_json(replace(SNAPSHOT, eta=float('inf'), best=best), [(2, 'err', 'sim_3')])
    read = json.loads(json.dumps(facts, allow_nan=False))
    assert read['counts'] == {'finished': 45, 'failed': 3, 'running': 8, 'planned': 64}
    assert read['gpus'][0]['memory_used'] == 12600
    assert read['best']['run'] == 'sim_1'
    assert read['failures'] == [{'count': 2, 'stderr': 'err', 'example': 'sim_3'}]


@given(st.dictionaries(st.sampled_from(['finished', 'failed', 'running', 'lost']), st.integers(0, 10**6)))
def test_that_the_cells_of_a_bar_add_up_to_its_width(counts: dict[str, int]) -> None:
    cells = bar_cells(counts, sum(counts.values()) + 5, 40)
    assert sum(number for _, number in cells) == 40
    assert all(number > 0 for state, number in cells if counts.get(state))


def test_that_a_bar_is_full_only_when_all_runs_are_done() -> None:
    assert bar_cells({'finished': 120}, 120, 40) == [('finished', 40)]
    assert dict(bar_cells({'finished': 60}, 120, 40)) == {'finished': 20, 'planned': 20}


# When a plain line is worth it


@pytest.mark.parametrize(
    ('previous', 'current', 'seconds', 'expected'),
    [
        (None, counts(), 0.0, True),
        (counts(running=1), counts(running=2), 1000.0, False),
        (counts(running=1, finished=4), counts(running=1, finished=5), 29.9, False),
        (counts(running=1, finished=4), counts(running=1, finished=5), 30.0, True),
        (counts(12, running=1, finished=4), counts(12, running=1, finished=5), 0.0, True),
        (counts(finished=4), counts(finished=4, failed=1), 0.0, True),
        (counts(failed=1), counts(failed=2), 0.0, False),
        (counts(finished=499), counts(finished=500), 0.0, True),
        (counts(finished=500), counts(finished=500), 1000.0, False),
        (counts(running=1), counts(waiting='closed'), 5.0, True),
        (counts(running=1), counts(waiting='closed'), 4.9, False),
        (counts(running=1), counts(running=1, waiting='closed'), 100.0, False),
        (counts(waiting='load 0.7'), counts(waiting='load 0.8'), 100.0, False),
        (counts(None, running=1, finished=4), counts(None, running=1, finished=5), 0.0, True),
        (counts(None, finished=40), counts(None, finished=41), 29.9, False),
        (counts(None, finished=40), counts(None, finished=41), 30.0, True),
    ],
)
def test_that_a_plain_line_is_written_only_for_news(
    previous: Snapshot | None, current: Snapshot, seconds: float, expected: bool
) -> None:
    assert worth_a_line(previous, current, seconds) is expected


def test_that_a_gpu_line_shows_how_old_its_reading_is_if_it_is_old() -> None:
    assert 'read 1 min 05 s ago' in gpu_line(replace(GPUS[0], age=65.2))
    assert 'read' not in gpu_line(replace(GPUS[0], age=1.2))


def test_that_a_running_run_shows_the_metric_that_runs_are_compared_by() -> None:
    metrics = {'loss': 0.25, 'acc': 0.71234}
    runs = [RunLine('sim_1', 60.0, 'GPU 0', {'lr': 0.1}, 12, metrics), RunLine('sim_2', 5.0, 'GPU 1', {'lr': 0.2})]
    assert running_texts(runs, ['lr'], 'acc') == [
        'sim_1   1 min 00 s  GPU 0  acc 0.7123 at step 12  lr=0.1',
        'sim_2          5 s  GPU 1                         lr=0.2',
    ]
    assert 'loss 0.25 at step 12' in running_texts(runs, ['lr'], 'other')[0]
    assert running_texts(runs[1:], ['lr'], 'acc') == ['sim_2          5 s  GPU 1  lr=0.2']


def test_that_a_running_run_shows_what_it_uses() -> None:
    measured = Measured(gpu_memory=4096, gpu_load=0.451, host_memory=1229, cpu=3.14)
    use = RunUse(memory=3277, measured=measured)
    assert running_texts([RunLine('sim_1', 5.0, 'GPU 1', {'lr': 0.2}, use=use)]) == [
        'sim_1          5 s  GPU 1  3.2 GiB, load 45 %, host 1.2 GiB, 3.1 cores  lr=0.2'
    ]


def test_that_a_running_run_shows_that_it_uses_a_gpu_that_it_was_not_given() -> None:
    (line,) = running_texts([RunLine('sim_1', 5.0, 'GPU 1', use=RunUse(elsewhere=('0',)))])
    assert 'GPU 1, but uses GPU 0' in line
