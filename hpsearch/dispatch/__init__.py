"""The loop that works on a search: admission, intake, claims, recovery, shutdown, heartbeat."""
