"""The files of an attempt: the script it is started with, its claim, its start fence, its exit record, its logs.

The script is POSIX sh and gets everything as arguments, so nothing is generated and nothing needs quoting. It passes
the start fence, runs the command, and writes the exit record.
"""

from __future__ import annotations

import errno
import os
import re
import time
from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import BinaryIO

from hpsearch.arguments.command import text_of_file
from hpsearch.host.processes import Process, marked_processes
from hpsearch.model.configuration import Configuration
from hpsearch.model.errors import SearchFolderError, is_of_machine
from hpsearch.model.resources import CUDA, ROCR
from hpsearch.model.run import Run, config_file
from hpsearch.model.units import whole_number
from hpsearch.results.files import read_end
from hpsearch.results.rules import LOGS, METRICS, ORION, reads_orion
from hpsearch.store.folder import AttemptPaths, SearchFolder
from hpsearch.store.whole_files import write_whole

LOCAL_SCRIPT = """\
files=$1 id=$2
set -C
trap 'exit 75' EXIT
trap : TERM INT HUP
[ -z "${LSB_JOBID-}" ] || trap '' INT USR2
exec 3>&2 2>/dev/null
(:)
exec 2>&3 3>&-
trap - EXIT
began() { rest=$$; [ $# -lt 20 ] || { shift 19; rest="$$ $1"; }; }
{ read -r owner rest < "/proc/$$/stat"; } 2>/dev/null
began ${rest##*) }
{ printf '%s %s\\n' "$id" "$rest" > "$files/started"; } 2>/dev/null
read -r owner rest < "$files/started"
[ "$owner" = "$id" ] || exit 75
if cd -- "$3"; then
    shift 3
    "$@"
    code=$?
else
    code=126
fi
tries=0
until { printf '%s\\n' "$code" >| "$files/exit" && read -r back < "$files/exit" && [ "$back" = "$code" ]; } 2>/dev/null
do
    tries=$((tries + 1))
    [ -d "$files" ] || tries=$((tries + 40))
    [ $tries -gt 120 ] && break
    sleep 5
done
exit "$code"
"""
"""Arguments: the attempt's folder, its id, the working directory, the words of the command.

The traps keep sh alive to write the record; the command gets the default actions back. LSF ends a job by INT, or at its
time limit by USR2, to all its processes; there both ignore these, and hpsearch ends them by TERM. 75 means that the
fence was not passed, or could not be read, or that sh can start no process, which it tries before; 120 tries of 5 s are
the ten minutes a full disk is waited for, and a folder that was deleted is only looked for three times.
"""

FENCED = 75

NO_FORK = re.compile(r"(?:[Cc]annot fork|[Cc]an't fork|\bfork: .*)\s*\Z")
"""How the stderr of an attempt ends whose sh could not start the command, in the words of dash, busybox or bash."""

CLOSED = ':closed'
"""What follows the name of a writer in a start fence that it closed."""


def attempt_id(writer: str, run: str, number: int) -> str:
    """What an attempt writes into the start fence; one word."""
    return f'{writer}:{run}:{number}'


def create_exclusively(path: str, text: str) -> bool:
    """Create a file that must not exist yet; returns whether it is ours.

    After any error the file is read again: a network file system may report "exists" to its own winner.

    Raises:
        OSError: The file can be neither created nor read.
    """
    line = f'{text}\n'
    try:
        handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o644)
    except FileExistsError:
        return read_line(path) == text
    try:
        os.write(handle, line.encode())
    finally:
        os.close(handle)
    return True


def read_line(path: str | os.PathLike[str]) -> str:
    """The only line of a small file of ours; empty when it is missing or incomplete.

    Raises:
        OSError: It is there but cannot be read.
    """
    try:
        opened = _open_to_read(path)
    except (FileNotFoundError, NotADirectoryError):
        return ''
    try:
        data = os.read(opened, 1 << 16)
    except OSError as error:
        raise OSError(error.errno, error.strerror, os.fspath(path)) from error
    finally:
        os.close(opened)
    return data[:-1].decode('utf-8', 'replace') if data.endswith(b'\n') else ''


def _open_to_read(path: str | os.PathLike[str]) -> int:
    """Open a file, without waiting for anything, since there may be a named pipe of this name."""
    return os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)


