"""The verbs for a script of which there is no search yet; they are not imported to start one."""
