"""The files of a run store: which belong to it, which are left over, and their move."""
