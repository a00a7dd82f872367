"""The folder of a search: every path in it, and how what it says of the search, and of its runs, is read.

search.json              what was requested
runs.jsonl               the plan, one line per run; empty where runs are chosen while the search goes
journal/<writer>.jsonl   what happened, and the runs that were chosen while it did
jobs/<run>/              our files about the first attempt of a run
jobs/<run>/<attempt>/    the same of a later one
submissions/             our files about submissions to a queue system
code/                    a copy of the code, if runs are started from one
<run>/                   the run's output folder, made by its script
"""

from __future__ import annotations

import errno
import os
import stat
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO

from hpsearch.host.ownership import why_not_ours
from hpsearch.model.errors import SearchFolderError, unreadable
from hpsearch.model.run import Run, with_output
from hpsearch.store.description import Form, decoded, encoded, form_of, stamped
from hpsearch.store.place import WITNESSES, Move, after_move, place_in_format_1
from hpsearch.store.plan.planned_runs import PlannedRuns
from hpsearch.store.plan.suggested_runs import SuggestedRuns
from hpsearch.store.whole_files import write_whole

if TYPE_CHECKING:
    from hpsearch.host.code_copy import CodeCopy

SCHEDULES = 'pbt_schedules.csv'
"""The table of the schedules of a population."""


@dataclass(frozen=True, slots=True)
class AttemptPaths:
    """Our files about an attempt, see :meth:`SearchFolder.attempt`; strings, since a fast search makes thousands.

    Attributes:
        folder: Where they are.
        of_run: The folder of its run, if that is another one; empty: it is the same.
    """

    folder: str
    of_run: str = ''

    @property
    def claim(self) -> str:
        """Names the writer that may start the attempt; created exclusively."""
        return f'{self.folder}/claim'

    @property
    def started(self) -> str:
        """The start fence: names who started the attempt; created exclusively."""
        return f'{self.folder}/started'

    @property
    def stdout(self) -> str:
        """What the script wrote to stdout."""
        return f'{self.folder}/stdout.log'

    @property
    def stderr(self) -> str:
        """What the script wrote to stderr."""
        return f'{self.folder}/stderr.log'

    @property
    def exit(self) -> str:
        """The exit record: the raw status and a newline."""
        return f'{self.folder}/exit'

    @property
    def metrics(self) -> str:
        """The file the script may append metrics to."""
        return f'{self.folder}/metrics.jsonl'

    @property
    def orion_results(self) -> str:
        """The file that the client of Oríon writes a result into; it is there from the start where it is wanted."""
        return f'{self.folder}/orion_results.json'

    @property
    def signalled(self) -> str:
        """Why the job of a queued attempt was signalled: ``timeout`` (its time limit is near) or ``TERM``."""
        return f'{self.folder}/signalled'

    @property
    def requeued(self) -> str:
        """Exists when the queue restarted the job of an attempt that had been started."""
        return f'{self.folder}/requeued'


@dataclass(frozen=True, slots=True)
class SubmissionPaths:
    """Our files about one submission to a queue system.

    Attributes:
        script: What was submitted, for people to read.
        log: The messages of the queue system itself, of all its elements.
        ended: The indices of elements that ended, a line each; those of pilots with exit status, seconds and node. Only
            a hint, since lines may get lost.
    """

    script: Path
    log: str
    ended: str


