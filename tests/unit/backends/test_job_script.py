"""The scripts of queue jobs: real shells, real processes, real signals; no queue, and pauses cut short."""

from __future__ import annotations

import errno
import json
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from hpsearch.arguments.command import CommandForm
from hpsearch.backends.queue.batch_system import JobVariables
from hpsearch.backends.queue.job_script import ScriptElement, array_script, pilot_script
from hpsearch.backends.queue.pilots import read_ends
from hpsearch.host.processes import start_ticks
from hpsearch.model.configuration import Configuration
from hpsearch.store.attempt_files import Fence, close_fence, exit_code, read_fence, read_line
from hpsearch.store.folder import AttemptPaths, SearchFolder
from tests.fakes.trouble import Trouble
from tests.support.harness import new_folder, python, shell, until
from tests.support.paths import DATA

# With HPSEARCH_ALL_SHELLS they go through every shell that is installed.
USUAL, OTHERS = ('dash', 'bash'), ('busybox', 'mksh', 'sh')
WANTED = (*USUAL, *OTHERS) if os.environ.get('HPSEARCH_ALL_SHELLS') else USUAL
SHELLS = [name for name in WANTED if shutil.which(name)] or ['sh']
BYTE_SHELLS = [name for name in ('dash', 'bash', 'busybox') if shutil.which(name)]

VARIABLES = JobVariables(index='Q_INDEX', job='Q_JOB', restarts='Q_RESTARTS', node='Q_NODES')
NAME = 'hps-search-1a2b3c'

HOSTILE = [
    '',
    ' ',
    'a b',
    "it's",
    '"quoted"',
    '$HOME',
    '`false`',
    '$(false)',
    'back\\slash\\',
    'two\nlines\n',
    '\n#BSUB -q other\n#SBATCH --time=1\n',
    'dos\r\nline',
    '\t',
    '*',
    '?[a-z]',
    '~',
    '!bang',
    '-x',
    '--',
    '--lr=1e-3',
    'ünï→code',
    ';exit 3;',
    ';;',
    'esac',
    '1)',
    '#no comment',
    '{a,b}',
    '%d',
    '\x01\x7f',
]

DUMP = 'import json, os; print(json.dumps(dict(os.environ)))'

COUNT_TERMS = """
import os, signal, sys, time
def note(number, frame):
    with open('terms', 'a') as log:
        log.write('x')
signal.signal(signal.SIGTERM, note)
open('ready', 'w').close()
while not os.path.exists('over'):
    time.sleep(0.02)
sys.exit(9)
"""

TELL_SIGNALS = """
import os, signal, sys, time
def note(number, frame):
    with open('got', 'a') as log:
        log.write(signal.Signals(number).name + ' ')
for one in (signal.SIGUSR1, signal.SIGHUP, signal.SIGTERM):
    signal.signal(one, note)
open('ready', 'w').close()
while not os.path.exists('over'):
    time.sleep(0.02)
sys.exit(5)
"""

SLEEP = """\
#!/bin/sh
echo "$1" >> {naps}
case $1 in
    1 | 5) exec {sleep} 0.1 ;;
esac
exec {sleep} "$1"
"""
"""A ``sleep`` that notes each call; the script pauses for 1 s and 5 s."""


@dataclass
class ScriptRunner:
    """A search of one submission, whose elements can be executed as a queue would."""

    folder: SearchFolder
    cwd: Path
    bin: Path
    shell: str = 'sh'
    prologue: str = ''
    signal: str = 'TERM'
    elements: list[ScriptElement] = field(default_factory=list)
    processes: list[subprocess.Popen[bytes]] = field(default_factory=list)

    def add(self, *argv: str) -> AttemptPaths:
        """Make one more element, whose attempt is claimed."""
        run = f'sim_{len(self.elements) + 1}'
        self.elements.append(ScriptElement(run, 1, f'w:{run}:1', argv))
        paths = self.folder.attempt(run, 1)
        Path(paths.folder).mkdir(parents=True)
        return paths

    def text(self) -> str:
        """The script."""
        return array_script(
            folder=self.folder,
            name=NAME,
            elements=self.elements,
            cwd=str(self.cwd),
            variables=VARIABLES,
            prologue=self.prologue,
            signal=self.signal,
            header='',
        )

    def start(
        self, index: int = 1, job: str = '70', restarts: str = '', nodes: str = '', **kwargs: int | None
    ) -> subprocess.Popen[bytes]:
        """Start an element; the queue's own log is what it prints."""
        script = self.folder.submission(NAME).script
        self.folder.submissions_dir.mkdir(exist_ok=True)
        if not self.processes:  # a shell may be reading it
            script.write_text(self.text(), encoding='utf-8', errors='surrogateescape', newline='\n')
        own = {'Q_INDEX': str(index), 'Q_JOB': job, 'Q_RESTARTS': restarts, 'Q_NODES': nodes}
        return self.start_script(script, {name: value for name, value in own.items() if value}, **kwargs)

    def start_script(
        self, script: Path, extra: Mapping[str, str], stdin: int | None = subprocess.DEVNULL
    ) -> subprocess.Popen[bytes]:
        """Start a script in the shell."""
        words = ['busybox', 'sh'] if self.shell == 'busybox' else [self.shell]
        environment = {key: value for key, value in os.environ.items() if not key.startswith('HPSEARCH')}
        environment['PATH'] = f'{self.bin}:{environment["PATH"]}'
        process = subprocess.Popen(
            [*words, str(script)],
            env={**environment, **extra},
            stdin=stdin,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
        self.processes.append(process)
        return process

    def run(self, index: int = 1, job: str = '70', restarts: str = '') -> tuple[int, str]:
        """Run an element to its end: its status, and what stands in the queue's own log."""
        process = self.start(index, job, restarts)
        printed, _ = process.communicate(timeout=60)
        assert printed == b'', 'it goes into the log of the submission'
        return process.returncode, Path(self.folder.submission(NAME).log).read_text()

    def is_there(self, name: str) -> bool:
        """Whether a file is in the working directory."""
        return (self.cwd / name).exists()

    def wait_for(self, name: str) -> None:
        """Wait until a file is in the working directory."""
        until(lambda: self.is_there(name))

    def touch(self, name: str) -> None:
        """Put a file into the working directory."""
        (self.cwd / name).touch()

    def read(self, name: str) -> str:
        """What stands in a file of the working directory; empty when there is none."""
        return (self.cwd / name).read_text() if self.is_there(name) else ''

    def end(self, process: subprocess.Popen[bytes]) -> int:
        """Let the command end once the script has handled every signal that was sent before; returns the status.

        After a signal the script pauses before it decides whether the command got it, and then at each look for its
        end.
        """
        handled = self.pauses() + 2
        until(lambda: self.pauses() >= handled)
        self.touch('over')
        return process.wait(30)

    def pauses(self) -> int:
        """How often the script has paused so far."""
        naps = self.bin / 'naps'
        return naps.read_text().split().count('1') if naps.exists() else 0

    def hints(self) -> list[str]:
        """The indices that told of their end."""
        path = Path(self.folder.submission(NAME).ended)
        return path.read_text().split() if path.exists() else []


@pytest.fixture(autouse=True)
def interrupts() -> Iterator[None]:
    """Where the tests themselves run in the background of a shell, INT is ignored, and no script could change that."""
    earlier = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, earlier)


