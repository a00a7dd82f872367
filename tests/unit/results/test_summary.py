"""Reading what a training script left as its result."""

from __future__ import annotations

import json
import math
import os
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hpsearch.model.configuration import Configuration
from hpsearch.model.run import Summary
from hpsearch.results.documents import LARGEST_YAML
from hpsearch.results.files import LARGEST_SUMMARY
from hpsearch.results.summary import MOST_KEYWORDS, handle_form, read_summary, says_finished
from hpsearch.results.text import value_text
from tests.fakes.late_records import LateRecords

NAME = 'performance_overview.txt'


def configuration(
    keywords: Sequence[str] = ('finished',),
    name: str | None = NAME,
    handle: Callable[..., Any] | None = None,
) -> Configuration:
    return Configuration(
        source='/c.py', sha256='', grid={}, summary_filename=name, summary_keywords=keywords, summary_parser=handle
    )


@pytest.fixture
def read(tmp_path: Path) -> Callable[..., Summary]:
    def read_text(text: str | bytes, keywords: Sequence[str] = ('finished',), name: str = NAME) -> Summary:
        (tmp_path / name).write_bytes(text if isinstance(text, bytes) else text.encode())
        return read_summary(tmp_path, configuration(keywords, name), 1)

    return read_text


Read = Callable[..., Summary]


@pytest.mark.parametrize(
    'line, keyword, text',
    [
        ('acc 0.5', 'acc', '0.5'),
        ('acc 1e-05', 'acc', '1e-05'),
        ('acc -3', 'acc', '-3'),
        ('acc +3.5E+10', 'acc', '+3.5E+10'),
        ('acc nan', 'acc', 'nan'),
        ('acc -inf', 'acc', '-inf'),
        ('  acc\t0.5  ', 'acc', '0.5'),
        ('acc 1 2.5 -3e-4', 'acc', '1,2.5,-3e-4'),
        ('acc 1, 2,3', 'acc', '1,2,3'),
        ('acc [1, 2.5, nan]', 'acc', '1,2.5,nan'),
        ('acc [1. 2.]', 'acc', '1.,2.'),
        ('acc (1, 2)', 'acc', '1,2'),
        ('acc [7]', 'acc', '7'),
        ('acc []', 'acc', ''),
        ("names ['a b', 'c']", 'names', 'a b,c'),
        ('acc "1,2"', 'acc', '1,2'),
        ('note "hello world"', 'note', 'hello world'),
        ('note it said "no" twice', 'note', 'it said "no" twice'),
        ('note "a" and "b"', 'note', '"a" and "b"'),
        ('when 2026-11-20 23:19:00', 'when', '2026-11-20 23:19:00'),
        ('path /out/x=1/y', 'path', '/out/x=1/y'),
        ('acc: 0.5', 'acc', '0.5'),
        ('acc : 0.5', 'acc', '0.5'),
        ('acc = 0.5', 'acc', '0.5'),
        ('acc=0.5', 'acc', '0.5'),
        ('acc:', 'acc', ''),
        ('acc', 'acc', ''),
        ('matrix [[1, 2], [3, 4]]', 'matrix', '[[1, 2], [3, 4]]'),
        ('v 1_000', 'v', '1_000'),
        ('acc np.float64(0.95)', 'acc', 'np.float64(0.95)'),
        ("acc tensor(0.95, device='cuda:0')", 'acc', "tensor(0.95, device='cuda:0')"),
        ('acc 95.0%', 'acc', '95.0%'),
        ('acc 0,950', 'acc', '0,950'),
        ('acc 0,95 0,93', 'acc', '0,95 0,93'),
        ('größe 3', 'größe', '3'),
    ],
)
def test_that_a_line_gives_its_keyword_and_text(read: Read, line: str, keyword: str, text: str) -> None:
    assert read(f'{line}\nfinished 1\n').values == {keyword: text, 'finished': '1'}


def test_that_keywords_which_share_a_beginning_are_kept_apart(read: Read) -> None:
    summary = read('acc_final 0.9\nacc 0.5\nfinished 1\n', ('acc', 'acc_final', 'finished'))
    assert (summary.values['acc'], summary.values['acc_final'], summary.problem) == ('0.5', '0.9', '')


def test_that_a_known_keyword_may_hold_a_colon_or_an_equals_sign(read: Read) -> None:
    summary = read('acc=top:1 0.5\nloss:0.25\nfinished 1\n', ('acc=top:1', 'loss', 'finished'))
    assert summary.values == {'acc=top:1': '0.5', 'loss': '0.25', 'finished': '1'}