def claim(folder: SearchFolder, run: str, number: int, writer: str) -> bool:
    """Claim an attempt for a writer; returns whether it is that writer's.

    The claim is a link to a file of the writer, if the file system has links: it needs no inode, and is never torn.

    Raises:
        OSError: The folder cannot be written.
    """
    paths = folder.attempt(run, number)
    _make_folder(paths)
    if folder.layout == 1:  # a writer of an earlier version may work on it, too
        return create_exclusively(paths.claim, writer)
    if _link_claim(folder.claims_of(writer), paths.claim, writer):
        return True
    return create_exclusively(paths.claim, _claim_text(writer)) or claimant(paths) == writer


def write_inputs(
    folder: SearchFolder, run: Run, number: int, configuration: Configuration, *, goes_on: bool = False
) -> None:
    """Write what an attempt has to find among its files when it starts; ``goes_on``: from an earlier run.

    Raises:
        OSError: It cannot be written.
    """
    if reads_orion(configuration.results):
        with open(folder.attempt(run.name, number).orion_results, 'w'):
            pass  # its client refuses a file that is not there
    if configuration.config_template:
        output = str(folder.output(run.name))
        file = Path(f'{config_file(output)}.{configuration.config_format}')
        write_whole(file, text_of_file(configuration, run.params, output, goes_on=goes_on))


def _link_claim(source: str, path: str, writer: str) -> bool:
    """Give the file of a writer another name, which must not exist yet; returns whether that was possible."""
    try:
        os.link(source, path)
    except OSError as error:
        # There is no such file yet, or it has as many names as it can have.
        return error.errno in (errno.ENOENT, errno.EMLINK) and _link_first_claim(source, path, writer)
    return True


def _link_first_claim(source: str, path: str, writer: str) -> bool:
    try:
        write_whole(Path(source), f'{_claim_text(writer)}\n')
        os.link(source, path)
    except OSError:
        return False
    return True


def _claim_text(writer: str) -> str:
    """What is in a claim; the time shows what the clock of the file system is worth."""
    return f'{writer} {time.time():.3f}'


def claimant(paths: AttemptPaths) -> str:
    """The writer that claimed an attempt; empty: none did, or it is not known.

    Raises:
        OSError: The claim is there but cannot be read.
    """
    return read_line(paths.claim).partition(' ')[0]


def claim_changed_at(paths: AttemptPaths, claimed_at: float) -> float | None:
    """When an attempt was claimed, in seconds since 1970 by the clock of its file system; None: that is not known.

    Args:
        paths: Its files.
        claimed_at: When that was by the clock of its writer, which may have written the file for an earlier claim.

    Raises:
        OSError: The claim is there but cannot be read.
    """
    changed, noted = changed_at(paths.claim), _moment(read_line(paths.claim).partition(' ')[2])
    return changed if changed is None or noted is None else claimed_at + changed - noted


def _moment(text: str) -> float | None:
    return float(text) if re.fullmatch(r'[0-9]{1,12}\.[0-9]{1,6}', text) else None


def _make_folder(paths: AttemptPaths) -> None:
    """Make the folder of an attempt, and those above it within the search, which may be lost."""
    of_run = paths.of_run or paths.folder
    try:
        _make(paths.folder)
    except FileNotFoundError:
        for path in (os.path.dirname(of_run), of_run, paths.folder):
            _make(path)


def _make(path: str) -> None:
    try:
        os.mkdir(path, 0o755)
    except FileExistsError:
        pass  # made for an earlier attempt, or by another writer: the claim decides


def runs_with_files(folder: SearchFolder) -> set[str]:
    """The names of the runs that have files of ours, and what else is named among them.

    Raises:
        OSError: They cannot be listed.
    """
    return set(_listed(str(folder.jobs_dir)))


def attempts_on_disk(folder: SearchFolder, run: str) -> set[int]:
    """The attempts of a run that have files; those of the first lie beside the folders of the others.

    Raises:
        OSError: They cannot be listed.
    """
    found = {whole_number(entry) for entry in _listed(folder.attempts(run))}
    first = {1} if None in found and folder.layout > 1 else set()
    return first | {number for number in found if number is not None}


