"""The commands that a page of the documentation shows, with the files they need, and what they print."""

from __future__ import annotations

import re
import subprocess
import textwrap
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

_BLOCK = re.compile(r'^( *)\.\. code-block:: (\w+)\n((?:\1   :\w+:.*\n)*)\n((?:(?:\1   .*)?\n)+)', re.MULTILINE)
_INCLUDED = re.compile(r'^\.\. literalinclude:: (\S+)\n   :caption: (\S+)\n', re.MULTILINE)
_CAPTION = re.compile(r':caption: (\S+)')

CUT = '[...]'
"""A line that stands for some that are left out."""


@dataclass(frozen=True)
class Shown:
    """A command of a page.

    Attributes:
        command: As it is typed, perhaps on several lines.
        output: Lines that are shown of what it prints.
    """

    command: str
    output: tuple[str, ...]


def files_of(page: Path) -> dict[str, str]:
    """The files that a page shows with their names."""
    text = page.read_text(encoding='utf-8')
    blocks = ((_CAPTION.search(options), content) for _, _, options, content in _BLOCK.findall(text))
    shown = {caption[1]: textwrap.dedent(content).strip('\n') + '\n' for caption, content in blocks if caption}
    return shown | {name: (page.parent / path).read_text(encoding='utf-8') for path, name in _INCLUDED.findall(text)}


def commands_of(page: Path) -> list[Shown]:
    """The commands of a page, in order: what follows a ``$`` in its blocks of a console."""
    text = page.read_text(encoding='utf-8')
    consoles = [textwrap.dedent(content) for _, kind, _, content in _BLOCK.findall(text) if kind == 'console']
    entries = [entry for console in consoles for entry in re.split(r'^\$ ', console, flags=re.MULTILINE)[1:]]
    return [_shown(entry) for entry in entries]


def _shown(entry: str) -> Shown:
    found = re.match(r'((?:.*\\\n)*.*)\n?', entry)
    command = found[1] if found else entry
    lines = entry[len(command) :].splitlines()
    return Shown(command, tuple(line for line in lines if line.strip() and line.strip() != CUT))


def execute(shown: list[Shown], folder: Path, env: Mapping[str, str], patience: float) -> list[tuple[int, str]]:
    """Execute commands in one shell; returns the exit status of each, with what it printed."""
    outputs = folder / '.outputs'
    outputs.mkdir()
    lines = ['set -m']
    for number, each in enumerate(shown):
        lines += ['{', each.command, f'}} > .outputs/{number} 2>&1 < /dev/null', f'echo $? > .outputs/{number}.status']
    script = '\n'.join(line.replace('.outputs', str(outputs)) for line in lines)
    subprocess.run(['bash', '--norc', '-c', script], cwd=folder, env=dict(env), timeout=patience, check=False)
    ends = range(len(shown))
    return [(int((outputs / f'{end}.status').read_text()), (outputs / str(end)).read_text()) for end in ends]


def masked(line: str) -> str:
    """A line without what differs from one time to the next: numbers, paths, widths of columns."""
    line = re.sub(r'(?<![\w/])/[\w./<>-]+', '/path', line)
    line = re.sub(r'\d[\d._:+-]*(?:e[+-]?\d+)?', '#', line)
    return re.sub(r'-{2,}', '--', ' '.join(line.split()))
