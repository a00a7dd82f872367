"""What is asked for: a configuration, its grid and its conditions."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

Value: TypeAlias = Any
"""One hyperparameter value: a bool (a flag), a number, a string or None."""


Params: TypeAlias = dict[str, Value]
"""The hyperparameters of one run: option name (without dashes) to value, in command-line order."""


Grid: TypeAlias = dict[str, Sequence[Value]]
"""Option name to the values it may take."""


Condition: TypeAlias = tuple[Mapping[str, Any], Mapping[str, Sequence[Value]]]
"""``(when, then)``: a configuration that matches ``when`` is replaced by the product of ``then``."""


Constraint: TypeAlias = Callable[[Params], bool]
"""Says whether a configuration is allowed."""


class Not:
    """In a when-part: the condition matches when the value is none of these.

    Args:
        values: A list of values, or a single one.
    """

    __slots__ = ('values',)

    def __init__(self, values: Any) -> None:
        single = isinstance(values, (str, bytes)) or not isinstance(values, Iterable)
        self.values: tuple[Value, ...] = (values,) if single else tuple(values)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Not) and self.values == other.values

    def __hash__(self) -> int:
        return hash((Not, self.values))

    def __repr__(self) -> str:
        return f'Not({list(self.values)!r})'


@dataclass(frozen=True)
class Configuration:
    """What a grid module (or its YAML form) says, checked and completed with defaults.

    Attributes:
        source: Absolute path of the module or YAML file.
        sha256: Hash of that file's bytes.
        grid: Option name to its values, in the order of the file.
        conditions: Pairs ``(when, then)``.
        constraints: Predicates on parameters.
        script: ``_SCRIPT_NAME``, or None where ``command`` is given.
        command: ``_COMMAND``, the words before the options, or None where ``script`` is given.
        summary_filename: Name of the summary file in the output folder; None: the exit status alone decides.
        summary_keywords: Keywords the summary is expected to have.
        out_arg: Option that takes the output folder; None: the script takes none.
        summary_parser: ``f(out_dir, cmd_ident) -> {keyword: [value]}``, or None for the built-in reader.
        performance_eval: ``f(summary, criteria) -> keep the folder?``, or None.
        performance_key: Keyword by which results are sorted; None when there are no keywords.
        performance_ascending: Whether smaller is better.
        resumable: Whether the script goes on where it stopped when it is started again on its output folder.
        oom_patterns: Texts in a run's stderr that mean it ran out of memory, beside the built-in ones.
        job_prologue: Shell lines that a queue job executes before the run (modules, environments).
    """

    source: str
    sha256: str
    grid: Grid
    conditions: Sequence[Condition] = ()
    constraints: Sequence[Constraint] = ()
    script: str | None = None
    command: Sequence[str] | None = None
    summary_filename: str | None = None
    summary_keywords: Sequence[str] = ()
    out_arg: str | None = 'out_dir'
    summary_parser: Callable[..., Mapping[str, Any]] | None = None
    performance_eval: Callable[[Mapping[str, Any], str], bool] | None = None
    performance_key: str | None = None
    performance_ascending: bool = False
    resumable: bool = False
    oom_patterns: Sequence[str] = ()
    job_prologue: str = ''
