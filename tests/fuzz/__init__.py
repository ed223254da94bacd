"""Fuzzers: every input of the web and of the command line, given what nobody should give it."""
