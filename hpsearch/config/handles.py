"""The configuration of an existing search: what ``search.json`` stores of it, and its handles, which its module has."""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from hpsearch.config.loading import load_configuration
from hpsearch.model.configuration import Configuration, from_plain, plain_attributes
from hpsearch.model.errors import ConfigError, DamageError, SearchFolderError
from hpsearch.store.folder import SearchFolder
from hpsearch.store.opening.trust import why_foreign

HANDLES = ('summary_parser', 'performance_eval')
"""The handles that read and judge results; constraints only matter while runs are chosen."""


@dataclass(frozen=True, slots=True)
class StoredConfiguration:
    """The configuration of a search.

    Attributes:
        configuration: As it was when the search was made, with the handles that its module has now.
        notes: What a user should know about its module, in sentences.
        lacks_handles: Whether handles could not be loaded.
    """

    configuration: Configuration
    notes: tuple[str, ...] = ()
    lacks_handles: bool = False


def description_of(configuration: Configuration, module: str, cwd: str) -> dict[str, object]:
    """What ``search.json`` stores of a configuration; ``module`` is ``--grid_module``, relative to ``cwd``."""
    return {
        'module': module,
        'source': configuration.source,
        'sha256': configuration.sha256,
        'cwd': cwd,
        'attributes': plain_attributes(configuration),
    }


_OF_RESULTS = (
    *('results', 'summary_filename', 'summary_keywords'),
    *('performance_key', 'performance_ascending', 'has_sort_order'),
)
"""The attributes that say how results are read and compared."""


def with_results_of(described: Mapping[str, Any], configuration: Configuration) -> dict[str, Any]:
    """What ``search.json`` stores of a configuration, with the way to read results of another one.

    Args:
        described: What it stores now.
        configuration: By which results are read from now on.
    """
    before, now = described['attributes'], plain_attributes(configuration)
    attributes = {**before, **{name: now[name] for name in _OF_RESULTS}, 'source': now['source']}
    others = [name for name in before.get('handles', ()) if name not in HANDLES]
    handles = [*others, *(name for name in now['handles'] if name in HANDLES)]
    return {
        **described,
        'source': now['source'],
        'attributes': {**attributes, 'handles': handles},
        'sha256_of_results': configuration.sha256,
    }


def stored_configuration(
    folder: SearchFolder, info: Mapping[str, Any], *, trust: bool = False, handles: Collection[str] | None = None
) -> StoredConfiguration:
    """The configuration of a search, with its handles.

    Its module is code: it is executed only for handles, and only if nobody but the current user can have written the
    search.

    Args:
        folder: The search.
        info: Its ``search.json``.
        trust: Execute it whoever wrote the search.
        handles: Which handles are needed; None: those the configuration had when the search was made.

    Raises:
        DamageError: The folder is damaged.
    """
    try:
        described = info['configuration']
        plain = from_plain(described['attributes'])
        had = described['attributes'].get('handles', ())
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise DamageError(f'{folder.search_json} is damaged: {error!r}.') from error
    needed = [name for name in HANDLES if name in (had if handles is None else handles)]
    foreign = '' if trust else _why_foreign(folder, info)
    if foreign:
        return _without(plain, needed, f'{foreign}, so its configuration is not executed')
    return _with_handles(plain, described, needed)


def with_constraints(configuration: Configuration, described: Mapping[str, Any]) -> Configuration:
    """A stored configuration with the constraints that its module has now, as far as it had some.

    Its module is code, which is executed: whether its owner is trusted is for the caller to check.

    Args:
        configuration: That of a search.
        described: What ``search.json`` stores of it.

    Raises:
        SearchFolderError: They cannot be loaded, and without them runs would be chosen that are not allowed.
    """
    if 'constraints' not in described['attributes'].get('handles', ()):
        return configuration
    try:
        return replace(configuration, constraints=_loaded(configuration, described).constraints)
    except ConfigError as error:
        raise SearchFolderError(
            f'{configuration.source} has the constraints of the search, without which no runs can be chosen, and '
            f'cannot be loaded ({error}). Bring it back; hpsearch status shows what there is.'
        ) from error


def _loaded(plain: Configuration, described: Mapping[str, Any]) -> Configuration:
    """The configuration that is in the module now.

    Raises:
        ConfigError: There is none.
    """
    return load_configuration(described.get('module') or plain.source, cwd=Path(str(described.get('cwd') or '.')))


def _why_foreign(folder: SearchFolder, info: Mapping[str, Any]) -> str:
    """Why another user may have written the configuration of a search, in words; empty: nobody else has."""
    foreign = why_foreign(folder)
    if foreign:
        return foreign
    is_as_read = SearchFolder(folder.path, only_ours=True).read_info() == info
    return '' if is_as_read else f'{folder.search_json} has changed while it was read'


def _without(plain: Configuration, needed: Collection[str], reason: str) -> StoredConfiguration:
    if not needed:
        return StoredConfiguration(plain)
    names = ', '.join(f'_{name.upper()}_HANDLE' for name in needed)
    note = f'{reason}: the built-in reader reads summaries, and handles ({names}) are not used.'
    return StoredConfiguration(plain, (note,), lacks_handles=True)


def _with_handles(plain: Configuration, described: Mapping[str, Any], needed: Collection[str]) -> StoredConfiguration:
    notes = _notes_of_change(plain, described)
    if not needed:
        return StoredConfiguration(plain, notes)
    try:
        loaded = _loaded(plain, described)
    except ConfigError as error:
        missing = _without(plain, needed, f'{plain.source} cannot be loaded ({error})')
        return replace(missing, notes=(*notes, *missing.notes))
    changes = {name: getattr(loaded, name) for name in needed}
    return StoredConfiguration(replace(plain, **changes), notes)


def _notes_of_change(plain: Configuration, described: Mapping[str, Any]) -> tuple[str, ...]:
    """A sentence on what does not change where the file of a configuration has changed."""
    try:
        now = hashlib.sha256(Path(plain.source).read_bytes()).hexdigest()
    except OSError:
        return ()  # it is gone: that matters only where its handles are needed
    if now == plain.sha256:
        return ()
    of_results = described.get('sha256_of_results', plain.sha256)
    what = 'the plan stays as it was' if now == of_results else 'the plan, and how results are read, stay as they were'
    return (f'{plain.source} has changed since the search was made: {what}.',)
