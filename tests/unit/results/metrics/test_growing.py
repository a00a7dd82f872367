"""Logs that grow: in whatever pieces they come, and whatever is done to them, their points are those of the whole."""

from __future__ import annotations

import json
import math
import os
import struct
import tempfile
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hpsearch.results import tensorboard
from hpsearch.results.metrics import growing
from hpsearch.results.metrics.growing import GrowingFile, Lines
from hpsearch.results.metrics.logs import (
    EventFileReader,
    JsonLinesReader,
    MlflowReader,
    PrintedReader,
    Reader,
    TableReader,
    WandbReader,
)
from hpsearch.results.metrics.points import Point, as_number, step_name
from hpsearch.results.rules import rule_of
from tests.unit.results.wandb_log import history, item, log, summary


def event(step: int, **values: float) -> bytes:
    """A record of an event file of TensorBoard."""
    tags = [tag.encode() for tag in values]
    scalars = [b'\x0a' + bytes([len(tag)]) + tag + b'\x15' + struct.pack('<f', values[tag.decode()]) for tag in tags]
    summary = b''.join(b'\x0a' + bytes([len(each)]) + each for each in scalars)
    data = b'\x10' + bytes([step]) + b'\x2a' + bytes([len(summary)]) + summary
    return struct.pack('<QI', len(data), 0) + data + b'\0' * 4


def printed(pattern: str, key: str = 'acc') -> Reader:
    return PrintedReader(rule_of({'stdout': pattern}), key)


CSV = b'epoch,step,train_loss,val_acc\n0,49,0.5,\n0,99,,0.25\n1,149,"0.4",\n1,199,,nan\n'
PROGRESS = b'epoch 1: 10%\repoch 1: acc=0.5\r\nepoch 2: acc=0.75\nacc=0.9\n'
OPENED = b'Epoch 1\n  loss 3\n  acc 0.5\nEpoch 2\n  acc 0.75\n'

LOGS: Sequence[tuple[str, Callable[[], Reader], bytes, list[Point]]] = [
    (
        'csv',
        lambda: TableReader('', ','),
        CSV,
        [(0, {'train_loss': 0.5}), (0, {'val_acc': 0.25}), (1, {'train_loss': 0.4}), (1, {'val_acc': math.nan})],
    ),
    ('a given column', lambda: TableReader('n', ','), b'n,epoch,acc\r\n10,1,0.5\r\n,1,0.6\r\n', [
        (10, {'acc': 0.5}), (10, {'acc': 0.6}),
    ]),
    ('no step', lambda: TableReader('', '\t'), b'acc\tlr\n0.5\t1e-3\n\n0.75\t1e-3\n', [
        (1, {'acc': 0.5, 'lr': 1e-3}), (2, {'acc': 0.75, 'lr': 1e-3}),
    ]),
    (
        'jsonl',
        lambda: JsonLinesReader(''),
        b'{"config": {"lr": "auto"}}\nnoise\n{"it": 5, "val": {"acc": 0.5}, "ok": true}\n{"val": {"acc": NaN}}\n[1]\n',
        [(5, {'val.acc': 0.5, 'ok': 1}), (5, {'val.acc': math.nan})],
    ),
    (
        'a step group',
        lambda: printed(r'epoch (?P<step>\d+).*acc=(?P<acc>[0-9.]+)'),
        PROGRESS,
        [(1, {'acc': 0.5}), (2, {'acc': 0.75})],
    ),
    ('a step group and a value', lambda: printed(r'epoch (?P<step>\d+).*acc=([0-9.]+)'), PROGRESS, [
        (1, {'acc': 0.5}), (2, {'acc': 0.75}),
    ]),
    ('matches', lambda: printed(r'acc=([0-9.]+)'), PROGRESS, [
        (1, {'acc': 0.5}), (2, {'acc': 0.75}), (3, {'acc': 0.9}),
    ]),
    ('a step in a line above', lambda: printed(r'^Epoch (?P<epoch>\d+)|acc (?P<acc>\S+)'), OPENED, [
        (1, {'acc': 0.5}), (2, {'acc': 0.75}),
    ]),
    ('several lines', lambda: printed(r'Epoch (?P<step>\d+)\n(?:  loss.*\n)?  acc (?P<acc>\S+)$'), OPENED, [
        (1, {'acc': 0.5}), (2, {'acc': 0.75}),
    ]),
    (
        'tensorboard',
        lambda: EventFileReader(lambda: ''),
        event(1, acc=0.9) + event(2, acc=0.5, loss=1),
        [(1, {'acc': 0.9}), (2, {'acc': 0.5}), (2, {'loss': 1})],
    ),
    (
        'wandb',
        lambda: WandbReader(''),
        log(history(
            item('0', '_step'), item('7', '_runtime'), item('0.5', 'val', 'acc'),
        ), summary(item('9', 'acc')), history(
            item('1', '_step'), item('0.75', 'val', 'acc'), item('"' + 'x' * 40_000 + '"', 'note'),
        )),
        [(0, {'val.acc': 0.5}), (1, {'val.acc': 0.75})],
    ),
    ('mlflow', lambda: MlflowReader('acc'), b'170000 0.5 0\n170001 0.75 1\nnoise\n', [
        (0, {'acc': 0.5}), (1, {'acc': 0.75}),
    ]),
]  # fmt: skip


