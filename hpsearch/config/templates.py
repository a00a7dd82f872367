"""The configurations and profiles to start from, which ``hpsearch templates`` prints."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from hpsearch.model.errors import HpsearchError

PROFILES = 'site_'
"""Prefix of the templates that are profiles, not configurations."""


def template_lines(name: str) -> Iterable[str]:
    """The text of a template; without a name, the list of all.

    Raises:
        HpsearchError: There is no such template.
    """
    folder = templates_folder()
    names = sorted(path.name for path in folder.iterdir() if path.suffix in ('.py', '.yaml') and path.name[0] != '_')
    if not name:
        return [f'{each} (a profile, for --profile)' if each.startswith(PROFILES) else each for each in names]
    if name not in names:
        raise HpsearchError(f'There is no template {name!r}; available: {", ".join(names)}.')
    return (folder / name).read_text(encoding='utf-8').splitlines()


def templates_folder() -> Path:
    """The folder of the templates: in the installed package, or in a checkout.

    Raises:
        HpsearchError: They are in neither.
    """
    package = Path(__file__).resolve().parents[1]
    for path in (package / 'templates', package.parent / 'configs' / 'templates'):
        if path.is_dir():
            return path
    raise HpsearchError('The templates are missing from this installation: reinstall hpsearch.')
