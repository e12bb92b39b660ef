"""What may be asked, as it must look."""

from decimal import Decimal
from enum import StrEnum
from hashlib import sha256
from typing import Annotated, Literal, Self

from pydantic import AwareDatetime, BaseModel, ConfigDict, StringConstraints, field_validator, model_validator

Vpa = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9.\-_]{2,256}@[A-Za-z][A-Za-z0-9]{1,63}$")]
Reference = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9_-]{1,35}$")]
Rupees = Annotated[str, StringConstraints(pattern=r"^[0-9]{1,8}\.[0-9]{2}$")]


class Flow(StrEnum):
    """How the payer is reached."""

    INTENT = "INTENT"
    QR = "QR"
    COLLECT = "COLLECT"


class NewOrder(BaseModel):
    """An order to be made. amount: rupees with two decimals. payer_vpa: for COLLECT, and only there."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    merchant_order_ref: Reference
    amount: Rupees
    currency: Literal["INR"]
    payee_vpa: Vpa
    payee_name: Annotated[str, StringConstraints(min_length=1, max_length=99)]
    mcc: Annotated[str, StringConstraints(pattern="^[0-9]{4}$")]
    note: Annotated[str, StringConstraints(max_length=80)] = ""
    expires_at: AwareDatetime
    flow: Flow
    payer_vpa: Vpa | None = None

    @field_validator("amount")
    @classmethod
    def _some(cls, amount: str) -> str:
        if not Decimal(amount):
            raise ValueError("an order of nothing")
        return amount

    @model_validator(mode="after")
    def _payer_belongs_to_collect(self) -> Self:
        if (self.flow is Flow.COLLECT) != (self.payer_vpa is not None):
            raise ValueError("payer_vpa goes with COLLECT, and with nothing else")
        return self

    @property
    def fingerprint(self) -> str:
        """What tells this body from another under the same reference."""
        return sha256(self.model_dump_json().encode()).hexdigest()


class NewRefund(BaseModel):
    """A refund to be made. amount: rupees with two decimals."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    refund_ref: Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9_-]{1,63}$")]
    amount: Rupees


class Payment(BaseModel):
    """What a payer's app was shown, and whose app it is."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    uri: Annotated[str, StringConstraints(min_length=1, max_length=2048)]
    payer_vpa: Vpa
