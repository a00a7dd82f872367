"""Events as they are read: what is damaged is left out by file and line, whatever the damage, and nothing else is."""

from __future__ import annotations

import json
import os
import tempfile
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hpsearch.host.kernel import this_host
from hpsearch.host.processes import start_ticks
from hpsearch.model.errors import JournalError
from hpsearch.model.run import Run, encode_run
from hpsearch.model.states import State
from hpsearch.store.events import problem_of
from hpsearch.store.folder import SearchFolder
from hpsearch.store.journal import Journal, JournalReader, header_from_name, read_state, writer_name

RUN = {'run': 'sim_1', 'attempt': 1}
CLAIMED = {'event': 'claimed', **RUN, 'gpus': ['0'], 'at': 1.5}
ENDED = {'event': 'ended', **RUN, 'state': 'failed', 'cause': 'exit', 'reason': 'status 3', 'code': 3, 'summary': {}}


@pytest.fixture
def folder(tmp_path: Path) -> SearchFolder:
    """A search of three runs."""
    return planned(tmp_path)


def planned(path: Path) -> SearchFolder:
    folder = SearchFolder(path)
    folder.runs_jsonl.write_text(''.join(encode_run(Run(f'sim_{n}', n, {}, ('true',))) for n in (1, 2, 3)))
    return folder


def write(folder: SearchFolder, *lines: object, writer: str = 'w') -> Path:
    """A journal with a header and these lines, as they are or as JSON."""
    folder.journal_dir.mkdir(exist_ok=True)
    path = folder.journal_dir / f'{writer}.jsonl'
    texts = [line if isinstance(line, bytes) else json.dumps(line).encode() for line in lines]
    path.write_bytes(b''.join(text + b'\n' for text in [b'{"event":"writer","format":1}', *texts]))
    return path


def read(folder: SearchFolder) -> tuple[list[Any], list[str]]:
    """The events of all journals, and what was left out."""
    reader = JournalReader(folder)
    return [event for _, event in reader.news()], reader.odd


def test_that_events_as_hpsearch_writes_them_are_right() -> None:
    assert [problem_of(event) for event in (CLAIMED, ENDED, REPORTED, PRUNED)] == ['', '', '', '']
    assert problem_of({'event': 'of a later version', 'attempts': 'many'}) == ''


def test_that_the_time_limits_of_jobs_are_right_with_and_without_a_number() -> None:
    submitting = {**SUBMITTING, 'limit': 5400.0, 'attempts': [['sim_1', 1]]}
    header = {'event': 'writer', 'format': 1, 'job': {'queue': 'slurm', 'id': '7_1', 'ends': 1_800_000_000}}
    assert [problem_of(event) for event in (submitting, SUBMITTING, header)] == ['', '', '']
    assert problem_of({**submitting, 'limit': 'long'})
    assert problem_of({**header, 'job': {'queue': 'slurm', 'id': 7}})
    assert problem_of({**header, 'job': {'queue': 'slurm', 'id': '7', 'ends': 'soon'}})


@pytest.mark.parametrize('node', [['n3'], 3, None, 'n1,n2', '--all', "n3'"])
def test_that_a_node_is_a_name_that_a_queue_can_be_given(node: object) -> None:
    running = {'event': 'running', **RUN, 'where': 'on n3', 'node': 'n3'}
    assert [problem_of(running), problem_of({**ENDED, 'node': 'node-7.cluster'})] == ['', '']
    assert problem_of({**running, 'node': node})
    assert problem_of({**ENDED, 'node': node})


def wrong(event: dict[str, Any], **fields: list[Any]) -> list[dict[str, Any]]:
    """The event with each of these values in place of one that is right."""
    return [{**event, name: value} for name, values in fields.items() for value in values]


