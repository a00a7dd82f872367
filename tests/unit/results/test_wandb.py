"""Results of W&B, from the log that it writes online and offline."""

from __future__ import annotations

from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from hpsearch.results.rules import result_rules, rule_of
from hpsearch.results.sources import Places, read_by_rule
from hpsearch.results.wandb import summary_of
from tests.unit.results.wandb_log import history, item, log, summary


def test_that_the_summary_is_the_last_value_of_each_key() -> None:
    data = log(
        b'\x08\x01',
        history(item('0.5', 'acc'), item('3', 'loss')),
        summary(item('0.5', 'acc')),
        history(item('0.7', 'acc'), item('1', 'val', 'loss')),
        summary(item('0.9', 'best'), item('{"min": 2}', 'nested')),
    )
    assert summary_of(data) == {'acc': 0.5, 'loss': 3, 'val.loss': 1, 'best': 0.9, 'nested': {'min': 2}}


@given(st.lists(st.integers(0, 70_000), max_size=6))
def test_that_records_are_read_across_the_ends_of_blocks(sizes: list[int]) -> None:
    records = [summary(item(f'"{"x" * size}"', f'k{place}')) for place, size in enumerate(sizes)]
    assert summary_of(log(*records)) == {f'k{place}': 'x' * size for place, size in enumerate(sizes)}


@given(st.integers(0, 400), st.binary(max_size=30))
def test_that_what_is_cut_off_or_damaged_is_left_out(end: int, junk: bytes) -> None:
    data = log(summary(item('1', 'a')), history(item('2', 'b')), summary(item('"' + 'z' * 300 + '"', 'c')))
    found = summary_of(data[:end] + junk)
    assert set(summary_of(data[:end])) <= {'a', 'b', 'c'}
    assert isinstance(found, dict)


def test_that_the_rule_reads_the_log_in_the_output_folder(tmp_path: Path) -> None:
    folder = tmp_path / 'wandb' / 'offline-run-20261126_1-abc'
    folder.mkdir(parents=True)
    (folder / 'run-abc.wandb').write_bytes(log(summary(item('0.25', 'acc'), item('{"min": 2}', 'loss'))))
    (rule,), _ = result_rules('wandb')
    row, oddity = read_by_rule(rule_of(rule), Places(tmp_path, {}), key='acc', ascending=False)
    assert (row, oddity) == ({'acc': '0.25', 'loss.min': '2'}, '')