def quick_sleep(path: Path) -> Path:
    path.mkdir()
    sleep = path / 'sleep'
    sleep.write_text(SLEEP.format(naps=path / 'naps', sleep=shutil.which('sleep')))
    sleep.chmod(0o755)
    return path


@pytest.fixture
def bench(tmp_path: Path) -> Iterator[ScriptRunner]:
    cwd = tmp_path / 'cwd'
    cwd.mkdir()
    bench = ScriptRunner(new_folder(tmp_path / 'search'), cwd, quick_sleep(tmp_path / 'bin'))
    yield bench
    for process in bench.processes:
        try:
            os.killpg(process.pid, signal.SIGKILL)
        except ProcessLookupError:
            pass  # all of it has ended
        process.communicate()


@pytest.fixture(params=SHELLS)
def in_shell(request: pytest.FixtureRequest, bench: ScriptRunner) -> ScriptRunner:
    bench.shell = request.param
    return bench


def printed(paths: AttemptPaths) -> str:
    return Path(paths.stdout).read_text()


def complained(paths: AttemptPaths) -> str:
    return Path(paths.stderr).read_text()


# Words and statuses


def test_that_words_reach_the_command_as_they_are(in_shell: ScriptRunner) -> None:
    paths = in_shell.add(*python('import json, sys; print(json.dumps(sys.argv[1:]))'), *HOSTILE)
    assert in_shell.run() == (0, '')
    assert json.loads(printed(paths)) == HOSTILE
    assert complained(paths) == ''


def test_that_variables_of_the_configuration_reach_the_command_as_they_are(in_shell: ScriptRunner) -> None:
    names = [f'V{place}' for place in range(len(HOSTILE))]
    configuration = Configuration('', '', {}, command=python(DUMP), env=dict(zip(names, HOSTILE, strict=True)))
    paths = in_shell.add(*CommandForm(configuration, '').program)
    assert in_shell.run() == (0, '')
    assert [json.loads(printed(paths))[name] for name in names] == HOSTILE


def test_that_the_file_for_results_of_orion_is_named_where_it_is_there(in_shell: ScriptRunner) -> None:
    show = shell('echo "<$ORION_RESULTS_PATH>"')
    wanted, others = in_shell.add(*show), in_shell.add(*show)
    Path(wanted.orion_results).touch()
    assert [in_shell.run(index) for index in (1, 2)] == [(0, ''), (0, '')]
    assert (printed(wanted), printed(others)) == (f'<{wanted.orion_results}>\n', '<>\n')


@pytest.mark.parametrize('name', BYTE_SHELLS)
def test_that_bytes_which_are_no_utf8_reach_the_command(bench: ScriptRunner, name: str) -> None:
    bench.shell = name
    paths = bench.add(*python('import os, sys; print(os.fsencode(sys.argv[1]).hex())'), os.fsdecode(b'a\xff\xfe\x80b'))
    assert bench.run() == (0, '')
    assert printed(paths).strip() == b'a\xff\xfe\x80b'.hex()


def test_that_each_element_is_its_own_attempt(in_shell: ScriptRunner) -> None:
    show = shell('echo "$HPSEARCH_RUN $HPSEARCH_ATTEMPT $HPSEARCH_DIR $HPSEARCH_METRICS"')
    all_paths = [in_shell.add(*show) for _ in range(3)]
    for index, paths in enumerate(all_paths, start=1):
        assert in_shell.run(index) == (0, '')
        assert printed(paths) == f'sim_{index} 1 {in_shell.folder.path} {paths.metrics}\n'
        assert exit_code(paths) == 0
    assert in_shell.hints() == ['1', '2', '3']


@pytest.mark.parametrize('code', [0, 1, 77, 127, 255])
def test_that_the_record_holds_the_status(in_shell: ScriptRunner, code: int) -> None:
    paths = in_shell.add(*shell(f'exit {code}'))
    assert in_shell.run() == (code, '')
    assert Path(paths.exit).read_text() == f'{code}\n'
    assert complained(paths) == ''
    assert in_shell.hints() == ['1']


