"""Pruners: from the learning curves of runs to which of them is stopped, or goes on; nothing here touches files."""