@dataclass(frozen=True, slots=True)
class Fence:
    """Who passed the start fence of an attempt, from its file ``started``.

    Attributes:
        ident: What was written there; empty: it was not passed, or the file is incomplete.
        pid: Process id of the attempt's sh, on the host of its writer; 0: not known, or a queue job.
        ticks: When that sh started (:func:`hpsearch.host.processes.start_ticks`); empty: not known.
        job: Id of the queue job it runs in, ``-`` where the job does not know it; empty: in none.
        restarts: How often the queue had restarted that job, in the queue's own words.
        host: Where that job runs.
    """

    ident: str = ''
    pid: int = 0
    ticks: str = ''
    job: str = ''
    restarts: str = ''
    host: str = ''

    @property
    def is_closed(self) -> bool:
        """Whether a writer made sure that the attempt is never started."""
        return self.ident.endswith(CLOSED)

    @property
    def is_passed(self) -> bool:
        """Whether the attempt was started."""
        return bool(self.ident) and not self.is_closed


def read_fence(paths: AttemptPaths) -> Fence:
    """Who passed the start fence.

    Raises:
        OSError: The file is there but cannot be read.
    """
    ident, _, rest = read_line(paths.started).partition(' ')
    words = rest.split(' ', 3)
    if len(words) == 4:
        _, job, restarts, host = words
        return Fence(ident, job=job, restarts=restarts, host=host)
    word, _, ticks = rest.partition(' ')
    pid = whole_number(word)
    # Nobody may signal process 1, or group 1, which is everybody.
    return Fence(ident, pid, ticks) if pid is not None and pid > 1 else Fence(ident)


def fence_job(paths: AttemptPaths) -> str:
    """The id of the job that passed the start fence of an attempt; empty: none did, or its id is not known.

    Raises:
        OSError: The fence is there but cannot be read.
    """
    job = read_fence(paths).job
    return '' if job == '-' else job


def close_fence(paths: AttemptPaths, by: str) -> bool:
    """Make sure that an attempt is never started; returns whether that is so (False: it has been started).

    Raises:
        OSError: The folder cannot be written.
    """
    _make_folder(paths)
    return create_exclusively(paths.started, f'{by}{CLOSED}') or read_fence(paths).is_closed


def log_files(folder: SearchFolder, run: str, attempt: int) -> list[str]:
    """Paths of the logs of an attempt, stderr last.

    Args:
        folder: The search.
        run: Name of the run, or its number.
        attempt: Which attempt; 0: the last.

    Raises:
        SearchFolderError: There is no such run, or it was not started.
    """
    folder.read_info()
    number = whole_number(run)
    name = run if number is None else next((each.name for each in folder.read_runs() if each.number == number), run)
    started = sorted(attempts_on_disk(folder, name))
    wanted = attempt or (started[-1] if started else 0)
    if wanted not in started:
        which = f'attempt {attempt}' if attempt else 'an attempt'
        raise SearchFolderError(f'{folder.path} does not have {which} of run {run}: it was not started.')
    paths = folder.attempt(name, wanted)
    return [path for path in (paths.stdout, paths.stderr) if os.path.lexists(path)]


def moved_aside(run: str, number: int) -> str:
    """The name that the output folder of an attempt gets before a later one starts."""
    return f'{run}.attempt{number}'


def move_output_aside(folder: SearchFolder, run: str, number: int) -> None:
    """Move the output folder of an earlier attempt beside it, so that attempt ``number`` starts without one.

    Nothing is moved once its start fence was closed: we were asleep, and the folder may be that of a later attempt.

    Raises:
        OSError: It cannot be moved.
    """
    output = folder.output(run)
    for earlier in range(number - 1, 0, -1):
        aside = output.with_name(moved_aside(run, earlier))
        if output.exists() and not aside.exists() and not read_fence(folder.attempt(run, number)).ident:
            os.rename(output, aside)


def exit_code(paths: AttemptPaths, *, is_due: bool = False) -> int | None:
    """The raw status in the exit record; None when there is no complete record.

    Args:
        paths: The files of the attempt.
        is_due: Whether something follows from its absence. A network file system may deny a file for a minute because
            it was not there before; listing the folder makes it look again, also for the other files of the attempt.

    Raises:
        OSError: The record is there but cannot be read.
    """
    text = read_line(paths.exit)
    if not text and is_due and os.path.basename(paths.exit) in _listed(paths.folder):
        text = read_line(paths.exit)
        os.stat(paths.exit)  # raises where the record is still denied although it is listed
    return whole_number(text, digits=3)


def _listed(folder: str) -> list[str]:
    try:
        return os.listdir(folder)
    except (FileNotFoundError, NotADirectoryError):
        return []


def changed_at(path: str | os.PathLike[str]) -> float | None:
    """When a file was written, in seconds since 1970 by the clock of its file system; None: it is not there."""
    try:
        return os.stat(path).st_mtime
    except OSError as error:
        if is_of_machine(error):
            raise
        return None


