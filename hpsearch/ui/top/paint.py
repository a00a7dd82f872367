"""A view of a search as lines that fill a terminal."""

from __future__ import annotations

import textwrap
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from hpsearch.model.snapshot import GpuLine
from hpsearch.model.units import memory
from hpsearch.model.usage.holders import HolderKind
from hpsearch.ui.format import gpu_line, params_text, queue_texts, stuck_texts, time_text
from hpsearch.ui.head import LETTER_MARKS, LINE_MARKS, Line, head, spread
from hpsearch.ui.table import shortened
from hpsearch.ui.top.cells import clipped, fitted, harmless, length, made_harmless, width_of
from hpsearch.ui.top.help import KEYS, hints
from hpsearch.ui.top.panes import BEST, LOG, PANES, PLACES, RUNNING, RUNS, TABLES, Setting, columns_of, rows_of
from hpsearch.ui.top.shown import SearchShown
from hpsearch.ui.top.tables import Sort, table_lines
from hpsearch.ui.top.view import DETAILS, HELP, View, settled

SMALLEST = (30, 8)
"""Columns and rows that are needed."""

ROOMY = 16
"""Rows from which there is room for more than the most important lines of the head."""

RECENT = 30.0
"""Seconds for which a reading of a GPU, as a writer told of it, is as good as new."""

LABEL = 12
"""Cells of the labels of details."""


@dataclass(frozen=True, slots=True)
class Look:
    """What a terminal can show.

    Attributes:
        width: Its columns.
        height: Its rows.
        unicode: Whether it has characters beyond ASCII.
        colour: Whether it has colours.
    """

    width: int = 80
    height: int = 24
    unicode: bool = True
    colour: bool = True

    @property
    def is_too_small(self) -> bool:
        """Whether nothing sensible fits."""
        return self.width < SMALLEST[0] or self.height < SMALLEST[1]


def paint(view: View, shown: SearchShown, look: Look) -> tuple[View, list[Line]]:
    """The view with its mark in place, and the lines that fill the terminal."""
    if look.is_too_small:
        return view, too_small(look)
    above, below = _above(view, shown, look), _below(view, look)
    rows = look.height - len(above) - len(below)
    text = _text(view, shown, look)
    view = settled(view, shown, rows - 1, len(text) - 1)  # the first line is a heading
    body = _table(view, shown, look, rows) if view.pane in TABLES else _in_sight(view, text, rows)
    lines = [*above, *body]
    lines += [[] for _ in range(look.height - len(below) - len(lines))]
    return view, [fitted(line, look.width) for line in [*lines, *below]]


def body_rows(view: View, shown: SearchShown, look: Look) -> int:
    """The rows that a page of the pane has."""
    return max(1, look.height - len(_above(view, shown, look)) - len(_below(view, look)) - 1)


def too_small(look: Look) -> list[Line]:
    """What is shown where nothing fits."""
    columns, rows = SMALLEST
    text = f'{columns} x {rows} at least'
    return [[(clipped(text, look.width), '')], *([] for _ in range(look.height - 1))][: max(1, look.height)]


# Above


