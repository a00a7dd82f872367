"""What is done to a search that runs. Each blow says whether it hit."""

from __future__ import annotations

import shutil
import signal
import subprocess
import time
from pathlib import Path

from benchmarks.chaos.place import environment_of, send
from benchmarks.chaos.storm import Storm

LAST_PID = Path('/proc/sys/kernel/ns_last_pid')
"""The process id that was given last; each pid namespace has its own."""

# Writers and runs are killed and stopped


def kill_writer(storm: Storm) -> bool:
    """SIGKILL to one writer."""
    writers = storm.living()
    if not writers:
        return False
    storm.random.choice(writers).process.kill()
    return True


def stop_writer(storm: Storm) -> bool:
    """SIGSTOP to one writer, SIGCONT later."""
    writers = storm.living()
    return bool(writers) and storm.stop(storm.random.choice(writers).process.pid)


def kill_run(storm: Storm) -> bool:
    """SIGKILL to the whole process group of an attempt."""
    return _kill_attempt(storm, is_group=True)


def kill_shell(storm: Storm) -> bool:
    """SIGKILL to the sh of an attempt alone: what it started goes on."""
    return _kill_attempt(storm, is_group=False)


def _kill_attempt(storm: Storm, *, is_group: bool) -> bool:
    aim = storm.aim()
    if aim is None:
        return False
    run, _, pid = aim
    if not send(pid, signal.SIGKILL, is_group=is_group):
        return False
    storm.kills[storm.place.number_of(run)] += 1
    return True


def stop_run(storm: Storm) -> bool:
    """SIGSTOP to the process group of an attempt, SIGCONT later."""
    aim = storm.aim()
    return aim is not None and storm.stop(aim[2])


# A machine dies


def kill_machine(storm: Storm) -> bool:
    """SIGKILL to everything that runs on one machine, which starts again then."""
    machine = storm.random.choice('ab')
    writers = [writer for writer in storm.living() if _machine_of(writer.process.pid) == machine]
    for writer in writers:
        writer.process.kill()
        writer.process.wait()
    found = storm.place.processes().items()
    processes = {pid: variables for pid, variables in found if variables.get('CHAOS_MACHINE') == machine}
    for pid in processes:
        send(pid, signal.SIGKILL)
    runs = {variables['HPSEARCH_RUN'] for variables in processes.values()}
    storm.kills.update(storm.place.number_of(run) for run in runs)
    storm.boots[machine] += 1
    return bool(writers or processes)


def _machine_of(pid: int) -> str:
    return environment_of(pid).get('CHAOS_MACHINE', '')


# Files are deleted or damaged


def remove_fence(storm: Storm) -> bool:
    """Delete the start fence of an attempt that runs."""
    aim = storm.aim()
    if aim is None:
        return False
    started = Path(storm.place.folder.attempt(*aim[:2]).started)
    was_there = started.exists()
    started.unlink(missing_ok=True)
    return was_there


def remove_records(storm: Storm) -> bool:
    """Delete the folder of an attempt that runs, or that of all attempts of its run."""
    aim = storm.aim()
    if aim is None:
        return False
    run, number, _ = aim
    attempts = storm.place.folder.attempts(run)
    storm.erased.add(storm.place.number_of(run))
    shutil.rmtree(storm.random.choice([attempts, storm.place.folder.attempt(run, number).folder]), ignore_errors=True)
    return True


def behead_journal(storm: Storm) -> bool:
    """Kill every writer, and delete the first line of a journal."""
    for writer in storm.living():
        writer.process.kill()
        writer.process.wait()
    journals = sorted(storm.place.folder.journal_dir.glob('*.jsonl'))
    if not journals:
        return False
    journal = storm.random.choice(journals)
    head, _, rest = journal.read_bytes().partition(b'\n')
    journal.write_bytes(rest)
    return b'"writer"' in head


# Nothing can be read


def fail_one_read(storm: Storm) -> bool:
    """Let the next read in the search folder fail with EIO."""
    flag = storm.place.path / 'eio.once'
    if flag.exists():
        return False
    flag.touch()
    return True


def fail_reads(storm: Storm) -> bool:
    """Let every read in the search folder fail with EIO for a while."""
    flag = storm.place.path / 'eio.always'
    if flag.exists():
        return False
    flag.touch()
    storm.after(storm.random.uniform(0.05, 2.0), lambda: flag.unlink(missing_ok=True))
    return True


# Process ids are used again


def rewind_pids(storm: Storm) -> bool:
    """Let the processes that start from now on have the lowest ids that are free."""
    LAST_PID.write_text(str(storm.random.randint(10, 40)))
    return True


def reuse_pid(storm: Storm) -> bool:
    """While the writers are stopped, an attempt dies, and a process of somebody else gets its id."""
    aim = storm.aim()
    if aim is None:
        return False
    for writer in storm.living():
        storm.stop(writer.process.pid, at_least=0.3)
    run, _, pid = aim
    if not send(pid, signal.SIGKILL, is_group=True):
        return False
    storm.kills[storm.place.number_of(run)] += 1
    return _take_pid(storm, pid)


def _take_pid(storm: Storm, wanted: int) -> bool:
    """Start a process of somebody else with a certain id; it may be a zombie's, and so not free."""
    end = time.monotonic() + 0.3
    while time.monotonic() < end:
        LAST_PID.write_text(str(wanted - 1))
        innocent = subprocess.Popen(['sleep', '1000'], start_new_session=True, stdin=subprocess.DEVNULL)
        if innocent.pid == wanted:
            storm.innocents.append(innocent)
            return True
        innocent.kill()
        innocent.wait()
    return False


def end_innocent(storm: Storm) -> bool:
    """One of the processes of somebody else ends by itself."""
    alive = [each for each in storm.innocents if each.poll() is None]
    if not alive:
        return False
    innocent = storm.random.choice(alive)
    storm.innocents.remove(innocent)
    innocent.kill()
    innocent.wait()
    return True