class SearchFolder:
    """The paths of one search; its own is made absolute.

    Attributes:
        only_ours: Whether its plan and journals are only read if nobody else can have written them.
        suggested: The runs that were suggested in its journals, as far as they were read.
    """

    def __init__(self, path: str | os.PathLike[str], *, only_ours: bool = False) -> None:
        self.only_ours = only_ours
        self._set_paths(Path(os.path.abspath(path)))
        self._known_form: Form | None = None
        self._planned = PlannedRuns(self.runs_jsonl, self.open)
        self.suggested = SuggestedRuns(self.journal_dir, self.open)

    def _set_paths(self, path: Path) -> None:
        self.path = path
        self.search_json = self.path / 'search.json'
        self.runs_jsonl = self.path / 'runs.jsonl'
        self.journal_dir = self.path / 'journal'
        self.jobs_dir = self.path / 'jobs'
        self.submissions_dir = self.path / 'submissions'
        self.provenance_dir = self.path / 'provenance'
        self.code_dir = self.path / 'code'
        self.commands_sh = self.path / 'commands.sh'
        self.commands_wo_dirs_sh = self.path / 'commands_wo_dirs.sh'
        self.results_csv = self.path / 'search_results.csv'
        self._path, self._jobs = str(self.path), str(self.jobs_dir)

    def follow(self, path: str) -> None:
        """Have the paths of the place to which the folder was moved; ``path`` is absolute."""
        self._set_paths(Path(path))
        self._planned.path, self.suggested.journals = self.runs_jsonl, self.journal_dir

    @cached_property
    def identity(self) -> str:
        """Device and inode, the same on this host under whatever name it is known.

        Raises:
            OSError: It is not there.
        """
        found = os.stat(self.path)
        return f'{found.st_dev}:{found.st_ino}'

    def is_at(self, path: str) -> bool:
        """Whether a path, as an earlier process noted it, leads to this folder; also if it is empty, not known."""
        if path in ('', self._path):
            return True
        try:
            return os.path.samefile(path, self.path)
        except OSError:
            return False

    def output(self, run: str) -> Path:
        """The output folder of a run."""
        return self.path / run

    @property
    def _form(self) -> Form:
        if self._known_form is None:
            try:
                self._stored_info()
            except SearchFolderError:
                return Form()
        return self._known_form or Form()

    @property
    def layout(self) -> int:
        """Where the files of attempts are; of a search that is not described yet, the layout it will have.

        Raises:
            OSError: Something of the machine is in the way.
        """
        return self._form.layout

    @property
    def code_copy(self) -> CodeCopy | None:
        """How runs are started from the copy of the code in :attr:`code_dir`; None: there is none.

        Raises:
            OSError: Something of the machine is in the way.
        """
        return self._form.code_copy

    @property
    def is_adaptive(self) -> bool:
        """Whether its runs are chosen while the search goes: its plan is in its journals.

        Raises:
            OSError: Something of the machine is in the way.
        """
        return self._form.is_adaptive

    def cwd_of_runs(self, run_cwd: str) -> str:
        """The working directory of the runs, which is ``run_cwd`` without a copy of the code."""
        return self.code_copy.cwd_of(self.code_dir, run_cwd) if self.code_copy else run_cwd

    def attempts(self, run: str) -> str:
        """The folder that holds the attempts of a run."""
        return f'{self._jobs}/{run}'

    def attempt(self, run: str, number: int) -> AttemptPaths:
        """Our files about attempt ``number`` (from 1) of a run: those of the first need no folder of their own."""
        of_run = f'{self._jobs}/{run}'
        return AttemptPaths(of_run) if number == 1 and self.layout > 1 else AttemptPaths(f'{of_run}/{number}', of_run)

    def claims_of(self, writer: str) -> str:
        """The file with the name of a writer that its claims are links to."""
        return f'{self.journal_dir}/{writer}.claim'

    def device(self) -> int:
        """The file system it is on; of a folder that is gone, the one on which it would be made."""
        path = self.journal_dir
        while not path.exists() and path != path.parent:
            path = path.parent
        return os.stat(path).st_dev

    def is_deleted(self, device: int) -> bool:
        """Whether its journals were deleted, rather than the file system ``device`` that they were on being away.

        A script that makes its output folder may have made the search folder again.
        """
        return not self.journal_dir.exists() and self.device() == device

    def submission(self, name: str) -> SubmissionPaths:
        """Our files about one submission to a queue system."""
        stem = f'{self.submissions_dir}/{name}'
        return SubmissionPaths(Path(f'{stem}.sh'), f'{stem}.log', f'{stem}.ended')

    def open(self, path: Path) -> BinaryIO:
        """Open a file of the search to read what it says; what is checked is what was opened.

        Raises:
            SearchFolderError: It is no regular file, or somebody else may have written it although that matters.
            OSError: It cannot be opened.
        """
        # Non-blocking, since there may be a named pipe of this name.
        more = os.O_NONBLOCK | (os.O_NOFOLLOW if self.only_ours else 0)
        try:
            file = open(path, 'rb', opener=lambda name, flags: os.open(name, flags | more))
        except OSError as error:
            if error.errno == errno.ELOOP:
                raise SearchFolderError(f'{path} is a symbolic link, so it is not read.') from error
            raise
        problem = self._why_not_read(path, file.fileno())
        if problem:
            file.close()
            raise SearchFolderError(f'{problem}, so it is not read.')
        return file

    def _why_not_read(self, path: Path, opened: int) -> str:
        if not stat.S_ISREG(os.fstat(opened).st_mode):
            return f'{path} is not a regular file'
        return why_not_ours(path, opened) if self.only_ours else ''

    def read_info(self) -> dict[str, Any]:
        """What was requested (``search.json``), with the paths that hold where the folder is now.

        Its ``place`` is where the folder was when the file was written, if that is known.

        Raises:
            SearchFolderError: There is no such file, or it may not be read.
            OSError: Something of the machine is in the way.
        """
        info = self._stored_info()
        place = info['place'] = info.get('place') or self._place_in_format_1(info)
        return after_move(info, Move(place, self._path)) if os.path.isabs(place) and place != self._path else info

    def _place_in_format_1(self, info: Mapping[str, Any]) -> str:
        try:
            return place_in_format_1(info, self._planned.first(WITNESSES))
        except (OSError, SearchFolderError):
            return ''

    def _stored_info(self) -> dict[str, Any]:
        try:
            with self.open(self.search_json) as file:
                info = decoded(file.read(), self.search_json)
        except FileNotFoundError:
            why = 'it has no search.json' if self.path.is_dir() else 'there is no such folder'
            raise SearchFolderError(f'{self.path} is not a search folder: {why}.') from None
        except OSError as error:
            raise unreadable(self.search_json, error) from error
        self._known_form = form_of(info)
        return info

    def write_info(self, info: Mapping[str, Any]) -> None:
        """Write ``search.json``, whole or not at all."""
        written = stamped(info, self._path)
        write_whole(self.search_json, encoded(written))
        self._known_form = form_of(written)

    # The plan

    @property
    def _plan(self) -> PlannedRuns | SuggestedRuns:
        return self.suggested if self.is_adaptive else self._planned

    def read_runs(self) -> Iterator[Run]:
        """The plan, in its order.

        Raises:
            SearchFolderError: The plan is missing or may not be read.
            OSError: Something of the machine is in the way.
        """
        yield from map(self._placed, self._plan.read())

    def find_run(self, name: str) -> Run | None:
        """One run of the plan, or None.

        Raises:
            SearchFolderError: The plan may not be read.
            OSError: It cannot be read.
        """
        run = self._plan.find(name)
        return self._placed(run) if run else None

    def has_run(self, name: str) -> bool:
        """Whether a run is in the plan; also where that cannot be read, and so rules nothing out."""
        try:
            return self._plan.has(name)
        except (OSError, SearchFolderError):
            return True

    def count_runs(self) -> int:
        """The number of runs in the plan; also those whose lines are damaged are wanted.

        Raises:
            SearchFolderError: It may not be read.
            OSError: Something of the machine is in the way.
        """
        return self._plan.count()

    def _placed(self, run: Run) -> Run:
        """A run as it is executed where the folder is now."""
        run = with_output(run, f'{self._path}/{run.name}')
        copy = self.code_copy
        return replace(run, argv=copy.argv(self.code_dir, run.argv)) if copy and copy.words else run
