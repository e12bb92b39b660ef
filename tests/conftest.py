"""Fixtures for every test."""

from tests.kit.stack import database_of, infra

__all__ = ["database_of", "infra"]
