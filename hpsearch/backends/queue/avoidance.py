"""Keeping jobs away from nodes: those that will be submitted, and those that are pending already."""

from __future__ import annotations

import logging
from collections.abc import Iterable
from typing import Any

from hpsearch.backends.base import Avoided
from hpsearch.backends.queue.batch_system import BatchSystem, CommandResult
from hpsearch.backends.queue.commands import CommandRunner
from hpsearch.backends.queue.limits import RETRY
from hpsearch.backends.queue.submission import JobArray

log = logging.getLogger('hpsearch')


class Avoidance:
    """Keeps jobs away from nodes.

    The batch system is asked first whether jobs could run without a node: on a cluster of one node they would be
    pending for ever.

    Attributes:
        nodes: The nodes that are avoided.
        indispensable: Those without which no job could run.

    Args:
        system: The batch system.
        runner: Runs its commands.
    """

    def __init__(self, system: BatchSystem, runner: CommandRunner) -> None:
        self._system = system
        self._runner = runner
        self.indispensable: frozenset[str] = frozenset()
        self._is_asking = False
        self._failed = False
        self._retry_at = float('-inf')
        self.nodes: tuple[str, ...] = ()

    def avoid(self, nodes: frozenset[str], now: float) -> Avoided:
        """Avoid these nodes, and no others; see :meth:`hpsearch.backends.base.Backend.avoid`."""
        self.nodes = tuple(node for node in self.nodes if node in nodes)
        self.indispensable &= nodes
        if self._failed:
            self._failed, self._retry_at = False, now + RETRY
        new = nodes - self.indispensable - set(self.nodes)
        if new and not self._is_asking and now >= self._retry_at:
            self._ask(min(new))
        return Avoided(frozenset(self.nodes), self.indispensable)

    def _ask(self, node: str) -> None:
        self._is_asking = True
        avoided = (*self.nodes, node)
        self._runner.run(self._system.trial_argv(avoided), lambda answer: self._receive(node, avoided, answer))

    def _receive(self, node: str, avoided: tuple[str, ...], answer: CommandResult) -> None:
        self._is_asking = False
        match self._system.parse_trial(answer, avoided):
            case True:
                self.nodes = (*self.nodes, node)
            case False:
                log.warning('%s is not avoided: without it no job could run', node)
                self.indispensable |= {node}
            case None:
                log.debug('whether jobs can avoid %s is not known: %s', node, answer.err.strip())
                self._failed = True

    def apply(self, arrays: Iterable[JobArray[Any]], now: float) -> None:
        """Let the pending elements of arrays avoid the nodes, too.

        Args:
            arrays: The arrays.
            now: Monotonic seconds.
        """
        for array in arrays:
            if array.job and array.members and array.avoided != self.nodes and now >= array.avoid_at:
                array.avoid_at = now + RETRY
                self._change(array, self.nodes)

    def _change(self, array: JobArray[Any], nodes: tuple[str, ...]) -> None:
        argv = self._system.avoid_argv(array.job, nodes, array.memory)
        self._runner.run(argv, lambda answer: self._receive_change(array, nodes, answer))

    def _receive_change(self, array: JobArray[Any], nodes: tuple[str, ...], answer: CommandResult) -> None:
        problem = self._system.parse_avoid(answer)
        if problem:
            log.debug('%s could not be kept away from %s: %s', array.name, ', '.join(nodes) or 'no node', problem)
        else:
            array.avoided, array.avoid_at = nodes, float('-inf')
