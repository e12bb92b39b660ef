"""Settings come from the environment and are checked before anything starts."""

import sys
from pathlib import Path
from typing import TypeVar

from pydantic import ValidationError
from pydantic_settings import BaseSettings, SettingsConfigDict


class Settings(BaseSettings):
    """What every service needs to know, from `FLORIN_*` variables. A service adds its own fields in a subclass.

    Every addition has a default that keeps the old behaviour, unless the service cannot work without it.
    """

    model_config = SettingsConfigDict(env_prefix="FLORIN_", frozen=True, extra="ignore")

    listen: str
    """Where the gRPC server listens: `unix:/path` or `host:port`. Only the sidecar reaches it."""
    mesh: str = ""
    """The sidecar's outbound listener, through which every other service is called."""
    kafka: str = ""
    """Kafka's bootstrap servers, `host:port,host:port`."""
    database: str = ""
    """The DSN of the service's own PostgreSQL database, under its own role."""
    redis: str = ""
    """Redis, as a URL."""
    secrets: Path = Path()
    """The folder with the service's secrets, one file each."""
    traces: Path | None = None
    """A file that spans are appended to as JSON lines; none are kept without it."""
    log_level: str = "INFO"
    """The least level that is logged."""
    reflection: bool = True
    """Whether gRPC reflection is served."""
    drain_s: float = 10.0
    """How long work under way may take to end after SIGTERM."""
    batch: int = 200
    """The most facts that are handled in one transaction."""
    in_flight: int = 256
    """The most facts whose outside calls may be under way at once."""


S = TypeVar("S", bound=Settings)


def load(kind: type[S]) -> S:
    """Read the settings or end the process with code 2, naming every variable that is missing or wrong."""
    try:
        return kind()
    except ValidationError as error:
        for problem in error.errors(include_url=False, include_input=False, include_context=False):
            name = "_".join(str(part) for part in problem["loc"]).upper()
            sys.stderr.write(f"FLORIN_{name}: {problem['msg']}\n")
        raise SystemExit(2) from None
