"""A configuration: its grid, its conditions, and its form in ``search.json``."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, fields
from typing import Any, TypeAlias

from hpsearch.model.trials import distributions as drawn
from hpsearch.model.trials.distributions import Distribution, Drawn, Fidelity
from hpsearch.model.trials.distributions import Value as Value  # most modules know it from here

_LOSSES = frozenset(
    [
        *('loss', 'error', 'err', 'mse', 'rmse', 'mae', 'mape', 'nll', 'bce'),
        *('perplexity', 'ppl', 'wer', 'cer', 'fid', 'regret'),
    ]
)
"""Words in names of quantities of which less is better."""

_HANDLES = ('summary_parser', 'performance_eval', 'constraints')

_NOT_STORED = (*_HANDLES, 'suggested')

Params: TypeAlias = dict[str, Value]
"""The hyperparameters of one run: option name (without dashes) to value, in command-line order."""


Grid: TypeAlias = dict[str, Sequence[Value]]
"""Option name to the values it may take; :class:`hpsearch.model.trials.distributions.Drawn`: to examples of them."""


Condition: TypeAlias = tuple[Mapping[str, Any], Mapping[str, Sequence[Value]]]
"""``(when, then)``: a configuration that matches ``when`` is replaced by the product of ``then``."""


Style: TypeAlias = str | Mapping[str, str]
"""A style of arguments for all options, or a dict from options to styles."""


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
    """The content of a grid module (or its YAML form), checked and completed with defaults.

    Attributes:
        source: Absolute path of the module or YAML file.
        sha256: Hash of that file's bytes.
        grid: Option name to its values, in the order of the file; those of all parts, where it has several.
        conditions: Pairs ``(when, then)``.
        constraints: Predicates on parameters.
        script: ``_SCRIPT_NAME``, or None where ``command`` is given without it.
        command: ``_COMMAND``, the words before the options, with placeholders; None: the interpreter and ``script``.
        results: Rules for results in other places, as :func:`hpsearch.results.rules.rule_of` takes them.
        metrics: Rules for what a run reports while it goes, of the form of ``results``; None: nobody wants to know.
        summary_filename: Name of the summary file in the output folder; None: the exit status alone decides.
        summary_keywords: Keywords the summary is expected to have.
        styles: How options are written: ``arg_style``, ``bool_style``, ``name_style``, ``list_style`` or ``none_style``
            to a style for all options, or to a dict from options (``*``: all others) to styles.
        env: ``_ENV``: names of environment variables to their values, with placeholders.
        gpus: The number of GPUs that a run is given, for commands that name it; 1 also where there are none.
        config_template: Text of ``_CONFIG_TEMPLATE``, which is written for each run with its values; empty: there is
            none, and the values are options.
        config_format: Its format, ``yaml`` or ``json``.
        config_arg: Option that takes the file that is written.
        fixed_args: Words that every run gets before its options.
        out_arg: Option that takes the output folder; None: the script takes none.
        summary_parser: ``f(out_dir, cmd_ident) -> {keyword: [value]}``, or None for the built-in reader.
        performance_eval: ``f(summary, criteria) -> keep the folder?``, or None.
        performance_key: Keyword by which results are sorted; None when there are no keywords.
        performance_ascending: Whether smaller is better.
        has_sort_order: Whether the configuration says so, or it is the default.
        make_out_dir: Whether the output folder is made before the script starts, which otherwise makes it itself.
        checkpoint_arg: Option that takes what the checkpoint of an earlier run is copied to; None: there is none.
        checkpoint: What that is, as a path in the output folder of the earlier run; ``.``: the folder itself.
        resumable: Whether the script continues where it stopped when it is started again on its output folder.
        oom_patterns: Regular expressions for stderr of a run that ran out of memory, beside the built-in ones.
        job_prologue: Shell lines that a queue job executes before the run (modules, environments).
        rows: The parts of a grid that is a list, each of which is expanded by itself; empty: it is no list.
        notes: What the file says and has no effect, in sentences.
        of_samplers: Options of samplers and pruners to what the file says of them; the command line takes precedence.
        zipped: Groups of options that take their values together, the first of each, the second of each, ...
        suggested: Options of a search that the file of another program says, by name; only while a search is made.
    """

    source: str
    sha256: str
    grid: Grid
    conditions: Sequence[Condition] = ()
    constraints: Sequence[Constraint] = ()
    script: str | None = None
    command: Sequence[str] | None = None
    results: Sequence[Mapping[str, str]] = ()
    metrics: Sequence[Mapping[str, str]] | None = None
    summary_filename: str | None = None
    summary_keywords: Sequence[str] = ()
    styles: Mapping[str, Style] = field(default_factory=dict)
    env: Mapping[str, str] = field(default_factory=dict)
    gpus: int = 1
    config_template: str = ''
    config_format: str = 'yaml'
    config_arg: str = 'config'
    fixed_args: Sequence[str] = ()
    out_arg: str | None = 'out_dir'
    summary_parser: Callable[..., Mapping[str, Any]] | None = None
    performance_eval: Callable[[Mapping[str, Any], str], bool] | None = None
    performance_key: str | None = None
    performance_ascending: bool = False
    has_sort_order: bool = True
    make_out_dir: bool = False
    checkpoint_arg: str | None = None
    checkpoint: str = '.'
    resumable: bool = False
    oom_patterns: Sequence[str] = ()
    job_prologue: str = ''
    rows: Sequence[Grid] = ()
    zipped: Sequence[Sequence[str]] = ()
    notes: Sequence[str] = ()
    suggested: Mapping[str, Any] = field(default_factory=dict)
    of_samplers: Mapping[str, Any] = field(default_factory=dict)

    @property
    def options(self) -> frozenset[str]:
        """Every option that a run may have, that of the output folder aside."""
        return frozenset([*self.grid, *(name for _, then in self.conditions for name in then)])

    @property
    def distributions(self) -> Mapping[str, Distribution]:
        """Options whose values are drawn, in the grid or by a condition, each with its (first) distribution."""
        parts = [*(self.rows or [self.grid]), *(then for _, then in self.conditions)]
        found: dict[str, Distribution] = {}
        for part in parts:
            for option, values in part.items():
                if isinstance(values, Drawn):
                    found.setdefault(option, values.distribution)
        return {option: found[option] for option in [*self.grid, *found] if option in found}

    @property
    def fidelity(self) -> str:
        """The option whose value is the budget of a run; empty: there is none."""
        return next((option for option, each in self.distributions.items() if isinstance(each, Fidelity)), '')

    @property
    def varying(self) -> tuple[str, ...]:
        """Options that may differ between runs: those with several values, and those that conditions set."""
        several = [
            name
            for name, values in self.grid.items()
            if len(values) > 1 or isinstance(values, Drawn) or any(name not in row for row in self.rows)
        ]
        return tuple(dict.fromkeys([*several, *(name for _, then in self.conditions for name in then)]))

    @property
    def variables(self) -> Mapping[str, str]:
        """Those of ``env``; Python does not keep back what is printed where metrics are read from it."""
        reads_logs = any({'stdout', 'stderr'} & rule.keys() for rule in self.metrics or ())
        return {'PYTHONUNBUFFERED': '1', **self.env} if reads_logs else self.env

    @property
    def wants_result(self) -> bool:
        """Whether a run must leave a result to be finished; otherwise its exit status alone decides."""
        return self.summary_filename is not None or bool(self.results)


def best_text(configuration: Configuration) -> str:
    """Which runs count as the best, in words."""
    return f'{"smallest" if configuration.performance_ascending else "largest"} {configuration.performance_key}'


def sort_order_warning(configuration: Configuration) -> str:
    """What is to be said of a key whose smallest value is probably the best one, while the largest is taken."""
    words = set(re.split(r'[^a-z]+', (configuration.performance_key or '').lower()))
    is_doubtful = not configuration.has_sort_order and not configuration.performance_ascending and words & _LOSSES
    cure = 'set _PERFORMANCE_SORT_ASC = True if the smallest is, False to keep it so'
    return f'The best run is the one with the {best_text(configuration)}; {cure}.' if is_doubtful else ''


def plain_attributes(configuration: Configuration) -> dict[str, Any]:
    """A configuration as JSON can hold it; of its callables only the names (``handles``)."""
    attributes = {name: getattr(configuration, name) for name in _plain_fields()}
    conditions = [{'when': _plain_when(when), 'then': _plain_grid(then)} for when, then in configuration.conditions]
    handles = [name for name in _HANDLES if getattr(configuration, name)]
    rows = [_plain_grid(row) for row in configuration.rows]
    grid = _plain_grid(configuration.grid)
    return {**attributes, 'grid': grid, 'rows': rows, 'conditions': conditions, 'handles': handles}


def from_plain(
    attributes: Mapping[str, Any],
    *,
    summary_parser: Callable[..., Mapping[str, Any]] | None = None,
    performance_eval: Callable[[Mapping[str, Any], str], bool] | None = None,
    constraints: Sequence[Constraint] = (),
) -> Configuration:
    """The configuration again from :func:`plain_attributes`; unknown keys are ignored, only a module has callables.

    Raises:
        ValueError: An attribute is of another type.
        KeyError, TypeError, AttributeError: Something is missing.
    """
    for name, types in _PLAIN_TYPES.items():
        if name in attributes and not _has_type(attributes[name], types):
            raise ValueError(f'{name} is {attributes[name]!r:.80}')
    known = {name: attributes[name] for name in _plain_fields() if name in attributes}
    conditions = [
        (_when_from_plain(pair['when']), _grid_from_plain(pair['then'])) for pair in attributes.get('conditions', ())
    ]
    grid, rows = _grid_from_plain(attributes['grid']), [_grid_from_plain(row) for row in attributes.get('rows', ())]
    return Configuration(
        **{**known, 'grid': grid, 'rows': rows, 'conditions': conditions},
        summary_parser=summary_parser,
        performance_eval=performance_eval,
        constraints=constraints,
    )


_LIST, _NONE = (list, tuple), type(None)

_PLAIN_TYPES: Mapping[str, tuple[type, ...]] = {
    **dict.fromkeys(('source', 'sha256', 'job_prologue'), (str,)),
    **dict.fromkeys(('config_template', 'config_format', 'config_arg', 'checkpoint'), (str,)),
    **dict.fromkeys(('script', 'summary_filename', 'out_arg', 'performance_key', 'checkpoint_arg'), (str, _NONE)),
    **dict.fromkeys(('summary_keywords', 'oom_patterns', 'handles', 'fixed_args', 'results'), _LIST),
    **dict.fromkeys(('performance_ascending', 'has_sort_order', 'make_out_dir', 'resumable'), (bool,)),
    **dict.fromkeys(('command', 'metrics'), (*_LIST, _NONE)),
    'gpus': (int,),
    **dict.fromkeys(('conditions', 'rows', 'zipped', 'notes'), _LIST),
    **dict.fromkeys(('grid', 'styles', 'env', 'of_samplers'), (dict,)),
}


def _has_type(value: object, types: tuple[type, ...]) -> bool:
    """Whether a value has one of the types; a list holds texts, conditions or lists of texts."""
    if isinstance(value, _LIST):
        return list in types and all(isinstance(each, (str, dict)) or _is_texts(each) for each in value)
    return isinstance(value, types)


def _is_texts(value: object) -> bool:
    return isinstance(value, _LIST) and all(isinstance(each, str) for each in value)


def _plain_fields() -> list[str]:
    return [attribute.name for attribute in fields(Configuration) if attribute.name not in _NOT_STORED]


def _plain_when(when: Mapping[str, Any]) -> dict[str, Any]:
    return {
        option: {'not': list(wanted.values)} if isinstance(wanted, Not) else list(wanted)
        for option, wanted in when.items()
    }


def _when_from_plain(when: Mapping[str, Any]) -> dict[str, Any]:
    return {option: Not(wanted['not']) if isinstance(wanted, Mapping) else wanted for option, wanted in when.items()}


def _plain_grid(grid: Mapping[str, Sequence[Value]]) -> dict[str, Any]:
    return {
        option: drawn.as_plain(values.distribution) if isinstance(values, Drawn) else values
        for option, values in grid.items()
    }


def _grid_from_plain(grid: Mapping[str, Any]) -> Grid:
    return {
        option: Drawn(drawn.from_plain(values)) if isinstance(values, Mapping) else values
        for option, values in grid.items()
    }
