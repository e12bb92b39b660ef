"""What an acquirer's host is told by its environment, `ACQUIRER_<WORD>`."""

from pathlib import Path

from pydantic import Field, NonNegativeInt
from pydantic_settings import BaseSettings, SettingsConfigDict


class AcquirerSettings(BaseSettings):
    """Where it listens, what it writes, how long it takes.

    name: for its logs. port: 0 takes a free one and says which in the log. journal: the file it appends to, and reads
    at its start. delay_ms: before every answer about money. late_ms, slow_ms: for the amounts that ask for it.
    """

    model_config = SettingsConfigDict(env_prefix="ACQUIRER_", frozen=True)

    name: str = "acquirer"
    host: str = "127.0.0.1"
    port: int = Field(ge=0, le=65535)
    journal: Path
    delay_ms: NonNegativeInt = 0
    slow_ms: NonNegativeInt = 500
    late_ms: NonNegativeInt = 10_000
    max_frame_bytes: int = Field(default=4096, ge=24, le=65535)
