"""Where things are in a checkout."""

from __future__ import annotations

from pathlib import Path

REPOSITORY = Path(__file__).resolve().parents[2]

DATA = REPOSITORY / 'tests' / 'data'
"""What real programs printed, and searches that earlier versions left."""