def _above(view: View, shown: SearchShown, look: Look) -> list[Line]:
    marks = LINE_MARKS if look.unicode and look.colour else LETTER_MARKS
    snapshot = replace(shown.snapshot, waiting='')
    lines = [_title(shown, look.width), *([made_harmless(line) for line in head(snapshot, look.width, marks)][1:])]
    if look.height >= ROOMY:
        lines += _best(shown)
        lines += [[(label, 'yellow'), (harmless(text), '')] for label, text in _worth_knowing(shown)[:2]]
        lines += _machine(view, shown, look, look.height // 4)
        lines.append([])
    return [*lines, _tabs(view, shown, look)]


def _title(shown: SearchShown, width: int) -> Line:
    path = harmless(shown.snapshot.folder)
    name = path.rstrip('/').rpartition('/')[2] or path
    whole = time_text(shown.snapshot)
    ends = f'until {shown.ends}' if shown.ends else ''
    texts = [', '.join(filter(None, (whole, ends))), whole.partition(', ')[2] or whole, ends]
    times = next((text for text in texts if width_of(name) + 2 + len(text) <= width), '')
    return spread([(name, 'bold')], [(times, '')], width) if times else [(name, 'bold')]


def _best(shown: SearchShown) -> list[Line]:
    best = shown.runs.best
    if best is None:
        return []
    params = harmless(params_text(dict(best.params), shown.runs.varying))
    result = harmless(f'{shown.runs.key} {shortened(best.text)}')
    alone = f', by {harmless(shown.runs.key)} alone' if shown.runs.front else ''
    return [[('best     ', 'bold'), (result, 'bold green'), (f'  run {best.number}{alone}  {params}', '')]]


def _worth_knowing(shown: SearchShown) -> list[tuple[str, str]]:
    told = [('problem  ', shown.problem), ('waiting  ', shown.snapshot.waiting)]
    return [(label, text) for label, text in [*told, *(('note     ', note) for note in shown.notes)] if text]


def _machine(view: View, shown: SearchShown, look: Look, most: int) -> list[Line]:
    """GPUs and what is in a queue, each in one line, beside the running runs; all of it is in a pane of its own."""
    if view.pane != RUNNING:
        return []
    queue = queue_texts(shown.snapshot.queue)
    lines: list[Line] = [[('queue    ', 'bold'), (' · '.join(queue), '')]] if queue else []
    lines += [[(_gpu_and_users(gpu, look.width), '')] for gpu in shown.snapshot.gpus]
    hidden = len(lines) - most
    return lines if hidden <= 0 else [*lines[: most - 1], [(f'+{hidden + 1} more, in pane 4', 'dim')]]


def _gpu_and_users(gpu: GpuLine, width: int) -> str:
    """A GPU in one line: its use, who else is on it, why it gets no run, and its model where there is room for it.

    That it gets no more runs needs no reason there if it has some, nor a recent reading its age.
    """
    is_recent = gpu.age is not None and gpu.age < RECENT
    users = sorted({each.user or '?' for each in gpu.holders if each.kind is not HolderKind.RUN})
    used = replace(gpu, age=None if is_recent else gpu.age, closed='', model='', others_memory=None)
    others = '' if gpu.others_memory is None else memory(gpu.others_memory)
    who = f'others: {" ".join(filter(None, (", ".join(users), others)))}' if users or others else ''
    closed = f'closed: {gpu.closed}' if gpu.closed and not gpu.own_runs else ''
    parts = [gpu_line(used), *(harmless(text) for text in (who, closed) if text)]
    with_model = '  '.join([*parts, harmless(gpu.model)])
    return with_model if width_of(with_model) <= width else '  '.join(parts)


def _tabs(view: View, shown: SearchShown, look: Look) -> Line:
    """The panes, the one in sight in brackets."""
    places = 'queue' if shown.snapshot.queue and not shown.snapshot.gpus else 'GPUs'
    titles = {
        RUNNING: 'running',
        BEST: 'Pareto front' if shown.runs.front else 'best',
        RUNS: 'all runs',
        PLACES: places,
        LOG: 'log',
    }
    line = _tab_line(view.pane, titles, ' ')
    if length(line) > look.width:
        line = _tab_line(view.pane, {**titles, BEST: 'best', RUNS: 'runs'}, '')
    if view.pane in (DETAILS, HELP):
        line = [(f'[{view.pane}]', 'bold'), ('  esc closes it', 'dim')]
    if view.where:
        line += [('  where ', 'dim'), (harmless(view.where), 'yellow')]
    return line


def _tab_line(here: str, titles: Mapping[str, str], around: str) -> Line:
    line: Line = []
    for number, pane in enumerate(PANES, 1):
        text, is_here = f'{number} {titles[pane]}', pane == here
        line += [(f'[{text}]' if is_here else around + text + around, 'bold' if is_here else ''), (' ', '')]
    return line


# The pane


def _table(view: View, shown: SearchShown, look: Look, rows: int) -> list[Line]:
    found = rows_of(view.pane, shown, view.sort)
    if not found:
        return [[], [(f'  {_why_empty(view, shown)}', 'dim')]]
    columns = columns_of(view.pane, shown.runs, Setting(look.width, look.unicode, shown.now, shown.uses))
    seen = found[view.top : view.top + rows - 1]
    return table_lines(seen, columns, view.sort, view.at - view.top, look.width, view.shift)


def _why_empty(view: View, shown: SearchShown) -> str:
    if view.where:
        return 'no such run'
    match view.pane:
        case 'running':
            return 'no run is under way'
        case 'best':
            return 'no run can be compared yet' if shown.runs.key else 'nothing is compared in this search'
        case _:
            return 'there are no runs yet'


def _text(view: View, shown: SearchShown, look: Look) -> list[Line]:
    """The lines of a pane that is no table, the first of them a heading."""
    match view.pane:
        case 'log':
            return [[(harmless(shown.log.title), 'dim')], *([(line, '')] for line in shown.log.lines)]
        case 'places':
            return _places(shown, look)
        case 'details':
            return [[], *_labelled(shown.details, look.width)]
        case 'help':
            return [[], *_labelled(KEYS, look.width, 15)]
        case _:
            return []


def _in_sight(view: View, text: Sequence[Line], rows: int) -> list[Line]:
    """The part of a text that is in sight; a log is counted from its end."""
    first, lines = text[0], text[1:]
    begin = max(0, len(lines) - (rows - 1) - view.top) if view.pane == LOG else view.top
    seen = lines[begin : begin + rows - 1]
    if view.pane == LOG:
        seen = [[(harmless(line[0][0])[view.shift :], line[0][1])] for line in seen]
    return [first, *seen]


def _places(shown: SearchShown, look: Look) -> list[Line]:
    """Who works on it; each GPU with all that use it, and what is in a queue."""
    lines: list[Line] = [[(harmless(shown.hosts), 'dim')]]
    for gpu in shown.snapshot.gpus:
        lines += [[], *_gpu(gpu, look.width)]
    queue = queue_texts(shown.snapshot.queue)
    lines += [[], [('queue', 'bold')], *([(f'  {text}', '')] for text in queue)] if queue else []
    lines += [[(f'  {text}', 'yellow')] for text in stuck_texts(shown.snapshot.queue)]
    return lines if len(lines) > 1 else [*lines, [], [('  nobody tells of GPUs or of a queue now', 'dim')]]


def _gpu(gpu: GpuLine, width: int) -> list[Line]:
    whole = gpu_line(replace(gpu, closed=''), width)
    closed = [('closed', gpu.closed)] if gpu.closed else []
    holders = [('' if index else 'used by', each.text) for index, each in enumerate(gpu.holders)]
    return [[(harmless(whole), 'bold')], *_labelled([*closed, *holders], width)]


def _labelled(facts: Sequence[tuple[str, str]], width: int, label_width: int = LABEL) -> list[Line]:
    """Each fact with its label, in as many lines as it needs."""
    lines: list[Line] = []
    for label, text in facts:
        room = max(10, width - label_width - 1)
        for index, part in enumerate(textwrap.wrap(harmless(text), room, break_on_hyphens=False) or ['']):
            lines.append([(f'  {"" if index else label}'.ljust(label_width), 'dim'), (part, '')])
    return lines


# Below


def _below(view: View, look: Look) -> list[Line]:
    """A question, what became of the last action, or the most important keys."""
    if view.prompt is not None:
        typed = harmless(view.prompt.action.what) + '_' if view.prompt.is_typed else ''
        room = max(1, look.width - len(view.prompt.text) - 1)
        return [[(view.prompt.text, 'bold'), (typed[-room:], '')]]
    if view.message:
        wrapped = textwrap.wrap(harmless(view.message), look.width)
        return [[(text, 'yellow')] for text in wrapped[: max(1, look.height // 6)]]
    ordered: Line = [(f'by {_order(view.sort)}  ', 'dim')] if view.sort != Sort() else []
    return [[*ordered, (hints(look.width - length(ordered)), 'dim')]]


def _order(sort: Sort) -> str:
    return f'{harmless(sort.title) or "usual order"}{", reversed" if sort.is_reversed else ""}'
