"""The command and the configuration of ``hpsearch hunt``, which are those of ``orion hunt``."""

from __future__ import annotations

import functools
import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from hpsearch.config.foreign.orion import COMMAND, is_orion, translate_orion
from hpsearch.config.foreign.translation import Translation
from hpsearch.config.source import Source, with_own
from hpsearch.config.yaml_file import YamlFile, read_yaml_file
from hpsearch.model.errors import ConfigError

_FLAT = frozenset(('name', 'user', 'version', 'max_trials', 'max_broken', 'algorithm', 'algorithms', 'working_dir'))
"""Keys of an experiment that a configuration may have without ``experiment`` above them."""


@dataclass(frozen=True)
class CommandLine:
    """A command that is a configuration itself.

    Attributes:
        words: The command.
        hunt: The name of the experiment, where it is read as Oríon reads it; empty: it is read in our own way.
        config: The path of Oríon's configuration; empty: there is none.
    """

    words: Sequence[str]
    hunt: str = ''
    config: str = ''


def source_of_hunt(command: CommandLine, path: Path) -> Source:
    """The configuration that Oríon's is.

    Args:
        command: The command, with the name of the experiment.
        path: Of the file that says the same, whether it is there or not.

    Raises:
        ConfigError: With every problem of the command and of the configuration.
    """
    content, file = experiment_of(command.config)
    orion = translate_orion(content, list(command.words), path.parent, command.hunt)
    own, problems = with_own(orion, content)
    problems = [*_placed(orion, file), *problems]
    if problems:
        raise ConfigError(problems)
    attributes = orion.attributes | own
    return Source(
        path, sha256_of(command.words, attributes), attributes, (), None, tuple(orion.notes), {**orion.suggested}
    )


@functools.cache
def experiment_of(config: str) -> tuple[Mapping[str, Any], YamlFile | None]:
    """A configuration of Oríon, and its file; empty where there is none. It is read once, since it may be a pipe.

    Args:
        config: Its path, absolute.

    Raises:
        ConfigError: It cannot be read, or is for another program.
    """
    if not config:
        return {}, None
    file = read_yaml_file(Path(config), '--config')
    content = file.content or {}
    if isinstance(content, Mapping) and 'experiment' not in content and _FLAT & content.keys():
        flat = {key: value for key, value in content.items() if key in _FLAT}
        content = {**{key: value for key, value in content.items() if key not in flat}, 'experiment': flat}
    own = {key: value for key, value in content.items() if key != 'x-hpsearch'} if isinstance(content, Mapping) else {}
    if not is_orion({'experiment': {}, **own}) or not isinstance(content, Mapping):
        raise ConfigError(
            [f'--config: {config} is no configuration of Oríon; that of the script stands behind the script.']
        )
    return content, file


def sha256_of(words: Sequence[str], attributes: Mapping[str, Any]) -> str:
    """What identifies a configuration that is in no file."""
    text = repr((list(words), attributes))
    return hashlib.sha256(text.encode('utf-8', 'surrogateescape')).hexdigest()


def _placed(orion: Translation, file: YamlFile | None) -> list[str]:
    """The problems, with the lines of those in a file."""
    places = [
        'The command' if file is None or keys == COMMAND else f'{file.place(*keys)}: {".".join(map(str, keys))}'
        for keys, _ in orion.problems
    ]
    return [f'{place}: {text}' for place, (_, text) in zip(places, orion.problems, strict=True)]
