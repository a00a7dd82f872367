"""When something that failed is tried again, and which errors are trouble of the machine."""

from __future__ import annotations

import errno

import pytest

from hpsearch.model.errors import is_of_machine, trouble_in_words
from hpsearch.model.retries import Pauses


def test_that_pauses_double_up_to_the_longest() -> None:
    pauses, now, waited = Pauses(1.0, 10.0), 100.0, []
    for _ in range(6):
        pauses.fail('the disk is full', now)
        begin = now
        while not pauses.is_over(now):
            now += 0.5
        waited.append(now - begin)
    assert waited == [1.0, 2.0, 4.0, 8.0, 10.0, 10.0]


def test_that_a_failure_within_a_pause_does_not_make_it_longer() -> None:
    pauses = Pauses(4.0, 10.0)
    for now in (0.0, 1.0, 2.0, 3.0):
        pauses.fail('the disk is full', now)
    assert pauses.is_over(4.0)


def test_that_a_failure_is_worth_a_message_at_first_and_then_ever_more_rarely() -> None:
    pauses = Pauses(1.0, 4.0)
    assert [now for now in range(1000) if pauses.fail('the disk is full', float(now))] == [0, 60, 120, 240, 480, 960]


def test_that_another_problem_and_one_after_a_success_are_news() -> None:
    pauses = Pauses(60.0, 60.0)
    assert pauses.fail('the disk is full', 0.0)
    assert not pauses.fail('the disk is full', 1.0)
    assert pauses.fail('no process could be started', 2.0)
    pauses.succeed()
    assert pauses.is_over(2.0)
    assert pauses.problem == ''
    assert pauses.fail('no process could be started', 3.0)


@pytest.mark.parametrize(
    'name', ['EIO', 'ESTALE', 'EINTR', 'EMFILE', 'ENFILE', 'ENOMEM', 'ENOSPC', 'EDQUOT', 'EROFS', 'EAGAIN', 'ETIMEDOUT']
)
def test_that_trouble_of_the_machine_says_nothing_of_a_script(name: str) -> None:
    assert is_of_machine(OSError(getattr(errno, name), ''))


@pytest.mark.parametrize(
    'name', ['ENOENT', 'ENOTDIR', 'EISDIR', 'EACCES', 'ELOOP', 'ENAMETOOLONG', 'ENXIO', 'E2BIG', 'ENOEXEC']
)
def test_that_other_errors_are_about_the_file(name: str) -> None:
    assert not is_of_machine(OSError(getattr(errno, name), ''))


def test_that_trouble_is_named_with_its_file_where_that_is_known() -> None:
    assert trouble_in_words(OSError(errno.EIO, 'Input/output error', '/a/file')) == 'Input/output error (/a/file)'
    assert trouble_in_words(OSError(errno.EIO, 'Input/output error')) == 'Input/output error'
    assert trouble_in_words(OSError('only words')) == 'only words'
