"""What to do with an attempt whose writer does not look after it any more. Pure: evidence in, action out."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum


class Liveness(Enum):
    """What is known of a writer."""

    ALIVE = 'alive'
    """Its process runs, or its counter moves, or not enough looks were taken to say otherwise."""
    STALE = 'stale'
    """It showed no life for a while; it may wake up."""
    DEAD = 'dead'
    """It cannot come back."""


class HostRelation(Enum):
    """How the host of another writer relates to ours."""

    SAME = 'same'
    """Its processes can be asked."""
    REBOOTED = 'rebooted'
    """The same machine before a reboot: none of its processes lives."""
    DECLARED_DEAD = 'declared dead'
    """The user said so."""
    JOB_ENDED = 'job ended'
    """It was a job of a queue system, which says that the job has ended."""
    OTHER = 'other'
    """Its processes cannot be asked from here."""


class Action(Enum):
    """What is done with an attempt of another writer."""

    LEAVE = 'leave'
    """Its writer looks after it."""
    TAKE_END = 'take the end'
    """It ended and left a record."""
    ADOPT = 'adopt'
    """It runs on this host, or is in a queue we can ask: watch it in place of its writer."""
    FENCE = 'fence'
    """It was not started: make sure it never will be, then plan the run again."""
    LOST = 'lost'
    """It ran on this host, is gone, and left no record."""
    INTERRUPTED = 'interrupted'
    """It was ended together with its host."""
    UNKNOWN = 'unknown'
    """It may still run where nobody can be asked."""


@dataclass(frozen=True, slots=True)
class Evidence:
    """What is found of an attempt.

    Attributes:
        has_record: Whether its exit record is whole.
        is_started: Whether its start fence was passed.
        is_running: Whether its process runs; meaningful on the same host only, looked at before the record.
        is_in_queue: Whether it is, or was, a job of a queue system, which any host may ask.
        can_be_asked: Whether we can ask that queue system.
    """

    has_record: bool
    is_started: bool
    is_running: bool
    is_in_queue: bool = False
    can_be_asked: bool = False


def decide(life: Liveness, relation: HostRelation, evidence: Evidence) -> Action:
    """Say what is to be done.

    Args:
        life: What is known of the attempt's writer.
        relation: How the host of that writer relates to ours.
        evidence: What is found of the attempt.
    """
    if life is Liveness.ALIVE:
        return Action.LEAVE
    if evidence.is_in_queue:
        return _of_a_queue(evidence)
    if evidence.has_record:
        return Action.TAKE_END
    if not evidence.is_started:
        return Action.FENCE
    match relation:
        case HostRelation.SAME:
            return Action.ADOPT if evidence.is_running else Action.LOST
        case HostRelation.REBOOTED | HostRelation.DECLARED_DEAD | HostRelation.JOB_ENDED:
            return Action.INTERRUPTED
        case HostRelation.OTHER:
            return Action.UNKNOWN


def _of_a_queue(evidence: Evidence) -> Action:
    """Its backend weighs what it left against what the queue says; where it cannot be asked, only a record counts."""
    if evidence.can_be_asked:
        return Action.ADOPT
    return Action.TAKE_END if evidence.has_record else Action.UNKNOWN