def same(points: Iterable[Point], others: Iterable[Point]) -> bool:
    """Whether points are the same, where nan is nan."""
    return repr([(float(step), metrics) for step, metrics in points]) == repr(
        [(float(step), {name: float(value) for name, value in metrics.items()}) for step, metrics in others]
    )


def fed(reader: Reader, pieces: Iterable[bytes]) -> list[Point]:
    return [point for piece in pieces for point in reader.feed(piece)]


def cut(data: bytes, places: Iterable[int]) -> list[bytes]:
    ends = [*sorted(place % (len(data) + 1) for place in places), len(data)]
    return [data[begin:end] for begin, end in zip([0, *ends], ends, strict=False)]


@pytest.mark.parametrize(('make', 'data', 'expected'), [log[1:] for log in LOGS], ids=[log[0] for log in LOGS])
def test_that_a_log_becomes_points(make: Callable[[], Reader], data: bytes, expected: list[Point]) -> None:
    assert same(fed(make(), [data]), expected)


@given(st.sampled_from(LOGS), st.lists(st.integers(0), max_size=8), st.integers(0, 2000))
def test_that_a_log_that_comes_in_pieces_has_the_points_of_the_whole(
    which: tuple[str, Callable[[], Reader], bytes, list[Point]], places: list[int], begin: int
) -> None:
    _, make, data, expected = which
    near = [begin + place % 50 for place in places]
    assert same(fed(make(), cut(data, [*places, *near])), expected)


@given(st.sampled_from(LOGS), st.binary(max_size=200), st.integers(0, 200))
def test_that_no_bytes_raise_anything_and_pieces_of_them_make_no_difference(
    which: tuple[str, Callable[[], Reader], bytes, list[Point]], junk: bytes, place: int
) -> None:
    _, make, data, _ = which
    damaged = data[:place] + junk + data[place : place + 500]
    assert same(fed(make(), [damaged]), fed(make(), cut(damaged, range(0, len(damaged), 7))))


@pytest.mark.parametrize('size', [1, 7, 1000])
def test_that_records_too_large_for_a_scalar_are_passed_over(size: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tensorboard, 'LARGEST_RECORD', 100)
    data = event(1, acc=0.5) + struct.pack('<QI', 101, 0) + b'x' * 105 + event(2, acc=0.75)
    pieces = cut(data, range(0, len(data), size))
    assert fed(EventFileReader(lambda: 'val/'), pieces) == [(1, {'val/acc': 0.5}), (2, {'val/acc': 0.75})]


# The file itself


def read_all(file: GrowingFile) -> tuple[bytes, bool]:
    """What is new, and whether it began anew."""
    data, is_another = file.read()
    while file.has_more:
        more, again = file.read()
        data, is_another = data + more, is_another or again
    return data, is_another


