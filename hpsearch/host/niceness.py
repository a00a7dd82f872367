"""With which niceness processes get the cores of this machine."""

from __future__ import annotations

import logging
import shutil

from hpsearch.model.errors import trouble_in_words

log = logging.getLogger('hpsearch')


class Niceness:
    """Gives processes that lead a session a niceness.

    Where the kernel shares the cores among sessions first (``sched_autogroup_enabled``), that of the session counts; it
    can be set only ten times a second, so that it is tried again.

    The program ``nice`` gives it to a process before it becomes another, so that none of what that starts is without.

    Args:
        value: 0-19.
    """

    def __init__(self, value: int) -> None:
        self._value = value
        self._waiting: list[int] = []
        program = shutil.which('nice') if value else None
        self.words: tuple[str, ...] = (program, '-n', str(value)) if program else ()
        if value and not program:
            log.warning('there is no program nice on PATH: the runs keep the niceness of hpsearch')

    def give(self, leader: int) -> None:
        """Give it also to the session of a process that was just started with these words."""
        if self.words:
            self._waiting.append(leader)
            self.step()

    def step(self) -> None:
        """Try again what could not be done."""
        self._waiting = [leader for leader in self._waiting if self._is_refused(leader)]

    def _is_refused(self, leader: int) -> bool:
        """Set the niceness of a session; returns whether to try that again."""
        try:
            with open(f'/proc/{leader}/autogroup', 'w') as autogroup:
                autogroup.write(str(self._value))
        except BlockingIOError:
            return True
        except OSError as error:
            log.debug('the session of process %d keeps its niceness: %s', leader, trouble_in_words(error))
        return False
