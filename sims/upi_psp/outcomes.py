"""What a payer does, by their address. The table is data."""

from enum import StrEnum
from pathlib import Path

from pydantic import BaseModel, ConfigDict, NonNegativeInt


class Status(StrEnum):
    """Where an order stands."""

    CREATED = "CREATED"
    PENDING = "PENDING"
    """The payer acted; the network has not said what became of it."""
    DEEMED = "DEEMED"
    """Debited, and nobody confirmed the credit."""
    SUCCESS = "SUCCESS"
    FAILED = "FAILED"
    EXPIRED = "EXPIRED"
    CANCELED = "CANCELED"

    @property
    def event(self) -> str:
        """The last word of what the callback about it is called."""
        names = {
            Status.SUCCESS: "success",
            Status.FAILED: "failed",
            Status.EXPIRED: "expired",
            Status.CANCELED: "canceled",
        }
        return names.get(self, "pending")


class Delivery(StrEnum):
    """What becomes of the callback about a step."""

    ONCE = "once"
    THRICE = "thrice"
    NONE = "none"
    HELD = "held"
    """Sent after the next step's."""
    FORGED = "forged"
    """Signed with another secret, and untrue: the order does not change."""


class Step(BaseModel):
    """One thing that becomes of an order, after a wait. code: UPI's response code."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    status: Status
    code: str
    after_ms: NonNegativeInt = 0
    delivery: Delivery = Delivery.ONCE


class Payer(BaseModel):
    """A test payer and what they do, step by step."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    vpa: str
    meaning: str
    steps: tuple[Step, ...]

    @property
    def truth(self) -> Step:
        """The last step: what the status check says in the end."""
        return self.steps[-1]


class Giveback(BaseModel):
    """What becomes of a refund by the paise of its amount. answered: whether the request for it gets its answer."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    paise: str
    meaning: str
    steps: tuple[Step, ...]
    answered: bool = True


class Table(BaseModel):
    """All test payers, and refunds. Any other address pays, any other refund is given at once."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    payers: tuple[Payer, ...]
    refunds: tuple[Giveback, ...]

    def refund(self, amount: str) -> Giveback:
        """Return what becomes of a refund of so many rupees."""
        at_once = Giveback(paise="", meaning="", steps=(Step(status=Status.SUCCESS, code="00"),))
        return next((one for one in self.refunds if amount.endswith(one.paise)), at_once)

    def refunds_markdown(self) -> str:
        """Return the refunds as people read them in the documentation."""
        rows = [
            f"| `{one.paise}` | {one.steps[-1].status} | {one.steps[-1].code} | {one.meaning} |" for one in self.refunds
        ]
        return "\n".join(["| amount ends in | ends as | code | what happens |", "|---|---|---|---|", *rows])

    @classmethod
    def load(cls) -> "Table":
        """Return the table in outcomes.json."""
        return cls.model_validate_json(Path(__file__).with_name("outcomes.json").read_bytes())

    def steps(self, vpa: str) -> tuple[Step, ...]:
        """Return what this payer does; addresses do not distinguish case."""
        chosen = [payer.steps for payer in self.payers if payer.vpa == vpa.lower()]
        return chosen[0] if chosen else (Step(status=Status.SUCCESS, code="00"),)

    def markdown(self) -> str:
        """Return the table as people read it in the documentation."""
        rows = [
            f"| `{payer.vpa}` | {payer.truth.status} | {payer.truth.code} | {payer.meaning} |" for payer in self.payers
        ]
        return "\n".join(["| payer | ends as | code | what happens |", "|---|---|---|---|", *rows])
