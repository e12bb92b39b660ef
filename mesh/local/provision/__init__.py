"""Puts into working parts what services expect there. Everything may run again: what is there already is kept."""
