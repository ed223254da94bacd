"""The command line: the functions and the store of the pages, printed as text or JSON."""