RUNNING = {'event': 'running', **RUN}
SUBMITTING = {'event': 'submitting', 'queue': 'slurm', 'submission': 'a'}
REPORTED = {'event': 'reported', **RUN, 'points': [[1, {'acc': 0.5}], [2.5, {'acc': 'nan', 'loss': 10**30}]]}
PRUNED = {'event': 'pruned', **RUN, 'step': 3, 'reason': 'worse than others'}
WRONG = [
    *wrong(PRUNED, step=[None, '3', float('nan')], reason=['', None, 3]),
    *wrong(CLAIMED, run=[None, 1, [], {}, '', '..', 'a/b', '/etc']),
    *wrong(CLAIMED, attempt=[None, '1', 0, -1, 1.0, True, [1], 10**9, 10**400]),
    *wrong(CLAIMED, at=[None, '1', float('nan'), float('inf'), 10**400], gpus=[None, '0', [0], {}]),
    *wrong(CLAIMED, summary_before=['x', ['x'], 1], memory=['much']),
    *wrong(ENDED, state=[None, 'blue', 'planned', 1, [], {}], code=['0', 0.5, [], 10**30]),
    *wrong(ENDED, summary=['x', [], {'acc': 1}], seconds=['1', float('nan')], reason=[3]),
    *wrong(ENDED, facts=[{'memory_limit': 'x'}]),
    *wrong(RUNNING, handle=[7, *({'pid': pid} for pid in ('7', 0, 1, -1, 7.0, 2**40))]),
    *wrong({'event': 'adopted', **RUN}, generation=['1', -1, 1.5, None]),
    *wrong(SUBMITTING, submission=['../x', 1, None], attempts=[[['sim_1']], 'x']),
    *wrong({'event': 'accepted', 'submission': 'a'}, job=[7]),
    *wrong({'event': 'writer', 'format': 1}, format=['one', -1], job=[{'queue': 'slurm'}]),
    *wrong({'event': 'of a later version'}, run=[['sim_1']]),
    *wrong(REPORTED, points=[None, {}, [1], [[1]], [['1', {}]], [[float('nan'), {}]], [[1, {}, 2]], [[1, [0.5]]]]),
    *wrong(REPORTED, points=[[[1, {'acc': value}]] for value in (None, 'much', True, [0.5], 10**400)]),
    {'event': 7},
    {},
]


@pytest.mark.parametrize('event', WRONG, ids=str)
def test_that_an_event_with_a_wrong_field_is_left_out_by_file_and_line(
    folder: SearchFolder, event: dict[str, Any]
) -> None:
    path = write(folder, CLAIMED, event, {**CLAIMED, 'run': 'sim_2'})
    events, (odd,) = read(folder)
    assert [each['run'] for each in events] == ['sim_1', 'sim_2']
    assert odd.startswith(f'{path}, line 3: ')


@pytest.mark.parametrize(
    'kind', ['claimed', 'submitted', 'running', 'adopted', 'ended', 'submitting', 'accepted', 'pruned']
)
def test_that_an_event_without_its_fields_is_left_out(folder: SearchFolder, kind: str) -> None:
    write(folder, {'event': kind})
    events, (odd,) = read(folder)
    assert not events and odd.endswith('is missing')


@pytest.mark.parametrize(
    'line',
    [
        b'{"event":"claimed","ru',
        b'\xff\xfe' + json.dumps(ENDED).encode(),
        b'[1,2]',
        b'7',
        b'null',
        b'[' * 100_000,
        b'{"event":' * 50_000,
        b'{"event":"claimed","run":"sim_3","attempt":' + b'1' * 5000 + b'}',
        b'{"event":"claimed","run":"sim_3","attempt":1},{"event":"claimed","run":"sim_3","attempt":1}',
        json.dumps(ENDED).encode('utf-16'),
    ],
    ids=lambda line: repr(line[:20]),
)
def test_that_a_damaged_line_is_left_out_by_file_and_line(folder: SearchFolder, line: bytes) -> None:
    path = write(folder, CLAIMED, line, {**CLAIMED, 'run': 'sim_2'})
    events, (odd,) = read(folder)
    assert [each['run'] for each in events] == ['sim_1', 'sim_2']
    assert odd.startswith(f'{path}, line 3: ')