def test_that_line_ends_of_other_systems_and_empty_lines_do_not_matter(read: Read) -> None:
    summary = read('\r\nacc 0.5\r\n\r\nfinished 1\r\n', ('acc', 'finished'))
    assert summary == Summary({'acc': '0.5', 'finished': '1'}, True, '', True)


def test_that_what_torch_prints_after_a_number_may_be_on_a_line_of_its_own(read: Read) -> None:
    tensor = "tensor(0.95, device='cuda:0', dtype=torch.float64,\n       grad_fn=<MeanBackward0>)"
    summary = read(f'acc {tensor}\n  note :(\n  finished 1\n')
    assert summary.values == {'acc': ' '.join(tensor.split()), 'note': ':(', 'finished': '1'}


def test_that_an_array_printed_over_several_lines_is_one_list(read: Read) -> None:
    summary = read('acc [1. 2.\n 3. 4.]\nfinished 1\n')
    assert summary.values == {'acc': '1.,2.,3.,4.', 'finished': '1'}


def test_that_an_open_bracket_does_not_swallow_the_next_keyword(read: Read) -> None:
    assert read('acc [1, 2\nfinished 1\n').finished is True


def test_that_missing_keywords_are_named_and_extra_ones_kept(read: Read) -> None:
    summary = read('extra 7\nfinished 1\n', ('acc', 'loss', 'finished'))
    assert summary.values == {'extra': '7', 'finished': '1'}
    assert summary.problem == 'missing keywords: acc, loss'


def test_that_the_last_of_several_values_counts_and_this_is_told(read: Read) -> None:
    summary = read('finished 0\nacc 1\nfinished 1\n')
    assert summary.finished is True
    assert 'more than once' in summary.problem and 'finished' in summary.problem


def test_that_half_a_file_is_neither_finished_nor_unfinished(read: Read) -> None:
    summary = read('acc 0.5\nlos', ('acc', 'loss', 'finished'))
    assert summary.finished is None and summary.found
    assert 'finished is missing' in summary.problem and 'cut off' in summary.problem


def test_that_an_empty_file_says_nothing(read: Read) -> None:
    summary = read('', ('acc', 'finished'))
    assert summary.finished is None and summary.values == {} and 'its summary is empty' in summary.problem


@pytest.mark.parametrize(
    ('text', 'keywords', 'decides'),
    [
        ('acc 0.5\n', ('acc',), True),
        ('loss 0.5\n', ('acc',), True),
        ('', ('acc',), False),
        ('acc 0.5\n', ('acc', 'finished'), False),
        ('acc 0.5\nfinished 0\n', ('acc',), False),
        ('acc 0.5\nfinished maybe\n', ('acc',), False),
    ],
)
def test_that_the_status_decides_where_the_keyword_finished_is_neither_there_nor_expected(
    read: Read, text: str, keywords: tuple[str, ...], decides: bool
) -> None:
    summary = read(text, keywords)
    assert summary.status_decides is decides and not summary.finished
    assert (summary.is_success(0), summary.is_success(3), summary.is_success(None)) == (decides, False, False)


def test_that_a_missing_keyword_finished_is_told_with_what_to_do_where_it_is_expected(read: Read) -> None:
    assert 'finished' not in read('acc 0.5\n', ('acc',)).problem
    problem = read('acc 0.5\n', ('acc', 'finished')).problem
    assert problem == 'the keyword finished is missing (have it written, or remove it from _SUMMARY_KEYWORDS)'


def test_that_text_which_is_not_utf8_is_read_and_told(read: Read) -> None:
    summary = read(b'note caf\xe9\nfinished 1\n')
    assert summary.finished is True and summary.values['note'] == 'caf\ufffd' and 'UTF-8' in summary.problem


def test_that_a_byte_order_mark_is_no_part_of_the_keyword(read: Read) -> None:
    assert read('\ufefffinished 1\n').finished is True


def test_that_a_block_of_zero_bytes_is_told(read: Read) -> None:
    summary = read(b'acc 1\n' + bytes(100))
    assert summary.finished is None and 'zero bytes' in summary.problem


