"""One search that is disturbed at random."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import time
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from benchmarks.chaos.judges import Problem
from benchmarks.chaos.place import Place, Writer, send

if TYPE_CHECKING:
    from benchmarks.chaos.scenarios import Scenario

PATIENCE = 120.0
"""Seconds without progress after which an undisturbed search hangs."""

MOST = 5
"""Problems after which a search is given up."""


@dataclass
class Storm:
    """One search, and what is done to it.

    Attributes:
        place: Where.
        scenario: How it is started, and with which blows.
        random: Makes the choices.
        counts: What was done, by kind.
        kills: Value of ``--n`` to how often an attempt of it was killed.
        erased: Values of ``--n`` whose records were deleted while they ran.
        writers: Those that have not been waited for.
        later: What is done later, and when, in monotonic seconds.
        boots: How often each machine was started.
        innocents: Processes that have nothing to do with the search.
        problems: What went wrong on the way.
        is_complete: Whether a writer said that every run has finished.
        is_unclear: Whether the last one said that runs may still run on a host of which it knows nothing.
    """

    place: Place
    scenario: Scenario
    random: random.Random
    counts: Counter[str]
    kills: Counter[int] = field(default_factory=Counter)
    erased: set[int] = field(default_factory=set)
    writers: list[Writer] = field(default_factory=list)
    later: list[tuple[float, Callable[[], object]]] = field(default_factory=list)
    boots: Counter[str] = field(default_factory=Counter)
    innocents: list[subprocess.Popen[bytes]] = field(default_factory=list)
    problems: list[Problem] = field(default_factory=list)
    is_complete: bool = False
    is_unclear: bool = False

    # Writers

    def living(self) -> list[Writer]:
        """The writers that run; the ends of the others are judged."""
        for writer in [writer for writer in self.writers if writer.process.poll() is not None]:
            self.writers.remove(writer)
            self._judge(writer)
        return self.writers

    def _judge(self, writer: Writer) -> None:
        code = writer.process.returncode
        self.is_unclear = code == 1 and '--host_is_dead' in writer.last_words
        if code == 0:
            self.is_complete = True
        elif code != -signal.SIGKILL and not self._may_end_with(code, writer):
            self.problems.append(Problem('exit', f'{writer.process.args!r} ended with {code}: {writer.last_words}'))

    def _may_end_with(self, code: int, writer: Writer) -> bool:
        """A search whose plan was never made is refused; who only helps may leave before the others have finished."""
        if code == 1 and writer.verb == 'join':
            return True
        if code == 2 and not self.place.has_plan():
            return True
        return code in self.scenario.exit_codes and bool(writer.last_words.strip())

    def start(self, *words: str) -> None:
        """Start one hpsearch, as the scenario has it; the first word may be a verb."""
        verb, how = words[0], self.scenario.start(self)
        is_new = verb not in ('resume', 'join')
        options = [option.format(runs=len(self.place.numbers)) for option in self.scenario.options]
        given = self.place.search_words(*words, *options, name=how.name) if is_new else [verb, how.name, *words[1:]]
        self.counts['under another name'] += how.name != 'out'
        self.writers.append(self.place.start(*given, how=how))

    def revive(self) -> None:
        """Have at least one writer, now and then two."""
        if not self.living():
            self.start_first()
        elif len(self.writers) == 1 and self.place.has_plan() and self.random.random() < self.scenario.company:
            self.start(self.random.choice(['join', 'resume']))
            self.counts['second writers'] += 1

    def start_first(self) -> None:
        """Make the search, or go on with it where it has been made."""
        if self.place.has_plan():
            self.counts['resumes'] += 1
            self.start('resume', *self._answer())
            return
        if self.place.ledger():
            self.problems.append(Problem('lost', 'runs were started without a plan'))
        self.start('--dont_force_new_dir')

    def _answer(self) -> list[str]:
        """Of a journal without a header nobody knows on which machine its runs were; that none runs here is seen."""
        if not (self.is_unclear and self.scenario.may_be_odd) or self.place.processes():
            return []
        self.counts['hosts declared dead'] += 1
        return [f'--host_is_dead={os.uname().nodename}']

    # What blows are made of

    def aim(self) -> tuple[str, int, int] | None:
        """An attempt that has begun and whose sh lives: run, number, and process id."""
        ledger = self.place.ledger()
        found = [
            (run, number, pid)
            for run, number, pid in self.place.attempts()
            if f'begin {number}' in ledger.get(self.place.number_of(run), ())
        ]
        return self.random.choice(found) if found else None

    def stop(self, group: int, at_least: float = 0.01) -> bool:
        """SIGSTOP to a process group, SIGCONT within a second."""
        if not send(group, signal.SIGSTOP, is_group=True):
            return False
        self.after(self.random.uniform(at_least, 1.0), lambda: send(group, signal.SIGCONT, is_group=True))
        return True

    def after(self, seconds: float, do: Callable[[], object]) -> None:
        """Have something done later."""
        self.later.append((time.monotonic() + seconds, do))

    def catch_up(self, *, everything: bool = False) -> None:
        """Do what is due."""
        now = time.monotonic()
        due = [each for each in self.later if everything or now >= each[0]]
        self.later = [each for each in self.later if each not in due]
        for _, do in due:
            do()

    # The whole

    def rage(self, blows: int) -> int:
        """Blow until so many have hit or the search is over; returns how many hit."""
        hits = 0
        while hits < blows:
            self.catch_up()
            self.living()
            if self.is_complete:
                break
            self.revive()
            time.sleep(self.random.choice([0.02, 0.1, 0.3, 0.6, 1.0]) * self.random.random())
            if self.place.has_plan() or self.random.random() < 0.2:
                hits += self._blow(self.scenario.blows)
        self.catch_up(everything=True)
        return hits

    def _blow(self, weights: Mapping[Callable[[Storm], bool], int]) -> bool:
        untried = [kind for kind in weights if not self.counts[kind.__name__]]
        if untried and self.random.random() < 0.5:
            blow = untried[-1]  # what the scenario has beside the ordinary ones comes last
        else:
            (blow,) = self.random.choices(list(weights), weights=list(weights.values()))
        hit = blow(self)
        self.counts[blow.__name__] += hit
        return hit

    def calm(self) -> None:
        """Let the search come to its end undisturbed."""
        progress, end = -1, 0.0
        while self.living() or not self.is_complete:
            if len(self.problems) > MOST:
                break
            if not self.writers:
                self.start_first()
            if (done := self._progress()) != progress:
                progress, end = done, time.monotonic() + PATIENCE
            if time.monotonic() > end:
                self.problems.append(self._hanging())
                break
            time.sleep(0.02)
        self._clear()

    def _hanging(self) -> Problem:
        return Problem('hangs', f'no progress for {PATIENCE:.0f} s: {self.writers[-1].last_words}')

    def _progress(self) -> int:
        return sum(map(len, self.place.ledger().values()))

    def _clear(self) -> None:
        for writer in self.writers:
            writer.process.kill()
            writer.process.wait()
        for innocent in self.innocents:
            if innocent.poll() is not None:
                self.problems.append(Problem('innocent', f'a process of somebody else was sent {-innocent.returncode}'))
            innocent.kill()
            innocent.wait()
