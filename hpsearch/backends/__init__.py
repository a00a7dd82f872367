"""Where attempts execute; the dispatcher knows only :mod:`hpsearch.backends.base`."""
