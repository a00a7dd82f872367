"""Frames of a terminal as an SVG picture: still, or animated where there are several."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from html import escape

from rich.color import Color
from rich.console import Console
from rich.segment import Segment
from rich.style import Style
from rich.terminal_theme import MONOKAI
from rich.text import Text

CHAR, LINE, SIZE = 8.4, 18.0, 14
"""Width of a character, height of a line, and size of the letters, in pixels."""

MARGIN, BAR = 14.0, 34.0
"""Around the text, and the bar above it."""

FOREGROUND, BACKGROUND = '#d9dce3', '#191c23'

FADE = 0.4
"""Share of its brightness that dim text has."""


@dataclass(frozen=True)
class Frame:
    """What a terminal shows.

    Attributes:
        lines: Its lines, with escape sequences.
        seconds: For how long it is shown.
    """

    lines: tuple[str, ...]
    seconds: float


def picture(frames: Sequence[Frame], columns: int, title: str) -> str:
    """An SVG that shows frames one after the other, for ever; of one frame a still picture.

    A line that is the same in several frames is drawn once.
    """
    drawn: dict[str, str] = {}
    shown = [[_reference(line, drawn) for line in frame.lines] for frame in frames]
    rows = max(len(frame.lines) for frame in frames)
    width, height = columns * CHAR + 2 * MARGIN, rows * LINE + BAR + MARGIN
    groups = [_group(number, names) for number, names in enumerate(shown)]
    return '\n'.join(
        [
            f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width:.0f} {height:.0f}" role="img" '
            f'aria-label="{escape(title)}">',
            f'<style>{_styles(frames)}</style>',
            '<defs>',
            *(f'<g id="{name}">{_draw(line)}</g>' for line, name in drawn.items()),
            '</defs>',
            f'<rect width="{width:.0f}" height="{height:.0f}" rx="9" fill="{BACKGROUND}"/>',
            *(f'<circle cx="{20 + 18 * dot}" cy="17" r="5.5" fill="#4a505e"/>' for dot in range(3)),
            f'<text class="t" x="{width / 2:.0f}" y="21">{escape(title)}</text>',
            f'<g transform="translate({MARGIN:.0f} {BAR:.0f})" fill="{FOREGROUND}">',
            *groups,
            '</g>',
            '</svg>',
            '',
        ]
    )


def _reference(line: str, drawn: dict[str, str]) -> str:
    return drawn.setdefault(line, f'l{len(drawn)}') if line.strip() else ''


def _group(number: int, names: Sequence[str]) -> str:
    uses = (f'<use href="#{name}" y="{row * LINE:.0f}"/>' for row, name in enumerate(names) if name)
    return f'<g class="f f{number}">{"".join(uses)}</g>'


def _styles(frames: Sequence[Frame]) -> str:
    font = f'font: {SIZE}px "DejaVu Sans Mono", Menlo, Consolas, monospace'
    plain = f'text {{ {font}; white-space: pre }} .t {{ fill: #8a90a0; text-anchor: middle }}'
    total = sum(frame.seconds for frame in frames)
    if len(frames) == 1:
        return plain
    moving, begin = [], 0.0
    for number, frame in enumerate(frames):
        end = begin + frame.seconds
        first, last = 100 * begin / total, 100 * end / total
        before = '0% { opacity: 0 } ' if number else ''
        after = f'{last:.3f}% {{ opacity: 0 }}' if number < len(frames) - 1 else ''
        steps = f'{before}{first:.3f}% {{ opacity: 1 }} {after}'
        moving.append(f'@keyframes k{number} {{ {steps} }} .f{number} {{ animation-name: k{number} }}')
        begin = end
    last_frame = f'.f {{ opacity: 0 }} .f{len(frames) - 1} {{ opacity: 1 }}'
    timing = f'.f {{ animation: {total:.2f}s steps(1, end) infinite }}'
    return f'{plain} {last_frame} @media (prefers-reduced-motion: no-preference) {{ {timing} {" ".join(moving)} }}'


def _draw(line: str) -> str:
    console = Console(width=1000, color_system='truecolor', force_terminal=True)
    parts, column = [], 0
    for segment in Segment.simplify(console.render(Text.from_ansi(line, no_wrap=True))):
        text = segment.text.replace('\n', '')
        if text:
            parts.append(_part(text, segment.style or Style(), column))
            column += Segment(text).cell_length
    return ''.join(parts)


def _part(text: str, style: Style, column: int) -> str:
    fore, back = _hex(style.color, FOREGROUND), _hex(style.bgcolor, BACKGROUND)
    if style.reverse:
        fore, back = back, fore
    left, width = column * CHAR, Segment(text).cell_length * CHAR
    box = '' if back == BACKGROUND else f'<rect x="{left:.1f}" width="{width:.1f}" height="{LINE:.0f}" fill="{back}"/>'
    if not text.strip():
        return box
    indent = len(text) - len(text.lstrip())
    words = text.strip()
    length = Segment(words).cell_length * CHAR
    look = ''.join([
        f' fill="{fore}"' if fore != FOREGROUND else '',
        ' font-weight="bold"' if style.bold else '',
        f' opacity="{1 - FADE}"' if style.dim else '',
    ])  # fmt: skip
    place = f'x="{left + indent * CHAR:.1f}" y="13.5" textLength="{length:.1f}"'
    return f'{box}<text {place}{look}>{escape(words, quote=False)}</text>'


def _hex(color: Color | None, default: str) -> str:
    if color is None or color.is_default:
        return default
    return color.get_truecolor(MONOKAI).hex