def test_that_a_command_which_is_not_there_ends_with_127(in_shell: ScriptRunner) -> None:
    paths = in_shell.add('/nowhere/train')
    assert in_shell.run()[0] == 127
    assert exit_code(paths) == 127
    assert in_shell.hints() == ['1'], 'it is told once'
    assert '/nowhere/train' in complained(paths)


def test_that_a_command_which_cannot_be_executed_ends_with_126(in_shell: ScriptRunner) -> None:
    in_shell.touch('train')
    paths = in_shell.add(f'{in_shell.cwd}/train')
    assert in_shell.run()[0] == 126
    assert exit_code(paths) == 126


def test_that_a_killed_command_is_told_as_137(in_shell: ScriptRunner) -> None:
    paths = in_shell.add(*shell('kill -9 $$'))
    assert in_shell.run()[0] == 137
    assert exit_code(paths) == 137
    assert not read_line(paths.signalled)


def test_that_a_missing_working_directory_is_a_status_and_not_a_start_elsewhere(in_shell: ScriptRunner) -> None:
    paths = in_shell.add(*shell(f'echo > {in_shell.cwd.parent}/ran'))
    in_shell.cwd.rmdir()
    assert in_shell.run()[0] == 126
    assert exit_code(paths) == 126
    assert not (in_shell.cwd.parent / 'ran').exists()


def test_that_folders_may_have_any_name(bench: ScriptRunner, tmp_path: Path) -> None:
    bench.folder = new_folder(tmp_path / "it's $HOME\nand `more`")
    bench.cwd = tmp_path / "a cwd's\n`name`"
    bench.cwd.mkdir()
    paths = bench.add('pwd')
    assert bench.run() == (0, '')
    assert printed(paths) == f'{bench.cwd}\n'
    assert bench.hints() == ['1']


def test_that_a_closed_stdin_does_no_harm(in_shell: ScriptRunner) -> None:
    paths = in_shell.add('cat')
    script = in_shell.folder.submission(NAME).script
    in_shell.folder.submissions_dir.mkdir()
    script.write_text(in_shell.text())
    start = 'busybox sh' if in_shell.shell == 'busybox' else in_shell.shell
    ended = subprocess.run(['sh', '-c', f'{start} "$1" <&-', 'sh', str(script)], check=False, timeout=30)
    assert ended.returncode == 0
    assert exit_code(paths) == 0


