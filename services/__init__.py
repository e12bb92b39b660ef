"""Florin's services, one package each."""