MOST_FILES = 10_000
"""Files of an output folder that are looked at."""


def left_nothing_new(folder: SearchFolder, run: str, since: float) -> bool:
    """Whether no file in the output folder of a run was written after a time; False: one was, or may.

    Args:
        folder: The search.
        run: Name of the run.
        since: In seconds since 1970, by the clock of the file system.

    Raises:
        OSError: Something of the machine keeps the folder from being read.
    """
    try:
        files = list(islice(_files_in(folder.output(run)), MOST_FILES + 1))
    except OSError as error:
        if is_of_machine(error):
            raise
        return False
    written = map(changed_at, set(files).difference(shown_names(folder, run)))
    return len(files) <= MOST_FILES and all(at is not None and at <= since for at in written)


def _files_in(top: Path) -> Iterator[str]:
    """The files below a folder, which need not be there.

    Raises:
        OSError: A folder cannot be read, or is only linked to: whoever writes there may be somebody else.
    """
    for path, folders, names in os.walk(top, onerror=_raise_unless_missing):
        if any(os.path.islink(os.path.join(path, name)) for name in folders):
            raise OSError(errno.ELOOP, os.strerror(errno.ELOOP), path)
        yield from (os.path.join(path, name) for name in names)


def _raise_unless_missing(error: OSError) -> None:
    if not isinstance(error, FileNotFoundError):
        raise error


def duration(paths: AttemptPaths) -> float | None:
    """Seconds between the start of an attempt and its end (or now), by the clock of the file system; None: no start."""
    try:
        begin = os.stat(paths.started).st_mtime
        end = os.stat(paths.exit).st_mtime if os.path.exists(paths.exit) else time.time()
    except OSError:
        return None
    return round(max(0.0, end - begin), 3)


def marks(folder: SearchFolder, run: str, number: int) -> dict[str, str]:
    """The environment variables that identify the processes of an attempt on this host.

    Raises:
        OSError: The folder is not there.
    """
    return {'HPSEARCH_DIR_ID': folder.identity, 'HPSEARCH_RUN': run, 'HPSEARCH_ATTEMPT': str(number)}


def attempt_processes(folder: SearchFolder) -> dict[Process, tuple[str, str]]:
    """The living processes of a search on this host, wherever they went, with run and number of their attempts.

    Raises:
        OSError: The folder is not there.
    """
    return {
        process: (own['HPSEARCH_RUN'], own['HPSEARCH_ATTEMPT'])
        for process, own in marked_processes().items()
        if _is_of(folder, own) and 'HPSEARCH_RUN' in own and 'HPSEARCH_ATTEMPT' in own
    }


def _is_of(folder: SearchFolder, own: Mapping[str, str]) -> bool:
    """Whether a process with these variables belongs to a search, by whatever name that is known."""
    path, ident = own.get('HPSEARCH_DIR', ''), own.get('HPSEARCH_DIR_ID')
    if ident is not None:
        return ident == folder.identity or path == str(folder.path)
    return bool(path) and os.path.realpath(path) == os.path.realpath(folder.path)


def environment(
    folder: SearchFolder, run: str, number: int, visible_devices: str | None, variable: str = CUDA
) -> dict[str, str]:
    """The environment variables of an attempt beside the inherited ones."""
    files = folder.attempt(run, number)
    paths = {'HPSEARCH_DIR': str(folder.path), 'HPSEARCH_METRICS': files.metrics}
    if os.path.exists(files.orion_results):
        paths['ORION_RESULTS_PATH'] = files.orion_results
    variables = {**paths, **marks(folder, run, number)}
    if visible_devices is not None:
        variables.update(_which_gpus(visible_devices, variable))
    return variables


def _which_gpus(visible_devices: str, variable: str) -> dict[str, str]:
    """The variables that let an attempt see these GPUs only.

    On those of AMD, HIP counts what ROCm shows it from 0 on: what is inherited for HIP would choose among these again.
    """
    if variable == ROCR:
        numbers = ','.join(map(str, range(len(visible_devices.split(',')))))
        return {ROCR: visible_devices, 'HIP_VISIBLE_DEVICES': numbers, CUDA: numbers}
    return {variable: visible_devices, 'CUDA_DEVICE_ORDER': 'PCI_BUS_ID'}


# Logs


