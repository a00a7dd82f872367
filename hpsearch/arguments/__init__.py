"""From options and values to the words of a command, in the style that a script expects, as its help shows it."""
