"""One file per group of commands: its options, and what it prints."""
