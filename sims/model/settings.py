"""What the model's server is told by its environment, `MODEL_<WORD>`."""

from pathlib import Path

from pydantic import Field, NonNegativeInt
from pydantic_settings import BaseSettings, SettingsConfigDict

from sims.model.artefact import SHIPPED


class ModelSettings(BaseSettings):
    """Where it listens and what it serves.

    path: the folder with model.txt and model.json. endpoint: the name InvokeEndpoint must give. delay_ms: before every
    answer to an invocation, to play a slow model.
    """

    model_config = SettingsConfigDict(env_prefix="MODEL_", frozen=True)

    host: str = "127.0.0.1"
    port: int = Field(ge=0, le=65535)
    path: Path = SHIPPED
    endpoint: str = "florin-risk"
    delay_ms: NonNegativeInt = 0
