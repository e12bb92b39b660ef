"""What the provider is told by its environment, `UPI_PSP_<WORD>`."""

from pathlib import Path

from pydantic import Field, NonNegativeInt
from pydantic_settings import BaseSettings, SettingsConfigDict


class UpiPspSettings(BaseSettings):
    """Where it listens, whom it tells, what it writes.

    callback_url: where callbacks go. ca_file: the authority its certificate must come from, when not a public one.
    api_key_file, webhook_secret_file: files with one line. retry_pause_ms: before the second attempt of a callback,
    doubled before each next one. payer_delay_ms: how long a payer who was not told by hand takes to act. auto_pay_vpa:
    a payer who pays every order by themselves; "" for none.
    """

    model_config = SettingsConfigDict(env_prefix="UPI_PSP_", frozen=True)

    host: str = "127.0.0.1"
    port: int = Field(ge=0, le=65535)
    journal: Path
    callback_url: str = Field(pattern="^https?://")
    ca_file: Path | None = None
    api_key_file: Path
    webhook_secret_file: Path
    retry_pause_ms: NonNegativeInt = 500
    payer_delay_ms: NonNegativeInt = 100
    auto_pay_vpa: str = ""


def secret_in(path: Path) -> str:
    """Return the file's only line; ValueError when it is empty: nothing is ever signed with nothing."""
    secret = path.read_text(encoding="utf-8").strip()
    if not secret:
        raise ValueError(f"{path.name} is empty")
    return secret
