"""Runs the whole gateway on one machine, every part real, with one command: `florin up`."""
