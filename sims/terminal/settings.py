"""What a terminal is told by its environment, `TERMINAL_<WORD>`."""

from pathlib import Path

from pydantic import Field
from pydantic_settings import BaseSettings, SettingsConfigDict


class TerminalSettings(BaseSettings):
    """Where the gateway is, and who the terminal is.

    address: the gateway's listener for terminals, `host:port`. cert, key: the terminal's certificate chain and its
    private key, PEM. ca: the authority that the gateway's certificate comes from. server_name: the name in it, where
    that is not the address's host. deadline_ms: of a step that names none.
    """

    model_config = SettingsConfigDict(env_prefix="TERMINAL_", frozen=True)

    address: str = Field(pattern=r"^.+:\d+$")
    cert: Path
    key: Path
    ca: Path
    server_name: str = ""
    deadline_ms: int = Field(default=8000, gt=0)
