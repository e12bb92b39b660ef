"""What the model is asked with."""

from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

_Count = Annotated[int, Field(ge=0, le=10**15)]
_Flag = Annotated[int, Field(ge=0, le=1)]


class Features(BaseModel):
    """One payment, as of its initiation, itself included. The order of the fields is the model's.

    amount_minor: minor units. hour_of_day: UTC. card_*: of the card, or of the payer's address. mcc: 0 when not known.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)

    amount_minor: _Count
    hour_of_day: Annotated[int, Field(ge=0, le=23)]
    card_attempts_1m: _Count
    card_attempts_1h: _Count
    card_amount_24h_minor: _Count
    merchant_attempts_1m: _Count
    bin_country_mismatch: _Flag
    is_upi: _Flag
    mcc: Annotated[int, Field(ge=0, le=9999)]

    def row(self) -> list[int]:
        """Return the values in the model's order."""
        return list(self.model_dump().values())


NAMES = tuple(Features.model_fields)


class Request(BaseModel):
    """The body of an invocation."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    instances: Annotated[tuple[Features, ...], Field(min_length=1, max_length=100)]
