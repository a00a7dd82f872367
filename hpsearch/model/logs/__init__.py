"""What the end of a log says about why its program ended, for example that memory ran out; pure."""
