"""YAML, with the scalars of version 1.2."""

from __future__ import annotations

import functools
import re
from pathlib import Path
from typing import Any

from hpsearch.model.errors import ConfigError, one_line


def read_yaml_file(path: Path, option: str) -> Any:
    """The content of a YAML file that an ``option`` names.

    Raises:
        ConfigError: It is not there or no YAML.
    """
    try:
        return parse_yaml(path.read_text(encoding='utf-8'))
    except FileNotFoundError:
        raise ConfigError([f'{option}: there is no file {path}.']) from None
    except (OSError, ValueError) as error:
        raise ConfigError([f'{option}: {path} cannot be read: {one_line(error)}']) from error


def parse_yaml(text: str) -> Any:
    """A YAML document, read by version 1.2's rules for scalars: ``1e-3`` is a number, ``on`` and ``no`` are strings.

    Raises:
        ValueError: It is no YAML, or a mapping has a key twice.
    """
    import yaml

    try:
        return yaml.load(text, Loader=_loader())
    except yaml.YAMLError as error:
        raise ValueError(' '.join(str(error).split())) from error


@functools.cache
def _loader() -> Any:
    import yaml

    class Loader(yaml.SafeLoader):
        yaml_implicit_resolvers: dict[str, Any] = {}  # noqa: RUF012  the base class declares it so

        def construct_mapping(self, node: Any, deep: bool = False) -> dict[Any, Any]:
            keys = [key.value for key, _ in node.value if key.tag != 'tag:yaml.org,2002:merge']
            for key in keys:
                if keys.count(key) > 1:
                    raise yaml.constructor.ConstructorError(None, None, f'{key} is given twice', node.start_mark)
            return super().construct_mapping(node, deep)

    for tag, pattern, first in _SCALARS:
        Loader.add_implicit_resolver(f'tag:yaml.org,2002:{tag}', re.compile(f'^(?:{pattern})$'), first)
    return Loader


_SCALARS = (
    ('bool', 'true|True|TRUE|false|False|FALSE', list('tTfF')),
    ('int', '[-+]?(?:0|[1-9][0-9]*)', list('-+0123456789')),
    (
        'float',
        r'[-+]?(?:(?:[0-9]+\.[0-9]*|\.[0-9]+)(?:[eE][-+]?[0-9]+)?|[0-9]+[eE][-+]?[0-9]+|\.(?:inf|Inf|INF))'
        r'|\.(?:nan|NaN|NAN)',
        list('-+0123456789.'),
    ),
    ('null', '~|null|Null|NULL|', ['~', 'n', 'N', '']),
    ('merge', '<<', ['<']),
)
