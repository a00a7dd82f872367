"""A run: one set of hyperparameters, and what its script leaves as a result."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from hpsearch.model.configuration import Params


@dataclass(frozen=True, slots=True)
class Run:
    """One set of hyperparameters of a search, as the plan (``runs.jsonl``) has it.

    Attributes:
        name: Unique in the search and the name of its output folder, e.g. ``sim_20261120231900_007``.
        number: Ordinal in the search, from 1.
        params: Its hyperparameters, without the output option.
        argv: Every word of its command, interpreter, script and output folder included.
    """

    name: str
    number: int
    params: Params
    argv: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Summary:
    """What a training script left as its result.

    Attributes:
        values: Keyword to text as it goes into the table; a list is ``v1,v2``.
        finished: What the keyword ``finished`` says; None when the summary does not have it or there is no summary.
        problem: Why there is none, or what is odd about it (missing keywords, half a file); empty when all is well.
        found: Whether a summary was there and could be read at all.
    """

    values: Mapping[str, str] = field(default_factory=dict)
    finished: bool | None = None
    problem: str = ''
    found: bool = False
