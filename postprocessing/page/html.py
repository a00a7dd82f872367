"""The page as one text: data, styles and scripts in one file of HTML, which opens without a network."""

from __future__ import annotations

import base64
import gzip
import hashlib
import html
import json
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from hpsearch import __version__
from hpsearch.records.naming import distinct_names
from hpsearch.records.search import SearchRecord

from .payload import payload_of

ASSETS = Path(__file__).parent / 'assets'

SCRIPTS = (
    *('core.js', 'format.js', 'summary.js', 'details.js', 'table.js', 'timeline.js', 'failures.js', 'provenance.js'),
    *('charts.js', 'overtime.js', 'effects.js', 'parallel.js', 'tradeoffs.js'),
    *('compared.js', 'live.js', 'start.js'),
)
"""In this order; the last one draws the page."""

STYLES = ('page.css', 'charts.css')

WITHOUT_CHARTS = "The charts are left out, since plotly is not installed: pip install 'hpsearch[report]'"

PACKED = 'application/gzip+base64'
"""The type of elements whose text was :func:`packed`: no browser executes it."""


def build_page(searches: Sequence[SearchRecord], figures: Mapping[str, Any], *, is_live: bool = False) -> str:
    """The page of one search, or of several to be compared.

    Args:
        searches: What is shown.
        figures: Name to the data of each chart, plain values that JSON has, with nan and infinities as texts; empty:
            there are no charts, and their library is not in the page.
        is_live: Whether the page may ask the server it comes from for newer data.

    Returns:
        The HTML, which UTF-8 can have.
    """
    library = chart_library() if figures else None
    scripts = [(ASSETS / name).read_text('utf-8') for name in SCRIPTS]
    names = ', '.join(distinct_names([search.path for search in searches]))
    return _filled(
        (ASSETS / 'page.html').read_text('utf-8'),
        {
            'policy': _policy([*scripts, *filter(None, [library])], is_live),
            'title': html.escape(_printable(names)),
            'styles': '\n'.join((ASSETS / name).read_text('utf-8') for name in STYLES),
            'payload': packed(as_json(page_data(searches, figures if library else {}, is_live=is_live))),
            # The scripts execute it once a chart comes into view.
            'library': f'<script type="{PACKED}" id="plotly">{packed(library)}</script>' if library else '',
            'scripts': '\n'.join(f'<script>{script}</script>' for script in scripts),
        },
    )


def page_data(searches: Sequence[SearchRecord], figures: Mapping[str, Any], *, is_live: bool = False) -> dict[str, Any]:
    """What the scripts of a page read, and what one that is kept fresh gets again (``hps.update`` in ``core.js``)."""
    names = distinct_names([search.path for search in searches])
    return {
        'hpsearch': __version__,
        'live': is_live,
        'searches': [{**payload_of(search), 'name': name} for search, name in zip(searches, names, strict=True)],
        'figures': dict(figures),
        'notes': [] if figures or chart_library() else [WITHOUT_CHARTS],
    }


def chart_library() -> str | None:
    """The source of plotly.js, which the Python package carries; None: it is not installed."""
    try:
        from plotly.offline import get_plotlyjs
    except ImportError:
        return None
    return str(get_plotlyjs())


def as_json(data: Any) -> str:
    """JSON in ASCII, as small as it can be."""
    return json.dumps(data, separators=(',', ':'), allow_nan=False)


def packed(text: str) -> str:
    """A text compressed and in base64, which ``core.js`` unpacks; none of its characters is markup."""
    return base64.b64encode(gzip.compress(text.encode(), mtime=0)).decode()


def _policy(scripts: Sequence[str], is_live: bool) -> str:
    """What the browser lets the page do: our scripts, which it knows by their hashes, and nothing from elsewhere.

    Styles cannot execute anything, nor fetch what is not in the page.
    """
    digests = [base64.b64encode(hashlib.sha256(script.encode()).digest()).decode() for script in scripts]
    allowed = ' '.join(f"'sha256-{digest}'" for digest in digests)
    rules = [
        "default-src 'none'",
        f'script-src {allowed}',
        "style-src 'unsafe-inline'",
        'img-src data: blob:',
        "base-uri 'none'",
        "form-action 'none'",
        *(["connect-src 'self'"] if is_live else []),
    ]
    return html.escape('; '.join(rules))


def _filled(template: str, parts: Mapping[str, str]) -> str:
    """The template with its parts, each of which is left as it is."""
    return re.sub(r'\{\{(\w+)\}\}', lambda found: parts[found[1]], template)


def _printable(text: str) -> str:
    return ''.join(character if character.isprintable() else '\N{REPLACEMENT CHARACTER}' for character in text)