def test_that_zero_bytes_before_an_event_do_not_cost_it(folder: SearchFolder) -> None:
    write(folder, b'\0' * 100 + json.dumps(CLAIMED).encode(), b'\0' * 50, {**CLAIMED, 'run': 'sim_2'})
    events, odd = read(folder)
    assert [each['run'] for each in events] == ['sim_1', 'sim_2'] and not odd


def test_that_lines_are_counted_across_readings(folder: SearchFolder) -> None:
    path = write(folder, CLAIMED, b'')
    reader = JournalReader(folder)
    assert len(list(reader.news())) == 1
    with path.open('ab') as journal:
        journal.write(b'damage\n')
    assert not list(reader.news())
    assert reader.odd[0].startswith(f'{path}, line 4: ')


# What the plan and the files of attempts rule out


def test_that_an_event_of_a_run_that_is_not_in_the_plan_is_left_out(folder: SearchFolder) -> None:
    path = write(folder, {**CLAIMED, 'run': 'sim_4'}, CLAIMED)
    events, odd = read(folder)
    assert events == [CLAIMED] and odd == [f"{path}, line 2: there is no run 'sim_4' in the plan"]


def test_that_an_event_of_a_run_that_was_appended_to_the_plan_is_taken(folder: SearchFolder) -> None:
    reader = JournalReader(folder)
    path = write(folder)
    assert not list(reader.news())
    with folder.runs_jsonl.open('a') as plan:
        plan.write(encode_run(Run('sim_4', 4, {}, ('true',))))
    with path.open('a') as journal:
        journal.write(json.dumps({**CLAIMED, 'run': 'sim_4'}) + '\n')
    assert len(list(reader.news())) == 1


@pytest.mark.parametrize('kind', ['claimed', 'running', 'ended'])
def test_that_an_attempt_that_was_never_claimed_is_left_out(folder: SearchFolder, kind: str) -> None:
    os.makedirs(folder.attempt('sim_1', 1).folder)
    path = write(folder, CLAIMED, {'event': kind, 'run': 'sim_1', 'attempt': 7, 'state': 'finished'})
    assert read(folder) == ([CLAIMED], [f'{path}, line 3: there is no attempt 7 of sim_1'])


def test_that_attempts_may_be_read_in_any_order_of_their_writers(folder: SearchFolder) -> None:
    for number in (1, 2, 3):
        os.makedirs(folder.attempt('sim_1', number).folder)
    for writer, number in (('a', 3), ('b', 2), ('c', 1)):
        write(folder, {**CLAIMED, 'attempt': number}, {**ENDED, 'attempt': number}, writer=writer)
    state = read_state(folder)
    assert [attempt.number for attempt in state.runs['sim_1'].attempts] == [1, 2, 3] and not state.odd


def test_that_attempts_whose_folder_is_lost_are_kept(folder: SearchFolder) -> None:
    write(folder, {**CLAIMED, 'attempt': 2}, {**ENDED, 'attempt': 2, 'state': 'finished'}, writer='a')
    write(folder, CLAIMED, writer='b')
    assert read_state(folder).state_of('sim_1') is State.FINISHED


def test_that_an_event_that_stands_there_twice_counts_once(folder: SearchFolder) -> None:
    path = write(folder, CLAIMED, CLAIMED, ENDED, ENDED)
    state = read_state(folder)
    assert (state.started, state.state_of('sim_1')) == (1, State.FAILED)
    assert [odd.partition(': ')[0] for odd in state.odd] == [f'{path}, line {number}' for number in (3, 5)]


# Headers


