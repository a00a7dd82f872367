"""The shell lines that every job begins with."""

from __future__ import annotations

from hpsearch.cli.options import ClusterOptions
from hpsearch.model.configuration import Configuration


def prologue_of(options: ClusterOptions, configuration: Configuration) -> str:
    """The shell lines before a run: those of the site, then those of the configuration, whose shell is used."""
    site, own = options.job_prologue.rstrip(), configuration.job_prologue
    if not (site and own.startswith('#!')):
        return '\n'.join(filter(None, (site, own)))
    shell, _, rest = own.partition('\n')
    without_shell = site.partition('\n')[2] if site.startswith('#!') else site
    return '\n'.join((shell, without_shell, rest))
