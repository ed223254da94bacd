"""Worker processes: the pool that starts them, their heartbeats, and who is alive."""