def test_that_a_lost_header_is_replaced_by_what_the_name_says(folder: SearchFolder) -> None:
    pid = os.getpid()
    name = writer_name(this_host().name, pid, 4e9, 'ab12')
    path = write(folder, CLAIMED, writer=name)
    path.write_bytes(path.read_bytes().partition(b'\n')[2])
    reader = JournalReader(folder)
    assert [event for _, event in reader.news()] == [CLAIMED]
    assert reader.headers[name] == {
        'writer': name, **this_host().as_header(), 'pid': pid, 'ticks': start_ticks(pid),
    }  # fmt: skip
    assert reader.odd == [f'{path}, line 1: there is no header; host and pid are taken from the name of the file']


def test_that_a_process_that_is_younger_than_the_writer_is_not_the_writer() -> None:
    named = header_from_name(writer_name(this_host().name, os.getpid(), 1e9, 'ab12'))
    assert (named['pid'], named['ticks']) == (os.getpid(), '')


def test_that_a_name_of_another_host_says_no_more_than_its_host() -> None:
    name = writer_name('else-where', 7, 1e9, 'ab12')
    assert header_from_name(name) == {'writer': name, 'host': 'else-where'}
    assert header_from_name('notes') == {'writer': 'notes'}


def test_that_a_header_that_comes_later_counts(folder: SearchFolder) -> None:
    folder.journal_dir.mkdir()
    path = folder.journal_dir / 'w.jsonl'
    path.write_text('{"event":"wri')
    reader = JournalReader(folder)
    assert not list(reader.news()) and not reader.headers
    path.write_text('{"event":"writer","format":1,"host":"here"}\n')
    assert not list(reader.news()) and reader.headers['w']['host'] == 'here' and not reader.odd


# Any damage


LIKELY = [b'\0' * 9, b'\n', b'NaN', b'9', b'"', b'[[', b'}\n{', b'null', b'-', b'\\ud800']


def journal_of(folder: SearchFolder) -> Path:
    """A journal of three runs, each of which has finished."""
    journal = Journal(folder, 'w', {'host': 'here', 'pid': 7, 'ticks': '9'})
    for number in (1, 2, 3):
        run = {'run': f'sim_{number}', 'attempt': 1}
        os.makedirs(folder.attempt(f'sim_{number}', 1).folder)
        journal.append({'event': 'claimed', **run, 'gpus': ['0'], 'at': 1.5})
        journal.append({'event': 'running', **run, 'handle': {'pid': 70 + number}})
        journal.append({'event': 'ended', **run, 'state': 'finished', 'code': 0, 'summary': {'acc': '0.5'}})
    journal.close()
    return folder.journal_dir / 'w.jsonl'


@settings(max_examples=300, deadline=None)
@given(st.data())
def test_that_no_damage_to_bytes_raises_or_costs_an_event_of_another_line(data: st.DataObject) -> None:
    with tempfile.TemporaryDirectory() as path:
        folder = planned(Path(path))
        journal = journal_of(folder)
        whole = journal.read_bytes()
        place = data.draw(st.integers(0, len(whole)))
        damage = data.draw(
            st.binary(max_size=12) | st.sampled_from([b'\0' * 9, b'\n', b'NaN', b'9', b'"', b'[[', b'}\n{'])
        )
        end = place + (len(damage) if data.draw(st.booleans()) else 0)
        journal.write_bytes(whole[:place] + damage + whole[end:])
        lines = whole.split(b'\n')
        first, last = whole.count(b'\n', 0, place), whole.count(b'\n', 0, max(place, end))
        try:
            state = read_state(folder)
        except JournalError as refusal:  # the digit that was damaged was the format's
            assert first == 0 and 'update hpsearch' in str(refusal)
            return
        untouched = [json.loads(line) for line in lines[: max(0, first)] + lines[last + 1 :] if line]
        for event in untouched:
            if event['event'] == 'ended':
                assert state.state_of(event['run']) is State.FINISHED
        assert set(state.runs) <= {'sim_1', 'sim_2', 'sim_3'}
