"""The command line: the same store and the same functions as the pages, in plain text or JSON."""
