"""Reading a configuration: Python modules, YAML, pickles of plain values, profiles of a machine, and the templates."""
