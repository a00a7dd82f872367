"""Settings of all tests."""

from __future__ import annotations

from hypothesis import settings

# No deadlines: the machines that run these tests are shared, and a slow moment is no failure.
settings.register_profile('project', deadline=None, print_blob=True)
settings.load_profile('project')
