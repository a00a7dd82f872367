"""Executing the commands of a queue system, with real processes."""

from __future__ import annotations

import os
import signal
import threading
from pathlib import Path

import pytest

from hpsearch.backends.queue import commands as running
from hpsearch.backends.queue.batch_system import CommandResult
from hpsearch.backends.queue.commands import BackgroundRunner, execute
from hpsearch.host.processes import start_ticks
from tests.support.harness import until

ENVIRONMENT = {'PATH': os.environ['PATH'], 'LC_ALL': 'de_DE.UTF-8', 'COLOUR': 'blue'}


@pytest.fixture
def runner() -> BackgroundRunner:
    return BackgroundRunner(ENVIRONMENT, lambda: None)


def answers(runner: BackgroundRunner, *words: str, stdin: str = '', timeout: float = 60.0) -> CommandResult:
    """The answer to one command."""
    got: list[CommandResult] = []
    runner.run(words, got.append, stdin=stdin, timeout=timeout)
    until(lambda: runner.deliver() or got)
    return got[0]


def test_that_status_output_and_complaints_are_told(runner: BackgroundRunner) -> None:
    assert answers(runner, 'sh', '-c', 'echo out; echo err >&2; exit 3') == CommandResult(3, 'out\n', 'err\n')


def test_that_a_command_reads_what_it_is_given(runner: BackgroundRunner) -> None:
    assert answers(runner, 'cat', stdin='a ü \udcff line\n').out == 'a ü \ufffd line\n'


def test_that_questions_are_asked_in_english_and_submissions_keep_the_language(runner: BackgroundRunner) -> None:
    assert answers(runner, 'sh', '-c', 'echo "$LC_ALL $COLOUR"').out == 'C blue\n'
    assert answers(runner, 'sh', stdin='echo "$LC_ALL $COLOUR"').out == 'de_DE.UTF-8 blue\n'


def test_that_a_command_that_is_not_there_is_no_answer(runner: BackgroundRunner) -> None:
    answer = answers(runner, '/nowhere/sbatch')
    assert answer.code is None
    assert answer.err == '/nowhere/sbatch cannot be executed: No such file or directory'


def test_that_a_word_that_cannot_be_given_is_no_answer(runner: BackgroundRunner) -> None:
    assert answers(runner, 'echo', 'a\0b').code is None
    assert answers(runner, 'echo', 'and the next').out == 'and the next\n'


def test_that_a_silent_command_is_ended_with_all_it_started(tmp_path: Path) -> None:
    pids = tmp_path / 'pids'
    script = f'sleep 600 & echo $! $$ > {pids}; echo trying again >&2; wait'
    answer = execute(['sh', '-c', script], ENVIRONMENT, b'', 0.5)
    assert answer.code is None
    assert answer.err == 'sh did not answer within 0.5 s: trying again'
    until(lambda: not any(start_ticks(int(pid)) for pid in pids.read_text().split()))


def test_that_what_it_printed_before_its_silence_is_kept() -> None:
    answer = execute(['sh', '-c', 'echo 4711; sleep 600'], ENVIRONMENT, b'', 0.5)
    assert (answer.code, answer.out) == (None, '4711\n')


def test_that_something_which_left_the_group_and_holds_the_output_is_not_waited_for(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(running, 'OUTPUT_GRACE', 0.5)
    script = f'setsid sh -c "echo \\$\\$ > {tmp_path}/pid; exec sleep 600" & sleep 600'
    answer = execute(['sh', '-c', script], ENVIRONMENT, b'', 0.5)
    assert answer.code is None
    pid = int((tmp_path / 'pid').read_text())
    assert start_ticks(pid), 'it still holds the output'
    os.kill(pid, signal.SIGKILL)


def test_that_a_command_is_out_of_reach_of_the_terminal() -> None:
    answer = execute(['sh', '-c', 'ps -o sid= -p $$'], ENVIRONMENT, b'', 60)
    assert int(answer.out) != os.getsid(0)


def test_that_nobody_waits_while_a_command_is_slow(runner: BackgroundRunner, tmp_path: Path) -> None:
    got: list[CommandResult] = []
    runner.run(['sh', '-c', f'until [ -e {tmp_path}/gate ]; do sleep 0.02; done'], got.append)
    assert not runner.deliver()
    assert (got, runner.pending) == ([], 1)
    (tmp_path / 'gate').touch()
    until(lambda: runner.deliver() or got)
    assert (len(got), runner.pending) == (1, 0)


def test_that_commands_are_executed_one_after_the_other_in_order(runner: BackgroundRunner, tmp_path: Path) -> None:
    order = tmp_path / 'order'
    got: list[CommandResult] = []
    for number, pause in ((1, 0.2), (2, 0.0), (3, 0.1)):
        runner.run(['sh', '-c', f'sleep {pause}; echo {number} >> {order}; echo {number}'], got.append)
    until(lambda: (runner.deliver(), len(got) == 3)[1])
    assert order.read_text().split() == [answer.out.strip() for answer in got] == ['1', '2', '3']


def test_that_an_answer_is_taken_in_by_the_thread_that_asks_for_it(runner: BackgroundRunner) -> None:
    threads: list[threading.Thread] = []
    runner.run(['true'], lambda answer: threads.append(threading.current_thread()))
    until(lambda: runner.deliver() or threads)
    assert threads == [threading.current_thread()]


def test_that_every_answer_wakes_the_dispatcher() -> None:
    poked = threading.Event()
    runner = BackgroundRunner(ENVIRONMENT, poked.set)
    runner.run(['true'], lambda answer: None)
    assert poked.wait(30)


def test_that_leaving_waits_for_answers_and_for_what_they_lead_to(runner: BackgroundRunner) -> None:
    got: list[str] = []

    def then(answer: CommandResult) -> None:
        got.append('first')
        runner.run(['true'], lambda answer: got.append('second'))

    runner.run(['true'], then)
    runner.finish(30.0)
    assert got == ['first', 'second']


def test_that_leaving_does_not_wait_for_ever(runner: BackgroundRunner) -> None:
    runner.run(['sleep', '5'], lambda answer: None)
    runner.finish(0.2)
    assert runner.pending == 1


def test_that_a_command_waits_until_a_thread_can_be_started(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(thread: threading.Thread) -> None:
        raise RuntimeError("can't start new thread")

    got: list[CommandResult] = []
    runner = BackgroundRunner(dict(os.environ), lambda: None)
    with monkeypatch.context() as patch:
        patch.setattr(threading.Thread, 'start', refuse)
        runner.run(['true'], got.append)
        assert not runner.deliver()
    until(runner.deliver)
    assert [answer.code for answer in got] == [0]