def test_that_gpus_which_the_queue_gave_are_left_alone(bench: ScriptRunner, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv('CUDA_VISIBLE_DEVICES', '5')
    paths = bench.add(*shell('echo "$CUDA_VISIBLE_DEVICES ${CUDA_DEVICE_ORDER-unset}"'))
    bench.run()
    assert printed(paths) == '5 unset\n'


def test_that_no_process_is_left_when_an_element_ends(in_shell: ScriptRunner) -> None:
    in_shell.add('true')
    process = in_shell.start()
    process.communicate(timeout=30)
    until(lambda: not _group_lives(process.pid), patience=5)


def _group_lives(group: int) -> bool:
    try:
        os.killpg(group, 0)
    except ProcessLookupError:
        return False
    return True


# The fence


def test_that_started_tells_the_job_and_the_host(in_shell: ScriptRunner) -> None:
    paths = in_shell.add('true')
    process = in_shell.start(job='70', restarts='2')
    process.communicate(timeout=30)
    assert read_line(paths.started) == f'w:sim_1:1 {process.pid} 70 2 {os.uname().nodename}'
    assert read_fence(paths) == Fence('w:sim_1:1', job='70', restarts='2', host=os.uname().nodename)


def test_that_a_job_which_does_not_know_itself_says_so(bench: ScriptRunner) -> None:
    paths = bench.add('true')
    process = bench.start(job='')
    process.communicate(timeout=30)
    assert read_line(paths.started) == f'w:sim_1:1 {process.pid} - 0 {os.uname().nodename}'


@pytest.mark.parametrize('line', ['w2:closed', 'other:sim_1:1 17', 'w:sim_1:1', 'w:sim_1:1 1 69 0 n1', ''])
def test_that_nobody_starts_what_another_started_or_closed(in_shell: ScriptRunner, line: str) -> None:
    paths = in_shell.add('touch', 'ran')
    Path(paths.started).write_text(f'{line}\n' if line else '')
    code, log = in_shell.run()
    assert code == 75
    assert 'w:sim_1:1' in log
    assert not in_shell.is_there('ran')
    assert not any(map(os.path.exists, (paths.exit, paths.requeued, paths.stdout)))
    assert in_shell.hints() == []


def test_that_a_job_which_was_submitted_twice_runs_once_and_is_no_restart(in_shell: ScriptRunner) -> None:
    paths = in_shell.add(*shell('echo ran'))
    assert in_shell.run(job='70')[0] == 0
    assert in_shell.run(job='71')[0] == 75
    assert printed(paths) == 'ran\n'
    assert not os.path.exists(paths.requeued)
    assert in_shell.hints() == ['1']


def test_that_of_many_starts_exactly_one_runs(in_shell: ScriptRunner) -> None:
    paths = in_shell.add(*shell('echo ran'))
    many = [in_shell.start(job=str(job)) for job in range(8)]
    assert sorted(one.wait(60) for one in many) == [0] + [75] * 7
    assert printed(paths) == 'ran\n'


@pytest.mark.parametrize('restarts', ['1', '', 'Y'])
def test_that_a_restarted_job_leaves_a_record_and_does_not_run_again(in_shell: ScriptRunner, restarts: str) -> None:
    paths = in_shell.add(*shell('echo ran; kill -9 $PPID'))
    in_shell.start(job='70').communicate(timeout=30)
    assert exit_code(paths) is None
    first = read_line(paths.started)
    assert in_shell.run(job='70', restarts=restarts)[0] == 75
    assert printed(paths) == 'ran\n'
    assert read_line(paths.requeued).startswith('w:sim_1:1 ')
    assert read_line(paths.requeued).split(' ')[2:4] == ['70', restarts or '0']
    assert read_line(paths.started) == first
    assert in_shell.hints() == ['1']


def test_that_a_job_without_an_id_is_never_taken_for_restarted(bench: ScriptRunner) -> None:
    paths = bench.add(*shell('kill -9 $PPID'))
    bench.start(job='').communicate(timeout=30)
    assert bench.run(job='')[0] == 75
    assert not os.path.exists(paths.requeued)


def test_that_a_fence_which_was_passed_cannot_be_closed(bench: ScriptRunner) -> None:
    paths = bench.add('true')
    bench.run()
    assert not close_fence(paths, 'w2')


def test_that_a_shell_that_can_start_no_process_does_not_pass_the_fence(
    bench: ScriptRunner, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    paths = bench.add('touch', 'ran')
    bench.shell = 'dash'  # bash tries again for a minute
    trouble = Trouble(tmp_path / 'left', 1, errno.EAGAIN, fork_in='dash')
    for name, value in trouble.env.items():
        monkeypatch.setenv(name, value)
    process = bench.start(nodes='node1')
    process.communicate(timeout=30)
    assert trouble.left == 0
    assert process.returncode != 0
    assert exit_code(paths) is None
    assert close_fence(paths, 'w2'), 'it can be planned again'
    assert not bench.is_there('ran')


def test_that_a_missing_folder_is_named_with_the_host(in_shell: ScriptRunner) -> None:
    paths = in_shell.add('touch', 'ran')
    os.rmdir(paths.folder)
    code, log = in_shell.run()
    assert code == 73
    assert paths.folder in log
    assert os.uname().nodename in log
    assert not in_shell.is_there('ran')


def test_that_an_index_without_an_element_is_refused(in_shell: ScriptRunner) -> None:
    in_shell.add('touch', 'ran')
    code, log = in_shell.run(index=2)
    assert code == 64
    assert f'{NAME} has no element 2' in log
    assert not in_shell.is_there('ran')


# Signals


def test_that_term_to_the_shell_alone_is_passed_on_once(in_shell: ScriptRunner) -> None:
    paths = in_shell.add(*python(COUNT_TERMS))
    process = in_shell.start()
    in_shell.wait_for('ready')
    process.send_signal(signal.SIGTERM)
    in_shell.wait_for('terms')
    process.send_signal(signal.SIGTERM)
    assert in_shell.end(process) == 9
    assert in_shell.read('terms') == 'x'
    assert exit_code(paths) == 9
    assert read_line(paths.signalled) == 'TERM'


def test_that_term_to_all_processes_is_not_passed_on_again(in_shell: ScriptRunner) -> None:
    paths = in_shell.add(*python(COUNT_TERMS))
    process = in_shell.start()
    in_shell.wait_for('ready')
    os.killpg(process.pid, signal.SIGTERM)
    assert in_shell.end(process) == 9
    assert in_shell.read('terms') == 'x'
    assert exit_code(paths) == 9
    assert read_line(paths.signalled) == 'TERM'


@pytest.mark.parametrize('to_all', [True, False])
def test_that_a_command_which_dies_of_term_is_told_as_143(in_shell: ScriptRunner, to_all: bool) -> None:
    paths = in_shell.add(*shell(f'touch ready; exec {sys.executable} -c "import time; time.sleep(60)"'))
    process = in_shell.start()
    in_shell.wait_for('ready')
    (os.killpg if to_all else os.kill)(process.pid, signal.SIGTERM)
    assert process.wait(30) == 143
    assert exit_code(paths) == 143
    assert in_shell.hints() == ['1']


def test_that_the_warning_before_the_time_limit_becomes_the_configured_signal(in_shell: ScriptRunner) -> None:
    paths = in_shell.add(*python(TELL_SIGNALS))
    in_shell.signal = 'USR1'
    process = in_shell.start()
    in_shell.wait_for('ready')
    process.send_signal(signal.SIGUSR2)
    until(lambda: in_shell.read('got') == 'SIGUSR1 ')
    in_shell.touch('over')
    assert process.wait(30) == 5
    assert exit_code(paths) == 5
    assert read_line(paths.signalled) == 'timeout'


def test_that_a_warning_to_all_processes_does_not_end_the_command(in_shell: ScriptRunner) -> None:
    paths = in_shell.add(*python(TELL_SIGNALS))
    process = in_shell.start()
    in_shell.wait_for('ready')
    os.killpg(process.pid, signal.SIGUSR2)
    until(lambda: in_shell.read('got') == 'SIGTERM ')
    in_shell.touch('over')
    assert process.wait(30) == 5
    assert exit_code(paths) == 5
    assert read_line(paths.signalled) == 'timeout'


def test_that_a_command_which_wants_usr2_gets_it_once(bench: ScriptRunner) -> None:
    bench.signal = 'SIGUSR2'
    bench.add(*python(COUNT_TERMS.replace('SIGTERM', 'SIGUSR2')))
    process = bench.start()
    bench.wait_for('ready')
    os.killpg(process.pid, signal.SIGUSR2)
    assert bench.end(process) == 9
    assert bench.read('terms') == 'x'


def test_that_a_warning_becomes_term_where_no_signal_is_configured(in_shell: ScriptRunner) -> None:
    paths = in_shell.add(*python(TELL_SIGNALS))
    in_shell.signal = ''
    process = in_shell.start()
    in_shell.wait_for('ready')
    os.killpg(process.pid, signal.SIGUSR2)
    until(lambda: in_shell.read('got') == 'SIGTERM ')
    in_shell.touch('over')
    assert process.wait(30) == 5
    assert read_line(paths.signalled) == 'timeout'


def test_that_the_first_reason_for_a_signal_stays(bench: ScriptRunner) -> None:
    paths = bench.add(*python(TELL_SIGNALS))
    process = bench.start()
    bench.wait_for('ready')
    process.send_signal(signal.SIGUSR2)
    until(lambda: bench.read('got'))
    process.send_signal(signal.SIGTERM)
    bench.end(process)
    assert read_line(paths.signalled) == 'timeout'
    assert bench.read('got') == 'SIGTERM ', 'it has got one already'


def test_that_other_signals_are_passed_on_as_often_as_they_come(in_shell: ScriptRunner) -> None:
    paths = in_shell.add(*python(TELL_SIGNALS))
    process = in_shell.start()
    in_shell.wait_for('ready')
    expected = ''
    for one in (signal.SIGUSR1, signal.SIGHUP, signal.SIGUSR1):
        process.send_signal(one)
        expected += f'{one.name} '
        until(lambda: in_shell.read('got') == expected)  # noqa: B023
    in_shell.touch('over')
    assert process.wait(30) == 5
    assert exit_code(paths) == 5
    assert not os.path.exists(paths.signalled)


def test_that_a_signal_to_all_does_not_hide_a_later_one_to_the_shell(in_shell: ScriptRunner) -> None:
    in_shell.add(*python(TELL_SIGNALS))
    process = in_shell.start()
    in_shell.wait_for('ready')
    os.killpg(process.pid, signal.SIGUSR1)
    until(lambda: in_shell.pauses() == 2)
    process.send_signal(signal.SIGHUP)
    until(lambda: in_shell.read('got') == 'SIGUSR1 SIGHUP ')
    assert in_shell.end(process) == 5
    assert in_shell.read('got') == 'SIGUSR1 SIGHUP '


@pytest.mark.skipif(not shutil.which('dash'), reason='bash loses one of two signals that arrive together')
@pytest.mark.parametrize('first', [signal.SIGUSR1, signal.SIGHUP])
def test_that_signals_which_arrive_together_are_distinguished(bench: ScriptRunner, first: signal.Signals) -> None:
    second = signal.SIGHUP if first is signal.SIGUSR1 else signal.SIGUSR1
    bench.shell = 'dash'
    bench.add(*python(TELL_SIGNALS))
    process = bench.start()
    bench.wait_for('ready')
    os.killpg(process.pid, signal.SIGSTOP)
    os.killpg(process.pid, first)
    process.send_signal(second)
    os.killpg(process.pid, signal.SIGCONT)
    until(lambda: bench.read('got') == f'{first.name} {second.name} ')
    assert bench.end(process) == 5
    assert bench.read('got') == f'{first.name} {second.name} '


def test_that_an_interrupt_ends_the_command_by_term(in_shell: ScriptRunner) -> None:
    paths = in_shell.add(*python(TELL_SIGNALS))
    process = in_shell.start()
    in_shell.wait_for('ready')
    os.killpg(process.pid, signal.SIGINT)
    until(lambda: in_shell.read('got') == 'SIGTERM ')
    in_shell.touch('over')
    assert process.wait(30) == 5
    assert read_line(paths.signalled) == 'TERM'


TELL_ONCE = """
import os, signal, sys, time
def note(number, frame):
    with open('got', 'a') as log:
        log.write(f'{sys.argv[1]} ')
signal.signal(signal.SIGTERM, note)
open(f'ready-{sys.argv[1]}', 'w').close()
while not os.path.exists('over'):
    time.sleep(0.02)
open(f'ended-{sys.argv[1]}', 'w').close()
sys.exit(5)
"""
"""A script that catches TERM and says by whom it was caught."""

WRAPPER = 'import subprocess, sys; sys.exit(subprocess.call(sys.argv[1:]))'
"""What waits for a script and catches nothing, as ``conda run`` and ``accelerate launch`` do."""

NEEDS_PROC = pytest.mark.skipif(not os.path.exists('/proc/self/status'), reason='only Linux says what is caught')


@NEEDS_PROC
@pytest.mark.parametrize(
    'wrapper',
    [python(WRAPPER), shell('"$0" "$@"; exit $?'), (*python(WRAPPER), *shell('"$0" "$@"; exit $?'), *python(WRAPPER))],
    ids=['python', 'sh', 'several'],
)
def test_that_a_script_behind_a_wrapper_gets_the_signal_and_the_wrapper_lives(
    in_shell: ScriptRunner, wrapper: tuple[str, ...]
) -> None:
    paths = in_shell.add(*wrapper, *python(TELL_ONCE), 'script')
    process = in_shell.start()
    in_shell.wait_for('ready-script')
    process.send_signal(signal.SIGUSR2)
    until(lambda: in_shell.read('got') == 'script ')
    assert in_shell.end(process) == 5, 'the status that the wrapper passes on'
    assert in_shell.read('got') == 'script '
    assert (exit_code(paths), read_line(paths.signalled)) == (5, 'timeout')


@NEEDS_PROC
@pytest.mark.skipif(not shutil.which('bash'), reason='bash dies of TERM in spite of its trap for EXIT')
def test_that_a_job_goes_on_until_the_script_of_a_wrapper_that_died_has_ended(in_shell: ScriptRunner) -> None:
    paths = in_shell.add('bash', '-c', 'trap "touch died" EXIT; "$0" "$@"; exit 8', *python(TELL_ONCE), 'script')
    process = in_shell.start()
    in_shell.wait_for('ready-script')
    process.send_signal(signal.SIGUSR2)
    until(lambda: in_shell.read('got') == 'script ')
    in_shell.wait_for('died')
    assert exit_code(paths) is None
    assert in_shell.end(process) == 143
    assert in_shell.is_there('ended-script')
    assert exit_code(paths) == 143


@NEEDS_PROC
def test_that_the_workers_of_a_script_that_catches_the_signal_are_left_alone(in_shell: ScriptRunner) -> None:
    start_worker = f'import subprocess, sys\nsubprocess.Popen([sys.executable, "-c", {TELL_ONCE!r}, "worker"])'
    in_shell.add(*python(start_worker + TELL_ONCE), 'script')
    process = in_shell.start()
    in_shell.wait_for('ready-worker')
    in_shell.wait_for('ready-script')
    process.send_signal(signal.SIGUSR2)
    until(lambda: in_shell.read('got'))
    assert in_shell.end(process) == 5
    assert in_shell.read('got') == 'script '


@NEEDS_PROC
def test_that_all_processes_get_a_signal_that_none_catches(in_shell: ScriptRunner) -> None:
    code = 'echo $$ >> pids; "$0" "$@"; exit 8'
    paths = in_shell.add(*shell(code), *shell(code), *shell('echo $$ >> pids; exec sleep 600'))
    process = in_shell.start()
    until(lambda: len(in_shell.read('pids').split()) == 3)
    process.send_signal(signal.SIGUSR2)
    assert process.wait(30) == 143
    assert exit_code(paths) == 143
    until(lambda: not any(map(start_ticks, map(int, in_shell.read('pids').split()))))


@NEEDS_PROC
def test_that_an_ifs_of_the_prologue_does_not_keep_a_signal_from_a_script(in_shell: ScriptRunner) -> None:
    in_shell.prologue = 'IFS=0123456789/; set -f'
    in_shell.add(*python(WRAPPER), *python(TELL_ONCE), 'script')
    process = in_shell.start()
    in_shell.wait_for('ready-script')
    process.send_signal(signal.SIGUSR2)
    until(lambda: in_shell.read('got') == 'script ')
    assert in_shell.end(process) == 5


@pytest.mark.parametrize('number', [signal.SIGTERM, signal.SIGUSR2, signal.SIGUSR1])
def test_that_a_signal_during_the_prologue_prevents_the_start(in_shell: ScriptRunner, number: signal.Signals) -> None:
    in_shell.prologue = 'touch ready\nuntil [ -f go ]; do sleep 0.05; done'
    paths = in_shell.add('touch', 'ran')
    process = in_shell.start()
    in_shell.wait_for('ready')
    process.send_signal(number)
    assert process.wait(30) == 143
    assert exit_code(paths) == 143
    assert not in_shell.is_there('ran')
    told = {signal.SIGTERM: 'TERM', signal.SIGUSR2: 'timeout'}
    assert read_line(paths.signalled) == told.get(number, '')
    assert in_shell.hints() == ['1']


def test_that_a_signal_at_any_moment_of_the_start_leaves_a_record_or_kills_before_the_command(
    in_shell: ScriptRunner,
) -> None:
    in_shell.prologue = 'touch "begun$Q_INDEX"'
    all_paths = [in_shell.add(*shell(f'touch "ran{n}"; exec sleep 60')) for n in range(1, 9)]
    for index, paths in enumerate(all_paths, start=1):
        process = in_shell.start(index)
        until(lambda: in_shell.is_there(f'begun{index}'))  # noqa: B023
        _pass_time((index - 1) * 0.0015)
        process.send_signal(signal.SIGTERM)
        assert process.wait(30) == 143
        assert exit_code(paths) == 143


def _pass_time(seconds: float) -> None:
    """Let moments pass, so that signals meet every step of a start."""
    signal.sigtimedwait([], seconds)


def test_that_only_children_of_the_shell_are_signalled(in_shell: ScriptRunner) -> None:
    """The pid of a child that bash has waited for may be that of another process."""
    in_shell.add('true')
    function = in_shell.text().partition('hpsearch_kill() {')[2].partition('\n}\n')[0]
    words = ['busybox', 'sh'] if in_shell.shell == 'busybox' else [in_shell.shell]
    calls = 'hpsearch_kill TERM "$1"; echo $?; sleep 600 & hpsearch_kill TERM $!; echo $?; wait $!; echo $?'
    code = f'hpsearch_kill() {{{function}\n}}\n{calls}; hpsearch_kill 0 $!; echo $?'
    with subprocess.Popen(['sleep', '600']) as other:
        told = subprocess.run([*words, '-c', code, 'x', str(other.pid)], capture_output=True, text=True, check=True)
        assert other.poll() is None
        other.kill()
    assert told.stdout.split() == ['1', '0', '143', '1']


def test_that_a_signal_after_the_end_changes_nothing(bench: ScriptRunner) -> None:
    paths = bench.add(*shell('exit 4'))
    os.mkdir(paths.exit)  # the record cannot be written yet
    process = bench.start()
    until(lambda: _children(process.pid) == ['sleep'])
    process.send_signal(signal.SIGTERM)
    os.rmdir(paths.exit)
    assert process.wait(30) == 4
    assert exit_code(paths) == 4
    assert not os.path.exists(paths.signalled)


def _children(pid: int) -> list[str]:
    listed = subprocess.run(
        ['ps', '-o', 'comm=,stat=', '--ppid', str(pid)], capture_output=True, text=True, check=False
    )
    return [name for name, stat in map(str.split, listed.stdout.splitlines()) if not stat.startswith('Z')]


# The prologue


def test_that_the_prologue_prepares_the_command(in_shell: ScriptRunner) -> None:
    in_shell.prologue = 'module() { export LOADED="$2"; }\nmodule load cuda/12\nexport DATA="$HPSEARCH_RUN"'
    paths = in_shell.add(*shell('echo "$LOADED $DATA"'))
    assert in_shell.run() == (0, '')
    assert printed(paths) == 'cuda/12 sim_1\n'


def test_that_the_prologue_begins_in_the_working_directory_and_may_leave_it(in_shell: ScriptRunner) -> None:
    in_shell.prologue = 'pwd\ncd /'
    paths = in_shell.add('pwd')
    assert in_shell.run() == (0, '')
    assert printed(paths) == f'{in_shell.cwd}\n' * 2


@pytest.mark.parametrize(
    'prologue',
    [
        'set -eu',
        'set -C',
        'set -a',
        'set -- a b c',
        'shift 0; IFS=0123456789:/',
        'cd /; set -f',
        'echo "$1" || :',
        'true \\',
    ],
)
def test_that_a_prologue_which_changes_the_shell_does_not_change_the_run(in_shell: ScriptRunner, prologue: str) -> None:
    in_shell.prologue = prologue
    paths = in_shell.add(*shell('echo "$*"; exit 7'), 'sh', 'a  b', '*')
    assert in_shell.run() == (7, '')
    assert printed(paths).splitlines()[-1] == 'a  b *'
    assert exit_code(paths) == 7
    assert in_shell.hints() == ['1']


def test_that_signals_are_passed_on_after_a_strict_prologue(in_shell: ScriptRunner) -> None:
    in_shell.prologue = 'set -eu'
    paths = in_shell.add(*python(COUNT_TERMS))
    process = in_shell.start()
    in_shell.wait_for('ready')
    process.send_signal(signal.SIGTERM)
    assert in_shell.end(process) == 9
    assert exit_code(paths) == 9
    assert in_shell.read('terms') == 'x'


@pytest.mark.parametrize(
    ('prologue', 'code'),
    [('exit 3', 3), ('set -e; false; true', 1), ('set -eu; echo "$unset_variable"', None), ('exit', 1), ('exit 0', 1)],
)
def test_that_a_prologue_which_ends_the_shell_leaves_a_record(
    in_shell: ScriptRunner, prologue: str, code: int | None
) -> None:
    in_shell.prologue = prologue
    paths = in_shell.add('touch', 'ran')
    ended, log = in_shell.run()
    assert log == ''
    assert exit_code(paths) == ended
    assert ended == code if code is not None else ended > 0
    assert not in_shell.is_there('ran')
    assert in_shell.hints() == ['1']
    assert ('the prologue ended the job' in complained(paths)) == (prologue in ('exit', 'exit 0'))


def test_that_a_prologue_which_sh_cannot_read_does_not_start_the_command(in_shell: ScriptRunner) -> None:
    in_shell.prologue = 'if true; then'
    paths = in_shell.add('touch', 'ran')
    ended, _ = in_shell.run()
    assert ended != 0
    assert exit_code(paths) in (None, ended)
    assert not in_shell.is_there('ran')


def test_that_a_trap_of_the_prologue_cleans_up_at_the_end(in_shell: ScriptRunner) -> None:
    in_shell.prologue = "trap 'touch cleaned' EXIT"
    paths = in_shell.add(*shell('exit 6'))
    assert in_shell.run()[0] == 6
    assert exit_code(paths) == 6
    assert in_shell.is_there('cleaned')


def test_that_the_first_line_of_the_prologue_may_name_the_shell(bench: ScriptRunner) -> None:
    bench.prologue = '#!/bin/bash -e\nexport SHOWN="${BASH_VERSION:+bash}"'
    paths = bench.add(*shell('echo "$SHOWN"; exit 1'))
    text = bench.text()
    assert text.startswith('#!/bin/bash -e\n')
    assert text.count('#!') == 1
    bench.folder.submissions_dir.mkdir()
    script = bench.folder.submission(NAME).script
    script.write_text(text)
    script.chmod(0o755)
    assert subprocess.run([str(script)], check=False, timeout=30).returncode == 1
    assert printed(paths) == 'bash\n'
    assert exit_code(paths) == 1


def test_that_background_work_of_the_prologue_may_be_waited_for(in_shell: ScriptRunner) -> None:
    in_shell.prologue = 'touch a & touch b &\nwait'
    paths = in_shell.add(*shell('ls'))
    assert in_shell.run() == (0, '')
    assert printed(paths) == 'a\nb\n'


# The record


def test_that_a_job_does_not_wait_for_a_folder_that_was_deleted(bench: ScriptRunner) -> None:
    bench.add('rm', '-r', str(bench.folder.path))
    assert bench.start().wait(30) == 0
    assert (bench.bin / 'naps').read_text().split().count('5') == 2


def test_that_a_record_which_cannot_be_written_is_tried_again(in_shell: ScriptRunner) -> None:
    paths = in_shell.add(*shell('touch ended; exit 3'))
    os.mkdir(paths.exit)
    process = in_shell.start()
    in_shell.wait_for('ended')
    assert not in_shell.hints(), 'a hint comes after the record'
    os.rmdir(paths.exit)
    assert process.wait(30) == 3
    assert exit_code(paths) == 3
    assert in_shell.hints() == ['1']


@pytest.mark.parametrize(('nodes', 'host'), [('n3', 'n3'), ('hosta hosta hostb', 'hosta'), ('', os.uname().nodename)])
def test_that_the_fence_has_the_name_that_the_queue_gives_the_node(
    in_shell: ScriptRunner, nodes: str, host: str
) -> None:
    paths = in_shell.add('true')
    assert in_shell.start(nodes=nodes).wait(30) == 0
    assert read_fence(paths).host == host


# Pilots


PILOTS = 'hps-pilots-1a2b3c'


def pilot(bench: ScriptRunner, argv: Sequence[str]) -> subprocess.Popen[bytes]:
    script = bench.folder.submission(PILOTS).script
    bench.folder.submissions_dir.mkdir(exist_ok=True)
    script.write_text(
        pilot_script(
            folder=bench.folder,
            name=PILOTS,
            argv=argv,
            cwd=str(bench.cwd),
            variables=VARIABLES,
            prologue=bench.prologue,
            header='sbatch',
        )
    )
    return bench.start_script(script, {'Q_INDEX': '4', 'Q_JOB': '70'})


def ended_pilot(bench: ScriptRunner, argv: Sequence[str]) -> tuple[int, str]:
    process = pilot(bench, argv)
    printed, _ = process.communicate(timeout=30)
    assert printed == b'', 'it goes into the log of the submission'
    log = Path(bench.folder.submission(PILOTS).log).read_text()
    show = f'hpsearch: job 70, element 4 of {PILOTS}, on {os.uname().nodename}\n'
    assert log.startswith(show)
    return process.returncode, log.removeprefix(show)


def test_that_a_pilot_gets_its_words_after_the_prologue(in_shell: ScriptRunner) -> None:
    in_shell.prologue = 'set -eu\nexport LOADED=yes\ncd /'
    code = 'import os, sys; print(os.getcwd(), os.environ["LOADED"], sys.argv[1:]); sys.exit(3)'
    assert ended_pilot(in_shell, [*python(code), *HOSTILE]) == (3, f'{in_shell.cwd} yes {HOSTILE}\n')


def test_that_a_pilot_is_no_attempt(bench: ScriptRunner) -> None:
    assert ended_pilot(bench, shell('env | grep -c ^HPSEARCH')) == (1, '0\n')


@pytest.mark.parametrize(
    ('prologue', 'code'), [('set -eu', 3), ('exit 127', 127), ('set -e\nfalse', 1), ('set -u\n: "$NOT_THERE"', None)]
)
def test_that_a_pilot_writes_down_how_and_where_it_ended(
    in_shell: ScriptRunner, prologue: str, code: int | None
) -> None:
    in_shell.prologue = prologue
    process = pilot(in_shell, shell('exit 3'))
    process.communicate(timeout=30)
    ((index, end),) = read_ends(in_shell.folder.submission(PILOTS).ended).items()
    assert (index, end.node) == (4, os.uname().nodename)
    assert end.code == process.returncode
    assert end.code == code or (code is None and end.code)


def test_that_a_pilot_without_its_working_directory_does_not_start(bench: ScriptRunner) -> None:
    bench.cwd.rmdir()
    code, log = ended_pilot(bench, ['echo', 'ran'])
    assert code == 126
    assert 'ran' not in log


@pytest.mark.parametrize('number', [signal.SIGTERM, signal.SIGUSR2])
@pytest.mark.parametrize('to_all', [True, False])
def test_that_a_pilot_is_told_to_end_once(in_shell: ScriptRunner, number: signal.Signals, to_all: bool) -> None:
    """It can tell the time limit from other reasons."""
    process = pilot(in_shell, python(COUNT_TERMS.replace('SIGTERM', number.name)))
    in_shell.wait_for('ready')
    (os.killpg if to_all else os.kill)(process.pid, number)
    in_shell.wait_for('terms')
    assert in_shell.end(process) == 9
    assert in_shell.read('terms') == 'x'


def test_that_a_pilot_is_interrupted_once(in_shell: ScriptRunner) -> None:
    process = pilot(
        in_shell, python(COUNT_TERMS.replace('signal.signal(', 'signal.signal(signal.SIGINT, note); signal.signal('))
    )
    in_shell.wait_for('ready')
    os.killpg(process.pid, signal.SIGINT)
    assert in_shell.end(process) == 9
    assert in_shell.read('terms') == 'x'


# The text


def test_that_a_thousand_elements_fit_into_a_script(bench: ScriptRunner) -> None:
    bench.elements = [ScriptElement(f'sim_x_{n}', 1, f'writer:sim_x_{n}:1', ['x' * 500]) for n in range(1000)]
    assert len(bench.text()) < 1_000_000


def test_that_no_line_of_a_header_or_a_word_can_be_taken_for_an_option_of_the_queue() -> None:
    text = array_script(
        folder=SearchFolder('/home/user/out/search'),
        name=NAME,
        elements=[ScriptElement('sim_1', 1, 'w:sim_1:1', HOSTILE)],
        cwd='/home/user',
        variables=VARIABLES,
        prologue='',
        signal='TERM',
        header='sbatch\n#SBATCH --x\r\n#BSUB -q y',
    )
    assert not [line for line in text.splitlines() if line.startswith(('#SBATCH', '#BSUB'))]
    assert '\r' not in text


SMALL = DATA / 'job_script.sh'


def test_that_the_script_reads_as_in_the_example() -> None:
    text = array_script(
        folder=SearchFolder('/home/user/out/search_1'),
        name=NAME,
        elements=[
            ScriptElement('sim_a_1', 1, 'w:sim_a_1:1', ['python3', 'train.py', '--lr=0.1', '--out=/home/user/out x']),
            ScriptElement('sim_a_2', 2, 'w:sim_a_2:2', ['python3', 'train.py', "--note=it's\n"]),
        ],
        cwd='/home/user/project',
        variables=JobVariables('SLURM_ARRAY_TASK_ID', 'SLURM_ARRAY_JOB_ID', 'SLURM_RESTART_COUNT', 'SLURMD_NODENAME'),
        prologue='#!/bin/bash -l\nmodule load python/3.11\n',
        signal='TERM',
        header='sbatch --parsable --array=1-2',
    )
    assert text == SMALL.read_text()


@pytest.mark.skipif(not shutil.which('shellcheck'), reason='shellcheck is not installed')
def test_that_shellcheck_finds_nothing_in_the_example() -> None:
    accepted = 'SC2217'  # stdin of sleep is closed on purpose
    found = subprocess.run(
        ['shellcheck', '-s', 'sh', '-S', 'warning', '-e', accepted, str(SMALL)],
        capture_output=True,
        text=True,
        check=False,
    )
    assert found.stdout == ''
