"""What an acquirer's host is told by its environment, `ACQUIRER_<WORD>`."""

import ssl
from pathlib import Path
from typing import Literal

from pydantic import Field, NonNegativeInt
from pydantic_settings import BaseSettings, SettingsConfigDict


class AcquirerSettings(BaseSettings):
    """Where it listens, what it writes, how long it takes.

    name: for its logs. dialect: which acquirer it plays. certificate, private_key: in PEM; with them, TLS only.
    zone_key_file: the key, in hexadecimal, that working keys are wrapped under, for a dialect that has them. port: 0
    takes a free one and says which in the log. journal: the file it appends to, and reads
    at its start. delay_ms: before every answer about money. late_ms, slow_ms: for the amounts that ask for it.
    """

    model_config = SettingsConfigDict(env_prefix="ACQUIRER_", frozen=True)

    name: str = "acquirer"
    dialect: Literal["meridian", "lakeside"] = "meridian"
    certificate: Path | None = None
    private_key: Path | None = None
    zone_key_file: Path | None = None
    host: str = "127.0.0.1"
    port: int = Field(ge=0, le=65535)
    journal: Path
    delay_ms: NonNegativeInt = 0
    slow_ms: NonNegativeInt = 500
    late_ms: NonNegativeInt = 10_000
    max_frame_bytes: int = Field(default=4096, ge=24, le=65535)

    @property
    def zone_key(self) -> bytes:
        """The zone key, b"" without one."""
        return bytes.fromhex(self.zone_key_file.read_text(encoding="ascii").strip()) if self.zone_key_file else b""

    @property
    def ssl_context(self) -> ssl.SSLContext | None:
        """The server's side of TLS, None without a certificate."""
        if self.certificate is None:
            return None
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(self.certificate, self.private_key)
        return context
