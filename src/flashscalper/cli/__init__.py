"""Verbs of the command line: thin composition roots."""
