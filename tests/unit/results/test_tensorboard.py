"""Event files of TensorBoard, as its writers make them."""

from __future__ import annotations

import struct
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hpsearch.results.tensorboard import scalars

tensorboard = pytest.importorskip('tensorboardX')


def written(folder: Path, values: list[tuple[str, int, float]]) -> bytes:
    """The content of an event file with these scalars."""
    with tensorboard.SummaryWriter(str(folder)) as writer:
        for tag, step, value in values:
            writer.add_scalar(tag, value, step)
        writer.add_text('notes', 'some text')
        writer.add_histogram('weights', [1.0, 2.0])
    (file,) = folder.iterdir()
    return file.read_bytes()


def test_that_scalars_are_read_and_nothing_else(tmp_path: Path) -> None:
    values = [('loss', 0, 0.5), ('val/acc', 1, 0.25), ('loss', 3_000_000_000, -1.0)]
    assert list(scalars(written(tmp_path, values))) == values


def test_that_an_event_file_that_is_cut_off_is_read_up_to_there(tmp_path: Path) -> None:
    data = written(tmp_path, [('loss', step, 0.5) for step in range(3)])
    for end in range(len(data)):
        found = list(scalars(data[:end]))
        assert found == [('loss', step, 0.5) for step in range(len(found))]


@pytest.mark.parametrize('kind', ['content', 'float', 'double'])
def test_that_a_scalar_may_be_a_tensor(kind: str) -> None:
    protocol = pytest.importorskip('tensorboardX.proto.event_pb2')
    event = protocol.Event(step=7)
    value = event.summary.value.add(tag='epoch_loss')
    value.tensor.dtype = 2 if kind == 'double' else 1
    if kind == 'content':
        value.tensor.tensor_content = struct.pack('<f', 0.5)
    elif kind == 'float':
        value.tensor.float_val.append(0.5)
    else:
        value.tensor.double_val.append(0.5)
    record = event.SerializeToString()
    assert list(scalars(struct.pack('<QI', len(record), 0) + record + b'\0' * 4)) == [('epoch_loss', 7, 0.5)]


@given(st.binary())
def test_that_no_bytes_raise_anything(data: bytes) -> None:
    record = struct.pack('<QI', len(data), 0) + data + b'\0' * 4
    assert isinstance(list(scalars(record)), list) and isinstance(list(scalars(data)), list)
