"""The time of every test."""

from datetime import UTC, datetime

NOON = datetime(2026, 11, 24, 12, 0, tzinfo=UTC)