def logs_of(paths: AttemptPaths) -> dict[str, Path]:
    """Where an attempt may leave a result beside its output folder (:class:`hpsearch.results.sources.Places`)."""
    return {
        **dict(zip(LOGS, (Path(paths.stdout), Path(paths.stderr)), strict=True)),
        **{ORION: Path(paths.orion_results), METRICS: Path(paths.metrics)},
    }


_CHUNK = 1 << 20


class LogTail:
    """Passes what is appended to logs (stream name to path) to ``show``, as bytes with the stream name."""

    def __init__(self, logs: dict[str, str], show: Callable[[bytes, str], None]) -> None:
        self._show = show
        self._logs: dict[str, BinaryIO] = {name: open(path, 'rb') for name, path in logs.items()}

    def pump(self) -> bool:
        """Show what is new, at most a MiB of each log; returns whether there may be more."""
        news = {name: log.read(_CHUNK) for name, log in self._logs.items()}
        for name, data in news.items():
            if data:
                self._show(data, name)
        return any(len(data) == _CHUNK for data in news.values())

    def finish(self) -> None:
        """Show the rest and close the logs."""
        while self.pump():
            continue
        for log in self._logs.values():
            log.close()


def tail(path: str, limit: int = 1 << 16) -> str:
    """The end of a log, at most ``limit`` bytes; empty when there is none, it is no file, or it may not be read.

    Raises:
        OSError: Something of the machine is in the way.
    """
    try:
        return read_end(path, limit).decode('utf-8', 'replace')
    except ValueError:
        return ''
    except OSError as error:
        if is_of_machine(error):
            raise
        return ''


def is_there(path: str) -> bool:
    """Whether there is such a file.

    Raises:
        OSError: Something of the machine keeps that from being known.
    """
    try:
        os.stat(path)
    except OSError as error:
        if is_of_machine(error):
            raise
        return False
    return True


def show_logs_in_output(
    folder: SearchFolder, run: str, number: int, command: str, without: Collection[str] = ()
) -> None:
    """Link the logs of an ended attempt into the output folder of its run, and write its command (a shell line) there.

    The folder is made where the script made none. Logs in ``without`` are not linked.

    Raises:
        OSError: The folder cannot be written.
    """
    if os.path.exists(folder.attempt(run, number + 1).folder):
        return  # the folder belongs to the next attempt by now
    output, paths = folder.output(run), folder.attempt(run, number)
    output.mkdir(exist_ok=True)
    command_file, out, err = shown_names(folder, run)
    with open(command_file, 'w', encoding='utf-8', errors='surrogateescape', opener=_not_through_a_link) as script:
        script.write(f'#!/bin/sh\n{command}\n')
    for log, shown in ((paths.stdout, out), (paths.stderr, err)):
        if log not in without:
            _link(log, shown)


def empty_logs(paths: AttemptPaths) -> list[str]:
    """The logs of an attempt that has ended to which its script wrote nothing; stderr last.

    Raises:
        OSError: One of them cannot be read.
    """
    return list(filter(_is_empty, (paths.stdout, paths.stderr)))


def _is_empty(log: str) -> bool:
    """Whether a log is there and has no content; it is opened, since NFS only then asks for its present size."""
    try:
        opened = _open_to_read(log)
    except FileNotFoundError:
        return False
    try:
        return not os.fstat(opened).st_size
    finally:
        os.close(opened)


def shown_names(folder: SearchFolder, run: str) -> tuple[str, str, str]:
    """Our own files in the output folder of a run: its command, its stdout, its stderr."""
    output = folder.output(run)
    return f'{output}/hpsearch_command.sh', f'{output}/job_{run}.out', f'{output}/job_{run}.err'


def _not_through_a_link(path: str, flags: int) -> int:
    """The script, or who may write its folder, could make us write somewhere else."""
    return os.open(path, flags | os.O_NOFOLLOW, 0o666)


def has_unshown_logs(folder: SearchFolder, run: str, number: int) -> bool:
    """Whether the logs of an ended attempt are missing from the output folder; stderr is the last to be linked."""
    return not os.path.exists(shown_names(folder, run)[2]) and os.path.exists(folder.attempt(run, number).stderr)


def _link(log: str, name: str) -> None:
    """Give a log a second name; an earlier file of that name is replaced in one step."""
    try:
        os.link(log, name)
    except FileExistsError:
        if not os.path.samefile(log, name):
            fresh = f'{name}.{os.urandom(4).hex()}.tmp'
            os.link(log, fresh)
            os.replace(fresh, name)
    except FileNotFoundError:
        return
    except OSError:
        os.symlink(log, name)  # a file system without hard links