def test_that_a_huge_file_is_not_read(tmp_path: Path) -> None:
    with (tmp_path / NAME).open('wb') as file:
        file.write(b'finished 1\n')
        file.truncate(LARGEST_SUMMARY + 1)
    summary = read_summary(tmp_path, configuration(), 1)
    assert not summary.found and summary.finished is None and 'larger than 10 MiB' in summary.problem


@pytest.mark.parametrize('kind', ['fifo', 'folder'])
def test_that_what_is_not_a_regular_file_is_not_read(tmp_path: Path, kind: str) -> None:
    (os.mkfifo if kind == 'fifo' else os.mkdir)(tmp_path / NAME)
    summary = read_summary(tmp_path, configuration(), 1)
    assert not summary.found and 'cannot be read' in summary.problem


def test_that_a_missing_file_and_a_missing_folder_are_told_apart(tmp_path: Path) -> None:
    assert read_summary(tmp_path, configuration(), 1).problem == f'no summary file {NAME} in the output folder'
    assert read_summary(tmp_path / 'none', configuration(), 1).problem == 'no output folder'


def test_that_a_summary_is_found_although_the_file_system_denied_it_before(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    LateRecords(name=NAME).install(monkeypatch.setattr)
    assert not (tmp_path / NAME).exists()
    (tmp_path / NAME).write_text('finished 1\n')
    assert not (tmp_path / NAME).exists(), 'it is denied'
    assert read_summary(tmp_path, configuration(), 1).finished


def test_that_no_summary_file_configured_is_no_problem(tmp_path: Path) -> None:
    assert read_summary(tmp_path, configuration(name=None), 1) == Summary()


@pytest.mark.parametrize(
    'text, meaning',
    [
        ('1', True),
        ('1.0', True),
        ('True', True),
        ('0', False),
        ('0.0', False),
        ('false', False),
        ('', None),
        ('2', None),
        ('-1', None),
        ('nan', None),
        ('yes', True),
        ('no', False),
        ('np.int64(1)', True),
        ('np.True_', True),
        ('np.False_', False),
        ('tensor(1)', True),
        ("tensor(0., device='cuda:0')", False),
        ('1,', True),
        ('1,1', None),
        ('0,1', None),
        ('0.5,1', None),
        ('1%', None),
        ('1 of 2', None),
    ],
)
def test_that_only_one_and_true_mean_finished(text: str, meaning: bool | None) -> None:
    assert says_finished(text) is meaning


def test_that_an_odd_value_of_finished_is_told(read: Read) -> None:
    summary = read('finished maybe\n')
    assert summary.finished is None and "'maybe'" in summary.problem


def test_that_a_json_summary_is_read(read: Read) -> None:
    text = (
        '{"acc": 1e-05, "list": [1, 2.5], "deep": {"a": [1]}, "ok": false, "none": null, "s": "x y", "finished": true}'
    )
    summary = read(text, ('finished',), 'result.json')
    assert summary.finished is True and summary.problem == ''
    assert summary.values == {
        'acc': '1e-05', 'list': '1,2.5', 'deep': '{"a": [1]}', 'ok': '0', 'none': '', 's': 'x y', 'finished': '1',
    }  # fmt: skip


@pytest.mark.parametrize('name', ['result.yaml', 'result.YML'])
def test_that_a_yaml_summary_is_read(read: Read, name: str) -> None:
    summary = read('acc: 0.25\nlosses:\n- .nan\n- -.inf\nday: 2026-11-20\nfinished: 1\n', ('finished',), name)
    assert summary.values == {'acc': '0.25', 'losses': 'nan,-inf', 'day': '2026-11-20', 'finished': '1'}
    assert summary.finished is True


@pytest.mark.parametrize(
    'name, text',
    [
        ('r.json', '{"acc": 1'),
        ('r.json', '[1]'),
        ('r.json', '[' * 100_000),
        ('r.yaml', 'a: [1'),
        ('r.yaml', 'word'),
        ('r.yaml', '!!python/object/apply:os.system ["true"]'),
        ('r.yaml', '!!timestamp x'),
        ('r.yaml', '!!bool x'),
        ('r.yaml', 'a: {? [1, 2] : {? [3] : 4}}'),
        ('r.yaml', 'a: &a [*a]'),
        ('r.yaml', 'a: ' + '[' * 5_000),
        ('r.yaml', 'a: ' + 'x' * (LARGEST_YAML + 1)),
    ],
    ids=lambda text: text[:30],
)
def test_that_a_damaged_document_is_a_problem_and_no_error(read: Read, name: str, text: str) -> None:
    summary = read(text, ('finished',), name)
    assert not summary.found and summary.finished is None and f'{name} cannot be read' in summary.problem


def laughs(levels: int, form: str) -> str:
    """A short document in which each level has the one before nine times."""
    first = '{x: lol}' if '<<' in form else '[lol]'
    lines = [f'a0: &a0 {first}']
    lines += [f'a{level}: &a{level} {form % ", ".join([f"*a{level - 1}"] * 9)}' for level in range(1, levels)]
    return '\n'.join([*lines, 'finished: 1'])


@pytest.mark.parametrize('form', ['[%s]', '{<<: [%s]}'])
def test_that_a_short_document_with_aliases_of_aliases_is_not_written_out(read: Read, form: str) -> None:
    text = laughs(12, form)
    assert len(text) < 1000
    summary = read(text, ('finished',), 'r.yaml')
    assert not summary.found and 'its aliases make it larger than 10 MiB' in summary.problem


def test_that_ordinary_aliases_are_read(read: Read) -> None:
    summary = read('a: &a [1, 2]\nb: *a\nc: {<<: &d {x: 1}, y: *d}\nfinished: 1', ('finished',), 'r.yaml')
    assert summary.finished and summary.values['b'] == '1,2' and summary.values['c'] == '{"x": 1, "y": {"x": 1}}'


@pytest.mark.parametrize('name', [NAME, 'r.json', 'r.yaml'])
def test_that_of_very_many_keywords_the_expected_and_the_first_are_kept(read: Read, name: str) -> None:
    lines = [f'"k{number}": 1' for number in range(3000)] + ['"acc": 0.5', '"finished": 1']
    text = '{' + ', '.join(lines) + '}' if name != NAME else '\n'.join(lines).replace('"', '').replace(':', '')
    summary = read(text, ('acc', 'finished'), name)
    assert summary.finished and summary.values['acc'] == '0.5' and 'k997' in summary.values
    assert len(summary.values) == MOST_KEYWORDS and 'it has 3002 keywords' in summary.problem


def test_that_of_a_custom_parser_no_more_keywords_are_kept(tmp_path: Path) -> None:
    found = read_summary(tmp_path, configuration(handle=lambda *_: {**dict.fromkeys(range(3000), 1), 'finished': 1}), 1)
    assert found.finished and len(found.values) == MOST_KEYWORDS


@pytest.mark.parametrize('encoding', ['utf-16', 'utf-16-le', 'utf-16-be', 'utf-32'])
@pytest.mark.parametrize('name', [NAME, 'r.json', 'r.yaml'])
def test_that_a_summary_in_another_unicode_encoding_is_read(read: Read, encoding: str, name: str) -> None:
    mark = '' if encoding in ('utf-16', 'utf-32') else '\ufeff'
    text = 'acc 0.5 é\nfinished 1\n' if name == NAME else '{"acc": "0.5 é", "finished": 1}'
    summary = read((mark + text).encode(encoding), ('acc', 'finished'), name)
    assert summary.finished and summary.values['acc'] == '0.5 é' and summary.problem == ''


def test_that_half_a_character_can_be_printed(read: Read) -> None:
    summary = read('{"a\\ud800": "b\\udfff", "finished": 1}', ('finished',), 'r.json')
    assert summary.values['a?'] == 'b?'


@pytest.mark.parametrize(
    'text', ['acc [\n' + ' 1\n' * 400_000, 'acc [1' + ' ' * 400_000 + '2, 3]', 'acc 1' + ' ' * 400_000 + 'x']
)
def test_that_a_large_file_is_read_in_time_proportional_to_its_size(read: Read, text: str) -> None:
    assert 'acc' in read(text, ('acc',)).values


def test_that_a_custom_parser_gets_the_folder_as_text_and_the_index_from_zero(tmp_path: Path) -> None:
    calls: list[tuple[Any, ...]] = []

    def handle(out_dir: str, cmd_ident: int) -> dict[str, list[str]]:
        calls.append((out_dir, cmd_ident))
        return {'acc': ['0.5'], 'losses': ['"1,2"'], 'finished': ['1']}

    summary = read_summary(tmp_path, configuration(('acc', 'finished'), handle=handle), 7)
    assert calls == [(str(tmp_path), 6)]
    assert summary == Summary({'acc': '0.5', 'losses': '1,2', 'finished': '1'}, True, '', True)


def test_that_a_custom_parser_may_return_scalars_lists_and_arrays(tmp_path: Path) -> None:
    numpy = pytest.importorskip('numpy')
    result = {'a': 0.5, 'b': [1, 2], 'c': numpy.float64(0.25), 'd': [numpy.array([1.0, 2.0])], 'finished': True}
    summary = read_summary(tmp_path, configuration(handle=lambda *_: result), 1)
    assert summary.values == {'a': '0.5', 'b': '1,2', 'c': '0.25', 'd': '1.0,2.0', 'finished': '1'}
    assert summary.finished is True


@pytest.mark.parametrize('error', [KeyError('acc'), SystemExit(3), RecursionError('deep')])
def test_that_whatever_a_custom_parser_raises_is_a_problem(tmp_path: Path, error: BaseException) -> None:
    def handle(out_dir: str, cmd_ident: int) -> dict[str, list[str]]:
        raise error

    summary = read_summary(tmp_path, configuration(handle=handle), 1)
    assert not summary.found and type(error).__name__ in summary.problem and str(error) in summary.problem


def test_that_an_interrupt_is_not_taken_for_a_bug_of_the_parser(tmp_path: Path) -> None:
    def handle(out_dir: str, cmd_ident: int) -> dict[str, list[str]]:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        read_summary(tmp_path, configuration(handle=handle), 1)


def test_that_a_custom_parser_which_returns_no_dict_is_a_problem(tmp_path: Path) -> None:
    summary = read_summary(tmp_path, configuration(handle=lambda *_: None), 1)
    assert 'NoneType' in summary.problem and not summary.found


def test_that_evaluation_gets_one_element_lists_with_extra_quotes_around_lists() -> None:
    summary = Summary({'acc': '0.5', 'losses': '1,2', 'note': 'well, well', 'empty': ''})
    assert handle_form(summary) == {'acc': ['0.5'], 'losses': ['"1,2"'], 'note': ['well, well'], 'empty': ['']}


numbers = st.floats() | st.integers(-(10**12), 10**12)


@settings(deadline=None)
@given(st.lists(numbers, min_size=2, max_size=6), st.sampled_from(['%s', '[%s]', '(%s)']), st.sampled_from([' ', ', ']))
def test_that_any_list_of_numbers_comes_back(values: list[float], form: str, between: str) -> None:
    text = value_text(form % between.join(map(repr, values)))
    back = [float(word) for word in text.split(',')]
    assert [math.isnan(b) if math.isnan(v) else b == v for v, b in zip(values, back, strict=True)] == [True] * len(
        values
    )


@settings(deadline=None)
@given(st.dictionaries(st.from_regex(r'[a-z_]{1,9}', fullmatch=True), numbers, max_size=6), st.randoms())
def test_that_the_order_of_lines_does_not_matter(tmp_path_factory: Any, values: dict[str, float], random: Any) -> None:
    values = {**values, 'finished': 1}
    lines = [f'{keyword} {value!r}\n' for keyword, value in values.items()]
    random.shuffle(lines)
    folder = tmp_path_factory.mktemp('run')
    (folder / NAME).write_text(''.join(lines))
    summary = read_summary(folder, configuration(tuple(values)), 1)
    assert summary.values == {keyword: repr(value) for keyword, value in values.items()} and summary.problem == ''


@settings(deadline=None)
@given(st.binary(max_size=300), st.sampled_from([NAME, 'r.json', 'r.yaml']))
def test_that_no_content_makes_the_reader_raise(tmp_path_factory: Any, raw: bytes, name: str) -> None:
    folder = tmp_path_factory.mktemp('run')
    (folder / name).write_bytes(raw)
    summary = read_summary(folder, configuration(('acc', 'finished'), name), 1)
    assert summary.problem and '\n' not in summary.problem.replace('\\n', '')


@settings(deadline=None)
@given(st.dictionaries(st.text(min_size=1), st.none() | st.booleans() | numbers | st.text(), max_size=5))
def test_that_any_flat_json_document_is_read(tmp_path_factory: Any, values: dict[str, Any]) -> None:
    folder = tmp_path_factory.mktemp('run')
    (folder / 'r.json').write_text(json.dumps({**values, 'finished': True}))
    summary = read_summary(folder, configuration(name='r.json'), 1)
    assert summary.finished is True and set(summary.values) == {*values, 'finished'}
