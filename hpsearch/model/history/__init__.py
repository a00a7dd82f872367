"""What has happened in a search: its attempts, the histories of its runs, and the one fold of all events."""