@given(st.lists(st.binary(max_size=300), max_size=10))
def test_that_a_file_is_read_from_where_the_last_call_ended(pieces: list[bytes]) -> None:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, 'log')
        file, found = GrowingFile(path), b''
        assert file.read() == (b'', False)
        for piece in pieces:
            with open(path, 'ab') as written:
                written.write(piece)
            data, is_another = file.read()
            assert data == piece and not is_another
            found += data
        assert found == b''.join(pieces)


def test_that_a_call_reads_a_bounded_part_of_a_large_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(growing, 'CHUNK', 100)
    (tmp_path / 'log').write_bytes(b'x' * 250)
    file = GrowingFile(tmp_path / 'log')
    found = [(len(file.read()[0]), file.has_more) for _ in range(4)]
    assert found == [(100, True), (100, True), (50, False), (0, False)]


def truncated(path: Path) -> None:
    path.write_bytes(b'new\n')


def replaced(path: Path) -> None:
    path.with_suffix('.tmp').write_bytes(b'new\n' + b'y' * 500)
    os.replace(path.with_suffix('.tmp'), path)


def written_again(path: Path) -> None:
    with open(path, 'r+b') as file:
        file.write(b'new\n' + b'y' * 500)


@pytest.mark.parametrize('change', [truncated, replaced, written_again])
def test_that_a_file_that_became_another_one_is_read_from_its_beginning(
    tmp_path: Path, change: Callable[[Path], None]
) -> None:
    path = tmp_path / 'log'
    path.write_bytes(b'old\n' * 50)
    file = GrowingFile(path)
    file.read()
    change(path)
    data, is_another = read_all(file)
    assert is_another and data == path.read_bytes()
    assert file.read() == (b'', False)


def test_that_a_file_that_was_emptied_begins_anew_at_once(tmp_path: Path) -> None:
    path = tmp_path / 'log'
    path.write_bytes(b'old\n')
    file = GrowingFile(path)
    file.read()
    path.write_bytes(b'')
    assert file.read() == (b'', True)
    path.write_bytes(b'new\n')
    assert file.read() == (b'new\n', False)


@pytest.mark.parametrize('make', [os.mkfifo, os.mkdir])
def test_that_what_is_no_regular_file_has_nothing_new(tmp_path: Path, make: Callable[[Path], None]) -> None:
    make(tmp_path / 'log')
    assert GrowingFile(tmp_path / 'log').read() == (b'', False)


@given(st.integers(0, 40), st.lists(st.integers(0), max_size=5))
def test_that_lines_that_are_too_long_are_passed_over(size: int, places: list[int]) -> None:
    data = b'a\n' + b'x' * (growing.LONGEST_LINE + size) + b'\nb\n' + b'y' * 10 + b'\nrest'
    lines = Lines()
    found = [line for piece in cut(data, places) for line in lines.feed(piece)]
    assert [line for line in found if not line.startswith('x')] == ['a', 'b', 'y' * 10]
    assert bool(size) == (len(found) == 3)


# Names and numbers


@pytest.mark.parametrize(
    ('names', 'expected'),
    [
        (['step', 'epoch', 'acc'], 'epoch'),
        (['_step', 'acc'], '_step'),
        (['time/iterations', 'time/total_timesteps', 'reward'], 'time/iterations'),
        (['trainer/global_step', 'loss'], 'trainer/global_step'),
        (['Epoch', 'loss'], 'Epoch'),
        (['accuracy', 'stepsize'], ''),
    ],
)
def test_that_the_step_is_found_by_its_name(names: list[str], expected: str) -> None:
    assert step_name(names) == expected


@pytest.mark.parametrize(
    ('text', 'expected'),
    [('0.5', 0.5), ('95.0%', 95.0), ('tensor(0.5)', 0.5), ('0,5', None), ('1,2,3', None), ('a', None)],
)
def test_that_values_are_read_as_in_the_table(text: str, expected: float | None) -> None:
    assert as_number(text) == expected


def test_that_json_may_have_numbers_that_no_float_holds() -> None:
    rows = [{'step': 1, 'big': 10**400, 'acc': 0.5}, {'step': 10**400, 'acc': 0.75}]
    data = b''.join(json.dumps(row).encode() + b'\n' for row in rows)
    assert fed(JsonLinesReader(''), [data])[0] == (1, {'big': math.inf, 'acc': 0.5})
